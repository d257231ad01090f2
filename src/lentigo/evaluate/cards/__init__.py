"""``MODEL_CARD.md`` and ``DATA_CARD.md``: the facts of the report, as a page of text."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files

import jinja2

from lentigo.evaluate import forest
from lentigo.evaluate.again import commands, earlier_runs
from lentigo.evaluate.facts import Findings
from lentigo.evaluate.formats import FILTERS, with_interval
from lentigo.evaluate.holdings import Holdings
from lentigo.evaluate.weaknesses import weaknesses
from lentigo.taxonomy import INTENDED_USE, LIMITS, NOT_A_MEDICAL_DEVICE

SHOWN = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "roc_auc.malignant": "ROC area, malignant against the rest",
    "average_precision.malignant": "average precision, malignant",
    "roc_auc.macro": "ROC area, mean of the classes",
    "expected_calibration_error": "expected calibration error",
    "brier_score": "Brier score (0 to 2)",
}


def model_card(
    findings: Findings,
    *,
    name: str | None = None,
    license_: str | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """What a model is, what it was measured on, and where it must not be trusted.

    Args:
        findings: Of its evaluation.
        name: What to call it; its own name by default.
        license_: Of the model; by default the licences of the data are named.
        remarks: Further limits, in sentences.

    Returns:
        Markdown.
    """
    asked, metrics = findings.asked, findings.metrics
    return _render(
        "model.md.j2",
        asked=asked,
        again=commands(findings),
        earlier=earlier_runs(findings),
        name=name or asked.model,
        license=license_,
        remarks=remarks,
        scored=findings.scored,
        looks=findings.looks,
        replicates=findings.replicates,
        seed=findings.seed,
        holdings=findings.holdings,
        shown=[(title, metrics[key]) for key, title in SHOWN.items() if key in metrics],
        points=[
            (point, metrics[f"sensitivity.malignant.{point.name}"],
             metrics[f"specificity.malignant.{point.name}"])
            for point in asked.points
            if f"sensitivity.malignant.{point.name}" in metrics
        ],
        classes=[
            (each, int((findings.scored.labels == c).sum()),
             metrics[f"sensitivity.{each.code}.argmax"], metrics[f"roc_auc.{each.code}"])
            for c, each in enumerate(asked.taxonomy.classes)
        ],
        weaknesses=weaknesses(findings.subgroups, _missed_first(forest.plotted(findings))),
        silences=forest.silences(findings.subgroups),
        differences=findings.subgroups.differences,
    )  # fmt: skip


def data_card(holdings: Holdings) -> str:
    """What a prepared set holds, where it comes from, and what is not known of it.

    Returns:
        Markdown.
    """
    return _render("data.md.j2", holdings=holdings)


def _render(template: str, **values: object) -> str:
    environment = jinja2.Environment(  # noqa: S701 - this is text, not HTML
        loader=jinja2.FunctionLoader(_source),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS, est=with_interval, text=_text)
    values = {
        "version": version("lentigo"),
        "intended_use": INTENDED_USE,
        "limits": LIMITS,
        "disclaimer": NOT_A_MEDICAL_DEVICE,
        **values,
    }
    return environment.get_template(template).render(values)


def _missed_first(keys: Sequence[str]) -> list[str]:
    """What is missed matters most."""
    return sorted(keys, key=lambda key: not key.startswith("sensitivity"))


def _source(name: str) -> str:
    return files("lentigo.evaluate.cards").joinpath(name).read_text(encoding="utf-8")


def _text(value: object) -> str:
    """Someone's text in one cell of a table."""
    plain = str(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(plain.split())
