"""The tables of a reproduction, as a page, as CSV and as Markdown.

Claimed, as published and leak-free stand side by side; whatever the published protocol gave
is stamped LEAKY, and a scale below 1 is stamped on everything.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import jinja2

from lentigo.errors import in_one_line
from lentigo.files import write_text
from lentigo.papers import figures
from lentigo.papers.check_scores import Finding, check_scores, packaged_scores
from lentigo.papers.epochs import KEY, with_epochs
from lentigo.papers.measured import Outcome
from lentigo.papers.paper import scale_stamp
from lentigo.papers.schema import Paper, Protocol
from lentigo.papers.tables import ClaimTable, Place
from lentigo.score.estimate import NONE, Estimate
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

PAGE, CSV, MARKDOWN = "reproduction.html", "table.csv", "table.md"
COLUMNS = (
    *("paper", "table", "variant", "row", "column", "key", "claimed", "protocol", "stamp"),
    *("value", "low", "high", "images", "groups", "seeds", "scale", "status", "remark"),
)
HEADINGS = {"as-published": "as published (LEAKY)", "leak-free": "leak-free"}


@dataclass(frozen=True)
class Cell:
    """One measured value in print: whether it is stamped, what is said of it, its interval."""

    value: str
    leaky: bool
    note: str = ""
    interval: str = ""

    @property
    def text(self) -> str:
        """In one line."""
        return f"{self.value} {self.interval}".rstrip()


@dataclass(frozen=True)
class Row:
    """A row in print: for each column the claimed text and a cell a protocol."""

    title: str
    cells: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class FilledTable:
    """What was run of a table: its title, those of its columns, and its rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def write(
    paper: Paper,
    scale: float,
    protocols: Sequence[Protocol],
    outcomes: Sequence[Outcome],
    out: Path,
) -> tuple[Path, Path, Path]:
    """Write page, CSV and Markdown into ``out``.

    Args:
        paper: What is reproduced.
        scale: Share of images and epochs.
        protocols: In the order of the columns.
        outcomes: One a variant and protocol that was asked for.
        out: The folder.

    Returns:
        Their paths.
    """
    findings = check_scores(paper.name) if paper.name in packaged_scores() else []
    stamps = stamps_of(scale, outcomes)
    tables = all_filled(paper, protocols, outcomes)
    write_text(out / PAGE, html(paper, stamps, protocols, tables, outcomes, findings, out))
    # The page draws what is printed of each epoch; the others have it as tables.
    paper, outcomes = with_epochs(paper, outcomes)
    tables = all_filled(paper, protocols, outcomes)
    write_text(out / CSV, csv_text(paper, scale, protocols, outcomes))
    write_text(out / MARKDOWN, markdown(paper, stamps, protocols, tables, outcomes, findings))
    return out / PAGE, out / CSV, out / MARKDOWN


def stamps_of(scale: float, outcomes: Sequence[Outcome]) -> list[str]:
    """What must stand at the top of everything."""
    stamps = [*filter(None, [scale_stamp(scale)])]
    if any(each.leaky for each in outcomes):
        stamps.append(
            "LEAKY: figures as published are measured on lesions or patients that training saw, "
            "or may have seen. They flatter."
        )
    return stamps


def all_filled(
    paper: Paper, protocols: Sequence[Protocol], outcomes: Sequence[Outcome]
) -> list[FilledTable]:
    """The printed tables of which something was run."""
    tables = [filled(paper, table, protocols, outcomes) for table in paper.tables]
    return [table for table in tables if table.rows]


def filled(
    paper: Paper, table: ClaimTable, protocols: Sequence[Protocol], outcomes: Sequence[Outcome]
) -> FilledTable:
    """The rows and columns of a printed table that were run."""
    by_place = {(each.variant, each.protocol): each for each in outcomes}
    titles = {each.name: each.title or each.name for each in (*paper.variants, *paper.derived)}
    asked = [[_asked(place, outcomes) for place in line] for line in table.lines]
    columns = [i for i in range(len(table.columns)) if any(line[i] for line in asked)]
    rows = []
    for line, names in zip(table.lines, asked, strict=True):
        if any(names):
            cells = tuple(
                (
                    line[i].claim or ("–" if line[i].key else ""),
                    tuple(_cell(line[i], by_place.get((names[i], p))) for p in protocols),
                )
                for i in columns
            )
            name = line[0].row
            rows.append(Row(titles[name] if table.by_variant else name, cells))
    of = next((name for name in asked[0] if name), "") if table.of else ""
    title = f"{table.title} ({titles[of]})" if of else table.title
    return FilledTable(title, tuple(table.columns[i].title for i in columns), tuple(rows))


