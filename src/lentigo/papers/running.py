"""A recipe trained with several seeds and folds and measured once each: what is done stays done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.deploy.evaluating import evaluate
from lentigo.errors import LentigoError
from lentigo.files import digest_json
from lentigo.papers.measured import Measured, figures_of
from lentigo.recipe import Recipe
from lentigo.train import open_run, run_folder, train
from lentigo.train.loop import Report

KEPT = "features"
"""Beside the folder of runs: features that several of them take."""


@dataclass(frozen=True)
class Task:
    """One training and its measurement: independent of all others, with a folder of its own.

    Attributes:
        recipe: What is trained.
        data: The prepared set's folder.
        runs: The folder of runs.
        seed: The run's seed.
        fold: The fold that validates; None is the official validation split.
        split: What is measured.
    """

    recipe: Recipe
    data: Path
    runs: Path
    seed: int
    fold: int | None
    split: str

    @property
    def key(self) -> str:
        """Tells tasks apart: 64 hexadecimal digits."""
        parts = [self.recipe.model_dump(mode="json"), str(self.data), str(self.runs)]
        return digest_json([*parts, self.seed, self.fold, self.split])


Work = Callable[[Task], Path]
"""Does a task and gives the evaluation's folder, which lies inside the run's."""


def do(task: Task, *, data: PreparedSet | None = None, report: Report | None = None) -> Path:
    """Train and evaluate; what is finished is read, what was killed goes on.

    Args:
        task: What is done.
        data: The opened set, where it is at hand.
        report: Told of batches and epochs.

    Returns:
        The evaluation's folder.
    """
    keras.utils.clear_session()  # else every network of a long grid stays in memory
    data = open_prepared(task.data) if data is None else data
    run = train(
        task.recipe,
        data,
        out=task.runs,
        fold=task.fold,
        seed=task.seed,
        report=report,
        kept=task.runs.with_name(KEPT),
    )
    folder = run.path / "evaluation" / task.split
    # A finished evaluation is read, not repeated: looks at a test list are counted.
    if not (folder / "metrics.json").is_file():
        evaluate(run, data, split=task.split, out=folder)
    return folder


def is_finished(task: Task, data: PreparedSet) -> bool:
    """Whether `do` would train and measure nothing of ``task``, which is of ``data``."""
    try:
        run = run_folder(task.recipe, data, task.runs, fold=task.fold, seed=task.seed)
    except LentigoError:
        return False
    return (run / "evaluation" / task.split / "metrics.json").is_file()


def tasks_of(
    recipe: Recipe,
    data: PreparedSet,
    runs: Path,
    seeds: int,
    folds: Sequence[int | None],
    split: str,
) -> list[Task]:
    """The tasks whose figures are averaged: seeds 0, 1, ... so many, of each fold."""
    return [
        Task(recipe, data.path, runs, seed, fold, split) for fold in folds for seed in range(seeds)
    ]


def measure(tasks: Sequence[Task], data: PreparedSet, work: Work) -> tuple[Measured, list[Path]]:
    """The mean figures of several trainings on one prepared set.

    Args:
        tasks: Of ``data``.
        data: The opened set.
        work: What does a task; may only fetch what was done elsewhere.

    Returns:
        The figures and the evaluations' folders.
    """
    folders = [work(task) for task in tasks]
    runs = [open_run(folder.parent.parent) for folder in folders]
    return figures_of(runs, folders, data), folders
