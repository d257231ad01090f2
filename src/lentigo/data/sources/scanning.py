"""One walk over a data set's folder: which images and tables lie where."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lentigo.data.contents import CONTAINER_ENDINGS
from lentigo.errors import SourceError

logger = logging.getLogger(__name__)

IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
TABLE_ENDINGS = frozenset({".csv", ".tab", ".tsv"})
DEPTH = 4
# Outlines carry the names of their images, so they must never be taken for them.
_NOT_IMAGES = re.compile(
    r"(^|_)masks?$|(^|_)segmentations?(_|$)|superpixels?$|part[12]_groundtruth|^__macosx$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Folder:
    """What a walk found.

    Attributes:
        root: The folder, absolute.
        images: Image files in path order.
        tables: Table files, and files without an ending, in path order.
        containers: HDF5 files in path order.
    """

    root: Path
    images: tuple[Path, ...]
    tables: tuple[Path, ...]
    containers: tuple[Path, ...] = ()

    def images_by_id(self) -> dict[str, Path]:
        """Images by name without ending; of two with one name the first in path order."""
        found: dict[str, Path] = {}
        for path in self.images:
            found.setdefault(path.stem, path)
        if repeated := len(self.images) - len(found):
            logger.info("%s: %d files repeat a name; the first counts.", self.root, repeated)
        return found

    def tables_named(self, pattern: str) -> list[tuple[re.Match[str], Path]]:
        """Tables whose whole name matches ``pattern``, upper and lower case alike."""
        matches = ((re.fullmatch(pattern, path.name, re.IGNORECASE), path) for path in self.tables)
        return [(match, path) for match, path in matches if match]


def scan(root: Path, *, depth: int = DEPTH) -> Folder:
    """Walk a folder once.

    Args:
        root: The data set's folder.
        depth: How many levels of folders are entered.

    Raises:
        SourceError: It does not exist or is not a folder.
    """
    root = root.absolute()
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise SourceError(f"{root} {what}.", todo="Name the folder of the data set.")
    found = _Found([], [], [])
    _walk(os.fspath(root), depth, found)
    return Folder(root, *(tuple(map(Path, sorted(paths))) for paths in found))


class _Found(NamedTuple):
    images: list[str]
    tables: list[str]
    containers: list[str]


def _walk(folder: str, depth: int, found: _Found) -> None:
    try:
        entries = list(os.scandir(folder))
    except PermissionError:
        logger.warning("%s may not be read and counts as empty.", folder)
        return
    for entry in entries:
        # Not Path.suffix: a Path for each of 33,000 entries is slow.
        ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122
        if entry.name.startswith("."):
            continue
        if ending in IMAGE_ENDINGS and entry.is_file():
            found.images.append(entry.path)
        elif entry.is_dir():
            if depth > 0 and not _NOT_IMAGES.search(entry.name):
                _walk(entry.path, depth - 1, found)
        elif ending in TABLE_ENDINGS or not ending:
            found.tables.append(entry.path)
        elif ending in CONTAINER_ENDINGS:
            found.containers.append(entry.path)
