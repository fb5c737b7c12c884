"""ClacProcessor: crystals and text to model inputs; and a tokenizer that reads chemical formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import BatchFeature, ProcessorMixin

from .errors_clac import ClacInputError
from .tokenization_clac import ClacTokenizer


class ClacProcessor(ProcessorMixin):
    """A [`ClacFeatureExtractor`] for crystals and a [`ClacTokenizer`] for text, in one call."""

    def __init__(self, feature_extractor: Any, tokenizer: Any, **kwargs: Any):
        super().__init__(feature_extractor, ClacTokenizer.from_tokenizer(tokenizer))

    @property
    def model_input_names(self) -> list[str]:
        return [*self.tokenizer.model_input_names, *self.feature_extractor.model_input_names]

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
            defaults = {"truncation": True, "padding": True, "return_tensors": "pt"}
            inputs.update(self.tokenizer(texts, **{**defaults, **kwargs}))
        if structures is not None:
            features = self.feature_extractor(structures, on_error=on_error, return_tensors=return_tensors)
            inputs.update(features)
            inputs.skipped = features.skipped  # type: ignore[attr-defined]
        return inputs

    def to_pyg(self, inputs: Any) -> Any:
        """The graphs of a processed batch as a torch-geometric `Batch`, see [`ClacFeatureExtractor.to_pyg`]."""
        return self.feature_extractor.to_pyg(inputs)


__all__ = ["ClacProcessor"]
