"""From what was typed to the image files it means."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from lentigo.image.header import ENDINGS


def expand(paths: Iterable[Path | str]) -> list[Path]:
    """The files that ``paths`` name, each once, in the order given.

    A folder stands for the images in it and below it, sorted; a pattern with ``*``, ``?``
    or ``[`` for the files it matches (``**`` goes down), sorted. What names nothing stays
    as it is, so that whoever opens it reports it.
    """
    found: dict[Path, None] = {}
    for path in paths:
        found.update(dict.fromkeys(_expand_one(Path(path))))
    return list(found)


def _expand_one(path: Path) -> list[Path]:
    if path.is_dir():
        return _images_below(path) or [path]
    # A file whose own name holds brackets is a file, not a pattern.
    if path.exists() or not glob.has_magic(str(path)):
        return [path]
    matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute patterns
    files = [match for match in matches if match.is_file()]
    return files or [path]


def _images_below(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in ENDINGS and not path.is_dir() and not _is_hidden(path, folder)
    )  # not is_file: of a link to nothing it is said that there is no such file


def _is_hidden(path: Path, folder: Path) -> bool:
    """Whether it, or a folder it lies in, is one that systems keep for themselves."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
