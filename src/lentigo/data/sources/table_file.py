"""A user's own images, listed in a CSV file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lentigo.data.sources.classfolders import SPLITS
from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import IMAGE_ENDINGS, Folder, scan
from lentigo.data.sources.table import ReadOptions, Source, SourceTable
from lentigo.errors import SourceError
from lentigo.taxonomy import from_labels

NAME = "table"
LICENSE = ""


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read a CSV file with the columns ``image`` and ``label``.

    Further columns, each optional: image_id, lesion_id, patient_id, split (train, validation,
    test), age, sex, site, skin_tone, diagnosis, confirmed_by, license. Capitals and spaces in
    column names do not matter.

    Args:
        root: The CSV file, or a folder with exactly one. ``image`` is a path relative to the
            CSV's folder, an absolute path, or an id: a file name without its ending, looked
            for in that folder and its subfolders.
        options: ``malignant`` names the malignant classes, ``metadata`` the CSV file.

    Raises:
        SourceError: All problems at once, each with file and line.
        InputError: A malignant class that no image has.
    """
    table = _find_table(root, options)
    folder = scan(table.parent if root.is_file() else root)
    listing = Listing(NAME, table, LICENSE)
    rows = listing.read_rows(table, ["image", "label"], fold=True)
    by_id = folder.images_by_id()
    listing.items = [_item(listing, row, folder, by_id) for row in rows]
    labels = {item.label for item in listing.items if item.label}
    if rows and len(labels) < 2:
        listing.problems.append(f"names {len(labels)} different label(s); two are needed.")
    labels |= {"one", "two"} if len(labels) < 2 else set()  # never returned
    malignant = None if options.malignant is None else set(options.malignant)
    return listing.finish(from_labels(NAME, labels, malignant), options, by_id)


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
    raise SourceError(
        f"{root} holds {len(tables)} tables {[path.name for path in tables]}, not one.",
        todo="Name the CSV file itself.",
    )


def _item(listing: Listing, row: Row, folder: Folder, by_id: dict[str, Path]) -> Item:
    image = row.cells["image"].strip()
    label = row.cells["label"].strip()
    if not label:
        listing.problems.append(f"{row.where}: has no label.")
    split = row.known("split").lower()
    if split and split not in SPLITS:
        listing.problems.append(f"{row.where}: {split!r} is not train, validation or test.")
    item = Item(
        image_id=row.known("image_id") or image,
        label=label,
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
    return replace(item, path=_locate(image, folder, by_id))


def _locate(image: str, folder: Folder, by_id: dict[str, Path]) -> Path | None:
    path = folder.root / image
    if path.suffix.lower() in IMAGE_ENDINGS and path.is_file():
        return path
    return by_id.get(image)


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
