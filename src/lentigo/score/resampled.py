"""The challenges' scores of one class for many weightings at once.

The same definitions as ``official``, which computes one weighting; here the sorting is done once
and every weighting is a column, so that a bootstrap of them is a few array operations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lentigo.score.arrays import Floats, Integers
from lentigo.score.official import CATEGORY_SCORES
from lentigo.score.rank import Ranking

PARTIAL = "pauc_2024"
SCORES = (*CATEGORY_SCORES, PARTIAL)
_SENSITIVITY = 0.8


@dataclass(frozen=True)
class Category:
    """One class against the rest.

    Attributes:
        positive: (n,) where it is the class.
        called: (n,) where its probability exceeds 0.5.
        ranking: For ROC area and average precision.
        order: (n,) rows by falling probability.
        last: (m,) positions in ``order`` of the last row of each distinct probability.
    """

    positive: NDArray[np.bool_]
    called: NDArray[np.bool_]
    ranking: Ranking
    order: Integers
    last: Integers

    @classmethod
    def of(cls, positive: NDArray[np.bool_], probability: Floats) -> Category:
        """Prepare a class: where it is (n,), and its probability (n,)."""
        order = np.argsort(-probability, kind="stable")
        last = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
        return cls(positive, probability > 0.5, Ranking.of(positive, probability), order, last)

    def scores(self, weights: Floats) -> Floats:
        """``SCORES`` (10, r) for weightings (n, r); NaN where one side has no weight."""
        weights = np.asarray(weights, np.float64)
        total = weights.sum(axis=0)
        true, called = self.positive @ weights, self.called @ weights
        hit = (self.positive & self.called) @ weights
        false = called - hit
        rest = total - true
        area, precision = self.ranking.scores(weights)
        above, partial = self._partial_areas(weights)
        defined = (true > 0) & (rest > 0)
        rows = [
            _share(hit + rest - false, total),
            _share(hit, true),
            _share(rest - false, rest),
            _share(2 * hit, true + called),
            _share(hit, called),
            _share(rest - false, total - called),
            area,
            above,
            precision,
            partial,
        ]
        return np.where(defined, np.array(rows), np.nan)

    def _partial_areas(self, weights: Floats) -> tuple[Floats, Floats]:
        """Area right of where the ROC curve reaches the sensitivity, (r,); and above it, (r,)."""
        sorted_ = weights[self.order]
        mine = self.positive[self.order][:, None]
        y = _curve(np.where(mine, sorted_, 0.0), self.last)
        x = _curve(np.where(mine, 0.0, sorted_), self.last)
        x0, x1, y0, y1 = x[:-1], x[1:], y[:-1], y[1:]
        rise = y1 - y0
        crossing = (y0 < _SENSITIVITY) & (y1 >= _SENSITIVITY)
        part = np.divide(_SENSITIVITY - y0, rise, out=np.zeros_like(rise), where=crossing)
        start_x = np.where(crossing, x0 + part * (x1 - x0), x0)
        start_y = np.where(crossing, _SENSITIVITY, y0)
        within = crossing | (y0 >= _SENSITIVITY)
        right = np.where(within, (start_y + y1) / 2 * (x1 - start_x), 0.0).sum(axis=0)
        above = np.where(within, (2 - start_x - x1) / 2 * (y1 - start_y), 0.0).sum(axis=0)
        return right, above


def _curve(weights: Floats, last: Integers) -> Floats:
    """Rising shares (m + 1, r) from 0 to 1 at each distinct score; NaN without weight."""
    gained = np.cumsum(weights, axis=0)[last]
    shares = np.divide(gained, gained[-1], out=np.full_like(gained, np.nan), where=gained[-1] > 0)
    return np.concatenate([np.zeros((1, weights.shape[1])), shares])


def _share(part: Floats, whole: Floats) -> Floats:
    """``part / whole``; 1 where there is nothing to divide by, as the challenge has it."""
    return np.divide(part, whole, out=np.ones_like(part), where=whole > 0)
