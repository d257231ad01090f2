"""The feature maps before a backbone's last.

The last features hold what tells the classes apart and forget the rest: how sharp an image is,
how bright, how large the lesion stands in it. The maps before them have not forgotten it yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

LEVELS_BEFORE = 2
_PADDING = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D)


def tapped(backbone: keras.Model) -> keras.Model:
    """The backbone, which gives a list now: some maps (B, h, w, C) on the way, last its own.

    Of each of the two resolutions before the last, it is the latest map after which channels
    grow, the bottleneck before the next resolution: of a MobileNetV2 for 224 pixels (28, 28, 32)
    and (14, 14, 96). Layers and weights are the backbone's. One that Keras cannot look into gives
    its own map alone.
    """
    narrow: dict[int, Any] = {}
    latest: dict[int, Any] = {}
    for each in _maps(backbone):
        side = each.shape[1]
        before = latest.get(side, each)
        if side not in narrow or each.shape[3] > before.shape[3]:
            narrow[side] = before
        latest[side] = each
    last = backbone.output
    sides = sorted(side for side in narrow if side > last.shape[1])[:LEVELS_BEFORE]
    on_the_way = [narrow[side] for side in reversed(sides)]
    try:
        return keras.Model(backbone.input, [*on_the_way, last], name=backbone.name)
    except ValueError:  # layers that were called elsewhere too, as those of a Sequential are
        return keras.Model(backbone.input, [last], name=backbone.name)


def _maps(backbone: keras.Model) -> Iterator[Any]:
    """What the layers give, in their order, where it is a map of several channels."""
    for layer in backbone.layers:
        if isinstance(layer, (keras.layers.InputLayer, keras.Model, *_PADDING)):
            continue
        found = getattr(layer, "output", None)
        shape: tuple[int | None, ...] = getattr(found, "shape", ())
        if len(shape) == 4 and None not in shape[1:] and shape[-1] != 1:
            yield found
