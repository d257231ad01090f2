"""Hard data mining: a stage that trains on what the model so far gets wrong."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from lentigo.data.prepared import PreparedSet
from lentigo.errors import RunError
from lentigo.recipe import Recipe, parse_recipe
from lentigo.train import Progress, mining, train
from lentigo.train.feeding import predict_rows
from lentigo.train.feeds import gather_material
from lentigo.train.mining import hard_places
from small import SMALL, KilledError, small_set

MINED = (
    SMALL.replace("3e-3", "1e-2")
    + """
[[stages]]
name = "mined"
epochs = 3
batch_size = 16
hard_below = 0.3
"""
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("phantom"))


@pytest.fixture
def recipe() -> Recipe:
    return parse_recipe(MINED, "mined", ["keep=last"])


def test_hard_is_what_is_wrong_tied_or_unsure() -> None:
    probability = np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5], [0.55, 0.45]])
    labels = np.array([0, 0, 0, 0])
    np.testing.assert_array_equal(hard_places(probability, labels, 0.0), [0, 1, 1, 0])
    np.testing.assert_array_equal(hard_places(probability, labels, 0.6), [0, 1, 1, 1])


def steps_by_stage(data: PreparedSet, recipe: Recipe, out: Path) -> dict[str, int]:
    steps: dict[str, int] = {}

    def report(progress: Progress) -> None:
        steps[progress.stage] = progress.steps

    train(recipe, data, out=out, report=report)
    return steps


def test_the_stage_trains_on_the_hard_images_of_the_model_before_it(
    data: PreparedSet, recipe: Recipe, tmp_path: Path
) -> None:
    before = recipe.model_copy(update={"stages": recipe.stages[:1]})
    run = train(before, data, out=tmp_path / "before")
    rows = data.rows("train", 0)
    logits = predict_rows(run.model, data.images, rows)
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    hard = hard_places(probability, data.labels[rows], 0.3).sum()
    assert 0 < hard < len(rows)
    steps = steps_by_stage(data, recipe, tmp_path / "whole")
    assert steps == {"train": -(-len(rows) // 16), "mined": -(-hard // 16)}


def test_a_kill_inside_the_stage_changes_nothing(
    data: PreparedSet, recipe: Recipe, tmp_path: Path
) -> None:
    whole = train(recipe, data, out=tmp_path / "whole")

    def kill(progress: Progress) -> None:
        if progress.epoch == 4 and progress.step == 1:
            raise KilledError

    with pytest.raises(KilledError):
        train(recipe, data, out=tmp_path / "killed", report=kill)
    again = train(recipe, data, out=tmp_path / "killed")
    assert (again.path / "history.csv").read_text() == (whole.path / "history.csv").read_text()


def test_nothing_hard_is_said(
    data: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure = 50.0 * np.eye(len(data.taxonomy.codes), dtype=np.float32)[data.labels]
    monkeypatch.setattr(mining, "predict_rows", lambda model, images, rows, metadata: sure[rows])
    material = gather_material(parse_recipe(MINED, "mined", ["keep=last"]), data, 0, 0)
    with pytest.raises(RunError, match="nothing to mine"):
        mining.hard_rows(keras.Model(), material, 0.5, tmp_path / "hard.npy")
    assert not (tmp_path / "hard.npy").exists()


@pytest.mark.parametrize("left", [0, 100])
def test_a_broken_list_of_hard_images_is_no_traceback(
    data: PreparedSet, tmp_path: Path, left: int
) -> None:
    material = gather_material(parse_recipe(MINED, "mined", ["keep=last"]), data, 0, 0)
    np.save(tmp_path / "hard.npy", material.training)
    (tmp_path / "hard.npy").write_bytes((tmp_path / "hard.npy").read_bytes()[:left])
    with pytest.raises(RunError, match=r"hard\.npy is damaged") as told:
        mining.hard_rows(keras.Model(), material, 0.5, tmp_path / "hard.npy")
    assert "--restart" in str(told.value.todo)


def test_the_last_epoch_is_kept_where_the_recipe_says_so(
    data: PreparedSet, recipe: Recipe, tmp_path: Path
) -> None:
    last = train(recipe, data, out=tmp_path)
    best = train(recipe.model_copy(update={"keep": "best"}), data, out=tmp_path)
    assert last.info.best_epoch == 5
    scores = [row["val_balanced_accuracy"] for row in best.history()]
    assert best.info.best_epoch == 1 + scores.index(max(scores))


def test_the_first_stage_has_nothing_to_mine_from() -> None:
    with pytest.raises(ValidationError, match="needs a stage before it"):
        Recipe.model_validate(
            {"name": "a", "title": "b", "stages": [{"epochs": 1, "hard_below": 0.5}]}
        )
