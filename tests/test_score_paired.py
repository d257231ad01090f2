"""Paired tests against their definitions and published figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lentigo.errors import InputError
from lentigo.score.classification import binary_roc_auc
from lentigo.score.paired import delong, holm, mcnemar


def by_definition(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong 1988 pair by pair: areas, and S10 / m + S01 / n."""
    x, y = scores[:, truth], scores[:, ~truth]
    wins = (x[:, :, None] > y[:, None, :]) + 0.5 * (x[:, :, None] == y[:, None, :])
    v10, v01 = wins.mean(axis=2), wins.mean(axis=1)
    m, n = x.shape[1], y.shape[1]
    return wins.mean(axis=(1, 2)), np.atleast_2d(np.cov(v10)) / m + np.atleast_2d(np.cov(v01)) / n


@settings(deadline=None)
@given(
    hnp.arrays(np.int8, (3, 23), elements=st.integers(0, 6)),
    st.integers(2, 21),
)
def test_delong_by_ranks_is_delong_by_pairs(scores: np.ndarray, positives: int) -> None:
    truth = np.arange(23) < positives
    found = delong(truth, scores)
    area, covariance = by_definition(truth, scores.astype(float))
    np.testing.assert_allclose(found.area, area, atol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)


def test_delongs_area_is_the_roc_area() -> None:
    random = np.random.default_rng(0)
    truth, score = random.random(200) < 0.3, random.random(200)
    assert delong(truth, score).area[0] == pytest.approx(binary_roc_auc(truth, score), abs=1e-12)


def test_delongs_error_is_that_of_repeated_samples() -> None:
    """The stated standard error of a difference against its spread over 400 data sets."""
    random = np.random.default_rng(1)
    gaps, errors = [], []
    for _ in range(400):
        truth = np.arange(150) < 50
        shared = random.normal(size=150) + truth
        scores = shared + random.normal(size=(2, 150)) * [[0.7], [1.1]]
        gap, error, _ = delong(truth, scores).difference()
        gaps.append(gap)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(gaps), rel=0.12)


def test_the_same_classifier_twice_does_not_differ() -> None:
    truth, score = np.arange(20) < 8, np.arange(20.0)[::-1]
    assert delong(truth, [score, score]).difference() == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(("positives", "bad"), [(1, 0.0), (19, 0.0), (8, math.nan)])
def test_what_cannot_be_compared_is_refused(positives: int, bad: float) -> None:
    score = np.arange(20.0) + bad
    with pytest.raises(InputError, match="DeLong"):
        delong(np.arange(20) < positives, score)


def counts(first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.r_[np.ones(first), np.zeros(second), np.ones(7), np.zeros(5)].astype(bool)
    b = np.r_[np.zeros(first), np.ones(second), np.ones(7), np.zeros(5)].astype(bool)
    return a, b


def test_mcnemar_agrees_with_exact_binomial_tails() -> None:
    # 6 of 6 one way: 2 / 2 ** 6. 1 of 10: 2 (1 + 10) / 2 ** 10.
    assert mcnemar(*counts(6, 0)).p_value == pytest.approx(2 / 64, abs=1e-15)
    found = mcnemar(*counts(1, 9))
    assert (found.only_first, found.only_second) == (1, 9)
    assert found.p_value == pytest.approx(22 / 1024, abs=1e-15)
    assert mcnemar(*counts(4, 4)).p_value == 1.0
    assert mcnemar(*counts(0, 0)).p_value == 1.0


def test_mcnemars_statistic_is_that_of_edwards() -> None:
    # 121 against 59 discordant pairs: (62 - 1) ** 2 / 180.
    assert mcnemar(*counts(121, 59)).chi_squared == pytest.approx(3721 / 180)


def test_mcnemar_copes_with_many_images() -> None:
    found = mcnemar(*counts(5000, 5400))
    # The normal approximation with continuity correction.
    z = (400 - 1) / math.sqrt(10400)
    assert found.p_value == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-2)


def test_holm_steps_down_and_never_lets_a_larger_p_value_pass_a_smaller() -> None:
    # The worked example of Holm's procedure with four tests.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_begins_as_bonferroni(p_values: list[float]) -> None:
    for raw, corrected in zip(p_values, holm(p_values), strict=True):
        assert raw <= corrected <= 1
    bonferroni = [min(1.0, len(p_values) * raw) for raw in p_values]
    assert min(holm(p_values)) == pytest.approx(min(bonferroni))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(holm(p_values))[order]) >= -1e-15).all()
