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

from lentigo.image.area import shrink
from lentigo.image.regions import GLARE, black_frame, dark_pixels, shrunk, steepness
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

    Its shorter side has ``LAYOUT_PX``, or as many pixels as there are.
    """
    small = _layout_copy(_divided(bgr, SPARE * SHARPNESS_PX))
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def assess(rgb: NDArray[np.uint8], seen: NDArray[np.uint8] | None = None) -> Quality:
    """Measure a photograph.

    Args:
        rgb: (H, W, 3) uint8 RGB, the whole photograph, best before any preprocessing; a
            large one may be shrunk to a few hundred pixels first.
        seen: Its ``seen_square``, of the larger photograph where this is a small copy: how
            sharp it is depends on the way it was shrunk. None makes it of ``rgb``.
    """
    whole = _layout_copy(rgb)
    grey, dark = cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY), dark_pixels(whole)
    frame = black_frame(dark)
    burnt = cv2.inRange(whole, (GLARE,) * 3, (255,) * 3)
    busyness, redness = _layout(*(centre_square(each) for each in (whole, grey, dark)))
    square = seen_square(rgb) if seen is None else seen
    return Quality(
        square_px=float(square.shape[0]),
        sharpness=_sharpness(square),
        brightness=_median(grey, ~frame),
        overexposed_share=cv2.countNonZero(burnt) / burnt.size,
        black_frame_share=float(np.count_nonzero(frame)) / frame.size,
        busyness=busyness,
        redness=redness,
    )


def _layout_copy(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return shrunk(_divided(image, SHARPNESS_PX), LAYOUT_PX)


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
    return shrink(whole, width // by, height // by)


def _sharpness(square: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of an RGB square, out of sums of whole numbers."""
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
    edges: NDArray[np.int16] = cv2.Laplacian(grey, cv2.CV_16S)
    mean = float(cv2.sumElems(edges)[0]) / edges.size
    return float(cv2.norm(edges, cv2.NORM_L2SQR)) / edges.size - mean * mean


def _median(grey: NDArray[np.uint8], where: NDArray[np.bool_]) -> float:
    """Median grey level of some pixels, 0 of none; counting is faster than sorting."""
    counts = cv2.calcHist([grey], [0], where.view(np.uint8), [256], [0, 256]).cumsum()
    if not (pixels := int(counts[-1])):
        return 0.0
    middle = np.searchsorted(counts, ((pixels + 1) // 2, pixels // 2 + 1))
    return float(middle.sum()) / 2


def _layout(
    square: NDArray[np.uint8], grey: NDArray[np.uint8], dark: NDArray[np.uint8]
) -> tuple[float, float]:
    """Busyness and redness of a small RGB square, given its grey levels and ``dark_pixels``."""
    gradient = float(cv2.mean(steepness(grey))[0])
    if (dark_px := cv2.countNonZero(dark)) == dark.size:
        return gradient, 0.0
    lit = cv2.bitwise_not(dark) if dark_px else None  # without a mask it is sooner done
    red, green, *_ = cv2.mean(square, mask=lit)
    _, spread = cv2.meanStdDev(cv2.cvtColor(square, cv2.COLOR_RGB2LAB), mask=lit)
    return gradient + 2 * float(np.hypot(spread[1, 0], spread[2, 0])), red - green
