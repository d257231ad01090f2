"""Training as a whole: resume after a kill, repeat from a seed, refuse what does not fit."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.errors import LeakageError, LentigoError, RecipeError, RunError
from lentigo.files import locked
from lentigo.recipe import Output, Recipe, parse_recipe
from lentigo.train import Progress, open_run, train
from lentigo.train.feeds import FeatureFeed
from lentigo.train.info import run_name
from small import SMALL, TINY, KilledError, environment, history, lentigo, small_set


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("phantom"))


@pytest.fixture
def tiny() -> Recipe:
    return parse_recipe(TINY, "tiny")


@pytest.fixture(scope="module")
def finished(data: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    return train(parse_recipe(TINY, "tiny"), data, out=out, seed=3).path


def test_a_finished_run_says_what_was_trained_on_what(data: PreparedSet, finished: Path) -> None:
    run = open_run(finished)
    assert finished.name == f"tiny-{finished.name.split('-')[1]}-fold0-seed3"
    assert run.info.prepared_digest == data.digest
    assert run.info.test_digest == data.test_digest
    assert run.info.training_images == len(data.rows("train", 0))
    assert not (finished / "checkpoint").exists()
    assert not run.info.leaky
    rows = run.history()
    assert [row["stage"] for row in rows][:4] == ["head", "head", "head", "all"]
    assert rows[run.info.best_epoch - 1]["val_balanced_accuracy"] == max(
        row["val_balanced_accuracy"] for row in rows
    )


def test_the_kept_predictions_are_those_of_the_kept_model(
    data: PreparedSet, finished: Path
) -> None:
    run = open_run(finished)
    kept = pd.read_csv(finished / "validation_predictions.csv")
    rows = data.rows("validation", 0)
    assert kept["image_id"].tolist() == data.manifest["image_id"].iloc[rows].tolist()
    logits = kept[[f"logit_{code}" for code in data.taxonomy.codes]].to_numpy()
    np.testing.assert_allclose(run.predict_logits(data.images[rows]), logits, atol=1e-4)
    probability = kept[list(data.taxonomy.codes)].to_numpy()
    np.testing.assert_allclose(run.predict(data.images[rows]), probability, atol=1e-5)
    assert [p.target_sensitivity for p in run.operating_points] == [0.8, 0.9, 0.95]


def test_the_history_tells_what_share_of_the_training_images_was_called_right(
    data: PreparedSet, tmp_path: Path
) -> None:
    rows = data.rows("train", 0)
    still = SMALL.replace("3e-3", "1e-12").replace("batch_size = 16", f"batch_size = {len(rows)}")
    recipe = parse_recipe(still + 'batch_norm = "frozen"\n[head]\ndropout = 0.0\n', "still")
    run = train(recipe, data, out=tmp_path)
    called = run.predict(data.images[rows]).argmax(axis=1) == data.labels[rows]
    assert 0 < called.mean() < 1
    assert [row["accuracy"] for row in run.history()] == [pytest.approx(called.mean())] * 2


def test_the_same_seed_gives_the_same_history_and_another_does_not(
    data: PreparedSet, tiny: Recipe, finished: Path, tmp_path: Path
) -> None:
    again = train(tiny, data, out=tmp_path, seed=3).path
    other = train(tiny, data, out=tmp_path, seed=4).path
    assert history(again) == history(finished)
    assert history(other) != history(finished)


def test_a_prior_moves_the_logits_by_the_classes_shares_and_nothing_else(
    data: PreparedSet, tiny: Recipe, finished: Path, tmp_path: Path
) -> None:
    recipe = tiny.model_copy(update={"output": Output(prior_power=0.5)})
    moved = train(recipe, data, out=tmp_path, seed=3)
    assert history(moved.path) == history(finished)
    rows = data.rows("validation", 0)
    difference = moved.predict_logits(data.images[rows])
    difference -= open_run(finished).predict_logits(data.images[rows])
    share = np.bincount(data.labels[data.rows("train", 0)]) / len(data.rows("train", 0))
    np.testing.assert_allclose(difference, np.tile(0.5 * np.log(share), (len(rows), 1)), atol=1e-4)


def test_features_that_another_run_kept_give_the_same_history(
    data: PreparedSet,
    tiny: Recipe,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = tmp_path / "features"
    faster = tiny.stages[0].model_copy(update={"learning_rate": 1e-2, "batch_size": 8})
    other = tiny.model_copy(update={"name": "other", "stages": (faster,)})
    train(other, data, out=tmp_path, seed=3, kept=shared)
    assert len(list(shared.iterdir())) == 2  # views, and validation

    views = max((np.load(each) for each in shared.iterdir()), key=lambda array: array.ndim)
    assert len(views) == 2
    short = other.model_copy(
        update={"name": "short", "stages": (faster.model_copy(update={"epochs": 1}),)}
    )
    train(short, data, out=tmp_path, seed=3, kept=tmp_path / "short")
    once = max((np.load(each) for each in (tmp_path / "short").iterdir()), key=lambda a: a.ndim)
    np.testing.assert_array_equal(once, views[:1])  # no view that no epoch takes

    def never(*_: object) -> None:
        raise AssertionError("the backbone ran again")

    monkeypatch.setattr(FeatureFeed, "_compute_views", never)
    assert history(train(tiny, data, out=tmp_path, seed=3, kept=shared).path) == history(finished)
    with pytest.raises(AssertionError, match="ran again"):
        train(tiny, data, out=tmp_path, seed=4, kept=shared)  # other weights, other views


@pytest.mark.parametrize("moment", [(1, 2), (3, 1), (4, 1), (6, 3)])
def test_interrupted_anywhere_it_reaches_the_same_history_to_the_last_bit(
    data: PreparedSet, tiny: Recipe, finished: Path, tmp_path: Path, moment: tuple[int, int]
) -> None:
    def kill(progress: Progress) -> None:
        if progress.row is None and (progress.epoch, progress.step) == moment:
            raise KilledError

    with pytest.raises(KilledError):
        train(tiny, data, out=tmp_path, seed=3, report=kill)
    with pytest.raises(RunError, match="unfinished"):
        open_run(tmp_path / finished.name)
    resumed = train(tiny, data, out=tmp_path, seed=3).path
    assert history(resumed) == history(finished)
    kept = "validation_predictions.csv"
    assert (resumed / kept).read_bytes() == (finished / kept).read_bytes()


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def whole(
    request: pytest.FixtureRequest, data: PreparedSet, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The run of a training that nothing interrupted, in a process and on a backend of its own."""
    pytest.importorskip(request.param)
    folder = tmp_path_factory.mktemp(request.param)
    recipe = folder / "tiny.toml"
    recipe.write_text(TINY)
    call = ("train", recipe, "--data", data.path, "--seed", "3", "--out", folder / "runs")
    lentigo(*call, KERAS_BACKEND=request.param)
    return next(path.parent for path in (folder / "runs").glob("*/run.json"))


