"""Every source in the layout of its public download, in small."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from layouts import (
    HAM_TABLE,
    MAKERS,
    PAD_TABLE,
    column,
    make_ddi,
    make_folder,
    make_ham10000,
    make_isic2017,
    make_isic2018,
    make_isic2019,
    make_isic2020,
    make_isic2024,
    make_malignant_vs_benign,
    make_pad_ufes_20,
    make_table,
    put,
    read,
    touch,
)
from lentigo.data.contents import Contents, split_place
from lentigo.data.sources import SOURCES, TABLE_COLUMNS, IsicCollection
from lentigo.errors import SourceError
from lentigo.taxonomy import BINARY, HAM10000, ISIC2019


def test_every_source_of_the_registry_has_a_layout_here() -> None:
    assert set(MAKERS) == set(SOURCES)


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"phantom"}))
def test_every_source_reads_its_own_layout(name: str, tmp_path: Path) -> None:
    make, n_images = MAKERS[name]
    make(tmp_path)
    table = read(name, tmp_path)
    frame = table.frame
    assert tuple(frame.columns) == TABLE_COLUMNS
    assert len(frame) == n_images
    assert frame["image_id"].is_unique
    assert frame["image_id"].tolist() == sorted(frame["image_id"])
    assert set(frame["label"]) <= set(table.taxonomy.codes)
    assert set(frame["split"]) <= {"", "train", "validation", "test"}
    files = [Path(split_place(path)[0]) for path in frame["path"]]
    assert all(path.is_absolute() and path.is_file() for path in files)
    assert frame["age"].dtype == "float64"
    assert not frame.drop(columns="age").isna().any(axis=None)
    assert set(frame["source"]) == {name}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_every_source_describes_itself(name: str) -> None:
    source = SOURCES[name]
    assert source.name == name
    assert source.title
    assert source.layout
    if source.download:
        assert source.url.startswith("https://")
        archives = () if isinstance(source.download, IsicCollection) else source.download
        assert all(archive.url.startswith("https://") for archive in archives)


@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"phantom"}))
def test_an_empty_or_absent_folder_is_refused_by_name(name: str, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SourceError, match=str(folder)):
            read(name, folder)


def test_ham10000_reads_its_table_without_ending_and_tab_separated(tmp_path: Path) -> None:
    make_ham10000(tmp_path)
    (tmp_path / "HAM10000_metadata.csv").unlink()
    put(tmp_path / "HAM10000_metadata", HAM_TABLE.replace(",", "\t"))
    table = read("ham10000", tmp_path)
    assert column(table, "lesion_id") == {"ISIC_1": "HAM_1", "ISIC_2": "HAM_1", "ISIC_3": "HAM_2"}
    assert column(table, "sex") == {"ISIC_1": "", "ISIC_2": "male", "ISIC_3": "female"}
    assert column(table, "age")["ISIC_3"] == 0.0


def test_ham10000_takes_the_table_the_user_names(tmp_path: Path) -> None:
    make_ham10000(tmp_path / "images")
    named = tmp_path / "elsewhere" / "mine.csv"
    put(named, HAM_TABLE.replace("HAM_2,ISIC_3,nv", "HAM_2,ISIC_3,bkl"))
    table = read("ham10000", tmp_path / "images", metadata=named)
    assert column(table, "label")["ISIC_3"] == "bkl"


def test_ham10000_without_a_table_says_how_to_name_one(tmp_path: Path) -> None:
    touch(tmp_path / "set" / "images", "ISIC_1")
    with pytest.raises(SourceError, match="--metadata"):
        read("ham10000", tmp_path / "set")


def test_ham10000_refuses_to_guess_between_tables_that_differ(tmp_path: Path) -> None:
    touch(tmp_path / "crops", "ISIC_1", "ISIC_2", "ISIC_3")
    put(tmp_path / "a" / "HAM10000_metadata.csv", HAM_TABLE)
    assert len(read("ham10000", tmp_path / "crops").frame) == 3
    put(tmp_path / "b" / "HAM10000_metadata.csv", HAM_TABLE + "HAM_3,ISIC_4,nv,histo,1,,\n")
    with pytest.raises(SourceError, match="several that differ"):
        read("ham10000", tmp_path / "crops")


def test_ham10000_reads_what_isic_cli_writes(tmp_path: Path) -> None:
    diagnoses = {
        "Malignant,Malignant melanocytic proliferations (Melanoma),Melanoma in situ": "mel",
        "Benign,Benign melanocytic proliferations,Nevus": "nv",
        "Benign,Benign epidermal proliferations,Pigmented benign keratosis": "bkl",
        "Indeterminate,Indeterminate epidermal proliferations,Solar or actinic keratosis": "akiec",
        "Malignant,Malignant epidermal proliferations,Squamous cell carcinoma in situ": "akiec",
        "Malignant,Malignant adnexal epithelial proliferations,Basal cell carcinoma": "bcc",
        "Benign,Benign soft tissue proliferations - Fibro-histiocytic,Dermatofibroma": "df",
        "Benign,Benign soft tissue proliferations - Vascular,": "vasc",
    }
    rows = "".join(
        f"ISIC_{i},Medical University of Vienna,CC-BY-NC,{path},IL_{i},65\n"
        for i, path in enumerate(diagnoses)
    )
    header = "isic_id,attribution,copyright_license,diagnosis_1,diagnosis_2,diagnosis_3,"
    put(tmp_path / "metadata.csv", f"{header}lesion_id,age_approx\n{rows}")
    touch(tmp_path / "images", *(f"ISIC_{i}" for i in range(8)))
    table = read("ham10000", tmp_path)
    assert table.frame["label"].tolist() == list(diagnoses.values())
    assert set(table.frame["license"]) == {"CC-BY-NC-4.0"}
    assert table.taxonomy == HAM10000


def test_official_splits_are_kept(tmp_path: Path) -> None:
    make_isic2017(tmp_path / "2017")
    make_isic2018(tmp_path / "2018")
    wanted = {"ISIC_1": "train", "ISIC_2": "train", "ISIC_3": "validation", "ISIC_4": "test"}
    for name in ("2017", "2018"):
        assert column(read(f"isic{name}", tmp_path / name), "split") == wanted


def test_a_training_part_alone_is_no_split_but_a_test_part_alone_is(tmp_path: Path) -> None:
    make_isic2017(tmp_path)
    for part in ("Validation", "Test_v2"):
        (tmp_path / f"ISIC-2017_{part}_Part3_GroundTruth.csv").unlink()
    assert set(read("isic2017", tmp_path).frame["split"]) == {""}
    make_isic2017(tmp_path)
    for part in ("Validation", "Training"):
        (tmp_path / f"ISIC-2017_{part}_Part3_GroundTruth.csv").unlink()
    assert set(read("isic2017", tmp_path).frame["split"]) == {"test"}


def test_isic2017_says_nevus_where_both_columns_are_zero(tmp_path: Path) -> None:
    make_isic2017(tmp_path)
    table = read("isic2017", tmp_path)
    wanted = ["melanoma", "nevus", "seborrheic_keratosis", "nevus"]
    assert table.frame["label"].tolist() == wanted
    assert set(table.frame["age"]) == {55.0}


def test_isic2018_without_its_groupings_is_refused(tmp_path: Path) -> None:
    make_isic2018(tmp_path)
    (tmp_path / "ISIC2018_Task3_Training_LesionGroupings.csv").unlink()
    with pytest.raises(SourceError, match="LesionGroupings"):
        read("isic2018", tmp_path)


def test_isic2019_sets_unknowns_aside_by_name(tmp_path: Path) -> None:
    make_isic2019(tmp_path)
    table = read("isic2019", tmp_path)
    assert table.set_aside == (("ISIC_3", "class UNK, none of the others"),)
    assert table.frame["label"].tolist() == ["ak", "scc", "mel"]
    assert table.frame["split"].tolist() == ["train", "train", "test"]
    assert column(table, "lesion_id")["ISIC_1_downsampled"] == "MSK_1"
    assert table.taxonomy == ISIC2019


def test_isic2020_prefers_the_edition_that_names_lesions(tmp_path: Path) -> None:
    make_isic2020(tmp_path)
    first = read("isic2020", tmp_path)
    assert set(first.frame["lesion_id"]) == {""}
    assert first.known_duplicates == (("ISIC_1", "ISIC_3"),)
    text = (tmp_path / "ISIC_2020_Training_GroundTruth.csv").read_text()
    rows = [f"{line},{'lesion_id' if i == 0 else 'IL'}" for i, line in enumerate(text.split())]
    put(tmp_path / "ISIC_2020_Training_GroundTruth_v2.csv", "\n".join(rows))
    assert set(read("isic2020", tmp_path).frame["lesion_id"]) == {"IL"}
    assert first.taxonomy == BINARY


def test_folders_of_numbered_files_keep_their_ids_apart(tmp_path: Path) -> None:
    make_malignant_vs_benign(tmp_path)
    frame = read("malignant-vs-benign", tmp_path).frame
    assert "train/benign/1.jpg" in set(frame["image_id"])
    assert frame["split"].value_counts().to_dict() == {"train": 3, "test": 3}


def test_folder_knows_malignant_names_and_takes_others(tmp_path: Path) -> None:
    make_folder(tmp_path)
    assert read("folder", tmp_path).taxonomy.malignant == (True, False)
    chosen = read("folder", tmp_path, malignant=frozenset({"wart"}))
    assert chosen.taxonomy.malignant == (False, True)


def test_folder_refuses_parts_for_classes(tmp_path: Path) -> None:
    make_malignant_vs_benign(tmp_path)
    with pytest.raises(SourceError, match="parts and not classes"):
        read("folder", tmp_path)


def test_folders_below_a_class_are_entered_however_deep_but_not_round_in_circles(
    tmp_path: Path,
) -> None:
    make_folder(tmp_path)
    deep = tmp_path / "wart" / "p1" / "2020" / "visit" / "series" / "raw"
    touch(deep, "deep")
    (deep / "again").symlink_to(tmp_path / "wart")
    ids = set(read("folder", tmp_path).frame["image_id"])
    assert {each for each in ids if "deep" in each} == {"wart/p1/2020/visit/series/raw/deep.jpg"}


def test_table_says_where_it_did_not_look_for_an_absent_image(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_table(tmp_path)
    deep = tmp_path / "p1" / "2020" / "visit" / "series" / "raw"
    touch(deep, "four")
    read("table", tmp_path / "list.csv")
    assert not caplog.text
    with (tmp_path / "list.csv").open("a") as stream:
        stream.write("four,wart,,,,,,,\n")
    read("table", tmp_path / "list.csv", skip_missing=True)
    assert f"{deep} was not entered" in caplog.text
    assert len(read("table", tmp_path, metadata=tmp_path / "list.csv").frame) == 4


def test_table_takes_paths_and_ids_and_every_optional_column(tmp_path: Path) -> None:
    make_table(tmp_path)
    for path in (tmp_path, tmp_path / "list.csv"):
        table = read("table", path)
        assert column(table, "split") == {
            "photos/one.jpg": "train",
            "two": "validation",
            "three": "test",
        }
        assert column(table, "skin_tone")["photos/one.jpg"] == "IV"
        assert column(table, "age")["three"] == 61.5
        assert column(table, "patient_id")["two"] == "P1"


@pytest.mark.parametrize("spelt", ["photos\\one.jpg", "Photos/ONE.JPG", "photos/one", "ONE"])
def test_table_finds_files_whatever_system_spelt_their_names(tmp_path: Path, spelt: str) -> None:
    make_table(tmp_path)
    text = (tmp_path / "list.csv").read_text()
    put(tmp_path / "list.csv", text.replace("photos/one.jpg", spelt) + ",,,,,,,,\n")
    assert str(column(read("table", tmp_path), "path")[spelt]).endswith("photos/one.jpg")


def test_table_finds_umlauts_in_one_part_or_two(tmp_path: Path) -> None:
    for form, other in (("NFC", "NFD"), ("NFD", "NFC")):
        folder = tmp_path / form
        touch(folder, unicodedata.normalize(form, "Fläche"), "b")
        put(folder / "l.csv", f"image,label\n{unicodedata.normalize(other, 'Fläche')},a\nb,b\n")
        assert len(read("table", folder).frame) == 2


def test_files_of_one_name_that_differ_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_ham10000(tmp_path)
    touch(tmp_path / "ham10000_images_part_1", "ISIC_1")  # a copy, as one public download has it
    read("ham10000", tmp_path)
    assert not caplog.text
    put(tmp_path / "small" / "ISIC_1.jpg", "a smaller version")
    read("ham10000", tmp_path)
    assert "1 name(s) are borne by files that differ" in caplog.text


def test_photos_of_kinds_that_are_not_read_are_handed_on_to_be_named(tmp_path: Path) -> None:
    make_folder(tmp_path)
    put(tmp_path / "wart" / "phone.HEIC")
    assert "wart/phone.HEIC" in column(read("folder", tmp_path), "path")


def test_malignant_names_may_have_spaces_and_capitals(tmp_path: Path) -> None:
    touch(tmp_path / "Basal Cell Carcinoma", "a")
    touch(tmp_path / "non-melanoma", "a")
    assert read("folder", tmp_path).taxonomy.malignant == (True, False)


def test_isic2024_reads_images_in_place_from_hdf5(tmp_path: Path) -> None:
    make_isic2024(tmp_path)
    table = read("isic2024", tmp_path)
    with Contents() as contents:
        for image_id, path in column(table, "path").items():
            # The last bytes of an opaque scalar count, be they zero.
            assert contents.read(str(path)) == f"the JPEG of {image_id}\0\0".encode()
    assert column(table, "confirmed_by") == {
        "ISIC_1": "not biopsied",
        "ISIC_2": "histopathology",
        "ISIC_3": "histopathology",
    }
    assert set(table.frame["license"]) == {"CC-BY-4.0", "CC-BY-NC-4.0", "CC0-1.0"}
    assert column(table, "lesion_id") == {"ISIC_1": "", "ISIC_2": "IL_1", "ISIC_3": "IL_2"}


def test_isic2024_prefers_unpacked_images(tmp_path: Path) -> None:
    make_isic2024(tmp_path)
    touch(tmp_path / "train-image" / "image", "ISIC_2")
    paths = column(read("isic2024", tmp_path), "path")
    assert str(paths["ISIC_2"]).endswith("ISIC_2.jpg")
    assert str(paths["ISIC_1"]).endswith("train-image.hdf5::ISIC_1")


def test_isic2024_names_a_container_that_is_none(tmp_path: Path) -> None:
    make_isic2024(tmp_path)
    (tmp_path / "train-image.hdf5").write_text("not HDF5")
    with pytest.raises(SourceError, match=r"train-image\.hdf5: .*not a readable HDF5 file"):
        read("isic2024", tmp_path)


def test_pad_ufes_20_keeps_fitzpatrick_types_and_how_it_was_confirmed(tmp_path: Path) -> None:
    make_pad_ufes_20(tmp_path)
    table = read("pad-ufes-20", tmp_path)
    tones = column(table, "skin_tone")
    assert tones == {"PAT_1_10_939": "III", "PAT_2_11_530": "", "PAT_2_11_531": "VI"}
    assert column(table, "confirmed_by")["PAT_1_10_939"] == "biopsy"
    assert column(table, "confirmed_by")["PAT_2_11_530"] == "clinical"
    assert set(table.frame["patient_id"]) == {"PAT_1", "PAT_2"}
    assert column(table, "lesion_id")["PAT_2_11_531"] == "PAT_2_11"


def test_a_fitzpatrick_type_that_cannot_be_is_named(tmp_path: Path) -> None:
    make_pad_ufes_20(tmp_path)
    put(tmp_path / "metadata.csv", PAD_TABLE.replace(",6.0,ARM", ",7.0,ARM"))
    with pytest.raises(SourceError, match=r"metadata\.csv:4: '7' is no Fitzpatrick type"):
        read("pad-ufes-20", tmp_path)


def test_ddi_keeps_its_groups_of_tones(tmp_path: Path) -> None:
    make_ddi(tmp_path)
    table = read("ddi", tmp_path)
    assert column(table, "skin_tone") == {"000001": "V-VI", "000002": "I-II", "000003": "III-IV"}
    assert column(table, "label")["000001"] == "malignant"
    put(tmp_path / "ddi_metadata.csv", "DDI_file,skin_tone,malignant,disease\n000001.png,9,x,y\n")
    with pytest.raises(SourceError, match=r"'x', not True or False[^\0]*'9' is not 12, 34 or 56"):
        read("ddi", tmp_path)
