"""The tokenizer: word pieces of the plain text, formulas split into elements, and values of numbers and formulas."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer
from transformers import BatchEncoding, PreTrainedTokenizerFast

from .plain_text_clac import SPLIT_FORMULAS, PlainText, PlainWords, plain_text, take_splitting_rule
from .quantities_clac import read_quantities

# Inputs added to those of the plain tokenizer, one entry for each token; see `read_quantities`.
QUANTITY_INPUTS = ("token_kinds", "token_values")


class ClacTokenizer(PreTrainedTokenizerFast):
    """
    A fast tokenizer that also returns the kinds and values of the tokens of numbers and formulas.

    In addition to the inputs of a BERT tokenizer, each call returns `token_kinds` `(B, L)` int64 and `token_values`
    `(B, L)` float32, see [`read_quantities`]. Text towers without `token_values` in their configuration ignore them.

    Formulas are read in any spelling, see `formulas_clac`. Word pieces are made of their plain spelling; offsets refer
    to the text as it was given.

    Args:
        args: See `PreTrainedTokenizerFast`.
        split_formulas: Whether to split formulas into elements: `LiFePO4` is read as `Li Fe P O4`. Word pieces alone
            give `life ##po ##4`, which contains no elements. Default: `False`.
        kwargs: See `PreTrainedTokenizerFast`.
    """

    # An `__init__` here would make transformers rebuild the tokenizer from its vocabulary, without its rules.
    @property
    def split_formulas(self) -> bool:
        """Whether formulas are split into elements."""
        if take_splitting_rule(self._tokenizer):
            self.init_kwargs[SPLIT_FORMULAS] = True
        return bool(self.init_kwargs.get(SPLIT_FORMULAS))

    @classmethod
    def from_tokenizer(cls, tokenizer: Any) -> ClacTokenizer:
        """
        Wrap a fast tokenizer.

        Vocabulary, rules and special tokens are kept. Settings of padding and truncation in a tokenizer file are
        dropped, since these are arguments of the call.

        Args:
            tokenizer: A fast tokenizer of BERT's type. A [`ClacTokenizer`] is returned unchanged.

        Returns:
            The tokenizer.
        """
        if isinstance(tokenizer, cls):
            return tokenizer
        # Remote code may bring a class of the same name that is another object.
        split_formulas = bool(tokenizer.init_kwargs.get(SPLIT_FORMULAS))
        return cls._from_backend(Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()), tokenizer, split_formulas)

    @classmethod
    def _from_backend(cls, backend: Tokenizer, tokenizer: Any, split_formulas: bool = False) -> ClacTokenizer:
        backend.no_padding()
        backend.no_truncation()
        names = [name for name in tokenizer.model_input_names if name not in QUANTITY_INPUTS]
        return cls(
            tokenizer_object=backend,
            model_max_length=tokenizer.model_max_length,
            model_input_names=[*names, *QUANTITY_INPUTS],
            padding_side=tokenizer.padding_side,
            split_formulas=split_formulas,
            **tokenizer.special_tokens_map,
        )

    def _encode_plus(  # type: ignore[override]
        self,
        text: Any,
        text_pair: Any = None,
        is_split_into_words: bool = False,
        return_tensors: Any = None,
        return_offsets_mapping: bool = False,
        **kwargs: Any,
    ) -> BatchEncoding:
        texts = _sequences(text, text_pair, is_split_into_words)
        read = PlainWords if is_split_into_words else plain_text
        plain = [tuple(read(sequence, self.split_formulas) for sequence in sample) for sample in texts]
        encoding = super()._encode_plus(
            *_arguments(text, plain, is_split_into_words),
            is_split_into_words=is_split_into_words,
            return_tensors=None,
            return_offsets_mapping=True,
            **kwargs,
        )
        ids = encoding["input_ids"]
        rows = encoding.encodings or []
        batched = not rows or (len(ids) > 0 and isinstance(ids[0], list))
        samples = encoding.get("overflow_to_sample_mapping", range(len(rows)))
        quantities = [_quantities(row, plain[sample]) for row, sample in zip(rows, samples, strict=True)]
        for column, name in enumerate(QUANTITY_INPUTS):
            values = [row[column].tolist() for row in quantities]
            encoding[name] = values if batched else values[0]
        rows = [_with_original_offsets(row, plain[sample]) for row, sample in zip(rows, samples, strict=True)]
        if return_offsets_mapping:
            offsets = [row.offsets for row in rows]
            encoding["offset_mapping"] = offsets if batched else offsets[0]
        else:
            del encoding["offset_mapping"]
        return BatchEncoding(
            encoding.data,
            rows,
            tensor_type=return_tensors,
            prepend_batch_axis=return_tensors is not None and not batched,
        )

    def _pad(self, encoded_inputs: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        padded = super()._pad(encoded_inputs, **kwargs)
        length = len(padded[self.model_input_names[0]])
        for name in QUANTITY_INPUTS:
            if name in padded:
                # Kind 0 is `NOTHING`, and its value is 0.
                filling = [0] * (length - len(padded[name]))
                left = (kwargs.get("padding_side") or self.padding_side) == "left"
                padded[name] = [*filling, *padded[name]] if left else [*padded[name], *filling]
        return padded


def _sequences(text: Any, text_pair: Any, split: bool) -> list[tuple[Any, ...]]:
    """The one or two sequences of each sample: strings, or lists of words if `split`."""
    single = _is_single(text, split)
    texts = [text] if single else list(text)
    if text_pair is not None:
        return list(zip(texts, [text_pair] if single else text_pair, strict=True))
    # A batch may also hold pairs: tuples of two texts, or of two lists of words.
    word = list if split else str
    return [tuple(sample) if not isinstance(sample, str) and _is_pair(sample, word) else (sample,) for sample in texts]


def _is_single(text: Any, split: bool) -> bool:
    return isinstance(text, str) if not split else not text or isinstance(text[0], str)


def _is_pair(sample: Any, kind: type) -> bool:
    return isinstance(sample, tuple) and len(sample) == 2 and all(isinstance(part, kind) for part in sample)


def _arguments(text: Any, plain: list[tuple[Any, ...]], split: bool) -> tuple[Any, Any]:
    """The plain text and text pair to tokenize, as one sample if `text` is one."""
    texts = [tuple(sequence.text for sequence in sample) for sample in plain]
    if _is_single(text, split):
        return texts[0][0], texts[0][1] if len(texts[0]) > 1 else None
    return [sample if len(sample) > 1 else sample[0] for sample in texts], None


def _quantities(encoding: Any, sequences: tuple[PlainText | PlainWords, ...]) -> tuple[np.ndarray, np.ndarray]:
    """[`read_quantities`] of one row of tokens, `(L,)` int64 and `(L,)` float32."""
    kinds = np.zeros(len(encoding.ids), dtype=np.int64)
    values = np.zeros(len(encoding.ids), dtype=np.float32)
    for number, sequence in enumerate(sequences):
        offsets = [
            sequence.place(start, end, word) if own == number else (0, 0)
            for (start, end), word, own in zip(encoding.offsets, encoding.word_ids, encoding.sequence_ids, strict=True)
        ]
        own_kinds, own_values = read_quantities(sequence.quantities, offsets)
        kinds += own_kinds
        values += own_values
    return kinds, values


def _with_original_offsets(encoding: Encoding, sequences: tuple[PlainText | PlainWords, ...]) -> Encoding:
    """Return the row with offsets that refer to the text as it was given."""
    if not any(sequence.changed for sequence in sequences):
        return encoding
    state = json.loads(encoding.__getstate__())
    rows = [state, *state["overflowing"]]
    for row, own in zip(rows, [encoding, *encoding.overflowing], strict=True):
        row["offsets"] = [
            (start, end) if number is None else sequences[number].original(start, end, word)
            for (start, end), word, number in zip(own.offsets, own.word_ids, own.sequence_ids, strict=True)
        ]
    changed = Encoding()
    changed.__setstate__(json.dumps(state).encode())
    return changed


def read_formulas(tokenizer: Any) -> ClacTokenizer:
    """
    Make a tokenizer split formulas into elements: `LiFePO4` is read as `Li Fe P O4`.

    Vocabulary, rules and special tokens are kept.

    Args:
        tokenizer: A fast tokenizer of BERT's type.

    Returns:
        The tokenizer, whose files say that it splits formulas.
    """
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    return ClacTokenizer._from_backend(backend, tokenizer, split_formulas=True)


__all__ = ["QUANTITY_INPUTS", "ClacTokenizer", "read_formulas"]
