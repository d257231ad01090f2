"""What the tables tell of several sets: ids, lesions, patients, and pairs that publishers name."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from lentigo.cli.app import app
from lentigo.data.phantom import view_pixels
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.evaluate.audit import audit
from lentigo.evaluate.audit.checks import (
    lesions_of_several_labels,
    lesions_of_several_patients,
)
from lentigo.evaluate.audit.crossings import known_as, meetings
from lentigo.evaluate.audit.pairs import Pair

COLUMNS = ("set", "split", "fold", "image_id", "lesion_id", "patient_id", "label", "source")


def rows(*lines: str) -> pd.DataFrame:
    """A table from lines of words in the order of ``COLUMNS``; ``-`` stands for unknown."""
    cells = [["" if cell == "-" else cell for cell in line.split()] for line in lines]
    table = pd.DataFrame(cells, columns=list(COLUMNS))
    return table.assign(fold=table["fold"].astype(int), malignant=table["label"] == "mel")


def told(table: pd.DataFrame, pairs: Sequence[Pair] = (), *, crosses: bool = True) -> set[str]:
    return {
        f"{each.what} {'+'.join(each.names)}: {each.between}"
        for each in meetings(table, pairs)
        if each.crosses == crosses
    }


def test_a_lesion_of_one_set_on_the_other_side_of_another_crosses() -> None:
    table = rows(
        "A test -1 a1 L1 P1 nv s",
        "B train 0 b1 L1 P9 nv s",
        "B train 1 b2 L2 P1 nv s",
    )
    assert told(table) == {"lesion_id L1: A test / B train", "patient_id P1: A test / B train"}


def test_what_two_training_parts_share_crosses_nothing_and_is_told() -> None:
    table = rows("A train 0 ISIC_7 L1 P1 nv s", "B train 1 ISIC_7 L1 P1 nv s")
    assert told(table) == set()
    assert told(table, [Pair(0, 1, "same id", 0)], crosses=False) == {
        "image_id ISIC_7: A train / B train",
        "lesion_id L1: A train / B train",
        "patient_id P1: A train / B train",
        "picture ISIC_7 | ISIC_7: A train / B train",
    }


def test_a_fold_is_a_line_within_its_set_only() -> None:
    table = rows("A train 0 a L1 P nv s", "A train 1 b L1 P nv s", "A train 1 c L2 P nv s")
    near = [Pair(1, 2, "near duplicate", 3), Pair(0, 2, "near duplicate", 3)]
    assert told(table, near) == {
        "lesion_id L1: A: train, different folds",
        "patient_id P: A: train, different folds",
        "picture a | c: A: train, different folds",
    }


def test_an_image_set_aside_stands_nowhere() -> None:
    table = rows("A test -1 a L1 P nv s", "A excluded -1 b L1 P nv s")
    assert meetings(table, [Pair(0, 1, "near duplicate", 0)]) == []


def test_validation_against_test_and_training_crosses() -> None:
    table = rows("A validation -1 a L - nv s", "A test -1 b L - nv s", "B train 0 c L - nv s")
    assert told(table) == {
        "lesion_id L: A: test / validation",
        "lesion_id L: A test / B train",
        "lesion_id L: A validation / B train",
    }


def test_numbers_as_ids_mean_nothing_in_another_source() -> None:
    table = rows("A test -1 a 7 12 nv one", "B train 0 b 7 12 nv two")
    assert meetings(table, []) == []
    assert known_as(table, "lesion_id").tolist() == ["one:7", "two:7"]
    same = table.assign(source="one")
    assert told(same) == {
        "lesion_id one:7: A test / B train",
        "patient_id one:12: A test / B train",
    }


def test_names_of_files_mean_nothing_in_another_folder() -> None:
    table = rows("A test -1 1.jpg - - nv folder", "B train 0 1.jpg - - nv folder")
    assert meetings(table, []) == []
    published = rows("A test -1 PAT_1 - - nv pad-ufes-20", "B train 0 PAT_1 - - nv pad-ufes-20")
    assert told(published) == {"image_id pad-ufes-20:PAT_1: A test / B train"}


def test_a_lesion_with_two_patients_is_found_across_sets() -> None:
    table = rows("A train 0 a L P1 nv s", "B train 0 b L P2 nv s", "B train 0 c M P2 nv s")
    assert lesions_of_several_patients(table) == [
        {"lesion_id": "L", "sets": ["A", "B"], "patient_id": ["P1", "P2"]}
    ]


def test_a_lesion_is_not_malignant_in_one_set_and_benign_in_another() -> None:
    table = rows(
        "A train 0 a L - mel s", "B train 0 b L - nv s",
        "A train 0 c M - nv s", "B train 0 d M - bkl s",
        "A train 0 e N - nv s", "A train 0 f N - bkl s",
    )  # fmt: skip
    found = lesions_of_several_labels(table)
    assert [each["lesion_id"] for each in found] == ["L", "N"]
    assert found[0]["label"] == ["A: mel", "B: nv"]


def isic2020(root: Path, pictures: dict[str, np.ndarray], pairs: Sequence[str]) -> PreparedSet:
    """A set in the layout of ISIC 2020; every image is a patient of its own."""
    (root / "raw" / "train").mkdir(parents=True)
    header = "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,"
    lines = [header + "benign_malignant,target"]
    for number, (name, rgb) in enumerate(pictures.items()):
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(root / "raw" / "train" / f"{name}.jpg"), bgr)
        label = ("benign,0", "malignant,1")[number % 2]
        lines.append(f"{name},IP_{root.name}{number},female,50,torso,unknown,{label}")
    table = "\n".join(lines) + "\n"
    (root / "raw" / "ISIC_2020_Training_GroundTruth.csv").write_text(table)
    listed = "\n".join(["image_name_1,image_name_2", *pairs]) + "\n"
    (root / "raw" / "ISIC_2020_Training_Duplicates.csv").write_text(listed)
    return prepare("isic2020", root / "raw", root / "set", size=64, folds=2, workers=1)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> tuple[PreparedSet, PreparedSet]:
    """Two sets whose publisher names five pairs: in one set, across, half here, and not at all."""
    root = tmp_path_factory.mktemp("named")
    pictures = {f"ISIC_{n}": view_pixels(0, n, 0, 120) for n in range(16)}
    pictures["ISIC_16"] = view_pixels(0, 1, 0, 120)  # a copy of ISIC_1
    listed = ["ISIC_1,ISIC_16", "ISIC_3,ISIC_2", "ISIC_4,GONE_1", "GONE_2,GONE_3"]
    first = isic2020(root / "a", pictures, listed)
    test = first.manifest["image_id"][first.rows("test")[0]]
    row = int(first.rows("test")[0])
    copies = {"COPY": np.asarray(first.images[row])}
    copies |= {f"OWN_{n}": view_pixels(1, n, 0, 120) for n in range(9)}
    second = isic2020(root / "b", copies, [f"{test},COPY"])
    return first, second


def test_every_published_pair_is_told_by_id(named: tuple[PreparedSet, PreparedSet]) -> None:
    found = audit(named[0]).to_dict()["published_pairs"]
    assert {key: found[key] for key in found if key != "pairs"} == {
        "listed": 4,
        "both_present": 2,
        "one_present": 1,
        "none_present": 1,
        "found_by_pixels": 1,
        "crossing": 0,
    }
    pairs = {tuple(each["ids"]): each for each in found["pairs"]}
    assert pairs["ISIC_1", "ISIC_16"]["found_by_pixels"]
    assert pairs["ISIC_1", "ISIC_16"]["bits"] <= 28
    assert not pairs["ISIC_2", "ISIC_3"]["found_by_pixels"]
    assert pairs["ISIC_2", "ISIC_3"]["bits"] > 28
    assert pairs["GONE_1", "ISIC_4"]["present"] == "one"
    assert pairs["GONE_2", "GONE_3"]["bits"] is None


def test_a_published_pair_of_a_test_and_a_training_image_crosses(
    named: tuple[PreparedSet, PreparedSet],
) -> None:
    first, second = named
    content = audit(first, against=[second]).to_dict()
    (crossing,) = [each for each in content["published_pairs"]["pairs"] if each["crosses"]]
    copied = second.manifest.set_index("image_id")["split"]["COPY"]
    expected = [] if copied == "test" else [f"{first.path.parent.name}/set test"]
    assert crossing["found_by_pixels"]
    assert content["published_pairs"]["listed"] == 5
    assert all(any(start in line for line in crossing["crosses"]) for start in expected)


def test_a_set_without_the_whole_list_names_what_it_holds(
    named: tuple[PreparedSet, PreparedSet],
) -> None:
    first = named[0]
    older = {k: v for k, v in first.audit.items() if k != "named_duplicates"}
    data = PreparedSet(first.path, first.info, first.manifest, first.images, older)
    assert audit(data).to_dict()["published_pairs"]["listed"] == 2


def test_images_of_one_id_in_two_sets_are_pairs(
    named: tuple[PreparedSet, PreparedSet], tmp_path: Path
) -> None:
    first, _ = named
    pictures = {"ISIC_1": view_pixels(0, 90, 0, 120), "ISIC_5": view_pixels(0, 5, 0, 120)}
    pictures |= {f"OWN_{n}": view_pixels(2, n, 0, 120) for n in range(8)}
    other = isic2020(tmp_path / "c", pictures, [])
    out = tmp_path / "out"
    shown = CliRunner().invoke(
        app, ["audit", str(first.path), "--against", str(other.path), "--out", str(out)]
    )
    assert shown.exit_code == 0, shown.output
    with (out / "pairs.csv").open(newline="") as stream:
        kinds = {
            line["image_id_a"]: line["kind"]
            for line in csv.DictReader(stream)
            if line["set_a"] != line["set_b"]
        }
    assert kinds["ISIC_1"] == "same id"
    assert kinds["ISIC_5"] in {"near duplicate", "identical file"}
    assert "image_id" in shown.output


@pytest.mark.real_data
def test_all_425_pairs_of_isic2020_are_told(shared_data: Path, tmp_path: Path) -> None:
    data = prepare(
        "isic2020", shared_data / "isic2020", tmp_path / "set", size=16, skip_missing=True
    )
    found = audit(data).to_dict()["published_pairs"]
    assert found["listed"] == 425
    assert found["both_present"] == 0
    assert (found["one_present"], found["none_present"]) == (26, 399)
