"""
Pre-training throughput of several single-threaded processes, compared with one.

    python -m evaluation.benchmarks.process_scaling --recipe train/recipes/clac-narratives.yaml
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from evaluation.benchmarks.common import write_figures
from evaluation.benchmarks.pretraining_step import StepArguments, Stopwatch, one_step, prepare
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import require_at_least, run_script


@dataclass
class ScalingArguments:
    """Arguments of the scaling benchmark."""

    recipe: str = field(
        default="train/recipes/clac-narratives.yaml", metadata={"help": "Recipe of the model and the data."}
    )
    terms: list[str] = field(default_factory=lambda: ["crystal-text"], metadata={"help": "Contrastive terms."})
    text_model_path: str | None = field(default=None, metadata={"help": "As in train.pretrain."})
    batch_size: int = field(default=0, metadata={"help": "Pairs per step and process; 0: as in the recipe."})
    limit: int = field(default=1024, metadata={"help": "Crystals in the timed epoch; 0: all."})
    processes: int = field(default=2, metadata={"help": "Number of processes to compare with one."})
    repeats: int = field(default=3, metadata={"help": "Alternating launches; the fastest is reported."})
    worker_output: str | None = field(default=None, metadata={"help": "Internal: result file of a worker."})
    output: str | None = field(default=None, metadata={"help": "Also write the figures to this JSON file."})


def work(arguments: ScalingArguments) -> None:
    """Train in one of the processes; the main process writes the total pairs per second to `worker_output`."""
    torch.set_num_threads(1)
    names = ("recipe", "terms", "text_model_path", "batch_size", "limit")
    step_arguments = StepArguments(**{name: getattr(arguments, name) for name in names})
    accelerator, objective, optimizer, batches = prepare(step_arguments)
    expected = int(os.environ["WORLD_SIZE"])
    if accelerator.num_processes != expected:
        raise RuntimeError(f"{accelerator.num_processes} process(es) joined, expected {expected}")
    for batch in islice(batches.epoch(0), 2):
        one_step(accelerator, objective, optimizer, batch, Stopwatch())
    accelerator.wait_for_everyone()
    # Time a whole epoch, which has the same pairs and texts for any number of processes. A few steps would depend on
    # the sampled texts, since each batch contains texts of similar length.
    started, pairs = time.perf_counter(), 0
    for batch in batches.epoch(1):
        one_step(accelerator, objective, optimizer, batch, Stopwatch())
        pairs += batches.batch_size * accelerator.num_processes
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        found = {"rate": pairs / (time.perf_counter() - started), "pairs": pairs, "batch_size": batches.batch_size}
        Path(str(arguments.worker_output)).write_text(json.dumps(found), encoding="utf-8")
    # The gradient reducer holds the process group; freeing it later can cause a deadlock.
    objective, optimizer = accelerator.free_memory(objective, optimizer)
    accelerator.end_training()


def launch(arguments: ScalingArguments, processes: int) -> dict[str, Any]:
    """
    Launch the training with a number of processes on this machine.

    Returns:
        `rate` in pairs per second, the number of `pairs` trained on, and the `batch_size` per process.

    Raises:
        ClacInputError: If a process fails.
    """
    with tempfile.TemporaryDirectory() as directory:
        result = Path(directory) / "rate.json"
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m"]
        command += ["evaluation.benchmarks.process_scaling", f"--worker_output={result}"]
        for name in ("recipe", "text_model_path", "batch_size", "limit"):
            if getattr(arguments, name) is not None:
                command += [f"--{name}", str(getattr(arguments, name))]
        command += ["--terms", *arguments.terms]
        environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode or not result.exists():
            lines = done.stderr.strip().splitlines()
            reason = next((line for line in lines if line.startswith("error: ")), lines[-1] if lines else "no message")
            raise ClacInputError(f"{processes} process(es) failed: {reason}")
        return json.loads(result.read_text())


def run(arguments: ScalingArguments) -> dict[str, Any] | None:
    """
    Measure the throughput and print a table.

    Returns:
        The pairs per second of one process and of several, and their ratio; `None` in a worker process.

    Raises:
        ClacInputError: If an argument is out of range, a process fails, or the number of pairs depends on the number
            of processes.
    """
    require_at_least(arguments, 1, "processes", "repeats")
    if arguments.worker_output is not None:
        work(arguments)
        return None
    counts, size, pairs = (1, arguments.processes), 0, {}
    rates: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(arguments.repeats):
        for count in counts:
            result = launch(arguments, count)
            rates[count].append(result["rate"])
            size, pairs[count] = result["batch_size"], result["pairs"]
    if len(set(pairs.values())) > 1:
        raise ClacInputError(
            f"--limit {arguments.limit}: 1 and {counts[1]} process(es) train on different numbers of pairs; "
            f"use a multiple of {size * counts[1]}"
        )
    best = {count: max(rates[count]) for count in counts}
    table = Table(
        title=f"pre-training, {size} pairs per process, one thread each",
        caption=f"best of {arguments.repeats} alternating launches with an epoch of {pairs[1]:,} pairs",
    )
    for column in ("processes", "pairs/s", "times one process"):
        table.add_column(column, justify="right")
    for count in counts:
        table.add_row(str(count), f"{best[count]:.1f}", f"{best[count] / best[1]:.2f}")
    Console().print(table)
    figures = {
        "pairs_per_second": {str(count): best[count] for count in counts},
        "ratio": best[arguments.processes] / best[1],
        "arguments": asdict(arguments),
    }
    write_figures(figures, arguments.output)
    return figures


if __name__ == "__main__":
    run_script(ScalingArguments, run)
