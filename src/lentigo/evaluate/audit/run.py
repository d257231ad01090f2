"""`audit`: prepared sets in, everything doubtful about them out."""

from __future__ import annotations

import csv
import io
import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lentigo.data.fingerprint import fingerprints
from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError
from lentigo.evaluate.audit import checks
from lentigo.evaluate.audit.crossings import known_as, meetings
from lentigo.evaluate.audit.found import Audit, Stack
from lentigo.evaluate.audit.page import render
from lentigo.evaluate.audit.pairs import Kind, confirmed, find_pairs, largest_group
from lentigo.evaluate.audit.poor import poor_images
from lentigo.evaluate.audit.published import NamedPair, described, named_pairs
from lentigo.evaluate.audit.sources import probe
from lentigo.evaluate.audit.unrelated import Strangers, measure_unrelated, precision_of
from lentigo.files import write_json, write_text

logger = logging.getLogger(__name__)

REPORT, PAIRS, PAGE = "audit.json", "pairs.csv", "audit.html"
_COLUMNS = (
    "image_id",
    "sha256",
    "source",
    "lesion_id",
    "patient_id",
    "group_id",
    "label",
    "split",
    "fold",
)


def audit(
    data: PreparedSet | Path | str,
    *,
    against: Sequence[PreparedSet | Path | str] = (),
    out: Path | str | None = None,
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
    images = Stack(sets)
    hashes, parts = fingerprints(images, len(images))
    strangers = _strangers(table)
    unrelated = measure_unrelated(hashes, strangers, seed=seed)
    named = named_pairs(sets, table)
    told = _told(named, table)
    threshold = unrelated.threshold
    of = table["set"] + " " + table["source"]
    alike = find_pairs(table["sha256"].tolist(), hashes, told, threshold, parts)
    pairs, refused = confirmed(alike, images)
    logger.info("%d pairs within %d bits, %d look-alikes", len(pairs), threshold, len(refused))
    found = Audit(
        sets=tuple(
            {"name": n, "path": str(s.path), "digest": s.digest, "images": len(s.images)}
            for n, s in zip(names, sets, strict=True)
        ),
        table=table,
        pairs=tuple(pairs),
        refused=tuple(refused),
        unrelated=unrelated,
        precision=precision_of(pairs, strangers),
        largest=largest_group(len(table), pairs, hashes),
        several_patients=checks.lesions_of_several_patients(table),
        several_labels=checks.lesions_of_several_labels(table),
        meetings=tuple(meetings(table, pairs)),
        contradictions=tuple(checks.contradictions(table, pairs)),
        label_pairs=checks.label_pairs(table, pairs),
        published=described(named, table, {(each.a, each.b): each for each in pairs}),
        poor=poor_images(images, of.tolist()),
        sources=probe(
            images,
            of.to_numpy(dtype=str),
            table["malignant"].to_numpy(),
            (table["set"] + table["group_id"]).to_numpy(dtype=str),
            seed=seed,
        ),
    )
    if out is not None:
        write(Path(out), found, images)
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


def _told(named: Sequence[NamedPair], table: pd.DataFrame) -> dict[tuple[int, int], Kind]:
    """Pairs that are the same picture by their names: one id in several sets, or published."""
    told: dict[tuple[int, int], Kind] = {}
    told |= dict.fromkeys((rows for each in named for rows in each.rows), "published")
    names = known_as(table, "image_id")
    several = names[names.duplicated(keep=False)]
    for _, rows in several.groupby(several):
        told |= dict.fromkeys(itertools.combinations(sorted(rows.index), 2), "same id")
    return told


def _strangers(table: pd.DataFrame) -> Strangers:
    lesion = known_as(table, "lesion_id")
    numbers = pd.factorize(lesion)[0].astype(np.int64)
    return Strangers(
        lesion=np.where(lesion == "", -1, numbers),
        within=pd.factorize(table["set"])[0].astype(np.int64),
        group=pd.factorize(table["set"] + "/" + table["group_id"])[0].astype(np.int64),
    )
