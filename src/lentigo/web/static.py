"""The page's own files, listed when the server starts: no path of a request reaches the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True)
class Asset:
    """A file as it is served.

    Attributes:
        content: Its bytes.
        kind: Content type.
        etag: Of these bytes.
    """

    content: bytes
    kind: str
    etag: str


def assets() -> dict[str, Asset]:
    """Every file directly in the static folder, by name."""
    folder = files("lentigo") / "web" / "static"
    return {name: _asset(each) for name, each in _files(folder)}


def _files(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.is_file() and suffix(each.name) in KINDS:
            yield each.name, each


def _asset(file: Traversable) -> Asset:
    content = file.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return Asset(content, KINDS[suffix(file.name)], etag)


def suffix(name: str) -> str:
    """The end of a name, with its dot."""
    return name[name.rfind(".") :]
