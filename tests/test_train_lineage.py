"""Going on from another run: its backbone is taken, and what it saw is checked."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.errors import LeakageError, RunError, WeightsError
from lentigo.model import build_model
from lentigo.recipe import Recipe, parse_recipe
from lentigo.train import Run, open_run, train
from lentigo.train.lineage import follow_runs
from small import TINY, small_set


def recipe(weights: str = "none", *, size: int = 32, name: str = "tiny") -> Recipe:
    tiny = parse_recipe(
        TINY.replace("epochs = 3", "epochs = 1").replace("epochs = 4", "epochs = 1"), name
    )
    network = tiny.network.model_copy(update={"weights": weights, "size": size})
    return tiny.model_copy(update={"network": network})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def raw(data: PreparedSet) -> Path:
    return data.path.parent / "images"


@pytest.fixture(scope="module")
def first(data: PreparedSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(recipe(), data, out=tmp_path_factory.mktemp("runs"), fold=1)


def test_training_goes_on_from_the_backbone_at_another_size(
    raw: Path, data: PreparedSet, first: Run, tmp_path: Path
) -> None:
    larger = prepare("phantom", raw, tmp_path / "larger", size=48, splits_of=data.path, workers=1)
    second = recipe(str(first.path), size=48)
    followed = follow_runs(second, larger, 1)
    backbone = build_model(followed, 7).get_layer("backbone")
    for ours, theirs in zip(
        backbone.get_weights(), first.model.get_layer("backbone").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    run = train(second, larger, out=tmp_path / "runs", fold=1)
    assert run.info.weights_sha256 is not None
    assert open_run(run.path).recipe().network.weights == str(first.path / "model.keras")


def test_another_fold_has_been_seen(data: PreparedSet, first: Run) -> None:
    with pytest.raises(LeakageError, match="held out"):
        follow_runs(recipe(str(first.path)), data, 2)


def test_another_test_list_has_been_seen(raw: Path, first: Run, tmp_path: Path) -> None:
    other = prepare("phantom", raw, tmp_path / "other", size=32, seed=7, workers=1)
    with pytest.raises(LeakageError, match="held out"):
        follow_runs(recipe(str(first.path)), other, 1)


def test_what_an_earlier_ancestor_saw_counts_too(
    data: PreparedSet, first: Run, tmp_path: Path
) -> None:
    second = train(recipe(str(first.path), name="second"), data, out=tmp_path, fold=1)
    with pytest.raises(LeakageError, match="held out"):
        follow_runs(recipe(str(second.path)), data, 0)


def test_ancestors_are_found_from_any_working_folder_and_where_all_was_moved(
    data: PreparedSet, first: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "project" / "runs"
    shutil.copytree(first.path, runs / "A")
    monkeypatch.chdir(tmp_path / "project")
    second = train(recipe("runs/A", name="second"), data, out="runs", fold=1)
    assert second.recipe().network.weights == str(runs / "A" / "model.keras")
    again = follow_runs(recipe("./runs/../runs/A", name="second"), data, 1)
    assert again.digest == second.info.recipe_digest
    monkeypatch.chdir(tmp_path)
    another = shutil.copytree(first.path, tmp_path / "runs" / "A") / "model.keras"
    another.write_bytes(b"another")
    follow_runs(recipe(str(runs / second.name)), data, 1)
    (tmp_path / "project").rename(tmp_path / "moved")
    moved = tmp_path / "moved" / "runs"
    follow_runs(recipe(str(moved / second.name)), data, 1)
    assert open_run(moved / second.name).describe()["began_from"]["name"] == first.name
    shutil.rmtree(moved / "A")
    with pytest.raises(RunError, match="not there any more"):
        follow_runs(recipe(str(moved / second.name)), data, 1)


def test_runs_that_name_ancestors_by_relative_paths_are_followed_from_where_they_lie(
    data: PreparedSet, first: Run, tmp_path: Path
) -> None:
    second = train(recipe(str(first.path), name="second"), data, out=tmp_path / "runs", fold=1)
    shutil.copytree(first.path, tmp_path / "first")
    toml = second.path / "recipe.toml"
    toml.write_text(toml.read_text().replace(str(first.path), "first"))
    assert second.recipe().network.weights == "first/model.keras"
    follow_runs(recipe(str(second.path)), data, 1)
    with pytest.raises(LeakageError, match="held out"):
        follow_runs(recipe(str(second.path)), data, 0)


@pytest.mark.parametrize("weights", ["imagenet", "none"])
def test_a_folder_called_like_weights_is_no_run(
    weights: str, data: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / weights).mkdir()
    monkeypatch.chdir(tmp_path)
    assert follow_runs(recipe(weights), data, 1).network.weights == weights


def test_pictures_count_where_names_do_not(data: PreparedSet, first: Run, tmp_path: Path) -> None:
    """The same pictures under other names, as when two archives number them anew."""
    manifest = data.manifest.assign(
        image_id=[f"n{i}" for i in range(len(data.manifest))],
        lesion_id="",
        patient_id="",
        sha256=[f"{i:064x}" for i in range(len(data.manifest))],
    )
    renamed = PreparedSet(data.path, data.info, manifest, data.images, data.audit)
    follow_runs(recipe(str(first.path)), renamed, 1)
    with pytest.raises(LeakageError, match="held out"):
        follow_runs(recipe(str(first.path)), renamed, 0)


def test_a_run_whose_set_is_gone_cannot_be_trusted(
    data: PreparedSet, first: Run, tmp_path: Path
) -> None:
    moved = tmp_path / "run"
    shutil.copytree(first.path, moved)
    text = (moved / "run.json").read_text().replace(str(data.path), str(tmp_path / "gone"))
    (moved / "run.json").write_text(text)
    with pytest.raises(RunError, match="cannot be checked"):
        follow_runs(recipe(str(moved)), data, 1)


def test_another_width_does_not_fit(data: PreparedSet, first: Run) -> None:
    wide = recipe(str(first.path))
    network = wide.network.model_copy(update={"alpha": 2.0})
    followed = follow_runs(wide.model_copy(update={"network": network}), data, 1)
    with pytest.raises(WeightsError, match="does not fit"):
        build_model(followed, 7)
