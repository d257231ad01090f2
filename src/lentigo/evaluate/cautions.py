"""What a reader of figures must know: what would make them better than the model is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lentigo.data.metadata import Column, counts
from lentigo.data.splits import unnamed

if TYPE_CHECKING:
    from lentigo.data.prepared import PreparedSet


def _trained_digest(description: Mapping[str, object]) -> object:
    """Digest of the set that made a run, or the run behind a bundle; None where unknown."""
    return description.get("prepared_digest") or description.get("data_digest")


def trained_on(
    description: Mapping[str, object], prepared: PreparedSet, split: str, fold: int | None
) -> bool:
    """Whether the model, by its own account, was trained on some of these very images."""
    if _trained_digest(description) != prepared.digest or "fold" not in description:
        return False
    if split == "validation":
        return description["fold"] != fold
    return split in {"train", "all"}


def cautions(
    description: Mapping[str, object],
    prepared: PreparedSet,
    split: str,
    fold: int | None,
    shared: int,
) -> tuple[str, ...]:
    """What would make these figures better than the model is, or better than elsewhere."""
    found = []
    if trained_on(description, prepared, split, fold):
        found.append("The model was trained on some of these very images: the figures flatter.")
    elif split == "train":
        found.append("These are images that models are trained on: the figures may flatter.")
    elif split == "validation":
        found.append("Temperature and thresholds were fitted on validation images.")
    if isinstance(second := description.get("metadata"), Mapping):
        found.append(_beside(second["columns"], prepared, split, fold))
    if shared:
        found.append(
            f"The model was trained on {shared} of these very images: the figures flatter."
        )
    trained = _trained_digest(description)
    blind = unnamed(prepared.manifest)
    if blind and not prepared.leaky and trained in (None, prepared.digest):
        found.append(
            f"{blind} of the set's {len(prepared.manifest)} images name neither lesion nor "
            "patient: of those only copies of a picture are kept on one side of the split, and "
            "two photographs of one lesion may sit on both."
        )
    same_test = split == "test" and description.get("test_digest") == prepared.test_digest
    if trained is not None and trained != prepared.digest and not same_test and not shared:
        found.append(
            "The model was trained on another prepared set; whether the two share lesions "
            "or patients was not checked."
        )
    return tuple(found)


def _beside(columns: Sequence[Column], prepared: PreparedSet, split: str, fold: int | None) -> str:
    """What a model was told of the images, and why its figures may not hold elsewhere."""
    rows = prepared.rows(split, fold=fold)
    known = counts(prepared.manifest.iloc[rows], columns)
    told = ", ".join(f"{column} (known of {each['known']})" for column, each in known.items())
    return (
        f"Beside each of {len(rows)} images the model was told {told}. These also tell the clinic "
        "and why a photograph was taken, so the figures may fall on images from elsewhere."
    )
