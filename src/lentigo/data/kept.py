"""What was computed of images once, kept so that other runs need not compute it again.

Nothing here is locked: what is kept is a function of its name, so two processes that are at
work on the same at once write the same, each whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lentigo.data.descriptors import describe_images
from lentigo.data.prepared import PreparedSet
from lentigo.files import atomic_path, digest_json
from lentigo.image.handcrafted import Descriptors

Floats = NDArray[np.float64]


def read_array(path: Path, *, mapped: bool = False) -> NDArray[Any] | None:
    """An array (``.npy``), or None where there is none or a copy from elsewhere was cut short."""
    try:
        return np.asarray(np.load(path, mmap_mode="r" if mapped else None))
    except (OSError, ValueError, EOFError):
        return None


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array (``.npy``), whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array)


def kept_array(folder: Path, key: Sequence[object], make: Callable[[Path], None]) -> NDArray[Any]:
    """An array by what it is a function of, memory-mapped; made where it is not kept yet.

    Args:
        folder: Of all that is kept.
        key: Everything that the array is a function of.
        make: Writes it to a path, as ``.npy``.
    """
    path = folder / f"{digest_json(list(key))[:24]}.npy"
    if (kept := read_array(path, mapped=True)) is not None:
        return kept
    with atomic_path(path) as temporary:
        make(temporary)
    return np.asarray(np.load(path, mmap_mode="r"))


def kept_descriptions(
    data: PreparedSet,
    rows: NDArray[np.int64],
    which: Descriptors,
    folder: Path,
    *,
    workers: int = 1,
) -> Floats:
    """Hand-crafted features of some images; only those are computed that are not kept yet.

    An image is known by its file's digest and what was done to it, an altered copy by its
    original's, its seed and its ranges: so sets that deal the same images otherwise share them.

    Args:
        data: A prepared set.
        rows: (n,) which of its images.
        which: What is wanted of them.
        folder: Of all that is kept.
        workers: At most so many processes.

    Returns:
        (n, d) in the order of ``rows``.
    """
    names = _names(data, rows)
    own = (
        folder
        / digest_json(
            ["descriptors", data.spec.model_dump(mode="json"), which.model_dump(mode="json")]
        )[:24]
    )
    known = _known(own.glob("*.npz"))
    absent = np.array([place for place, name in enumerate(names) if name not in known], np.int64)
    if len(absent):
        found = describe_images(data.images, rows[absent], which, workers=workers)
        added = [names[place] for place in absent.tolist()]
        with atomic_path(own / f"{digest_json(added)[:24]}.npz") as path, path.open("wb") as stream:
            np.savez(stream, names=np.array(added), features=found)
        known |= dict(zip(added, found, strict=True))
    return np.array([known[name] for name in names]).reshape(len(names), len(which.names))


def _names(data: PreparedSet, rows: NDArray[np.int64]) -> list[str]:
    table = data.manifest.iloc[rows]
    if "seed" not in table:  # every image is an original
        return [str(digest) for digest in table["sha256"]]
    made = data.info.oversampling
    drawn = digest_json([made.ranges.model_dump(mode="json"), made.fill])[:16] if made else ""
    return [
        f"{digest}/{parent}~{seed}/{drawn}" if parent else digest
        for digest, parent, seed in zip(
            table["sha256"], table["parent_id"], table["seed"], strict=True
        )
    ]


def _known(files: Iterable[Path]) -> dict[str, Floats]:
    known: dict[str, Floats] = {}
    for path in files:
        # One may be cut short on the way from elsewhere; NumPy leaves such an archive open.
        try:
            with path.open("rb") as stream, np.load(stream) as kept:
                known |= dict(zip(kept["names"].tolist(), kept["features"], strict=True))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            continue
    return known
