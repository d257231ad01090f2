"""Grouped bootstrap: groups (patients, else lesions) are drawn again, never single images.

A replicate is a vector of integer weights: how often each image's group was drawn. A
score that takes weights therefore needs no copying of images, and many replicates go
through one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError
from lentigo.score.arrays import Floats, Integers
from lentigo.score.estimate import Estimate, summarise

REPLICATES = 1000
# Weights of one block stay near the processor: 2^19 float32 are 2 MB.
_BLOCK_CELLS = 1 << 19


def group_numbers(group_ids: NDArray[Any]) -> tuple[Integers, int]:
    """Group numbers (n,) from 0, in order of the sorted ids, and how many groups there are."""
    names, numbers = np.unique(np.asarray(group_ids), return_inverse=True)
    return numbers.reshape(-1).astype(np.int64), len(names)


def replicate_weights(
    group_ids: NDArray[Any], replicates: int = REPLICATES, seed: int = 0
) -> Iterator[Floats]:
    """Blocks (n, b) of float32 weights, whole numbers, ``replicates`` columns in all.

    Args:
        group_ids: (n,) the group of each image.
        replicates: How many replicates, at least 1.
        seed: The same seed, ids and number give the same weights.

    Raises:
        InputError: No images or no replicates.
    """
    numbers, groups = group_numbers(group_ids)
    if groups == 0 or replicates < 1:
        raise InputError(f"{groups} groups cannot be resampled {replicates} times.")
    generator = np.random.default_rng(seed)
    width = int(np.clip(_BLOCK_CELLS // len(numbers), 8, 256))
    for start in range(0, replicates, width):
        block = min(width, replicates - start)
        drawn = generator.integers(0, groups, size=(block, groups))
        cells = drawn * block + np.arange(block)[:, None]
        counts = np.bincount(cells.ravel(), minlength=groups * block).reshape(groups, block)
        yield counts.astype(np.float32)[numbers]


def grouped_bootstrap(
    score: Callable[[Floats], Floats],
    group_ids: NDArray[Any],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Floats:
    """Any weighted scores over all replicates.

    Args:
        score: Takes weights (n, b) and returns (m, b) or (b,).
        group_ids: (n,) the group of each image.
        replicates: How many replicates.
        seed: Of the resampling.

    Returns:
        (m, replicates) or (replicates,) of float64.
    """
    blocks = [
        np.asarray(score(weights), dtype=np.float64)
        for weights in replicate_weights(group_ids, replicates, seed)
    ]
    return np.concatenate(blocks, axis=-1)


def bootstrap_estimate(
    score: Callable[[Floats], float],
    group_ids: NDArray[Any],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    proportion: bool = False,
) -> Estimate:
    """An estimate of one score that takes weights (n,), one call a replicate.

    For a handful of figures; ``panel.Panel`` does all of them at once.
    """
    numbers, groups = group_numbers(group_ids)

    def each(weights: Floats) -> Floats:
        return np.array([score(column) for column in weights.T.astype(np.float64)])

    observed = float(score(np.ones(len(numbers))))
    values = grouped_bootstrap(each, group_ids, replicates=replicates, seed=seed)
    return summarise(observed, values, groups, proportion=proportion)
