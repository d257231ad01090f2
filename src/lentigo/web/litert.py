"""LiteRT.js as the wheel carries it; a bare checkout has none."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable

from lentigo.errors import MissingExtraError

HOW_TO_GET = (
    "pip install lentigo from a wheel, which carries it; in a checkout with npm: make offline-app"
)


def runtime_folder() -> Traversable | None:
    """Where LiteRT.js lies, or None where this installation has none."""
    folder = files("lentigo") / "web" / "litert"
    # It is written last when the folder is filled, and the folder appears whole.
    return folder if (folder / "NOTICE").is_file() else None


def need_runtime() -> Traversable:
    """Where LiteRT.js lies.

    Raises:
        MissingExtraError: This installation has none.
    """
    folder = runtime_folder()
    if folder is None:
        raise MissingExtraError(
            "This installation of lentigo carries no LiteRT.js, which the offline app runs on.",
            todo=HOW_TO_GET,
        )
    return folder


def runtime_files(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file, the WebAssembly unpacked, in the order of the names."""
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        content = each.read_bytes()
        if each.name.endswith(".gz"):
            yield each.name.removesuffix(".gz"), gzip.decompress(content)
        else:
            yield each.name, content
