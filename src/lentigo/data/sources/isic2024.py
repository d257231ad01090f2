"""ISIC 2024, SLICE-3D (Kurtansky 2024): 401,059 crops of 1,042 patients' whole-body pictures.

No dermatoscope was used. Kaggle hands the images out as one HDF5 file, which is read in
place; unpacked JPEGs are read as well, and go first.
"""

from __future__ import annotations

from pathlib import Path

from lentigo.data.contents import names_in, place
from lentigo.data.sources.isic_archive import LICENSES
from lentigo.data.sources.listing import Item, Listing, Row
from lentigo.data.sources.scanning import Folder, scan
from lentigo.data.sources.table import ReadOptions, Source, SourceTable
from lentigo.taxonomy import BINARY

NAME = "isic2024"
LICENSE = "CC-BY-NC-4.0"
_TABLE = "train-metadata.csv"
_COLUMNS = ("isic_id", "target", "patient_id", "age_approx", "sex", "anatom_site_general")
_TARGETS = {"0": "benign", "1": "malignant"}


def read(root: Path, options: ReadOptions) -> SourceTable:
    """Read the training part of ISIC 2024, the only one with public labels.

    No column says how a diagnosis was confirmed. The publisher took malignant labels, and
    those that go beyond the first level of its tree of diagnoses, from pathology reports;
    the rest was held for benign by a doctor and never biopsied.

    Args:
        root: The folder with the table, and the images as HDF5 or as files.
        options: ``metadata`` names the table outright.

    Raises:
        SourceError: All problems at once.
    """
    folder = scan(root)
    listing = Listing(NAME, folder.root, LICENSE)
    rows = listing.read_rows(options.metadata or folder.the_table(_TABLE), _COLUMNS)
    listing.items = [_item(listing, row) for row in rows]
    return listing.finish(BINARY, options, _images(listing, folder))


def _images(listing: Listing, folder: Folder) -> dict[str, str]:
    found: dict[str, str] = {}
    for container in folder.containers:
        try:
            found |= {name: str(place(container, name)) for name in names_in(container)}
        except OSError as error:
            listing.problems.append(f"{container}: {error.strerror}.")
    return found | folder.images_by_id()


def _item(listing: Listing, row: Row) -> Item:
    target = row.known("target").removesuffix(".0")
    if target not in _TARGETS:
        listing.problems.append(f"{row.where}: the target is {target!r}, not 0 or 1.")
    biopsied = target == "1" or bool(row.known("iddx_2"))
    return Item(
        image_id=row.known("isic_id"),
        label=_TARGETS.get(target),
        where=row.where,
        license=LICENSES.get(row.known("copyright_license"), ""),
        lesion_id=row.known("lesion_id"),
        patient_id=row.known("patient_id"),
        diagnosis=row.known("iddx_full"),
        confirmed_by="histopathology" if biopsied else "not biopsied",
        age=listing.age(row, "age_approx"),
        sex=row.known("sex"),
        site=row.known("anatom_site_general"),
    )


SOURCE = Source(
    name=NAME,
    title="ISIC 2024, SLICE-3D: 401,059 crops of 1,042 patients, benign and malignant",
    license=LICENSE,
    url="https://doi.org/10.1038/s41597-024-03743-w",
    taxonomy=BINARY,
    reader=read,
    reads_metadata=True,
    layout="train-metadata.csv, and train-image.hdf5 or the JPEGs in any folder in it",
)
