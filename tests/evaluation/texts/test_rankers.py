"""Ways of ranking crystals for texts."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.texts.rankers import embedding_ranker, search_ranker, without_values
from modeling_clac.data.facts.fact_table import FactTable
from tests.helpers.concepts import small_vocabulary


class Constant:
    """Embeds every text as the same vector."""

    def encode_text(self, texts: list[str]) -> np.ndarray:
        return np.tile([1.0, 0.0], (len(texts), 1))


@pytest.fixture
def table() -> FactTable:
    return FactTable.from_records(
        [
            {"formula": "NaCl", "band_gap": 5.0, "estimated_band_gap": 1.0, "estimated_band_gap_error": 0.5},
            {"formula": "MgO", "band_gap": 1.2, "estimated_band_gap": 5.0, "estimated_band_gap_error": 0.5},
            {"formula": "KCl", "band_gap": None, "estimated_band_gap": None, "estimated_band_gap_error": None},
        ]
    )


def test_embeddings_rank_by_cosine_and_the_search_by_what_holds(table) -> None:
    vocabulary = small_vocabulary({"id": "chloride", "kind": "anion", "test": "element(Cl)"})
    crystals = np.array([[0.1, 0.0], [0.9, 0.0], [0.5, 0.0]])
    assert np.argsort(-embedding_ranker(Constant(), crystals)(["chloride kind"])[0]).tolist() == [1, 2, 0]  # type: ignore[arg-type]
    rank = search_ranker(embedding_ranker(Constant(), crystals), table, vocabulary)  # type: ignore[arg-type]
    assert np.argsort(-rank(["chloride kind"])[0]).tolist() == [2, 0, 1]
    assert np.argsort(-rank(["band gap above 4 eV"])[0]).tolist() == [0, 2, 1]


def test_hidden_values_leave_the_estimates(table) -> None:
    hidden = without_values(table, ["band_gap", "density"])
    assert np.isnan(hidden.number("band_gap")).all() and hidden.number("estimated_band_gap")[1] == 5.0
    rank = search_ranker(lambda texts: np.zeros((len(texts), 3)), hidden, small_vocabulary())
    assert np.argsort(-rank(["band gap above 4 eV"])[0]).tolist() == [1, 2, 0]
