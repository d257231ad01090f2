"""Contradictions in what the tables say, and images that say little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd

from lentigo.evaluate.audit.crossings import known_as
from lentigo.evaluate.audit.pairs import Pair, Pictures
from lentigo.image.quality import assess
from lentigo.image.subject import study
from lentigo.image.verdict import judge
from lentigo.machine import usable_cores


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


# Which checks of quality speak of what; a check that is not named is of the last kind.
_KINDS = {
    "not dermoscopic": {"calm as a close-up", "red as skin"},
    "little information": {
        "sharpness",
        "not too dark",
        "not too bright",
        "not burnt out",
        "little black frame",
        "a lesion stands out",
    },
}
_OTHER = "framing, light, or things on the skin"


def poor_kinds(poor: Mapping[int, Sequence[str]]) -> dict[str, list[int]]:
    """Rows of poor images by what is wrong: each kind of fault to its rows, ascending.

    Whether a close-up of skin was taken through a dermatoscope cannot be told here: what is
    found not to be dermoscopic is what does not look like a close-up of skin at all.
    """
    named = set().union(*_KINDS.values())
    found = {
        kind: sorted(row for row, failed in poor.items() if checks & set(failed))
        for kind, checks in _KINDS.items()
    }
    return found | {_OTHER: sorted(row for row, failed in poor.items() if set(failed) - named)}


def poor_images(images: Pictures) -> dict[int, tuple[str, ...]]:
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
