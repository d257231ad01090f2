"""Colour constancy and greyscale."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field


class ColourConstancy(BaseModel):
    """Shades of grey.

    Attributes:
        power: Order of the Minkowski mean, 1 to 100: 1 is grey-world, large values approach
            white-patch; 6 is what Finlayson & Trezzi (2004) found best.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    power: float = Field(default=6.0, ge=1, le=100)


def shades_of_grey(rgb: NDArray[np.uint8], how: ColourConstancy) -> NDArray[np.uint8]:
    """Scale each channel so that the estimated illuminant becomes neutral.

    The illuminant is the Minkowski mean of each channel, e_c = mean(I_c^p)^(1/p), scaled to
    unit length; each channel is divided by sqrt(3) e_c, rounded and clipped to 255. A
    channel that is zero everywhere stays zero.

    Args:
        rgb: (H, W, 3) uint8.
        how: The power p.

    Returns:
        (H, W, 3) uint8, a new array.

    Source:
        Finlayson & Trezzi 2004, "Shades of gray and colour constancy".
    """
    levels = np.arange(256, dtype=np.float64)
    # Means over 256 levels, not over pixels: exact, and the same on every machine.
    weights = (levels / 255) ** how.power
    counts = np.stack([np.bincount(rgb[..., c].ravel(), minlength=256) for c in range(3)])
    illuminant = (counts @ weights / counts.sum(axis=1)) ** (1 / how.power)
    seen = illuminant > 0
    gain = np.ones(3)
    gain[seen] = np.linalg.norm(illuminant) / (np.sqrt(3) * illuminant[seen])
    table = np.clip(np.rint(levels[:, None] * gain), 0, 255).astype(np.uint8)
    return np.stack([table[rgb[..., c], c] for c in range(3)], axis=-1)


def to_greyscale(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma (ITU-R BT.601) in all three channels.

    Args:
        rgb: (H, W, 3) uint8.

    Returns:
        (H, W, 3) uint8 with equal channels.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
