"""What a photograph is made of: black frame, lit pixels, lesion and the skin around it.

Found by brightness alone, on a small copy, without a network: a helper of measures that
ask about skin or framing, not a segmentation to build on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.image.area import shrink
from lentigo.image.hair import HairRemoval, hair_mask

DARK = 40
"""A pixel whose brightest channel is at most this belongs to a black frame or a shadow."""
GLARE = 250
"""A pixel whose darkest channel is at least this has lost its colour."""

_SQUARE = np.ones((5, 5), np.uint8)
_FRAME = 128
_HAIR = HairRemoval(kernel_px=9, threshold=12)
# Fewer lit pixels than this have no two sides to tell apart.
_LEAST_PX = 50


def of_channels(rgb: NDArray[np.uint8], choose: Callable[..., Any]) -> NDArray[np.uint8]:
    """The least (``cv2.min``) or greatest (``cv2.max``) channel of each pixel, (H, W).

    Several times faster than NumPy's axis.
    """
    red, green, blue = cv2.split(rgb)
    return np.asarray(choose(choose(red, green), blue), dtype=np.uint8)


def shrunk(rgb: NDArray[np.uint8], shorter_px: int) -> NDArray[np.uint8]:
    """Shrunk by area until the shorter side has that many pixels; never enlarged."""
    height, width = rgb.shape[:2]
    scale = shorter_px / min(height, width)
    if scale >= 1:
        return rgb
    return shrink(rgb, max(1, round(width * scale)), max(1, round(height * scale)))


def steepness(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Length of the gradient (Sobel 3×3, unscaled) at each pixel of (H, W), grey levels.

    The squares of whole numbers are exact in float32 and their root is rounded once, so one
    image has one answer: ``cv2.magnitude`` is as fast, but a few pixels of it depend on where
    in memory the image lies.
    """
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.sqrt(across * across + down * down), dtype=np.float32)


def dark_pixels(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """255 where even the brightest channel is at most ``DARK``, else 0; (H, W)."""
    return np.asarray(cv2.inRange(rgb, (0,) * 3, (DARK,) * 3), dtype=np.uint8)


def black_frame(dark: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Dark pixels (H, W) connected to the border: a dark lesion in the middle is none of them.

    Args:
        dark: (H, W), as ``dark_pixels`` gives it.
    """
    if not cv2.countNonZero(dark):  # most dermoscopic images have none
        return np.zeros(dark.shape, np.bool_)
    # A margin of dark pixels connects all that touch the border.
    flooded = cv2.copyMakeBorder(dark, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=255)
    cv2.floodFill(flooded, None, (0, 0), _FRAME, flags=8)
    return np.asarray(flooded[1:-1, 1:-1] == _FRAME)


def usable(rgb: NDArray[np.uint8], frame: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Pixels (H, W) that carry colour: neither black, nor burnt out, nor at such an edge.

    Args:
        rgb: (H, W, 3) uint8.
        frame: Its ``black_frame``, where that is known already.
    """
    lit = (of_channels(rgb, cv2.max) > DARK) & (of_channels(rgb, cv2.min) < GLARE)
    lit &= ~(black_frame(dark_pixels(rgb)) if frame is None else frame)
    return np.asarray(cv2.erode(lit.astype(np.uint8), _SQUARE) > 0)


def lesion_and_skin(
    rgb: NDArray[np.uint8], where: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The darker and the lighter part of a close-up, by Otsu's threshold on the blue channel.

    Blue, because melanin and blood both absorb it. Checked against the outlines that come
    with HAM10000: docs/results.md.

    Args:
        rgb: (H, W, 3) uint8, a small copy (some 128 pixels) of the photograph.
        where: (H, W) the pixels to look at, as ``usable`` finds them.

    Returns:
        Lesion and skin, (H, W) each; skin without the margin of the lesion, but
        with its finest hairs. Both are empty where hardly anything is lit.
    """
    blue = cv2.GaussianBlur(rgb[..., 2], (5, 5), 0)
    values = blue[where]
    if len(values) < _LEAST_PX:
        nothing = np.zeros(where.shape, np.bool_)
        return nothing, nothing
    threshold, _ = cv2.threshold(values.reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    lighter = where & (blue > threshold)
    inner = cv2.erode(lighter.astype(np.uint8), _SQUARE) > 0
    return where & ~lighter, np.asarray(inner)


def without_hair(rgb: NDArray[np.uint8], skin: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Skin (H, W) of a small copy (H, W, 3), less its dark hairs."""
    return skin & ~hair_mask(rgb, _HAIR)
