"""How many images of each class stand on each side: the tables of data that papers print."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet
from lentigo.errors import InputError
from lentigo.score.estimate import Estimate

SIDES = ("train", "validation", "test")
NAMED_SIDES = (*SIDES, "trainval", "measured", "all", "original")


def image_counts(data: PreparedSet, fold: int | None, measured: str) -> dict[str, Estimate]:
    """``images.SIDE.CLASS`` of a prepared set; without CLASS, of all classes together.

    SIDE is ``train``, ``validation``, ``trainval`` (both), ``test``, ``measured`` (the one of
    these that figures are of), ``all``, or ``original``: all but synthetic copies.

    Args:
        data: The set.
        fold: The fold that validates; None is the official validation split.
        measured: The side that figures are of.
    """
    sides = {side: _rows(data, side, fold) for side in SIDES}
    everything = _rows(data, "all", None)
    synthetic = (data.manifest["parent_id"] != "").to_numpy()
    both = np.concatenate([sides["train"], sides["validation"]])
    sides |= {"trainval": both, "measured": sides[measured], "all": everything}
    sides["original"] = everything[~synthetic[everything]]
    found = {}
    for side, rows in sides.items():
        counts = np.bincount(data.labels[rows], minlength=len(data.taxonomy.codes))
        found[f"images.{side}"] = _count(len(rows))
        for code, count in zip(data.taxonomy.codes, counts, strict=True):
            found[f"images.{side}.{code}"] = _count(int(count))
    return found


def _rows(data: PreparedSet, side: str, fold: int | None) -> NDArray[np.int64]:
    try:
        return data.rows(side, fold)
    except InputError:  # a protocol without this side
        return np.zeros(0, np.int64)


def _count(number: int) -> Estimate:
    return Estimate(float(number), None, None, 0, "a count of images")
