"""Build the shards of a data set in one process, in several processes or on a Ray cluster, with identical output."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from datasets_scripts.common.records import Report
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.atomic_files import replaced_file, replaced_files

EXECUTORS = ("local", "ray")
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
    if executor not in EXECUTORS:
        raise ClacInputError(f"--executor {executor}: must be one of {', '.join(EXECUTORS)}")
    bar = tqdm(total=len(shards), desc="shards", disable=None if len(shards) > 1 else True)
    total = Report()
    with bar:
        for report in _reports(build, arguments, shards, executor, workers):
            total.merge(report)
            bar.update()
    return total


def _reports(build: Any, arguments: Any, shards: Sequence[int], executor: str, workers: int) -> Any:
    if executor == "ray":
        yield from _reports_of_ray(build, arguments, shards)
        return
    if workers == 1 or len(shards) == 1:
        for shard in shards:
            yield build(arguments, shard)
        return
    # Spawned, because the threads of pyarrow do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(build, [arguments] * len(shards), shards)


def _reports_of_ray(build: Any, arguments: Any, shards: Sequence[int]) -> Any:
    try:
        import ray
        import ray.data
    except ImportError:
        raise ClacInputError("--executor ray requires Ray: pip install 'clac-crystals[ray]'") from None

    def build_row(row: dict[str, Any]) -> dict[str, Any]:
        # Ray Data transfers Arrow rows, so the report and the error message are encoded as text.
        try:
            report = build(arguments, int(row["shard"]))
        except ClacInputError as error:
            return {"report": "", "problem": str(error)}
        return {"report": json.dumps([report.counts, report.left_out]), "problem": ""}

    ray.init(ignore_reinit_error=True, log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    rows = ray.data.from_items([{"shard": shard} for shard in shards], override_num_blocks=len(shards))
    for row in rows.map(build_row).iter_rows():
        if row["problem"]:
            raise ClacInputError(row["problem"])
        yield Report(*json.loads(row["report"]))


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


__all__ = ["EXECUTORS", "ShardWriter", "build_shards", "read_reports", "report_file", "shard_file", "write_report"]
