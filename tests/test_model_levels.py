"""The maps on the way are those before the resolution falls, and stay out of what is answered."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from deploy_models import enliven, pictures, recipe
from lentigo.model import Watcher, build_model, with_views
from lentigo.model.levels import tapped
from lentigo.model.networks import build_backbone
from lentigo.recipe import Network


@pytest.mark.parametrize(
    ("name", "size", "wanted"),
    [
        ("MobileNetV2", 96, [(12, 12, 32), (6, 6, 96), (3, 3, 1280)]),
        ("MobileNetV3Small", 64, [(8, 8, 24), (4, 4, 48), (2, 2, 576)]),
        ("MobileNet", 64, [(8, 8, 128), (4, 4, 256), (2, 2, 1024)]),
    ],
)
def test_the_maps_are_the_bottlenecks_before_the_resolution_falls(
    name: str, size: int, wanted: list[tuple[int, ...]]
) -> None:
    backbone, _ = build_backbone(name, size=size, weights="none")
    assert [tuple(each.shape[1:]) for each in tapped(backbone).outputs] == wanted


def test_a_backbone_of_one_resolution_gives_its_own_map_alone() -> None:
    image = keras.Input((32, 32, 3))
    flat = keras.Model(image, keras.layers.Conv2D(4, 3, padding="same")(image), name="backbone")
    assert [tuple(each.shape[1:]) for each in tapped(flat).outputs] == [(32, 32, 4)]


class Opaque(keras.Model):
    """Keras knows nothing of what is in it."""

    def __init__(self) -> None:
        super().__init__(name="backbone")
        self.own = keras.layers.Conv2D(5, 3, strides=4, padding="same")

    def call(self, images: Any) -> Any:
        return self.own(images)


def test_of_a_backbone_that_cannot_be_looked_into_the_last_features_are_the_only_level() -> None:
    backbone, image = Opaque(), keras.Input((32, 32, 3))
    values = backbone(keras.layers.Rescaling(1 / 255, name="scaling")(image))
    pooled = keras.layers.GlobalAveragePooling2D()(values)
    model = keras.Model(image, keras.layers.Dense(2, name="logits")(pooled))
    (only,) = Watcher(model).see(np.zeros((3, 32, 32, 3), np.uint8)).levels
    assert only.shape == (3, 5)


def test_levels_are_means_over_the_image_and_over_views_and_logits_stay() -> None:
    model = build_model(recipe(Network(name="MobileNetV2", alpha=0.35, size=96, weights="none")), 3)
    enliven(model)
    images = pictures(4)
    seen = Watcher(model).see(images)
    assert [each.shape for each in seen.levels] == [(4, 16), (4, 32), (4, 1280)]
    np.testing.assert_allclose(seen.logits, model(images.astype("float32")), atol=1e-4)
    scaled = model.get_layer("scaling")(images.astype("float32"))
    maps = tapped(model.get_layer("backbone"))(scaled)
    for level, each in zip(seen.levels, maps, strict=True):
        np.testing.assert_allclose(level, np.mean(each, axis=(1, 2)), atol=1e-4)
    upside = Watcher(model).see(images[:, ::-1])
    both = Watcher(with_views(model, 2)).see(images)
    turned = Watcher(model).see(images[:, :, ::-1])
    for level, one, other, third in zip(
        both.levels, seen.levels, turned.levels, upside.levels, strict=True
    ):
        close = [np.abs(level - (one + each) / 2).max() for each in (other, third)]
        assert min(close) < 1e-4
