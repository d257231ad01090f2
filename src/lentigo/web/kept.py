"""Photos and answers on the server's disk, where its operator asked for them."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from pathlib import Path
from typing import Any

from lentigo.deploy.prediction import Prediction
from lentigo.files import write_bytes, write_json
from lentigo.image.header import SNIFF_BYTES, sniff

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "TIFF": ".tif", "BMP": ".bmp"}

_log = logging.getLogger(__name__)


def keep(folder: Path, content: bytes, prediction: Prediction) -> bool:
    """Store a photo and its answer; names come from clock and content, never from a visitor.

    Args:
        folder: Made where it is missing.
        content: The encoded photo.
        prediction: The answer.

    Returns:
        Whether both are stored; a full disk is logged, and the visitor gets the answer anyway.
    """
    digest = hashlib.sha256(content).hexdigest()
    now = dt.datetime.now(dt.UTC)
    stem = f"{now:%Y%m%dT%H%M%S}-{digest[:12]}"
    photo = folder / f"{stem}{SUFFIXES.get(sniff(content[:SNIFF_BYTES]), '.image')}"
    answer: dict[str, Any] = {**prediction.to_dict(), "sha256": digest, "at": now.isoformat()}
    try:
        write_bytes(photo, content)
        write_json(folder / f"{stem}.json", answer)
    except OSError as error:
        _log.error("a photo could not be kept in %s: %s", folder, error.strerror)
        photo.unlink(missing_ok=True)
        return False
    return True
