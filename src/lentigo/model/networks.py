"""The backbones, and the scaling each was trained with.

Parameter counts without the top are those of ``keras.applications``; a test holds them.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras

from lentigo.errors import RecipeError, WeightsError
from lentigo.recipe import NAMED_WEIGHTS

Scaling = Literal["minus-one-to-one", "inside", "bgr-minus-mean"]


@dataclass(frozen=True)
class NetworkEntry:
    """A backbone of the registry.

    Attributes:
        name: The key in recipes.
        build: The ``keras.applications`` function.
        scaling: What it expects: RGB in [-1, 1], RGB in [0, 255] (it scales inside), or
            BGR minus the ImageNet mean.
        widths: Width multipliers with ImageNet weights; empty where Keras has none.
        smallest: Smallest side in pixels.
    """

    name: str
    build: Callable[..., keras.Model]
    scaling: Scaling
    widths: tuple[float, ...] = ()
    smallest: int = 32


_V2_WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_apps = keras.applications

NETWORKS: dict[str, NetworkEntry] = {
    entry.name: entry
    for entry in (
        NetworkEntry("MobileNet", _apps.MobileNet, "minus-one-to-one", (0.25, 0.5, 0.75, 1.0)),
        NetworkEntry("MobileNetV2", _apps.MobileNetV2, "minus-one-to-one", _V2_WIDTHS),
        NetworkEntry("MobileNetV3Small", _apps.MobileNetV3Small, "inside", (0.75, 1.0)),
        NetworkEntry("MobileNetV3Large", _apps.MobileNetV3Large, "inside", (0.75, 1.0)),
        NetworkEntry("NASNetMobile", _apps.NASNetMobile, "minus-one-to-one"),
        NetworkEntry("EfficientNetV2B0", _apps.EfficientNetV2B0, "inside"),
        NetworkEntry("ResNet50", _apps.ResNet50, "bgr-minus-mean"),
        NetworkEntry("VGG16", _apps.VGG16, "bgr-minus-mean"),
        NetworkEntry("VGG19", _apps.VGG19, "bgr-minus-mean"),
        NetworkEntry("InceptionV3", _apps.InceptionV3, "minus-one-to-one", smallest=75),
    )
}


@keras.saving.register_keras_serializable(package="lentigo")
class BgrMinusMean(keras.layers.Layer):
    """RGB in [0, 255] to BGR minus the ImageNet mean, as ResNet50 and VGG were trained."""

    def call(self, images: Any) -> Any:
        """Scale ``images`` (B, H, W, 3)."""
        mean = keras.ops.convert_to_tensor([103.939, 116.779, 123.68], dtype=self.compute_dtype)
        return keras.ops.flip(keras.ops.cast(images, self.compute_dtype), axis=-1) - mean


def scaling_layer(scaling: Scaling) -> keras.layers.Layer:
    """The layer named ``scaling`` that stands before a backbone; float32 in all precisions."""
    if scaling == "bgr-minus-mean":
        return BgrMinusMean(name="scaling", dtype="float32")
    factor, offset = (1 / 127.5, -1.0) if scaling == "minus-one-to-one" else (1.0, 0.0)
    return keras.layers.Rescaling(factor, offset, name="scaling", dtype="float32")


def build_backbone(
    name: str, *, size: int, alpha: float = 1.0, weights: str = "imagenet"
) -> tuple[keras.Model, Scaling]:
    """A backbone without top, named ``backbone``, and the scaling it expects.

    Args:
        name: An entry of `NETWORKS`, or ``module:function``: called with ``input_shape``
            and ``alpha``, it returns a model from images in [-1, 1] to a feature map.
        size: Side of the square input in pixels.
        alpha: Width multiplier.
        weights: ``imagenet``, ``none``, a path to weights without top, or to a classifier that
            lentigo saved (``.keras``), of which the backbone is taken.

    Raises:
        RecipeError: No such network, width or size.
        WeightsError: Weights that cannot be had or do not fit.
    """
    if ":" in name:
        backbone, scaling = _own_network(name, size, alpha), "minus-one-to-one"
        if weights == "imagenet":
            raise WeightsError(f"{name} has no ImageNet weights.", todo="Give a path or 'none'.")
    else:
        backbone, scaling = _registered(name, size, alpha, weights)
    if weights not in NAMED_WEIGHTS:
        _load(backbone, Path(weights))
    backbone.name = "backbone"
    return backbone, scaling  # type: ignore[return-value]


def _registered(name: str, size: int, alpha: float, weights: str) -> tuple[keras.Model, Scaling]:
    entry = NETWORKS.get(name)
    if entry is None:
        raise RecipeError(
            f"There is no network {name!r}.",
            todo=f"Known: {', '.join(NETWORKS)}; or name your own as module:function.",
        )
    if size < entry.smallest:
        raise RecipeError(f"{name} needs at least {entry.smallest} pixels a side, not {size}.")
    options: dict[str, Any] = {"include_top": False, "input_shape": (size, size, 3)}
    if entry.widths:
        options["alpha"] = alpha
    elif alpha != 1.0:
        raise RecipeError(f"{name} has no width multiplier; network.alpha must be 1.0.")
    if weights == "imagenet" and entry.widths and alpha not in entry.widths:
        raise WeightsError(
            f"There are no ImageNet weights for {name} with alpha {alpha}.",
            todo=f"Widths with weights: {entry.widths}; or network.weights = 'none'.",
        )
    with _weights_errors(name):
        source = "imagenet" if weights == "imagenet" else None
        return entry.build(weights=source, **options), entry.scaling


def _own_network(name: str, size: int, alpha: float) -> keras.Model:
    module_name, _, function_name = name.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise RecipeError(
            f"network.name = {name!r} cannot be imported: {error}",
            todo="Write module:function, with the module on Python's path.",
        ) from None
    try:
        backbone = function(input_shape=(size, size, 3), alpha=alpha)
    except Exception as error:
        raise RecipeError(
            f"{name} failed: {error}",
            todo="It is called with input_shape=(size, size, 3) and alpha, and returns a model.",
        ) from error
    if not isinstance(backbone, keras.Model) or len(backbone.output_shape) != 4:
        raise RecipeError(f"{name} must return a keras.Model with a feature map (B, h, w, C).")
    return backbone


@contextmanager
def _weights_errors(name: str) -> Any:
    try:
        # Keras writes of its download to stdout, where results stand.
        with redirect_stdout(sys.stderr):
            yield
    except Exception as error:
        match = re.search(r"https?://\S+", str(error))
        if match is None:
            raise
        origin = match.group(0).rstrip(".:,")
        home = os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")
        folder = Path(home) / "models"
        raise WeightsError(
            f"The ImageNet weights of {name} could not be fetched: {Path(origin).name}, "
            f"from {origin}.",
            todo=f"Put the file into {folder}, or train with --set network.weights=PATH "
            "(weights without top) or network.weights=none.",
        ) from None


def _load(backbone: keras.Model, path: Path) -> None:
    if path.suffix == ".keras":
        _copy(backbone, path)
        return
    if not path.is_file():
        raise WeightsError(f"The weights {path} do not exist.", todo="Check network.weights.")
    try:
        with warnings.catch_warnings():
            # Keras warns and leaves layers as they were where a file does not fit.
            warnings.simplefilter("error", UserWarning)
            backbone.load_weights(path)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path} does not fit this network: {reason}",
            todo="It must hold weights without top, of the same network and width.",
        ) from None


def _copy(backbone: keras.Model, path: Path) -> None:
    """The backbone's weights of a whole classifier that lentigo saved."""
    try:
        classifier = keras.saving.load_model(path, compile=False)
        backbone.set_weights(_find(classifier, "backbone").get_weights())
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path} does not fit this network: {reason}",
            todo="It must be a classifier with the same network and width.",
        ) from None


def _find(model: keras.Model, name: str) -> keras.Model:
    """The layer ``name`` of a model or of one that it wraps.

    Raises:
        KeyError: There is none.
    """
    for layer in model.layers:
        if layer.name == name:
            return layer
        if isinstance(layer, keras.Model):
            with suppress(KeyError):
                return _find(layer, name)
    raise KeyError(f"it has no layer {name}")


def batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Every batch-norm layer of a model, nested ones too, in order."""
    found: list[keras.layers.BatchNormalization] = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found += batch_norms(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            found.append(layer)
    return found
