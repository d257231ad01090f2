"""`sweep`: one recipe tried in several ways, each measured the same way, one table."""

from __future__ import annotations

import difflib
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError, LentigoError, RecipeError, listed
from lentigo.files import write_text
from lentigo.papers.cluster import check_address, run_all
from lentigo.papers.columns import figure_keys
from lentigo.papers.measured import Difference, differences_of
from lentigo.papers.running import Task, Work, do, measure, tasks_of
from lentigo.papers.sweep_tables import Point, Table, as_csv, as_markdown
from lentigo.papers.trials import Trial
from lentigo.recipe import Recipe, load_recipe
from lentigo.train import check_fits
from lentigo.train.loop import Report

logger = logging.getLogger(__name__)

MEASURED = ("validation", "test")
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
    one, or from the one it is against, is given twice: with an interval over groups, the
    trainings being what they are, and over the folds, each being the mean of its seeds.
    Finished runs and evaluations under ``out`` are used again. A trial that fails is told in
    its row, and the others go on, but for those that build on its runs. On a cluster, trials
    that build on others wait for all that stand before them.

    Args:
        recipe: A packaged recipe's name or a path.
        data: A prepared set or its folder.
        trials: What is tried; what each is compared with stands before it.
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
        InputError: No seeds, no such split, fold or metric, or a trial's data that are not the
            same images.
        RecipeError: A key that leads nowhere, a value out of range, or images of another size,
            in any of the trials and before anything is run.
    """
    data = data if isinstance(data, PreparedSet) else open_prepared(Path(data))
    if seeds < 1 or not trials:
        raise InputError(f"{len(trials)} trials with {seeds} seeds are nothing to run.")
    recipes = _recipes(recipe, trials, changes)
    if cluster:
        check_address(cluster)
    sets = {each.data: _set_of(each, data) for each in trials}
    folds = tuple(range(data.info.folds)) if folds is None else folds
    _check_measured(data, split, folds, metrics)
    for each, changed in zip(trials, recipes, strict=True):
        check_fits(changed, sets[each.data])
    plan = [
        tasks_of(changed, sets[each.data], out / "runs", seeds, folds, split)
        for each, changed in zip(trials, recipes, strict=True)
    ]
    work: Work = partial(do, report=report)
    shown = (*SHOWN, *(name for name in metrics if name not in SHOWN))
    table = Table(title or recipe, data, split, seeds, folds, shown, tuple(choices))
    points: list[Point] = []
    evaluations: dict[str, Sequence[Path]] = {}
    csv, markdown = out / "sweep.csv", out / "sweep.md"
    for wave in _waves(trials):
        for place in wave:
            plan[place] = _built(recipe, changes, trials[place], plan[place], evaluations)
        if cluster and (tasks := [task for place in wave for task in plan[place]]):
            work = run_all(cluster, tasks, say)
        for place in wave:
            trial = trials[place]
            if say is not None:
                say(f"{place + 1}/{len(trials)}: {trial.name or words(trial.set)}")
            baseline = evaluations.get(trial.against or trials[0].name, ())
            point, found = _point(trial, plan[place], sets[trial.data], work, baseline)
            evaluations.setdefault(trial.name, found)  # the points of a grid have no names
            points.append(point)
            # A long sweep is read while it runs.
            write_text(csv, as_csv(table, points))
            write_text(markdown, as_markdown(table, points))
    return Sweep(table, tuple(points), csv, markdown)


def _waves(trials: Sequence[Trial]) -> list[range]:
    """The places of the trials in stretches, none of which builds on one of its own."""
    starts = [0]
    for place, each in enumerate(trials):
        if {other.name for other in trials[starts[-1] : place]}.intersection(each.builds_on):
            starts.append(place)
    return [range(*ends) for ends in itertools.pairwise([*starts, len(trials)])]


def _built(
    recipe: str,
    changes: Sequence[str],
    trial: Trial,
    tasks: Sequence[Task],
    evaluations: Mapping[str, Sequence[Path]],
) -> list[Task]:
    """The tasks on the runs that they build on, each of its fold and seed; none if one failed."""
    if not all(evaluations.get(name) for name in trial.builds_on):
        return []
    found = []
    for place, task in enumerate(tasks):
        folders = {name: evaluations[name][place] for name in trial.builds_on}
        runs = {name: folder.parent.parent.resolve() for name, folder in folders.items()}
        found.append(replace(task, recipe=load_recipe(recipe, [*changes, *trial.on(runs)])))
    return found


def _point(
    trial: Trial, tasks: Sequence[Task], data: PreparedSet, work: Work, baseline: Sequence[Path]
) -> tuple[Point, Sequence[Path]]:
    """A trial's figures, how far they lie from ``baseline``, and its own evaluations."""
    if not tasks:
        needed = ", ".join(trial.builds_on)
        return Point(trial, failure=f"A row it builds on failed or is not there: {needed}."), ()
    try:
        measured, evaluations = measure(tasks, data, work)
        apart: Mapping[str, Difference] = {}
        if baseline:
            apart = differences_of(evaluations, baseline, [each.fold for each in tasks], data)
        return Point(trial, measured.figures, apart), evaluations
    except LentigoError as error:
        return Point(trial, failure=str(error)), ()
    except Exception as error:
        # Whatever a backend raises over one trial: the others of a long sweep go on.
        logger.exception("%s failed", trial.name or words(trial.set))
        return Point(trial, failure=f"{type(error).__name__}: {error}"), ()


def words(values: Mapping[str, Any]) -> str:
    """Keys and values in a line."""
    return ", ".join(f"{key} = {value}" for key, value in values.items())


def _recipes(recipe: str, trials: Sequence[Trial], changes: Sequence[str]) -> list[Recipe]:
    """The recipe of every trial, or all that is wrong with them, what they share told once."""
    load_recipe(recipe, changes)
    found, told = [], []
    for each in trials:
        try:
            found.append(load_recipe(recipe, [*changes, *each.overrides]))
        except RecipeError as error:
            first, *more = error.problem.splitlines()
            name = each.name or words(each.set)
            told += [f"{name}: {line.strip()}" for line in more or [first]]
    if told:
        raise RecipeError(
            f"{recipe} cannot be tried so:\n{listed(told)}",
            todo="docs/reference/recipe.md lists every key.",
        )
    return found


def _check_measured(
    data: PreparedSet, split: str, folds: Sequence[int | None], metrics: Sequence[str]
) -> None:
    told = [] if split in MEASURED else [f"{split!r} is not measured; {' or '.join(MEASURED)} is"]
    told += [
        f"there is no fold {fold}; they are 0 to {data.folds - 1}"
        for fold in folds
        if fold is not None and not 0 <= fold < data.folds
    ]
    known = sorted(figure_keys(data.taxonomy.codes))
    for metric in (each for each in metrics if each not in known):
        near = difflib.get_close_matches(metric, known, n=1)
        told.append(f"{metric!r} is no figure" + "".join(f"; the nearest is {n!r}" for n in near))
    if told:
        raise InputError(f"{data.path} cannot be swept over so:\n{listed(told)}")


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
