"""
Embed texts with onnxruntime, without torch and transformers.

Importing torch and transformers takes longer than the rest of a search. The embeddings equal those of
[`ClacEmbedder.encode_text`] within 1e-5.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..plain_text_clac import SPLIT_FORMULAS, plain_text, take_splitting_rule
from ..quantities_clac import read_quantities
from ..text_windows_clac import TextRow, mean_of_windows, text_rows, window_note
from ..texts_clac import list_of_texts
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
        tokenizer: A `tokenizers.Tokenizer` without truncation.
        limit: Maximum number of tokens of the text tower. Longer texts are read in windows.
        split_formulas: Whether formulas are split into elements; see `ClacTokenizer`.
    """

    def __init__(self, session: Any, tokenizer: Any, limit: int, split_formulas: bool):
        self.session, self.tokenizer = session, tokenizer
        self.limit, self.split_formulas = limit, split_formulas
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
            limit = min(int(settings["model_max_length"]), checkpoint.config["text_config"]["max_position_embeddings"])
            tokenizer = Tokenizer.from_file(str(tokenizer_file))
            split = take_splitting_rule(tokenizer) or bool(settings.get(SPLIT_FORMULAS))
            tokenizer.no_padding()
            tokenizer.no_truncation()
            session = onnxruntime.InferenceSession(str(graph_file), options, providers=["CPUExecutionProvider"])
        except (OSError, ValueError, KeyError, TypeError, Fail, InvalidArgument, InvalidGraph, InvalidProtobuf):
            return None
        exported_from = session.get_modelmeta().custom_metadata_map.get(FINGERPRINT)
        return cls(session, tokenizer, limit, split) if exported_from == checkpoint.fingerprint else None

    def encode_text(self, texts: Any) -> np.ndarray:
        """
        Embed texts one by one.

        Args:
            texts: A text or an iterable of texts, see [`ClacEmbedder.encode_text`].

        Returns:
            Embeddings `(num_texts, projection_dim)` float32, unit length, in input order.

        Raises:
            ClacInputError: If a text is missing, empty or not text. The message names its index.
        """
        rows = [self._rows(text) for text in list_of_texts(texts)]
        if not rows:
            return np.zeros((0, self.session.get_outputs()[0].shape[-1]), dtype=np.float32)
        embeds = np.concatenate([self._embed(row) for own in rows for row in own])
        return mean_of_windows(embeds, [len(own) for own in rows])

    def reading_note(self, text: str) -> str | None:
        """Return a line that says that a text is read in windows, or `None` if it is within the limit of the tower."""
        rows = self._rows(text)
        return window_note(len(self.tokenizer.encode(plain_text(text, self.split_formulas).text)), len(rows))

    def _rows(self, text: str) -> list[TextRow]:
        plain = plain_text(text, self.split_formulas)
        encoding = self.tokenizer.encode(plain.text)
        return text_rows(encoding.ids, *read_quantities(plain.quantities, encoding.offsets), self.limit)

    def _embed(self, row: TextRow) -> np.ndarray:
        inputs = {name: array[None] for name, array in zip(INPUTS, row, strict=True) if name in self._inputs}
        (embeds,) = self.session.run([OUTPUT], inputs)
        return embeds


__all__ = ["FINGERPRINT", "INPUTS", "ONNX_FILE", "OUTPUT", "WEIGHTS_FILE", "OnnxTextTower"]
