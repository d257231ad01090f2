"""The papers' figures, drawn again from finished runs: pictures with a table behind each.

``FIGURES`` holds one function a kind; a paper's TOML names those that it shows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.evaluate.svg import Plot, percent_ticks, round_ticks
from lentigo.papers.measured import Outcome
from lentigo.papers.pictures import hair_pairs, image_grid
from lentigo.papers.schema import Paper, Protocol
from lentigo.score.official import roc_points
from lentigo.train import NetworkRun, Run, open_run

UNIT = (0.0, 1.0)
COLOURS = 6
HEADINGS = {"as-published": "as published", "leak-free": "leak-free"}
_AT = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Table:
    """What is behind a picture."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """One picture, or one table where that is the figure.

    Attributes:
        caption: What it shows.
        leaky: Whether what is shown was measured by a leaky protocol.
        picture: SVG or images; None where the table is the figure.
        keys: Names of the curves; curve i has the colours of class ``s{i % 6}``, and from the
            seventh on it is dashed.
        table: The numbers.
        text: Lines that stand as they are.
    """

    caption: str
    leaky: bool
    picture: Markup | None = None
    keys: tuple[str, ...] = ()
    table: Table | None = None
    text: str = ""


class Shown:
    """A variant that was run under one protocol: the first of its trainings."""

    def __init__(self, title: str, outcome: Outcome) -> None:
        self.title, self.outcome = title, outcome
        self._evaluation = outcome.reports[0].parent

    @property
    def where(self) -> str:
        """Its title and protocol."""
        return f"{self.title}, {HEADINGS[self.outcome.protocol]}"

    @property
    def leaky(self) -> bool:
        """Whether its figures flatter."""
        return self.outcome.leaky

    @cached_property
    def run(self) -> Run:
        """The run."""
        return open_run(self._evaluation.parent.parent)

    @cached_property
    def data(self) -> PreparedSet:
        """What it was trained on."""
        return open_prepared(Path(self.run.info.prepared_path))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Label and probabilities of every measured image."""
        text = {"image_id": str, "label": str}
        return pd.read_csv(self._evaluation / "predictions.csv", dtype=text)

    def roc(self, codes: Sequence[str]) -> tuple[Any, Any] | None:
        """False and true positive rates of some classes against the rest."""
        truth = self.predictions["label"].isin(codes).to_numpy()
        if truth.all() or not truth.any():
            return None
        fpr, tpr, _ = roc_points(truth, self.predictions[list(codes)].sum(axis=1).to_numpy())
        return fpr, tpr


Draw = Callable[[Sequence[Shown]], list[Figure]]


def draw(
    paper: Paper, outcomes: Sequence[Outcome], protocols: Sequence[Protocol]
) -> list[tuple[str, list[Figure]]]:
    """The figures that a paper names: (heading, pictures), those without any left out."""
    titles = {each.name: each.title or each.name for each in paper.variants}
    done = [e for e in outcomes if e.figures is not None and not e.derived and e.reports]
    shown = [Shown(titles[e.variant], e) for p in protocols for e in done if e.protocol == p]
    found = []
    for name in paper.figures:
        heading, drawer = FIGURES[name]
        if figures := drawer(shown):
            found.append((heading, figures))
    return found


def _by_protocol(shown: Sequence[Shown]) -> list[list[Shown]]:
    protocols = dict.fromkeys(each.outcome.protocol for each in shown)
    return [[each for each in shown if each.outcome.protocol == p] for p in protocols]


def _roc_plot(
    title: str, curves: Sequence[tuple[str, tuple[Any, Any] | None]], leaky: bool, caption: str
) -> Figure:
    """Curves by name in one plot, with areas and rates in the table."""
    plot = Plot(UNIT, UNIT, title, "The table beneath holds areas and rates.")
    plot.axes("false positive rate", "true positive rate", percent_ticks(), percent_ticks())
    plot.line(UNIT, UNIT, "chance")
    rows, keys = [], []
    for place, (name, curve) in enumerate((n, c) for n, c in curves if c is not None):
        fpr, tpr = curve
        plot.line(fpr, tpr, _colour(place))
        area = float(np.trapezoid(tpr, fpr))
        at = [f"{float(tpr[fpr <= 1 - wanted].max()):.3f}" for wanted in _AT]
        rows.append((name, f"{area:.3f}", *at))
        keys.append(f"{name} ({area:.3f})")
    heads = ("", "area", *(f"sensitivity at specificity {each:.0%}" for each in _AT))
    return Figure(caption, leaky, plot.render(), tuple(keys), Table(heads, tuple(rows)))


