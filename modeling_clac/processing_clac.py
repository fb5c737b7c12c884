"""The processor: crystals and texts to model inputs."""

from __future__ import annotations

from typing import Any

from transformers import BatchFeature, ProcessorMixin

from .errors_clac import ClacInputError
from .texts_clac import list_of_texts
from .tokenization_clac import ClacTokenizer


class ClacProcessor(ProcessorMixin):
    """
    Combines a [`ClacFeatureExtractor`] for crystals and a [`ClacTokenizer`] for texts.

    Args:
        feature_extractor (`ClacFeatureExtractor`): Converts crystals to graphs.
        tokenizer (`ClacTokenizer` or `PreTrainedTokenizerFast`): Converts texts to tokens. A plain fast tokenizer is
            wrapped, see [`ClacTokenizer.from_tokenizer`].
        kwargs: Ignored.
    """

    def __init__(self, feature_extractor: Any, tokenizer: Any, **kwargs: Any):
        super().__init__(feature_extractor, ClacTokenizer.from_tokenizer(tokenizer))

    @property
    def model_input_names(self) -> list[str]:
        return [*self.tokenizer.model_input_names, *self.feature_extractor.model_input_names]

    def __call__(
        self,
        text: Any = None,
        structures: Any = None,
        return_tensors: str | None = "pt",
        on_error: str = "raise",
        **kwargs: Any,
    ) -> BatchFeature:
        r"""
        Convert texts, structures, or pairs of both to model inputs.

        Args:
            text: One text or an iterable of texts. They are padded to the longest and truncated to the model's limit.
            structures: One structure or an iterable of structures, see [`ClacFeatureExtractor`].
            return_tensors: Only `"pt"` is supported.
            on_error: What to do with invalid structures, see [`ClacFeatureExtractor`]. Must be `"raise"` if there are
                texts, since skipping a structure would break up the pairs.
            kwargs: Arguments of the tokenizer.

        Returns:
            A `BatchFeature` with the outputs of the tokenizer, such as `input_ids`, `attention_mask` and `token_kinds`
            `(B, L)`, and of the feature extractor, see [`ClacFeatureExtractor.collate`].

        Raises:
            ClacInputError: If there are neither texts nor structures, a text is empty, or a structure is invalid.
        """
        if text is None and structures is None:
            raise ClacInputError("nothing to process: give text, structures, or both")
        if text is not None and structures is not None and on_error != "raise":
            raise ClacInputError(
                f"on_error={on_error!r} would separate texts from their crystals; remove invalid pairs first"
            )
        inputs = BatchFeature()
        if text is not None:
            texts = list_of_texts(text)
            if not texts:
                raise ClacInputError("the list of texts is empty; give at least one text")
            defaults = {"truncation": True, "padding": True, "return_tensors": "pt"}
            inputs.update(self.tokenizer(texts, **{**defaults, **kwargs}))
        if structures is not None:
            features = self.feature_extractor(structures, on_error=on_error, return_tensors=return_tensors)
            inputs.update(features)
            inputs.skipped = features.skipped  # type: ignore[attr-defined]
        return inputs

    def to_pyg(self, inputs: Any) -> Any:
        """
        Convert the graphs of a batch to a torch-geometric `Batch`, see [`ClacFeatureExtractor.to_pyg`].

        Args:
            inputs: A batch returned by this processor, with structures.

        Returns:
            The `Batch`.
        """
        return self.feature_extractor.to_pyg(inputs)


__all__ = ["ClacProcessor"]
