"""
Export the text tower of a checkpoint to ONNX, so that `clac search` runs without torch.

    python -m train.onnx_export --checkpoint DIR

`train.export` also does this. The graph refers to the weights in `model.safetensors` instead of holding a copy, so it
adds only about 100 kB to a checkpoint.
"""

from __future__ import annotations

import json
import logging
import struct
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modeling_clac import ClacModel
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.inference.onnx_text_tower import FINGERPRINT, INPUTS, ONNX_FILE, OUTPUT, WEIGHTS_FILE
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.atomic_files import replaced_file


@dataclass
class OnnxExportArguments:
    """Arguments of the export to ONNX."""

    checkpoint: str = field(
        metadata={"help": "Directory of a checkpoint with both towers; the graph is written into it."}
    )


# Prefix of the weight names inside the exported wrapper.
_PREFIX = "model."


class _TextTower(nn.Module):
    """The text tower with positional inputs and a single output, the unit vectors of the texts."""

    def __init__(self, model: ClacModel):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_kinds: Tensor, token_values: Tensor) -> Any:
        output = self.model.get_text_features(
            input_ids, attention_mask, token_kinds=token_kinds, token_values=token_values, return_dict=True
        )
        return output.pooler_output


def export_text_tower(model: ClacModel, directory: Path) -> Path:
    """
    Write the text tower as `text_model.onnx` into a saved checkpoint.

    Args:
        model: The model, in float32.
        directory: Directory that `save_pretrained` wrote; `model.safetensors` may be in float16.

    Returns:
        The ONNX file.

    Raises:
        ClacInputError: A package for the export is missing, or the weights are not in one file.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  torch needs it for the export
    except ImportError:
        raise ClacInputError("the export to ONNX needs two more packages; pip install onnx onnxscript") from None
    weights = directory / WEIGHTS_FILE
    if not weights.is_file():
        raise ClacInputError(f"{directory}: no {WEIGHTS_FILE}; ONNX export needs the weights in one file")
    # torch logs every optional package that is not installed.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    training = model.training
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _TextTower(model.eval()).eval(),
            _example(model),
            dynamo=True,
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_shapes=tuple({0: "batch", 1: "length"} for _ in INPUTS),
            # Folding transposes would copy the weights; onnxruntime does it when it loads them.
            optimize=False,
            external_data=False,
            verbose=False,
        )
    model.train(training)
    assert program is not None
    graph = program.model_proto
    _drop_idle_transposes(graph.graph)
    _point_to_weights(graph, weights)
    _drop_debugging_metadata(graph)
    graph.metadata_props.add(key=FINGERPRINT, value=Checkpoint(str(directory)).fingerprint)
    path = directory / ONNX_FILE
    with replaced_file(path) as new:
        new.write_bytes(graph.SerializeToString())
    onnx.checker.check_model(str(path))
    return path


def _example(model: ClacModel) -> tuple[Tensor, ...]:
    """Build an input that covers every path: two texts of unequal length with elements, a number and a density."""
    ids = torch.ones(2, 8, dtype=torch.int64)
    mask = torch.ones(2, 8, dtype=torch.int64)
    mask[1, 6:] = 0
    kinds = torch.tensor([[0, 3, 8, 119, 120, 0, 0, 0], [0, 11, 17, 119, 120, 0, 0, 0]])
    values = torch.tensor([[0, 2 / 3, 1 / 3, 5.1, 4.03, 0, 0, 0], [0, 0.5, 0.5, -2.0, 1.2, 0, 0, 0]])
    return ids, mask, kinds, values


def _drop_idle_transposes(graph: Any) -> None:
    """Remove transposes that keep the order of the axes: onnxruntime before 1.30 swaps the axes of some of them."""
    sources: dict[str, str] = {}
    for node in list(graph.node):
        for place, name in enumerate(node.input):
            node.input[place] = sources.get(name, name)
        orders = [list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"]
        if node.op_type == "Transpose" and orders and orders[0] == sorted(orders[0]):
            sources[node.output[0]] = node.input[0]
            graph.node.remove(node)
    for output in graph.output:
        assert output.name not in sources


def _point_to_weights(model: Any, weights: Path) -> None:
    """Replace the weights in a graph by references to a safetensors file in the same directory."""
    from onnx import TensorProto, helper

    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    types = {"F32": TensorProto.FLOAT, "F16": TensorProto.FLOAT16}
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        entry = header.get(tensor.name.removeprefix(_PREFIX))
        if entry is None or tensor.data_type != TensorProto.FLOAT:
            continue
        begin, end = entry["data_offsets"]
        name, stored = tensor.name, types[entry["dtype"]]
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_type = stored
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", WEIGHTS_FILE), ("offset", 8 + length + begin), ("length", end - begin)):
            tensor.external_data.add(key=key, value=str(value))
        if stored == TensorProto.FLOAT:
            continue
        tensor.name = f"{name}.half"
        readers = [node for node in graph.node if name in node.input]
        if all(node.op_type == "Gather" and node.input[0] == name for node in readers):
            # Convert only the rows that are looked up, not the whole vocabulary.
            for node in readers:
                node.input[0] = tensor.name
                rows, node.output[0] = node.output[0], f"{node.output[0]}.half"
                place = list(graph.node).index(node)
                graph.node.insert(place + 1, helper.make_node("Cast", [node.output[0]], [rows], to=TensorProto.FLOAT))
        else:
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    for cast in casts:
        graph.node.insert(0, cast)


def _drop_debugging_metadata(model: Any) -> None:
    """Remove the debugging metadata of the exporter: paths of this machine, and most of the file size."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")


def run(arguments: OnnxExportArguments) -> None:
    """
    Write `text_model.onnx` into a checkpoint directory.

    Raises:
        ClacInputError: The directory does not exist, lacks a tower, or cannot be exported, see [`export_text_tower`].
    """
    checkpoint = resolve_checkpoint(arguments.checkpoint)
    checkpoint.require_whole()
    model = ClacModel.from_pretrained(checkpoint.source, dtype=torch.float32)
    print(export_text_tower(model, Path(checkpoint.source)))


__all__ = ["OnnxExportArguments", "export_text_tower", "run"]

if __name__ == "__main__":
    run_script(OnnxExportArguments, run)
