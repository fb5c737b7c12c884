"""
Profile of a pre-training step with augmented copies: time in data, graph tower, text tower, losses and optimiser.

    python -m evaluation.benchmarks.pretraining_step --recipe train/recipes/clac-narratives.yaml --threads 2
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from rich.console import Console
from rich.table import Table
from torch import nn

from evaluation.benchmarks.common import write_figures
from modeling_clac import ClacModel
from modeling_clac.utils.arguments import parse_arguments, require_at_least, run_script
from train.pretraining.arguments import PretrainArguments
from train.pretraining.batches import build_batches
from train.pretraining.collator import Batch
from train.pretraining.initial_model import build_model
from train.pretraining.objective import ContrastiveObjective
from train.pretraining.optimization import make_accelerator, make_optimizer

PARTS = ("data", "graph tower", "text tower", "losses and heads", "optimiser")
# All terms between and within the modalities, so that both crystals and texts have augmented copies.
TERMS = ["crystal-text", "crystal'-text", "crystal-text'", "crystal'-text'", "crystal-crystal'", "text-text'"]


@dataclass
class StepArguments:
    """Arguments of the step benchmark."""

    recipe: str = field(
        default="train/recipes/clac-narratives.yaml", metadata={"help": "Recipe of the model and the data."}
    )
    terms: list[str] = field(default_factory=lambda: list(TERMS), metadata={"help": "Contrastive terms."})
    text_model_path: str | None = field(default=None, metadata={"help": "As in train.pretrain."})
    batch_size: int = field(default=0, metadata={"help": "Pairs per step; 0: as in the recipe."})
    limit: int = field(default=1024, metadata={"help": "Crystals to draw batches from; 0: all."})
    steps: int = field(default=8, metadata={"help": "Timed steps, after a warm-up step; the median is reported."})
    threads: int = field(default=2, metadata={"help": "Torch threads."})
    profile: bool = field(default=True, metadata={"help": "Also print the operators of a step, from torch.profiler."})
    output: str | None = field(default=None, metadata={"help": "Also write the figures to this JSON file."})


class Stopwatch:
    """Seconds spent in named parts; the time of a nested part is not counted in the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._running: list[str] = []
        self._since = time.perf_counter()

    def _charge(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] = self.seconds.get(self._running[-1], 0.0) + now - self._since
        self._since = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Charge the time within the `with` block to `name`."""
        self._charge()
        self._running.append(name)
        yield
        self._charge()
        self._running.pop()

    def charge_to(self, name: str) -> None:
        """Charge the time from now on to `name` instead of the innermost part."""
        self._charge()
        self._running[-1] = name


class _Mark(torch.autograd.Function):
    """Identity that calls `reached` in the backward pass, when the gradient of its output is available."""

    @staticmethod
    def forward(context: Any, reached: Callable[[], None], x: torch.Tensor) -> torch.Tensor:
        context.reached = reached
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[None, torch.Tensor]:  # type: ignore[override]
        context.reached()
        return None, gradient


def watch_tower(tower: nn.Module, name: str, stopwatch: Stopwatch) -> None:
    """
    Charge the forward and backward pass of a tower to `name`.

    The backward pass runs through the towers one after the other, because autograd processes the latest operation
    first and the operations of a tower are consecutive.
    """
    forward = tower.forward

    def watched(*args: Any, **kwargs: Any) -> Any:
        with stopwatch.part(name):
            output = forward(*args, **kwargs)
            for key in ("pooler_output", "last_hidden_state"):
                if isinstance(output.get(key), torch.Tensor):
                    output[key] = _Mark.apply(lambda: stopwatch.charge_to(name), output[key])
        return output

    tower.forward = watched  # type: ignore[method-assign]


def recipe_and_parts(arguments: StepArguments) -> tuple[PretrainArguments, Accelerator, ClacModel, Any]:
    """Apply the arguments to the recipe, and build its accelerator, model and batches as in pre-training."""
    recipe = parse_arguments(PretrainArguments, [arguments.recipe])
    recipe = replace(
        recipe,
        terms=arguments.terms,
        text_model_path=arguments.text_model_path,
        batch_size=arguments.batch_size or recipe.batch_size,
        limit=arguments.limit,
    )
    accelerator = make_accelerator(recipe.mixed_precision)
    set_seed(recipe.seed)
    model, processor = build_model(recipe)
    batches = build_batches(recipe, processor, accelerator.process_index, accelerator.num_processes)
    return recipe, accelerator, model, batches


def prepare(arguments: StepArguments) -> tuple[Accelerator, nn.Module, torch.optim.Optimizer, Any]:
    """Build the accelerator, objective, optimiser and batches of the recipe as in pre-training."""
    recipe, accelerator, model, batches = recipe_and_parts(arguments)
    objective: nn.Module = ContrastiveObjective(model, recipe.objective_settings())
    optimizer = make_optimizer(objective, recipe)
    objective, optimizer = accelerator.prepare(objective, optimizer)
    objective.train()
    return accelerator, objective, optimizer, batches


def endless(batches: Any) -> Iterator[Batch]:
    """Yield batches endlessly, epoch after epoch."""
    epoch = 0
    while True:
        yield from batches.epoch(epoch)
        epoch += 1


def one_step(
    accelerator: Accelerator,
    objective: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    stopwatch: Stopwatch,
) -> None:
    """Take a training step on a batch with a single chunk, as in `train.pretrain`."""
    with stopwatch.part("losses and heads"):
        loss = objective(batch.chunks[0], batch.labels)["loss"]
        accelerator.backward(loss)
    with stopwatch.part("optimiser"):
        accelerator.clip_grad_norm_(objective.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def run(arguments: StepArguments) -> dict[str, Any]:
    """
    Measure the parts of a step and print a table.

    Returns:
        The seconds and the share of each of `PARTS`.

    Raises:
        ClacInputError: If an argument is out of range, or there are too few crystals.
    """
    require_at_least(arguments, 1, "steps", "threads")
    torch.set_num_threads(arguments.threads)
    accelerator, objective, optimizer, batches = prepare(arguments)
    model: Any = accelerator.unwrap_model(objective).model
    source, stopwatch = endless(batches), Stopwatch()
    watch_tower(model.graph_model, "graph tower", stopwatch)
    watch_tower(model.text_model, "text tower", stopwatch)
    runs = []
    per_epoch = _seconds_of_texts(batches) / len(batches)
    for _ in range(arguments.steps + 1):
        stopwatch.seconds = {}
        with stopwatch.part("data"):
            batch = next(source)
        one_step(accelerator, objective, optimizer, batch, stopwatch)
        runs.append(stopwatch.seconds)
    seconds = {part: median(run[part] for run in runs[1:]) for part in PARTS}
    # The texts of an epoch are written and tokenised at once; charge each step its share.
    seconds["data"] += per_epoch
    return _report(arguments, seconds, batches, lambda: one_step(accelerator, objective, optimizer, batch, stopwatch))


def _seconds_of_texts(batches: Any) -> float:
    """Measure the seconds to write and tokenise the texts of an epoch."""
    started = time.perf_counter()
    texts = [batches.style.write(record, (batches.seed, 1)).text for record in batches.records]
    batches.collator.tokenize(texts)
    return time.perf_counter() - started


def _report(
    arguments: StepArguments, seconds: dict[str, float], batches: Any, step: Callable[[], None]
) -> dict[str, Any]:
    console, total = Console(), sum(seconds.values())
    if arguments.profile:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            step()
        columns = profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=12, max_name_column_width=40)
        console.print(columns, highlight=False, soft_wrap=True)
    table = Table(
        title=f"a step of {batches.batch_size} pairs with copies, {arguments.threads} thread(s)",
        caption=f"median of {arguments.steps} steps",
    )
    for column in ("", "seconds", "share"):
        table.add_column(column, justify="left" if not column else "right")
    shares = {part: value / total for part, value in seconds.items()}
    for part, value in seconds.items():
        table.add_row(part, f"{value:.3f}", f"{shares[part]:.1%}")
    data_and_graph = shares["data"] + shares["graph tower"]
    table.add_section()
    table.add_row("data + graph tower", f"{seconds['data'] + seconds['graph tower']:.3f}", f"{data_and_graph:.1%}")
    table.add_row("step", f"{total:.3f}", f"{batches.batch_size / total:.1f} pairs/s")
    console.print(table)
    figures = {
        "seconds": seconds,
        "shares": shares,
        "data_and_graph_share": data_and_graph,
        "pairs_per_second": batches.batch_size / total,
        "arguments": asdict(arguments),
    }
    write_figures(figures, arguments.output)
    return figures


if __name__ == "__main__":
    run_script(StepArguments, run)
