"""`audit`: prepared sets in, everything doubtful about them out."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError
from lentigo.evaluate.audit import checks
from lentigo.evaluate.audit.found import Audit, Stack
from lentigo.evaluate.audit.page import render
from lentigo.evaluate.audit.pairs import (
    Pair,
    find_pairs,
    hashes_of,
    largest_group,
    measure_unrelated,
    part_hashes_of,
)
from lentigo.evaluate.audit.sources import probe
from lentigo.files import write_json, write_text

logger = logging.getLogger(__name__)

REPORT, PAIRS, PAGE = "audit.json", "pairs.csv", "audit.html"
_COLUMNS = ("image_id", "sha256", "source", "lesion_id", "patient_id", "group_id", "label", "split")


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
