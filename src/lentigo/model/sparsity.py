"""Masks that keep the smallest weights of a network at zero while the others learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.errors import WeightsError

# Kernels with fewer weights are not worth a mask: the first convolution, most of all.
_FEWEST = 1024


class Masked(keras.constraints.Constraint):
    """A constraint that sets weights to zero where ``mask`` is zero; of a training only.

    Args:
        mask: Zeros and ones, of the shape of the weights.
    """

    def __init__(self, mask: NDArray[np.float32]) -> None:
        self._mask = mask

    def __call__(self, weights: Any) -> Any:
        """The weights, some of them zero."""
        return weights * keras.ops.cast(self._mask, weights.dtype)


def prune_smallest(model: keras.Model, sparsity: float) -> None:
    """Set the smallest weights of each prunable kernel to zero, and keep them there.

    Of every convolution and dense layer of at least 1,024 weights, ``sparsity`` of the weights
    become zero. Depthwise convolutions hold few weights and suffer most, and the last layer
    decides; both stay whole, as do biases and batch norms (Zhu 2017). Weights that are zero
    already are the smallest, so the same masks come out when a training resumes.

    Args:
        model: A classifier.
        sparsity: Share in [0, 1); 0 takes all masks off and changes no weight.
    """
    for kernel in prunable(model):
        if sparsity == 0:
            kernel.constraint = None
            continue
        values = np.asarray(keras.ops.convert_to_numpy(kernel))
        order = np.argsort(np.abs(values), axis=None, kind="stable")
        mask = np.ones(values.size, np.float32)
        mask[order[: round(sparsity * values.size)]] = 0
        shaped = mask.reshape(values.shape)
        kernel.assign(values * shaped)
        kernel.constraint = Masked(shaped)


def prunable(model: keras.Model) -> list[keras.Variable]:
    """The kernels that `prune_smallest` masks, in the order of the layers."""
    found: list[keras.Variable] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += prunable(layer)
        elif _has_large_kernel(layer):
            found.append(layer.kernel)
    return found


def _has_large_kernel(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.DepthwiseConv2D) or layer.name == "logits":
        return False
    if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
        return False
    return int(np.prod(layer.kernel.shape)) >= _FEWEST


def adopt_head(model: keras.Model, path: Path) -> None:
    """Give ``model`` the weights of the head of a classifier that lentigo saved.

    Raises:
        WeightsError: It has another head.
    """
    saved = keras.saving.load_model(path, compile=False)
    heads = {layer.name: layer for layer in saved.layers}
    for layer in model.layers[model.layers.index(model.get_layer("backbone")) + 1 :]:
        other = heads.get(layer.name)
        try:
            layer.set_weights([] if other is None else other.get_weights())
        except ValueError as error:
            raise WeightsError(
                f"{path} has another head: {str(error).splitlines()[0]}",
                todo="Go on with the recipe that trained it.",
            ) from None