def _asked(place: Place, outcomes: Sequence[Outcome]) -> str:
    """The variant that a cell shows; empty where none of those that it may was run."""
    ran = {each.variant for each in outcomes}
    return next((name for name in place.of if name in ran), "")


def _cell(place: Place, outcome: Outcome | None) -> Cell:
    if outcome is None:
        return Cell("not run", leaky=False)
    if outcome.figures is None:
        return Cell("failed", leaky=False, note=outcome.failure)
    if not place.key:
        return Cell("not measured" if place.claim else "", leaky=False)
    estimate = outcome.figures.get(place.key)
    if estimate is None and place.key.startswith(KEY):
        return Cell("not reached", leaky=False)
    if estimate is None or estimate.value is None:
        reason = "no such figure" if estimate is None else str(estimate.reason)
        return Cell(reason if outcome.derived else "undefined", leaky=False, note=reason)
    sign, digits = "+z" if place.key == "difference" else "", place.digits
    value = f"{estimate.value:{sign},.{digits}f}"
    interval = ""
    if estimate.low is not None and estimate.high is not None:
        interval = f"[{estimate.low:{sign}.{digits}f}, {estimate.high:{sign}.{digits}f}]"
    return Cell(value, outcome.leaky, estimate.reason or "", interval)


def csv_text(
    paper: Paper, scale: float, protocols: Sequence[Protocol], outcomes: Sequence[Outcome]
) -> str:
    """A line a cell and protocol, every stamp and remark in the line itself."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    by_place = {(each.variant, each.protocol): each for each in outcomes}
    for table in paper.tables:
        for place in (place for line in table.lines for place in line):
            name = _asked(place, outcomes)
            for protocol in protocols:
                outcome = by_place.get((name, protocol))
                if outcome is None:
                    continue
                start = [paper.name, table.title, name, place.row, place.column, place.key]
                stamp = "LEAKY" if outcome.leaky else ""
                estimate = (outcome.figures or {}).get(place.key)
                counts = [outcome.images, outcome.groups, outcome.seeds, f"{scale:g}"]
                status = f"failed: {in_one_line(outcome.failure)}" if outcome.failure else "done"
                told = [*stamps_of(scale, [outcome]), *_remarks(paper, outcome, outcomes)]
                told += [f"{estimate.reason}."] if estimate and estimate.reason else []
                rest = [*_triple(estimate), *counts, status, " ".join(told)]
                writer.writerow([*start, place.claim, protocol, stamp, *rest])
    return stream.getvalue()


def _remarks(paper: Paper, outcome: Outcome, outcomes: Sequence[Outcome]) -> list[str]:
    """What is said of an outcome's data and weights, and of those that it follows from."""
    behind = {n for row in paper.derived if row.name == outcome.variant for n in row.variants}
    parts = [e for e in outcomes if e.variant in behind and e.protocol == outcome.protocol]
    return list(dict.fromkeys(remark for each in (outcome, *parts) for remark in each.remarks))


def _triple(estimate: Estimate | None) -> list[str]:
    if estimate is None:
        return ["", "", ""]
    parts = (estimate.value, estimate.low, estimate.high)
    return ["" if part is None else repr(float(part)) for part in parts]


