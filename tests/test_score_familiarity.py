"""Telling the unfamiliar by the directions that the familiar never takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lentigo.errors import InputError
from lentigo.score.familiarity import (
    as_arrays,
    fit_subspace,
    from_arrays,
    residual,
    threshold_keeping,
    unfamiliarity,
)


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


def test_the_level_that_an_image_leaves_furthest_counts_in_its_own_units() -> None:
    wide, narrow = fit_subspace(familiar(200) * 1000, components=3), fit_subspace(familiar(200))
    at_home = [familiar(50, seed=1) * 1000, familiar(50, seed=1)]
    assert (residual(at_home[0], wide) <= wide.reach).mean() > 0.8
    assert np.median(unfamiliarity(at_home, [wide, narrow])) < 1.2
    off = [at_home[0], at_home[1] + 40 * np.linalg.svd(narrow.axes.T)[2][-1]]
    far = unfamiliarity(off, [wide, narrow])
    np.testing.assert_allclose(far, residual(off[1], narrow) / narrow.reach)
    assert far.min() > 5


def test_what_is_left_by_rounding_alone_is_no_distance() -> None:
    flat = np.zeros((50, 6))
    flat[:, 0] = np.arange(50)
    space = fit_subspace(flat + 1e-9 * familiar(50)[:, :6])
    assert space.reach > 0.1
    still = fit_subspace(np.ones((50, 6)))
    assert still.reach == 1.0


def test_subspaces_survive_a_file(tmp_path: Path) -> None:
    spaces = (fit_subspace(familiar(200), components=3), fit_subspace(familiar(100)))
    np.savez(tmp_path / "kept.npz", **as_arrays(spaces))
    with np.load(tmp_path / "kept.npz") as kept:
        again = from_arrays(kept)
    levels = [familiar(9, seed=2), familiar(9, seed=3)]
    np.testing.assert_array_equal(unfamiliarity(levels, again), unfamiliarity(levels, spaces))
