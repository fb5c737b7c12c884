"""
Pairs per second of pre-training with several processes of one thread each, against one process of one thread.

    python -m evaluation.benchmarks.process_scaling --recipe train/recipes/clac-mini.yaml
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

from evaluation.benchmarks.common import require_positive, write_figures
from evaluation.benchmarks.pretraining_step import StepArguments, Stopwatch, one_step, prepare
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import run_script


@dataclass
class ScalingArguments:
    """Arguments of the scaling benchmark."""

    recipe: str = field(default="train/recipes/clac-mini.yaml", metadata={"help": "Recipe of the model and its data."})
    terms: list[str] = field(default_factory=lambda: ["crystal-text"], metadata={"help": "Contrastive terms."})
    text_model_path: str | None = field(default=None, metadata={"help": "As in pre-training."})
    batch_size: int = field(default=0, metadata={"help": "Pairs a step and process; 0: the recipe's."})
    limit: int = field(default=1024, metadata={"help": "Crystals that make the epoch that is timed; 0: all."})
    processes: int = field(default=2, metadata={"help": "Processes compared with one."})
    repeats: int = field(default=3, metadata={"help": "Alternating launches of both; the best counts."})
    worker_output: str | None = field(default=None, metadata={"help": "Of the processes that are launched."})
    output: str | None = field(default=None, metadata={"help": "Also write the figures to this JSON file."})


def work(arguments: ScalingArguments) -> None:
    """One of the processes: trains, and the first one writes the pairs per second of all to `worker_output`."""
    torch.set_num_threads(1)
    names = ("recipe", "terms", "text_model_path", "batch_size", "limit")
    step_arguments = StepArguments(**{name: getattr(arguments, name) for name in names})
    accelerator, objective, optimizer, batches = prepare(step_arguments)
    expected = int(os.environ["WORLD_SIZE"])
    if accelerator.num_processes != expected:
        raise RuntimeError(f"{accelerator.num_processes} process(es) joined, {expected} were started")
    for batch in islice(batches.epoch(0), 2):
        one_step(accelerator, objective, optimizer, batch, Stopwatch())
    accelerator.wait_for_everyone()
    # A whole epoch: the same pairs and texts for any number of processes. Each batch holds texts of similar length, so
    # a few steps would measure the texts they happen to hold.
    started, pairs = time.perf_counter(), 0
    for batch in batches.epoch(1):
        one_step(accelerator, objective, optimizer, batch, Stopwatch())
        pairs += batches.batch_size * accelerator.num_processes
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        found = {"rate": pairs / (time.perf_counter() - started), "pairs": pairs, "batch_size": batches.batch_size}
        Path(str(arguments.worker_output)).write_text(json.dumps(found))
    accelerator.end_training()


def launch(arguments: ScalingArguments, processes: int) -> dict[str, Any]:
    """
    `rate` in pairs per second of so many processes on this machine, the `pairs` trained on, and their `batch_size`.

    Raises:
        ClacInputError: the processes fail.
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
    Measures and prints. Returns the pairs per second of one process and of several, and their ratio; in a process that
    was launched by another, nothing.

    Raises:
        ClacInputError: an argument is out of range, a process fails, or the two would not train on as many pairs.
    """
    require_positive(arguments, "processes", "repeats")
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
            f"--limit {arguments.limit}: whole batches of 1 and of {counts[1]} process(es) hold other "
            f"numbers of pairs; give a multiple of {size * counts[1]}"
        )
    best = {count: max(rates[count]) for count in counts}
    table = Table(
        title=f"pre-training, {size} pairs a process, one thread each",
        caption=f"best of {arguments.repeats} alternating launches, an epoch of {pairs[1]:,} pairs each",
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
