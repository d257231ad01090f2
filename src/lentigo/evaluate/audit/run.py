"""`audit`: prepared sets in, everything doubtful about them out."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError
from lentigo.evaluate.audit import checks
from lentigo.evaluate.audit.page import render
from lentigo.evaluate.audit.pairs import (
    Pair,
    Unrelated,
    find_pairs,
    hashes_of,
    largest_group,
    measure_unrelated,
    part_hashes_of,
)
from lentigo.evaluate.audit.sources import SourceProbe, probe
from lentigo.files import write_json, write_text

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
REPORT, PAIRS, PAGE = "audit.json", "pairs.csv", "audit.html"
_COLUMNS = ("image_id", "sha256", "source", "lesion_id", "patient_id", "group_id", "label", "split")


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        sets: Name, folder, digest and number of images of each set.
        table: A row an image of all sets: ``set``, ``malignant`` and the manifest's columns.
        pairs: Images that show the same picture.
        unrelated: What the threshold of the near duplicates rests on.
        largest: The largest group that near duplicates join.
        several_patients: Lesions with more than one patient.
        several_labels: Lesions with more than one diagnosis.
        crossings: What sits on both sides of a split line.
        contradictions: Pairs of one picture whose labels contradict each other.
        label_pairs: Which labels one picture bears in different sets, and how often.
        published: How many pairs the publishers name, and how many of them were found by pixels.
        poor: Images that carry little information: row to the checks they fail.
        sources: What sources give away; None where there is only one.
    """

    sets: tuple[dict[str, Any], ...]
    table: pd.DataFrame
    pairs: tuple[Pair, ...]
    unrelated: Unrelated
    largest: dict[str, Any]
    several_patients: list[dict[str, Any]]
    several_labels: list[dict[str, Any]]
    crossings: list[dict[str, Any]]
    contradictions: tuple[Pair, ...]
    label_pairs: dict[str, int]
    published: dict[str, int]
    poor: dict[int, tuple[str, ...]]
    sources: SourceProbe | None

    def count(self, kind: str, *, across: bool) -> int:
        """Pairs of a kind, across sets or within one."""
        sets = self.table["set"].to_numpy()
        return sum(p.kind == kind and (sets[p.a] != sets[p.b]) == across for p in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """The content of ``audit.json``."""
        ids = (self.table["set"] + ":" + self.table["image_id"]).tolist()
        kinds = ("identical file", "near duplicate", "cropped copy", "published")
        return {
            "schema_version": SCHEMA_VERSION,
            "lentigo": version("lentigo"),
            "sets": list(self.sets),
            "pairs": {
                kind: {
                    "within": self.count(kind, across=False),
                    "across": self.count(kind, across=True),
                }
                for kind in kinds
            },
            "unrelated": self.unrelated.to_dict(),
            "largest_group": {
                "images": self.largest["images"],
                "widest_bits": self.largest["widest_bits"],
                "ids": [ids[row] for row in self.largest["rows"]],
            },
            "lesions_of_several_patients": self.several_patients,
            "lesions_of_several_labels": self.several_labels,
            "crossings": self.crossings,
            "contradictions": [[ids[p.a], ids[p.b]] for p in self.contradictions],
            "labels_across_sets": self.label_pairs,
            "published_pairs": self.published,
            "poor_images": {ids[row]: list(failed) for row, failed in self.poor.items()},
            "sources": None if self.sources is None else self.sources.to_dict(),
        }


def audit(
    data: PreparedSet | Path | str,
    *,
    against: Sequence[PreparedSet | Path | str] = (),
    out: Path | None = None,
    seed: int = 0,
) -> Audit:
    """Check a prepared set, by itself and against others.

    Args:
        data: The set.
        against: Other sets; pictures are compared across all of them.
        out: Folder for ``audit.json``, ``pairs.csv`` and ``audit.html``, the JSON last; None
            writes nothing.
        seed: Of the draw of unrelated pairs, and of the probe's folds.

    Raises:
        InputError: A folder that is no prepared set, or named twice.
    """
    sets = [each if isinstance(each, PreparedSet) else open_prepared(each)
            for each in (data, *against)]  # fmt: skip
    names = _names(sets)
    table = _table(sets, names)
    hashes = np.concatenate([hashes_of(each.images) for each in sets])
    groups = np.unique((table["set"] + table["group_id"]).to_numpy(), return_inverse=True)[1]
    unrelated = measure_unrelated(hashes, groups, seed=seed)
    parts = np.concatenate([part_hashes_of(each.images) for each in sets])
    published = _published(sets, names, table)
    pairs = find_pairs(table["sha256"].tolist(), hashes, published, unrelated.threshold, parts)
    logger.info("%d pairs within %d bits", len(pairs), unrelated.threshold)
    found = Audit(
        sets=tuple(
            {"name": n, "path": str(s.path), "digest": s.digest, "images": len(s.images)}
            for n, s in zip(names, sets, strict=True)
        ),
        table=table,
        pairs=tuple(pairs),
        unrelated=unrelated,
        largest=largest_group(len(table), pairs, hashes),
        several_patients=checks.lesions_of_several(table, "patient_id"),
        several_labels=checks.lesions_of_several(table, "label"),
        crossings=checks.crossings(table, pairs),
        contradictions=tuple(checks.contradictions(table, pairs)),
        label_pairs=checks.label_pairs(table, pairs),
        published=_found_published(published, pairs, unrelated.threshold),
        poor=_poor(sets),
        sources=probe(
            Stack(sets),
            (table["set"] + " " + table["source"]).to_numpy(dtype=str),
            table["malignant"].to_numpy(),
            (table["set"] + table["group_id"]).to_numpy(dtype=str),
            seed=seed,
        ),
    )
    if out is not None:
        write(out, found, Stack(sets))
    return found


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


def write(out: Path, found: Audit, images: Stack) -> None:
    """Write the three files, ``audit.json`` last: a folder that has it is complete."""
    out.mkdir(parents=True, exist_ok=True)
    (out / REPORT).unlink(missing_ok=True)
    write_text(out / PAIRS, pairs_csv(found))
    write_text(out / PAGE, render(found, images))
    write_json(out / REPORT, found.to_dict())


def pairs_csv(found: Audit) -> str:
    """A line a pair: both images with set, label, split, lesion; kind and distance in bits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("set", "image_id", "label", "split", "lesion_id")
    writer.writerow([*(f"{c}_{side}" for side in "ab" for c in columns), "kind", "bits"])
    rows = found.table[list(columns)].to_numpy().tolist()
    writer.writerows([*rows[p.a], *rows[p.b], p.kind, p.bits] for p in found.pairs)
    return text.getvalue()


def _names(sets: Sequence[PreparedSet]) -> list[str]:
    paths = [each.path.resolve() for each in sets]
    if len(set(paths)) != len(paths):
        raise InputError("A prepared set is named twice.", todo="Name each set once.")
    names = [path.name for path in paths]
    return [
        name if names.count(name) == 1 else f"{path.parent.name}/{name}"
        for name, path in zip(names, paths, strict=True)
    ]


def _table(sets: Sequence[PreparedSet], names: Sequence[str]) -> pd.DataFrame:
    parts = []
    for each, name in zip(sets, names, strict=True):
        flags = {c.code: c.malignant for c in each.taxonomy.classes}
        part = each.manifest[list(_COLUMNS)]
        parts.append(part.assign(set=name, malignant=part["label"].map(flags).astype(bool)))
    return pd.concat(parts, ignore_index=True)


def _published(
    sets: Sequence[PreparedSet], names: Sequence[str], table: pd.DataFrame
) -> list[tuple[int, int]]:
    """Pairs that the publishers name and of which both images are there."""
    place = {key: row for row, key in enumerate(zip(table["set"], table["image_id"], strict=True))}
    found = set()
    for each, name in zip(sets, names, strict=True):
        for a, b in each.audit.get("duplicates", {}).get("published", []):
            if (name, a) in place and (name, b) in place:
                rows = sorted((place[name, a], place[name, b]))
                found.add((rows[0], rows[1]))
    return sorted(found)


def _found_published(
    published: Sequence[tuple[int, int]], pairs: Sequence[Pair], threshold: int
) -> dict[str, int]:
    bits = {(each.a, each.b): each.bits for each in pairs}
    by_pixels = sum(bits[pair] <= threshold for pair in published)
    return {"both_present": len(published), "found_by_pixels": by_pixels}


def _poor(sets: Sequence[PreparedSet]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    start = 0
    for each in sets:
        found |= {start + row: failed for row, failed in checks.poor_images(each.images).items()}
        start += len(each.images)
    return found
