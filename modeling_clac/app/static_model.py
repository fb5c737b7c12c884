"""The text tower for browsers: the ONNX graph of a checkpoint with rounded weights, in one file that packs well."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors_clac import ClacInputError
from ..inference.checkpoints import Checkpoint
from ..inference.onnx_text_tower import ONNX_FILE

_MIN_SIZE = 10_000
# Steps of the rounding in a standard deviation of a row. A word is looked up once, so its rounding matters less than
# that of a matrix, and the table of words is half of the weights.
_STEPS_OF_TABLE, _STEPS_OF_MATRIX = 64, 200
# Name of the constant 256, the value of a high byte.
_HIGH = "high"


def quantized_tower(checkpoint: Checkpoint) -> bytes:
    """
    Return the text tower with weights that take 9 to 11 bits after compression, instead of 16.

    Each row of a matrix has a scale of its own: w ≈ scale · q with whole numbers q, which are stored as two bytes in
    two tensors. The tensor of the high bytes is nearly empty, so that a compressed file hardly has it. Only weights
    are rounded; activations stay in float32.

    Args:
        checkpoint: A checkpoint with an ONNX graph, see `train.onnx_export`.

    Returns:
        A serialized ONNX model without external data, to be compressed.

    Raises:
        ClacInputError: If the checkpoint has no graph, or `onnx` is not installed.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise ClacInputError("the static page needs the package onnx; pip install 'clac-crystals[app]'") from None
    path = checkpoint.file(ONNX_FILE)
    if path is None:
        raise ClacInputError(
            f"{checkpoint}: no {ONNX_FILE}; write it with `python -m train.onnx_export --checkpoint DIR`"
        )
    model = onnx.load(str(path))  # with the weights, which are in another file
    graph = model.graph
    for tensor in list(graph.initializer):
        array = numpy_helper.to_array(tensor)
        name = tensor.name
        readers = [node for node in graph.node if name in node.input]
        # The exporter converts a matrix from float16, or looks up its rows.
        replace = {"Cast": _convert, "Gather": _look_up}.get(readers[0].op_type) if readers else None
        if array.dtype != np.float16 or array.ndim != 2 or array.size < _MIN_SIZE or replace is None:
            tensor.CopyFrom(numpy_helper.from_array(array, name))
            continue
        graph.initializer.remove(tensor)
        steps = _STEPS_OF_MATRIX if replace is _convert else _STEPS_OF_TABLE
        constants = _constants(name, array.astype(np.float32), steps)
        graph.initializer.extend([numpy_helper.from_array(value, key) for key, value in constants.items()])
        for reader in readers:
            replace(graph, name, reader)
    graph.initializer.append(numpy_helper.from_array(np.array(256, dtype=np.float32), _HIGH))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def two_bytes(integers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Split whole numbers from −32,640 to 32,639 into two bytes: number = 256 · high + low.

    Both bytes have signs, so that the high byte of a number near 0 is 0, which compresses well.

    Args:
        integers: Whole numbers of any shape.

    Returns:
        The low and the high bytes, int8 of the same shape.
    """
    high = np.floor_divide(integers + 128, 256)
    return (integers - 256 * high).astype(np.int8), high.astype(np.int8)


def _constants(name: str, array: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    """The bytes of a matrix `(rows, columns)` and its scales `(rows, 1)`."""
    # A row of zeros, such as that of padding, has no deviation.
    scales = np.maximum(array.std(axis=1, keepdims=True), 1e-6) / steps
    low, high = two_bytes(np.rint(array / scales).clip(-32_640, 32_639).astype(np.int32))
    return {f"{name}.low": low, f"{name}.high": high, f"{name}.scales": scales.astype(np.float32)}


def _convert(graph: Any, name: str, reader: Any) -> None:
    """Put the conversion from bytes in the place of that from float16."""
    target = reader.output[0]
    graph.node.remove(reader)
    _insert(graph, 0, name, [f"{name}.low", f"{name}.high", f"{name}.scales"], target)


def _look_up(graph: Any, name: str, reader: Any) -> None:
    """Look up rows of the bytes and their scales, so that only these rows are converted."""
    from onnx import helper

    index, found = reader.input[1], reader.output[0]
    place, target = list(graph.node).index(reader), found
    graph.node.remove(reader)
    for cast in [node for node in graph.node if node.op_type == "Cast" and found in node.input]:
        target = cast.output[0]
        graph.node.remove(cast)
    rows = [f"{found}.{part}" for part in ("low", "high", "scales")]
    _insert(graph, place, found, rows, target)
    for part, row in zip(("low", "high", "scales"), rows, strict=True):
        graph.node.insert(place, helper.make_node("Gather", [f"{name}.{part}", index], [row]))


def _insert(graph: Any, place: int, name: str, inputs: list[str], target: str) -> None:
    """Insert nodes that compute scales · (256 · high + low)."""
    from onnx import TensorProto, helper

    low, high, scales = inputs
    nodes: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Cast", [low], f"{name}.l", {"to": TensorProto.FLOAT}),
        ("Cast", [high], f"{name}.h", {"to": TensorProto.FLOAT}),
        ("Mul", [f"{name}.h", _HIGH], f"{name}.m", {}),
        ("Add", [f"{name}.l", f"{name}.m"], f"{name}.q", {}),
        ("Mul", [f"{name}.q", scales], target, {}),
    ]
    for step, (kind, given, output, options) in enumerate(nodes):
        graph.node.insert(place + step, helper.make_node(kind, given, [output], **options))


__all__ = ["quantized_tower", "two_bytes"]
