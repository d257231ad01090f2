"""Hand-crafted descriptors of a whole image: shape, texture and colour.

- ``hu``: the 7 moment invariants of the grey image (Hu 1962; OpenCV's ``HuMoments``).
- ``haralick``: 13 texture features of the grey-level co-occurrence matrix of neighbouring
  pixels (Haralick 1973), symmetric, each the mean over the four directions. They are those of
  ``mahotas.features.haralick(grey, return_mean=True)``, to rounding; here without visiting
  the empty cells of the matrix, which are most of them.
- ``histogram``: the share of pixels in each cell of a grid over hue, saturation and value.

The trio is what sun2023 names ("Hu Moments, Haralick features, Color Histogram"), without
saying more; it is that of many tutorials, whose 8 bins an axis are the default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lentigo.outside import Part

Floats = NDArray[np.float64]
_TINY = float(np.finfo(np.float64).tiny)

HARALICK = (
    "angular_second_moment",
    "contrast",
    "correlation",
    "variance",
    "inverse_difference_moment",
    "sum_average",
    "sum_variance",
    "sum_entropy",
    "entropy",
    "difference_variance",
    "difference_entropy",
    "information_1",
    "information_2",
)


class Descriptors(Part):
    """Which hand-crafted features of an image, and how fine.

    ``hu`` are 7 moment invariants of the grey image, ``haralick`` 13 features of its texture
    (mean over four directions), ``histogram_bins`` to the third power shares of pixels by hue,
    saturation and value (0: none). ``grey_levels`` is a power of two: below 256 the grey image
    is coarsened before its texture is measured, which is another feature, not a faster way to
    the same one.
    """

    hu: bool = True
    haralick: bool = True
    histogram_bins: int = Field(default=8, ge=0, le=16)
    grey_levels: int = Field(default=256, ge=2, le=256)

    @field_validator("grey_levels")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError(f"grey_levels must be a power of two, not {value}")
        return value

    @property
    def names(self) -> tuple[str, ...]:
        """(d,) what each feature is called, in the order of the vector."""
        found = [f"hu.{place}" for place in range(1, 8)] if self.hu else []
        found += [f"haralick.{name}" for name in HARALICK] if self.haralick else []
        cells = np.ndindex((self.histogram_bins,) * 3)
        found += [f"histogram.{h}.{s}.{v}" for h, s, v in cells]
        return tuple(found)


def describe_image(rgb: NDArray[np.uint8], which: Descriptors) -> Floats:
    """The features of one image.

    Args:
        rgb: (H, W, 3) uint8.
        which: What is wanted.

    Returns:
        (d,) in the order of ``which.names``.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    parts: list[Floats] = []
    if which.hu:
        parts.append(cv2.HuMoments(cv2.moments(grey)).ravel())
    if which.haralick:
        shift = 8 - which.grey_levels.bit_length() + 1
        parts.append(haralick(grey >> shift if shift else grey))
    if which.histogram_bins:
        parts.append(_histogram(rgb, which.histogram_bins))
    return np.concatenate(parts) if parts else np.zeros(0)


def describe_batch(images: NDArray[np.uint8], which: Descriptors) -> Floats:
    """The features of some images (n, H, W, 3) uint8, (n, d)."""
    found = [describe_image(each, which) for each in images]
    return np.array(found).reshape(len(images), len(which.names))


def haralick(grey: NDArray[np.uint8]) -> Floats:
    """The 13 texture features (Haralick 1973) of a grey image, mean over four directions.

    As mahotas has them: logarithms to base 2, pairs counted both ways, sum variance about the
    sum average, and difference variance taken over the shares of the differences from 0 to the
    brightest grey level of the image.

    Args:
        grey: (H, W) uint8, both sides at least 2.

    Returns:
        (13,) in the order of `HARALICK`.
    """
    p = _count(grey)
    levels = np.arange(p.marginal.shape[1])
    totals = np.arange(p.sums.shape[1])
    mean, sum_average = p.marginal @ levels, p.sums @ totals
    variance, contrast = p.marginal @ levels**2 - mean**2, p.differences @ levels**2
    covariance = (p.sums @ totals**2 - contrast) / 4 - mean**2
    own = _entropy(p.marginal)
    # Both of Haralick's cross entropies are that of two independent marginals: of the cells
    # because a marginal sums them up, of the product because a logarithm does.
    apart = 2 * own
    features = (
        p.second_moment,
        contrast,
        np.where(variance > 0, covariance / np.where(variance > 0, variance, 1), 1),
        variance,
        p.differences @ (1 / (1 + levels**2)),
        sum_average,
        p.sums @ totals**2 - sum_average**2,
        _entropy(p.sums),
        p.entropy,
        p.differences.var(axis=1),
        _entropy(p.differences),
        (p.entropy - apart) / np.where(own > 0, own, 1),
        np.sqrt(np.maximum(0, 1 - np.exp(-2 * (apart - p.entropy)))),
    )
    return np.asarray(np.mean(features, axis=1))


