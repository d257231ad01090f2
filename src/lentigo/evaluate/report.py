"""One self-contained page: what was asked of which images, and how far to trust the answers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import jinja2

from lentigo.evaluate import charts, forest
from lentigo.evaluate.facts import Findings
from lentigo.score.calibration import reliability
from lentigo.score.classification import confusion_matrix
from lentigo.score.estimate import Estimate
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

TEMPLATE = "report.html.j2"
CLASS_METRICS = (
    ("sensitivity", "Sensitivity", ".argmax"),
    ("specificity", "Specificity", ".argmax"),
    ("precision", "Precision", ".argmax"),
    ("f1", "F1", ".argmax"),
    ("roc_auc", "AUC", ""),
    ("average_precision", "Avg. precision", ""),
)
# Said elsewhere on the page, or of this machine only.
_UNLISTED = frozenset({"leaky", "finished", "prepared_path"})


def render(findings: Findings) -> str:
    """The page as HTML text, without a reference to any other file."""
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(_source),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent, figure=figure, interval=interval, count=count, signed=signed
    )
    return environment.get_template(TEMPLATE).render(**page(findings))


def _source(name: str) -> str:
    return files("lentigo.evaluate").joinpath(name).read_text(encoding="utf-8")


def page(findings: Findings) -> dict[str, Any]:
    """Everything that the template shows."""
    asked, scored = findings.asked, findings.scored
    truth, _ = charts.malignant_probability(findings)
    return {
        "asked": asked,
        "scored": scored,
        "metrics": findings.metrics,
        "looks": findings.looks,
        "replicates": findings.replicates,
        "seed": findings.seed,
        "version": version("lentigo"),
        "disclaimer": NOT_A_MEDICAL_DEVICE,
        "headline": _headline(findings),
        "roc": charts.malignant_roc(findings),
        "class_rocs": charts.class_rocs(findings),
        "reliability_plot": charts.reliability_diagram(findings),
        "reliability_rows": _reliability_rows(findings),
        "curves": charts.training_curves(asked.history),
        "confusion": _confusion(findings),
        "class_metrics": CLASS_METRICS,
        "class_rows": _class_rows(findings),
        "remarks": _remarks(findings.metrics),
        "stated": _stated(findings),
        "points": asked.points,
        "malignant_share": float(truth.mean()),
        "malignant_count": int(truth.sum()),
        "malignant_names": [c.name for c in asked.taxonomy.classes if c.malignant],
        "mistakes": findings.worst,
        "lesions": findings.lesions,
        "subgroups": forest.section(findings),
        "facts": _facts(asked.description),
        "network": _facts(asked.description.get("network")),
        "environment": _facts(asked.description.get("environment")),
    }


def _headline(findings: Findings) -> list[dict[str, Any]]:
    """The figures to read first, with a word on what each means."""
    metrics = findings.metrics
    wanted = [
        ("balanced_accuracy", "Balanced accuracy", "mean of the classes' sensitivities"),
        ("roc_auc.malignant", "AUC, malignant", "a malignant image ranks above a benign one"),
        ("accuracy", "Accuracy", "images whose most probable class is right"),
        ("expected_calibration_error", "Calibration error", "gap of confidence and accuracy"),
    ]
    return [
        {"label": label, "says": says, "estimate": metrics[key]}
        for key, label, says in wanted
        if key in metrics
    ]


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


def _remarks(metrics: Mapping[str, Estimate]) -> list[tuple[str, list[str]]]:
    """What is said beside figures of single classes, each remark once: (remark, figures)."""
    found: dict[str, list[str]] = {}
    for key, each in metrics.items():
        # Means repeat what is said under the headline.
        if each.reason is not None and "." in key and ".macro" not in key:
            found.setdefault(each.reason, []).append(key.removesuffix(".argmax").replace("_", " "))
    return list(found.items())


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


def _confusion(findings: Findings) -> dict[str, Any]:
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
    return {"columns": columns, "rows": rows}


def _reliability_rows(findings: Findings) -> list[dict[str, Any]]:
    table = reliability(findings.scored.labels, findings.scored.probability)
    return [
        {
            "low": float(table.edges[b]),
            "high": float(table.edges[b + 1]),
            "images": int(table.weight[b]),
            "confidence": float(table.confidence[b]),
            "accuracy": float(table.accuracy[b]),
        }
        for b in range(len(table.weight))
        if table.weight[b] > 0
    ]


def _facts(values: object) -> list[tuple[str, str]]:
    """Plain values as (name in words, text); nested and empty ones are left out.

    A run describes its network by a table, a bundle by a name, which is a plain value.
    """
    if not isinstance(values, Mapping):
        return []
    return [
        (key.replace("_", " ").replace("sha256", "SHA-256"), _text(value))
        for key, value in values.items()
        if key not in _UNLISTED and isinstance(value, str | int | float) and value != ""
    ]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text[:16] if len(text) == 64 and not text.strip("0123456789abcdef") else text


def count(value: int) -> str:
    """A whole number with thousands set apart; years and the like are short enough."""
    return f"{value:,}".replace(",", "\u202f") if abs(value) >= 10_000 else str(value)


def percent(value: float | None, digits: int = 1) -> str:
    """A share as per cent, or a dash."""
    return "–" if value is None else f"{value * 100:.{digits}f}%"


def figure(estimate: Estimate, digits: int = 3) -> str:
    """An estimate's value, or a dash."""
    return "–" if estimate.value is None else f"{estimate.value:.{digits}f}"


def signed(estimate: Estimate, digits: int = 3) -> str:
    """A difference with its sign, or a dash."""
    return "–" if estimate.value is None else f"{estimate.value:+.{digits}f}"


def interval(estimate: Estimate, digits: int = 3) -> str:
    """An estimate's interval, or why there is none."""
    if estimate.low is None or estimate.high is None:
        return "no interval" if estimate.value is not None else "undefined"
    return f"{estimate.low:.{digits}f} to {estimate.high:.{digits}f}"
