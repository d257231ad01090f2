"""One test for all models: it finds what differs, and is calm where nothing does."""

from __future__ import annotations

import numpy as np
import pytest

from lentigo.score.exchange import exchange_p


def answers(rates: list[float], groups: int, seed: int) -> np.ndarray:
    """Right answers (groups, levels): a group is easy or hard for all levels alike."""
    random = np.random.default_rng(seed)
    easy = random.normal(0, 0.2, (groups, 1))
    return (random.random((groups, len(rates))) < np.clip(np.array(rates) + easy, 0, 1)).astype(
        float
    )


def test_levels_that_do_not_differ_are_called_different_as_often_as_stated() -> None:
    found = [exchange_p(answers([0.8] * 3, 80, seed), 199, seed) for seed in range(200)]
    share = np.mean(np.array(found) <= 0.05)
    assert 0.005 <= share <= 0.11  # 5% within four standard errors
    assert 0.35 <= np.mean(found) <= 0.65


def test_a_level_that_is_worse_is_found() -> None:
    assert exchange_p(answers([0.85, 0.85, 0.6], 300, 0)) < 0.001


def test_it_agrees_with_all_permutations_of_a_table_small_enough_to_count() -> None:
    results = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    # Three groups can be swapped: of eight swaps the observed one and its mirror are as far apart.
    assert exchange_p(results, 9999) == pytest.approx(2 / 8, abs=0.02)


def test_the_same_answers_everywhere_are_no_difference() -> None:
    assert exchange_p(np.ones((20, 4))) == 1


def test_groups_count_and_not_images() -> None:
    # Two lesions with fifty images each are two answers, whatever the number of images.
    assert exchange_p(np.array([[50.0, 0.0], [50.0, 0.0]])) > 0.4


def test_one_level_is_refused() -> None:
    with pytest.raises(ValueError, match="two levels"):
        exchange_p(np.ones((5, 1)))
