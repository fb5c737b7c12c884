"""The losses against loops over their formulas, and two processes against one."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from modeling_clac.loss_clac import (
    IGNORE_INDEX,
    answered_mask,
    answers_of,
    concept_loss,
    duplicate_mask,
    gather_with_grad,
    info_nce_loss,
    jensen_shannon_loss,
    sigmoid_loss,
)

SCALE, BIAS = 9.0, -2.0


@pytest.fixture
def pairs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    both = torch.randn(2, 6, 7, generator=generator, dtype=torch.float64)
    x, y = torch.nn.functional.normalize(both, dim=2)
    return x, y


@pytest.fixture(params=[None, [(0, 3), (3, 0), (1, 2), (2, 1)]], ids=["all", "duplicates"])
def ignored(request: pytest.FixtureRequest) -> list[tuple[int, int]]:
    return request.param or []


def mask_of(ignored: list[tuple[int, int]]) -> Tensor | None:
    if not ignored:
        return None
    mask = torch.zeros(6, 6, dtype=torch.bool)
    for i, j in ignored:
        mask[i, j] = True
    return mask


def test_info_nce_equals_its_formula(pairs, ignored) -> None:
    expected = 0.0
    for i in range(6):
        for a, b in (pairs, pairs[::-1]):
            scores = {j: SCALE * float(a[i] @ b[j]) for j in range(6) if (i, j) not in ignored}
            expected -= (scores[i] - math.log(sum(math.exp(score) for score in scores.values()))) / 12
    assert info_nce_loss(*pairs, torch.tensor(SCALE), mask_of(ignored)).item() == pytest.approx(expected, rel=1e-9)


def test_info_nce_ignores_by_direction(pairs) -> None:
    forth, back = mask_of([(0, 3)]), mask_of([(2, 5), (4, 1)])
    x, y = pairs
    expected = 0.0
    for i in range(6):
        for a, b, ignore in ((x, y, forth), (y, x, back)):
            total = sum(math.exp(SCALE * float(a[i] @ b[j])) for j in range(6) if not ignore[i, j])
            expected -= (SCALE * float(a[i] @ b[i]) - math.log(total)) / 12
    assert info_nce_loss(x, y, torch.tensor(SCALE), forth, back).item() == pytest.approx(expected, rel=1e-9)


def test_answered_mask() -> None:
    answers = torch.tensor([[5, 50], [5, 51], [7, 70], [7, 70], [7, 71], [8, 80], [9, 90], [9, 90], [9, 91]])
    named = torch.tensor([5, 0, 70, 0, 7, 8, 0, 90, 0])
    by_crystal, by_text = answered_mask(named, answers)
    assert torch.equal(by_crystal, by_text.T)
    for text in range(9):
        for crystal in range(9):
            assert by_text[text, crystal] == (named[text] in answers[crystal] and named[text] != 0 and text != crystal)
    assert by_text.any()


def test_sigmoid_loss_equals_its_formula(pairs, ignored) -> None:
    x, y = pairs
    expected = 0.0
    for i in range(6):
        for j in range(6):
            if (i, j) not in ignored:
                sign = 1 if i == j else -1
                expected += math.log(1 + math.exp(-sign * (SCALE * float(x[i] @ y[j]) + BIAS))) / 6
    result = sigmoid_loss(x, y, torch.tensor(SCALE), torch.tensor(BIAS), mask_of(ignored))
    assert result.item() == pytest.approx(expected, rel=1e-9)


def test_jensen_shannon_loss_equals_its_formula(pairs, ignored) -> None:
    x, y = pairs
    attracted = [math.log(1 + math.exp(-(SCALE * float(x[i] @ y[i]) + BIAS))) for i in range(6)]
    repelled = [
        math.log(1 + math.exp(SCALE * float(x[i] @ y[j]) + BIAS))
        for i in range(6)
        for j in range(6)
        if i != j and (i, j) not in ignored
    ]
    expected = sum(attracted) / len(attracted) + sum(repelled) / len(repelled)
    result = jensen_shannon_loss(x, y, torch.tensor(SCALE), torch.tensor(BIAS), mask_of(ignored))
    assert result.item() == pytest.approx(expected, rel=1e-9)


def test_without_negatives_only_the_pairs_count(pairs) -> None:
    x, y = pairs
    ignored = ~torch.eye(6, dtype=torch.bool)
    attracted = sum(math.log(1 + math.exp(-(SCALE * float(x[i] @ y[i]) + BIAS))) for i in range(6)) / 6
    options = (torch.tensor(SCALE), torch.tensor(BIAS), ignored)
    assert jensen_shannon_loss(x, y, *options).item() == pytest.approx(attracted, rel=1e-9)
    assert sigmoid_loss(x, y, *options).item() == pytest.approx(attracted, rel=1e-9)
    assert info_nce_loss(x, y, torch.tensor(SCALE), ignored).item() == pytest.approx(0.0, abs=1e-12)


def test_a_single_phrase_with_a_single_answer(pairs) -> None:
    """The mean is over the phrases that count, and over their right answers, however few they are."""
    texts, crystals = pairs
    holds = torch.full((6, 6), math.nan, dtype=torch.float64)
    holds[1, 4], holds[1, 2], holds[3, 0] = 1.0, 0.0, 1.0  # nothing is wrong for phrase 3
    difference = SCALE * (float(texts[1] @ crystals[2]) - float(texts[1] @ crystals[4]))
    expected = math.log(1 + math.exp(difference))
    assert concept_loss(texts, crystals, holds, torch.tensor(SCALE)).item() == pytest.approx(expected, rel=1e-9)
    assert concept_loss(texts[2:], crystals, holds[2:], torch.tensor(SCALE)).item() == 0.0


def test_a_single_process_gathers_nothing(pairs) -> None:
    x, y = pairs
    assert gather_with_grad(x) is x
    alone, gathered = (info_nce_loss(x, y, torch.tensor(SCALE), gather=gather) for gather in (False, True))
    assert torch.equal(alone, gathered)
    assert torch.nn.CrossEntropyLoss().ignore_index == IGNORE_INDEX


def test_duplicates_are_rows_that_share_a_label() -> None:
    crystals, texts = torch.tensor([7, 7, 8, 9]), torch.tensor([1, 2, 3, 1])
    marked = {tuple(pair) for pair in duplicate_mask(crystals, texts).nonzero().tolist()}
    assert marked == {(0, 1), (1, 0), (0, 3), (3, 0)}
    assert not duplicate_mask(torch.arange(5)).any()


def test_answers_of_texts() -> None:
    """The label 0 names nothing, even if a crystal has it among its labels."""
    answers = torch.tensor([[1, 0], [2, 1], [0, 3]])
    found = answers_of(torch.tensor([0, 1, 2, 3, 4]), answers)
    assert found.tolist() == [
        [False, False, False],
        [True, True, False],
        [False, True, False],
        [False, False, True],
        [False, False, False],
    ]


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes this process one of two, which have the halves of given tensors."""

    def become(rank: int, *whole: Tensor, total: float = 0.0) -> None:
        def halves(rows: Tensor) -> tuple[Tensor, ...]:
            return next(
                tensor.chunk(2)
                for tensor in whole
                if tensor.dtype == rows.dtype and torch.equal(tensor.chunk(2)[rank], rows)
            )

        def all_gather(parts: list[Tensor], rows: Tensor) -> None:
            for part, half in zip(parts, halves(rows), strict=True):
                part.copy_(half)

        monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
        monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
        monkeypatch.setattr(torch.distributed, "all_gather", all_gather)
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda count: count.fill_(total))
        monkeypatch.setattr("torch.distributed.nn.functional.all_gather", halves)

    return become


