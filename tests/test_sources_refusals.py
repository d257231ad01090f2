"""What is wrong with a data set is said at once, with file and line."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from layouts import (
    make_ddi,
    make_ham10000,
    make_isic2017,
    make_isic2018,
    make_isic2019,
    make_isic2020,
    make_isic2024,
    make_malignant_vs_benign,
    make_pad_ufes_20,
    put,
    touch,
)
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


def test_a_row_without_an_image_is_a_problem_and_no_absent_image(folder: Path) -> None:
    shown = refusal(folder, "image,label\none,wart\n,mole\n")
    assert "names no image" in shown
    assert "absent" not in shown


def test_a_column_that_stands_there_twice_is_refused(folder: Path) -> None:
    shown = refusal(folder, "image,label,age,Age\none,wart,,\ntwo,mole,,\n")
    assert "list.csv:1: has the column(s) ['age'] more than once" in shown


def test_a_quotation_mark_left_open_swallows_no_row_unseen(folder: Path) -> None:
    shown = refusal(folder, 'image,label\n"one,wart\n"two",mole\nthree,mole\n', skip_missing=True)
    assert "list.csv:3: not a row of cells" in shown


def test_classes_that_differ_in_capitals_only_are_refused(folder: Path) -> None:
    shown = refusal(folder, "image,label\none,Wart\ntwo,wart\nthree,mole\n")
    assert "['Wart', 'wart'] differ in capitals or spaces only" in shown


def test_an_id_that_several_different_files_bear_is_refused(folder: Path) -> None:
    put(folder / "small" / "one.jpg", "another picture")
    shown = refusal(folder, "image,label\none,wart\ntwo,mole\n")
    assert "list.csv:2: one may be one.jpg and small/one.jpg" in shown


def test_pictures_of_one_name_and_size_are_not_taken_for_copies(folder: Path) -> None:
    put(folder / "left" / "two.bmp", "one picture")
    put(folder / "right" / "two.bmp", "two picture")
    (folder / "two.jpg").unlink()
    shown = refusal(folder, "image,label\none,wart\ntwo,mole\n")
    assert "list.csv:3: two may be left/two.bmp and right/two.bmp" in shown
    make_malignant_vs_benign(folder / "parts")
    put(folder / "parts" / "test" / "benign" / "1.jpg", "one picture")
    put(folder / "parts" / "data" / "test" / "benign" / "1.jpg", "two picture")
    assert "is another file than" in str(refused("malignant-vs-benign", folder / "parts"))


def test_lesions_that_are_numbered_anew_with_each_patient_are_refused(folder: Path) -> None:
    head = "image,label,lesion_id,patient_id\n"
    shown = refusal(folder, f"{head}one,wart,1,P1\ntwo,mole,1,P2\nthree,mole,2,P2\n")
    assert "1 problem(s)" in shown
    assert "list.csv:3: the lesion 1 is of the patient P2, at list.csv:2 of P1" in shown
    (folder / "list.csv").write_text(f"{head}one,wart,1,P1\ntwo,mole,1,\nthree,mole,,P2\n")
    SOURCES["table"].read(folder / "list.csv", ReadOptions())  # not known is no contradiction


def test_a_refusal_says_what_to_do_and_how_the_set_must_look(tmp_path: Path) -> None:
    for name in sorted(set(SOURCES) - {"phantom"}):
        with pytest.raises(SourceError) as caught:
            SOURCES[name].read(tmp_path, ReadOptions())
        assert caught.value.todo
    assert "Training_LesionGroupings.csv" in str(refused("isic2018", tmp_path))


def refused(name: str, folder: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        SOURCES[name].read(folder, ReadOptions())
    return caught.value


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_file_whose_name_is_no_text_is_named_all_the_same(tmp_path: Path) -> None:
    touch(tmp_path / "mole", "one")
    touch(tmp_path / "wart", "two")
    (tmp_path / "mole" / "one.jpg").rename(os.fsdecode(bytes(tmp_path) + b"/mole/b\xff.jpg"))
    told = str(refused("folder", tmp_path))
    assert r"mole/b\xff.jpg: its name is not text in UTF-8" in told
    told.encode()


def test_one_class_is_not_enough(folder: Path) -> None:
    assert "two are needed" in refusal(folder, "image,label\none,wart\ntwo,wart\n")


def test_a_table_that_is_not_text_is_refused(folder: Path) -> None:
    (folder / "list.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(SourceError, match=r"not a readable table[^\0]*UTF-8"):
        SOURCES["table"].read(folder / "list.csv", ReadOptions())


def test_unknown_labels_of_a_published_set_are_refused(tmp_path: Path) -> None:
    (tmp_path / "HAM10000_metadata.csv").write_text(
        "lesion_id,image_id,dx,dx_type,age,sex,localization\nH,one,wart,histo,,,\n"
    )
    (tmp_path / "one.jpg").touch()
    with pytest.raises(SourceError, match=r"HAM10000_metadata.csv:2: 'wart' is not a class"):
        SOURCES["ham10000"].read(tmp_path, ReadOptions())


@pytest.mark.parametrize(
    ("name", "make", "table", "stated", "line"),
    [
        ("ham10000", make_ham10000, "HAM10000_metadata.csv", "ISIC_3,nv,|ISIC_3,,", 4),
        ("isic2020", make_isic2020, "ISIC_2020_Training_GroundTruth.csv", ",benign,0|,,0", 2),
        ("isic2024", make_isic2024, "train-metadata.csv", "ISIC_1,0,|ISIC_1,,", 2),
        ("pad-ufes-20", make_pad_ufes_20, "metadata.csv", ",NEV,|,,", 3),
        ("ddi", make_ddi, "ddi_metadata.csv", ",True,|,,", 2),
        ("isic2017", make_isic2017, "ISIC-2017_Training_Part3_GroundTruth.csv", "_1,1.0,|_1,,", 2),
    ],
)
def test_a_row_without_a_class_is_a_problem_told_once(
    tmp_path: Path, name: str, make: Callable[[Path], None], table: str, stated: str, line: int
) -> None:
    make(tmp_path)
    text = (tmp_path / table).read_text()
    (tmp_path / table).write_text(text.replace(*stated.split("|"), 1))
    told = str(refused(name, tmp_path))
    assert "1 problem(s)" in told
    assert f"{table}:{line}:" in told


def test_a_row_of_two_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ISIC-2017_Training_Part3_GroundTruth.csv").write_text(
        "image_id,melanoma,seborrheic_keratosis\none,1.0,1.0\n"
    )
    (tmp_path / "one.jpg").touch()
    with pytest.raises(SourceError, match="melanoma and seborrheic_keratosis"):
        SOURCES["isic2017"].read(tmp_path, ReadOptions())


def test_a_cell_that_is_neither_0_nor_1_is_not_taken_for_0(tmp_path: Path) -> None:
    put(
        tmp_path / "ISIC-2017_Training_Part3_GroundTruth.csv",
        "image_id,melanoma,seborrheic_keratosis\none,,0.0\ntwo,0.5,1.0\n",
    )
    touch(tmp_path, "one", "two")
    shown = str(refused("isic2017", tmp_path))
    assert "GroundTruth.csv:2: melanoma is '', not 0 or 1" in shown
    assert "GroundTruth.csv:3: melanoma is '0.5', not 0 or 1" in shown


def test_a_training_image_whose_lesion_no_table_names_is_refused(tmp_path: Path) -> None:
    make_isic2018(tmp_path / "2018")
    groupings = tmp_path / "2018" / "ISIC2018_Task3_Training_LesionGroupings.csv"
    groupings.write_text("\n".join(groupings.read_text().splitlines()[:2]))
    assert "has no lesion of ISIC_2" in str(refused("isic2018", tmp_path / "2018"))
    make_isic2019(tmp_path / "2019")
    metadata = tmp_path / "2019" / "ISIC_2019_Training_Metadata.csv"
    metadata.write_text("\n".join(metadata.read_text().splitlines()[:2]))
    assert "has no row of ISIC_2" in str(refused("isic2019", tmp_path / "2019"))


def test_two_rows_that_contradict_each_other_about_a_lesion_are_refused(tmp_path: Path) -> None:
    make_isic2018(tmp_path)
    groupings = tmp_path / "ISIC2018_Task3_Training_LesionGroupings.csv"
    first = groupings.read_text().splitlines()[1]
    groupings.write_text(groupings.read_text() + f"{first}\n")  # said twice is said once
    assert len(SOURCES["isic2018"].read(tmp_path, ReadOptions()).frame) == 4
    groupings.write_text(groupings.read_text() + "ISIC_1,HAM_7,histopathology\n")
    assert "says otherwise of ISIC_1" in str(refused("isic2018", tmp_path))


def test_images_outside_the_folders_of_classes_are_named_and_not_passed_over(
    tmp_path: Path,
) -> None:
    make_malignant_vs_benign(tmp_path)
    touch(tmp_path / "train", "stray")
    touch(tmp_path / "trian" / "benign", "9")
    put(tmp_path / "data" / "test" / "benign" / "1.jpg", "not the copy that it ought to be")
    (tmp_path / "test" / "benign" / "link.jpg").symlink_to(tmp_path / "nowhere.jpg")
    shown = str(refused("malignant-vs-benign", tmp_path))
    assert f"{tmp_path}/train/stray.jpg: lies in no folder" in shown
    assert f"{tmp_path}/trian/benign/9.jpg: lies in no folder" in shown
    assert "is another file than" in shown
    assert f"{tmp_path}/test/benign/link.jpg: is a link to nothing" in shown


def test_a_folder_of_an_unknown_class_is_named_once(tmp_path: Path) -> None:
    make_malignant_vs_benign(tmp_path)
    touch(tmp_path / "train" / "harmless", *(str(i) for i in range(30)))
    assert "1 problem(s)" in str(refused("malignant-vs-benign", tmp_path))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("image,label\none,m\xe9l\ntwo,nv\n".encode("latin-1"), "not text in UTF-8"),
        (b"image,diagnosis\none,mel\ntwo,nv\n", r"lacks the column\(s\) \['label'\]"),
        (b"", "lacks the column"),
        (b"image,label\n", "found 0 class"),
        (b"image,label\none,nv\ntwo,bkl\nthree\n", "list.csv:4: 1 cells, not 2"),
    ],
)
def test_what_is_wrong_with_a_table_is_not_hidden_behind_a_malignant_class(
    folder: Path, content: bytes, told: str
) -> None:
    (folder / "list.csv").write_bytes(content)
    named = ReadOptions(malignant=frozenset({"mel"}))
    with pytest.raises(SourceError, match=told):
        SOURCES["table"].read(folder / "list.csv", named)


def test_an_empty_folder_is_not_hidden_behind_a_malignant_class(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="class"):
        SOURCES["folder"].read(tmp_path, ReadOptions(malignant=frozenset({"mel"})))


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
