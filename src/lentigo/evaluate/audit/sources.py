"""Can the source be told from the pixels, and the label from the source?

Where both are so, a network can learn the camera in place of the lesion. The probe is weak on
purpose: a linear rule on a few colours and sharpnesses. What it finds, a network finds as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.score.bootstrap import bootstrap_estimate
from lentigo.score.classification import binary_roc_auc
from lentigo.score.estimate import Estimate

_FOLDS = 5
_RIDGE = 1e-3
_CORNER = 0.15
_REPLICATES = 500


@dataclass(frozen=True)
class SourceProbe:
    """How much sources give away.

    Attributes:
        sources: (k,) names.
        images: (k,) how many of each.
        malignant_share: (k,) share of malignant images in each.
        source_from_pixels: Balanced accuracy of telling the sources by a linear rule on simple
            measures, cross-validated by group; 1 / k is chance.
        label_from_source: ROC area of "malignant" when nothing but the source is known,
            cross-validated by group; 0.5 is chance.
    """

    sources: tuple[str, ...]
    images: tuple[int, ...]
    malignant_share: tuple[float, ...]
    source_from_pixels: Estimate
    label_from_source: Estimate

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "sources": list(self.sources),
            "images": list(self.images),
            "malignant_share": list(self.malignant_share),
            "chance_of_source": 1 / len(self.sources),
            "source_from_pixels": self.source_from_pixels.to_dict(),
            "label_from_source": self.label_from_source.to_dict(),
        }


def simple_measures(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What a glance at an image tells of its camera, (14,).

    Mean and spread of each channel; mean of the corners; energy of the details at three
    scales; darkest and brightest tenths.
    """
    pixels = rgb.reshape(-1, 3).astype(np.float64)
    edge = max(1, int(_CORNER * rgb.shape[0]))
    corners = np.concatenate(
        [rgb[rows, columns].reshape(-1, 3)
         for rows in (slice(None, edge), slice(-edge, None))
         for columns in (slice(None, edge), slice(-edge, None))]
    )  # fmt: skip
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    details = []
    for _ in range(3):
        details.append(np.log1p(float(cv2.Laplacian(grey, cv2.CV_32F).var())))
        grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    tenths = np.percentile(pixels.mean(axis=1), [10, 90])
    return np.concatenate(
        [pixels.mean(axis=0), pixels.std(axis=0), corners.mean(axis=0), details, tenths]
    )


def probe(
    images: Iterable[NDArray[np.uint8]],
    sources: NDArray[np.str_],
    malignant: NDArray[np.bool_],
    groups: NDArray[np.str_],
    *,
    seed: int = 0,
) -> SourceProbe | None:
    """Probe the sources of a list of images; None where there is only one.

    Args:
        images: (N, S, S, 3) uint8.
        sources: (N,) where each comes from.
        malignant: (N,).
        groups: (N,) what may not be cut between folds.
        seed: Of folds and bootstrap.
    """
    names, numbers = np.unique(sources, return_inverse=True)
    if len(names) < 2:
        return None
    measures = np.stack([simple_measures(image) for image in images])
    fold = _folds(groups, seed)
    called = _called(measures, numbers, fold, len(names))
    rate = _rates(malignant, numbers, fold, len(names))

    def balanced(weights: NDArray[np.floating[Any]]) -> float:
        hits = np.bincount(numbers, weights * (called == numbers), minlength=len(names))
        return float(np.mean(hits / np.maximum(np.bincount(numbers, weights), 1e-12)))

    def area(weights: NDArray[np.floating[Any]]) -> float:
        return binary_roc_auc(malignant, rate, weights)

    return SourceProbe(
        sources=tuple(names.tolist()),
        images=tuple(np.bincount(numbers).tolist()),
        malignant_share=tuple(float(malignant[numbers == k].mean()) for k in range(len(names))),
        source_from_pixels=bootstrap_estimate(balanced, groups, replicates=_REPLICATES, seed=seed),
        label_from_source=bootstrap_estimate(area, groups, replicates=_REPLICATES, seed=seed),
    )


def _folds(groups: NDArray[np.str_], seed: int) -> NDArray[np.int64]:
    names, numbers = np.unique(groups, return_inverse=True)
    dealt = np.random.default_rng(seed).permutation(len(names)) % _FOLDS
    return np.asarray(dealt[numbers])


def _called(
    measures: NDArray[np.float64], source: NDArray[np.int64], fold: NDArray[np.int64], k: int
) -> NDArray[np.int64]:
    """The source that a linear rule of the other folds calls, sources weighed equally."""
    called = np.zeros(len(source), np.int64)
    for each in range(_FOLDS):
        rest, own = fold != each, fold == each
        mean, spread = measures[rest].mean(axis=0), measures[rest].std(axis=0) + 1e-9
        x = np.c_[(measures - mean) / spread, np.ones(len(measures))]
        count = np.bincount(source[rest], minlength=k)
        weight = 1 / np.maximum(count, 1)[source[rest]]
        scaled = x[rest] * weight[:, None]
        ridge = _RIDGE * weight.sum() * np.eye(x.shape[1])
        rule = np.linalg.solve(scaled.T @ x[rest] + ridge, scaled.T @ np.eye(k)[source[rest]])
        called[own] = (x[own] @ rule).argmax(axis=1)
    return called


def _rates(
    malignant: NDArray[np.bool_], source: NDArray[np.int64], fold: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """The malignant share of each image's source in the other folds."""
    rate = np.zeros(len(source))
    for each in range(_FOLDS):
        rest, own = fold != each, fold == each
        count = np.bincount(source[rest], minlength=k)
        hits = np.bincount(source[rest], malignant[rest], minlength=k)
        # Folds differ by chance; rounding keeps that from ranking images of one source.
        rate[own] = np.round(hits / np.maximum(count, 1), 2)[source[own]]
    return rate