def test_the_mean_over_ranks_is_the_loss_of_the_joined_batch(pairs, ignored, pretend) -> None:
    mask = mask_of(ignored)
    scale, bias = torch.tensor(SCALE), torch.tensor(BIAS)
    joined = [
        info_nce_loss(*pairs, scale, mask),
        sigmoid_loss(*pairs, scale, bias, mask),
        jensen_shannon_loss(*pairs, scale, bias, mask),
    ]
    alone = [info_nce_loss(x, y, scale) for x, y in zip(*(each.chunk(2) for each in pairs), strict=True)]
    found = []
    for rank in range(2):
        pretend(rank, *pairs, total=30 - len(ignored))
        x, y = (each.chunk(2)[rank] for each in pairs)
        own = None if mask is None else mask.chunk(2)[rank]
        assert torch.equal(gather_with_grad(x), pairs[0])
        assert torch.equal(info_nce_loss(x, y, scale, gather=False), alone[rank])
        losses = (
            info_nce_loss(x, y, scale, own),
            sigmoid_loss(x, y, scale, bias, own),
            jensen_shannon_loss(x, y, scale, bias, own),
        )
        found.append(torch.stack(losses))
    torch.testing.assert_close(torch.stack(found).mean(dim=0), torch.stack(joined))


def test_masks_of_two_ranks_are_halves_of_that_of_the_joined_batch(pretend) -> None:
    crystals, texts = torch.tensor([7, 7, 8, 9, 7, 5]), torch.tensor([1, 2, 3, 1, 4, 4])
    named = torch.tensor([5, 0, 70, 5, 1, 8])
    answers = torch.tensor([[5, 50], [5, 51], [7, 70], [7, 70], [5, 1], [8, 1]])
    duplicates = duplicate_mask(crystals, texts)
    by_crystal, by_text = answered_mask(named, answers)
    for rank in range(2):
        pretend(rank, crystals, texts, named, answers)
        half = slice(3 * rank, 3 * rank + 3)
        assert torch.equal(duplicate_mask(crystals[half], texts[half]), duplicates[half])
        assert torch.equal(answered_mask(named[half], answers[half])[0], by_crystal[half])
        assert torch.equal(answered_mask(named[half], answers[half])[1], by_text[half])


