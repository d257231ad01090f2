"""What is known of the patient, as numbers beside an image: age, sex and site.

Every column of the manifest fills places of one vector, which `meaning` names:

- ``age``: (years - 50) / 20, and a place that is 1 where the age is not known;
- ``sex``: 1 in the place of ``female``, ``male`` or not known;
- ``site``: 1 in the place of one of six regions or not known. Sources name sites more or less
  finely (``back`` here, ``trunk`` there), and the names alone would tell the source; so all are
  folded into the regions of the ISIC 2020 challenge.

An empty cell is not known. Neither is a value outside of the vocabulary, which `counts` counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Column = Literal["age", "sex", "site"]
Floats = NDArray[np.float32]

_MIDDLE_YEARS, _UNIT_YEARS, _OLDEST_YEARS = 50, 20, 120
_SEXES = ("female", "male")
# Its regions, and what the sources call their parts. A foot may be seen from either side.
_REGIONS = {
    "head/neck": ("head", "face", "scalp", "ear", "nose", "lip", "neck"),
    "torso": (
        *("trunk", "back", "chest", "abdomen"),
        *("anterior torso", "posterior torso", "lateral torso"),
    ),
    "upper extremity": ("arm", "forearm", "hand"),
    "lower extremity": ("thigh", "leg", "foot"),
    "palms/soles": ("acral",),
    "oral/genital": ("genital",),
}


@dataclass(frozen=True)
class _Places:
    """What a column fills: the meaning of each place, the last being "not known"."""

    names: tuple[str, ...]
    fill: Callable[[pd.Series[Any]], Floats]


def _fill_age(years: pd.Series[Any]) -> Floats:
    values = years.to_numpy(np.float64)
    known = (values >= 0) & (values <= _OLDEST_YEARS)
    scaled = np.where(known, (values - _MIDDLE_YEARS) / _UNIT_YEARS, 0)
    return np.stack([scaled, ~known], axis=1).astype(np.float32)


def _one_of(words: Mapping[str, int]) -> Callable[[pd.Series[Any]], Floats]:
    """Marks the place of a cell's word, whatever its capitals, or else the last."""
    last = max(words.values()) + 1

    def fill(cells: pd.Series[Any]) -> Floats:
        found = [words.get(str(cell).strip().lower(), last) for cell in cells]
        return np.eye(last + 1, dtype=np.float32)[np.array(found, dtype=np.int64)]

    return fill


_SITE_WORDS = {
    word: place
    for place, (region, parts) in enumerate(_REGIONS.items())
    for word in (region, *parts)
}
_COLUMNS: dict[str, _Places] = {
    "age": _Places(
        (f"age: (years - {_MIDDLE_YEARS}) / {_UNIT_YEARS}", "age: not known"), _fill_age
    ),
    "sex": _Places(
        (*(f"sex: {each}" for each in _SEXES), "sex: not known"),
        _one_of({each: place for place, each in enumerate(_SEXES)}),
    ),
    "site": _Places(
        (*(f"site: {each}" for each in _REGIONS), "site: not known"), _one_of(_SITE_WORDS)
    ),
}


def meaning(columns: Sequence[Column]) -> tuple[str, ...]:
    """What stands in each place of the vectors of ``columns``, in order."""
    return tuple(name for column in columns for name in _COLUMNS[column].names)


def vectors(table: pd.DataFrame, columns: Sequence[Column]) -> Floats:
    """The vector of every row of a manifest, (n, places), float32."""
    return np.concatenate([_COLUMNS[each].fill(table[each]) for each in columns], axis=1)


def nothing_known(columns: Sequence[Column]) -> Floats:
    """The vector (places,) of an image of which nothing is known."""
    return np.array([name.endswith("not known") for name in meaning(columns)], np.float32)


def counts(table: pd.DataFrame, columns: Sequence[Column]) -> dict[str, dict[str, int]]:
    """By column, how many rows are ``known``, ``empty`` or ``outside`` of the vocabulary."""
    found = {}
    for column in columns:
        known = _COLUMNS[column].fill(table[column])[:, -1] == 0
        empty = table[column].isna() | (table[column].astype(str).str.strip() == "")
        found[str(column)] = {
            "known": int(known.sum()),
            "empty": int(empty.sum()),
            "outside": int((~known & ~empty.to_numpy()).sum()),
        }
    return found
