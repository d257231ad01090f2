"""How light the skin around a lesion is: the individual typology angle, with its limits.

ITA = arctan((L* − 50) / b*) in degrees, of CIELAB under D65 (Chardon 1991). It was made for a
colorimeter held to bare skin. A dermatoscope brings its own light, gel, polarisation and
vignette, and a camera its own white balance, so the angle of a photograph is a rough guess
(Kinyanjui 2020 use it on dermoscopic images with that reserve). What it is worth here was
measured, for want of a ground truth, by its agreement with itself: docs/results.md.

Before the angle is taken, the light's colour is corrected by grey-edge (van de Weijer 2007):
it asks for differences between neighbours to be neutral. Shades of grey and white-patch ask
that of the picture itself, which on a close-up of skin takes the skin for the light and
leaves every patient with the same grey.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.image.regions import lesion_and_skin, shrunk, steepness, usable, without_hair

SIDE_PX = 128
LEAST_SKIN_SHARE = 0.02
"""Less of the picture than this is no sample of skin."""
LEAST_YELLOW = 5.0
"""Skin has b* well above zero; below this the light was not corrected and the angle runs wild."""

BANDS: tuple[tuple[str, float], ...] = (
    ("very light", 55.0),
    ("light", 41.0),
    ("intermediate", 28.0),
    ("tan", 10.0),
    ("brown", -30.0),
    ("dark", -90.0),
)
"""Name and the angle in degrees that a band begins above (Chardon 1991; Del Bino 2006)."""

_SMOOTHING_PX = 2.0


@dataclass(frozen=True)
class SkinTone:
    """What can be said of the skin in one photograph.

    Attributes:
        angle_deg: Individual typology angle, -90 to 90 degrees; None where not to be had.
        skin_share: Share of the picture that was taken for skin, in [0, 1].
        reason: Why there is no angle; empty where there is one.
    """

    angle_deg: float | None
    skin_share: float
    reason: str = ""

    @property
    def band(self) -> str:
        """The band of ``BANDS``, empty where there is no angle."""
        return "" if self.angle_deg is None else band_of(self.angle_deg)


def band_of(angle_deg: float) -> str:
    """The band of ``BANDS`` that an angle in degrees lies in."""
    return next((name for name, above in BANDS if angle_deg > above), BANDS[-1][0])


def typology_angle(rgb: NDArray[np.uint8], skin: NDArray[np.bool_] | None = None) -> SkinTone:
    """Estimate the individual typology angle of the skin around a lesion.

    Args:
        rgb: (H, W, 3) uint8 RGB; best before any colour constancy.
        skin: (H, W) where skin is, for those who know; None looks for it.

    Returns:
        The angle of the median skin colour after grey-edge correction, or why there is none.
    """
    small = shrunk(rgb, SIDE_PX)
    where = usable(small)
    if skin is None:
        _, skin_found = lesion_and_skin(small, where)
        chosen = without_hair(small, skin_found)
    else:
        size = (small.shape[1], small.shape[0])
        nearest = cv2.resize(skin.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        chosen = where & (nearest > 0)
    share = float(chosen.mean())
    if share < LEAST_SKIN_SHARE:
        return SkinTone(None, share, "too little skin was found")
    gains = grey_edge_gains(small, where)
    corrected = np.clip(small[chosen] * (gains / 255), 0, 1).astype(np.float32)
    lab = cv2.cvtColor(corrected[None], cv2.COLOR_RGB2LAB)[0]
    light, _, yellow = (float(value) for value in np.median(lab, axis=0))
    if yellow < LEAST_YELLOW:
        return SkinTone(None, share, "the light has a colour that could not be corrected")
    return SkinTone(math.degrees(math.atan2(light - 50, yellow)), share)


def grey_edge_gains(rgb: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Factors (3,) that make the mean gradient of each channel equal, keeping their mean.

    Args:
        rgb: (H, W, 3) uint8.
        where: (H, W) the pixels that count.

    Returns:
        Ones where there is nothing to go by: a channel without any gradient.

    Source:
        van de Weijer, Gevers & Gijsenij 2007, first order, Minkowski power 1.
    """
    slopes = [steepness(each) for each in cv2.split(cv2.GaussianBlur(rgb, (0, 0), _SMOOTHING_PX))]
    edges = np.array([float(slope[where].mean()) if where.any() else 0.0 for slope in slopes])
    return np.ones(3) if edges.min() <= 0 else edges.mean() / edges
