"""`sweep`: a recipe over a grid of values, each measured the same way, one table."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import logging
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError, LentigoError
from lentigo.files import write_text
from lentigo.papers.cluster import check_address, run_all
from lentigo.papers.running import Work, do, measure, tasks_of
from lentigo.recipe import load_recipe
from lentigo.score.estimate import Estimate
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE
from lentigo.train.loop import Report

logger = logging.getLogger(__name__)

SHOWN = ("balanced_accuracy", "accuracy", "roc_auc.macro", "roc_auc.malignant")
# More is a mistyped grid rather than a plan.
MOST_POINTS = 1000


@dataclass(frozen=True)
class Point:
    """One point of the grid.

    Attributes:
        values: Key to value.
        figures: By key; empty where it failed.
        seconds: Of training, a seed.
        failure: Why there are no figures; empty where there are.
    """

    values: Mapping[str, Any]
    figures: Mapping[str, Estimate]
    seconds: float = 0.0
    failure: str = ""


@dataclass(frozen=True)
class Sweep:
    """A finished sweep: its points in the order of the grid, and the two tables."""

    points: tuple[Point, ...]
    csv: Path
    markdown: Path


def parse_grid(over: Sequence[str]) -> dict[str, list[Any]]:
    """``key=a,b,c`` texts as key to values; values are TOML, and text where they are not.

    Raises:
        InputError: No values, a key twice, or no key at all.
    """
    grid: dict[str, list[Any]] = {}
    for each in over:
        key, _, text = each.partition("=")
        key = key.strip()
        if not key or not text.strip() or key in grid:
            raise InputError(f"--over {each!r} is not key=a,b,c with a key of its own.")
        try:
            grid[key] = tomllib.loads(f"values = [{text}]")["values"]
        except tomllib.TOMLDecodeError:
            grid[key] = [part.strip() for part in text.split(",")]
    if not grid:
        raise InputError("A sweep needs something to go over.", todo="--over key=a,b,c")
    return grid


def sweep(
    recipe: str,
    data: PreparedSet | Path | str,
    grid: Mapping[str, Sequence[Any]],
    *,
    out: Path,
    seeds: int = 1,
    fold: int | None = None,
    split: str = "validation",
    changes: Sequence[str] = (),
    cluster: str = "",
    say: Callable[[str], None] | None = None,
    report: Report | None = None,
) -> Sweep:
    """Train a recipe at every point of a grid, measure all on the same images, write tables.

    Finished runs and evaluations under ``out`` are used again. A point that fails is told in
    its row, and the others go on.

    Args:
        recipe: A packaged recipe's name or a path.
        data: A prepared set or its folder.
        grid: Dotted key to values, as `parse_grid` gives.
        out: The folder of runs and tables.
        seeds: Trainings a point; figures are their mean.
        fold: The fold that validates.
        split: What is measured. To choose by the test list is to wear it out.
        changes: ``key=value`` that hold at every point.
        cluster: Where trainings run, as in `lentigo.papers.cluster`; empty is here.
        say: Told of each point.
        report: Told of each training's batches and epochs.

    Raises:
        InputError: A grid that is too large, or no seeds.
        RecipeError: A key that leads nowhere or a value out of range, before anything is run.
    """
    data = data if isinstance(data, PreparedSet) else open_prepared(Path(data))
    points = [dict(zip(grid, each, strict=True)) for each in itertools.product(*grid.values())]
    if len(points) > MOST_POINTS or seeds < 1:
        raise InputError(f"{len(points)} points with {seeds} seeds are not run at once.")
    overrides = [[*changes, *(f"{k}={_toml(v)}" for k, v in each.items())] for each in points]
    recipes = [load_recipe(recipe, each) for each in overrides]
    if cluster:
        check_address(cluster)
        out = out.resolve()  # the workers have working folders of their own
        data = dataclasses.replace(data, path=data.path.resolve())
    grids = [tasks_of(each, data, out / "runs", seeds, [fold], split) for each in recipes]
    work: Work = partial(do, report=report)
    if cluster:
        work = run_all(cluster, [task for tasks in grids for task in tasks], say)
    found: list[Point] = []
    for values, tasks in zip(points, grids, strict=True):
        if say is not None:
            say(f"{len(found) + 1}/{len(points)}: {_words(values)}")
        try:
            figures = measure(tasks, data, work)[0].figures
            found.append(Point(values, figures, figures["seconds"].value or 0.0))
        except LentigoError as error:
            found.append(Point(values, {}, failure=error.problem))
        except Exception as error:
            # Whatever a backend raises over one point: the others of a long grid go on.
            logger.exception("%s failed", _words(values))
            found.append(Point(values, {}, failure=f"{type(error).__name__}: {error}"))
    return _written(recipe, data, tuple(found), seeds, split, out)


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in values.items())


def _written(
    recipe: str, data: PreparedSet, points: tuple[Point, ...], seeds: int, split: str, out: Path
) -> Sweep:
    keys = list(points[0].values)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    spread = [f"{name}{end}" for name in SHOWN for end in ("", ".low", ".high")]
    writer.writerow([*keys, *spread, "seconds", "split", "seeds", "stamp", "status"])
    stamp = "LEAKY" if data.leaky else ""
    for point in points:
        cells = [cell for name in SHOWN for cell in _triple(point.figures.get(name))]
        status = f"failed: {point.failure}" if point.failure else "done"
        values = [_toml(v) if isinstance(v, list) else v for v in point.values.values()]
        writer.writerow([*values, *cells, round(point.seconds, 1), split, seeds, stamp, status])
    write_text(out / "sweep.csv", stream.getvalue())
    write_text(out / "sweep.md", _markdown(recipe, data, points, seeds, split))
    return Sweep(points, out / "sweep.csv", out / "sweep.md")


def _triple(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return ["", "", ""]
    parts = (estimate.value, estimate.low, estimate.high)
    return ["" if part is None else repr(float(part)) for part in parts]


def _markdown(
    recipe: str, data: PreparedSet, points: tuple[Point, ...], seeds: int, split: str
) -> str:
    keys = list(points[0].values)
    lines = [f"# {recipe} over {', '.join(keys)}", ""]
    if data.leaky:
        lines += ["**LEAKY: what was trained on also sits among these images.**", ""]
    lines += [
        (
            f"Measured on {split}, the mean of {seeds} training(s) a point, with 95% intervals "
            f"over groups. The best of {len(points)} points looks better than it is."
        ),
        "",
        "| " + " | ".join([*keys, *SHOWN, "seconds"]) + " |",
        "| " + " | ".join(["---"] * (len(keys) + len(SHOWN) + 1)) + " |",
    ]
    for point in points:
        if point.failure:
            cells = [f"failed: {point.failure}", *[""] * len(SHOWN)]
        else:
            shown = [_figure(point.figures.get(name)) for name in SHOWN]
            cells = [*shown, f"{point.seconds:.0f}"]
        row = [*(str(v) for v in point.values.values()), *cells]
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |")
    return "\n".join([*lines, "", NOT_A_MEDICAL_DEVICE, ""])


def _figure(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
