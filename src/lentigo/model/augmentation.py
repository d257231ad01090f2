"""Augmentation as one affine resampling and one colour map an image.

What is random is drawn on the host, as a function of (seed, epoch, position), into a short
row of parameters an image; what is heavy runs in Keras operations on the accelerator and
has no state. So an epoch can be repeated exactly, on any backend, after any interruption.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.image.generator import GeneratorRanges, affine_of, draw_generator
from lentigo.image.torchvision import (
    BRIGHTNESS,
    SATURATION,
    TorchvisionRanges,
    draw_torchvision,
    torchvision_affine,
)
from lentigo.recipe import Augmentation

AFFINE = 8
"""Projective coefficients an image; the last two stay 0."""

CONTRAST = AFFINE + 9 + 3
SHARE = CONTRAST + 1
"""Where the share of the image itself stands, the rest being another's (MixUp, CutMix)."""

SHARPNESS = SHARE + 1
"""0 is blurred, 1 as it is, 2 sharpened by as much."""

FRAME = SHARPNESS + 1
"""Where a black frame begins: centre x and y, radius, width of its edge; shares of the side."""

BOX = FRAME + 4
"""What another image covers (CutMix): first and last x, first and last y, in whole pixels."""

PARAMETERS = BOX + 4
"""Affine 8, colours 3 x 3, offset 3, contrast, share, sharpness 1 each, frame 4, box 4."""

_UNIFORMS = 14
_NO_FRAME = (0.5, 0.5, 2.0, 0.01)
# The binomial of 5: close to a Gaussian of one pixel.
_BLUR = np.array([1, 4, 6, 4, 1], np.float32) / 16
# Rec. 601 luma and the YIQ chroma plane, in which hue is a rotation.
_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


def draw_parameters(
    augmentation: Augmentation, size: int, count: int, key: tuple[int, ...]
) -> NDArray[np.float32]:
    """The random parameters of ``count`` images, float32 (count, PARAMETERS).

    Args:
        augmentation: The ranges.
        size: Side of the images in pixels.
        count: How many.
        key: What the draw is a function of, such as (seed, epoch).
    """
    random = np.random.default_rng(key)
    if augmentation.image_data_generator is not None:
        parameters = _generator_parameters(augmentation, size, count, random)
    elif augmentation.torchvision is not None:
        parameters = _torchvision_parameters(augmentation, size, count, random)
    else:
        parameters = _own_parameters(augmentation, size, count, random)
    _cut(parameters, augmentation, size, random)
    return parameters.astype(np.float32)


def _blank(count: int) -> NDArray[np.float64]:
    """Parameters (count, PARAMETERS) that neither blur, frame nor cut; the rest is to be set."""
    parameters = np.zeros((count, PARAMETERS))
    parameters[:, SHARPNESS] = 1
    parameters[:, FRAME:BOX] = _NO_FRAME
    return parameters


def _own_parameters(
    augmentation: Augmentation, size: int, count: int, random: np.random.Generator
) -> NDArray[np.float64]:
    draws = random.random((count, _UNIFORMS))
    parameters = _blank(count)
    parameters[:, :6] = _affine(augmentation, size, draws[:, :8])
    parameters[:, AFFINE : AFFINE + 9] = _colour_matrix(augmentation, draws[:, 8:10])
    offset = _around(draws[:, 10:13], augmentation.channel_shift) * 255
    parameters[:, AFFINE + 9 : AFFINE + 12] = offset + _brightness(augmentation, draws[:, 7:8])
    parameters[:, CONTRAST] = _between(draws[:, 13], augmentation.contrast)
    parameters[:, SHARE] = _shares(augmentation, count, random)
    # Last, so that recipes without them draw what they drew before they existed.
    parameters[:, SHARPNESS] = _between(random.random(count), augmentation.sharpness)
    gains = np.exp(_around(random.random((count, 3)), augmentation.white_balance))
    matrix = parameters[:, AFFINE : AFFINE + 9].reshape(-1, 3, 3) * gains[:, None]
    parameters[:, AFFINE : AFFINE + 9] = matrix.reshape(-1, 9)
    parameters[:, FRAME:BOX] = _frames(augmentation.frame, random.random((count, 5)))
    return parameters


