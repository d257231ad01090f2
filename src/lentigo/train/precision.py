"""How fast half precision is on this machine, measured and not guessed from a name."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np

_SIDES = {"cpu": 384, "gpu": 4096, "tpu": 4096}
_TRIES = 20


def half_speed(precision: str) -> float | None:
    """Speed of matrix products in the half precision of a policy, as a multiple of float32's.

    Both are tried in turns and the best of each counts, so that other work on the machine
    slows neither alone.

    Args:
        precision: ``float32``, ``mixed_float16`` or ``mixed_bfloat16``.

    Returns:
        None for float32.
    """
    if precision == "float32":
        return None
    device = str(keras.distribution.list_devices()[0]).partition(":")[0].lower()
    side = _SIDES.get(device, 384)
    values = np.random.default_rng(0).normal(size=(side, side)) / side
    kinds = ("float32", precision.removeprefix("mixed_"))
    matrices = [keras.ops.convert_to_tensor(values, dtype=kind) for kind in kinds]
    for each in matrices:
        _seconds(each)  # which may compile
    turns = [[_seconds(each) for each in matrices] for _ in range(_TRIES)]
    return round(min(whole for whole, _ in turns) / min(half for _, half in turns), 3)


def _seconds(matrix: Any) -> float:
    """Of one product."""
    start = time.perf_counter()
    # One number is fetched, so that the clock waits for the accelerator but for no copy.
    corner = keras.ops.cast(keras.ops.matmul(matrix, matrix)[0, 0], "float32")
    float(keras.ops.convert_to_numpy(corner))
    return time.perf_counter() - start
