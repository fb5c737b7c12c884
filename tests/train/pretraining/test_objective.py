"""The training objective: its terms, heads and side losses, and training with all of them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForMaskedLM

from modeling_clac import ClacModel
from modeling_clac.data.structure_writing import cif_text
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.loss_clac import IGNORE_INDEX
from modeling_clac.structures_clac import parse_structure
from tests.conftest import CRYSTALS
from tests.helpers.disorder import garnet
from tests.helpers.pretraining import arguments, batches, small_model
from train.pretrain import train
from train.pretraining.collator import TextLabels
from train.pretraining.objective import (
    LOSSES,
    TERMS,
    ContrastiveObjective,
    ObjectiveSettings,
    View,
)
from train.pretraining.objective_heads import MaskedLanguageModelHead, PriorDiscriminator
from train.pretraining.pairs import Copies, first_records

ALL = tuple(TERMS)


@pytest.fixture
def model(bert_config: BertConfig) -> ClacModel:
    return small_model(bert_config)


@pytest.fixture(scope="module")
def records() -> list[dict]:
    return first_records(str(CRYSTALS), "validation", 24)


def test_one_term_is_the_loss_of_the_model(model, small_processor, records) -> None:
    (batch, *_) = batches(records, small_processor, Copies()).epoch(0)
    (chunk,) = batch.chunks
    result = ContrastiveObjective(model, ObjectiveSettings()).eval()(chunk, batch.labels)
    expected = model(**chunk.graphs, **chunk.tokens, return_loss=True).loss
    assert result.keys() == {"loss", "crystal-text"}
    torch.testing.assert_close(result["loss"], expected)


def test_disordered_crystals_are_trained_on(model, small_processor, records) -> None:
    """Their occupancies reach the towers, the shared facts and the copies, and each loss is finite."""
    garnet_record = {**records[0], "cif": cif_text(parse_structure(garnet().get_primitive_structure()))}
    changed = [{**garnet_record, "formula": "Li6.75La3Zr1.75Ta0.25O12", "material_id": "garnet"}, *records[1:8]]
    (batch,) = batches(changed, small_processor, Copies(crystals=True, texts=True)).epoch(0)
    (chunk,) = batch.chunks
    assert chunk.graphs["occupancy"].shape == chunk.graphs["atomic_numbers"].shape
    result = ContrastiveObjective(model, ObjectiveSettings(terms=ALL)).eval()(chunk, batch.labels)
    assert all(torch.isfinite(value) for value in result.values())
    expected = model(**chunk.graphs, **chunk.tokens).crystal_embeds[:8]
    without = model(**{**chunk.graphs, "occupancy": None}, **chunk.tokens).crystal_embeds[:8]
    place = batch.material_ids.index("garnet")
    same = (expected - without).abs().amax(dim=1) == 0
    assert same.tolist() == [number != place for number in range(8)]


@pytest.mark.parametrize("loss", LOSSES)
def test_all_terms_are_averaged(model, small_processor, records, loss) -> None:
    (batch, *_) = batches(records, small_processor, Copies(crystals=True, texts=True)).epoch(0)
    objective = ContrastiveObjective(model, ObjectiveSettings(loss, ALL, prior_weight=0.5, mlm_weight=0.1)).eval()
    result = objective(batch.chunks[0], batch.labels)
    assert result.keys() == {"loss", *ALL, "prior crystal", "prior text", "mlm"}
    expected = sum(result[term] for term in ALL) / len(ALL) + 0.1 * result["mlm"]
    expected = expected + 0.5 * (result["prior crystal"] + result["prior text"])
    torch.testing.assert_close(result["loss"], expected)
    result["loss"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in objective.parameters())


def test_terms_switch_one_by_one(model, small_processor, records) -> None:
    (batch, *_) = batches(records, small_processor, Copies(crystals=True, texts=True)).epoch(0)
    together = ContrastiveObjective(model, ObjectiveSettings(terms=ALL)).eval()
    every = together(batch.chunks[0], batch.labels)
    for term in ALL:
        alone = ContrastiveObjective(model, ObjectiveSettings(terms=(term,))).eval()
        assert set(alone.heads) == {kind for kind in ("crystal", "text") if term == f"{kind}-{kind}'"}
        alone.heads.load_state_dict({name: together.heads.state_dict()[name] for name in alone.heads.state_dict()})
        torch.testing.assert_close(alone(batch.chunks[0], batch.labels)["loss"], every[term])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"loss": "triplet"}, "triplet"),
        ({"terms": ()}, "choose from"),
        ({"terms": ("crystal-txt",)}, "crystal-txt"),
        ({"prior_weight": -1.0}, "prior_weight"),
        ({"mlm_weight": 0.1}, "needs a term with text'"),
    ],
)
def test_wrong_settings_are_refused(change, reason) -> None:
    with pytest.raises(ClacInputError, match=reason):
        ObjectiveSettings(**change)


def test_encoder_works_against_the_prior_discriminator() -> None:
    torch.manual_seed(0)
    discriminator = PriorDiscriminator(8)
    embeds = torch.nn.functional.normalize(torch.randn(16, 8), dim=1).requires_grad_()
    discriminator(embeds).backward()
    plain = embeds.detach().clone().requires_grad_()
    fake = torch.nn.functional.softplus(discriminator.output(discriminator.layers(plain))).mean()
    fake.backward()
    torch.testing.assert_close(embeds.grad, -plain.grad)
    assert discriminator.output.weight.grad is not None


def test_prior_matching_spreads_embeddings() -> None:
    """A cluster of points spreads over the sphere."""
    torch.manual_seed(0)
    points = torch.nn.Parameter(torch.randn(256, 3) * 0.1 + torch.tensor([1.0, 0.0, 0.0]))
    discriminator = PriorDiscriminator(3, hidden_size=32)
    optimizer = torch.optim.Adam([points, *discriminator.parameters()], lr=1e-2)
    start = torch.nn.functional.normalize(points, dim=1).mean(dim=0).norm().item()
    for _ in range(300):
        optimizer.zero_grad()
        discriminator(torch.nn.functional.normalize(points, dim=1)).backward()
        optimizer.step()
    assert torch.nn.functional.normalize(points, dim=1).mean(dim=0).norm().item() < start / 2


def test_masked_language_model_head_equals_that_of_bert(bert_config: BertConfig) -> None:
    torch.manual_seed(0)
    bert = BertForMaskedLM(bert_config).eval()
    head = MaskedLanguageModelHead(bert_config)
    predictions = bert.cls.predictions
    head.dense.load_state_dict(predictions.transform.dense.state_dict())
    head.norm.load_state_dict(predictions.transform.LayerNorm.state_dict())
    with torch.no_grad():
        head.bias.copy_(predictions.bias)
    ids = torch.randint(5, bert_config.vocab_size, (3, 7))
    labels = torch.where(torch.rand(3, 7) < 0.5, ids, torch.tensor(IGNORE_INDEX))
    expected = bert(input_ids=ids, labels=labels).loss
    words = bert.get_input_embeddings().weight
    result = head(bert.bert(input_ids=ids).last_hidden_state, labels, words)
    assert result.shape == (3,)
    torch.testing.assert_close(result.sum() / (labels != IGNORE_INDEX).sum(), expected)
    nothing = torch.full_like(labels, IGNORE_INDEX)
    assert head(bert.bert(input_ids=ids).last_hidden_state, nothing, words).tolist() == [0.0] * 3


def test_crystals_that_answer_a_phrase_are_excluded_from_its_negatives(model, small_processor, records) -> None:
    """The loss depends on a crystal that the phrase does not describe, but not on another one that it describes."""
    (batch, *_) = batches(records, small_processor, Copies()).epoch(0)
    objective = ContrastiveObjective(model, ObjectiveSettings(terms=("crystal-phrase",))).eval()
    outputs = objective.embed(batch.chunks[0])
    outputs[View.PHRASE] = torch.linalg.qr(torch.randn(24, 8))[0].T.unsqueeze(1)
    failing = torch.zeros_like(batch.labels.crystals.failing)
    conditions = torch.zeros_like(failing)
    conditions[0, 1], failing[2:, 1] = 1, 1  # phrase 0 sets a condition that only crystals 0 and 1 meet
    phrases = TextLabels(torch.arange(8)[:, None], conditions[:, None], torch.zeros(8, 1, dtype=torch.long))
    crystals = replace(batch.labels.crystals, failing=failing)
    labels = replace(batch.labels, crystals=crystals, phrases=phrases)

    def loss(crystal: torch.Tensor = outputs[View.CRYSTAL]) -> float:
        return objective.contrast({**outputs, View.CRYSTAL: crystal}, labels)["loss"].item()

    def moved(row: int) -> torch.Tensor:
        crystal = outputs[View.CRYSTAL].clone()
        crystal[row] += 0.5 * outputs[View.PHRASE][0, 0]  # at right angles to all other phrases
        return crystal

    assert loss(moved(1)) == pytest.approx(loss(), abs=1e-6)
    assert abs(loss(moved(2)) - loss()) > 1e-3


def test_several_phrases_count_like_one_each(model, small_processor, records) -> None:
    """The loss of three phrases a crystal is the mean of the losses with each of them, also in chunks."""
    objective = ContrastiveObjective(model, ObjectiveSettings(terms=("crystal-phrase",))).eval()
    (batch, *_) = batches(records, small_processor, Copies(), num_phrases=3).epoch(0)
    outputs, labels = objective.embed(batch.chunks[0]), batch.labels
    assert outputs[View.PHRASE].shape[:2] == labels.phrases.conditions.shape[:2] == (8, 3)
    single = []
    for k in range(3):
        own = TextLabels(
            labels.phrases.identity[:, [k]], labels.phrases.conditions[:, [k]], labels.phrases.formula[:, [k]]
        )
        one = {**outputs, View.PHRASE: outputs[View.PHRASE][:, [k]]}
        single.append(objective.contrast(one, replace(labels, phrases=own))["loss"])
    assert len({round(loss.item(), 6) for loss in single}) > 1
    torch.testing.assert_close(objective.contrast(outputs, labels)["loss"], torch.stack(single).mean())
    (chunked, *_) = batches(records, small_processor, Copies(), chunk_size=3, num_phrases=3).epoch(0)
    embedded = torch.cat([objective.embed(chunk)[View.PHRASE] for chunk in chunked.chunks])
    torch.testing.assert_close(embedded, outputs[View.PHRASE], rtol=1e-4, atol=1e-5)


def test_a_term_with_phrases_needs_them(model, small_processor, records, bert_directory, tmp_path) -> None:
    (batch, *_) = batches(records, small_processor, Copies(), phrases=False).epoch(0)
    objective = ContrastiveObjective(model, ObjectiveSettings(terms=("crystal-phrase",)))
    with pytest.raises(ValueError, match="phrases"):
        objective(batch.chunks[0])
    options = {"terms": ["crystal-text", "crystal-phrase"], "short_probability": 0.0, "query_probability": 0.0}
    with pytest.raises(ClacInputError, match="needs short_probability or query_probability"):
        arguments(bert_directory, tmp_path, **options)


def test_phrases_come_with_narratives(bert_directory, tmp_path, records) -> None:
    shares = {"short_probability": 0.1, "query_probability": 0.3, "masked_probability": 0.2}
    apart = arguments(bert_directory, tmp_path, terms=["crystal-text", "crystal-phrase"], **shares)
    narratives, phrases_style = apart.text_style(), apart.phrase_style()
    assert (narratives.masked, narratives.short, narratives.query) == (0.2, 0.0, 0.0)
    assert (phrases_style.short, phrases_style.query) == pytest.approx((0.25, 0.75))
    phrases = [phrases_style.write(record, (0, epoch)) for record in records for epoch in range(20)]
    named = [phrase for phrase in phrases if phrase.formula]
    assert 0 < len(named) < len(phrases) / 4
    assert all(phrase.formula in phrase.text for phrase in named)
    assert sum(bool(phrase.conditions) for phrase in phrases) > len(phrases) / 2
    assert arguments(bert_directory, tmp_path, **shares).phrase_style() is None


def test_training_with_everything_learns_and_resumes(bert_directory: Path, tmp_path: Path) -> None:
    options = {"terms": list(ALL), "prior_weight": 0.1, "mlm_weight": 0.1, "loss": "jensen_shannon"}
    whole = train(arguments(bert_directory, tmp_path / "whole", **options))
    assert whole.finished
    assert math.isfinite(whole.best)
    train(arguments(bert_directory, tmp_path / "parts", max_steps=3, **options))
    assert train(arguments(bert_directory, tmp_path / "parts", resume=True, **options)).finished
    expected, result = (load_file(tmp_path / part / "last" / "model.safetensors") for part in ("whole", "parts"))
    assert expected.keys() == result.keys()
    assert all(torch.equal(expected[name], result[name]) for name in expected)
