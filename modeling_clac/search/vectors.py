"""Vectors of an index, which stay on disk as float16 and are compared with queries block by block."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors_clac import ClacInputError
from ..utils.paths import ASSETS

# Converts a block of float16 to float32 and multiplies it by queries; numpy takes twenty times as long to convert.
# `python -m train.scan_graph` writes it.
SCAN_GRAPH = ASSETS / "scan.onnx"
_BLOCK = 1 << 20  # numbers in a block: those of all threads, converted, fit into the cache that the cores share
_THREADS = 8  # memory cannot feed more
# Share of all vectors up to which some of them are gathered before they are compared.
_FEW = 0.25
_FEW_ROWS = 1024  # compared one by one
_GROUP = 1024  # cosines of which the largest is looked at first
_ROUNDED_ROWS = 1 << 15  # compared at a time with a query in float16
# Sums of products in float32 differ from exact ones by less than this for each dimension, with all that follows them.
_SINGLE = 2.0**-22


class Vectors:
    """
    Unit vectors of n crystals.

    Args:
        stored: `(n, dim)` float16, such as a memory-mapped file, or float32.
        lengths: `(n,)` float32, lengths of the stored vectors, which rounding makes different from 1. Default: 1.
    """

    def __init__(self, stored: np.ndarray, lengths: np.ndarray | None = None):
        self.stored, self.lengths = stored, lengths

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def dim(self) -> int:
        """Number of dimensions."""
        return int(self.stored.shape[1])

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return vectors of unit length, `(dim,)` or `(num_rows, dim)` float32."""
        found = np.asarray(self.stored[rows], dtype=np.float32)
        return found if self.lengths is None else found / self.lengths[rows][..., None]

    def cosines(self, queries: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """
        Compare queries with crystals.

        Args:
            queries: `(num_queries, dim)` float32, unit length.
            rows: Rows of the crystals. Default: all.

        Returns:
            `(num_queries, num_rows)` float32, in [-1, 1].
        """
        if rows is not None and len(rows) <= _FEW_ROWS:
            return np.stack([self._one_by_one(query, rows) for query in queries])
        if rows is not None and len(rows) > _FEW * len(self):
            return self.cosines(queries)[:, rows]
        count = len(self) if rows is None else len(rows)
        found = np.empty((count, len(queries)), dtype=np.float32)
        by_column = np.ascontiguousarray(queries.T, dtype=np.float32)

        def compare(block: slice) -> None:
            chosen: Any = block if rows is None else rows[block]
            found[block] = _products(self.stored[chosen], by_column)
            if self.lengths is not None:
                found[block] /= self.lengths[chosen, None]

        _for_each(compare, _blocks(count, self._rows_of_a_block))
        return np.clip(found.T, -1, 1)

    def nearest(self, queries: np.ndarray, k: int, rows: np.ndarray | None = None) -> list[np.ndarray]:
        """
        Find the crystals with the largest cosines: a fast comparison with all of them, then an exact one of the best.

        Args:
            queries: `(num_queries, dim)` float32, unit length.
            k: Number of crystals.
            rows: Rows that may be found, ascending. Default: all.

        Returns:
            Up to `k` rows for each query, best first; of equal ones, the first in the table.
        """
        many = rows is None or len(rows) > _FEW * len(self)
        # Several queries at once share the conversion to float32.
        if len(queries) == 1 and many and self.stored.dtype == np.float16:
            cosines, error = self._cosines_of_rounded(queries, rows)
        else:
            cosines, error = self.cosines(queries, rows), self.dim * _SINGLE
        found = []
        for query, own in zip(queries, cosines, strict=True):
            places = _contenders(own, k, error)
            chosen = places if rows is None else rows[places]
            found.append(chosen[np.argsort(-self._one_by_one(query, chosen), kind="stable")[:k]])
        return found

    def _cosines_of_rounded(self, queries: np.ndarray, rows: np.ndarray | None) -> tuple[np.ndarray, float]:
        """
        Return cosines of one query, `(1, num_rows)`, and their largest possible error.

        The query is rounded to float16 as well, so that no vector is converted: as fast as memory can be read.
        """
        import numkong

        query = queries[0]
        rounded = query.astype(np.float16)
        cosines = np.empty(len(self), dtype=np.float32)

        def compare(block: slice) -> None:
            cosines[block] = np.asarray(numkong.cdist(self.stored[block], rounded[None], "dot"))[:, 0]

        _for_each(compare, _blocks(len(self), _ROUNDED_ROWS))
        if self.lengths is not None:
            cosines /= self.lengths
        error = float(np.linalg.norm(query - rounded)) + self.dim * _SINGLE
        return (cosines if rows is None else cosines[rows])[None], error

    def _one_by_one(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """
        Compare a query with some crystals in float64, `(num_rows,)` float32 in [-1, 1].

        A product of matrices may sum its last rows in another order. Here a cosine depends on nothing but its two
        vectors, so that equal vectors have equal cosines.
        """
        found = np.empty(len(rows), dtype=np.float32)
        for block in _blocks(len(rows), self._rows_of_a_block):
            found[block] = np.vecdot(self.stored[rows[block]].astype(np.float64), query)
        if self.lengths is not None:
            found /= self.lengths[rows]
        return np.clip(found, -1, 1)

    @property
    def _rows_of_a_block(self) -> int:
        return max(_BLOCK // max(self.dim, 1), 1)


def _contenders(cosines: np.ndarray, k: int, error: float) -> np.ndarray:
    """Return the places, ascending, of all that may be among the k largest cosines if each is off by an error."""
    if k >= len(cosines):
        return np.arange(len(cosines))
    places = None
    starts = np.arange(0, len(cosines), _GROUP)
    if k <= len(starts):
        # The maxima of groups are cosines themselves, so that the kth of them is at most the kth of all. It takes a
        # tenth of the time of sorting out all, and leaves a few of them.
        maxima = np.maximum.reduceat(cosines, starts)
        places = np.flatnonzero(cosines >= np.partition(maxima, len(maxima) - k)[len(maxima) - k] - 2 * error)
        cosines = cosines[places]
    # k of the true cosines are at least this minus the error; a cosine that reaches them is at least this minus two.
    last = np.partition(cosines, len(cosines) - k)[len(cosines) - k]
    chosen = np.flatnonzero(cosines >= last - 2 * error)
    return chosen if places is None else places[chosen]


def unit_vectors(query: np.ndarray, dim: int) -> np.ndarray:
    """
    Check queries and normalize them.

    Args:
        query: Query vector `(dim,)`, or several queries `(num_queries, dim)`.
        dim: Number of dimensions of the index.

    Returns:
        `(num_queries, dim)` float32, unit length.

    Raises:
        ClacInputError: If a query has another dimension, or is zero, NaN or infinite.
    """
    queries = np.atleast_2d(np.asarray(query, dtype=np.float32))
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise ClacInputError(
            f"query of shape {np.shape(query)} for an index of {dim} dimensions; embed it with the checkpoint of the "
            "index"
        )
    lengths = np.linalg.norm(queries, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise ClacInputError("the query vector is zero, NaN or infinite; give a vector with a direction")
    return np.asarray(queries / lengths)


def lengths_of(stored: np.ndarray) -> np.ndarray:
    """Return the lengths of stored vectors, `(n,)` float32, without a copy of all of them."""
    found = np.empty(len(stored), dtype=np.float32)
    for block in _blocks(len(stored), max(_BLOCK // max(stored.shape[1], 1), 1)):
        found[block] = np.linalg.norm(stored[block].astype(np.float32), axis=1)
    return found


def _for_each(work: Callable[[slice], None], blocks: Iterable[slice]) -> None:
    """Work on blocks in threads. Each takes the next block, so that a core that is busy otherwise holds up no one."""
    waiting = list(blocks)
    threads = min(_THREADS, _cores(), len(waiting))
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, waiting))
    else:
        for block in waiting:
            work(block)


def _blocks(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _products(block: np.ndarray, queries: np.ndarray) -> np.ndarray:
    if block.dtype == np.float32:
        return np.asarray(block @ queries)
    (products,) = _scan().run(None, {"vectors": block, "queries": queries})
    return np.asarray(products)


@lru_cache(maxsize=1)
def _scan() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(SCAN_GRAPH), options, providers=["CPUExecutionProvider"])


__all__ = ["SCAN_GRAPH", "Vectors", "lengths_of", "unit_vectors"]
