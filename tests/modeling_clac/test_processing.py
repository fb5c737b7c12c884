"""The processor, and the splitting of formulas by its tokenizer."""

from __future__ import annotations

import shutil
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition
from transformers import AutoProcessor, AutoTokenizer

from modeling_clac import ClacInputError, ClacProcessor, ClacTokenizer
from modeling_clac.plain_text_clac import plain_text
from modeling_clac.tokenization_clac import read_formulas


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LiFePO4", "li fe p o4"),
        ("Ba(Ti2O3)4", "ba(ti2o3)4".replace("ti2o3", "ti2 o3")),
        ("NaCl and SiC, TiO2-based.", "na cl and si c, ti o2-based."),
        ("K0.5Na0.5NbO3", "k0.5 na0.5 nb o3"),
        ("space group Fm-3m, I4/mmm, P2_1/c, Pnma", "space group fm-3m, i4/mmm, p2_1/c, pnma"),
        ("83.0 GPa, 2.1 eV, UV detectors, DFT", "83.0 gpa, 2.1 ev, uv detectors, dft"),
        ("In cubic Co", "in cubic co"),
    ],
)
def test_formulas_are_split_and_words_are_not(bert_tokenizer, text, words) -> None:
    assert plain_text(text).text.lower() == words
    ids = read_formulas(bert_tokenizer)(text)["input_ids"]
    assert ids == bert_tokenizer(words)["input_ids"]


@settings(deadline=None)
@given(st.lists(st.sampled_from("Li Fe P O Sc Co N Yb H".split()), min_size=2, max_size=5, unique=True))
def test_every_formula_splits_into_its_elements(bert_tokenizer, elements) -> None:
    formula = Composition({symbol: 1 + i % 3 for i, symbol in enumerate(elements)}).formula.replace(" ", "")
    parts = [part.removesuffix("1") for part in Composition(formula).formula.split()]
    assert plain_text(formula).text.split() == parts
    assert read_formulas(bert_tokenizer)(formula)["input_ids"] == bert_tokenizer(" ".join(parts))["input_ids"]


def test_rule_survives_saving_and_is_added_once(bert_tokenizer, tmp_path) -> None:
    tokenizer = read_formulas(read_formulas(bert_tokenizer))
    assert tokenizer.backend_tokenizer.to_str() == read_formulas(bert_tokenizer).backend_tokenizer.to_str()
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    text = ["LiFePO4 is olivine", "BaTiO3"]
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"] != bert_tokenizer(text)["input_ids"]
    assert again.special_tokens_map == tokenizer.special_tokens_map


def test_inputs_of_texts_come_before_those_of_graphs(small_processor, cifs) -> None:
    batch = small_processor(text="rock salt", structures=cifs[0], return_tensors="pt")
    assert next(iter(batch)) == "input_ids"
    assert {"attention_mask", "atomic_numbers", "edge_index", "edge_vector", "batch", "num_atoms"} <= set(batch)
    assert set(batch) <= set(small_processor.model_input_names)
    assert all(isinstance(value, torch.Tensor) for value in batch.values())


def test_text_or_structures_alone(small_processor, cifs) -> None:
    assert "edge_index" not in small_processor(text=["a", "b c"])
    assert "input_ids" not in small_processor(structures=cifs[:2])
    assert small_processor(text=["NaCl " * 500])["input_ids"].shape[1] == 128


