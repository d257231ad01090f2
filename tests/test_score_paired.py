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


# Aneurysmal subarachnoid haemorrhage: 113 patients, poor or good outcome, WFNS grade, S100B and
# NDKA (Turck 2010, Intensive Care Med 36:107); the example of the R package pROC (Robin 2011,
# BMC Bioinformatics 12:77).
ASAH = """
G,1,0.13,3.01 G,1,0.14,8.54 G,1,0.1,8.09 G,1,0.04,10.42 P,3,0.13,17.4
P,2,0.1,12.75 G,5,0.47,6.0 P,4,0.16,13.2 G,1,0.18,15.54 G,2,0.1,6.01
P,5,0.12,15.96 G,2,0.1,17.86 P,5,0.44,5.18 P,5,0.71,8.9 G,1,0.04,13.41
G,2,0.08,20.75 P,5,0.49,11.6 G,2,0.04,16.11 P,2,0.07,32.37 P,5,0.33,54.82
P,2,0.09,32.41 G,1,0.09,49.94 P,1,0.07,40.34 G,1,0.11,9.47 G,1,0.07,6.29
G,2,0.17,12.53 G,1,0.07,6.54 G,2,0.11,6.3 G,1,0.13,80.3 G,1,0.19,12.8
G,3,0.05,9.8 G,4,0.16,9.81 P,2,0.41,9.85 G,1,0.14,18.21 G,4,0.34,5.03
P,5,0.35,14.04 P,4,0.48,21.93 G,1,0.09,8.02 P,4,0.96,7.42 P,2,0.25,8.38
G,5,0.5,6.59 G,5,0.46,9.63 G,1,0.16,13.12 G,1,0.07,7.96 G,2,0.43,14.34
G,4,0.45,41.43 G,1,0.11,7.63 G,1,0.08,7.06 G,2,0.09,12.59 P,5,0.86,13.56
P,5,0.52,3.87 G,2,0.08,9.44 G,1,0.06,7.66 G,2,0.13,12.98 P,5,2.07,419.19
G,1,0.1,27.19 G,2,0.14,22.27 G,2,0.15,9.95 P,2,0.07,21.22 G,1,0.06,11.73
P,5,0.77,10.4 G,1,0.05,58.83 G,1,0.09,6.39 P,2,0.3,11.09 P,5,0.03,12.22
P,2,0.09,13.67 G,1,0.04,17.21 P,4,0.23,22.63 P,5,0.7,12.9 G,2,0.09,9.7
P,4,0.27,21.57 P,4,0.71,8.23 P,1,0.08,72.57 P,4,0.26,15.54 G,1,0.08,10.51
G,2,0.16,10.6 G,1,0.09,14.57 P,4,0.13,5.19 P,2,0.1,9.63 G,1,0.08,4.61
P,2,0.11,21.48 G,3,0.33,17.3 G,2,0.11,12.71 G,4,0.28,9.44 G,2,0.07,11.07
G,1,0.1,19.46 G,4,0.32,10.83 P,5,0.22,5.37 G,1,0.07,11.97 G,1,0.05,7.75
G,5,0.24,9.83 G,4,0.38,10.55 G,2,0.1,28.49 G,2,0.15,8.53 G,1,0.08,12.57
G,1,0.14,12.9 G,1,0.1,46.83 G,3,0.07,11.68 G,1,0.04,12.67 G,2,0.19,9.01
P,5,0.56,9.57 P,2,0.14,34.06 P,2,0.58,11.72 P,5,0.32,14.26 P,5,0.82,47.61
P,5,0.74,11.67 G,2,0.15,24.58 G,4,0.47,10.33 G,4,0.17,13.87 P,5,0.44,15.89
G,1,0.15,22.43 G,1,0.5,6.79 G,1,0.48,13.45
"""


@pytest.mark.parametrize(
    ("first", "second", "z", "p_value"),
    [
        (0, 1, 2.20898359144091, 0.0271757822291882),
        (0, 2, 2.79777591868904, 0.00514557970691098),
        (2, 1, -1.39077002573558, 0.164295175223054),
    ],
)
def test_delongs_test_gives_what_proc_gives(
    first: int, second: int, z: float, p_value: float
) -> None:
    """Statistics, p-values, areas and variances as pROC's own tests have them."""
    rows = [line.split(",") for line in ASAH.split()]
    truth = np.array([row[0] == "P" for row in rows])
    found = delong(truth, np.array([[float(cell) for cell in row[1:]] for row in rows]).T)
    assert found.area[0] == pytest.approx(0.823678861788618, abs=1e-12)
    assert found.area[2] == pytest.approx(0.611957994579946, abs=1e-12)
    variances = [0.00146991470882363, 0.00266868245717244, 0.0031908105493913]
    assert np.diag(found.covariance) == pytest.approx(variances, rel=1e-10)
    gap, error, p = found.difference(first, second)
    assert gap / error == pytest.approx(z, rel=1e-10)
    assert p == pytest.approx(p_value, rel=1e-10)


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
