"""Rounding weights to float16 shifts channels of nearly constant input; the shift is absorbed."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from lentigo.deploy.rounding import absorb_rounding


@pytest.fixture
def trunk() -> tuple[keras.layers.Layer, ...]:
    """A first block as in MobileNets: a depthwise convolution on channels of a large mean."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(8, 3, use_bias=False, name="first")(image)
    x = keras.layers.BatchNormalization(name="first_norm")(x)
    x = keras.layers.DepthwiseConv2D(3, use_bias=False, name="wide")(x)
    x = keras.layers.BatchNormalization(name="wide_norm")(x)
    backbone = keras.Model(image, x, name="backbone")
    backbone.get_layer("first_norm").beta.assign(np.full(8, 40.0, np.float32))
    wide = backbone.get_layer("wide")
    wide.set_weights([np.random.default_rng(0).normal(3, 1, (3, 3, 8, 1)).astype(np.float32)])
    norm = backbone.get_layer("wide_norm")
    norm.moving_mean.assign(wide.get_weights()[0].sum(axis=(0, 1, 3)) * 40)
    norm.moving_variance.assign(np.full(8, 1e-4, np.float32))
    return (keras.layers.Rescaling(1 / 127.5, -1.0), backbone)


def images(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)


def answers(trunk: tuple[keras.layers.Layer, ...], pictures: np.ndarray) -> np.ndarray:
    values = pictures.astype(np.float32)
    for layer in trunk:
        values = layer(values)
    return np.asarray(values)


def folded(backbone: keras.Model, convolution: str, norm: str) -> np.ndarray:
    kernel, layer = backbone.get_layer(convolution).get_weights()[0], backbone.get_layer(norm)
    scale = np.asarray(layer.gamma) / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    shape = (1, 1, -1, 1) if kernel.shape[-1] == 1 else (1, 1, 1, -1)
    return np.asarray(kernel * scale.reshape(shape))


def test_the_mean_of_every_channel_stays_where_it_was(
    trunk: tuple[keras.layers.Layer, ...],
) -> None:
    before = answers(trunk, images(1))
    backbone = trunk[1]
    norm = backbone.get_layer("wide_norm")
    mean = np.asarray(norm.moving_mean).copy()
    absorb_rounding(trunk, images(0))
    corrected = np.abs(answers(trunk, images(1)).mean((0, 1, 2)) - before.mean((0, 1, 2)))
    norm.moving_mean.assign(mean)
    uncorrected = np.abs(answers(trunk, images(1)).mean((0, 1, 2)) - before.mean((0, 1, 2)))
    assert uncorrected.max() > 0.1, "rounding must matter here, or the test shows nothing"
    assert corrected.max() < 0.05 * uncorrected.max()


def test_the_folded_weights_are_float16_afterwards(
    trunk: tuple[keras.layers.Layer, ...],
) -> None:
    absorb_rounding(trunk, images(0))
    for pair in (("first", "first_norm"), ("wide", "wide_norm")):
        weights = folded(trunk[1], *pair)
        rounded = weights.astype(np.float16).astype(np.float32)
        np.testing.assert_allclose(weights, rounded, rtol=1e-6)


def test_a_trunk_without_a_backbone_is_left_alone() -> None:
    absorb_rounding((keras.layers.Rescaling(2.0),), images(0))
