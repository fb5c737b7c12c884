"""The text tower for browsers: the ONNX graph of a checkpoint with its encoder in 8-bit integers, in one file."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors_clac import ClacInputError
from ..inference.checkpoints import Checkpoint
from ..inference.onnx_text_tower import ONNX_FILE

# Matrices of the encoder and its embeddings, which take most of the space. The layers behind it keep their precision.
_QUANTIZED, _MIN_SIZE = "model.text_model.", 10_000
# Weights that share a scale.
BLOCK = 16


def quantized_tower(checkpoint: Checkpoint) -> bytes:
    """
    Return the text tower with 8-bit weights.

    Each block of 16 weights of a row has a scale of its own: w ≈ scale · q with q from −127 to 127. Only weights are
    rounded; activations stay in float32.

    Args:
        checkpoint: A checkpoint with an ONNX graph, see `train.onnx_export`.

    Returns:
        A serialized ONNX model without external data.

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
        name, large = tensor.name, array.ndim == 2 and array.size >= _MIN_SIZE and array.shape[1] % BLOCK == 0
        if array.dtype.kind != "f" or not large or not name.startswith(_QUANTIZED):
            tensor.CopyFrom(numpy_helper.from_array(array, name))
            continue
        graph.initializer.remove(tensor)
        readers = [node for node in graph.node if name in node.input]
        # The exporter converts a matrix from float16, or looks up its rows.
        replace = _look_up if readers[0].op_type == "Gather" else _convert
        for reader in readers:
            replace(graph, name, array.astype(np.float32), reader)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _blocks(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integers `(rows, columns)` and scales `(rows, columns / BLOCK)` of a matrix."""
    blocks = array.reshape(len(array), -1, BLOCK)
    scales = np.maximum(np.abs(blocks).max(axis=2), 1e-6).astype(np.float16) / np.float16(127)
    integers = np.rint(blocks / scales.astype(np.float32)[..., None]).clip(-127, 127)
    return integers.astype(np.int8).reshape(array.shape), scales


def _insert(graph: Any, place: int, nodes: list[tuple[Any, ...]], constants: dict[str, np.ndarray]) -> None:
    from onnx import helper, numpy_helper

    known = {tensor.name for tensor in graph.initializer}
    graph.initializer.extend(
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name not in known]
    )
    for step, (kind, inputs, output, options) in enumerate(nodes):
        graph.node.insert(place + step, helper.make_node(kind, inputs, [output], **options))


def _convert(graph: Any, name: str, array: np.ndarray, reader: Any) -> None:
    """Put a conversion from integers in the place of that from float16."""
    integers, scales = _blocks(array)
    target = reader.output[0]
    graph.node.remove(reader)
    nodes = [
        ("Cast", [f"{name}.scales"], f"{name}.s", {"to": 1}),
        ("DequantizeLinear", [f"{name}.integers", f"{name}.s"], f"{name}.blocks", {"axis": 0}),
        ("Reshape", [f"{name}.blocks", f"{name}.shape"], target, {}),
    ]
    constants = {
        f"{name}.integers": integers.reshape(-1, BLOCK),
        f"{name}.scales": scales.reshape(-1),
        f"{name}.shape": np.array(array.shape, dtype=np.int64),
    }
    _insert(graph, 0, nodes, constants)


def _look_up(graph: Any, name: str, array: np.ndarray, reader: Any) -> None:
    """Look up rows of integers and their scales, so that only these rows are converted."""
    integers, scales = _blocks(array)
    index, found = reader.input[1], reader.output[0]
    place, target = list(graph.node).index(reader), found
    graph.node.remove(reader)
    for cast in [node for node in graph.node if node.op_type == "Cast" and found in node.input]:
        target = cast.output[0]
        graph.node.remove(cast)
    nodes = [
        ("Gather", [f"{name}.integers", index], f"{found}.i", {}),
        ("Cast", [f"{found}.i"], f"{found}.f", {"to": 1}),
        ("Reshape", [f"{found}.f", f"{name}.by_block"], f"{found}.b", {}),
        ("Gather", [f"{name}.scales", index], f"{found}.h", {}),
        ("Cast", [f"{found}.h"], f"{found}.s", {"to": 1}),
        ("Unsqueeze", [f"{found}.s", f"{name}.last"], f"{found}.u", {}),
        ("Mul", [f"{found}.b", f"{found}.u"], f"{found}.m", {}),
        ("Reshape", [f"{found}.m", f"{name}.by_row"], target, {}),
    ]
    constants = {
        f"{name}.integers": integers,
        f"{name}.scales": scales,
        f"{name}.by_block": np.array([0, 0, scales.shape[1], BLOCK], dtype=np.int64),
        f"{name}.by_row": np.array([0, 0, array.shape[1]], dtype=np.int64),
        f"{name}.last": np.array([-1], dtype=np.int64),
    }
    _insert(graph, place, nodes, constants)


__all__ = ["BLOCK", "quantized_tower"]
