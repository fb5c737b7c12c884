"""The collator: originals and their augmented copies in one batch."""

from __future__ import annotations

import numpy as np
import torch

from modeling_clac.loss_clac import IGNORE_INDEX
from modeling_clac.narrator.concept_phrases import Phrase
from tests.helpers.pretraining import assert_same_inputs, batches
from train.pretraining.augmentation import MASKED_ATOM
from train.pretraining.collator import Collator
from train.pretraining.pairs import Copies


def test_batches_hold_originals_then_copies(small_processor, records) -> None:
    records = records[:24]
    plain = list(batches(records, small_processor, Copies()).epoch(0))
    copied = list(batches(records, small_processor, Copies(crystals=True, texts=True)).epoch(0))
    assert len(plain) == len(copied) == 3
    for batch, both in zip((b.chunks[0] for b in plain), (b.chunks[0] for b in copied), strict=True):
        assert both.graphs["num_atoms"].tolist() == batch.graphs["num_atoms"].tolist() * 2
        atoms = len(batch.graphs["atomic_numbers"])
        numbers = both.graphs["atomic_numbers"]
        assert torch.equal(numbers[:atoms], batch.graphs["atomic_numbers"])
        known = numbers[atoms:] != MASKED_ATOM
        assert 0.5 < known.float().mean() < 1
        assert torch.equal(numbers[atoms:][known], numbers[:atoms][known])
        assert both.tokens["input_ids"].shape[0] == 16
        length = batch.tokens["input_ids"].shape[1]
        assert torch.equal(both.tokens["input_ids"][:8, :length], batch.tokens["input_ids"])
        chosen = both.mlm_labels != IGNORE_INDEX
        assert both.mlm_labels.shape == both.tokens["input_ids"][8:].shape
        assert 0.05 < chosen.sum() / both.tokens["attention_mask"][8:].sum() < 0.3
    again = list(batches(records, small_processor, Copies(crystals=True, texts=True)).epoch(0, first_batch=1))
    assert_same_inputs(again[0].chunks[0], copied[1].chunks[0])


def test_a_batch_moves_to_a_device_as_a_whole(small_processor, records) -> None:
    (batch, *_) = batches(records[:8], small_processor, Copies(crystals=True, texts=True), chunk_size=4).epoch(0)
    moved = batch.to(torch.device("meta"))
    assert moved.material_ids == batch.material_ids and [chunk.size for chunk in moved.chunks] == [4, 4]
    tensors = [moved.labels.num_masked, moved.labels.texts.names, moved.labels.crystals.answers]
    for chunk in moved.chunks:
        tensors += [*chunk.graphs.values(), *chunk.tokens.values(), chunk.mlm_labels]
    assert all(tensor.device.type == "meta" for tensor in tensors)


def test_texts_are_padded_as_by_the_tokenizer(small_processor) -> None:
    texts = ["LiFePO4 with a band gap of 3.7 eV", "oxide", "lead-free halide perovskite, 6 g/cm³"]
    phrases = [Phrase(text, np.array([1, 0, np.nan, 0.5], dtype=np.float32)) for text in texts]
    batch = Collator(small_processor, 40).concepts(phrases)
    expected = small_processor.tokenizer(texts, padding=True, truncation=True, max_length=40, return_tensors="pt")
    assert batch.tokens.keys() == expected.keys()
    for name, values in expected.items():
        assert batch.tokens[name].dtype == values.dtype
        assert torch.equal(batch.tokens[name], values), name
    assert batch.holds.tolist() == [[1, 0, -1, -1]] * 3
