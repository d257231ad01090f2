"""From a finished run to the one-file bundle, if the bundle says what the network says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.deploy.bundle import (
    Bundle,
    BundleInfo,
    Familiarity,
    Figure,
    Parity,
    Quantization,
    write_bundle,
)
from lentigo.deploy.job import Converted, convert_apart
from lentigo.deploy.parity import demand, measure
from lentigo.deploy.runtime import BundlePredictor
from lentigo.errors import InputError, RunError
from lentigo.image.verdict import DEFAULT_THRESHOLDS
from lentigo.score.calibration import softmax
from lentigo.score.familiarity import Subspace, threshold_keeping
from lentigo.taxonomy import INTENDED_USE, LIMITS
from lentigo.train.familiar import kept_subspaces
from lentigo.train.features import some_training_rows
from lentigo.train.run import NetworkRun, Run, need_network, open_run
from lentigo.train.second_input import need_image_alone
from lentigo.train.sight import kept_sight

QUANTIZATIONS: tuple[Quantization, ...] = ("float32", "float16", "int8", "dynamic")
REPRESENTATIVE_IMAGES = 200
# Of training and of validation images, for a bundle to say what is unlike them.
FEWEST_TO_KNOW = 20
# Validation images are read so many at a time, which keeps memory flat.
_PIECE = 256

_ONLY_NETWORKS = "only networks become bundles"


@dataclass(frozen=True)
class Card:
    """What people, not the run, say about a bundle.

    Attributes:
        name: What it is called; the recipe's name where None.
        license: Of the model; the licences of its training images where None.
        intended_use: For whom and what.
        limits: What it cannot do.
        metrics: Figures on held-out images.
        markdown: The model card.
    """

    name: str | None = None
    license: str | None = None
    intended_use: str = INTENDED_USE
    limits: str = LIMITS
    metrics: dict[str, Figure] | None = None
    markdown: str = ""


@dataclass(frozen=True)
class Exported:
    """A written bundle.

    Attributes:
        path: The file.
        parity: What conversion changed.
        size_bytes: Of the file.
        kept_float: Layers that int8 left in float32.
    """

    path: Path
    parity: Parity
    size_bytes: int
    kept_float: tuple[str, ...] = ()


def export(
    run: Run | Path | str,
    *,
    data: PreparedSet | Path | str | None = None,
    quant: Quantization = "float32",
    out: Path | str | None = None,
    card: Card | None = None,
    keep_float: Sequence[str] = (),
) -> Exported:
    """Convert a run's network and write it as a bundle.

    Args:
        run: The run or its folder.
        data: The prepared set that made it, where it has moved; the run knows its path.
        quant: ``float32``, ``float16`` (weights), ``dynamic`` (8-bit weights) or ``int8``
            (8-bit throughout, calibrated on training images).
        out: The file; ``RUN/export/<name>-<quant>.tflite`` where None.
        card: What to say about it beside what the run knows.
        keep_float: With int8, layers to leave in float32, by parts of their names; ``auto``
            alone finds the few that int8 harms most, on training images.

    Raises:
        InputError: No such quantization, or layers to keep without int8.
        RunError: Not a finished network, one that takes metadata, or a prepared set that did
            not make it.
        ParityError: The bundle does not agree with the network; nothing is written.
    """
    _check_request(quant, keep_float)
    run = need_network(run if isinstance(run, Run) else open_run(run), _ONLY_NETWORKS)
    card = card or Card()
    drafted = draft(run, data=data, quant=quant, card=card, keep_float=keep_float)
    demand(drafted.parity)
    name = card.name or run.info.recipe
    path = run.path / "export" / f"{name}-{quant}.tflite" if out is None else Path(out)
    write_bundle(drafted.bundle.graph, drafted.bundle.info, path, model_card=card.markdown)
    return Exported(path, drafted.parity, path.stat().st_size, drafted.kept_float)


@dataclass(frozen=True)
class Draft:
    """A conversion before the parity gate.

    Attributes:
        bundle: What would be written.
        parity: What conversion changed.
        rows: (n,) the validation images.
        probability: (n, k) what the bundle says of them, calibrated.
        kept_float: Layers that int8 left in float32.
    """

    bundle: Bundle
    parity: Parity
    rows: NDArray[np.int64]
    probability: NDArray[np.float64]
    kept_float: tuple[str, ...]


def draft(
    run: NetworkRun,
    *,
    data: PreparedSet | Path | str | None = None,
    quant: Quantization = "float32",
    card: Card | None = None,
    keep_float: Sequence[str] = (),
) -> Draft:
    """Convert and measure as `export` does, but refuse nothing and write nothing.

    Raises:
        InputError, RunError: As `export`.
        ParityError: The graph answers with what is no number.
    """
    _check_request(quant, keep_float)
    need_image_alone(run.info.metadata, run.path, "a bundle is given an image alone")
    prepared = _prepared(run, data)
    rows, logits = _kept_predictions(run, prepared)
    own_network = run.recipe().network.name
    representative = None
    if quant in {"int8", "float16"}:
        chosen = some_training_rows(run, prepared, REPRESENTATIVE_IMAGES)
        representative = np.stack([prepared.images[row] for row in chosen])
    converted = convert_apart(
        run.path / "model.keras",
        quant,
        representative=representative,
        subspaces=_subspaces(run, prepared),
        sight=astuple(kept_sight(run, prepared)),
        modules=(own_network.partition(":")[0],) if ":" in own_network else (),
        keep_float=tuple(keep_float),
    )
    info = _info(run, prepared, converted, quant, card or Card())
    bundle = Bundle(info, converted.graph, source=f"the {quant} graph")
    probability, familiarity = _answers(prepared, bundle, rows)
    kept = np.asarray(softmax(logits, run.temperature), dtype=np.float64)
    parity = measure(quant, prepared.labels[rows], kept, probability)
    info = info.model_copy(update={"parity": parity, "familiarity": familiarity})
    bundle = Bundle(info, converted.graph, source=bundle.source)
    return Draft(bundle, parity, rows, probability, converted.kept_float)


def _check_request(quant: str, keep_float: Sequence[str]) -> None:
    if quant not in QUANTIZATIONS:
        raise InputError(f"There is no quantization {quant!r}.", todo=f"One of {QUANTIZATIONS}.")
    if keep_float and quant != "int8":
        raise InputError("Only int8 keeps layers in float.", todo="Add --quant int8.")


def _prepared(run: Run, data: PreparedSet | Path | str | None) -> PreparedSet:
    if not isinstance(data, PreparedSet):
        path = Path(data if data is not None else run.info.prepared_path)
        if not path.exists():
            raise RunError(
                f"The prepared set {path} of {run.path} does not exist.",
                todo="Name where it is now with --data DIR.",
            )
        data = open_prepared(path)
    if data.digest != run.info.prepared_digest:
        raise RunError(
            f"{data.path} is not the prepared set that made {run.path}: its digest is "
            f"{data.digest[:12]}, the run's {run.info.prepared_digest[:12]}.",
            todo="Name the right one with --data DIR, or prepare it again with the same options.",
        )
    return data


def _info(
    run: Run, prepared: PreparedSet, converted: Converted, quant: Quantization, card: Card
) -> BundleInfo:
    info, network = run.info, run.recipe().network
    created_with = {**info.environment, "converter": f"tensorflow {converted.tensorflow}"}
    if converted.kept_float:
        created_with["kept in float32"] = ", ".join(converted.kept_float)
    return BundleInfo(
        name=card.name or info.recipe,
        created_with=created_with,
        network=f"{network.name} (width {network.alpha:g})",
        taxonomy=run.taxonomy,
        spec=run.spec,
        temperature=run.temperature,
        operating_points=run.operating_points,
        mixture=run.calibration.mixture,
        attention=converted.attention,
        quality=DEFAULT_THRESHOLDS,
        quantization=quant,
        intended_use=card.intended_use,
        limits=card.limits,
        license=card.license or _licenses(prepared),
        metrics=card.metrics,
        recipe_digest=info.recipe_digest,
        data_digest=info.prepared_digest,
        test_digest=info.test_digest,
        fold=info.fold,
        leaky=info.leaky,
    )


def _licenses(prepared: PreparedSet) -> str:
    known = sorted({str(each) for each in prepared.manifest["license"].dropna()} - {""})
    if not known:
        return "unknown: the licence of the training images is not recorded"
    return f"as its training images: {', '.join(known)}"


def _subspaces(run: NetworkRun, prepared: PreparedSet) -> tuple[Subspace, ...]:
    """What the training images fill; nothing where they or validation are too few to say."""
    if min(run.info.training_images, run.info.validation_images) < FEWEST_TO_KNOW:
        return ()
    return kept_subspaces(run, prepared)


def _answers(
    prepared: PreparedSet, bundle: Bundle, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], Familiarity | None]:
    """Probabilities (n, k) of ``rows``, and the threshold of the unfamiliar, on validation."""
    predictor = BundlePredictor(bundle)
    pieces = np.array_split(rows, max(1, len(rows) // _PIECE))
    answers = [each for piece in pieces for each in predictor.see(prepared.images[piece])]
    logits = np.stack([answer.logits for answer in answers])
    probability = np.asarray(softmax(logits, bundle.info.temperature), dtype=np.float64)
    # Set on what this very graph answers, so that quantization does not shift it.
    scores = [each.unfamiliarity for each in answers if each.unfamiliarity is not None]
    return probability, _familiarity(np.asarray(scores)) if scores else None


def _familiarity(scores: NDArray[np.float64]) -> Familiarity:
    threshold = threshold_keeping(scores)
    return Familiarity(
        method="level-residuals",
        threshold=threshold,
        kept=float((scores <= threshold).mean()),
        images=len(scores),
    )


def _kept_predictions(
    run: Run, prepared: PreparedSet
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows (n,) of the validation images, and the logits (n, k) that training kept of them."""
    path = run.path / "validation_predictions.csv"
    columns = [f"logit_{code}" for code in run.taxonomy.codes]
    try:
        kept = pd.read_csv(path, dtype={"image_id": str}, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}") from None
    missing = [name for name in ("image_id", *columns) if name not in kept.columns]
    if missing or kept.empty:
        raise RunError(f"{path} was changed: it lacks {missing or 'rows'}.")
    place = pd.Series(np.arange(len(prepared.manifest)), index=prepared.manifest["image_id"])
    rows = place.reindex(kept["image_id"])
    if rows.isna().any():
        raise RunError(f"{path} names {int(rows.isna().sum())} images that {prepared.path} lacks.")
    # Ids may lie anywhere in the file; in order of rows the disk is read once through.
    order = np.argsort(rows.to_numpy())
    return (
        rows.to_numpy(dtype=np.int64)[order],
        kept[columns].to_numpy(dtype=np.float64)[order],
    )
