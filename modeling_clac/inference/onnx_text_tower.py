"""
Embed texts with onnxruntime, without torch and transformers.

Importing torch and transformers takes longer than the rest of a search. The embeddings equal those of
[`ClacEmbedder.encode_text`] within 1e-5.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..plain_text_clac import SPLIT_FORMULAS, plain_text, take_splitting_rule
from ..quantities_clac import read_quantities
from .checkpoints import Checkpoint

ONNX_FILE, WEIGHTS_FILE = "text_model.onnx", "model.safetensors"
# Metadata key of the graph that holds the fingerprint of the weights it refers to.
FINGERPRINT = "weights_fingerprint"
INPUTS = ("input_ids", "attention_mask", "token_kinds", "token_values")
OUTPUT = "text_embeds"


class OnnxTextTower:
    """
    Embed texts with the ONNX graph of a checkpoint.

    Args:
        session: An `onnxruntime.InferenceSession` of the graph that `train.export` writes.
        tokenizer: A `tokenizers.Tokenizer` with truncation set.
        split_formulas: Whether formulas are split into elements; see `ClacTokenizer`.
    """

    def __init__(self, session: Any, tokenizer: Any, split_formulas: bool):
        self.session, self.tokenizer, self.split_formulas = session, tokenizer, split_formulas
        # A model that does not read quantities has no inputs for them.
        self._inputs = {node.name for node in session.get_inputs()}

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> OnnxTextTower | None:
        """
        Load the text tower of a checkpoint.

        Args:
            checkpoint: The checkpoint.

        Returns:
            The tower, or `None` if the checkpoint has no ONNX graph, or one that is damaged or was exported from other
            weights. Callers then load the whole model, which reports any other problem of the checkpoint.
        """
        files = [checkpoint.file(name) for name in (ONNX_FILE, "tokenizer.json", "tokenizer_config.json")]
        graph_file, tokenizer_file, settings_file = files
        if graph_file is None or tokenizer_file is None or settings_file is None:
            return None
        import onnxruntime
        from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        # For a single phrase, more threads and further graph optimization cost more time than they save.
        options.intra_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        try:
            settings = json.loads(settings_file.read_text(encoding="utf-8"))
            limit = settings["model_max_length"]
            tokenizer = Tokenizer.from_file(str(tokenizer_file))
            split = take_splitting_rule(tokenizer) or bool(settings.get(SPLIT_FORMULAS))
            tokenizer.no_padding()
            tokenizer.enable_truncation(min(int(limit), checkpoint.config["text_config"]["max_position_embeddings"]))
            session = onnxruntime.InferenceSession(str(graph_file), options, providers=["CPUExecutionProvider"])
        except (OSError, ValueError, KeyError, TypeError, Fail, InvalidArgument, InvalidGraph, InvalidProtobuf):
            return None
        exported_from = session.get_modelmeta().custom_metadata_map.get(FINGERPRINT)
        return cls(session, tokenizer, split) if exported_from == checkpoint.fingerprint else None

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """
        Embed texts one by one.

        Args:
            texts: The texts.

        Returns:
            Embeddings `(num_texts, projection_dim)` float32, unit length, in input order.
        """
        return np.concatenate([self._embed(text) for text in texts])

    def _embed(self, text: str) -> np.ndarray:
        plain = plain_text(text, self.split_formulas)
        encoding = self.tokenizer.encode(plain.text)
        kinds, values = read_quantities(plain.quantities, encoding.offsets)
        arrays = (np.array(encoding.ids), np.array(encoding.attention_mask), kinds, values)
        inputs = {name: array[None] for name, array in zip(INPUTS, arrays, strict=True) if name in self._inputs}
        (embeds,) = self.session.run([OUTPUT], inputs)
        return embeds


__all__ = ["FINGERPRINT", "INPUTS", "ONNX_FILE", "OUTPUT", "WEIGHTS_FILE", "OnnxTextTower"]
