"""Diverse Dermatology Images (Daneshjou 2022): 656 clinical photographs of three tone groups.

All diagnoses are from biopsies. The table names neither patients nor lesions, so images of
one patient may be dealt to both sides of a split of lentigo's own: keep it for testing.
"""

from __future__ import annotations

import logging
from pathlib import Path

from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import scan
from lentigo.data.sources.table import ReadOptions, Source, SourceTable
from lentigo.taxonomy import BINARY

logger = logging.getLogger(__name__)

NAME = "ddi"
LICENSE = "Stanford Research Use Agreement"
_TABLE = "ddi_metadata.csv"
_COLUMNS = ("DDI_file", "skin_tone", "malignant", "disease")
_TONES = {"12": "I-II", "34": "III-IV", "56": "V-VI"}
_LABELS = {"true": "malignant", "false": "benign", "1": "malignant", "0": "benign"}


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read DDI.

    Args:
        root: The folder; images lie beside the table or in any folder in it.
        options: ``metadata`` names the table outright.

    Raises:
        SourceError: All problems at once.
    """
    folder = scan(root)
    listing = Listing(NAME, folder.root, LICENSE)
    rows = listing.read_rows(options.metadata or folder.the_table(_TABLE), _COLUMNS)
    listing.items = [_item(listing, row) for row in rows]
    logger.warning(
        "ddi names no patients: a split made by lentigo may put one patient on both sides. "
        "Use it to test what was trained elsewhere."
    )
    return listing.finish(BINARY, options, folder.images_by_id())


def _item(listing: Listing, row: Row) -> Item:
    malignant, tone = row.known("malignant").lower(), row.known("skin_tone")
    if malignant not in _LABELS:
        listing.problems.append(f"{row.where}: malignant is {malignant!r}, not True or False.")
    if tone and tone not in _TONES:
        listing.problems.append(f"{row.where}: the skin tone {tone!r} is not 12, 34 or 56.")
    return Item(
        image_id=Path(row.known("DDI_file")).stem,
        label=_LABELS.get(malignant),
        where=row.where,
        diagnosis=row.known("disease"),
        confirmed_by="biopsy",
        skin_tone=_TONES.get(tone, ""),
    )


SOURCE = Source(
    name=NAME,
    title="DDI: 656 clinical photographs, 3 groups of skin tones, benign and malignant",
    license=LICENSE,
    url="https://ddi-dataset.github.io/",
    taxonomy=BINARY,
    reader=read,
    reads_metadata=True,
    layout="ddi_metadata.csv, and the images beside it or in any folder in it",
)
