"""
Speed of a pre-training step with different options, each measured on the same batches in alternating runs.

    python -m evaluation.benchmarks.step_options --recipe train/recipes/clac-narratives.yaml
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from evaluation.benchmarks.common import timed, write_figures
from evaluation.benchmarks.pretraining_step import TERMS, StepArguments, recipe_and_parts
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import require_at_least, run_script
from train.pretraining import length_buckets
from train.pretraining.collator import Batch
from train.pretraining.objective import ContrastiveObjective
from train.pretraining.optimization import make_optimizer

OPTIONS = (
    "float32",
    "bf16",
    "texts in one pass",
    "eager attention",
    "torch.compile",
    "frozen text tower",
    "cached text features",
)


@dataclass
class OptionArguments:
    """Arguments of the options benchmark."""

    recipe: str = field(
        default="train/recipes/clac-narratives.yaml", metadata={"help": "Recipe of the model and the data."}
    )
    terms: list[str] = field(default_factory=lambda: list(TERMS), metadata={"help": "Contrastive terms."})
    text_model_path: str | None = field(default=None, metadata={"help": "As in train.pretrain."})
    batch_size: int = field(default=0, metadata={"help": "Pairs per step; 0: as in the recipe."})
    limit: int = field(default=1024, metadata={"help": "Crystals to draw batches from; 0: all."})
    options: list[str] = field(
        default_factory=lambda: list(OPTIONS), metadata={"help": f"Any of {', '.join(OPTIONS)}."}
    )
    batches: int = field(default=4, metadata={"help": "Batches per run, the same for all options."})
    repeats: int = field(
        default=3, metadata={"help": "Alternating runs, after a warm-up run; the fastest is reported."}
    )
    threads: int = field(default=2, metadata={"help": "Torch threads."})
    output: str | None = field(default=None, metadata={"help": "Also write the figures to this JSON file."})


@contextmanager
def _one_bucket() -> Iterator[None]:
    before, length_buckets.CPU_BUCKET_TOKENS = length_buckets.CPU_BUCKET_TOKENS, 2**31
    try:
        yield
    finally:
        length_buckets.CPU_BUCKET_TOKENS = before


class _Cached:
    """Cache of the outputs of a frozen tower by its inputs, as for texts that recur in training."""

    def __init__(self, compute: Callable[..., Any]):
        self.compute = compute
        self.known: dict[bytes, Any] = {}

    def __call__(self, **inputs: Any) -> Any:
        key = inputs["input_ids"].numpy().tobytes()
        if key not in self.known:
            self.known[key] = self.compute(**inputs)
        return self.known[key]


def _run(objective: nn.Module, optimizer: torch.optim.Optimizer, batches: list[Batch], bf16: bool) -> None:
    for batch in batches:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = objective(batch.chunks[0], batch.labels)["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def make_way(option: str, objective: ContrastiveObjective, recipe: Any, batches: list[Batch]) -> Callable[[], None]:
    """Return a function that takes a step on each batch with one of `OPTIONS`, using a copy of the objective."""
    objective = deepcopy(objective).train()
    model: Any = objective.model
    if option in ("frozen text tower", "cached text features"):
        model.text_model.requires_grad_(False)
    if option == "cached text features":
        model.pool_text = _Cached(model.pool_text)
    if option == "eager attention":
        model.text_model.set_attn_implementation("eager")
    if option == "torch.compile":
        # The text length differs between batches.
        model.text_model.compile(dynamic=True)
    optimizer = make_optimizer(objective, recipe)

    def way() -> None:
        if option == "texts in one pass":
            with _one_bucket():
                _run(objective, optimizer, batches, False)
        else:
            _run(objective, optimizer, batches, option == "bf16")

    return way


def run(arguments: OptionArguments) -> dict[str, Any]:
    """
    Measure the options and print a table.

    Returns:
        For each option the seconds of its runs, the pairs per second, and the speed relative to the first option.

    Raises:
        ClacInputError: If an argument is out of range, or there are too few crystals.
    """
    require_at_least(arguments, 1, "batches", "repeats", "threads")
    unknown = [option for option in arguments.options if option not in OPTIONS]
    if unknown or not arguments.options:
        raise ClacInputError(f"--options {' '.join(arguments.options)}: expected any of {', '.join(OPTIONS)}")
    torch.set_num_threads(arguments.threads)
    names = ("recipe", "terms", "text_model_path", "batch_size", "limit")
    step_arguments = StepArguments(**{name: getattr(arguments, name) for name in names})
    recipe, _, model, source = recipe_and_parts(step_arguments)
    batches = list(islice(source.epoch(0), arguments.batches))
    objective = ContrastiveObjective(model, recipe.objective_settings())
    ways = {option: make_way(option, objective, recipe, batches) for option in arguments.options}
    seconds: Mapping[str, list[float]] = {option: [] for option in ways}
    for repeat in range(arguments.repeats + 1):
        for option, way in ways.items():
            taken = timed(way)
            if repeat:
                seconds[option].append(taken)
    return _report(arguments, seconds, source.batch_size * len(batches))


def _report(arguments: OptionArguments, seconds: Mapping[str, list[float]], pairs: int) -> dict[str, Any]:
    first = arguments.options[0]
    table = Table(
        title=f"pre-training steps without data, {arguments.threads} thread(s)",
        caption=f"best of {arguments.repeats} alternating runs over {pairs} pairs",
    )
    for column in ("", "pairs/s", f"times {first}"):
        table.add_column(column, justify="left" if not column else "right")
    options = {}
    for option, runs in seconds.items():
        options[option] = {"seconds": runs, "pairs_per_second": pairs / min(runs)}
        options[option]["ratio"] = min(seconds[first]) / min(runs)
        table.add_row(option, f"{options[option]['pairs_per_second']:.1f}", f"{options[option]['ratio']:.2f}")
    Console().print(table)
    figures = {"pairs": pairs, "options": options, "arguments": asdict(arguments)}
    write_figures(figures, arguments.output)
    return figures


if __name__ == "__main__":
    run_script(OptionArguments, run)
