"""TensorFlow's one operation gives what Keras's several give, and leaves nothing behind."""

from __future__ import annotations

import json
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from lentigo.model import fused_batch_norms

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="on TensorFlow only"
)

SHAPE = (6, 7, 12)
GENERATOR = np.random.default_rng(0)
IMAGES = (GENERATOR.normal(size=(8, *SHAPE)) * GENERATOR.uniform(0.1, 5, 12) + 2).astype(np.float32)
WANTED = GENERATOR.normal(size=IMAGES.shape).astype(np.float32)


def network(**options: Any) -> keras.Model:
    """One batch norm that has seen something, as it stands in a network."""
    image = keras.Input(SHAPE)
    norm = keras.layers.BatchNormalization(momentum=0.9, **options)
    model = keras.Model(image, norm(image))
    model.set_weights(
        [np.random.default_rng(i).uniform(0.5, 2, 12) for i in range(len(norm.weights))]
    )
    return model


def outcome(model: keras.Model, *, fused: bool, training: bool) -> list[Any]:
    """What the model answers, all gradients, and all weights afterwards."""
    import tensorflow as tf

    @tf.function
    def answer_and_gradients(images: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            tape.watch(images)
            answer = model(images, training=training)
            loss = tf.reduce_sum(answer * WANTED) + tf.reduce_sum(answer**2 * WANTED)
        learnt = [each.value for each in model.trainable_variables]
        return [answer, *tape.gradient(loss, [images, *learnt])]

    with fused_batch_norms(model) if fused else nullcontext():
        return [*answer_and_gradients(tf.constant(IMAGES)), *model.get_weights()]


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
def test_answers_gradients_and_statistics_are_those_of_keras(
    options: dict[str, Any], *, training: bool, trainable: bool
) -> None:
    models = [network(**options), network(**options)]
    for model in models:
        model.trainable = trainable
    assert_alike(*models, training=training)


def test_what_the_operation_cannot_do_is_left_to_keras() -> None:
    assert_alike(along_the_rows(), along_the_rows(), training=True)


def assert_alike(plain: keras.Model, quick: keras.Model, *, training: bool) -> None:
    wanted = outcome(plain, fused=False, training=training)
    got = outcome(quick, fused=True, training=training)
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5 * np.abs(other).max())


def along_the_rows() -> keras.Model:
    """A batch norm of another axis than the channels."""
    image = keras.Input(SHAPE)
    return keras.Model(image, keras.layers.BatchNormalization(axis=1)(image))


def test_within_it_the_operation_is_used_and_after_it_the_layers_are_keras_s_own(
    tmp_path: Path,
) -> None:
    import tensorflow as tf

    model = network()

    def operations() -> set[str]:
        traced = tf.function(lambda images: model(images, training=True))
        graph = traced.get_concrete_function(tf.TensorSpec((None, *SHAPE))).graph
        return {each.type for each in graph.get_operations()}

    with fused_batch_norms(model):
        assert "FusedBatchNormV3" in operations()
    assert "FusedBatchNormV3" not in operations()
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as packed:
        layers = json.loads(packed.read("config.json"))["config"]["layers"]
    assert [each["module"] for each in layers] == ["keras.layers", "keras.layers"]
