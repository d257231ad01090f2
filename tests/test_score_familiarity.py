"""Telling the unfamiliar by the directions that the familiar never takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lentigo.errors import InputError
from lentigo.score.familiarity import fit_subspace, residual, threshold_keeping


def familiar(count: int, seed: int = 0) -> np.ndarray:
    """Features (count, 10) that fill three directions, and a little of the others."""
    generator = np.random.default_rng(seed)
    axes = np.random.default_rng(7).normal(0, 1, (3, 10))
    return 5 + generator.normal(0, 2, (count, 3)) @ axes + generator.normal(0, 0.1, (count, 10))


def test_what_leaves_the_subspace_is_measured_and_what_stays_in_it_is_not() -> None:
    subspace = fit_subspace(familiar(200), components=3)
    inside = subspace.mean + 50 * subspace.axes[:, 0]
    away = np.linalg.svd(subspace.axes.T)[2][-1]
    assert residual(inside[None], subspace)[0] == pytest.approx(0, abs=1e-5)
    assert residual((inside + 4 * away)[None], subspace)[0] == pytest.approx(4)


def test_other_images_stand_out() -> None:
    subspace = fit_subspace(familiar(200), components=3)
    threshold = threshold_keeping(residual(familiar(100, seed=1), subspace))
    strange = np.random.default_rng(2).normal(5, 2, (50, 10))
    assert (residual(strange, subspace) > threshold).all()
    assert (residual(familiar(400, seed=3), subspace) > threshold).mean() < 0.15


def test_few_images_or_channels_leave_directions_to_leave_by() -> None:
    assert fit_subspace(familiar(200)).axes.shape == (10, 5)
    assert fit_subspace(familiar(7)).axes.shape == (10, 3)
    with pytest.raises(InputError, match="too few"):
        fit_subspace(familiar(3))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.floats(0.5, 1))
def test_the_threshold_keeps_its_share_and_no_lower_one_does(
    values: list[float], share: float
) -> None:
    scores = np.asarray(values)
    threshold = threshold_keeping(scores, share)
    assert threshold in scores
    # A share of 0.95 of twenty is nineteen, whatever binary fractions make of it.
    assert (scores <= threshold).mean() >= share - 1e-9
    lower = scores[scores < threshold]
    assert not len(lower) or (scores <= lower.max()).mean() < share


def test_no_scores_give_no_threshold() -> None:
    with pytest.raises(InputError, match="no scores"):
        threshold_keeping(np.empty(0))