@dataclass(frozen=True)
class _Pairs:
    """What is needed of the co-occurrence matrix of L grey levels in each of 4 directions.

    Attributes:
        marginal: (4, L) share of each level.
        sums: (4, 2 L) share of pairs by their sum.
        differences: (4, L) share of pairs by their absolute difference.
        second_moment: (4,) sum of the squared shares of the cells.
        entropy: (4,) of the cells, in bits.
    """

    marginal: Floats
    sums: Floats
    differences: Floats
    second_moment: Floats
    entropy: Floats


def _count(grey: NDArray[np.uint8]) -> _Pairs:
    darkest, levels = int(grey.min()), int(grey.max()) + 1
    span = levels - darkest
    found = _neighbours(grey - np.uint8(darkest), span)
    flat = found.ravel()
    cells = np.flatnonzero(flat > 0)
    pairs = flat[cells].astype(np.float64)
    begin = np.searchsorted(cells, np.arange(4) * span**2)
    direction = np.repeat(np.arange(4), np.append(begin[1:], len(cells)) - begin)
    # Dividing 16-bit numbers, which the places in a 256 by 256 table are, costs a fraction.
    cell = (cells - direction * span**2).astype(np.uint16)
    low = cell // np.uint16(span)
    high = cell - low * np.uint16(span)
    pixels = np.add.reduceat(pairs, begin)
    marginal, sums = np.zeros((4, levels)), np.zeros((4, 2 * levels))
    differences = np.zeros((4, levels))
    marginal[:, darkest:] = (found.sum(axis=1) + found.sum(axis=2)) / (2 * pixels[:, None])
    sums[:, 2 * darkest : -1] = _binned(direction, low + high, pairs, 2 * span - 1)
    differences[:, :span] = _binned(direction, high - low, pairs, span)
    sums /= pixels[:, None]
    differences /= pixels[:, None]
    # A pair counts in both orders: with half its share in two cells of the matrix, or whole in
    # one where both levels are the same. So every sum over cells is one over counts.
    equal = np.einsum("kii->ki", found).astype(np.float64)
    squares = np.add.reduceat(pairs**2, begin) + (equal**2).sum(axis=1)
    bits = np.add.reduceat(pairs * np.log2(pairs), begin)
    return _Pairs(
        marginal,
        sums,
        differences,
        second_moment=squares / (2 * pixels**2),
        entropy=np.log2(pixels) - (bits - pixels + equal.sum(axis=1)) / pixels,
    )


def _neighbours(grey: NDArray[np.uint8], span: int) -> NDArray[np.float32]:
    """How often a darker and a brighter level are neighbours, (4 directions, span, span).

    Counted as the darker and the brighter of two, half the cells say the same as all.
    """
    pairs = (
        (grey[:, :-1], grey[:, 1:]),
        (grey[:-1, :-1], grey[1:, 1:]),
        (grey[:-1], grey[1:]),
        (grey[:-1, 1:], grey[1:, :-1]),
    )
    found = np.empty((4, span, span), np.float32)  # exact below 2 ** 24 pixels
    ends = [0, span, 0, span]
    for place, (a, b) in zip(found, pairs, strict=True):
        sides = [cv2.min(a, b), cv2.max(a, b)]
        cv2.calcHist(sides, [0, 1], None, [span, span], ends, hist=place)
    return found


def _binned(
    direction: NDArray[np.int64], value: NDArray[np.integer[Any]], weight: Floats, length: int
) -> Floats:
    """The weights of each value of each direction, (4, length)."""
    flat = np.bincount(direction * length + value, weight, 4 * length)
    return np.asarray(flat, np.float64).reshape(4, length)


def _entropy(share: Floats) -> Floats:
    """In bits, of each row."""
    # Nothing times the logarithm of next to nothing is nothing, as it must be.
    return np.asarray(-(share * np.log2(np.maximum(share, _TINY))).sum(axis=1))


def _histogram(rgb: NDArray[np.uint8], bins: int) -> Floats:
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    # OpenCV's hue of 8-bit images ends at 180.
    ranges = [0, 180, 0, 256, 0, 256]
    found = cv2.calcHist([hsv], [0, 1, 2], None, [bins] * 3, ranges)
    pixels = rgb.shape[0] * rgb.shape[1]
    return np.asarray(found.ravel() / pixels, np.float64)
