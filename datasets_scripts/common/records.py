"""Reads crystals and properties for the builders: a few rows at a time, each checked, always in one order."""

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

REQUIRED = ("material_id", "formula")
_ROWS_AT_ONCE = 1024
# Shares of validation and test, where the input does not split.
_SHARES = (("validation", 0.08), ("test", 0.16))


@dataclass
class Report:
    """
    What was read, written and left out.

    Attributes:
        counts: by name. left_out: the first reasons, each naming its row.
    """

    counts: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number

    def leave_out(self, reason: str) -> None:
        self.count("left out")
        if len(self.left_out) < 20:
            self.left_out.append(reason)

    def merge(self, other: Report) -> None:
        for name, number in other.counts.items():
            self.count(name, number)
        self.left_out = (self.left_out + other.left_out)[:20]

    def show(self) -> None:
        """Prints the counts and the reasons."""
        for name, number in self.counts.items():
            print(f"{name}: {number:,}")
        for reason in self.left_out:
            print(f"left out: {reason}")


def split_of(formula: str, seed: int) -> str:
    """The split of a reduced formula, the same for all of its crystals and in every run."""
    digest = hashlib.sha256(f"{seed} {formula}".encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    for name, share in _SHARES:
        if place < share:
            return name
        place -= share
    return "train"


def split_of_record(record: Mapping[str, Any], seed: int) -> str:
    """The split that a record names, or that of its formula where it names none."""
    given = record.get("split")
    return given if given in SPLITS else split_of(record["formula"], seed)


class Records:
    """
    The rows of a parquet file or of the parquet files of a directory, in the order of their names.

    Args:
        path: a file or directory.
        limit: use the first so many rows only; 0: all.
        required: columns that have to be there. id_columns: names that the identifier may have.

    Attributes:
        columns: names of the columns of the first file. id_column: the one that must not repeat, if there is one.

    Raises:
        ClacInputError: it cannot be read, has no rows, or misses a required column.
    """

    def __init__(
        self,
        path: Path,
        limit: int = 0,
        required: Sequence[str] = REQUIRED,
        id_columns: Sequence[str] = ("material_id",),
    ):
        self.path = path
        self.files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
        if not self.files:
            raise ClacInputError(f"{path}: no parquet files in it")
        self._sizes = []
        for file in self.files:
            try:
                metadata = pq.ParquetFile(file)
            except FileNotFoundError:
                raise ClacInputError(f"{file}: no such file") from None
            except (OSError, pa.ArrowInvalid) as error:
                raise ClacInputError(f"{file}: no parquet file ({first_line(error)})") from None
            _check_columns(file, metadata.schema_arrow.names, required)
            _check_types(file, metadata.schema_arrow)
            self._sizes.append(metadata.metadata.num_rows)
        self.columns = pq.ParquetFile(self.files[0]).schema_arrow.names
        self.id_column = next((name for name in id_columns if name in self.columns), None)
        self.num_rows = min(sum(self._sizes), limit) if limit else sum(self._sizes)
        if not self.num_rows:
            raise ClacInputError(f"{path}: holds no rows")

    def rows(self, first: int = 0, last: int | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """(file and row, record) of the rows from `first` to before `last`, with `_ROWS_AT_ONCE` of them in memory."""
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
        """Rows, counted from 0, whose identifier an earlier row has, and what to say of them."""
        first: dict[str, str] = {}
        repeated: dict[int, str] = {}
        number = 0
        for file in self.files if self.id_column else ():
            for row, value in enumerate(_column(file, str(self.id_column)), 1):
                place = f"{file}, row {row}"
                if value is not None and first.setdefault(value, place) != place:
                    repeated[number] = f"{self.id_column} {value} is that of {first[value]}, too"
                number += 1
                if number == self.num_rows:
                    return repeated
        return repeated

    def require_columns(self, *names: str) -> None:
        """
        Raises:
            ClacInputError: a file misses one of the columns.
        """
        for file in self.files:
            _check_columns(file, pq.ParquetFile(file).schema_arrow.names, names)

    def require_disjoint_splits(self, seed: int) -> None:
        """
        Args:
            seed: of the splits of rows that name none.

        Raises:
            ClacInputError: a formula is in two splits.
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
                            f"{file}: formula {record['formula']} is in {other} and in {split}; drop the column split "
                            "to have it split by formula"
                        )


def _check_columns(file: Path, found: Sequence[str], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        raise ClacInputError(f"{file}: columns {', '.join(missing)} missing; found {', '.join(found)}")


def _check_types(file: Path, schema: pa.Schema) -> None:
    for name in REQUIRED:
        if name not in schema.names:
            continue
        if not (pa.types.is_string(schema.field(name).type) or pa.types.is_large_string(schema.field(name).type)):
            raise ClacInputError(f"{file}: column {name} holds {schema.field(name).type}, not text")
    for name in NUMERIC_COLUMNS:
        if name not in schema.names:
            continue
        kind = schema.field(name).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
            raise ClacInputError(f"{file}: column {name} holds {kind}, not numbers")


def _column(file: Path, name: str) -> Iterator[Any]:
    """The values of one column; of text that is not UTF-8, nothing."""
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
    """What reading a row has found to be wrong with it, in a few words."""
    if record.get("_unreadable"):
        return f"column {record['_unreadable'][0]} is not UTF-8"
    if record.get("_repeated"):
        return record["_repeated"]
    return None


def record_problem(record: dict[str, Any]) -> str | None:
    """Why a row cannot be used, in a few words."""
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
    The rows that can be used; the others are counted in the report.

    Raises:
        ClacInputError: a row cannot be used, and `on_error` is `raise`.
    """
    for where, record in rows:
        report.count("read")
        problem = record_problem(record)
        if problem is None:
            yield where, record
        elif on_error == "raise":
            raise ClacInputError(f"{where}: {problem}; mend it, or go on with --on_error skip")
        else:
            report.leave_out(f"{where}: {problem}")


def shard_bounds(num_rows: int, num_shards: int) -> list[int]:
    """Where each of the shards begins, and the end of the last one."""
    return [num_rows * shard // num_shards for shard in range(num_shards + 1)]


def require_shards(shard: int | None, num_shards: int) -> Sequence[int]:
    """
    The shards to be built: one, or all.

    Raises:
        ClacInputError: there is no such shard.
    """
    if num_shards < 1:
        raise ClacInputError(f"--num_shards {num_shards}: must be at least 1")
    if shard is None:
        return range(num_shards)
    if not 0 <= shard < num_shards:
        raise ClacInputError(f"--shard {shard}: must be from 0 to {num_shards - 1}, below --num_shards")
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
