"""Tables as Arrow files, which are mapped into memory: a column is read when it is used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

_CHUNK = 1 << 16  # rows
_FEW = 1000


def write_columns(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """
    Write a table, part by part.

    Args:
        path: Arrow file to write.
        schema: Schema of all parts.
        tables: The parts.
    """
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for table in tables:
            writer.write_table(table, max_chunksize=_CHUNK)


def open_columns(path: Path) -> pa.Table:
    """
    Map an Arrow file into memory.

    Args:
        path: File of [`write_columns`].

    Raises:
        OSError: If the file cannot be read.
        pa.ArrowException: If it is damaged.
    """
    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    # Offsets that point outside of the file would end the process.
    table.validate(full=True)
    return table


def take_rows(table: pa.Table, rows: Sequence[int] | np.ndarray) -> pa.Table:
    """
    Return some rows of a table.

    Args:
        table: The table.
        rows: The rows.
    """
    if len(rows) <= _FEW:
        # `Table.take` copies the whole columns first.
        return pa.concat_tables([table.slice(0, 0), *(table.slice(int(row), 1) for row in rows)])
    chosen = np.ascontiguousarray(rows, dtype=np.int64)
    # Not by pa.array, which imports pandas.
    return table.take(pa.Array.from_buffers(pa.int64(), len(chosen), [None, pa.py_buffer(chosen)]))


__all__ = ["open_columns", "take_rows", "write_columns"]
