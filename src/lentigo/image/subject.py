"""What a closer look at a photograph measures: glare, colour, framing, ink.

Asked by ``lentigo quality``, not by ``predict``: it takes twice as long as the rest and needs
a lesion and skin to speak of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.image.quality import LAYOUT_PX
from lentigo.image.regions import (
    DARK,
    black_frame,
    dark_pixels,
    lesion_and_skin,
    of_channels,
    shrunk,
    steepness,
    usable,
)
from lentigo.image.ruler import ruler_regularity

USUAL_AB = (17.0, 9.0)
"""CIE a* and b* of the median skin of 1,800 dermoscopic images of three public sets."""

_SPOT = np.ones((15, 15), np.uint8)
_HAIR = np.ones((9, 9), np.uint8)
_SPECK = np.ones((5, 5), np.uint8)
_CROSS = np.ones((3, 3), np.uint8)
_SPOT_CONTRAST, _SPOT_LEVEL = 45, 200
_EDGE_PX, _SAMPLE_STEP = 2, 4
# JPEG's blocks; and the usual step, in grey levels, below which a ratio would be one of noise.
_BLOCK_PX, _FEWEST_BLOCKS, _LEAST_STEP = 8, 4, 0.05
# Levels that a lesion's outline is looked for at, from this quantile of the pixels.
_LEVELS, _DARKEST = 8, 0.003
# Bluer or greener than the skin around it, and blue or green in itself (CIE a*, b*).
_INK_STEP, _INK_BLUE, _INK_GREEN = 22, -8, -6


@dataclass(frozen=True)
class Subject:
    """What the photograph shows, and in what light.

    Attributes:
        glare_share: Share of pixels in small spots that are much brighter than what
            surrounds them and nearly white, in [0, 1].
        colour_cast: Distance of the median skin colour from ``USUAL_AB`` in the plane of CIE
            a* and b* (ΔE*ab without lightness); 0 where no skin was found.
        lesion_contrast: ΔE*ab between the median colours of the skin and of the darker
            region in the middle.
        lesion_share: Share of the lit pixels that the lesion takes where its outline is
            steepest, once the falloff of light is taken off, in [0, 1].
        lesion_cut_share: Share of its outline that lies at the edge of the picture, in
            [0, 1], once the falloff of light is taken off.
        ink_share: Share of pixels of the colour of ink, stickers and patches outside the
            lesion: blue, violet or green, in [0, 1].
        ruler_regularity: How regular the ticks beside a straight line are, 0 to 1.
        blockiness: How much steeper the steps at one of eight columns, and of eight rows, are
            than at the others, as a ratio: the edges of strongly compressed JPEG blocks. 1 is
            none; a photograph that is shrunk to be judged has none left.
    """

    glare_share: float
    colour_cast: float
    lesion_contrast: float
    lesion_share: float
    lesion_cut_share: float
    ink_share: float
    ruler_regularity: float
    blockiness: float


def study(rgb: NDArray[np.uint8]) -> Subject:
    """Look closer at a photograph.

    Args:
        rgb: As for ``lentigo.image.quality.assess``.
    """
    whole = shrunk(rgb, LAYOUT_PX)
    frame = black_frame(dark_pixels(whole))
    where = usable(whole, frame)
    darker, skin = lesion_and_skin(whole, where)
    glare = _glare(of_channels(whole, cv2.min))
    if not skin.any():
        return Subject(glare, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, _blockiness(rgb))
    lab = cv2.cvtColor(whole, cv2.COLOR_RGB2LAB)
    usual, lesion = _medians(lab[skin]), _middlemost(darker)
    around = ~frame & ~cv2.dilate(lesion.astype(np.uint8), _SPECK).astype(bool)
    return Subject(
        glare_share=glare,
        colour_cast=math.dist(usual[1:], USUAL_AB),
        lesion_contrast=math.dist(usual, _medians(lab[lesion])) if lesion.any() else 0.0,
        lesion_share=_lesion_share(whole, where, skin, frame),
        lesion_cut_share=_cut_share(whole, where, skin) if lesion.any() else 0.0,
        ink_share=_ink(lab, usual, around),
        ruler_regularity=ruler_regularity(rgb),
        blockiness=_blockiness(rgb),
    )


def _blockiness(rgb: NDArray[np.uint8]) -> float:
    """Steps at the edges of blocks of eight pixels against those between, the lesser direction.

    A step counts by how much it is steeper than those beside it, so that slopes do not; where
    the blocks begin is not known, since the photograph may have been cropped.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return min(_steps(grey), _steps(grey.T))


def _steps(grey: NDArray[np.float32]) -> float:
    if grey.shape[1] < _FEWEST_BLOCKS * _BLOCK_PX:
        return 1.0
    slope = np.abs(np.diff(grey, axis=1))
    above = np.maximum(slope[:, 1:-1] - (slope[:, :-2] + slope[:, 2:]) / 2, 0).mean(axis=0)
    by_place = np.array([above[place::_BLOCK_PX].mean() for place in range(_BLOCK_PX)])
    usual = max(float(np.median(by_place)), _LEAST_STEP)
    return max(1.0, float(by_place.max()) / usual)


def _glare(darkest: NDArray[np.uint8]) -> float:
    """Share of small bright spots in the least channel; hairs are closed first.

    Skin seen between dark hairs would be a bright spot else.
    """
    bare = cv2.morphologyEx(darkest, cv2.MORPH_CLOSE, _HAIR)
    spots = cv2.morphologyEx(bare, cv2.MORPH_TOPHAT, _SPOT)
    return float(((spots >= _SPOT_CONTRAST) & (bare >= _SPOT_LEVEL)).mean())


