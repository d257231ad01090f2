"""Generated dermoscopic-looking images: `lentigo.data.phantom` makes them, this reads them."""

from __future__ import annotations

from pathlib import Path

from lentigo.data.phantom import COLUMNS, LICENSE, TABLE_NAME, ensure_phantom
from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import scan
from lentigo.data.sources.table import ReadOptions, Source, SourceTable
from lentigo.taxonomy import PHANTOM

NAME = "phantom"


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read a phantom; where the folder is absent or empty, one of the default size is made.

    Raises:
        SourceError: The folder holds something else, or a phantom that was cut short.
    """
    folder = scan(ensure_phantom(root))
    listing = Listing(NAME, folder.root, LICENSE)
    rows = listing.read_rows(folder.root / TABLE_NAME, COLUMNS)
    listing.items = [_item(listing, row) for row in rows]
    return listing.finish(PHANTOM, options, folder.images_by_id())


def _item(listing: Listing, row: Row) -> Item:
    return Item(
        image_id=row.known("image_id"),
        label=row.known("label"),
        where=row.where,
        lesion_id=row.known("lesion_id"),
        patient_id=row.known("patient_id"),
        diagnosis=row.known("label"),
        confirmed_by=row.known("confirmed_by"),
        age=listing.age(row, "age"),
        sex=row.known("sex"),
        site=row.known("site"),
        skin_tone=row.known("skin_tone"),
    )


SOURCE = Source(
    name=NAME,
    title="Phantom: generated images, 7 classes told apart by shape and colour rules",
    license=LICENSE,
    url="",
    taxonomy=PHANTOM,
    reader=read,
    layout="empty or absent: it is generated",
)
