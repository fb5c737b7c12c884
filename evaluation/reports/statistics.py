"""Statistics over the seeds of a run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """
    Compute the mean and the sample standard deviation (n - 1).

    Args:
        values: One value for each seed.

    Returns:
        The mean, and the standard deviation; `None` for a single value.
    """
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


__all__ = ["mean_and_deviation"]
