"""Ask a predictor about a split of a prepared set, score the answers, write it all down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lentigo.data.labels import DROPPED, class_table, read_labels_map
from lentigo.errors import InputError
from lentigo.evaluate import access, outputs
from lentigo.evaluate.answers import Asked, Scored
from lentigo.evaluate.cautions import cautions, trained_on
from lentigo.evaluate.derived import Restated, restated
from lentigo.evaluate.facts import Findings, Options
from lentigo.evaluate.holdings import holdings_of
from lentigo.evaluate.lesions import (
    LesionAttention,
    MaskCrop,
    find_outlines,
    lesion_attention,
)
from lentigo.evaluate.pictures import worst_mistakes
from lentigo.evaluate.predictor import Predictor, Watching, check_spec, predict_rows
from lentigo.evaluate.reasons import Memory, reasons_for
from lentigo.evaluate.subgroups import Subgroups, subgroups_of
from lentigo.evaluate.twins import twins_of
from lentigo.files import digest_list
from lentigo.score.bootstrap import REPLICATES
from lentigo.score.estimate import Estimate
from lentigo.score.panel import Panel

if TYPE_CHECKING:
    from lentigo.data.prepared import PreparedSet

LOGGER = logging.getLogger(__name__)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation.

    Attributes:
        path: The folder with metrics.json, predictions.csv, confusion.csv, report.html.
        metrics: Every figure with its interval, keyed as in ``lentigo.score.panel``.
        subgroups: The same figures by age, sex, site, source, diagnosis and skin tone.
        images: How many images were scored.
        groups: How many groups they belong to.
        looks: How often this list of images was looked at, this time included.
        leaky: Whether the figures are inflated by groups on both sides of a split.
        cautions: What else a reader must know, in sentences, as the report shows them.
        lesions: How much of the attention falls on the lesion, where masks were given.
        restated: Each operating point with its positive and negative predictive value at the
            wanted prevalence; empty where none was.
        dropped: Images left out by the map of classes, by the set's class.
    """

    path: Path
    # Printed, these would be hundreds of lines.
    metrics: dict[str, Estimate] = field(repr=False)
    subgroups: Subgroups = field(repr=False)
    images: int
    groups: int
    looks: int
    leaky: bool
    cautions: tuple[str, ...]
    lesions: LesionAttention | None = None
    restated: Restated = ()
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.path / outputs.REPORT


