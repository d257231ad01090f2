"""What is let in comes back: requests as time goes, bytes whatever happens."""

from __future__ import annotations

import pytest

from lentigo.web.gates import Budget, Rate
from lentigo.web.refusals import Refusal


def test_a_rate_refills_and_forgets_the_longest_silent() -> None:
    now = [0.0]
    rate = Rate(60, clock=lambda: now[0])
    for _ in range(60):
        rate.take("a")
    with pytest.raises(Refusal):
        rate.take("a")
    now[0] = 1.0
    rate.take("a")
    for number in range(5000):
        rate.take(str(number))
    assert len(rate._buckets) <= 4096


def test_a_budget_comes_back_whatever_happens() -> None:
    budget = Budget(10)

    def overdraw() -> None:
        with budget.hold(4) as share:
            budget.grow(share, 6)
            budget.grow(share, 1)

    with pytest.raises(Refusal):
        overdraw()
    assert budget.taken == 0
