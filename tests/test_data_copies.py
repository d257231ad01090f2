"""Images that show the same picture share a group, and the audit names them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from layouts import class_folder
from lentigo.data.duplicates import near_parts
from lentigo.data.fingerprint import fingerprints
from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.splits import check_no_group_crosses
from lentigo.image.decode import decode

# Two small round lesions: their hashes fit, their details do not.
LOOK_ALIKES = ("ISIC_0026660", "ISIC_0031555")
WANTED = {"ISIC_0024366", "ISIC_0029861", "ISIC_0025226", "ISIC_0030074", *LOOK_ALIKES}
WANTED |= {"ISIC_0027027", "ISIC_0029036"}


def test_copies_share_a_group_and_are_reported(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "raw")
    smooth = generate(tmp_path / "phantom", lesions=14, seed=0, size=96) / "images"
    original = min(smooth.glob("*.jpg"))
    shutil.copy(original, root / "benign" / "original.jpg")
    shutil.copy(original, root / "malignant" / "same_bytes.jpg")
    mirrored = cv2.imread(str(original))[:, ::-1]
    cv2.imwrite(str(root / "benign" / "mirrored.jpg"), mirrored)
    prepared = prepare("folder", root, tmp_path / "out", size=32)
    groups = prepared.manifest.groupby("group_id")["path"].apply(
        lambda paths: {Path(path).name for path in paths}
    )
    assert {"original.jpg", "same_bytes.jpg", "mirrored.jpg"} in groups.tolist()
    found = prepared.audit["duplicates"]
    exact = ["benign/original.jpg", "malignant/same_bytes.jpg"]
    assert found["exact"] == found["of_different_labels"] == [exact]
    assert found["near"] == [["benign/mirrored.jpg", "benign/original.jpg"]]
    assert prepared.audit["groups"]["largest"]["images"] == 3


def test_a_cropped_copy_shares_the_group_of_its_original_whatever_the_size(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "raw")
    coarse = np.random.default_rng(7).integers(0, 255, (60, 80, 3), np.uint8)
    whole = cv2.resize(coarse, (480, 360), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(root / "benign" / "whole.png"), whole)
    cv2.imwrite(str(root / "malignant" / "cut.jpg"), whole[:, 29:])  # 8% of its square
    cv2.imwrite(str(root / "malignant" / "close.jpg"), whole[14:-14, 19:-19])
    names = ["benign/whole.png", "malignant/close.jpg", "malignant/cut.jpg"]
    for size in (32, 160):
        prepared = prepare("folder", root, tmp_path / f"{size}", size=size, workers=size // 32)
        found = prepared.audit["duplicates"]
        assert [names[0], names[1]] in found["cropped"]
        assert [names[0], names[2]] in found["cropped"]
        assert found["of_different_labels"] == [p for p in found["cropped"] if names[0] in p]
        groups = prepared.manifest.groupby("group_id")["image_id"].apply(list)
        assert names in groups.tolist()


@pytest.mark.real_data
def test_real_images_are_prepared(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "ham10000"
    lines = (source / "HAM10000_metadata.csv").read_text().splitlines()
    chosen = [line for line in lines[1:] if line.split(",")[1] in WANTED] + lines[1:55]
    (tmp_path / "raw" / "images").mkdir(parents=True)
    for line in dict.fromkeys(chosen):
        name = f"{line.split(',')[1]}.jpg"
        shutil.copy(source / "images" / name, tmp_path / "raw" / "images" / name)
    table = "\n".join([lines[0], *dict.fromkeys(chosen)]) + "\n"
    (tmp_path / "raw" / "HAM10000_metadata.csv").write_text(table)
    prepared = prepare("ham10000", tmp_path / "raw", tmp_path / "out", size=64)
    check_no_group_crosses(prepared.manifest)
    found = prepared.audit["duplicates"]
    assert ["ISIC_0024366", "ISIC_0029861"] in found["exact"]
    # Each one photograph in two colour balances; the second pair also lacks a margin.
    assert found["of_different_lesions"] == [
        ["ISIC_0025226", "ISIC_0030074"],
        ["ISIC_0027027", "ISIC_0029036"],
    ]
    assert ["ISIC_0027027", "ISIC_0029036"] in found["cropped"]
    alike = [tmp_path / "raw" / "images" / f"{name}.jpg" for name in LOOK_ALIKES]
    assert near_parts(*fingerprints(map(decode, alike), 2)) == [(0, 1)]
    assert prepared.audit["set_aside"] == []
    assert json.loads((tmp_path / "out" / "prepared.json").read_text())["leaky"] is False