def _generator_parameters(
    augmentation: Augmentation, size: int, count: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """As `draw_parameters`: offset is the channel shift, contrast the factor of brightness."""
    assert augmentation.image_data_generator is not None
    draws = draw_generator(augmentation.image_data_generator, size, count, random)
    parameters = _blank(count)
    parameters[:, :6] = affine_of(draws, size)
    parameters[:, AFFINE + 9 : AFFINE + 12] = draws.channel_shift_intensity[:, None]
    parameters[:, CONTRAST] = draws.brightness
    parameters[:, SHARE] = _shares(augmentation, count, random)
    return parameters


def _torchvision_parameters(
    augmentation: Augmentation, size: int, count: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """As `draw_parameters`: in place of colours which change comes when, and three factors."""
    assert augmentation.torchvision is not None
    draws = draw_torchvision(augmentation.torchvision, size, count, random)
    parameters = _blank(count)
    parameters[:, :6] = torchvision_affine(draws, size)
    parameters[:, AFFINE : AFFINE + 3] = draws.order
    parameters[:, AFFINE + 3 : AFFINE + 6] = draws.factor
    parameters[:, SHARE] = _shares(augmentation, count, random)
    return parameters


def _shares(
    augmentation: Augmentation, count: int, random: np.random.Generator
) -> NDArray[np.float64]:
    """Of the image itself under MixUp, (count,): 1 without it."""
    if not augmentation.mixup:
        return np.ones(count)
    share = random.beta(augmentation.mixup, augmentation.mixup, count)
    return np.maximum(share, 1 - share)


def _cut(
    parameters: NDArray[np.float64],
    augmentation: Augmentation,
    size: int,
    random: np.random.Generator,
) -> None:
    """Boxes of CutMix (Yun 2019, eq. 2) and the share that they leave; nothing without it."""
    if not augmentation.cutmix:
        return
    count = len(parameters)
    side = size * np.sqrt(1 - random.beta(augmentation.cutmix, augmentation.cutmix, count))
    centre = random.random((count, 2)) * size
    # What sticks out is cut off, so the share is that of the box as it is.
    first = np.rint(np.clip(centre - side[:, None] / 2, 0, size))
    last = np.rint(np.clip(centre + side[:, None] / 2, 0, size))
    parameters[:, BOX::2], parameters[:, BOX + 1 :: 2] = first, last
    parameters[:, SHARE] = 1 - np.prod(last - first, axis=1) / size**2


def _around(draws: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    return (2 * draws - 1) * reach


def _between(draws: NDArray[np.float64], limits: tuple[float, float]) -> NDArray[np.float64]:
    return limits[0] + draws * (limits[1] - limits[0])


def _frames(share: float, draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre, radius and edge (n, 4) of frames, one too wide to be seen outside ``share``."""
    frames = np.empty((len(draws), 4))
    frames[:, :2] = 0.5 + _around(draws[:, 1:3], 0.05)
    frames[:, 2] = _between(draws[:, 3], (0.36, 0.6))
    frames[:, 3] = _between(draws[:, 4], (0.01, 0.12))
    frames[draws[:, 0] >= share] = _NO_FRAME
    return frames


def _brightness(augmentation: Augmentation, draws: NDArray[np.float64]) -> NDArray[np.float64]:
    return _around(draws, augmentation.brightness) * 255


def _affine(
    augmentation: Augmentation, size: int, draws: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Output-to-input map about the image centre: x_in = a0 x + a1 y + a2, likewise b."""
    angle = _around(draws[:, 0], np.deg2rad(augmentation.rotation_deg))
    zoom = np.exp(_between(draws[:, 1], tuple(np.log(augmentation.zoom))))
    shear = _around(draws[:, 2], augmentation.shear)
    shift = _around(draws[:, 3:5], augmentation.shift) * size
    mirror_x = np.where(augmentation.flip_horizontal & (draws[:, 5] < 0.5), -1.0, 1.0)
    mirror_y = np.where(augmentation.flip_vertical & (draws[:, 6] < 0.5), -1.0, 1.0)
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    a0, a1 = cos * mirror_x, (cos * shear - sin) * mirror_y
    b0, b1 = sin * mirror_x, (sin * shear + cos) * mirror_y
    centre = (size - 1) / 2
    a2 = centre - (a0 + a1) * centre + shift[:, 0]
    b2 = centre - (b0 + b1) * centre + shift[:, 1]
    return np.stack([a0, a1, a2, b0, b1, b2], axis=1)


def _colour_matrix(augmentation: Augmentation, draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Saturation and hue as one matrix an image, flattened (n, 9), for row vectors."""
    scale = _between(draws[:, 0], augmentation.saturation)
    turn = _around(draws[:, 1], augmentation.hue) * 2 * np.pi
    chroma = np.zeros((len(draws), 3, 3))
    chroma[:, 0, 0] = 1
    chroma[:, 1, 1] = chroma[:, 2, 2] = scale * np.cos(turn)
    chroma[:, 1, 2] = -scale * np.sin(turn)
    chroma[:, 2, 1] = scale * np.sin(turn)
    matrix: NDArray[np.float64] = _FROM_YIQ @ chroma @ _TO_YIQ
    return np.swapaxes(matrix, 1, 2).reshape(len(draws), 9)


@keras.saving.register_keras_serializable(package="lentigo")
class Augment(keras.layers.Layer):
    """Applies drawn parameters: images (B, S, S, 3) in [0, 255] stay in that range."""

    def __init__(self, augmentation: Augmentation | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.augmentation = Augmentation.model_validate(augmentation)

    def call(self, images: Any, parameters: Any) -> Any:
        """Augment ``images`` by ``parameters`` (B, PARAMETERS)."""
        ops = keras.ops
        images = ops.cast(images, "float32")
        if self._moves:
            images = ops.image.affine_transform(
                images,
                parameters[:, :AFFINE],
                interpolation="bilinear",
                fill_mode=self.augmentation.fill,
                fill_value=self.augmentation.fill_value,
            )
        if self.augmentation.sharpness != (1.0, 1.0):
            sharpness = ops.reshape(parameters[:, SHARPNESS], (-1, 1, 1, 1))
            images = ops.clip(images + (sharpness - 1) * (images - _blurred(images)), 0.0, 255.0)
        if self.augmentation.image_data_generator is not None:
            images = _as_generator(images, parameters, self.augmentation.image_data_generator)
        elif self.augmentation.torchvision is not None:
            images = _as_torchvision(images, parameters, self.augmentation.torchvision)
        elif self._colours:
            images = self._coloured(images, parameters)
        if self.augmentation.frame:
            images = _framed(images, parameters[:, FRAME:BOX])
        if self.augmentation.mixup:
            share = ops.reshape(parameters[:, SHARE], (-1, 1, 1, 1))
            images = share * images + (1 - share) * ops.roll(images, 1, axis=0)
        if self.augmentation.cutmix:
            inside = _boxes(images.shape[1], parameters[:, BOX:])
            images = ops.where(inside, ops.roll(images, 1, axis=0), images)
        return images

    def _coloured(self, images: Any, parameters: Any) -> Any:
        ops = keras.ops
        matrix = ops.reshape(parameters[:, AFFINE : AFFINE + 9], (-1, 3, 3))
        offset = ops.expand_dims(parameters[:, AFFINE + 9 : AFFINE + 12], 1)
        contrast = ops.reshape(parameters[:, CONTRAST], (-1, 1, 1))
        size = images.shape[1]
        pixels = ops.reshape(images, (-1, size * size, 3))
        # Contrast turns about the image's mean; all steps are linear, so one map does them.
        mean = ops.mean(pixels, axis=1, keepdims=True)
        offset = offset + (1 - contrast) * ops.matmul(mean, matrix)
        pixels = ops.matmul(pixels, contrast * matrix) + offset
        return ops.reshape(ops.clip(pixels, 0.0, 255.0), (-1, size, size, 3))

    @property
    def _moves(self) -> bool:
        a = self.augmentation
        if a.image_data_generator is not None:
            colours = {"brightness_range": None, "channel_shift_range": 0.0}
            return a.image_data_generator.model_copy(update=colours) != GeneratorRanges()
        if a.torchvision is not None:
            return a.torchvision.moves
        flips = a.flip_horizontal or a.flip_vertical
        return bool(a.rotation_deg or a.shift or a.shear or a.zoom != (1.0, 1.0) or flips)

    @property
    def _colours(self) -> bool:
        a = self.augmentation
        factors = a.contrast != (1.0, 1.0) or a.saturation != (1.0, 1.0) or a.white_balance
        return bool(a.brightness or a.hue or a.channel_shift or factors)

    def compute_output_shape(self, images_shape: Any, *_: Any) -> Any:
        """As the images."""
        return images_shape

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "augmentation": self.augmentation.model_dump()}


def _as_generator(images: Any, parameters: Any, ranges: GeneratorRanges) -> Any:
    """Channel shift inside each image's own range, then brightness, as the library does."""
    ops = keras.ops
    if ranges.channel_shift_range:
        shift = ops.reshape(parameters[:, AFFINE + 9], (-1, 1, 1, 1))
        lowest = ops.min(images, axis=(1, 2, 3), keepdims=True)
        highest = ops.max(images, axis=(1, 2, 3), keepdims=True)
        images = ops.minimum(ops.maximum(images + shift, lowest), highest)
    if ranges.brightness_range is not None:
        images = ops.clip(images * ops.reshape(parameters[:, CONTRAST], (-1, 1, 1, 1)), 0.0, 255.0)
    return images


def _as_torchvision(images: Any, parameters: Any, ranges: TorchvisionRanges) -> Any:
    """``ColorJitter``: a factor away from black, mean grey or each pixel's grey, in turn."""
    if not ranges.colours:
        return images
    ops = keras.ops
    shape = (-1, 1, 1, 1)
    for place in range(3):
        change = ops.reshape(parameters[:, AFFINE + place], shape)
        grey = ops.sum(images * _TO_YIQ[0].astype(np.float32), axis=-1, keepdims=True)
        mean = ops.mean(grey, axis=(1, 2), keepdims=True)
        target = ops.where(change == SATURATION, grey, ops.where(change == BRIGHTNESS, 0.0, mean))
        kinds = ops.cast(parameters[:, AFFINE + place], "int32")
        factors = parameters[:, AFFINE + 3 : AFFINE + 6]
        factor = ops.sum(factors * ops.one_hot(kinds, 3), axis=1)
        factor = ops.reshape(factor, shape)
        images = ops.clip(factor * images + (1 - factor) * target, 0.0, 255.0)
    return images


def _framed(images: Any, frames: Any) -> Any:
    """Images (B, S, S, 3), black outside a circle each (B, 4)."""
    ops = keras.ops
    places = (np.arange(images.shape[1], dtype=np.float32) + 0.5) / images.shape[1]
    x, y, radius, edge = (ops.reshape(frames[:, i], (-1, 1, 1, 1)) for i in range(4))
    distance = ops.sqrt(
        (places.reshape(1, 1, -1, 1) - x) ** 2 + (places.reshape(1, -1, 1, 1) - y) ** 2
    )
    return images * ops.clip((radius - distance) / edge, 0.0, 1.0)


def _boxes(size: int, boxes: Any) -> Any:
    """Where pixels (B, S, S, 1) lie inside a box each (B, 4)."""
    ops = keras.ops
    pixels = np.arange(size, dtype=np.float32)
    x, y = pixels.reshape(1, 1, -1, 1), pixels.reshape(1, -1, 1, 1)
    left, right, top, bottom = (ops.reshape(boxes[:, i], (-1, 1, 1, 1)) for i in range(4))
    across = ops.logical_and(x >= left, x < right)
    return ops.logical_and(across, ops.logical_and(y >= top, y < bottom))


def _blurred(images: Any) -> Any:
    """Images (B, S, S, 3) under a binomial of 5 x 5, mirrored at their borders."""
    ops = keras.ops
    edge = len(_BLUR) // 2
    images = ops.pad(images, [[0, 0], [edge, edge], [edge, edge], [0, 0]], mode="reflect")
    for shape in ((-1, 1, 1, 1), (1, -1, 1, 1)):
        kernel = np.repeat(_BLUR.reshape(shape), 3, axis=2)
        images = ops.depthwise_conv(images, kernel, padding="valid")
    return images


def mix(values: NDArray[np.float32], share: NDArray[np.float32]) -> NDArray[np.float32]:
    """What MixUp or CutMix makes of a batch's values (B, ...), by ``share`` (B,) of each's own.

    Every image is mixed with the one before it, the first with the last (Zhang 2018).
    """
    share = share.reshape(-1, *(1 for _ in values.shape[1:]))
    return share * values + (1 - share) * np.roll(values, 1, axis=0)


def augment(
    images: NDArray[np.uint8], augmentation: Augmentation, key: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Augmented copies of ``images`` (n, S, S, 3) uint8, for looking at them; not mixed."""
    augmentation = augmentation.model_copy(update={"mixup": 0.0, "cutmix": 0.0})
    parameters = draw_parameters(augmentation, images.shape[1], len(images), key)
    augmented = Augment(augmentation)(images.astype(np.float32), parameters)
    rounded: NDArray[np.uint8] = np.rint(keras.ops.convert_to_numpy(augmented)).astype(np.uint8)
    return rounded
