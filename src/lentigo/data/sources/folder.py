"""A user's own images, one subfolder a class."""

from __future__ import annotations

from pathlib import Path

from lentigo.data.sources.classfolders import SPLITS, take_classes
from lentigo.data.sources.listing import Listing
from lentigo.data.sources.scanning import scan
from lentigo.data.sources.table import ReadOptions, Source, SourceTable
from lentigo.errors import SourceError

NAME = "folder"
LICENSE = ""


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read one subfolder a class; the folder's name is the label.

    Args:
        root: The folder. Images directly in it have no class and are refused.
        options: ``malignant`` names the malignant classes.

    Raises:
        SourceError: Fewer than two classes, images without one, or folders that are parts.
        InputError: A malignant class that is not there.
    """
    folder = scan(root)
    listing = Listing(NAME, folder.root, LICENSE)
    take_classes(listing, folder)
    labels = {item.label for item in listing.items if item.label}
    if parts := sorted(label for label in labels if label.lower() in SPLITS):
        raise SourceError(
            f"{folder.root} has the folder(s) {parts}, which are parts and not classes.",
            todo="Use the source `table` with a split column.",
        )
    return listing.finish(listing.own_classes(labels, options), options, {})


SOURCE = Source(
    name=NAME,
    title="Your own images, one subfolder a class",
    license=LICENSE,
    url="",
    taxonomy=None,
    reader=read,
    layout="<class>/ for every class",
)
