"""Split long sentences into overlapping windows, and assign each word to the window with most context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors_clac import ClacInputError
from ..text_windows_clac import window_starts
from ..tokenization_clac import QUANTITY_INPUTS


@dataclass(frozen=True)
class Window:
    """
    A range of the word pieces of a sentence.

    Attributes:
        start: Index of the first piece.
        stop: Index after the last piece.
        words: Words that are labelled and scored in this window, in order, as (index of the word, position of its
            first piece in the window).
    """

    start: int
    stop: int
    words: tuple[tuple[int, int], ...]


def word_windows(first_pieces: Sequence[int], num_pieces: int, limit: int) -> list[Window]:
    """
    Split a sentence into windows that overlap by half. A sentence within the limit is one window.

    Each word is assigned to exactly one window: among the windows that contain its first piece, the one with most
    context. The context is the number of pieces before or after the first piece, whichever is smaller. A side where the
    window reaches the end of the sentence does not count. The end of a word longer than a window may be in no window.

    Args:
        first_pieces: Index of the first piece of each word in the sentence, increasing.
        num_pieces: Number of pieces in the sentence.
        limit: Maximum number of pieces in a window.

    Returns:
        The windows in order, without those that have no words.

    Raises:
        ClacInputError: If the limit is below 1.
    """
    if limit < 1:
        raise ClacInputError("no room for a word piece between the special tokens; give a larger max_length")
    starts = window_starts(num_pieces, limit, max(1, limit // 2))
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
    Split sentences into rows of at most `max_length` tokens for a text tower.

    Args:
        tokenizer: A fast BERT tokenizer. A [`ClacTokenizer`] also reads numbers and formulas.
        sentences: The words of each sentence. Words must not be empty.
        max_length: Maximum number of tokens in a row, including special tokens. Default:
            `tokenizer.model_max_length`.

    Yields:
        The index of the sentence, the inputs of one row (lists without padding), and the words that are labelled and
        scored in this row, as (index of the word, position of its first token in the row).
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
    Return the pieces of a sentence and the index of the first piece of each word.

    A word that the tokenizer drops becomes one unknown piece.
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
    """
    Add [CLS] and [SEP] to the pieces of a text.

    Args:
        tokenizer: The tokenizer of the pieces.
        pieces: Columns of the pieces, such as `input_ids` and `token_kinds`.

    Returns:
        The inputs of one row, including `attention_mask`, and `token_type_ids` if the tokenizer uses them.
    """
    row = {name: [0, *values, 0] for name, values in pieces.items()}
    row["input_ids"] = [tokenizer.cls_token_id, *pieces["input_ids"], tokenizer.sep_token_id]
    row["attention_mask"] = [1] * len(row["input_ids"])
    if "token_type_ids" in tokenizer.model_input_names:
        row["token_type_ids"] = [0] * len(row["input_ids"])
    return row


def _context(place: int, start: int, limit: int, num_pieces: int) -> int:
    """Return the number of pieces on the shorter side of a piece in a window. Ends of the sentence do not count."""
    before = place - start if start else num_pieces
    after = start + limit - 1 - place if start + limit < num_pieces else num_pieces
    return min(before, after)


__all__ = ["Window", "sentence_windows", "with_special_tokens", "word_windows"]
