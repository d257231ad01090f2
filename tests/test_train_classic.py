"""Support vector machines on hand-crafted features: what scikit-learn says, kept as a run."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC

from lentigo.cli import main
from lentigo.data import kept
from lentigo.data.descriptors import describe_images
from lentigo.data.oversampling import Images
from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.deploy.evaluating import evaluate
from lentigo.deploy.export import export
from lentigo.errors import RecipeError, RunError
from lentigo.evaluate.predictor import Predictor, Watching
from lentigo.files import digest_json
from lentigo.image.handcrafted import Descriptors
from lentigo.papers.measured import figures_of
from lentigo.recipe import Kernel, Recipe, load_recipe, parse_recipe, to_toml
from lentigo.score.classification import roc_auc_macro
from lentigo.train import ClassicRun, Progress, open_run, train
from lentigo.train.classic import _part, _searched, _solve
from lentigo.train.machine import Machine, gamma_of, gram
from lentigo.train.pruning import prune

TEXT = """
name = "classic"
title = "A support vector machine"
[network]
size = 48
[sampling]
kind = "oversample"
[classic]
kernels = ["linear", "rbf"]
c = [0.1, 10.0]
[classic.features]
histogram_bins = 4
"""
RECIPE = parse_recipe(TEXT, "here")
KERNELS: tuple[Kernel, ...] = ("linear", "rbf", "poly", "sigmoid")


class KilledError(Exception):
    """Stands in for a kill."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    folder = tmp_path_factory.mktemp("phantom")
    generate(folder / "raw", lesions=84, size=64, seed=0)
    return prepare("phantom", folder / "raw", folder / "prepared", size=48, folds=3)


