"""The official scorers' own outputs are the reference."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lentigo.errors import InputError
from lentigo.score.official import (
    CATEGORY_SCORES,
    auc_above_sensitivity,
    category_score,
    official_score,
    partial_auc_2024,
    roc_points,
)

CODES = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
# The golden file prints a category's scores with ten digits.
TOLERANCE = 1e-9


def _columns(path: Path, names: tuple[str, ...]) -> np.ndarray:
    with path.open(newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: row["image"])
    return np.array([[float(row[name]) for name in names] for row in rows])


@pytest.fixture(scope="module")
def case(golden: Path) -> dict[str, Any]:
    folder = golden / "isic_scoring"
    return {
        "labels": _columns(folder / "truth.csv", CODES).argmax(axis=1),
        "probability": _columns(folder / "prediction.csv", CODES),
        "weights": _columns(folder / "score_weight.csv", ("score_weight",))[:, 0],
        "expected": json.loads((folder / "expected.json").read_text()),
    }


@pytest.mark.parametrize("kind", ["unweighted", "weighted"])
def test_every_value_agrees_with_the_official_scorer(case: dict[str, Any], kind: str) -> None:
    weights = case["weights"] if kind == "weighted" else None
    score = official_score(case["labels"], case["probability"], weights)
    expected = case["expected"][kind]
    assert score.balanced_accuracy == pytest.approx(expected["balanced_accuracy"], abs=TOLERANCE)
    assert set(expected["macro_average"]) == set(CATEGORY_SCORES)
    assert score.macro_average == pytest.approx(expected["macro_average"], abs=TOLERANCE)
    for code, row in zip(CODES, score.per_category, strict=True):
        assert row == pytest.approx(expected["per_category"][code], abs=TOLERANCE)


def test_partial_auc_agrees_with_the_challenge_of_2024(case: dict[str, Any]) -> None:
    for index, code in enumerate(CODES):
        value = partial_auc_2024(case["labels"] == index, case["probability"][:, index])
        assert value == pytest.approx(case["expected"]["pauc_2024_min_tpr_0.80"][code], abs=1e-9)


def test_an_empty_denominator_scores_one() -> None:
    score = category_score([True, False], [0.4, 0.1])
    assert score["ppv"] == 1.0
    assert score["sensitivity"] == 0.0


def test_a_tie_is_undecided_and_wrong() -> None:
    score = official_score([0, 1, 0, 1], [[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [0.2, 0.8]])
    assert score.balanced_accuracy == 0.5


def test_a_perfect_ranking_has_the_full_partial_area() -> None:
    truth, score = [0, 0, 0, 1, 1], [0.1, 0.2, 0.3, 0.8, 0.9]
    assert partial_auc_2024(truth, score) == pytest.approx(0.2)
    assert auc_above_sensitivity(truth, score, None, 0.8) == pytest.approx(1.0)


def test_a_curve_without_negatives_is_refused() -> None:
    with pytest.raises(InputError, match="both positive and negative"):
        roc_points([True, True], [0.2, 0.3])
