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


def list_of_words(texts: Any) -> list[list[str]]:
    """
    Return texts that are split into words as lists of strings.

    Args:
        texts: A list of words, or an iterable of lists of words.

    Returns:
        The words of each text, in order.

    Raises:
        ClacInputError: If the input is a string, or a text has no words or one that is empty or not text.
    """
    if isinstance(texts, str):
        raise ClacInputError("the text is not split into words; give a list of words")
    rows = list(texts)
    if rows and all(isinstance(word, str) for word in rows):
        return [list_of_texts(rows)]
    found = []
    for index, row in enumerate(rows):
        if row is None or isinstance(row, (str, float)) or not len(row):
            raise ClacInputError(f"the text with index {index} is not a list of words ({row!r})")
        try:
            found.append(list_of_texts(row))
        except ClacInputError as error:
            raise ClacInputError(
                f"text with index {index}: {error}".replace("the text with", "the word with")
            ) from None
    return found


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


__all__ = ["list_of_texts", "list_of_words"]
