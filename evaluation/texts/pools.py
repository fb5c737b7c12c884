"""Facts of the bundled crystals of a split."""

from __future__ import annotations

import numpy as np

from modeling_clac.data.bundled import bundled_counts
from modeling_clac.data.facts.fact_table import FactTable


def split_facts(split: str) -> FactTable:
    """
    Read the facts of the bundled crystals of a split.

    Args:
        split: `train`, `validation` or `test`.
    """
    counts = bundled_counts()
    start = sum(list(counts.values())[: list(counts).index(split)])
    return FactTable.bundled().take(np.arange(start, start + counts[split]))


__all__ = ["split_facts"]
