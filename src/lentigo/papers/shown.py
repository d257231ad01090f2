"""What the papers' figures are made of: finished variants, and pictures with tables behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.papers.measured import Outcome
from lentigo.papers.printed import Printed
from lentigo.score.official import roc_points
from lentigo.train import Run, open_run

HEADINGS = {"as-published": "as published", "leak-free": "leak-free"}


@dataclass(frozen=True)
class Table:
    """What is behind a picture."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """One picture, or one table where that is the figure.

    Attributes:
        caption: What it shows.
        leaky: Whether what is shown was measured by a leaky protocol.
        picture: SVG or images; None where the table is the figure.
        keys: Names of the curves; curve i has the colours of class ``s{i % 6}``, and from the
            seventh on it is dashed.
        table: The numbers.
        text: Lines that stand as they are.
    """

    caption: str
    leaky: bool
    picture: Markup | None = None
    keys: tuple[str, ...] = ()
    table: Table | None = None
    text: str = ""


class Shown:
    """A variant that was run under one protocol: the first of its trainings.

    ``claimed`` is what the paper prints of each of its epochs.
    """

    def __init__(
        self, title: str, outcome: Outcome, claimed: Mapping[Any, Sequence[Printed]] | None = None
    ) -> None:
        self.title, self.outcome, self.claimed = title, outcome, claimed or {}
        self._evaluation = outcome.reports[0].parent

    @property
    def where(self) -> str:
        """Its title and protocol."""
        return f"{self.title}, {HEADINGS[self.outcome.protocol]}"

    @property
    def answers(self) -> str:
        """Its title and protocol, and that several models answered."""
        folds = self.outcome.folds
        return self.where + (f", the answers of {folds} folds together" if folds > 1 else "")

    @property
    def training(self) -> str:
        """Its title and protocol, and that others were trained beside this one."""
        count = self.outcome.seeds * self.outcome.folds
        return self.where + (f", first of {count} trainings" if count > 1 else "")

    @property
    def leaky(self) -> bool:
        """Whether its figures flatter."""
        return self.outcome.leaky

    @property
    def claimed_history(self) -> list[dict[str, float | int | str]]:
        """The claimed log in the form of a run's; empty where the paper prints none."""
        columns = {name: each for name, each in self.claimed.items() if name != "seconds"}
        rows = zip(*columns.values(), strict=True) if columns else ()
        return [
            {"epoch": float(i), **{k: p.value for k, p in zip(columns, row, strict=True)}}
            for i, row in enumerate(rows, start=1)
        ]

    @cached_property
    def run(self) -> Run:
        """The run."""
        return open_run(self._evaluation.parent.parent)

    @cached_property
    def data(self) -> PreparedSet:
        """What it was trained on."""
        return open_prepared(Path(self.run.info.prepared_path))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Label and probabilities of every measured image: of all folds, each by its own model."""
        text = {"image_id": str, "label": str}
        firsts = self.outcome.reports[:: max(self.outcome.seeds, 1)]
        parts = [pd.read_csv(each.parent / "predictions.csv", dtype=text) for each in firsts]
        return pd.concat(parts, ignore_index=True)

    def roc(self, codes: Sequence[str]) -> tuple[Any, Any] | None:
        """False and true positive rates of some classes against the rest."""
        truth = self.predictions["label"].isin(codes).to_numpy()
        if truth.all() or not truth.any():
            return None
        fpr, tpr, _ = roc_points(truth, self.predictions[list(codes)].sum(axis=1).to_numpy())
        return fpr, tpr


Draw = Callable[[Sequence[Shown]], list[Figure]]


def by_protocol(shown: Sequence[Shown]) -> list[list[Shown]]:
    """One list a protocol, in the order they come in."""
    protocols = dict.fromkeys(each.outcome.protocol for each in shown)
    return [[each for each in shown if each.outcome.protocol == p] for p in protocols]


def with_claims(shown: Sequence[Shown]) -> list[Shown]:
    """Those whose log the paper prints, each variant once."""
    found = {each.outcome.variant: each for each in shown if each.claimed_history}
    return list(found.values())
