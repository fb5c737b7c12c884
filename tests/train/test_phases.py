"""Runs in phases: facts, then texts and phrases of the vocabulary against all crystals."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers import AutoModel

from modeling_clac import ClacEmbedder
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.loss_clac import concept_loss
from tests.conftest import CRYSTALS
from tests.helpers.pretraining import arguments, launch
from train.pretrain import train
from train.pretraining.bank import fill_bank
from train.pretraining.batches import PairBatches, build_batches
from train.pretraining.initial_model import build_model, starting_encoder
from train.pretraining.objective import ContrastiveObjective
from train.pretraining.pairs import first_records

READOUTS = {"graph_symmetry_readout": True, "graph_pattern_readout": True, "token_values": True}
PHASES: list[dict[str, Any]] = [
    {"name": "crystals", "terms": ["crystal-fact"], "num_epochs": 1},
    {
        "name": "projections",
        "terms": ["crystal-text", "crystal-concept", "crystal-fact"],
        "fact_weight": 0.1,
        "frozen": ["graph_model", "text_model"],
        "num_epochs": 1,
        "concept_phrases": 12,
        "short_probability": 0.3,
    },
    {
        "name": "texts",
        "terms": ["crystal-text", "crystal-concept", "crystal-fact"],
        "frozen": ["graph_model", "text_embeddings"],
        "frozen_text_layers": 1,
        "language_weight": 0.2,
        "num_epochs": 2,
        "concept_phrases": 12,
        "learning_rate": "1e-3",
    },
]
# Four steps in each epoch.
STEPS = 16


def recipe(bert_directory: Path, output: Path, **kwargs: Any) -> Any:
    return arguments(bert_directory, output, **{**READOUTS, "phases": PHASES, **kwargs})


@pytest.fixture(scope="module")
def finished(bert_directory, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("phases")
    progress = train(recipe(bert_directory, output))
    assert (progress.finished, progress.step, progress.phase) == (True, STEPS, 2)
    return output


def weights(output: Path) -> dict[str, torch.Tensor]:
    return load_file(output / "last" / "model.safetensors")


def test_a_run_stopped_in_each_phase_ends_with_the_same_weights(bert_directory, finished, tmp_path) -> None:
    """In the middle of each phase, and between two."""
    done = 0
    for step in (2, 4, 6, 8, 13):
        progress = train(recipe(bert_directory, tmp_path, max_steps=step - done, resume=done > 0))
        assert (progress.finished, progress.step) == (False, step)
        done = step
    assert train(recipe(bert_directory, tmp_path, resume=True)).finished
    expected, result = weights(finished), weights(tmp_path)
    assert expected.keys() == result.keys()
    assert [name for name in expected if not torch.equal(expected[name], result[name])] == []


@pytest.mark.parametrize(("steps", "workers"), [(0, 1), (6, 2), pytest.param(9, 3, marks=pytest.mark.slow)])
def test_batches_of_other_processes_are_the_same(bert_directory, finished, tmp_path, steps, workers) -> None:
    if steps:
        train(recipe(bert_directory, tmp_path, max_steps=steps, batch_workers=workers))
    assert train(recipe(bert_directory, tmp_path, batch_workers=workers, resume=steps > 0)).finished
    expected, result = weights(finished), weights(tmp_path)
    assert [name for name in expected if not torch.equal(expected[name], result[name])] == []


@pytest.mark.slow
def test_a_signal_to_all_processes_stops_the_run_and_saves(bert_directory, finished, tmp_path) -> None:
    """Ctrl-C and batch systems signal the workers as well, which prepare batches until the run has saved."""
    run = tmp_path / "run"
    file = tmp_path / "recipe.yaml"
    options = {**vars(recipe(bert_directory, run, batch_workers=2)), "save_steps": 1}
    file.write_text(yaml.safe_dump(options))
    # Sums are rounded as in the run to compare with.
    process = launch(str(file), start_new_session=True, OMP_NUM_THREADS=str(torch.get_num_threads()))
    deadline = time.monotonic() + 240
    while not (run / "last" / "state.json").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.killpg(process.pid, number)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "continue with --resume" in output
    assert sorted(path.name for path in run.iterdir() if path.name not in ("best", "log.jsonl")) == ["last"]
    assert train(recipe(bert_directory, run, batch_workers=2, save_steps=1, resume=True)).finished
    expected, result = weights(finished), weights(run)
    assert [name for name in expected if not torch.equal(expected[name], result[name])] == []


def test_the_log_names_the_phases_and_the_checkpoint_loads(finished, cifs) -> None:
    log = [json.loads(line) for line in (finished / "log.jsonl").read_text().splitlines()]
    assert [entry["phase"] for entry in log] == ["crystals", "projections", "texts", "texts"]
    assert ClacEmbedder.from_pretrained(finished / "best").encode_crystals(cifs[:2]).shape == (2, 16)
    assert json.loads((finished / "best" / "training.json").read_text())["recipe"]["phases"] == PHASES


def test_only_the_parts_of_a_phase_change(bert_directory, finished, tmp_path) -> None:
    train(recipe(bert_directory, tmp_path, max_steps=4))
    first = weights(tmp_path)
    train(recipe(bert_directory, tmp_path, max_steps=4, resume=True))
    second, last = weights(tmp_path), weights(finished)
    start = AutoModel.from_pretrained(bert_directory).state_dict()
    for name, weight in last.items():
        same = [torch.equal(weight, phase[name]) for phase in (first, second) if name in phase]
        if name.startswith("model.graph_model."):
            assert same == [True, True], name
        elif name.startswith(("model.text_model.embeddings.", "model.text_model.encoder.layer.0.")):
            assert torch.equal(weight, start[name.removeprefix("model.text_model.")]), name
        elif name.startswith("model.text_model.encoder.layer.1.") and weight.ndim == 2:
            assert same == [False, False], name
            assert torch.equal(second[name], start[name.removeprefix("model.text_model.")])
        elif name.startswith("model.crystal_projection.") and weight.ndim == 2:
            assert same == [False, False], name


def test_the_head_of_facts_goes_on_in_the_next_phase(bert_directory, tmp_path) -> None:
    """At a learning rate that changes nothing, the facts are predicted as well as before."""
    still = {"learning_rate": 1e-12, "text_learning_rate": 1e-12, "fact_weight": 1.0}
    first = {**PHASES[0], "num_epochs": 6, "learning_rate": 1e-2}
    head = "fact_head."

    train(recipe(bert_directory, tmp_path, phases=[first, {**PHASES[2], **still}], max_steps=24))
    before = weights(tmp_path)
    assert train(recipe(bert_directory, tmp_path, phases=[first, {**PHASES[2], **still}], resume=True)).finished
    after = weights(tmp_path)
    names = [name for name in before if name.startswith(head)]
    assert len(names) == 3
    for name in names:
        torch.testing.assert_close(after[name], before[name], atol=1e-6, rtol=0)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[5]["loss"] < 0.5 * log[0]["loss"]
    # Next to the loss of the texts, of at most some units.
    assert log[6]["loss"] < log[5]["loss"] + 10


def test_facts_of_some_crystals_of_the_bank_are_predicted(bert_directory, tmp_path) -> None:
    """With all of the few crystals drawn many times, the mean over steps is the loss over all."""
    own = recipe(bert_directory, tmp_path)
    torch.manual_seed(0)
    model, processor = build_model(own)
    batches = build_batches(own.phase(1), processor, show_progress=False)
    assert isinstance(batches, PairBatches) and batches.vocabulary is not None
    facts = batches.vocabulary.facts
    bank = fill_bank(model.eval(), processor, batches.crystals, batches.records, False, facts)
    assert bank.facts is not None and np.array_equal(bank.facts.numpy(), facts, equal_nan=True)
    objective = ContrastiveObjective(model, own.phase(1).objective_settings(), bank, facts.shape[1]).eval()
    batch = next(iter(batches.epoch(0)))
    assert objective.fact_head is not None
    with torch.no_grad():
        losses = [objective(batch.chunks[0], batch.labels, batch.concepts) for _ in range(60)]
        expected = objective.fact_head(bank.embed(model), bank.facts)
    drawn = [loss["crystal-fact"].item() for loss in losses]
    assert np.mean(drawn) == pytest.approx(expected.item(), rel=0.05)
    for loss in losses[:3]:
        contrastive = (loss["crystal-text"] + loss["crystal-concept"]) / 2
        torch.testing.assert_close(loss["loss"], contrastive + 0.1 * loss["crystal-fact"])


def test_texts_learn_against_all_crystals(bert_directory, tmp_path) -> None:
    phases = [{**PHASES[2], "frozen": ["graph_model"], "frozen_text_layers": 0, "num_epochs": 12}]
    train(recipe(bert_directory, tmp_path, phases=phases))
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < 0.8 * log[0]["loss"]


def test_masked_words_are_learnt_while_the_crystals_are_those_of_the_bank(bert_directory, tmp_path) -> None:
    terms = ["crystal-text", "crystal-text'", "crystal-concept"]
    phases = [{**PHASES[2], "terms": terms, "mlm_weight": 0.5, "num_epochs": 8}]
    train(recipe(bert_directory, tmp_path, phases=phases))
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["loss"] < 0.9 * log[0]["loss"]


def test_weights_of_the_text_encoder_are_averaged_with_the_pretrained_ones(bert_directory, finished, tmp_path) -> None:
    phases = [*PHASES[:2], {**PHASES[2], "text_average": 0.25}]
    train(recipe(bert_directory, tmp_path, phases=phases))
    start, expected, result = (
        AutoModel.from_pretrained(bert_directory).state_dict(),
        weights(finished),
        weights(tmp_path),
    )
    prefix = "model.text_model."
    names = [name for name in expected if name.startswith(prefix)]
    for name in names:
        mixed = 0.75 * expected[name] + 0.25 * start[name.removeprefix(prefix)]
        torch.testing.assert_close(result[name], mixed)
    assert all(torch.equal(result[name], expected[name]) for name in expected if name not in names)


def test_the_encoder_before_training_must_be_that_of_the_tower(bert_directory, tmp_path) -> None:
    larger = AutoModel.from_pretrained(bert_directory).config
    larger.hidden_size *= 2
    directory = tmp_path / "larger"
    AutoModel.from_config(larger).save_pretrained(directory)
    model, _ = build_model(recipe(bert_directory, tmp_path))
    own = recipe(bert_directory, tmp_path, text_model=str(directory), phases=[])
    with pytest.raises(ClacInputError, match=r"hidden_size is .* name the encoder that the tower was made from"):
        starting_encoder(model, own)
    with pytest.raises(ClacInputError, match=r"text_model .*nowhere"):
        starting_encoder(model, recipe(bert_directory, tmp_path, text_model=str(tmp_path / "nowhere"), phases=[]))


def test_the_bank_holds_the_embeddings_of_the_crystals(bert_directory, tmp_path) -> None:
    own = recipe(bert_directory, tmp_path, shared_composition=True, shared_density=True)
    torch.manual_seed(0)
    model, processor = build_model(own)
    batches = build_batches(own.phase(1), processor, show_progress=False)
    assert isinstance(batches, PairBatches)
    bank = fill_bank(model.eval(), processor, batches.crystals, batches.records, show_progress=False)
    expected = ClacEmbedder(model, processor).encode_crystals(batches.crystals, show_progress=False)
    torch.testing.assert_close(bank.embed(model.eval()).detach().numpy(), expected, atol=1e-5, rtol=0)


def test_no_text_of_training_contains_a_held_out_wording(bert_directory, tmp_path) -> None:
    own = recipe(bert_directory, tmp_path, masked_probability=0.2).phase(1)
    _, processor = build_model(own)
    batches = build_batches(own, processor, show_progress=False)
    assert isinstance(batches, PairBatches) and batches.vocabulary is not None
    held_out = batches.vocabulary.held_out
    plain = [own.text_style().write(record, (0, epoch)).text for record in batches.records for epoch in range(8)]
    texts = [batches._write(record, epoch).text for record in batches.records for epoch in range(8)]
    assert any(map(held_out.occurs_in, plain))
    # A text of a single sentence cannot lose it.
    assert not any(held_out.occurs_in(text) for text in texts if ". " in text)
    wording = next(w for c in load_vocabulary() for w in load_vocabulary().wordings(c.id, True) if " " in w)
    kept = batches.vocabulary.without_held_out(f"NaCl is cubic. It is a {wording}. It has 2 atoms.")
    assert kept == "NaCl is cubic. It has 2 atoms."


def test_substituted_crystals_take_part(bert_directory, tmp_path) -> None:
    own = recipe(bert_directory, tmp_path, substituted=8).phase(1)
    _, processor = build_model(own)
    batches = build_batches(own, processor, show_progress=False)
    assert isinstance(batches, PairBatches)
    assert len(batches.records) == 40 and sum(" after " in record["material_id"] for record in batches.records) == 8
    texts = [batch.concepts for batch in batches.epoch(0)]
    assert all(concepts is not None and concepts.holds.shape == (12, 40) for concepts in texts)


def test_right_answers_fit_the_rows_of_the_bank(bert_directory, tmp_path) -> None:
    own = recipe(bert_directory, tmp_path).phase(1)
    _, processor = build_model(own)
    batches = build_batches(own, processor, show_progress=False)
    assert isinstance(batches, PairBatches)
    for epoch in range(3):
        for batch in batches.epoch(epoch):
            assert batch.concepts is not None and not batch.chunks[0].graphs
            assert batch.concepts.holds.shape == (12, len(batches.crystals))
            assert [batches.records[row]["material_id"] for row in batch.labels.rows] == batch.material_ids
    again = [batch.concepts.holds for batch in batches.epoch(1) if batch.concepts]
    once_more = [batch.concepts.holds for batch in batches.epoch(1) if batch.concepts]
    assert all(torch.equal(a, b) for a, b in zip(again, once_more, strict=True))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_concept_loss_equals_its_definition(seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    texts, crystals = (
        torch.nn.functional.normalize(torch.randn(size, 6, generator=generator), dim=1).requires_grad_()
        for size in (5, 9)
    )
    holds = torch.tensor([1.0, 0.0, 0.5, math.nan])[torch.randint(0, 4, (5, 9), generator=generator)]
    holds[0] = 1.0
    total = []
    for text, row in zip(texts, holds, strict=True):
        scores = (7.0 * text @ crystals.T).tolist()
        wrong = [score for score, value in zip(scores, row.tolist(), strict=True) if value == 0]
        right = [score for score, value in zip(scores, row.tolist(), strict=True) if value == 1]
        if right and wrong:
            against = math.log(sum(map(math.exp, wrong)))
            total.append(sum(math.log1p(math.exp(against - score)) for score in right) / len(right))
    loss = concept_loss(texts, crystals, holds, torch.tensor(7.0))
    assert loss.item() == pytest.approx(sum(total) / max(len(total), 1), abs=1e-4)
    loss.backward()
    assert texts.grad is not None and texts.grad.isfinite().all() and not texts.grad[0].any()


def test_descriptions_are_whole_or_parts_in_order(bert_directory, tmp_path) -> None:
    sentences = ["It is cubic.", "Na is bonded to six Cl.", "All bonds are 2.8 Å long."]
    path = tmp_path / "descriptions.parquet"
    ids = [record["material_id"] for record in first_records(str(CRYSTALS), "train", 0)]
    pq.write_table(pa.table({"material_id": ids, "description": [" ".join(sentences)] * len(ids)}), path)
    own = arguments(
        bert_directory, tmp_path / "run", descriptions=str(path), description_probability=0.8, masked_probability=0.0
    )
    _, processor = build_model(own)
    batches = build_batches(own, processor, show_progress=False)
    assert isinstance(batches, PairBatches)
    texts = [own.text_style().write(record, (0, epoch)).text for record in batches.records for epoch in range(8)]
    parts = [text for text in texts if all(part in sentences for part in text.replace(". ", ".|").split("|"))]
    assert 0.7 < len(parts) / len(texts) < 0.9
    assert {text.count(".") for text in parts} >= {1, 2, 4}
    assert all([s for s in sentences if s in text] == text.replace(". ", ".|").split("|") for text in parts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phases": [{"terms": ["crystal-fact"]}]}, "phase 1 has no name"),
        ({"phases": [{"name": "a", "seed": 1}]}, "phase a: seed cannot be set for a phase; choose from"),
        ({"phases": [{"name": "a", "num_epochs": 0}]}, "phase a: num_epochs=0 must be at least 1"),
        ({"phases": [{"name": "a", "learning_rate": "fast"}]}, "phase a: learning_rate is 'fast', expected float"),
        ({"frozen": ["text"]}, "choose from graph_model, text_model, text_embeddings"),
        ({"terms": ["crystal-fact"], "chunk_size": 4}, "crystal-fact cannot be used with streaming or chunk_size"),
        ({"frozen": ["graph_model"], "twin_share": 0.1}, "remove streaming, chunk_size and twin_share"),
        ({"description_probability": 0.5}, "descriptions and description_probability go together"),
    ],
)
def test_invalid_phases(bert_directory, tmp_path, change, message) -> None:
    with pytest.raises(ClacInputError, match=message):
        arguments(bert_directory, tmp_path, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"frozen": ["graph_model"], "terms": ["crystal'-text"]},
            "only crystal-concept, crystal-fact, crystal-text, crystal-text' with info_nce",
        ),
        ({"frozen_text_layers": 9}, "the text encoder has 2 layers"),
        (
            {"descriptions": "nowhere.parquet", "description_probability": 0.5},
            "nowhere.parquet: cannot be read",
        ),
    ],
)
def test_phases_that_do_not_fit_the_model_or_the_data(bert_directory, tmp_path, change, message) -> None:
    with pytest.raises(ClacInputError, match=message):
        train(arguments(bert_directory, tmp_path / "run", **change))
    assert not (tmp_path / "run").exists()
