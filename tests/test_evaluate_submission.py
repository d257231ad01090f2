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
    assert "2 groups by image" in shown.output
    told = CliRunner().invoke(app, ["score", str(truth), str(guess), "--json"])
    assert json.loads(told.output)["balanced_accuracy"] == 1


def test_isic2019_has_a_class_that_no_image_has(tmp_path: Path) -> None:
    truth = table(
        tmp_path / "t.csv", "image,MEL,NV,UNK",
        "a,1.0,0.0,0.0", "b,0.0,1.0,0.0", "c,0.0,1.0,0.0", "d,1.0,0.0,0.0",
    )  # fmt: skip
    rows = ["a,0.7,0.2,0.1", "b,0.2,0.7,0.1", "c,0.1,0.2,0.7", "d,0.6,0.3,0.1"]
    found = score_files(truth, table(tmp_path / "p.csv", "image,MEL,NV,UNK", *rows))
    assert list(found.per_category) == ["MEL", "NV"]
    assert found.empty == ("UNK",)
    # An image that is called unknown is called wrongly.
    assert found.whole["balanced_accuracy"] == 0.75
    short = [line.rsplit(",", 1)[0] for line in rows]
    absent = score_files(truth, table(tmp_path / "q.csv", "image,MEL,NV", *short))
    assert absent.empty == ("UNK",)
    assert absent.per_category["MEL"]["auc"] == found.per_category["MEL"]["auc"]
    with pytest.raises(InputError, match="same classes"):
        score_files(truth, table(tmp_path / "r.csv", "image,MEL,UNK", *short))


METADATA_2024 = (
    "isic_id,target,patient_id,age_approx,sex,anatom_site_general,clin_size_long_diam_mm,"
    "image_type,tbp_tile_type,attribution,copyright_license,lesion_id,iddx_full,tbp_lv_H"
)


def test_the_metadata_table_of_isic2024_is_a_truth(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    positive, score = random.random(80) < 0.3, random.random(80).round(3)
    truth = table(
        tmp_path / "t.csv",
        METADATA_2024,
        *(
            f'ISIC_{i},{int(yes)},IP_{i // 4},60,male,torso,3.04,TBP,3D: white,"A, B",CC-BY,'
            f"{f'IL_{i}' if yes else ''},Benign,54.6"
            for i, yes in enumerate(positive)
        ),
    )
    rows = [f"ISIC_{i},{each}" for i, each in enumerate(score)]
    guess = table(tmp_path / "p.csv", "isic_id,target", *rows)
    found = score_files(truth, guess, replicates=200)
    assert found.whole["auc"] == pytest.approx(binary_roc_auc(positive, score), abs=1e-12)
    assert (found.groups, found.grouped_by) == (20, "patient_id")
    plain = table(
        tmp_path / "g.csv",
        "isic_id,malignant",
        *(f"ISIC_{i},{float(yes)}" for i, yes in enumerate(positive)),
    )
    assert score_files(plain, guess).whole == found.whole


def test_isic2016_has_no_header(tmp_path: Path) -> None:
    truth = tmp_path / "t.csv"
    truth.write_text("ISIC_1,benign\nISIC_2,malignant\nISIC_3,benign\nISIC_4,malignant\n")
    numbers = tmp_path / "n.csv"
    numbers.write_text("ISIC_1,0.0\nISIC_2,1.0\nISIC_3,0.0\nISIC_4,1.0\n")
    guess = tmp_path / "p.csv"
    guess.write_text("ISIC_4,0.9\nISIC_1,0.1\nISIC_2,0.3\nISIC_3,0.4\n")
    found = score_files(truth, guess)
    assert found.images == 4
    assert found.whole["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert found.whole["auc"] == 0.75
    assert score_files(numbers, guess) == found
    assert "2016" in found.challenge
    guess.write_text("ISIC_4,0.9\nISIC_1,much\nISIC_2,0.3\nISIC_3,0.4\n")
    with pytest.raises(InputError, match="line 2: target is 'much'"):
        score_files(truth, guess)


def test_isic2020_gives_its_lesions_and_patients(tmp_path: Path) -> None:
    header = "image_name,patient_id,lesion_id,sex,age_approx,anatom_site_general_challenge,"
    truth = table(
        tmp_path / "t.csv",
        header + "diagnosis,benign_malignant,target",
        *(
            f"I{i},IP{i // 2},IL{i},male,45,torso,unknown,{('benign,0', 'malignant,1')[i % 2]}"
            for i in range(40)
        ),
    )
    rows = [f"I{i},{0.3 + 0.4 * (i % 3 == 0)}" for i in range(40)]
    guess = table(tmp_path / "p.csv", "image_name,target", *rows)
    found = score_files(truth, guess, replicates=100)
    assert (found.groups, found.grouped_by) == (20, "patient_id")
    lesions = table(tmp_path / "g.csv", "image,lesion_id", *(f"I{i},L{i // 4}" for i in range(40)))
    other = score_files(truth, guess, groups=lesions, replicates=100)
    assert (other.groups, other.grouped_by) == (10, "lesion_id")
    assert other.whole == found.whole
    with pytest.raises(InputError, match="names no groups"):
        score_files(truth, guess, groups=guess)
    part = table(tmp_path / "h.csv", "image,lesion_id", "I0,L0")
    with pytest.raises(InputError, match=r"no group for:\n.*I1"):
        score_files(truth, guess, groups=part)


@pytest.mark.parametrize("kind", ["unweighted", "weighted"])
def test_intervals_of_the_golden_case_hold_its_scores(golden: Path, kind: str) -> None:
    folder = golden / "isic_scoring"
    weights = folder / "score_weight.csv" if kind == "weighted" else None
    truth, prediction = folder / "truth.csv", folder / "prediction.csv"
    found = score_files(truth, prediction, weights, replicates=200)
    assert set(found.intervals) >= {"balanced_accuracy", "MEL.auc", "macro.pauc_2024"}
    told = found.to_dict()["intervals"]
    for name, each in told.items():
        if each["low"] is not None:
            assert each["low"] <= each["value"] + 1e-9, name
            assert each["high"] >= each["value"] - 1e-9, name
    assert found.whole == score_files(truth, prediction, weights).whole


def test_larger_groups_widen_the_interval(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    lesion = np.repeat(np.arange(60), 5)
    right = np.repeat(random.random(60) < 0.7, 5)
    label = np.repeat(np.arange(60) % 2, 5)
    called = np.where(right, label, 1 - label)
    truth = table(
        tmp_path / "t.csv", "image,A,B", *(f"{i},{1 - k},{k}" for i, k in enumerate(label))
    )
    guess = table(
        tmp_path / "p.csv", "image,A,B", *(f"{i},{1 - k},{k}" for i, k in enumerate(called))
    )
    groups = table(
        tmp_path / "g.csv", "image,lesion_id", *(f"{i},{k}" for i, k in enumerate(lesion))
    )
    spans = []
    for path in (None, groups):
        each = score_files(truth, guess, groups=path, replicates=400).intervals["balanced_accuracy"]
        assert each.low is not None
        assert each.high is not None
        spans.append(each.high - each.low)
    assert 1.8 < spans[1] / spans[0] < 2.8  # the root of five
