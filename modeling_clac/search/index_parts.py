"""How the inputs of an index are cut into parts, which are built one by one or by several processes."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq

from ..data.bundled import BUNDLED_CRYSTALS, bundled_counts, bundled_crystals
from ..errors_clac import InvalidStructureError, one_line
from ..structure_files_clac import Carrier, Source
from ..structure_sources_clac import STANDARD_INPUT, StructureFile
from ..structure_tables_clac import StructureTable, table_from_arrow
from .index_files import ROW_GROUP

# About the size of a structure in a file that holds many.
_BYTES_OF_A_STRUCTURE = 2048
_BATCH = 256  # rows of a parquet file that are read at once


@dataclass(frozen=True)
class Part:
    """
    A part of the inputs of an index: about 4,096 structures, or one file that can only be read as a whole.

    Attributes:
        number: Its place among the parts, from 0.
        source: Name of the source that it belongs to.
        files: Files to read; none for the bundled data set.
        rows: First row of a table, and the row after the last one; `None` for whole files.
    """

    number: int
    source: str
    files: tuple[StructureFile, ...]
    rows: tuple[int, int] | None = None

    def key(self, how: str) -> str:
        """
        Hash what the part is made from, to recognise it after an interruption.

        Args:
            how: What else decides its content.
        """
        digest = hashlib.sha256(json.dumps([how, self.source, self.rows]).encode())
        for file in self.files:
            size, time = _state(file)
            digest.update(f"\n{file.name}\n{file.selector}\n{size} {time}".encode())
            if self.source == STANDARD_INPUT:
                digest.update(file.read())
        return digest.hexdigest()[:32]

    def bundled(self) -> pa.Table | None:
        """Return the rows of the bundled data set; `None` if the part is another one."""
        if self.files or self.rows is None:
            return None
        return bundled_crystals().slice(self.rows[0], self.rows[1] - self.rows[0])

    def carriers(self, source: Source) -> Iterator[Carrier]:
        """
        Load the files, one at a time.

        Args:
            source: The source, which counts what is found.

        Yields:
            The content of each file.
        """
        if self.rows is None:
            yield from source.load(self.files)
            return
        (file,) = self.files
        source.known += 1
        try:
            yield Carrier(file, _rows(file.name, *self.rows))
        except InvalidStructureError as error:
            yield Carrier(file, error)


def cut_into_parts(sources: Sequence[str | os.PathLike[str]]) -> tuple[list[Part], list[Source]]:
    """
    Cut the inputs of an index into parts.

    Args:
        sources: Files, folders and patterns, and `mp-crystals` for the bundled data set.

    Returns:
        The parts, in the order of the inputs, and the sources other than the bundled data set, with the files of other
        kinds that their names show.

    Raises:
        InvalidStructureError: If a pattern matches no file.
    """
    cut: list[tuple[str, tuple[StructureFile, ...], tuple[int, int] | None]] = []
    found: list[Source] = []
    seen: set[tuple[str, str | None]] = set()
    for name in (os.fspath(each) for each in sources):
        if name == BUNDLED_CRYSTALS:
            cut += [(name, (), rows) for rows in _slices(sum(bundled_counts().values()))]
            continue
        source = Source(name)
        found.append(source)
        group: list[StructureFile] = []
        size = 0
        for file in source.find(seen):
            file = _kept(file) if name == STANDARD_INPUT else file
            count = _structures_in(file)
            if group and size + count > ROW_GROUP:
                cut.append((name, tuple(group), None))
                group, size = [], 0
            if count > ROW_GROUP and _is_parquet(file):
                cut += [(name, (file,), rows) for rows in _slices(count)]
            else:
                group.append(file)
                size += count
        if group:
            cut.append((name, tuple(group), None))
    return [Part(number, *described) for number, described in enumerate(cut)], found


def _slices(count: int) -> list[tuple[int, int]]:
    return [(start, min(start + ROW_GROUP, count)) for start in range(0, count, ROW_GROUP)]


def _kept(file: StructureFile) -> StructureFile:
    """Read a file that can be read once only."""
    content = file.read()
    return StructureFile(file.name, file.short, functools.partial(bytes, content), file.found, file.selector)


def _state(file: StructureFile) -> tuple[int, int]:
    """Return size and time of a file; a size of -1 if it is not one on disk."""
    try:
        status = os.stat(_path(file.name))  # noqa: PTH116  a third of the time, for a million files
    except (OSError, ValueError):
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _path(name: str) -> bytes:
    """Return the path of a name in messages, in which bytes that are not UTF-8 are `\\xff`."""
    path = os.fsencode(name)
    return path if b"\\x" not in path or os.path.exists(path) else path.decode("unicode_escape").encode("latin-1")  # noqa: PTH110


def _is_parquet(file: StructureFile) -> bool:
    return file.short.lower().endswith(".parquet") and file.selector is None


def _structures_in(file: StructureFile) -> int:
    """Return about how many structures a file holds."""
    if _is_parquet(file):
        try:
            return int(pq.read_metadata(os.fsdecode(_path(file.name))).num_rows)
        except (OSError, ValueError, pa.ArrowException):
            return 1  # the error is raised where the file is read
    if file.short.lower().endswith((".cif", ".mcif")):
        return 1
    return 1 + max(_state(file)[0], 0) // _BYTES_OF_A_STRUCTURE


def _rows(name: str, start: int, stop: int) -> StructureTable:
    """Read rows of a parquet file without the rest of it."""
    try:
        with pq.ParquetFile(os.fsdecode(_path(name))) as file:
            groups: list[int] = []
            first = end = 0
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if end + rows > start and end < stop:
                    first = end if not groups else first
                    groups.append(group)
                end += rows
            place, batches = first, []
            for batch in file.iter_batches(_BATCH, row_groups=groups):
                if place < stop and place + len(batch) > start:
                    from_row = max(start - place, 0)
                    batches.append(batch.slice(from_row, min(stop - place, len(batch)) - from_row))
                place += len(batch)
                if place >= stop:
                    break
        table = pa.Table.from_batches(batches)
        table.validate(full=True)  # damaged texts are found nowhere else
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InvalidStructureError(f"{name}: cannot be read as parquet ({one_line(error)})") from None
    return replace(table_from_arrow(table, name), numbers=range(start + 1, start + 1 + table.num_rows))


__all__ = ["Part", "cut_into_parts"]
