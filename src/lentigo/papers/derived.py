"""Rows that follow from others: means of variants, whether they differ at all, and speed-ups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.prepared import open_prepared
from lentigo.errors import LentigoError
from lentigo.papers.measured import Outcome, figures_of
from lentigo.papers.schema import Derived, Differing, Mean, Paper, Protocol, SpeedUp
from lentigo.papers.timing import epochs_of, speed_up, timing_told
from lentigo.score.bootstrap import group_numbers, grouped_bootstrap
from lentigo.score.estimate import NONE, Estimate, summarise
from lentigo.score.exchange import PERMUTATIONS, exchange_p
from lentigo.train import Run, open_run

FAST = 1.2
"""Matrix products in half precision must be this much faster for a speed-up to mean anything."""


def derive(
    paper: Paper, outcomes: Sequence[Outcome], protocols: Sequence[Protocol]
) -> list[Outcome]:
    """One outcome for each derived row whose variants were all asked for."""
    by_place = {(each.variant, each.protocol): each for each in outcomes}
    found = []
    for row in paper.derived:
        for protocol in protocols:
            parts = [by_place[n, protocol] for n in row.variants if (n, protocol) in by_place]
            if len(parts) != len(row.variants):
                continue
            try:
                found.append(_derived(row, protocol, parts))
            except LentigoError as error:  # a damaged run costs its row, not the page
                found.append(Outcome(row.name, protocol, failure=str(error), derived=True))
    return found


def _derived(row: Derived, protocol: Protocol, parts: Sequence[Outcome]) -> Outcome:
    failed = [each.variant for each in parts if each.figures is None]
    if failed:
        return Outcome(row.name, protocol, failure=f"{', '.join(failed)} failed", derived=True)
    runs = {each.variant: [open_run(_run_of(r)) for r in each.reports] for each in parts}
    if not isinstance(row, SpeedUp) and (told := _apart(parts)):
        return Outcome(row.name, protocol, failure=told, derived=True)
    how: Mapping[type[Derived], Callable[..., tuple[dict[str, Estimate], tuple[str, ...]]]]
    how = {Mean: _mean, Differing: _differing, SpeedUp: _speed_up}
    figures, remarks = how[type(row)](row, parts, runs)
    first = parts[0]
    return Outcome(
        variant=row.name,
        protocol=protocol,
        leaky=first.leaky,
        figures=figures,
        images=first.images,
        groups=first.groups,
        seeds=first.seeds,
        folds=first.folds,
        remarks=remarks,
        derived=True,
    )


def _run_of(report: Path) -> Path:
    return report.parents[2]


def _apart(parts: Sequence[Outcome]) -> str:
    """That the variants were not measured on the same images; empty where they were.

    The images of two prepared sets may be the same: in colour, and greyscale.
    """
    lists = set()
    for each in parts:
        tables = [
            pd.read_csv(report.parent / "predictions.csv", usecols=["image_id"], dtype=str)
            for report in each.reports
        ]
        lists.add(frozenset(pd.concat(tables)["image_id"]))
    return "" if len(lists) == 1 else "its variants were not measured on the same images"


def _mean(
    row: Mean,  # noqa: ARG001 - all three take the same
    parts: Sequence[Outcome],
    runs: Mapping[str, Sequence[Run]],
) -> tuple[dict[str, Estimate], tuple[str, ...]]:
    every = [run for each in runs.values() for run in each]
    data = open_prepared(every[0].info.prepared_path)
    folders = [report.parent for each in parts for report in each.reports]
    return dict(figures_of(every, folders, data).figures), ()


def _differing(
    row: Differing,
    parts: Sequence[Outcome],
    runs: Mapping[str, Sequence[Run]],
) -> tuple[dict[str, Estimate], tuple[str, ...]]:
    data = open_prepared(next(iter(runs.values()))[0].info.prepared_path)
    group_of = dict(zip(data.manifest["image_id"], data.groups, strict=True))
    right = {each.variant: _right(each, data.taxonomy.codes) for each in parts}
    variants = pd.DataFrame(right)
    levels = {level: variants[list(names)].mean(axis=1) for level, names in row.levels.items()}
    table = pd.DataFrame(levels)
    groups = table.index.map(group_of).to_numpy()
    by_group = table.groupby(groups).sum().to_numpy(np.float64)
    told = (
        f"over {len(by_group)} groups, {PERMUTATIONS} permutations (Pitman 1938); it tells these "
        "trained models apart, and does not know how other trainings would differ"
    )
    none = f"{NONE}a p-value, over {len(by_group)} groups"
    apart, remark = _difference(table, groups)
    remarks = [f"The p-values of differences: {told}."]
    return {
        "p_value": Estimate(exchange_p(by_group), None, None, len(by_group), none),
        "spread": _spread(table, len(by_group)),
        "difference": apart,
    }, (*remarks, *([f"{row.title}: {remark}."] if remark else []))


def _difference(right: pd.DataFrame, groups: NDArray[Any]) -> tuple[Estimate, str]:
    """The accuracy of the second of two levels less that of the first, and what it is in words.

    Args:
        right: (n, levels) how surely each image is called right.
        groups: (n,) the group of each image; they are drawn for both levels together.
    """
    numbers, count = group_numbers(groups)
    if right.shape[1] != 2:
        none = "of more than two levels only the spread is given"
        return Estimate(None, None, None, count, none), ""
    first, second = right.columns
    gap = (right[second] - right[first]).to_numpy(np.float64)
    drawn = grouped_bootstrap(lambda weights: gap @ weights / weights.sum(axis=0), numbers)
    told = f"accuracy of {second} less that of {first} on the same images"
    return summarise(float(gap.mean()), drawn, count, scarce=count), told


def _spread(right: pd.DataFrame, count: int) -> Estimate:
    """The best level's accuracy less the worst's: a range, which every draw would widen."""
    means = right.mean()
    told = f"{NONE}a range, from {means.idxmin()} to {means.idxmax()}, widens with every draw"
    return Estimate(float(means.max() - means.min()), None, None, count, told)


def _right(outcome: Outcome, codes: Sequence[str]) -> pd.Series:
    """The share of trainings that call each image right, by image_id."""
    tables = [
        pd.read_csv(report.parent / "predictions.csv", dtype={"image_id": str, "label": str})
        for report in outcome.reports
    ]
    right = [
        pd.Series(
            np.array(codes)[table[list(codes)].to_numpy().argmax(axis=1)] == table["label"],
        ).set_axis(table["image_id"])
        for table in tables
    ]
    return pd.concat(right).groupby(level=0).mean()


def _speed_up(
    row: SpeedUp,
    parts: Sequence[Outcome],  # noqa: ARG001 - all three take the same
    runs: Mapping[str, Sequence[Run]],
) -> tuple[dict[str, Estimate], tuple[str, ...]]:
    slow = [run for run in runs[row.variant] if (run.info.half_speed or 0.0) < FAST]
    if slow:
        ratio = slow[0].info.half_speed
        known = "unknown" if ratio is None else f"{ratio:.2f} times float32's"
        told = (
            f"not shown: no fast {slow[0].recipe().precision.removeprefix('mixed_')} here "
            f"(its matrix products: {known} speed)"
        )
        none = Estimate(None, None, None, 0, told)
        return {"speed_up": none, "time_saved": none}, (f"{row.title}: {told}.",)
    before, after = runs[row.baseline], runs[row.variant]
    remark = f"{row.title}: {timing_told(before, after)}."
    return speed_up(epochs_of(before), epochs_of(after)), (remark,)
