"""Windows of tagged sentences: every word is labelled exactly once."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from modeling_clac.inference.word_windows import word_windows
from train.finetuning.window_rows import window_rows

# A word of n letters has n pieces. The tokenizer drops a zero-width space.
WORDS = st.one_of(st.text("abcxyz019", min_size=1, max_size=12), st.just("\u200b"))


@pytest.fixture(scope="module")
def tokenizer(bert_tokenizer) -> PreTrainedTokenizerFast:
    return deepcopy(bert_tokenizer)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=15), min_size=1, max_size=4), st.integers(3, 24))
def test_every_word_is_labelled_once_on_its_first_piece(tokenizer, sentences: list[list[str]], limit: int) -> None:
    tokenizer.model_max_length = limit
    tags = [[10 * number + word for word in range(len(words))] for number, words in enumerate(sentences)]
    rows = window_rows(sentences, tags, tokenizer)
    labelled = Counter((number, word) for number, words in rows.places for word in words)
    assert labelled == {(number, word): 1 for number, words in enumerate(sentences) for word in range(len(words))}
    lengths = [len(row["input_ids"]) for row in rows.inputs]
    assert lengths == sorted(lengths) and lengths[-1] <= limit
    for row, (number, words) in zip(rows.inputs, rows.places, strict=True):
        ids = row["input_ids"]
        assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
        found = [(tokenizer.convert_ids_to_tokens(ids[place]), label) for place, label in enumerate(row["labels"])]
        assert [entry for entry in found if entry[1] != -100] == [
            (sentences[number][word][0] if sentences[number][word].isalnum() else "[UNK]", tags[number][word])
            for word in words
        ]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 12))
def test_no_window_has_more_context_than_the_one_of_a_word(lengths: list[int], limit: int) -> None:
    """Compare with all windows at these positions, counting pieces one by one."""
    pieces = [word for word, length in enumerate(lengths) for _ in range(length)]
    firsts = [pieces.index(word) for word in range(len(lengths))]
    windows = word_windows(firsts, len(pieces), limit)

    def context(start: int, stop: int, place: int) -> int:
        before = len(pieces[start:place]) if start else 10**6
        after = len(pieces[place + 1 : stop]) if stop < len(pieces) else 10**6
        return min(before, after)

    for window in windows:
        for word, place in window.words:
            assert window.start + place == firsts[word]
            own = context(window.start, window.stop, firsts[word])
            others = [context(w.start, w.stop, firsts[word]) for w in windows if w.start <= firsts[word] < w.stop]
            assert own == max(others)
            # Windows overlap by half, so every word has a quarter of a window on both sides.
            assert own >= (limit // 2 - 1) // 2


def test_a_short_sentence_is_one_row(tokenizer) -> None:
    tokenizer.model_max_length = 8
    rows = window_rows([["ab", "c", "def"], ["ab", "c", "de", "fg"]], [[0, 1, 2], [3, 4, 5, 6]], tokenizer)
    assert [number for number, _ in rows.places].count(0) == 1
    assert [number for number, _ in rows.places].count(1) == 2
    whole = rows.inputs[[number for number, _ in rows.places].index(0)]
    assert tokenizer.convert_ids_to_tokens(whole["input_ids"]) == "[CLS] a ##b c d ##e ##f [SEP]".split()
    assert whole["labels"] == [-100, 0, -100, 1, 2, -100, -100, -100]
