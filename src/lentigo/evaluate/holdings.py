"""What is known of a prepared set, for the page and the cards: counts, gaps, what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lentigo.errors import InputError
from lentigo.files import read_json
from lentigo.image.spec import PreprocessSpec
from lentigo.taxonomy import Taxonomy

if TYPE_CHECKING:
    from lentigo.data.prepared import PreparedSet

AUDIT, AUDIT_PAGE = "audit.json", "audit.html"
UNKNOWN = "not known"
# Column of the manifest, and what it is called.
COLUMNS = {
    "confirmed_by": "How the diagnosis was made",
    "sex": "Sex",
    "site": "Body site",
    "skin_tone": "Skin tone (Fitzpatrick)",
}
AGES = ((0, "0-29"), (30, "30-44"), (45, "45-59"), (60, "60-74"), (75, "75 or more"))


@dataclass(frozen=True)
class Holdings:
    """A prepared set as a reader must know it.

    Attributes:
        name: Of its folder.
        info: How it was made: source, protocol, groups, seed, folds, digests.
        spec: What was done to every image.
        taxonomy: Its classes.
        splits: Images, groups and images of each class in each split.
        classes: Images of each class.
        groups: Lesions, patients, the largest group, as ``audit.json`` counts them.
        sources: Images of each source.
        licences: Images of each licence.
        columns: Title to value to images; the last value is `UNKNOWN`, also where it counts 0.
        duplicates: How many pairs of each kind were found.
        crossings: Groups on two sides of a split: of the publisher's, and of this one.
        absent: Images that are missing, set aside or excluded.
        synthetic: Images that were made from others.
        audits: What ``lentigo audit`` found, where it was run.
    """

    name: str
    info: Mapping[str, Any]
    spec: PreprocessSpec
    taxonomy: Taxonomy
    splits: Mapping[str, Mapping[str, Any]]
    classes: Mapping[str, int]
    groups: Mapping[str, Any]
    sources: Mapping[str, int]
    licences: Mapping[str, int]
    columns: Mapping[str, Mapping[str, int]]
    duplicates: Mapping[str, int]
    crossings: Mapping[str, list[dict[str, Any]]]
    absent: Mapping[str, int]
    synthetic: int
    audits: Mapping[str, Any] | None

    @property
    def images(self) -> int:
        """How many."""
        return sum(self.sources.values())


def holdings_of(prepared: PreparedSet) -> Holdings:
    """What its manifest and its audits say."""
    manifest, audit = prepared.manifest, prepared.audit
    found = audit.get("duplicates", {})
    crossed = audit.get("crossings", {})
    parents = manifest.get("parent_id", pd.Series("", index=manifest.index))
    return Holdings(
        name=prepared.path.name,
        info=prepared.info.model_dump(mode="json", exclude={"spec", "taxonomy"}),
        spec=prepared.spec,
        taxonomy=prepared.taxonomy,
        splits={str(s): _side(rows, prepared.taxonomy) for s, rows in manifest.groupby("split")},
        classes=_classes(manifest, prepared.taxonomy),
        groups=audit.get("groups", {}),
        sources=_counted(manifest["source"]),
        licences=_counted(manifest["license"]),
        columns={
            "Age in years": _counted(manifest["age"].map(_age_band)),
            **{title: _counted(manifest[name]) for name, title in COLUMNS.items()},
        },
        duplicates={kind: len(found.get(kind, ())) for kind in _DUPLICATES},
        crossings={side: crossed.get(side, []) for side in ("official", "final")},
        absent={kind: len(audit.get(kind, ())) for kind in ("missing", "set_aside", "excluded")},
        synthetic=int((parents.fillna("") != "").sum()),
        audits=read_audit(prepared),
    )


_DUPLICATES = (
    "exact",
    "near",
    "cropped",
    "published",
    "of_different_labels",
    "of_different_lesions",
    "of_different_patients",
)


def read_audit(prepared: PreparedSet) -> dict[str, Any] | None:
    """What ``lentigo audit`` left in its own place beside this very set, or None."""
    folder = prepared.path.with_name(f"{prepared.path.name}-audit")
    try:
        content: dict[str, Any] = read_json(folder / AUDIT)
        digests = [each["digest"] for each in content["sets"]]
    except (InputError, KeyError, TypeError):
        return None
    if prepared.digest not in digests or not (folder / AUDIT_PAGE).is_file():
        return None
    return {"page": str(Path(folder.name) / AUDIT_PAGE), **content}


def _side(rows: pd.DataFrame, taxonomy: Taxonomy) -> dict[str, Any]:
    return {
        "images": len(rows),
        "groups": int(rows["group_id"].nunique()),
        "classes": _classes(rows, taxonomy),
    }


def _classes(rows: pd.DataFrame, taxonomy: Taxonomy) -> dict[str, int]:
    counts = rows["label"].value_counts()
    return {code: int(counts.get(code, 0)) for code in taxonomy.codes}


def _counted(values: pd.Series) -> dict[str, int]:
    """Images of each value, sorted by name, and at the end of how many nothing is known."""
    texts = values.fillna("").astype(str)
    known = texts[texts != ""].value_counts().sort_index()
    counts = {str(value): int(n) for value, n in known.items()}
    return counts | {UNKNOWN: int((texts == "").sum())}


def _age_band(years: float) -> str:
    return next((name for start, name in reversed(AGES) if years >= start), "")
