"""Build the shards of a data set in one process, in several processes or on a Ray cluster, with identical output."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_scripts.common.records import Report
from modeling_clac.utils.atomic_files import replaced_file, replaced_files
from modeling_clac.utils.executors import each_result

_ROW_GROUP = 2048


def shard_file(directory: Path, split: str, shard: int, num_shards: int) -> Path:
    """Return the path of one shard of a split, named as the `datasets` library names sharded files."""
    return directory / f"{split}-{shard:05d}-of-{num_shards:05d}.parquet"


def report_file(directory: Path, shard: int, num_shards: int) -> Path:
    """Return the path of the report of one shard."""
    return directory / f"report-{shard:05d}-of-{num_shards:05d}.json"


class ShardWriter:
    """
    Context manager that writes the rows of one shard, one file per split, one row group at a time.

    The files appear together at the end, or not at all if an exception is raised or the process is killed. If two
    processes build the same shard, one waits for the other.

    Args:
        directory: Output directory.
        shard: Number of the shard.
        num_shards: Number of shards of the data set.
        schema: Schema of the rows.
    """

    def __init__(self, directory: Path, shard: int, num_shards: int, schema: pa.Schema):
        self.directory, self.shard, self.num_shards, self.schema = directory, shard, num_shards, schema
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._stack = ExitStack()

    def __enter__(self) -> ShardWriter:
        self._new = self._stack.enter_context(replaced_files(self.directory, f"-{self.shard:05d}"))
        return self

    def add(self, split: str, row: dict[str, Any]) -> None:
        """Append a row to a split."""
        rows = self._rows.setdefault(split, [])
        rows.append(row)
        if len(rows) == _ROW_GROUP:
            self._flush(split)

    def _flush(self, split: str) -> None:
        if split not in self._writers:
            path = shard_file(self._new, split, self.shard, self.num_shards)
            self._writers[split] = pq.ParquetWriter(path, self.schema, compression="zstd")
        rows = self._rows[split]
        self._writers[split].write_table(pa.Table.from_pylist(rows, schema=self.schema))
        rows.clear()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> bool | None:
        try:
            if kind is None:
                for split, rows in self._rows.items():
                    if rows:
                        self._flush(split)
            for writer in self._writers.values():
                writer.close()
        except BaseException as failure:
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            raise
        return self._stack.__exit__(kind, error, trace)


def build_shards(
    build: Callable[[Any, int], Report], arguments: Any, shards: Sequence[int], executor: str, workers: int
) -> Report:
    """
    Call `build(arguments, shard)` for each shard and merge the reports.

    Args:
        build: Module-level function, so that other processes can import it.
        arguments: Arguments of the script.
        shards: Numbers of the shards to build.
        executor: `local`, or `ray` for a Ray cluster (a local one is started if none is running).
        workers: Number of parallel processes with `local`.

    Raises:
        ClacInputError: If `build` raises it, the executor is unknown, or Ray is not installed.
    """
    total = Report()
    # Ray uses all of its cluster.
    workers_given = workers if executor == "local" else None
    for report in each_result(partial(build, arguments), shards, executor, workers_given, "shards"):
        total.merge(report)
    return total


def write_report(directory: Path, shard: int, num_shards: int, report: Report) -> None:
    """Write the report of a shard next to its files; `read_reports` merges them once all shards are built."""
    with replaced_file(report_file(directory, shard, num_shards)) as new:
        new.write_text(json.dumps({"counts": report.counts, "left_out": report.left_out}, indent=2) + "\n")


def read_reports(directory: Path, num_shards: int) -> Report | None:
    """Merge the reports of all shards; return `None` if one is missing."""
    total = Report()
    for shard in range(num_shards):
        file = report_file(directory, shard, num_shards)
        if not file.is_file():
            return None
        stored = json.loads(file.read_text())
        total.merge(Report(stored["counts"], stored["left_out"]))
    return total


__all__ = ["ShardWriter", "build_shards", "read_reports", "report_file", "shard_file", "write_report"]
