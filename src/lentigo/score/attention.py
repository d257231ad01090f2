"""Attention maps as people are shown them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def heat(evidence: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """A map (h, w) of one class, what speaks against it cut off, its highest cell at 1.

    All zero where nothing speaks for the class.
    """
    for_it = np.maximum(evidence, 0)
    highest = for_it.max()
    return np.asarray(for_it / highest if highest > 0 else for_it, dtype=np.float32)
