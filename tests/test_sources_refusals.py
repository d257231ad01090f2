"""What is wrong with a data set is said at once, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lentigo.data.sources import SOURCES, ReadOptions
from lentigo.errors import InputError, SourceError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.jpg").touch()
    return tmp_path


def refusal(folder: Path, text: str, **options: object) -> str:
    (folder / "list.csv").write_text(text)
    with pytest.raises(SourceError) as caught:
        SOURCES["table"].read(folder / "list.csv", ReadOptions(**options))  # type: ignore[arg-type]
    return str(caught.value)


def test_all_problems_are_named_at_once_with_file_and_line(folder: Path) -> None:
    shown = refusal(
        folder,
        "image,label,age,split\n"
        "one,wart,old,\n"
        "two,mole,,sometimes\n"
        "one,wart,,\n"
        "three,,,\n"
        ",wart,,\n"
        "two,mole\n",
    )
    for line in (2, 3, 4, 5, 6, 7):
        assert f"list.csv:{line}:" in shown
    assert "'old'" in shown
    assert "'sometimes'" in shown
    assert "listed before, at list.csv:2" in shown
    assert "2 cells, not 4" in shown


def test_missing_columns_are_named_beside_those_that_are_there(folder: Path) -> None:
    shown = refusal(folder, "picture,label\none,wart\n")
    assert "['image']" in shown
    assert "'picture'" in shown


def test_absent_images_are_counted_and_the_first_twenty_named(folder: Path) -> None:
    rows = "".join(f"absent_{i:02d},wart\n" for i in range(25))
    text = f"image,label\none,wart\ntwo,mole\n{rows}"
    shown = refusal(folder, text)
    assert "25 of 27 listed images are absent" in shown
    assert "absent_19" in shown
    assert "absent_20" not in shown
    assert "and 5 more" in shown
    table = SOURCES["table"].read(folder / "list.csv", ReadOptions(skip_missing=True))
    assert len(table.frame) == 2
    assert table.missing == tuple(f"absent_{i:02d}" for i in range(25))


def test_skipping_everything_is_refused(folder: Path) -> None:
    shown = refusal(folder, "image,label\na,wart\nb,mole\n", skip_missing=True)
    assert "none of the 2 listed images is here" in shown


def test_one_class_is_not_enough(folder: Path) -> None:
    assert "two are needed" in refusal(folder, "image,label\none,wart\ntwo,wart\n")


def test_a_table_that_is_not_text_is_refused(folder: Path) -> None:
    (folder / "list.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SourceError, match="not a readable table"):
        SOURCES["table"].read(folder / "list.csv", ReadOptions())


def test_unknown_labels_of_a_published_set_are_refused(tmp_path: Path) -> None:
    (tmp_path / "HAM10000_metadata.csv").write_text(
        "lesion_id,image_id,dx,dx_type,age,sex,localization\nH,one,wart,histo,,,\n"
    )
    (tmp_path / "one.jpg").touch()
    with pytest.raises(SourceError, match=r"HAM10000_metadata.csv:2: 'wart' is not a class"):
        SOURCES["ham10000"].read(tmp_path, ReadOptions())


def test_a_row_of_two_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ISIC-2017_Training_Part3_GroundTruth.csv").write_text(
        "image_id,melanoma,seborrheic_keratosis\none,1.0,1.0\n"
    )
    (tmp_path / "one.jpg").touch()
    with pytest.raises(SourceError, match="melanoma and seborrheic_keratosis"):
        SOURCES["isic2017"].read(tmp_path, ReadOptions())


def test_a_target_that_contradicts_its_label_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ISIC_2020_Training_GroundTruth.csv").write_text(
        "image_name,patient_id,sex,age_approx,benign_malignant,target\none,P,male,45,benign,1\n"
    )
    (tmp_path / "one.jpg").touch()
    with pytest.raises(SourceError, match="contradicts the target '1'"):
        SOURCES["isic2020"].read(tmp_path, ReadOptions())


def test_malignant_classes_are_the_users_to_name_only_for_their_own_labels(folder: Path) -> None:
    named = ReadOptions(malignant=frozenset({"nv"}))
    with pytest.raises(SourceError, match="states itself"):
        SOURCES["ham10000"].read(folder, named)
    (folder / "list.csv").write_text("image,label\none,wart\ntwo,mole\n")
    with pytest.raises(InputError, match="nv"):
        SOURCES["table"].read(folder / "list.csv", named)
