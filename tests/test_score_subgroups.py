"""Figures of parts of the images: each with its interval, none hidden in an average."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.score.panel import Panel
from lentigo.score.subgroups import MIN_GROUPS, NOTHING, Answers, compare_strata, keys_of

CODES, MALIGNANT, POINTS = ("bcc", "mel", "nv"), (True, True, False), {"sensitivity_0.90": 0.5}


def answers(n: int = 600, seed: int = 0, *, per_group: int = 2) -> Answers:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    probability = rng.dirichlet(np.ones(3), n) + np.eye(3)[labels] * 0.4
    probability /= probability.sum(axis=1, keepdims=True)
    groups = np.repeat(np.arange(n // per_group), per_group)
    return Answers(labels, probability, CODES, MALIGNANT, POINTS, groups)


def halves(n: int) -> dict[str, np.ndarray]:
    return {"left": np.arange(n) < n // 3, "right": np.arange(n) >= n // 3}


def test_a_stratum_has_the_figures_that_its_images_alone_would_have() -> None:
    given_ = answers()
    for stratum in compare_strata(given_, halves(600), replicates=50):
        rows = np.flatnonzero(halves(600)[stratum.name])
        panel = Panel.of(
            given_.labels[rows], given_.probability[rows], CODES, MALIGNANT, POINTS
        ).compute(np.ones((len(rows), 1)))[:, 0]
        keys = Panel.of(given_.labels, given_.probability, CODES, MALIGNANT, POINTS).keys
        for key, estimate in stratum.metrics.items():
            assert estimate.value == pytest.approx(panel[keys.index(key)], abs=1e-12)
            assert estimate.low is not None
            assert estimate.high is not None
            assert estimate.low <= estimate.value <= estimate.high


def test_a_difference_is_that_of_the_two_values_and_has_its_own_interval() -> None:
    left, right = compare_strata(answers(), halves(600), replicates=300)
    assert right.is_reference
    assert right.differences == {}
    for key, difference in left.differences.items():
        pair = left.metrics[key].value, right.metrics[key].value
        assert difference.value == pytest.approx(pair[0] - pair[1])
        assert difference.low < difference.value < difference.high
        # Two independent parts: the difference is less sure than either of them.
        width = difference.high - difference.low
        assert width > right.metrics[key].high - right.metrics[key].low


def test_the_same_images_twice_differ_by_nothing() -> None:
    """Paired draws: what is the same in both strata cannot differ by chance."""
    everything = np.ones(600, bool)
    _, twin = compare_strata(answers(), {"a": everything, "b": everything}, reference="a")
    assert all((d.value, d.low, d.high) == (0, 0, 0) for d in twin.differences.values())


def test_a_planted_gap_is_found_and_none_is_found_where_there_is_none() -> None:
    given_ = answers(2000)
    worse = np.arange(2000) % 4 == 0
    shuffled = given_.probability.copy()
    shuffled[worse] = np.random.default_rng(1).permutation(shuffled[worse])
    broken = Answers(given_.labels, shuffled, CODES, MALIGNANT, POINTS, np.arange(2000))
    strata = {"good": ~worse, "bad": worse}
    for asked, differs in ((broken, True), (given_, False)):
        _, bad = compare_strata(asked, strata, replicates=400)
        gap = bad.differences["roc_auc.malignant"]
        assert (gap.high < 0) is differs


def test_an_empty_stratum_says_that_nothing_is_known() -> None:
    strata = {**halves(600), "dark skin": np.zeros(600, bool)}
    empty = compare_strata(answers(), strata, replicates=20)[2]
    assert empty.status == "empty"
    assert empty.counts.images == 0
    assert {each.reason for each in empty.metrics.values()} == {NOTHING}
    assert all(each.value is None for each in empty.metrics.values())
    assert empty.differences == {}


def test_a_small_stratum_is_shown_as_too_small_figure_by_figure() -> None:
    given_ = answers(600, per_group=1)
    benign = np.flatnonzero(given_.labels == 2)
    few = np.zeros(600, bool)
    few[benign[:40]] = True
    few[np.flatnonzero(given_.labels == 1)[:3]] = True
    tiny = np.zeros(600, bool)
    tiny[:4] = True
    found = compare_strata(given_, {"few": few, "tiny": tiny, "rest": ~few}, replicates=50)
    by_name = {each.name: each for each in found}
    metrics = by_name["few"].metrics
    assert metrics["specificity.malignant.argmax"].value is not None
    for key in ("sensitivity.malignant.argmax", "roc_auc.malignant"):
        assert metrics[key].value is None
        assert metrics[key].reason == f"too small: 3 malignant groups, {MIN_GROUPS} are wanted"
    assert by_name["few"].status == "given"
    assert by_name["tiny"].status == "too small"
    assert by_name["tiny"].differences["accuracy"].value is None
    assert "too small" in by_name["tiny"].differences["accuracy"].reason


def test_balanced_accuracies_over_different_classes_are_not_compared() -> None:
    given_ = answers()
    without = np.asarray(given_.labels) != 0
    everything = np.ones(600, bool)
    _, part = compare_strata(given_, {"all": everything, "no bcc": without}, replicates=50)
    difference = part.differences["balanced_accuracy"]
    assert difference.value is None
    assert "same classes" in difference.reason
    assert part.differences["roc_auc.malignant"].value is not None


def test_a_share_of_one_keeps_its_uncertainty_in_the_difference() -> None:
    labels = np.tile([1, 2], 60)
    probability = np.where(labels[:, None] == [0, 1, 2], 0.8, 0.1)
    sure = Answers(labels, probability, CODES, MALIGNANT, POINTS, np.arange(120))
    _, other = compare_strata(sure, halves(120), replicates=50, reference="left")
    difference = other.differences["sensitivity.malignant.argmax"]
    assert difference.value == 0
    assert difference.low < -0.05
    assert difference.high > 0.1
    # A ROC area of 1 has no bound of that kind: its interval is left out, not made up.
    assert other.metrics["roc_auc.malignant"].value == 1
    assert other.metrics["roc_auc.malignant"].low is None
    assert other.differences["roc_auc.malignant"].low is None


def test_without_malignant_classes_the_figures_of_all_classes_remain() -> None:
    given_ = answers()
    plain = Answers(given_.labels, given_.probability, CODES, (False,) * 3, {}, given_.group_ids)
    assert keys_of(plain) == ("balanced_accuracy", "accuracy")
    assert compare_strata(plain, halves(600), replicates=20)[0].metrics["accuracy"].value


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_counts_of_a_partition_add_up_and_order_does_not_matter(seed: int, parts: int) -> None:
    given_ = answers(120, seed, per_group=1)
    side = np.random.default_rng(seed).integers(0, parts, 120)
    strata = {str(part): side == part for part in range(parts)}
    there = compare_strata(given_, strata, replicates=10)
    back = compare_strata(given_, dict(reversed(strata.items())), replicates=10)
    assert sum(each.counts.images for each in there) == 120
    for each, same in zip(there, reversed(back), strict=True):
        assert each.metrics == same.metrics
