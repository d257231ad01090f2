"""How unlike the training images an image is, in the spaces of a network's pooled features.

Training images fill few directions of such a space. What an image has in the others, the
residual of the principal subspace (Wang 2022, sec. 4.1), is small for images like them and
large for others. It is taken at several depths of the network, and the largest counts, in
units of what training images stay within: the last features have forgotten what an image
looks like. `docs/results.md` has it beside the energy of the logits (Liu 2020) and
Mahalanobis distances (Lee 2018, Ren 2021) on real images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError
from lentigo.score.arrays import Floats

COMPONENTS = 64
KEPT = 0.95
# Of the features' own length: below it a residual is rounding, as of channels that are never on.
_LEAST = 0.01


@dataclass(frozen=True)
class Subspace:
    """The directions that training images fill.

    Attributes:
        mean: (C,) of the features.
        axes: (C, d) orthonormal columns.
        reach: The distance from it that 95% of them stay within, above 0.
    """

    mean: Floats
    axes: Floats
    reach: float


def fit_subspace(features: NDArray[np.floating[Any]], components: int = COMPONENTS) -> Subspace:
    """The principal subspace of features (n, C).

    Args:
        features: Of training images.
        components: Directions at most; fewer where images or channels are few, so that
            there are others to leave it by.

    Raises:
        InputError: Fewer than four images or two channels.
    """
    count, channels = features.shape
    if count < 4 or channels < 2:
        raise InputError(
            f"{count} images of {channels} features are too few to know others by them."
        )
    values = np.asarray(features, dtype=np.float64)
    mean = values.mean(axis=0)
    spread, axes = np.linalg.eigh(np.cov(values.T))
    kept = max(1, min(components, (count - 1) // 2, channels // 2))
    found = Subspace(mean, axes[:, np.argsort(-spread, kind="stable")[:kept]], 1.0)
    least = _LEAST * float(np.sqrt(((values - mean) ** 2).sum(axis=1).mean())) or 1.0
    return replace(found, reach=max(least, threshold_keeping(residual(values, found))))


def residual(features: NDArray[np.floating[Any]], subspace: Subspace) -> Floats:
    """Distance (n,) of features (n, C) from the subspace, 0 or more."""
    off = np.asarray(features, dtype=np.float64) - subspace.mean
    inside = off @ subspace.axes
    return np.asarray(np.sqrt(np.maximum((off**2).sum(axis=1) - (inside**2).sum(axis=1), 0)))


def unfamiliarity(
    levels: Sequence[NDArray[np.floating[Any]]], subspaces: Sequence[Subspace]
) -> Floats:
    """The largest distance (n,) over the levels, each in its subspace's reach; 0 or more.

    Args:
        levels: Features (n, C) each, of the same images.
        subspaces: One a level.
    """
    far = [residual(own, space) / space.reach for own, space in zip(levels, subspaces, strict=True)]
    return np.asarray(np.max(far, axis=0))


def as_arrays(subspaces: Sequence[Subspace]) -> dict[str, Any]:
    """The subspaces as named arrays, for a file."""
    return {
        f"{name}_{i}": np.asarray(value)
        for i, each in enumerate(subspaces)
        for name, value in vars(each).items()
    }


def from_arrays(arrays: Mapping[str, Floats]) -> tuple[Subspace, ...]:
    """What `as_arrays` made arrays of.

    Raises:
        KeyError: One is missing.
    """
    count = sum(name.startswith("mean_") for name in arrays)
    return tuple(
        Subspace(arrays[f"mean_{i}"], arrays[f"axes_{i}"], float(arrays[f"reach_{i}"]))
        for i in range(count)
    )


def threshold_keeping(scores: NDArray[np.floating[Any]], share: float = KEPT) -> float:
    """The smallest of the scores (n,) that at least ``share`` of them do not exceed."""
    if len(scores) == 0:
        raise InputError("There are no scores to set a threshold on.")
    return float(np.sort(scores)[max(0, math.ceil(share * len(scores)) - 1)])
