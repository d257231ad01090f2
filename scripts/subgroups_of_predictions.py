"""Divide an evaluation that was written before `evaluate` did so: no new look at the images.

Reads its ``predictions.csv`` and ``evaluation.json``, and the prepared set's manifest and
pixels (the last for skin tones that nobody noted); writes ``subgroups.json`` and prints what
stands in docs/results.md.

    python scripts/subgroups_of_predictions.py RUN/evaluation/test --data prepared --out FILE
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from lentigo.data.prepared import open_prepared
from lentigo.evaluate.strata import axes_of
from lentigo.evaluate.subgroups import Subgroups, subgroups_from
from lentigo.files import read_json, write_json
from lentigo.score.estimate import Estimate
from lentigo.score.subgroups import Answers


def divided(evaluation: Path, data: Path, replicates: int, seed: int) -> Subgroups:
    """The strata of an evaluation, from its own predictions."""
    prepared, context = open_prepared(data), read_json(evaluation / "evaluation.json")
    if context["data_digest"] != prepared.digest:
        sys.exit(f"{evaluation} is of the set {context['data_digest'][:16]}, not of {data}.")
    told = pd.read_csv(evaluation / "predictions.csv", dtype={"image_id": str})
    row = {image_id: i for i, image_id in enumerate(prepared.manifest["image_id"])}
    rows = np.array([row[image_id] for image_id in told["image_id"]])
    codes = prepared.taxonomy.codes
    answers = Answers(
        labels=np.array([codes.index(label) for label in told["label"]]),
        probability=told[list(codes)].to_numpy(),
        codes=codes,
        malignant=prepared.taxonomy.malignant,
        thresholds={each["name"]: each["threshold"] for each in context["operating_points"]},
        group_ids=prepared.manifest["group_id"].to_numpy()[rows].astype(str),
    )
    return subgroups_from(answers, axes_of(prepared, rows), replicates=replicates, seed=seed)


def cell(estimate: Estimate | None) -> str:
    """An estimate as a cell of a Markdown table."""
    if estimate is None:
        return ""
    if estimate.value is None:
        return "too small" if (estimate.reason or "").startswith("too small") else "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def table(found: Subgroups, keys: tuple[str, ...]) -> str:
    """Counts, figures, and the first figure's difference, as Markdown."""
    lines = [
        f"| axis | stratum | images | malignant | {' | '.join(keys)} | difference in the first |",
        "| --- | --- " + "| ---: " * (len(keys) + 3) + "|",
    ]
    for division in found.divisions:
        for each in division.strata:
            gap = "reference" if each.is_reference else cell(each.differences.get(keys[0]))
            counts = f"{each.counts.images} | {each.counts.malignant_groups}"
            figures = " | ".join(cell(each.metrics[key]) for key in keys)
            if each.status == "empty":
                figures = " | ".join(["nothing is known"] * len(keys))
            lines.append(f"| {division.name} | {each.name} | {counts} | {figures} | {gap} |")
    return "\n".join(lines)


def main() -> None:
    """Read, divide, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    found = divided(args.evaluation, args.data, args.replicates, args.seed)
    write_json(args.out, found.to_dict())
    point = "malignant.sensitivity_0.90"
    keys = ("roc_auc.malignant", f"sensitivity.{point}", f"specificity.{point}")
    given, apart = found.differences
    sys.stdout.write(f"{table(found, keys)}\n\n{apart} of {given} differences exclude zero.\n")


if __name__ == "__main__":
    main()
