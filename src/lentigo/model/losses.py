"""Losses on logits, one value an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.errors import RecipeError
from lentigo.recipe import Loss


@keras.saving.register_keras_serializable(package="lentigo")
class FocalLoss(keras.losses.Loss):
    """Focal loss of a softmax, ``-(1 - p)^gamma log p`` of the true class (Lin 2017, eq. 4).

    With two classes and `TwoLogits` it equals the sigmoid form of the paper.
    """

    def __init__(self, gamma: float = 2.0, name: str = "focal", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.gamma = gamma

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss (B,) of one-hot or smoothed labels and logits, both (B, k)."""
        log_p = keras.ops.log_softmax(y_pred, axis=-1)
        # Below gamma 1 the slope of the power has no bound where p is 1.
        doubt = keras.ops.maximum(1.0 - keras.ops.exp(log_p), keras.config.epsilon())
        weight = keras.ops.power(doubt, self.gamma)
        return -keras.ops.sum(y_true * weight * log_p, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "gamma": self.gamma}


@keras.saving.register_keras_serializable(package="lentigo")
class LogitAdjusted(keras.losses.Loss):
    """A loss of logits to which a constant is added, class by class (Menon 2021, eq. 10)."""

    def __init__(
        self, loss: keras.losses.Loss, shift: Sequence[float], name: str = "adjusted", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.loss, self.shift = loss, [float(each) for each in shift]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss (B,) of one-hot or smoothed labels and logits, both (B, k)."""
        return self.loss.call(y_true, y_pred + keras.ops.cast(self.shift, y_pred.dtype))

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss, "shift": self.shift}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LogitAdjusted:
        """The loss of ``get_config``."""
        inner = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": inner})


def build_loss(loss: Loss, share: NDArray[np.float64]) -> keras.losses.Loss:
    """The recipe's loss on logits and one-hot labels, both (B, k).

    Args:
        loss: The recipe's part.
        share: Of each class among the images that an epoch draws, (k,), above 0.
    """
    built: keras.losses.Loss
    if loss.kind == "focal":
        built = FocalLoss(loss.focal_gamma)
    else:
        built = keras.losses.CategoricalCrossentropy(from_logits=True)
    if loss.logit_adjustment:
        return LogitAdjusted(built, (loss.logit_adjustment * np.log(share)).tolist())
    return built


def class_weights(loss: Loss, drawn: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weight of each class, (k,).

    ``balanced`` is n / (k n_c), scikit-learn's definition; a class without images weighs 0.

    Args:
        loss: The recipe's part.
        drawn: How many images of each class an epoch draws, or their shares, (k,), 0 for a
            class without.

    Raises:
        RecipeError: A list of weights of another length than the classes.
    """
    if loss.class_weights == "none":
        return np.ones(len(drawn), np.float32)
    if loss.class_weights == "balanced":
        there = drawn > 0
        each = there.sum() * np.where(there, drawn, 1)
        return np.where(there, drawn.sum() / each, 0).astype(np.float32)
    if len(loss.class_weights) != len(drawn):
        raise RecipeError(
            f"loss.class_weights has {len(loss.class_weights)} values; the data has "
            f"{len(drawn)} classes."
        )
    return np.asarray(loss.class_weights, np.float32)
