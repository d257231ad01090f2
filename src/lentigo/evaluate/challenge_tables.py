"""Tables in the formats of the ISIC challenges, and whether two of them fit together.

The forms, told apart by their columns:

- ISIC 2016 part 3: no header; an image and ``benign``, ``malignant`` or a number;
- ISIC 2017 part 3: ``image_id``, ``melanoma``, ``seborrheic_keratosis``; nevus where both are 0;
- ISIC 2018 task 3 and 2019: ``image`` and a column a class (MEL, NV, ...) in both files;
- ISIC 2020: ``image_name`` and ``target``; ISIC 2024: ``isic_id`` and ``target``, or
  ``malignant`` as its ground truth has it. The many other columns of the metadata tables are
  passed over.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError, listed

TARGET = "target"
ISIC2017 = ("melanoma", "seborrheic_keratosis")
WEIGHT = "score_weight"
# The widest first: patients hold lesions.
GROUPS = ("group_id", "patient_id", "lesion_id")
_IDS = ("image", "image_id", "image_name", "isic_id")
_WORDS = {"benign": "0", "malignant": "1"}
# Columns of the published tables of several classes that are no classes.
_ASIDE = frozenset(
    {WEIGHT, "validation_weight", "sex", "age_approx", "diagnosis", "diagnosis_confirm_type"}
    | {"anatom_site_general", "anatom_site_general_challenge", "benign_malignant"}
    | {"tfrecord", "width", "height", *GROUPS}
)


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        path: Its file.
        ids: (n,) of the images, in the order of the file.
        columns: Name to cells (n,), the first column left out.
        lines: Id to line number.
        headless: Whether it has no header, as in ISIC 2016.
    """

    path: Path
    ids: tuple[str, ...]
    columns: dict[str, tuple[str, ...]]
    lines: dict[str, int]
    headless: bool = False

    @property
    def classes(self) -> tuple[str, ...]:
        """The columns that hold answers."""
        if TARGET in self.columns:
            return (TARGET,)
        if set(ISIC2017) <= set(self.columns):
            return ISIC2017
        return tuple(name for name in self.columns if name not in _ASIDE)

    def values_of(
        self, names: Sequence[str], *, ids: Sequence[str] | None = None, whole: bool = False
    ) -> NDArray[np.float64]:
        """(n, len(names)) in the order of ``ids``; ``whole`` allows 0 and 1 only.

        Raises:
            InputError: Cells that are nothing of the kind, by line.
        """
        rows = self._rows(ids or self.ids)
        values = np.array([[_number(self.columns[n][row]) for n in names] for row in rows])
        wrong = ~((values >= 0) & (values <= 1))
        if whole:
            wrong |= ~np.isin(values, (0, 1))
        bad = [
            f"line {self.lines[self.ids[rows[i]]]}: {names[j]} is "
            f"{self.columns[names[j]][rows[i]]!r}"
            for i, j in np.argwhere(wrong)
        ]
        if bad:
            wanted = "0 or 1" if whole else "a probability in [0, 1]"
            raise InputError(f"{self.path}: not {wanted}:\n{listed(bad)}")
        return values

    def weights_of(self, ids: Sequence[str]) -> NDArray[np.float64]:
        """``score_weight`` (n,) of some images.

        Raises:
            InputError: No such column, an image without, or no number of at least 0.
        """
        if WEIGHT not in self.columns:
            raise InputError(f"{self.path} has no column {WEIGHT}.")
        self._must_hold(ids, "weight")
        cells = self.columns[WEIGHT]
        weight = np.array([_number(cells[row]) for row in self._rows(ids)])
        bad = [name for name, each in zip(ids, weight, strict=True) if not 0 <= each < math.inf]
        if bad:
            raise InputError(
                f"{self.path}: a weight must be a number of at least 0:\n{listed(bad)}"
            )
        return weight

    def groups_of(self, ids: Sequence[str]) -> tuple[NDArray[np.str_], str] | None:
        """What may not be resampled apart (n,), and the column that says so; None where none does.

        An image of which nothing is said is a group of its own.

        Raises:
            InputError: An image that the table does not hold.
        """
        column = next((name for name in GROUPS if any(self.columns.get(name, ()))), None)
        if column is None:
            return None
        self._must_hold(ids, "group")
        cells = self.columns[column]
        rows = self._rows(ids)
        found = [cells[row] or f"image {name}" for row, name in zip(rows, ids, strict=True)]
        return np.array(found), column

    def _rows(self, ids: Sequence[str]) -> list[int]:
        place = {image: row for row, image in enumerate(self.ids)}
        return [place[image] for image in ids]

    def _must_hold(self, ids: Sequence[str], what: str) -> None:
        if lost := [image for image in ids if image not in self.lines]:
            raise InputError(f"{self.path} has no {what} for:\n{listed(lost)}")


