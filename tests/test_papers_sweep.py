"""A recipe over a grid: every point measured alike, nothing done twice."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from lentigo.data.prepared import PreparedSet
from lentigo.errors import InputError, RecipeError
from lentigo.papers.running import Task, Work, do
from lentigo.papers.sweep import parse_grid, sweep
from small import SMALL, small_set

GRID = {"stages.0.batch_size": [8, 32], "network.alpha": [1.0, 2.0]}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("phantom"))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("recipes") / "tiny.toml"
    path.write_text(SMALL, encoding="utf-8")
    return str(path)


def test_every_point_of_the_grid_gets_its_row(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    done = sweep(recipe, data, GRID, out=tmp_path)
    with done.csv.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["stages.0.batch_size"], r["network.alpha"]) for r in rows] == [
        ("8", "1.0"), ("8", "2.0"), ("32", "1.0"), ("32", "2.0")
    ]  # fmt: skip
    measured = {
        json.loads(path.read_text())["balanced_accuracy"]["value"]
        for path in tmp_path.rglob("evaluation/validation/metrics.json")
    }
    assert {float(r["balanced_accuracy"]) for r in rows} == measured
    assert all(float(r["balanced_accuracy.low"]) <= float(r["balanced_accuracy"]) for r in rows)
    assert len(list((tmp_path / "runs").iterdir())) == 4
    steps: list[object] = []
    again = sweep(recipe, data, GRID, out=tmp_path, report=steps.append)
    assert not steps
    assert again.csv.read_text() == done.csv.read_text()


def test_a_point_that_fails_is_told_and_the_others_go_on(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    grid = {"network.name": ["no_such_module:build", "tiny_network:build"]}
    done = sweep(recipe, data, grid, out=tmp_path)
    first, second = done.points
    assert "no_such_module" in first.failure
    assert not second.failure
    assert second.figures["accuracy"].value is not None
    assert "failed: " in done.markdown.read_text()


def test_what_a_backend_raises_fails_its_point_alone(
    data: PreparedSet, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(tasks, *_) -> None:
        raise KeyError(f"no room for {tasks[0].recipe.network.alpha}")

    monkeypatch.setattr("lentigo.papers.sweep.measure", out_of_memory)
    done = sweep(recipe, data, {"network.alpha": [1.0, 2.0]}, out=tmp_path)
    assert ["no room for 1.0" in done.points[0].failure, "2.0" in done.points[1].failure] == [
        True
    ] * 2


def test_a_value_out_of_range_is_refused_before_anything_runs(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match="batch_size"):
        sweep(recipe, data, {"stages.0.batch_size": [8, 0]}, out=tmp_path)
    assert not (tmp_path / "runs").exists()


def test_grids_are_read_from_text() -> None:
    texts = ["stages.0.batch_size=16,32", "network.name=MobileNet,MobileNetV2"]
    assert parse_grid([*texts, "augmentation.zoom=[0.8, 1.2],[1.0, 1.0]"]) == {
        "stages.0.batch_size": [16, 32],
        "network.name": ["MobileNet", "MobileNetV2"],
        "augmentation.zoom": [[0.8, 1.2], [1.0, 1.0]],
    }
    for bad in (["batch"], ["=1,2"], ["a=1", "a=2"], []):
        with pytest.raises(InputError):
            parse_grid(bad)


def test_on_a_cluster_every_training_of_the_grid_is_handed_over_at_once(
    data: PreparedSet, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    handed: list[Task] = []

    def take(address: str, tasks: Sequence[Task], say: object) -> Work:
        assert (address, say) == ("local", None)
        handed.extend(tasks)
        return do

    monkeypatch.setattr("lentigo.papers.sweep.run_all", take)
    monkeypatch.chdir(tmp_path)
    done = sweep(recipe, data, GRID, out=Path("here"), cluster="local", seeds=1)
    assert len({task.key for task in handed}) == 4 == len(done.points)
    assert all(task.runs.is_absolute() and task.data.is_absolute() for task in handed)
    with pytest.raises(InputError, match="no cluster"):
        sweep(recipe, data, GRID, out=tmp_path / "none", cluster="elsewhere")
