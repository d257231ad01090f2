"""ISIC 2019 challenge: 25,331 training images, eight classes; its test set adds unknowns."""

from __future__ import annotations

import re
from pathlib import Path

from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import scan
from lentigo.data.sources.table import Archive, ReadOptions, Source, SourceTable
from lentigo.errors import SourceError
from lentigo.taxonomy import ISIC2019

NAME = "isic2019"
LICENSE = "CC-BY-NC-4.0"
UNKNOWN = "UNK"
_TRUTH = r"ISIC_2019_(Training|Test)_GroundTruth\.csv"
_METADATA = r"ISIC_2019_(Training|Test)_Metadata\.csv"
_CODES = {code.upper(): code for code in ISIC2019.codes}
_SPLITS = {"training": "train", "test": "test"}
_COLUMNS = {
    "training": ("image", "age_approx", "sex", "lesion_id"),
    "test": ("image", "age_approx", "sex"),
}


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read ISIC 2019: the training part, and the test part where its ground truth is here.

    Images of the class UNK ("none of the others", test part only) belong to no class of the
    taxonomy: they are set aside and named.

    Raises:
        SourceError: All problems at once.
    """
    folder = scan(root)
    truths = folder.tables_named(_TRUTH)
    if not truths:
        raise SourceError(f"{folder.root} has no ISIC_2019_Training_GroundTruth.csv.")
    listing = Listing(NAME, folder.root, LICENSE)
    metadata = folder.tables_named(_METADATA)
    if _has_training(truths) and not _has_training(metadata):
        # Without it the repeated lesions would sit on both sides of a split, unseen.
        listing.problems.append("ISIC_2019_Training_Metadata.csv, which names lesions, is absent.")
    people = listing.by_image(
        [
            row
            for match, path in metadata
            for row in listing.read_rows(path, _COLUMNS[match[1].lower()])
        ],
        "image",
    )
    for match, path in truths:
        for row in listing.read_rows(path, ["image", *_CODES]):
            _take(listing, row, _SPLITS[match[1].lower()], people)
    return listing.finish(ISIC2019, options, folder.images_by_id())


def _has_training(tables: list[tuple[re.Match[str], Path]]) -> bool:
    return any(match[1].lower() == "training" for match, _ in tables)


def _take(listing: Listing, row: Row, split: str, people: dict[str, Row]) -> None:
    image_id = row.known("image")
    codes = {**_CODES, UNKNOWN: UNKNOWN} if UNKNOWN in row.cells else _CODES
    label = listing.one_hot(row, codes)
    if label == UNKNOWN:
        listing.set_aside.append((image_id, "class UNK, none of the others"))
        return
    person = people.get(image_id, Row(row.where, {}))
    if people and split == "train" and image_id not in people:
        # Of some images the publisher knows no lesion, but each has its row.
        listing.problems.append(f"{row.where}: the metadata has no row of {image_id}.")
    listing.items.append(
        Item(
            image_id=image_id,
            label=label,
            where=row.where,
            lesion_id=person.known("lesion_id"),
            diagnosis=label or "",
            split=split,
            age=listing.age(person, "age_approx"),
            sex=person.known("sex"),
            site=person.known("anatom_site_general"),
        )
    )


_BASE = "https://isic-challenge-data.s3.amazonaws.com/2019/ISIC_2019_Training_"
SOURCE = Source(
    name=NAME,
    title="ISIC 2019 challenge: 25,331 images, 8 classes",
    license=LICENSE,
    url="https://challenge.isic-archive.com/data/#2019",
    taxonomy=ISIC2019,
    reader=read,
    layout="ISIC_2019_Training_GroundTruth.csv, ISIC_2019_Training_Metadata.csv and "
    "ISIC_2019_Training_Input/; likewise _Test, which is not downloaded: fetch it by hand",
    download=tuple(
        Archive(f"{_BASE}{part}") for part in ("GroundTruth.csv", "Metadata.csv", "Input.zip")
    ),
)
