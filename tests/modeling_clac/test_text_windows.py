"""Windows over long texts: every token is read, and each window knows the composition of the whole text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeling_clac.quantities_clac import NUMBER
from modeling_clac.quantity_embedding_clac import text_composition
from modeling_clac.text_windows_clac import mean_of_windows, text_rows, window_starts

TOKENS = st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 8, 26, NUMBER]), st.floats(0.1, 1.0)), min_size=1, max_size=90)


@given(TOKENS, st.integers(12, 40))
def test_rows_cover_the_text_and_share_its_composition(tokens, limit) -> None:
    ids = [101, *range(1000, 1000 + len(tokens)), 102]
    kinds = [0, *(kind for kind, _ in tokens), 0]
    values = [0.0, *(value if kind else 0.0 for kind, value in tokens), 0.0]
    rows = text_rows(ids, kinds, values, limit)
    if len(ids) <= limit:
        (row,) = rows
        assert row.input_ids.tolist() == ids and row.token_kinds.tolist() == kinds and row.attention_mask.all()
        return
    assert {len(column) for row in rows for column in row} == {limit}
    read = {int(token) for row in rows for token in row.input_ids[row.attention_mask == 1]}
    assert read == set(ids)
    expected = text_composition(torch.tensor([kinds]), torch.tensor([values]))
    for row in rows:
        kinds_of_row, values_of_row = torch.tensor(row.token_kinds)[None], torch.tensor(row.token_values)[None]
        torch.testing.assert_close(text_composition(kinds_of_row, values_of_row), expected, atol=1e-5, rtol=1e-4)
        # Numbers are not repeated.
        assert not ((row.token_kinds >= NUMBER) & (row.attention_mask == 0)).any()


@pytest.mark.parametrize(("num_pieces", "expected"), [(3, [0]), (10, [0]), (11, [0, 1]), (25, [0, 10, 15])])
def test_window_starts(num_pieces, expected) -> None:
    assert window_starts(num_pieces, 10, 10) == expected


def test_mean_of_windows() -> None:
    embeds = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    mean = mean_of_windows(embeds, [1, 2])
    np.testing.assert_array_equal(mean, [[1, 0], [0, 1]])
    np.testing.assert_allclose(mean_of_windows(embeds[:2], [2]), [[0.5**0.5, 0.5**0.5]])