def test_after_kill_9_either_backend_reaches_the_same_history(
    data: PreparedSet, whole: Path, tmp_path: Path
) -> None:
    backend = open_run(whole).info.environment["backend"]
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)
    call = ("train", recipe, "--data", data.path, "--seed", "3", "--out", tmp_path)
    with subprocess.Popen(
        [sys.executable, "-m", "lentigo", *map(str, call)],
        env=environment(KERAS_BACKEND=backend),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*/checkpoint/last.npz")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert list(tmp_path.glob("*/checkpoint/last.npz"))
    assert not list(tmp_path.glob("*/run.json"))

    lentigo(*call, KERAS_BACKEND=backend)
    resumed = next(path.parent for path in tmp_path.glob("*/run.json"))
    assert history(resumed) == history(whole)
    assert open_run(resumed).info.environment["backend"] == backend


@pytest.mark.parametrize("whole", ["jax"], indirect=True)
def test_a_run_of_jax_and_its_bundle_score_alike(
    data: PreparedSet, whole: Path, tmp_path: Path
) -> None:
    of_run, _ = lentigo("evaluate", whole, "--data", data.path, "--json", KERAS_BACKEND="jax")
    bundle = tmp_path / "tiny.tflite"
    # The gate of export compares the bundle with what the run itself predicted.
    lentigo("export", whole, "--out", bundle, KERAS_BACKEND="jax")
    of_bundle, _ = lentigo("evaluate", bundle, "--data", data.path, "--json", KERAS_BACKEND="jax")
    first, second = (json.loads(text)["metrics"] for text in (of_run, of_bundle))
    assert second["accuracy"] == first["accuracy"]
    assert second["brier_score"]["value"] == pytest.approx(first["brier_score"]["value"], abs=1e-4)


def test_a_finished_run_is_never_rewritten(data: PreparedSet, tiny: Recipe, finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    assert train(tiny, data, out=finished.parent, seed=3).path == finished
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before


def test_leaky_data_is_refused_unless_asked_for_by_name(
    data: PreparedSet, tiny: Recipe, tmp_path: Path
) -> None:
    leaky = prepare(
        "phantom",
        data.path.parent / "images",
        tmp_path / "leaky",
        size=32,
        workers=1,
        group_by="image",
        protocol="as-published",
    )
    with pytest.raises(LeakageError, match="by name"):
        train(tiny, leaky, out=tmp_path)
    named = tiny.model_copy(update={"protocol": "as-published", "stages": tiny.stages[:1]})
    assert train(named, leaky, out=tmp_path).info.leaky


def test_what_does_not_fit_is_refused(data: PreparedSet, tiny: Recipe, tmp_path: Path) -> None:
    network = tiny.network.model_copy(update={"size": 64})
    with pytest.raises(RecipeError, match="--size 64"):
        train(tiny.model_copy(update={"network": network}), data, out=tmp_path)


def test_a_loss_that_diverges_names_the_stage_and_the_way_out(
    data: PreparedSet, tiny: Recipe, tmp_path: Path
) -> None:
    wild = tiny.stages[1].model_copy(
        update={"learning_rate": 3e38, "optimizer": "sgd", "schedule": "constant"}
    )
    with pytest.raises(RunError, match=r"stages\.0\.learning_rate"):
        train(tiny.model_copy(update={"stages": (wild,)}), data, out=tmp_path)


def test_a_changed_run_is_refused(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / finished.name
    shutil.copytree(finished, copy)
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(info | {"schema_version": 99}))
    with pytest.raises(RunError, match="newer lentigo"):
        open_run(copy)
    (copy / "run.json").write_text(json.dumps(info | {"seed": "many"}))
    with pytest.raises(RunError, match="changed"):
        open_run(copy)
    with pytest.raises(RunError, match="not a run"):
        open_run(tmp_path)


def test_a_training_refused_before_it_began_leaves_no_folder(
    data: PreparedSet, tiny: Recipe, tmp_path: Path
) -> None:
    network = tiny.network.model_copy(update={"name": "os:getcwd"})
    with pytest.raises(RecipeError, match="os:getcwd failed"):
        train(tiny.model_copy(update={"network": network}), data, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_damaged_model_is_named(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / finished.name
    shutil.copytree(finished, copy)
    (copy / "model.keras").write_bytes(b"")
    with pytest.raises(RunError, match=r"model\.keras is damaged"):
        _ = open_run(copy).model


def test_a_training_cannot_change_its_backend_half_way(
    data: PreparedSet, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(progress: Progress) -> None:
        if progress.epoch == 2:
            raise KilledError

    with pytest.raises(KilledError):
        train(tiny, data, out=tmp_path, report=kill)
    monkeypatch.setattr(keras.backend, "backend", lambda: "other")
    with pytest.raises(RunError, match="KERAS_BACKEND"):
        train(tiny, data, out=tmp_path)


def test_two_processes_do_not_train_one_run(tmp_path: Path) -> None:
    with locked(tmp_path / ".lock"), pytest.raises(LentigoError, match="Another process"):  # noqa: SIM117
        with locked(tmp_path / ".lock"):
            pass
    with locked(tmp_path / ".lock"):
        pass


def test_a_restart_begins_anew_but_not_where_another_process_trains(
    data: PreparedSet, tmp_path: Path
) -> None:
    def kill(progress: Progress) -> None:
        if progress.epoch == 2:
            raise KilledError

    recipe = parse_recipe(SMALL, "tiny")
    with pytest.raises(KilledError):
        train(recipe, data, out=tmp_path, report=kill)
    (run,) = tmp_path.iterdir()
    with locked(run / ".lock"), pytest.raises(LentigoError, match="Another process"):
        train(recipe, data, out=tmp_path, restart=True)
    assert (run / "checkpoint" / "last.npz").is_file()
    (run / "left.over").touch()
    told: list[Progress] = []
    train(recipe, data, out=tmp_path, restart=True, report=told.append)
    assert [each.epoch for each in told if each.row is not None] == [1, 2]
    assert not (run / "left.over").exists()


def test_weights_count_by_their_content_not_their_path(tiny: Recipe) -> None:
    def name(path: str, digest: str | None) -> str:
        network = tiny.network.model_copy(update={"weights": path})
        return run_name(tiny.model_copy(update={"network": network}), digest, "d", 0, 0)

    assert name("a.h5", "11") == name("/other/a.h5", "11") != name("a.h5", "22")
