"""Networks, heads, losses: the counts the papers print, and the shapes the rest relies on."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from lentigo.errors import RecipeError, WeightsError
from lentigo.model import (
    NETWORKS,
    FocalLoss,
    build_backbone,
    build_loss,
    build_model,
    class_weights,
    shift_logits,
    split_at_head,
    with_views,
)
from lentigo.recipe import Head, Loss, Network, Recipe, Stage

BACKBONES = {
    "MobileNet": 3_228_864,
    "MobileNetV2": 2_257_984,
    "MobileNetV3Small": 939_120,
    "MobileNetV3Large": 2_996_352,
    "NASNetMobile": 4_269_716,
    "EfficientNetV2B0": 5_919_312,
    "ResNet50": 23_587_712,
    "VGG16": 14_714_688,
    "VGG19": 20_024_384,
    "InceptionV3": 21_802_784,
}
SUN2023 = {
    "MobileNetV3Small": 1_602_929,
    "EfficientNetV2B0": 7_394_129,
    "ResNet50": 25_947_265,
    "VGG16": 15_304_769,
}


def recipe(name: str = "MobileNetV2", *, head: Head | None = None, **network: object) -> Recipe:
    options = {"weights": "none", "size": 224} | network
    return Recipe(
        name="t",
        title="t",
        network=Network(name=name, **options),
        head=head or Head(),
        stages=(Stage(epochs=1),),
    )


def own_network(input_shape: tuple[int, int, int], alpha: float) -> keras.Model:
    image = keras.Input(input_shape)
    return keras.Model(image, keras.layers.Conv2D(int(8 * alpha), 3, strides=8)(image))


def test_the_registry_is_the_networks_of_the_papers() -> None:
    assert sorted(NETWORKS) == sorted(BACKBONES)


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_network_has_the_parameter_count_of_keras_applications(name: str) -> None:
    backbone, _ = build_backbone(name, size=224, weights="none")
    assert backbone.count_params() == BACKBONES[name]
    assert backbone.name == "backbone"
    assert len(backbone.output_shape) == 4


@pytest.mark.parametrize("name", sorted(SUN2023))
def test_the_flattening_head_reproduces_sun2023s_counts(name: str) -> None:
    head = Head(kind="pool2x2-flatten", hidden=(128,), single_logit=True)
    model = build_model(recipe(name, head=head), 2)
    assert model.count_params() == SUN2023[name]
    assert model.output_shape == (None, 2)


@pytest.mark.parametrize(
    ("variant", "parameters", "printed"),
    [
        ("MobileNetV2-v1", 2_383_426, "2.38M"),
        ("VGG19-v1", 20_074_562, "20.07M"),
        ("InceptionV3-v1", 21_905_186, "21.91M"),
        ("ResNet50-v1", 23_788_418, "23.79M"),
    ],
)
def test_a_flattened_map_and_two_outputs_reproduce_merchan2021s_counts(
    variant: str, parameters: int, printed: str
) -> None:
    head = Head(kind="flatten-dense", dropout=0.0)
    model = build_model(recipe(variant.partition("-")[0], head=head), 2)
    assert model.count_params() == parameters
    assert f"{parameters / 1e6:.2f}M" == printed


def test_merchan2021s_file_sizes_are_those_of_pooling_1024_units_and_two_outputs() -> None:
    for name, megabytes, off in (("MobileNet", 17, 0.2), ("InceptionV3", 95.5, 0.2)):
        model = build_model(recipe(name, head=Head(hidden=(1024,), dropout=0.0)), 2)
        assert model.count_params() * 4 / 1e6 == pytest.approx(megabytes, abs=off)


def test_merchan2021s_v1_with_pooling_and_two_outputs() -> None:
    assert build_model(recipe("MobileNet"), 2).count_params() == 3_230_914


@pytest.mark.parametrize("views", [1, 2, 4, 8])
def test_views_give_the_mean_logits_of_turned_images(views: int) -> None:
    model = build_model(recipe(size=32, alpha=0.35), 3)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.float32)
    upright = [images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1]]
    turned = [*upright, *(each.swapaxes(1, 2) for each in upright)][:views]
    wanted = np.mean([np.asarray(model(each)) for each in turned], axis=0)
    viewing = with_views(model, views)
    np.testing.assert_allclose(np.asarray(viewing(images)), wanted, atol=1e-5)
    assert viewing.count_params() == model.count_params()


def test_a_shift_of_a_single_logit_is_that_of_the_second_class_against_the_first() -> None:
    model = build_model(recipe(head=Head(single_logit=True), size=32, alpha=0.35), 2)
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
    before = np.asarray(model(image))
    shift_logits(model, np.array([0.5, -1.0]))
    np.testing.assert_allclose(np.asarray(model(image)) - before, [[0, -1.5]] * 2, atol=1e-6)


def test_a_single_logit_is_the_sigmoid() -> None:
    head = Head(single_logit=True)
    model = build_model(recipe(head=head, size=32, alpha=0.35), 2)
    logits = np.asarray(model(np.full((1, 32, 32, 3), 127.0)))
    assert logits[0, 0] == 0
    with pytest.raises(RecipeError, match="two classes"):
        build_model(recipe(head=head, size=32, alpha=0.35), 3)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_the_output_is_float32_in_every_precision(precision: str) -> None:
    chosen = recipe(size=32, alpha=0.35).model_copy(update={"precision": precision})
    model = build_model(chosen, 3)
    assert keras.backend.standardize_dtype(model(np.zeros((1, 32, 32, 3))).dtype) == "float32"
    assert keras.config.dtype_policy().name == "float32"


def test_bgr_networks_get_bgr_minus_the_mean() -> None:
    model = build_model(recipe("VGG16", size=32), 2)
    scaled = model.get_layer("scaling")(np.array([[[[255.0, 0.0, 1.0]]]]))
    expected = np.array([1 - 103.939, -116.779, 255 - 123.68])
    np.testing.assert_allclose(np.asarray(scaled)[0, 0, 0], expected, rtol=1e-5)


def test_batch_norm_momentum_is_the_recipes() -> None:
    model = build_model(recipe(size=32, alpha=0.35, batch_norm_momentum=0.9), 2)
    norm = model.get_layer("backbone").get_layer("bn_Conv1")
    assert norm.momentum == 0.9


def test_an_own_network_is_named_as_module_and_function() -> None:
    model = build_model(recipe(f"{__name__}:own_network", size=64), 3)
    assert model.get_layer("backbone").output_shape == (None, 8, 8, 8)
    with pytest.raises(RecipeError, match="module:function"):
        build_model(recipe("no_such_module:f"), 3)


def test_unknown_names_widths_and_sizes_are_refused() -> None:
    with pytest.raises(RecipeError, match="MobileNetV2"):
        build_backbone("MobileNetV9", size=224)
    with pytest.raises(RecipeError, match="no width"):
        build_backbone("VGG16", size=224, alpha=0.5)
    with pytest.raises(RecipeError, match="75 pixels"):
        build_backbone("InceptionV3", size=64)
    with pytest.raises(WeightsError, match=r"alpha 0\.2"):
        build_backbone("MobileNetV2", size=224, alpha=0.2)


def test_weights_that_are_absent_or_do_not_fit_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="do not exist"):
        build_backbone("MobileNetV2", size=64, weights=str(tmp_path / "none.weights.h5"))
    narrow, _ = build_backbone("MobileNetV2", size=64, alpha=0.35, weights="none")
    narrow.save_weights(tmp_path / "narrow.weights.h5")
    with pytest.raises(WeightsError, match="does not fit"):
        build_backbone("MobileNetV2", size=64, weights=str(tmp_path / "narrow.weights.h5"))


def test_offline_imagenet_weights_name_file_origin_and_the_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(name: str, origin: str, **_: object) -> str:
        print(f"Downloading data from {origin}")  # noqa: T201 - as Keras does
        raise Exception(f"URL fetch failure on {origin}: None -- Name not resolved")  # noqa: TRY002

    monkeypatch.setattr("keras.src.applications.mobilenet_v2.file_utils.get_file", unreachable)
    with pytest.raises(WeightsError) as caught:
        build_backbone("MobileNetV2", size=224, weights="imagenet")
    message = str(caught.value)
    assert "mobilenet_v2_weights" in message
    assert "https://" in message
    assert "network.weights=PATH" in message
    said = capsys.readouterr()
    assert "Downloading" in said.err
    assert not said.out, "results alone stand on stdout"


def test_real_imagenet_weights_load(shared_weights: Path) -> None:
    path = shared_weights / "mobilenet_v2_0.35_224_no_top.weights.h5"
    random, _ = build_backbone("MobileNetV2", size=96, alpha=0.35, weights="none")
    trained, _ = build_backbone("MobileNetV2", size=96, alpha=0.35, weights=str(path))
    assert not np.allclose(random.get_weights()[0], trained.get_weights()[0])


def test_trunk_and_head_together_are_the_model() -> None:
    model = build_model(recipe(size=32, alpha=0.35, head=Head(hidden=(16,))), 3)
    trunk, head = split_at_head(model)
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    whole, parts = np.asarray(model(images)), np.asarray(head(trunk(images)))
    np.testing.assert_allclose(whole, parts, rtol=1e-5, atol=1e-6)


def test_an_adjusted_loss_is_least_at_the_shares_when_nothing_else_tells_classes_apart() -> None:
    # With the shares added, equal logits already say what the shares say: no gradient is left.
    share = np.array([0.7, 0.2, 0.1])
    equal = np.zeros((10, 3), np.float32)
    target = np.eye(3, dtype=np.float32)[[0] * 7 + [1] * 2 + [2]]
    loss = build_loss(Loss(logit_adjustment=1.0), share)
    entropy = -(share * np.log(share)).sum()
    np.testing.assert_allclose(np.asarray(loss(target, equal)), entropy, rtol=1e-6)
    for shifted in np.eye(3, dtype=np.float32) * 0.3:
        assert float(loss(target, equal + shifted)) > entropy


def test_an_adjusted_loss_survives_saving() -> None:
    loss = build_loss(Loss(kind="focal", logit_adjustment=0.5), np.array([0.9, 0.1]))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    target, logits = np.eye(2, dtype=np.float32), np.array([[1.0, -1], [2, 0.5]], np.float32)
    np.testing.assert_allclose(np.asarray(again(target, logits)), np.asarray(loss(target, logits)))


def test_focal_loss_with_gamma_0_is_cross_entropy_and_downweights_what_is_easy() -> None:
    target = np.array([[0.0, 1.0], [1.0, 0.0]])
    logits = np.array([[-1.0, 3.0], [0.2, 0.1]])
    plain = keras.losses.CategoricalCrossentropy(from_logits=True, reduction="none")
    zero = FocalLoss(0.0, reduction="none")(target, logits)
    np.testing.assert_allclose(np.asarray(zero), np.asarray(plain(target, logits)), rtol=1e-5)
    p = 1 / (1 + np.exp(-4.0))
    two = np.asarray(FocalLoss(2.0, reduction="none")(target, logits))
    np.testing.assert_allclose(two[0], -((1 - p) ** 2) * np.log(p), rtol=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_loss_can_be_descended_where_the_answer_is_certain(gamma: float) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, use_bias=False)])
    model.layers[0].set_weights([120 * np.eye(3, dtype=np.float32)])
    model.compile(keras.optimizers.SGD(0.1), FocalLoss(gamma), jit_compile=False)
    certain_and_wrong = np.array([[1.0, 0, 0], [0, 1, 0]])
    model.train_on_batch(np.eye(3, dtype=np.float32)[[0, 2]], certain_and_wrong)
    assert np.isfinite(model.layers[0].get_weights()[0]).all()


def test_balanced_class_weights_are_scikit_learns() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0, 0, 0, 1, 2, 2])
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    weights = class_weights(Loss(class_weights="balanced"), np.bincount(labels).astype(float))
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    with pytest.raises(RecipeError, match="3 classes"):
        class_weights(Loss(class_weights=(1.0, 2.0)), np.ones(3))
