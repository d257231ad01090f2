"""Sets that say with folders what their images show: part × class, or class alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lentigo.data.sources.listing import Item
from lentigo.data.sources.scanning import Folder

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


def class_code(folder_name: str) -> str:
    """A folder's name as a class code: lower case, ``_`` for spaces and hyphens."""
    return "_".join(folder_name.lower().replace("-", " ").split())


def split_items(folder: Folder) -> Iterator[Item]:
    """Images in ``.../<part>/<class>/``, at any depth.

    Yields:
        Items whose id is ``part/class/file`` as the folders spell it. Downloads nest one copy
        of the whole tree in another, so an id seen before is the same file and is left out.
    """
    seen: set[str] = set()
    for path in folder.images:
        parts = path.relative_to(folder.root).parts
        if len(parts) < 3 or parts[-3].lower() not in SPLITS:
            continue
        image_id = "/".join(parts[-3:])
        if image_id not in seen:
            seen.add(image_id)
            yield Item(
                image_id=image_id,
                label=class_code(parts[-2]),
                where=str(path),
                path=path,
                diagnosis=parts[-2],
                split=SPLITS[parts[-3].lower()],
            )


def class_items(folder: Folder) -> Iterator[Item]:
    """Images in ``<class>/``, with any folders below it.

    Yields:
        Items whose id is the path inside the folder and whose label is the first part of it.
    """
    for path in folder.images:
        parts: tuple[str, ...] = path.relative_to(folder.root).parts
        if len(parts) > 1:
            yield Item(
                image_id="/".join(parts),
                label=parts[0],
                where=str(path),
                path=Path(path),
                diagnosis=parts[0],
            )
