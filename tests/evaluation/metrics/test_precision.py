"""Precision of the first results."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics.precision import precision_at_k, share_of_possible


def test_precision_by_hand() -> None:
    scores = np.array([0.9, 0.1, 0.8, 0.7])
    right = np.array([True, True, False, False])
    assert precision_at_k(scores, right, 2) == (0.5, 1.0, 0.5)
    assert precision_at_k(scores, right, 10) == (0.5, 0.5, 0.5)


@given(st.lists(st.sampled_from([0.0, 1.0, 0.5, math.nan]), min_size=1, max_size=40), st.randoms())
def test_undecided_crystals_are_not_searched(truth, random) -> None:
    scores = [random.random() for _ in truth]
    share = share_of_possible(np.array(scores), np.array(truth))
    pairs = [(s, t) for s, t in zip(scores, truth, strict=True) if t in (0.0, 1.0)]
    decided = sorted(pairs, key=lambda pair: -pair[0])
    right = sum(t for _, t in decided)
    if not right:
        assert math.isnan(share)
    else:
        assert share == pytest.approx(sum(t for _, t in decided[:10]) / min(right, 10))
