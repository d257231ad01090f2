"""The public nine-class set of 2,357 ISIC images, in two parts."""

from __future__ import annotations

from pathlib import Path

from lentigo.data.sources.classfolders import take_splits
from lentigo.data.sources.listing import Listing
from lentigo.data.sources.scanning import scan
from lentigo.data.sources.table import ReadOptions, Source, SourceTable
from lentigo.taxonomy import ISIC9

NAME = "isic9"
LICENSE = "LicenseRef-unstated"


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read folders Train/Test × class name ("basal cell carcinoma"), nested at any depth.

    Neither lesions nor patients are named; much of it is HAM10000 under the same names.

    Raises:
        SourceError: All problems at once.
    """
    folder = scan(root)
    listing = Listing(NAME, folder.root, LICENSE)
    take_splits(listing, folder)
    return listing.finish(ISIC9, options, {})


SOURCE = Source(
    name=NAME,
    title="Skin cancer ISIC, nine classes: 2,357 images in folders, official splits",
    license=LICENSE,
    url="https://www.kaggle.com/datasets/nodoubttome/skin-cancer9-classesisic",
    taxonomy=ISIC9,
    reader=read,
    layout="Train/<class name>/ and Test/<class name>/",
)
