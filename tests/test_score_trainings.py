"""A mean over trainings is as honest as a single one: on the same images, and over folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lentigo.score.estimate import Estimate
from lentigo.score.panel import Panel
from lentigo.score.trainings import groups_of_mean, mean_estimates

CODES, MALIGNANT = ("nv", "mel", "bkl"), (False, True, False)


def _panel(positives: int, found: int, images: int = 200) -> Panel:
    """Of the first ``positives`` images, which are melanomas, the first ``found`` are called so."""
    labels = np.where(np.arange(images) % 4 == 3, 2, 0)
    labels[:positives] = 1
    called = labels.copy()
    called[found:positives] = 0
    scores = np.random.default_rng(0).uniform(0.0, 0.3, (images, 3))
    scores[np.arange(images), called] += 0.4
    return Panel.of(labels, scores / scores.sum(axis=1, keepdims=True), CODES, MALIGNANT)


def _same(first: Estimate, second: Estimate) -> bool:
    """Equal, where a seventh digit may differ by the order of sums."""
    ends = [(e.value, e.low, e.high) for e in (first, second)]
    numbers = [[np.nan if x is None else x for x in each] for each in ends]
    told = (first.n_groups, first.reason) == (second.n_groups, second.reason)
    return told and np.allclose(*numbers, rtol=0, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize(("positives", "found"), [(6, 0), (6, 6), (6, 3), (60, 40), (60, 60)])
@pytest.mark.parametrize("trainings", [2, 3])
def test_equal_trainings_give_exactly_the_intervals_and_reasons_of_one(
    positives: int, found: int, trainings: int
) -> None:
    panel, groups = _panel(positives, found), np.arange(200)
    one = panel.estimates(groups)
    several = mean_estimates([panel] * trainings, [np.arange(200)] * trainings, groups)
    assert [key for key in one if not _same(one[key], several[key])] == []


def test_what_no_training_found_is_not_told_as_certain() -> None:
    panels, groups = [_panel(6, 0), _panel(6, 0)], np.arange(200)
    found = mean_estimates(panels, [groups, groups], groups)
    recall = found["sensitivity.mel.argmax"]
    assert (recall.value, recall.low, recall.n_groups) == (0.0, 0.0, 6)
    assert recall.high == pytest.approx(0.459, abs=1e-3)  # 1 - 0.025 ** (1 / 6)
    assert recall.reason == "exact binomial bound for the groups"
    assert found["specificity.mel.argmax"].low == pytest.approx(0.981, abs=1e-3)
    assert "rests on 6 group(s)" in (found["roc_auc.mel"].reason or "")
    assert "rests on 6 group(s)" in (found["balanced_accuracy"].reason or "")


def test_a_mean_over_classes_is_undefined_where_a_draw_lacks_one() -> None:
    panel, groups = _panel(2, 1), np.arange(200)
    found = mean_estimates([panel, panel], [groups, groups], groups)["balanced_accuracy"]
    assert (found.low, found.high) == (None, None)
    assert "no interval: undefined in" in (found.reason or "")


def test_the_images_of_folds_add_up() -> None:
    panel = _panel(20, 20, images=100)
    found = mean_estimates([panel, panel], [np.arange(100), np.arange(100, 200)], np.arange(200))
    recall = found["sensitivity.mel.argmax"]
    assert recall.n_groups == 40
    assert recall.low == pytest.approx(0.025 ** (1 / 40))
    assert found["roc_auc.mel"].n_groups == 200


def test_a_training_that_rests_on_few_groups_is_not_hidden_by_one_that_rests_on_many() -> None:
    groups = np.arange(100)
    few, many = groups < 3, groups < 100
    assert groups_of_mean([many, many], [groups, groups]) == 100
    assert groups_of_mean([few, many], [groups, groups]) == 11
    assert groups_of_mean([few, few & False], [groups, groups]) == 3
    assert groups_of_mean([few & False], [groups]) == 0


def test_two_images_of_a_group_count_once_whichever_fold_measured_them() -> None:
    everything = np.ones(50, dtype=bool)
    assert groups_of_mean([everything, everything], [np.arange(50) // 2, np.arange(50) // 2]) == 25


def test_of_how_many_trainings_something_is_said_is_told() -> None:
    with_calls, without = _panel(6, 6), _panel(6, 0)
    groups = np.arange(200)
    found = mean_estimates([with_calls, without], [groups, groups], groups)
    assert found["precision.mel.argmax"] == Estimate(
        None, None, None, 6, "of 1 of 2 trainings: nothing was called so"
    )
    lacking = replace(without, labels=without.labels * 0)
    found = mean_estimates([lacking, lacking], [groups, groups], groups)
    told = "mean without the classes that no image here has: mel, bkl"
    assert found["balanced_accuracy"].reason == told
