"""The second input of a network: what is known of the patient, joined to the pooled features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="lentigo")
class Joined(keras.layers.Layer):
    """Features (B, C) and behind them what a dense layer makes of metadata, (B, C + units).

    Args:
        units: Of the dense layer (ReLU).
        nothing_known: The metadata (places,) of an image of which nothing is known; it stands in
            where none is given.
    """

    def __init__(self, units: int, nothing_known: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.nothing_known = units, [float(each) for each in nothing_known]
        self._dense = keras.layers.Dense(
            units, activation="relu", name="metadata_dense", dtype=self.dtype_policy
        )

    def build(self, *_: Any) -> None:
        """Make the dense layer's weights."""
        self._dense.build((None, len(self.nothing_known)))
        super().build(None)

    def call(self, features: Any, metadata: Any = None, views: int = 1) -> Any:
        """Join ``features`` (views * B, C) and ``metadata`` (B, places), or what stands in."""
        if metadata is None:
            metadata = keras.ops.convert_to_tensor([self.nothing_known], dtype=features.dtype)
            # Repeated by adding zeros: the batch may have no size yet.
            told = self._dense(metadata) + keras.ops.zeros_like(features[:, :1])
        else:
            told = keras.ops.tile(self._dense(metadata), (views, 1))
        return keras.ops.concatenate([features, told], axis=-1)

    def compute_output_shape(
        self,
        features_shape: tuple[int | None, ...],
        metadata_shape: tuple[int | None, ...] | None = None,  # noqa: ARG002 - Keras passes it
    ) -> tuple[int | None, ...]:
        """Said, because JAX does not see that several views make the batches agree."""
        batch, channels = features_shape
        return batch, (channels or 0) + self.units

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        own = {"units": self.units, "nothing_known": self.nothing_known}
        return {**super().get_config(), **own}


def image_input(model: keras.Model) -> Any:
    """What a classifier takes first: the image."""
    return model.inputs[0]


def beside_image(model: keras.Model) -> list[Any]:
    """New inputs for what a classifier takes beside the image: its metadata, or nothing."""
    return [keras.Input(each.shape[1:], name=each.name) for each in model.inputs[1:]]


def answer(model: keras.Model, image: Any, beside: Sequence[Any]) -> Any:
    """What a classifier answers to an image and what it takes beside it."""
    return model([image, *beside] if beside else image)


def chain(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a classifier from the image to the logits, in order, without its inputs."""
    return [each for each in model.layers if not isinstance(each, keras.layers.InputLayer)]
