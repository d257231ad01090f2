"""The papers' figures, drawn again from finished runs: pictures with a table behind each.

``FIGURES`` holds one function a kind; a paper's TOML names those that it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from lentigo.data.prepared import PreparedSet
from lentigo.errors import LentigoError
from lentigo.papers import plots
from lentigo.papers.measured import Outcome
from lentigo.papers.pictures import altered, class_examples, hair_pairs, image_grid
from lentigo.papers.schema import Paper, Protocol
from lentigo.papers.shown import (
    HEADINGS,
    Draw,
    Figure,
    Shown,
    Table,
    by_protocol,
    with_claims,
)
from lentigo.train import NetworkRun


def draw(
    paper: Paper, outcomes: Sequence[Outcome], protocols: Sequence[Protocol]
) -> list[tuple[str, list[Figure]]]:
    """The figures that a paper names: (heading, pictures), those without any left out."""
    titles = {each.name: each.title or each.name for each in paper.variants}
    done = [e for e in outcomes if e.figures is not None and not e.derived and e.reports]
    shown = [
        Shown(titles[e.variant], e, paper.by_epoch.get(e.variant))
        for p in protocols
        for e in done
        if e.protocol == p
    ]
    found = []
    for name in paper.figures:
        heading, drawer = FIGURES[name]
        try:
            figures = drawer(shown)
        except LentigoError as error:  # a damaged model costs its figure, not a night's page
            figures = [Figure(f"Not drawn: {error}", False)]
        if figures:
            found.append((heading, figures))
    return found


def _grid(shown: Sequence[Shown]) -> list[Figure]:
    """Sixteen images of each preparation that differs in what is done to pixels."""
    caption = "Sixteen training images as {} sees them, with their classes."
    return _of_preparations(shown, image_grid, caption)


def _examples(shown: Sequence[Shown]) -> list[Figure]:
    """A row of images a class, of each preparation that differs in what is done to pixels."""
    return _of_preparations(shown, class_examples, "Training images of each class as {} sees them.")


def _of_preparations(
    shown: Sequence[Shown],
    draw: Callable[[PreparedSet], tuple[Markup, Sequence[tuple[str, str]]]],
    caption: str,
) -> list[Figure]:
    found: dict[str, Figure] = {}
    for each in shown:
        if each.data.spec.digest not in found:
            picture, names = draw(each.data)
            table = Table(("image", "class"), tuple(names))
            said = caption.format(each.title)
            found[each.data.spec.digest] = Figure(said, False, picture, (), table)
    return list(found.values())


def _augmented(shown: Sequence[Shown]) -> list[Figure]:
    """One malignant training image, altered sixteen times by each augmentation that differs."""
    found: dict[tuple[str, str], Figure] = {}
    for each in shown:
        how = each.run.recipe().augmentation
        known = each.data.spec.digest, how.model_dump_json()
        if known in found or how.changes_nothing or not isinstance(each.run, NetworkRun):
            continue
        picture, name = altered(each.data, how)
        caption = f"{name} of the training images, altered as {each.title} sees it in 16 epochs."
        found[known] = Figure(caption, False, picture)
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
    """A line an epoch in the form of agarwal2025: as claimed, then as measured."""
    found = [
        Figure(f"{each.title}, claimed.", False, text=_log(each.claimed_history))
        for each in with_claims(shown)
    ]
    for each in shown:
        if history := each.run.history():
            caption = f"{each.training}; epoch {each.run.info.best_epoch} was kept."
            found.append(Figure(caption, each.leaky, text=_log(history)))
    return found


def _log(history: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(
        f"Epoch [{row['epoch']:.0f}/{len(history)}], Train Loss: {_number(row.get('loss'))}, "
        f"Train Accuracy: {_percent(row.get('accuracy'))}, "
        f"Val Loss: {_number(row.get('val_loss'))}, "
        f"Val Accuracy: {_percent(row.get('val_accuracy'))}"
        for row in history
    )


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else "–"


def _percent(value: object) -> str:
    return f"{value:.2%}" if isinstance(value, int | float) else "–"


def _seconds(shown: Sequence[Shown]) -> list[Figure]:
    """Seconds of each epoch, a column a network, as guntara2024's Table 4 has them."""
    found = []
    for group in by_protocol([each for each in shown if isinstance(each.run, NetworkRun)]):
        taken: list[tuple[str, Sequence[float]]] = []
        for each in group:
            if claimed := each.claimed.get("seconds"):
                taken.append((f"{each.title}, claimed", [p.value for p in claimed]))
            taken.append((each.title, each.run.info.epoch_seconds))
        longest = max(len(seconds) for _, seconds in taken)
        rows = [
            (str(epoch + 1), *(f"{s[epoch]:,.1f}" if epoch < len(s) else "" for _, s in taken))
            for epoch in range(longest)
        ]
        rows.append(("all", *(f"{sum(seconds):,.1f}" for _, seconds in taken)))
        where = HEADINGS[group[0].outcome.protocol]
        caption = f"Seconds an epoch, {where}, first training of each; the first epoch compiles."
        heads = ("epoch", *(title for title, _ in taken))
        found.append(Figure(caption, group[0].leaky, table=Table(heads, tuple(rows))))
    return found


