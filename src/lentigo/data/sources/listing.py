"""From a publisher's rows to a checked table: every problem of a data set at once."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from lentigo.data.sources.table import TABLE_COLUMNS, ReadOptions, SourceTable
from lentigo.errors import SourceError, listed
from lentigo.taxonomy import Taxonomy, from_labels

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
    """One listed image; empty text and NaN stand for what is not known.

    ``label`` is None where its row was found wrong and that was noted.
    """

    image_id: str
    label: str | None
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
        except UnicodeDecodeError:
            self.problems.append(
                f"{path}: not a readable table: it is not text in UTF-8. Save it as CSV in UTF-8, "
                "which spreadsheets offer beside the plain CSV."
            )
        except OSError as error:
            self.problems.append(f"{path}: not a readable table ({error.strerror}).")
        return []

    def _parse(self, path: Path, text: str, required: Sequence[str], *, fold: bool) -> list[Row]:
        header = text.split("\n", 1)[0]
        # Strict: a quote that is never closed would swallow the rows after it.
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=_delimiter(header), strict=True
        )
        rows: list[Row] = []
        try:
            names = [name.strip() for name in next(reader, [])]
            if fold:
                names = [name.lower().replace(" ", "_") for name in names]
            if wrong := _wrong_columns(names, required):
                self.problems.append(f"{path}:1: {wrong}")
                return []
            for cells in reader:
                where = f"{path.name}:{reader.line_num}"
                if not any(cell.strip() for cell in cells):
                    continue  # spreadsheets save rows that were emptied
                if len(cells) == len(names):
                    rows.append(Row(where, dict(zip(names, cells, strict=True))))
                else:
                    self.problems.append(f"{where}: {len(cells)} cells, not {len(names)}.")
        except csv.Error as error:
            self.problems.append(
                f"{path.name}:{reader.line_num}: not a row of cells ({error}); is a quotation mark "
                "left open, here or above?"
            )
        return rows

    def by_image(self, rows: Sequence[Row], column: str) -> dict[str, Row]:
        """Rows of a second table by their image; two that contradict each other are a problem.

        Args:
            rows: Of one or several tables.
            column: Where the image's id stands.
        """
        found: dict[str, Row] = {}
        for row in rows:
            first = found.setdefault(row.known(column), row)
            if first.cells != row.cells:
                self.problems.append(
                    f"{row.where}: says otherwise of {row.known(column)} than {first.where}."
                )
        return found

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

    def one_hot(self, row: Row, columns: Mapping[str, str], *, none: str = "") -> str | None:
        """The code whose column is 1.

        Args:
            row: Cells of 0 and 1.
            columns: Column names and the codes they stand for.
            none: The code where no column is 1; empty means that this is a problem.

        Returns:
            The code, or None after noting a problem.
        """
        cells = {column: _number(row.cells[column]) for column in columns}
        if strange := [column for column, value in cells.items() if value not in {0.0, 1.0}]:
            told = ", ".join(f"{column} is {row.cells[column]!r}" for column in strange)
            self.problems.append(f"{row.where}: {told}, not 0 or 1.")
            return None
        marked = [code for column, code in columns.items() if cells[column] == 1.0]
        if len(marked) == 1:
            return marked[0]
        if not marked and none:
            return none
        told = " and ".join(marked) or "no class"
        self.problems.append(f"{row.where}: marks {told}; exactly one is wanted.")
        return None

    def check_lesions(self) -> None:
        """Note lesions of several patients: numbered within each, they would join all as one."""
        first: dict[str, Item] = {}
        told = set()
        for item in self.items:
            lesion, patient = item.lesion_id, item.patient_id
            if not lesion or not patient or lesion in told:
                continue
            other = first.setdefault(lesion, item)
            if other.patient_id != patient:
                told.add(lesion)
                self.problems.append(
                    f"{item.where}: the lesion {lesion} is of the patient {patient}, at "
                    f"{other.where} of {other.patient_id}: give each lesion an id of its own, "
                    f"such as {patient}_{lesion}."
                )

    def own_classes(self, labels: AbstractSet[str], options: ReadOptions) -> Taxonomy:
        """The taxonomy of the user's own labels; fewer than two, or two alike, are a problem.

        Raises:
            InputError: A malignant class that no image has, or a name that lentigo needs.
        """
        alike: dict[str, list[str]] = {}
        for label in sorted(labels):
            alike.setdefault(" ".join(label.casefold().replace("_", " ").split()), []).append(label)
        self.problems += [
            f"the classes {several} differ in capitals or spaces only: make them one."
            for several in alike.values()
            if len(several) > 1
        ]
        if len(labels) < 2:
            if self.items or not self.problems:
                self.problems.append(f"found {len(labels)} class(es) with images; two are needed.")
            labels = {*labels, "one", "two"}  # only so that the rest is checked; never returned
        # A class may be missing for what is wrong with the table: that is told, and never this.
        told = options.malignant is not None and not self.problems
        malignant = set(options.malignant or ()) if told else None
        return from_labels(self.source, set(labels), malignant)

    def finish(
        self,
        taxonomy: Taxonomy,
        options: ReadOptions,
        images: Mapping[str, str],
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
        # A row without an id is a problem of its own and no absent image.
        named = [item for item in self.items if item.image_id]
        paths = {item.image_id: item.path or images.get(item.image_id) for item in named}
        self._check_names(path for path in paths.values() if path is not None)
        missing = tuple(sorted(each for each, path in paths.items() if path is None))
        self._raise_if_broken(missing, len(paths), options)
        pairs = sorted({(min(pair), max(pair)) for pair in duplicates if pair[0] != pair[1]})
        return SourceTable(
            columns=self._columns(paths),
            taxonomy=taxonomy,
            missing=missing,
            known_duplicates=tuple((a, b) for a, b in pairs if paths.get(a) and paths.get(b)),
            set_aside=tuple(sorted(self.set_aside)),
            named_duplicates=tuple(pairs),
        )

    def _check_labels(self, taxonomy: Taxonomy) -> None:
        known = {*taxonomy.codes, None}  # None was noted where it was read
        # Once where all images of a folder share it.
        self.problems += dict.fromkeys(
            f"{item.where}: {item.label!r} is not a class of {taxonomy.name} {taxonomy.codes}."
            for item in self.items
            if item.label not in known
        )

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

    def _check_names(self, paths: Iterable[Path | str]) -> None:
        """A manifest is text in UTF-8; on Linux a file may be called anything."""
        for path in paths:
            raw = os.fsencode(path)
            try:
                raw.decode()
            except UnicodeDecodeError:
                told = raw.decode(errors="backslashreplace")
                self.problems.append(f"{told}: its name is not text in UTF-8; rename it.")

    def _raise_if_broken(self, missing: tuple[str, ...], n: int, options: ReadOptions) -> None:
        texts, todo = [], None
        if self.problems:
            texts.append(f"{len(self.problems)} problem(s):\n{listed(self.problems)}")
        if len(missing) == n and (n or not self.problems):
            told = f"none of the {n} listed images is here:\n{listed(missing)}"
            texts.append(told if n else "no image is listed.")
            todo = "See `lentigo sources` for where images are looked for." if n else None
        elif missing and not options.skip_missing:
            texts.append(f"{len(missing)} of {n} listed images are absent:\n{listed(missing)}")
            todo = "Complete the folder, or go on without them: --skip-missing."
        if texts:
            raise SourceError(f"{self.root} as {self.source}: " + "\n".join(texts), todo=todo)

    def _columns(self, paths: Mapping[str, Path | str | None]) -> dict[str, list[Any]]:
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
        return columns


@lru_cache(maxsize=1024)  # most cells of a table repeat few words
def _known(cell: str) -> str:
    text = cell.strip()
    return "" if text.lower() in _UNKNOWN else text


def _delimiter(header: str) -> str:
    return max(",\t;", key=header.count)


def _wrong_columns(names: Sequence[str], required: Sequence[str]) -> str:
    """What is wrong with the columns, empty where nothing is."""
    if lacking := [name for name in required if name not in names]:
        return f"lacks the column(s) {lacking}; it has {list(names)}."
    if repeated := sorted({name for name in names if name and names.count(name) > 1}):
        return f"has the column(s) {repeated} more than once."
    return ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
