"""How unlike the training images an image is, in the space of a network's pooled features.

Training images fill few directions of that space. What an image has in the others, the
residual of the principal subspace (Wang 2022, sec. 4.1), is small for images like them and
large for others. `docs/results.md` has it beside the energy of the logits (Liu 2020) and
Mahalanobis distances (Lee 2018, Ren 2021) on real images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError
from lentigo.score.arrays import Floats

COMPONENTS = 64
KEPT = 0.95


@dataclass(frozen=True)
class Subspace:
    """The directions that training images fill.

    Attributes:
        mean: (C,) of the features.
        axes: (C, d) orthonormal columns.
    """

    mean: Floats
    axes: Floats


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
    return Subspace(mean, axes[:, np.argsort(-spread, kind="stable")[:kept]])


def residual(features: NDArray[np.floating[Any]], subspace: Subspace) -> Floats:
    """Distance (n,) of features (n, C) from the subspace, 0 or more."""
    off = np.asarray(features, dtype=np.float64) - subspace.mean
    inside = off @ subspace.axes
    return np.asarray(np.sqrt(np.maximum((off**2).sum(axis=1) - (inside**2).sum(axis=1), 0)))


def threshold_keeping(scores: NDArray[np.floating[Any]], share: float = KEPT) -> float:
    """The smallest of the scores (n,) that at least ``share`` of them do not exceed."""
    if len(scores) == 0:
        raise InputError("There are no scores to set a threshold on.")
    return float(np.sort(scores)[max(0, math.ceil(share * len(scores)) - 1)])
