"""Scores of predicted probabilities, with intervals by resampling groups of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

BINS = np.linspace(0.0, 1.0, 11)


def reliability(
    predicted: np.ndarray, right: np.ndarray, groups: np.ndarray, resamples: int, seed: int
) -> dict[str, Any]:
    """
    Score predicted probabilities.

    The intervals are 95 % percentile intervals over resampled groups, because the pairs of one phrase are not
    independent.

    Args:
        predicted: Predicted probabilities, `(num_pairs,)`.
        right: Whether each pair is right, `(num_pairs,)`.
        groups: Group of each pair, `(num_pairs,)` integers from 0.
        resamples: Number of bootstrap samples.
        seed: Seed of the resampling.

    Returns:
        `ece` (expected calibration error over ten bins of equal width), `ece_above` (the same over the pairs with a
        probability above 0.05), `brier`, `brier_skill` (1 - Brier score over that of predicting the base rate),
        `base_rate`, their `intervals`, and `bins`: mean `predicted`, share `right`, `low`, `high` and `count`.
    """
    num_groups, num_bins = int(groups.max()) + 1, len(BINS) - 1
    cell = groups * num_bins + np.clip(np.digitize(predicted, BINS) - 1, 0, num_bins - 1)

    def sums(weights: np.ndarray) -> np.ndarray:
        return np.bincount(cell, weights=weights, minlength=num_groups * num_bins).reshape(num_groups, num_bins)

    above = predicted > 0.05
    columns = np.stack(
        [
            sums(weights)
            for weights in (
                np.ones(len(predicted)),
                predicted,
                right.astype(float),
                (predicted - right) ** 2,
                above.astype(float),
                predicted * above,
                right * above,
            )
        ]
    )
    generator = np.random.default_rng(seed)
    samples = [_scores(columns[:, generator.integers(0, num_groups, num_groups)].sum(axis=1)) for _ in range(resamples)]
    found = _scores(columns.sum(axis=1))
    names = [name for name in found if name != "shares"]
    shares = np.array([sample["shares"] for sample in samples])
    count, mean, share = columns.sum(axis=1)[:3]
    bins = []
    for place in np.flatnonzero(count).tolist():
        low, high = np.nanpercentile(shares[:, place], [2.5, 97.5])
        predicted_mean, right_share = mean[place] / count[place], share[place] / count[place]
        bins.append(
            {"predicted": predicted_mean, "right": right_share, "low": low, "high": high, "count": int(count[place])}
        )
    return {
        **{name: found[name] for name in names},
        "intervals": {name: np.percentile([s[name] for s in samples], [2.5, 97.5]).tolist() for name in names},
        "bins": [{name: float(value) for name, value in entry.items()} for entry in bins],
        "num_pairs": len(predicted),
        "num_groups": num_groups,
    }


def _scores(sums: np.ndarray) -> dict[str, Any]:
    count, predicted, right, squared, above, predicted_above, right_above = sums
    total, rate = count.sum(), right.sum() / count.sum()
    brier = squared.sum() / total
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = right / count
    return {
        "ece": float(np.abs(predicted - right).sum() / total),
        "ece_above": float(np.abs(predicted_above - right_above).sum() / max(above.sum(), 1.0)),
        "brier": float(brier),
        "brier_skill": float(1.0 - brier / max(rate * (1.0 - rate), 1e-12)),
        "base_rate": float(rate),
        "shares": shares,
    }


__all__ = ["BINS", "reliability"]
