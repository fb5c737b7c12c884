"""
Time and memory of building narratives, from 1,000 to 126,000 records.

    python -m evaluation.benchmarks.narrative_scale --output narratives.json

The records are copies of the bundled ones with new identifiers; each size is built in a separate process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from evaluation.benchmarks.common import write_figures
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import run_script

# Prints the peak memory of the process and its finished children, which Linux reports in kB.
_CHILD = """
import resource, sys
from datasets_scripts.narratives import NarrativeArguments, build
build(NarrativeArguments(sys.argv[2], input=sys.argv[1], num_shards=int(sys.argv[3]), workers=int(sys.argv[4])))
own, others = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(max(own, 0) + max(others, 0) * (int(sys.argv[4]) if int(sys.argv[4]) > 1 else 0))
"""


@dataclass
class ScaleArguments:
    """Arguments of the narrative benchmark."""

    sizes: list[int] = field(default_factory=lambda: [1_000, 10_000, 126_000], metadata={"help": "Numbers of records."})
    workers: int = field(default=2, metadata={"help": "Number of processes."})
    output: str | None = field(default=None, metadata={"help": "JSON file for the figures."})


def repeat_records(number: int, file: Path) -> None:
    """Write `number` copies of the bundled records to a parquet file, each with a unique identifier."""
    table = bundled_crystals()
    with pq.ParquetWriter(file, table.schema) as writer:
        for start in range(0, number, len(table)):
            part = table.slice(0, min(len(table), number - start))
            ids = pa.array([f"copy-{start + row}" for row in range(len(part))], part["material_id"].type)
            writer.write_table(part.set_column(part.schema.get_field_index("material_id"), "material_id", ids))


def run(arguments: ScaleArguments) -> None:
    """
    Measure each size, print a table, and write the figures to `--output` if given.

    Raises:
        ClacInputError: If an argument is less than 1, or a build fails.
    """
    if min(*arguments.sizes, arguments.workers) < 1:
        raise ClacInputError("--sizes and --workers: must be at least 1")
    figures = []
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "records.parquet"
            repeat_records(size, file)
            shards = max(arguments.workers, -(-size // 8192))
            words = [str(file), str(Path(directory) / "out"), str(shards), str(arguments.workers)]
            started = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", _CHILD, *words], capture_output=True, text=True)
            seconds = time.perf_counter() - started
            if done.returncode:
                raise ClacInputError(f"{size:,} records: {done.stderr.strip().splitlines()[-1]}")
            peak = int(done.stdout.splitlines()[-1]) * 1024
        figures.append({"records": size, "seconds": seconds, "records_per_second": size / seconds, "peak_bytes": peak})
    table = Table(title=f"Narratives of the offline narrator, {arguments.workers} processes")
    for name in ("records", "seconds", "records/s", "peak memory, GB, at most"):
        table.add_column(name, justify="right")
    for row in figures:
        table.add_row(
            f"{row['records']:,}",
            f"{row['seconds']:.1f}",
            f"{row['records_per_second']:,.0f}",
            f"{row['peak_bytes'] / 1e9:.2f}",
        )
    Console().print(table)
    write_figures({"workers": arguments.workers, "sizes": figures}, arguments.output)


if __name__ == "__main__":
    run_script(ScaleArguments, run)
