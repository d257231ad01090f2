"""The scores for many weightings are those for one, many times."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lentigo.score.official import CATEGORY_SCORES, category_score, partial_auc_2024
from lentigo.score.resampled import PARTIAL, SCORES, Category


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_every_column_is_what_the_official_scorer_gives(seed: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    positive = random.random(40) < random.uniform(0.1, 0.9)
    positive[:2] = [True, False]
    probability = random.integers(0, levels + 1, 40) / levels
    weights = random.integers(0, 4, (40, 5)).astype(np.float64)
    weights[:2] += 1
    found = Category.of(positive, probability).scores(weights)
    for column in range(5):
        weight = weights[:, column]
        row = category_score(positive, probability, weight)
        row[PARTIAL] = partial_auc_2024(positive, probability, weight)
        np.testing.assert_allclose(found[:, column], [row[name] for name in SCORES], atol=1e-9)
    assert SCORES[:-1] == CATEGORY_SCORES


def test_a_draw_without_one_side_is_undefined() -> None:
    positive = np.array([True, False, False])
    weights = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0]])
    assert np.isnan(Category.of(positive, np.array([0.9, 0.2, 0.4])).scores(weights)).all()
