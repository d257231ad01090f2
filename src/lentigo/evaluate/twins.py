"""The pictures that stand in a set more than once, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lentigo.evaluate.pictures import SMALL_SIDE, thumbnail

if TYPE_CHECKING:
    from lentigo.data.prepared import PreparedSet

SHOWN_PAIRS = 6
KINDS = {
    "exact": "identical files",
    "near": "near duplicates",
    "cropped": "cropped copies",
    "published": "named by the publisher",
}


@dataclass(frozen=True)
class Twin:
    """One image of a pair.

    Attributes:
        image_id: Which.
        label: Its class code.
        split: Where it sits.
        source: The picture as a data URI.
    """

    image_id: str
    label: str
    split: str
    source: str


@dataclass(frozen=True)
class Twins:
    """Two images that are one picture.

    Attributes:
        kind: How they were found, in words.
        wrong: What of the two contradicts that, in words; empty where nothing does.
        both: The two.
    """

    kind: str
    wrong: str
    both: tuple[Twin, Twin]


def twins_of(prepared: PreparedSet) -> tuple[Twins, ...]:
    """The first few pairs that ``prepare`` found, those that contradict themselves in front."""
    found = prepared.audit.get("duplicates", {})
    places = {str(each): row for row, each in enumerate(prepared.manifest["image_id"])}
    pairs = [(kind, a, b) for kind in KINDS for a, b in found.get(kind, ())]
    pairs = [each for each in pairs if each[1] in places and each[2] in places]
    told = {(a, b): _contradiction(found, a, b) for _, a, b in pairs}
    pairs.sort(key=lambda each: not told[each[1:]])
    return tuple(
        Twins(KINDS[kind], told[a, b], (_twin(prepared, places[a]), _twin(prepared, places[b])))
        for kind, a, b in pairs[:SHOWN_PAIRS]
    )


def _contradiction(found: Mapping[str, Any], a: str, b: str) -> str:
    differ = [
        what
        for what in ("labels", "lesions", "patients")
        if any({a, b} == set(pair) for pair in found.get(f"of_different_{what}", ()))
    ]
    return f"different {' and '.join(differ)}" if differ else ""


def _twin(prepared: PreparedSet, row: int) -> Twin:
    line = prepared.manifest.iloc[row]
    picture = thumbnail(np.asarray(prepared.images[row]), SMALL_SIDE)
    return Twin(str(line["image_id"]), str(line["label"]), str(line["split"]), picture)
