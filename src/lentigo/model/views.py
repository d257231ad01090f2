"""One answer from several views of an image: as it is, mirrored, upside down, turned.

A lesion has no upright. The mean over views is folded into the model, so that training's
last step, evaluation, the exported graph and every device give the same answer.
"""

from __future__ import annotations

import itertools
from typing import Any

import keras

from lentigo.model.joined import Joined, beside_image, chain, image_input

# Upside down, mirrored, rows and columns swapped: the first 1, 2, 4 or 8 are used.
_TURNS = [(up, left, swap) for swap, up, left in itertools.product((False, True), repeat=3)]


@keras.saving.register_keras_serializable(package="lentigo")
class Views(keras.layers.Layer):
    """Images (B, S, S, C) to their first ``count`` views, (count * B, S, S, C)."""

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count

    def call(self, images: Any) -> Any:
        """View after view, each of all images."""
        return keras.ops.concatenate([_turned(images, i) for i in range(self.count)], axis=0)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "count": self.count}


@keras.saving.register_keras_serializable(package="lentigo")
class MeanOfViews(keras.layers.Layer):
    """What a model makes of ``count`` views (count * B, k), to their mean (B, k)."""

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count

    def call(self, answers: Any) -> Any:
        """The mean over views."""
        return keras.ops.mean(self._by_view(answers), axis=0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Said, because JAX cannot divide a batch whose size it does not know."""
        batch, *rest = input_shape
        return None if batch is None else batch // self.count, *rest

    def aligned(self, maps: Any) -> Any:
        """Maps (count * B, h, w, k) turned back onto their image and averaged, (B, h, w, k)."""
        views = self._by_view(maps)
        return sum(_turned_back(views[i], i) for i in range(self.count)) / self.count

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "count": self.count}

    def _by_view(self, values: Any) -> Any:
        return keras.ops.reshape(values, (self.count, -1, *values.shape[1:]))


def with_views(model: keras.Model, count: int) -> keras.Model:
    """The classifier that answers with the mean logits of ``count`` views; shares its layers."""
    if count == 1:
        return model
    image = keras.Input(image_input(model).shape[1:], name="image")
    beside = beside_image(model)
    values = Views(count, name="views", dtype="float32")(image)
    for layer in chain(model):
        joins = isinstance(layer, Joined)
        values = layer(values, *beside, views=count) if joins else layer(values)
    logits = MeanOfViews(count, name="mean_of_views", dtype="float32")(values)
    return keras.Model([image, *beside] if beside else image, logits, name=model.name)


def _turned(images: Any, turn: int) -> Any:
    up, left, swap = _TURNS[turn]
    images = keras.ops.swapaxes(images, 1, 2) if swap else images
    return _flipped(images, up=up, left=left)


def _turned_back(images: Any, turn: int) -> Any:
    up, left, swap = _TURNS[turn]
    images = _flipped(images, up=up, left=left)
    return keras.ops.swapaxes(images, 1, 2) if swap else images


def _flipped(images: Any, *, up: bool, left: bool) -> Any:
    axes = [axis for axis, wanted in ((1, up), (2, left)) if wanted]
    return keras.ops.flip(images, axis=axes) if axes else images
