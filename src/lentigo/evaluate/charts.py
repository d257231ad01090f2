"""The plots of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from lentigo.evaluate.facts import Findings
from lentigo.evaluate.svg import Plot, percent_ticks, round_ticks
from lentigo.score.arrays import Floats
from lentigo.score.calibration import reliability
from lentigo.score.curves import Band, recall_points, roc_band
from lentigo.score.decision import BENEFIT_GRID, net_benefit
from lentigo.score.estimate import Estimate
from lentigo.score.official import roc_points
from lentigo.score.recalibration import Recalibration

UNIT = (0.0, 1.0)
# Benign images called malignant, at which the tables behind ROC curves are read.
RATES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
# Of a share such as 90%, in drawing units.
LABEL_WIDTH, LABEL_HEIGHT = 30.0, 12.0


@dataclass(frozen=True)
class SmallRoc:
    """One class of the small multiples; ``shares`` its sensitivities at `RATES`."""

    code: str
    name: str
    malignant: bool
    plot: Markup
    auc: Estimate
    shares: tuple[tuple[float, float, float], ...]


def malignant_roc(findings: Findings, band: Band) -> Markup:
    """ROC curve of malignant against benign with its band and the operating points."""
    truth, score = findings.malignant
    area = findings.metrics["roc_auc.malignant"]
    plot = Plot(
        UNIT,
        UNIT,
        "ROC curve, malignant against benign",
        f"Area {area.value:.3f}; the shaded band is its pointwise 95% interval. "
        "The table below holds the numbers.",
    )
    plot.axes("benign called malignant (1 − specificity)", "malignant found (sensitivity)",
              percent_ticks(), percent_ticks())  # fmt: skip
    plot.line(UNIT, UNIT, "chance")
    plot.band(band.at, band.low, band.high)
    fpr, tpr, _ = roc_points(truth, score)
    plot.line(fpr, tpr, "main")
    _points(plot, findings)
    return plot.render()


def _points(plot: Plot, findings: Findings) -> None:
    """The operating points, from the top; a label that would lie on another moves below it."""
    found = [
        (*_pair(findings.metrics, f"malignant.{each.name}"), each) for each in findings.asked.points
    ]
    placed: list[tuple[float, float]] = []
    for sensitivity, specificity, point in sorted(found, key=lambda each: -each[0]):
        hint = f"{point.name}: sensitivity {sensitivity:.3f}, specificity {specificity:.3f}"
        plot.dot(1 - specificity, sensitivity, "point", 4, hint)
        x, y = plot.across(1 - specificity) + 7, plot.up(sensitivity) + 12
        anchor = "start"
        if x + LABEL_WIDTH > plot.across(1):
            x, anchor = x - 14, "end"  # left of the dot, or it would pass the plot's edge
        for across, down in placed:
            if abs(x - across) < LABEL_WIDTH and y < down + LABEL_HEIGHT:
                y = down + LABEL_HEIGHT
        placed.append((x, y))
        plot.text(x, y, f"{point.target_sensitivity:.0%}", anchor, "point-label")


def malignant_recall(findings: Findings, band: Band) -> Markup:
    """Precision against sensitivity of malignant, with its band."""
    truth, score = findings.malignant
    area = findings.metrics["average_precision.malignant"]
    told = f"Average precision {area.value:.3f}; the table below holds the numbers."
    plot = Plot(UNIT, UNIT, "Precision-recall curve, malignant against benign", told)
    plot.axes("malignant found (sensitivity)", "malignant among those called so (precision)",
              percent_ticks(), percent_ticks())  # fmt: skip
    share = float(truth.mean())
    plot.line(UNIT, (share, share), "chance")
    plot.band(band.at, band.low, band.high)
    recall, precision = recall_points(truth, score)
    plot.line(recall, precision, "main")
    return plot.render()


def decision_curve(findings: Findings, band: Band) -> Markup:
    """Net benefit by threshold, beside that of calling every image malignant, or none."""
    truth, score = findings.malignant
    share = float(truth.mean())
    low = -0.25 * share
    top = max(share, float(band.high.max())) * 1.05
    plot = Plot((0.0, 0.6), (low, top), "Decision curve",
                "Net benefit by threshold; the table beside it holds the numbers.")  # fmt: skip
    plot.axes("threshold probability", "net benefit", percent_ticks((0, 0.2, 0.4, 0.6)),
              round_ticks(low, top))  # fmt: skip
    everyone = net_benefit(truth, np.ones(len(truth)), BENEFIT_GRID)
    shown = everyone >= low
    plot.line(BENEFIT_GRID[shown], everyone[shown], "chance")
    plot.line((0.0, 0.6), (0.0, 0.0), "stage")
    plot.band(band.at, np.maximum(band.low, low), np.maximum(band.high, low))
    benefit = net_benefit(truth, score, BENEFIT_GRID)
    plot.line(BENEFIT_GRID, np.maximum(benefit, low), "main")
    return plot.render()


def _pair(metrics: Mapping[str, Estimate], what: str) -> tuple[float, float]:
    sensitivity = metrics[f"sensitivity.{what}"].value
    specificity = metrics[f"specificity.{what}"].value
    assert sensitivity is not None
    assert specificity is not None
    return sensitivity, specificity


def class_rocs(findings: Findings) -> list[SmallRoc]:
    """One small ROC curve a class that occurs."""
    found = []
    scored = findings.scored
    for c, each in enumerate(findings.asked.taxonomy.classes):
        truth = scored.labels == c
        if truth.all() or not truth.any():
            continue
        auc = findings.metrics[f"roc_auc.{each.code}"]
        plot = Plot(UNIT, UNIT, f"ROC curve of {each.name}", f"Area {auc.value:.3f}.",
                    width=110, height=110, bare=True)  # fmt: skip
        plot.line(UNIT, UNIT, "chance")
        value = scored.probability[:, c]
        band = roc_band(truth, value, scored.group_ids, seed=findings.seed)
        plot.band(band.at, band.low, band.high, "band warn" if each.malignant else "band")
        fpr, tpr, _ = roc_points(truth, value)
        plot.line(fpr, tpr, "warn" if each.malignant else "main")
        shares = tuple(roc_rows(truth, value, band))
        found.append(SmallRoc(each.code, each.name, each.malignant, plot.render(), auc, shares))
    return found


def roc_rows(truth: np.ndarray, score: Floats, band: Band) -> list[tuple[float, float, float]]:
    """The sensitivity at each of `RATES`, with the ends of its band."""
    fpr, tpr, _ = roc_points(truth, score)
    ends = (
        np.interp(RATES, fpr, tpr),
        *(np.interp(RATES, band.at, e) for e in (band.low, band.high)),
    )
    return list(zip(*(each.tolist() for each in ends), strict=True))


def reliability_diagram(
    findings: Findings, change: Recalibration | None, right: Sequence[Estimate]
) -> Markup:
    """Accuracy against confidence by bin, and as it was before the temperature.

    ``right`` is the accuracy of each bin with its interval.
    """
    table = reliability(findings.scored.labels, findings.scored.probability)
    error = findings.metrics["expected_calibration_error"].value
    plot = Plot(
        UNIT,
        UNIT,
        "Reliability diagram",
        f"Accuracy against confidence in 15 bins; mean gap {error:.3f}. "
        "The table below holds the numbers.",
    )
    plot.axes("stated confidence", "share that was right", percent_ticks(), percent_ticks())
    share = table.weight / table.weight.sum()
    for low, high, part in zip(table.edges[:-1], table.edges[1:], share, strict=True):
        if part > 0:
            plot.bar(low, high, 0.3 * part / share.max(), "histogram")
    plot.line(UNIT, UNIT, "chance")
    if change is not None:
        earlier = reliability(findings.scored.labels, change.probability)
        held = earlier.weight > 0
        plot.line(earlier.confidence[held], earlier.accuracy[held], "before")
    filled = table.weight > 0
    confidence, accuracy = table.confidence[filled], table.accuracy[filled]
    plot.line(confidence, accuracy, "main")
    for x, each in zip(confidence, (e for e in right if e.value is not None), strict=True):
        if each.low is not None and each.high is not None:
            plot.line([x, x], [each.low, each.high], "spread")
    for x, y, n in zip(confidence, accuracy, table.weight[filled], strict=True):
        radius = 2.5 + 3 * math.sqrt(n / table.weight.max())
        plot.dot(x, y, "main", radius, f"{int(n)} images: stated {x:.1%}, right {y:.1%}")
    return plot.render()


def training_curves(history: Sequence[Mapping[str, Any]]) -> list[tuple[str, Markup, list[str]]]:
    """Loss and validation scores by epoch: (caption, plot, names of the curves)."""
    if len(history) < 2:
        return []
    numeric = [
        key
        for key in history[0]
        if all(isinstance(row.get(key), int | float) for row in history)
        and all(math.isfinite(row[key]) for row in history)
    ]
    losses = [key for key in numeric if key.endswith("loss")]
    scores = [
        key
        for key in numeric
        if (key.startswith("val_") or key == "accuracy")
        and key not in losses
        and all(0 <= row[key] <= 1 for row in history)
    ]
    found = []
    for caption, keys in (("Loss", losses), ("Scores", scores)):
        if keys:
            found.append(
                (caption, _curves(caption, history, keys[:6]), [_plain(k) for k in keys[:6]])
            )
    return found


def _curves(caption: str, history: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Markup:
    epochs = [float(row.get("epoch", i + 1)) for i, row in enumerate(history)]
    values = np.array([[float(row[key]) for row in history] for key in keys])
    low, high = float(values.min()), float(values.max())
    room = max(0.05 * (high - low), 1e-3)
    plot = Plot(
        (epochs[0], epochs[-1]),
        (low - room, high + room),
        caption,
        "; ".join(f"{_plain(k)} ends at {v[-1]:.3f}" for k, v in zip(keys, values, strict=True)),
        height=260,
    )
    ticks = [(v, t) for v, t in round_ticks(epochs[0], epochs[-1]) if v == int(v)]
    plot.axes("epoch", caption.lower(), ticks, round_ticks(low, high))
    for series, row in enumerate(values):
        plot.line(epochs, row, f"s{series}")
    stages = [row.get("stage") for row in history]
    for i in range(1, len(stages)):
        if stages[i] != stages[i - 1]:
            plot.line([epochs[i] - 0.5] * 2, [low - room, high + room], "stage")
    return plot.render()


def _plain(key: str) -> str:
    """A column of the history, in words."""
    if key in {"loss", "accuracy"}:
        return f"training {key}"
    words = key.removeprefix("val_").replace("_", " ").replace("roc auc.", "AUC ")
    return f"validation {words}" if key in {"val_loss", "val_accuracy"} else words
