"""What every photograph is asked before a network sees it: sharpness, light, likeness to skin.

Measures only; ``lentigo.image.verdict`` holds them against thresholds. They are few and cheap,
because ``predict`` takes them of every image and the browser takes the same;
``lentigo.image.subject`` asks further.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.image.regions import (
    DARK,
    GLARE,
    black_frame,
    of_channels,
    shrunk,
)
from lentigo.image.spec import SPARE, centre_square

SHARPNESS_PX = 224
LAYOUT_PX = 128


@dataclass(frozen=True)
class Quality:
    """The measures of one photograph.

    Attributes:
        square_px: Side of the central square, where that is below ``SHARPNESS_PX``; larger
            ones all count as that.
        sharpness: Variance of the Laplacian of the grey central square, shrunk to at most
            ``SHARPNESS_PX`` (what a network sees, never enlarged); grey levels squared;
            falls with blur.
        brightness: Median grey level outside the black frame, 0 to 255.
        overexposed_share: Share of pixels burnt out to white, in [0, 1].
        black_frame_share: Share of the whole frame that is dark and connected to its border
            (the tube of a dermatoscope), in [0, 1].
        busyness: Mean gradient plus twice the spread of colour (CIE a*, b*) of the central
            square at ``LAYOUT_PX``: close-ups of skin are calm, rooms and animals are not.
        redness: Mean of red minus green outside dark pixels, grey levels; above zero on skin.
    """

    square_px: float
    sharpness: float
    brightness: float
    overexposed_share: float
    black_frame_share: float
    busyness: float
    redness: float


def seen_square(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The central square of a photograph (H, W, 3) at ``SHARPNESS_PX``, or smaller as it is."""
    return shrunk(centre_square(rgb), SHARPNESS_PX)


def small_copy(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The copy (h, w, 3) RGB that ``assess`` takes of a decoded photograph (H, W, 3) BGR.

    Its shorter side has up to twice ``SPARE * SHARPNESS_PX`` pixels.
    """
    small = _divided(bgr, SPARE * SHARPNESS_PX)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def assess(rgb: NDArray[np.uint8], seen: NDArray[np.uint8] | None = None) -> Quality:
    """Measure a photograph.

    Args:
        rgb: (H, W, 3) uint8 RGB, the whole photograph, best before any preprocessing; a
            large one may be shrunk to a few hundred pixels first.
        seen: Its ``seen_square``, of the larger photograph where this is a small copy: how
            sharp it is depends on the way it was shrunk. None makes it of ``rgb``.
    """
    whole = shrunk(_divided(rgb, SHARPNESS_PX), LAYOUT_PX)
    frame = black_frame(whole)
    inside = cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY)[~frame]
    busyness, redness = _layout(np.ascontiguousarray(centre_square(whole)))
    square = seen_square(rgb) if seen is None else seen
    _, deviation = cv2.meanStdDev(
        cv2.Laplacian(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY), cv2.CV_16S)
    )
    burnt = of_channels(whole, cv2.min) >= GLARE
    return Quality(
        square_px=float(square.shape[0]),
        sharpness=float(deviation[0, 0] ** 2),
        brightness=float(np.median(inside)) if inside.size else 0.0,
        overexposed_share=float(burnt.mean()),
        black_frame_share=float(frame.mean()),
        busyness=busyness,
        redness=redness,
    )


def _divided(image: NDArray[np.uint8], enough_px: int) -> NDArray[np.uint8]:
    """Shrunk by the largest whole number that leaves the shorter side that many pixels.

    OpenCV averages whole blocks some twenty times faster than parts of pixels; what is left
    of the last block at the right and at the bottom is cut off for that.
    """
    height, width = image.shape[:2]
    by = min(height, width) // enough_px
    if by < 2:
        return image
    whole = image[: height // by * by, : width // by * by]
    to = (width // by, height // by)
    return np.asarray(cv2.resize(whole, to, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _layout(square: NDArray[np.uint8]) -> tuple[float, float]:
    """Busyness and redness of a small square."""
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
    slope = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    gradient = float(cv2.mean(slope)[0])
    lit = (of_channels(square, cv2.max) > DARK).astype(np.uint8)
    if not lit.any():
        return gradient, 0.0
    mean, _ = cv2.meanStdDev(square, mask=lit)
    _, spread = cv2.meanStdDev(cv2.cvtColor(square, cv2.COLOR_RGB2LAB), mask=lit)
    redness = float(mean[0, 0] - mean[1, 0])
    return gradient + 2 * float(np.hypot(spread[1, 0], spread[2, 0])), redness
