"""The tokenizer: chemical formulas split into elements."""

from __future__ import annotations

from typing import Any

from tokenizers import Regex, Tokenizer, normalizers
from transformers import PreTrainedTokenizerFast

from .quantities_clac import ELEMENTS


def _formula_boundary() -> str:
    """
    Matches the empty place between two parts of a formula (`Li|Fe|P|O4`), so never inside words, units (GPa) or space
    groups: an element symbol, number or bracket stands before it, and the word goes on as a formula to its end.
    """
    symbol = "(?:" + "|".join(sorted(ELEMENTS, key=len, reverse=True)) + ")"
    before = "|".join([f"(?<={s})" for s in ("[0-9]", r"\)", *ELEMENTS)])
    ultraviolet = r"(?!(?<=U)V(?![A-Za-z0-9]))"  # the one common abbreviation spelt like a compound
    return rf"(?:{before}){ultraviolet}(?={symbol}(?![a-z])(?:{symbol}(?![a-z])|[0-9.()])*(?![A-Za-z0-9/-]))"


def read_formulas(tokenizer: Any) -> PreTrainedTokenizerFast:
    """
    A fast tokenizer that splits formulas into elements: `LiFePO4` reads as `Li Fe P O4`. Word pieces alone cut it as
    `life ##po ##4`, in which no element can be found. The rule is saved inside `tokenizer.json`, so it holds wherever
    the tokenizer is loaded; for that the result is of the generic class, since the model-specific ones
    (`BertTokenizer`) rebuild their normaliser on loading. Vocabulary and special tokens stay as they are.
    """
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    rule = normalizers.Replace(Regex(_formula_boundary()), " ")
    if backend.normalizer is None:
        backend.normalizer = rule
    elif " " not in backend.normalizer.normalize_str("LiFePO4"):
        backend.normalizer = normalizers.Sequence([rule, backend.normalizer])
    # Padding and truncation belong to the call; a tokenizer file may carry old settings of them.
    backend.no_padding()
    backend.no_truncation()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=tokenizer.model_max_length,
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


__all__ = ["read_formulas"]
