"""The figures to read first, and malignant against benign."""

from __future__ import annotations

from typing import Any

import numpy as np

from lentigo.evaluate import charts
from lentigo.evaluate.facts import Findings
from lentigo.score.arrays import Floats
from lentigo.score.curves import Band, recall_band, recall_points, roc_band


def headline(findings: Findings) -> dict[str, Any]:
    """The figures to read first, with a word on what each means."""
    metrics = findings.metrics
    wanted = [
        ("balanced_accuracy", "Balanced accuracy", "mean of the classes' sensitivities"),
        ("roc_auc.malignant", "AUC, malignant", "a malignant image ranks above a benign one"),
        ("accuracy", "Accuracy", "images whose most probable class is right"),
        ("expected_calibration_error", "Calibration error", "gap of confidence and accuracy"),
    ]
    shown = [
        {"label": label, "says": says, "estimate": metrics[key]}
        for key, label, says in wanted
        if key in metrics
    ]
    return {"headline": shown}


def malignant(findings: Findings) -> dict[str, Any]:
    """ROC and precision-recall of malignant against benign; nothing where one side is empty."""
    truth, score = findings.malignant
    if truth.all() or not truth.any():
        return {}
    drawn: Any = {"group_ids": findings.scored.group_ids, "seed": findings.seed}
    roc, recall = roc_band(truth, score, **drawn), recall_band(truth, score, **drawn)
    return {
        "roc": charts.malignant_roc(findings, roc),
        "recall_plot": charts.malignant_recall(findings, recall),
        "rates": charts.RATES,
        "roc_rows": charts.roc_rows(truth, score, roc),
        "recall_rows": _recall_rows(truth, score, recall),
        "class_rocs": charts.class_rocs(findings),
        "stated": _stated(findings),
        "malignant_names": [c.name for c in findings.asked.taxonomy.classes if c.malignant],
        "malignant_count": int(truth.sum()),
        "malignant_share": float(truth.mean()),
    }


def _recall_rows(
    truth: np.ndarray, score: Floats, band: Band
) -> list[tuple[float, float, float, float]]:
    """Precision with the ends of its band, at the first threshold that reaches each recall."""
    recall, precision = recall_points(truth, score)
    rows = []
    for wanted in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0):
        at = int(np.searchsorted(recall, wanted - 1e-9))
        row = int(np.abs(band.at - wanted).argmin())
        rows.append((wanted, float(precision[at]), float(band.low[row]), float(band.high[row])))
    return rows


def _stated(findings: Findings) -> dict[str, Any] | None:
    """The operating point that is told in words: the one nearest to 90% sensitivity."""
    points = sorted(findings.asked.points, key=lambda each: abs(each.target_sensitivity - 0.9))
    for point in points:
        pair = {
            metric: findings.metrics.get(f"{metric}.malignant.{point.name}")
            for metric in ("sensitivity", "specificity")
        }
        if all(each is not None and each.value is not None for each in pair.values()):
            return {"point": point, **pair}
    return None
