"""Where an image's bytes lie: in a file of its own, or in an HDF5 file among many.

The second is written ``FILE.hdf5::NAME``, wherever a path may stand. ISIC 2024 comes so:
401,059 JPEGs in one file, each a scalar under its id.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

CONTAINER_ENDINGS = frozenset({".hdf5", ".h5"})
_MARK = "::"


def place(container: Path, name: str) -> Path:
    """How an image in a container is written."""
    return Path(f"{container}{_MARK}{name}")


def split_place(path: str | Path) -> tuple[str, str]:
    """The file on the disk, and the name in it; the name is empty where the file is the image."""
    text = os.fspath(path)
    file, mark, name = text.rpartition(_MARK)
    if mark and os.path.splitext(file)[1].lower() in CONTAINER_ENDINGS:  # noqa: PTH122 - 400,000
        return file, name
    return text, ""


def names_in(container: Path) -> list[str]:
    """The names of all that lies in a container, sorted.

    Raises:
        OSError: It is no HDF5 file, or cannot be read.
    """
    with _open(container) as opened:
        return sorted(opened)


class Contents:
    """Reads bytes; containers stay open while the block lasts.

    Only what is asked for is read, so memory does not grow with the container. Not for
    several threads; each process opens its own.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._opened: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._opened.clear()

    def read(self, path: str | Path) -> bytes:
        """The bytes of one image.

        Raises:
            OSError: It is not there, or cannot be read.
        """
        file, name = split_place(path)
        if not name:
            with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 - half the time of a Path's
                return stream.read()
        if file not in self._opened:
            self._opened[file] = self._stack.enter_context(_open(Path(file)))
        try:
            return _bytes_of(self._opened[file][name])
        except KeyError:
            raise FileNotFoundError(2, "No such name in the HDF5 file", str(path)) from None


def _open(container: Path) -> Any:
    # Most sets need no HDF5, and every worker process would pay for the import.
    import h5py  # noqa: PLC0415

    try:
        return h5py.File(container, "r")
    except OSError as error:
        # h5py's own message is a paragraph about its inner life.
        code = getattr(error, "errno", None) or 5
        why = os.strerror(code) if container.is_file() is False else "not a readable HDF5 file"
        raise OSError(code, why, str(container)) from None


def _bytes_of(stored: Any) -> bytes:
    """Opaque and fixed-length scalars, and arrays of uint8, alike."""
    if not hasattr(stored, "dtype"):
        raise OSError(22, "Not an image but a group in the HDF5 file", str(stored.name))
    value = stored[()]
    return value if isinstance(value, bytes) else bytes(value.tobytes())
