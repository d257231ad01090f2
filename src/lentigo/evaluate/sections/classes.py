"""What was called what, and each class by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lentigo.evaluate.facts import Findings
from lentigo.score.classification import confusion_matrix
from lentigo.score.estimate import Estimate
from lentigo.score.panel import MEANS

CLASS_METRICS = (
    ("sensitivity", "Sensitivity", ".argmax"),
    ("specificity", "Specificity", ".argmax"),
    ("precision", "Precision", ".argmax"),
    ("f1", "F1", ".argmax"),
    ("roc_auc", "AUC", ""),
    ("average_precision", "Avg. precision", ""),
)


def classes(findings: Findings) -> dict[str, Any]:
    """Each class against all others."""
    return {
        "class_metrics": CLASS_METRICS,
        "class_rows": _class_rows(findings),
        "remarks": _remarks(findings.metrics),
    }


def confusion(findings: Findings) -> dict[str, Any]:
    """Counts and shares of each row; the column of undecided only where there are any."""
    cells = confusion_matrix(findings.scored.labels, findings.scored.probability).astype(int)
    codes = list(findings.asked.taxonomy.codes)
    columns = [*codes, "undecided"] if cells[:, -1].any() else codes
    rows = []
    for c, code in enumerate(codes):
        total = int(cells[c].sum())
        row = [
            {
                "count": int(n),
                "share": n / total if total else 0.0,
                "right": c == i,
            }
            for i, n in enumerate(cells[c, : len(columns)])
        ]
        rows.append({"code": code, "total": total, "cells": row})
    return {"confusion": {"columns": columns, "rows": rows}}


def _class_rows(findings: Findings) -> list[dict[str, Any]]:
    scored = findings.scored
    rows = []
    for c, each in enumerate(findings.asked.taxonomy.classes):
        of_class = scored.labels == c
        rows.append(
            {
                "code": each.code,
                "name": each.name,
                "malignant": each.malignant,
                "images": int(of_class.sum()),
                "groups": len(set(scored.group_ids[of_class].tolist())),
                "estimates": [
                    findings.metrics[f"{metric}.{each.code}{point}"]
                    for metric, _, point in CLASS_METRICS
                ],
            }
        )
    return rows


def _remarks(metrics: Mapping[str, Estimate]) -> list[tuple[str, list[str]]]:
    """What is said beside figures of single classes, each remark once: (remark, figures)."""
    found: dict[str, list[str]] = {}
    for key, each in metrics.items():
        # Means repeat what is said under the headline.
        if each.reason is not None and "." in key and key.split(".")[1] not in MEANS:
            found.setdefault(each.reason, []).append(key.removesuffix(".argmax").replace("_", " "))
    return list(found.items())
