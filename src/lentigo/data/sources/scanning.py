"""One walk over a data set's folder: which images and tables lie where."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lentigo.data.contents import CONTAINER_ENDINGS
from lentigo.errors import SourceError
from lentigo.image.header import ENDINGS

logger = logging.getLogger(__name__)

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
        images: Image files in path order, as text: a Path for each of 400,000 is slow.
        tables: Table files, and files without an ending, in path order.
        containers: HDF5 files in path order.
        broken: Links that are named as images and lead nowhere, in path order.
    """

    root: Path
    images: tuple[str, ...]
    tables: tuple[Path, ...]
    containers: tuple[Path, ...] = ()
    broken: tuple[Path, ...] = ()

    def images_by_id(self) -> dict[str, str]:
        """Images by name without ending; of two with one name the first in path order.

        Downloads repeat whole folders, so copies are nothing to speak of; another picture
        under the same name may be a crop or a smaller version, and is warned of.
        """
        found: dict[str, list[str]] = {}
        for path in self.images:
            found.setdefault(os.path.splitext(os.path.basename(path))[0], []).append(path)  # noqa: PTH119, PTH122 - as above
        several = [paths for paths in found.values() if len(paths) > 1]
        if unlike := [paths for paths in several if are_unlike(paths)]:
            logger.warning(
                "%d name(s) are borne by files that differ, such as %s; the first of each is read. "
                "Name the one folder whose images you want.",
                len(unlike),
                " and ".join(unlike[0]),
            )
        return {image_id: paths[0] for image_id, paths in found.items()}

    def tables_named(self, pattern: str) -> list[tuple[re.Match[str], Path]]:
        """Tables whose whole name matches ``pattern``, upper and lower case alike."""
        matches = ((re.fullmatch(pattern, path.name, re.IGNORECASE), path) for path in self.tables)
        return [(match, path) for match, path in matches if match]

    def the_table(self, name: str) -> Path:
        """The table of that name, upper and lower case alike.

        Raises:
            SourceError: There is none.
        """
        if found := self.tables_named(re.escape(name)):
            return found[0][1]
        raise SourceError(
            f"{self.root} has no {name}.",
            todo="Put the table into the folder, or name it: --metadata FILE.",
        )


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
        unpack = "Unpack it, and name" if root.suffix.lower() == ".zip" else "Name"
        raise SourceError(f"{root} {what}.", todo=f"{unpack} the folder of the data set.")
    found = _Found([], [], [], [])
    _walk(os.fspath(root), depth, found)
    images, *others = (sorted(paths) for paths in found)
    return Folder(root, tuple(images), *(tuple(map(Path, paths)) for paths in others))


class _Found(NamedTuple):
    images: list[str]
    tables: list[str]
    containers: list[str]
    broken: list[str]


def are_unlike(paths: Sequence[str]) -> bool:
    """Whether files that ought to be copies of each other differ in size."""
    return len({os.stat(path).st_size for path in paths}) > 1  # noqa: PTH116 - as above


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
        if ending in ENDINGS and entry.is_file():
            found.images.append(entry.path)
        elif ending in ENDINGS and entry.is_symlink() and not entry.is_dir():
            found.broken.append(entry.path)
        elif entry.is_dir():
            if depth > 0 and not _NOT_IMAGES.search(entry.name):
                _walk(entry.path, depth - 1, found)
        elif ending in TABLE_ENDINGS or not ending:
            found.tables.append(entry.path)
        elif ending in CONTAINER_ENDINGS:
            found.containers.append(entry.path)
