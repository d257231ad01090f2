"""Bands around curves, by the same grouped bootstrap as the figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lentigo.score.arrays import Floats, predicted, ratio
from lentigo.score.bootstrap import REPLICATES, grouped_bootstrap
from lentigo.score.calibration import BINS, confidence_bin
from lentigo.score.estimate import LEVEL, Estimate, summarise

GRID = np.linspace(0, 1, 101)
BAND_REPLICATES = 300


@dataclass(frozen=True)
class Band:
    """A pointwise 95% band: ``low`` and ``high`` (m,) of the curve at ``at`` (m,)."""

    at: Floats
    low: Floats
    high: Floats


def roc_band(
    positive: ArrayLike,
    score: ArrayLike,
    group_ids: NDArray[Any],
    *,
    replicates: int = BAND_REPLICATES,
    seed: int = 0,
) -> Band:
    """Pointwise band of the sensitivity at each false positive rate of a grid of 101.

    Args:
        positive: (n,) true where the answer is yes.
        score: (n,) higher means more likely yes.
        group_ids: (n,) the group of each image.
        replicates: Fewer than for figures: a band is looked at, not quoted.
        seed: Of the resampling.
    """
    truth = np.asarray(positive, dtype=bool)
    value = np.asarray(score, dtype=np.float64)
    order, last = _by_score(value)
    gain = truth[order][:, None]

    def curves(weights: Floats) -> Floats:
        ranked = weights[order]
        true_positive = np.cumsum(np.where(gain, ranked, 0), axis=0)[last]
        false_positive = np.cumsum(np.where(gain, 0, ranked), axis=0)[last]
        pairs = zip(true_positive.T, false_positive.T, strict=True)
        return np.stack([_on_grid(tp, fp) for tp, fp in pairs], axis=1)

    drawn = grouped_bootstrap(curves, group_ids, replicates=replicates, seed=seed)
    drawn = drawn[:, ~np.isnan(drawn).any(axis=0)]
    if drawn.shape[1] == 0:
        return Band(GRID, np.zeros_like(GRID), np.ones_like(GRID))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return Band(GRID, low, high)


def recall_points(positive: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    """Recall (m,) rising to 1 and the precision (m,) there, a point a different score."""
    truth, value = np.asarray(positive, dtype=bool), np.asarray(score, dtype=np.float64)
    order, last = _by_score(value)
    true_positive = np.cumsum(truth[order])[last]
    return true_positive / max(1, truth.sum()), true_positive / (last + 1)


def recall_band(
    positive: ArrayLike,
    score: ArrayLike,
    group_ids: NDArray[Any],
    *,
    replicates: int = BAND_REPLICATES,
    seed: int = 0,
) -> Band:
    """Pointwise band of the precision at the first threshold that reaches each recall.

    Args are those of `roc_band`; between thresholds precision is not interpolated, which
    would flatter it (Davis and Goadrich 2006). The grid starts at 1%.
    """
    truth, value = np.asarray(positive, dtype=bool), np.asarray(score, dtype=np.float64)
    order, last = _by_score(value)
    gain = truth[order][:, None]
    grid = GRID[1:]

    def curves(weights: Floats) -> Floats:
        ranked = weights[order].astype(np.float64)
        found = np.cumsum(np.where(gain, ranked, 0), axis=0)[last]
        called = np.cumsum(ranked, axis=0)[last]
        columns = []
        for hit, asked in zip(found.T, called.T, strict=True):
            at = np.searchsorted(hit, grid * hit[-1] - 1e-9)
            columns.append(hit[at] / asked[at] if hit[-1] else np.full(len(grid), np.nan))
        return np.stack(columns, axis=1)

    drawn = grouped_bootstrap(curves, group_ids, replicates=replicates, seed=seed)
    drawn = drawn[:, ~np.isnan(drawn).any(axis=0)]
    if drawn.shape[1] == 0:
        return Band(grid, np.zeros_like(grid), np.ones_like(grid))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1)
    return Band(grid, low, high)


def reliability_estimates(
    labels: ArrayLike,
    probability: ArrayLike,
    group_ids: NDArray[Any],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> tuple[Estimate, ...]:
    """The share that is right in each of the 15 bins of a reliability diagram.

    Args:
        labels: (n,) class indices.
        probability: (n, k) of each class.
        group_ids: (n,) the group of each image.
        replicates: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        An estimate a bin; a bin without an image has no value. Where all or none of a bin are
        right, its interval is the exact binomial one of its groups.
    """
    truth, scores = np.asarray(labels), np.asarray(probability, dtype=np.float64)
    right = (predicted(scores) == truth).astype(np.float64)
    where = confidence_bin(scores.max(axis=1))
    inside = (where == np.arange(BINS)[:, None]).astype(np.float64)

    def shares(weights: Floats) -> Floats:
        return ratio((inside * right) @ weights, inside @ weights)

    observed = shares(np.ones((len(truth), 1)))[:, 0]
    drawn = grouped_bootstrap(shares, group_ids, replicates=replicates, seed=seed)
    groups = [len(set(np.asarray(group_ids)[where == b].tolist())) for b in range(BINS)]
    return tuple(
        summarise(value, each, n, proportion=True)
        for value, each, n in zip(observed, drawn, groups, strict=True)
    )


def _by_score(value: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows by falling score (n,), and the last position (m,) of each different score."""
    order = np.argsort(-value, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(value[order])), len(order) - 1)


def _on_grid(true_positive: Floats, false_positive: Floats) -> Floats:
    """Sensitivity on the grid from cumulative counts (m,); NaN where a side has none."""
    if not true_positive[-1] or not false_positive[-1]:
        return np.full(len(GRID), np.nan)
    share_false = np.append(0, false_positive / false_positive[-1])
    share_true = np.append(0, true_positive / true_positive[-1])
    return np.asarray(np.interp(GRID, share_false, share_true))