def evaluate(
    predictor: Predictor,
    prepared: PreparedSet,
    out: Path,
    *,
    split: str = "test",
    fold: int | None = None,
    labels_map: Mapping[str, str] | Path | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
    run_folder: Path | None = None,
    training_files: frozenset[str] = frozenset(),
    memory: Memory | None = None,
    masks: Path | None = None,
    mask_crop: MaskCrop = "none",
    prevalence: float | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a predictor on a split and write the result into a folder.

    Writes ``predictions.csv``, ``confusion.csv``, ``subgroups.json`` and ``.csv``,
    ``evaluation.json``, ``report.html`` and, last, ``metrics.json``: a folder that has it
    is complete.

    Args:
        predictor: A run, a bundle, or anything of that shape.
        prepared: The images; preprocessed as the predictor needs them.
        out: Folder to write into; an earlier evaluation there is replaced.
        split: ``test``, ``validation``, ``train``, or ``all`` of a set from elsewhere.
        fold: The fold that ``train`` and ``validation`` refer to.
        labels_map: Set class to model class, or a file with it; what it does not name is
            left out and counted.
        seed: Of the bootstrap.
        replicates: Of the bootstrap.
        run_folder: The run that is evaluated; it keeps its own log of looks.
        training_files: SHA-256 of the files that the model was trained on, where they are
            known and ``prepared`` is another set than theirs.
        memory: Its training images, for those nearest to the worst errors.
        masks: A folder of lesion outlines, to say how much of the attention they hold;
            ``attention.json`` and ``attention.csv`` are written too.
        mask_crop: ``center-square`` where the masks are of whole frames, and the image files
            the central squares of those.
        prevalence: Share of malignant lesions in (0, 1) that predictive values are restated for.
        progress: Called with (images done, images).

    Raises:
        InputError: Another preprocessing, classes that do not fit, no images, or masks that
            do not.
    """
    # Longer than 40 lines for its options: the body is one call a step.
    check_spec(predictor, prepared)
    check_prevalence(prevalence)
    rows, labels, dropped = _select(predictor, prepared, split, fold, labels_map)
    shared = _shared(prepared, rows, training_files)
    asked = question(predictor, prepared, split, fold, shared)
    outlines = None if masks is None else find_outlines(masks, prepared, rows, mask_crop)
    outputs.begin(out)
    looks = _look(asked, prepared, rows, run_folder)
    LOGGER.info("look %d at %s of %s: %d images", looks.total, split, prepared.path, len(rows))
    probability = predict_rows(predictor, prepared, rows, progress=progress)
    scored = scored_rows(prepared, rows, labels, probability, dropped)
    drawn = {"replicates": replicates, "seed": seed}
    lesions = None
    if outlines is not None and isinstance(predictor, Watching):
        lesions = lesion_attention(predictor, prepared, rows, probability, outlines, **drawn)
    findings = found(
        predictor,
        prepared,
        memory,
        asked=asked,
        scored=scored,
        metrics=_metrics(asked, scored, replicates, seed),
        looks=looks,
        lesions=lesions,
        prevalence=prevalence,
        options=_told(labels_map, masks, mask_crop),
        **drawn,
    )
    outputs.write(out, findings)
    return Evaluation(
        path=out,
        metrics=findings.metrics,
        subgroups=findings.subgroups,
        images=len(rows),
        groups=scored.n_groups,
        looks=looks.total,
        leaky=asked.leaky,
        cautions=asked.cautions,
        lesions=lesions,
        restated=restated(findings),
        dropped=dropped,
    )


def _look(
    asked: Asked, prepared: PreparedSet, rows: np.ndarray, run_folder: Path | None
) -> access.Looks:
    """Log a look at the images asked about; one that holds test images is one at their list too."""
    digests = [asked.list_digest]
    if (prepared.manifest["split"].iloc[rows] == "test").any():
        digests.append(prepared.test_digest)
    of_list, *_ = [
        access.log_look(
            digest,
            asked.model,
            log=access.shared_log(prepared.path),
            run_folder=run_folder,
            user=access.user_log(),
            details={
                "split": asked.split,
                "fold": asked.fold,
                "images": len(rows),
                "data": asked.data_digest,
            },
        )
        for digest in dict.fromkeys(digests)
    ]
    return of_list


def found(
    predictor: Predictor,
    prepared: PreparedSet,
    memory: Memory | None,
    *,
    asked: Asked,
    scored: Scored,
    metrics: dict[str, Estimate],
    looks: access.Looks,
    lesions: LesionAttention | None,
    prevalence: float | None,
    options: Options,
    replicates: int,
    seed: int,
) -> Findings:
    """What the answers say, with what follows from them: subgroups and the worst errors."""
    return Findings(
        asked,
        scored,
        metrics,
        subgroups_of(asked, scored, prepared, replicates=replicates, seed=seed),
        looks,
        seed,
        replicates,
        worst=worst_mistakes(
            predictor.taxonomy, scored, prepared.images, partial(reasons_for, predictor, memory)
        ),
        lesions=lesions,
        prevalence=prevalence,
        holdings=holdings_of(prepared),
        options=options,
        twins=twins_of(prepared),
    )


def _told(
    labels_map: Mapping[str, str] | Path | None, masks: Path | None, mask_crop: MaskCrop
) -> Options:
    labels = labels_map.name if isinstance(labels_map, Path) else "given" if labels_map else ""
    return Options(labels, masks.name if masks else "", mask_crop)


def check_prevalence(prevalence: float | None) -> None:
    """Refuse what is no share of malignant lesions, before anything is opened or looked at.

    Raises:
        InputError: Not between 0 and 1.
    """
    if prevalence is not None and not 0 < prevalence < 1:
        raise InputError(
            f"A prevalence of {prevalence} is not between 0 and 1.",
            todo="Give a share: 0.0176 means 1.76%.",
        )


def _select(
    predictor: Predictor,
    prepared: PreparedSet,
    split: str,
    fold: int | None,
    labels_map: Mapping[str, str] | Path | None,
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Rows (n,) that are scored, their labels (n,) in the model's classes, what is dropped."""
    codes, wanted = prepared.taxonomy.codes, predictor.taxonomy.codes
    if isinstance(labels_map, Path):
        labels_map = read_labels_map(labels_map, codes, wanted)
    table = class_table(codes, wanted, labels_map)
    rows = np.asarray(prepared.rows(split, fold=fold), dtype=np.int64)
    own = prepared.labels[rows]
    labels = table[own]
    keep = labels != DROPPED
    if not keep.any():
        raise InputError(
            f"No image of the {split} split of {prepared.path} is left to score.",
            todo="Choose another split, or map more of the set's classes.",
        )
    lost = own[~keep]
    dropped = {code: int((lost == c).sum()) for c, code in enumerate(codes) if (lost == c).any()}
    return rows[keep], labels[keep], dropped


def scored_rows(
    prepared: PreparedSet,
    rows: np.ndarray,
    labels: np.ndarray,
    probability: np.ndarray,
    dropped: dict[str, int],
) -> Scored:
    """Answers (n, k) to some rows (n,), with the ids and groups of their images."""
    return Scored(
        rows=rows,
        image_ids=prepared.manifest["image_id"].to_numpy(dtype=object)[rows],
        group_ids=prepared.groups[rows],
        labels=labels,
        probability=probability,
        dropped=dropped,
    )


def _shared(prepared: PreparedSet, rows: np.ndarray, training_files: frozenset[str]) -> int:
    """How many of these images were, byte for byte, trained on; 0 where that is unknown."""
    if not training_files:
        return 0
    return int(prepared.manifest["sha256"].iloc[rows].isin(training_files).sum())


def question(
    predictor: Predictor, prepared: PreparedSet, split: str, fold: int | None, shared: int
) -> Asked:
    """Who is asked about what; ``shared`` of the images are known to have been trained on."""
    description = dict(predictor.describe())
    history = tuple(description.pop("history", None) or ())
    caution = str(description.pop("caution", ""))
    rows = np.asarray(prepared.rows(split, fold=fold))
    ids = prepared.manifest["image_id"].to_numpy(dtype=object)[rows].tolist()
    return Asked(
        model=predictor.name,
        description=description,
        history=history,
        taxonomy=predictor.taxonomy,
        spec=predictor.spec,
        points=tuple(predictor.operating_points),
        data=prepared.path,
        data_digest=prepared.digest,
        split=split,
        fold=fold,
        list_digest=prepared.test_digest if split == "test" else digest_list(ids),
        protocol=prepared.protocol,
        leaky=bool(
            prepared.leaky
            or description.get("leaky")
            or trained_on(description, prepared, split, fold)
            or shared
        ),
        cautions=(*filter(None, [caution]), *cautions(description, prepared, split, fold, shared)),
    )


def _metrics(asked: Asked, scored: Scored, replicates: int, seed: int) -> dict[str, Estimate]:
    panel = Panel.of(
        scored.labels,
        scored.probability,
        asked.taxonomy.codes,
        asked.taxonomy.malignant,
        {point.name: point.threshold for point in asked.points},
    )
    return panel.estimates(scored.group_ids, replicates=replicates, seed=seed)
