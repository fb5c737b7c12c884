"""GradCache: a batch in chunks, or on several processes, has the gradients of one pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from transformers import BertConfig

from modeling_clac import ClacModel
from tests.conftest import CRYSTALS, ROOT
from tests.helpers.pretraining import batches, small_model
from train.pretraining.gradcache import gradcache_backward
from train.pretraining.objective import ContrastiveObjective
from train.pretraining.objective_settings import LOSSES, TERMS, ObjectiveSettings, View
from train.pretraining.pairs import Copies, first_records


@pytest.fixture
def model(bert_config: BertConfig) -> ClacModel:
    return small_model(bert_config)


@pytest.fixture(scope="module")
def records() -> list[dict]:
    return first_records(str(CRYSTALS), "validation", 24)


@pytest.mark.parametrize("loss", LOSSES)
def test_chunks_give_the_gradients_of_one_pass(model, small_processor, records, loss) -> None:
    """With dropout, and with random copies."""
    copies = Copies(crystals=True, texts=True)
    (whole, *_) = batches(records, small_processor, copies).epoch(0)
    (parts, *_) = batches(records, small_processor, copies, chunk_size=3).epoch(0)
    assert [chunk.size for chunk in parts.chunks] == [3, 3, 2]
    objective = ContrastiveObjective(model, ObjectiveSettings(loss, tuple(TERMS), mlm_weight=0.1)).eval()
    gradients, losses = [], []
    for in_chunks in (False, True):
        objective.zero_grad()
        if not in_chunks:
            # One pass over the same chunks, since copies are drawn chunk by chunk.
            outputs = [objective(chunk) for chunk in parts.chunks]
            joined = {key: torch.cat([output[key] for output in outputs]) for key in outputs[0]}
            result = objective.contrast(joined, parts.labels)
            result["loss"].backward()
        else:
            result = gradcache_backward(objective, Accelerator(cpu=True), parts)
        losses.append(result["loss"].item())
        gradients.append({name: p.grad.clone() for name, p in objective.named_parameters() if p.grad is not None})
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-6)
    assert torch.equal(whole.labels.crystals.identity, parts.labels.crystals.identity)


def test_views_without_a_term_have_no_gradient_to_pass_on(model, small_processor, records) -> None:
    """The originals are embedded, but a term of copies alone does not use them."""
    copies = Copies(crystals=True, texts=True)
    (batch, *_) = batches(records, small_processor, copies, chunk_size=4).epoch(0)
    objective = ContrastiveObjective(model, ObjectiveSettings(terms=("crystal'-text'",))).eval()
    losses = gradcache_backward(objective, Accelerator(cpu=True), batch)
    assert losses["loss"].item() == pytest.approx(losses["crystal'-text'"].item())
    assert all(p.grad is not None for p in objective.model.graph_model.parameters())


def test_chunks_repeat_their_dropout(model, small_processor, records) -> None:
    """The second pass over a chunk embeds it as the first did, so that the cached gradients fit."""
    (batch, *_) = batches(records, small_processor, Copies(), chunk_size=4).epoch(0)
    objective = ContrastiveObjective(model, ObjectiveSettings()).train()
    seen: list[torch.Tensor] = []
    objective.register_forward_hook(lambda _, __, outputs: seen.append(outputs[View.TEXT].detach()))
    gradcache_backward(objective, Accelerator(cpu=True), batch)
    assert len(seen) == 4
    assert torch.equal(seen[0], seen[2]) and torch.equal(seen[1], seen[3])


_TWO_PROCESSES = """
import sys, torch
from accelerate import Accelerator
from modeling_clac import ClacEmbedder
from train.pretraining.batches import PairBatches
from train.pretraining.collator import Collator
from train.pretraining.gradcache import gradcache_backward
from train.pretraining.objective import ContrastiveObjective, ObjectiveSettings
from train.pretraining.pairs import TextStyle, first_records, parse_crystals

checkpoint, data, output, loss = sys.argv[1:5]
chunk_size, joined = int(sys.argv[5]), int(sys.argv[6])
accelerator = Accelerator(cpu=True)
embedder = ClacEmbedder.from_pretrained(checkpoint, device="cpu")
crystals, records, _ = parse_crystals(first_records(data, "validation", 32), embedder.processor, "raise")
places = accelerator.process_index, accelerator.num_processes
collator = Collator(embedder.processor, 64, chunk_size=chunk_size)
batches = PairBatches(crystals, records, collator, TextStyle(0.5, 1.0, 0.0, 0.4), joined // places[1], 0, *places)
torch.manual_seed(0)
objective = ContrastiveObjective(embedder.model, ObjectiveSettings(loss)).double().eval()
prepared = accelerator.prepare(objective)
batch = next(batches.epoch(0))
for chunk in batch.chunks:
    chunk.graphs["edge_vector"] = chunk.graphs["edge_vector"].double()
gradcache_backward(prepared, accelerator, batch)
if accelerator.is_main_process:
    torch.save({n: p.grad for n, p in objective.named_parameters()}, output)
accelerator.end_training()
"""


@pytest.mark.slow
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
