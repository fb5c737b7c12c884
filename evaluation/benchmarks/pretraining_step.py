"""
Where the time of a pre-training step goes: making the batch, graph side, text tower, the rest; and its operators.

    python -m evaluation.benchmarks.pretraining_step
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.table import Table
from torch.profiler import ProfilerActivity, profile

from evaluation.benchmarks.alternatives import timed
from modeling_clac.paths import DEFAULT_MODEL
from modeling_clac.structures_clac import ClacInputError
from train.arguments import parse_arguments, run_script
from train.objective import ContrastiveObjective, backward_in_chunks
from train.pretrain import build_batches, parameter_groups
from train.recipe import PretrainArguments
from train.towers import build_model

TWO_VIEWS = ["crystal-text", "crystal'-text", "crystal-text'", "crystal'-text'", "crystal-crystal'", "text-text'"]


@dataclass
class StepArguments:
    """Arguments of the benchmark of a pre-training step."""

    recipe: str = field(default="train/recipes/clac-mini.yaml", metadata={"help": "Recipe whose step is taken."})
    model: str = field(default=str(DEFAULT_MODEL), metadata={"help": "Checkpoint to start from."})
    terms: list[str] = field(
        default_factory=lambda: list(TWO_VIEWS), metadata={"help": "Contrastive terms; default those of two views."}
    )
    batch_size: int = field(default=64, metadata={"help": "Pairs a step."})
    steps: int = field(default=4, metadata={"help": "Steps timed, after one that is not; the median counts."})
    threads: int = field(default=2, metadata={"help": "Threads of torch."})
    operators: int = field(default=12, metadata={"help": "Operators listed, the most expensive ones."})


def part_seconds(objective: ContrastiveObjective, batch: dict[str, Any]) -> dict[str, float]:
    """Seconds of the forward and backward passes of the `graph` and the `text` tower alone, for all of the batch."""
    model = objective.model
    towers: dict[str, Callable[[dict[str, Any]], Any]] = {
        "graph": lambda chunk: model.graph_model(**chunk["graphs"]).pooler_output,
        "text": lambda chunk: model.pool_text(**chunk["tokens"]).pooler_output,
    }
    seconds = {}
    for name, tower in towers.items():
        seconds[name], _ = timed(partial(_there_and_back, tower, batch["chunks"]))
        objective.zero_grad()
    return seconds


def _there_and_back(tower: Callable[[dict[str, Any]], Any], chunks: list[dict[str, Any]]) -> None:
    for chunk in chunks:
        tower(chunk).sum().backward()


def operator_table(step: Callable[[], Any], count: int) -> list[tuple[str, int, float]]:
    """(operator, calls, share of the time) of the `count` operators of a step that take longest by themselves."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step()
    events = sorted(profiler.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in events)
    return [(event.key, event.count, event.self_cpu_time_total / total) for event in events[:count]]


def run(arguments: StepArguments) -> dict[str, float]:
    """
    Measures and prints.

    Returns:
        Median seconds of `data` (narrating, tokenising, augmenting, collating), `step` (all the rest of a step), of it
        `graph` and `text`; `pairs_per_second`; and `graph_and_data`, their share of data and step.

    Raises:
        ClacInputError: an argument is out of range, or the recipe or the checkpoint is missing.
    """
    for name in ("batch_size", "steps", "threads", "operators"):
        if getattr(arguments, name) < 1:
            raise ClacInputError(f"--{name} {getattr(arguments, name)}: must be at least 1")
    torch.set_num_threads(arguments.threads)
    recipe = replace(
        parse_arguments(PretrainArguments, [arguments.recipe]),
        terms=arguments.terms,
        init_checkpoint=arguments.model,
        batch_size=arguments.batch_size,
        limit=arguments.batch_size * (arguments.steps + 1),
    )
    torch.manual_seed(recipe.seed)
    accelerator = Accelerator()
    model, processor = build_model(recipe)
    objective = ContrastiveObjective(model, recipe.objective_settings()).train()
    optimizer = torch.optim.AdamW(parameter_groups(objective, recipe))
    batches = build_batches(recipe, processor, accelerator)

    def step(batch: dict[str, Any]) -> None:
        backward_in_chunks(objective, accelerator, batch["chunks"], batch["labels"])
        optimizer.step()
        optimizer.zero_grad()

    # Narratives are written and tokenised for an epoch at once, so batches are timed by the epoch.
    epoch_seconds, drawn = timed(lambda: list(batches.epoch(0)))
    step(drawn[0])
    whole, parts = [], []
    for batch in drawn[1:]:
        whole.append(timed(partial(step, batch))[0])
        parts.append(part_seconds(objective, batch))
    result = {"data": epoch_seconds / len(drawn), "step": median(whole)}
    result |= {name: median(part[name] for part in parts) for name in ("graph", "text")}
    both = result["data"] + result["step"]
    result["pairs_per_second"] = arguments.batch_size / both
    result["graph_and_data"] = (result["data"] + result["graph"]) / both
    _print(result, operator_table(lambda: step(drawn[-1]), arguments.operators), arguments, len(recipe.terms))
    return result


def _print(
    result: dict[str, float], operators: list[tuple[str, int, float]], arguments: StepArguments, terms: int
) -> None:
    both = result["data"] + result["step"]
    rest = result["step"] - result["graph"] - result["text"]
    table = Table(
        title=f"a step of {arguments.batch_size} pairs, {terms} term(s), {arguments.threads} thread(s), median of "
        f"{arguments.steps}"
    )
    for column in ("", "seconds", "share"):
        table.add_column(column, justify="right" if column else "left")
    for name, seconds in (
        ("texts, copies, collation", result["data"]),
        ("graph tower, forward and backward", result["graph"]),
        ("text tower, forward and backward", result["text"]),
        ("projections, losses, optimiser", rest),
    ):
        table.add_row(name, f"{seconds:.2f}", f"{seconds / both:.0%}")
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{result['pairs_per_second']:.1f} pairs/s; graph side and data take {result['graph_and_data']:.0%} of the step"
    )
    listed = Table(title="torch.profiler, one step, time of the operator itself")
    for column in ("operator", "calls", "share"):
        listed.add_column(column, justify="left" if column == "operator" else "right")
    for name, calls, share in operators:
        listed.add_row(name, f"{calls:,}", f"{share:.1%}")
    console.print(listed)


if __name__ == "__main__":
    run_script(StepArguments, run)
