"""The figures to read first, and malignant against benign."""

from __future__ import annotations

from typing import Any

from lentigo.evaluate import charts
from lentigo.evaluate.facts import Findings


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
    return {
        "roc": charts.malignant_roc(findings),
        "recall_plot": charts.malignant_recall(findings),
        "curve_rows": charts.curve_rows(truth, score),
        "class_rocs": charts.class_rocs(findings),
        "stated": _stated(findings),
        "malignant_names": [c.name for c in findings.asked.taxonomy.classes if c.malignant],
        "malignant_count": int(truth.sum()),
        "malignant_share": float(truth.mean()),
    }


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
