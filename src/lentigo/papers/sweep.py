"""`sweep`: one recipe tried in several ways, each measured the same way, one table."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError, LentigoError
from lentigo.files import write_text
from lentigo.papers.cluster import check_address, run_all
from lentigo.papers.measured import Difference, differences_of
from lentigo.papers.running import Work, do, measure, tasks_of
from lentigo.papers.sweep_tables import Point, Table, as_csv, as_markdown
from lentigo.papers.trials import Trial
from lentigo.recipe import load_recipe
from lentigo.train.loop import Report

logger = logging.getLogger(__name__)

SHOWN = ("balanced_accuracy", "accuracy", "roc_auc.macro", "roc_auc.malignant")


@dataclass(frozen=True)
class Sweep:
    """A finished sweep: its points in the order of the trials, and the two tables."""

    table: Table
    points: tuple[Point, ...]
    csv: Path
    markdown: Path


def sweep(
    recipe: str,
    data: PreparedSet | Path | str,
    trials: Sequence[Trial],
    *,
    out: Path,
    seeds: int = 1,
    folds: Sequence[int | None] | None = (None,),
    split: str = "validation",
    changes: Sequence[str] = (),
    metrics: Sequence[str] = (),
    title: str = "",
    choices: Sequence[str] = (),
    cluster: str = "",
    say: Callable[[str], None] | None = None,
    report: Report | None = None,
) -> Sweep:
    """Train a recipe in several ways, measure all on the same images, write tables.

    Every figure is the mean of the trainings of a trial. What sets a trial apart from the first
    one is given twice: with an interval over groups, the trainings being what they are, and
    over the folds, each being the mean of its seeds. Finished runs and evaluations under
    ``out`` are used again. A trial that fails is told in its row, and the others go on.

    Args:
        recipe: A packaged recipe's name or a path.
        data: A prepared set or its folder.
        trials: What is tried; the first is what the others are compared with.
        out: The folder of runs and tables.
        seeds: Trainings a trial and fold.
        folds: The folds that validate in turn; None is all that the set has.
        split: What is measured. To choose by the test list is to wear it out.
        changes: ``key=value`` that hold in every trial.
        metrics: Shown beside the usual ones, by the keys of `lentigo.score.panel`.
        title: Of the table.
        choices: Sentences beneath it.
        cluster: Where trainings run, as in `lentigo.papers.cluster`; empty is here.
        say: Told of each trial.
        report: Told of each training's batches and epochs.

    Raises:
        InputError: No seeds, or a trial's data that are not the same images.
        RecipeError: A key that leads nowhere or a value out of range, before anything is run.
    """
    data = data if isinstance(data, PreparedSet) else open_prepared(Path(data))
    if seeds < 1 or not trials:
        raise InputError(f"{len(trials)} trials with {seeds} seeds are nothing to run.")
    recipes = [load_recipe(recipe, [*changes, *each.overrides]) for each in trials]
    if cluster:
        check_address(cluster)
        out = out.resolve()  # the workers have working folders of their own
        data = dataclasses.replace(data, path=data.path.resolve())
    sets = {each.data: _set_of(each, data) for each in trials}
    folds = tuple(range(data.info.folds)) if folds is None else folds
    plan = [
        tasks_of(changed, sets[each.data], out / "runs", seeds, folds, split)
        for each, changed in zip(trials, recipes, strict=True)
    ]
    work: Work = partial(do, report=report)
    if cluster:
        work = run_all(cluster, [task for tasks in plan for task in tasks], say)
    shown = (*SHOWN, *(name for name in metrics if name not in SHOWN))
    table = Table(title or recipe, data, split, seeds, folds, shown, tuple(choices))
    points: list[Point] = []
    baseline: list[Path] = []
    csv, markdown = out / "sweep.csv", out / "sweep.md"
    for trial, tasks in zip(trials, plan, strict=True):
        if say is not None:
            say(f"{len(points) + 1}/{len(trials)}: {trial.name or words(trial.set)}")
        try:
            measured, evaluations = measure(tasks, sets[trial.data], work)
            apart: Mapping[str, Difference] = {}
            if not points:
                baseline = evaluations
            elif baseline:
                apart = differences_of(evaluations, baseline, [t.fold for t in tasks], data)
            points.append(Point(trial, measured.figures, apart))
        except LentigoError as error:
            points.append(Point(trial, failure=error.problem))
        except Exception as error:
            # Whatever a backend raises over one trial: the others of a long sweep go on.
            logger.exception("%s failed", trial.name or words(trial.set))
            points.append(Point(trial, failure=f"{type(error).__name__}: {error}"))
        # A long sweep is read while it runs.
        write_text(csv, as_csv(table, points))
        write_text(markdown, as_markdown(table, points))
    return Sweep(table, tuple(points), csv, markdown)


def words(values: Mapping[str, Any]) -> str:
    """Keys and values in a line."""
    return ", ".join(f"{key} = {value}" for key, value in values.items())


def _set_of(trial: Trial, data: PreparedSet) -> PreparedSet:
    if not trial.data:
        return data
    beside = data.path.parent / trial.data
    other = open_prepared(beside if beside.is_dir() else Path(trial.data))
    keys = ["image_id", "split", "fold"]
    mine, theirs = (each.manifest[keys].sort_values("image_id") for each in (data, other))
    if mine.to_numpy().tolist() != theirs.to_numpy().tolist():
        raise InputError(
            f"{trial.name!r}: {other.path} and {data.path} are not the same images, split alike.",
            todo=f"Prepare it with --splits-of {data.path}.",
        )
    return other
