"""Vectors on disk: written as a stream, opened without reading them, compared block by block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from modeling_clac.search import vectors as module
from modeling_clac.search.vector_files import open_vectors, write_vectors
from modeling_clac.search.vectors import SCAN_GRAPH, Vectors, lengths_of
from train.scan_graph import scan_graph

DIM = 48


@pytest.fixture(scope="module")
def embeds() -> np.ndarray:
    found = np.random.default_rng(0).normal(size=(501, DIM)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture
def stored(embeds: np.ndarray, tmp_path: Path) -> Vectors:
    write_vectors(tmp_path / "x.safetensors", len(embeds), DIM, [embeds[:100], embeds[100:]])
    return open_vectors(tmp_path / "x.safetensors")


@pytest.fixture(params=[1 << 21, 7 * DIM], ids=["one block", "many blocks"])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", request.param)
    monkeypatch.setattr(module, "_ROUNDED_ROWS", request.param // DIM)
    monkeypatch.setattr(module, "_GROUP", request.param // DIM)


def test_files_are_those_of_safetensors(embeds: np.ndarray, stored: Vectors, tmp_path: Path) -> None:
    arrays = load_file(tmp_path / "x.safetensors")
    assert arrays["embeddings"].dtype == np.float16
    np.testing.assert_array_equal(arrays["embeddings"], embeds.astype(np.float16))
    np.testing.assert_allclose(arrays["lengths"], np.linalg.norm(arrays["embeddings"].astype(float), axis=1), rtol=1e-6)
    assert isinstance(stored.stored, np.memmap) and stored.dim == DIM and len(stored) == len(embeds)
    np.testing.assert_allclose(np.linalg.norm(stored[:], axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(stored[7], embeds[7], atol=1e-3)
    np.testing.assert_array_equal(stored[[7, 3]], stored[:][[7, 3]])


@pytest.mark.usefixtures("_blocks")
def test_cosines_are_those_of_the_rounded_vectors(embeds: np.ndarray, stored: Vectors) -> None:
    queries = embeds[[3, 400]]
    rounded = embeds.astype(np.float16).astype(np.float64)
    expected = queries @ (rounded / np.linalg.norm(rounded, axis=1, keepdims=True)).T
    np.testing.assert_allclose(stored.cosines(queries), expected, atol=2e-7)
    np.testing.assert_allclose(Vectors(embeds).cosines(queries), queries @ embeds.T, atol=2e-7)
    for rows in (np.array([500, 2, 2, 60]), np.arange(0, 501, 2), np.zeros(0, dtype=np.int64)):
        np.testing.assert_allclose(stored.cosines(queries, rows), expected[:, rows], atol=2e-7)
    assert stored.cosines(queries).max() <= 1
    np.testing.assert_allclose(lengths_of(stored.stored), np.linalg.norm(rounded, axis=1), rtol=1e-6)


def _literal_search(vectors: Vectors, query: np.ndarray, k: int, rows: np.ndarray) -> np.ndarray:
    assert vectors.lengths is not None
    products = (vectors.stored[rows].astype(np.float64) * query).sum(axis=1)
    cosines = products.astype(np.float32) / vectors.lengths[rows]
    return rows[np.argsort(-cosines, kind="stable")[:k]]


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("spread", [1.0, 0.05], ids=["far apart", "nearly equal"])
def test_the_nearest_are_those_of_a_literal_search(spread: float, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    centre, *noise = generator.normal(size=(301, DIM))
    # A third of the vectors are there twice or more, in places that a product of matrices treats differently.
    embeds = (centre + spread * np.array(noise))[np.append(np.arange(300), generator.integers(0, 100, 201))]
    embeds /= np.linalg.norm(embeds, axis=1, keepdims=True)
    write_vectors(tmp_path / "x.safetensors", len(embeds), DIM, [embeds])
    vectors = open_vectors(tmp_path / "x.safetensors")
    queries = np.stack([centre, generator.normal(size=DIM), embeds[450]]).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    everything = np.arange(len(embeds))
    for rows in (None, everything[::2], everything[5::7], everything[:0]):
        for k in (1, 10, 200, 600):
            expected = [_literal_search(vectors, query, k, everything if rows is None else rows) for query in queries]
            for query, best in zip(queries, expected, strict=True):
                np.testing.assert_array_equal(vectors.nearest(query[None], k, rows)[0], best)
            for found, best in zip(vectors.nearest(queries, k, rows), expected, strict=True):
                np.testing.assert_array_equal(found, best)


def test_the_graph_is_the_one_that_is_written() -> None:
    assert SCAN_GRAPH.read_bytes() == scan_graph()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"embeddings": np.ones((2, 3), np.int64)}, "type I64"),
        ({"embeddings": np.ones(3, np.float16)}, "shape"),
        ({"embeddings": np.ones((2, 3), np.float16), "lengths": np.ones(3, np.float32)}, "lengths of shape"),
        ({"embeddings": np.zeros((2, 3), np.float16)}, "zero, NaN or infinite"),
        ({"embeddings": np.full((2, 3), np.nan, np.float16)}, "zero, NaN or infinite"),
    ],
)
def test_unusable_files_are_errors(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    save_file(arrays, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=message):
        open_vectors(tmp_path / "x.safetensors")


def test_the_number_of_vectors_must_agree(embeds: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="501 vectors of 502"):
        write_vectors(tmp_path / "x.safetensors", 502, DIM, [embeds])
