"""
Nearest vectors by a graph of neighbours (HNSW, arXiv 1603.09320), for indexes too large to compare with all of them.

The graph proposes candidates, which are compared exactly. Filters are respected: few rows are compared one by one, of
many rows more candidates are taken.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors_clac import ClacInputError
from .vectors import Vectors

# Vectors up to which an exact search takes about a tenth of a second on two cores.
EXACT = 2_000_000
# Rows that pass a filter up to which they are compared one by one.
_FEW_ROWS = 200_000
_LINKS, _BUILDING = 24, 160  # of each vector, and candidates while building
# Candidates while searching. With 192, one text in a hundred ends far from its crystals, and finds none of them.
_SEARCHING = 512
_SPARE = 90  # candidates in addition to those that are wanted
_MOST_CANDIDATES = 20_000
_AT_ONCE = 1 << 16


def build_graph(vectors: Vectors, path: Path) -> None:
    """
    Write the graph of vectors.

    Args:
        vectors: The vectors.
        path: File to write.

    Raises:
        ClacInputError: If usearch is not installed.
    """
    graph = _index_class()(ndim=vectors.dim, metric="cos", dtype="f16", connectivity=_LINKS, expansion_add=_BUILDING)
    for start in range(0, len(vectors), _AT_ONCE):
        block = np.ascontiguousarray(vectors.stored[start : start + _AT_ONCE])
        graph.add(np.arange(start, start + len(block), dtype=np.uint64), block)
    graph.save(str(path))


class Neighbors:
    """
    The graph of an index.

    Args:
        vectors: The vectors.
        path: File of [`build_graph`]. It is mapped into memory.

    Raises:
        ClacInputError: If there is no such file, it is damaged, or usearch is not installed.
    """

    def __init__(self, vectors: Vectors, path: Path | None):
        if path is None or not path.is_file():
            raise ClacInputError(
                "the index has no graph of neighbours; rebuild it with `clac index --ann`, or search without --ann"
            )
        self.vectors = vectors
        try:
            self._graph = _index_class()(ndim=vectors.dim, metric="cos", dtype="f16")
            self._graph.view(str(path))
        except RuntimeError as error:
            raise ClacInputError(f"{path}: damaged ({error}); rebuild the index with `clac index --ann`") from None
        if len(self._graph) != len(vectors):
            raise ClacInputError(
                f"{path}: {len(self._graph)} vectors of {len(vectors)}; rebuild the index with `clac index --ann`"
            )

    def nearest(self, query: np.ndarray, k: int, rows: np.ndarray | None = None) -> np.ndarray:
        """
        Find the nearest vectors.

        Args:
            query: `(dim,)` float32, unit length.
            k: Number of vectors.
            rows: Rows that may be found, ascending. Default: all.

        Returns:
            Up to `k` rows, best first.
        """
        count = len(self.vectors)
        if rows is None or len(rows) == count:
            return self._best(query, self._candidates(query, k + _SPARE), k)
        if len(rows) > _FEW_ROWS:
            passes = np.zeros(count, dtype=bool)
            passes[rows] = True
            number = math.ceil(2 * k * count / len(rows)) + _SPARE
            while number <= _MOST_CANDIDATES:
                found = self._candidates(query, number)
                found = found[passes[found]]
                if len(found) >= k:
                    return self._best(query, found, k)
                number *= 4
        # Those that pass are few, or far from the query.
        return self._best(query, rows, k)

    def _candidates(self, query: np.ndarray, number: int) -> np.ndarray:
        number = min(number, len(self.vectors))
        self._graph.expansion_search = max(_SEARCHING, number)
        return np.asarray(self._graph.search(query, number).keys, dtype=np.int64)

    def _best(self, query: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
        rows = np.sort(rows)
        return rows[best_places(self.vectors.cosines(query[None], rows)[0], k)]


def best_places(scores: np.ndarray, k: int) -> np.ndarray:
    """
    Return the places of the k largest scores, the largest first; of equal ones, the first in the table.

    Args:
        scores: `(n,)`.
        k: Number of places.
    """
    best = np.sort(np.argpartition(-scores, k - 1)[:k]) if k < len(scores) else np.arange(len(scores))
    return best[np.argsort(-scores[best], kind="stable")]


def require_usearch() -> None:
    """
    Check that usearch is installed.

    Raises:
        ClacInputError: If it is not.
    """
    _index_class()


def _index_class() -> Any:
    try:
        from usearch.index import Index
    except ImportError:
        raise ClacInputError("--ann requires usearch: pip install 'clac-crystals[ann]'") from None
    return Index


__all__ = ["EXACT", "Neighbors", "best_places", "build_graph", "require_usearch"]
