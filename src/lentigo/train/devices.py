"""One training over several accelerators: every batch is divided among them (JAX)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from lentigo.errors import InputError


@contextmanager
def spread(count: int) -> Iterator[None]:
    """Inside, trainings divide their batches among the first ``count`` devices.

    Args:
        count: 1 leaves everything as it is.

    Raises:
        InputError: Another backend than JAX, or fewer devices.
    """
    if count == 1:
        yield
        return
    found = keras.distribution.list_devices()
    backend = keras.backend.backend()
    if backend != "jax" or not 1 <= count <= len(found):
        raise InputError(
            f"{count} devices cannot be used: the {backend} backend has {', '.join(found)}.",
            todo="Several devices need KERAS_BACKEND=jax, and at most as many as it lists.",
        )
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=found[:count]))
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def devices() -> int:
    """Among how many devices a batch is divided."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)


def divisible(size: int) -> int:
    """The least batch size from ``size`` on that the devices divide."""
    return size + -size % devices()
