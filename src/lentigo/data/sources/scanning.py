"""One walk over a data set's folder: which images and tables lie where."""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lentigo.data.contents import CONTAINER_ENDINGS
from lentigo.errors import SourceError
from lentigo.files import digest_file
from lentigo.image.header import ENDINGS

logger = logging.getLogger(__name__)

TABLE_ENDINGS = frozenset({".csv", ".tab", ".tsv"})
# Outlines carry the names of their images, so they must never be taken for them.
_NOT_IMAGES = re.compile(
    r"(^|_)masks?$|(^|_)segmentations?(_|$)|superpixels?$|part[12]_groundtruth|^__macosx$",
    re.IGNORECASE,
)
_Place = tuple[int, int]  # device and inode


@dataclass(frozen=True)
class Folder:
    """What a walk found.

    Attributes:
        root: The folder, absolute.
        images: Image files in path order, as text: a Path for each of 400,000 is slow.
        tables: Table files, and files without an ending, in path order.
        containers: HDF5 files in path order.
        broken: Links that are named as images and lead nowhere, in path order.
        unentered: Folders that lie too deep to be entered, in path order.
    """

    root: Path
    images: tuple[str, ...]
    tables: tuple[Path, ...]
    containers: tuple[Path, ...] = ()
    broken: tuple[Path, ...] = ()
    unentered: tuple[Path, ...] = ()

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


def scan(root: Path, *, depth: int | None = None) -> Folder:
    """Walk a folder once.

    Args:
        root: The data set's folder.
        depth: How many levels of folders are entered; None enters all of them.

    Raises:
        SourceError: It does not exist or is not a folder.
    """
    root = root.absolute()
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        unpack = "Unpack it, and name" if root.suffix.lower() == ".zip" else "Name"
        raise SourceError(f"{root} {what}.", todo=f"{unpack} the folder of the data set.")
    found = _Found([], [], [], [], [])
    _walk(os.fspath(root), math.inf if depth is None else depth, found)
    images, *others = (sorted(paths) for paths in found)
    return Folder(root, tuple(images), *(tuple(map(Path, paths)) for paths in others))


class _Found(NamedTuple):
    images: list[str]
    tables: list[str]
    containers: list[str]
    broken: list[str]
    unentered: list[str]


def are_unlike(paths: Sequence[str]) -> bool:
    """Whether files that ought to be copies of each other differ.

    Sizes alone do not tell: uncompressed pictures of one camera all have the same.
    """
    if len({os.stat(path).st_size for path in paths}) > 1:  # noqa: PTH116 - as above
        return True
    return len({digest_file(Path(path)) for path in paths}) > 1


def _walk(folder: str, depth: float, found: _Found, above: tuple[_Place, ...] = ()) -> None:
    here, entries = _enter(folder, above)
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
            if not _NOT_IMAGES.search(entry.name):
                _descend(entry.path, depth, found, (*above, here))
        elif ending in TABLE_ENDINGS or not ending:
            found.tables.append(entry.path)
        elif ending in CONTAINER_ENDINGS:
            found.containers.append(entry.path)


def _descend(folder: str, depth: float, found: _Found, above: tuple[_Place, ...]) -> None:
    if depth > 0:
        _walk(folder, depth - 1, found, above)
    else:
        found.unentered.append(folder)


def _enter(folder: str, above: tuple[_Place, ...]) -> tuple[_Place, list[os.DirEntry[str]]]:
    """Which folder this is, and what lies in it; nothing where one of those above is this one.

    A link may lead back to a folder that it lies in, and so round for ever.
    """
    known = os.stat(folder)  # noqa: PTH116 - as above
    here = (known.st_dev, known.st_ino)
    try:
        return here, [] if here in above else list(os.scandir(folder))
    except PermissionError:
        logger.warning("%s may not be read and counts as empty.", folder)
        return here, []
