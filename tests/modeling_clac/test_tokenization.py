"""The tokenizer: kinds and values of tokens for all ways of calling it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

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


NACL, SIC, GAN = [11, 0, 17, 0], [14, 0, 6], [31, 0, 7]  # kinds of the letters


@pytest.mark.parametrize(
    ("arguments", "split", "kinds"),
    [
        (("NaCl",), False, [0, *NACL, 0]),
        (("NaCl", "SiC"), False, [*NACL, *SIC]),
        ((["NaCl"],), False, [[0, *NACL, 0]]),
        ((["NaCl", "a", "SiC"],), False, [[0, *NACL, 0], [0] * 3, [0, *SIC, 0]]),
        ((["NaCl", "a"], ["b", "SiC"]), False, [[*NACL, 0], [0, *SIC]]),
        (([("NaCl", "b"), ("a", "SiC")],), False, [[*NACL, 0], [0, *SIC]]),
        (([("NaCl", "b"), "SiC"],), False, [[*NACL, 0], [0, *SIC, 0]]),
        ((["Na", "Cl"],), True, [0, 11, 0, 17, 0, 0]),
        ((["GaN", "2"],), True, [0, *GAN, 119, 0]),
        ((["GaN", "2"], ["SiC"]), True, [*GAN, 119, *SIC]),
        (([],), True, [0, 0]),
        (([["GaN", "2"], ["SiC"]],), True, [[0, *GAN, 119, 0], [0, *SIC, 0]]),
        (([["GaN"], ["a"]], [["b"], ["SiC", "5"]]), True, [[*GAN, 0], [0, *SIC, 119]]),
        (([(["GaN"], ["SiC"])],), True, [[*GAN, *SIC]]),
    ],
)
def test_texts_pairs_and_batches(tokenizer, arguments: tuple, split: bool, kinds: list) -> None:
    """Pairs of this tokenizer have no special tokens."""
    for with_offsets in (False, True):
        encoded = tokenizer(*arguments, is_split_into_words=split, return_offsets_mapping=with_offsets)
        batched = kinds and isinstance(kinds[0], list)
        rows = kinds if batched else [kinds]
        assert encoded["token_kinds"] == kinds
        values = encoded["token_values"] if batched else [encoded["token_values"]]
        assert [[value > 0 for value in row] for row in values] == [[kind > 0 for kind in row] for row in rows]
        assert ("offset_mapping" in encoded) is with_offsets
        if with_offsets:
            offsets = encoded["offset_mapping"] if batched else [encoded["offset_mapping"]]
            assert [row == own.offsets for row, own in zip(offsets, encoded.encodings, strict=True)] == [True] * len(
                rows
            )
            assert [len(row) for row in offsets] == [len(row) for row in rows]


def test_a_text_without_tokens(tokenizer) -> None:
    encoded = tokenizer("", add_special_tokens=False, return_offsets_mapping=True)
    assert [encoded[name] for name in ("input_ids", *QUANTITY_INPUTS, "offset_mapping")] == [[]] * 4
    batch = tokenizer(["", "a 5"], add_special_tokens=False)
    assert batch["token_values"] == [[], [0, 5]]


def test_windows_of_several_texts(tokenizer) -> None:
    """Each window has the quantities of its own text, and the offsets of that text as it was given."""
    windows = tokenizer(
        ["Na₂O 12345 a", "GaN 5"],
        truncation=True,
        max_length=6,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    assert windows["overflow_to_sample_mapping"] == [0, 0, 0, 1]
    assert windows["token_kinds"] == [[0, 11, 0, 0, 8, 0], [0, *[119] * 4, 0], [0, 119, 0, 0], [0, *GAN, 119, 0]]
    assert windows["token_values"][1] == [0, *[12345] * 4, 0] and windows["token_values"][3][4] == 5
    assert windows["offset_mapping"][0] == [(0, 0), (0, 1), (1, 2), (2, 3), (3, 4), (0, 0)]
    assert windows["offset_mapping"][2:] == [
        [(0, 0), (9, 10), (11, 12), (0, 0)],
        [(0, 0), (0, 1), (1, 2), (2, 3), (4, 5), (0, 0)],
    ]
    first = windows.encodings[0]
    assert [own.offsets for own in first.overflowing] == windows["offset_mapping"][1:3]


def test_offsets_of_pairs_of_changed_texts(tokenizer) -> None:
    pair = tokenizer("a", "YBCO, Ga₂O₃", return_offsets_mapping=True)
    acronym = [(0, 4)] * 9
    assert pair["offset_mapping"] == [(0, 1), *acronym, (4, 5), (6, 7), (7, 8), (8, 9), (9, 10), (10, 11)]
    words = tokenizer(["a"], ["YBCO", "Ga₂O₃"], is_split_into_words=True, return_offsets_mapping=True)
    assert words["offset_mapping"] == [(0, 1), *acronym, (0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    fractions = [value for value in pair["token_values"] if value]
    assert fractions == pytest.approx([1 / 13, 2 / 13, 3 / 13, 7 / 13, 0.4, 0.6])


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_side_of_the_padding(tokenizer, side: str) -> None:
    """That of the call comes before that of the tokenizer."""
    rows = [tokenizer("NaCl 5"), tokenizer("a")]
    filling = [0] * 4
    expected = [[0, *NACL, 119, 0], [*filling, 0, 0, 0] if side == "left" else [0, 0, 0, *filling]]
    mask = [0] * 4 + [1] * 3 if side == "left" else [1] * 3 + [0] * 4
    before = tokenizer.padding_side
    try:
        for own, given in ((side, None), ("right" if side == "left" else "left", side)):
            tokenizer.padding_side = own
            padded = tokenizer.pad(rows, padding_side=given)
            assert padded["token_kinds"] == expected and padded["attention_mask"][1] == mask
            assert [len(row) for row in padded["token_values"]] == [7, 7]
    finally:
        tokenizer.padding_side = before
    plain = [{"input_ids": row["input_ids"]} for row in rows]
    assert set(tokenizer.pad(plain)) == {"input_ids", "attention_mask"}


def test_what_a_wrapped_tokenizer_keeps(bert_tokenizer) -> None:
    """Its special tokens, side and length; not the padding and truncation of its file."""
    backend = Tokenizer.from_str(bert_tokenizer.backend_tokenizer.to_str())
    backend.enable_padding(length=20)
    backend.enable_truncation(4)
    plain = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        model_max_length=77,
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
    )
    for wrapped, split in ((ClacTokenizer.from_tokenizer(plain), False), (read_formulas(plain), True)):
        assert wrapped.split_formulas is split
        assert wrapped.model_max_length == 77 and wrapped.padding_side == "left"
        assert wrapped.special_tokens_map == plain.special_tokens_map
        assert wrapped.model_input_names == ["input_ids", "attention_mask", "token_kinds", "token_values"]
        encoded = wrapped("LiFePO4 2")
        assert encoded["token_kinds"] == [0, 3, 0, 26, 0, 15, 8, 0, 119, 0]
        again = read_formulas(wrapped)
        assert again.split_formulas and again.model_input_names == wrapped.model_input_names
    # The padding and truncation of the file are still those of the tokenizer it was made of.
    assert backend.padding is not None and backend.truncation is not None


def test_words_are_joined_with_their_positions() -> None:
    text, starts = join_words(["Li2O", "has", "", "5.1"])
    assert text == "Li2O has  5.1" and starts == [0, 5, 9, 10]
    assert join_words([]) == ("", [])
