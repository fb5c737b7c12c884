"""Bootstrap intervals of retrieval scores and means."""

from __future__ import annotations

import numpy as np

from modeling_clac.utils.ranking import retrieval_ranks, retrieval_scores


def bootstrap_intervals(
    ranks: np.ndarray, top: tuple[int, ...] = (1, 3, 10), resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """
    Compute percentile bootstrap intervals of `retrieval_scores` by resampling the queries.

    Args:
        ranks: Ranks of the correct answers, `(Q,)`; 1 is best.
        top: The k of the top-k accuracies.
        resamples: Number of bootstrap samples.
        seed: Seed of the resampling.
        level: Confidence level, 0-1.

    Returns:
        (low, high) by the name of the score.

    Raises:
        ValueError: If there are no ranks, or `resamples` is less than 1.
    """
    if resamples < 1:
        raise ValueError(f"resamples={resamples}: must be at least 1")
    generator = np.random.default_rng(seed)
    samples = [retrieval_scores(ranks[generator.integers(0, len(ranks), len(ranks))], top) for _ in range(resamples)]
    tail = 100 * (1 - level) / 2
    intervals = {}
    for name in samples[0]:
        low, high = np.percentile([sample[name] for sample in samples], [tail, 100 - tail])
        intervals[name] = (float(low), float(high))
    return intervals


def mean_interval(values: np.ndarray, resamples: int = 1000, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """
    Compute the percentile bootstrap interval of a mean.

    Args:
        values: Values to average, `(n,)`.
        resamples: Number of bootstrap samples.
        seed: Seed of the resampling.
        level: Confidence level, 0-1.

    Returns:
        (low, high).
    """
    generator = np.random.default_rng(seed)
    means = values[generator.integers(0, len(values), (resamples, len(values)))].mean(axis=1)
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


__all__ = ["bootstrap_intervals", "mean_interval", "retrieval_ranks", "retrieval_scores"]
