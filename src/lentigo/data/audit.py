"""What a prepared set's split looks like from outside: the figures of ``audit.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lentigo.data.copies import Links, Pairs
from lentigo.data.duplicates import NEAR_BITS
from lentigo.data.splits import crossings
from lentigo.taxonomy import Taxonomy


def audit(
    manifest: pd.DataFrame,
    taxonomy: Taxonomy,
    links: Links,
    strict_groups: Sequence[str],
    official: Sequence[str],
) -> dict[str, Any]:
    """Count what is there, and look for what sits on two sides.

    Args:
        manifest: (N rows) with groups, splits and folds.
        taxonomy: The classes.
        links: Duplicates found.
        strict_groups: (N,) groups by the strictest grouping that the table supports, whatever
            grouping was asked for: what crosses is counted by these.
        official: (N,) the source's own splits, empty where it has none.

    Returns:
        A value for JSON.
    """
    strict = pd.Series(list(strict_groups), index=manifest.index)
    published = pd.Series(list(official), index=manifest.index)
    return {
        "images": len(manifest),
        "synthetic": _counts(manifest.loc[manifest["parent_id"] != "", "label"], taxonomy),
        "classes": _counts(manifest["label"], taxonomy),
        "splits": {str(split): _side(rows, taxonomy) for split, rows in manifest.groupby("split")},
        "folds": {
            str(fold): _side(rows, taxonomy)
            for fold, rows in manifest[manifest["split"] == "train"].groupby("fold")
        },
        "groups": _groups(manifest),
        "duplicates": _duplicates(manifest, links),
        "crossings": {
            "official": crossings(strict, published),
            "final": crossings(strict, manifest["split"]),
            "folds": _fold_crossings(manifest, strict),
        },
        "excluded": manifest.loc[manifest["split"] == "excluded", "image_id"].tolist(),
    }


def _counts(labels: pd.Series, taxonomy: Taxonomy) -> dict[str, int]:
    found = labels.value_counts()
    return {code: int(found.get(code, 0)) for code in taxonomy.codes}


def _side(rows: pd.DataFrame, taxonomy: Taxonomy) -> dict[str, Any]:
    return {
        "images": len(rows),
        "groups": int(rows["group_id"].nunique()),
        "classes": _counts(rows["label"], taxonomy),
    }


def _groups(manifest: pd.DataFrame) -> dict[str, Any]:
    sizes = manifest["group_id"].value_counts()
    largest = min(sizes.index[sizes == sizes.max()])
    lesions, patients = manifest["lesion_id"], manifest["patient_id"]
    return {
        "count": len(sizes),
        "largest": {"group_id": str(largest), "images": int(sizes.max())},
        "lesions": int(lesions[lesions != ""].nunique()),
        "patients": int(patients[patients != ""].nunique()),
        "images_without_lesion": int((lesions == "").sum()),
        "images_without_patient": int((patients == "").sum()),
        "of_several_labels": int((manifest.groupby("group_id")["label"].nunique() > 1).sum()),
    }


def _duplicates(manifest: pd.DataFrame, links: Links) -> dict[str, Any]:
    ids = manifest["image_id"].tolist()

    def named(pairs: Pairs) -> list[list[str]]:
        return [[ids[i], ids[j]] for i, j in pairs]

    return {
        "near_bits": NEAR_BITS,
        "exact": named(links.exact),
        "near": named(sorted({*links.near} - {*links.exact})),
        "cropped": named(links.cropped),
        "published": named(links.published),
        "of_different_labels": named(_differing(manifest["label"], links.all)),
        "of_different_lesions": named(_differing(manifest["lesion_id"], links.all)),
        "of_different_patients": named(_differing(manifest["patient_id"], links.all)),
    }


def _differing(column: pd.Series, pairs: Pairs) -> Pairs:
    """Pairs whose cells are both known and differ."""
    cells = column.tolist()
    return [(i, j) for i, j in pairs if cells[i] and cells[j] and cells[i] != cells[j]]


def _fold_crossings(manifest: pd.DataFrame, strict: pd.Series) -> int:
    """Number of groups that sit in several folds."""
    training = manifest["split"] == "train"
    folds_of = manifest.loc[training, "fold"].groupby(strict[training]).nunique()
    return int(np.count_nonzero(folds_of > 1))
