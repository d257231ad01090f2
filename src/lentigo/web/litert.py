"""LiteRT.js as the wheel carries it; a bare checkout has none."""

from __future__ import annotations

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
