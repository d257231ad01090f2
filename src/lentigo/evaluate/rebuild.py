"""The page of a finished evaluation anew, from its files: no prediction, no look."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError
from lentigo.evaluate import outputs
from lentigo.evaluate.access import Looks
from lentigo.evaluate.answers import Scored
from lentigo.evaluate.evaluation import found, question, scored_rows
from lentigo.evaluate.facts import Findings, Options
from lentigo.evaluate.lesions import LesionAttention
from lentigo.evaluate.predictor import Predictor
from lentigo.evaluate.reasons import Memory
from lentigo.files import read_json
from lentigo.score.estimate import Estimate
from lentigo.taxonomy import Taxonomy

if TYPE_CHECKING:
    from lentigo.data.prepared import PreparedSet

_AGAIN = "Run lentigo evaluate again; on the test split that is one more look."


def read_context(folder: Path) -> dict[str, Any]:
    """``evaluation.json`` of a finished evaluation.

    Raises:
        InputError: There is none, or it was never finished.
    """
    if not (folder / outputs.METRICS).is_file():
        raise InputError(f"{folder} holds no finished evaluation.", todo="lentigo evaluate")
    content: dict[str, Any] = read_json(folder / outputs.CONTEXT)
    if content.get("schema_version") != outputs.SCHEMA_VERSION:
        raise InputError(
            f"{folder / outputs.CONTEXT} has schema version {content.get('schema_version')}; "
            f"this lentigo reads {outputs.SCHEMA_VERSION}.",
            todo=_AGAIN,
        )
    return content


def rebuild(
    predictor: Predictor, prepared: PreparedSet, folder: Path, memory: Memory | None = None
) -> Findings:
    """What an evaluation found, from its files: the answers and figures as they were written.

    Only the pictures of the worst errors are looked at again, for what spoke for the answers.

    Args:
        predictor: What was evaluated.
        prepared: The images it was evaluated on.
        folder: Of the finished evaluation.
        memory: The predictor's training images, as for ``evaluate``.

    Raises:
        InputError: No finished evaluation, or one of another model or other images.
    """
    context = read_context(folder)
    _check_same(context, predictor, prepared, folder)
    asked = question(predictor, prepared, context["split"], context["fold"], shared=0)
    # Whether images were trained on was counted when they were predicted.
    asked = replace(asked, leaky=context["leaky"], cautions=tuple(context["cautions"]))
    metrics = read_json(folder / outputs.METRICS)
    return found(
        predictor,
        prepared,
        memory,
        asked=asked,
        scored=_answers(folder, predictor.taxonomy, prepared, context["dropped"]),
        metrics={key: Estimate(**each) for key, each in metrics.items()},
        looks=Looks(**context["looks"]),
        lesions=_lesions(folder),
        prevalence=context.get("prevalence", {}).get("prevalence"),
        # An evaluation of an earlier lentigo did not write them down.
        options=Options(**context.get("options", {})),
        replicates=context["bootstrap"]["replicates"],
        seed=context["bootstrap"]["seed"],
    )


def _check_same(
    context: dict[str, Any], predictor: Predictor, prepared: PreparedSet, folder: Path
) -> None:
    if context["model"] != predictor.name:
        raise InputError(f"{folder} is an evaluation of {context['model']}, not {predictor.name}.")
    if context["data_digest"] != prepared.digest:
        raise InputError(
            f"{prepared.path} is not the prepared set that {folder} was measured on.",
            todo=f"Name the one with digest {context['data_digest'][:16]} with --data.",
        )


def _answers(
    folder: Path, taxonomy: Taxonomy, prepared: PreparedSet, dropped: dict[str, int]
) -> Scored:
    """The probabilities as they were written, to the last bit."""
    path, codes = folder / outputs.PREDICTIONS, list(taxonomy.codes)
    places = {str(each): row for row, each in enumerate(prepared.manifest["image_id"])}
    rows, labels, probability = [], [], []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            if reader.fieldnames != ["image_id", "label", *codes]:
                raise InputError(f"{path} has other columns than the model has classes.")
            for line in reader:
                rows.append(places[line["image_id"]])
                labels.append(codes.index(line["label"]))
                probability.append([float(line[code]) for code in codes])
    except (OSError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {error}", todo=_AGAIN) from None
    if not rows:
        raise InputError(f"{path} holds no answers.", todo=_AGAIN)
    indices: NDArray[np.int64] = np.asarray(rows, np.int64)
    return scored_rows(
        prepared, indices, np.asarray(labels, np.int64), np.asarray(probability), dropped
    )


def _lesions(folder: Path) -> LesionAttention | None:
    """How much attention fell on the lesions, where masks were given."""
    if not (folder / outputs.ATTENTION).is_file():
        return None
    content = read_json(folder / outputs.ATTENTION)
    with (folder / outputs.ATTENTION_TABLE).open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    return LesionAttention(
        image_ids=tuple(line["image_id"] for line in lines),
        inside=np.asarray([float(line["inside"]) for line in lines]),
        area=np.asarray([float(line["area"]) for line in lines]),
        estimates={key: Estimate(**each) for key, each in content["estimates"].items()},
        without_mask=content["without_mask"],
        without_attention=content["without_attention"],
    )
