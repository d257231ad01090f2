"""What is wrong with a data set is said at once, with file and line."""

from __future__ import annotations

import logging
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
    assert "none of the 2 listed images is here:\n  a\n  b\n" in shown
    assert "`lentigo sources`" in shown


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


@pytest.mark.parametrize("name", sorted(n for n in SOURCES if not SOURCES[n].reads_metadata))
def test_a_table_that_a_source_would_ignore_is_refused(name: str, folder: Path) -> None:
    with pytest.raises(SourceError, match=r"would not read .*mine\.csv"):
        SOURCES[name].read(folder, ReadOptions(metadata=Path("mine.csv")))


def test_a_table_that_does_not_exist_is_called_a_table(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nope\.csv does not exist[^\0]*CSV file"):
        SOURCES["table"].read(tmp_path / "nope.csv", ReadOptions())


@pytest.mark.parametrize(
    "taken", ["macro", "micro", "image_id", "image", "label", "undecided", "logit_mole"]
)
def test_classes_named_like_columns_or_means_are_refused(folder: Path, taken: str) -> None:
    (folder / "list.csv").write_text(f"image,label\none,{taken}\ntwo,mole\n")
    with pytest.raises(InputError, match=rf"\['{taken}'\][^\0]*other names"):
        SOURCES["table"].read(folder / "list.csv", ReadOptions())


def test_classes_may_be_called_malignant_and_benign(folder: Path) -> None:
    (folder / "list.csv").write_text("image,label\none,malignant\ntwo,benign\n")
    taxonomy = SOURCES["table"].read(folder / "list.csv", ReadOptions()).taxonomy
    assert taxonomy.malignant == (False, True)


def make_isic2019_training(folder: Path, *, metadata: str, columns: str) -> Path:
    header = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC"
    truth = folder / "ISIC_2019_Training_GroundTruth.csv"
    truth.write_text(f"{header}\none,1,0,0,0,0,0,0,0\ntwo,0,1,0,0,0,0,0,0\n")
    cells = ",0" * columns.count(",")
    (folder / metadata).write_text(f"{columns}\none{cells}\n")
    return folder


def test_isic2019_training_without_its_own_metadata_is_refused(folder: Path) -> None:
    columns = "image,age_approx,sex"
    make_isic2019_training(folder, metadata="ISIC_2019_Test_Metadata.csv", columns=columns)
    with pytest.raises(SourceError, match=r"Training_Metadata\.csv, which names lesions"):
        SOURCES["isic2019"].read(folder, ReadOptions())


def test_isic2019_training_metadata_must_name_lesions(folder: Path) -> None:
    columns = "image,age_approx,sex"
    make_isic2019_training(folder, metadata="ISIC_2019_Training_Metadata.csv", columns=columns)
    with pytest.raises(SourceError, match=r"lacks the column\(s\) \['lesion_id'\]"):
        SOURCES["isic2019"].read(folder, ReadOptions())


def test_isic2020_without_its_list_of_duplicates_warns(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "ISIC_2020_Training_GroundTruth.csv").write_text(
        "image_name,patient_id,sex,age_approx,benign_malignant,target\none,P,male,45,benign,0\n"
    )
    with caplog.at_level(logging.WARNING):
        SOURCES["isic2020"].read(folder, ReadOptions())
    assert "has no ISIC_2020_Training_Duplicates.csv" in caplog.text
