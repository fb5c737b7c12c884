"""Ways of ranking the crystals of a pool for texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import Query
from modeling_clac.search.understanding.ranking import Evaluation

# Returns the scores of the crystals of a pool for texts, `(texts, n)`; larger is better.
Ranker = Callable[[Sequence[str]], np.ndarray]


def embedding_ranker(embedder: ClacEmbedder, crystals: np.ndarray) -> Ranker:
    """
    Rank by the cosine of the embeddings.

    Args:
        embedder: Embedder of a checkpoint.
        crystals: Embeddings of the crystals, `(n, dim)`.
    """
    return lambda texts: np.asarray(embedder.encode_text(list(texts)) @ crystals.T)


def search_ranker(
    cosines: Ranker, table: FactTable, vocabulary: Vocabulary, change: Callable[[Query], Query] = lambda query: query
) -> Ranker:
    """
    Rank as `clac search` does: by what holds of the constraints that the text is read as, then by the cosine.

    Args:
        cosines: Ranking by the embeddings.
        table: Facts of the crystals.
        vocabulary: The concepts that a text may name.
        change: What happens to a reading before it is used.
    """

    def rank(texts: Sequence[str]) -> np.ndarray:
        scores = np.empty((len(texts), len(table)))
        for row, (text, own) in enumerate(zip(texts, cosines(texts), strict=True)):
            order = Evaluation(change(understand(text, vocabulary)), table, vocabulary).order(own)
            scores[row, order] = -np.arange(len(table))
        return scores

    return rank


def without_values(table: FactTable, columns: Iterable[str]) -> FactTable:
    """
    Hide columns, to measure how well a search does without them.

    Args:
        table: Facts of n crystals.
        columns: Columns that are unknown in the result.
    """
    columns = [name for name in columns if name in table.table.column_names]
    return FactTable(table.table.drop_columns(columns))


__all__ = ["Ranker", "embedding_ranker", "search_ranker", "without_values"]
