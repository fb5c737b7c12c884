"""Scores of retrieval in a pool: texts rank crystals, and crystals rank texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from evaluation.metrics.intervals import bootstrap_intervals
from modeling_clac.utils.ranking import retrieval_ranks, retrieval_scores

TOP = (1, 3, 10)
CURVE = tuple(range(1, 21))
DIRECTIONS = ("text_to_crystal", "crystal_to_text")


def score_pool(
    crystals: np.ndarray,
    texts: np.ndarray,
    rows: Sequence[int] | np.ndarray,
    targets: Sequence[int] | np.ndarray | None = None,
    *,
    bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """
    Score queries in both directions.

    Text -> crystal ranks all crystals for each text. Crystal -> text ranks the distinct texts of the queries for the
    crystal of each query: a text shared by several crystals is a single candidate, and correct for each of them.

    Args:
        crystals: Embeddings of the crystals of the pool, `(n, dim)`.
        texts: Embeddings of distinct texts, `(t, dim)`.
        rows: Text of each query, `(q,)`, from 0 to t - 1.
        targets: Right crystal of each query, `(q,)`, from 0 to n - 1. Default: query i for crystal i.
        bootstrap: Number of bootstrap samples for the 95 % intervals.
        seed: Seed of the bootstrap.

    Returns:
        By direction: `top_1`, `top_3`, `top_10`, `mrr` (0-1), their `intervals`, the `curve` of top-k accuracies for k
        up to 20, the number of `candidates`, the scores of `chance`, and the `ceiling`, the expected scores of a
        perfect model, limited by identical texts and by crystals with several texts.

    Raises:
        ValueError: If there are no queries, or a target is out of range.
    """
    texts_of = np.asarray(rows)
    crystals_of = np.arange(len(texts_of)) if targets is None else np.asarray(targets)
    candidates, places = np.unique(texts_of, return_inverse=True)
    ranks = {
        "text_to_crystal": retrieval_ranks(texts[texts_of], crystals, crystals_of),
        "crystal_to_text": retrieval_ranks(crystals[crystals_of], texts[candidates], places),
    }
    best = {"text_to_crystal": ideal_ranks(texts_of), "crystal_to_text": ideal_ranks(crystals_of)}
    sizes = {"text_to_crystal": len(crystals), "crystal_to_text": len(candidates)}
    return {
        direction: summarise_ranks(ranks[direction], best[direction], sizes[direction], bootstrap, seed)
        for direction in DIRECTIONS
    }


def ideal_ranks(groups: np.ndarray) -> np.ndarray:
    """
    Compute the ranks of a perfect model when the queries of a group are identical.

    Such a model can only rank the keys of the group first, so the g queries of a group get the ranks 1..g.

    Args:
        groups: Group id of each query, `(Q,)`.

    Returns:
        Ranks, `(Q,)` int64.
    """
    seen: Counter[Any] = Counter()
    ranks = np.empty(len(groups), dtype=np.int64)
    for row, group in enumerate(groups.tolist()):
        seen[group] += 1
        ranks[row] = seen[group]
    return ranks


def summarise_ranks(ranks: np.ndarray, best: np.ndarray, candidates: int, bootstrap: int, seed: int) -> dict[str, Any]:
    """
    Summarise the ranks of the correct keys.

    Args:
        ranks: Rank of the correct key of each query, `(Q,)`; 1 is best.
        best: Ranks of a perfect model, `(Q,)`.
        candidates: Number of ranked keys.
        bootstrap: Number of bootstrap samples.
        seed: Seed of the bootstrap.

    Returns:
        Scores of one direction, see `score_pool`.
    """
    # All k in one call, so that the curve and the table use the same bootstrap samples.
    curve = retrieval_scores(ranks, CURVE)
    intervals = bootstrap_intervals(ranks, CURVE, bootstrap, seed)
    reported = [*(f"top_{k}" for k in TOP), "mrr"]
    shown = [k for k in CURVE if k <= candidates]
    return {
        **{name: curve[name] for name in reported},
        "intervals": {name: intervals[name] for name in reported},
        "ceiling": retrieval_scores(best, TOP),
        # A random ranking puts the correct candidate at each rank with equal probability.
        "chance": retrieval_scores(np.arange(1, candidates + 1), TOP),
        "candidates": candidates,
        "curve": {
            "k": shown,
            "accuracy": [curve[f"top_{k}"] for k in shown],
            "low": [intervals[f"top_{k}"][0] for k in shown],
            "high": [intervals[f"top_{k}"][1] for k in shown],
        },
    }


__all__ = ["CURVE", "DIRECTIONS", "TOP", "ideal_ranks", "score_pool", "summarise_ranks"]
