"""Contradictions in what the tables say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from lentigo.evaluate.audit.crossings import known_as
from lentigo.evaluate.audit.pairs import Pair


def lesions_of_several_patients(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Lesions with more than one patient, within a set or across sets.

    Args:
        table: ``set``, ``source``, ``lesion_id`` and ``patient_id``, empty where unknown.
    """
    return [
        {"lesion_id": lesion, "sets": _sorted(rows["set"]), "patient_id": patients}
        for lesion, rows in _by_lesion(table, "patient_id")
        if len(patients := _sorted(rows["patient_id"])) > 1
    ]


def lesions_of_several_labels(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Lesions that cannot be all that they are called.

    Within a set any two labels contradict each other; across sets, whose classes may be cut in
    another way, a malignant and a benign one.

    Args:
        table: ``set``, ``source``, ``lesion_id``, ``label`` and ``malignant``.
    """
    found = []
    for lesion, rows in _by_lesion(table, "label"):
        of_a_set = rows.groupby("set")["label"].nunique()
        if (of_a_set > 1).any() or rows["malignant"].nunique() > 1:
            labels = _sorted(rows["set"] + ": " + rows["label"])
            found.append({"lesion_id": lesion, "sets": _sorted(rows["set"]), "label": labels})
    return found


def _by_lesion(table: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each lesion that has several values in ``column``."""
    known = table[(table["lesion_id"] != "") & (table[column] != "")]
    keys = known_as(known, "lesion_id")
    several = known[keys.map(known.groupby(keys)[column].nunique()) > 1]
    for lesion, rows in several.groupby(keys):
        yield str(lesion), rows


def _sorted(values: pd.Series) -> list[str]:
    return sorted(set(values))


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
