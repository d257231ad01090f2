"""How the figures of an evaluation differ between parts of its images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lentigo.evaluate.strata import UNKNOWN, Axis, axes_of
from lentigo.score.estimate import Estimate
from lentigo.score.subgroups import MIN_GROUPS, Answers, Stratum, compare_strata, keys_of

if TYPE_CHECKING:
    from lentigo.data.prepared import PreparedSet
    from lentigo.evaluate.answers import Asked, Scored

SCHEMA_VERSION = 1
CAUTIONS = (
    (
        "Strata differ in what they hold, not only in whom: a site with other diagnoses, or a "
        "group diagnosed in another way, is not as hard as the next. A difference here is a "
        "question, not yet unfairness; no difference is no proof of fairness."
    ),
    (
        "The intervals are not widened for the number of comparisons: about one in twenty "
        "excludes zero by chance."
    ),
)
CSV_COLUMNS = (
    "axis",
    "stratum",
    "status",
    "images",
    "groups",
    "malignant_groups",
    "benign_groups",
    "metric",
    "value",
    "low",
    "high",
    "n_groups",
    "reason",
    "reference",
    "difference",
    "difference_low",
    "difference_high",
    "difference_reason",
)


@dataclass(frozen=True)
class Division:
    """The strata of one axis with their figures.

    Attributes:
        name: Of the axis, in files.
        title: For people.
        note: What a reader must know of it; may be empty.
        strata: In the order they are shown, empty ones included.
    """

    name: str
    title: str
    note: str
    strata: tuple[Stratum, ...]

    @property
    def reference(self) -> str:
        """The stratum that the others are compared with; empty where there is none."""
        return next((each.name for each in self.strata if each.is_reference), "")

    @property
    def unheard(self) -> tuple[str, ...]:
        """Named strata of which nothing is known: no images at all."""
        return tuple(each.name for each in self.strata if each.status == "empty")

    @property
    def too_small(self) -> tuple[str, ...]:
        """Strata with images, but too few groups for any figure."""
        return tuple(each.name for each in self.strata if each.status == "too small")


@dataclass(frozen=True)
class Subgroups:
    """All divisions of one evaluation.

    Attributes:
        divisions: One an axis.
        keys: Figures that each stratum has, by the names of ``lentigo.score.panel``.
        minimum: Groups that a figure's denominator must hold.
        seed: Of the resampling, shared by all strata.
        replicates: Of the resampling.
    """

    divisions: tuple[Division, ...]
    keys: tuple[str, ...]
    minimum: int
    seed: int
    replicates: int

    @property
    def differences(self) -> tuple[int, int]:
        """How many differences have an interval, and how many of those exclude zero."""
        given = [
            each
            for division in self.divisions
            for stratum in division.strata
            if stratum.name != UNKNOWN
            for each in stratum.differences.values()
            if each.low is not None and each.high is not None
        ]
        apart = sum(not (low <= 0 <= high) for low, high in map(_ends, given))
        return len(given), apart

    def to_dict(self) -> dict[str, Any]:
        """The content of ``subgroups.json``."""
        given, apart = self.differences
        return {
            "schema_version": SCHEMA_VERSION,
            "minimum_groups": self.minimum,
            "bootstrap": {"replicates": self.replicates, "seed": self.seed, "level": 0.95},
            "metrics": list(self.keys),
            "differences": {"given": given, "excluding_zero": apart},
            "cautions": list(CAUTIONS),
            "axes": [_division_dict(each) for each in self.divisions],
        }

    def rows(self) -> Iterator[list[Any]]:
        """A row a stratum and figure, in the order of ``CSV_COLUMNS``."""
        for division in self.divisions:
            for each in division.strata:
                counts = each.counts
                head = [division.name, each.name, each.status, counts.images, counts.groups]
                head += [counts.malignant_groups, counts.benign_groups]
                for key, value in each.metrics.items():
                    gap = each.differences.get(key)
                    yield [
                        *head,
                        key,
                        *_cells(value),
                        value.n_groups,
                        value.reason or "",
                        division.reference,
                        *(["", "", ""] if gap is None else _cells(gap)),
                        "" if gap is None else gap.reason or "",
                    ]


def subgroups_of(
    asked: Asked,
    scored: Scored,
    prepared: PreparedSet,
    *,
    replicates: int,
    seed: int,
) -> Subgroups:
    """Divide the scored images in every way that the manifest, or their skin, allows."""
    return subgroups_from(
        answers_of(asked, scored), axes_of(prepared, scored.rows), replicates=replicates, seed=seed
    )


def answers_of(asked: Asked, scored: Scored) -> Answers:
    """What is compared, from what was asked and answered."""
    return Answers(
        labels=scored.labels,
        probability=scored.probability,
        codes=asked.taxonomy.codes,
        malignant=asked.taxonomy.malignant,
        thresholds={point.name: point.threshold for point in asked.points},
        group_ids=_texts(scored.group_ids),
    )


def subgroups_from(
    answers: Answers,
    axes: Sequence[Axis],
    *,
    replicates: int,
    seed: int,
    minimum: int = MIN_GROUPS,
) -> Subgroups:
    """The figures of every stratum of every axis.

    The reference of an axis is its largest stratum that has a name: what is unknown is no
    group of people.
    """
    divisions = []
    for axis in axes:
        masks = axis.masks()
        strata = compare_strata(
            answers,
            masks,
            reference=_reference(answers, masks),
            minimum=minimum,
            replicates=replicates,
            seed=seed,
        )
        divisions.append(Division(axis.name, axis.title, axis.note, tuple(strata)))
    return Subgroups(tuple(divisions), keys_of(answers), minimum, seed, replicates)


def _reference(answers: Answers, masks: dict[str, NDArray[np.bool_]]) -> str:
    sizes = {
        name: len(np.unique(np.asarray(answers.group_ids)[mask]))
        for name, mask in masks.items()
        if name != UNKNOWN and mask.any()
    }
    # Nobody to compare with, where one stratum or none has a name.
    return max(sizes, key=lambda name: sizes[name], default="") if len(sizes) > 1 else ""


def _texts(ids: NDArray[np.object_]) -> NDArray[np.str_]:
    return np.asarray(ids.tolist(), dtype=np.str_)


def _ends(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def _cells(estimate: Estimate) -> list[Any]:
    ends = (estimate.value, estimate.low, estimate.high)
    return ["" if each is None else repr(each) for each in ends]


def _division_dict(division: Division) -> dict[str, Any]:
    return {
        "name": division.name,
        "title": division.title,
        "note": division.note,
        "reference": division.reference,
        "nothing_known": list(division.unheard),
        "too_small": list(division.too_small),
        "strata": [
            {
                "name": each.name,
                "status": each.status,
                "images": each.counts.images,
                "groups": each.counts.groups,
                "malignant_groups": each.counts.malignant_groups,
                "benign_groups": each.counts.benign_groups,
                "metrics": {key: value.to_dict() for key, value in each.metrics.items()},
                "differences": {key: value.to_dict() for key, value in each.differences.items()},
            }
            for each in division.strata
        ],
    }
