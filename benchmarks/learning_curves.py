r"""Learning curves from a sweep: figures of its rows against what was changed from row to row.

Draws what ``lentigo sweep ... --trials lentigo-small`` wrote (``sweep.csv``); nothing is trained.
A curve names its rows and where each stands on the axis, which is logarithmic; the first curve
is drawn full, further ones dashed. Bars are the rows' own 95% intervals, over lesions.

Expected of shares of the lesions: both curves still rise at the last doubling, the one with as
many steps less.

Run (both pictures of docs/results.md)::

    python benchmarks/learning_curves.py sweep.csv --out docs/images/learning-curves.svg \
        --axis "share of the training lesions" \
        --curve "as many epochs=quarter:0.25,half:0.5,as-it-is:1" \
        --curve "as many steps=quarter-as-many-steps:0.25,half-as-many-steps:0.5,as-it-is:1"
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from drawing import side_by_side
from lentigo.evaluate.svg import Plot, round_ticks
from lentigo.files import write_text

STYLE = """
svg{font:11px system-ui,sans-serif;background:#fff}
.grid{stroke:#ddd;fill:none}.tick{fill:#444}.axis-label{fill:#222}.name{fill:#111}
.first,.interval{stroke:#0a6ebd;stroke-width:1.5;fill:none}.dot{fill:#0a6ebd}
.further{stroke:#8a4b00;stroke-width:1.5;stroke-dasharray:5 3;fill:none}
"""
TITLES = {"balanced_accuracy": "balanced accuracy", "roc_auc.mel": "ROC area, melanoma"}


@dataclass(frozen=True)
class Curve:
    """Rows of a sweep in the order of what was changed."""

    name: str
    rows: tuple[str, ...]
    places: tuple[float, ...]

    @classmethod
    def parse(cls, text: str) -> Curve:
        """From ``name=row:place,row:place``."""
        name, _, points = text.partition("=")
        pairs = [point.rsplit(":", 1) for point in points.split(",")]
        return cls(name, tuple(row for row, _ in pairs), tuple(float(at) for _, at in pairs))


def panel(table: pd.DataFrame, curves: list[Curve], metric: str, axis: str) -> Plot:
    """One figure of every curve."""
    columns = [metric, f"{metric}.low", f"{metric}.high"]
    figures = [table.loc[list(curve.rows), columns].to_numpy(float) for curve in curves]
    together = np.concatenate(figures)
    places = sorted({place for curve in curves for place in curve.places})
    across = (math.log(places[0]) - 0.15, math.log(places[-1]) + 0.15)
    up = (together[:, 1].min() - 0.02, together[:, 2].max() + 0.02)
    title = TITLES.get(metric, metric)
    told = "; ".join(
        f"{curve.name}, {place:g}: {value:.3f}"
        for curve, found in zip(curves, figures, strict=True)
        for place, value in zip(curve.places, found[:, 0], strict=True)
    )
    plot = Plot(across, up, f"{title} against {axis}", told, width=420, height=320)
    ticks = [(math.log(place), f"{place:g}") for place in places]
    plot.axes(axis, title, ticks, round_ticks(*up))
    for number, (curve, found) in enumerate(zip(curves, figures, strict=True)):
        at = np.log(curve.places)
        plot.line(at, found[:, 0], "further" if number else "first")
        for x, (value, low, high) in zip(at, found, strict=True):
            plot.line([x, x], [low, high], "interval")
            plot.dot(x, value, "dot")
        x, y = plot.across(at[0]) + 8, plot.up(found[0, 0]) + 16
        plot.text(x, y, curve.name, "start", kind="name")
    return plot


def main() -> None:
    """Print the figures and write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sweep", type=Path, help="the sweep.csv of lentigo sweep")
    parser.add_argument("--curve", required=True, action="append", type=Curve.parse)
    parser.add_argument("--axis", required=True, help="what was changed")
    parser.add_argument("--metric", nargs="+", default=list(TITLES))
    parser.add_argument("--out", type=Path, default=Path("learning-curves.svg"))
    args = parser.parse_args()
    table = pd.read_csv(args.sweep, index_col="trial")
    panels = [panel(table, args.curve, metric, args.axis) for metric in args.metric]
    for each in panels:
        print(f"{each.title}. {each.description}")
    write_text(args.out, side_by_side(panels, STYLE))


if __name__ == "__main__":
    main()
