"""The linear-chain CRF against enumeration of all paths and finite differences."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_clac.crf_clac import LinearChainCrf
from tests.helpers.crf import all_paths


def random_crf(num_tags: int, seed: int) -> LinearChainCrf:
    torch.manual_seed(seed)
    crf = LinearChainCrf(num_tags)
    for table in crf.parameters():
        torch.nn.init.normal_(table)
    return crf


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    num_tags=st.integers(1, 4),
    mask=st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=3),
)
def test_crf_agrees_with_enumeration(seed: int, num_tags: int, mask: list[list[bool]]) -> None:
    crf = random_crf(num_tags, seed)
    words = torch.tensor(mask)
    emissions = 3 * torch.randn(*words.shape, num_tags)
    tags = torch.randint(num_tags, words.shape).masked_fill(~words, -100)
    with torch.no_grad():
        likelihood = crf.log_likelihood(emissions, tags, words)
        path, marginals = crf.viterbi(emissions, words), crf.log_marginals(emissions, words)
    assert torch.equal(path == -1, ~words)
    assert not marginals[~words].any()
    for row, of_row in enumerate(words):
        if not of_row.any():
            assert likelihood[row] == 0
            continue
        scores = all_paths(crf, emissions[row, of_row])
        total = math.fsum(math.exp(score) for score in scores.values())
        given_path = tuple(tags[row, of_row].tolist())
        assert likelihood[row].item() == pytest.approx(scores[given_path] - math.log(total), abs=1e-4)
        assert scores[tuple(path[row, of_row].tolist())] == pytest.approx(max(scores.values()), abs=1e-4)
        for word, of_word in enumerate(marginals[row, of_row].exp().tolist()):
            for tag, probability in enumerate(of_word):
                mass = math.fsum(math.exp(score) for p, score in scores.items() if p[word] == tag)
                assert probability == pytest.approx(mass / total, abs=1e-4)


def test_gradient_of_the_crf_agrees_with_finite_differences() -> None:
    crf = random_crf(3, seed=1)
    mask = torch.tensor([[True, False, True, True], [False, True, False, False], [False] * 4])
    emissions = torch.randn(3, 4, 3, requires_grad=True)
    tags = torch.tensor([[0, -100, 2, 1], [-100, 1, -100, -100], [-100] * 4])
    loss = crf.log_likelihood(emissions, tags, mask).sum()
    loss.backward()
    step = 1e-2
    for table in (emissions, *crf.parameters()):
        for place in itertools.product(*map(range, table.shape)):
            changed = []
            for sign in (1, -1):
                with torch.no_grad():
                    table[place] += sign * step
                    changed.append(crf.log_likelihood(emissions, tags, mask).double().sum().item())
                    table[place] -= sign * step
            assert table.grad[place].item() == pytest.approx((changed[0] - changed[1]) / (2 * step), abs=2e-3)
    assert not emissions.grad[~mask].any()


def test_gradient_of_rows_without_words_is_zero() -> None:
    crf = random_crf(3, seed=1)
    emissions = torch.randn(2, 4, 3, requires_grad=True)
    crf.log_likelihood(emissions, torch.full((2, 4), -100), torch.zeros(2, 4, dtype=torch.bool)).sum().backward()
    assert all(torch.equal(table.grad, torch.zeros_like(table)) for table in (emissions, *crf.parameters()))


def test_crf_learns_alternating_tags() -> None:
    """The tags alternate and the emissions are zero: only the transitions can learn them."""
    torch.manual_seed(0)
    crf = LinearChainCrf(2)
    mask = torch.ones(8, 6, dtype=torch.bool)
    tags = (torch.arange(6) + torch.zeros(8, 1, dtype=torch.int64)) % 2
    emissions = torch.zeros(8, 6, 2)
    optimizer = torch.optim.Adam(crf.parameters(), lr=0.3)
    for _ in range(40):
        optimizer.zero_grad()
        (-crf.log_likelihood(emissions, tags, mask).mean()).backward()
        optimizer.step()
    assert torch.equal(crf.viterbi(emissions, mask), tags)
