"""Rounding weights to float16 shifts channels of nearly constant input; the shift is absorbed."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from deploy_models import SIZE, enliven, pictures, recipe
from lentigo.deploy.job import convert_apart
from lentigo.deploy.rounding import absorb_rounding
from lentigo.model import build_model
from lentigo.recipe import Network


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


def test_the_biases_of_a_float16_graph_are_float32(tmp_path: Path) -> None:
    network = Network(name="MobileNetV2", alpha=0.35, size=SIZE, weights="none")
    model = build_model(recipe(network), 7)
    enliven(model)
    model.save(tmp_path / "model.keras")
    shown = pictures(24, seed=3)
    whole = convert_apart(tmp_path / "model.keras", "float32").graph
    half = convert_apart(tmp_path / "model.keras", "float16", representative=shown).graph
    assert len(half) < 0.56 * len(whole)
    operations = Interpreter(model_content=half)._get_ops_details()
    tensors = Interpreter(model_content=half).get_tensor_details()
    shapes = {each["index"]: (np.dtype(each["dtype"]), len(each["shape"])) for each in tensors}
    assert np.dtype(np.float16) in {kind for kind, _ in shapes.values()}
    for operation in operations:
        if operation["op_name"] in {"CONV_2D", "DEPTHWISE_CONV_2D"}:
            assert shapes[operation["inputs"][2]] == (np.dtype(np.float32), 1)
    assert (np.dtype(np.float16), 1) not in {shapes[o["inputs"][0]] for o in operations}


def test_a_float16_graph_whose_layers_share_a_bias_still_answers(tmp_path: Path) -> None:
    # Of an untrained network all biases are 0, and constants of one value have one name, which
    # is another one's in the float32 graph.
    network = Network(name="MobileNetV2", alpha=0.35, size=SIZE, weights="none")
    build_model(recipe(network), 7).save(tmp_path / "model.keras")
    graph = convert_apart(tmp_path / "model.keras", "float16").graph
    Interpreter(model_content=graph).allocate_tensors()
