"""
Latency of a search in the bundled crystals: within a process, and for a cold start of `clac search`.

    python -m evaluation.benchmarks.search_latency
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.search.filters import Filters
from modeling_clac.search.index import bundled_index
from modeling_clac.utils.arguments import require_at_least, run_script

QUERIES = (
    "a hard ceramic nitride for cutting tools",
    "a wide band gap oxide with a high dielectric constant",
    "LiFePO4, orthorhombic",
    "a cubic intermetallic of nickel and aluminium, stable on the convex hull",
    "a piezoelectric perovskite",
    "a dense crystal with space group Fm-3m",
    "a layered chalcogenide with a low shear modulus",
    "transparent conductor",
)
PERCENTILES = (50, 90, 99)
FLOOR = "import torch, transformers"


@dataclass
class LatencyArguments:
    """Arguments of the latency benchmark."""

    k: int = field(default=10, metadata={"help": "Number of results per query."})
    queries: int = field(default=200, metadata={"help": "Timed queries within the process."})
    repeats: int = field(default=5, metadata={"help": "Cold starts of each command; the median is reported."})
    subset: int = field(default=256, metadata={"help": "Crystals to embed for the time of a search without index."})
    threads: int = field(default=2, metadata={"help": "Torch threads."})


def call_milliseconds(call: Callable[[Any], Any], inputs: Sequence[Any], times: int) -> np.ndarray:
    """Measure `times` calls in milliseconds, `(times,)`, cycling through the inputs after a warm-up round."""
    for value in inputs:
        call(value)
    taken = np.empty(times)
    for place in range(times):
        started = time.perf_counter()
        call(inputs[place % len(inputs)])
        taken[place] = 1000 * (time.perf_counter() - started)
    return taken


def process_seconds(commands: dict[str, list[str]], repeats: int) -> dict[str, float]:
    """
    Measure the median wall time of each command in a new process.

    The commands alternate, so that a busy machine slows down all of them.

    Args:
        commands: Command lines by name.
        repeats: Runs of each command.

    Returns:
        Seconds by name.

    Raises:
        ClacInputError: If a command fails or is not installed.
    """
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            started = time.perf_counter()
            try:
                subprocess.run(command, check=True, capture_output=True, text=True)
            except FileNotFoundError:
                raise ClacInputError(f"{command[0]}: command not found; install the package first") from None
            except subprocess.CalledProcessError as error:
                reason = (error.stderr.strip().splitlines() or ["no message"])[-1]
                raise ClacInputError(f"{name} failed: {reason}") from None
            taken[name].append(time.perf_counter() - started)
    return {name: median(values) for name, values in taken.items()}


def run(arguments: LatencyArguments) -> None:
    """
    Measure the latencies and print tables.

    Raises:
        ClacInputError: If an argument is out of range, or the checkpoint, the index or the command is missing.
    """
    require_at_least(arguments, 1, "k", "queries", "repeats", "subset", "threads")
    torch.set_num_threads(arguments.threads)
    embedder, index, k = ClacEmbedder.from_pretrained(), bundled_index(), arguments.k
    vectors = list(embedder.encode_text(QUERIES))
    oxides = Filters(elements=["O"])
    timed = {
        "text encoding + top-k": (lambda text: index.search(embedder.encode_text([text])[0], k), QUERIES),
        "text encoding": (lambda text: embedder.encode_text([text]), QUERIES),
        "top-k": (lambda vector: index.search(vector, k), vectors),
        "top-k among oxides": (lambda vector: index.search(vector, k, oxides), vectors),
    }
    rows = {name: call_milliseconds(call, inputs, arguments.queries) for name, (call, inputs) in timed.items()}

    console = Console()
    table = Table(title=f"{len(index):,} crystals, k = {k}, {arguments.queries} queries, {arguments.threads} thread(s)")
    for column in ("in one process, ms", *(f"{p} %" for p in PERCENTILES)):
        table.add_column(column, justify="left" if column.endswith("ms") else "right")
    for name, taken in rows.items():
        table.add_row(name, *(f"{value:.2f}" for value in np.percentile(taken, PERCENTILES)))
    console.print(table)

    cifs = bundled_crystals()["cif"].to_pylist()[: arguments.subset]
    started = time.perf_counter()
    embedder.encode_crystals(cifs)
    # Embedding time is linear in the number of crystals, so extrapolate from a subset.
    embedding = (time.perf_counter() - started) / len(cifs) * len(index)
    query = float(np.median(rows["text encoding + top-k"])) / 1000
    console.print(
        f"without an index, embedding all crystals: {embedding:.1f} s per query (extrapolated from {len(cifs)} "
        f"crystals), {embedding / query:,.0f} times as long",
        highlight=False,
    )

    clac = str(Path(sys.executable).with_name("clac"))
    floor, search = f'python -c "{FLOOR}"', "clac search"
    seconds = process_seconds(
        {search: [clac, "search", QUERIES[0]], floor: [sys.executable, "-c", FLOOR]}, arguments.repeats
    )
    table = Table(title=f"cold processes, median of {arguments.repeats}")
    for column in ("command", "seconds", "ratio"):
        table.add_column(column, justify="left" if column == "command" else "right")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.2f}", f"{value / seconds[floor]:.2f}")
    console.print(table)


if __name__ == "__main__":
    run_script(LatencyArguments, run)
