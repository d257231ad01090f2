"""Making probabilities mean what they say, and measuring whether they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lentigo.errors import InputError
from lentigo.score.arrays import Floats, Integers, checked, predicted, ratio, tally

BINS = 15
LOWEST_TEMPERATURE = 0.05
HIGHEST_TEMPERATURE = 20.0
_HALVINGS = 80


@dataclass(frozen=True)
class Reliability:
    """What a reliability diagram draws, one entry a bin of confidence.

    Attributes:
        edges: (bins + 1,) from 0 to 1; a bin holds its upper edge, not its lower.
        weight: (bins,) weight of the images in each bin.
        confidence: (bins,) their mean confidence; NaN where empty.
        accuracy: (bins,) the share that is right; NaN where empty.
    """

    edges: Floats
    weight: Floats
    confidence: Floats
    accuracy: Floats


def softmax(logits: ArrayLike, temperature: float = 1.0) -> Floats:
    """Probabilities (n, k) in float64 from logits (n, k) divided by a temperature above 0."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=-1, keepdims=True))


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature that minimises the negative log-likelihood (Guo et al. 2017).

    In 1/T the likelihood is convex, so the root of its slope is found by halving; the
    result does not depend on a start value or on an optimiser's mood.

    Args:
        logits: (n, k), finite.
        labels: (n,) class indices.

    Returns:
        T in [0.05, 20]; a bound where the optimum lies beyond it.

    Raises:
        InputError: No rows, or logits that are not finite.
    """
    truth, scores, _ = checked(labels, logits)
    if len(truth) == 0:
        raise InputError("A temperature cannot be fitted on no images.")
    scores = scores - scores.max(axis=1, keepdims=True)
    reached = scores[np.arange(len(truth)), truth].mean()
    low, high = np.log(1 / HIGHEST_TEMPERATURE), np.log(1 / LOWEST_TEMPERATURE)
    for _step in range(_HALVINGS):
        middle = (low + high) / 2
        probability = softmax(scores, float(np.exp(-middle)))
        slope = (probability * scores).sum(axis=1).mean() - reached
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(np.clip(np.exp(-(low + high) / 2), LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE))


def negative_log_likelihood(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Mean of -log of the true class's probability, floored at 1e-12."""
    truth, scores, weight = checked(labels, probability, weights)
    loss = -np.log(np.maximum(scores[np.arange(len(truth)), truth], 1e-12))
    return float(ratio((weight * loss).sum(), weight.sum()))


def confidence_bin(confidence: Floats, bins: int = BINS) -> Integers:
    """The equal-width bin (n,) of each confidence (n,); bin b is (b / bins, (b + 1) / bins]."""
    return np.asarray(np.clip(np.ceil(confidence * bins) - 1, 0, bins - 1), dtype=np.int64)


def reliability(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None, bins: int = BINS
) -> Reliability:
    """Confidence (probability of the called class) against accuracy, by bin."""
    truth, scores, weight = checked(labels, probability, weights)
    confidence = scores.max(axis=1)
    where = confidence_bin(confidence, bins)
    total = tally(where, weight, bins)
    right = tally(where, weight * (predicted(scores) == truth), bins)
    stated = tally(where, weight * confidence, bins)
    return Reliability(
        edges=np.linspace(0, 1, bins + 1),
        weight=total,
        confidence=ratio(stated, total),
        accuracy=ratio(right, total),
    )


def expected_calibration_error(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None, bins: int = BINS
) -> float:
    """Mean gap between confidence and accuracy over equal-width bins, in [0, 1] (Guo 2017)."""
    table = reliability(labels, probability, weights, bins)
    gap = np.nan_to_num(np.abs(table.accuracy - table.confidence))
    return float(ratio((table.weight * gap).sum(), table.weight.sum()))


def squared_errors(labels: Integers, probability: Floats) -> Floats:
    """Squared distance (n,) of each probability vector from its one-hot label, in [0, 2]."""
    target = np.eye(probability.shape[1])[labels]
    return np.asarray(((probability - target) ** 2).sum(axis=1))


def brier_score(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Mean squared distance of probabilities from the one-hot label, in [0, 2] (Brier 1950)."""
    truth, scores, weight = checked(labels, probability, weights)
    return float(ratio((weight * squared_errors(truth, scores)).sum(), weight.sum()))


def threshold_for_sensitivity(
    is_malignant: ArrayLike, probability: ArrayLike, target: float
) -> float:
    """The highest threshold whose sensitivity reaches a target.

    An image is called malignant when its probability is at least the threshold.

    Args:
        is_malignant: (n,) true where malignant.
        probability: (n,) of being malignant.
        target: Wanted sensitivity in (0, 1].

    Raises:
        InputError: No malignant image, or a target out of range.
    """
    if not 0 < target <= 1:
        raise InputError(f"A sensitivity of {target} is not in (0, 1].")
    positive = np.sort(np.asarray(probability, dtype=np.float64)[np.asarray(is_malignant, bool)])
    if len(positive) == 0:
        raise InputError(
            "No malignant image to set a threshold on.",
            todo="Use validation images that include malignant classes.",
        )
    # 0.9 * 10 is 9.000000000000002 in floating point; nine must do.
    needed = max(1, int(np.ceil(target * len(positive) - 1e-9)))
    return float(positive[-needed])
