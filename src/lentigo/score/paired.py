"""Two classifiers on the same images: tests of whether they differ.

All of them take images as independent. Where a lesion or patient has several images, they are
too sure of themselves; the grouped bootstrap is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lentigo.errors import InputError
from lentigo.score.arrays import Floats


@dataclass(frozen=True)
class DeLong:
    """ROC areas of several classifiers, and how they vary together.

    Attributes:
        area: (c,) ROC areas.
        covariance: (c, c) of the areas.
    """

    area: Floats
    covariance: Floats

    def difference(self, first: int = 0, second: int = 1) -> tuple[float, float, float]:
        """Difference of two areas, its standard error, and the two-sided p-value.

        Where the standard error is 0 the p-value is 1 for equal areas, else 0.
        """
        gap = float(self.area[first] - self.area[second])
        variance = (
            self.covariance[first, first]
            + self.covariance[second, second]
            - 2 * self.covariance[first, second]
        )
        error = math.sqrt(max(float(variance), 0.0))
        if error < 1e-12:
            return gap, 0.0, float(abs(gap) < 1e-12)
        return gap, error, math.erfc(abs(gap) / error / math.sqrt(2))


def delong(positive: ArrayLike, scores: ArrayLike) -> DeLong:
    """Variances and covariances of correlated ROC areas (DeLong 1988).

    By midranks, in the time of a sort (Sun and Xu 2014); ties count half.

    Args:
        positive: (n,) true where the answer is yes.
        scores: (c, n) of c classifiers; higher means more likely yes.

    Raises:
        InputError: Fewer than two positives or negatives, or scores that are not finite.
    """
    truth = np.asarray(positive, dtype=bool)
    values = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    if values.shape[1] != len(truth) or not np.isfinite(values).all():
        raise InputError("DeLong's test needs one finite score for every image.")
    m, n = int(truth.sum()), int((~truth).sum())
    if min(m, n) < 2:
        raise InputError(f"DeLong's test needs two images of each kind; there are {m} and {n}.")
    whole = np.stack([_midranks(row) for row in values])
    # What share of the negatives each positive beats, and of the positives each negative loses to.
    own_positive = np.stack([_midranks(row[truth]) for row in values])
    own_negative = np.stack([_midranks(row[~truth]) for row in values])
    beaten = (whole[:, truth] - own_positive) / n
    lost_to = 1 - (whole[:, ~truth] - own_negative) / m
    return DeLong(beaten.mean(axis=1), _covariance(beaten) / m + _covariance(lost_to) / n)


def _midranks(values: Floats) -> Floats:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place.reshape(-1)])


def _covariance(components: Floats) -> Floats:
    centred = components - components.mean(axis=1, keepdims=True)
    return np.asarray(centred @ centred.T / (components.shape[1] - 1))


@dataclass(frozen=True)
class McNemar:
    """Images on which only one of two classifiers is right.

    Attributes:
        only_first: Only the first is right.
        only_second: Only the second is right.
        p_value: Two-sided, exact: the smaller count under equal chances (binomial).
        chi_squared: With Edwards's correction for continuity; None where both counts are 0.
    """

    only_first: int
    only_second: int
    p_value: float
    chi_squared: float | None


def mcnemar(first_right: ArrayLike, second_right: ArrayLike) -> McNemar:
    """McNemar's test of equal accuracy (McNemar 1947; Edwards 1948).

    Args:
        first_right: (n,) where the first classifier is right.
        second_right: (n,) likewise.

    Raises:
        InputError: Different lengths.
    """
    a, b = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    if a.shape != b.shape or a.ndim != 1:
        raise InputError("McNemar's test needs the same images on both sides.")
    first, second = int((a & ~b).sum()), int((~a & b).sum())
    both = first + second
    if both == 0:
        return McNemar(0, 0, 1.0, None)
    tail = sum(math.comb(both, k) for k in range(min(first, second) + 1))
    # Whole numbers as long as they can be: 2 ** 10000 is no float.
    p_value = min(1.0, 2 * _quotient(tail, both))
    return McNemar(first, second, p_value, max(abs(first - second) - 1, 0) ** 2 / both)


def _quotient(tail: int, power: int) -> float:
    """``tail / 2 ** power`` without overflow."""
    excess = max(tail.bit_length() - 64, 0)
    return math.ldexp(float(tail >> excess), excess - power)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values corrected for their number, step by step (Holm 1979).

    Args:
        p_values: (m,) in [0, 1].

    Returns:
        (m,) in [0, 1], in the same order: below a level a, the chance of even one false
        finding among all is at most a, however the tests depend on each other.
    """
    count = len(p_values)
    order = sorted(range(count), key=lambda place: p_values[place])
    corrected, highest = [0.0] * count, 0.0
    for step, place in enumerate(order):
        highest = max(highest, min(1.0, (count - step) * p_values[place]))
        corrected[place] = highest
    return tuple(corrected)
