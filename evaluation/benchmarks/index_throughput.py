"""
Time of a core that `clac index` takes for a crystal, by what it does, and how its memory grows.

    python -m evaluation.benchmarks.index_throughput --output evaluation/results/scale/index.json
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from evaluation.benchmarks.common import draw_crystals, write_figures
from modeling_clac.crystal_clac import ReadingOptions
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.search import embedded_tables, index_building
from modeling_clac.search.index_building import BuildOptions, build_index
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.provenance import provenance

# What is timed: the function that does it.
_STEPS = {
    "read the structures, find their symmetry": (index_building.TableReader, "read"),
    "embed them": (embedded_tables, "embed_table"),
    "find their facts": (index_building, "compute_facts"),
    "join the parts": (index_building, "_join"),
}


@dataclass
class IndexThroughputArguments:
    """Arguments of the benchmark of building an index."""

    crystals: int = field(default=2048, metadata={"help": "Number of crystals."})
    repeats: int = field(default=4, metadata={"help": "Times that they are indexed in one build."})
    model: str | None = field(default=None, metadata={"help": "Checkpoint. Default: the bundled one."})
    seed: int = field(default=0, metadata={"help": "Seed of the crystals."})
    output: str | None = field(default=None, metadata={"help": "FILE.json for the result."})


def run(arguments: IndexThroughputArguments) -> dict[str, Any]:
    """
    Measure the rates and print them.

    Returns:
        The figures.

    Raises:
        ClacInputError: If an argument is out of range, or there is no such checkpoint.
    """
    require_at_least(arguments, 1, "crystals", "repeats")
    torch.set_num_threads(1)
    options = BuildOptions(resolve_checkpoint(arguments.model), ReadingOptions(), "skip")
    index_building._embedder(options.checkpoint)
    seconds = dict.fromkeys(_STEPS, 0.0)
    memory = [_memory_gb()]
    with tempfile.TemporaryDirectory() as scratch:
        table = pa.table({"cif": draw_crystals(arguments.crystals, arguments.seed)})
        files = [Path(scratch) / f"{number}.parquet" for number in range(arguments.repeats)]
        for file in files:
            pq.write_table(table, file)
        with _timed_steps(seconds):
            started = time.process_time()
            built = build_index([str(file) for file in files], Path(scratch) / "index", options)
            total = time.process_time() - started
        memory.append(_memory_gb())
        size = {path.name: path.stat().st_size / built.num_crystals for path in (Path(scratch) / "index").iterdir()}
    origin = provenance(asdict(arguments))
    figures = {
        "crystals": built.num_crystals,
        "crystals_per_second": built.num_crystals / total,
        "milliseconds_per_crystal": {name: 1e3 * value / built.num_crystals for name, value in seconds.items()},
        "bytes_per_crystal": size,
        "peak_memory_gb": {"before": memory[0], "after": memory[1]},
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
    }
    for name, value in figures["milliseconds_per_crystal"].items():
        print(f"{name:45} {value:8.2f} ms")
    print(f"{figures['crystals_per_second']:.0f} crystals/s of a core; peak {memory[1]:.2f} GB")
    write_figures(figures, arguments.output)
    return figures


def _memory_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


@contextmanager
def _timed_steps(seconds: dict[str, float]) -> Iterator[None]:
    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            started = time.process_time()
            try:
                return work(*arguments, **options)
            finally:
                seconds[name] += time.process_time() - started

        return call

    patches = [
        patch.object(owner, attribute, timed(name, getattr(owner, attribute)))
        for name, (owner, attribute) in _STEPS.items()
    ]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


if __name__ == "__main__":
    run_script(IndexThroughputArguments, run)
