"""Augmentation as Keras's ``ImageDataGenerator`` understands its ranges.

The same draws, laid down in the same short row of parameters as our own augmentation, so that
papers that name the library get what it did: shear in degrees, brightness as a factor, channel
shift in pixel values, zoom of rows and columns drawn apart (keras.src.legacy.preprocessing).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lentigo.recipe import GeneratorRanges

Numbers = NDArray[np.float64]


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


def _matrix(a: Numbers, b: Numbers, c: Numbers, d: Numbers, e: Numbers, f: Numbers) -> Numbers:
    """(n, 3, 3) with the rows (a, b, c), (d, e, f), (0, 0, 1)."""
    zero, one = np.zeros_like(a), np.ones_like(a)
    rows = [np.stack(row, axis=1) for row in ((a, b, c), (d, e, f), (zero, zero, one))]
    return np.stack(rows, axis=1)
