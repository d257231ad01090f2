"""A real network from Keras to one file: conversion and export."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from deploy_models import (
    OWN_NETWORK,
    SIGHT,
    SIZE,
    Graphs,
    Trained,
    convert_all,
    pictures,
    train_nothing,
)
from lentigo.deploy import export as export_module
from lentigo.deploy.bundle import Bundle, read_bundle
from lentigo.deploy.export import Card, export
from lentigo.deploy.job import Converted, convert_apart
from lentigo.deploy.runtime import BundlePredictor
from lentigo.errors import InputError, LentigoError, ParityError, RunError
from lentigo.files import write_json
from lentigo.image.spec import PreprocessSpec, preprocess
from lentigo.model import Sight, Watcher
from lentigo.score.familiarity import unfamiliarity
from lentigo.taxonomy import BINARY, HAM10000
from lentigo.train import familiar as familiar_module
from lentigo.train import features as features_module
from lentigo.train import sight as sight_module
from lentigo.train.familiar import kept_subspaces
from lentigo.train.features import training_features, training_rows
from lentigo.train.run import open_run
from lentigo.train.sight import kept_sight
from test_deploy_bundle import info as bundle_info

# Keras 3 reads TensorFlow variables in a way that NumPy 2 calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_nothing(tmp_path_factory.mktemp("runs") / "toy-run")


@pytest.fixture(scope="session")
def own_network(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("modules")
    (folder / "own_toy_network.py").write_text(OWN_NETWORK)
    sys.path.insert(0, str(folder))
    return "own_toy_network:tiny"


@pytest.fixture(scope="session")
def graphs(trained: Trained, own_network: str, tmp_path_factory: pytest.TempPathFactory) -> Graphs:
    return convert_all(trained, own_network, tmp_path_factory.mktemp("graphs"))


def predictor(
    graphs: Graphs, name: str, threads: int | None = None, **info: Any
) -> BundlePredictor:
    fields = {"spec": PreprocessSpec(size=SIZE), "temperature": 1.0} | info
    return BundlePredictor(Bundle(bundle_info(**fields), graphs.made[name].graph), threads=threads)


def probability_of(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    logits = np.asarray(model.predict_on_batch(images), np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{i:02}.png" for i in range(20)]
    for path, image in zip(paths, pictures(20, seed=9), strict=True):
        cv2.imwrite(str(path), image[..., ::-1])
    return paths


def test_a_float32_graph_gives_the_probabilities_of_keras(graphs: Graphs) -> None:
    images = pictures(12, seed=3)
    answers = predictor(graphs, "float32").predict(images)
    assert np.abs(answers - probability_of(graphs.models["float32"], images)).max() <= 1e-4


@pytest.mark.parametrize("quant", export_module.QUANTIZATIONS)
def test_every_quantization_runs_and_follows_the_network(graphs: Graphs, quant: str) -> None:
    images = pictures(12, seed=3)
    answers = predictor(graphs, quant).predict(images)
    wanted = probability_of(graphs.models["float32"], images)
    assert answers.shape == (12, 7)
    assert np.corrcoef(answers.ravel(), wanted.ravel())[0, 1] > 0.6


def test_quantized_graphs_are_smaller(graphs: Graphs) -> None:
    order = ("float32", "float16", "int8", "dynamic")
    sizes = [len(graphs.made[name].graph) for name in order]
    assert all(larger > smaller for larger, smaller in pairwise(sizes))


def test_the_class_activation_map_averages_to_the_logit_without_its_bias(
    graphs: Graphs, files: list[Path]
) -> None:
    prediction = predictor(graphs, "float32").predict_file(files[0], attention=True)
    assert graphs.made["float32"].attention == "class-activation"
    assert prediction.attention is not None
    assert prediction.attention.shape == (3, 3, 7)
    # The bias starts at zero, so the means are the logits; softmax forgets their offset.
    powers = np.exp(prediction.attention.mean(axis=(0, 1), dtype=np.float64))
    assert np.allclose(powers / powers.sum(), prediction.probability, atol=1e-5)


@pytest.mark.parametrize("name", ["hidden", "pool2x2"])
def test_other_heads_carry_grad_cam_in_their_graph(
    graphs: Graphs, files: list[Path], name: str
) -> None:
    prediction = predictor(graphs, name).predict_file(files[0], attention=True)
    assert graphs.made[name].attention == "grad-cam"
    image = preprocess(files[0], PreprocessSpec(size=SIZE))
    wanted = Watcher(graphs.models[name], SIGHT).see(image[None]).maps[0]
    assert prediction.attention is not None
    np.testing.assert_allclose(prediction.attention, wanted, atol=1e-4)
    assert wanted.max() > 0


def test_a_graph_of_several_views_does_not_care_how_the_photo_was_turned(
    graphs: Graphs, files: list[Path], tmp_path: Path
) -> None:
    photo = cv2.imread(str(files[0]))
    answers = []
    for name, turned in (("as-is", photo), ("turned", np.rot90(photo)[:, ::-1])):
        cv2.imwrite(str(tmp_path / f"{name}.png"), turned)
        path = tmp_path / f"{name}.png"
        answers.append(predictor(graphs, "views").predict_file(path, attention=True))
    assert answers[0].attention is not None
    assert answers[1].attention is not None
    assert graphs.made["views"].attention == "class-activation"
    np.testing.assert_allclose(answers[0].probability, answers[1].probability, atol=1e-5)
    # The maps turn with the photo.
    back = np.rot90(answers[1].attention[:, ::-1], -1)
    np.testing.assert_allclose(back, answers[0].attention, atol=1e-4)


@pytest.mark.parametrize("name", ["hidden", "pool2x2", "two", "mixed", "views"])
def test_every_head_and_precision_converts(graphs: Graphs, name: str) -> None:
    images = pictures(8, seed=4)
    taxonomy = BINARY if name == "two" else HAM10000
    answers = predictor(graphs, name, taxonomy=taxonomy).predict(images)
    # The converted graph computes in float32 what mixed precision rounds.
    tolerance = 2e-2 if name == "mixed" else 1e-4
    assert np.abs(answers - probability_of(graphs.models[name], images)).max() <= tolerance


def test_a_single_logit_has_a_map_for_both_classes(graphs: Graphs, files: list[Path]) -> None:
    answer = predictor(graphs, "two", taxonomy=BINARY).predict_file(files[0], attention=True)
    assert answer.attention is not None
    assert answer.attention.shape[2] == 2
    # What speaks for the one class speaks against the other.
    np.testing.assert_array_equal(answer.attention[..., 0], -answer.attention[..., 1])


def test_a_network_of_the_users_own_module_converts(
    own_network: str, graphs: Graphs, tmp_path: Path
) -> None:
    graphs.models["hidden"].save(tmp_path / "own.keras")
    converted = convert_apart(
        tmp_path / "own.keras",
        "float32",
        modules=("own_toy_network",),
        sight=(SIGHT.down, SIGHT.across),
    )
    assert converted.graph == graphs.made["hidden"].graph


def test_what_the_converter_says_reaches_the_user(tmp_path: Path) -> None:
    image = keras.Input((32, 32, 3))
    logits = keras.layers.Dense(2)(keras.layers.Flatten()(image))
    keras.Model(image, logits).save(tmp_path / "foreign.keras")
    with pytest.raises(LentigoError, match="no layer 'backbone'"):
        convert_apart(tmp_path / "foreign.keras", "float32")
    with pytest.raises(RunError, match="does not exist"):
        convert_apart(tmp_path / "none.keras", "float32")


def test_export_writes_a_bundle_that_predicts_as_the_run(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What lies in the folder one works in is nobody's module, whatever its name.
    (tmp_path / "code.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    exported = export(trained.run, data=trained.data)
    assert exported.path == trained.run / "export" / "toy-float32.tflite"
    assert exported.size_bytes == exported.path.stat().st_size
    assert exported.parity.images == 20
    assert exported.parity.max_difference <= 1e-4
    bundle = read_bundle(exported.path)
    assert bundle.info.parity == exported.parity
    assert bundle.info.license == "as its training images: CC BY-NC 4.0"
    run, images = open_run(trained.run), trained.data.images[:8]
    answers = BundlePredictor(bundle).predict(images)
    assert np.abs(answers - run.predict(images)).max() <= 1e-4
    assert [p.threshold for p in bundle.info.operating_points] == [
        p.threshold for p in run.operating_points
    ]


def test_a_bundle_knows_how_unlike_its_training_images_an_image_is(trained: Trained) -> None:
    bundle = read_bundle(export(trained.run, data=trained.data).path)
    images = trained.data.images[:8]
    run = open_run(trained.run)
    features = training_features(run, trained.data)
    watcher = Watcher(run.model)
    np.testing.assert_allclose(
        features,
        watcher.see(trained.data.images[training_rows(run, trained.data)]).features,
        atol=1e-2,
    )
    wanted = unfamiliarity(watcher.see(images).levels, kept_subspaces(run, trained.data))
    answers = BundlePredictor(bundle).see(images)
    np.testing.assert_allclose([each.unfamiliarity for each in answers], wanted, rtol=1e-3)
    stated = bundle.info.familiarity
    assert stated is not None
    assert (stated.kept, stated.images) == (0.95, 20)
    validation = BundlePredictor(bundle).see(
        trained.data.images[trained.data.rows("validation", 0)]
    )
    above = sum((each.unfamiliarity or 0) > stated.threshold for each in validation)
    assert above == 1


def damages(path: Path) -> tuple[bytes, ...]:
    """What a copy that broke off may have left of a file."""
    content = path.read_bytes()
    return b"cut short", b"", content[: len(content) // 2]


def test_kept_features_are_read_not_computed_again(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(trained.run)
    (trained.run / "features.npy").unlink(missing_ok=True)
    first = training_features(run, trained.data)
    for damaged in damages(trained.run / "features.npy"):
        (trained.run / "features.npy").write_bytes(damaged)
        np.testing.assert_array_equal(training_features(run, trained.data), first)
    monkeypatch.setattr(features_module, "batches_of", None)
    np.testing.assert_array_equal(training_features(run, trained.data), first)
    other = replace(trained.data, info=trained.data.info.model_copy(update={"digest": "e" * 64}))
    with pytest.raises(RunError, match="not the prepared set that made"):
        training_features(run, other)


def test_kept_subspaces_are_read_not_fitted_again(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(trained.run)
    first = kept_subspaces(run, trained.data)
    for damaged in damages(trained.run / "familiarity.npz"):
        (trained.run / "familiarity.npz").write_bytes(damaged)
        assert len(kept_subspaces(run, trained.data)) == len(first)
    monkeypatch.setattr(familiar_module, "fit_subspace", None)
    again = kept_subspaces(run, trained.data)
    assert [each.reach for each in again] == [each.reach for each in first]
    assert len(again) == len(run.see(trained.data.images[:1]).levels)


def test_how_far_off_the_maps_are_is_measured_once_and_bundle_and_run_make_up_for_it(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (trained.run / "sight.json").unlink(missing_ok=True)
    found = kept_sight(open_run(trained.run), trained.data)
    assert max(abs(found.down), abs(found.across)) <= 0.5
    write_json(trained.run / "sight.json", {"down": 0.25, "across": -0.125})
    run = open_run(trained.run)
    monkeypatch.setattr(sight_module, "sight_of", None)
    assert kept_sight(run, trained.data) == Sight(0.25, -0.125)
    written = export(run, data=trained.data, out=tmp_path / "moved.tflite")
    images = pictures(4, seed=8)
    maps = BundlePredictor(written.path).attention(images)
    np.testing.assert_allclose(maps, run.attention(images), atol=1e-3)
    assert np.abs(maps - Watcher(run.model).see(images).maps).max() > 0.1
    (trained.run / "sight.json").unlink()


@pytest.fixture
def converter(monkeypatch: pytest.MonkeyPatch, graphs: Graphs) -> dict[str, Any]:
    """Stands in for the converter process; keeps what it was told."""
    told: dict[str, Any] = {}

    def stand_in(model: Path, quantization: str, **options: Any) -> Converted:
        told.update(options, quantization=quantization)
        return graphs.made[quantization]

    monkeypatch.setattr(export_module, "convert_apart", stand_in)
    return told


def test_exporting_twice_gives_equal_bytes_and_carries_the_card(
    trained: Trained, converter: dict[str, Any], tmp_path: Path
) -> None:
    card = Card(name="shipped", license="CC BY-NC 4.0", markdown="# Card")
    one = export(trained.run, data=trained.data, out=tmp_path / "1.tflite", card=card)
    two = export(trained.run, data=trained.data, out=tmp_path / "2.tflite", card=card)
    assert one.path.read_bytes() == two.path.read_bytes()
    bundle = read_bundle(one.path)
    assert bundle.info.fold == open_run(trained.run).info.fold == 0
    assert (bundle.info.name, bundle.info.license, bundle.model_card) == (
        "shipped",
        "CC BY-NC 4.0",
        "# Card",
    )


def test_int8_is_calibrated_on_training_images_of_the_fold_only(
    trained: Trained, converter: dict[str, Any], tmp_path: Path
) -> None:
    try:
        export(trained.run, data=trained.data, quant="int8", out=tmp_path / "8.tflite")
    except ParityError:
        assert not (tmp_path / "8.tflite").exists()
    training = trained.data.images[trained.data.rows("train", fold=0)]
    assert np.array_equal(converter["representative"], training)


def test_a_bundle_that_disagrees_is_refused_and_not_written(
    trained: Trained, converter: dict[str, Any], tmp_path: Path, graphs: Graphs
) -> None:
    graphs_of_other = replace(graphs.made["float32"], graph=graphs.made["dynamic"].graph)
    graphs.made["float32"], original = graphs_of_other, graphs.made["float32"]
    try:
        with pytest.raises(ParityError, match="largest difference of a probability"):
            export(trained.run, data=trained.data, out=tmp_path / "bad.tflite")
    finally:
        graphs.made["float32"] = original
    assert not list(tmp_path.iterdir())


def test_other_or_changed_data_is_refused(trained: Trained, converter: dict[str, Any]) -> None:
    other = replace(trained.data, info=trained.data.info.model_copy(update={"digest": "e" * 64}))
    with pytest.raises(RunError, match="not the prepared set that made"):
        export(trained.run, data=other)
    with pytest.raises(RunError, match="does not exist"):
        export(trained.run)
    fewer = replace(trained.data, manifest=trained.data.manifest.iloc[:10])
    with pytest.raises(RunError, match="names 19 images"):
        export(trained.run, data=fewer)
    with pytest.raises(InputError, match="no quantization"):
        export(trained.run, data=trained.data, quant="int4")  # type: ignore[arg-type]
