"""A network of two convolutions, for tests that train: named as ``tiny_network:build``."""

from __future__ import annotations

import keras


def build(input_shape: tuple[int, int, int], alpha: float) -> keras.Model:
    """A feature map an eighth of the input's side."""
    image = keras.Input(input_shape)
    features = image
    for width in (8, 16):
        features = keras.layers.Conv2D(int(width * alpha), 3, strides=2, use_bias=False)(features)
        features = keras.layers.BatchNormalization(momentum=0.8)(features)
        features = keras.layers.Activation("relu")(features)
    return keras.Model(image, features)
