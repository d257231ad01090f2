"""The offline app as static files for any web host."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from lentigo.deploy.bundle import read_bundle
from lentigo.deploy.inspection import check_graph
from lentigo.errors import BundleError, InputError
from lentigo.web import litert
from lentigo.web.offline import LISTING, LISTING_START, OfflineApp, decline


@dataclass(frozen=True)
class Written:
    """A static app.

    Attributes:
        folder: Where it lies.
        files: How many files it has.
        size_bytes: Of all of them.
        version: First 12 digits of the digest over names and contents.
    """

    folder: Path
    files: int
    size_bytes: int
    version: str


def write_app(path: Path, out: Path) -> Written:
    """Write the offline app of a bundle as static files, whole or not at all.

    Args:
        path: A bundle.
        out: A folder that does not exist, is empty, or holds an earlier app, which is replaced.

    Returns:
        What was written.

    Raises:
        BundleError: No bundle, one whose preprocessing browsers cannot do, or one whose graph
            is not what it says.
        InputError: ``out`` holds something else, or cannot be written.
        MissingExtraError: This installation has no LiteRT.js.
    """
    bundle = read_bundle(path)
    if reason := decline(bundle.info.spec):
        raise BundleError(
            f"{path} cannot run in a browser. {reason}",
            todo=f"Serve it instead: lentigo serve --model {path}",
        )
    check_graph(bundle)
    litert.need_runtime()
    _check_target(out)
    app, size = OfflineApp(bundle, served=False), 0
    with _beside(out) as temporary:
        filled = Path(temporary) / "new"
        for name, part in app.parts.items():
            content = part.read()
            (filled / name).parent.mkdir(parents=True, exist_ok=True)
            (filled / name).write_bytes(content)
            size += len(content)
        # A folder cannot replace another in one step; the older one goes aside for the moment.
        if out.exists():
            out.rename(Path(temporary) / "old")
        filled.rename(out)
    return Written(out, len(app.parts), size, app.version)


def _beside(out: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder to fill, from where it can be moved to ``out`` in one step."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written: {error.strerror}.", todo="Name a folder elsewhere."
        ) from None


def _check_target(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    listing = out / LISTING
    if listing.is_file() and listing.read_text("utf-8").startswith(LISTING_START):
        return
    raise InputError(
        f"{out} holds something else than an offline app.", todo="Name a new or empty folder."
    )
