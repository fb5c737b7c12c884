"""The tokenizer: word pieces, formulas split into elements, and the values of numbers and formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, normalizers
from transformers import BatchEncoding, PreTrainedTokenizerFast

from .formulas_clac import ELEMENTS, SYMBOL
from .quantities_clac import read_quantities

# Inputs added to those of the plain tokenizer, one entry for each token; see `read_quantities`.
QUANTITY_INPUTS = ("token_kinds", "token_values")


class ClacTokenizer(PreTrainedTokenizerFast):
    """
    A fast tokenizer that also returns the kinds and values of the tokens of numbers and formulas.

    In addition to the inputs of a BERT tokenizer, each call returns `token_kinds` `(B, L)` int64 and `token_values`
    `(B, L)` float32, see [`read_quantities`]. Text towers without `token_values` in their configuration ignore them.

    Args:
        args: See `PreTrainedTokenizerFast`.
        kwargs: See `PreTrainedTokenizerFast`.
    """

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
        return cls._from_backend(Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()), tokenizer)

    @classmethod
    def _from_backend(cls, backend: Tokenizer, tokenizer: Any) -> ClacTokenizer:
        backend.no_padding()
        backend.no_truncation()
        names = [name for name in tokenizer.model_input_names if name not in QUANTITY_INPUTS]
        return cls(
            tokenizer_object=backend,
            model_max_length=tokenizer.model_max_length,
            model_input_names=[*names, *QUANTITY_INPUTS],
            padding_side=tokenizer.padding_side,
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
        encoding = super()._encode_plus(
            text,
            text_pair,
            is_split_into_words=is_split_into_words,
            return_tensors=None,
            return_offsets_mapping=True,
            **kwargs,
        )
        ids = encoding["input_ids"]
        rows = encoding.encodings or []
        batched = not rows or (len(ids) > 0 and isinstance(ids[0], list))
        texts = _sequences(text, text_pair, is_split_into_words)
        samples = encoding.get("overflow_to_sample_mapping", range(len(rows)))
        read = [_quantities(row, texts[sample]) for row, sample in zip(rows, samples, strict=True)]
        for column, name in enumerate(QUANTITY_INPUTS):
            values = [row[column].tolist() for row in read]
            encoding[name] = values if batched else values[0]
        if not return_offsets_mapping:
            del encoding["offset_mapping"]
        if return_tensors is None:
            return encoding
        return BatchEncoding(encoding.data, rows, tensor_type=return_tensors, prepend_batch_axis=not batched)

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
    single = isinstance(text, str) if not split else not text or isinstance(text[0], str)
    texts = [text] if single else list(text)
    if text_pair is not None:
        return list(zip(texts, [text_pair] if single else text_pair, strict=True))
    # A batch may also hold pairs: tuples of two texts, or of two lists of words.
    word = list if split else str
    return [tuple(sample) if not isinstance(sample, str) and _is_pair(sample, word) else (sample,) for sample in texts]


def _is_pair(sample: Any, kind: type) -> bool:
    return isinstance(sample, tuple) and len(sample) == 2 and all(isinstance(part, kind) for part in sample)


def _quantities(encoding: Any, sequences: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
    """[`read_quantities`] of one row of tokens, `(L,)` int64 and `(L,)` float32."""
    kinds = np.zeros(len(encoding.ids), dtype=np.int64)
    values = np.zeros(len(encoding.ids), dtype=np.float32)
    for number, sequence in enumerate(sequences):
        offsets = [
            span if own == number else (0, 0) for span, own in zip(encoding.offsets, encoding.sequence_ids, strict=True)
        ]
        text = sequence
        if not isinstance(sequence, str):
            text, starts = join_words(sequence)
            offsets = [
                (start + starts[word], end + starts[word]) if word is not None and end > start else (0, 0)
                for (start, end), word in zip(offsets, encoding.word_ids, strict=True)
            ]
        own_kinds, own_values = read_quantities(text, offsets)
        kinds += own_kinds
        values += own_values
    return kinds, values


def join_words(words: Sequence[str]) -> tuple[str, list[int]]:
    """
    Join words with blanks.

    Args:
        words: The words.

    Returns:
        The text, and the index of the first character of each word.
    """
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])[:-1].tolist()
    return " ".join(words), starts


def _formula_boundary() -> str:
    """
    Pattern of the empty string between two parts of a formula (`Li|Fe|P|O4`), but not in words, units (GPa) or space
    groups.

    An element symbol, number or bracket precedes it, and the rest of the word is a formula.
    """
    before = "|".join([f"(?<={s})" for s in ("[0-9]", r"\)", *ELEMENTS)])
    ultraviolet = r"(?!(?<=U)V(?![A-Za-z0-9]))"  # the only common abbreviation that is spelled like a compound
    return rf"(?:{before}){ultraviolet}(?={SYMBOL}(?![a-z])(?:{SYMBOL}(?![a-z])|[0-9.()])*(?![A-Za-z0-9/-]))"


def read_formulas(tokenizer: Any) -> ClacTokenizer:
    """
    Make a tokenizer split formulas into elements: `LiFePO4` is read as `Li Fe P O4`.

    Word pieces alone give `life ##po ##4`, which contains no elements. The rule is saved in `tokenizer.json` and
    applies wherever the tokenizer is loaded. Vocabulary and special tokens are kept.

    Args:
        tokenizer: A fast tokenizer of BERT's type.

    Returns:
        The tokenizer with this rule.
    """
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    rule = normalizers.Replace(Regex(_formula_boundary()), " ")
    if backend.normalizer is None:
        backend.normalizer = rule
    elif " " not in backend.normalizer.normalize_str("LiFePO4"):
        backend.normalizer = normalizers.Sequence([rule, backend.normalizer])
    return ClacTokenizer._from_backend(backend, tokenizer)


__all__ = ["QUANTITY_INPUTS", "ClacTokenizer", "join_words", "read_formulas"]
