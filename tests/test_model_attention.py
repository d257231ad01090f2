"""Attention maps: the gradient in closed form, and whether they follow the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from conftest import SHARED
from deploy_models import enliven
from lentigo.data.phantom import view_pixels
from lentigo.deploy.runtime import load_default
from lentigo.errors import LentigoError
from lentigo.image.spec import PreprocessSpec, preprocess
from lentigo.model import (
    Seen,
    Sight,
    Watcher,
    build_model,
    dissect,
    measure_sight,
    sight_of,
    with_views,
)
from lentigo.recipe import Head, Network, Recipe, Stage

SIZE = 48


def recipe(network: str = "tiny_network:build", size: int = SIZE, **head: Any) -> Recipe:
    return Recipe(
        name="toy",
        title="Toy",
        network=Network(name=network, size=size, weights="none"),
        head=Head(**head),
        stages=(Stage(epochs=1),),
    )


def pushed(model: keras.Model, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """By how much each logit rises where a channel of the feature map is raised, (C, k)."""
    anatomy, step = dissect(model), 1e-2
    rows = []
    for channel in range(features.shape[-1]):
        sides = []
        for sign in (1, -1):
            moved = features.copy()
            moved[..., channel] += sign * step
            sides.append(np.asarray(anatomy.see_features(moved).logits[0], np.float64))
        rows.append((sides[0] - sides[1]) / (2 * step))
    return np.stack(rows)


@pytest.mark.parametrize("kind", ["pooled-dense", "pool2x2-flatten"])
@pytest.mark.parametrize("activation", ["relu", "relu6", "elu", "gelu", "silu", "tanh", "linear"])
def test_grad_cam_in_closed_form_is_grad_cam_by_trial(kind: str, activation: str) -> None:
    keras.utils.set_random_seed(3)
    model = build_model(recipe(kind=kind, hidden=(7, 5), activation=activation), 4)
    features = np.random.default_rng(0).normal(0, 1, (1, 5, 5, 16)).astype(np.float32)
    if kind == "pool2x2-flatten":
        features = np.random.default_rng(0).normal(0, 1, (1, *feature_shape(model))).astype("f")
    anatomy = dissect(model)
    assert anatomy.kind == "grad-cam"
    wanted = np.maximum(features[0] @ pushed(model, features), 0)
    maps = np.asarray(anatomy.see_features(features).maps[0])
    np.testing.assert_allclose(maps, wanted, atol=0.02 * wanted.max())


def feature_shape(model: keras.Model) -> tuple[int, ...]:
    shape = model.get_layer("backbone").output_shape
    return tuple(int(side) for side in shape[1:])


def test_a_partly_pooled_linear_head_has_grad_cam_too() -> None:
    assert dissect(build_model(recipe(kind="pool2x2-flatten"), 3)).kind == "grad-cam"
    assert dissect(build_model(recipe(), 3)).kind == "class-activation"


def test_a_head_of_another_make_has_one_map_for_all_classes() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    backbone = keras.Sequential([keras.layers.Conv2D(4, 3, strides=8)], name="backbone")
    pooled = keras.layers.GlobalMaxPooling2D()(backbone(image))
    model = keras.Model(image, keras.layers.Dense(3)(pooled))
    assert dissect(model).kind == "feature-mean"
    assert Watcher(model).see(np.zeros((2, SIZE, SIZE, 3), np.uint8)).maps.shape == (2, 6, 6, 1)


def test_a_model_without_a_backbone_is_refused() -> None:
    image = keras.Input((8, 8, 3))
    with pytest.raises(LentigoError, match="no layer 'backbone'"):
        dissect(keras.Model(image, keras.layers.Flatten()(image)))


def test_a_watcher_sees_what_the_model_answers_whatever_the_views() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    for count in (1, 8):
        model = with_views(build_model(recipe(single_logit=True), 2), count)
        model = keras.models.clone_model(model)
        seen: Seen = Watcher(model).see(images)
        np.testing.assert_allclose(seen.logits, model.predict_on_batch(images), atol=1e-4)
        assert seen.maps.shape[0] == seen.features.shape[0] == 3
        np.testing.assert_allclose(seen.maps[..., 0], -seen.maps[..., 1])


def lopsided(layers: int) -> keras.Model:
    """Halves its image ``layers`` times, padded at the bottom and the right only, and averages:
    what one cell sees is centred (1 + 2 + 4 ...) / 2 pixels off."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    backbone = keras.Sequential(name="backbone")
    backbone.add(keras.Input((SIZE, SIZE, 3)))
    for _ in range(layers):
        mean = keras.initializers.Constant(1 / 27)
        backbone.add(keras.layers.Conv2D(3, 3, 2, "same", kernel_initializer=mean))
    scaled = keras.layers.Rescaling(-1.0, 255.0)(image)  # a dark spot speaks for a class
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(scaled))
    ones = keras.initializers.Ones()
    return keras.Model(image, keras.layers.Dense(2, kernel_initializer=ones)(pooled))