def _diagnoses(shown: Sequence[Shown]) -> list[Figure]:
    """Which diagnoses make up each class, of the images that are no copies."""
    found = []
    for group in by_protocol(shown):
        frame = group[0].data.manifest
        frame = frame[frame["parent_id"] == ""]
        told = (frame["diagnosis"] != "") & (frame["diagnosis"] != frame["label"])
        if not told.any():  # the classes are the diagnoses
            continue
        counts = pd.crosstab(frame["diagnosis"].where(told, "not stated"), frame["label"])
        codes = [code for code in group[0].data.taxonomy.codes if code in counts]
        rows = tuple((str(d), *(f"{n:,}" for n in counts.loc[d, codes])) for d in counts.index)
        caption = f"Diagnoses by class, {HEADINGS[group[0].outcome.protocol]}."
        found.append(Figure(caption, False, table=Table(("diagnosis", *codes), rows)))
    return found


def _confusion(shown: Sequence[Shown]) -> list[Figure]:
    found = []
    for each in shown:
        codes = list(each.data.taxonomy.codes)
        probability = each.predictions[codes].to_numpy()
        called = pd.Series(np.array(codes)[probability.argmax(axis=1)])
        counts = pd.crosstab(each.predictions["label"], called)
        counts = counts.reindex(index=codes, columns=codes, fill_value=0)
        rows = tuple((code, *_counted(counts.loc[code].to_numpy())) for code in codes)
        caption = (
            f"{each.answers}: rows are what an image is, columns what it was called, "
            "with the share of the row."
        )
        found.append(Figure(caption, each.leaky, table=Table(("", *codes), rows)))
    return found


def _counted(row: Any) -> list[str]:
    """Counts with their share of the row's sum."""
    return [f"{n:,} ({n / row.sum():.1%})" if row.sum() else f"{n:,}" for n in row]


FIGURES: dict[str, tuple[str, Draw]] = {
    "roc": ("ROC curves of all models", plots.roc),
    "roc-by-class": ("ROC curves, one class against the rest", plots.roc_by_class),
    "classes": ("Class distribution", plots.classes),
    "grid": ("Images", _grid),
    "examples": ("Examples of each class", _examples),
    "diagnoses": ("Diagnoses", _diagnoses),
    "augmented": ("Augmentation", _augmented),
    "hair": ("Hair removal", _hair),
    "network": ("Networks with their shapes", _network),
    "epochs": ("Epoch by epoch", _epochs),
    "seconds": ("Seconds an epoch", _seconds),
    "curves": ("Curves", plots.curves),
    "confusion": ("Confusion matrices", _confusion),
}
