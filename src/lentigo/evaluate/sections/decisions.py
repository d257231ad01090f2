"""What deciding by the probability is worth: thresholds, prevalence, net benefit."""

from __future__ import annotations

from typing import Any

import numpy as np

from lentigo.evaluate import charts
from lentigo.evaluate.derived import restated
from lentigo.evaluate.facts import Findings
from lentigo.score.decision import benefit_band, net_benefit


def points(findings: Findings) -> dict[str, Any]:
    """What the sealed thresholds showed, and their predictive values elsewhere."""
    truth, _ = findings.malignant
    named = findings.asked.points
    if not named or f"sensitivity.malignant.{named[0].name}" not in findings.metrics:
        return {}
    return {
        "points": named,
        "malignant_share": float(truth.mean()),
        "prevalence": findings.prevalence,
        "restated": restated(findings),
    }


def decision_curve(findings: Findings) -> dict[str, Any]:
    """Net benefit by threshold; nothing where all images are on one side."""
    truth, score = findings.malignant
    if truth.all() or not truth.any():
        return {}
    band = benefit_band(truth, score, findings.scored.group_ids, seed=findings.seed)
    at = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5])
    model = net_benefit(truth, score, at)
    everyone = net_benefit(truth, np.ones(len(truth)), at)
    ends = [np.interp(at, band.at, each) for each in (band.low, band.high)]
    columns = (at, model, *ends, everyone)
    return {
        "benefit_plot": charts.decision_curve(findings, band),
        "benefit_rows": list(zip(*(each.tolist() for each in columns), strict=True)),
    }
