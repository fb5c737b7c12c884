"""The training objective: its terms, heads and side losses, and training with all of them."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from transformers import BertConfig, BertForMaskedLM

from modeling_clac import ClacConfig, ClacModel, ClacProcessor
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import CRYSTALS, ROOT, small_graph_config
from tests.train.test_pretrain import arguments
from train.pretrain import train
from train.pretraining.augmentation import IGNORED_LABEL, MASKED_ATOM
from train.pretraining.batches import Collator, PairBatches
from train.pretraining.objective import (
    LOSSES,
    TERMS,
    ContrastiveObjective,
    MaskedLanguageModelHead,
    ObjectiveSettings,
    PriorDiscriminator,
    backward_in_chunks,
)
from train.pretraining.pairs import Copies, TextStyle, crystal_label, first_records, parse_crystals, text_label

ALL = tuple(TERMS)


@pytest.fixture
def model(bert_config: BertConfig) -> ClacModel:
    torch.manual_seed(0)
    return ClacModel(ClacConfig(text_config=bert_config, graph_config=small_graph_config(), projection_dim=24)).eval()


@pytest.fixture(scope="module")
def records() -> list[dict]:
    return first_records(str(CRYSTALS), "validation", 24)


def batches(
    records: list[dict],
    processor: ClacProcessor,
    copies: Copies,
    chunk_size: int = 0,
    phrases: bool = True,
    num_phrases: int = 1,
) -> PairBatches:
    crystals, records, _ = parse_crystals(records, processor, "raise")
    style, phrase_style = TextStyle(0.5, 1.0, 0.0, 0.0), TextStyle(1.0, 1.0, 0.0, 0.4, 0.6) if phrases else None
    collator = Collator(processor, 64, copies, chunk_size)
    return PairBatches(crystals, records, collator, style, 8, 0, phrase_style=phrase_style, num_phrases=num_phrases)


def test_one_term_is_the_loss_of_the_model(model, small_processor, records) -> None:
    (batch, *_) = batches(records, small_processor, Copies()).epoch(0)
    (chunk,) = batch["chunks"]
    result = ContrastiveObjective(model, ObjectiveSettings()).eval()(chunk, batch["labels"])
    expected = model(**chunk["graphs"], **chunk["tokens"], return_loss=True).loss
    assert result.keys() == {"loss", "crystal-text"}
    torch.testing.assert_close(result["loss"], expected)


@pytest.mark.parametrize("loss", LOSSES)
def test_all_terms_are_averaged(model, small_processor, records, loss) -> None:
    (batch, *_) = batches(records, small_processor, Copies(crystals=True, texts=True)).epoch(0)
    objective = ContrastiveObjective(model, ObjectiveSettings(loss, ALL, prior_weight=0.5, mlm_weight=0.1)).eval()
    result = objective(batch["chunks"][0], batch["labels"])
    assert result.keys() == {"loss", *ALL, "prior crystal", "prior text", "mlm"}
    expected = sum(result[term] for term in ALL) / len(ALL) + 0.1 * result["mlm"]
    expected = expected + 0.5 * (result["prior crystal"] + result["prior text"])
    torch.testing.assert_close(result["loss"], expected)
    result["loss"].backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in objective.parameters())


def test_terms_switch_one_by_one(model, small_processor, records) -> None:
    (batch, *_) = batches(records, small_processor, Copies(crystals=True, texts=True)).epoch(0)
    together = ContrastiveObjective(model, ObjectiveSettings(terms=ALL)).eval()
    every = together(batch["chunks"][0], batch["labels"])
    for term in ALL:
        alone = ContrastiveObjective(model, ObjectiveSettings(terms=(term,))).eval()
        assert set(alone.heads) == {kind for kind in ("crystal", "text") if term == f"{kind}-{kind}'"}
        alone.heads.load_state_dict({name: together.heads.state_dict()[name] for name in alone.heads.state_dict()})
        torch.testing.assert_close(alone(batch["chunks"][0], batch["labels"])["loss"], every[term])


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


def test_prior_discriminator_is_worked_against() -> None:
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
    """A clump of points is driven over the sphere."""
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
    labels = torch.where(torch.rand(3, 7) < 0.5, ids, torch.tensor(IGNORED_LABEL))
    expected = bert(input_ids=ids, labels=labels).loss
    words = bert.get_input_embeddings().weight
    result = head(bert.bert(input_ids=ids).last_hidden_state, labels, words)
    assert result.shape == (3,)
    torch.testing.assert_close(result.sum() / (labels != IGNORED_LABEL).sum(), expected)
    nothing = torch.full_like(labels, IGNORED_LABEL)
    assert head(bert.bert(input_ids=ids).last_hidden_state, nothing, words).tolist() == [0.0] * 3


@pytest.mark.parametrize("loss", LOSSES)
def test_chunks_give_the_gradients_of_one_pass(model, small_processor, records, loss) -> None:
    """With dropout, and the random copies of one pass cut into chunks."""
    copies = Copies(crystals=True, texts=True)
    (whole, *_) = batches(records, small_processor, copies).epoch(0)
    (parts, *_) = batches(records, small_processor, copies, chunk_size=3).epoch(0)
    assert [chunk["size"] for chunk in parts["chunks"]] == [3, 3, 2]
    objective = ContrastiveObjective(model, ObjectiveSettings(loss, ALL, mlm_weight=0.1)).eval()
    gradients, losses = [], []
    for chunks in (None, parts["chunks"]):
        objective.zero_grad()
        if chunks is None:
            # One pass over the same chunks, since copies are drawn chunk by chunk.
            outputs = [objective(chunk) for chunk in parts["chunks"]]
            joined = {key: torch.cat([output[key] for output in outputs]) for key in outputs[0]}
            result = objective.contrast(joined, **parts["labels"])
            result["loss"].backward()
        else:
            result = backward_in_chunks(objective, Accelerator(cpu=True), chunks, parts["labels"])
        losses.append(result["loss"].item())
        gradients.append({name: p.grad.clone() for name, p in objective.named_parameters() if p.grad is not None})
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-6)
    assert torch.equal(whole["labels"]["crystals"]["label"], parts["labels"]["crystals"]["label"])


def test_chunks_repeat_their_dropout(model, small_processor, records) -> None:
    """The second pass over a chunk embeds it as the first did, so that the derivatives fit."""
    (batch, *_) = batches(records, small_processor, Copies(), chunk_size=4).epoch(0)
    objective = ContrastiveObjective(model, ObjectiveSettings()).train()
    seen: list[torch.Tensor] = []
    objective.register_forward_hook(lambda _, __, outputs: seen.append(outputs["text"].detach()))
    backward_in_chunks(objective, Accelerator(cpu=True), batch["chunks"], batch["labels"])
    assert len(seen) == 4
    assert torch.equal(seen[0], seen[2]) and torch.equal(seen[1], seen[3])


def test_batches_hold_originals_then_copies(small_processor, records) -> None:
    plain = list(batches(records, small_processor, Copies()).epoch(0))
    copied = list(batches(records, small_processor, Copies(crystals=True, texts=True)).epoch(0))
    assert len(plain) == len(copied) == 3
    for batch, both in zip((b["chunks"][0] for b in plain), (b["chunks"][0] for b in copied), strict=True):
        assert both["graphs"]["num_atoms"].tolist() == batch["graphs"]["num_atoms"].tolist() * 2
        atoms = len(batch["graphs"]["atomic_numbers"])
        numbers = both["graphs"]["atomic_numbers"]
        assert torch.equal(numbers[:atoms], batch["graphs"]["atomic_numbers"])
        known = numbers[atoms:] != MASKED_ATOM
        assert 0.5 < known.float().mean() < 1
        assert torch.equal(numbers[atoms:][known], numbers[:atoms][known])
        assert both["tokens"]["input_ids"].shape[0] == 16
        length = batch["tokens"]["input_ids"].shape[1]
        assert torch.equal(both["tokens"]["input_ids"][:8, :length], batch["tokens"]["input_ids"])
        chosen = both["mlm_labels"] != IGNORED_LABEL
        assert both["mlm_labels"].shape == both["tokens"]["input_ids"][8:].shape
        assert 0.05 < chosen.sum() / both["tokens"]["attention_mask"][8:].sum() < 0.3
    again = list(batches(records, small_processor, Copies(crystals=True, texts=True)).epoch(0, first_batch=1))
    first, second = again[0]["chunks"][0], copied[1]["chunks"][0]
    assert torch.equal(first["graphs"]["edge_vector"], second["graphs"]["edge_vector"])
    assert torch.equal(first["tokens"]["input_ids"], second["tokens"]["input_ids"])


def test_crystals_that_answer_a_phrase_are_no_negatives(model, small_processor, records) -> None:
    """The loss does not change with a crystal that the phrases ask for, too, and does with one that they do not."""
    (batch, *_) = batches(records, small_processor, Copies()).epoch(0)
    objective = ContrastiveObjective(model, ObjectiveSettings(terms=("crystal-phrase",))).eval()
    outputs = objective.embed(**batch["chunks"][0])
    outputs["phrase"] = torch.linalg.qr(torch.randn(24, 8))[0].T.unsqueeze(1)
    failing = torch.zeros_like(batch["labels"]["crystals"]["failing"])
    asked = torch.zeros_like(failing)
    asked[0, 1], failing[2:, 1] = 1, 1  # phrase 0 asks for something that only crystals 0 and 1 have
    phrases = {"label": torch.arange(8), "asked": asked, "asked_formula": torch.zeros(8, dtype=torch.long)}
    phrases = {name: rows.unsqueeze(1) for name, rows in phrases.items()}

    def loss(**changed) -> float:
        crystals = {**batch["labels"]["crystals"], "failing": failing}
        labels = {**batch["labels"], "crystals": crystals, "phrases": phrases}
        return float(objective.contrast({**outputs, **changed}, **labels)["loss"])

    def moved(row: int) -> torch.Tensor:
        crystal = outputs["crystal"].clone()
        crystal[row] += 0.5 * outputs["phrase"][0, 0]  # at right angles to all other phrases
        return crystal

    assert loss(crystal=moved(1)) == pytest.approx(loss(), abs=1e-6)
    assert abs(loss(crystal=moved(2)) - loss()) > 1e-3


def test_several_phrases_count_like_one_each(model, small_processor, records) -> None:
    """The loss of three phrases a crystal is the mean of the losses with each of them, also in chunks."""
    objective = ContrastiveObjective(model, ObjectiveSettings(terms=("crystal-phrase",))).eval()
    (batch, *_) = batches(records, small_processor, Copies(), num_phrases=3).epoch(0)
    outputs, labels = objective.embed(**batch["chunks"][0]), batch["labels"]
    assert outputs["phrase"].shape[:2] == labels["phrases"]["asked"].shape[:2] == (8, 3)
    single = [
        objective.contrast(
            {**outputs, "phrase": outputs["phrase"][:, [k]]},
            **{**labels, "phrases": {name: rows[:, [k]] for name, rows in labels["phrases"].items()}},
        )["loss"]
        for k in range(3)
    ]
    assert len({round(loss.item(), 6) for loss in single}) > 1
    torch.testing.assert_close(objective.contrast(outputs, **labels)["loss"], torch.stack(single).mean())
    (chunked, *_) = batches(records, small_processor, Copies(), chunk_size=3, num_phrases=3).epoch(0)
    embedded = torch.cat([objective.embed(**chunk)["phrase"] for chunk in chunked["chunks"]])
    torch.testing.assert_close(embedded, outputs["phrase"], rtol=1e-4, atol=1e-5)


def test_a_term_with_phrases_needs_them(model, small_processor, records, bert_directory, tmp_path) -> None:
    (batch, *_) = batches(records, small_processor, Copies(), phrases=False).epoch(0)
    objective = ContrastiveObjective(model, ObjectiveSettings(terms=("crystal-phrase",)))
    with pytest.raises(ValueError, match="phrases"):
        objective(batch["chunks"][0])
    options = {"terms": ["crystal-text", "crystal-phrase"], "short_probability": 0.0, "query_probability": 0.0}
    with pytest.raises(ClacInputError, match="needs short_probability or query_probability"):
        arguments(bert_directory, tmp_path, **options)


def test_phrases_stand_beside_narratives(bert_directory, tmp_path, records) -> None:
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


def test_labels_tell_duplicates() -> None:
    rows = [("TiO2", 136), ("TiO2", 141), ("TiO2", 136), ("NaCl", None), ("NaCl", None)]
    labels = [
        crystal_label({"formula": formula, "space_group_number": group, "material_id": f"mp-{row}"})
        for row, (formula, group) in enumerate(rows)
    ]
    assert (labels[0] == labels[2]) and len(set(labels)) == 4
    assert text_label("an oxide") == text_label("an oxide") != text_label("an oxide.")
    assert -(2**63) <= text_label("x") < 2**63


def test_training_with_everything_learns_and_resumes(bert_directory: Path, tmp_path: Path) -> None:
    options = {"terms": list(ALL), "prior_weight": 0.1, "mlm_weight": 0.1, "loss": "jensen_shannon"}
    whole = train(arguments(bert_directory, tmp_path / "whole", **options))
    assert whole["finished"]
    assert math.isfinite(whole["best"])
    train(arguments(bert_directory, tmp_path / "parts", max_steps=3, **options))
    assert train(arguments(bert_directory, tmp_path / "parts", resume=True, **options))["finished"]
    expected, result = (load_file(tmp_path / part / "last" / "model.safetensors") for part in ("whole", "parts"))
    assert expected.keys() == result.keys()
    assert all(torch.equal(expected[name], result[name]) for name in expected)


_TWO_PROCESSES = """
import sys, torch
from accelerate import Accelerator
from modeling_clac import ClacEmbedder
from train.pretraining.batches import Collator, PairBatches
from train.pretraining.pairs import TextStyle, first_records, parse_crystals
from train.pretraining.objective import ContrastiveObjective, ObjectiveSettings, backward_in_chunks

