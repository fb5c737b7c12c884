"""A linear-chain CRF by enumeration, to check the fast one against."""

from __future__ import annotations

import itertools

import torch

from modeling_clac.crf_clac import LinearChainCrf


def all_paths(crf: LinearChainCrf, emissions: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Score of every sequence of tags of the words `(T, K)`, by the definition."""
    start, transition, end = crf.start.tolist(), crf.transition.tolist(), crf.end.tolist()
    rows = emissions.tolist()
    scores = {}
    for path in itertools.product(range(len(start)), repeat=len(rows)):
        score = start[path[0]] + end[path[-1]] + sum(row[tag] for row, tag in zip(rows, path, strict=True))
        scores[path] = score + sum(transition[a][b] for a, b in itertools.pairwise(path))
    return scores
