"""Read and check rows of crystals and properties from Parquet files, in batches and in a fixed order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from modeling_clac.data.bundled import SPLITS
from modeling_clac.data.properties import NUMERIC_COLUMNS
from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.utils.atomic_files import recover_files

REQUIRED = ("material_id", "formula")
_ROWS_AT_ONCE = 1024
# Shares of validation and test if the input has no splits.
_SHARES = (("validation", 0.08), ("test", 0.16))


@dataclass
class Report:
    """
    Counts of what was read, written and left out.

    Attributes:
        counts: Counts by name.
        left_out: The first 20 reasons for leaving out a row, each with the location of the row.
    """

    counts: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def count(self, name: str, number: int = 1) -> None:
        """Add `number` to a count."""
        self.counts[name] = self.counts.get(name, 0) + number

    def leave_out(self, reason: str) -> None:
        """Count a row that is left out, and keep the reason if it is among the first ones."""
        self.count("left out")
        if len(self.left_out) < 20:
            self.left_out.append(reason)

    def merge(self, other: Report) -> None:
        """Add the counts and reasons of another report."""
        for name, number in other.counts.items():
            self.count(name, number)
        self.left_out = (self.left_out + other.left_out)[:20]

    def show(self) -> None:
        """Print the counts and the reasons."""
        for name, number in self.counts.items():
            print(f"{name}: {number:,}")
        for reason in self.left_out:
            print(f"left out: {reason}")


def split_of(formula: str, seed: int) -> str:
    """Return the split of a reduced formula, which depends only on the formula and the seed."""
    digest = hashlib.sha256(f"{seed} {formula}".encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    for name, share in _SHARES:
        if place < share:
            return name
        place -= share
    return "train"


def split_of_record(record: Mapping[str, Any], seed: int) -> str:
    """Return the split given in the record, or that of its formula if the record gives none."""
    given = record.get("split")
    return given if given in SPLITS else split_of(record["formula"], seed)


class Records:
    """
    Rows of a Parquet file or of all Parquet files in a directory, in the order of the file names.

    Args:
        path: File or directory.
        limit: Use only the first `limit` rows; 0 means all rows.
        required: Names of the required columns.
        id_columns: Names that the column of identifiers may have.

    Attributes:
        columns: Column names of the first file.
        id_column: Column whose values must be unique, or `None` if there is no such column.
        num_rows: Number of rows, at most `limit`.

    Raises:
        ClacInputError: If a file cannot be read, lacks a required column, or there are no rows.
    """

    def __init__(
        self,
        path: Path,
        limit: int = 0,
        required: Sequence[str] = REQUIRED,
        id_columns: Sequence[str] = ("material_id",),
    ):
        self.path = path
        recover_files(path)
        self.files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not self.files:
            raise ClacInputError(f"{path}: the directory contains no Parquet files")
        self._sizes = []
        for file in self.files:
            try:
                metadata = pq.ParquetFile(file)
            except FileNotFoundError:
                raise ClacInputError(f"{file}: no such file") from None
            except (OSError, pa.ArrowInvalid) as error:
                raise ClacInputError(f"{file}: not a Parquet file ({first_line(error)})") from None
            _check_columns(file, metadata.schema_arrow.names, required)
            _check_types(file, metadata.schema_arrow)
            self._sizes.append(metadata.metadata.num_rows)
        self.columns = pq.ParquetFile(self.files[0]).schema_arrow.names
        self.id_column = next((name for name in id_columns if name in self.columns), None)
        self.num_rows = min(sum(self._sizes), limit) if limit else sum(self._sizes)
        if not self.num_rows:
            raise ClacInputError(f"{path}: contains no rows")

    def rows(self, first: int = 0, last: int | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """
        Iterate over the rows from `first` (included) to `last` (excluded), with one batch of rows in memory.

        Yields:
            The file and row for messages, and the record.
        """
        last = self.num_rows if last is None else min(last, self.num_rows)
        repeated = self._repeated_ids()
        start = 0
        for file, size in zip(self.files, self._sizes, strict=True):
            if start < last and start + size > first:
                begin = max(first - start, 0)
                for number, (where, record) in enumerate(self._rows_of(file, begin, min(last - start, size)), begin):
                    if start + number in repeated:
                        record["_repeated"] = repeated[start + number]
                    yield where, record
            start += size

    def _rows_of(self, file: Path, first: int, last: int) -> Iterator[tuple[str, dict[str, Any]]]:
        number = 0
        try:
            for batch in pq.ParquetFile(file).iter_batches(_ROWS_AT_ONCE):
                if number + len(batch) > first:
                    for row in range(max(first - number, 0), min(last - number, len(batch))):
                        yield f"{file}, row {number + row + 1}", _record(batch, row)
                number += len(batch)
                if number >= last:
                    return
        except (OSError, pa.ArrowInvalid) as error:
            raise _damaged(file, number, error) from None

    def _repeated_ids(self) -> dict[int, str]:
        """Map the rows (from 0) whose identifier occurs in an earlier row to a description of the problem."""
        first: dict[str, str] = {}
        repeated: dict[int, str] = {}
        number = 0
        for file in self.files if self.id_column else ():
            for row, value in enumerate(_column(file, str(self.id_column)), 1):
                place = f"{file}, row {row}"
                if value is not None and first.setdefault(value, place) != place:
                    repeated[number] = f"duplicate {self.id_column} {value} (first seen in {first[value]})"
                number += 1
                if number == self.num_rows:
                    return repeated
        return repeated

    def require_columns(self, *names: str) -> None:
        """
        Require that all files have the given columns.

        Raises:
            ClacInputError: If a file lacks one of the columns.
        """
        for file in self.files:
            _check_columns(file, pq.ParquetFile(file).schema_arrow.names, names)

    def require_disjoint_splits(self, seed: int) -> None:
        """
        Require that no formula is in two splits.

        Args:
            seed: Seed of the splits of rows that give none.

        Raises:
            ClacInputError: If a formula is in two splits.
        """
        first: dict[str, str] = {}
        for file in self.files:
            names = [name for name in ("formula", "split") if name in pq.ParquetFile(file).schema_arrow.names]
            for batch in pq.read_table(file, columns=names).group_by(names).aggregate([]).to_batches():
                for row in range(len(batch)):
                    record = _record(batch, row)
                    if record["formula"] is None:
                        continue
                    split = split_of_record(record, seed)
                    other = first.setdefault(record["formula"], split)
                    if other != split:
                        raise ClacInputError(
                            f"{file}: formula {record['formula']} is in both {other} and {split}; remove the column "
                            "split to split by formula"
                        )


def _check_columns(file: Path, found: Sequence[str], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        raise ClacInputError(f"{file}: missing columns {', '.join(missing)}; found {', '.join(found)}")


def _check_types(file: Path, schema: pa.Schema) -> None:
    for name in REQUIRED:
        if name not in schema.names:
            continue
        if not (pa.types.is_string(schema.field(name).type) or pa.types.is_large_string(schema.field(name).type)):
            raise ClacInputError(f"{file}: column {name} has type {schema.field(name).type}; expected text")
    for name in NUMERIC_COLUMNS:
        if name not in schema.names:
            continue
        kind = schema.field(name).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
            raise ClacInputError(f"{file}: column {name} has type {kind}; expected numbers")


def _column(file: Path, name: str) -> Iterator[Any]:
    """Yield the values of one column, `None` for text that is not valid UTF-8."""
    number = 0
    try:
        for batch in pq.ParquetFile(file).iter_batches(65536, columns=[name]):
            try:
                yield from batch[name].to_pylist()
            except UnicodeDecodeError:
                yield from (_record(batch, row)[name] for row in range(len(batch)))
            number += len(batch)
    except (OSError, pa.ArrowInvalid) as error:
        raise _damaged(file, number, error) from None


def _damaged(file: Path, number: int, error: Exception) -> ClacInputError:
    return ClacInputError(f"{file}: damaged after row {number:,} ({first_line(error)}); replace the file")


def _record(batch: pa.RecordBatch, row: int) -> dict[str, Any]:
    record = {}
    for name in batch.schema.names:
        try:
            record[name] = batch[name][row].as_py()
        except UnicodeDecodeError:
            record[name] = None
            record.setdefault("_unreadable", []).append(name)
    return record


def unreadable(record: dict[str, Any]) -> str | None:
    """Return the problem that was found when the row was read, or `None`."""
    if record.get("_unreadable"):
        return f"column {record['_unreadable'][0]} is not valid UTF-8"
    if record.get("_repeated"):
        return record["_repeated"]
    return None


def record_problem(record: dict[str, Any]) -> str | None:
    """Return why a row cannot be used, in a few words, or `None` if it can."""
    problem = unreadable(record)
    if problem is not None:
        return problem
    for name in REQUIRED:
        if not isinstance(record[name], str) or not record[name].strip():
            return f"{name} is empty"
    return None


def usable_rows(
    rows: Iterator[tuple[str, dict[str, Any]]], on_error: str, report: Report
) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Yield the rows that can be used and count the others in the report.

    Args:
        rows: Pairs of location and record; see `Records.rows`.
        on_error: What to do about invalid rows, `raise` or `skip`.
        report: Report to update.

    Raises:
        ClacInputError: If a row cannot be used and `on_error` is `raise`.
    """
    for where, record in rows:
        report.count("read")
        problem = record_problem(record)
        if problem is None:
            yield where, record
        elif on_error == "raise":
            raise ClacInputError(f"{where}: {problem}; fix the row or use --on_error skip")
        else:
            report.leave_out(f"{where}: {problem}")


def shard_bounds(num_rows: int, num_shards: int) -> list[int]:
    """Return the first row of each shard, followed by the end of the last shard."""
    return [num_rows * shard // num_shards for shard in range(num_shards + 1)]


def require_shards(shard: int | None, num_shards: int) -> Sequence[int]:
    """
    Return the numbers of the shards to build.

    Args:
        shard: Number of a single shard, or `None` for all shards.
        num_shards: Number of shards of the data set.

    Raises:
        ClacInputError: If a number is out of range.
    """
    if num_shards < 1:
        raise ClacInputError(f"--num_shards {num_shards}: must be at least 1")
    if shard is None:
        return range(num_shards)
    if not 0 <= shard < num_shards:
        raise ClacInputError(f"--shard {shard}: must be from 0 to {num_shards - 1} (--num_shards minus 1)")
    return [shard]


__all__ = [
    "REQUIRED",
    "Records",
    "Report",
    "record_problem",
    "require_shards",
    "shard_bounds",
    "split_of",
    "split_of_record",
    "unreadable",
    "usable_rows",
]
