"""Another set's classes, told in the model's."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError, listed

DROPPED = -1


def read_labels_map(
    path: Path, set_codes: Sequence[str] = (), model_codes: Sequence[str] = ()
) -> dict[str, str]:
    """Read ``set class -> model class`` from TOML or CSV.

    TOML holds ``nevus = "nv"`` lines, at the top or under ``[labels]``. CSV has two columns,
    the set's class and the model's. Its first line is a header, unless it names a class that
    is known. A class mapped to nothing is dropped, as is one that is not named.

    Args:
        path: The file; ``.toml`` is read as TOML, anything else as CSV.
        set_codes: Classes of the set.
        model_codes: Classes of the model.

    Raises:
        InputError: The file is missing or malformed; every bad line is named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None
    if path.suffix.lower() == ".toml":
        pairs, problems = _toml(text)
    else:
        pairs, problems = _csv(text, set_codes, model_codes)
    if problems:
        raise InputError(
            f"{path} does not map classes:\n{listed(problems)}",
            todo='Write one line a class, such as: nevus = "nv" (TOML) or nevus,nv (CSV).',
        )
    return pairs


def _toml(text: str) -> tuple[dict[str, str], list[str]]:
    try:
        content: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return {}, [str(error)]
    table = content.get("labels", content)
    if not isinstance(table, dict) or not table:
        return {}, ["no classes are named"]
    bad = [
        f"{key}: {value!r} is not text"
        for key, value in table.items()
        if not isinstance(value, str)
    ]
    return {key: str(value).strip() for key, value in table.items()}, bad


def _csv(
    text: str, set_codes: Sequence[str], model_codes: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    pairs: dict[str, str] = {}
    problems = []
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    # One known class is enough: the other may be mistyped, and is then refused.
    first, second = [*(rows[0] if rows else []), "", ""][:2]
    header = first not in set_codes and second not in model_codes
    for number, cells in enumerate(rows, start=1):
        if not any(cells) or (number == 1 and header):
            continue
        if len(cells) != 2 or not cells[0]:
            problems.append(f"line {number}: {len(cells)} columns instead of 2: {','.join(cells)}")
        elif pairs.get(cells[0], cells[1]) != cells[1]:
            problems.append(f"line {number}: {cells[0]} is mapped twice")
        else:
            pairs[cells[0]] = cells[1]
    if not pairs and not problems:
        problems.append("no classes are named (the first line is taken for the header)")
    return pairs, problems


def class_table(
    set_codes: Sequence[str], model_codes: Sequence[str], mapping: Mapping[str, str] | None
) -> NDArray[np.int64]:
    """The model's class index of each class of a set.

    Args:
        set_codes: Classes of the prepared set.
        model_codes: Classes of the model.
        mapping: Set class to model class; where not given, classes of the same code.

    Returns:
        (len(set_codes),) model class indices, ``DROPPED`` where the class is left out.

    Raises:
        InputError: Classes that one side does not have, all of them named.
    """
    if mapping is None:
        unknown = [code for code in set_codes if code not in model_codes]
        if unknown:
            raise InputError(
                f"The model has no class for: {', '.join(unknown)}. "
                f"Its classes: {', '.join(model_codes)}.",
                todo="Map the set's classes onto the model's with --labels FILE.",
            )
        return np.array([model_codes.index(code) for code in set_codes])
    problems = [f"{code}: the set has no such class" for code in mapping if code not in set_codes]
    problems += [
        f"{code} -> {target}: the model has no such class"
        for code, target in mapping.items()
        if target and target not in model_codes
    ]
    if problems:
        raise InputError(
            f"The map of classes does not fit:\n{listed(problems)}",
            todo=f"Set: {', '.join(set_codes)}. Model: {', '.join(model_codes)}.",
        )
    targets = [mapping.get(code, "") for code in set_codes]
    return np.array([model_codes.index(t) if t else DROPPED for t in targets])
