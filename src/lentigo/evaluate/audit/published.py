"""Pairs of images that a publisher calls the same picture, by id and by pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lentigo.data.prepared import PreparedSet
from lentigo.evaluate.audit.crossings import between
from lentigo.evaluate.audit.pairs import SEEN, Pair

Ids = tuple[str, str]


@dataclass(frozen=True)
class NamedPair:
    """One pair of a publisher's list.

    Attributes:
        ids: Of the two images, sorted.
        present: How many of them are in the sets that were looked at, 0 to 2.
        rows: Where both are: rows of the audit's table, each pair ascending.
    """

    ids: Ids
    present: int
    rows: tuple[tuple[int, int], ...]


def named_pairs(sets: Sequence[PreparedSet], table: pd.DataFrame) -> list[NamedPair]:
    """The pairs that the publishers of these sets name, looked up in all of the sets.

    Sets that were prepared before the whole list was kept name those pairs only of which they
    hold both images.
    """
    listed: set[Ids] = set()
    for each in sets:
        held = each.audit.get("duplicates", {}).get("published", [])
        listed |= {(min(a, b), max(a, b)) for a, b in each.audit.get("named_duplicates", held)}
    rows: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(table["image_id"]):
        rows[name].append(row)
    return [
        NamedPair(
            ids=(a, b),
            present=(a in rows) + (b in rows),
            rows=tuple((min(i, j), max(i, j)) for i in rows.get(a, ()) for j in rows.get(b, ())),
        )
        for a, b in sorted(listed)
    ]


def described(
    named: Sequence[NamedPair], table: pd.DataFrame, found: Mapping[tuple[int, int], Pair]
) -> dict[str, Any]:
    """What became of the publishers' pairs, for JSON.

    Args:
        named: The pairs.
        table: ``set``, ``split`` and ``fold`` of every image.
        found: Every pair of rows that counts as one picture.
    """
    place = list(zip(table["set"], table["split"], table["fold"].astype(int), strict=True))
    pairs = []
    for each in named:
        lines = [
            line
            for a, b in each.rows
            if "excluded" not in {place[a][1], place[b][1]}
            and (line := between(place[a], place[b])) is not None
        ]
        seen = [found[rows] for rows in each.rows]
        pairs.append(
            {
                "ids": list(each.ids),
                "present": ("none", "one", "both")[each.present],
                "bits": min((pair.bits for pair in seen), default=None),
                "found_by_pixels": any(pair.kind in SEEN for pair in seen),
                "crosses": sorted({told for told, crosses in lines if crosses}),
            }
        )
    return {
        "listed": len(named),
        "both_present": sum(each.present == 2 for each in named),
        "one_present": sum(each.present == 1 for each in named),
        "none_present": sum(each.present == 0 for each in named),
        "found_by_pixels": sum(bool(each["found_by_pixels"]) for each in pairs),
        "crossing": sum(bool(each["crosses"]) for each in pairs),
        "pairs": pairs,
    }
