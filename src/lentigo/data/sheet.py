"""The contact sheet: raw beside preprocessed beside augmented, to look at before training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.data.contents import Contents
from lentigo.data.prepared import PreparedSet
from lentigo.errors import ImageError, InputError
from lentigo.files import write_bytes
from lentigo.image.decode import decode
from lentigo.image.spec import PreprocessSpec

Image = NDArray[np.uint8]
Augment = Callable[[Image], Sequence[Image]]
"""From one (S, S, 3) uint8 image to its augmented versions; augmentation lives upstairs."""

TILE_PX = 224
_GAP_PX = 6
_LINE_PX = 18
_BACKGROUND = 255
_ABSENT = 225
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE = 0.42
_INK = (40, 40, 40)


@dataclass(frozen=True)
class SheetItem:
    """One line of the sheet.

    Attributes:
        caption: Printed above it.
        raw: (H, W, 3) uint8 RGB as decoded, or None where the file is gone.
        preprocessed: (S, S, 3) uint8 RGB.
        augmented: Any number of (S, S, 3) uint8 RGB.
    """

    caption: str
    raw: Image | None
    preprocessed: Image
    augmented: tuple[Image, ...] = ()


def item_of_file(path: Path, spec: PreprocessSpec, augment: Augment | None = None) -> SheetItem:
    """A line for one image file.

    Raises:
        ImageError: It cannot be read.
    """
    raw = decode(path, background=spec.background)
    preprocessed = spec.apply(raw)
    augmented = tuple(augment(preprocessed)) if augment else ()
    return SheetItem(path.name, raw, preprocessed, augmented)


def items_of_set(
    prepared: PreparedSet, *, n: int = 8, seed: int = 0, augment: Augment | None = None
) -> list[SheetItem]:
    """Lines for images drawn from a prepared set, the classes in turn.

    Args:
        prepared: The set; a raw image that is no longer at its path is shown as absent.
        n: At most this many images.
        seed: Names the draw.
        augment: Makes augmented versions, or None.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(prepared.labels))
    turn = np.zeros(len(order), np.int64)
    for label in range(len(prepared.taxonomy.codes)):
        members = np.flatnonzero(prepared.labels[order] == label)
        turn[members] = np.arange(len(members))
    chosen = order[np.argsort(turn, kind="stable")][:n]
    return [_item_of_row(prepared, int(row), augment) for row in chosen]


def _item_of_row(prepared: PreparedSet, row: int, augment: Augment | None) -> SheetItem:
    known = prepared.manifest.iloc[row]
    try:
        with Contents() as contents:
            raw = decode(contents.read(known["path"]), background=prepared.spec.background)
    except (ImageError, OSError):
        raw = None
    preprocessed = np.array(prepared.images[row])
    augmented = tuple(augment(preprocessed)) if augment else ()
    caption = f"{known['image_id']}  {known['label']}  {known['split']}"
    return SheetItem(caption, raw, preprocessed, augmented)


def contact_sheet(items: Sequence[SheetItem], *, tile_px: int = TILE_PX) -> Image:
    """One picture of all lines, columns raw, preprocessed, augmented.

    Args:
        items: At least one.
        tile_px: Side of a tile; pictures keep their aspect inside it.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: Nothing to show.
    """
    if not items:
        raise InputError("There is no image to show.")
    n_augmented = max(len(item.augmented) for item in items)
    headings = ["raw", "preprocessed", *["augmented"] * n_augmented]
    step_x, step_y = tile_px + _GAP_PX, tile_px + _GAP_PX + _LINE_PX
    shape = (_LINE_PX + len(items) * step_y + _GAP_PX, len(headings) * step_x + _GAP_PX, 3)
    sheet = np.full(shape, _BACKGROUND, np.uint8)
    for column, heading in enumerate(headings):
        _print(sheet, heading, column * step_x + _GAP_PX, 0, tile_px)
    for line, item in enumerate(items):
        top = _LINE_PX + line * step_y
        _print(sheet, item.caption, _GAP_PX, top, shape[1])
        tiles = [item.raw, item.preprocessed, *item.augmented]
        for column, image in enumerate(tiles):
            left = column * step_x + _GAP_PX
            below = top + _LINE_PX
            sheet[below : below + tile_px, left : left + tile_px] = _tile(image, tile_px)
    return sheet


def write_sheet(path: Path, items: Sequence[SheetItem], *, tile_px: int = TILE_PX) -> None:
    """Write the contact sheet as PNG, atomically.

    Args:
        path: The PNG file.
        items: At least one.
        tile_px: Side of a tile.

    Raises:
        InputError: Nothing to show.
    """
    sheet = contact_sheet(items, tile_px=tile_px)
    encoded = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1]
    write_bytes(path, encoded.tobytes())


def _tile(image: Image | None, tile_px: int) -> Image:
    """The image inside a square of ``tile_px``; grey with a word where there is none."""
    if image is None:
        empty = np.full((tile_px, tile_px, 3), _ABSENT, np.uint8)
        _print(empty, "file not found", _GAP_PX, tile_px // 2, tile_px)
        return empty
    tile = np.full((tile_px, tile_px, 3), _BACKGROUND, np.uint8)
    height, width = image.shape[:2]
    scale = tile_px / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    fitted = cv2.resize(np.ascontiguousarray(image), size, interpolation=way)
    top, left = (tile_px - size[1]) // 2, (tile_px - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = fitted
    return tile


def _print(sheet: Image, text: str, left: int, top: int, width: int) -> None:
    """Print a line of text, shortened to fit; OpenCV's font knows ASCII only."""
    plain = text.encode("ascii", "replace").decode()
    while len(plain) > 1 and cv2.getTextSize(plain, _FONT, _FONT_SCALE, 1)[0][0] > width:
        plain = plain[:-1]
    cv2.putText(sheet, plain, (left, top + _LINE_PX - 5), _FONT, _FONT_SCALE, _INK, 1, cv2.LINE_AA)
