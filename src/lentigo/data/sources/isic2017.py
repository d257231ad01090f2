"""ISIC 2017 challenge, part 3 (Codella 2018): melanoma, seborrheic keratosis, nevus."""

from __future__ import annotations

from pathlib import Path

from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import scan
from lentigo.data.sources.table import Archive, ReadOptions, Source, SourceTable
from lentigo.errors import SourceError
from lentigo.taxonomy import ISIC2017

NAME = "isic2017"
LICENSE = "CC0-1.0"
_TRUTH = r"ISIC-2017_(Training|Validation|Test)(_v2)?_Part3_GroundTruth\.csv"
_METADATA = r"ISIC-2017_(Training|Validation|Test)(_v2)?_Data_metadata\.csv"
_CODES = {"melanoma": "melanoma", "seborrheic_keratosis": "seborrheic_keratosis"}
_SPLITS = {"training": "train", "validation": "validation", "test": "test"}


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read ISIC 2017, part 3: as many of its three parts as have their ground truth here.

    Args:
        root: The folder; tables and image folders lie anywhere in it.
        options: ``skip_missing``.

    Raises:
        SourceError: All problems at once.
    """
    folder = scan(root)
    truths = folder.tables_named(_TRUTH)
    if not truths:
        raise SourceError(f"{folder.root} has no ISIC-2017_Training_Part3_GroundTruth.csv.")
    listing = Listing(NAME, folder.root, LICENSE)
    people = listing.by_image(
        [
            row
            for _, path in folder.tables_named(_METADATA)
            for row in listing.read_rows(path, ["image_id", "age_approximate", "sex"])
        ],
        "image_id",
    )
    for match, path in truths:
        split = _SPLITS[match[1].lower()]
        for row in listing.read_rows(path, ["image_id", *_CODES]):
            listing.items.append(_item(listing, row, split, people))
    return listing.finish(ISIC2017, options, folder.images_by_id())


def _item(listing: Listing, row: Row, split: str, people: dict[str, Row]) -> Item:
    image_id = row.known("image_id")
    person = people.get(image_id, Row(row.where, {}))
    label = listing.one_hot(row, _CODES, none="nevus")
    return Item(
        image_id=image_id,
        label=label,
        where=row.where,
        diagnosis=label or "",
        split=split,
        age=listing.age(person, "age_approximate"),
        sex=person.known("sex"),
    )


_BASE = "https://isic-challenge-data.s3.amazonaws.com/2017/ISIC-2017_"
SOURCE = Source(
    name=NAME,
    title="ISIC 2017 challenge, part 3: 2,750 images, 3 classes, official splits",
    license=LICENSE,
    url="https://challenge.isic-archive.com/data/#2017",
    taxonomy=ISIC2017,
    reader=read,
    layout="ISIC-2017_Training_Part3_GroundTruth.csv and ISIC-2017_Training_Data/; "
    "likewise _Validation and _Test_v2",
    download=tuple(
        Archive(f"{_BASE}{part}_{what}")
        for part in ("Training", "Validation", "Test_v2")
        for what in ("Part3_GroundTruth.csv", "Data.zip")
    ),
)
