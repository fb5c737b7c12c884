"""Tables as Arrow files, which are mapped into memory: a column is read when it is used."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import Lock
from weakref import WeakSet

import numpy as np
import pyarrow as pa

_CHUNK = 1 << 16  # rows
_FEW = 1000
_mappings: WeakSet[mmap.mmap] = WeakSet()
_lock = Lock()


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
    if not path.stat().st_size:
        raise pa.ArrowInvalid(f"{path.name} is empty")
    with path.open("rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with _lock:
        _mappings.add(mapping)
    table = pa.ipc.open_file(pa.py_buffer(mapping)).read_all()
    # Offsets that point outside of the file would end the process.
    table.validate(full=True)
    release_pages()
    return table


def release_pages() -> None:
    """
    Take what was read of the mapped files out of the memory of this process. It stays in the cache of the system.

    Arrays are made of a column once, so that its pages are not needed again soon.
    """
    pa.default_memory_pool().release_unused()
    if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        with _lock:
            for mapping in _mappings:
                mapping.madvise(mmap.MADV_DONTNEED)


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


__all__ = ["open_columns", "release_pages", "take_rows", "write_columns"]
