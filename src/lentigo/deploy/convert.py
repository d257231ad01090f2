"""The converter: ``python -m lentigo.deploy.convert JOB.json...``, started by ``lentigo export``.

With ``biases`` the only module that imports TensorFlow. It wraps a run's model so that it takes
one uint8 image and gives logits, an attention map and, where it is told what training images look
like, how unlike them the image is; and writes it as a LiteRT graph of built-in operations only.
"""

from __future__ import annotations

import functools
import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lentigo.start import import_keras

import_keras()  # before the rest imports it

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from lentigo.deploy.biases import with_whole_biases
from lentigo.deploy.job import ConversionJob, ConversionResult
from lentigo.deploy.rounding import absorb_rounding
from lentigo.errors import LentigoError, MissingExtraError
from lentigo.files import read_json, write_bytes, write_json

# Importing lentigo.model also registers every layer of its own that a saved model may hold.
from lentigo.model import Anatomy, Sight, dissect
from lentigo.score.familiarity import Subspace, from_arrays

_CLOSE = 1e-3

Serve = Callable[[Any], dict[str, Any]]


def convert(job: ConversionJob) -> None:
    """Write the graph and the result that ``job`` asks for.

    Raises:
        LentigoError: A model of another make, or int8 without images.
    """
    if keras.backend.backend() != "tensorflow":
        raise LentigoError(
            f"The converter runs on the TensorFlow backend, not on {keras.backend.backend()}.",
            todo="Start it with KERAS_BACKEND=tensorflow.",
        )
    for module in job.modules:
        importlib.import_module(module)
    model = keras.saving.load_model(job.model, compile=False)
    in_float32(model)
    anatomy = dissect(model, None if job.sight is None else Sight(*job.sight))
    serve = _serving(anatomy, job.subspaces)
    size = model.input_shape[1]
    _check_wrapping(model, serve, size)
    images = None if job.representative is None else np.load(job.representative, mmap_mode="r")
    if job.quantization == "float16" and images is not None:
        absorb_rounding(anatomy.trunk, images)
    kept: tuple[str, ...] = ()
    if job.keep_float and images is not None:
        graph, kept = _selected(_graph(serve, size, "float32", None), images, job.keep_float)
    else:
        graph = _graph(serve, size, job.quantization, images)
    if job.quantization == "float16":
        graph = with_whole_biases(graph, _graph(serve, size, "float32", None))
    write_bytes(job.graph, graph)
    result = ConversionResult(attention=anatomy.kind, tensorflow=tf.__version__, kept_float=kept)
    write_json(job.result, result.model_dump(mode="json"))


def in_float32(model: keras.Model) -> None:
    """Make every layer, nested ones too, compute in float32; mixed precision is for training."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            in_float32(layer)
        elif layer.dtype_policy.compute_dtype != layer.dtype_policy.variable_dtype:
            layer.dtype_policy = keras.DTypePolicy("float32")


def _serving(anatomy: Anatomy, subspaces: Path | None) -> Serve:
    """From images (B, S, S, 3) uint8 to the named outputs, which differ in their ranks."""
    spaces = () if subspaces is None else from_arrays(np.load(subspaces))

    def serve(image: Any) -> dict[str, Any]:
        seen = anatomy.see(tf.cast(image, tf.float32))
        outputs = {"logits": seen.logits, "attention": seen.maps}
        if spaces:
            outputs["unfamiliarity"] = distance_from(seen.levels, spaces)
        return outputs

    return serve


def distance_from(levels: Sequence[Any], subspaces: Sequence[Subspace]) -> Any:
    """Tensor (B,) of ``lentigo.score.familiarity.unfamiliarity`` of levels (B, C) each."""
    far = []
    for features, space in zip(levels, subspaces, strict=True):
        off = features - tf.constant(space.mean, tf.float32)
        inside = tf.matmul(off, tf.constant(space.axes, tf.float32))
        left = tf.reduce_sum(off * off, axis=1) - tf.reduce_sum(inside * inside, axis=1)
        far.append(tf.sqrt(tf.maximum(left, 0.0)) / space.reach)
    return functools.reduce(tf.maximum, far)


def _check_wrapping(model: keras.Model, serve: Serve, size: int) -> None:
    """A model whose layers branch would come out wrong without a word, so compare once."""
    image = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    wanted = model(image.astype(np.float32), training=False).numpy()
    got = serve(tf.constant(image))["logits"].numpy()
    if not np.allclose(got, wanted, rtol=_CLOSE, atol=_CLOSE):
        raise LentigoError("The model is not a chain of scaling, backbone and head.")


def _graph(
    serve: Serve,
    size: int,
    quantization: str,
    images: NDArray[np.uint8] | None,
) -> bytes:
    # A static batch of 1: LiteRT.js refuses a dynamic one.
    signature = [tf.TensorSpec((1, size, size, 3), tf.uint8, name="image")]
    traced = tf.function(serve, input_signature=signature).get_concrete_function()
    # Keras variables reach a saved model as resources, which int8 calibration cannot read.
    frozen = convert_variables_to_constants_v2(traced)

    names = sorted(traced.structured_outputs)

    def named(image: Any) -> dict[str, Any]:
        # Frozen, the outputs are a list in the order of their names.
        return dict(zip(names, frozen(image), strict=True))

    module = tf.Module()
    module.serve = tf.function(named, input_signature=signature)
    with tempfile.TemporaryDirectory(prefix="lentigo-saved-") as folder:
        tf.saved_model.save(
            module,
            folder,
            signatures={"serving_default": module.serve},
            # Swish has one, which does not outlive the freezing; nobody trains a graph.
            options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        _choose(converter, quantization, images)
        return bytes(converter.convert())


def _selected(
    graph: bytes, images: NDArray[np.uint8], keep: tuple[str, ...]
) -> tuple[bytes, tuple[str, ...]]:
    try:
        from lentigo.deploy.selective import AUTO, Selective  # noqa: PLC0415 - for this alone
    except ImportError:
        raise MissingExtraError(
            "To keep layers in float, ai-edge-quantizer is needed.",
            todo="pip install 'lentigo[quantize]'",
        ) from None
    selective = Selective(graph, np.asarray(images))
    selected = selective.chosen() if keep == (AUTO,) else selective.keeping(keep)
    return selected.graph, selected.kept


def _choose(converter: Any, quantization: str, images: NDArray[np.uint8] | None) -> None:
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization == "float32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        if images is None:
            raise LentigoError("int8 is calibrated on training images, and none were given.")

        def representative() -> Iterator[list[NDArray[np.uint8]]]:
            for image in images:
                yield [image[None]]

        converter.representative_dataset = representative


def main(arguments: list[str]) -> int:
    """Convert what the job files name; 2 and the reason on stderr where one is refused."""
    try:
        for argument in arguments:
            convert(ConversionJob.model_validate(read_json(Path(argument))))
    except LentigoError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
