"""Synthetic indexes of any size: vectors in clusters, with records and facts of bundled crystals drawn at random."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modeling_clac.data.arrow_files import write_columns
from modeling_clac.data.bundled import bundled_crystals, bundled_facts
from modeling_clac.data.facts.columns import FACT_COLUMNS, FACTS_VERSION, VERSION_KEY
from modeling_clac.search.index_files import COLUMNS, EMBEDDINGS, FACTS, TABLE, write_description
from modeling_clac.search.vector_files import write_vectors

FINGERPRINT = "0" * 16
_MEMBERS = 50  # mean size of a cluster
# Share of the variance that the first i of the axes have, as in embeddings of crystals: 8 have a third, 64 most of it.
_DECAY = 1.0
_OFFSET, _SPREAD, _FAR = 0.35, 0.45, 0.8
_AT_ONCE = 1 << 16


class Clusters:
    """
    Unit vectors in clusters.

    Cluster centres are normally distributed around an offset that all vectors share, with variances that decay along
    the axes; members are spread around their centre in the same way. A few clusters are large, most are small.

    Args:
        count: Number of vectors.
        dim: Number of dimensions.
        seed: Seed.
    """

    def __init__(self, count: int, dim: int, seed: int):
        generator = np.random.default_rng(seed)
        variance = np.arange(1, dim + 1, dtype=np.float64) ** -_DECAY
        self.scale = np.sqrt(variance / variance.sum()).astype(np.float32)
        # The axes are not those of the numbers that are stored.
        self.axes = np.linalg.qr(generator.normal(size=(dim, dim)))[0].astype(np.float32)
        self.offset = generator.normal(size=dim).astype(np.float32)
        self.offset *= _OFFSET / np.linalg.norm(self.offset)
        clusters = max(count // _MEMBERS, 1)
        self.centres = generator.standard_normal((clusters, dim), dtype=np.float32) * self.scale
        weights = 1.0 / np.arange(1, clusters + 1) ** 0.6
        self.shares = np.cumsum(weights / weights.sum())
        self.count, self.dim, self.seed = count, dim, seed

    def draw(self, number: int, generator: np.random.Generator, spread: float = _SPREAD) -> np.ndarray:
        """
        Draw vectors.

        Args:
            number: Number of vectors.
            generator: Source of random numbers.
            spread: Distance from the centres.

        Returns:
            `(number, dim)` float32, unit length.
        """
        cluster = np.minimum(np.searchsorted(self.shares, generator.random(number)), len(self.centres) - 1)
        noise = generator.standard_normal((number, self.dim), dtype=np.float32) * self.scale
        found = (self.centres[cluster] + spread * noise) @ self.axes + self.offset
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield all vectors, block by block."""
        for start in range(0, self.count, _AT_ONCE):
            yield self.draw(min(_AT_ONCE, self.count - start), np.random.default_rng((self.seed, start)))

    def queries(self, number: int) -> np.ndarray:
        """Draw queries as far from the vectors as texts are from crystals, `(number, dim)`."""
        generator = np.random.default_rng((self.seed, 1, 1))
        gap = generator.normal(size=self.dim).astype(np.float32)
        found = self.draw(number, generator, _FAR) + _FAR * gap / np.linalg.norm(gap)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def write_synthetic_index(directory: Path, count: int, dim: int, seed: int) -> None:
    """
    Write an index of synthetic vectors. It has no structures.

    Args:
        directory: Directory to create.
        count: Number of crystals.
        dim: Number of dimensions.
        seed: Seed.
    """
    directory.mkdir(parents=True)
    write_vectors(directory / EMBEDDINGS, count, dim, Clusters(count, dim, seed).blocks())
    records = bundled_crystals(with_cif=False)
    facts = bundled_facts().select(list(FACT_COLUMNS))
    metadata = {VERSION_KEY: str(FACTS_VERSION)}
    drawn = np.random.default_rng((seed, 2)).integers(0, records.num_rows, count)

    def tables(table: pa.Table, ids: bool) -> Iterator[pa.Table]:
        for start in range(0, count, _AT_ONCE):
            rows = drawn[start : start + _AT_ONCE]
            found = table.take(pa.array(rows))
            if ids:
                names = pa.array([f"synthetic-{start + row}" for row in range(len(rows))], pa.string())
                found = found.set_column(found.column_names.index("material_id"), "material_id", names)
            yield found.combine_chunks()

    with pq.ParquetWriter(directory / TABLE, records.schema, compression="zstd") as writer:

        def written() -> Iterator[pa.Table]:
            for table in tables(records, ids=True):
                writer.write_table(table)
                yield table

        write_columns(directory / COLUMNS, records.schema, written())
    schema = facts.schema.with_metadata(metadata)
    write_columns(directory / FACTS, schema, (table.cast(schema) for table in tables(facts, ids=False)))
    write_description(
        directory,
        model_name="synthetic",
        model_fingerprint=FINGERPRINT,
        num_crystals=count,
        dim=dim,
        table=TABLE,
        table_digest=None,
    )


__all__ = ["FINGERPRINT", "Clusters", "write_synthetic_index"]
