"""Batch norm as one operation of TensorFlow while a network trains.

Keras 3 composes batch norm of means, differences and products, each a pass over the whole
activation, forward and backward. Compiled by XLA they melt into one; on TensorFlow's CPU, where
XLA does not pay, they took a third to over a half of a training step. TensorFlow has the
operation whole (``FusedBatchNormV3``, Ioffe and Szegedy 2015), which Keras 2 used. JAX is left as
it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from lentigo.model.networks import batch_norms


class _Fused(keras.layers.BatchNormalization):
    """Computes what its parent does, but for rounding; what the operation cannot do, as it."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        estimates = bool(training and self.trainable)
        # Frozen layers are two products forward and one backward as they are; the operation's
        # own gradient there is slower.
        frozen = training and not estimates
        special = mask is not None or self.synchronized or getattr(self, "renorm", False)
        if frozen or special or len(inputs.shape) != 4 or self.axis not in {-1, 3}:
            return super().call(inputs, training=training, mask=mask)
        from tensorflow.raw_ops import FusedBatchNormV3  # noqa: PLC0415

        ops, variance, mean = keras.ops, self.moving_variance, self.moving_mean
        x = ops.cast(inputs, "float32")
        channels = x.shape[-1]
        result = FusedBatchNormV3(
            x=x,
            scale=self.gamma.value if self.scale else ops.ones(channels),
            offset=self.beta.value if self.center else ops.zeros(channels),
            mean=ops.zeros(0) if estimates else mean.value,
            variance=ops.zeros(0) if estimates else variance.value,
            epsilon=self.epsilon,
            is_training=estimates,
        )
        if estimates:
            # The operation gives the variance of a sample, Keras keeps that of the batch.
            count = ops.cast(ops.prod(ops.shape(x)[:-1]), "float32")
            seen, keep = result.batch_variance * (count - 1) / count, self.momentum
            mean.assign(mean * keep + result.batch_mean * (1 - keep))
            variance.assign(variance * keep + seen * (1 - keep))
        return ops.cast(result.y, self.compute_dtype)


@contextmanager
def fused_batch_norms(model: keras.Model) -> Iterator[None]:
    """Within it, TensorFlow computes the batch norms of ``model`` as one operation each.

    The layers are Keras's own again afterwards, so a model that is saved needs nothing of ours.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    plain = [each for each in batch_norms(model) if type(each) is keras.layers.BatchNormalization]
    try:
        for norm in plain:
            norm.__class__ = _Fused
        yield
    finally:
        for norm in plain:
            norm.__class__ = keras.layers.BatchNormalization
