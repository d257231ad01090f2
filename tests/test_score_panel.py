"""All scores at once are the scores one by one; intervals come from groups."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score

from lentigo import score
from lentigo.errors import InputError
from lentigo.score.bootstrap import bootstrap_estimate, replicate_weights
from lentigo.score.estimate import summarise
from lentigo.score.panel import MEANS, Panel

CODES = ("bkl", "mel", "nv", "bcc")
MALIGNANT = (False, True, False, True)


def _case(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, n, p=[0.2, 0.15, 0.55, 0.1])
    probability = score.softmax(rng.normal(size=(n, 4)) + 1.5 * np.eye(4)[labels])
    return labels, probability, np.array([f"g{i}" for i in rng.integers(0, n // 2, n)])


def _panel(n: int = 300) -> Panel:
    labels, probability, _ = _case(n)
    return Panel.of(labels, probability, CODES, MALIGNANT, {"sensitivity_0.90": 0.25})


def test_the_panel_holds_the_same_values_as_the_single_scores() -> None:
    labels, probability, _ = _case()
    panel = _panel()
    weights = np.random.default_rng(1).integers(0, 4, len(labels)).astype(float)
    values = dict(zip(panel.keys, panel.compute(weights[:, None])[:, 0], strict=True))
    given = (labels, probability, weights)
    expected = {
        "accuracy": score.accuracy(*given),
        "balanced_accuracy": score.balanced_accuracy(*given),
        "expected_calibration_error": score.expected_calibration_error(*given),
        "brier_score": score.brier_score(*given),
        "roc_auc.macro": score.roc_auc_macro(*given),
        "roc_auc.mel": score.roc_auc(*given)[1],
        "average_precision.bcc": score.average_precision(*given)[3],
        "sensitivity": score.sensitivity(*given).mean(),
        "specificity.nv.argmax": score.specificity(*given)[2],
        "precision.macro.argmax": score.precision(*given).mean(),
        "f1": score.f1(*given).mean(),
    }
    assert {key: values[key] for key in expected} == pytest.approx(expected, abs=1e-9)
    assert values["f1"] == values["f1.macro.argmax"]


@pytest.mark.parametrize("kept", [range(4), [0, 2], [2]], ids=str)
def test_weighted_means_are_those_of_scikit_learn(kept: Sequence[int]) -> None:
    labels, probability, _ = _case()
    probability[:, 1] = 0  # a class that is never called
    weights = np.random.default_rng(1).integers(0, 4, len(labels)) * np.isin(labels, kept)
    panel = Panel.of(labels, probability, CODES, MALIGNANT)
    values = dict(zip(panel.keys, panel.compute(weights[:, None] * 1.0)[:, 0], strict=True))
    for metric, own in (("precision", precision_score), ("f1", f1_score)):
        given = {"average": "weighted", "zero_division": 0, "sample_weight": weights}
        wanted = own(labels, probability.argmax(axis=1), **given)
        assert values[f"{metric}.weighted.argmax"] == pytest.approx(wanted, abs=1e-9)


def test_malignant_is_decided_by_the_sum_of_its_classes() -> None:
    labels, probability, _ = _case()
    panel = _panel()
    values = dict(zip(panel.keys, panel.compute(np.ones((300, 1)))[:, 0], strict=True))
    truth, total = np.isin(labels, [1, 3]), probability[:, [1, 3]].sum(axis=1)
    assert values["roc_auc.malignant"] == pytest.approx(score.binary_roc_auc(truth, total))
    called = total >= 0.25
    assert values["sensitivity.malignant.sensitivity_0.90"] == pytest.approx(called[truth].mean())
    assert values["specificity.malignant.sensitivity_0.90"] == pytest.approx(
        (~called[~truth]).mean()
    )


def test_single_precision_weights_are_precise_enough_for_intervals() -> None:
    panel = _panel()
    weights = np.random.default_rng(2).integers(0, 4, (300, 5)).astype(np.float64)
    np.testing.assert_allclose(
        panel.compute(weights), panel.compute(weights.astype(np.float32)), atol=2e-6
    )


def test_replicates_draw_whole_groups_and_as_many_as_there_are() -> None:
    groups = np.array(["a", "b", "a", "c"])
    weights = np.concatenate(list(replicate_weights(groups, 500, seed=4)), axis=1)
    assert weights.shape == (4, 500)
    assert (weights[0] == weights[2]).all()
    assert (weights[[0, 1, 3]].sum(axis=0) == 3).all()
    assert weights[0].mean() == pytest.approx(1, abs=0.15)


def test_the_same_seed_gives_the_same_interval_and_another_does_not() -> None:
    _, _, groups = _case()
    panel = _panel()
    once, again = (panel.estimates(groups, replicates=100, seed=1) for _ in range(2))
    assert once == again
    other = panel.estimates(groups, replicates=100, seed=2)
    assert once["roc_auc.mel"].value == other["roc_auc.mel"].value
    assert once["roc_auc.mel"].low != other["roc_auc.mel"].low


def test_repeating_every_image_in_its_group_does_not_narrow_the_interval() -> None:
    labels, probability, groups = _case(200)
    wide = Panel.of(labels, probability, CODES, MALIGNANT).estimates(groups, replicates=300)
    tenfold = np.repeat(np.arange(200), 10)
    same = Panel.of(labels[tenfold], probability[tenfold], CODES, MALIGNANT).estimates(
        groups[tenfold], replicates=300
    )
    assert same["accuracy"].n_groups == wide["accuracy"].n_groups
    for end in ("low", "high"):
        assert getattr(same["accuracy"], end) == pytest.approx(getattr(wide["accuracy"], end))


def test_the_interval_of_an_independent_share_is_near_the_binomial_one() -> None:
    right = np.random.default_rng(0).random(400) < 0.8
    estimate = bootstrap_estimate(
        lambda weights: float((weights * right).sum() / weights.sum()),
        np.arange(400),
        replicates=2000,
    )
    assert estimate.high - estimate.low == pytest.approx(2 * 1.96 * 0.02, rel=0.12)


def test_a_class_without_images_is_none_with_a_reason_and_never_nan() -> None:
    labels, probability, groups = _case(80)
    labels[labels == 3] = 2
    estimates = Panel.of(labels, probability, CODES, MALIGNANT).estimates(groups, replicates=50)
    text = json.dumps({key: each.to_dict() for key, each in estimates.items()}, allow_nan=False)
    assert "NaN" not in text
    assert estimates["roc_auc.bcc"].value is None
    assert estimates["roc_auc.bcc"].reason == "no image here is bcc"
    assert "bcc" in (estimates["balanced_accuracy"].reason or "")
    assert estimates["balanced_accuracy"].value is not None


def test_a_class_in_two_groups_gets_a_value_but_no_interval() -> None:
    labels, probability, groups = _case(80)
    labels[labels == 3] = 2
    labels[:2], groups[:2] = 3, ["x", "y"]
    estimate = Panel.of(labels, probability, CODES, MALIGNANT).estimates(groups, replicates=400)[
        "roc_auc.bcc"
    ]
    assert estimate.value is not None
    assert (estimate.low, estimate.high) == (None, None)
    assert "replicates" in (estimate.reason or "")


def test_a_share_of_all_keeps_an_honest_lower_bound() -> None:
    estimate = summarise(1.0, np.ones(100), 10, proportion=True)
    assert estimate.low == pytest.approx(0.025 ** (1 / 10))
    assert estimate.high == 1.0


def test_a_share_of_few_groups_gets_wilsons_interval() -> None:
    draws = np.random.default_rng(0).integers(0, 5, 400) / 4
    few = summarise(0.75, draws, 4, proportion=True)
    # Wilson 1927 by hand: 3 of 4.
    assert (few.low, few.high) == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert "4 group(s)" in (few.reason or "")
    assert summarise(0.75, draws, 40, proportion=True).reason is None


def test_any_figure_of_few_groups_is_called_a_rough_guide() -> None:
    draws = np.random.default_rng(0).normal(0.3, 0.1, 400)
    assert "rests on 4 group(s)" in (summarise(0.3, draws, 4).reason or "")
    assert "rests on 3 group(s)" in (summarise(0.3, draws, 40, scarce=3).reason or "")
    assert summarise(0.3, draws, 40).reason is None


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_figure_at_its_end_that_no_draw_moves_has_no_interval(value: float) -> None:
    found = summarise(value, np.full(200, value), 50, bounded=True)
    assert (found.value, found.low, found.high) == (value, None, None)
    assert "no draw moves it" in (found.reason or "")
    # A difference of nothing is another matter: there it is what was measured.
    assert summarise(0.0, np.zeros(200), 50).low == 0.0


def test_a_perfect_ranking_and_a_class_never_called_are_given_without_false_certainty() -> None:
    labels = np.arange(60) % 3
    probability = np.eye(3)[labels] * 0.6 + 0.1
    probability[labels == 2] = [0.6, 0.2, 0.2]
    estimates = Panel.of(labels, probability, ("a", "b", "c"), (False, False, True)).estimates(
        np.arange(60), replicates=200
    )
    assert (estimates["f1.c.argmax"].value, estimates["f1.c.argmax"].low) == (0.0, None)
    assert (estimates["roc_auc.b"].value, estimates["roc_auc.b"].low) == (1.0, None)
    assert estimates["sensitivity.b.argmax"].low is not None


def test_a_class_of_few_groups_says_that_its_interval_is_rough() -> None:
    labels, probability, groups = _case(400)
    labels[labels == 3] = 2
    labels[:5], groups[:5] = 3, [f"own{i}" for i in range(5)]
    estimates = Panel.of(labels, probability, CODES, MALIGNANT).estimates(groups, replicates=300)
    for key in ("roc_auc.bcc", "average_precision.bcc"):
        assert "rests on 5 group(s)" in (estimates[key].reason or "")
    assert "Wilson" in (estimates["sensitivity.bcc.argmax"].reason or "exact binomial Wilson")
    assert estimates["roc_auc.nv"].reason is None


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_a_handful_of_groups_is_never_told_as_certain(groups: int) -> None:
    labels, probability, _ = _case(60)
    panel = Panel.of(labels, probability, CODES, MALIGNANT)
    found = panel.estimates(np.arange(60) % groups, replicates=200)
    for key in ("balanced_accuracy", "roc_auc.macro", "f1", "brier_score", "accuracy"):
        reason = found[key].reason
        assert reason is not None, key
        if groups == 1 and key != "accuracy":
            assert (found[key].low, found[key].high) == (None, None), key
        assert reason.startswith(("rests on", "Wilson", "no interval: there is one group")), key


def test_a_mean_whose_scarcest_class_is_seldom_drawn_has_no_interval() -> None:
    labels = np.array([0] * 100 + [1] * 100 + [2])
    probability = np.full((201, 3), 0.1)
    probability[np.arange(201), np.where(labels == 2, 0, labels)] = 0.8
    panel = Panel.of(labels, probability, ("a", "b", "rare"), (False, False, True))
    found = panel.estimates(np.arange(201))["balanced_accuracy"]
    assert found.value == pytest.approx(2 / 3)
    assert (found.low, found.high) == (None, None)
    assert "undefined in" in str(found.reason)


def test_a_binary_set_with_a_class_called_malignant_has_every_key_once() -> None:
    panel = Panel.of(
        [0, 1, 0, 1],
        [[0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.7, 0.3]],
        ("benign", "malignant"),
        (False, True),
        {"sensitivity_0.90": 0.3},
    )
    assert len(panel.keys) == len(set(panel.keys))
    assert "roc_auc.malignant" in panel.keys
    assert "sensitivity.malignant.sensitivity_0.90" in panel.keys


@pytest.mark.parametrize("mean", MEANS)
def test_a_class_may_not_be_called_as_a_mean_is(mean: str) -> None:
    with pytest.raises(InputError, match=mean):
        Panel.of([0, 1], [[0.8, 0.2], [0.3, 0.7]], (mean, "b"), (False, True))


def test_a_set_without_malignant_classes_has_no_malignant_keys() -> None:
    panel = Panel.of(
        [0, 1], [[0.8, 0.2], [0.3, 0.7]], ("a", "b"), (False, False), {"sensitivity_0.90": 0.5}
    )
    assert not [key for key in panel.keys if "malignant" in key]


def test_an_interval_that_misses_its_figure_says_so() -> None:
    shares = np.array([0.55, 0.65, 0.75, 0.85, 0.95])
    # Of twenty images each, exactly as many are right as their probability says.
    labels = np.concatenate([np.arange(20) >= round(20 * share) for share in shares]).astype(int)
    probability = np.stack([shares.repeat(20), 1 - shares.repeat(20)], axis=1)
    panel = Panel.of(labels, probability, ("a", "b"), (False, True))
    found = panel.estimates(np.arange(100))
    error = found["expected_calibration_error"]
    assert error.value == pytest.approx(0)
    assert error.low is not None
    assert error.low > 0.02
    assert "beside the figure" in str(error.reason)
    assert found["accuracy"].reason is None