def markdown(
    paper: Paper,
    stamps: Sequence[str],
    protocols: Sequence[Protocol],
    tables: Sequence[FilledTable],
    outcomes: Sequence[Outcome],
    findings: Sequence[Finding],
) -> str:
    """The tables with everything that must be said beneath them."""
    lines = [f"# {paper.title}", "", paper.citation, ""]
    for stamp in stamps:
        lines += [f"**{stamp}**", ""]
    for table in tables:
        heads = [
            f"{column}, {which}"
            for column in table.columns
            for which in ("claimed", *(HEADINGS[protocol] for protocol in protocols))
        ]
        lines += [f"## {table.title}", "", _line(["", *heads]), _line(["---"] * (len(heads) + 1))]
        for row in table.rows:
            cells = [
                text
                for claim, measured in row.cells
                for text in (claim, *(each.text for each in measured))
            ]
            lines.append(_line([row.title, *cells]))
        lines.append("")
    for title, sentences in notes(paper, outcomes, findings):
        lines += [f"## {title}", "", *(f"- {each}" for each in sentences), ""]
    return "\n".join([*lines, NOT_A_MEDICAL_DEVICE, ""])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def notes(
    paper: Paper, outcomes: Sequence[Outcome], findings: Sequence[Finding]
) -> list[tuple[str, list[str]]]:
    """What stands beneath the tables: (heading, sentences); headings without any are left out."""
    failed = [f"{e.variant}, {e.protocol}: {in_one_line(e.failure)}" for e in outcomes if e.failure]
    refuted = [
        f"{each.name} ({each.where}): {' '.join(each.arithmetic)}"
        for each in findings
        if each.verdict == "inconsistent"
    ]
    measured = [
        f"{e.variant}, {e.protocol}: {e.images} images of {e.groups} groups, {_trainings(e)}."
        for e in outcomes
        if e.figures is not None and not e.derived
    ]
    remarks = list(dict.fromkeys(remark for each in outcomes for remark in each.remarks))
    found = [
        ("What failed", failed),
        ("Where the paper contradicts itself", list(paper.contradictions)),
        ("Printed figures that cannot be", refuted),
        ("What the paper leaves open, and our choices", list(paper.choices)),
        ("What is not reproduced", list(paper.gaps)),
        ("Data and weights of these runs", remarks),
        ("What was measured", measured),
        ("Why there is no interval", _reasons(paper, outcomes, _has_no_interval)),
        ("What to know of intervals", _reasons(paper, outcomes, _has_a_caution)),
    ]
    return [(title, sentences) for title, sentences in found if sentences]


def _reasons(
    paper: Paper, outcomes: Sequence[Outcome], told: Callable[[Place, Estimate], bool]
) -> list[str]:
    """What is said of the tables' figures that are to be ``told`` of: a sentence a reason."""
    found: dict[str, list[str]] = {}
    for table, place in ((t, each) for t in paper.tables for line in t.lines for each in line):
        name = _asked(place, outcomes)
        for outcome in (each for each in outcomes if each.variant == name):
            estimate = (outcome.figures or {}).get(place.key)
            if estimate is None or estimate.value is None or not told(place, estimate):
                continue
            reason = estimate.reason or "unknown"
            where = f"{place.row}, {place.column}, {outcome.protocol}"
            if place.key.startswith(KEY):  # a hundred cells for one reason
                where = f"{table.title}, {outcome.protocol}"
            elif not estimate.n_groups:  # facts and counts, for whichever row they are of
                turned = any(column.of for column in table.columns)
                where = f"{table.title}, {place.row if turned else place.column}"
            found.setdefault(reason.removeprefix(NONE), []).append(where)
    return [f"{why}: {'; '.join(dict.fromkeys(places))}." for why, places in found.items()]


def _has_no_interval(_: Place, estimate: Estimate) -> bool:
    return estimate.low is None


def _has_a_caution(_: Place, estimate: Estimate) -> bool:
    return estimate.low is not None and estimate.reason is not None


def _trainings(outcome: Outcome) -> str:
    count = outcome.seeds * outcome.folds
    told = f"{count} trainings" if count > 1 else "1 training"
    return told + (f", {outcome.seeds} for each of {outcome.folds} folds" * (outcome.folds > 1))


def html(
    paper: Paper,
    stamps: Sequence[str],
    protocols: Sequence[Protocol],
    tables: Sequence[FilledTable],
    outcomes: Sequence[Outcome],
    findings: Sequence[Finding],
    out: Path,
) -> str:
    """The page; it refers to nothing but the evaluations' own pages under ``out``."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("lentigo.papers").joinpath(f"{PAGE}.j2").read_text(encoding="utf-8")
    links = [
        (
            f"{e.variant}, {e.protocol}, training {i + 1}",
            report.resolve().relative_to(out.resolve()).as_posix(),
            e.leaky,
        )
        for e in outcomes
        for i, report in enumerate(e.reports)
    ]
    return environment.from_string(source).render(
        paper=paper,
        stamps=stamps,
        headings=[HEADINGS[protocol] for protocol in protocols],
        tables=tables,
        figures=figures.draw(paper, outcomes, protocols),
        notes=notes(paper, outcomes, findings),
        links=links,
        version=version("lentigo"),
        disclaimer=NOT_A_MEDICAL_DEVICE,
    )
