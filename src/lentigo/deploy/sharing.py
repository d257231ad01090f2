"""Graphs that hold each dense kernel once.

Grad-CAM takes a hidden layer's kernel a second time, the other way round, and the converter
writes it a second time: 4 MB of a head with 1024 units. A product of matrices reads the same
constant as it lies. Part of the converter's process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

_FLOATS = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.FLOAT16: np.float16}


def with_shared_kernels(graph: bytes) -> bytes:
    """The same network, each float kernel stored once.

    Args:
        graph: LiteRT in any precision; kernels in 8 bits are rounded channel by channel, so
            that one the other way round is another kernel, and stay as they are.

    Returns:
        ``graph`` with a dense layer whose kernel is the transpose of an earlier one's as a
        product with that earlier kernel.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(graph))
    subgraph = model.subgraphs[0]
    codes = [each.builtinCode for each in model.operatorCodes]
    sources: dict[int, int] = {}  # what a constant in half precision is turned into, and whence
    seen: dict[tuple[tuple[int, ...], bytes], int] = {}
    spare = set()
    for operator in subgraph.operators:
        code = codes[operator.opcodeIndex]
        if code == schema.BuiltinOperator.DEQUANTIZE:
            sources[operator.outputs[0]] = operator.inputs[0]
        if code != schema.BuiltinOperator.FULLY_CONNECTED:
            continue
        at = operator.inputs[1]
        kernel = _constant(model, sources.get(at, at))
        if kernel is None:
            continue
        earlier = seen.get((kernel.shape[::-1], kernel.T.tobytes()))
        if earlier is None or not _is_plain(operator, subgraph.tensors):
            seen[kernel.shape, kernel.tobytes()] = at
            continue
        _multiply(model, operator, earlier)
        spare.add(at)
    _drop(model, spare, sources)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)) if spare else graph


def _constant(model: Any, at: int) -> NDArray[Any] | None:
    """A float matrix that the graph carries; None for any other tensor."""
    tensor = model.subgraphs[0].tensors[at]
    data = model.buffers[tensor.buffer].data
    if tensor.type not in _FLOATS or data is None or len(tensor.shape) != 2:
        return None
    return np.frombuffer(bytes(data), _FLOATS[tensor.type]).reshape(tensor.shape)


def _is_plain(operator: Any, tensors: Any) -> bool:
    """Whether a dense layer is a product of matrices and nothing else."""
    given, made = (tensors[each].shape for each in (operator.inputs[0], operator.outputs[0]))
    return (
        all(each < 0 for each in operator.inputs[2:])
        and operator.builtinOptions.fusedActivationFunction == 0
        and len(given) == len(made)
    )


def _multiply(model: Any, operator: Any, kernel: int) -> None:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.BATCH_MATMUL
    code.version = 1
    model.operatorCodes.append(code)
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs = [operator.inputs[0], kernel]
    operator.builtinOptionsType = schema.BuiltinOptions.BatchMatMulOptions
    operator.builtinOptions = schema.BatchMatMulOptionsT()


def _drop(model: Any, spare: set[int], sources: dict[int, int]) -> None:
    """Empty constants that nothing reads any more, and leave out what made them whole."""
    subgraph = model.subgraphs[0]
    unread = spare - _read(subgraph)
    subgraph.operators = [each for each in subgraph.operators if each.outputs[0] not in unread]
    kept = {subgraph.tensors[each].buffer for each in _read(subgraph)}
    for at in unread | {sources[each] for each in unread if each in sources}:
        if (buffer := subgraph.tensors[at].buffer) not in kept:
            model.buffers[buffer].data = None


def _read(subgraph: Any) -> set[int]:
    """The tensors that operators take."""
    return {each for operator in subgraph.operators for each in operator.inputs if each >= 0}
