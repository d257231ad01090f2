"""Augmentation as torchvision's transforms understand their ranges.

What papers that name PyTorch do: ``RandomHorizontalFlip``, ``RandomVerticalFlip``,
``RandomAffine`` (or ``RandomRotation``, which is its first range alone) and ``ColorJitter``, in
this order. Their ranges, draws and map of the plane, without PyTorch: brightness is a factor
towards black, contrast one towards the image's mean grey, saturation one towards each pixel's
grey, in an order that is drawn for each image (torchvision.transforms, version 0.20).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lentigo.outside import Part

Numbers = NDArray[np.float64]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Jitter = NotNegative | tuple[NotNegative, NotNegative]

BRIGHTNESS, CONTRAST, SATURATION = range(3)


class TorchvisionRanges(Part):
    """The ranges of torchvision's transforms, under their names and in their units.

    ``degrees`` and ``shear`` (along the rows) in degrees either way, ``translate`` as share of
    width and height (whole pixels are drawn), ``scale`` as factors of magnification, flips as
    probabilities. ``brightness``, ``contrast`` and ``saturation`` are a number b for factors in
    [max(0, 1 - b), 1 + b], or two factors. ``ColorJitter``'s hue is not among them.
    """

    horizontal_flip: Share = 0.0
    vertical_flip: Share = 0.0
    degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    translate: tuple[Share, Share] = (0.0, 0.0)
    scale: tuple[Positive, Positive] = (1.0, 1.0)
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0
    brightness: Jitter = 0.0
    contrast: Jitter = 0.0
    saturation: Jitter = 0.0

    @model_validator(mode="after")
    def _ranges_rise(self) -> TorchvisionRanges:
        for name in ("scale", "brightness", "contrast", "saturation"):
            low, high = _factors(getattr(self, name))
            if low > high:
                raise ValueError(f"{name} must rise, not {low} to {high}")
        return self

    @property
    def factors(self) -> tuple[tuple[float, float], ...]:
        """Of brightness, contrast and saturation, lowest and highest each."""
        return tuple(_factors(each) for each in (self.brightness, self.contrast, self.saturation))

    @property
    def moves(self) -> bool:
        """Whether pixels change their places."""
        plain = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
        return self.model_copy(update=plain) != TorchvisionRanges()

    @property
    def colours(self) -> bool:
        """Whether pixels change their values."""
        return any(each != (1.0, 1.0) for each in self.factors)


def _factors(given: Jitter) -> tuple[float, float]:
    if isinstance(given, tuple):
        return given
    return max(0.0, 1.0 - given), 1.0 + given


@dataclass(frozen=True)
class TorchvisionDraws:
    """What the transforms draw for n images; fields are (n,) but for the last two.

    Attributes:
        mirror_x: Whether columns are mirrored.
        mirror_y: Whether rows are.
        angle: Rotation in degrees, clockwise.
        translate_x: In whole pixels.
        translate_y: In whole pixels.
        scale: Magnification.
        shear_x: In degrees.
        order: (n, 3), which of ``BRIGHTNESS``, ``CONTRAST``, ``SATURATION`` comes when.
        factor: (n, 3), by the number of the change.
    """

    mirror_x: NDArray[np.bool_]
    mirror_y: NDArray[np.bool_]
    angle: Numbers
    translate_x: Numbers
    translate_y: Numbers
    scale: Numbers
    shear_x: Numbers
    order: NDArray[np.int64]
    factor: Numbers


def draw_torchvision(
    ranges: TorchvisionRanges, size: int, count: int, random: np.random.Generator
) -> TorchvisionDraws:
    """Draw for ``count`` images of ``size`` pixels a side, uniformly as the transforms do."""

    def around(reach: float) -> Numbers:
        return random.uniform(-reach, reach, count)

    return TorchvisionDraws(
        mirror_x=random.random(count) < ranges.horizontal_flip,
        mirror_y=random.random(count) < ranges.vertical_flip,
        angle=around(ranges.degrees),
        translate_x=np.rint(around(ranges.translate[0] * size)),
        translate_y=np.rint(around(ranges.translate[1] * size)),
        scale=random.uniform(*ranges.scale, count),
        shear_x=around(ranges.shear),
        order=random.permuted(np.tile(np.arange(3), (count, 1)), axis=1),
        factor=np.stack([random.uniform(*each, count) for each in ranges.factors], axis=1),
    )


def torchvision_affine(draws: TorchvisionDraws, size: int) -> Numbers:
    """Output-to-input map (n, 6): x_in = a0 x + a1 y + a2, likewise b.

    Mirrored first, then sheared, magnified, turned about the centre and shifted
    (``_get_inverse_affine_matrix``; its centre is (size - 1) / 2 in indices of pixels).
    """
    turn, shear = np.deg2rad(draws.angle), np.deg2rad(draws.shear_x)
    # Rows of the inverse of scale * rotation @ [[1, -tan(shear)], [0, 1]].
    a0 = (np.cos(turn) - np.sin(turn) * np.tan(shear)) / draws.scale
    a1 = (np.sin(turn) + np.cos(turn) * np.tan(shear)) / draws.scale
    b0, b1 = -np.sin(turn) / draws.scale, np.cos(turn) / draws.scale
    centre = (size - 1) / 2
    x, y = centre + draws.translate_x, centre + draws.translate_y
    a2, b2 = centre - a0 * x - a1 * y, centre - b0 * x - b1 * y
    columns = np.stack([a0, a1, a2], axis=1)
    rows = np.stack([b0, b1, b2], axis=1)
    end = np.array([0.0, 0.0, size - 1.0])
    columns = np.where(draws.mirror_x[:, None], end - columns, columns)
    rows = np.where(draws.mirror_y[:, None], end - rows, rows)
    return np.concatenate([columns, rows], axis=1)
