"""Tables and JSON documents with structures: CSV, JSON, JSON lines and parquet."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any

from .errors_clac import InvalidStructureError, one_line
from .structure_formats_clac import NoStructuresError, found_keys, is_structure
from .structure_sources_clac import MAX_BYTES, number_of

try:  # not a requirement of checkpoints on the Hub
    import pyarrow as pa
except ImportError:
    pa = None  # type: ignore[assignment]

# Names of the column with the structures, in order of preference; case does not matter.
STRUCTURE_COLUMNS = ("cif", "structure")
# Columns that may identify the rows of a table, in order of preference.
ID_COLUMNS = ("material_id", "id", "identifier", "mp_id", "cod_id", "icsd_id", "filename")
_DELIMITERS = (",", "\t", ";")
_SHOWN_COLUMNS = 12
# A parquet file of kilobytes can hold more rows than there are crystals, and decode to terabytes.
_MAX_ROWS = 100_000_000
_ROWS_AT_ONCE = 1024
# Escapes of lone surrogates in JSON, which no file or terminal can hold; those of pairs look alike.
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class StructureTable:
    """
    A table with one structure in each row.

    Attributes:
        structures: Structure of each row, as it stands in the table.
        names: Names of the other columns.
        read: Reads some of the other columns. Most users of a table need none.
        column: Name of the column with the structures.
        numbers: Number of each row in messages, from 1. Default: all rows.
    """

    structures: Sequence[Any]
    names: Sequence[str]
    read: Callable[[Sequence[str]], pa.Table]
    column: str
    numbers: Sequence[int] | None = None

    def __len__(self) -> int:
        return len(self.structures)

    @cached_property
    def table(self) -> pa.Table:
        """
        The other columns.

        Raises:
            InvalidStructureError: If they cannot be read.
        """
        return self.read(self.names)

    def rows(self, label: str) -> Iterator[tuple[str, Any]]:
        """Yield name and structure of each row, as Python objects."""
        for place, value in enumerate(self.structures):
            yield f"{label} row {self.number(place)}", value.as_py() if hasattr(value, "as_py") else value

    def number(self, row: int) -> int:
        """Return the number of a row in messages, from 1."""
        return row + 1 if self.numbers is None else self.numbers[row]

    def select(self, selector: str, label: str) -> StructureTable:
        """
        Select a row by its id or number.

        Args:
            selector: Value of an id column, or number of a row from 1.
            label: Name of the table in error messages.

        Raises:
            InvalidStructureError: If there is no such row.
        """
        rows: list[int] = []
        for column in ID_COLUMNS:
            if column in self.names and not rows:
                ids = self.read([column])[column].to_pylist()
                rows = [row for row, found in enumerate(ids) if found is not None and str(found).strip() == selector]
        if not rows and (place := number_of(selector, len(self))):
            rows = [place - 1]
        if not rows:
            raise InvalidStructureError(
                f"{label}#{selector}: no such row; give an id or a number from 1 to {len(self)}"
            )
        return StructureTable(
            [self.structures[row] for row in rows],
            self.names,
            lambda names: self.read(names).take(rows),
            self.column,
            [row + 1 for row in rows],
        )


def structure_column(names: Sequence[str]) -> str | None:
    """Return the name of the column with structures, or `None` if there is none."""
    for wanted in STRUCTURE_COLUMNS:
        found = next((name for name in names if isinstance(name, str) and name.strip().lower() == wanted), None)
        if found is not None:
            return found
    return None


def _required_column(names: Sequence[str], label: str) -> str:
    found = structure_column(names)
    if found is None:
        shown = ", ".join(one_line(name, 30) for name in names[:_SHOWN_COLUMNS]) or "no columns"
        more = ", ..." if len(names) > _SHOWN_COLUMNS else ""
        raise NoStructuresError(f"{label}: no column `cif` or `structure`; found {shown}{more}")
    repeated = next((name for name, count in Counter(names).items() if count > 1), None)
    if repeated is not None:
        raise InvalidStructureError(f"{label}: two columns are called {one_line(repeated, 30)}; rename one of them")
    return found


def table_from_arrow(table: pa.Table, label: str) -> StructureTable:
    """
    Find the structures in a table.

    Args:
        table: The table.
        label: Name of the table in error messages.

    Raises:
        NoStructuresError: If it has no column with structures, or no rows.
        InvalidStructureError: If that column holds neither texts nor structures.
    """
    column = _required_column(table.column_names, label)
    _check_column(table.num_rows, table.schema.field(column).type, column, label)
    return StructureTable(table[column], _others(table.column_names), table.select, column)


def _others(names: Sequence[str]) -> list[str]:
    return [name for name in names if structure_column([name]) is None]


def _check_column(num_rows: int, kind: pa.DataType, column: str, label: str) -> None:
    """Check that a table has rows, and its column with structures texts or structures."""
    if not num_rows:
        raise NoStructuresError(f"{label}: a table without rows; expected one row for each structure")
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not (texts or pa.types.is_binary(kind) or pa.types.is_struct(kind) or pa.types.is_null(kind)):
        raise InvalidStructureError(
            f"{label}: column `{column}` has type {kind}; expected strings with the text of CIF files, or structures"
        )


def read_parquet(content: bytes, label: str) -> StructureTable:
    """
    Read the structures of a parquet file. Other columns are read when they are needed.

    Args:
        content: The content.
        label: Name of the file in error messages.

    Raises:
        InvalidStructureError: If it cannot be read, or is too large when decompressed; or if it has no column with
            structures.
    """
    _require_pyarrow(label)
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(BytesIO(content)) as file:
            schema, num_rows = file.schema_arrow, file.metadata.num_rows
        column = _required_column(schema.names, label)
        _check_column(num_rows, schema.field(column).type, column, label)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unread(error, label) from None
    structures = _parquet_columns(content, [column], label)[column]
    return StructureTable(
        structures, _others(schema.names), lambda names: _parquet_columns(content, names, label), column
    )


def _unread(error: Exception, label: str) -> InvalidStructureError:
    if isinstance(error, InvalidStructureError):
        return error
    return InvalidStructureError(f"{label}: cannot be read as parquet ({one_line(error)})")


def _parquet_columns(content: bytes, names: Sequence[str], label: str) -> pa.Table:
    """Read columns of a parquet file, as long as they take at most `MAX_BYTES` of memory."""
    import pyarrow.parquet as pq

    too_large = InvalidStructureError(
        f"{label}: more than {MAX_BYTES >> 30} GiB or {_MAX_ROWS:,} rows when decompressed; split it"
    )
    batches, size = [], 0
    try:
        with pq.ParquetFile(BytesIO(content)) as file:
            schema = pa.schema([file.schema_arrow.field(name) for name in names])
        # A text that is repeated is stored once. Its copies are counted before they are made.
        texts = [field.name for field in schema if _is_text(field.type)]
        with pq.ParquetFile(BytesIO(content), read_dictionary=texts) as file:
            chunks = [file.metadata.row_group(group) for group in range(file.num_row_groups)]
            stated = sum(
                chunk.column(leaf).total_uncompressed_size
                for chunk in chunks
                for leaf in range(chunk.num_columns)
                if chunk.column(leaf).path_in_schema.partition(".")[0] in names
            )
            if stated > MAX_BYTES or file.metadata.num_rows > _MAX_ROWS:
                raise too_large
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(names)):
                size += sum(map(_decoded_size, batch.columns))
                if size > MAX_BYTES:
                    raise too_large
                batches.append(batch.select(list(names)).cast(schema))
        table = pa.Table.from_batches(batches, schema)
        table.validate(full=True)  # damaged texts are found nowhere else
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unread(error, label) from None
    return table


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)


def _decoded_size(column: pa.Array) -> int:
    """Size in bytes of a column without its dictionary."""
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    import pyarrow.compute as pc

    total = pc.sum(pc.take(pc.binary_length(column.dictionary), column.indices)).as_py()
    return int(total or 0) + 4 * len(column)


def read_csv(text: str, label: str) -> StructureTable:
    """
    Read the text of a CSV or TSV file. Fields may contain line breaks if they are quoted.

    Args:
        text: The text.
        label: Name of the file in error messages.

    Raises:
        InvalidStructureError: If it cannot be read or has no column with structures.
    """
    _require_pyarrow(label)
    delimiter = _delimiter(text)
    if delimiter is None:
        first = text.lstrip().partition("\n")[0]
        _required_column([name.strip(' "') for name in first.split(max(_DELIMITERS, key=first.count))], label)
    content = text.lstrip("\ufeff").encode()
    try:
        from pyarrow import csv

        table = csv.read_csv(
            BytesIO(content),
            # A row must fit into a block.
            csv.ReadOptions(block_size=max(1 << 20, len(content) + 1), use_threads=False),
            csv.ParseOptions(delimiter=delimiter or ",", newlines_in_values=True),
        )
    except pa.ArrowException as error:
        raise InvalidStructureError(
            f"{label}: cannot be read as CSV ({one_line(error)}); quote fields that contain line breaks"
        ) from None
    return table_from_arrow(table, label)


def is_table_text(text: str) -> bool:
    """Whether the first line of a text names a column with structures."""
    return _delimiter(text) is not None


def _delimiter(text: str) -> str | None:
    """Return the delimiter at which the first line has a column with structures, or `None`."""
    header = text.lstrip("\ufeff").partition("\n")[0]
    for delimiter in _DELIMITERS:
        if structure_column([name.strip(' "\r') for name in header.split(delimiter)]) is not None:
            return delimiter
    return None


def read_json_lines(text: str, label: str) -> StructureTable | list[tuple[str | None, Any]]:
    """
    Read JSON lines: records with a `cif` or `structure`, or structures.

    Args:
        text: The text.
        label: Name of the file in error messages.

    Returns:
        A table, or named structures. Lines that are not JSON become errors in their place.

    Raises:
        InvalidStructureError: If no line holds a structure.
    """
    values: list[Any] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                values.append(_parsed(line))
            except (ValueError, RecursionError) as error:
                reason = f"{label} line {number}: not JSON ({one_line(error)}); correct or remove it"
                values.append(InvalidStructureError(reason))
    return _structures_of_list(values, label)


def read_json(text: str, label: str) -> StructureTable | list[tuple[str | None, Any]]:
    """
    Read a JSON document: a structure, a list or mapping of structures, an OPTIMADE response, or a table of records.

    Args:
        text: The text.
        label: Name of the file in error messages.

    Returns:
        A table, or named structures; the name of a single structure is `None`.

    Raises:
        InvalidStructureError: If the text is not JSON or holds no structure.
    """
    try:
        value = _parsed(text)
    except (ValueError, RecursionError) as error:
        raise InvalidStructureError(f"{label}: not JSON ({one_line(error)}); truncated or damaged") from None
    return structures_of_json(value, label)


def _parsed(text: str) -> Any:
    """Parse JSON. Halves of surrogate pairs become question marks."""
    value = json.loads(text)
    if _SURROGATE_ESCAPE.search(text):
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    return value


def structures_of_json(value: Any, label: str) -> StructureTable | list[tuple[str | None, Any]]:
    """
    Find the structures in a JSON document, see [`read_json`].

    Args:
        value: The parsed document.
        label: Name of the document in error messages.

    Raises:
        NoStructuresError: If it holds no structure.
    """
    if isinstance(value, list):
        return _structures_of_list(value, label)
    if is_structure(value):
        return [(None, value)]
    if isinstance(value, Mapping):
        columns, data = value.get("columns"), value.get("data")
        if isinstance(columns, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
            return _table_of_records([dict(zip(columns, row, strict=False)) for row in data], label)
        if isinstance(data, (list, Mapping)):  # a response of an OPTIMADE server
            return structures_of_json(data, label)
        column = structure_column(list(value))
        if column is not None:
            return _table_of_records(_records(value, column), label)
        if value and all(map(is_structure, value.values())):
            return list(value.items())
    raise NoStructuresError(f"{label}: no structure in it; {found_keys(value)}")


def _records(value: Mapping[str, Any], column: str) -> list[dict[str, Any]]:
    """Return the records of a table by column (lists, or mappings by row as pandas writes them) or of one record."""
    if isinstance(value[column], list):
        length = len(value[column])
        lists = {name: cells for name, cells in value.items() if isinstance(cells, list) and len(cells) == length}
        return [{name: cells[row] for name, cells in lists.items()} for row in range(length)]
    if isinstance(value[column], Mapping):
        by_row = {name: cells for name, cells in value.items() if isinstance(cells, Mapping)}
        return [{name: cells.get(row) for name, cells in by_row.items()} for row in value[column]]
    return [dict(value)]


def _structures_of_list(values: list[Any], label: str) -> StructureTable | list[tuple[str | None, Any]]:
    records = [value for value in values if isinstance(value, Mapping)]
    if any(structure_column(list(record)) is not None for record in records):
        return _table_of_records(values, label)
    if not any(map(is_structure, records)):
        found = found_keys(records[0]) if records else f"found {found_keys(values[0])[6:]}" if values else "found []"
        if values and isinstance(values[0], InvalidStructureError):
            raise values[0]
        raise NoStructuresError(f"{label}: no structure in it; {found}")
    # Lines of OPTIMADE files also describe the file, and servers list references.
    kept = [value for value in values if not isinstance(value, Mapping) or is_structure(value) or not _is_other(value)]
    ids = [value.get("id") if isinstance(value, Mapping) else None for value in kept]
    unique = len({str(name) for name in ids}) == len(ids)
    names = map(str, ids) if unique and None not in ids else map(str, range(1, len(kept) + 1))
    return list(zip(names, kept, strict=True))


def _is_other(value: Mapping[str, Any]) -> bool:
    return "x-optimade" in value or isinstance(value.get("type"), str)


def _table_of_records(records: list[Any], label: str) -> StructureTable:
    """Make a table of records; values that are no records become errors in their place."""
    _require_pyarrow(label)
    names = dict.fromkeys(name for record in records if isinstance(record, Mapping) for name in record)
    column = _required_column(list(names), label)
    structures: list[Any] = []
    columns: dict[str, list[Any]] = {name: [] for name in names if structure_column([name]) is None}
    for place, record in enumerate(records):
        if not isinstance(record, Mapping):
            if not isinstance(record, InvalidStructureError):
                record = InvalidStructureError(f"{label} row {place + 1}: expected a record; {found_keys(record)}")
            structures.append(record)
            record = {}
        else:
            structures.append(record.get(column))
        for name, values in columns.items():
            values.append(record.get(name))
    others = pa.table({name: _array(values) for name, values in columns.items()})
    return StructureTable(structures, others.column_names, others.select, column)


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, OverflowError):  # of several types
        return pa.array([None if value is None else json.dumps(value, default=str) for value in values], pa.string())


def _require_pyarrow(label: str) -> None:
    if pa is None:
        raise InvalidStructureError(f"{label}: tables are read with pyarrow; install it with `pip install pyarrow`")


__all__ = [
    "ID_COLUMNS",
    "StructureTable",
    "is_table_text",
    "read_csv",
    "read_json",
    "read_json_lines",
    "read_parquet",
    "structure_column",
    "structures_of_json",
    "table_from_arrow",
]
