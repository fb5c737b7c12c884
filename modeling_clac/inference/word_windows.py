"""Sentences longer than a text tower reads: overlapping windows, and each word in the one that shows most around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors_clac import ClacInputError
from ..tokenization_clac import QUANTITY_INPUTS


@dataclass(frozen=True)
class Window:
    """
    A stretch of the pieces of a sentence.

    Attributes:
        start: First of its pieces.
        stop: Position after its last piece.
        words: Words that are labelled and scored here, in order: (word, position of its first piece in the window).
    """

    start: int
    stop: int
    words: tuple[tuple[int, int], ...]


def word_windows(first_pieces: Sequence[int], num_pieces: int, limit: int) -> list[Window]:
    """
    Cuts a sentence into windows that overlap by half. A sentence within the limit is one window.

    Every word belongs to exactly one window: of those that hold its first piece the one with most context, which is the
    smaller of the numbers of pieces before and after it. An end of the sentence does not limit it, for there is nothing
    beyond. Of a word that is longer than a window the end may be in none.

    Args:
        first_pieces: Position of the first piece of every word in the sentence, increasing.
        num_pieces: Number of pieces of the sentence.
        limit: Largest number of pieces of a window.

    Returns:
        The windows in order; those that no word belongs to are left out.

    Raises:
        ClacInputError: the limit leaves no room for a piece.
    """
    if limit < 1:
        raise ClacInputError("no room for a word piece between the special tokens; give a larger max_length")
    starts = [0]
    while starts[-1] + limit < num_pieces:
        starts.append(min(starts[-1] + max(1, limit // 2), num_pieces - limit))
    members: list[list[tuple[int, int]]] = [[] for _ in starts]
    for word, place in enumerate(first_pieces):
        holding = [index for index, start in enumerate(starts) if start <= place < start + limit]
        best = max(holding, key=lambda index: (_context(place, starts[index], limit, num_pieces), -index))
        members[best].append((word, place - starts[best]))
    return [
        Window(start, min(start + limit, num_pieces), tuple(words))
        for start, words in zip(starts, members, strict=True)
        if words
    ]


def sentence_windows(
    tokenizer: Any, sentences: Sequence[list[str]], max_length: int | None = None
) -> Iterator[tuple[int, dict[str, list[Any]], list[tuple[int, int]]]]:
    """
    Cut sentences into rows of at most `max_length` tokens for a text tower.

    Args:
        tokenizer: A fast tokenizer of BERT's type; a [`ClacTokenizer`] also reads the numbers and formulas.
        sentences: The words of each sentence, none of them empty.
        max_length: Tokens of a row, special ones included. Default: `tokenizer.model_max_length`.

    Yields:
        The number of the sentence, the inputs of one row (lists without padding), and (word, place of its first
        token in the row) of the words that are labelled and scored in this row.
    """
    encoded = tokenizer(list(sentences), is_split_into_words=True, add_special_tokens=False, verbose=False)
    limit = (max_length or tokenizer.model_max_length) - 2
    for number, words in enumerate(sentences):
        own = {name: encoded[name][number] for name in ("input_ids", *QUANTITY_INPUTS) if name in encoded}
        pieces, first_pieces = _word_pieces(own, encoded.word_ids(number), len(words), tokenizer.unk_token_id)
        for window in word_windows(first_pieces, len(pieces["input_ids"]), limit):
            part = {name: values[window.start : window.stop] for name, values in pieces.items()}
            yield number, with_special_tokens(tokenizer, part), [(word, 1 + piece) for word, piece in window.words]


def _word_pieces(
    columns: dict[str, list[Any]], word_ids: Sequence[int | None], num_words: int, unknown: int
) -> tuple[dict[str, list[Any]], list[int]]:
    """
    The pieces of a sentence, and the place of the first piece of each word; a word that the tokenizer drops becomes
    one unknown piece.
    """
    of_word: list[list[int]] = [[] for _ in range(num_words)]
    for piece, word in enumerate(word_ids):
        if word is not None:
            of_word[word].append(piece)
    pieces: dict[str, list[Any]] = {name: [] for name in columns}
    first_pieces = []
    for own in of_word:
        first_pieces.append(len(pieces["input_ids"]))
        for name, values in columns.items():
            pieces[name] += [values[piece] for piece in own] or [unknown if name == "input_ids" else 0]
    return pieces, first_pieces


def with_special_tokens(tokenizer: Any, pieces: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The columns of the pieces of a text (`input_ids`, `token_kinds`, ...) as one row between [CLS] and [SEP]."""
    row = {name: [0, *values, 0] for name, values in pieces.items()}
    row["input_ids"] = [tokenizer.cls_token_id, *pieces["input_ids"], tokenizer.sep_token_id]
    row["attention_mask"] = [1] * len(row["input_ids"])
    if "token_type_ids" in tokenizer.model_input_names:
        row["token_type_ids"] = [0] * len(row["input_ids"])
    return row


def _context(place: int, start: int, limit: int, num_pieces: int) -> int:
    """Pieces around a place that a window shows; `num_pieces` where both its ends are those of the sentence."""
    before = place - start if start else num_pieces
    after = start + limit - 1 - place if start + limit < num_pieces else num_pieces
    return min(before, after)


__all__ = ["Window", "sentence_windows", "with_special_tokens", "word_windows"]
