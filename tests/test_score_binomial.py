"""Exact binomial bounds against published and defining values."""

from __future__ import annotations

import math

import pytest

from lentigo.score.binomial import binomial_lower, binomial_upper, clopper_pearson


@pytest.mark.parametrize(
    ("count", "trials", "low", "high"),
    [
        # Newcombe 1998 (Stat Med 17:857), table I: method 5.
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_the_exact_interval_is_the_published_one(
    count: int, trials: int, low: float, high: float
) -> None:
    assert clopper_pearson(count, trials) == pytest.approx((low, high), abs=5e-5)


def test_at_the_bound_what_was_seen_is_just_as_rare_as_stated() -> None:
    share = binomial_upper(3, 40)
    seen = sum(math.comb(40, k) * share**k * (1 - share) ** (40 - k) for k in range(4))
    assert seen == pytest.approx(0.05, abs=1e-9)
    share = binomial_lower(3, 40)
    seen = sum(math.comb(40, k) * share**k * (1 - share) ** (40 - k) for k in range(3, 41))
    assert seen == pytest.approx(0.05, abs=1e-9)


def test_nothing_seen_in_many_trials_is_the_rule_of_three() -> None:
    assert binomial_upper(0, 4_000_000) == pytest.approx(3 / 4_000_000, rel=0.002)
    assert binomial_lower(0, 10) == 0
    assert binomial_upper(10, 10) == 1
