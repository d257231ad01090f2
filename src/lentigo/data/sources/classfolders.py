"""Sets that say with folders what their images show: part × class, or class alone."""

from __future__ import annotations

from pathlib import Path

from lentigo.data.sources.listing import Item, Listing
from lentigo.data.sources.scanning import Folder, are_unlike

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


def take_splits(listing: Listing, folder: Folder) -> None:
    """Take the images in ``.../<part>/<class>/``, at any depth; any other is a problem.

    Their id is ``part/class/file`` as the folders spell it. Downloads nest one copy of the whole
    tree in another, so a copy of a file seen before is left out; another file is a problem.
    """
    seen: dict[str, Item] = {}
    for path in map(Path, folder.images):
        parts = path.relative_to(folder.root).parts
        if len(parts) < 3 or parts[-3].lower() not in SPLITS:
            listing.problems.append(f"{path}: lies in no folder of a class in train or test.")
            continue
        item = Item(
            image_id="/".join(parts[-3:]),
            label=class_code(parts[-2]),
            where=str(path.parent),
            path=path,
            diagnosis=parts[-2],
            split=SPLITS[parts[-3].lower()],
        )
        first = seen.setdefault(item.image_id, item)
        if first is not item and are_unlike([str(first.path), str(path)]):
            listing.problems.append(f"{path}: is another file than {first.path}.")
    listing.items += seen.values()
    _note_broken(listing, folder)


def take_classes(listing: Listing, folder: Folder) -> None:
    """Take the images in ``<class>/``, with any folders below it; any other is a problem.

    Their id is the path inside the folder, their label the first part of it.
    """
    for path in map(Path, folder.images):
        parts = path.relative_to(folder.root).parts
        if len(parts) == 1:
            listing.problems.append(f"{path}: lies in no class's folder.")
            continue
        listing.items.append(
            Item(
                image_id="/".join(parts),
                label=parts[0],
                where=str(path),
                path=path,
                diagnosis=parts[0],
            )
        )
    _note_broken(listing, folder)


def _note_broken(listing: Listing, folder: Folder) -> None:
    listing.problems += [f"{path}: is a link to nothing." for path in folder.broken]