def _colour(place: int) -> str:
    return f"s{place % COLOURS}" + (" dashed" if place >= COLOURS else "")


def _roc(shown: Sequence[Shown]) -> list[Figure]:
    found = []
    for group in _by_protocol(shown):
        curves = []
        for each in group:
            malignant = [c.code for c in each.data.taxonomy.classes if c.malignant]
            curves.append((each.title, each.roc(malignant)))
        where = HEADINGS[group[0].outcome.protocol]
        caption = f"Malignant against benign, all models, {where} (area)."
        found.append(_roc_plot(f"ROC curves, {where}", curves, group[0].leaky, caption))
    return found


def _roc_by_class(shown: Sequence[Shown]) -> list[Figure]:
    return [
        _roc_plot(
            f"ROC curves of {each.where}",
            [(c.code, each.roc([c.code])) for c in each.data.taxonomy.classes],
            each.leaky,
            f"{each.where}: each class against the rest (area).",
        )
        for each in shown
    ]


def _classes(shown: Sequence[Shown]) -> list[Figure]:
    found = []
    for group in _by_protocol(shown):
        data = group[0].data
        counts = data.manifest["label"].value_counts()
        codes = [code for code in data.taxonomy.codes if code in counts]
        most = int(counts.max())
        plot = Plot(
            (0, len(codes)), (0, most * 1.12), "Images a class", "The table has the counts."
        )
        plot.axes("", "images", [(i + 0.5, c) for i, c in enumerate(codes)], round_ticks(0, most))
        for place, code in enumerate(codes):
            plot.bar(place + 0.12, place + 0.88, float(counts[code]), "column")
            plot.text(plot.across(place + 0.5), plot.up(counts[code]) - 4, f"{counts[code]:,}",
                      "middle", "point-label")  # fmt: skip
        sides = [side for side in ("train", "test") if (data.manifest["split"] == side).any()]
        rows = []
        for code in codes:
            own = data.manifest[data.manifest["label"] == code]
            of_side = [f"{int((own['split'] == side).sum()):,}" for side in sides]
            synthetic = f"{int((own['parent_id'] != '').sum()):,}"
            share = f"{len(own) / len(data.manifest):.1%}"
            rows.append((code, f"{len(own):,}", share, *of_side, synthetic))
        heads = ("class", "images", "share", *sides, "of them synthetic")
        where = HEADINGS[group[0].outcome.protocol]
        caption = f"Class distribution, {where}; train includes the folds that validate."
        found.append(Figure(caption, False, plot.render(), (), Table(heads, tuple(rows))))
    return found


def _grid(shown: Sequence[Shown]) -> list[Figure]:
    """Sixteen images of each preparation that differs in what is done to pixels."""
    found: dict[str, Figure] = {}
    for each in shown:
        if each.data.spec.digest not in found:
            picture, names = image_grid(each.data)
            caption = f"Sixteen training images as {each.title} sees them, with their classes."
            table = Table(("image", "class"), tuple(names))
            found[each.data.spec.digest] = Figure(caption, False, picture, (), table)
    return list(found.values())


def _hair(shown: Sequence[Shown]) -> list[Figure]:
    for each in shown[:1]:
        pairs = hair_pairs(each.data)
        if pairs is not None:
            picture, rows = pairs
            caption = "Above: as resized; below: after hair removal. The four with most hair."
            table = Table(("image", "pixels filled"), tuple(rows))
            return [Figure(caption, False, picture, (), table)]
    return []


