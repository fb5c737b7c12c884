"""
Crystals embedded per second, by the threads of torch and how they wait, while other programs keep cores busy.

    python -m evaluation.benchmarks.busy_threads

Each setting is measured in processes of its own, in alternating runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from evaluation.benchmarks.common import draw_crystals, write_figures
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.paths import DEFAULT_MODEL

POLICIES = ("PASSIVE", "ACTIVE")
# Several batches, one batch, and the network itself on one batch with all threads of torch, as in training.
WORKS = ("batches", "one batch", "network")


@dataclass
class BusyArguments:
    """Arguments of the benchmark of threads on a busy machine."""

    model: str = field(default=str(DEFAULT_MODEL), metadata={"help": "Checkpoint: a directory or a Hub id."})
    crystals: int = field(default=128, metadata={"help": "Random crystals of the bundled data set."})
    threads: int = field(default=2, metadata={"help": "Threads of torch, compared with one."})
    busy: int = field(default=1, metadata={"help": "Other processes that keep a core each, compared with none."})
    repeats: int = field(default=3, metadata={"help": "Alternating runs of each setting; the median is reported."})
    seed: int = field(default=0, metadata={"help": "Seed of the random sample."})
    worker_output: str | None = field(default=None, metadata={"help": "Internal: result file of a measuring process."})
    output: str | None = field(default=None, metadata={"help": "Also write the figures to this JSON file."})


@torch.inference_mode()
def measure(arguments: BusyArguments) -> dict[str, float]:
    """Return the crystals per second of each of `WORKS` in this process, without reading their files."""
    torch.set_num_threads(arguments.threads)
    embedder = ClacEmbedder.from_pretrained(arguments.model)
    extractor = embedder.processor.feature_extractor
    crystals = [extractor.parse(cif) for cif in draw_crystals(arguments.crystals, arguments.seed)]
    batch = extractor(crystals)
    works = {
        "batches": lambda: embedder.encode_crystals(crystals, batch_size=max(1, len(crystals) // 8)),
        "one batch": lambda: embedder.encode_crystals(crystals, batch_size=len(crystals)),
        "network": lambda: embedder.model.get_crystal_features(**batch),
    }
    rates = {}
    for name in WORKS:
        works[name]()  # the first pass pays for allocations
        started = time.perf_counter()
        works[name]()
        rates[name] = len(crystals) / (time.perf_counter() - started)
    return rates


@contextmanager
def _kept_busy(count: int) -> Iterator[None]:
    """Run processes that compute for nothing."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def launch(arguments: BusyArguments, threads: int, policy: str, busy: int) -> dict[str, float]:
    """
    Measure in a process of its own.

    Args:
        arguments: Arguments of the benchmark.
        threads: Threads of torch.
        policy: How the threads of OpenMP wait.
        busy: Number of other processes.

    Raises:
        ClacInputError: If the process fails.
    """
    with tempfile.TemporaryDirectory() as directory, _kept_busy(busy):
        result = Path(directory) / "rates.json"
        command = [sys.executable, "-m", "evaluation.benchmarks.busy_threads", "--worker_output", str(result)]
        for name in ("model", "crystals", "seed"):
            command += [f"--{name}", str(getattr(arguments, name))]
        environment = {**os.environ, "OMP_WAIT_POLICY": policy}
        environment.pop("OMP_NUM_THREADS", None)
        command += ["--threads", str(threads)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode or not result.exists():
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise ClacInputError(f"a measuring process failed: {lines[-1].removeprefix('error: ')}")
        rates: dict[str, float] = json.loads(result.read_text())
        return rates


def run(arguments: BusyArguments) -> dict[str, Any] | None:
    """
    Measure all settings and print a table.

    Returns:
        The crystals per second by setting and work; `None` in a measuring process.

    Raises:
        ClacInputError: If an argument is out of range, or a process fails.
    """
    require_at_least(arguments, 1, "crystals", "threads", "repeats")
    require_at_least(arguments, 0, "busy")
    if arguments.worker_output is not None:
        Path(arguments.worker_output).write_text(json.dumps(measure(arguments)), encoding="utf-8")
        return None
    settings = [
        (threads, policy, busy)
        for busy in dict.fromkeys((0, arguments.busy))
        for threads in dict.fromkeys((1, arguments.threads))
        for policy in (POLICIES if threads > 1 else POLICIES[:1])
    ]
    runs: list[list[dict[str, float]]] = [[] for _ in settings]
    for _ in range(arguments.repeats):
        for found, setting in zip(runs, settings, strict=True):
            found.append(launch(arguments, *setting))
    rows = []
    table = Table(title=f"crystals/s of {arguments.crystals} crystals", caption=f"median of {arguments.repeats} runs")
    for column in ("other processes", "threads", "waiting", *WORKS):
        table.add_column(column, justify="right")
    for (threads, policy, busy), found in zip(settings, runs, strict=True):
        rates = {name: sorted(each[name] for each in found)[len(found) // 2] for name in WORKS}
        rows.append({"busy": busy, "threads": threads, "policy": policy, **rates})
        waiting = policy.lower() if threads > 1 else ""
        table.add_row(str(busy), str(threads), waiting, *(f"{rates[name]:,.0f}" for name in WORKS))
    Console().print(table)
    figures = {"crystals_per_second": rows, "cores": os.cpu_count(), "arguments": asdict(arguments)}
    write_figures(figures, arguments.output)
    return figures


if __name__ == "__main__":
    run_script(BusyArguments, run)
