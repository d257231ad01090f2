"""The papers' plots, drawn again: ROC curves, class distributions, curves of training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lentigo.evaluate.svg import Plot, percent_ticks, round_ticks
from lentigo.files import digest_list
from lentigo.papers.shown import HEADINGS, Figure, Shown, Table, by_protocol, with_claims
from lentigo.train import NetworkRun

UNIT = (0.0, 1.0)
COLOURS = 6
_AT = (0.5, 0.8, 0.9, 0.95)


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


def roc(shown: Sequence[Shown]) -> list[Figure]:
    """All models in one plot a protocol, malignant against benign."""
    found = []
    for group in by_protocol(shown):
        curves = []
        for each in group:
            malignant = [c.code for c in each.data.taxonomy.classes if c.malignant]
            curves.append((each.title, each.roc(malignant)))
        where = HEADINGS[group[0].outcome.protocol]
        caption = f"Malignant against benign, all models, {where} (area)."
        if any(each.outcome.folds > 1 for each in group):
            caption += " The answers of all folds are taken together."
        found.append(_roc_plot(f"ROC curves, {where}", curves, group[0].leaky, caption))
    return found


def roc_by_class(shown: Sequence[Shown]) -> list[Figure]:
    """Each class against the rest, a plot a model."""
    return [
        _roc_plot(
            f"ROC curves of {each.where}",
            [(c.code, each.roc([c.code])) for c in each.data.taxonomy.classes],
            each.leaky,
            f"{each.answers}: each class against the rest (area).",
        )
        for each in shown
    ]


def classes(shown: Sequence[Shown]) -> list[Figure]:
    """How many images each class has, a plot for each set of images that a protocol has."""
    found = []
    for each in _of_other_images(shown):
        data = each.data
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
        where = f"{HEADINGS[each.outcome.protocol]}, as {each.title} has it"
        caption = f"Class distribution, {where}; train includes the folds that validate."
        found.append(Figure(caption, False, plot.render(), (), Table(heads, tuple(rows))))
    return found


def _of_other_images(shown: Sequence[Shown]) -> list[Shown]:
    """The first of each protocol, and those that have other images than all before them."""
    found: dict[tuple[str, str], Shown] = {}
    for each in shown:
        sides = zip(each.data.manifest["image_id"], each.data.manifest["split"], strict=True)
        listed = digest_list([f"{image} {side}" for image, side in sides])
        found.setdefault((each.outcome.protocol, listed), each)
    return list(found.values())


def curves(shown: Sequence[Shown]) -> list[Figure]:
    """Loss and accuracy by epoch, a plot a network: as claimed, then as measured."""
    named = [(f"{e.title}, claimed", e.claimed_history, False) for e in with_claims(shown)]
    networks = (each for each in shown if isinstance(each.run, NetworkRun))
    named += [(each.training, each.run.history(), each.leaky) for each in networks]
    return [_curves(*each) for each in named if len(each[1]) > 1]


def _curves(where: str, history: Sequence[Mapping[str, Any]], leaky: bool) -> Figure:
    epochs = [float(row["epoch"]) for row in history]
    names = {
        "loss": "training loss",
        "val_loss": "validation loss",
        "accuracy": "training accuracy",
        "val_accuracy": "validation accuracy",
    }
    # Runs of earlier versions have no training accuracy.
    names = {key: name for key, name in names.items() if key in history[0]}
    series = {key: [float(row.get(key, math.nan)) for row in history] for key in names}
    top = max(1.0, *(v for values in series.values() for v in values if math.isfinite(v)))
    plot = Plot((epochs[0], epochs[-1]), (0, top), f"Curves of {where}",
                "Loss and accuracy by epoch; the table holds the numbers.")  # fmt: skip
    ticks = [(v, t) for v, t in round_ticks(epochs[0], epochs[-1]) if v == int(v)]
    plot.axes("epoch", "loss, accuracy", ticks, round_ticks(0, top))
    for place, values in enumerate(series.values()):
        known = [i for i, value in enumerate(values) if math.isfinite(value)]
        if known:
            plot.line([epochs[i] for i in known], [values[i] for i in known], _colour(place))
    rows = tuple(
        (f"{epoch:.0f}", *(_four(values[i]) for values in series.values()))
        for i, epoch in enumerate(epochs)
    )
    table = Table(("epoch", *names.values()), rows)
    return Figure(f"{where}.", leaky, plot.render(), tuple(names.values()), table)


def _four(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "–"