def test_round_trip(small_processor, cifs, tmp_path) -> None:
    small_processor.save_pretrained(tmp_path)
    again = AutoProcessor.from_pretrained(tmp_path)
    first, second = (p(text=["NaCl"], structures=cifs[:2]) for p in (small_processor, again))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give text, structures, or both"),
        ({"text": "  "}, "the text is empty"),
        ({"text": ["a", ""]}, "text with index 1 is empty"),
        ({"text": []}, "the list of texts is empty"),
    ],
)
def test_nothing_to_process(small_processor, arguments, message) -> None:
    with pytest.raises(ClacInputError, match=message):
        small_processor(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"text": "a", "pading": True}, TypeError, "pading is not an argument; did you mean padding"),
        ({"text": "a", "whatever": 1}, TypeError, "whatever is not an argument"),
        ({"text": "a", "return_geometry": True}, ClacInputError, "return_geometry is an argument for structures"),
        ({"structures": "x", "max_length": 3}, ClacInputError, "max_length is an argument for text"),
        ({"text": "a", "return_tensors": "np"}, ClacInputError, "return_tensors='np' is not supported"),
        ({"text": [["a"], []], "is_split_into_words": True}, ClacInputError, "the text with index 1 is not a list"),
        (
            {"text": [["a", None]], "is_split_into_words": True},
            ClacInputError,
            "text with index 0: the word with index 1",
        ),
        ({"text": "a b", "is_split_into_words": True}, ClacInputError, "not split into words"),
        ({"structures": []}, ClacInputError, "the list of structures is empty"),
        ({"text": ["a", 3]}, ClacInputError, "the text with index 1 is of type int"),
    ],
)
def test_arguments_without_an_effect_are_errors(small_processor, arguments, error, message) -> None:
    with pytest.raises(error, match=message) as caught:
        small_processor(**arguments)
    assert "\n" not in str(caught.value)


def test_arguments_of_the_tokenizer(small_processor, cifs) -> None:
    rows = small_processor(text=["a", "NaCl b"], return_tensors=None)
    assert [len(ids) for ids in rows["input_ids"]] == [3, 7] and rows["token_kinds"][0] == [0, 0, 0]
    padded = small_processor(text=["a", "NaCl b"], return_tensors=None, padding=True)
    assert [len(ids) for ids in padded["input_ids"]] == [7, 7]
    split = small_processor(text=[["a"], ["NaCl", "b"]], is_split_into_words=True)
    assert torch.equal(split["input_ids"], small_processor(text=["a", "NaCl b"])["input_ids"])
    assert torch.equal(
        small_processor(text=["NaCl", "b"], is_split_into_words=True)["input_ids"][0], split["input_ids"][1]
    )
    offsets = small_processor(text=["NaCl b"], return_offsets_mapping=True)["offset_mapping"][0].tolist()
    assert offsets[1:3] == [[0, 1], [1, 2]]
    graphs = small_processor(structures=cifs[:2], return_tensors=None)
    assert [len(numbers) for numbers in graphs["atomic_numbers"]] == small_processor(structures=cifs[:2])[
        "num_atoms"
    ].tolist()
    assert "positions" not in graphs
    assert "positions" in small_processor(structures=cifs[:2], return_geometry=True)


def test_to_pyg_without_torch_geometric(small_processor, cifs, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_geometric.data", None)
    with pytest.raises(ClacInputError, match=r"pip install 'clac-crystals\[pyg\]'"):
        small_processor.to_pyg(small_processor(structures=cifs[:1]))


def test_directory_with_a_tokenizer_only(small_processor, small_checkpoint, tmp_path) -> None:
    """`AutoProcessor` returns the tokenizer, as for other models; the processor itself says what is missing."""
    for name in ("tokenizer.json", "tokenizer_config.json"):  # which name the processor
        shutil.copy(small_checkpoint / name, tmp_path)
    for auto in (AutoTokenizer, AutoProcessor):
        loaded = auto.from_pretrained(tmp_path)
        assert type(loaded) is ClacTokenizer and loaded("NaCl 5.6 eV") == small_processor.tokenizer("NaCl 5.6 eV")
    with pytest.raises(OSError, match="feature extractor"):
        ClacProcessor.from_pretrained(tmp_path)
    (tmp_path / "processor_config.json").write_text("{}")  # damaged, not absent
    with pytest.raises((OSError, ValueError)):
        AutoProcessor.from_pretrained(tmp_path)


def test_skipping_would_separate_pairs(small_processor, cifs) -> None:
    with pytest.raises(ClacInputError, match="separate texts from their crystals"):
        small_processor(text=["a"], structures=cifs[:1], on_error="skip")


def test_to_pyg(small_processor, cifs) -> None:
    pytest.importorskip("torch_geometric")
    batch = small_processor.to_pyg(small_processor(structures=cifs[:3]))
    assert batch.num_graphs == 3
