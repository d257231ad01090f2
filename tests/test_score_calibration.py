"""Temperature, calibration error, Brier score and thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import brier_score_loss

from lentigo.errors import InputError
from lentigo.score import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    softmax,
    threshold_for_sensitivity,
)
from lentigo.score.curves import reliability_estimates


def _logits(seed: int = 0, n: int = 4000, factor: float = 2.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true_logits = rng.normal(size=(n, 4)) * 1.5
    probability = softmax(true_logits)
    labels = (probability.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return true_logits * factor, labels


def test_the_temperature_of_overconfident_logits_is_recovered() -> None:
    logits, labels = _logits(factor=2.5)
    assert fit_temperature(logits, labels) == pytest.approx(2.5, rel=0.06)


def test_the_temperature_is_the_minimum_that_a_general_optimiser_finds() -> None:
    logits, labels = _logits(seed=3, n=300)
    found = minimize_scalar(
        lambda t: negative_log_likelihood(labels, softmax(logits, t)),
        bounds=(0.05, 20),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert fit_temperature(logits, labels) == pytest.approx(found.x, rel=1e-5)


def test_a_perfect_ranking_stops_at_the_lower_bound() -> None:
    assert fit_temperature(np.eye(3) * 5, [0, 1, 2]) == pytest.approx(0.05)
    assert fit_temperature(np.eye(3) * 5, [1, 2, 0]) == pytest.approx(20.0)


def test_a_temperature_changes_no_order() -> None:
    logits, _ = _logits(n=50)
    assert (softmax(logits, 3.0).argmax(axis=1) == logits.argmax(axis=1)).all()


def test_softmax_survives_large_logits() -> None:
    np.testing.assert_allclose(softmax([[1e4, 0.0]]), [[1.0, 0.0]])


def test_calibration_error_of_an_example_by_hand() -> None:
    # Two images at confidence 0.8, one right: a gap of 0.3; one at 1.0, right: none.
    labels = [0, 1, 1]
    probability = [[0.8, 0.2], [0.8, 0.2], [0.0, 1.0]]
    assert expected_calibration_error(labels, probability) == pytest.approx(2 / 3 * 0.3)


def test_scaling_by_the_temperature_lowers_the_calibration_error() -> None:
    logits, labels = _logits()
    before = expected_calibration_error(labels, softmax(logits))
    after = expected_calibration_error(labels, softmax(logits, fit_temperature(logits, labels)))
    assert after < 0.03 < before


def test_brier_score_agrees_with_scikit_learn() -> None:
    logits, labels = _logits(n=200)
    expected = brier_score_loss(labels, softmax(logits), scale_by_half=False)
    assert brier_score(labels, softmax(logits)) == pytest.approx(expected, abs=1e-9)


def test_empty_bins_are_undefined_and_the_others_hold_every_image() -> None:
    table = reliability([0, 1], [[0.9, 0.1], [0.1, 0.9]])
    assert table.weight.sum() == 2
    assert np.isnan(table.accuracy).sum() == 14


@pytest.mark.parametrize("target", [0.5, 0.8, 0.9, 0.95, 1.0])
def test_the_threshold_is_the_highest_that_reaches_the_sensitivity(target: float) -> None:
    rng = np.random.default_rng(1)
    malignant, score = rng.random(200) < 0.2, rng.random(200).round(2)
    threshold = threshold_for_sensitivity(malignant, score, target)
    assert (score[malignant] >= threshold).mean() >= target
    assert (score[malignant] > threshold).mean() < target


def test_nine_of_ten_reach_ninety_percent() -> None:
    score = np.arange(1, 11) / 10
    assert threshold_for_sensitivity(np.ones(10, bool), score, 0.9) == pytest.approx(0.2)


def test_a_threshold_without_malignant_images_is_refused() -> None:
    with pytest.raises(InputError, match="No malignant image"):
        threshold_for_sensitivity([False], [0.3], 0.9)


def test_each_bin_of_confidence_has_its_share_and_interval() -> None:
    rng = np.random.default_rng(0)
    stated = rng.uniform(0.5, 1, 4000)
    right = rng.random(4000) < stated
    probability = np.stack([stated, 1 - stated], axis=1)
    groups = np.arange(4000) // 2
    found = reliability_estimates(np.where(right, 0, 1), probability, groups, replicates=200)
    table = reliability(np.where(right, 0, 1), probability)
    assert [each.value is None for each in found] == (table.weight == 0).tolist()
    for each, share, weight in zip(found, table.accuracy, table.weight, strict=True):
        if each.value is None:
            continue
        assert each.value == pytest.approx(share)
        half = 1.96 * np.sqrt(share * (1 - share) / weight)
        assert each.high - each.low == pytest.approx(2 * half, rel=0.35)


def test_a_bin_without_an_error_has_the_binomial_interval_of_its_groups() -> None:
    probability = np.tile([0.97, 0.03], (12, 1))
    found = reliability_estimates(np.zeros(12, int), probability, np.arange(12) // 2)[-1]
    assert (found.value, found.high, found.n_groups) == (1.0, 1.0, 6)
    assert found.low == pytest.approx(0.025 ** (1 / 6))
