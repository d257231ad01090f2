"""What a paper prints of each epoch, as tables like its others: claimed beside measured.

The page draws the same as logs, seconds and curves (`lentigo.papers.figures`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from lentigo.papers.measured import Outcome, student
from lentigo.papers.schema import EpochFigure, Paper
from lentigo.papers.tables import ClaimRow, ClaimTable, Column
from lentigo.score.estimate import NONE, Estimate
from lentigo.train import open_run

KEY = "by_epoch"
"""Begins the keys of these figures: ``by_epoch.FIGURE.EPOCH``, epochs counted from 1."""
_LOGGED: dict[EpochFigure, str] = {
    "loss": "Training loss",
    "accuracy": "Training accuracy",
    "val_loss": "Validation loss",
    "val_accuracy": "Validation accuracy",
}
_Wanted = tuple[str, str, EpochFigure]
"""A column: its title, the variant, and the figure."""
_ALONE = f"{NONE}single epochs of one training"


def with_epochs(paper: Paper, outcomes: Sequence[Outcome]) -> tuple[Paper, list[Outcome]]:
    """The paper with a table of each log that it prints, and outcomes with what stands in them.

    One table has the seconds, with a column a variant; one of each variant its losses and
    accuracies. Where a variant was trained several times, a figure is the mean of the trainings
    that all reached the epoch, with Student's interval over them; of one training it has none.
    """
    measured = [
        dataclasses.replace(each, figures={**each.figures, **_figures(each)})
        if each.figures is not None and each.variant in paper.by_epoch
        else each
        for each in outcomes
    ]
    tables = (*paper.tables, *_tables(paper, measured))
    return paper.model_copy(update={"tables": tables}), measured


def _tables(paper: Paper, outcomes: Sequence[Outcome]) -> list[ClaimTable]:
    titles = {each.name: each.title or each.name for each in paper.variants}
    timed: list[_Wanted] = [
        (titles[name], name, "seconds")
        for name, claimed in paper.by_epoch.items()
        if "seconds" in claimed
    ]
    found = {"Seconds an epoch (of ours, the first compiles)": timed}
    for name, claimed in paper.by_epoch.items():
        found[f"Epoch by epoch, {titles[name]}"] = [
            (title, name, key) for key, title in _LOGGED.items() if key in claimed
        ]
    return [_table(paper, title, each, outcomes) for title, each in found.items() if each]


def _table(
    paper: Paper, title: str, columns: Sequence[_Wanted], outcomes: Sequence[Outcome]
) -> ClaimTable:
    """A row an epoch of the longest log, theirs or ours."""
    claimed = [paper.by_epoch[variant][figure] for _, variant, figure in columns]
    starts = tuple(f"{KEY}.{figure}." for _, _, figure in columns)
    reached = [
        int(key.rpartition(".")[2])
        for each in outcomes
        if each.variant in {variant for _, variant, _ in columns}
        for key in each.figures or {}
        if key.startswith(starts)
    ]
    rows = {
        str(epoch + 1): ClaimRow(
            claimed=tuple(str(each[epoch]) if epoch < len(each) else "" for each in claimed)
        )
        for epoch in range(max(*map(len, claimed), *reached, 1))
    }
    shown = tuple(
        Column(
            title=head,
            key=f"{KEY}.{figure}.{{}}",
            digits=1 if figure == "seconds" else 4,
            of=(variant,),
        )
        for head, variant, figure in columns
    )
    return ClaimTable(title=title, columns=shown, rows=rows)


def _figures(outcome: Outcome) -> dict[str, Estimate]:
    logs = [_log(report.parents[2]) for report in outcome.reports]
    reached = [key for key in logs[0] if all(key in log for log in logs)] if logs else []
    return {key: _estimate(key, [log[key] for log in logs]) for key in reached}


def _log(run_path: Path) -> dict[str, float]:
    """What a run recorded of its epochs, by key; a classic model has none."""
    run = open_run(run_path)
    if run.info.kind != "network":
        return {}
    seconds = {f"{KEY}.seconds.{i}": s for i, s in enumerate(run.info.epoch_seconds, start=1)}
    logged = {
        f"{KEY}.{figure}.{epoch}": float(row[figure])
        for epoch, row in enumerate(run.history(), start=1)
        for figure in _LOGGED
        if isinstance(row.get(figure), int | float)
    }
    return {**seconds, **logged}


def _estimate(key: str, values: Sequence[float]) -> Estimate:
    found = student(values, "trainings")
    if len(values) == 1 and found.value is not None:
        return dataclasses.replace(found, reason=_ALONE)
    if found.low is None or found.high is None:
        return found
    # Student knows of no bounds; neither seconds nor losses fall below 0.
    most = 1.0 if "accuracy" in key else math.inf
    return dataclasses.replace(found, low=max(found.low, 0.0), high=min(found.high, most))
