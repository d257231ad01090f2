"""The worst errors, what was trained on what, and what was asked."""

from __future__ import annotations

from typing import Any

from lentigo.evaluate import charts
from lentigo.evaluate.facts import Findings
from lentigo.evaluate.formats import cell, plain_facts


def errors(findings: Findings) -> dict[str, Any]:
    """The images that were called wrongly with the most confidence."""
    return {"mistakes": findings.worst}


def lesions(findings: Findings) -> dict[str, Any]:
    """How much of the attention falls on the lesion; nothing without outlines."""
    return {} if findings.lesions is None else {"lesions": findings.lesions}


def holdings(findings: Findings) -> dict[str, Any]:
    """What was found in the images' set: duplicates, leaks, contradictions."""
    return {} if findings.holdings is None else {"holdings": findings.holdings}


def training(findings: Findings) -> dict[str, Any]:
    """The model's own account of itself."""
    asked = findings.asked
    return {
        "facts": plain_facts(asked.description),
        "network": plain_facts(asked.description.get("network")),
        "environment": plain_facts(asked.description.get("environment")),
        "curves": charts.training_curves(asked.history),
        "epochs": {
            "names": [each.replace("_", " ") for each in (asked.history or ({},))[0]],
            "rows": [[cell(each) for each in row.values()] for row in asked.history],
        },
    }


def asked(findings: Findings) -> dict[str, Any]:
    """Which images, how often looked at, and how the intervals were made."""
    return {"replicates": findings.replicates, "seed": findings.seed}
