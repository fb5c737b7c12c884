"""The training objective: its terms, heads and side losses, and training with all of them."""

from __future__ import annotations

import math
from copy import deepcopy
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
from train.pretraining.objective import ContrastiveObjective
from train.pretraining.objective_heads import MaskedLanguageModelHead, PriorDiscriminator
from train.pretraining.objective_settings import LOSSES, TERMS, ObjectiveSettings, View
from train.pretraining.pairs import Copies, TextStyle, answers, first_records

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
        ({"language_weight": 0.1, "terms": ("crystal-fact",)}, "needs a term with texts"),
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


def test_the_language_of_the_encoder_is_predicted_token_by_token(model, small_processor, records) -> None:
    """Zero as long as the tower is the encoder; otherwise the mean of 1 - cos over the tokens of one text in four."""
    (batch, *_) = batches(records, small_processor, Copies(texts=True)).epoch(0)
    (chunk,) = batch.chunks
    settings = ObjectiveSettings(terms=("crystal-text", "crystal-text'"), language_weight=0.5)
    objective = ContrastiveObjective(model, settings, encoder=deepcopy(model.text_model)).eval()
    assert not any("encoder" in name for name, _ in objective.language_head.named_parameters())
    assert objective(chunk, batch.labels)["language"].item() == pytest.approx(0.0, abs=1e-6)

    before = deepcopy(model.text_model)
    with torch.no_grad():
        for weight in model.text_model.encoder.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    result = objective(chunk, batch.labels)
    distances = []
    some = slice(0, chunk.size, 4)
    for ids, mask in zip(chunk.tokens["input_ids"][some], chunk.tokens["attention_mask"][some], strict=True):
        alone = ids[mask == 1].unsqueeze(0)
        states = [encoder(input_ids=alone).last_hidden_state[0] for encoder in (model.text_model, before)]
        distances.append((1 - torch.cosine_similarity(*states, dim=-1)).mean())
    torch.testing.assert_close(result["language"], torch.stack(distances).mean(), atol=1e-5, rtol=1e-4)
    contrastive = (result["crystal-text"] + result["crystal-text'"]) / 2
    torch.testing.assert_close(result["loss"], contrastive + 0.5 * result["language"])
    result["loss"].backward()
    assert all(weight.grad is None for weight in objective.language_head._encoder[0].parameters())
    assert objective.language_head.map.weight.grad.abs().max() > 0


def test_crystals_that_a_text_names_are_excluded_from_its_negatives(model, small_processor, records) -> None:
    """The loss depends on a crystal that the text does not name, but not on another one that it names."""
    (batch, *_) = batches(records, small_processor, Copies()).epoch(0)
    objective = ContrastiveObjective(model, ObjectiveSettings()).eval()
    outputs = objective.embed(batch.chunks[0])
    outputs[View.TEXT] = torch.linalg.qr(torch.randn(24, 8))[0].T
    names = torch.tensor([7, 0, 0, 0, 0, 0, 0, 0])
    answers = torch.arange(100, 116).reshape(8, 2)
    answers[0, 0] = answers[1, 1] = 7  # text 0 names crystals 0 and 1
    texts = TextLabels(torch.arange(8), names)
    labels = replace(batch.labels, crystals=replace(batch.labels.crystals, answers=answers), texts=texts)

    def loss(crystal: torch.Tensor = outputs[View.CRYSTAL]) -> float:
        return objective.contrast({**outputs, View.CRYSTAL: crystal}, labels)["loss"].item()

    def moved(row: int) -> torch.Tensor:
        crystal = outputs[View.CRYSTAL].clone()
        crystal[row] += 0.5 * outputs[View.TEXT][0]  # at right angles to all other texts
        return crystal

    # Text 1 describes crystal 1 alone, but is at right angles to the change.
    assert loss(moved(1)) == pytest.approx(loss(), abs=1e-6)
    assert abs(loss(moved(2)) - loss()) > 1e-3


def test_short_texts_name_a_formula(records) -> None:
    style = TextStyle(1.0, 1.0, masked=0.0, short=1.0)
    texts = [(record, style.write(record, (0, epoch))) for record in records for epoch in range(20)]
    named = [(record, own) for record, own in texts if own.names]
    assert len(texts) / 2 < len(named) < len(texts)
    for record, own in named:
        assert own.names in answers(record) and record["formula"] in own.text
        assert (own.names == record["formula"]) == (record["crystal_system"] not in own.text)


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
