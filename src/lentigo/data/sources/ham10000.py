"""HAM10000 (Tschandl 2018): 10,015 images of 7,470 lesions, seven classes.

The ISIC Archive's collection of that name also holds what the 2018 challenge tested on, so
it may be larger than the set on Dataverse; its table has the Archive's columns and diagnoses.
"""

from __future__ import annotations

import logging
from pathlib import Path

from lentigo.data.sources.isic_archive import ham10000_item
from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import Folder, scan
from lentigo.data.sources.table import IsicCollection, ReadOptions, Source, SourceTable
from lentigo.errors import SourceError
from lentigo.files import digest_file
from lentigo.taxonomy import HAM10000

logger = logging.getLogger(__name__)

NAME = "ham10000"
LICENSE = "CC-BY-NC-4.0"
_TABLE = r"HAM10000_metadata(\.csv|\.tab|\.tsv)?"
_ARCHIVE_TABLE = r"metadata\.csv"
_COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read HAM10000 as Dataverse, Kaggle or ``isic-cli`` lay it out.

    Args:
        root: The folder; images lie in it or in folders of it. Where its table is not in it,
            one of the same publisher's name is taken from the folder beside it.
        options: ``metadata`` names the table outright.

    Raises:
        SourceError: All problems at once.
    """
    folder = scan(root)
    table = options.metadata or _find_table(folder)
    listing = Listing(NAME, folder.root, LICENSE)
    if table.name.lower() == "metadata.csv" and _is_from_archive(table):
        rows = listing.read_rows(table, ["isic_id"])
        listing.items = [ham10000_item(listing, row) for row in rows]
    else:
        rows = listing.read_rows(table, _COLUMNS)
        listing.items = [_item(listing, row) for row in rows]
    return listing.finish(HAM10000, options, folder.images_by_id())


def _item(listing: Listing, row: Row) -> Item:
    return Item(
        image_id=row.known("image_id"),
        label=row.cells["dx"].strip().lower(),
        where=row.where,
        lesion_id=row.known("lesion_id"),
        diagnosis=row.known("dx"),
        confirmed_by=row.known("dx_type"),
        age=listing.age(row, "age"),
        sex=row.known("sex"),
        site=row.known("localization"),
    )


def _is_from_archive(table: Path) -> bool:
    try:
        with table.open(encoding="utf-8-sig") as stream:
            return "isic_id" in stream.readline()
    except (OSError, UnicodeDecodeError):
        return False  # reading it again says why


def _find_table(folder: Folder) -> Path:
    inside = folder.tables_named(_TABLE) or folder.tables_named(_ARCHIVE_TABLE)
    if inside:
        return inside[0][1]
    # Crops of the same images are kept beside the full set, without a table of their own.
    beside = scan(folder.root.parent, depth=1).tables_named(_TABLE)
    if len({digest_file(path) for _, path in beside}) == 1:
        table = beside[0][1]
        logger.info("%s has no table of its own; %s is used.", folder.root, table)
        return table
    found = f" Beside it lie several that differ: {[str(p) for _, p in beside]}." if beside else ""
    raise SourceError(
        f"{folder.root} has no HAM10000_metadata.csv.{found}",
        todo="Put the table into the folder, or name it: --metadata FILE.",
    )


SOURCE = Source(
    name=NAME,
    title="HAM10000: 10,015 images, 7,470 lesions, 7 classes",
    license=LICENSE,
    url="https://doi.org/10.7910/DVN/DBW86T",
    taxonomy=HAM10000,
    reader=read,
    reads_metadata=True,
    layout="HAM10000_metadata.csv, and the images in HAM10000_images_part_1/ and _part_2/ "
    "or any other folder in it; or metadata.csv and images as isic-cli writes them",
    download=IsicCollection(212),
)
