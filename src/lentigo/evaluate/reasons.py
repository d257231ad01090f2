"""Why did it say that: the attention to an image, and the training images nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet
from lentigo.evaluate.predictor import Predictor, Watching
from lentigo.score.attention import heat

NEAREST = 3
# The strongest attention still lets the skin be seen through it.
OPACITY = 0.6


@dataclass(frozen=True)
class Neighbour:
    """A training image that the network sees as nearly the same.

    Attributes:
        image_id: Which.
        label: Its class code.
        distance: Cosine distance of the pooled features, 0 (same) to 2.
        pixels: (S, S, 3) uint8 RGB.
    """

    image_id: str
    label: str
    distance: float
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Reason:
    """What can be said about one answer.

    Attributes:
        heat: (h, w) in [0, 1], what speaks for the called class; None where the predictor
            shows no attention.
        neighbours: Nearest first; empty where the training images are not at hand.
    """

    heat: NDArray[np.float32] | None = None
    neighbours: tuple[Neighbour, ...] = ()


class Memory:
    """The training images of a run, found by their features.

    Args:
        features: (n, C) of the training images.
        rows: (n,) which rows of ``data`` they are.
        data: The set that trained it.
    """

    def __init__(
        self, features: NDArray[np.floating[Any]], rows: NDArray[np.int64], data: PreparedSet
    ) -> None:
        self._directions = _directions(features)
        self._rows, self._data = rows, data

    def nearest(
        self, features: NDArray[np.floating[Any]], apart_from: Sequence[str]
    ) -> list[tuple[Neighbour, ...]]:
        """The nearest training images of each of features (m, C), never the image itself.

        Args:
            features: Of the images asked about.
            apart_from: (m,) their ids.
        """
        likeness = _directions(features) @ self._directions.T
        manifest = self._data.manifest
        ids = manifest["image_id"].to_numpy(dtype=object)[self._rows]
        labels = manifest["label"].to_numpy(dtype=object)[self._rows]
        found = []
        for own, values in zip(apart_from, likeness, strict=True):
            order = np.argsort(-values, kind="stable")[: NEAREST + 1]
            chosen = [place for place in order if ids[place] != own][:NEAREST]
            found.append(
                tuple(
                    Neighbour(
                        image_id=str(ids[place]),
                        label=str(labels[place]),
                        distance=float(max(0.0, 1 - values[place])),
                        pixels=np.asarray(self._data.images[int(self._rows[place])]),
                    )
                    for place in chosen
                )
            )
        return found


def reasons_for(
    predictor: Predictor,
    memory: Memory | None,
    images: NDArray[np.uint8],
    called: Sequence[int],
    image_ids: Sequence[str],
) -> tuple[Reason, ...]:
    """A reason an image.

    Args:
        predictor: What answered; it shows attention where it is `Watching`.
        memory: Its training images, where they are at hand.
        images: (m, S, S, 3) uint8.
        called: (m,) the class that each was called.
        image_ids: (m,).
    """
    if not len(images) or not isinstance(predictor, Watching):
        return tuple(Reason() for _ in images)
    maps = predictor.attention(images)
    heats = [
        heat(each[..., min(c, each.shape[2] - 1)]) for each, c in zip(maps, called, strict=True)
    ]
    features = None if memory is None else predictor.features(images)
    near: Sequence[tuple[Neighbour, ...]] = [()] * len(images)
    if memory is not None and features is not None:
        near = memory.nearest(features, image_ids)
    return tuple(Reason(*each) for each in zip(heats, near, strict=True))


def overlay(image: NDArray[np.uint8], attention: NDArray[np.float32]) -> NDArray[np.uint8]:
    """An image (S, S, 3) under its attention (h, w) in [0, 1], clear where that is 0."""
    height, width = image.shape[:2]
    fine: Any = cv2.resize(attention, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    levels = np.rint(fine * 255).astype(np.uint8)
    colour: Any = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)
    share = (OPACITY * fine)[..., None]
    return np.asarray(np.rint(image * (1 - share) + colour[..., ::-1] * share), dtype=np.uint8)


def _directions(features: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    values = np.asarray(features, dtype=np.float32)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(length, np.finfo(np.float32).tiny), dtype=np.float32)