checkpoint, data, output, loss = sys.argv[1:5]
chunk_size, joined = int(sys.argv[5]), int(sys.argv[6])
accelerator = Accelerator(cpu=True)
embedder = ClacEmbedder.from_pretrained(checkpoint, device="cpu")
crystals, records, _ = parse_crystals(first_records(data, "validation", 32), embedder.processor, "raise")
places = accelerator.process_index, accelerator.num_processes
collator = Collator(embedder.processor, 64, chunk_size=chunk_size)
batches = PairBatches(crystals, records, collator, TextStyle(0.5, 1.0, 0.0, 0.0, 0.4), joined // places[1], 0, *places)
torch.manual_seed(0)
objective = ContrastiveObjective(embedder.model, ObjectiveSettings(loss)).double().eval()
prepared = accelerator.prepare(objective)
batch = next(batches.epoch(0))
for chunk in batch["chunks"]:
    chunk["graphs"]["edge_vector"] = chunk["graphs"]["edge_vector"].double()
backward_in_chunks(prepared, accelerator, batch["chunks"], batch["labels"])
if accelerator.is_main_process:
    torch.save({n: p.grad for n, p in objective.named_parameters()}, output)
accelerator.end_training()
"""


@pytest.mark.parametrize(("loss", "chunk_size"), [("info_nce", 0), ("sigmoid", 3)])
def test_two_processes_train_as_one(small_checkpoint: Path, tmp_path: Path, loss: str, chunk_size: int) -> None:
    script = tmp_path / "gradients.py"
    script.write_text(_TWO_PROCESSES)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    gradients = []
    for processes, chunk in ((1, 0), (2, chunk_size)):
        output = tmp_path / f"{processes}.pt"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
        command += [str(script), str(small_checkpoint), str(CRYSTALS), str(output), loss, str(chunk), "16"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        gradients.append(torch.load(output, weights_only=True))
    one, two = gradients
    assert one.keys() == two.keys()
    for name, gradient in one.items():
        assert gradient is not None, name
        torch.testing.assert_close(two[name], gradient, rtol=1e-4, atol=1e-7)
