"""`lentigo quality`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lentigo.cli.options import Json
from lentigo.errors import visible
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

if TYPE_CHECKING:
    from lentigo.deploy.prediction import Failure
    from lentigo.image.verdict import QualityThresholds, Verdict


NOTICE = f"This speaks of the photo, not of the lesion. {NOT_A_MEDICAL_DEVICE}"


def quality(
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Files, folders or globs.")
    ],
    *,
    model: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="Whose thresholds hold [default: lentigo's own]."),
    ] = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV: a column a measure.")] = False,
) -> None:
    """Say whether photographs are good enough. Exit code 1 where some could not be read."""
    from lentigo.cli.output import as_json, complain
    from lentigo.deploy.bundle import read_bundle
    from lentigo.deploy.paths import expand
    from lentigo.deploy.prediction import Failure
    from lentigo.errors import InputError

    if json and csv:
        raise InputError("--json and --csv exclude each other.")
    thresholds = None if model is None else read_bundle(model).info.quality
    writer = _csv_writer() if csv else None
    collected: list[dict[str, Any]] = []
    failed = False
    for name, answer in _verdicts(expand(images), thresholds):
        if isinstance(answer, Failure):
            failed = True
            complain(answer.told)
            collected.append(answer.to_dict())
        elif writer is not None:
            writer.writerow(_csv_cells(name, answer))
        elif json:
            collected.append({"image": name, **answer.to_dict(), "notice": NOTICE})
        else:
            print(_in_words(name, answer))
    if not json and not csv:
        print(NOTICE)
    if json:
        as_json(collected)
    if failed:
        raise typer.Exit(1)


def _verdicts(
    paths: list[Path], thresholds: QualityThresholds | None
) -> Iterator[tuple[str, Verdict | Failure]]:
    from lentigo.deploy.prediction import Failure
    from lentigo.errors import ImageError
    from lentigo.image.verdict import judge_file

    for path in paths:
        try:
            yield str(path), judge_file(path, thresholds)
        except ImageError as error:
            yield str(path), Failure.of(str(path), error)


def _csv_writer() -> Any:
    import csv

    from lentigo.image.verdict import CHECKS

    writer = csv.writer(sys.stdout, lineterminator="\n")
    measures = dict.fromkeys(f"{check.measure} ({check.unit})" for check in CHECKS)
    writer.writerow(["image", "good", "failed", *measures])
    return writer


def _csv_cells(name: str, verdict: Verdict) -> list[str]:
    values = {each.check.measure: f"{each.value:.6g}" for each in verdict.findings}
    return [name, str(verdict.good).lower(), "; ".join(verdict.failed), *values.values()]


def _in_words(name: str, verdict: Verdict) -> str:
    lines = [f"{visible(name)}: {'good enough' if verdict.good else 'doubtful'}"]
    lines += [f"  {hint}" for hint in verdict.warnings]
    for each in verdict.findings:
        least = each.check.limit.startswith("min_")
        mark = {True: "ok", False: "no", None: "-"}[each.ok]
        bound = f"{'at least' if least else 'at most'} {each.limit:g} {each.check.unit}"
        value = f"{each.value:.3g} {each.check.unit}"
        lines.append(f"  {mark:2}  {each.check.name:21} {value:22} {bound}")
    return "\n".join(lines)
