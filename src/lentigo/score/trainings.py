"""Scores as means over several trainings: on the same images, or each on its fold's.

An estimate of one training is that of a mean of one, so both are told with the same caution.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lentigo.score.arrays import Floats, Integers
from lentigo.score.bootstrap import REPLICATES, group_numbers, grouped_bootstrap
from lentigo.score.estimate import Estimate, summarise


class _Panel(Protocol):
    """What is asked of a training's `lentigo.score.panel.Panel`, which stands on this module."""

    @property
    def keys(self) -> tuple[str, ...]: ...
    def compute(self, weights: Floats) -> Floats: ...
    def draw(self, weights: Floats) -> Floats: ...
    def is_share(self, key: str) -> bool: ...
    def denominator(self, key: str) -> NDArray[np.bool_]: ...
    def kinds(self, key: str) -> list[NDArray[np.bool_]]: ...
    def reason(self, key: str, value: float) -> str | None: ...


def mean_estimates(
    panels: Sequence[_Panel],
    places: Sequence[Integers],
    group_ids: NDArray[np.generic],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """The mean of every score over several trainings, with its interval by grouped bootstrap.

    In each draw the same groups are drawn for all. Of equal trainings on the same images the
    mean is exactly the estimate of one.

    Args:
        panels: One a training, of the same classes and decisions.
        places: Of each, the rows of its images among the n of all: the same for seeds, and
            parts of their own for folds.
        group_ids: (n,) the group of each image.
        replicates: How many.
        seed: Of the resampling.
    """
    own = list(zip(panels, places, strict=True))
    each = np.array([p.compute(np.ones((len(rows), 1)))[:, 0] for p, rows in own])
    drawn = grouped_bootstrap(
        lambda weights: np.mean([p.draw(weights[rows]) for p, rows in own], axis=0),
        group_ids,
        replicates=replicates,
        seed=seed,
    )
    numbers, _ = group_numbers(group_ids)
    groups = [numbers[rows] for rows in places]
    return {
        key: summarise(
            float(each[:, row].mean()),
            drawn[row],
            groups_of_mean([p.denominator(key) for p in panels], groups),
            proportion=panels[0].is_share(key),
            bounded=True,
            scarce=scarce_groups(panels, groups, key),
            reason=_reason_of_mean(panels, key, each[:, row]),
        )
        for row, key in enumerate(panels[0].keys)
    }


def groups_of_mean(chosen: Sequence[NDArray[np.bool_]], groups: Sequence[Integers]) -> int:
    """Groups that a mean over trainings rests on: Kish's effective number (1965), rounded.

    A group weighs what it adds to the denominators of all trainings, of which each weighs the
    same. So groups that several trainings measured count once, those of folds add up, and a
    training that rests on a handful of them is not hidden by one that rests on many.

    Args:
        chosen: Of each training, the images (n_i,) in its denominator.
        groups: Of each, the group number (n_i,) of its images.
    """
    found = [np.unique(own[rows]) for rows, own in zip(chosen, groups, strict=True) if rows.any()]
    if not found:
        return 0
    shares = np.concatenate([np.full(len(own), 1 / len(own)) for own in found])
    weights = np.bincount(np.concatenate(found), shares)
    return round(float(weights.sum() ** 2 / (weights**2).sum()))


def scarce_groups(panels: Sequence[_Panel], groups: Sequence[Integers], key: str) -> int | None:
    """Groups of the scarcest kind that a mean turns on, without kinds that occur nowhere."""
    counts = [groups_of_mean(k, groups) for k in zip(*(p.kinds(key) for p in panels), strict=True)]
    return min(filter(None, counts), default=None)


def _reason_of_mean(panels: Sequence[_Panel], key: str, values: Floats) -> str | None:
    """What must be said of a mean, and of how many trainings where it is not of all."""
    said = [p.reason(key, float(value)) for p, value in zip(panels, values, strict=True)]
    told = next(filter(None, said), None)
    if told is None or said.count(told) == len(said):
        return told
    return f"of {said.count(told)} of {len(said)} trainings: {told}"