def _network(shown: Sequence[Shown]) -> list[Figure]:
    """Layers with their shapes and parameters, once for each network and head."""
    found: dict[tuple[Any, ...], Figure] = {}
    for each in shown:
        if not isinstance(each.run, NetworkRun):
            continue
        rows = tuple(
            (
                layer.name,
                type(layer).__name__,
                _shape(layer.output.shape),
                f"{layer.count_params():,}",
            )
            for layer in each.run.model.layers
        )
        if rows not in found:
            total = f"{each.run.model.count_params():,}"
            heads = ("layer", "kind", "output shape", "parameters")
            caption = f"{each.title}: {total} parameters."
            found[rows] = Figure(
                caption, False, table=Table(heads, (*rows, ("all", "", "", total)))
            )
    return list(found.values())


def _shape(shape: Sequence[int | None]) -> str:
    return " × ".join("batch" if side is None else str(side) for side in shape)


def _epochs(shown: Sequence[Shown]) -> list[Figure]:
    """A line an epoch in the form of agarwal2025."""
    found = []
    for each in shown:
        history = each.run.history()
        if not history:
            continue
        lines = [
            f"Epoch [{row['epoch']}/{len(history)}], Train Loss: {_number(row.get('loss'))}, "
            f"Train Accuracy: {_percent(row.get('accuracy'))}, "
            f"Val Loss: {_number(row.get('val_loss'))}, "
            f"Val Accuracy: {_percent(row.get('val_accuracy'))}"
            for row in history
        ]
        caption = f"{each.where}; epoch {each.run.info.best_epoch} was kept."
        found.append(Figure(caption, each.leaky, text="\n".join(lines)))
    return found


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "not recorded"


def _percent(value: object) -> str:
    return f"{value:.2%}" if isinstance(value, int | float) else "not recorded"


def _curves(shown: Sequence[Shown]) -> list[Figure]:
    found = []
    for each in shown:
        history = each.run.history()
        if len(history) < 2:
            continue
        epochs = [float(row["epoch"]) for row in history]
        names = {"loss": "training loss", "val_loss": "validation loss",
                 "val_accuracy": "validation accuracy"}  # fmt: skip
        series = {key: [float(row.get(key, math.nan)) for row in history] for key in names}
        top = max(1.0, *(v for values in series.values() for v in values if math.isfinite(v)))
        plot = Plot((epochs[0], epochs[-1]), (0, top), f"Curves of {each.where}",
                    "Loss and accuracy by epoch; the table holds the numbers.")  # fmt: skip
        ticks = [(v, t) for v, t in round_ticks(epochs[0], epochs[-1]) if v == int(v)]
        plot.axes("epoch", "loss, accuracy", ticks, round_ticks(0, top))
        for place, values in enumerate(series.values()):
            plot.line(epochs, values, _colour(place))
        rows = tuple(
            (f"{epoch:.0f}", *(f"{values[i]:.4f}" for values in series.values()))
            for i, epoch in enumerate(epochs)
        )
        table = Table(("epoch", *names.values()), rows)
        found.append(
            Figure(f"{each.where}.", each.leaky, plot.render(), tuple(names.values()), table)
        )
    return found


def _confusion(shown: Sequence[Shown]) -> list[Figure]:
    found = []
    for each in shown:
        codes = list(each.data.taxonomy.codes)
        probability = each.predictions[codes].to_numpy()
        called = pd.Series(np.array(codes)[probability.argmax(axis=1)])
        counts = pd.crosstab(each.predictions["label"], called)
        counts = counts.reindex(index=codes, columns=codes, fill_value=0)
        rows = tuple((code, *(f"{n:,}" for n in counts.loc[code])) for code in codes)
        caption = f"{each.where}: rows are what an image is, columns what it was called."
        found.append(Figure(caption, each.leaky, table=Table(("", *codes), rows)))
    return found


FIGURES: dict[str, tuple[str, Draw]] = {
    "roc": ("ROC curves of all models", _roc),
    "roc-by-class": ("ROC curves, one class against the rest", _roc_by_class),
    "classes": ("Class distribution", _classes),
    "grid": ("Images", _grid),
    "hair": ("Hair removal", _hair),
    "network": ("Networks with their shapes", _network),
    "epochs": ("Epoch by epoch", _epochs),
    "curves": ("Curves", _curves),
    "confusion": ("Confusion matrices", _confusion),
}
