"""float16 graphs whose biases stay in float32.

TensorFlow's converter rounds every constant. A bias is added to a sum of hundreds of products,
so its rounding shifts a whole channel on every image; all biases together are 1.5% of a graph.
Part of the converter's process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils


def with_whole_biases(half: bytes, whole: bytes) -> bytes:
    """The float16 graph with the vectors of the float32 one.

    Args:
        half: LiteRT, its constants in float16, each turned into float32 by an operation.
        whole: The same network in float32, from the same converter, so that most names agree.

    Returns:
        ``half`` with every vector (one dimension) in float32, without its operation.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(half))
    other = flatbuffer_utils.read_model_from_bytearray(bytearray(whole))
    known = {tensor.name: tensor for tensor in other.subgraphs[0].tensors}
    graph = model.subgraphs[0]
    codes = [each.builtinCode for each in model.operatorCodes]
    kept = []
    for operator in graph.operators:
        if codes[operator.opcodeIndex] != schema.BuiltinOperator.DEQUANTIZE:
            kept.append(operator)
            continue
        source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
        exact = known.get(source.name)
        data = None if exact is None else other.buffers[exact.buffer].data
        rounded = model.buffers[source.buffer].data
        if len(source.shape) != 1 or data is None or not _agree(rounded, data):
            kept.append(operator)
            continue
        buffer = schema.BufferT()
        buffer.data = data
        model.buffers.append(buffer)
        target.buffer = len(model.buffers) - 1
        model.buffers[source.buffer].data = None
    graph.operators = kept
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _agree(half: Any, whole: Any) -> bool:
    """Whether bytes of float16 are the rounded float32 ones.

    Constants that several layers share have numbers for names, which differ between graphs.
    """
    rounded, exact = np.frombuffer(bytes(half), np.float16), np.frombuffer(bytes(whole), np.float32)
    return rounded.shape == exact.shape and np.allclose(rounded, exact, rtol=1e-3, atol=1e-6)
