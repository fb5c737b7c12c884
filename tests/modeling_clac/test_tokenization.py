"""The tokenizer: kinds and values of tokens for all ways of calling it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from modeling_clac import ClacProcessor, ClacTokenizer
from modeling_clac.plain_text_clac import join_words
from modeling_clac.quantities_clac import find_quantities, read_quantities
from modeling_clac.tokenization_clac import QUANTITY_INPUTS, read_formulas

WORDS = st.lists(
    st.sampled_from(["Li2O", "has", "a", "gap", "of", "5.1", "eV", "4.03", "g/cm3", "(TiO2)", "-3.2", "10-20"]),
    min_size=1,
    max_size=9,
)


@pytest.fixture(scope="module")
def tokenizer(bert_tokenizer) -> ClacTokenizer:
    return read_formulas(bert_tokenizer)


def literal(tokenizer: ClacTokenizer, text: str) -> tuple[list[int], list[float]]:
    """Kinds and values read at the offsets of the tokens of one text."""
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    kinds, values = read_quantities(find_quantities(text), offsets)
    return kinds.tolist(), values.tolist()


def test_an_empty_list_of_words_among_others(tokenizer) -> None:
    batch = tokenizer([["band", "gap"], []], is_split_into_words=True)
    assert batch["input_ids"] == [tokenizer("band gap")["input_ids"], tokenizer("")["input_ids"]]


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), st.sampled_from(["left", "right"]))
def test_every_way_of_calling_agrees(tokenizer, sentences, side) -> None:
    texts = [" ".join(words) for words in sentences]
    expected = [literal(tokenizer, text) for text in texts]
    single = [tokenizer(text) for text in texts]
    assert [(row["token_kinds"], row["token_values"]) for row in single] == expected
    for batch in (tokenizer(texts), tokenizer(sentences, is_split_into_words=True)):
        assert list(zip(batch["token_kinds"], batch["token_values"], strict=True)) == expected
        assert "offset_mapping" not in batch
    tensors = tokenizer(texts, padding=True, padding_side=side, return_tensors="pt")
    padded = tokenizer.pad(single, padding_side=side, return_tensors="pt")
    for name in tensors:
        assert torch.equal(tensors[name], padded[name]), name
    assert tensors["token_kinds"].dtype == torch.int64 and tensors["token_values"].dtype == torch.float32
    for row, (kinds, values) in enumerate(expected):
        attended = tensors["attention_mask"][row].bool()
        assert tensors["token_kinds"][row, attended].tolist() == kinds
        assert tensors["token_values"][row, attended].tolist() == values
        assert not tensors["token_values"][row, ~attended].any() and not tensors["token_kinds"][row, ~attended].any()


def test_pairs_of_texts(tokenizer) -> None:
    first, second = "Li2O, 5.1 eV", "a gap of 3 eV in NaCl"
    alone = [literal(tokenizer, text)[1][1:-1] for text in (first, second)]
    for pair in (tokenizer(first, second), tokenizer([(first, second)])):
        values = pair["token_values"][0] if isinstance(pair["token_values"][0], list) else pair["token_values"]
        assert [value for value in values if value] == [value for part in alone for value in part if value]


def test_windows_of_a_long_text(tokenizer) -> None:
    text = "Li2O has a gap of 5.1 eV. " * 12
    windows = tokenizer(text, truncation=True, max_length=16, stride=4, return_overflowing_tokens=True)
    offsets = tokenizer(
        text, truncation=True, max_length=16, stride=4, return_overflowing_tokens=True, return_offsets_mapping=True
    )["offset_mapping"]
    assert len(windows["input_ids"]) == len(offsets) > 3
    for kinds, values, places in zip(windows["token_kinds"], windows["token_values"], offsets, strict=True):
        read = read_quantities(find_quantities(text), places)
        assert (kinds, values) == (read[0].tolist(), read[1].tolist())


def test_a_single_text_as_tensors_is_a_batch_of_one(tokenizer) -> None:
    for framework in ("pt", "np"):
        inputs = tokenizer("NaCl 2.1", return_tensors=framework)
        assert {tuple(value.shape) for value in inputs.values()} == {np.shape(inputs["input_ids"])}
        assert len(inputs["input_ids"]) == 1


def test_saved_and_loaded(tokenizer, small_checkpoint, tmp_path) -> None:
    tokenizer.save_pretrained(tmp_path)
    again = ClacTokenizer.from_pretrained(tmp_path)
    assert dict(again("Li2O, 5.1 eV")) == dict(tokenizer("Li2O, 5.1 eV"))
    assert type(AutoTokenizer.from_pretrained(small_checkpoint)) is ClacTokenizer
    assert again.model_input_names == [*tokenizer.model_input_names]


def test_plain_tokenizers_are_wrapped(bert_tokenizer, small_processor, tmp_path) -> None:
    """The processor replaces a plain tokenizer by one that returns quantities."""
    wrapped = ClacTokenizer.from_tokenizer(bert_tokenizer)
    assert wrapped("NaCl 2.1")["input_ids"] == bert_tokenizer("NaCl 2.1")["input_ids"]
    assert ClacTokenizer.from_tokenizer(wrapped) is wrapped
    processor = ClacProcessor(small_processor.feature_extractor, bert_tokenizer)
    assert set(QUANTITY_INPUTS) <= set(processor(text="NaCl 2.1")) <= set(processor.model_input_names)


def test_words_are_joined_with_their_positions() -> None:
    text, starts = join_words(["Li2O", "has", "", "5.1"])
    assert text == "Li2O has  5.1" and starts == [0, 5, 9, 10]
    assert join_words([]) == ("", [])
