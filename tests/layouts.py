"""Each public set in small: its folders, names and tables, as its publisher lays them out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np

from lentigo.data.sources import SOURCES, ReadOptions, SourceTable
from lentigo.taxonomy import ISIC9


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


def class_folder(root: Path, *, n: int = 6) -> Path:
    """Two classes of different noise, readable by the source `folder`."""
    rng = np.random.default_rng(0)
    for label in ("benign", "malignant"):
        (root / label).mkdir(parents=True)
        for i in range(n):
            noise = rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)
            cv2.imwrite(str(root / label / f"{label}{i}.png"), noise)
    return root
