"""A recipe trained with several seeds and measured once each: what is done stays done."""

from __future__ import annotations

from pathlib import Path

import keras

from lentigo.data.prepared import PreparedSet
from lentigo.deploy.evaluating import evaluate
from lentigo.papers.measured import figures_of
from lentigo.recipe import Recipe
from lentigo.score.estimate import Estimate
from lentigo.train import Run, train
from lentigo.train.loop import Report


def measure(
    recipe: Recipe,
    data: PreparedSet,
    runs: Path,
    seeds: int,
    fold: int | None,
    split: str,
    report: Report | None,
) -> tuple[dict[str, Estimate], int, int, list[Path]]:
    """The mean figures of ``seeds`` trainings.

    Args:
        recipe: What is trained.
        data: On what.
        runs: The folder of runs.
        seeds: 0, 1, ... so many.
        fold: The fold that validates.
        split: What is measured.
        report: Told of batches and epochs.

    Returns:
        The figures, how many images and groups they rest on, and the evaluations' folders.
    """
    done: list[Run] = []
    folders: list[Path] = []
    for seed in range(seeds):
        keras.utils.clear_session()  # else every network of a long grid stays in memory
        run = train(recipe, data, out=runs, fold=fold, seed=seed, report=report)
        folder = run.path / "evaluation" / split
        # A finished evaluation is read, not repeated: looks at a test list are counted.
        if not (folder / "metrics.json").is_file():
            evaluate(run.path, data, split=split, out=folder)
        done.append(run)
        folders.append(folder)
    return *figures_of(done, folders, data), folders
