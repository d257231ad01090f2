"""Net benefit, restated predictive values, and calibration before and after a temperature."""

from __future__ import annotations

import numpy as np
import pytest

from lentigo import score
from lentigo.errors import InputError
from lentigo.score.curves import recall_band, recall_points
from lentigo.score.decision import BENEFIT_GRID, benefit_band, net_benefit, predictive_values
from lentigo.score.recalibration import recalibration, without_temperature


def _answers(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.2
    return truth, 1 / (1 + np.exp(-(rng.normal(size=n) + 2 * truth - 2)))


def test_net_benefit_is_that_of_its_definition() -> None:
    truth, value = _answers()
    for at, found in zip((0.1, 0.3), net_benefit(truth, value, [0.1, 0.3]), strict=True):
        called = value >= at
        hits, alarms = (called & truth).sum(), (called & ~truth).sum()
        assert found == pytest.approx((hits - alarms * at / (1 - at)) / len(truth), abs=1e-12)


def test_calling_every_image_malignant_is_worth_its_share_at_threshold_zero() -> None:
    truth, _ = _answers()
    everyone = net_benefit(truth, np.ones(len(truth)), [0.0, truth.mean()])
    assert everyone[0] == pytest.approx(truth.mean())
    assert everyone[1] == pytest.approx(0, abs=1e-12)


def test_the_band_of_the_decision_curve_holds_the_curve() -> None:
    truth, value = _answers()
    band = benefit_band(truth, value, np.arange(len(truth)))
    curve = net_benefit(truth, value, BENEFIT_GRID)
    assert ((band.low <= curve) & (curve <= band.high)).all()


def test_a_threshold_of_one_is_refused() -> None:
    with pytest.raises(InputError, match="decision curve"):
        net_benefit([True, False], [0.5, 0.5], [1.0])


def test_predictive_values_at_the_prevalence_seen_are_those_seen() -> None:
    truth, value = _answers()
    called = value >= 0.3
    positive, negative = predictive_values(truth, called, np.arange(len(truth)), truth.mean())
    assert positive.value == pytest.approx((truth & called).sum() / called.sum())
    assert negative.value == pytest.approx((~truth & ~called).sum() / (~called).sum())


def test_where_malignant_is_rarer_an_alarm_means_less() -> None:
    truth, value = _answers()
    groups = np.arange(len(truth))
    rare, common = (
        predictive_values(truth, value >= 0.3, groups, share)[0] for share in (0.0176, 0.2)
    )
    assert rare.high is not None
    assert common.low is not None
    assert rare.high < common.low


@pytest.mark.parametrize("share", [0, 1, 17.6, -0.1])
def test_a_prevalence_that_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        predictive_values([True, False], [True, False], np.arange(2), share)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_probabilities_before_the_temperature_are_those_of_the_bare_logits(temperature) -> None:
    logits = np.random.default_rng(0).normal(scale=3, size=(50, 7))
    bare = without_temperature(score.softmax(logits, temperature), temperature)
    np.testing.assert_allclose(bare, score.softmax(logits), atol=1e-12)


def test_calibration_before_and_after_is_that_of_the_plain_functions() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 400)
    # Three times as sure as it should be: the temperature has something to mend.
    logits = 12 * (np.eye(3)[labels] + rng.normal(scale=0.7, size=(400, 3)))
    temperature = score.fit_temperature(logits, labels)
    after = score.softmax(logits, temperature)
    found = recalibration(labels, after, temperature, np.arange(400), replicates=300)
    pairs = [
        (found.brier_score, score.brier_score),
        (found.expected_calibration_error, score.expected_calibration_error),
    ]
    for change, function in pairs:
        assert change.before.value == pytest.approx(function(labels, score.softmax(logits)))
        assert change.after.value == pytest.approx(function(labels, after))
        assert change.change.value == pytest.approx(change.after.value - change.before.value)
    assert found.brier_score.change.high is not None
    assert found.brier_score.change.high < 0


def test_the_precision_recall_curve_encloses_the_average_precision() -> None:
    truth, value = _answers()
    recall, precision = recall_points(truth, value)
    steps = np.diff(np.append(0, recall))
    assert (steps * precision).sum() == pytest.approx(score.binary_average_precision(truth, value))


def test_the_band_of_precision_holds_its_curve() -> None:
    truth, value = _answers()
    band = recall_band(truth, value, np.arange(len(truth)))
    recall, precision = recall_points(truth, value)
    curve = precision[np.searchsorted(recall, band.at - 1e-9)]
    assert ((band.low <= curve + 1e-9) & (curve <= band.high + 1e-9)).mean() > 0.95
