"""What was asked, the worst errors, what was trained on what, and how to do it again."""

from __future__ import annotations

from typing import Any

from lentigo.evaluate import charts
from lentigo.evaluate.again import commands, earlier_runs
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
    if findings.holdings is None:
        return {}
    return {"holdings": findings.holdings, "twins": findings.twins}


def training(findings: Findings) -> dict[str, Any]:
    """The model's own account of itself."""
    asked = findings.asked
    return {
        "facts": plain_facts(asked.description),
        "earlier": [(how, plain_facts(run)) for how, run in earlier_runs(findings)],
        "network": plain_facts(asked.description.get("network")),
        "environment": plain_facts(asked.description.get("environment")),
        "curves": charts.training_curves(asked.history),
        "epochs": {
            "names": [each.replace("_", " ") for each in (asked.history or ({},))[0]],
            "rows": [[cell(each) for each in row.values()] for row in asked.history],
        },
    }


def asked(findings: Findings) -> dict[str, Any]:
    """Which question, of which images, and how often they were looked at."""
    truth, _ = findings.malignant
    named = [each.name for each in findings.asked.taxonomy.classes if each.malignant]
    return {
        "malignant_names": named,
        "malignant_count": int(truth.sum()) if named else None,
        "sources": () if findings.holdings is None else tuple(findings.holdings.sources)[:-1],
    }


def again(findings: Findings) -> dict[str, Any]:
    """How the intervals were made, and the commands."""
    return {
        "replicates": findings.replicates,
        "seed": findings.seed,
        "again": commands(findings),
    }
