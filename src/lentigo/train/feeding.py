"""Batches for Keras, and predictions in batches of one shape."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.data.oversampling import Images
from lentigo.model import BOX, SHARE, mix
from lentigo.train.devices import divisible


class EpochBatches(keras.utils.PyDataset):
    """One epoch: (inputs, one-hot labels, weights) for `keras.Model.fit`.

    The last batch is filled up from the start of the epoch's order, so that all have one
    shape. Several devices refuse a batch that they do not divide: images of weight zero fill it
    up to one that they do, and the others weigh so much more that the mean loss stays as it
    was. Batch norm that trains sees them, so a batch size that the devices divide is exact.

    Args:
        images: uint8 (N, S, S, 3), memory-mapped; or float32 features (N, ...).
        order: Rows of ``images``, (m,).
        targets: Labels as probabilities, float32 (N, k), by row of ``images``.
        weights: Loss weight by row of ``images``, (N,).
        parameters: Augmentation parameters by position in the order, (m, parameters), or
            None for inputs without augmentation.
        batch_size: Images a batch.
        metadata: What accompanies the images, by position in the order, (m, places), or None.
    """

    def __init__(
        self,
        images: Images,
        order: NDArray[np.int64],
        targets: NDArray[np.float32],
        weights: NDArray[np.float32],
        parameters: NDArray[np.float32] | None,
        batch_size: int,
        metadata: NDArray[np.float32] | None = None,
    ) -> None:
        # More workers make Keras lose the order on JAX when it looks at a first batch.
        super().__init__(workers=1, use_multiprocessing=False)
        self._images, self._order, self._targets = images, order, targets
        self._weights, self._parameters, self._batch_size = weights, parameters, batch_size
        self._metadata = metadata

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, NDArray[np.float32], NDArray[np.float32]]:
        inputs, rows = self._inputs(index)
        targets, weights = self._targets[rows], self._weights[rows]
        if self._parameters is not None:
            share = inputs[1][:, SHARE]
            mixed = mix(weights, share)
            # Each label keeps the weight of its own image, whatever it is mixed with.
            own = share * weights / np.maximum(mixed, np.finfo(np.float32).tiny)
            targets, weights = mix(targets, own), mixed
            inputs = (*inputs[:2], *(mix(each, share) for each in inputs[2:]))
        if len(rows) > self._batch_size:
            weights = weights * np.float32(len(rows) / self._batch_size)
            weights[self._batch_size :] = 0
        return inputs, targets, weights

    def unmixed(self, index: int) -> list[Any]:
        """The inputs of a batch with each image whole, as validation will see images."""
        inputs, _ = self._inputs(index)
        if self._parameters is None:
            return [inputs]
        inputs[1][:, SHARE], inputs[1][:, BOX:] = 1, 0
        return list(inputs)

    def let_go(self) -> None:
        """Forget the pixels: TensorFlow keeps what fed it for as long as the process lives."""
        self._images = np.empty((0, *self._images.shape[1:]), self._images.dtype)

    def _inputs(self, index: int) -> tuple[Any, NDArray[np.int64]]:
        start = index * self._batch_size
        filled = np.arange(divisible(self._batch_size)) % self._batch_size
        places = (start + filled) % len(self._order)
        rows = self._order[places]
        # A sorted read walks the memory map forward.
        ascending, back = np.unique(rows, return_inverse=True)
        inputs: Any = self._images[ascending][back]
        if self._parameters is not None:
            inputs = (inputs, self._parameters[places])
        if self._metadata is not None:
            inputs = (*inputs, self._metadata[places])
        return inputs, rows


def batches_of(
    images: Images, rows: NDArray[np.int64], batch_size: int
) -> Iterator[tuple[NDArray[Any], int]]:
    """Batches of one shape, in order, each with how many of it count."""
    full = divisible(batch_size)
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        batch = images[part]
        if len(part) < full:
            filling = np.repeat(batch[-1:], full - len(part), axis=0)
            batch = np.concatenate([batch, filling])
        yield batch, len(part)


def predict_rows(
    model: keras.Model,
    images: Images,
    rows: NDArray[np.int64],
    batch_size: int = 64,
    metadata: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """What ``model`` answers for ``images[rows]``, (len(rows), ...), float32.

    ``metadata`` (N, places), by row of ``images``, is what it takes beside them, if it does.
    """
    batch_size = min(batch_size, max(len(rows), 1))
    sources = (images,) if metadata is None else (images, metadata)
    answers = []
    for parts in zip(*(batches_of(each, rows, batch_size) for each in sources), strict=True):
        inputs = [batch for batch, _ in parts]
        answer = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
        answers.append(np.asarray(answer)[: parts[0][1]])
    if not answers:
        return np.zeros((0, *model.output_shape[1:]), np.float32)
    return np.concatenate(answers).astype(np.float32)
