"""What decisions are worth: net benefit, and predictive values at another prevalence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lentigo.errors import InputError
from lentigo.score.arrays import Floats, checked_weights, ratio
from lentigo.score.bootstrap import REPLICATES, group_numbers, grouped_bootstrap
from lentigo.score.curves import BAND_REPLICATES, Band
from lentigo.score.estimate import LEVEL, Estimate, summarise

BENEFIT_GRID = np.arange(1, 61) / 100


def net_benefit(
    positive: ArrayLike,
    probability: ArrayLike,
    thresholds: ArrayLike,
    weights: ArrayLike | None = None,
) -> Floats:
    """True positives less false ones at the threshold's odds, per image (Vickers, Elkin 2006).

    Args:
        positive: (n,) true where the answer is yes.
        probability: (n,) of yes; at or above a threshold it is called yes.
        thresholds: (t,) in [0, 1).
        weights: (n,) at least 0.

    Returns:
        (t,) at most the share of positives; calling nothing yes is worth 0.

    Raises:
        InputError: A threshold out of range.
    """
    truth, value = np.asarray(positive, bool), np.asarray(probability, np.float64)
    at = np.asarray(thresholds, dtype=np.float64)
    weight = checked_weights(weights, len(truth))
    return _benefit(truth, value, at)(weight[:, None])[:, 0]


def benefit_band(
    positive: ArrayLike,
    probability: ArrayLike,
    group_ids: NDArray[Any],
    *,
    replicates: int = BAND_REPLICATES,
    seed: int = 0,
) -> Band:
    """Pointwise 95% band of the net benefit at thresholds from 1% to 60%."""
    score = _benefit(np.asarray(positive, bool), np.asarray(probability, np.float64), BENEFIT_GRID)
    drawn = grouped_bootstrap(score, group_ids, replicates=replicates, seed=seed)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return Band(BENEFIT_GRID, low, high)


def _benefit(truth: NDArray[np.bool_], value: Floats, at: Floats) -> Callable[[Floats], Floats]:
    """A weighted score: weights (n, b) to net benefits (t, b)."""
    if at.size and not (at.min() >= 0 and at.max() < 1):
        raise InputError("Thresholds of a decision curve lie in [0, 1).")
    worth = np.where(truth, 1.0, -(at / (1 - at))[:, None])
    gains = np.where(value >= at[:, None], worth, 0.0)

    def score(weights: Floats) -> Floats:
        return np.asarray(gains @ weights.astype(np.float64) / weights.sum(axis=0))

    return score


def predictive_values(
    positive: ArrayLike,
    called: ArrayLike,
    group_ids: NDArray[Any],
    prevalence: float,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> tuple[Estimate, Estimate]:
    """Positive and negative predictive value where ``prevalence`` are positive, by Bayes.

    Sensitivity and specificity are taken from these images and redrawn together, by groups.

    Args:
        positive: (n,) true where the answer is yes.
        called: (n,) true where it is called yes.
        group_ids: (n,) the group of each image.
        prevalence: In (0, 1).
        replicates: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        InputError: A prevalence out of range.
    """
    if not 0 < prevalence < 1:
        raise InputError(
            f"A prevalence of {prevalence} is not between 0 and 1.",
            todo="Give a share: 0.0176 means 1.76%.",
        )
    truth, yes = np.asarray(positive, bool), np.asarray(called, bool)
    rows = np.stack([truth & yes, truth, ~truth & ~yes, ~truth]).astype(np.float64)

    def score(weights: Floats) -> Floats:
        hit, positives, spared, negatives = rows @ weights.astype(np.float64)
        sensitivity, specificity = ratio(hit, positives), ratio(spared, negatives)
        found, missed = prevalence * sensitivity, prevalence * (1 - sensitivity)
        quiet, alarm = (1 - prevalence) * specificity, (1 - prevalence) * (1 - specificity)
        return np.stack([ratio(found, found + alarm), ratio(quiet, quiet + missed)])

    observed = score(np.ones((len(truth), 1)))[:, 0]
    drawn = grouped_bootstrap(score, group_ids, replicates=replicates, seed=seed)
    _, groups = group_numbers(group_ids)
    first, second = (
        summarise(float(value), each, groups, reason=_extreme(float(value)))
        for value, each in zip(observed, drawn, strict=True)
    )
    return first, second


def _extreme(value: float) -> str | None:
    """A value of 0 or 1 cannot be moved by resampling, and its interval says too little."""
    if value in {0.0, 1.0}:
        return "no error of this kind was seen, so the interval is too narrow"
    return None
