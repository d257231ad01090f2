"""What rounding weights to float16 does to a network, put right before it is exported.

Batch norm is folded into the convolution before it when a graph is written, and the folded
weights are rounded. Where a channel's input is nearly constant, as in the first blocks, the
rounding of nine weights adds up to a shift of that channel, and the network answers otherwise:
a MobileNetV2 of ours gave 3% of the validation images another class. The shift's mean is known
from a few training images, so it is taken out of the batch norm (bias correction, Nagel 2019,
section 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

_BATCH = 8


def absorb_rounding(trunk: Sequence[keras.layers.Layer], images: NDArray[np.uint8]) -> None:
    """Round the folded weights of a backbone to float16 and correct the means that it shifts.

    Args:
        trunk: From images to the feature map; the backbone is the model among its layers, and
            is changed in place.
        images: (n, S, S, 3) uint8 training images, some dozens.
    """
    backbone = next((layer for layer in trunk if isinstance(layer, keras.Model)), None)
    if backbone is None:
        return
    pairs = _folded_pairs(backbone)
    before = trunk[: list(trunk).index(backbone)]
    for (convolution, norm), mean in zip(
        pairs, _input_means(backbone, pairs, before, images), strict=True
    ):
        _round(convolution, norm, mean)


Pair = tuple[keras.layers.Layer, keras.layers.BatchNormalization]


def _folded_pairs(backbone: keras.Model) -> list[Pair]:
    """Each convolution with the batch norm behind it."""
    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    found = []
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            origin = layer.input._keras_history.operation  # noqa: SLF001 - Keras names no other way
            if isinstance(origin, kinds) and getattr(origin, "groups", 1) == 1:
                found.append((origin, layer))
    return found


def _input_means(
    backbone: keras.Model,
    pairs: Sequence[Pair],
    before: Sequence[keras.layers.Layer],
    images: NDArray[np.uint8],
) -> list[NDArray[np.float64]]:
    """Mean of each convolution's input (C,) over images and places."""
    if not pairs:
        return []
    tap = keras.Model(backbone.input, [convolution.input for convolution, _ in pairs])
    sums = [np.zeros(convolution.input.shape[-1]) for convolution, _ in pairs]
    for start in range(0, len(images), _BATCH):
        scaled = images[start : start + _BATCH].astype(np.float32)
        for layer in before:
            scaled = layer(scaled)
        seen = tap.predict_on_batch(scaled)
        outputs = seen if isinstance(seen, list) else [seen]
        means = [np.asarray(values).mean(axis=(1, 2)).sum(axis=0) for values in outputs]
        sums = [total + mean for total, mean in zip(sums, means, strict=True)]
    return [total / len(images) for total in sums]


def _round(
    convolution: keras.layers.Layer,
    norm: keras.layers.BatchNormalization,
    mean: NDArray[np.float64],
) -> None:
    kernel, *rest = convolution.get_weights()
    variance = np.asarray(norm.moving_variance, np.float64)
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale = scale * np.asarray(norm.gamma, np.float64)
    depthwise = isinstance(convolution, keras.layers.DepthwiseConv2D)
    factor = scale.reshape(1, 1, *kernel.shape[2:]) if depthwise else scale
    # A channel that the norm switches off has nothing to round.
    on = np.where(factor == 0, 1, factor)
    rounded = (kernel * on).astype(np.float16).astype(np.float64) / on
    change = (rounded - kernel).sum(axis=(0, 1))
    shift = (change * mean[:, None]).reshape(-1) if depthwise else mean @ change
    convolution.set_weights([rounded.astype(np.float32), *rest])
    norm.moving_mean.assign_add(shift.astype(np.float32))
