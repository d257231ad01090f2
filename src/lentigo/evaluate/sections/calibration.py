"""Whether the probabilities mean what they say, before and after the temperature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lentigo.evaluate import charts
from lentigo.evaluate.derived import right_by_confidence, temperature_change
from lentigo.evaluate.facts import Findings
from lentigo.score.calibration import reliability
from lentigo.score.estimate import Estimate


def calibration(findings: Findings) -> dict[str, Any]:
    """The reliability diagram with its table, and what the temperature changed."""
    change, right = temperature_change(findings), right_by_confidence(findings)
    return {
        "reliability_plot": charts.reliability_diagram(findings, change, right),
        "reliability_rows": _reliability_rows(findings, right),
        "change": change,
        "seen_temperature": findings.asked.description.get("temperature"),
    }


def _reliability_rows(findings: Findings, right: Sequence[Estimate]) -> list[dict[str, Any]]:
    table = reliability(findings.scored.labels, findings.scored.probability)
    return [
        {
            "low": float(table.edges[b]),
            "high": float(table.edges[b + 1]),
            "images": int(table.weight[b]),
            "confidence": float(table.confidence[b]),
            "accuracy": right[b],
        }
        for b in range(len(table.weight))
        if table.weight[b] > 0
    ]
