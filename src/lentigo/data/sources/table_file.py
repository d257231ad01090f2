"""A user's own images, listed in a CSV file."""

from __future__ import annotations

import logging
import os
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path

from lentigo.data.sources.classfolders import SPLITS
from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import Folder, are_unlike, scan
from lentigo.data.sources.table import ReadOptions, Source, SourceTable
from lentigo.errors import SourceError
from lentigo.image.header import ENDINGS

NAME = "table"
LICENSE = ""
# Around a table that is named itself: its folder may be a home with all that lies there.
DEPTH = 4
logger = logging.getLogger(__name__)


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read a CSV file with the columns ``image`` and ``label``.

    Further columns, each optional: image_id, lesion_id, patient_id, split (train, validation,
    test), age, sex, site, skin_tone, diagnosis, confirmed_by, license. Capitals and spaces in
    column names do not matter.

    Args:
        root: The CSV file, or a folder with exactly one. ``image`` is a path relative to the
            CSV's folder, an absolute path, or an id: a file name without its ending, looked
            for in that folder and its subfolders, down to the fourth where the file was named.
        options: ``malignant`` names the malignant classes, ``metadata`` the CSV file.

    Raises:
        SourceError: All problems at once, each with file and line.
        InputError: A malignant class that no image has.
    """
    table = _find_table(root, options)
    folder = scan(table.parent, depth=DEPTH) if root.is_file() else scan(root)
    listing = Listing(NAME, table, LICENSE)
    rows = listing.read_rows(table, ["image", "label"], fold=True)
    images = _Images(folder)
    listing.items = [_item(listing, row, images) for row in rows]
    listing.check_lesions()
    if folder.unentered and any(item.path is None for item in listing.items):
        logger.warning(
            "Images are looked for %d folders deep around a table, so %s was not entered. To look "
            "everywhere, name the folder and give the table with --metadata.",
            DEPTH,
            folder.unentered[0],
        )
    labels = {item.label for item in listing.items if item.label}
    return listing.finish(listing.own_classes(labels, options), options, {})


def _find_table(root: Path, options: ReadOptions) -> Path:
    if options.metadata is not None:
        return options.metadata.absolute()
    if root.is_file():
        return root.absolute()
    if not root.exists():
        raise SourceError(
            f"{root.absolute()} does not exist.",
            todo="Name the CSV file, or a folder with exactly one.",
        )
    tables = [path for path in scan(root, depth=0).tables if path.suffix]
    if len(tables) == 1:
        return tables[0]
    if not tables:
        raise SourceError(f"{root} holds no CSV file.")
    raise SourceError(
        f"{root} holds {len(tables)} tables: {', '.join(path.name for path in tables)}.",
        todo="Name the CSV file itself.",
    )


def _item(listing: Listing, row: Row, images: _Images) -> Item:
    image = row.cells["image"].strip()
    label = row.cells["label"].strip()
    if not label:
        listing.problems.append(f"{row.where}: has no label.")
    split = row.known("split").lower()
    if split and split not in SPLITS:
        listing.problems.append(f"{row.where}: {split!r} is not train, validation or test.")
    item = Item(
        image_id=row.known("image_id") or image,
        label=label or None,
        where=row.where,
        lesion_id=row.known("lesion_id"),
        patient_id=row.known("patient_id"),
        diagnosis=row.known("diagnosis") or label,
        confirmed_by=row.known("confirmed_by"),
        split=SPLITS.get(split, ""),
        age=listing.age(row, "age"),
        sex=row.known("sex"),
        site=row.known("site"),
        skin_tone=row.known("skin_tone"),
        license=row.known("license"),
    )
    found = images.named(image)
    if len(found) > 1 and are_unlike([os.fspath(path) for path in found]):
        told = " and ".join(str(path.relative_to(images.folder.root)) for path in found)
        listing.problems.append(f"{row.where}: {image} may be {told}; write one of them.")
    return replace(item, path=found[0] if found else None)


@dataclass
class _Images:
    """Finds what a table names, also where another system spelt it otherwise."""

    folder: Folder
    _by_name: dict[str, list[Path]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in map(Path, self.folder.images):
            inside = path.relative_to(self.folder.root)
            for name in {str(inside), str(inside.with_suffix("")), path.stem}:
                self._by_name.setdefault(_plain(name), []).append(path)

    def named(self, image: str) -> list[Path]:
        """The files that a cell may mean."""
        path = self.folder.root / image
        if path.suffix.lower() in ENDINGS and path.is_file():
            return [path]
        return self._by_name.get(_plain(image), [])


def _plain(name: str) -> str:
    """A name whatever system wrote it: Windows' strokes, macOS's umlauts in two parts, capitals."""
    return unicodedata.normalize("NFC", name).replace("\\", "/").casefold()


SOURCE = Source(
    name=NAME,
    title="Your own images, listed in a CSV file",
    license=LICENSE,
    url="",
    taxonomy=None,
    reader=read,
    reads_metadata=True,
    layout="a CSV file with the columns image (path or id) and label; optional lesion_id, "
    "patient_id, split, age, sex, site, skin_tone",
)
