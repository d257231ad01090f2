"""Contradictions and crossings in what the tables say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from lentigo.data.oversampling import Images
from lentigo.evaluate.audit.pairs import Pair
from lentigo.image.quality import assess
from lentigo.image.subject import study
from lentigo.image.verdict import judge
from lentigo.machine import usable_cores


def lesions_of_several(table: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    """Lesions with more than one patient or label: what a lesion cannot have.

    Args:
        table: ``set``, ``lesion_id`` and ``column``, empty where unknown.
        column: ``patient_id`` or ``label``.
    """
    known = table[(table["lesion_id"] != "") & (table[column] != "")]
    cells = sorted(set(known[["set", "lesion_id", column]].itertuples(index=False, name=None)))
    values: dict[tuple[str, str], list[str]] = {}
    for name, lesion, value in cells:
        values.setdefault((name, lesion), []).append(value)
    return [
        {"set": name, "lesion_id": lesion, column: each}
        for (name, lesion), each in values.items()
        if len(each) > 1
    ]


def crossings(table: pd.DataFrame, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """What sits on both sides of a split line, by lesion, by patient and by picture.

    Across sets a picture is counted by the pair of sides: a test image of one set that trains
    in another leaks as soon as the two are used together.
    """
    found = []
    used = table[table["split"] != "excluded"]
    for column in ("lesion_id", "patient_id"):
        known = used[used[column] != ""]
        sides = known.groupby(["set", column])["split"].nunique()
        for name, count in (sides > 1).groupby(level="set").sum().items():
            if count:
                found.append({"what": column, "between": str(name), "count": int(count)})
    where = (table["set"] + " " + table["split"]).tolist()
    excluded = (table["split"] == "excluded").tolist()
    counted = Counter(
        " / ".join(sorted((where[pair.a], where[pair.b])))
        for pair in pairs
        if where[pair.a] != where[pair.b] and not excluded[pair.a] and not excluded[pair.b]
    )
    found += [
        {"what": "picture", "between": between, "count": count}
        for between, count in counted.most_common()
    ]
    return found


def contradictions(table: pd.DataFrame, pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs of one picture of which one label is malignant and the other is not.

    Within a set, any two different labels contradict each other.
    """
    labels, sets = table["label"].tolist(), table["set"].tolist()
    malignant = table["malignant"].tolist()
    return [
        each
        for each in pairs
        if malignant[each.a] != malignant[each.b]
        or (sets[each.a] == sets[each.b] and labels[each.a] != labels[each.b])
    ]


def label_pairs(table: pd.DataFrame, pairs: Sequence[Pair]) -> dict[str, int]:
    """How often one picture bears which two labels in different sets."""
    names, sets = (table["set"] + ": " + table["label"]).tolist(), table["set"].tolist()
    counted = Counter(
        " | ".join(sorted((names[each.a], names[each.b])))
        for each in pairs
        if sets[each.a] != sets[each.b]
    )
    return dict(counted.most_common())


def poor_images(images: Images) -> dict[int, tuple[str, ...]]:
    """Rows of images that carry little information, and the checks that they fail.

    Judged on the prepared pixels, as the network gets them, by ``lentigo.image.verdict``: blur,
    darkness, glare, black frame, no lesion or a cut one, ruler or ink, not dermoscopic.
    """

    def failed(row: int) -> tuple[str, ...]:
        return judge(assess(images[row]), study(images[row])).failed

    # OpenCV works outside the interpreter's lock, so threads are enough.
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = dict(enumerate(pool.map(failed, range(len(images)))))
    return {row: names for row, names in found.items() if names}
