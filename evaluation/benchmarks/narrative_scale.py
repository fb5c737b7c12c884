"""
Time and memory of building narratives, from a thousand records to 126,000.

    python -m evaluation.benchmarks.narrative_scale --output narratives.json

The records are the bundled ones, repeated under other identifiers; every size is built in a process of its own.
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

# Peak memory of a process and of those that it has waited for; Linux gives it in kB.
_CHILD = """
import resource, sys
from datasets_scripts.narratives import NarrativeArguments, build
build(NarrativeArguments(sys.argv[2], input=sys.argv[1], num_shards=int(sys.argv[3]), workers=int(sys.argv[4])))
own, others = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(max(own, 0) + max(others, 0) * (int(sys.argv[4]) if int(sys.argv[4]) > 1 else 0))
"""


@dataclass
class ScaleArguments:
    """Arguments of the benchmark."""

    sizes: list[int] = field(default_factory=lambda: [1_000, 10_000, 126_000], metadata={"help": "Numbers of records."})
    workers: int = field(default=2, metadata={"help": "Processes at once."})
    output: str | None = field(default=None, metadata={"help": "JSON file for the figures."})


def repeat_records(number: int, file: Path) -> None:
    """Writes so many records, each with an identifier of its own."""
    table = bundled_crystals()
    with pq.ParquetWriter(file, table.schema) as writer:
        for start in range(0, number, len(table)):
            part = table.slice(0, min(len(table), number - start))
            ids = pa.array([f"copy-{start + row}" for row in range(len(part))], part["material_id"].type)
            writer.write_table(part.set_column(part.schema.get_field_index("material_id"), "material_id", ids))


def run(arguments: ScaleArguments) -> None:
    """
    Raises:
        ClacInputError: a number is not positive, or a build fails.
    """
    if min(*arguments.sizes, arguments.workers) < 1:
        raise ClacInputError("--sizes and --workers must be positive")
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
