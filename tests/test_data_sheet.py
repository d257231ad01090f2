"""The contact sheet shows what a network will see."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.sheet import SheetItem, contact_sheet, item_of_file, items_of_set, write_sheet
from lentigo.errors import InputError
from lentigo.image.spec import PreprocessSpec

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def patch(colour: tuple[int, int, int], height: int = 20, width: int = 20) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def share(sheet: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((sheet == colour).all(axis=2).sum())


def test_columns_stand_in_order_and_keep_their_aspect() -> None:
    item = SheetItem("a", patch(RED, 20, 40), patch(GREEN), (patch(BLUE), patch(BLUE)))
    sheet = contact_sheet([item, item], tile_px=50)
    assert [share(sheet, each) for each in (RED, GREEN, BLUE)] == [2 * 1250, 2 * 2500, 4 * 2500]
    columns = [np.flatnonzero((sheet == each).all(axis=2).any(axis=0)) for each in (RED, GREEN)]
    assert columns[0].max() < columns[1].min()


def test_a_lost_original_is_shown_as_lost() -> None:
    item = SheetItem("ä" * 200, None, patch(GREEN))
    assert share(contact_sheet([item], tile_px=40), GREEN) == 1600


def test_an_empty_sheet_is_refused() -> None:
    with pytest.raises(InputError, match="no image"):
        contact_sheet([])


def test_a_set_is_drawn_class_by_class_and_the_same_each_time(tmp_path: Path) -> None:
    raw = generate(tmp_path / "raw", lesions=21, seed=0, size=48)
    prepared = prepare("phantom", raw, tmp_path / "out", size=32)
    items = items_of_set(prepared, n=7, augment=lambda rgb: [rgb[:, ::-1]])
    assert len({item.caption.split()[1] for item in items}) == 7
    assert (items[0].augmented[0] == items[0].preprocessed[:, ::-1]).all()
    write_sheet(tmp_path / "a.png", items, tile_px=64)
    write_sheet(
        tmp_path / "b.png",
        items_of_set(prepared, n=7, augment=lambda rgb: [rgb[:, ::-1]]),
        tile_px=64,
    )
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    shown = cv2.cvtColor(cv2.imread(str(tmp_path / "a.png")), cv2.COLOR_BGR2RGB)
    assert (shown == contact_sheet(items, tile_px=64)).all()
    Path(prepared.manifest["path"][0]).unlink()
    assert len(items_of_set(prepared, n=99)) == len(prepared.images)


def test_one_file_is_shown_without_a_prepared_set(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), patch(BLUE, 60, 80)[..., ::-1])
    item = item_of_file(tmp_path / "photo.png", PreprocessSpec(size=32))
    assert item.caption == "photo.png"
    assert item.preprocessed.shape == (32, 32, 3)
    assert share(item.raw, BLUE) == 60 * 80
