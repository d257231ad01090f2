"""From a publisher's rows to a checked table: every problem of a data set at once."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import pandas as pd

from lentigo.data.sources.table import TABLE_COLUMNS, ReadOptions, SourceTable
from lentigo.errors import SourceError, listed
from lentigo.taxonomy import Taxonomy

_UNKNOWN = frozenset({"", "unknown", "na", "n/a", "nan", "none", "null"})
MAX_AGE_YEARS = 130


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: ``where`` is its file and line, ``cells`` its columns."""

    where: str
    cells: Mapping[str, str]

    def known(self, column: str) -> str:
        """A cell's text, empty where the column is absent or says that nothing is known."""
        return _known(self.cells.get(column) or "")


@dataclass(frozen=True, slots=True)
class Item:
    """One listed image; empty text and NaN stand for what is not known."""

    image_id: str
    label: str
    where: str
    path: Path | None = None
    license: str = ""
    lesion_id: str = ""
    patient_id: str = ""
    diagnosis: str = ""
    confirmed_by: str = ""
    split: str = ""
    age: float = math.nan
    sex: str = ""
    site: str = ""
    skin_tone: str = ""


@dataclass
class Listing:
    """Collects the items and problems of one data set, then makes its table.

    Attributes:
        source: The registry's name of the data set.
        root: Its folder, for messages.
        license: The licence of every image that does not state its own.
    """

    source: str
    root: Path
    license: str
    items: list[Item] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)

    def read_rows(self, path: Path, required: Sequence[str], *, fold: bool = False) -> list[Row]:
        """Rows of a CSV or tab-separated file, as text.

        Args:
            path: The file, UTF-8 with or without byte order mark.
            required: Columns it must have; what is lacking becomes a problem.
            fold: Lower-case the column names and put ``_`` for spaces.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                return self._parse(path, stream.read(), required, fold=fold)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            self.problems.append(f"{path}: not a readable table ({error}).")
            return []

    def _parse(self, path: Path, text: str, required: Sequence[str], *, fold: bool) -> list[Row]:
        header = text.split("\n", 1)[0]
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(header))
        names = [name.strip() for name in next(reader, [])]
        if fold:
            names = [name.lower().replace(" ", "_") for name in names]
        if lacking := [name for name in required if name not in names]:
            self.problems.append(f"{path}:1: lacks the column(s) {lacking}; it has {names}.")
            return []
        rows: list[Row] = []
        for cells in reader:
            where = f"{path.name}:{reader.line_num}"
            if len(cells) == len(names):
                rows.append(Row(where, dict(zip(names, cells, strict=True))))
            elif any(cell.strip() for cell in cells):
                self.problems.append(f"{where}: {len(cells)} cells, not {len(names)}.")
        return rows

    def age(self, row: Row, column: str) -> float:
        """Age in years, NaN where unknown; anything else becomes a problem."""
        text = row.known(column)
        if not text:
            return math.nan
        try:
            years = float(text)
        except ValueError:
            years = -1.0
        if 0 <= years <= MAX_AGE_YEARS:
            return years
        self.problems.append(f"{row.where}: the age {text!r} is not a number of years.")
        return math.nan

    def one_hot(self, row: Row, columns: Mapping[str, str], *, none: str = "") -> str:
        """The code whose column is 1.

        Args:
            row: Cells of 0 and 1.
            columns: Column names and the codes they stand for.
            none: The code where no column is 1; empty means that this is a problem.

        Returns:
            The code, or an empty text after noting a problem.
        """
        marked = [code for column, code in columns.items() if _is_one(row.cells[column])]
        if len(marked) == 1:
            return marked[0]
        if not marked and none:
            return none
        told = " and ".join(marked) or "no class"
        self.problems.append(f"{row.where}: marks {told}; exactly one is wanted.")
        return ""

    def finish(
        self,
        taxonomy: Taxonomy,
        options: ReadOptions,
        images: Mapping[str, Path],
        duplicates: Sequence[tuple[str, str]] = (),
    ) -> SourceTable:
        """Check everything that was collected and make the table.

        Args:
            taxonomy: The classes; any other label is a problem.
            options: What the user asked for.
            images: Where each id's image lies; items that carry a path do not look here.
            duplicates: Pairs the publisher names.

        Raises:
            SourceError: Any problem, all of them at once.
        """
        self._check_labels(taxonomy)
        self._check_ids()
        paths = {item.image_id: item.path or images.get(item.image_id) for item in self.items}
        missing = tuple(sorted(each for each, path in paths.items() if path is None))
        self._raise_if_broken(missing, len(paths), options)
        frame = self._frame(paths)
        named = sorted({(min(pair), max(pair)) for pair in duplicates if pair[0] != pair[1]})
        return SourceTable(
            frame=frame,
            taxonomy=taxonomy,
            missing=missing,
            known_duplicates=tuple((a, b) for a, b in named if paths.get(a) and paths.get(b)),
            set_aside=tuple(sorted(self.set_aside)),
            named_duplicates=tuple(named),
        )

    def _check_labels(self, taxonomy: Taxonomy) -> None:
        known = {*taxonomy.codes, ""}  # an empty label was noted where it was read
        self.problems += [
            f"{item.where}: {item.label!r} is not a class of {taxonomy.name} {taxonomy.codes}."
            for item in self.items
            if item.label not in known
        ]

    def _check_ids(self) -> None:
        first: dict[str, str] = {}
        for item in self.items:
            if not item.image_id:
                self.problems.append(f"{item.where}: names no image.")
            elif item.image_id in first:
                self.problems.append(
                    f"{item.where}: {item.image_id} was listed before, at {first[item.image_id]}."
                )
            first.setdefault(item.image_id, item.where)

    def _raise_if_broken(self, missing: tuple[str, ...], n: int, options: ReadOptions) -> None:
        texts, todo = [], None
        if self.problems:
            texts.append(f"{len(self.problems)} problem(s):\n{listed(self.problems)}")
        if len(missing) == n:
            told = f"none of the {n} listed images is here:\n{listed(missing)}"
            texts.append(told if n else "no image is listed.")
            todo = "See `lentigo sources` for where images are looked for." if n else None
        elif missing and not options.skip_missing:
            texts.append(f"{len(missing)} of {n} listed images are absent:\n{listed(missing)}")
            todo = "Complete the folder, or go on without them: --skip-missing."
        if texts:
            raise SourceError(f"{self.root} as {self.source}: " + "\n".join(texts), todo=todo)

    def _frame(self, paths: Mapping[str, Path | None]) -> pd.DataFrame:
        present = sorted(
            (item for item in self.items if paths[item.image_id] is not None),
            key=lambda item: item.image_id,
        )
        # A training part alone is no official split: lentigo makes its own.
        no_split = {item.split for item in present} <= {"train", ""}
        columns = {
            name: [getattr(item, name) for item in present]
            for name in TABLE_COLUMNS
            if name not in {"path", "source", "license", "split"}
        }
        columns["path"] = [str(paths[item.image_id]) for item in present]
        columns["source"] = [self.source] * len(present)
        columns["license"] = [item.license or self.license for item in present]
        columns["split"] = ["" if no_split else item.split for item in present]
        frame = pd.DataFrame(columns, columns=list(TABLE_COLUMNS))
        return frame.astype({"age": "float64"})


@lru_cache(maxsize=1024)  # most cells of a table repeat few words
def _known(cell: str) -> str:
    text = cell.strip()
    return "" if text.lower() in _UNKNOWN else text


def _delimiter(header: str) -> str:
    return max(",\t;", key=header.count)


def _is_one(text: str) -> bool:
    try:
        return float(text) == 1.0
    except ValueError:
        return False
