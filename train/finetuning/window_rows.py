"""Tagged sentences -> rows of the text tower, long ones as windows, see [`modeling_clac.inference.word_windows`]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modeling_clac.inference.word_windows import sentence_windows
from modeling_clac.loss_clac import IGNORE_INDEX


@dataclass(frozen=True)
class Rows:
    """
    Windows of sentences, sorted by length so that batches hold rows of like length.

    Attributes:
        inputs: of the model. places: of each row (sentence, its words that are labelled here).
    """

    inputs: list[dict[str, list[int]]]
    places: list[tuple[int, list[int]]]


def window_rows(words: Sequence[list[str]], tags: Sequence[list[int]], tokenizer: Any) -> Rows:
    """
    Sentences -> rows of at most `tokenizer.model_max_length` pieces. The first piece of each word carries its tag, in
    the one row that shows most around it; all other pieces are labelled -100.

    Args:
        words, tags: of every sentence, none of them empty.
    """
    rows = []
    for number, row, places in sentence_windows(tokenizer, words):
        labels = [IGNORE_INDEX] * len(row["input_ids"])
        for word, place in places:
            labels[place] = tags[number][word]
        rows.append(({**row, "labels": labels}, (number, [word for word, _ in places])))
    rows.sort(key=lambda row: len(row[0]["input_ids"]))
    return Rows([inputs for inputs, _ in rows], [place for _, place in rows])


__all__ = ["Rows", "window_rows"]
