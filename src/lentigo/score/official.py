"""Scores exactly as the ISIC challenges computed them.

Agrees to 1e-9 with ``isic-challenge-scoring`` (2018 and 2019, classification) and with
the partial AUC of ISIC 2024. Where it departs from ``classification``: a class is called
when its own probability exceeds 0.5, and an empty denominator scores 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lentigo.errors import InputError
from lentigo.score.arrays import Floats, checked, checked_weights
from lentigo.score.classification import (
    balanced_accuracy,
    binary_average_precision,
    binary_roc_auc,
)

CATEGORY_SCORES = (
    "accuracy", "sensitivity", "specificity", "dice", "ppv", "npv", "auc", "auc_sens_80", "ap",
)  # fmt: skip


@dataclass(frozen=True)
class OfficialScore:
    """What the challenge's scorer prints.

    Attributes:
        balanced_accuracy: The challenge's ranking figure.
        per_category: One ``{score: value}`` a class, in the order of the columns.
        macro_average: Their unweighted means.
    """

    balanced_accuracy: float
    per_category: tuple[dict[str, float], ...]
    macro_average: dict[str, float]


def official_score(
    labels: ArrayLike, probability: ArrayLike, score_weight: ArrayLike | None = None
) -> OfficialScore:
    """Score a submission as ``isic-challenge-scoring`` does.

    Args:
        labels: (n,) class indices.
        probability: (n, k) in [0, 1].
        score_weight: (n,) of at least 0.

    Raises:
        InputError: A class without images, for which the challenge has no score.
    """
    truth, scores, weight = checked(labels, probability, score_weight)
    rows = tuple(category_score(truth == c, scores[:, c], weight) for c in range(scores.shape[1]))
    macro = {name: float(np.mean([row[name] for row in rows])) for name in CATEGORY_SCORES}
    return OfficialScore(balanced_accuracy(truth, scores, weight), rows, macro)


def category_score(
    positive: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> dict[str, float]:
    """One class against the rest; called when the probability exceeds 0.5."""
    truth = np.asarray(positive, dtype=bool)
    score = np.asarray(probability, dtype=np.float64)
    weight = checked_weights(weights, len(truth))
    called = score > 0.5
    tp, fp = weight[truth & called].sum(), weight[~truth & called].sum()
    fn, tn = weight[truth & ~called].sum(), weight[~truth & ~called].sum()
    return {
        "accuracy": _share(tp + tn, tp + tn + fp + fn),
        "sensitivity": _share(tp, tp + fn),
        "specificity": _share(tn, tn + fp),
        "dice": _share(2 * tp, 2 * tp + fp + fn),
        "ppv": _share(tp, tp + fp),
        "npv": _share(tn, tn + fn),
        "auc": binary_roc_auc(truth, score, weight),
        "auc_sens_80": auc_above_sensitivity(truth, score, weight, 0.8),
        "ap": binary_average_precision(truth, score, weight),
    }


def roc_points(
    positive: ArrayLike, score: ArrayLike, weights: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    """The ROC curve: false positive rates, true positive rates, thresholds, (m + 1,) each.

    Starts at (0, 0) with an infinite threshold; one point a distinct score.

    Raises:
        InputError: Positives or negatives without weight.
    """
    truth = np.asarray(positive, dtype=bool)
    value = np.asarray(score, dtype=np.float64)
    weight = checked_weights(weights, len(truth))
    order = np.argsort(-value, kind="stable")
    order = order[weight[order] > 0]
    last = np.append(np.flatnonzero(np.diff(value[order])), max(len(order) - 1, 0))
    gained = np.cumsum(np.where(truth[order], weight[order], 0.0))
    lost = np.cumsum(np.where(truth[order], 0.0, weight[order]))
    if len(order) == 0 or gained[-1] == 0 or lost[-1] == 0:
        raise InputError("A ROC curve needs both positive and negative images.")
    fpr = np.concatenate([[0.0], lost[last] / lost[-1]])
    tpr = np.concatenate([[0.0], gained[last] / gained[-1]])
    return fpr, tpr, np.concatenate([[np.inf], value[order][last]])


def auc_above_sensitivity(
    positive: ArrayLike, score: ArrayLike, weights: ArrayLike | None, sensitivity: float
) -> float:
    """Area under the part of the ROC curve whose sensitivity is at least a given one.

    Not normalised: the area down to the x-axis, right of where the curve reaches it.
    """
    fpr, tpr = _from_sensitivity(positive, score, weights, sensitivity)
    return _area(fpr, tpr)


def partial_auc_2024(
    positive: ArrayLike,
    score: ArrayLike,
    weights: ArrayLike | None = None,
    min_tpr: float = 0.8,
) -> float:
    """The ISIC 2024 score: area between the ROC curve and ``min_tpr``, in [0, 1 - min_tpr]."""
    fpr, tpr = _from_sensitivity(positive, score, weights, min_tpr)
    return _area(tpr, 1 - fpr)


def _from_sensitivity(
    positive: ArrayLike, score: ArrayLike, weights: ArrayLike | None, sensitivity: float
) -> tuple[Floats, Floats]:
    """The ROC curve from the point, interpolated, where it first reaches a sensitivity."""
    if not 0 < sensitivity <= 1:
        raise InputError(f"A sensitivity of {sensitivity} is not in (0, 1].")
    fpr, tpr, _ = roc_points(positive, score, weights)
    first = int(np.searchsorted(tpr, sensitivity, side="left"))
    start = np.interp(sensitivity, tpr[first - 1 : first + 1], fpr[first - 1 : first + 1])
    return np.append(start, fpr[first:]), np.append(sensitivity, tpr[first:])


def _area(x: Floats, y: Floats) -> float:
    """Trapezoids under (x, y); NumPy 1 and 2 name theirs differently."""
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def _share(part: float, whole: float) -> float:
    """``part / whole``; 1 where there is nothing to divide by, as the challenge has it."""
    return 1.0 if whole == 0 else float(part / whole)
