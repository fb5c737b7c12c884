"""The processor: crystals and texts to model inputs."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

from transformers import BatchFeature, PreTrainedTokenizerBase, ProcessorMixin

from .checkpoint_files_clac import checkpoint_file
from .errors_clac import ClacInputError
from .texts_clac import list_of_texts, list_of_words
from .tokenization_clac import ClacTokenizer

_OF_GRAPHS = ("names", "return_geometry")
_OF_TOKENS = tuple(
    name
    for name in inspect.signature(PreTrainedTokenizerBase.__call__).parameters
    if name not in ("self", "text", "return_tensors", "kwargs")
)
_HUB_OPTIONS = ("revision", "token", "cache_dir", "local_files_only", "subfolder")


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

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """
        Load the processor of a checkpoint, see `ProcessorMixin.from_pretrained`.

        `AutoProcessor` returns the [`ClacTokenizer`] of a directory that only has a tokenizer, as it does for other
        models.
        """
        try:
            return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        except OSError:
            if not kwargs.get("_from_auto") or _has_processor(pretrained_model_name_or_path, kwargs):
                raise
            hub = {name: value for name, value in kwargs.items() if name in _HUB_OPTIONS}
            return ClacTokenizer.from_pretrained(pretrained_model_name_or_path, **hub)

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
            text: One text or an iterable of texts, such as a list or a column of a data set. They are truncated to the
                model's limit. With `is_split_into_words`, a list of words or an iterable of these.
            structures: One structure or an iterable of structures, see [`ClacFeatureExtractor`].
            return_tensors: `"pt"` for a batch, where texts are padded to the longest; `None` for lists with one entry
                for each text and structure, as `datasets.Dataset.map` stores them. [`DataCollatorForClac`] makes
                batches of these.
            on_error: What to do with invalid structures, see [`ClacFeatureExtractor`]. Must be `"raise"` if there are
                texts, since skipping a structure would break up the pairs.
            kwargs: Arguments of the tokenizer, such as `padding`, `max_length` and `return_offsets_mapping`, and
                `names` and `return_geometry` of the feature extractor.

        Returns:
            A `BatchFeature` with the outputs of the tokenizer, such as `input_ids`, `attention_mask` and `token_kinds`
            `(B, L)`, and of the feature extractor, see [`ClacFeatureExtractor.collate`].

        Raises:
            ClacInputError: If there are neither texts nor structures, a text is empty, a structure is invalid, or
                `return_tensors` is not supported.
            TypeError: If an argument is not known.
        """
        of_graphs = {name: kwargs.pop(name) for name in _OF_GRAPHS if name in kwargs}
        for name in kwargs:
            if name not in _OF_TOKENS:
                close = get_close_matches(name, (*_OF_TOKENS, *_OF_GRAPHS), 1)
                raise TypeError(f"{name} is not an argument{f'; did you mean {close[0]}?' if close else ''}")
        if return_tensors not in (None, "pt"):
            raise ClacInputError(f"return_tensors={return_tensors!r} is not supported; use 'pt', or None for lists")
        for name, given in (("text", text), ("structures", structures)):
            wrong = {"text": kwargs, "structures": of_graphs}[name]
            if given is None and wrong:
                raise ClacInputError(f"{next(iter(wrong))} is an argument for {name}, which is missing")
        if text is None and structures is None:
            raise ClacInputError("nothing to process: give text, structures, or both")
        if text is not None and structures is not None and on_error != "raise":
            raise ClacInputError(
                f"on_error={on_error!r} would separate texts from their crystals; remove invalid pairs first"
            )
        inputs = BatchFeature()
        if text is not None:
            texts = list_of_words(text) if kwargs.get("is_split_into_words") else list_of_texts(text)
            if not texts:
                raise ClacInputError("the list of texts is empty; give at least one text")
            defaults = {"truncation": True, "padding": return_tensors is not None, "return_tensors": return_tensors}
            inputs.update(self.tokenizer(texts, **{**defaults, **kwargs}))
        if structures is not None:
            features = self.feature_extractor(structures, on_error=on_error, return_tensors=return_tensors, **of_graphs)
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


def _has_processor(source: Any, options: dict[str, Any]) -> bool:
    hub = {name: value for name, value in options.items() if name in _HUB_OPTIONS and value is not None}
    return any(checkpoint_file(source, f"{name}_config.json", **hub) for name in ("processor", "preprocessor"))


__all__ = ["ClacProcessor"]
