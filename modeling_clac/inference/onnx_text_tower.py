"""
The text tower of a checkpoint in onnxruntime, for texts only.

Importing torch and transformers takes longer than everything else in a search. This tower needs neither, and its
vectors are those of [`ClacEmbedder.encode_text`] within 1e-5.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..quantities_clac import read_quantities

ONNX_FILE, WEIGHTS_FILE = "text_model.onnx", "model.safetensors"
INPUTS = ("input_ids", "attention_mask", "token_kinds", "token_values")
OUTPUT = "text_embeds"


class OnnxTextTower:
    """
    Embed texts with the ONNX graph of a checkpoint.

    Args:
        session: An `onnxruntime.InferenceSession` of the graph that `train.export` writes.
        tokenizer: A `tokenizers.Tokenizer` with truncation set.
    """

    def __init__(self, session: Any, tokenizer: Any):
        self.session, self.tokenizer = session, tokenizer

    @classmethod
    def from_checkpoint(cls, directory: str | os.PathLike[str]) -> OnnxTextTower | None:
        """
        Load the tower of a checkpoint directory; `None` if the checkpoint has no such graph.
        """
        path = Path(directory)
        if not (path / ONNX_FILE).is_file():
            return None
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        # Spinning threads would wait longer than a phrase takes.
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path / ONNX_FILE), options, providers=["CPUExecutionProvider"])
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        limit = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))["model_max_length"]
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(min(int(limit), config["text_config"]["max_position_embeddings"]))
        return cls(session, tokenizer)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """
        Embed texts, one after another.

        Returns:
            `(num_texts, projection_dim)` float32, unit length, in the order of the input.
        """
        return np.concatenate([self._embed(text) for text in texts])

    def _embed(self, text: str) -> np.ndarray:
        encoding = self.tokenizer.encode(text)
        kinds, values = read_quantities(text, encoding.offsets)
        arrays = (np.array(encoding.ids), np.array(encoding.attention_mask), kinds, values)
        (embeds,) = self.session.run([OUTPUT], {name: array[None] for name, array in zip(INPUTS, arrays, strict=True)})
        return embeds


__all__ = ["INPUTS", "ONNX_FILE", "OUTPUT", "WEIGHTS_FILE", "OnnxTextTower"]
