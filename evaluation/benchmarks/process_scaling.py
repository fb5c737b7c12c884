"""
Pairs per second of pre-training with two processes of one thread each, against one process with one thread.

    python -m evaluation.benchmarks.process_scaling
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, fields, replace
from statistics import median
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.table import Table

from modeling_clac.paths import DEFAULT_MODEL
from modeling_clac.structures_clac import ClacInputError
from train.arguments import parse_arguments, run_script
from train.objective import ContrastiveObjective, backward_in_chunks
from train.pretrain import build_batches, parameter_groups
from train.recipe import PretrainArguments
from train.towers import build_model

_RESULT = "pairs_per_second="


@dataclass
class ScalingArguments:
    """Arguments of the benchmark of two processes."""

    recipe: str = field(default="train/recipes/clac-mini.yaml", metadata={"help": "Recipe whose steps are taken."})
    model: str = field(default=str(DEFAULT_MODEL), metadata={"help": "Checkpoint to start from."})
    batch_size: int = field(default=32, metadata={"help": "Pairs a step and process."})
    steps: int = field(default=6, metadata={"help": "Steps timed, after one that is not."})
    repeats: int = field(default=3, metadata={"help": "Runs with one and with two processes; the median counts."})
    worker: bool = field(default=False, metadata={"help": "Be one of the processes, as the benchmark starts them."})


def work(arguments: ScalingArguments) -> None:
    """Takes the steps as one of the processes; the first one prints the pairs per second of all."""
    torch.set_num_threads(1)
    accelerator = Accelerator()
    recipe = replace(
        parse_arguments(PretrainArguments, [arguments.recipe]),
        init_checkpoint=arguments.model,
        batch_size=arguments.batch_size,
        limit=arguments.batch_size * accelerator.num_processes * (arguments.steps + 1),
    )
    torch.manual_seed(recipe.seed)
    model, processor = build_model(recipe)
    objective = ContrastiveObjective(model, recipe.objective_settings()).train()
    optimizer = torch.optim.AdamW(parameter_groups(objective, recipe))
    prepared, optimizer = accelerator.prepare(objective, optimizer)
    started = 0.0
    for place, batch in enumerate(build_batches(recipe, processor, accelerator).epoch(0)):
        if place == 1:
            accelerator.wait_for_everyone()
            started = time.perf_counter()
        backward_in_chunks(prepared, accelerator, batch["chunks"], batch["labels"])
        optimizer.step()
        optimizer.zero_grad()
    accelerator.wait_for_everyone()
    pairs = arguments.batch_size * accelerator.num_processes * arguments.steps
    accelerator.print(f"{_RESULT}{pairs / (time.perf_counter() - started)}")


def rate(processes: int, arguments: ScalingArguments) -> float:
    """
    Pairs per second of that many processes, each with one thread.

    Raises:
        ClacInputError: the processes failed; with their last line.
    """
    words = [f"--{entry.name}={getattr(arguments, entry.name)}" for entry in fields(arguments) if entry.type != "bool"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        [*launch, "-m", "evaluation.benchmarks.process_scaling", *words, "--worker"],
        env=environment,
        capture_output=True,
        text=True,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith(_RESULT)]
    if done.returncode or not found:
        lines = [line for line in done.stderr.splitlines() if "Error" in line] or ["no output"]
        raise ClacInputError(f"{processes} process(es) failed: {lines[0]}")
    return float(found[0].removeprefix(_RESULT))


def run(arguments: ScalingArguments) -> dict[str, Any] | None:
    """
    Measures and prints.

    Returns:
        Pairs per second of `one` and `two` processes and their median `ratio`.

    Raises:
        ClacInputError: an argument is out of range, or the processes failed.
    """
    if arguments.worker:
        work(arguments)
        return None
    for name in ("batch_size", "steps", "repeats"):
        if asdict(arguments)[name] < 1:
            raise ClacInputError(f"--{name} {asdict(arguments)[name]}: must be at least 1")
    # Side by side, so that a busy machine slows both.
    runs = [(rate(1, arguments), rate(2, arguments)) for _ in range(arguments.repeats)]
    result = {
        "one": median(one for one, _ in runs),
        "two": median(two for _, two in runs),
        "ratio": median(two / one for one, two in runs),
    }
    table = Table(title=f"{arguments.batch_size} pairs a step and process, median of {arguments.repeats}")
    for column in ("processes, one thread each", "pairs/s", "ratio"):
        table.add_column(column, justify="right")
    table.add_row("1", f"{result['one']:.1f}", "1")
    table.add_row("2", f"{result['two']:.1f}", f"{result['ratio']:.2f}")
    Console().print(table)
    return result


if __name__ == "__main__":
    run_script(ScalingArguments, run)
