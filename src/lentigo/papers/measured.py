"""What a variant came to under one protocol: figures with intervals, from finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lentigo.data.prepared import PreparedSet
from lentigo.papers.schema import Protocol
from lentigo.score.bootstrap import REPLICATES, grouped_bootstrap
from lentigo.score.estimate import Estimate, summarise
from lentigo.score.panel import Panel
from lentigo.train import Run

NO_INTERVAL = "a fact of the run, not an estimate"


@dataclass(frozen=True)
class Outcome:
    """One variant under one protocol.

    Attributes:
        variant: Its name.
        protocol: Which split.
        leaky: Whether the measured images share lesions or patients with the training.
        figures: By key; empty where it failed.
        images: How many were measured.
        groups: Of how many groups.
        seeds: How many trainings of each fold the figures are the mean of.
        folds: How many folds validated in turn.
        reports: The evaluations' pages.
        failure: Why there are no figures; empty where there are.
        remarks: What must be said of its data and weights.
        derived: Whether it follows from other outcomes.
    """

    variant: str
    protocol: Protocol
    leaky: bool = False
    figures: Mapping[str, Estimate] | None = None
    images: int = 0
    groups: int = 0
    seeds: int = 0
    folds: int = 1
    reports: tuple[Path, ...] = ()
    failure: str = ""
    remarks: tuple[str, ...] = ()
    derived: bool = False


@dataclass(frozen=True)
class Measured:
    """Figures by key, and on how many images and groups they rest."""

    figures: Mapping[str, Estimate]
    images: int
    groups: int


def figures_of(runs: Sequence[Run], evaluations: Sequence[Path], data: PreparedSet) -> Measured:
    """The mean of several trainings' figures, with intervals.

    The interval is of the mean: in each replicate the same groups are drawn for all
    trainings, so folds that validate on parts of their own are drawn together. It holds the
    doubt that comes with the images, not that of the training.

    Args:
        runs: Finished, one a seed or fold.
        evaluations: Folders of their evaluations, on the same images or each on its fold's.
        data: The prepared set.
    """
    tables = [
        pd.read_csv(each / "predictions.csv", dtype={"image_id": str}) for each in evaluations
    ]
    row_of = {name: row for row, name in enumerate(data.manifest["image_id"])}
    rows = [table["image_id"].map(row_of).to_numpy() for table in tables]
    everything = np.unique(np.concatenate(rows))
    groups = data.manifest["group_id"].to_numpy(dtype=object)[everything]
    places = [np.searchsorted(everything, each) for each in rows]
    panels = [_panel(table, data) for table in tables]
    if len(panels) > 1:
        found = _mean_of(panels, places, groups)
    else:
        found = panels[0].estimates(groups[places[0]])
    figures = found | _false_positives(found) | _facts(runs)
    return Measured(figures, len(everything), len(set(groups.tolist())))


def _panel(table: pd.DataFrame, data: PreparedSet) -> Panel:
    codes = data.taxonomy.codes
    labels = table["label"].map({code: i for i, code in enumerate(codes)}).to_numpy()
    return Panel.of(labels, table[list(codes)].to_numpy(), codes, data.taxonomy.malignant)


def _mean_of(
    panels: Sequence[Panel], places: Sequence[Any], groups: np.ndarray[Any, Any]
) -> dict[str, Estimate]:
    """The mean of all panels, each of which scores its own ``places`` in ``groups`` (n,)."""

    def compute(weights: Any) -> Any:
        each = [p.compute(weights[own]) for p, own in zip(panels, places, strict=True)]
        return np.mean(each, axis=0)

    observed = compute(np.ones((len(groups), 1)))[:, 0]
    replicates = grouped_bootstrap(compute, groups, replicates=REPLICATES)
    n_groups = len(set(groups.tolist()))
    return {
        key: summarise(float(observed[row]), replicates[row], n_groups)
        for row, key in enumerate(panels[0].keys)
    }


def _false_positives(found: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """``false_positive_rate.WHAT.POINT``: 1 less each specificity, interval turned round."""

    def rest(value: float | None) -> float | None:
        return None if value is None else 1 - value

    return {
        key.replace("specificity", "false_positive_rate", 1): Estimate(
            rest(each.value), rest(each.high), rest(each.low), each.n_groups, each.reason
        )
        for key, each in found.items()
        if key.startswith("specificity.")
    }


def _facts(runs: Sequence[Run]) -> dict[str, Estimate]:
    """Means over the runs of what stands in their records; classic models have no epochs."""
    rows = []
    for run in runs:
        history = run.history()
        best = history[run.info.best_epoch - 1]
        row = {f"history.{k}": v for k, v in best.items() if isinstance(v, int | float)}
        row |= {"parameters": run.info.parameters, "seconds": run.info.seconds}
        if run.info.kind == "network":  # a classic model's rows are points of a grid
            row |= {"epochs": len(history), "seconds_per_epoch": run.info.seconds / len(history)}
        rows.append(row)
    means = pd.DataFrame(rows).mean()
    return {
        str(key): Estimate(float(value), None, None, 0, NO_INTERVAL) for key, value in means.items()
    }
