"""Images that lie in an HDF5 file are prepared like images in files of their own."""

from __future__ import annotations

from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from lentigo.data.contents import Contents, names_in, place, split_place
from lentigo.data.prepare import prepare
from lentigo.data.sheet import items_of_set
from lentigo.errors import InputError

N = 130


def jpeg(number: int) -> bytes:
    picture = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    large = cv2.resize(picture, (48, 48), interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".jpg", large)[1].tobytes())


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """One data set twice: in an HDF5 file, and as files."""
    packed, unpacked = tmp_path / "packed", tmp_path / "unpacked"
    packed.mkdir()
    (unpacked / "image").mkdir(parents=True)
    rows = "".join(f"ISIC_{i:03},{i % 2},IP_{i // 2},50,male,torso\n" for i in range(N))
    header = "isic_id,target,patient_id,age_approx,sex,anatom_site_general\n"
    for folder in (packed, unpacked):
        (folder / "train-metadata.csv").write_text(header + rows)
    with h5py.File(packed / "train-image.hdf5", "w") as file:
        for i in range(N):
            file[f"ISIC_{i:03}"] = np.void(jpeg(i))
            (unpacked / "image" / f"ISIC_{i:03}.jpg").write_bytes(jpeg(i))
    return packed, unpacked


@pytest.mark.parametrize("workers", [1, 2])
def test_a_container_gives_the_set_that_its_files_give(
    both: tuple[Path, Path], tmp_path: Path, workers: int
) -> None:
    packed, unpacked = (
        prepare("isic2024", folder, tmp_path / f"out-{folder.name}", size=32, workers=workers)
        for folder in both
    )
    assert packed.digest == unpacked.digest
    assert np.array_equal(packed.images, unpacked.images)


def test_a_container_that_changed_after_preparing_is_noticed(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = prepare("isic2024", both[0], out, size=32, workers=1)
    again = prepare("isic2024", both[0], out, size=32, workers=1)
    assert again.digest == first.digest
    with h5py.File(both[0] / "train-image.hdf5", "r+") as file:
        del file["ISIC_007"]
        file["ISIC_007"] = np.void(jpeg(1007))
    with pytest.raises(InputError, match="other"):
        prepare("isic2024", both[0], out, size=32, workers=1)


def test_a_picture_in_a_container_that_cannot_be_decoded_is_set_aside_by_name(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    with h5py.File(both[0] / "train-image.hdf5", "r+") as file:
        del file["ISIC_007"], file["ISIC_008"]
        file["ISIC_007"] = np.void(b"no picture")
        file.create_group("ISIC_008")
    prepared = prepare("isic2024", both[0], tmp_path / "out", size=32, workers=1)
    aside = {each["image_id"]: each["reason"] for each in prepared.audit["set_aside"]}
    assert set(aside) == {"ISIC_007", "ISIC_008"}
    assert "group" in aside["ISIC_008"]


def test_the_contact_sheet_shows_raw_images_of_a_container(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    prepared = prepare("isic2024", both[0], tmp_path / "out", size=32, workers=1)
    assert all(item.raw is not None for item in items_of_set(prepared, n=3))


@pytest.mark.parametrize(
    "stored", [np.bytes_(b"\xff\xd8 text"), np.frombuffer(b"\xff\xd8 text", np.uint8)]
)
def test_other_forms_of_stored_bytes_are_read_too(stored: object, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["one"] = stored
    assert names_in(tmp_path / "a.h5") == ["one"]
    with Contents() as contents:
        assert contents.read(place(tmp_path / "a.h5", "one")) == b"\xff\xd8 text"
        with pytest.raises(FileNotFoundError, match="No such name"):
            contents.read(place(tmp_path / "a.h5", "two"))
        with pytest.raises(FileNotFoundError):
            contents.read(place(tmp_path / "absent.h5", "one"))


def test_a_file_with_colons_in_its_name_is_still_a_file() -> None:
    assert split_place("/a/b::c.jpg") == ("/a/b::c.jpg", "")
    assert split_place("/a/x.hdf5::ISIC_1") == ("/a/x.hdf5", "ISIC_1")
    assert split_place("/a::b/x.jpg") == ("/a::b/x.jpg", "")
