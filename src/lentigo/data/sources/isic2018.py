"""ISIC 2018 challenge, task 3 (Codella 2019): HAM10000 for training, further images to test."""

from __future__ import annotations

from pathlib import Path

from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import scan
from lentigo.data.sources.table import Archive, ReadOptions, Source, SourceTable
from lentigo.errors import SourceError
from lentigo.taxonomy import HAM10000

NAME = "isic2018"
LICENSE = "CC-BY-NC-4.0"
_TRUTH = r"ISIC2018_Task3_(Training|Validation|Test)_GroundTruth\.csv"
_GROUPINGS = r"ISIC2018_Task3_Training_LesionGroupings\.csv"
_CODES = {code.upper(): code for code in HAM10000.codes}
_SPLITS = {"training": "train", "validation": "validation", "test": "test"}


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read ISIC 2018, task 3: as many of its three parts as have their ground truth here.

    Lesions are known for the training part only.

    Raises:
        SourceError: All problems at once.
    """
    folder = scan(root)
    truths = folder.tables_named(_TRUTH)
    if not truths:
        raise SourceError(f"{folder.root} has no ISIC2018_Task3_Training_GroundTruth.csv.")
    listing = Listing(NAME, folder.root, LICENSE)
    groupings = folder.tables_named(_GROUPINGS)
    if not groupings and any(match[1].lower() == "training" for match, _ in truths):
        # Without it HAM10000's repeated lesions would sit on both sides of a split, unseen.
        listing.problems.append("ISIC2018_Task3_Training_LesionGroupings.csv is not here.")
    lesions = listing.by_image(
        [
            row
            for _, path in groupings
            for row in listing.read_rows(path, ["image", "lesion_id", "diagnosis_confirm_type"])
        ],
        "image",
    )
    for match, path in truths:
        split = _SPLITS[match[1].lower()]
        for row in listing.read_rows(path, ["image", *_CODES]):
            listing.items.append(_item(listing, row, split, lesions))
    return listing.finish(HAM10000, options, folder.images_by_id())


def _item(listing: Listing, row: Row, split: str, lesions: dict[str, Row]) -> Item:
    image_id = row.known("image")
    lesion = lesions.get(image_id, Row(row.where, {}))
    if lesions and split == "train" and not lesion.known("lesion_id"):
        listing.problems.append(f"{row.where}: the table of groupings has no lesion of {image_id}.")
    label = listing.one_hot(row, _CODES)
    return Item(
        image_id=image_id,
        label=label,
        where=row.where,
        lesion_id=lesion.known("lesion_id"),
        diagnosis=label or "",
        confirmed_by=lesion.known("diagnosis_confirm_type"),
        split=split,
    )


_BASE = "https://isic-challenge-data.s3.amazonaws.com/2018/ISIC2018_Task3_"
SOURCE = Source(
    name=NAME,
    title="ISIC 2018 challenge, task 3: HAM10000 with official validation and test, 7 classes",
    license=LICENSE,
    url="https://challenge.isic-archive.com/data/#2018",
    taxonomy=HAM10000,
    reader=read,
    layout="ISIC2018_Task3_Training_GroundTruth/, _Training_LesionGroupings.csv and "
    "_Training_Input/; likewise _Validation and _Test",
    download=tuple(
        Archive(f"{_BASE}{part}")
        for part in (
            "Training_LesionGroupings.csv",
            "Training_GroundTruth.zip",
            "Validation_GroundTruth.zip",
            "Test_GroundTruth.zip",
            "Training_Input.zip",
            "Validation_Input.zip",
            "Test_Input.zip",
        )
    ),
)
