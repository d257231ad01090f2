"""Every source in the layout of its public download, in small."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from lentigo.data.contents import Contents, split_place
from lentigo.data.sources import SOURCES, TABLE_COLUMNS, IsicCollection, ReadOptions, SourceTable
from lentigo.errors import SourceError
from lentigo.taxonomy import BINARY, HAM10000, ISIC9, ISIC2019


def put(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        put(folder / f"{name}.jpg")


def read(name: str, folder: Path, **options: object) -> SourceTable:
    return SOURCES[name].read(folder, ReadOptions(**options))  # type: ignore[arg-type]


def column(table: SourceTable, name: str) -> dict[str, object]:
    return dict(zip(table.frame["image_id"], table.frame[name], strict=True))


HAM_TABLE = """lesion_id,image_id,dx,dx_type,age,sex,localization
HAM_1,ISIC_2,mel,histo,60.0,male,back
HAM_1,ISIC_1,mel,histo,,unknown,unknown
HAM_2,ISIC_3,nv,follow_up,0.0,female,face
"""


def make_ham10000(folder: Path) -> None:
    put(folder / "HAM10000_metadata.csv", HAM_TABLE)
    touch(folder / "HAM10000_images_part_1", "ISIC_1", "ISIC_2")
    touch(folder / "HAM10000_images_part_2", "ISIC_3")
    touch(folder / "HAM10000_segmentations_lesion_tschandl", "ISIC_1")


def make_isic2017(folder: Path) -> None:
    for part, ids in (("Training", "12"), ("Validation", "3"), ("Test_v2", "4")):
        rows = "".join(f"ISIC_{i},{float(i == '1')},{float(i == '3')}\n" for i in ids)
        put(
            folder / f"ISIC-2017_{part}_Part3_GroundTruth.csv",
            f"image_id,melanoma,seborrheic_keratosis\n{rows}",
        )
        people = "".join(f"ISIC_{i},55,female\n" for i in ids)
        data = folder / f"ISIC-2017_{part}_Data"
        put(data / f"ISIC-2017_{part}_Data_metadata.csv", f"image_id,age_approximate,sex\n{people}")
        touch(data, *(f"ISIC_{i}" for i in ids))
        put(data / "ISIC_1_superpixels.png")


def make_isic2018(folder: Path) -> None:
    header = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n"
    for part, ids in (("Training", "12"), ("Validation", "3"), ("Test", "4")):
        rows = "".join(f"ISIC_{i},0.0,1.0,0.0,0.0,0.0,0.0,0.0\n" for i in ids)
        name = f"ISIC2018_Task3_{part}"
        put(folder / f"{name}_GroundTruth" / f"{name}_GroundTruth.csv", header + rows)
        touch(folder / f"{name}_Input", *(f"ISIC_{i}" for i in ids))
    put(
        folder / "ISIC2018_Task3_Training_LesionGroupings.csv",
        "image,lesion_id,diagnosis_confirm_type\nISIC_1,HAM_1,histopathology\nISIC_2,HAM_1,\n",
    )


def make_isic2019(folder: Path) -> None:
    header = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK\n"
    put(
        folder / "ISIC_2019_Training_GroundTruth.csv",
        f"{header}ISIC_1_downsampled,0,0,0,1,0,0,0,0,0\nISIC_2,0,0,0,0,0,0,0,1,0\n",
    )
    put(
        folder / "ISIC_2019_Test_GroundTruth.csv",
        f"{header}ISIC_3,0,0,0,0,0,0,0,0,1\nISIC_4,1,0,0,0,0,0,0,0,0\n",
    )
    put(
        folder / "ISIC_2019_Training_Metadata.csv",
        "image,age_approx,anatom_site_general,lesion_id,sex\n"
        "ISIC_1_downsampled,55,anterior torso,MSK_1,female\nISIC_2,,,,\n",
    )
    nested = folder / "ISIC_2019_Training_Input" / "ISIC_2019_Training_Input"
    touch(nested, "ISIC_1_downsampled", "ISIC_2", "ISIC_3", "ISIC_4")


def make_isic2020(folder: Path) -> None:
    put(
        folder / "ISIC_2020_Training_GroundTruth.csv",
        "image_name,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,"
        "benign_malignant,target\n"
        "ISIC_1,IP_1,male,45,head/neck,unknown,benign,0\n"
        "ISIC_2,IP_1,male,45,torso,melanoma,malignant,1\n"
        "ISIC_3,IP_2,,,,nevus,benign,0\n",
    )
    put(
        folder / "ISIC_2020_Training_Duplicates.csv",
        "image_name_1,image_name_2\nISIC_3,ISIC_1\nISIC_1,ISIC_9\n",
    )
    touch(folder / "train", "ISIC_1", "ISIC_2", "ISIC_3")


ISIC2024_TABLE = """isic_id,target,patient_id,age_approx,sex,anatom_site_general,\
clin_size_long_diam_mm,image_type,tbp_tile_type,attribution,copyright_license,lesion_id,\
iddx_full,iddx_1,iddx_2,iddx_3
ISIC_1,0,IP_1,60.0,male,lower extremity,3.04,TBP tile: close-up,3D: white,MSKCC,CC-BY,,\
Benign,Benign,,
ISIC_2,1,IP_1,60.0,male,head/neck,1.1,TBP tile: close-up,3D: white,MSKCC,CC-BY-NC,IL_1,\
Malignant::Malignant melanocytic proliferations (Melanoma)::Melanoma in situ,Malignant,\
Malignant melanocytic proliferations (Melanoma),Melanoma in situ
ISIC_3,0,IP_2,,,,2.0,TBP tile: close-up,3D: XP,MSKCC,CC-0,IL_2,\
Benign::Benign melanocytic proliferations::Nevus,Benign,Benign melanocytic proliferations,Nevus
""".replace("\\\n", "")


def make_isic2024(folder: Path) -> None:
    put(folder / "train-metadata.csv", ISIC2024_TABLE)
    with h5py.File(folder / "train-image.hdf5", "w") as file:
        for name in ("ISIC_1", "ISIC_2", "ISIC_3"):  # Kaggle's own form: an opaque scalar
            file[name] = np.void(f"the JPEG of {name}\0\0".encode())


PAD_TABLE = """patient_id,lesion_id,smoke,drink,background_father,background_mother,age,\
pesticide,gender,skin_cancer_history,cancer_history,has_piped_water,has_sewage_system,\
fitspatrick,region,diameter_1,diameter_2,diagnostic,itch,grew,hurt,changed,bleed,elevation,\
img_id,biopsed
PAT_1,10,False,False,POMERANIA,POMERANIA,55,False,FEMALE,True,True,True,True,3.0,NECK,6.0,5.0,\
BCC,True,True,False,True,True,True,PAT_1_10_939.png,True
PAT_2,11,,,,,8,,,,,,,,ARM,,,NEV,False,False,False,False,False,False,PAT_2_11_530.png,False
PAT_2,11,,,,,8,,,,,,,6.0,ARM,,,ACK,False,UNK,False,UNK,False,False,PAT_2_11_531.png,False
""".replace("\\\n", "")


def make_pad_ufes_20(folder: Path) -> None:
    put(folder / "metadata.csv", PAD_TABLE)
    put(folder / "images" / "imgs_part_1" / "PAT_1_10_939.png")
    put(folder / "images" / "imgs_part_2" / "imgs_part_2" / "PAT_2_11_530.png")
    put(folder / "images" / "imgs_part_3" / "PAT_2_11_531.png")


def make_ddi(folder: Path) -> None:
    put(
        folder / "ddi_metadata.csv",
        ",DDI_ID,DDI_file,skin_tone,malignant,disease\n"
        "0,1,000001.png,56,True,melanoma-in-situ\n"
        "1,2,000002.png,12,False,epidermal-cyst\n"
        "2,3,000003.png,34,False,blue-nevus\n",
    )
    for number in "123":
        put(folder / f"00000{number}.png")


def make_malignant_vs_benign(folder: Path) -> None:
    for tree in (folder, folder / "data"):  # as its zip has it: everything twice
        for part in ("train", "test"):
            touch(tree / part / "benign", "1", "2")
            touch(tree / part / "malignant", "1")


def make_isic9(folder: Path) -> None:
    tree = folder / "Skin cancer ISIC The International Skin Imaging Collaboration"
    for index, code in enumerate(ISIC9.codes):
        touch(tree / "Train" / code.replace("_", " "), f"ISIC_{index}")
        touch(tree / "Test" / code.replace("_", " "), f"ISIC_1{index}")


def make_folder(folder: Path) -> None:
    touch(folder / "Melanoma", "a", "b")
    touch(folder / "wart" / "2021", "a")


def make_table(folder: Path) -> None:
    touch(folder / "photos", "one", "two", "three")
    put(
        folder / "list.csv",
        "Image,label,Lesion_ID,patient_id,split,age,sex,site,skin tone\n"
        "photos/one.jpg,wart,L1,P1,train,30,male,hand,IV\n"
        "two,melanoma,L2,P1,val,,,,\n"
        "three,wart,,,test,61.5,,,\n",
    )


MAKERS: dict[str, tuple[Callable[[Path], None], int]] = {
    "ham10000": (make_ham10000, 3),
    "isic2017": (make_isic2017, 4),
    "isic2018": (make_isic2018, 4),
    "isic2019": (make_isic2019, 3),
    "isic2020": (make_isic2020, 3),
    "isic2024": (make_isic2024, 3),
    "pad-ufes-20": (make_pad_ufes_20, 3),
    "ddi": (make_ddi, 3),
    "malignant-vs-benign": (make_malignant_vs_benign, 6),
    "isic9": (make_isic9, 18),
    "folder": (make_folder, 3),
    "table": (make_table, 3),
    "phantom": (lambda folder: None, 0),
}


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
