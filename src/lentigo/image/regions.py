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

from lentigo.image.hair import HairRemoval, hair_mask

DARK = 40
"""A pixel whose brightest channel is at most this belongs to a black frame or a shadow."""
GLARE = 250
"""A pixel whose darkest channel is at least this has lost its colour."""

_SQUARE = np.ones((5, 5), np.uint8)
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
    to = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, to, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def black_frame(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Dark pixels (H, W) connected to the border: a dark lesion in the middle is none of them."""
    dark = (of_channels(rgb, cv2.max) <= DARK).astype(np.uint8)
    count, component = cv2.connectedComponents(dark)
    touching = np.zeros(count, np.bool_)
    for edge in (component[0], component[-1], component[:, 0], component[:, -1]):
        touching[edge] = True
    touching[0] = False
    return np.asarray(touching[component])


def usable(rgb: NDArray[np.uint8], frame: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Pixels (H, W) that carry colour: neither black, nor burnt out, nor at such an edge.

    Args:
        rgb: (H, W, 3) uint8.
        frame: ``black_frame(rgb)``, where it is known already.
    """
    lit = (of_channels(rgb, cv2.max) > DARK) & (of_channels(rgb, cv2.min) < GLARE)
    lit &= ~(black_frame(rgb) if frame is None else frame)
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
