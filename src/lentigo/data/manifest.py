"""The manifest: one row an image, and the CSV form of it.

Text columns hold an empty string where nothing is known; ``age`` holds NaN. Column meanings:

- ``group_id`` joins patient, lesion and duplicates: what no split may cut;
- ``parent_id`` is a synthetic image's original, ``seed`` what it is drawn by; ``seed`` is a
  column only where there are such images (``lentigo.data.oversampling``);
- ``split`` is train, validation, test, or excluded (a training image whose group also sits
  in an official test set);
- ``fold`` is 0 or more for training rows, -1 elsewhere.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lentigo.errors import InputError, listed
from lentigo.files import write_text

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "image_id",
    "path",
    "sha256",
    "source",
    "license",
    "lesion_id",
    "patient_id",
    "group_id",
    "parent_id",
    "diagnosis",
    "confirmed_by",
    "label",
    "split",
    "fold",
    "age",
    "sex",
    "site",
    "skin_tone",
)
OPTIONAL = ("seed",)
SPLITS = ("train", "validation", "test", "excluded")


def manifest_text(frame: pd.DataFrame | Mapping[str, list[Any]]) -> str:
    """The CSV text of a manifest, the same on every platform.

    Args:
        frame: Any of ``COLUMNS`` and ``OPTIONAL``, in any row order, which is kept; a table or
            its columns.
    """
    names = [name for name in (*COLUMNS, *OPTIONAL) if name in frame]
    cells = [frame[name] for name in names]
    columns = [each if isinstance(each, list) else each.tolist() for each in cells]
    if "age" in names:
        position = names.index("age")
        columns[position] = ["" if math.isnan(age) else repr(age) for age in columns[position]]
    text = _csv(names, columns, csv.QUOTE_MINIMAL)
    # Minimal quoting leaves a lone carriage return bare, and readers take it for a line's end.
    return _csv(names, columns, csv.QUOTE_ALL) if "\r" in text else text


def _csv(names: list[str], columns: list[list[object]], quoting: Literal[0, 1]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n", quoting=quoting)
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return stream.getvalue()


def write_manifest(frame: pd.DataFrame, path: Path) -> None:
    """Write a manifest atomically.

    Args:
        frame: All of ``COLUMNS``, and of ``OPTIONAL`` what it has.
        path: The CSV file; its first line is the header.
    """
    write_text(path, manifest_text(frame[columns_of(frame)]))


def columns_of(frame: pd.DataFrame) -> list[str]:
    """All of ``COLUMNS``, and of ``OPTIONAL`` what ``frame`` has."""
    return [*COLUMNS, *(name for name in OPTIONAL if name in frame.columns)]


def read_manifest(path: Path) -> pd.DataFrame:
    """Read a manifest.

    Args:
        path: A file that ``write_manifest`` wrote.

    Returns:
        ``COLUMNS`` and what it has of ``OPTIONAL``: ``age`` float64 in years (NaN unknown),
        ``fold`` int64, all else str.

    Raises:
        InputError: It is missing, lacks a column, or has rows that cannot be.
    """
    import pandas as pd  # noqa: PLC0415 - writing a manifest needs none

    try:
        # Read as bytes: text mode would turn a quoted carriage return into a line feed.
        content = path.read_bytes()
        frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a manifest: {error}") from None
    if lacking := [name for name in COLUMNS if name not in frame.columns]:
        raise InputError(f"{path}:1: lacks the column(s) {lacking}.")
    if problems := _problems(frame):
        raise InputError(f"{path} has {len(problems)} problem(s):\n{listed(problems)}")
    frame = frame[columns_of(frame)]
    age = frame["age"].replace("", "nan").astype("float64")
    return frame.assign(age=age, fold=frame["fold"].astype("int64"))


def _problems(frame: pd.DataFrame) -> list[str]:
    """What is wrong with the cells, with line numbers where a line is to blame."""
    import pandas as pd  # noqa: PLC0415 - as above

    age = pd.to_numeric(frame["age"].replace("", "nan"), errors="coerce")
    checks = {
        "names no image or one named before": frame["image_id"].duplicated()
        | (frame["image_id"] == ""),
        f"its split is not one of {SPLITS}": ~frame["split"].isin(SPLITS),
        "its fold is not a whole number": ~frame["fold"].str.fullmatch(r"-?\d{1,9}"),
        "its age is not a number": age.isna() & ~frame["age"].str.lower().isin(["", "nan"]),
    }
    return [
        f"row {position + 1} ({frame['image_id'].iloc[position]!r}): {told}"
        for told, wrong in checks.items()
        for position in wrong.to_numpy().nonzero()[0]
    ]