def test_phrases_with_several_answers(pairs) -> None:
    """The mean over the right answers of each phrase, then over the phrases."""
    texts, crystals = pairs
    holds = torch.full((6, 6), math.nan, dtype=torch.float64)
    holds[0, :3], holds[0, 3:5] = 1.0, 0.0
    holds[1, 0], holds[1, 1:3], holds[1, 4] = 1.0, 0.0, 0.5
    holds[2, 1:3], holds[3, 1] = 1.0, 0.0  # no wrong answers, no right ones
    scores = SCALE * texts @ crystals.T
    expected = 0.0
    for phrase, right, wrong in ((0, [0, 1, 2], [3, 4]), (1, [0], [1, 2])):
        against = math.log(sum(math.exp(scores[phrase, place]) for place in wrong))
        terms = [math.log(1 + math.exp(against - float(scores[phrase, place]))) for place in right]
        expected += sum(terms) / len(terms) / 2
    assert concept_loss(texts, crystals, holds, torch.tensor(SCALE)).item() == pytest.approx(expected, rel=1e-9)


_TWO_PROCESSES = """
import sys, torch, torch.distributed as dist
from modeling_clac import loss_clac
dist.init_process_group("gloo")
rank = dist.get_rank()
assert dist.get_world_size() == 2
torch.manual_seed(0)
data = torch.randn(2, 8, 5, dtype=torch.float64)
start = torch.randn(6, 5, dtype=torch.float64)
labels = torch.tensor([0, 1, 2, 0, 4, 2, 6, 6])
constants = {"info_nce_loss": [5.0], "sigmoid_loss": [5.0, -2.0], "jensen_shannon_loss": [5.0, -2.0]}

def gradient(name, model, rows):
    both = torch.nn.functional.normalize(model(torch.cat([data[0, rows], data[1, rows]])), dim=1)
    x, y = both.chunk(2)
    loss = getattr(loss_clac, name)(x, y, *map(torch.tensor, constants[name]), loss_clac.duplicate_mask(labels[rows]))
    loss.backward()

def linear():
    model = torch.nn.Linear(5, 6, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(start)
    return model

def shared_gradient(name):
    # The reducer holds the process group and must be deleted first: joining its thread can deadlock.
    model = torch.nn.parallel.DistributedDataParallel(linear())
    gradient(name, model, slice(4 * rank, 4 * rank + 4))
    return model.module.weight.grad

two, one = {name: shared_gradient(name) for name in constants}, {}
dist.barrier()
dist.destroy_process_group()
if rank == 0:
    for name in constants:
        model = linear()
        gradient(name, model, slice(None))
        one[name] = model.weight.grad
    torch.save(two, sys.argv[1])
    torch.save(one, sys.argv[2])
"""


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_the_joined_batch(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(_TWO_PROCESSES)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    subprocess.run(
        [*command, "two.pt", "one.pt"], cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=300
    )
    two, one = (torch.load(tmp_path / name, weights_only=True) for name in ("two.pt", "one.pt"))
    assert two.keys() == one.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-9, atol=1e-12)
