"""Batch-norm statistics re-computed on training images.

Moving averages lag behind weights that still change; with the momenta of
``keras.applications`` they lag so far that a good network looks broken in validation.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.model import batch_norms


class _InTrainingMode(keras.layers.Layer):
    """A model in training mode whatever the mode around it.

    A functional model that records ``training=True`` in its graph loses it to the
    ``training=False`` of `predict_on_batch`; a layer's explicit argument does not.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model

    def call(self, images: Any) -> Any:
        return self.model(images, training=True)


class StatisticsEstimator:
    """Replaces the moving statistics by the plain mean over batches of training images."""

    def __init__(self, model: keras.Model) -> None:
        self._norms = [norm for norm in batch_norms(model) if norm.trainable]
        image = keras.Input(model.input_shape[1:], name="image")
        # In training mode the forward pass leaves each batch's statistics in the variables.
        self._forward = keras.Model(image, _InTrainingMode(model)(image))

    def __call__(self, images: NDArray[Any], rows: NDArray[np.int64], batch_size: int) -> None:
        """Estimate on ``images[rows]`` (uint8); whole batches only."""
        if not self._norms or len(rows) < batch_size:
            return
        momenta = [norm.momentum for norm in self._norms]
        sums: list[Any] | None = None
        count = len(rows) // batch_size
        try:
            for norm in self._norms:
                norm.momentum = 0.0
            for step in range(count):
                batch = np.sort(rows[step * batch_size : (step + 1) * batch_size])
                self._forward.predict_on_batch(images[batch].astype(np.float32))
                seen = self._read()
                sums = seen if sums is None else [a + b for a, b in zip(sums, seen, strict=True)]
        finally:
            for norm, momentum in zip(self._norms, momenta, strict=True):
                norm.momentum = momentum
        assert sums is not None
        for norm, mean, variance in zip(self._norms, sums[::2], sums[1::2], strict=True):
            norm.moving_mean.assign(mean / count)
            norm.moving_variance.assign(variance / count)

    def _read(self) -> list[NDArray[Any]]:
        return [
            np.asarray(keras.ops.convert_to_numpy(variable), np.float64)
            for norm in self._norms
            for variable in (norm.moving_mean, norm.moving_variance)
        ]
