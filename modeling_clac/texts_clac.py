"""Texts as users pass them: one text, or any iterable of texts."""

from __future__ import annotations

from typing import Any

from .errors_clac import ClacInputError


def list_of_texts(texts: Any) -> list[str]:
    """
    Return texts as a list of strings.

    Args:
        texts: A text, or an iterable of texts: a list, a generator, or a column of numpy, pandas, polars, pyarrow or
            datasets.

    Returns:
        The texts, in order.

    Raises:
        ClacInputError: If the input is not iterable, or an entry is missing, empty or not text. The message names its
            index in the input, from 0.
    """
    if isinstance(texts, str):
        return [_text("the text", texts)]
    if isinstance(texts, (bytes, dict)):
        raise ClacInputError(f"expected a text or an iterable of texts, found {type(texts).__name__}")
    # Values of an Arrow column are Python objects only after the conversion.
    values = texts.to_pylist() if hasattr(texts, "to_pylist") else texts
    try:
        entries = enumerate(values)
    except TypeError:
        raise ClacInputError(f"expected a text or an iterable of texts, found {type(texts).__name__}") from None
    return [_text(f"the text with index {index}", value) for index, value in entries]


def _text(name: str, value: Any) -> str:
    if hasattr(value, "as_py"):
        value = value.as_py()
    if isinstance(value, str):
        if value.strip():
            return str(value)
        raise ClacInputError(f"{name} is empty; write a phrase or a sentence")
    # NaN is the only value that differs from itself; comparing pandas' NA gives NA, which has no truth value.
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        raise ClacInputError(f"{name} is missing ({value!r}); write a phrase or a sentence, or remove the entry")
    raise ClacInputError(f"{name} is of type {type(value).__name__}; expected text")


__all__ = ["list_of_texts"]
