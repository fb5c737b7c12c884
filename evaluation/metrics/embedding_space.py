"""Measures of a space of embeddings of two kinds: the gap between the kinds, and how pure neighbourhoods are."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluation.metrics.intervals import mean_interval


def modality_gap(crystals: np.ndarray, texts: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """
    Measure how far apart crystals and texts lie (Liang et al. 2022, arXiv 2203.02053, sec. 2.1).

    Args:
        crystals: Unit vectors `(n, dim)`.
        texts: Unit vectors of their texts, `(n, dim)`.
        seed: Seed of the bootstrap.

    Returns:
        `gap`, the distance of the two means; `pairs`, the mean cosine of a crystal and its text, with its 95 %
        `interval`; `others`, that of a crystal and the other texts; and the mean cosines `crystals` and `texts` within
        each kind.
    """
    number = len(crystals)
    own = (crystals * texts).sum(axis=1)

    def mean_of_others(total: float, same: float) -> float:
        return float((total - same) / (number * (number - 1)))

    sums = [embeds.sum(axis=0, dtype=np.float64) for embeds in (crystals, texts)]
    return {
        "gap": float(np.linalg.norm((sums[0] - sums[1]) / number)),
        "pairs": float(own.mean()),
        "interval": mean_interval(own, seed=seed),
        "others": mean_of_others(float(sums[0] @ sums[1]), float(own.sum())),
        "crystals": mean_of_others(float(sums[0] @ sums[0]), number),
        "texts": mean_of_others(float(sums[1] @ sums[1]), number),
    }


def nearest_neighbours(
    queries: np.ndarray, keys: np.ndarray, number: int, without_own: bool
) -> tuple[np.ndarray, np.ndarray]:
    """
    Find the nearest keys of each query by cosine.

    Args:
        queries: Unit vectors `(n, dim)`.
        keys: Unit vectors `(m, dim)`.
        number: Number of neighbours; fewer if there are not that many keys.
        without_own: Whether to leave out the key in the row of the query: itself, or its text.

    Returns:
        Rows of the keys and cosines, `(n, number)`, nearest first.
    """
    cosines = queries @ keys.T
    if without_own:
        np.fill_diagonal(cosines, -np.inf)
    number = min(number, len(keys) - without_own)
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :number]
    return rows, np.take_along_axis(cosines, rows, axis=1)


def purity(neighbours: np.ndarray, labels: np.ndarray, seed: int = 0) -> dict[str, Any]:
    """
    Compute the share of the neighbours that have the label of a point.

    Args:
        neighbours: Rows of the neighbours of each point, `(n, k)`.
        labels: Label of each point, `(n,)`; empty for points without one, which are left out as points and neighbours.
        seed: Seed of the bootstrap over the points.

    Returns:
        `purity` with its 95 % `interval`; `chance`, the share among all other points; and the number of `points`. The
        scores are `None` if no labelled point has a labelled neighbour.
    """
    labelled = labels != ""
    known = labelled[neighbours]
    same = (labels[neighbours] == labels[:, None]) & known
    rows = labelled & known.any(axis=1)
    if not rows.any():
        return {"points": 0, "purity": None, "interval": None, "chance": None}
    shares = same[rows].sum(axis=1) / known[rows].sum(axis=1)
    counts = np.unique(labels[labelled], return_counts=True)[1]
    total = int(counts.sum())
    return {
        "points": int(rows.sum()),
        "purity": float(shares.mean()),
        "interval": mean_interval(shares, seed=seed),
        "chance": float((counts * (counts - 1)).sum() / (total * (total - 1))) if total > 1 else None,
    }


__all__ = ["modality_gap", "nearest_neighbours", "purity"]
