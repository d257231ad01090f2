"""The public set of 3,297 ISIC images sorted into benign and malignant, in two parts."""

from __future__ import annotations

from pathlib import Path

from lentigo.data.sources.classfolders import take_splits
from lentigo.data.sources.listing import Listing
from lentigo.data.sources.scanning import scan
from lentigo.data.sources.table import ReadOptions, Source, SourceTable
from lentigo.taxonomy import BINARY

NAME = "malignant-vs-benign"
LICENSE = "LicenseRef-unstated"


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read folders train/test × benign/malignant, nested at any depth.

    Neither lesions nor patients are named: duplicates are all that can be kept together.

    Raises:
        SourceError: All problems at once.
    """
    folder = scan(root)
    listing = Listing(NAME, folder.root, LICENSE)
    take_splits(listing, folder)
    return listing.finish(BINARY, options, {})


SOURCE = Source(
    name=NAME,
    title="Skin cancer, malignant vs. benign: 3,297 images in folders, official splits",
    license=LICENSE,
    url="https://www.kaggle.com/datasets/fanconic/skin-cancer-malignant-vs-benign",
    taxonomy=BINARY,
    reader=read,
    layout="train/benign/, train/malignant/, test/benign/, test/malignant/",
)
