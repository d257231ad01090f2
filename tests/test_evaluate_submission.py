"""Submissions in the challenges' own formats, scored as their organisers do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lentigo.cli.app import app
from lentigo.errors import InputError
from lentigo.evaluate.submission import score_files
from lentigo.score.classification import binary_roc_auc


def table(path: Path, header: str, *rows: str) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize("kind", ["unweighted", "weighted"])
def test_files_give_what_the_official_scorer_gave(golden: Path, kind: str) -> None:
    folder = golden / "isic_scoring"
    weights = folder / "score_weight.csv" if kind == "weighted" else None
    found = score_files(folder / "truth.csv", folder / "prediction.csv", weights)
    everything = json.loads((folder / "expected.json").read_text())
    expected = everything[kind]
    assert found.whole["balanced_accuracy"] == pytest.approx(
        expected["balanced_accuracy"], abs=1e-9
    )
    for code, row in expected["per_category"].items():
        own = {name: found.per_category[code][name] for name in row}
        assert own == pytest.approx(row, abs=1e-9)
    assert found.macro_average["auc"] == pytest.approx(expected["macro_average"]["auc"], abs=1e-9)
    if kind == "unweighted":
        for code, value in everything["pauc_2024_min_tpr_0.80"].items():
            assert found.per_category[code]["pauc_2024"] == pytest.approx(value, abs=1e-9)


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    truth = table(tmp_path / "t.csv", "image,A,B", "x,1,0", "y,0,1", "z,0,1")
    rows = ["x,0.9,0.1", "y,0.2,0.8", "z,0.6,0.4"]
    one = score_files(truth, table(tmp_path / "p.csv", "image,A,B", *rows))
    other = score_files(truth, table(tmp_path / "q.csv", "image,A,B", *reversed(rows)))
    assert one == other
    assert one.whole["balanced_accuracy"] == 0.75


@pytest.mark.parametrize("name", ["image_name", "isic_id"])
def test_a_single_target_is_ranked_as_in_2020_and_2024(tmp_path: Path, name: str) -> None:
    random = np.random.default_rng(0)
    positive, score = random.random(60) < 0.3, random.random(60).round(3)
    truth = table(
        tmp_path / "t.csv",
        f"{name},patient_id,target",
        *(f"i{i},p{i},{int(yes)}" for i, yes in enumerate(positive)),
    )
    prediction = table(
        tmp_path / "p.csv", f"{name},target", *(f"i{i},{each}" for i, each in enumerate(score))
    )
    found = score_files(truth, prediction)
    assert found.whole["auc"] == pytest.approx(binary_roc_auc(positive, score), abs=1e-12)
    assert 0 <= found.whole["pauc_2024"] <= 0.2


def test_isic_2017_asks_two_questions(tmp_path: Path) -> None:
    header = "image_id,melanoma,seborrheic_keratosis"
    truth = table(tmp_path / "t.csv", header, "a,1.0,0.0", "b,0.0,1.0", "c,0.0,0.0")
    guess = table(tmp_path / "p.csv", header, "a,0.9,0.2", "b,0.3,0.1", "c,0.1,0.6")
    found = score_files(truth, guess)
    assert found.per_category["melanoma"]["auc"] == 1.0
    assert found.per_category["seborrheic_keratosis"]["auc"] == 0.0
    assert found.whole["mean_auc"] == 0.5


def test_weights_may_stand_in_the_truth(tmp_path: Path) -> None:
    truth = table(
        tmp_path / "t.csv", "image,A,B,score_weight,validation_weight",
        "x,1,0,1,0", "y,0,1,0,0", "z,0,1,1,0",
    )  # fmt: skip
    guess = table(tmp_path / "p.csv", "image,A,B", "x,0.9,0.1", "y,0.9,0.1", "z,0.2,0.8")
    assert score_files(truth, guess).whole["balanced_accuracy"] == 1.0


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["x,0.9,0.1"], "y is not predicted"),
        (["x,0.9,0.1", "y,0.5,0.5", "w,0,1"], "line 4: w is not in the truth"),
        (["x,0.9,0.1", "y,0.5,much"], "line 3: B is 'much'"),
        (["x,0.9,1.1", "y,0.5,0.5"], "line 2: B is '1.1'"),
        (["x,0.9,0.1", "x,0.5,0.5"], "line 3: x stands in line 2 too"),
        (["x,0.9", "y,0.5,0.5"], "line 2: 2 columns instead of 3"),
    ],
)
def test_a_bad_submission_is_told_by_line(tmp_path: Path, rows: list[str], told: str) -> None:
    truth = table(tmp_path / "t.csv", "image,A,B", "x,1,0", "y,0,1")
    with pytest.raises(InputError, match=told):
        score_files(truth, table(tmp_path / "p.csv", "image,A,B", *rows))


def test_other_classes_and_other_files_are_refused(tmp_path: Path) -> None:
    truth = table(tmp_path / "t.csv", "image,A,B", "x,1,0", "y,0,1")
    with pytest.raises(InputError, match="same classes"):
        score_files(truth, table(tmp_path / "p.csv", "image,B,A", "x,1,0", "y,0,1"))
    with pytest.raises(InputError, match="no table of a challenge"):
        score_files(truth, table(tmp_path / "q.csv", "name,A,B", "x,1,0", "y,0,1"))
    with pytest.raises(InputError, match="cannot be read"):
        score_files(truth, tmp_path / "absent.csv")
    both = table(tmp_path / "r.csv", "image,A,B", "x,1,1", "y,0,1")
    with pytest.raises(InputError, match="exactly one true class"):
        score_files(both, table(tmp_path / "s.csv", "image,A,B", "x,1,0", "y,0,1"))


def test_the_command_says_what_is_wrong_and_exits_with_2(tmp_path: Path) -> None:
    truth = table(tmp_path / "t.csv", "image,A,B", "x,1,0", "y,0,1")
    guess = table(tmp_path / "p.csv", "image,A,B", "x,0.9,0.1", "y,0.2,0.8")
    shown = CliRunner().invoke(app, ["score", str(truth), str(guess)])
    assert shown.exit_code == 0, shown.output
    assert "balanced_accuracy 1.000000" in shown.output
    told = CliRunner().invoke(app, ["score", str(truth), str(guess), "--json"])
    assert json.loads(told.output)["balanced_accuracy"] == 1
