"""
Searches in indexes of up to millions of crystals: size, load, memory and time of a query, with and without filters.

    python -m evaluation.benchmarks.scale --output evaluation/results/scale/scale.json

Vectors are synthetic (see `scale_data`), records and facts are those of bundled crystals drawn at random. Each way is
measured in a process of its own, in one run: the exact search of this package, without torch and with it, its search by
a graph of neighbours, and the exact searches of faiss and usearch. Needs the extra `ann` and `faiss-cpu`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.benchmarks.common import timed
from evaluation.benchmarks.scale_data import write_synthetic_index
from evaluation.benchmarks.scale_ways import WAYS
from evaluation.reports.figures import write_report
from evaluation.reports.scale import scale_figure, scale_table
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.provenance import provenance


@dataclass
class ScaleArguments:
    """Arguments of the benchmark of large indexes."""

    output: str = field(metadata={"help": "FILE.json for the result; table and plot go into its directory."})
    counts: list[int] = field(
        default_factory=lambda: [10_000, 100_000, 1_000_000, 3_000_000], metadata={"help": "Numbers of crystals."}
    )
    ways: list[str] = field(default_factory=lambda: list(WAYS), metadata={"help": "Ways to compare."})
    dim: int = field(default=512, metadata={"help": "Number of dimensions."})
    queries: int = field(default=20, metadata={"help": "Timed queries of each kind."})
    k: int = field(default=10, metadata={"help": "Number of crystals to find."})
    seed: int = field(default=0, metadata={"help": "Seed of vectors and queries."})
    threads: int = field(default=2, metadata={"help": "Threads of each way."})
    memory: float = field(default=8.0, metadata={"help": "GB; ways that would need more are left out."})
    most_graph: int = field(default=3_000_000, metadata={"help": "Largest number of crystals to build a graph of."})
    scratch: str | None = field(default=None, metadata={"help": "Directory for the indexes. Default: temporary."})


def run(arguments: ScaleArguments) -> dict[str, Any]:
    """
    Build the indexes, measure all ways and write the result.

    Returns:
        The result.

    Raises:
        ClacInputError: If an argument is out of range, or a way fails.
    """
    require_at_least(arguments, 1, "dim", "queries", "k", "threads")
    if min(arguments.counts, default=0) < 1:
        raise ClacInputError(f"--counts {' '.join(map(str, arguments.counts))}: expected numbers of at least 1")
    unknown = [way for way in arguments.ways if way not in WAYS]
    if unknown:
        raise ClacInputError(f"--ways {unknown[0]}: must be among {', '.join(WAYS)}")
    sizes: dict[str, dict[str, Any]] = {}
    result: dict[str, Any] = {}
    for count in arguments.counts:
        with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
            directory = Path(scratch) / "index"
            seconds = timed(partial(write_synthetic_index, directory, count, arguments.dim, arguments.seed))
            sizes[str(count)] = {"write_s": seconds, "ways": {}}
            for way in arguments.ways:
                if _fits(way, count, arguments):
                    sizes[str(count)]["ways"][way] = _measured(way, directory, arguments)
                    print(f"{count:,} {way}: measured", file=sys.stderr, flush=True)
        # After each size, since the largest take hours.
        result = _written(sizes, arguments)
    print(scale_table(result))
    return result


def _written(sizes: dict[str, Any], arguments: ScaleArguments) -> dict[str, Any]:
    """Write the result of the sizes that were measured."""
    origin = provenance({name: value for name, value in asdict(arguments).items() if name not in ("output", "scratch")})
    result = {
        "sizes": {str(count): sizes[str(count)] for count in sorted(map(int, sizes))},
        "cores": os.cpu_count(),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
    }
    write_report(Path(arguments.output), result, scale_table(result) + "\n", scale_figure(result), "scale")
    return result


def _fits(way: str, count: int, arguments: ScaleArguments) -> bool:
    if way == "clac --ann" and count > arguments.most_graph:
        return False
    bytes_of_a_number = {"faiss flat": 4, "clac --ann": 2.5}.get(way, 2)
    return bytes_of_a_number * count * arguments.dim / 1e9 <= arguments.memory


def _measured(way: str, directory: Path, arguments: ScaleArguments) -> dict[str, Any]:
    names = ("queries", "k", "seed", "threads")
    described = {"way": way, "directory": str(directory), **{name: getattr(arguments, name) for name in names}}
    threads = str(arguments.threads)
    # As in the command `clac`, nothing is imported that a search does not need.
    environment = {**os.environ, "CLAC_LAZY_IMPORT": "1", "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
    command = [sys.executable, "-m", "evaluation.benchmarks.scale_ways", json.dumps(described)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise ClacInputError(f"{way} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    run_script(ScaleArguments, run)
