"""Input rows of the text tower for tagged sentences; long sentences are split into overlapping windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modeling_clac.inference.word_windows import sentence_windows
from modeling_clac.loss_clac import IGNORE_INDEX


@dataclass(frozen=True)
class Rows:
    """
    Windows of sentences, sorted by length so that batches hold rows of similar length.

    Attributes:
        inputs: Model inputs of each row.
        places: For each row, the index of its sentence and of the words that are labelled in it.
    """

    inputs: list[dict[str, list[int]]]
    places: list[tuple[int, list[int]]]


def window_rows(words: Sequence[list[str]], tags: Sequence[list[int]], tokenizer: Any) -> Rows:
    """
    Split sentences into rows of at most `tokenizer.model_max_length` tokens.

    The first token of each word carries the tag of the word, in the row with the most context around it. All other
    tokens are labelled -100.

    Args:
        words: Words of each sentence, at least one.
        tags: Tag numbers of the words.
        tokenizer: Tokenizer of the text tower.
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
