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
        seeds: How many trainings the figures are the mean of.
        reports: The evaluations' pages.
        failure: Why there are no figures; empty where there are.
        remarks: What must be said of its data and weights.
    """

    variant: str
    protocol: Protocol
    leaky: bool = False
    figures: Mapping[str, Estimate] | None = None
    images: int = 0
    groups: int = 0
    seeds: int = 0
    reports: tuple[Path, ...] = ()
    failure: str = ""
    remarks: tuple[str, ...] = ()


def figures_of(
    runs: Sequence[Run], evaluations: Sequence[Path], data: PreparedSet
) -> tuple[dict[str, Estimate], int, int]:
    """The mean of several trainings' figures, with intervals; images and groups measured.

    The interval is of the mean: in each replicate the same groups are drawn for all
    trainings. It holds the doubt that comes with the images, not that of the training.

    Args:
        runs: Finished, one a seed.
        evaluations: Folders of their evaluations, on the same images.
        data: The prepared set.
    """
    tables = [
        pd.read_csv(each / "predictions.csv", dtype={"image_id": str}) for each in evaluations
    ]
    codes = data.taxonomy.codes
    names = dict(zip(data.manifest["image_id"], data.manifest["group_id"], strict=True))
    groups = tables[0]["image_id"].map(names).to_numpy(dtype=object)
    labels = tables[0]["label"].map({code: i for i, code in enumerate(codes)}).to_numpy()
    panels = [
        Panel.of(labels, table[list(codes)].to_numpy(), codes, data.taxonomy.malignant)
        for table in tables
    ]
    found = _mean_of(panels, groups) if len(panels) > 1 else panels[0].estimates(groups)
    return found | _false_positives(found) | _facts(runs), len(labels), len(set(groups.tolist()))


def _mean_of(panels: Sequence[Panel], groups: np.ndarray[Any, Any]) -> dict[str, Estimate]:
    def compute(weights: Any) -> Any:
        return np.mean([panel.compute(weights) for panel in panels], axis=0)

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
    """Means over the runs of what stands in their records."""
    rows = []
    for run in runs:
        history = run.history()
        best = history[run.info.best_epoch - 1]
        row = {f"history.{k}": v for k, v in best.items() if isinstance(v, int | float)}
        row |= {"parameters": run.info.parameters, "seconds": run.info.seconds}
        row |= {"epochs": len(history), "seconds_per_epoch": run.info.seconds / len(history)}
        rows.append(row)
    means = pd.DataFrame(rows).mean()
    return {
        str(key): Estimate(float(value), None, None, 0, NO_INTERVAL) for key, value in means.items()
    }
