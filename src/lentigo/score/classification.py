"""Scores of a classifier from class labels and probabilities.

Every function takes ``labels`` (n,) class indices, ``probability`` (n, k) in [0, 1] and
optional ``weights`` (n,) of at least 0. What cannot be computed is NaN (a class without
images has no sensitivity); averages run over the classes that occur. Where two classes
share the highest probability the image is undecided, which is wrong, as in the official
ISIC scorer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lentigo.score.arrays import (
    Floats,
    Integers,
    checked,
    checked_weights,
    mean_defined,
    predicted,
    ratio,
    tally,
)
from lentigo.score.rank import Ranking


@dataclass(frozen=True)
class Counts:
    """Weighted counts of yes-or-no decisions; arrays of one shape.

    Attributes:
        true: Weight of what is positive.
        called: Weight of what is called positive.
        hit: Weight of what is both.
        total: Weight of all.
    """

    true: Floats
    called: Floats
    hit: Floats
    total: Floats

    @property
    def rejected(self) -> Floats:
        """Weight of the true negatives."""
        return self.total - self.true - self.called + self.hit

    @property
    def sensitivity(self) -> Floats:
        """Share of the positives that are called."""
        return ratio(self.hit, self.true)

    @property
    def specificity(self) -> Floats:
        """Share of the negatives that are not called."""
        return ratio(self.rejected, self.total - self.true)

    @property
    def precision(self) -> Floats:
        """Share of the called that are positive (positive predictive value)."""
        return ratio(self.hit, self.called)

    @property
    def negative_predictive_value(self) -> Floats:
        """Share of the not called that are negative."""
        return ratio(self.rejected, self.total - self.called)

    @property
    def f1(self) -> Floats:
        """Harmonic mean of sensitivity and precision."""
        return ratio(2 * self.hit, self.true + self.called)


def class_counts(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> Counts:
    """Counts (k,) of each class against the rest, the most probable class being called."""
    truth, scores, weight = checked(labels, probability, weights)
    k = scores.shape[1]
    called = predicted(scores)
    decided = called >= 0
    right = truth == called
    return Counts(
        true=tally(truth, weight, k),
        called=tally(called[decided], weight[decided], k),
        hit=tally(truth[right], weight[right], k),
        total=np.full(k, weight.sum()),
    )


def accuracy(labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Share of images whose most probable class is theirs, in [0, 1]."""
    counts = class_counts(labels, probability, weights)
    return float(ratio(counts.hit.sum(), counts.true.sum()))


def balanced_accuracy(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Mean of the classes' sensitivities over the classes that occur, in [0, 1]."""
    return float(mean_defined(sensitivity(labels, probability, weights)))


def sensitivity(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> Floats:
    """Sensitivity (recall) of each class (k,)."""
    return class_counts(labels, probability, weights).sensitivity


def specificity(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> Floats:
    """Specificity of each class (k,)."""
    return class_counts(labels, probability, weights).specificity


def precision(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> Floats:
    """Precision (positive predictive value) of each class (k,)."""
    return class_counts(labels, probability, weights).precision


def f1(labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """F1 of each class (k,)."""
    return class_counts(labels, probability, weights).f1


def roc_auc(labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Area under the ROC curve of each class against the rest (k,), ties counted half."""
    truth, scores, weight = checked(labels, probability, weights)
    return np.array(
        [binary_roc_auc(truth == c, scores[:, c], weight) for c in range(scores.shape[1])]
    )


def roc_auc_macro(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Mean ROC area over the classes that occur."""
    return float(mean_defined(roc_auc(labels, probability, weights)))


def average_precision(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> Floats:
    """Average precision of each class against the rest (k,)."""
    truth, scores, weight = checked(labels, probability, weights)
    return np.array(
        [binary_average_precision(truth == c, scores[:, c], weight) for c in range(scores.shape[1])]
    )


def binary_roc_auc(
    positive: ArrayLike, score: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Area under the ROC curve of a yes-or-no question.

    Args:
        positive: (n,) true where the answer is yes.
        score: (n,) higher means more likely yes.
        weights: (n,) at least 0.
    """
    return float(_binary(positive, score, weights)[0][0])


def binary_average_precision(
    positive: ArrayLike, score: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """Average precision of a yes-or-no question; arguments as in ``binary_roc_auc``."""
    return float(_binary(positive, score, weights)[1][0])


def _binary(
    positive: ArrayLike, score: ArrayLike, weights: ArrayLike | None
) -> tuple[Floats, Floats]:
    truth = np.asarray(positive, dtype=bool)
    weight = checked_weights(weights, len(truth))
    return Ranking.of(truth, np.asarray(score, dtype=np.float64)).scores(weight[:, None])


def confusion_matrix(
    labels: ArrayLike, probability: ArrayLike, weights: ArrayLike | None = None
) -> Floats:
    """Weight of each (true, called) pair: (k, k + 1), the last column being undecided."""
    truth, scores, weight = checked(labels, probability, weights)
    k = scores.shape[1]
    called: Integers = predicted(scores) % (k + 1)
    cells = tally(truth * (k + 1) + called, weight, k * (k + 1))
    return cells.reshape(k, k + 1)
