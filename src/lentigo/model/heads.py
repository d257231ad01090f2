"""From a feature map to logits, and the whole model of a recipe.

Layer names are part of the contract with export: ``scaling``, ``backbone``, ``pool`` (or
``pool2x2`` and ``flatten``, or ``flatten`` alone), ``joined`` where there is metadata,
``hidden_0`` ..., ``dropout``, ``logits``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.data.metadata import nothing_known
from lentigo.errors import RecipeError
from lentigo.model.joined import Joined
from lentigo.model.networks import batch_norms, build_backbone, scaling_layer
from lentigo.recipe import Head, Metadata, Recipe


@keras.saving.register_keras_serializable(package="lentigo")
class TwoLogits(keras.layers.Layer):
    """One logit z (B, 1) to the two logits [0, z], whose softmax is the sigmoid of z."""

    def call(self, logit: Any) -> Any:
        """Widen ``logit`` (B, 1) to (B, 2)."""
        return keras.ops.concatenate([keras.ops.zeros_like(logit), logit], axis=-1)


def head_layers(
    head: Head, classes: int, metadata: Metadata | None = None
) -> list[keras.layers.Layer]:
    """The layers from feature map to logits, in order; the last ones in float32.

    Raises:
        RecipeError: ``single_logit`` with other than two classes.
    """
    layers: list[keras.layers.Layer]
    if head.kind == "pooled-dense":
        layers = [keras.layers.GlobalAveragePooling2D(name="pool")]
    elif head.kind == "flatten-dense":
        layers = [keras.layers.Flatten(name="flatten")]
    else:
        layers = [
            keras.layers.AveragePooling2D(2, name="pool2x2"),
            keras.layers.Flatten(name="flatten"),
        ]
    if metadata is not None:
        known = nothing_known(metadata.columns).tolist()
        layers.append(Joined(metadata.units, known, name="joined"))
    layers += [
        keras.layers.Dense(width, activation=head.activation, name=f"hidden_{i}")
        for i, width in enumerate(head.hidden)
    ]
    layers.append(keras.layers.Dropout(head.dropout, name="dropout"))
    # float16 overflows in softmax and loss, so the output is float32 in every precision.
    if not head.single_logit:
        return [*layers, keras.layers.Dense(classes, name="logits", dtype="float32")]
    if classes != 2:
        raise RecipeError(f"head.single_logit needs two classes; the data has {classes}.")
    logit = keras.layers.Dense(1, name="logits", dtype="float32")
    return [*layers, logit, TwoLogits(name="two_logits", dtype="float32")]


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_model(recipe: Recipe, classes: int) -> keras.Model:
    """The recipe's model: RGB in [0, 255] (B, S, S, 3) to float32 logits (B, classes).

    With metadata it takes a list of two: the images, and (B, places) of
    `lentigo.data.metadata`.

    Raises:
        RecipeError: A network, width, size or head that cannot be.
        WeightsError: Weights that cannot be had or do not fit.
    """
    size = recipe.network.size
    with _precision(recipe.precision):
        backbone, scaling = build_backbone(
            recipe.network.name,
            size=size,
            alpha=recipe.network.alpha,
            weights=recipe.network.weights,
        )
        if recipe.network.batch_norm_momentum is not None:
            for layer in batch_norms(backbone):
                layer.momentum = recipe.network.batch_norm_momentum
        image = keras.Input((size, size, 3), name="image")
        features = backbone(scaling_layer(scaling)(image))
        inputs = image
        if recipe.metadata is not None:
            places = len(nothing_known(recipe.metadata.columns))
            inputs = [image, keras.Input((places,), name="metadata")]
        for layer in head_layers(recipe.head, classes, recipe.metadata):
            features = layer(features, inputs[1]) if layer.name == "joined" else layer(features)
        return keras.Model(inputs, features, name="classifier")


def shift_logits(model: keras.Model, shift: NDArray[np.float64]) -> None:
    """Add ``shift`` (classes,) to the logits of a classifier, in the bias of its last layer."""
    dense = model.get_layer("logits")
    # One logit is that of the second class against the first.
    added = shift if dense.units > 1 else shift[1:] - shift[:1]
    dense.bias.assign_add(keras.ops.cast(added, dense.bias.dtype))


def split_at_head(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The same layers as two models: image to pooled features, features to logits.

    Both share their variables with ``model``; used to train a head on cached features.
    """
    names = [layer.name for layer in model.layers]
    cut = names.index("pool") if "pool" in names else names.index("flatten")
    trunk = keras.Model(model.input, model.layers[cut].output, name="trunk")
    features = keras.Input(trunk.output_shape[1:], name="features")
    logits = features
    for layer in model.layers[cut + 1 :]:
        logits = layer(logits)
    return trunk, keras.Model(features, logits, name="head")
