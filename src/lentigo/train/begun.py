"""A training whose first stages a finished run has been through already."""

from __future__ import annotations

from pathlib import Path

import keras

from lentigo.data.prepared import PreparedSet
from lentigo.errors import RunError
from lentigo.files import digest_file
from lentigo.recipe import Output, Recipe
from lentigo.train.info import Ingredient
from lentigo.train.run import MODEL, NetworkRun, Run, open_run
from lentigo.train.state import Standing


def find_begun(
    recipe: Recipe, data: PreparedSet, out: Path, fold: int | None, seed: int
) -> NetworkRun | None:
    """The run in ``out`` that was through most of the stages that a recipe begins with.

    It differs from the recipe in its name and in lacking its last stages, in nothing else. A run's
    model is where its last stage ended only if the last epoch is kept, is no average, and is
    given no other output afterwards; else there is none.

    Args:
        recipe: What will be trained.
        data: On what.
        out: The folder of runs.
        fold: The fold that will validate; None is the official validation split.
        seed: Of the training.
    """
    longest, most = None, 0
    if recipe.keep != "last" or recipe.output != Output():
        return None
    for path in out.glob("*/run.json") if len(recipe.stages) > 1 else ():
        try:
            run = open_run(path.parent)
        except RunError:
            continue  # damaged, or of a newer lentigo: whoever asks for it is told
        stages = _common_stages(recipe, run)
        if stages > most and isinstance(run, NetworkRun) and _alike(run, recipe, data, fold, seed):
            longest, most = run, stages
    return longest


def _common_stages(recipe: Recipe, run: Run) -> int:
    """How many first stages of the recipe, and not all, the run went through; 0 is none."""
    for count in range(1, len(recipe.stages)):
        last = recipe.stages[count - 1]
        first = {"name": run.info.recipe, "stages": recipe.stages[:count]}
        same = recipe.model_copy(update=first).digest == run.info.recipe_digest
        if same and not (last.average_decay or last.average_from):
            return count
    return 0


def _alike(run: Run, recipe: Recipe, data: PreparedSet, fold: int | None, seed: int) -> bool:
    info = run.info
    if (info.prepared_digest, info.fold, info.seed) != (data.digest, fold, seed):
        return False
    if info.weights_sha256 and info.weights_sha256 != digest_file(Path(recipe.network.weights)):
        return False
    return info.environment["backend"] == str(keras.backend.backend())


def standing_after(run: NetworkRun) -> Standing:
    """Where a training stands that has been through all stages of ``run``, and no further."""
    history, info = run.history(), run.info
    return Standing(
        stage=len(run.recipe().stages),
        epoch=len(history),
        best_epoch=info.best_epoch,
        seconds=info.seconds,
        epoch_seconds=list(info.epoch_seconds),
        backend=info.environment["backend"],
        history=history,
        first_stages=Ingredient(name=info.name, sha256=digest_file(run.path / MODEL)),
    )
