"""Searches by a graph of neighbours: nearly those of all comparisons, and filters are respected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from evaluation.benchmarks.scale_data import Clusters, write_synthetic_index
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.search import neighbors
from modeling_clac.search.filters import Filters
from modeling_clac.search.index import CrystalIndex
from modeling_clac.search.neighbors import build_graph
from modeling_clac.search.text_search import ranked_hits
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.vector_files import open_vectors

COUNT, DIM, K = 4000, 64, 10


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("scale") / "index"
    write_synthetic_index(found, COUNT, DIM, 0)
    return found


@pytest.fixture(scope="module")
def index(directory: Path) -> CrystalIndex:
    pytest.importorskip("usearch")
    build_graph(open_vectors(directory / "embeddings.safetensors"), directory / "neighbors.usearch")
    return CrystalIndex.load(directory)


@pytest.fixture(scope="module")
def queries() -> np.ndarray:
    return Clusters(COUNT, DIM, 0).queries(30)


def _recall(index: CrystalIndex, queries: np.ndarray, rows: np.ndarray | None = None) -> float:
    pairs = [[index.nearest(query, K, rows, way) for way in (True, False)] for query in queries]
    assert all(len(near) == len(exact) for near, exact in pairs)
    return sum(len(np.intersect1d(near, exact)) for near, exact in pairs) / sum(len(exact) for _, exact in pairs)


@pytest.mark.parametrize("few", [0, 200_000], ids=["candidates", "one by one"])
def test_nearly_all_of_the_nearest_are_found(
    index: CrystalIndex, queries: np.ndarray, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    # The graph is built by several threads, so that a few of the 300 neighbours differ from one build to another.
    monkeypatch.setattr(neighbors, "_FEW_ROWS", few)
    assert _recall(index, queries) >= 0.97
    generator = np.random.default_rng(0)
    for share in (0.5, 0.05, 0.002):
        rows = np.flatnonzero(generator.random(COUNT) < share)
        assert _recall(index, queries, rows) >= 0.97
        assert np.isin(index.nearest(queries[0], K, rows, True), rows).all()
    # Those that pass are the farthest from the query.
    farthest = np.sort(np.argsort(index.cosines(queries[0]))[:200])
    assert _recall(index, queries[:1], farthest) == 1
    assert len(index.nearest(queries[0], K, np.zeros(0, dtype=np.int64), True)) == 0


def test_hits_are_those_of_an_exact_search(index: CrystalIndex, queries: np.ndarray) -> None:
    filters = Filters(elements=["O"], exclude_elements=["Pb"])
    near, exact = (index.search(queries[:4], K, filters, way) for way in (True, False))
    assert near == exact
    assert all("O" in hit.record["elements"] for hits in near for hit in hits)
    vocabulary = load_vocabulary()
    for text in ("lead-free halide perovskite", "hardest oxide", "shiny"):
        query = understand(text, vocabulary)
        near, exact = (ranked_hits(index, queries[5], query, vocabulary, K, approximate=way) for way in (True, False))
        assert near == exact and len(near) == K


def test_an_index_without_a_graph_says_what_to_do(index: CrystalIndex, queries: np.ndarray, tmp_path: Path) -> None:
    write_synthetic_index(tmp_path / "other", 50, DIM, 0)
    other = CrystalIndex.load(tmp_path / "other")
    with pytest.raises(ClacInputError, match="no graph of neighbours; rebuild it with `clac index --ann`"):
        other.search(queries[0], K, approximate=True)
    file = tmp_path / "other" / "neighbors.usearch"
    file.write_bytes(b"x" * 200)
    with pytest.raises(ClacInputError, match="clac index --ann"):
        CrystalIndex.load(tmp_path / "other").search(queries[0], K, approximate=True)
    build_graph(index.vectors, file)
    with pytest.raises(ClacInputError, match="4000 vectors of 50"):
        CrystalIndex.load(tmp_path / "other").search(queries[0], K, approximate=True)


def test_synthetic_indexes_are_whole(directory: Path) -> None:
    index = CrystalIndex.load(directory)
    assert len(index) == COUNT and index.has_facts and index.stored.row_of("synthetic-7") == 7
    assert (index.facts.label("anions", "O") == 1).sum() > 100
    assert isinstance(index.table, pa.Table)
    np.testing.assert_allclose(np.linalg.norm(index.embeds, axis=1), 1, atol=1e-5)
