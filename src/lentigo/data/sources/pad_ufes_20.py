"""PAD-UFES-20 (Pacheco 2020): 2,298 smartphone photographs of 1,641 lesions, no dermatoscope.

The Fitzpatrick type stands in a column that its publisher spells ``fitspatrick``.
"""

from __future__ import annotations

from pathlib import Path

from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import scan
from lentigo.data.sources.table import ReadOptions, Source, SourceTable
from lentigo.taxonomy import PAD_UFES_20

NAME = "pad-ufes-20"
LICENSE = "CC-BY-4.0"
_TABLE = "metadata.csv"
_COLUMNS = (
    "patient_id",
    "lesion_id",
    "age",
    "gender",
    "fitspatrick",
    "region",
    "diagnostic",
    "img_id",
    "biopsed",
)
_TYPES = {"1": "I", "2": "II", "3": "III", "4": "IV", "5": "V", "6": "VI"}
_CONFIRMED = {"true": "biopsy", "false": "clinical"}


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read PAD-UFES-20.

    Args:
        root: The folder; images lie in ``imgs_part_1`` to ``_3`` or any other folder in it.
        options: ``metadata`` names the table outright.

    Raises:
        SourceError: All problems at once.
    """
    folder = scan(root)
    listing = Listing(NAME, folder.root, LICENSE)
    rows = listing.read_rows(options.metadata or folder.the_table(_TABLE), _COLUMNS)
    listing.items = [_item(listing, row) for row in rows]
    return listing.finish(PAD_UFES_20, options, folder.images_by_id())


def _item(listing: Listing, row: Row) -> Item:
    patient, lesion = row.known("patient_id"), row.known("lesion_id")
    return Item(
        image_id=Path(row.known("img_id")).stem,
        label=row.known("diagnostic").lower(),
        where=row.where,
        # Lesions are plain numbers: a set of another publisher may number its own alike.
        lesion_id=f"{patient}_{lesion}" if patient and lesion else "",
        patient_id=patient,
        diagnosis=row.known("diagnostic"),
        confirmed_by=_CONFIRMED.get(row.known("biopsed").lower(), ""),
        age=listing.age(row, "age"),
        sex=row.known("gender").lower(),
        site=row.known("region").lower(),
        skin_tone=_skin_tone(listing, row),
    )


def _skin_tone(listing: Listing, row: Row) -> str:
    """Roman, as everywhere in lentigo; the table writes 3.0, and 0 or nothing where unknown."""
    text = row.known("fitspatrick").removesuffix(".0")
    if text in {"", "0"}:
        return ""
    if text not in _TYPES:
        listing.problems.append(f"{row.where}: {text!r} is no Fitzpatrick type from 1 to 6.")
    return _TYPES.get(text, "")


SOURCE = Source(
    name=NAME,
    title="PAD-UFES-20: 2,298 smartphone photographs, 1,373 patients, 6 classes, skin types",
    license=LICENSE,
    url="https://doi.org/10.17632/zr7vgbcyr2.1",
    taxonomy=PAD_UFES_20,
    reader=read,
    reads_metadata=True,
    layout="metadata.csv, and the images in imgs_part_1/, _2/ and _3/ or any other folder in it",
)
