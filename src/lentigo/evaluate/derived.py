"""What follows from an evaluation's answers, for the page and the files alike."""

from __future__ import annotations

from typing import Any

from lentigo.evaluate.facts import Findings
from lentigo.evaluate.predictor import PointLike
from lentigo.score.curves import reliability_estimates
from lentigo.score.decision import BENEFIT_GRID, benefit_band, net_benefit, predictive_values
from lentigo.score.estimate import Estimate
from lentigo.score.recalibration import Recalibration, recalibration

Restated = tuple[tuple[PointLike, Estimate, Estimate], ...]


def temperature_change(findings: Findings) -> Recalibration | None:
    """Calibration before and after the temperature; None where the model states none."""
    temperature = findings.asked.description.get("temperature")
    if not isinstance(temperature, int | float) or temperature <= 0:
        return None
    scored = findings.scored
    return recalibration(
        scored.labels,
        scored.probability,
        temperature,
        scored.group_ids,
        replicates=findings.replicates,
        seed=findings.seed,
    )


def right_by_confidence(findings: Findings) -> tuple[Estimate, ...]:
    """The share that was right in each bin of the reliability diagram."""
    scored = findings.scored
    return reliability_estimates(
        scored.labels,
        scored.probability,
        scored.group_ids,
        replicates=findings.replicates,
        seed=findings.seed,
    )


def restated(findings: Findings) -> Restated:
    """Predictive values of each operating point at the wanted prevalence, if one is."""
    if findings.prevalence is None:
        return ()
    truth, score = findings.malignant
    return tuple(
        (
            point,
            *predictive_values(
                truth,
                score >= point.threshold,
                findings.scored.group_ids,
                findings.prevalence,
                replicates=findings.replicates,
                seed=findings.seed,
            ),
        )
        for point in findings.asked.points
    )


def to_dict(findings: Findings) -> dict[str, Any]:
    """The entries of ``evaluation.json``: calibration, prevalence, decision curve."""
    found: dict[str, Any] = {}
    if change := temperature_change(findings):
        found["temperature"] = {
            "temperature": findings.asked.description["temperature"],
            "expected_calibration_error": change.expected_calibration_error.to_dict(),
            "brier_score": change.brier_score.to_dict(),
        }
    if again := restated(findings):
        found["prevalence"] = {
            "prevalence": findings.prevalence,
            "operating_points": [
                {
                    "name": point.name,
                    "precision": positive.to_dict(),
                    "negative_predictive_value": negative.to_dict(),
                }
                for point, positive, negative in again
            ],
        }
    truth, score = findings.malignant
    if truth.any() and not truth.all():
        band = benefit_band(truth, score, findings.scored.group_ids, seed=findings.seed)
        columns = (BENEFIT_GRID, net_benefit(truth, score, BENEFIT_GRID), band.low, band.high)
        found["decision_curve"] = [
            dict(zip(("threshold", "net_benefit", "low", "high"), row, strict=True))
            for row in zip(*(each.tolist() for each in columns), strict=True)
        ]
    return found
