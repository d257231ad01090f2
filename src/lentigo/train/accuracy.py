"""How much of what it trains on a network gets right, counted while it trains."""

from __future__ import annotations

from typing import Any

import keras


class TrainingAccuracy(keras.metrics.Mean):
    """The share of an epoch's images, altered as they are, that are called right.

    Every image counts once, whatever its class weighs; those of weight zero, which fill a batch
    up, not at all. A mixed image (MixUp) is right where its larger part is.
    """

    def __init__(self) -> None:
        super().__init__(name="accuracy")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Count labels (B, k) and logits (B, k), or (B, 2k) with teachers' answers behind."""
        ops = keras.ops
        logits = y_pred[..., : y_true.shape[-1]]
        right = ops.argmax(logits, axis=-1) == ops.argmax(y_true, axis=-1)
        counted = None if sample_weight is None else sample_weight > 0
        return super().update_state(right, sample_weight=counted)
