"""The subgroups of an evaluation as forest plots, with the tables behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from lentigo.evaluate.facts import Findings
from lentigo.evaluate.strata import UNKNOWN
from lentigo.evaluate.subgroups import CAUTIONS, Division, Subgroups
from lentigo.evaluate.svg import MARGIN_RIGHT, Plot
from lentigo.score.estimate import Estimate
from lentigo.score.subgroups import Stratum

NAMES = {
    "balanced_accuracy": "Balanced accuracy",
    "roc_auc": "AUC, malignant",
    "sensitivity": "Malignant images found (sensitivity)",
    "specificity": "Benign images below the threshold (specificity)",
}
_LABELS, _BARE, _PANEL, _ROW, _FOOT = 158.0, 16.0, 190.0, 17.0, 38.0


def section(findings: Findings) -> dict[str, Any]:
    """What the page's part on subgroups shows."""
    divisions = findings.subgroups.divisions
    keys = plotted(findings)
    given, apart = findings.subgroups.differences
    shown = {
        "figures": [
            {
                "key": key,
                "name": figure_name(key),
                "plot": forest(divisions, key, findings.metrics[key]),
                # Where there is room, the names of the strata stand once.
                "beside": forest(divisions, key, findings.metrics[key], named=False) if i else None,
            }
            for i, key in enumerate(keys)
        ],
        "divisions": [_table(each, keys) for each in divisions],
        "silences": silences(findings.subgroups),
        "cautions": list(CAUTIONS),
        "notes": [f"{each.title}: {each.note}" for each in divisions if each.note],
        "minimum": findings.subgroups.minimum,
        "given": given,
        "apart": apart,
    }
    return {"subgroups": shown}


def plotted(findings: Findings) -> list[str]:
    """The figures to show: ranking, and both sides of the point nearest to 90% sensitivity."""
    if "roc_auc.malignant" not in findings.subgroups.keys:
        return ["balanced_accuracy"]
    points = sorted(findings.asked.points, key=lambda each: abs(each.target_sensitivity - 0.9))
    point = points[0].name if points else "argmax"
    return ["roc_auc.malignant", f"sensitivity.malignant.{point}", f"specificity.malignant.{point}"]


def figure_name(key: str) -> str:
    """A figure by its key, for people."""
    metric, *rest = key.split(".", 2)  # a point such as sensitivity_0.90 holds a dot itself
    if len(rest) < 2:
        return NAMES[metric]
    wanted = rest[1].removeprefix("sensitivity_")
    point = "by the most probable class" if wanted == "argmax" else f"at the {wanted} threshold"
    return f"{NAMES[metric]}, {point}"


def silences(subgroups: Subgroups) -> list[str]:
    """Sentences on strata of which nothing, or too little, is known."""
    return [text for each in subgroups.divisions for text in _silences(each)]


def _silences(division: Division) -> list[str]:
    """Sentences on strata of which nothing is known."""
    named = [each for each in division.strata if each.name != UNKNOWN]
    if named and all(each.status == "empty" for each in named):
        return [f"{division.title}: nothing is known. No image here has one."]
    found = []
    if division.unheard:
        found.append(f"{division.title}: nothing is known for {', '.join(division.unheard)}.")
    small = [name for name in division.too_small if name != UNKNOWN]
    if small:
        found.append(f"{division.title}: too few groups in {', '.join(small)}.")
    return found


def forest(
    divisions: Sequence[Division], key: str, whole: Estimate, *, named: bool = True
) -> Markup:
    """One row a stratum: value and interval, or why there is none."""
    left = _LABELS if named else _BARE
    rows = sum(len(each.strata) + 1 for each in divisions)
    figures = [stratum.metrics[key] for each in divisions for stratum in each.strata]
    shown = [each for each in figures if each.value is not None]
    ends = [end for each in shown for end in (each.value, each.low) if end is not None]
    start = min(0.9, math.floor(min(ends, default=0.0) * 10) / 10)
    plot = Plot(
        (start, 1.0),
        (0.0, float(rows)),
        f"{figure_name(key)} by subgroup",
        f"{len(shown)} strata with a figure; the table below holds the numbers.",
        width=left + _PANEL + MARGIN_RIGHT,
        height=rows * _ROW + _FOOT + 10,
        margin_left=left,
    )
    step = 0.1 if start >= 0.5 else 0.2
    count = round((1 - plot.x[0]) / step)
    ticks = [(1 - step * i, f"{1 - step * i:.1f}") for i in range(count + 1)]
    plot.axes(key.split(".", 1)[0].replace("roc_auc", "AUC").replace("_", " "), "", ticks, [])
    if whole.value is not None:
        plot.line([whole.value, whole.value], [0, rows], "chance")
    at = float(rows)
    for division in divisions:
        at -= 1
        if named:
            plot.text(4, plot.up(at + 0.3), division.title, kind="point-label")
        for stratum in division.strata:
            at -= 1
            if named:
                plot.text(12, plot.up(at + 0.5) + 3.5, _labelled(stratum))
            _row(plot, stratum, stratum.metrics[key], at + 0.5)
    return plot.render()


def _labelled(stratum: Stratum) -> str:
    name = stratum.name if len(stratum.name) < 18 else f"{stratum.name[:16]}…"
    return f"{name} ({stratum.counts.groups})"


def _row(plot: Plot, stratum: Stratum, figure: Estimate, at: float) -> None:
    if figure.value is None:
        told = "no images: nothing known"
        if stratum.counts.images:
            told = (figure.reason or "undefined").split(",", 1)[0]
        plot.text(plot.across(plot.x[0]) + 5, plot.up(at) + 3.5, told, kind="tick hush")
        return
    kind = "main"
    if figure.low is not None and figure.high is not None:
        plot.line([figure.low, figure.high], [at, at], kind)
        told = f"{figure.value:.3f}, {figure.low:.3f} to {figure.high:.3f}"
    else:
        told = f"{figure.value:.3f}, no interval"
    plot.dot(figure.value, at, "point", 3.2, f"{stratum.name}: {told}")


def _table(division: Division, keys: Sequence[str]) -> dict[str, Any]:
    return {
        "title": division.title,
        "reference": division.reference,
        "rows": [
            {
                "name": each.name,
                "images": each.counts.images,
                "groups": each.counts.groups,
                "malignant": each.counts.malignant_groups,
                "is_reference": each.is_reference,
                "figures": [
                    {
                        "name": figure_name(key),
                        "value": each.metrics[key],
                        "difference": each.differences.get(key),
                    }
                    for key in keys
                ],
            }
            for each in division.strata
        ],
    }
