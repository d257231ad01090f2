"""The split of one prepared set, adopted by another that shows the same lesions.

So a model can be trained on more images, or on sharper ones, and still be measured on the very
list of test images that others were measured on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lentigo.data.splits import ranked_groups
from lentigo.errors import InputError
from lentigo.files import digest_json

logger = logging.getLogger(__name__)

_KEYS = ("image_id", "lesion_id", "patient_id")
_EXCLUDED = ("excluded", -1)


def sides_digest(reference: pd.DataFrame) -> str:
    """The identity of a split as others adopt it: who sits where, in any order."""
    columns = [*_KEYS, "split", "fold"]
    rows = reference[columns].astype(str).sort_values(columns)
    return digest_json(rows.to_numpy().tolist())


def adopt(
    frame: pd.DataFrame,
    group_ids: Sequence[str],
    reference: pd.DataFrame,
    *,
    seed: int,
    folds: int,
    by_patient: bool = True,
) -> tuple[list[str], list[int]]:
    """Splits and folds after those of another set.

    An image that the reference holds out is held out here, so the test list is the same.
    Other images of what is held out there (more photographs of a test lesion) are excluded:
    they would lengthen the list or leak. So is what the reference itself excluded, as what it
    is tied to need not be here. A group that the reference has in one fold takes that fold; one
    that it has in several is excluded. Groups that the reference does not know are dealt to the
    folds as ``lentigo.data.splits.assign`` deals them.

    Args:
        frame: ``image_id``, ``lesion_id``, ``patient_id`` (empty where unknown), ``label``.
        group_ids: (N,) what may not be cut.
        reference: The other set's manifest.
        seed: Names the dealing of unknown groups.
        folds: Of both sets.
        by_patient: Whether a patient may not sit on two sides. Not where both sets are grouped
            by lesion: there each patient's lesions go their own ways.

    Returns:
        (N,) splits of train, validation, test, excluded; (N,) folds, -1 outside train.

    Raises:
        InputError: The two sets share no image, lesion or patient.
    """
    groups = pd.Series(list(group_ids), dtype=str)
    sides = _sides(frame, groups, reference, _KEYS if by_patient else _KEYS[:2])
    if not any(met - {_EXCLUDED} for met in sides.values()):
        raise InputError(
            "The set whose split is to be adopted shares no image, lesion or patient with this.",
            todo="Name the prepared set that holds the same lesions.",
        )
    _warn_of_absent(frame, reference)
    own = dict(zip(reference["image_id"], reference["split"], strict=True))
    split, fold = [], []
    for image_id, group in zip(frame["image_id"], groups, strict=True):
        held_out = own.get(image_id)
        met = sides[group]
        if held_out == "test" or (held_out == "validation" and ("test", -1) not in met):
            split.append(held_out)
        elif len(met) > 1 or any(side != "train" for side, _ in met):
            split.append("excluded")
        else:
            split.append("train")
        fold.append(next(iter(met))[1] if split[-1] == "train" and met else -1)
    _warn_of_lost(frame, split, own)
    return split, _deal_unknown(groups, frame["label"], split, fold, seed, folds)


def _sides(
    frame: pd.DataFrame, groups: pd.Series, reference: pd.DataFrame, keys: Sequence[str]
) -> dict[str, set[tuple[str, int]]]:
    """Where the reference has each group: its (split, fold) pairs, none where unknown.

    A lesion (image, patient) is excluded only where the reference uses no row of it.
    """
    found: dict[str, set[tuple[str, int]]] = {group: set() for group in groups}
    for key in keys:
        places: dict[str, set[tuple[str, int]]] = {}
        for name, side, fold in zip(
            reference[key], reference["split"], reference["fold"], strict=True
        ):
            if name:
                places.setdefault(name, set()).add((side, int(fold)))
        for name, group in zip(frame[key], groups, strict=True):
            met = places.get(name, set())
            found[group] |= (met - {_EXCLUDED}) or met
    return found


def _warn_of_absent(frame: pd.DataFrame, reference: pd.DataFrame) -> None:
    test = reference.loc[reference["split"] == "test", "image_id"]
    if absent := int((~test.isin(set(frame["image_id"]))).sum()):
        logger.warning(
            "%d of the %d test images of the adopted split are not here: figures on this set's "
            "test list do not compare with those on the whole.",
            absent,
            len(test),
        )


def _warn_of_lost(frame: pd.DataFrame, split: Sequence[str], own: Mapping[str, str]) -> None:
    pairs = zip(frame["image_id"], split, strict=True)
    if lost := sum(side == "excluded" and own.get(name) == "train" for name, side in pairs):
        logger.warning(
            "%d training images of the adopted split are excluded: what is kept together here "
            "sits on several sides there. Where that set is grouped by lesion, --group-by lesion "
            "keeps the images, and patients cross.",
            lost,
        )


def _deal_unknown(
    groups: pd.Series,
    labels: pd.Series,
    split: Sequence[str],
    fold: Sequence[int],
    seed: int,
    folds: int,
) -> list[int]:
    new = (np.array(split) == "train") & (np.array(fold) < 0)
    unknown = set(groups[new])
    dealt = [
        group
        for each in ranked_groups(groups, labels.reset_index(drop=True), seed)
        for group in each
        if group in unknown
    ]
    fold_of = {group: position % folds for position, group in enumerate(dealt)}
    return [fold_of.get(group, own) for group, own in zip(groups, fold, strict=True)]