def spots(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Pale images with one dark spot each, and the spot's centre, down and across."""
    y, x = np.mgrid[:SIZE, :SIZE]
    at = np.random.default_rng(seed).uniform(SIZE / 3, 2 * SIZE / 3, (count, 2))
    far = (y - at[:, 0, None, None]) ** 2 + (x - at[:, 1, None, None]) ** 2
    return (255 - 200 * np.exp(-far / 18))[..., None].repeat(3, -1).astype(np.uint8), at


def centres(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Where the weight of maps (n, h, w) lies in the image, down and across, in pixels."""
    places = (np.arange(maps.shape[1]) + 0.5) * SIZE / maps.shape[1] - 0.5
    weight = maps - maps.min(axis=(1, 2), keepdims=True)
    share = weight / weight.sum(axis=(1, 2), keepdims=True)
    return np.stack([(share.sum(2) * places).sum(1), (share.sum(1) * places).sum(1)], axis=1)


def test_maps_lie_where_the_network_looks() -> None:
    model = lopsided(3)
    sight = sight_of(model, spots(40, 0)[0])
    assert (sight.down, sight.across) == pytest.approx((3.5 / 8, 3.5 / 8), abs=0.05)
    images, at = spots(40, 1)
    off = centres(np.asarray(Watcher(model).see(images).maps[..., 0])) - at
    assert off.mean(axis=0) == pytest.approx((-3.5, -3.5), abs=0.5)
    moved = centres(np.asarray(Watcher(model, sight).see(images).maps[..., 0])) - at
    assert np.abs(moved.mean(axis=0)).max() < 0.5


def test_every_view_is_moved_before_it_is_turned_back() -> None:
    images, at = spots(40, 1)
    sight = sight_of(lopsided(3), spots(40, 0)[0])
    for count in (2, 4):
        # A model's layers know one graph only, so what is wrapped is made anew, as from a file.
        turned = keras.models.clone_model(with_views(lopsided(3), count))
        turned.set_weights(lopsided(3).get_weights())
        assert sight_of(turned, spots(40, 0)[0]) == sight
        off = centres(np.asarray(Watcher(turned, sight).see(images).maps[..., 0])) - at
        assert np.abs(off.mean(axis=0)).max() < 0.5


def test_what_looks_straight_ahead_is_left_as_it_is() -> None:
    image = keras.Input((SIZE, SIZE, 3), name="image")
    backbone = keras.Sequential([keras.layers.AveragePooling2D(8)], name="backbone")
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(image))
    model = keras.Model(image, keras.layers.Dense(2)(pooled))
    assert sight_of(model, spots(20, 0)[0]) == Sight(0.0, 0.0)
    maps = np.random.default_rng(0).normal(0, 1, (2, 6, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(Sight(0.0, 0.0).drawn(maps), maps)
    np.testing.assert_array_equal(Sight(1.0, 0.0).drawn(maps)[:, 1:], maps[:, :-1])


@pytest.mark.parametrize("level", [0.0, 0.3, 7e4])
def test_flat_maps_look_straight_ahead(level: float) -> None:
    def maps_of(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.full((len(images), 4, 4, 2), level, np.float32)

    assert measure_sight(maps_of, spots(5, 0)[0]) == Sight(0.0, 0.0)


def fifty(size: int, folder: Path | None) -> NDArray[np.uint8]:
    """Fifty real lesions where there are any, else phantoms."""
    if folder is None:
        return np.stack([view_pixels(0, lesion, 0, size) for lesion in range(50)])
    files = sorted((folder / "ham10000" / "images").glob("*.jpg"))[::200][:50]
    return np.stack([preprocess(path, PreprocessSpec(size=size)) for path in files])


def likeness(maps: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) rank correlations of the cells of maps (n, h, w), image by image."""
    pairs = zip(maps.reshape(len(maps), -1), others.reshape(len(others), -1), strict=True)
    return np.array([spearmanr(*pair).statistic for pair in pairs])


def test_maps_of_randomised_weights_are_unlike_the_real_ones(request: Any) -> None:
    """The sanity check of Adebayo 2018: a map that survives it shows edges, not reasons."""
    here = (SHARED / "data").is_dir()
    folder: Path | None = request.getfixturevalue("shared_data") if here else None
    shipped = load_default()
    size = shipped.spec.size
    images = fifty(size, folder)
    answers = shipped.see(images)
    top = [int(each.logits.argmax()) for each in answers]
    real = np.stack([each.maps[..., c] for each, c in zip(answers, top, strict=True)])
    keras.utils.set_random_seed(0)
    random = build_model(recipe("MobileNetV2", size), len(shipped.taxonomy.codes))
    enliven(random, images[::5])  # fifty at once would take 6 GB
    drawn = np.concatenate([Watcher(random).see(images[i : i + 10]).maps for i in range(0, 50, 10)])
    chance = np.stack([each[..., c] for each, c in zip(drawn, top, strict=True)])
    # Of the absolute values, as opposite signs would otherwise cancel out.
    assert len(images) == 50
    assert np.abs(likeness(real, chance)).mean() < 0.3
    # A check that nothing could pass would say nothing: a little noise leaves the maps alike.
    noise = np.random.default_rng(0).normal(0, 4, images.shape)
    noisy = np.clip(images + noise, 0, 255).astype(np.uint8)
    again = [each.maps[..., c] for each, c in zip(shipped.see(noisy), top, strict=True)]
    assert likeness(real, np.stack(again)).mean() > 0.8
