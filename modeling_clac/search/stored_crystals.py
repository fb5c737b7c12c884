"""Crystals of an index by row or id, with their structures, which are read when they are needed."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..crystal_clac import Crystal, ReadingOptions
from ..data.bundled import bundled_crystals, bundled_files, read_cifs
from ..errors_clac import ClacInputError, one_line
from ..utils.atomic_files import file_state

# The structures were accepted when the index was built.
_ANY_SIZE = ReadingOptions(max_atoms=None)
_COMPARED_IDS = 100_000  # ids among which those similar to an unknown one are searched


class StoredCrystals:
    """
    Ids and structures of the crystals of an index.

    Args:
        table: Table of the index. The structures are those of its column `cif`, if it has one.
        files: Parquet files that have the column `cif` instead, which follow one another as one table.
        name: Name of the index in messages.
    """

    def __init__(self, table: pa.Table, files: Sequence[Path] = (), name: str = "this index"):
        self.table, self.files, self.name = table, list(files), name
        self._states = [file_state(file) for file in self.files]

    @classmethod
    def bundled(cls) -> StoredCrystals:
        """Open the bundled data set."""
        return cls(bundled_crystals(with_cif=False), bundled_files(), "the bundled data set")

    @property
    def has_structures(self) -> bool:
        """Whether there are structures, and not only ids."""
        return "cif" in self.table.column_names or bool(self.files)

    def require_structures(self) -> None:
        """
        Check that there are structures.

        Raises:
            ClacInputError: If there are none.
        """
        if not self.has_structures:
            raise ClacInputError(f"{self.name} has no structures; rebuild it with `clac index` to keep them")

    def __contains__(self, material_id: object) -> bool:
        """Whether a crystal has this id."""
        return isinstance(material_id, str) and len(self._rows_of(material_id)) > 0

    def id_hint(self, material_id: str) -> str:
        """Name the ids that are similar to an unknown one, for an error message."""
        known = dict.fromkeys(self._ids.slice(0, _COMPARED_IDS).to_pylist())
        near = difflib.get_close_matches(material_id, filter(None, known), n=3)
        return f"the nearest ids are {', '.join(near)}" if near else "no id is similar"

    def row_of(self, material_id: str) -> int:
        """
        Return the row of a crystal.

        Args:
            material_id: Its id.

        Raises:
            ClacInputError: If no crystal, or more than one, has this id.
        """
        rows = self._rows_of(material_id)
        if not len(rows):
            raise ClacInputError(f"{material_id}: no crystal of {self.name} has this id; {self.id_hint(material_id)}")
        if len(rows) > 1:
            raise ClacInputError(
                f"{material_id}: rows {rows[0]} and {rows[1]} of {self.name} have this id; use the number of the row "
                "in Python, or rebuild the index with different ids"
            )
        return int(rows[0])

    def rows(self, which: Iterable[int | str]) -> list[int]:
        """
        Return the rows of several crystals.

        Args:
            which: Rows or ids.

        Raises:
            ClacInputError: If there is no such crystal.
        """
        if isinstance(which, str):
            which = [which]
        rows = [self.row_of(entry) if isinstance(entry, str) else operator.index(entry) for entry in which]
        outside = next((row for row in rows if not 0 <= row < self.table.num_rows), None)
        if outside is not None:
            raise ClacInputError(f"row {outside}: {self.name} has the rows 0 to {self.table.num_rows - 1}")
        return rows

    def record(self, row: int) -> dict[str, Any]:
        """Return the columns of a crystal, without its CIF."""
        columns = [name for name in self.table.column_names if name != "cif"]
        return self.table.select(columns).slice(row, 1).to_pylist()[0]

    def cifs(self, rows: Sequence[int]) -> list[str]:
        """
        Return the CIFs of some rows.

        Raises:
            ClacInputError: If there are no structures, or they cannot be read.
        """
        self.require_structures()
        if "cif" in self.table.column_names:
            column = self.table["cif"]
            return [column[row].as_py() for row in rows]
        try:
            found = [file_state(file) for file in self.files]
            if None not in found and found != self._states:
                raise ClacInputError(f"{self.name} has changed since it was loaded; load it again")
            return read_cifs(self.files, rows)
        except (OSError, pa.ArrowException) as error:
            raise ClacInputError(f"{self.name}: its structures cannot be read ({one_line(error)})") from None

    def structures(self, rows: Sequence[int], options: ReadingOptions = _ANY_SIZE) -> list[Crystal]:
        """
        Read the structures of some rows.

        Args:
            rows: The rows.
            options: How to read. Default: cells of any size, disorder as stated.

        Raises:
            ClacInputError: If there are no structures, or they cannot be read.
        """
        ids = self.table["material_id"] if "material_id" in self.table.column_names else None
        names = [f"row {row}" if ids is None else str(ids[row].as_py()) for row in rows]
        from ..structures_clac import parse_structure  # a search by text reads no structure

        return [parse_structure(cif, name, options) for cif, name in zip(self.cifs(rows), names, strict=True)]

    @cached_property
    def _ids(self) -> pa.ChunkedArray:
        """Ids as strings; no column of the table may have them."""
        if "material_id" not in self.table.column_names:
            return pa.chunked_array([], pa.string())
        return self.table["material_id"].cast(pa.string())

    def _rows_of(self, material_id: str) -> list[int]:
        import pyarrow.compute as pc  # most searches look up no id

        try:
            data = material_id.encode()
        except UnicodeEncodeError:  # a lone surrogate, which no id of a table has
            return []
        # Not by pa.scalar, which imports pandas.
        buffers = [None, pa.py_buffer(np.array([0, len(data)], dtype=np.int32)), pa.py_buffer(data)]
        wanted = pa.Array.from_buffers(pa.string(), 1, buffers)
        return pc.indices_nonzero(pc.is_in(self._ids, value_set=wanted)).to_pylist()


__all__ = ["StoredCrystals"]
