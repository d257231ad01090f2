"""Is the photograph good enough, and is it skin at all? Warns, never blocks.

Thresholds were set on reduced public images, not learned; what they do was measured on random
samples (seed 7) of HAM10000 whole frames (n = 1,000) and sharper crops (600), ISIC 2017 (600)
and ISIC 2020 (600), and on photographs that are not skin (``not_skin``, and the example
images that come with scikit-learn and scikit-image, 35 in all):

- ``skin_like``: 99.1% of the frames, 99.7% of the crops, 96.7% of ISIC 2017, 95.2% of ISIC 2020;
  of the others 2 of 35, a retina and a star field; none of ``not_skin``.
- any warning: 1.1% of the frames, 0.3% of the crops, 4.3% of ISIC 2017, 6.2% of ISIC 2020.
- blur: 0.2% of the frames; of 200 frames blurred by a Gaussian of 2 (3) pixels at 224, 90%
  (99%); darkness: none, and 94% of 200 frames at three tenths of their brightness.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.image.regions import DARK, GLARE, black_frame, of_channels, shrunk
from lentigo.image.spec import centre_square

SHARPNESS_PX = 224
LAYOUT_PX = 128

MIN_SHARPNESS = 8.0
MAX_OVEREXPOSED = 0.10
MIN_BRIGHTNESS = 60.0
MAX_BLACK_FRAME = 0.35
MAX_BUSYNESS = 88.0
MIN_REDNESS = 2.0


@dataclass(frozen=True)
class Quality:
    """What can be said about a photograph before any network sees it.

    Attributes:
        sharpness: Variance of the Laplacian of the grey central square, shrunk to at most
            ``SHARPNESS_PX`` (what a network sees, never enlarged); falls with blur.
        overexposed_share: Share of pixels burnt out to white, in [0, 1].
        brightness: Median grey level outside the black frame, 0 to 255.
        black_frame_share: Share of the whole frame that is dark and connected to its border
            (the tube of a dermatoscope), in [0, 1].
        busyness: Mean gradient plus twice the spread of colour (CIE a*, b*) of the central
            square at ``LAYOUT_PX``: close-ups of skin are calm, rooms and animals are not.
        redness: Mean of red minus green outside dark pixels; above zero on skin.
    """

    sharpness: float
    overexposed_share: float
    brightness: float
    black_frame_share: float
    busyness: float
    redness: float

    @property
    def skin_like(self) -> bool:
        """Calm enough and reddish enough for a close-up of skin; a hint, not a proof."""
        return self.busyness <= MAX_BUSYNESS and self.redness >= MIN_REDNESS

    @property
    def warnings(self) -> tuple[str, ...]:
        """Plain sentences with advice; empty where nothing is wrong."""
        found = {
            "This does not look like a close-up of skin: the answer means nothing for "
            "anything else.": not self.skin_like,
            "The photo is blurred: hold still, or move away until it is in focus.": (
                self.sharpness < MIN_SHARPNESS
            ),
            "Parts of the photo are burnt out to white: use less light or avoid glare.": (
                self.overexposed_share > MAX_OVEREXPOSED
            ),
            "The photo is too dark: use more light.": self.brightness < MIN_BRIGHTNESS,
            "Much of the photo is black frame: move closer or zoom in.": (
                self.black_frame_share > MAX_BLACK_FRAME
            ),
        }
        return tuple(sentence for sentence, wrong in found.items() if wrong)


def assess(rgb: NDArray[np.uint8]) -> Quality:
    """Measure sharpness, exposure, frame and likeness to skin.

    Args:
        rgb: (H, W, 3) uint8 RGB, the whole photograph, best before any preprocessing; a
            large one may be shrunk to a few hundred pixels first.

    Returns:
        The figures, with ``skin_like`` and ``warnings`` derived from them.
    """
    whole = shrunk(rgb, LAYOUT_PX)
    square = centre_square(rgb)
    frame = black_frame(whole)
    inside = cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY)[~frame]
    is_square = rgb.shape[0] == rgb.shape[1]
    busyness, redness = _layout(whole if is_square else shrunk(square, LAYOUT_PX))
    grey = cv2.cvtColor(shrunk(square, SHARPNESS_PX), cv2.COLOR_RGB2GRAY)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
    burnt = of_channels(whole, cv2.min) >= GLARE
    return Quality(
        sharpness=float(deviation[0, 0] ** 2),
        overexposed_share=float(burnt.mean()),
        brightness=float(np.median(inside)) if inside.size else 0.0,
        black_frame_share=float(frame.mean()),
        busyness=busyness,
        redness=redness,
    )


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
