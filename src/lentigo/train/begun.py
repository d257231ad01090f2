"""A training whose first stages a finished run has been through already."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet
from lentigo.errors import LentigoError
from lentigo.files import digest_file
from lentigo.recipe import Output, Recipe
from lentigo.train.info import Ingredient, environment, run_name
from lentigo.train.run import MODEL, NetworkRun, Run, open_run
from lentigo.train.state import Standing, values_of

_log = logging.getLogger(__name__)

_SAME = ("lentigo", "keras", "backend")


@dataclass(frozen=True)
class Begun:
    """Where a run of the first stages ended: how training stands, and the model's values."""

    standing: Standing
    values: Sequence[NDArray[Any]]


def find_begun(
    recipe: Recipe, data: PreparedSet, out: Path, weights: str | None, fold: int | None, seed: int
) -> Begun | None:
    """What the run in ``out`` left that was through most of a recipe's first stages.

    It differs from the recipe in its name and in lacking its last stages, in nothing else. A run's
    model is where its last stage ended only if the last epoch is kept, is no average, and is
    given no other output afterwards; else there is none. What is damaged is passed over.

    Args:
        recipe: What will be trained.
        data: On what.
        out: The folder of runs.
        weights: SHA-256 of the weights file, where there is one.
        fold: The fold that will validate; None is the official validation split.
        seed: Of the training.
    """
    if recipe.keep != "last" or recipe.output != Output():
        return None
    for count in reversed(range(1, len(recipe.stages))):
        last = recipe.stages[count - 1]
        if last.average_decay or last.average_from:
            continue
        first = recipe.model_copy(update={"stages": recipe.stages[:count]})
        for path in sorted(out.glob(f"*-seed{seed}/run.json")):
            try:
                run = open_run(path.parent)
                named = first.model_copy(update={"name": run.info.recipe})
                # Digests of recipes hold paths, of which the name holds the content.
                same = run.info.recipe_digest == named.digest
                if same and run.name == run_name(named, weights, data.digest, fold, seed):
                    return _left_by(run, count)
            except (LentigoError, OSError, ValueError) as error:
                _log.warning("%s is passed over: %s", path.parent, error)
    return None


def _left_by(run: Run, stages: int) -> Begun | None:
    here, info = environment(), run.info
    same = all(info.environment.get(key) == here[key] for key in _SAME)
    history = run.history()
    if not same or not isinstance(run, NetworkRun) or info.best_epoch != len(history):
        return None
    standing = Standing(
        stage=stages,
        epoch=len(history),
        best_epoch=info.best_epoch,
        seconds=info.seconds,
        epoch_seconds=list(info.epoch_seconds),
        backend=info.environment["backend"],
        history=history,
        first_stages=Ingredient(name=info.name, sha256=digest_file(run.path / MODEL)),
    )
    _log.info("goes on from %s", run.path)
    return Begun(standing, values_of(run.model.variables))
