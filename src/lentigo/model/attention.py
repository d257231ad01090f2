"""What a classifier looked at, computed from its last feature map alone.

Nothing is differentiated at run time: the gradient that Grad-CAM needs is that of a few
dense layers, which is written down in closed form. So the maps are ordinary operations that
stand in the exported graph, and cost next to nothing beside the backbone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from lentigo.errors import LentigoError
from lentigo.model.heads import TwoLogits
from lentigo.model.joined import Joined, chain, image_input
from lentigo.model.levels import tapped
from lentigo.model.sight import Sight, measure_sight
from lentigo.model.views import MeanOfViews, Views

_PIECE = 32

AttentionKind = Literal["class-activation", "grad-cam", "feature-mean"]


@dataclass(frozen=True)
class Seen:
    """A batch of images as the classifier sees it; tensors, or arrays from a `Watcher`.

    Attributes:
        logits: (B, k).
        maps: (B, h, w, k), or (B, h, w, 1) where `AttentionKind` is ``feature-mean``.
        levels: (B, C) each, the means over the image of some feature maps on the way and of
            the last (`lentigo.model.levels`).
    """

    logits: Any
    maps: Any
    levels: tuple[Any, ...]

    @property
    def features(self) -> Any:
        """(B, C), the mean of the last feature map over the image."""
        return self.levels[-1]


@dataclass(frozen=True)
class Anatomy:
    """A classifier cut behind its backbone.

    Attributes:
        trunk: From images to the feature map.
        head: From the feature map to the logits.
        kind: What its maps are.
        sight: How far off the cells of the feature map look, which the maps make up for;
            None where that is not known.
    """

    trunk: tuple[keras.layers.Layer, ...]
    head: tuple[keras.layers.Layer, ...]
    kind: AttentionKind
    sight: Sight | None = None

    def see(self, images: Any) -> Seen:
        """Logits, maps and features of images (B, S, S, 3) in [0, 255].

        Of a network that takes metadata too, as if nothing were known.
        """
        return self.see_features(*self.look(images))

    def look(self, images: Any) -> list[Any]:
        """The feature map (B, h, w, C) and the means (B, C) of those before it; of every view."""
        values, before = images, []
        for layer in self.trunk:
            if isinstance(layer, keras.Model):
                *maps, values = _listed(tapped(layer)(values))
                before = [ops.mean(ops.cast(each, "float32"), axis=(1, 2)) for each in maps]
            else:
                values = layer(values)
        return [values, *before]

    def see_features(self, features: Any, *before: Any) -> Seen:
        """The same from what `look` gives."""
        logits, steps = _through(self.head, features)
        features = ops.cast(features, "float32")  # convolutions take no two precisions
        maps = _DRAWN[self.kind](features, steps)
        if self.sight is not None:  # of each view by itself, before it is turned back
            maps = self.sight.drawn(maps)
        levels = (*before, ops.mean(features, axis=(1, 2)))
        views = next((layer for layer in self.head if isinstance(layer, MeanOfViews)), None)
        if views is not None:
            maps, levels = views.aligned(maps), tuple(views(each) for each in levels)
        return Seen(logits, maps, levels)


@dataclass(frozen=True)
class _Step:
    """A layer of a head with what went in and what came out."""

    layer: keras.layers.Layer
    into: Any
    out: Any


def dissect(model: keras.Model, sight: Sight | None = None) -> Anatomy:
    """Cut a classifier into trunk and head, and say which maps it can have.

    Where the head is pooling and one dense layer, the map of a class is its class activation
    map (Zhou 2016): the features times the dense weights, whose mean over the image is the
    logit without its bias. Where dense layers are hidden or pooling is partial, it is Grad-CAM
    (Selvaraju 2017, eq. 1 and 2), times the number of cells of the map. Of a head of another
    make it is the mean absolute feature, the same for all classes. Of a single logit, the
    first class has the map of the second with its sign turned. Metadata adds to the logits of
    one dense layer and leaves its maps as they are; before hidden layers it would change them,
    so a head that has both is one of another make.

    Raises:
        LentigoError: A model that is not scaling, backbone and head in a chain.
    """
    layers = chain(model)
    names = [layer.name for layer in layers]
    if "backbone" not in names:
        raise LentigoError(f"The model has no layer 'backbone', only {names}.")
    cut = names.index("backbone") + 1
    head = tuple(layers[cut:])
    return Anatomy(tuple(layers[:cut]), head, _kind(head), sight)


class Watcher:
    """Logits, maps and features of many images; as fast as the classifier itself.

    Args:
        model: A classifier as ``build_model`` makes it, or read from a file.
        sight: How far off its maps are, where that was measured.

    Raises:
        LentigoError: A model of another make.
    """

    def __init__(self, model: keras.Model, sight: Sight | None = None) -> None:
        self._anatomy = dissect(model, sight)
        # Below the head runs compiled, as in training; what is above is small.
        image = keras.Input(image_input(model).shape[1:])
        self._trunk = keras.Model(image, self._anatomy.look(image))

    @property
    def kind(self) -> AttentionKind:
        """What the maps are."""
        return self._anatomy.kind

    def see(self, images: NDArray[np.uint8]) -> Seen:
        """What is seen in one batch of images (B, S, S, 3), as float32 arrays."""
        seen = self._anatomy.see_features(*_listed(self._trunk.predict_on_batch(images)))
        return Seen(
            _floats(seen.logits), _floats(seen.maps), tuple(_floats(each) for each in seen.levels)
        )


def sight_of(model: keras.Model, images: NDArray[np.uint8]) -> Sight:
    """How far off a classifier's maps are, measured on images (n, S, S, 3) that it knows."""
    anatomy = dissect(model)
    single = replace(
        anatomy,
        trunk=tuple(layer for layer in anatomy.trunk if not isinstance(layer, Views)),
        head=tuple(layer for layer in anatomy.head if not isinstance(layer, MeanOfViews)),
    )
    image = keras.Input(image_input(model).shape[1:])
    trunk = keras.Model(image, single.look(image)[0])

    def maps_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        pieces = np.array_split(pixels, -(-len(pixels) // _PIECE))
        maps = [single.see_features(trunk.predict_on_batch(each)).maps for each in pieces]
        return np.concatenate([ops.convert_to_numpy(each) for each in maps])

    return measure_sight(maps_of, images)


def _listed(values: Any) -> list[Any]:
    """What a model gives, as a list; Keras gives a single output bare."""
    return list(values) if isinstance(values, list | tuple) else [values]


def _floats(values: Any) -> NDArray[np.float32]:
    return np.asarray(ops.convert_to_numpy(ops.cast(values, "float32")))


def _kind(head: tuple[keras.layers.Layer, ...]) -> AttentionKind:
    known = keras.layers.Dropout | MeanOfViews | TwoLogits | Joined
    match [each for each in head if not isinstance(each, known)]:
        case [keras.layers.GlobalAveragePooling2D(), *dense]:
            pooled = True
        case [keras.layers.AveragePooling2D() as pool, keras.layers.Flatten(), *dense]:
            pooled = False
            if pool.pool_size != pool.strides or pool.padding != "valid":
                return "feature-mean"
        case _:
            return "feature-mean"
    if not dense or not all(isinstance(each, keras.layers.Dense) for each in dense):
        return "feature-mean"
    if not all(each.activation in _SLOPES for each in dense):
        return "feature-mean"
    linear = len(dense) == 1 and dense[0].activation is keras.activations.linear
    if any(isinstance(each, Joined) for each in head) and not (pooled and linear):
        return "feature-mean"
    return "class-activation" if pooled and linear else "grad-cam"


def _through(head: tuple[keras.layers.Layer, ...], value: Any) -> tuple[Any, list[_Step]]:
    steps = []
    for layer in head:
        out = layer(value)
        steps.append(_Step(layer, ops.cast(value, "float32"), ops.cast(out, "float32")))
        value = out
    return value, steps


def _class_activation(features: Any, steps: list[_Step]) -> Any:
    (kernel,) = (each.layer.kernel for each in _dense(steps))
    kernel = kernel[: features.shape[-1]]  # behind the features may stand metadata
    maps = ops.conv(features, kernel[None, None], padding="valid")
    return ops.concatenate([-maps, maps], axis=-1) if _widened(steps) else maps


def _grad_cam(features: Any, steps: list[_Step]) -> Any:
    height, width, channels = features.shape[1:]
    *hidden, last = _dense(steps)
    gradient = ops.transpose(last.layer.kernel)[None]  # (1 or B, k, what went in)
    if _widened(steps):
        gradient = ops.concatenate([-gradient, gradient], axis=1)
    for step in reversed(hidden):
        slope = _SLOPES[step.layer.activation](step)
        gradient = ops.matmul(gradient * slope[:, None], ops.transpose(step.layer.kernel))
    # A pooled cell spreads its gradient over what it pooled, so the sum is all that counts.
    gradient = ops.reshape(
        gradient, (-1, gradient.shape[1], gradient.shape[2] // channels, channels)
    )
    weights = ops.transpose(ops.sum(gradient, axis=2), (0, 2, 1))  # (1 or B, C, k)
    flat = ops.reshape(features, (-1, height * width, channels))
    maps = ops.relu(ops.matmul(ops.cast(flat, weights.dtype), weights))
    return ops.reshape(maps, (-1, height, width, maps.shape[-1]))


def _feature_mean(features: Any, _: list[_Step]) -> Any:
    return ops.mean(ops.abs(features), axis=-1, keepdims=True)


_DRAWN: dict[AttentionKind, Callable[[Any, list[_Step]], Any]] = {
    "class-activation": _class_activation,
    "grad-cam": _grad_cam,
    "feature-mean": _feature_mean,
}


def _dense(steps: list[_Step]) -> Iterator[_Step]:
    return (each for each in steps if isinstance(each.layer, keras.layers.Dense))


def _widened(steps: list[_Step]) -> bool:
    return any(isinstance(each.layer, TwoLogits) for each in steps)


def _before(step: _Step) -> Any:
    """What a dense layer's activation was given, (B, d)."""
    return ops.matmul(step.into, step.layer.kernel) + step.layer.bias


def _silu_slope(step: _Step) -> Any:
    z = _before(step)
    share = ops.sigmoid(z)
    return share * (1 + z * (1 - share))


def _gelu_slope(step: _Step) -> Any:
    # LiteRT has no error function of its own; this stands within 0.001 of it (Hendrycks 2016).
    z = _before(step)
    below = (1 + ops.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z * z * z))) / 2
    return below + z * ops.exp(-z * z / 2) / np.sqrt(2 * np.pi)


# The derivative of each activation that a recipe can name, by what came out where that
# is enough.
_SLOPES: dict[Any, Callable[[_Step], Any]] = {
    keras.activations.linear: lambda step: ops.ones_like(step.out),
    keras.activations.relu: lambda step: ops.cast(step.out > 0, step.out.dtype),
    keras.activations.relu6: lambda step: ops.cast(
        ops.logical_and(step.out > 0, step.out < 6), step.out.dtype
    ),
    keras.activations.elu: lambda step: ops.where(step.out > 0, 1.0, step.out + 1),
    keras.activations.tanh: lambda step: 1 - step.out * step.out,
    keras.activations.silu: _silu_slope,
    keras.activations.gelu: _gelu_slope,
}