def _medians(lab: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Median L*, a* and b* of pixels (n, 3) as OpenCV packs them into bytes."""
    middle = (len(lab) + 1) // 2
    bytes_ = [
        int(np.searchsorted(np.bincount(lab[:, c], minlength=256).cumsum(), middle))
        for c in range(3)
    ]
    return bytes_[0] * 100 / 255, bytes_[1] - 128.0, bytes_[2] - 128.0


def _middlemost(darker: NDArray[np.bool_], speck: NDArray[np.uint8] = _SPECK) -> NDArray[np.bool_]:
    """The component (H, W) that weighs most when pixels count less towards the edge."""
    opened = cv2.morphologyEx(darker.astype(np.uint8), cv2.MORPH_OPEN, speck)
    count, component = cv2.connectedComponents(opened)
    if count < 2:
        return np.zeros(darker.shape, np.bool_)
    height, width = darker.shape
    down = np.exp(-(((np.arange(height) + 0.5) / height * 2 - 1) ** 2))
    across = np.exp(-(((np.arange(width) + 0.5) / width * 2 - 1) ** 2))
    weight = np.outer(down, across)
    mass = np.bincount(component.ravel(), weight.ravel(), minlength=count)
    return np.asarray(component == 1 + int(mass[1:].argmax()))


def _lesion_share(
    rgb: NDArray[np.uint8],
    where: NDArray[np.bool_],
    skin: NDArray[np.bool_],
    frame: NDArray[np.bool_],
) -> float:
    """Share of the lit pixels that the lesion in the middle takes.

    Where the lesion is small, the darker half of a picture is the skin's own shading with the
    lesion in it. So the level that parts them is looked for from the darkest pixels up to that
    half: it is where the outline is steepest, for its length (the mean slope along it times the
    root of the area), as a blob is found at its own scale (Lindeberg 1998).
    """
    even = _evenly_lit(cv2.GaussianBlur(rgb[..., 2], (5, 5), 0), skin)
    if not where.any():
        return 0.0
    slope = steepness(even)
    half, _ = cv2.threshold(even[where].reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    best, area = -1.0, 0
    for level in np.linspace(np.quantile(even[where], _DARKEST), half, _LEVELS):
        lesion = _middlemost(where & (even <= level))
        if (found := int(lesion.sum())) and found != area:
            outline = lesion & (cv2.erode(lesion.astype(np.uint8), _CROSS) == 0)
            along = float(slope[outline].mean()) if outline.any() else 0.0  # it fills the picture
            strength = along * math.sqrt(found)
            if strength > best:
                best, area = strength, found
    return float(area / max((~frame).sum(), 1))


def _darker(channel: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The darker part of some pixels (H, W), by Otsu's threshold; none of none."""
    if not where.any():
        return where
    threshold, _ = cv2.threshold(channel[where].reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    return np.asarray(where & (channel <= threshold))


def _cut_share(rgb: NDArray[np.uint8], where: NDArray[np.bool_], skin: NDArray[np.bool_]) -> float:
    """Share of the lesion's outline that lies at the edge of the picture.

    The lesion is looked for anew after the light was made even: dark corners would join it
    to the edge else, which they do in one frame in twenty of HAM10000.
    """
    # Every second pixel is enough for an outline, and takes a quarter of the time.
    where, skin = where[::2, ::2], skin[::2, ::2]
    if not skin.any():
        return 0.0
    even = _evenly_lit(cv2.GaussianBlur(rgb[..., 2], (5, 5), 0)[::2, ::2], skin)
    lesion = _middlemost(_darker(even, where), _SPECK[:3, :3])
    inner = cv2.erode(lesion.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    outline = lesion & (inner == 0)
    outline_px = int(outline.sum())
    outline[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX] = False
    return float(outline.sum() / max(outline_px, 1))


def _evenly_lit(channel: NDArray[np.uint8], skin: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The channel less the falloff of light that a smooth surface finds on the skin."""
    height, width = channel.shape
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    square = x**2 + y**2
    terms = [np.broadcast_to(each, channel.shape) for each in (x, y, square, square**2)]
    rows, columns = (each[::_SAMPLE_STEP] for each in np.nonzero(skin))
    sample = np.stack([np.ones(len(rows)), *(each[rows, columns] for each in terms)], axis=1)
    # A little weight on nothing at all keeps the surface flat where skin is scarce.
    normal = sample.T @ sample + 1e-3 * len(rows) * np.eye(5)
    fitted = np.linalg.solve(normal, sample.T @ channel[rows, columns])
    falloff = sum(np.float32(weight) * each for weight, each in zip(fitted[1:], terms, strict=True))
    return np.asarray(np.clip(channel - falloff, 0, 255), dtype=np.uint8)


def _ink(
    lab: NDArray[np.uint8], usual: tuple[float, float, float], where: NDArray[np.bool_]
) -> float:
    """Share of pixels that are blue, violet or green, on skin that is not."""
    light, a, b = cv2.split(lab)
    blue = b < 128 + min(_INK_BLUE, usual[2] - _INK_STEP)
    green = a < 128 + min(_INK_GREEN, usual[1] - _INK_STEP)
    return float(((blue | green) & where & (light > DARK)).mean())
