"""Augmentation as Keras's ``ImageDataGenerator`` understands its ranges.

Its ranges, its draws and its map of the plane, without Keras: training lays them down in the
same short row of parameters as our own augmentation, and preparing draws synthetic images by
them. So papers that name the library get what it did: shear in degrees, brightness as a
factor, channel shift in pixel values, zoom of rows and columns drawn apart
(keras.src.legacy.preprocessing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lentigo.outside import Part

Numbers = NDArray[np.float64]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Fill = Literal["constant", "nearest", "reflect"]

_BORDERS = {
    "constant": cv2.BORDER_CONSTANT,
    "nearest": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
}


class GeneratorRanges(Part):
    """The ranges of Keras's ``ImageDataGenerator``, under its names and in its units.

    ``rotation_range`` and ``shear_range`` in degrees either way, shifts as share of the side,
    ``zoom_range`` z as [1 - z, 1 + z] of rows and columns apart (above 1 shows more),
    ``brightness_range`` as factors, ``channel_shift_range`` in pixel values of 0 to 255.
    """

    rotation_range: Annotated[float, Field(ge=0, le=180)] = 0.0
    width_shift_range: Share = 0.0
    height_shift_range: Share = 0.0
    shear_range: Annotated[float, Field(ge=0, lt=90)] = 0.0
    zoom_range: Annotated[float, Field(ge=0, lt=1)] = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    brightness_range: tuple[NotNegative, NotNegative] | None = None
    channel_shift_range: NotNegative = 0.0

    @property
    def zoom(self) -> tuple[float, float]:
        """Lowest and highest zoom of an axis."""
        return 1 - self.zoom_range, 1 + self.zoom_range

    @model_validator(mode="after")
    def _brightness_rises(self) -> GeneratorRanges:
        if self.brightness_range and self.brightness_range[0] > self.brightness_range[1]:
            raise ValueError(f"brightness_range must rise, not {self.brightness_range}")
        return self


@dataclass(frozen=True)
class GeneratorDraws:
    """What the library draws for n images; each field is (n,), under the library's names.

    Attributes:
        theta: Rotation in degrees.
        tx: Shift in pixels along the first axis of its matrix, from ``height_shift_range``.
        ty: Along the second, from ``width_shift_range``.
        shear: In degrees.
        zx: Zoom along the first axis; above 1 shows more of the image.
        zy: Along the second.
        flip_horizontal: Whether columns are mirrored.
        flip_vertical: Whether rows are.
        channel_shift_intensity: In pixel values, one for all channels.
        brightness: Factor.
    """

    theta: Numbers
    tx: Numbers
    ty: Numbers
    shear: Numbers
    zx: Numbers
    zy: Numbers
    flip_horizontal: NDArray[np.bool_]
    flip_vertical: NDArray[np.bool_]
    channel_shift_intensity: Numbers
    brightness: Numbers


def draw_generator(
    ranges: GeneratorRanges, size: int, count: int, random: np.random.Generator
) -> GeneratorDraws:
    """Draw for ``count`` images of ``size`` pixels a side, uniformly as the library does."""

    def around(reach: float) -> Numbers:
        return random.uniform(-reach, reach, count)

    return GeneratorDraws(
        theta=around(ranges.rotation_range),
        tx=around(ranges.height_shift_range) * size,
        ty=around(ranges.width_shift_range) * size,
        shear=around(ranges.shear_range),
        zx=random.uniform(*ranges.zoom, count),
        zy=random.uniform(*ranges.zoom, count),
        flip_horizontal=(random.random(count) < 0.5) & ranges.horizontal_flip,
        flip_vertical=(random.random(count) < 0.5) & ranges.vertical_flip,
        channel_shift_intensity=around(ranges.channel_shift_range),
        brightness=random.uniform(*(ranges.brightness_range or (1.0, 1.0)), count),
    )


def affine_of(draws: GeneratorDraws, size: int) -> Numbers:
    """Output-to-input map (n, 6): x_in = a0 x + a1 y + a2, likewise b.

    The library multiplies rotation, shift, shear and zoom about the centre, resamples, and
    mirrors last; its first axis ends up as the columns (``apply_affine_transform``).
    """
    angle, shear = np.deg2rad(draws.theta), np.deg2rad(draws.shear)
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    rotation = _matrix(np.cos(angle), -np.sin(angle), zero, np.sin(angle), np.cos(angle), zero)
    shift = _matrix(one, zero, draws.tx, zero, one, draws.ty)
    sheared = _matrix(one, -np.sin(shear), zero, zero, np.cos(shear), zero)
    zoom = _matrix(draws.zx, zero, zero, zero, draws.zy, zero)
    centre = (size - 1) / 2
    there = _matrix(one, zero, one * centre, zero, one, one * centre)
    back = _matrix(one, zero, -one * centre, zero, one, -one * centre)
    mirror = _matrix(
        np.where(draws.flip_horizontal, -1.0, 1.0),
        zero,
        np.where(draws.flip_horizontal, size - 1.0, 0.0),
        zero,
        np.where(draws.flip_vertical, -1.0, 1.0),
        np.where(draws.flip_vertical, size - 1.0, 0.0),
    )
    whole = there @ rotation @ shift @ sheared @ zoom @ back @ mirror
    return np.asarray(whole[:, :2].reshape(len(angle), 6))


def generated(
    image: NDArray[np.uint8], ranges: GeneratorRanges, fill: Fill, key: tuple[int, ...]
) -> NDArray[np.uint8]:
    """One image as the library would have drawn it, a function of ``image`` and ``key``.

    Args:
        image: (S, S, 3) uint8.
        ranges: What is drawn from.
        fill: What lies beyond the image's border.
        key: Seeds the draw.

    Returns:
        (S, S, 3) uint8.
    """
    size = image.shape[0]
    draws = draw_generator(ranges, size, 1, np.random.default_rng(key))
    pixels = cv2.warpAffine(
        image.astype(np.float32),
        affine_of(draws, size).reshape(2, 3),
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=_BORDERS[fill],
    )
    if ranges.channel_shift_range:  # within the image's own range, as the library does
        lowest, highest = pixels.min(), pixels.max()
        pixels = (pixels + draws.channel_shift_intensity[0]).clip(lowest, highest)
    if ranges.brightness_range is not None:
        pixels = pixels * draws.brightness[0]
    return np.asarray(np.rint(pixels.clip(0, 255)), np.uint8)


def _matrix(a: Numbers, b: Numbers, c: Numbers, d: Numbers, e: Numbers, f: Numbers) -> Numbers:
    """(n, 3, 3) with the rows (a, b, c), (d, e, f), (0, 0, 1)."""
    zero, one = np.zeros_like(a), np.ones_like(a)
    rows = [np.stack(row, axis=1) for row in ((a, b, c), (d, e, f), (zero, zero, one))]
    return np.stack(rows, axis=1)
