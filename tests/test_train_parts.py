"""The parts of training that need no training: order, batches, stages, statistics, state."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lentigo.errors import RecipeError, RunError
from lentigo.model import BOX, SHARE, batch_norms, build_model, draw_parameters, mix
from lentigo.recipe import Augmentation, Loss, Network, Output, Recipe, Sampling, Stage
from lentigo.train.accuracy import TrainingAccuracy
from lentigo.train.feeding import EpochBatches, predict_rows
from lentigo.train.feeds import ImageFeed, Material
from lentigo.train.sampling import drawn_share, epoch_order, loss_weights, spoken_mixture
from lentigo.train.seal import fit_calibration
from lentigo.train.stages import build_optimizer, rate_shares, set_trainable
from lentigo.train.state import Standing, load_checkpoint, rekey_seeds, save_checkpoint
from lentigo.train.statistics import StatisticsEstimator

LABELS = np.repeat([0, 1, 2], [60, 30, 6])


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(kind="weighted", power=0.5),
        Sampling(kind="weighted", power=1.0),
        Sampling(kind="oversample"),
        Sampling(kind="undersample"),
    ],
    ids=lambda each: f"{each.kind}-{each.power}",
)
def test_the_share_that_a_class_is_expected_to_have_is_what_epochs_draw(sampling: Sampling) -> None:
    drawn = np.concatenate([epoch_order(LABELS, sampling, seed=1, epoch=e) for e in range(300)])
    seen = np.bincount(LABELS[drawn], minlength=3) / len(drawn)
    np.testing.assert_allclose(drawn_share(LABELS, sampling, 3), seen, atol=0.01)


@pytest.mark.parametrize(
    ("loss", "sampling", "prior", "power"),
    [
        (Loss(), Sampling(), 0.0, 1.0),
        (Loss(), Sampling(kind="oversample"), 0.0, 0.0),
        (Loss(), Sampling(kind="weighted", power=0.75), 0.0, 0.25),
        (Loss(class_weights="balanced"), Sampling(), 0.0, 0.0),
        (Loss(class_weights="balanced"), Sampling(kind="oversample", up_to=0.5), 0.0, 0.0),
        (Loss(class_weights="balanced"), Sampling(kind="weighted", power=0.75), 0.0, 0.0),
        (Loss(logit_adjustment=1.0), Sampling(kind="weighted", power=0.5), 0.0, 0.0),
        (Loss(logit_adjustment=1.0), Sampling(kind="weighted", power=0.5), 0.25, 0.25),
        (Loss(logit_adjustment=0.5), Sampling(), 0.5, 1.0),
    ],
)
def test_the_mixture_that_probabilities_speak_of_is_a_power_of_the_shares(
    loss: Loss, sampling: Sampling, prior: float, power: float
) -> None:
    trained = Recipe(
        name="t",
        title="t",
        loss=loss,
        sampling=sampling,
        output=Output(prior_power=prior),
        stages=(Stage(epochs=1),),
    )
    wanted = np.array([60, 30, 6.0]) ** power
    mixture = spoken_mixture(LABELS, trained, 3)
    np.testing.assert_allclose(mixture, wanted / wanted.sum(), rtol=1e-6)


def test_balanced_weights_count_the_images_that_an_epoch_draws() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    sampling = Sampling(kind="oversample", up_to=0.5)
    drawn = LABELS[epoch_order(LABELS, sampling, seed=1, epoch=0)]
    expected = compute_class_weight("balanced", classes=np.arange(3), y=drawn)
    trained = Recipe(
        name="t",
        title="t",
        loss=Loss(class_weights="balanced"),
        sampling=sampling,
        stages=(Stage(epochs=1),),
    )
    np.testing.assert_allclose(loss_weights(LABELS, trained, 3), expected, rtol=1e-6)
    np.testing.assert_allclose(loss_weights(LABELS, trained, 4), [*expected, 0], rtol=1e-6)


def test_a_class_without_images_has_a_share_whose_logarithm_exists() -> None:
    share = drawn_share(LABELS, Sampling(), 5)
    assert share.shape == (5,)
    assert (share > 0).all()
    assert share[3] < share[2]


def recipe(stage: Stage) -> Recipe:
    network = Network(size=32, alpha=0.35, weights="none")
    return Recipe(name="t", title="t", network=network, stages=(stage,))


def small_model() -> keras.Model:
    return build_model(recipe(Stage(epochs=1)), 3)


@given(
    seed=st.integers(0, 99),
    epoch=st.integers(0, 99),
    kind=st.sampled_from(["all", "weighted", "oversample", "undersample"]),
)
@settings(max_examples=40)
def test_the_order_is_a_function_of_seed_and_epoch(seed: int, epoch: int, kind: str) -> None:
    sampling = Sampling(kind=kind)
    first = epoch_order(LABELS, sampling, seed=seed, epoch=epoch)
    np.testing.assert_array_equal(first, epoch_order(LABELS, sampling, seed=seed, epoch=epoch))
    other = epoch_order(LABELS, sampling, seed=seed, epoch=epoch + 1)
    assert len(first) == len(other)
    assert (first != other).any()


def test_each_sampling_gives_the_classes_their_share() -> None:
    def counts(kind: str, power: float = 1.0) -> np.ndarray:
        sampling = Sampling(kind=kind, power=power)
        orders = [epoch_order(LABELS, sampling, seed=0, epoch=e) for e in range(200)]
        return np.mean([np.bincount(LABELS[o], minlength=3) for o in orders], axis=0)

    np.testing.assert_array_equal(counts("all"), [60, 30, 6])
    np.testing.assert_array_equal(counts("oversample"), [60, 60, 60])
    np.testing.assert_array_equal(counts("undersample"), [6, 6, 6])
    np.testing.assert_allclose(counts("weighted"), [32, 32, 32], atol=2)
    np.testing.assert_allclose(counts("weighted", 0.0), [60, 30, 6], atol=2)


def test_oversampling_uses_every_image_before_repeating_one() -> None:
    order = epoch_order(LABELS, Sampling(kind="oversample"), seed=0, epoch=0)
    times = np.bincount(order, minlength=len(LABELS))
    assert times[LABELS == 2].tolist() == [10] * 6
    assert times[LABELS == 1].tolist() == [2] * 30


def test_batches_have_one_shape_and_the_last_is_filled_from_the_start() -> None:
    images = np.arange(10, dtype=np.uint8)[:, None]
    targets, weights = np.eye(10, dtype=np.float32), np.ones(10, np.float32)
    order = np.array([3, 1, 2, 9, 0])
    batches = EpochBatches(images, order, targets, weights, None, 4)
    inputs, labels, _ = batches[1]
    assert len(batches) == 2
    assert inputs[:, 0].tolist() == [0, 3, 1, 2]
    assert labels.argmax(axis=1).tolist() == [0, 3, 1, 2]


def test_predictions_do_not_depend_on_the_batch_size() -> None:
    model = small_model()
    images = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), np.uint8)
    rows = np.array([6, 0, 3, 5, 1])
    whole = predict_rows(model, images, rows, batch_size=5)
    np.testing.assert_allclose(whole, predict_rows(model, images, rows, batch_size=2), atol=1e-6)
    assert predict_rows(model, images, rows[:0]).shape == (0, 3)


def test_stages_freeze_and_thaw_again() -> None:
    model = small_model()
    everything = len(model.trainable_variables)
    set_trainable(model, Stage(epochs=1, train="head"))
    assert [v.path.split("/")[0] for v in model.trainable_variables] == ["logits", "logits"]
    set_trainable(model, Stage(epochs=1, batch_norm="frozen"))
    assert len(model.trainable_variables) == everything - 2 * len(batch_norms(model))
    set_trainable(model, Stage(epochs=1, train="after:10"))
    backbone = model.get_layer("backbone")
    assert not any(layer.trainable for layer in backbone.layers[:10])
    assert all(layer.trainable for layer in backbone.layers[10:])
    set_trainable(model, Stage(epochs=1))
    assert len(model.trainable_variables) == everything
    with pytest.raises(RecipeError, match="freezes 9999"):
        set_trainable(model, Stage(epochs=1, train="after:9999"))


def test_the_cosine_schedule_rises_peaks_and_ends_at_a_hundredth() -> None:
    stage = Stage(epochs=10, schedule="cosine", warmup_epochs=1, learning_rate=1e-2)
    schedule = build_optimizer(stage, steps=20, precision="float32")._learning_rate
    rates = [float(schedule(step)) for step in range(0, 201, 20)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[1] == pytest.approx(1e-2)
    assert rates[-1] == pytest.approx(1e-4)
    assert rates[1:] == sorted(rates[1:], reverse=True)


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_a_warm_up_that_a_schedule_does_not_have_is_refused(schedule: str) -> None:
    with pytest.raises(ValidationError, match="warmup_epochs needs schedule = 'cosine'"):
        Stage.model_validate({"epochs": 2, "schedule": schedule, "warmup_epochs": 0.5})


def test_the_learning_rate_falls_on_a_geometric_line_from_the_head_to_the_stem() -> None:
    model = small_model()
    set_trainable(model, Stage(epochs=1, train="after:10"))
    variables = model.trainable_variables
    shares = rate_shares(model, variables, 0.01)
    layers = [each for each in model.get_layer("backbone").layers if each.trainable_variables]
    own = {id(v): place for place, each in enumerate(layers) for v in each.trainable_variables}
    for variable, share in zip(variables, shares, strict=True):
        depth = own.get(id(variable), len(layers))
        assert share == pytest.approx(0.01 ** (1 - depth / len(layers)))
    assert shares[0] == pytest.approx(0.01)
    assert shares[-1] == 1
    before = [np.array(v) for v in variables]
    optimizer = build_optimizer(
        Stage(epochs=1, optimizer="sgd", learning_rate=1.0, momentum=0.0),
        steps=1,
        precision="float32",
        shares=shares,
    )
    optimizer.apply([keras.ops.ones_like(v) for v in variables], variables)
    for old, new, share in zip(before, variables, shares, strict=True):
        np.testing.assert_allclose(old - np.array(new), share, rtol=1e-4, atol=1e-6)


def test_half_precision_scales_the_loss() -> None:
    stage = Stage(epochs=1)
    scaled = build_optimizer(stage, steps=1, precision="mixed_float16")
    assert isinstance(scaled, keras.optimizers.LossScaleOptimizer)
    plain = build_optimizer(stage, steps=1, precision="mixed_bfloat16")
    assert not isinstance(plain, keras.optimizers.LossScaleOptimizer)


def test_estimated_statistics_are_those_of_the_training_batches() -> None:
    model = small_model()
    set_trainable(model, Stage(epochs=1))
    images = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), np.uint8)
    targets, weights = np.eye(3, dtype=np.float32)[np.zeros(64, int)], np.ones(64, np.float32)
    stage = Stage(epochs=1, batch_size=16)
    everything = np.arange(64)
    material = Material(
        images, np.zeros(64, int), everything, everything[:4], targets, weights, 0, "digest"
    )
    feed = ImageFeed(model, recipe(stage), stage, material)
    first = batch_norms(model)[0]
    momentum = first.momentum
    batches = feed.batches(0)
    StatisticsEstimator(feed.model)(batches, 3)
    assert first.momentum == momentum
    backbone = model.get_layer("backbone")
    stem = keras.Model(backbone.inputs[0], backbone.get_layer("Conv1").output)
    used = np.concatenate([batches[step][0][0] for step in range(3)])
    seen = np.asarray(stem((used / 127.5 - 1.0).astype(np.float32)))
    np.testing.assert_allclose(np.asarray(first.moving_mean), seen.mean((0, 1, 2)), atol=1e-4)
    by_batch = seen.reshape(3, 16, *seen.shape[1:]).var(axis=(1, 2, 3)).mean(axis=0)
    np.testing.assert_allclose(np.asarray(first.moving_variance), by_batch, rtol=1e-3)


def test_seeds_are_functions_of_seed_and_epoch() -> None:
    model = small_model()
    state = next(v for v in model.variables if v.path.endswith("seed_generator_state"))

    def keyed(seed: int, epoch: int) -> list[int]:
        rekey_seeds(model, seed=seed, epoch=epoch)
        return np.asarray(keras.ops.convert_to_numpy(state)).tolist()

    assert keyed(0, 3) == keyed(0, 3)
    assert keyed(0, 3) != keyed(0, 4)
    assert keyed(0, 3) != keyed(1, 3)


def test_a_checkpoint_holds_everything_to_the_last_bit_and_a_damaged_one_is_refused(
    tmp_path: Path,
) -> None:
    model = small_model()
    standing = Standing(epoch=3, best=0.1 + 0.2, history=[{"epoch": 1, "loss": 1 / 3}])
    path = tmp_path / "last.npz"
    save_checkpoint(path, standing, model.variables, [])
    loaded, values, optimizer = load_checkpoint(path)
    assert loaded == standing
    assert optimizer == []
    for variable, value in zip(model.variables, values, strict=True):
        np.testing.assert_array_equal(np.asarray(keras.ops.convert_to_numpy(variable)), value)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(RunError, match="damaged"):
        load_checkpoint(path)


def test_thresholds_reach_their_sensitivity_on_validation() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 300)
    logits = (np.eye(3)[labels] * 2 + random.normal(size=(300, 3))).astype(np.float32)
    fitted = fit_calibration(logits, labels, (True, False, True), [str(i) for i in range(300)])
    scaled = np.exp(logits.astype(np.float64) / fitted.temperature)
    malignant = (scaled / scaled.sum(axis=1, keepdims=True))[:, [0, 2]].sum(axis=1)
    for point in fitted.operating_points:
        reached = (malignant[labels != 1] >= point.threshold - 1e-9).mean()
        assert point.target_sensitivity <= reached <= point.target_sensitivity + 0.01
    assert not fit_calibration(logits, labels, (False,) * 3, ["a"]).operating_points


@pytest.mark.parametrize("mixing", [Augmentation(mixup=0.3), Augmentation(cutmix=1.0)])
def test_mixed_batches_mix_their_labels_and_statistics_see_them_unmixed(
    mixing: Augmentation,
) -> None:
    images = np.zeros((6, 4, 4, 3), np.uint8)
    targets, weights = np.eye(6, dtype=np.float32), np.arange(6, dtype=np.float32)
    parameters = draw_parameters(mixing, 4, 6, (0,))
    batches = EpochBatches(images, np.arange(6)[::-1], targets, weights, parameters, 3)
    (_, told), labels, weighed = batches[1]
    share = told[:, SHARE]
    np.testing.assert_array_equal(share, parameters[3:, SHARE])
    own = share * np.array([2, 1, 0], np.float32)
    expected = own[0] * targets[2] + (1 - share[0]) * 0 * targets[0]
    np.testing.assert_allclose(weighed[0] * labels[0], expected, rtol=1e-6)
    expected = own[1] * targets[1] + (1 - share[1]) * 2 * targets[2]
    np.testing.assert_allclose(weighed[1] * labels[1], expected, rtol=1e-6)
    np.testing.assert_allclose(weighed, mix(np.array([2, 1, 0], np.float32), share))
    assert (batches.unmixed(1)[1][:, SHARE] == 1).all()
    assert (batches.unmixed(1)[1][:, BOX:] == 0).all()
    np.testing.assert_array_equal(batches[1][0][1], told)


def test_oversampling_up_to_a_share_repeats_only_the_smaller_classes() -> None:
    labels = np.array([0] * 40 + [1] * 4 + [2] * 30)
    sampling = Sampling(kind="oversample", up_to=0.5)
    order = epoch_order(labels, sampling, seed=0, epoch=0)
    np.testing.assert_array_equal(np.bincount(labels[order]), [40, 20, 30])
    repeats = np.bincount(order[labels[order] == 1])
    assert set(repeats[repeats > 0]) == {5}
    np.testing.assert_allclose(drawn_share(labels, sampling, 3), np.array([40, 20, 30]) / 90)


def test_training_accuracy_counts_images_and_not_weights_or_what_fills_a_batch() -> None:
    counted = TrainingAccuracy()
    labels = np.eye(3)[[0, 1, 2, 0]]
    logits = np.eye(3)[[0, 1, 0, 1]] * 5
    counted.update_state(labels, logits, np.array([9.0, 0.1, 1.0, 0.0]))
    assert float(counted.result()) == pytest.approx(2 / 3)
    beside = np.concatenate([logits, -50 * logits], axis=1)  # a teacher who says otherwise
    counted.update_state(labels, beside, np.array([0.0, 2.0, 0.0, 0.0]))
    assert float(counted.result()) == pytest.approx(3 / 4)