def read_table(path: Path) -> Table:
    """Read a table of a challenge.

    Raises:
        InputError: It cannot be read or is none, all problems with their lines.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [(number, row) for number, row in enumerate(csv.reader(stream), 1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None
    headless = bool(rows) and _is_answer(rows[0][1])
    if headless:
        rows.insert(0, (0, ["image", TARGET]))
    header = [name.strip() for name in rows[0][1]] if rows else []
    if not header or header[0] not in _IDS or len(rows) < 2:
        raise InputError(
            f"{path} is no table of a challenge.",
            todo=f"Its first line must begin with one of {', '.join(_IDS)}, or hold an image and "
            "its answer as in ISIC 2016.",
        )
    lines = _checked_lines(path, header, rows[1:])
    columns = {
        name: tuple(row[place].strip() for _, row in rows[1:])
        for place, name in enumerate(header)
        if place
    }
    return Table(path, tuple(lines), _one_target(columns), lines, headless)


def fitted(known: Table, guessed: Table) -> tuple[str, ...]:
    """The classes that both tables name; those that no image of the truth has may be absent.

    Raises:
        InputError: Other classes, or other images.
    """
    wanted, given = known.classes, guessed.classes
    if wanted != given:
        empty = {name for name in wanted if not any(map(_number, known.columns[name]))}
        wanted = tuple(name for name in wanted if name in given or name not in empty)
    if not wanted or wanted != given:
        raise InputError(
            f"{guessed.path} has the columns {', '.join(given)}; {known.path} has "
            f"{', '.join(known.classes)}.",
            todo="Both must name the same classes in the same order.",
        )
    absent = [image for image in known.ids if image not in guessed.lines]
    foreign = [image for image in guessed.ids if image not in known.lines]
    problems = [f"{image} is not predicted" for image in absent]
    problems += [f"line {guessed.lines[image]}: {image} is not in the truth" for image in foreign]
    if problems:
        raise InputError(f"{guessed.path} does not match {known.path}:\n{listed(problems)}")
    return wanted


def _is_answer(row: Sequence[str]) -> bool:
    """Whether a first line is no header but an image and its answer."""
    if len(row) != 2 or row[0].strip() in _IDS:
        return False
    return row[1].strip().lower() in _WORDS or math.isfinite(_number(row[1]))


def _one_target(columns: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The columns with the single question under its one name, its answers as numbers."""
    if TARGET not in columns and "malignant" in columns and "benign" not in columns:
        columns = {TARGET: columns["malignant"]} | columns
    if TARGET not in columns:
        return columns
    answers = tuple(_WORDS.get(cell.lower(), cell) for cell in columns[TARGET])
    return columns | {TARGET: answers}


def _checked_lines(
    path: Path, header: Sequence[str], rows: Sequence[tuple[int, list[str]]]
) -> dict[str, int]:
    """Id to line number."""
    problems = [
        f"line {number}: {len(row)} columns instead of {len(header)}"
        for number, row in rows
        if len(row) != len(header)
    ]
    lines: dict[str, int] = {}
    for number, row in rows:
        # Some submissions name the file.
        image = row[0].strip().removesuffix(".jpg").removesuffix(".jpeg")
        if image in lines:
            problems.append(f"line {number}: {image} stands in line {lines[image]} too")
        lines.setdefault(image, number)
    if problems:
        raise InputError(f"{path} has {len(problems)} problem(s):\n{listed(problems)}")
    return lines


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
