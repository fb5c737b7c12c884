"""Linear-chain CRF by enumeration, as a reference for the fast implementation."""

from __future__ import annotations

import itertools

import torch

from modeling_clac.crf_clac import LinearChainCrf


def all_paths(crf: LinearChainCrf, emissions: torch.Tensor) -> dict[tuple[int, ...], float]:
    """Return the score of each sequence of tags for emissions `(T, K)`, by definition."""
    start, transition, end = crf.start.tolist(), crf.transition.tolist(), crf.end.tolist()
    rows = emissions.tolist()
    scores = {}
    for path in itertools.product(range(len(start)), repeat=len(rows)):
        score = start[path[0]] + end[path[-1]] + sum(row[tag] for row, tag in zip(rows, path, strict=True))
        scores[path] = score + sum(transition[a][b] for a, b in itertools.pairwise(path))
    return scores
