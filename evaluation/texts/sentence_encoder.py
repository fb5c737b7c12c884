"""A plain sentence encoder, which knows no crystals: mean pooling over the tokens of any encoder of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modeling_clac.errors_clac import ClacInputError, first_line


class SentenceEncoder:
    """
    Encoder of sentences.

    Args:
        source: Directory or Hub id of a model with a tokenizer, such as all-MiniLM-L6-v2.
        max_length: Tokens of a text; the rest is cut off.

    Raises:
        ClacInputError: If the model cannot be loaded.
    """

    def __init__(self, source: str, max_length: int = 256):
        from transformers import AutoModel, AutoTokenizer

        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(source)
            self.model: Any = AutoModel.from_pretrained(source).eval()
        except (OSError, ValueError) as error:
            raise ClacInputError(
                f"{source}: cannot load a sentence encoder ({first_line(error)}); give a directory or Hub id"
            ) from None
        self.name = Path(source).name
        self.max_length = min(max_length, self.tokenizer.model_max_length)

    def encode(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """
        Embed texts.

        Args:
            texts: The texts.
            batch_size: Texts per batch.

        Returns:
            Unit vectors, `(n, dim)`.
        """
        import torch

        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        vectors: list[np.ndarray] = [np.empty(0)] * len(texts)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = self.tokenizer(
                [texts[row] for row in rows],
                padding=True,
                truncation=True,
                max_length=self.max_length,
                return_tensors="pt",
            )
            with torch.inference_mode():
                states = self.model(**batch).last_hidden_state
            mask = batch["attention_mask"][..., None].to(states.dtype)
            means = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
            for row, vector in zip(rows, means.numpy(), strict=True):
                vectors[row] = vector
        return np.stack(vectors)


__all__ = ["SentenceEncoder"]
