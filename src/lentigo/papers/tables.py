"""What a paper's tables claim, and which figure of which variant each of their cells is.

Most tables have a row a variant and a column a figure. One that is ``of`` a variant has rows
by class, or by whatever else is counted or measured; one whose columns are ``of`` variants has
rows by figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from lentigo.outside import Known
from lentigo.papers.printed import Printed

Digits = Annotated[int, Field(ge=0, le=6)]
Of = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
]
"""Variants or derived rows of which the first that was run is shown; a text is one."""


class Column(Known):
    """A column: a key of `lentigo.score.panel`, a fact of the run, or what is only printed.

    ``false_positive_rate.WHAT.POINT`` is 1 less the specificity. Facts of the run:
    ``parameters``, ``seconds``, ``epochs``, ``seconds_per_epoch`` (without the first of each
    training, which compiles; `lentigo.papers.timing`), and ``history.NAME``, a
    value of the epoch that is kept (``history.val_accuracy``). Of the exported file: ``file_mb``,
    ``response_ms`` and ``response_p95_ms`` on this machine; ``inference_s`` is what the run
    itself takes for all measured images. ``images.SIDE`` and ``images.SIDE.CLASS`` count images
    (`lentigo.papers.counts`). ``{}`` stands for the row's name: ``precision.{}.argmax``.

    ``of`` names the variant whose figures the column shows, where rows are no variants.
    """

    title: str
    key: str = ""
    digits: Digits = 3
    of: Of = ()


class ClaimRow(Known):
    """A row as printed, a figure a column; a list of them is short for ``claimed`` alone.

    ``key`` takes the place of the columns' keys, with ``{}`` for the column's title; ``keys``
    has one a column, empty where nothing is measured. ``digits`` takes the place of theirs.
    """

    claimed: tuple[str, ...]
    key: str = ""
    keys: tuple[str, ...] = ()
    digits: Digits | None = None

    @model_validator(mode="before")
    @classmethod
    def _lists_are_claims(cls, row: Any) -> Any:
        return {"claimed": row} if isinstance(row, list | tuple) else row

    @field_validator("claimed", mode="before")
    @classmethod
    def _claims_are_printed(cls, claimed: Any) -> Any:
        for cell in claimed if isinstance(claimed, list | tuple) else ():
            if isinstance(cell, int | float):
                raise ValueError(  # noqa: TRY004 - pydantic collects ValueErrors only
                    f"{cell} must stand in quotes, as printed"
                )
            if isinstance(cell, str) and cell:
                Printed.of(cell)
        return claimed

    @model_validator(mode="after")
    def _keys_are_clear(self) -> ClaimRow:
        if self.key and self.keys:
            raise ValueError("key and keys exclude each other")
        return self


@dataclass(frozen=True)
class Place:
    """A cell: the claim, and which figure of which variant stands beside it.

    Attributes:
        row: Name of its row.
        column: Title of its column.
        of: Variants or derived rows, of which the first that was run is shown.
        key: Of the figure; empty where only the claim is shown.
        digits: After the point.
        claim: As printed; empty where the paper has none.
    """

    row: str
    column: str
    of: tuple[str, ...]
    key: str
    digits: int
    claim: str


class ClaimTable(Known):
    """A table as printed: rows by name, figures in the order of the columns.

    Rows are variants, unless the table or its columns are ``of`` some.
    """

    title: str
    of: Of = ()
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: dict[str, ClaimRow] = Field(min_length=1)

    @model_validator(mode="after")
    def _rows_fit(self) -> ClaimTable:
        for name, row in self.rows.items():
            for what, given in (("figures", row.claimed), ("keys", row.keys or row.claimed)):
                if len(given) != len(self.columns):
                    raise ValueError(
                        f"row {name!r} has {len(given)} {what} for {len(self.columns)} columns"
                    )
        return self

    @property
    def by_variant(self) -> bool:
        """Whether its rows are variants."""
        return not self.of and not any(column.of for column in self.columns)

    @property
    def lines(self) -> list[tuple[Place, ...]]:
        """Its cells, row by row."""
        return [
            tuple(self._place(name, row, number) for number in range(len(self.columns)))
            for name, row in self.rows.items()
        ]

    def _place(self, name: str, row: ClaimRow, number: int) -> Place:
        column = self.columns[number]
        key = column.key.replace("{}", name)
        if row.keys:
            key = row.keys[number]
        elif row.key:
            key = row.key.replace("{}", column.title)
        return Place(
            row=name,
            column=column.title,
            of=column.of or self.of or (name,),
            key=key,
            digits=column.digits if row.digits is None else row.digits,
            claim=row.claimed[number],
        )
