"""What an audit found, and the images that it speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet
from lentigo.evaluate.audit.crossings import Meeting
from lentigo.evaluate.audit.pairs import KINDS, Pair
from lentigo.evaluate.audit.poor import Poor
from lentigo.evaluate.audit.sources import SourceProbe
from lentigo.evaluate.audit.unrelated import Precision, Unrelated

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        sets: Name, folder, digest and number of images of each set.
        table: A row an image of all sets: ``set``, ``malignant`` and the manifest's columns.
        pairs: Images that show the same picture.
        refused: Pairs that the hash calls alike and whose details do not coincide.
        unrelated: What the threshold of the near duplicates rests on.
        precision: How many of the pairs may be no copies.
        largest: The largest group that near duplicates join.
        several_patients: Lesions with more than one patient, also across sets.
        several_labels: Lesions with labels that contradict each other, also across sets.
        meetings: Ids, lesions, patients and pictures that stand in several places.
        contradictions: Pairs of one picture whose labels contradict each other.
        label_pairs: Which labels one picture bears in different sets, and how often.
        published: What became of the pairs that publishers name, by id and by pixels.
        poor: Images that carry little information.
        sources: What sources give away; None where there is only one.
    """

    sets: tuple[dict[str, Any], ...]
    table: pd.DataFrame
    pairs: tuple[Pair, ...]
    refused: tuple[Pair, ...]
    unrelated: Unrelated
    precision: Precision
    largest: dict[str, Any]
    several_patients: list[dict[str, Any]]
    several_labels: list[dict[str, Any]]
    meetings: tuple[Meeting, ...]
    contradictions: tuple[Pair, ...]
    label_pairs: dict[str, int]
    published: dict[str, Any]
    poor: Poor
    sources: SourceProbe | None

    @property
    def crossings(self) -> list[Meeting]:
        """What stands on both sides of a split line."""
        return [each for each in self.meetings if each.crosses]

    def count(self, kind: str, *, across: bool) -> int:
        """Pairs of a kind, across sets or within one."""
        sets = self.table["set"].to_numpy()
        return sum(p.kind == kind and (sets[p.a] != sets[p.b]) == across for p in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """The content of ``audit.json``."""
        ids = (self.table["set"] + ":" + self.table["image_id"]).tolist()
        return {
            "schema_version": SCHEMA_VERSION,
            "lentigo": version("lentigo"),
            "sets": list(self.sets),
            "pairs": {
                kind: {
                    "within": self.count(kind, across=False),
                    "across": self.count(kind, across=True),
                }
                for kind in KINDS
            },
            "look_alikes": [[ids[p.a], ids[p.b]] for p in self.refused],
            "unrelated": self.unrelated.to_dict(),
            "precision": self.precision.to_dict(),
            "largest_group": {
                "images": self.largest["images"],
                "widest_bits": self.largest["widest_bits"],
                "ids": [ids[row] for row in self.largest["rows"]],
            },
            "lesions_of_several_patients": self.several_patients,
            "lesions_of_several_labels": self.several_labels,
            "crossings": [each.to_dict() for each in self.crossings],
            "shared": [each.to_dict() for each in self.meetings if not each.crosses],
            "contradictions": [[ids[p.a], ids[p.b]] for p in self.contradictions],
            "labels_across_sets": self.label_pairs,
            "published_pairs": self.published,
            "poor_images": {ids[row]: list(failed) for row, failed in self.poor.failed.items()},
            "poor_kinds": {kind: len(rows) for kind, rows in self.poor.kinds.items()},
            "not_dermoscopic": [ids[row] for row in self.poor.kinds["not dermoscopic"]],
            "sharpness": {
                name: {"median": median, "limit": limit}
                for name, (median, limit) in self.poor.sharpness.items()
            },
            "sources": None if self.sources is None else self.sources.to_dict(),
        }


class Stack:
    """The images of several sets as one list; nothing is copied."""

    def __init__(self, sets: Sequence[PreparedSet]) -> None:
        self._images = [each.images for each in sets]
        self._starts = np.cumsum([0, *(len(each) for each in self._images)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, row: int) -> NDArray[np.uint8]:
        which = int(np.searchsorted(self._starts, row, side="right")) - 1
        return np.asarray(self._images[which][row - self._starts[which]])

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for images in self._images:
            yield from (images[row] for row in range(len(images)))
