"""Data sets of the library `datasets`, and `Trainer`, with nothing but the processor and the collator."""

from __future__ import annotations

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from transformers import AutoProcessor, Trainer, TrainingArguments

from modeling_clac import (
    ClacForGraphRegression,
    ClacForTokenClassification,
    ClacInputError,
    ClacModel,
    DataCollatorForClac,
)
from tests.helpers.disorder import garnet

TEXTS = ["LiFePO4, a cathode", "a wide-gap oxide", "NaCl", "rock salt", "a nitride", "GaN"]


@pytest.fixture(scope="module")
def table(cifs) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"text": TEXTS, "structure": cifs[: len(TEXTS)]})


@pytest.fixture(scope="module")
def pairs(table, small_processor) -> datasets.Dataset:
    return table.map(
        lambda rows: small_processor(text=rows["text"], structures=rows["structure"], return_tensors=None),
        batched=True,
        batch_size=4,
        remove_columns=table.column_names,
    )


@pytest.fixture(scope="module")
def expected(table, small_processor) -> dict[str, torch.Tensor]:
    return small_processor(text=table["text"][:], structures=table["structure"][:])


def same(batch, expected) -> None:
    assert set(batch) - {"return_loss"} == set(expected)
    for name, value in expected.items():
        assert torch.equal(batch[name], value), name


@pytest.mark.parametrize("kind", [lambda column: column, lambda c: np.array(c[:]), lambda c: pd.Series(c[:])])
def test_columns(table, small_processor, expected, kind) -> None:
    same(small_processor(text=kind(table["text"]), structures=kind(table["structure"])), expected)


@pytest.mark.parametrize("form", [None, "numpy", "torch"])
def test_stored_inputs_collate_to_the_same_batch(pairs, small_processor, expected, form) -> None:
    stored = pairs.with_format(form)
    batch = DataCollatorForClac(small_processor)([stored[i] for i in range(len(stored))])
    same(batch, expected)
    assert batch["return_loss"] is True and next(iter(batch)) == "input_ids"


def test_texts_and_structures_are_converted(table, small_processor, expected) -> None:
    same(DataCollatorForClac(small_processor)(list(table)), expected)
    crystals = DataCollatorForClac(small_processor)(list(table.remove_columns("text")))
    assert "input_ids" not in crystals and "return_loss" not in crystals
    with pytest.raises(ClacInputError, match=r"keys x; expected input_ids or text.*remove_unused_columns=False"):
        DataCollatorForClac(small_processor)([{"x": 1}])


def test_graphs_stored_by_themselves(small_processor, table, expected) -> None:
    extractor = small_processor.feature_extractor
    stored = table.map(lambda rows: {"graph": extractor.graphs(rows["structure"])}, batched=True)
    batch = extractor.collate([row["graph"] for row in stored], return_geometry=True)
    assert batch["positions"].shape == (len(batch["batch"]), 3) and batch["cell"].shape == (len(TEXTS), 3, 3)
    assert all(torch.equal(value, expected[name]) for name, value in batch.items() if name in expected)


def test_ordered_and_disordered_crystals_in_one_data_set(small_processor, cifs) -> None:
    extractor, crystals = small_processor.feature_extractor, [cifs[0], garnet()]
    stored = datasets.Dataset.from_dict(dict(extractor(crystals, return_tensors=None)))
    same(DataCollatorForClac(small_processor)(list(stored)), extractor(crystals))


def test_labels(small_processor, cifs) -> None:
    collator = DataCollatorForClac(small_processor)
    tokens = [dict(small_processor.tokenizer(text), labels=[-100, 1, -100]) for text in ("a", "b")]
    tokens.append(dict(small_processor.tokenizer("a b c"), labels=[-100, 1, 2, 3, -100]))
    batch = collator(tokens)
    assert batch["labels"].tolist() == [[-100, 1, -100, -100, -100], [-100, 1, -100, -100, -100], [-100, 1, 2, 3, -100]]
    several = collator([{"text": "a", "labels": [1.0, 0.0]}, {"text": "b c", "labels": [0.0, 1.0]}])
    assert several["labels"].tolist() == [[1, 0], [0, 1]] and several["labels"].dtype == torch.float32
    values = collator([{"structure": cif, "label": 0.5} for cif in cifs[:2]])
    assert values["labels"].tolist() == [0.5, 0.5] and "return_loss" not in values


def arguments(directory, **options) -> TrainingArguments:
    defaults = {"max_steps": 2, "per_device_train_batch_size": 3, "per_device_eval_batch_size": 4, "report_to": "none"}
    return TrainingArguments(str(directory), use_cpu=True, disable_tqdm=True, **{**defaults, **options})


def test_trainer_of_the_whole_model(small_checkpoint, small_processor, pairs, table, tmp_path) -> None:
    """Loss in training and evaluation, embeddings for the metrics, and a directory that loads with the Auto classes."""
    seen = {}

    def metrics(prediction) -> dict[str, float]:
        crystals, texts = prediction.predictions
        seen["shapes"] = crystals.shape, texts.shape
        return {"right": float((np.argmax(texts @ crystals.T, axis=1) == np.arange(len(texts))).mean())}

    model = ClacModel.from_pretrained(small_checkpoint)
    before = model.graph_model.encoder.embedding.weight.detach().clone()
    trainer = Trainer(
        model,
        arguments(tmp_path),
        DataCollatorForClac(small_processor),
        pairs,
        pairs,
        processing_class=small_processor,
        compute_metrics=metrics,
    )
    trainer.train()
    found = trainer.evaluate()
    assert np.isfinite(found["eval_loss"]) and 0 <= found["eval_right"] <= 1
    assert seen["shapes"] == ((6, 24), (6, 24))
    assert not torch.equal(before, model.graph_model.encoder.embedding.weight)
    trainer.save_model(str(tmp_path / "saved"))
    assert type(AutoProcessor.from_pretrained(tmp_path / "saved")) is type(small_processor)
    # Raw columns, converted batch by batch.
    raw = arguments(tmp_path / "raw", remove_unused_columns=False, max_steps=1)
    Trainer(model, raw, DataCollatorForClac(small_processor), table, processing_class=small_processor).train()


def test_trainer_of_heads(small_checkpoint, small_processor, cifs, tmp_path) -> None:
    extractor, tokenizer = small_processor.feature_extractor, small_processor.tokenizer
    graphs = datasets.Dataset.from_dict({**extractor(cifs[:6], return_tensors=None), "labels": [1.0, 2, 3, 4, 5, 6]})
    tagged = datasets.Dataset.from_list(
        [dict(tokenizer(text), labels=[1] * len(tokenizer(text)["input_ids"])) for text in TEXTS]
    )
    for head, rows in ((ClacForGraphRegression, graphs), (ClacForTokenClassification, tagged)):
        trainer = Trainer(
            head.from_pretrained(small_checkpoint),
            arguments(tmp_path / head.__name__),
            DataCollatorForClac(small_processor),
            rows,
            rows,
            processing_class=small_processor,
        )
        trainer.train()
        assert np.isfinite(trainer.evaluate()["eval_loss"])
