"""What two sides of a split line share, and what two sets share without crossing one.

A line runs between training, validation and test images, and between the folds of one set's
training images, which take turns at validation. What stands on both sides of a line is a leak,
across sets as soon as the two are used together. Two training parts may share what they like.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lentigo.data.sources import SOURCES
from lentigo.evaluate.audit.pairs import Pair

IDENTITIES = ("image_id", "lesion_id", "patient_id")
_NAMED = 20
_ARCHIVE = r"ISIC_\d+"

Place = tuple[str, str, int]
"""Set, split and fold of an image."""


@dataclass(frozen=True)
class Meeting:
    """What two places have in common.

    Attributes:
        what: ``image_id``, ``lesion_id``, ``patient_id``, or ``picture``.
        between: The places, in words.
        crosses: Whether a split line runs between them.
        names: Ids, or pairs of image ids for pictures, sorted.
    """

    what: str
    between: str
    crosses: bool
    names: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON; the first ids only."""
        return {
            "what": self.what,
            "between": self.between,
            "count": len(self.names),
            "ids": list(self.names[:_NAMED]),
        }


def known_as(table: pd.DataFrame, column: str) -> pd.Series:
    """Ids (N,) that mean the same wherever they stand, empty where unknown.

    Archives give their lesions and patients names of their own, which keep their meaning from
    set to set. Bare numbers count within their source only: every hospital has a patient 12.
    Names of images do so within published sources, except those of the ISIC Archive, which hold
    everywhere; in folders of one's own they are names of files, and count within the set.
    """
    ids = table[column]
    if column != "image_id":
        return ids.where(~ids.str.isdecimal(), table["source"] + ":" + ids)
    ids = ids.str.removesuffix("_downsampled")  # ISIC 2019 says so of images it made smaller
    published = table["source"].isin([name for name, each in SOURCES.items() if each.url])
    owner = table["source"].where(published, table["set"])
    return ids.where(ids.str.fullmatch(_ARCHIVE), owner + ":" + ids)


def meetings(table: pd.DataFrame, pairs: Sequence[Pair]) -> list[Meeting]:
    """What stands in several places: by image id, lesion, patient and picture.

    Args:
        table: ``set``, ``split``, ``fold``, ``source``, ids; excluded rows stand nowhere.
        pairs: Rows that show the same picture.
    """
    used = table[table["split"] != "excluded"]
    found = []
    for column in IDENTITIES:
        ids = known_as(used, column)
        rows = used.assign(known_as=ids)[ids != ""][["known_as", "set", "split", "fold"]]
        found += _met(column, _standing(rows.drop_duplicates()))
    split, name = table["split"].tolist(), table["image_id"].tolist()
    places = list(zip(table["set"], split, table["fold"].astype(int), strict=True))
    shown = [
        (f"{name[each.a]} | {name[each.b]}", [places[each.a], places[each.b]])
        for each in pairs
        if "excluded" not in {split[each.a], split[each.b]}
    ]
    return found + _met("picture", shown)


def between(a: Place, b: Place) -> tuple[str, bool] | None:
    """Two places in words, and whether a line runs between them; None where they are one."""
    if a == b:
        return None
    if a[0] == b[0] and a[1] == b[1]:
        return f"{a[0]}: {a[1]}, different folds", True
    first, second = sorted((a, b))
    if a[0] == b[0]:
        return f"{a[0]}: {first[1]} / {second[1]}", True
    return f"{first[0]} {first[1]} / {second[0]} {second[1]}", a[1] != b[1]


def _standing(rows: pd.DataFrame) -> Iterable[tuple[str, list[Place]]]:
    """Each id that stands in several places, and the places."""
    several = rows[rows.duplicated("known_as", keep=False)]
    standing: dict[str, list[Place]] = defaultdict(list)
    for name, *place in several.itertuples(index=False, name=None):
        standing[name].append((place[0], place[1], int(place[2])))
    return standing.items()


def _met(what: str, standing: Iterable[tuple[str, list[Place]]]) -> list[Meeting]:
    names: dict[tuple[str, bool], set[str]] = defaultdict(set)
    for name, places in standing:
        for a, b in itertools.combinations(places, 2):
            if (line := between(a, b)) is not None:
                names[line].add(name)
    return [
        Meeting(what, told, crosses, tuple(sorted(each)))
        for (told, crosses), each in sorted(names.items())
    ]
