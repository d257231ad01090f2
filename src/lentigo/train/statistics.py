"""Batch-norm statistics re-computed on training batches.

Moving averages lag behind weights that still change; with the momenta of
``keras.applications`` they lag so far that a good network looks broken in validation. The
batches are the training's own, sampled and augmented as it trains: with statistics of the
classes' natural proportions, a network trained on rebalanced ones computes another function.
Only MixUp is left out: a mean of two images varies less than any image of validation.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.model import batch_norms
from lentigo.train.feeding import EpochBatches


class _InTrainingMode(keras.layers.Layer):
    """A model in training mode whatever the mode around it.

    A functional model that records ``training=True`` in its graph loses it to the
    ``training=False`` of `predict_on_batch`; a layer's explicit argument does not.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model

    def call(self, inputs: Any) -> Any:
        return self.model(inputs, training=True)


class StatisticsEstimator:
    """Replaces the moving statistics by the plain mean over so many training batches."""

    def __init__(self, model: keras.Model) -> None:
        self._norms = [norm for norm in batch_norms(model) if norm.trainable]
        inputs = [keras.Input(each.shape[1:], dtype=each.dtype) for each in model.inputs]
        # In training mode the forward pass leaves each batch's statistics in the variables.
        self._forward = keras.Model(inputs, _InTrainingMode(model)(inputs))

    def __call__(self, batches: EpochBatches, count: int) -> None:
        """Estimate on the first ``count`` batches, or on all where there are fewer."""
        if not self._norms:
            return
        momenta = [norm.momentum for norm in self._norms]
        means: list[NDArray[np.float64]] = []
        try:
            for norm in self._norms:
                norm.momentum = 0.0
            for step in range(min(count, len(batches))):
                self._forward.predict_on_batch(batches.unmixed(step))
                seen = self._read()
                means = [a + (b - a) / (step + 1) for a, b in zip(means or seen, seen, strict=True)]
        finally:
            for norm, momentum in zip(self._norms, momenta, strict=True):
                norm.momentum = momentum
        for norm, mean, variance in zip(self._norms, means[::2], means[1::2], strict=True):
            norm.moving_mean.assign(mean)
            norm.moving_variance.assign(variance)

    def _read(self) -> list[NDArray[np.float64]]:
        return [
            np.asarray(keras.ops.convert_to_numpy(variable), np.float64)
            for norm in self._norms
            for variable in (norm.moving_mean, norm.moving_variance)
        ]
