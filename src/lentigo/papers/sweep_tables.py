"""A sweep's points as a table for people and one for machines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lentigo.data.prepared import PreparedSet
from lentigo.errors import in_one_line
from lentigo.papers.measured import Difference
from lentigo.papers.trials import Trial
from lentigo.score.estimate import Estimate
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE


@dataclass(frozen=True)
class Point:
    """One row.

    Attributes:
        trial: What was done.
        figures: By key; empty where it failed.
        apart: By key: how far it lies from the trial it is against; empty for the first one.
        failure: Why there are no figures; empty where there are.
    """

    trial: Trial
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    apart: Mapping[str, Difference] = field(default_factory=dict)
    failure: str = ""

    @property
    def seconds(self) -> float:
        """Of training, the mean of its runs."""
        return self.figures["seconds"].value or 0.0 if self.figures else 0.0


@dataclass(frozen=True)
class Table:
    """What holds for all rows.

    Attributes:
        title: Of the table.
        data: The prepared set.
        split: What was measured.
        seeds: Trainings a trial and fold.
        folds: Which folds validated.
        shown: Keys of the figures.
        choices: Sentences beneath it.
    """

    title: str
    data: PreparedSet
    split: str
    seeds: int
    folds: Sequence[int | None]
    shown: Sequence[str]
    choices: Sequence[str] = ()


def as_csv(table: Table, points: Sequence[Point]) -> str:
    """A row a trial: values, figures and differences with both ends of their intervals."""
    keys = list(dict.fromkeys(key for point in points for key in point.trial.set))
    ends = ("", ".low", ".high")
    kinds = ("{}", "difference.{}", "difference_by_fold.{}")
    columns = [kind.format(name) + end for kind in kinds for name in table.shown for end in ends]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    facts = ("seconds", "split", "folds", "seeds", "stamp", "status")
    writer.writerow(["trial", "data", "against", *keys, *columns, *facts])
    stamp = "LEAKY" if table.data.leaky else ""
    for point in points:
        apart = [point.apart.get(name) for name in table.shown]
        figures = [point.figures.get(name) for name in table.shown]
        figures += [None if each is None else each.by_group for each in apart]
        figures += [None if each is None else each.by_fold for each in apart]
        cells = [cell for each in figures for cell in _triple(each)]
        status = f"failed: {in_one_line(point.failure)}" if point.failure else "done"
        values = [
            "" if key not in point.trial.set else _plain(point.trial.set[key]) for key in keys
        ]
        how = [round(point.seconds, 1), table.split, len(table.folds), table.seeds, stamp, status]
        trial = point.trial
        writer.writerow([trial.name, trial.data, trial.against, *values, *cells, *how])
    return stream.getvalue()


def as_markdown(table: Table, points: Sequence[Point]) -> str:
    """The table of figures, that of differences between trials, and what to know."""
    lines = [f"# {table.title}", ""]
    if table.data.leaky:
        lines += ["**LEAKY: what was trained on also sits among these images.**", ""]
    how = f"Measured on {table.split}, {_trainings(table)} a row, with 95% intervals over groups."
    if len(points) > 1:
        how += f" The best of {len(points)} rows looks better than it is."
    lines += [
        how,
        "",
        *_figures(table, points),
    ]
    if any(point.apart for point in points):
        lines += ["", *_differences(table, points)]
    if said := _said(table, points):
        lines += ["", "Of these figures and their intervals:", "", *said]
    if table.choices:
        lines += ["", *(f"- {sentence}" for sentence in table.choices)]
    return "\n".join([*lines, "", NOT_A_MEDICAL_DEVICE, ""])


def _trainings(table: Table) -> str:
    """How many make up a figure."""
    runs = len(table.folds) * table.seeds
    parts = [(len(table.folds), "fold"), (table.seeds, "seed")]
    told = " of ".join(f"{count} {what}s" for count, what in parts if count > 1)
    return f"the mean of {runs} trainings ({told})" if runs > 1 else "one training"


def _figures(table: Table, points: Sequence[Point]) -> list[str]:
    keys = _keys(points)
    rows = [[*keys, *table.shown, "seconds"]]
    for point in points:
        if point.failure:
            cells = [f"failed: {in_one_line(point.failure)}", *[""] * len(table.shown)]
        else:
            cells = [shown(point.figures.get(name)) for name in table.shown]
            cells.append(f"{point.seconds:.0f}")
        rows.append([*_called(point, keys), *cells])
    return _lines(rows)


def _differences(table: Table, points: Sequence[Point]) -> list[str]:
    keys = _keys(points)
    over = "folds" if len(table.folds) > 1 else "seeds" if table.seeds > 1 else ""
    rows = [[*keys, *table.shown]]
    for point in points[1:]:
        called = _called(point, keys)
        if against := point.trial.against:
            other = next(each for each in points if each.trial.name == against)
            called = [f"{called[0]} (from: {_called(other, keys)[0]})"]
        cells = []
        for name in table.shown:
            each = point.apart.get(name)
            second = f"; {_ends(each.by_fold, signed=True)}" if each and over else ""
            cells.append(shown(each.by_group, signed=True) + second if each else "–")
        rows.append([*called, *cells])
    second = f"; [Student's over {over}]" if over else ""
    told = "" if over else " One training a row does not tell how another would differ."
    return [
        (
            "Difference from the first row, or from the one that is named, on the same images: "
            "[95% interval over groups]"
            f"{second}.{told}"
        ),
        "",
        *_lines(rows),
    ]


def _said(table: Table, points: Sequence[Point]) -> list[str]:
    """What must be said of figures and intervals over groups: a line a reason."""
    keys, found = _keys(points), dict[str, list[str]]()
    for point in points:
        row = ", ".join(_called(point, keys))
        for name in table.shown:
            apart = point.apart.get(name)
            gap = apart.by_group if apart else None
            each = {name: point.figures.get(name), f"difference of {name}": gap}
            for what, estimate in each.items():
                if estimate is not None and estimate.reason:
                    found.setdefault(estimate.reason, []).append(f"{row}: {what}")
    return [f"- {reason} ({'; '.join(places)})." for reason, places in found.items()]


def _keys(points: Sequence[Point]) -> list[str]:
    """The first columns: names where trials have them, else what the grid goes over."""
    return ["trial"] if points[0].trial.name else list(points[0].trial.set)


def _called(point: Point, keys: Sequence[str]) -> list[str]:
    if point.trial.name:
        return [point.trial.title or point.trial.name]
    return [str(point.trial.set[key]) for key in keys]


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
    return [lines[0], "| " + " | ".join(["---"] * len(rows[0])) + " |", *lines[1:]]


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _triple(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return ["", "", ""]
    parts = (estimate.value, estimate.low, estimate.high)
    return ["" if part is None else repr(float(part)) for part in parts]


def shown(estimate: Estimate | None, *, signed: bool = False) -> str:
    """``0.731 [0.674, 0.790]``, with signs where asked for; a dash where there is nothing."""
    if estimate is None or estimate.value is None:
        return "–"
    value = f"{estimate.value:{'+' if signed else ''}.3f}"
    ends = _ends(estimate, signed=signed)
    return f"{value} {ends}" if ends else value


def _ends(estimate: Estimate, *, signed: bool) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    sign = "+" if signed else ""
    return f"[{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"
