"""Attention: classes of tokens, shares against their definition, and the result files of a random model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertModel

from evaluation.attention import AttentionArguments, attention_of, attention_shares, run
from evaluation.texts.before_training import model_before_training
from evaluation.texts.token_classes import CLASSES, token_classes
from modeling_clac import ClacModel, ClacProcessor
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.errors_clac import ClacInputError

TEXT = "LiFePO4 is an orthorhombic phosphate of space group Pnma with a density of 3.5 g/cm3."


def encoded(processor: ClacProcessor, text: str):
    return processor.tokenizer([text], return_offsets_mapping=True, return_special_tokens_mask=True)


def test_tokens_have_the_classes_of_their_words(small_processor: ClacProcessor):
    tokens = encoded(small_processor, TEXT)
    classes = token_classes(TEXT, tokens, load_vocabulary())
    found: dict[str, set[str]] = {}
    for (start, end), own in zip(tokens["offset_mapping"][0], classes, strict=True):
        word = next((w for w in TEXT.split() if TEXT.index(w) <= start < TEXT.index(w) + len(w)), "")
        found.setdefault(CLASSES[own], set()).add(word if end > start else "")
    assert found["formulas"] == {"LiFePO4"}
    assert found["numbers"] == {"3.5"}
    assert {"orthorhombic", "Pnma"} <= found["symmetry"]
    assert found["classes"] == {"phosphate"}
    assert found["special tokens"] == {""}
    assert {"density", "with"} <= found["other words"]


def test_shares_add_up_to_one():
    generator = np.random.default_rng(0)
    attention = generator.dirichlet(np.ones(6), size=(2, 3, 6))
    classes = np.array([5, 0, 0, 1, 4, 5])
    shares = attention_shares(attention, classes)
    np.testing.assert_allclose(shares.sum(axis=-1), 1.0)
    literal = np.mean([attention[1, 2, row, 1] + attention[1, 2, row, 2] for row in (1, 2, 3, 4)])
    assert shares[1, 2, 0] == pytest.approx(literal)


def test_the_model_before_training_has_the_weights_of_its_encoder(small_model: ClacModel, bert_directory: Path):
    before = model_before_training(small_model, str(bert_directory))
    encoder = BertModel.from_pretrained(bert_directory)
    assert torch.equal(before.get_input_embeddings().weight, encoder.get_input_embeddings().weight)
    last = encoder.encoder.layer[-1].output.dense.weight
    assert torch.equal(before.text_model.encoder.layer[-1].output.dense.weight, last)
    with pytest.raises(ClacInputError, match="before_layers"):
        model_before_training(small_model, str(bert_directory), [0])
    with pytest.raises(ClacInputError, match="cannot be loaded"):
        model_before_training(small_model, str(bert_directory / "none"))


def test_attention_is_that_of_each_layer_and_head(small_model: ClacModel, small_processor: ClacProcessor):
    model = model_before_training(small_model, "random")
    model.text_model.set_attn_implementation("eager")
    attention, tokens = attention_of(model, small_processor.tokenizer, TEXT)
    length = len(tokens["input_ids"][0])
    assert attention.shape == (2, 2, length, length)
    np.testing.assert_allclose(attention.sum(axis=-1), 1.0, atol=1e-5)


def test_the_result_compares_before_and_after(small_checkpoint: Path, bert_directory: Path, tmp_path: Path):
    output = tmp_path / "out" / "result.json"
    run(AttentionArguments(
        model=str(small_checkpoint), before=str(bert_directory), split="validation", texts=3, sentence=TEXT,
        output=str(output),
    ))  # fmt: skip
    names = {f"{figure}.{kind}" for figure in ("shares", "heads", "sentence") for kind in ("png", "svg")}
    assert {path.name for path in output.parent.iterdir()} == {"result.json", "table.md", *names}
    result = json.loads(output.read_text())
    formulas = result["shares"]["formulas"]
    assert formulas["texts"] == 3
    for layer in range(2):
        change = formulas["after"]["layers"][layer]["share"] - formulas["before"]["layers"][layer]["share"]
        assert formulas["change"][layer]["share"] == pytest.approx(change, abs=1e-9)
        low, high = formulas["after"]["layers"][layer]["interval"]
        assert low <= formulas["after"]["layers"][layer]["share"] <= high


def test_a_checkpoint_without_a_text_model_asks_for_one(small_checkpoint: Path):
    with pytest.raises(ClacInputError, match="--before"):
        run(AttentionArguments(model=str(small_checkpoint), texts=2))
