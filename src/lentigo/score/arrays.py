"""Checked inputs of every score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lentigo.errors import InputError

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]
UNDECIDED = -1


def checked(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> tuple[Integers, Floats, Floats]:
    """Labels, probabilities and weights as arrays that fit together.

    Args:
        labels: (n,) class indices in [0, k).
        probability: (n, k) in [0, 1].
        weights: (n,) at least 0; ones where not given.

    Raises:
        InputError: Shapes that do not fit, values out of range or not finite.
    """
    truth = np.asarray(labels)
    scores = np.asarray(probability, dtype=np.float64)
    if truth.ndim != 1 or scores.ndim != 2 or len(truth) != len(scores):
        raise InputError(
            f"labels {truth.shape} and probabilities {scores.shape} do not fit together.",
            todo="Give (n,) class indices and (n, k) probabilities.",
        )
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).any(axis=1).sum())
        raise InputError(f"{bad} of {len(scores)} rows have a probability that is not finite.")
    if truth.size and (truth.min() < 0 or truth.max() >= scores.shape[1]):
        raise InputError(f"labels reach beyond the {scores.shape[1]} classes.")
    return truth.astype(np.int64), scores, checked_weights(weights, len(truth))


def checked_weights(weights: ArrayLike | None, n: int) -> Floats:
    """Weights (n,) of float64, at least 0; ones where not given.

    Raises:
        InputError: Another length, or a weight that is negative or not finite.
    """
    if weights is None:
        return np.ones(n)
    checked_ = np.asarray(weights, dtype=np.float64)
    if checked_.shape != (n,) or not np.isfinite(checked_).all() or (checked_ < 0).any():
        raise InputError(f"weights must be {n} numbers of at least 0.")
    return checked_


def predicted(probability: Floats) -> Integers:
    """The most probable class (n,), or ``UNDECIDED`` where two share the maximum.

    The ISIC scorer counts a tie as wrong whichever class it falls on; so do we.
    """
    if probability.shape[0] == 0:
        return np.zeros(0, dtype=np.int64)
    best = probability.max(axis=1, keepdims=True)
    ties = (probability == best).sum(axis=1) > 1
    return np.where(ties, UNDECIDED, probability.argmax(axis=1))


def tally(index: Integers, weight: Floats, length: int) -> Floats:
    """Sum of the weights (n,) at each index (n,) in [0, length): (length,) of float64."""
    return np.asarray(np.bincount(index, weight, minlength=length), dtype=np.float64)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Element-wise division; NaN where the denominator is 0."""
    out = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def mean_defined(values: Floats) -> Floats:
    """Mean over the first axis of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0, dtype=np.float64))
