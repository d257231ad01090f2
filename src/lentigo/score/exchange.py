"""Whether several classifiers that answered the same images differ at all: one test for all.

A permutation test in blocks (Pitman 1938): if what is called by different names makes no
difference, the results of a group of images may change those names without anything changing.
For right and wrong answers of single images it asks what Cochran's Q asks (Cochran 1950), and it
keeps lesions and patients together, which Q cannot. Tests on pairs would first need this one,
or a correction for their number (Demsar 2006).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS = 9999


def exchange_p(
    results: NDArray[np.float64], permutations: int = PERMUTATIONS, seed: int = 0
) -> float:
    """The share of permutations whose levels differ at least as much as those observed.

    Args:
        results: (g, l) the sum of results of each group of images under each level, such as
            how many of its images are called right.
        permutations: How many random ones; the observed one is counted with them.
        seed: Of the permutations.

    Returns:
        p in (0, 1]; the statistic is the variance of the levels' sums.

    Raises:
        ValueError: Fewer than two levels, or no group.
    """
    if results.ndim != 2 or results.shape[1] < 2 or not len(results):
        raise ValueError(f"results of shape {results.shape} have no two levels to compare")
    # Groups whose results do not differ stay as they are under every permutation.
    moving = results[results.max(axis=1) > results.min(axis=1)]
    still = results.sum(axis=0) - moving.sum(axis=0)
    observed = float(np.var(results.sum(axis=0)))
    random = np.random.default_rng(seed)
    # Sums of shares are no whole numbers: equal statistics may differ in their last bits.
    least = observed * (1 - 1e-9) - 1e-12
    beyond = sum(
        float(np.var(still + random.permuted(moving, axis=1).sum(axis=0))) >= least
        for _ in range(permutations)
    )
    return (1 + beyond) / (1 + permutations)
