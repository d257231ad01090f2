"""int8 with some layers left in float32.

Part of the converter's process. The float32 graph is calibrated once; a layer's sensitivity is
what the answers lose when that layer alone computes in 8 bits. Both are measured on training
images, so that validation judges the result without having chosen it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe
from ai_edge_quantizer.algorithm_manager import AlgorithmName
from ai_edge_quantizer.qtyping import TFLOperationName
from numpy.typing import NDArray

from lentigo.errors import InputError, listed

AUTO = "auto"
# Training images on which layers are ranked, and the answers that must stay the same.
_PROBED = 64
_WANTED_AGREEMENT = 0.97
# What computes; the others only move or reshape values. MobileNetV3 is harmed by the sums and
# products of its swish and squeezing more than by its convolutions.
_COMPUTING = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "SUB", "MUL", "MEAN", "SUM"}
    | {"HARD_SWISH", "LOGISTIC", "MINIMUM", "MAXIMUM", "RELU", "RELU6", "AVERAGE_POOL_2D"}
)
# The graph's outputs by their number of dimensions.
_OUTPUTS = {2: "logits", 4: "attention"}
_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Selected:
    """A quantized graph.

    Attributes:
        graph: LiteRT, with uint8 input as the float one has it.
        kept: Names of the layers left in float32.
    """

    graph: bytes
    kept: tuple[str, ...]


class Selective:
    """A float32 graph, calibrated, ready to be quantized with any choice of layers.

    Args:
        graph: LiteRT, uint8 (1, S, S, 3) in, logits and attention out.
        images: Training images (n, S, S, 3) to calibrate on.
    """

    def __init__(self, graph: bytes, images: NDArray[np.uint8]) -> None:
        self._graph, self._images = graph, images
        self._tensors, self._distance = _layers(graph)
        fed = [{"image": image[None]} for image in images]
        with _unworried():
            whole = self._quantizer(())
            self._calibration = whole.calibrate({_SIGNATURE: fed}, num_threads=1)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that compute, in the order of the graph."""
        return tuple(self._tensors)

    def keeping(self, names: Sequence[str]) -> Selected:
        """Quantized, but for the layers whose name holds one of ``names``.

        Raises:
            InputError: A name that no layer has; those that are there are shown.
        """
        unknown = [name for name in names if not any(name in layer for layer in self.layers)]
        if unknown:
            raise InputError(
                f"No layer's name holds {', '.join(unknown)}. The layers of this graph:\n"
                f"{listed(self.layers, shown=len(self.layers))}"
            )
        kept = tuple(layer for layer in self.layers if any(name in layer for name in names))
        return Selected(self._quantized(self._quantizer(kept)), kept)

    def chosen(self) -> Selected:
        """Quantized, but for as few of the most sensitive layers as the answers need.

        Their number doubles until 97% of the training images keep their most probable class;
        where half of the layers do not suffice, that half is kept.
        """
        wanted = _logits(self._graph, self._images)
        ranked, count = self.ranked(), 0
        while True:
            kept = tuple(ranked[:count])
            graph = self._quantized(self._quantizer(kept))
            same = _logits(graph, self._images).argmax(axis=1) == wanted.argmax(axis=1)
            if same.mean() >= _WANTED_AGREEMENT or count >= len(ranked) // 2:
                return Selected(graph, kept)
            count = min(max(1, 2 * count), len(ranked) // 2)

    def ranked(self) -> list[str]:
        """Layers, first the one whose 8 bits alone change the logits most (mean square)."""
        count = min(_PROBED, len(self._images))
        probed = self._images[np.linspace(0, len(self._images) - 1, count).astype(int)]
        wanted = _logits(self._graph, probed)

        def error(layer: str) -> float:
            alone = quantizer.Quantizer(bytearray(self._graph))
            alone.add_static_config(
                regex=self._pattern(layer),
                operation_name=TFLOperationName.ALL_SUPPORTED,
                activation_num_bits=8,
                weight_num_bits=8,
            )
            _leave_answers(alone)
            return float(((_logits(self._quantized(alone), probed) - wanted) ** 2).mean())

        return sorted(self.layers, key=error, reverse=True)

    def _quantizer(self, kept: Sequence[str]) -> Any:
        made = quantizer.Quantizer(bytearray(self._graph), recipe.static_wi8_ai8())
        _leave_answers(made)
        # The distance is a small difference of large sums, which 256 steps cannot tell apart.
        untouched = [_exactly(each) for each in self._distance]
        for pattern in [*untouched, *(self._pattern(layer) for layer in kept)]:
            made.update_quantization_recipe(
                pattern,
                TFLOperationName.ALL_SUPPORTED,
                algorithm_key=AlgorithmName.NO_QUANTIZE,
            )
        return made

    def _quantized(self, made: Any) -> bytes:
        with _unworried():
            result = made.quantize(
                self._calibration, enable_progress_bar=False, enable_progress_report=False
            )
        return bytes(result.quantized_model)

    def _pattern(self, layer: str) -> str:
        return "|".join(f".*{re.escape(each)}.*" for each in self._tensors[layer])


def _leave_answers(made: Any) -> None:
    """Answers leave the graph as float32, whatever computed them."""
    made.update_quantization_recipe(
        ".*", TFLOperationName.OUTPUT, algorithm_key=AlgorithmName.NO_QUANTIZE
    )


@contextmanager
def _unworried() -> Iterator[None]:
    """Without LiteRT's warning of the memory that keeping every tensor takes, as it must here."""
    # A layer whose range is no number cannot be quantized; it is ranked first.
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", UserWarning)
        yield


def _exactly(tensor: str) -> str:
    """A pattern for the operation that gives a tensor, and for none whose name holds its name."""
    return f"^{re.escape(tensor)};?$"


def _layers(graph: bytes) -> tuple[dict[str, list[str]], list[str]]:
    """What may be quantized, and what may not.

    Returns:
        Layers that compute, by a readable name: the tensors that the operations of each give.
        And the tensors of those operations that serve nothing but the distance from the
        training images.
    """
    interpreter = Interpreter(model_content=graph)
    tensors = {each["index"]: each for each in interpreter.get_tensor_details()}
    ends = {each["index"]: len(each["shape"]) for each in interpreter.get_output_details()}
    # Lists outputs and inputs of operations in the order of the graph.
    operations = interpreter._get_ops_details()  # noqa: SLF001 - listed nowhere else
    distance = _serving_only({index for index, rank in ends.items() if rank == 1}, operations, ends)
    found: dict[str, list[str]] = {}
    for operation in operations:
        index = operation["outputs"][0]
        if operation["op_name"] in _COMPUTING and index not in distance:
            tensor = tensors[index]["name"]
            name = _OUTPUTS[ends[index]] if index in ends else _short(tensor)
            found.setdefault(name, []).append(tensor)
    return found, [tensors[index]["name"] for index in sorted(distance)]


def _serving_only(
    wanted: set[int], operations: Sequence[dict[str, Any]], ends: Mapping[int, int]
) -> set[int]:
    """What operations give that goes into nothing but ``wanted``, itself included."""
    found = set(wanted)
    for operation in reversed(operations):
        for index in operation["outputs"]:
            takers = [each for each in operations if index in each["inputs"]]
            if index not in ends and all(found.issuperset(each["outputs"]) for each in takers):
                found.add(int(index))
    return found


def _short(tensor: str) -> str:
    """The layer in a fused name such as ``backbone_2/Conv1_relu_1/Relu6;backbone_2/...``."""
    first = tensor.partition(";")[0]
    return re.sub(r"^backbone_\d+/", "", first).partition("/")[0]


def _logits(graph: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits (n, k) of images (n, S, S, 3)."""
    interpreter = Interpreter(model_content=graph, num_threads=1)
    interpreter.allocate_tensors()
    (taken,) = interpreter.get_input_details()
    (given,) = [each for each in interpreter.get_output_details() if len(each["shape"]) == 2]
    answers = []
    for image in images:
        interpreter.set_tensor(taken["index"], image[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(given["index"])[0].copy())
    return np.stack(answers)
