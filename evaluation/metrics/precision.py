"""Precision of the first results of a search, and its share of what is possible."""

from __future__ import annotations

import numpy as np

K = 10


def precision_at_k(scores: np.ndarray, right: np.ndarray, k: int = K) -> tuple[float, float, float]:
    """
    Compute the precision of the `k` best-scored crystals.

    Args:
        scores: Scores `(n,)`; larger is better.
        right: Whether each crystal is a correct answer, `(n,)` bool.
        k: Number of results.

    Returns:
        The precision, the highest possible precision, and the precision of a random ranking (all 0-1).
    """
    size = min(k, len(scores))
    best = np.argsort(-scores, kind="stable")[:size]
    return float(right[best].mean()), min(int(right.sum()), size) / size, float(right.mean())


def share_of_possible(scores: np.ndarray, truth: np.ndarray, k: int = K) -> float:
    """
    Compute the number of right crystals among the `k` best-scored ones, divided by the largest possible number.

    Crystals that are neither right nor wrong are left out of the ranking.

    Args:
        scores: Scores `(n,)`; larger is better.
        truth: `(n,)`: 1 right, 0 wrong; anything else (NaN, grades) is undecided.
        k: Number of results.

    Returns:
        Between 0 and 1; NaN if no crystal is right.
    """
    decided = (truth == 1) | (truth == 0)
    if not (truth == 1).any():
        return float("nan")
    precision, possible, _ = precision_at_k(scores[decided], truth[decided] == 1, k)
    return precision / possible


__all__ = ["K", "precision_at_k", "share_of_possible"]
