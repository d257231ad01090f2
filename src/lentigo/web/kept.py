"""Photos and answers on the server's disk, where its operator asked for them."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import logging
import tempfile
from pathlib import Path
from typing import Any

from lentigo.deploy.prediction import Prediction
from lentigo.errors import InputError
from lentigo.files import write_bytes, write_json
from lentigo.image.header import SNIFF_BYTES, sniff

SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WebP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "GIF": ".gif",
}

_log = logging.getLogger(__name__)


def prepare(folder: Path) -> None:
    """Make the folder, for its owner alone where it is new, and see that it can be written.

    Raises:
        InputError: It cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"Nothing can be stored in {folder}: {error.strerror}.",
            todo="Name a folder that this user may write, with --keep.",
        ) from None


def keep(folder: Path, content: bytes, prediction: Prediction, scope: str = "") -> bool:
    """Store a photo and its answer, readable by the user alone who serves.

    Their names come from clock and content, never from a visitor.

    Args:
        folder: See `prepare`; made again where it has gone.
        content: The encoded photo.
        prediction: The answer.
        scope: ``yes``, ``no`` or empty: what the visitor said of a dermatoscope.

    Returns:
        Whether both are stored; a full disk is logged, and the visitor gets the answer anyway.
    """
    digest = hashlib.sha256(content).hexdigest()
    now = dt.datetime.now(dt.UTC)
    stem = f"{now:%Y%m%dT%H%M%S}-{digest[:12]}"
    photo = folder / f"{stem}{SUFFIXES.get(sniff(content[:SNIFF_BYTES]), '.image')}"
    answer: dict[str, Any] = {
        **prediction.to_dict(),
        "scope": scope or None,
        "sha256": digest,
        "at": now.isoformat(),
    }
    try:
        write_bytes(photo, content, private=True)
        write_json(folder / f"{stem}.json", answer, private=True)
    except OSError as error:
        _log.error("a photo could not be kept in %s: %s", folder, error.strerror)
        with contextlib.suppress(OSError):
            photo.unlink(missing_ok=True)
        return False
    return True
