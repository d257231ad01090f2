"""The files of an evaluation."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lentigo.errors import InputError
from lentigo.evaluate import derived
from lentigo.evaluate.answers import Scored
from lentigo.evaluate.cards import data_card, model_card
from lentigo.evaluate.facts import Findings
from lentigo.evaluate.lesions import LesionAttention
from lentigo.evaluate.report import render
from lentigo.evaluate.subgroups import CSV_COLUMNS
from lentigo.files import write_json, write_text
from lentigo.score.calibration import reliability
from lentigo.score.classification import confusion_matrix

SCHEMA_VERSION = 1
METRICS = "metrics.json"
PREDICTIONS = "predictions.csv"
CONFUSION = "confusion.csv"
SUBGROUPS = "subgroups.json"
SUBGROUPS_TABLE = "subgroups.csv"
CONTEXT = "evaluation.json"
ATTENTION = "attention.json"
ATTENTION_TABLE = "attention.csv"
REPORT = "report.html"
MODEL_CARD, DATA_CARD = "MODEL_CARD.md", "DATA_CARD.md"
_FILES = (
    *(METRICS, PREDICTIONS, CONFUSION, SUBGROUPS, SUBGROUPS_TABLE, ATTENTION, ATTENTION_TABLE),
    *(REPORT, MODEL_CARD, DATA_CARD),
)


def begin(out: Path) -> None:
    """Make the folder; without ``metrics.json`` whatever lies there counts as unfinished.

    Raises:
        InputError: It holds a file that would be written over, and that no evaluation wrote.
    """
    out.mkdir(parents=True, exist_ok=True)
    taken = [name for name in _FILES if (out / name).exists()]
    if taken and not (out / CONTEXT).exists():
        raise InputError(
            f"{out} holds {', '.join(taken)}, and no evaluation of lentigo.",
            todo="Name another folder as --out.",
        )
    (out / METRICS).unlink(missing_ok=True)


def write(out: Path, findings: Findings) -> None:
    """Write every file, first the one by which `begin` knows them, ``metrics.json`` last.

    Args:
        out: The folder.
        findings: What was found.
    """
    codes = findings.asked.taxonomy.codes
    write_json(out / CONTEXT, context(findings))
    write_text(out / PREDICTIONS, predictions_csv(findings.scored, codes))
    write_text(out / CONFUSION, confusion_csv(findings.scored, codes))
    write_json(out / SUBGROUPS, findings.subgroups.to_dict())
    write_text(out / SUBGROUPS_TABLE, _csv(list(CSV_COLUMNS), findings.subgroups.rows()))
    _write_attention(out, findings.lesions)
    write_pages(out, findings)
    write_json(out / METRICS, {key: each.to_dict() for key, each in findings.metrics.items()})


def write_pages(out: Path, findings: Findings) -> Path:
    """Write what is for people to read.

    Returns:
        The page.
    """
    page = out / REPORT
    write_text(page, render(findings))
    write_text(out / MODEL_CARD, model_card(findings))
    if findings.holdings is not None:
        write_text(out / DATA_CARD, data_card(findings.holdings))
    return page


def _write_attention(out: Path, lesions: LesionAttention | None) -> None:
    """Without masks nothing may be left of an earlier evaluation that had them."""
    if lesions is None:
        (out / ATTENTION).unlink(missing_ok=True)
        (out / ATTENTION_TABLE).unlink(missing_ok=True)
        return
    rows = zip(lesions.image_ids, lesions.inside.tolist(), lesions.area.tolist(), strict=True)
    write_text(out / ATTENTION_TABLE, _csv(["image_id", "inside", "area"], rows))
    write_json(out / ATTENTION, lesions.to_dict())


def predictions_csv(scored: Scored, codes: tuple[str, ...]) -> str:
    """``image_id``, ``label`` and one probability column a class, to the last bit."""
    rows = (
        [image_id, codes[label], *(repr(float(p)) for p in probability)]
        for image_id, label, probability in zip(
            scored.image_ids, scored.labels, scored.probability, strict=True
        )
    )
    return _csv(["image_id", "label", *codes], rows)


def confusion_csv(scored: Scored, codes: tuple[str, ...]) -> str:
    """A row a true class, a column a called class, and ``undecided`` where there are ties."""
    cells = confusion_matrix(scored.labels, scored.probability).astype(int)
    columns = [*codes, "undecided"] if cells[:, -1].any() else list(codes)
    rows = ([code, *cells[c, : len(columns)].tolist()] for c, code in enumerate(codes))
    return _csv(["label", *columns], rows)


def context(findings: Findings) -> dict[str, Any]:
    """What the figures rest on: model, data, protocol, seeds, looks, and the reliability table."""
    asked, scored = findings.asked, findings.scored
    return {
        "schema_version": SCHEMA_VERSION,
        "lentigo": version("lentigo"),
        "model": asked.model,
        "description": asked.description,
        "data": str(asked.data),
        "data_digest": asked.data_digest,
        "split": asked.split,
        "fold": asked.fold,
        "list_digest": asked.list_digest,
        "protocol": asked.protocol,
        "leaky": asked.leaky,
        "cautions": list(asked.cautions),
        "images": len(scored.rows),
        "groups": scored.n_groups,
        "dropped": scored.dropped,
        "looks": {"total": findings.looks.total, "models": findings.looks.models},
        "options": asdict(findings.options),
        "bootstrap": {"replicates": findings.replicates, "seed": findings.seed, "level": 0.95},
        "classes": [
            {"code": each.code, "malignant": each.malignant} for each in asked.taxonomy.classes
        ],
        "operating_points": [
            {
                "name": point.name,
                "target_sensitivity": point.target_sensitivity,
                "threshold": point.threshold,
            }
            for point in asked.points
        ],
        "reliability": _reliability_table(findings),
        **derived.to_dict(findings),
    }


def _reliability_table(findings: Findings) -> list[dict[str, Any]]:
    """The numbers behind the reliability diagram, one entry a bin."""
    scored, right = findings.scored, derived.right_by_confidence(findings)
    table = reliability(scored.labels, scored.probability)
    return [
        {
            "from": float(table.edges[b]),
            "to": float(table.edges[b + 1]),
            "images": int(table.weight[b]),
            "confidence": _plain(table.confidence[b]),
            "accuracy": _plain(table.accuracy[b]),
            "low": right[b].low,
            "high": right[b].high,
        }
        for b in range(len(table.weight))
    ]


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _csv(header: list[str], rows: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
