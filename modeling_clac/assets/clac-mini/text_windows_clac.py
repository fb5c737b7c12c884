"""
Windows over texts that are longer than the limit of the text tower.

The embedding of a long text is the normalized mean of the embeddings of its windows. Each window knows the composition
of the whole text, which is usually stated once, at the beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .quantities_clac import NOTHING, NUMBER


class TextRow(NamedTuple):
    """
    One row of tokens for the text tower, `(L,)` each.

    Attributes:
        input_ids: Token ids, with those of [CLS] and [SEP].
        attention_mask: 0 for tokens that only carry the composition.
        token_kinds: See `read_quantities`.
        token_values: See `read_quantities`.
    """

    input_ids: np.ndarray
    attention_mask: np.ndarray
    token_kinds: np.ndarray
    token_values: np.ndarray


def window_starts(num_pieces: int, limit: int, step: int) -> list[int]:
    """
    Return where windows begin.

    Args:
        num_pieces: Number of word pieces of the text.
        limit: Number of pieces in a window.
        step: Number of pieces from one window to the next. The last window ends with the text.

    Returns:
        Index of the first piece of each window.
    """
    starts = [0]
    while starts[-1] + limit < num_pieces:
        starts.append(min(starts[-1] + step, num_pieces - limit))
    return starts


def text_rows(ids: Any, kinds: Any, values: Any, limit: int) -> list[TextRow]:
    """
    Split the tokens of a text into rows of at most `limit` tokens.

    The rows of a long text all have `limit` tokens. Those behind [SEP] are not attended. They hold the elements of the
    formulas outside the window, so that `text_composition` of each row is that of the whole text.

    Args:
        ids: `(L,)`, token ids, the first of [CLS] and the last of [SEP].
        kinds: `(L,)`, kind of each token, see `read_quantities`.
        values: `(L,)`, value of each token, see `read_quantities`.
        limit: Maximum number of tokens.

    Returns:
        The rows. A text within the limit is one row.
    """
    whole = [np.asarray(column) for column in (ids, kinds, values)]
    if len(ids) <= limit:
        return [TextRow(whole[0], np.ones(len(ids), dtype=np.int64), whole[1], whole[2])]
    first, last = ids[0], ids[-1]
    pieces = [column[1:-1] for column in whole]
    total = _amounts(pieces[1], pieces[2])
    # Of a list of very many elements, only the first ones: half of the row is for the text.
    elements = np.flatnonzero(total)[: limit // 2]
    size = limit - 2 - len(elements)
    rows = []
    for start in window_starts(len(pieces[0]), size, size):
        own = [column[start : start + size] for column in pieces]
        outside = (total - _amounts(own[1], own[2]))[elements]
        missing = outside > 1e-6
        rows.append(
            TextRow(
                np.concatenate([[first], own[0], [last], np.full(len(elements), last)]),
                np.repeat([1, 0], [size + 2, len(elements)]),
                np.concatenate([[NOTHING], own[1], [NOTHING], np.where(missing, elements, NOTHING)]),
                np.concatenate([[0.0], own[2], [0.0], np.where(missing, outside, 0.0)]).astype(np.float32),
            )
        )
    return rows


def _amounts(kinds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum the atomic fractions of each element, `(NUMBER,)`."""
    is_element = (kinds != NOTHING) & (kinds < NUMBER)
    return np.bincount(kinds[is_element], values[is_element], minlength=NUMBER)


def mean_of_windows(embeds: np.ndarray, windows: Sequence[int]) -> np.ndarray:
    """
    Average the embeddings of the windows of each text.

    Args:
        embeds: Unit vectors of the windows, `(num_windows, dim)`, text by text.
        windows: Number of windows of each text.

    Returns:
        Unit vectors `(num_texts, dim)`. That of a text with a single window is unchanged.
    """
    rows, place = [], 0
    for number in windows:
        own = embeds[place : place + number]
        place += number
        mean = own.mean(axis=0)
        rows.append(own[0] if number == 1 else mean / max(float(np.linalg.norm(mean)), 1e-12))
    return np.stack(rows).astype(np.float32) if rows else embeds[:0]


def window_note(num_tokens: int, num_windows: int) -> str | None:
    """Return a line that says that a text was read in windows, or `None` if it has a single one."""
    if num_windows == 1:
        return None
    return f"the text has {num_tokens:,} tokens; read in {num_windows} windows, whose vectors are averaged"


__all__ = ["TextRow", "mean_of_windows", "text_rows", "window_note", "window_starts"]
