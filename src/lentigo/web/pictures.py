"""The photo and its attention map as the result page shows them."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.deploy.prediction import Prediction
from lentigo.image.decode import decode_bgr
from lentigo.image.spec import PreprocessSpec

PHOTO_PX = 720
OVERLAY_PX = 128
JPEG_QUALITY = 82


@dataclass(frozen=True)
class Portrait:
    """What is drawn: everything inside the page itself, so that nothing is fetched later.

    Attributes:
        width: Of the shown photo in pixels.
        height: Of the shown photo in pixels.
        photo: ``data:`` address of a JPEG without any metadata of the original.
        overlay: ``data:`` address of a PNG with transparency.
        box: Left, top, width and height of what the network saw, in pixels of the photo.
    """

    width: int
    height: int
    photo: str
    overlay: str
    box: tuple[int, int, int, int]


def portrait(content: bytes, spec: PreprocessSpec, prediction: Prediction) -> Portrait:
    """Draw a photo and the attention that it got.

    Args:
        content: The encoded photo.
        spec: How the network saw it.
        prediction: With its attention maps.

    Raises:
        ImageError: The photo cannot be decoded.
    """
    bgr = decode_bgr(content, background=spec.background, enough_px=PHOTO_PX)
    scale = min(1.0, PHOTO_PX / max(bgr.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in bgr.shape[:2])
    small = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert prediction.attention is not None
    maps = prediction.attention
    chosen = prediction.codes.index(prediction.top) if maps.shape[2] > 1 else 0
    _, png = cv2.imencode(".png", _warm(maps[..., chosen]))
    return Portrait(
        width=width,
        height=height,
        photo=_address("image/jpeg", jpeg),
        overlay=_address("image/png", png),
        box=_seen(width, height, spec),
    )


def _seen(width: int, height: int, spec: PreprocessSpec) -> tuple[int, int, int, int]:
    if spec.crop == "none":
        return 0, 0, width, height
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def _warm(attention: NDArray[np.float32]) -> NDArray[np.uint8]:
    """BGRA (s, s, 4) of a map: what is negative or small is clear, the rest yellow to red."""
    found = np.maximum(attention.astype(np.float32), 0)
    found /= max(float(found.max()), 1e-6)
    smooth = cv2.resize(found, (OVERLAY_PX, OVERLAY_PX), interpolation=cv2.INTER_CUBIC)
    strength = np.clip(smooth, 0, 1)
    warm = np.empty((OVERLAY_PX, OVERLAY_PX, 4), np.uint8)
    warm[..., 0] = 20
    warm[..., 1] = 220 - 190 * strength
    warm[..., 2] = 255
    warm[..., 3] = 235 * strength
    # PNG shrinks flat steps much better than fine gradients, and the eye sees no difference.
    return np.asarray(warm // 8 * 8, dtype=np.uint8)


def _address(kind: str, content: NDArray[np.uint8]) -> str:
    return f"data:{kind};base64,{base64.b64encode(content.tobytes()).decode('ascii')}"