@pytest.fixture(scope="module")
def run(data: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> ClassicRun:
    made = train(RECIPE, data, out=tmp_path_factory.mktemp("runs"), seed=1)
    assert isinstance(made, ClassicRun)
    return made


def table(classes: int, n: int = 90) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    random = np.random.default_rng(classes)
    labels = np.arange(n) % classes
    return random.normal(size=(n, 6)) + 0.8 * labels[:, None], labels


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("classes", [2, 4])
def test_decisions_are_those_of_scikit_learn(kernel: Kernel, classes: int) -> None:
    features, labels = table(classes)
    gamma, (new, _) = gamma_of(features), table(classes, 40)
    weights, offset = _solve(gram(kernel, gamma, features, features), labels, np.ones(90), 2.0)
    ours = gram(kernel, gamma, new, features) @ weights + offset
    theirs = SVC(C=2.0, kernel=kernel, gamma="scale", decision_function_shape="ovo")
    wanted = theirs.fit(features, labels).decision_function(new)
    # Of two classes scikit-learn's decision speaks for the second.
    wanted = -wanted[:, None] if classes == 2 else wanted
    assert np.allclose(ours, wanted, atol=1e-3)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_search_answers_as_a_pipeline_that_scales_within_each_fold(
    classes: int, tmp_path: Path
) -> None:
    features, labels = table(classes)
    parts = np.random.default_rng(0).integers(0, 3, len(labels))
    recipe = load_changed('sampling.kind="all"')
    found = _searched(tmp_path / "grid.npy", recipe, "rbf", features, labels, parts, 0)
    for place, c in enumerate((0.1, 10.0)):
        pipeline = make_pipeline(MinMaxScaler(), SVC(C=c, decision_function_shape="ovo"))
        split = PredefinedSplit(parts)
        theirs = cross_val_predict(pipeline, features, labels, cv=split, method="decision_function")
        wanted = -theirs[:, None] if classes == 2 else theirs
        assert np.allclose(found[place], wanted, atol=2e-3)
    (tmp_path / "grid.npy").write_bytes((tmp_path / "grid.npy").read_bytes()[:100])
    again = _searched(tmp_path / "grid.npy", recipe, "rbf", features, labels, parts, 0)
    np.testing.assert_array_equal(again, found, err_msg="what a broken copy left is found anew")


def load_changed(change: str) -> Recipe:
    return parse_recipe(TEXT, "here", [change])


def test_an_oversampled_image_weighs_as_often_as_it_would_be_repeated() -> None:
    features, labels = table(3)
    labels = np.where(np.arange(90) < 60, 0, labels)
    part = _part(features, labels, RECIPE.sampling, 0, 0)
    assert part.weights.sum() == 3 * np.bincount(labels).max()
    often = part.weights.astype(int)
    twice, twice_labels = part.features.repeat(often, axis=0), part.labels.repeat(often)
    own = gram("linear", 1.0, part.features, part.features)
    weights, offset = _solve(own, part.labels, part.weights, 1.0)
    repeated, shift = _solve(
        gram("linear", 1.0, twice, twice), twice_labels, np.ones(len(twice)), 1.0
    )
    across = gram("linear", 1.0, part.features, twice)
    assert np.allclose(own @ weights + offset, across @ repeated + shift, atol=5e-3)


def test_a_classic_run_is_a_run_like_any_other(run: ClassicRun, data: PreparedSet) -> None:
    assert {each.name for each in run.path.iterdir()} == {
        "recipe.toml",
        "history.csv",
        "model.npz",
        "validation_predictions.csv",
        "calibration.json",
        "run.json",
    }
    opened = open_run(run.path)
    predictor: Predictor = opened
    assert isinstance(opened, ClassicRun)
    assert not isinstance(predictor, Watching)
    assert opened.recipe() == RECIPE
    rows = data.rows("validation", 0)
    kept = pd.read_csv(run.path / "validation_predictions.csv")
    logits = kept[[f"logit_{code}" for code in data.taxonomy.codes]].to_numpy()
    assert np.allclose(opened.predict_logits(data.images[rows]), logits, atol=1e-4)
    assert len(opened.operating_points) == 3


def test_the_grid_stands_in_the_history_and_its_best_point_is_taken(run: ClassicRun) -> None:
    history = run.history()
    assert [(row["stage"], row["c"]) for row in history] == [
        ("linear", 0.1),
        ("linear", 10.0),
        ("rbf", 0.1),
        ("rbf", 10.0),
    ]
    scores = [row["val_balanced_accuracy"] for row in history]
    assert scores[run.info.best_epoch - 1] == max(scores)
    assert run.machine.kernel == history[run.info.best_epoch - 1]["stage"]


def test_it_learns_what_phantoms_show(run: ClassicRun, data: PreparedSet) -> None:
    rows = data.rows("validation", 0)
    probability, labels = run.predict(data.images[rows]), data.labels[rows]
    assert roc_auc_macro(labels, probability) > 0.75
    assert (probability.argmax(axis=1) == labels).mean() > 1.3 * np.bincount(labels).max() / len(
        rows
    )


def test_scaling_knows_the_training_images_alone(run: ClassicRun, data: PreparedSet) -> None:
    assert RECIPE.classic is not None
    from lentigo.data.descriptors import describe_images

    rows = data.rows("train", 0)
    features = describe_images(data.images, rows, RECIPE.classic.features)
    assert np.array_equal(run.machine.scaling.least, features.min(axis=0))


def test_evaluation_and_report_take_it(run: ClassicRun, data: PreparedSet, tmp_path: Path) -> None:
    found = evaluate(run.path, data, split="validation", out=tmp_path / "e", replicates=100)
    assert found.metrics["balanced_accuracy"].value is not None
    page = found.report.read_text()
    assert "support vector machine on hand-crafted features" in page


def test_export_and_pruning_refuse_it_in_a_sentence(run: ClassicRun, data: PreparedSet) -> None:
    with pytest.raises(RunError, match=r"support vector machine.*only networks become bundles"):
        export(run.path, data=data)
    with pytest.raises(RunError, match="no weights to prune"):
        prune(run, 0.5, data=data)
    assert not (run.path / "export").exists()


def test_a_network_cannot_go_on_from_it(run: ClassicRun, data: PreparedSet, tmp_path: Path) -> None:
    recipe = load_recipe("phantom-quick", ["network.size=48", f"network.weights={run.path}"])
    with pytest.raises(RunError, match="no backbone"):
        train(recipe, data, out=tmp_path)


def test_the_same_seed_gives_the_same_numbers(
    run: ClassicRun, data: PreparedSet, tmp_path: Path
) -> None:
    again = train(RECIPE, data, out=tmp_path, seed=1)
    for name in ("validation_predictions.csv", "calibration.json", "history.csv"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes()


def test_a_killed_search_goes_on_from_the_kernel_it_was_at(
    run: ClassicRun, data: PreparedSet, tmp_path: Path
) -> None:
    def kill(progress: Progress) -> None:
        if progress.stage == "svm rbf":
            raise KilledError

    with pytest.raises(KilledError):
        train(RECIPE, data, out=tmp_path, seed=1, report=kill)
    (folder,) = tmp_path.iterdir()
    with pytest.raises(RunError, match="unfinished"):
        open_run(folder)
    files = [each for each in (folder / "checkpoint").rglob("*") if each.is_file()]
    before = {each: each.stat().st_mtime_ns for each in files}
    assert sorted(each.suffix for each in before) == [".npy", ".npz"]  # a grid, and features

    def untouched(progress: Progress) -> None:
        if progress.step == 3:  # after the search, before its files are removed
            assert before == {each: each.stat().st_mtime_ns for each in before}

    done = train(RECIPE, data, out=tmp_path, seed=1, report=untouched)
    for name in ("validation_predictions.csv", "history.csv"):
        assert (done.path / name).read_bytes() == (run.path / name).read_bytes()


def test_features_that_another_run_kept_give_the_same_machine(
    run: ClassicRun, data: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, described = tmp_path / "features", []

    def counting(images: Images, rows: NDArray[np.int64], *rest: Any, **more: Any) -> Any:
        described.append(len(rows))
        return describe_images(images, rows, *rest, **more)

    monkeypatch.setattr(kept, "describe_images", counting)
    train(RECIPE, data, out=tmp_path, seed=2, fold=1, kept=shared)
    again = train(RECIPE, data, out=tmp_path, seed=1, kept=shared)
    assert described == [len(data.rows("train"))], "another fold is other rows of the same images"
    for name in ("validation_predictions.csv", "calibration.json", "history.csv"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes()
    for file in shared.rglob("*.npz"):
        file.write_bytes(b"cut short")
    train(RECIPE, data, out=tmp_path, seed=3, kept=shared)
    assert len(described) == 2, "what cannot be read is computed again"


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("/nowhere/sprung"),))


@pytest.mark.parametrize("left", [0, 100])
def test_what_a_broken_copy_left_of_kept_features_is_computed_anew(
    data: PreparedSet, tmp_path: Path, left: int
) -> None:
    rows, wanted = data.rows("validation", 0)[:2], Descriptors(histogram_bins=4)
    first = kept.kept_descriptions(data, rows, wanted, tmp_path)
    (file,) = tmp_path.rglob("*.npz")
    file.write_bytes(file.read_bytes()[:left])
    np.testing.assert_array_equal(kept.kept_descriptions(data, rows, wanted, tmp_path), first)


def test_a_model_file_from_a_stranger_runs_no_code(run: ClassicRun, tmp_path: Path) -> None:
    with np.load(run.path / "model.npz") as kept:
        arrays = dict(kept)
    arrays["support"] = np.array([Trap()], dtype=object)
    np.savez(tmp_path / "model.npz", **arrays)
    with pytest.raises(RunError, match="damaged"):
        Machine.load(tmp_path / "model.npz")
    (tmp_path / "raw.npz").write_bytes(pickle.dumps([1]))
    with pytest.raises(RunError, match="damaged"):
        Machine.load(tmp_path / "raw.npz")


def test_a_model_file_whose_parts_do_not_fit_is_refused(run: ClassicRun, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    with np.load(copy / "model.npz") as kept:
        arrays = dict(kept)
    arrays["weights"] = arrays["weights"][1:]
    np.savez(copy / "model.npz", **arrays)
    with pytest.raises(RunError, match="do not fit"):
        _ = open_run(copy).predict(np.zeros((1, 48, 48, 3), np.uint8))


def test_a_class_of_one_group_is_refused_and_leaves_nothing(
    data: PreparedSet, tmp_path: Path
) -> None:
    import dataclasses

    manifest = data.manifest.copy()
    rare = (manifest["label"] == data.taxonomy.codes[0]) & (manifest["split"] == "train")
    first = manifest.loc[rare, "group_id"].iloc[0]
    manifest.loc[rare & (manifest["group_id"] != first), "split"] = "excluded"
    manifest.loc[manifest["group_id"] == first, "fold"] = 1
    with pytest.raises(RecipeError, match=r"none is left of|No training image"):
        train(RECIPE, dataclasses.replace(data, manifest=manifest), out=tmp_path)
    assert not any(each.name.startswith("classic") for each in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("head.dropout=0.5", "say nothing: head"),
        ("network.name=VGG16", "network"),
        ("classic.kernels=['rbf','rbf']", "twice"),
        ("classic.c=[-1]", "greater than 0"),
        ("classic.features={hu=false,haralick=false,histogram_bins=0}", "no feature"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(change: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        load_changed(change)


def test_the_resolved_recipe_reads_back_equal() -> None:
    assert parse_recipe(to_toml(RECIPE), "there") == RECIPE


def test_networks_keep_the_digest_that_they_had_before_parts_that_they_do_not_use() -> None:
    plain = parse_recipe('name = "a"\ntitle = "b"\n[[stages]]\nepochs = 1\n', "x")
    later = {
        "classic": True,
        "distillation": True,
        "soup": True,
        "metadata": True,
        "sampling": {"groups"},
        "augmentation": {"cutmix", "torchvision"},
        "stages": {"__all__": {"stem_rate", "average_from"}},
    }
    prose = dict.fromkeys(("title", "citation", "command", "claims", "notes", "caution"), True)
    assert plain.digest == digest_json(plain.model_dump(mode="json", exclude={**prose, **later}))
    grid = {load_changed(f"classic.c=[{c}]").digest for c in (1, 10)}
    assert len(grid) == 2


def test_the_command_line_trains_and_evaluates_one(
    data: PreparedSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = tmp_path / "classic.toml"
    recipe.write_text(TEXT)

    def lentigo(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["lentigo", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        return capsys.readouterr().out

    trained = json.loads(
        lentigo("train", str(recipe), "--data", str(data.path), "--out", str(tmp_path), "--json")
    )
    assert trained["kind"] == "classic"
    told = lentigo("evaluate", trained["path"], "--data", str(data.path), "--split", "validation")
    assert "balanced_accuracy" in told


def test_a_paper_takes_no_point_of_the_grid_for_an_epoch(
    run: ClassicRun, data: PreparedSet, tmp_path: Path
) -> None:
    evaluate(run.path, data, split="validation", out=tmp_path)
    figures = figures_of([run], [tmp_path], data).figures
    assert figures["seconds"].value == run.info.seconds
    assert figures["history.c"].value == run.history()[run.info.best_epoch - 1]["c"]
    assert not {"epochs", "seconds_per_epoch"} & figures.keys()
