"""How fast half precision is on this machine, measured and not guessed from a name."""

from __future__ import annotations

import time

import keras
import numpy as np

_SIDES = {"cpu": 384, "gpu": 4096, "tpu": 4096}
_TRIES = 5


def half_speed(precision: str) -> float | None:
    """Speed of matrix products in the half precision of a policy, as a multiple of float32's.

    Args:
        precision: ``float32``, ``mixed_float16`` or ``mixed_bfloat16``.

    Returns:
        None for float32.
    """
    if precision == "float32":
        return None
    half = precision.removeprefix("mixed_")
    return round(_seconds("float32") / _seconds(half), 3)


def _seconds(dtype: str) -> float:
    """Of one product, the best of some tries after one that may compile."""
    device = str(keras.distribution.list_devices()[0]).partition(":")[0].lower()
    side = _SIDES.get(device, 384)
    values = np.random.default_rng(0).normal(size=(side, side)) / side
    matrix = keras.ops.convert_to_tensor(values, dtype=dtype)
    best = np.inf
    for attempt in range(_TRIES + 1):
        start = time.perf_counter()
        # One number is fetched, so that the clock waits for the accelerator but for no copy.
        corner = keras.ops.cast(keras.ops.matmul(matrix, matrix)[0, 0], "float32")
        float(keras.ops.convert_to_numpy(corner))
        if attempt:
            best = min(best, time.perf_counter() - start)
    return float(best)
