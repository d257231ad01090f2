"""Pictures from a prepared set's images: grids, alterations, and hair before and after."""

from __future__ import annotations

import hashlib

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from lentigo.data.contents import Contents
from lentigo.data.prepared import PreparedSet
from lentigo.errors import ImageError
from lentigo.evaluate.pictures import thumbnail
from lentigo.image.decode import decode
from lentigo.image.hair import hair_mask
from lentigo.model import augment
from lentigo.recipe import Augmentation

GRID = 16
EXAMPLES = 4
LOOKED_AT = 60
PAIRS = 4
TILE_PX = 160


def _drawn_rows(data: PreparedSet, count: int) -> list[int]:
    """Training photographs by the hash of their names, so that every page shows the same."""
    frame = data.manifest
    rows = np.flatnonzero((frame["split"] == "train") & (frame["parent_id"] == ""))
    ids = frame["image_id"].tolist()
    return sorted(rows.tolist(), key=lambda r: hashlib.sha256(ids[r].encode()).digest())[:count]


def image_grid(data: PreparedSet) -> tuple[Markup, list[tuple[str, str]]]:
    """Sixteen training images in a grid of four by four; their names and classes."""
    tiles, names = [], []
    for row in _drawn_rows(data, GRID):
        known = data.manifest.iloc[row]
        names.append((str(known["image_id"]), str(known["label"])))
        tiles.append(_tile(data.images[row], str(known["label"]), f"image of {known['label']}"))
    return _framed("grid16", tiles), names


def class_examples(data: PreparedSet) -> tuple[Markup, list[tuple[str, str]]]:
    """Four training images of each class, a row a class; their names and classes."""
    tiles, names = [], []
    labels = data.manifest["label"]
    order = _drawn_rows(data, len(labels))
    for code in data.taxonomy.codes:
        for row in [row for row in order if labels.iloc[row] == code][:EXAMPLES]:
            names.append((str(data.manifest["image_id"].iloc[row]), code))
            tiles.append(_tile(data.images[row], code, f"image of {code}"))
    return _framed("grid16", tiles), names


def altered(data: PreparedSet, how: Augmentation) -> tuple[Markup, str]:
    """Sixteen altered copies of one malignant training image, and its name."""
    malignant = {each.code for each in data.taxonomy.classes if each.malignant}
    order = _drawn_rows(data, len(data.manifest))
    row = next((r for r in order if data.manifest["label"].iloc[r] in malignant), order[0])
    copies = augment(np.repeat(data.images[row : row + 1], GRID, axis=0), how, (0,))
    name = str(data.manifest["image_id"].iloc[row])
    tiles = [_tile(each, "", f"{name} altered, {i + 1}") for i, each in enumerate(copies)]
    return _framed("grid16", tiles), name


def hair_pairs(data: PreparedSet) -> tuple[Markup, list[tuple[str, str]]] | None:
    """Four images before and after hair removal, and the share of pixels that was filled.

    Returns:
        None where the set's hair was left on, or no original lies where it was.
    """
    how = data.spec.hair_removal
    if how is None:
        return None
    before_it = {"hair_removal": None, "size": data.spec.working_size, "first_size": None}
    plain = data.spec.model_copy(update=before_it)
    found: list[tuple[float, str, NDArray[np.uint8], NDArray[np.uint8]]] = []
    with Contents() as contents:
        for row in _drawn_rows(data, LOOKED_AT):
            known = data.manifest.iloc[row]
            try:
                rgb = decode(contents.read(known["path"]), background=plain.background)
            except (ImageError, OSError):
                continue
            before = plain.apply(rgb)
            share = float(hair_mask(before, how).mean())
            found.append((share, str(known["image_id"]), before, data.images[row]))
    found = sorted(found, key=lambda each: (-each[0], each[1]))[:PAIRS]
    if not found:
        return None
    above = [_tile(before, name, f"{name} before") for _, name, before, _ in found]
    below = [
        _tile(after, f"{share:.1%} filled", f"{name} after") for share, name, _, after in found
    ]
    return _framed("grid16", [*above, *below]), [(name, f"{s:.1%}") for s, name, _, _ in found]


def _tile(image: NDArray[np.uint8], caption: str, described: str) -> Markup:
    source = thumbnail(image, TILE_PX)
    return Markup('<figure><img src="{}" alt="{}"><figcaption>{}</figcaption></figure>').format(
        source, described, caption
    )


def _framed(kind: str, tiles: list[Markup]) -> Markup:
    return Markup('<div class="{}">{}</div>').format(kind, Markup("").join(tiles))
