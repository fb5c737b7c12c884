"""Exact nearest-neighbour search over embedded crystals, with filters. An index is saved as four plain files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as to_bytes

from ..data.bundled import BUNDLED_FACTS, bundled_files, has_cifs, read_table
from ..errors_clac import ClacInputError, Skipped, one_line
from ..utils.atomic_files import file_state, read_whole, replaced_directory
from ..utils.paths import ASSETS
from .filters import FilteredTable, Filters
from .hits import Hit, Hits
from .index_files import (
    EMBEDDINGS,
    FACTS,
    JSON,
    TABLE,
    check_target,
    content_digests,
    source_table,
    table_digest,
)
from .stored_crystals import StoredCrystals
from .stored_facts import compute_facts, read_facts, write_facts

if TYPE_CHECKING:
    from ..crystal_clac import Crystal
    from ..data.facts.fact_table import FactTable
    from ..inference.embedder import ClacEmbedder
    from .understanding.ranking import Evaluation

BUNDLED_INDEX = ASSETS / "mp-index"

_FORMAT = 1
_ROW_GROUP = 4096  # rows


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
        embeds: Embeddings of the crystals, `(num_crystals, dim)` float32, unit length.
        table: Table with one row per crystal, in the same order.
        model_fingerprint: Fingerprint of the checkpoint that computed the embeddings, see [`Checkpoint`].
        model_name: Name of that checkpoint in messages.

    Attributes:
        skipped: Crystals that `build` skipped, as (row of the given table, reason): those that could not be read, then
            those that could not be embedded.
        stored: Ids and structures of the crystals.

    Raises:
        ClacInputError: If the number of embeddings differs from the number of rows.
    """

    def __init__(self, embeds: np.ndarray, table: pa.Table, model_fingerprint: str, model_name: str = ""):
        embeds = np.asarray(embeds, dtype=np.float32)
        if embeds.ndim != 2 or len(embeds) != table.num_rows:
            raise ClacInputError(
                f"embeddings of shape {embeds.shape} for a table of {table.num_rows} crystals; expected "
                "(num_crystals, dim)"
            )
        self.embeds = embeds
        self.table = table
        self.model_fingerprint = model_fingerprint
        self.model_name = model_name
        self.skipped: list[Skipped] = []
        self.stored = StoredCrystals(table)
        self._facts_file: Path | None = None
        self._facts_state: tuple[int, int] | None = None
        # Structures that were read while the index was built, until its facts are computed.
        self._parsed: list[Crystal | None] | None = None

    def __len__(self) -> int:
        return len(self.embeds)

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
        if "cif" not in table.column_names:
            raise ClacInputError(f"no column `cif` in the table; found {', '.join(table.column_names) or 'no columns'}")
        checkpoint = embedder.checkpoint
        fingerprint = checkpoint.fingerprint
        names = [f"row {row + 1}" for row in range(table.num_rows)]
        for column in ("material_id", "path"):
            if column in table.column_names:
                values = table[column].to_pylist()
                names = [name if value is None else str(value) for name, value in zip(names, values, strict=True)]
        structures: Any = table["cif"]
        if crystals is not None:
            rows = zip(crystals, structures, strict=True)
            structures = [text.as_py() if crystal is None else crystal for crystal, text in rows]
        embeds, skipped = embedder.encode_crystals(
            structures,
            names=names,
            max_atoms=max_atoms,
            disorder=disorder,
            strict=strict,
            on_error=on_error,
            return_skipped=True,
            show_progress=show_progress,
        )
        if not len(embeds):
            reasons = [left_out.reason for left_out in (*unread, *skipped)]
            raise ClacInputError(f"no crystal to index: {reasons[0] if reasons else 'the table is empty'}")
        kept = np.delete(np.arange(table.num_rows), [row for row, _ in skipped])
        index = cls(embeds, table.take(kept), fingerprint, model_name or checkpoint.name)
        index.skipped = [*unread, *skipped]
        index._parsed = None if crystals is None else [crystals[row] for row in kept.tolist()]
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

    def search(self, query: np.ndarray | str, k: int = 10, filters: Filters | None = None) -> Any:
        """
        Find the crystals nearest to a query by cosine similarity, best first.

        The search is exact: the query is compared with every crystal that passes the filters.

        Args:
            query: Query vector `(dim,)`, or several queries `(num_queries, dim)`. Vectors are normalized first. Or the
                id of a crystal of the index, to find similar ones.
            k: Number of crystals to return. Fewer are returned if fewer pass the filters.
            filters: Conditions on the crystals. Default: none.

        Returns:
            [`Hits`], a sequence of [`Hit`]; for several queries, a list of them.

        Raises:
            ClacInputError: If the query has the wrong dimension, or is zero, NaN or infinite, or no crystal has this
                id; if `k` is below 1; or if a filter needs a column that the index does not have.
        """
        if isinstance(query, str):
            query = self.embeds[self.stored.row_of(query)]
        vectors = np.asarray(query)
        scores = np.atleast_2d(self.cosines(vectors, k))
        rows = np.arange(len(self)) if filters is None else np.flatnonzero(self.mask(filters))
        found = [self.hits(rows[_best(each[rows], k)], each) for each in scores]
        return found[0] if vectors.ndim == 1 else found

    def cosines(self, query: np.ndarray, k: int = 1) -> np.ndarray:
        """
        Compare queries with all crystals.

        Args:
            query: Query vector `(dim,)`, or several queries `(num_queries, dim)`.
            k: Number of crystals that will be wanted, which is checked.

        Returns:
            Cosine similarities, `(num_crystals,)` or `(num_queries, num_crystals)`.

        Raises:
            ClacInputError: If a query has the wrong dimension, or is zero, NaN or infinite; or if `k` is below 1.
        """
        if k < 1:
            raise ClacInputError(f"k={k}: must be at least 1")
        queries = np.atleast_2d(np.asarray(query, dtype=np.float32))
        if queries.ndim != 2 or queries.shape[1] != self.embeds.shape[1]:
            raise ClacInputError(
                f"query of shape {np.shape(query)} for an index of {self.embeds.shape[1]} dimensions; embed it with "
                "the checkpoint of the index"
            )
        lengths = np.linalg.norm(queries, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and lengths.all()):
            raise ClacInputError("the query vector is zero, NaN or infinite; give a vector with a direction")
        cosines = np.clip((queries / lengths) @ self.embeds.T, -1, 1)
        return cosines[0] if np.ndim(query) == 1 else cosines

    def hits(self, rows: np.ndarray, cosines: np.ndarray, evaluation: Evaluation | None = None) -> Hits:
        """
        Return crystals as hits.

        Args:
            rows: Rows of the crystals, best first.
            cosines: `(num_crystals,)` cosine of each crystal of the index with the query.
            evaluation: What holds of a query that was read.
        """
        # Not by pa.array, which imports pandas.
        chosen = pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows.astype(np.int64))])
        records = self._records.take(chosen).to_pylist()
        found = []
        for rank, (row, record) in enumerate(zip(rows.tolist(), records, strict=True), start=1):
            marks = () if evaluation is None else evaluation.marks(row)
            values = {} if evaluation is None else evaluation.values(row)
            found.append(Hit(rank, float(cosines[row]), row, record, marks, values))
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
        facts = read_facts(self._facts_file)
        return None if facts is None or facts.num_rows != len(self) else facts

    @cached_property
    def _fact_columns(self) -> pa.Table | None:
        if self._stored_facts is not None:
            return self._stored_facts
        parsed, self._parsed = self._parsed, None
        return compute_facts(self.stored, parsed)

    @cached_property
    def _filtered(self) -> FilteredTable:
        return FilteredTable(self.table)

    @cached_property
    def _records(self) -> pa.Table:
        return self.table.select(self.columns)

    def save(self, directory: str | os.PathLike[str], table_source: str | None = None) -> None:
        """
        Write `index.json`, `crystals.parquet`, `facts.parquet` and `embeddings.safetensors` (float16) to a directory.

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
        described = {
            "format": _FORMAT,
            "model_name": self.model_name,
            "model_fingerprint": self.model_fingerprint,
            "num_crystals": len(self),
            "dim": self.embeds.shape[1],
            "table": table_source or TABLE,
            "table_digest": table_digest(self.table) if table_source else None,
        }
        table = self.table
        if table_source is None and self.stored.has_structures and "cif" not in table.column_names:
            cifs = self.stored.cifs(range(len(self)))
            table = table.append_column("cif", pa.array(cifs, pa.large_string()))
        with replaced_directory(target) as new:
            # `save_file` would create a file that only its owner can read.
            (new / EMBEDDINGS).write_bytes(to_bytes({"embeddings": self.embeds.astype(np.float16)}))
            if table_source is None:
                # Small groups of rows, so that a few structures can be read fast.
                pq.write_table(table, new / TABLE, compression="zstd", row_group_size=_ROW_GROUP)
                if self._fact_columns is not None:
                    write_facts(self._fact_columns, new / FACTS)
            described["content"] = content_digests(new)
            (new / JSON).write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> CrystalIndex:
        """
        Load a saved index, without the CIFs of its table.

        Args:
            directory: Directory of the index.

        Raises:
            ClacInputError: If the directory contains no index, or the index is damaged.
        """
        return read_whole(Path(directory), lambda: cls._read(directory))

    @classmethod
    def _read(cls, directory: str | os.PathLike[str]) -> CrystalIndex:
        path = Path(directory)
        if not (path / JSON).is_file():
            raise ClacInputError(f"{directory}: no index found ({JSON} missing); build one with `clac index`")
        try:
            described = json.loads((path / JSON).read_text(encoding="utf-8"))
            if described["format"] > _FORMAT:
                raise ClacInputError(
                    f"{directory}: index of a later version; upgrade clac-crystals, or rebuild it with `clac index`"
                )
            irregular = [
                name for name in (TABLE, EMBEDDINGS, FACTS) if (path / name).exists() and not (path / name).is_file()
            ]
            if irregular:
                raise ValueError(f"{irregular[0]} is not a regular file")
            # Indexes of earlier versions do not state it.
            stated = described.get("content", {})
            differing = [name for name, digest in content_digests(path, stated).items() if digest != stated[name]]
            if differing:
                raise ValueError(f"{differing[0]} is not the file that belongs to {JSON}")
            if described["table"] == TABLE:
                files = [path / TABLE]
                table = read_table(path / TABLE, with_cif=False)
            else:
                files = bundled_files()
                table = source_table(described["table"])
                if table_digest(table) != described["table_digest"]:
                    raise ValueError(f"{described['table']} has changed since the index was built")
            embeds = load_file(path / EMBEDDINGS)["embeddings"].astype(np.float32)
            if embeds.shape != (described["num_crystals"], described["dim"]) or len(embeds) != table.num_rows:
                raise ValueError(f"embeddings of shape {embeds.shape} for a table of {table.num_rows} crystals")
            lengths = np.linalg.norm(embeds, axis=1, keepdims=True)
            if not (np.isfinite(lengths).all() and lengths.all()):
                raise ValueError("some embeddings are zero, NaN or infinite")
            index = cls(embeds / lengths, table, described["model_fingerprint"], described["model_name"])
            name = "the bundled data set" if path == BUNDLED_INDEX else str(directory)
            index.stored = StoredCrystals(table, files if has_cifs(files[0]) else (), name)
            index._facts_file = path / FACTS if described["table"] == TABLE else BUNDLED_FACTS
            index._facts_state = file_state(index._facts_file)
            return index
        except ClacInputError:
            raise
        except (
            OSError,
            ArithmeticError,
            AttributeError,
            LookupError,
            MemoryError,
            RecursionError,
            TypeError,
            ValueError,
            SafetensorError,
            pa.ArrowException,
        ) as error:
            raise ClacInputError(
                f"{directory}: damaged index ({one_line(error)}); rebuild it with `clac index`"
            ) from None


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the places of the k largest scores, the largest first; of equal ones, the first in the table."""
    best = np.sort(np.argpartition(-scores, k - 1)[:k]) if k < len(scores) else np.arange(len(scores))
    return best[np.argsort(-scores[best], kind="stable")]


__all__ = [
    "BUNDLED_INDEX",
    "CrystalIndex",
    "bundled_index",
    "check_target",
]
