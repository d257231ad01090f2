"""Who was asked about which images, and what they answered: what every other fact follows from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lentigo.evaluate.predictor import PointLike
from lentigo.taxonomy import Taxonomy

if TYPE_CHECKING:
    from lentigo.image.spec import PreprocessSpec


@dataclass(frozen=True)
class Scored:
    """Images with their labels and what a predictor made of them, row by row.

    Attributes:
        rows: (n,) row numbers in the prepared set.
        image_ids: (n,).
        group_ids: (n,).
        labels: (n,) class indices of the predictor's taxonomy.
        probability: (n, k) calibrated.
        dropped: Images left out by the map of classes, by the set's class.
    """

    rows: NDArray[np.int64]
    image_ids: NDArray[np.object_]
    group_ids: NDArray[np.object_]
    labels: NDArray[np.int64]
    probability: NDArray[np.float64]
    dropped: dict[str, int]

    @property
    def n_groups(self) -> int:
        """How many different groups."""
        return len(set(self.group_ids.tolist()))


@dataclass(frozen=True)
class Asked:
    """Who was asked about what.

    Attributes:
        model: The predictor's name.
        description: What it says about itself, without its history.
        history: A row an epoch; empty where unknown.
        taxonomy: Its classes.
        spec: Its preprocessing.
        points: Its operating points.
        data: Folder of the prepared set.
        data_digest: Its digest.
        split: Which images of it.
        fold: Which fold; None where folds do not matter.
        list_digest: Digest of the image ids of the split.
        protocol: How the set was split.
        leaky: Whether groups may stand on both sides of that split, or of the training's.
        cautions: What else a reader must know, in sentences.
    """

    model: str
    description: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    taxonomy: Taxonomy
    spec: PreprocessSpec
    points: tuple[PointLike, ...]
    data: Path
    data_digest: str
    split: str
    fold: int | None
    list_digest: str
    protocol: str
    leaky: bool
    cautions: tuple[str, ...]

    @property
    def trained_digest(self) -> str | None:
        """Digest of the set that made the model; None where unknown."""
        told = self.description
        return told.get("prepared_digest") or told.get("data_digest") or None

    @property
    def elsewhere(self) -> bool:
        """Whether the images are of another prepared set than the model was trained on."""
        return self.trained_digest not in (None, self.data_digest)
