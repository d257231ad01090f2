"""SIIM-ISIC 2020 (Rotemberg 2021): 33,126 images of 2,056 patients, 584 malignant."""

from __future__ import annotations

import logging
from pathlib import Path

from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import Folder, scan
from lentigo.data.sources.table import Archive, ReadOptions, Source, SourceTable
from lentigo.errors import SourceError
from lentigo.taxonomy import BINARY

logger = logging.getLogger(__name__)

NAME = "isic2020"
LICENSE = "CC-BY-NC-4.0"
# The best first: only the second edition names lesions; Kaggle calls the first train.csv.
_TRUTHS = (
    r"ISIC_2020_Training_GroundTruth_v2\.csv",
    r"ISIC_2020_Training_GroundTruth\.csv",
    r"train\.csv",
)
_DUPLICATES = r"ISIC_2020_Training_Duplicates\.csv"
_COLUMNS = ("image_name", "patient_id", "sex", "age_approx", "benign_malignant", "target")
_TARGETS = {"benign": "0", "malignant": "1"}


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read the training part of SIIM-ISIC 2020, the only one with public labels.

    Args:
        root: The folder; images lie in ``train/`` or any other folder in it.
        options: ``metadata`` names the ground truth outright.

    Raises:
        SourceError: All problems at once.
    """
    folder = scan(root)
    listing = Listing(NAME, folder.root, LICENSE)
    rows = listing.read_rows(options.metadata or _find_truth(folder), _COLUMNS)
    listing.items = [_item(listing, row) for row in rows]
    tables = folder.tables_named(_DUPLICATES)
    if not tables:
        logger.warning(
            "%s has no ISIC_2020_Training_Duplicates.csv: of the duplicates that its publisher "
            "names, only those that lentigo finds itself are kept together.",
            folder.root,
        )
    duplicates = [
        (row.known("image_name_1"), row.known("image_name_2"))
        for _, path in tables
        for row in listing.read_rows(path, ["image_name_1", "image_name_2"])
    ]
    return listing.finish(BINARY, options, folder.images_by_id(), duplicates)


def _find_truth(folder: Folder) -> Path:
    for pattern in _TRUTHS:
        if found := folder.tables_named(pattern):
            return found[0][1]
    raise SourceError(
        f"{folder.root} has no ISIC_2020_Training_GroundTruth_v2.csv.",
        todo="Put the table into the folder, or name it: --metadata FILE.",
    )


def _item(listing: Listing, row: Row) -> Item:
    label = row.known("benign_malignant")
    if _TARGETS.get(label, row.known("target")) != row.known("target"):
        listing.problems.append(
            f"{row.where}: {label} contradicts the target {row.known('target')!r}."
        )
    return Item(
        image_id=row.known("image_name"),
        label=label,
        where=row.where,
        lesion_id=row.known("lesion_id"),
        patient_id=row.known("patient_id"),
        diagnosis=row.known("diagnosis"),
        age=listing.age(row, "age_approx"),
        sex=row.known("sex"),
        site=row.known("anatom_site_general_challenge"),
    )


_BASE = "https://isic-challenge-data.s3.amazonaws.com/2020/ISIC_2020_Training_"
SOURCE = Source(
    name=NAME,
    title="SIIM-ISIC 2020: 33,126 images, 2,056 patients, benign and malignant",
    license=LICENSE,
    url="https://challenge2020.isic-archive.com/",
    taxonomy=BINARY,
    reader=read,
    reads_metadata=True,
    layout="ISIC_2020_Training_GroundTruth_v2.csv (or without _v2), "
    "ISIC_2020_Training_Duplicates.csv and train/",
    download=tuple(
        Archive(f"{_BASE}{part}") for part in ("GroundTruth_v2.csv", "Duplicates.csv", "JPEG.zip")
    ),
)
