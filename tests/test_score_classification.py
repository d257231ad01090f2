"""Scores agree with scikit-learn where it has them, for any weights, ties and gaps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from lentigo.errors import InputError
from lentigo.score import (
    accuracy,
    average_precision,
    balanced_accuracy,
    binary_roc_auc,
    confusion_matrix,
    f1,
    precision,
    roc_auc,
    roc_auc_macro,
    sensitivity,
    specificity,
)

TOLERANCE = 1e-9
CLASSES = 3


def _case(seed: int, n: int = 60, decimals: int | None = None) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(CLASSES), rng.integers(0, CLASSES, n - CLASSES)])
    probability = rng.dirichlet(np.ones(CLASSES), n)
    if decimals is not None:
        probability = probability.round(decimals)
    return labels, probability, rng.integers(1, 4, n).astype(float)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_decisions_agree_with_scikit_learn_under_weights(seed: int) -> None:
    labels, probability, weights = _case(seed)
    called = probability.argmax(axis=1)
    options = {"average": None, "sample_weight": weights, "zero_division": np.nan}
    assert accuracy(labels, probability, weights) == pytest.approx(
        metrics.accuracy_score(labels, called, sample_weight=weights), abs=TOLERANCE
    )
    assert balanced_accuracy(labels, probability, weights) == pytest.approx(
        metrics.balanced_accuracy_score(labels, called, sample_weight=weights), abs=TOLERANCE
    )
    for ours, theirs in (
        (sensitivity, metrics.recall_score),
        (precision, metrics.precision_score),
        (f1, metrics.f1_score),
    ):
        np.testing.assert_allclose(
            ours(labels, probability, weights), theirs(labels, called, **options), atol=TOLERANCE
        )


@given(st.integers(0, 10_000), st.sampled_from([None, 1]))
@settings(max_examples=25, deadline=None)
def test_rankings_agree_with_scikit_learn_under_weights_and_ties(
    seed: int, decimals: int | None
) -> None:
    labels, probability, weights = _case(seed, decimals=decimals)
    for c in range(CLASSES):
        truth, score = labels == c, probability[:, c]
        assert roc_auc(labels, probability, weights)[c] == pytest.approx(
            metrics.roc_auc_score(truth, score, sample_weight=weights), abs=TOLERANCE
        )
        assert average_precision(labels, probability, weights)[c] == pytest.approx(
            metrics.average_precision_score(truth, score, sample_weight=weights), abs=TOLERANCE
        )


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_a_weight_of_two_is_the_image_twice(seed: int) -> None:
    labels, probability, _ = _case(seed, decimals=1)
    weights = np.random.default_rng(seed).integers(0, 3, len(labels))
    twice = np.repeat(np.arange(len(labels)), weights)
    for score in (accuracy, balanced_accuracy, roc_auc_macro, f1, specificity, average_precision):
        np.testing.assert_allclose(
            score(labels, probability, weights),
            score(labels[twice], probability[twice]),
            atol=TOLERANCE,
        )


def test_a_class_without_images_has_no_score_and_no_part_in_the_mean() -> None:
    labels, probability = [0, 0, 1], [[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1]]
    assert np.isnan(sensitivity(labels, probability)[2])
    assert np.isnan(roc_auc(labels, probability)[2])
    assert balanced_accuracy(labels, probability) == 0.75
    assert roc_auc_macro(labels, probability) == 1.0


def test_a_tie_for_the_highest_probability_is_wrong_whichever_class_it_falls_on() -> None:
    probability = [[0.5, 0.5], [0.5, 0.5]]
    assert accuracy([0, 1], probability) == 0.0
    assert confusion_matrix([0, 1], probability).tolist() == [[0, 0, 1], [0, 0, 1]]


def test_equal_scores_count_half() -> None:
    assert binary_roc_auc([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5]) == 0.5


@pytest.mark.parametrize(
    ("labels", "probability", "weights", "message"),
    [
        ([0, 1], [[0.1, 0.9]], None, "do not fit"),
        ([0], [[np.nan, 0.9]], None, "not finite"),
        ([2], [[0.1, 0.9]], None, "beyond"),
        ([0], [[0.1, 0.9]], [-1.0], "at least 0"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(labels, probability, weights, message) -> None:
    with pytest.raises(InputError, match=message):
        accuracy(labels, probability, weights)
