"""ClacProcessor: crystals and text to model inputs; and a tokenizer that reads chemical formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature, ProcessorMixin

from .errors_clac import ClacInputError
from .quantities_clac import read_quantities

# What the tokens stand for, as `(B, L)` tensors beside the tokenizer's own.
TOKEN_VALUES = ("token_kinds", "token_values")


class ClacProcessor(ProcessorMixin):
    """A [`ClacFeatureExtractor`] for crystals and a tokenizer for text, behind one call."""

    def __init__(self, feature_extractor: Any, tokenizer: Any, **kwargs: Any):
        super().__init__(feature_extractor, tokenizer)

    @property
    def model_input_names(self) -> list[str]:
        return [*self.tokenizer.model_input_names, *TOKEN_VALUES, *self.feature_extractor.model_input_names]

    def tokenize(self, texts: list[str], **kwargs: Any) -> dict[str, list[Any]]:
        """
        Unpadded token lists of each text: the tokenizer's, `token_kinds` and `token_values` (see
        [`quantities_clac.token_values`]).

        Args:
            kwargs: for the tokenizer.
        """
        encoded = dict(self.tokenizer(texts, return_offsets_mapping=True, **kwargs))
        offsets = encoded.pop("offset_mapping")
        read = [read_quantities(text, places) for text, places in zip(texts, offsets, strict=True)]
        for row, name in enumerate(TOKEN_VALUES):
            encoded[name] = [values[row].tolist() for values in read]
        return encoded

    def pad(self, tokens: dict[str, list[Any]], **kwargs: Any) -> dict[str, torch.Tensor]:
        """
        `(B, L)` tensors of the lists of `tokenize`.

        Args:
            kwargs: for the tokenizer's `pad`.
        """
        values = {name: tokens[name] for name in TOKEN_VALUES}
        own = {name: rows for name, rows in tokens.items() if name not in values}
        padded = dict(self.tokenizer.pad(own, return_tensors="pt", **kwargs))
        shape = padded["input_ids"].shape
        left = self.tokenizer.padding_side == "left"
        for name, rows in values.items():
            table = np.zeros(shape, dtype=np.int64 if name == "token_kinds" else np.float32)
            for place, row in enumerate(rows):
                table[place, slice(shape[1] - len(row), None) if left else slice(len(row))] = row
            padded[name] = torch.from_numpy(table)
        return padded

    def __call__(
        self,
        text: str | Sequence[str] | None = None,
        structures: Any = None,
        return_tensors: str | None = "pt",
        on_error: str = "raise",
        **kwargs: Any,
    ) -> BatchFeature:
        r"""
        Args:
            text: one text or a list; padded to the longest, truncated to the tower's limit.
            structures: one structure or a list, see [`ClacFeatureExtractor`].
            return_tensors: `"pt"`.
            on_error: what to do with unusable structures, see [`ClacFeatureExtractor`]. With text beside them, only
                `"raise"` keeps the pairs together.
            kwargs: for the tokenizer.

        Returns:
            `BatchFeature` with `input_ids`, `attention_mask`, `token_kinds`, ... `(B, L)`, and the graph tensors.

        Raises:
            ClacInputError: neither text nor structures, an empty text, or an unusable structure.
        """
        if text is None and structures is None:
            raise ClacInputError("nothing to process: give text, structures, or both")
        if text is not None and structures is not None and on_error != "raise":
            raise ClacInputError(f"on_error={on_error!r} would part texts from their crystals; filter the pairs first")
        inputs = BatchFeature()
        if text is not None:
            texts = [text] if isinstance(text, str) else list(text)
            empty = next((i for i, value in enumerate(texts) if not value.strip()), None)
            if empty is not None or not texts:
                raise ClacInputError(f"text {(empty or 0) + 1} of {len(texts)} is empty; write a phrase or a sentence")
            padding = {name: kwargs.pop(name) for name in ("padding", "pad_to_multiple_of") if name in kwargs}
            tokens = self.tokenize(texts, **{"truncation": True, **kwargs})
            inputs.update(self.pad(tokens, max_length=kwargs.get("max_length"), **padding))
        if structures is not None:
            features = self.feature_extractor(structures, on_error=on_error, return_tensors=return_tensors)
            inputs.update(features)
            inputs.skipped = features.skipped  # type: ignore[attr-defined]
        return inputs

    def to_pyg(self, inputs: Any) -> Any:
        """The graphs of a processed batch as a torch-geometric `Batch`, see [`ClacFeatureExtractor.to_pyg`]."""
        return self.feature_extractor.to_pyg(inputs)


__all__ = ["ClacProcessor"]
