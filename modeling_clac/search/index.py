"""Exact nearest-neighbour search over embedded crystals, with filters. A saved index is read as far as it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..data.arrow_files import release_pages, take_rows, write_columns
from ..errors_clac import ClacInputError, Skipped, one_line
from ..utils.atomic_files import file_state, replaced_directory
from .embedded_tables import embed_table
from .filters import FilteredTable, Filters
from .hits import Hit, Hits
from .index_files import (
    BUNDLED_INDEX,
    COLUMNS,
    EMBEDDINGS,
    FACTS,
    ROW_GROUP,
    TABLE,
    check_target,
    read_index,
    source_table,
    table_digest,
    write_description,
)
from .neighbors import Neighbors
from .stored_crystals import StoredCrystals
from .stored_facts import compute_facts, read_facts, write_facts
from .vector_files import write_vectors
from .vectors import Vectors, unit_vectors

if TYPE_CHECKING:
    from ..crystal_clac import Crystal
    from ..data.facts.fact_table import FactTable
    from ..inference.embedder import ClacEmbedder
    from .understanding.ranking import Evaluation


def bundled_index() -> CrystalIndex:
    """
    Load the index of the bundled data set, embedded with the bundled checkpoint.

    Raises:
        ClacInputError: If this installation has no bundled index, or the index is damaged.
    """
    return CrystalIndex.load(BUNDLED_INDEX)


class CrystalIndex:
    r"""
    A searchable table of embedded crystals.

    Examples:
        >>> index = CrystalIndex.load("my-index")
        >>> hits = index.search(embedder.encode_text("a hard ceramic")[0], k=5, filters=Filters(elements=["N"]))

    Args:
        embeds: Embeddings of the crystals, `(num_crystals, dim)`, unit length; or vectors that stay on disk.
        table: Table with one row per crystal, in the same order.
        model_fingerprint: Fingerprint of the checkpoint that computed the embeddings, see [`Checkpoint`].
        model_name: Name of that checkpoint in messages.

    Attributes:
        skipped: Crystals that `build` skipped, as (row of the given table, reason): those that could not be read, then
            those that could not be embedded.
        stored: Ids and structures of the crystals.
        vectors: Embeddings of the crystals.

    Raises:
        ClacInputError: If the number of embeddings differs from the number of rows.
    """

    def __init__(self, embeds: np.ndarray | Vectors, table: pa.Table, model_fingerprint: str, model_name: str = ""):
        vectors = embeds if isinstance(embeds, Vectors) else Vectors(np.asarray(embeds, dtype=np.float32))
        if vectors.stored.ndim != 2 or len(vectors) != table.num_rows:
            raise ClacInputError(
                f"embeddings of shape {vectors.stored.shape} for a table of {table.num_rows} crystals; expected "
                "(num_crystals, dim)"
            )
        self.vectors = vectors
        self.table = table
        self.model_fingerprint = model_fingerprint
        self.model_name = model_name
        self.skipped: list[Skipped] = []
        self.stored = StoredCrystals(table)
        self._facts_file: Path | None = None
        self._graph_file: Path | None = None
        self._facts_state: tuple[int, int] | None = None
        # Structures that were read while the index was built, until its facts are computed.
        self._parsed: list[Crystal | None] | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def embeds(self) -> np.ndarray:
        """All embeddings in memory, `(num_crystals, dim)` float32, unit length. A search does not need them."""
        return self.vectors[:]

    @classmethod
    def build(
        cls,
        embedder: ClacEmbedder,
        table: Any,
        *,
        crystals: Sequence[Crystal | None] | None = None,
        max_atoms: int | None = None,
        disorder: str | None = None,
        strict: bool = False,
        on_error: str = "raise",
        show_progress: bool | None = None,
        model_name: str | None = None,
    ) -> CrystalIndex:
        """
        Build an index by embedding the `cif` column of a table. The other columns become the records.

        Args:
            embedder: Embedder of a saved checkpoint. The index records the fingerprint of its weights.
            table: A pyarrow table with a `cif` column and any other columns, which are taken as they are, such as that
                of [`crystal_table`]. Property columns need the names and units of the bundled data set to be filtered.
                Or paths of files and folders, an iterable of structures, or a table of pandas, polars or datasets, of
                which the missing columns are computed.
            crystals: Parsed crystal of each row, or `None` where the CIF is not parsed yet; see [`crystal_table`].
            max_atoms: Maximum number of atoms in a cell. Default: the limit of the embedder's feature extractor.
            disorder: What to do with mixed and partly occupied sites, see `ClacEmbedder.encode_crystals`.
            strict: Whether a structure that was read with a warning is invalid.
            on_error: What to do with an invalid structure: `"raise"`, `"skip"` or `"warn"`. Skipped crystals have no
                row in the index.
            show_progress: Whether to show a progress bar. Default: only for long work in a terminal.
            model_name: Name of the checkpoint in messages. Default: the name of its directory, or its Hub id.

        Raises:
            ClacInputError: If the table has no `cif` column, if no crystal can be used, or if the model of the
                embedder was never saved.
            InvalidStructureError: If a structure is invalid and `on_error="raise"`.
        """
        unread: list[Skipped] = []
        if not isinstance(table, pa.Table):
            from ..data.crystal_table import crystal_table, table_of_structures

            read_table_of = crystal_table if isinstance(table, (str, os.PathLike)) else table_of_structures
            read = read_table_of(table, embedder.reading_options(max_atoms, disorder, strict), on_error)
            table, crystals, unread = read.table, read.crystals, read.skipped
        embedded = embed_table(
            embedder,
            table,
            crystals,
            options=embedder.reading_options(max_atoms, disorder, strict),
            on_error=on_error,
            show_progress=show_progress,
        )
        skipped = [*unread, *embedded.skipped]
        if not len(embedded.embeds):
            raise ClacInputError(f"no crystal to index: {skipped[0].reason if skipped else 'the table is empty'}")
        checkpoint = embedder.checkpoint
        index = cls(embedded.embeds, embedded.table, checkpoint.fingerprint, model_name or checkpoint.name)
        index.skipped = skipped
        index._parsed = embedded.crystals
        return index

    def require_model(self, fingerprint: str) -> None:
        """
        Check that the embeddings were computed with the given weights.

        Args:
            fingerprint: Fingerprint of a checkpoint.

        Raises:
            ClacInputError: If the index was built with other weights.
        """
        if fingerprint != self.model_fingerprint:
            raise ClacInputError(
                f"the index was built with another checkpoint ({self.model_name} {self.model_fingerprint}, not "
                f"{fingerprint}); use that checkpoint, or rebuild the index with `clac index`"
            )

    @property
    def columns(self) -> list[str]:
        """Names of the columns of the records."""
        return [name for name in self.table.column_names if name != "cif"]

    def record(self, which: int | str) -> dict[str, Any]:
        """
        Return the columns of a crystal, without its CIF.

        Args:
            which: Row or id of the crystal.

        Raises:
            ClacInputError: If there is no such crystal.
        """
        return self.stored.record(self.stored.rows([which])[0])

    def structure(self, which: int | str) -> Crystal:
        """
        Return the structure of a crystal.

        Args:
            which: Row or id of the crystal.

        Raises:
            ClacInputError: If there is no such crystal, or the index has no structures.
        """
        return self.structures([which])[0]

    def structures(self, which: Iterable[int | str]) -> list[Crystal]:
        """
        Return the structures of several crystals. They are read from disk only now.

        Args:
            which: Rows or ids of the crystals.

        Raises:
            ClacInputError: If there is no such crystal, or the index has no structures.
        """
        return self.stored.structures(self.stored.rows(which))

    def search(
        self, query: np.ndarray | str, k: int = 10, filters: Filters | None = None, approximate: bool = False
    ) -> Any:
        """
        Find the crystals nearest to a query by cosine similarity, best first.

        The query is compared with every crystal that passes the filters, unless the search is approximate.

        Args:
            query: Query vector `(dim,)`, or several queries `(num_queries, dim)`. Vectors are normalized first. Or the
                id of a crystal of the index, to find similar ones.
            k: Number of crystals to return. Fewer are returned if fewer pass the filters.
            filters: Conditions on the crystals. Default: none.
            approximate: Whether to compare the query only with candidates that the graph of neighbours proposes, for
                indexes of more than two million crystals. `clac index --ann` builds the graph.

        Returns:
            [`Hits`], a sequence of [`Hit`]; for several queries, a list of them.

        Raises:
            ClacInputError: If the query has the wrong dimension, or is zero, NaN or infinite, or no crystal has this
                id; if `k` is below 1; or if a filter needs a column that the index does not have.
        """
        if isinstance(query, str):
            query = self.vectors[self.stored.row_of(query)]
        if k < 1:
            raise ClacInputError(f"k={k}: must be at least 1")
        vectors = np.asarray(query)
        rows = None if filters is None else np.flatnonzero(self.mask(filters))
        nearest = self._nearest(vectors, k, rows, approximate)
        found = [self.hits(best, self.cosines(unit, best)) for unit, best in nearest]
        return found[0] if vectors.ndim == 1 else found

    def nearest(
        self, query: np.ndarray, k: int = 10, rows: np.ndarray | None = None, approximate: bool = False
    ) -> np.ndarray:
        """
        Find the rows of the crystals nearest to a query.

        Args:
            query: Query vector `(dim,)`.
            k: Number of crystals.
            rows: Rows that may be found, ascending. Default: all.
            approximate: See [`search`].

        Returns:
            Up to `k` rows, best first.

        Raises:
            ClacInputError: As [`search`].
        """
        ((_, best),) = self._nearest(query, k, rows, approximate)
        return best

    def _nearest(
        self, queries: np.ndarray, k: int, rows: np.ndarray | None, approximate: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each query of unit length and its rows."""
        units = unit_vectors(queries, self.vectors.dim)
        if approximate:
            yield from ((unit, self._neighbors.nearest(unit, k, rows)) for unit in units)
            return
        yield from zip(units, self.vectors.nearest(units, k, rows), strict=True)

    def cosines(self, query: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """
        Compare queries with crystals.

        Args:
            query: Query vector `(dim,)`, or several queries `(num_queries, dim)`.
            rows: Rows of the crystals. Default: all.

        Returns:
            Cosine similarities, `(num_rows,)` or `(num_queries, num_rows)`.

        Raises:
            ClacInputError: If a query has the wrong dimension, or is zero, NaN or infinite.
        """
        cosines = self.vectors.cosines(unit_vectors(query, self.vectors.dim), rows)
        return cosines[0] if np.ndim(query) == 1 else cosines

    def hits(self, rows: np.ndarray, cosines: np.ndarray, evaluation: Evaluation | None = None) -> Hits:
        """
        Return crystals as hits.

        Args:
            rows: Rows of the crystals, best first.
            cosines: `(num_rows,)` cosine of each of them with the query.
            evaluation: What holds of a query that was read.
        """
        records = take_rows(self._records, rows).to_pylist()
        release_pages()
        found = []
        for rank, (row, cosine, record) in enumerate(zip(rows.tolist(), cosines.tolist(), records, strict=True), 1):
            marks = () if evaluation is None else evaluation.marks(row)
            values = {} if evaluation is None else evaluation.values(row)
            found.append(Hit(rank, cosine, row, record, marks, values))
        return Hits(found, self, None if evaluation is None else evaluation.query)

    def mask(self, filters: Filters) -> np.ndarray:
        """
        Evaluate filters on every crystal.

        Args:
            filters: Conditions on the crystals.

        Returns:
            `(num_crystals,)` bool, true where a crystal passes.

        Raises:
            ClacInputError: If a filter needs a column that the index does not have.
        """
        return self._filtered.mask(filters)

    @cached_property
    def facts(self) -> FactTable:
        """
        The facts of the crystals, in the order of the rows.

        They are read from the directory of the index. If it has none, or those of an earlier version, they are computed
        from the structures, which takes a second for about 200 crystals; without structures, they are unknown.
        """
        from ..data.facts.fact_table import FactTable

        return FactTable.from_table(self.table, self._fact_columns)

    @cached_property
    def has_facts(self) -> bool:
        """Whether facts are stored with the index, so that [`facts`] reads them rather than computing them."""
        return self._stored_facts is not None

    @cached_property
    def _stored_facts(self) -> pa.Table | None:
        if self._facts_file is None:
            return None
        if file_state(self._facts_file) != self._facts_state:
            raise ClacInputError(f"{self.stored.name} has changed since it was loaded; load it again")
        try:
            facts = read_facts(self._facts_file)
        except (OSError, pa.ArrowException) as error:
            raise ClacInputError(
                f"{self._facts_file}: damaged ({one_line(error)}); rebuild the index with `clac index`"
            ) from None
        return None if facts is None or facts.num_rows != len(self) else facts

    @cached_property
    def _fact_columns(self) -> pa.Table | None:
        if self._stored_facts is not None:
            return self._stored_facts
        parsed, self._parsed = self._parsed, None
        return compute_facts(self.stored, parsed)

    @cached_property
    def _neighbors(self) -> Neighbors:
        return Neighbors(self.vectors, self._graph_file)

    @cached_property
    def _filtered(self) -> FilteredTable:
        return FilteredTable(self.table)

    @cached_property
    def _records(self) -> pa.Table:
        return self.table.select(self.columns)

    def save(self, directory: str | os.PathLike[str], table_source: str | None = None) -> None:
        """
        Write an index to a directory: `embeddings.safetensors` (float16), `crystals.parquet` with the structures, and
        the columns of both table and facts as Arrow files, which are mapped into memory.

        The write is atomic, also if another process writes to or reads from the directory. An existing index is
        replaced. The structures are kept.

        Args:
            directory: Directory to write.
            table_source: `"mp-crystals"` stores a reference to the bundled data set instead of the table. The table
                must then have the rows of the bundled data set, in the same order. Default: store the table.

        Raises:
            ClacInputError: If the directory cannot be used, see [`check_target`]; if the disk is full; or if the table
                differs from that of `table_source`.
        """
        check_target(directory)
        target = Path(directory).resolve()
        if table_source is not None and table_digest(source_table(table_source)) != table_digest(self.table):
            raise ClacInputError(f"the table of this index is not {table_source}; omit table_source")
        table = self.table
        if table_source is None and self.stored.has_structures and "cif" not in table.column_names:
            cifs = self.stored.cifs(range(len(self)))
            table = table.append_column("cif", pa.array(cifs, pa.large_string()))
        with replaced_directory(target) as new:
            write_vectors(new / EMBEDDINGS, len(self), self.vectors.dim, [self.vectors.stored])
            if table_source is None:
                # Small groups of rows, so that a few structures can be read fast.
                pq.write_table(table, new / TABLE, compression="zstd", row_group_size=ROW_GROUP)
                write_columns(new / COLUMNS, self._records.schema, [self._records])
                if self._fact_columns is not None:
                    write_facts(self._fact_columns, new / FACTS)
            write_description(
                new,
                model_name=self.model_name,
                model_fingerprint=self.model_fingerprint,
                num_crystals=len(self),
                dim=self.vectors.dim,
                table=table_source or TABLE,
                table_digest=table_digest(self.table) if table_source else None,
            )

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> CrystalIndex:
        """
        Load a saved index. Its vectors and columns stay on disk until they are used.

        Args:
            directory: Directory of the index.

        Raises:
            ClacInputError: If the directory contains no index, or the index is damaged.
        """
        saved = read_index(directory)
        index = cls(saved.vectors, saved.table, saved.model_fingerprint, saved.model_name)
        index.stored = saved.stored
        index._facts_file = saved.facts
        index._facts_state = file_state(saved.facts)
        index._graph_file = saved.graph
        return index


__all__ = [
    "BUNDLED_INDEX",
    "CrystalIndex",
    "bundled_index",
    "check_target",
]
