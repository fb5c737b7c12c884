"""Retrieval metrics: ranks of the correct keys, computed in chunks to bound memory."""

from __future__ import annotations

import numpy as np


def retrieval_ranks(
    queries: np.ndarray, keys: np.ndarray, targets: np.ndarray | None = None, chunk_size: int = 256
) -> np.ndarray:
    """
    Rank the correct key of every query by inner product; 1 is best.

    A key that ties with the correct one is ranked before it, so a model that maps everything to one point scores worst,
    not best. NaN counts as a tie.

    Args:
        queries: Vectors, `(Q, D)`.
        keys: Vectors, `(K, D)`.
        targets: Index of the correct key of each query, `(Q,)`. Default: key i for query i.
        chunk_size: Queries scored at once; memory is bounded by `chunk_size · K` scores.

    Returns:
        Ranks, `(Q,)` int64, in 1..K.

    Raises:
        ValueError: The number of targets is not Q, or a target is out of range.
    """
    targets = np.arange(len(queries)) if targets is None else np.asarray(targets)
    if len(targets) != len(queries):
        raise ValueError(f"{len(queries)} queries but {len(targets)} targets")
    if len(targets) and not (targets.min() >= 0 and targets.max() < len(keys)):
        raise ValueError(f"targets range from {targets.min()} to {targets.max()}, but there are {len(keys)} keys")
    ranks = np.empty(len(queries), dtype=np.int64)
    for start in range(0, len(queries), chunk_size):
        scores = queries[start : start + chunk_size] @ keys.T
        right = np.take_along_axis(scores, targets[start : start + chunk_size, None], axis=1)
        # Not "scores >= right": with NaN that is false everywhere, and a diverged model would rank first.
        ranks[start : start + chunk_size] = (~(scores < right)).sum(axis=1)
    return ranks


def retrieval_scores(ranks: np.ndarray, top: tuple[int, ...] = (1, 3, 10)) -> dict[str, float]:
    """
    Compute top-k accuracies (share of ranks ≤ k) and the mean reciprocal rank, all between 0 and 1.

    Args:
        ranks: From [`retrieval_ranks`], `(Q,)`.
        top: Values of k.

    Returns:
        `top_1`, `top_3`, ... and `mrr`.

    Raises:
        ValueError: There are no ranks.
    """
    if len(ranks) == 0:
        raise ValueError("no queries to score")
    scores = {f"top_{k}": float((ranks <= k).mean()) for k in top}
    return {**scores, "mrr": float((1.0 / ranks).mean())}
