"""
Memory, time and FLOP of training a full-size model, and a projection to GPUs.

    python -m evaluation.benchmarks.full_size_cost --recipe train/recipes/clac-ps.yaml

Takes optimiser steps on real crystals with augmented copies of both modalities. Without `--text_model_path` the text
model is a BERT of the size of SciBERT with random weights, since the cost does not depend on the weights.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from rich.console import Console
from rich.table import Table
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoTokenizer, BertConfig, BertModel

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.utils.arguments import parse_arguments, require_at_least, run_script
from modeling_clac.utils.paths import DEFAULT_MODEL
from train.pretraining.arguments import PretrainArguments
from train.pretraining.batches import PairBatches
from train.pretraining.collator import Batch, Collator
from train.pretraining.gradcache import gradcache_backward
from train.pretraining.initial_model import build_model
from train.pretraining.objective import ContrastiveObjective
from train.pretraining.optimization import choose_precision, make_optimizer
from train.pretraining.pairs import first_records, parse_crystals

# allenai/scibert_scivocab_uncased, a BERT-base with its own vocabulary (Beltagy et al. 2019, arXiv 1903.10676).
SCIBERT_VOCABULARY = 31_090
# Peak of dense bfloat16 matrix products, FLOP/s. The data sheets "NVIDIA H100 Tensor Core GPU" (SXM, 1,979 TFLOP/s)
# and "NVIDIA RTX A6000" (309.7 TFLOP/s) state twice as much, which assumes sparsity.
H100, A6000 = 989e12, 154.8e12
# (name, number of GPUs, peak of one GPU)
MACHINES = (("1 x H100 SXM", 1, H100), ("4 x RTX A6000", 4, A6000))
# Reported for pre-training in arXiv 2502.16451.
REPORTED_HOURS, REPORTED_MACHINE = 24.0, MACHINES[1]


@dataclass
class CostArguments:
    """Arguments of the cost benchmark."""

    recipe: str = field(default="train/recipes/clac-ps.yaml", metadata={"help": "Recipe of the model to measure."})
    text_model_path: str | None = field(
        default=None, metadata={"help": "Text model to measure. Default: the size of SciBERT, with random weights."}
    )
    terms: list[str] = field(default_factory=list, metadata={"help": "Contrastive terms. Default: as in the recipe."})
    pairs: int = field(default=8, metadata={"help": "Pairs per step."})
    chunk_size: int = field(default=4, metadata={"help": "Pairs per pass through the towers, which bounds the memory."})
    steps: int = field(default=3, metadata={"help": "Timed steps, after a warm-up step; the median is reported."})
    threads: int = field(default=2, metadata={"help": "Torch threads."})
    utilisation: float = field(default=0.35, metadata={"help": "Assumed share of the peak performance, 0-1."})
    total_pairs: int = field(default=126_000, metadata={"help": "Pairs of the projected training."})
    epochs: int = field(default=5, metadata={"help": "Epochs of the projected training."})


def build(recipe: PretrainArguments) -> tuple[Any, Any]:
    """
    Build the model and the processor of the recipe.

    If the recipe has no local text model, use a random BERT of the size of SciBERT.
    """
    if recipe.text_model_path is not None:
        return build_model(recipe)
    with tempfile.TemporaryDirectory() as directory:
        BertModel(BertConfig(vocab_size=SCIBERT_VOCABULARY)).save_pretrained(directory)
        # The vocabulary of SciBERT is not available offline; that of the bundled model gives about as many tokens.
        AutoTokenizer.from_pretrained(DEFAULT_MODEL).save_pretrained(directory)
        return build_model(replace(recipe, text_model_path=directory))


def count_flops(objective: ContrastiveObjective, batches: list[Batch]) -> float:
    """
    Count the floating-point operations per pair in the forward and backward pass, averaged over the batches.

    Only matrix products are counted, with two operations for a multiplication and an addition; sums over edges and
    elementwise operations are not included.
    """
    counter = FlopCounterMode(display=False)
    # The counter does not support fused attention on a CPU, so use the implementation with two matrix products.
    with counter, sdpa_kernel(SDPBackend.MATH):
        for batch in batches:
            for chunk in batch.chunks:
                torch.stack([output.sum() for output in objective(chunk).values()]).sum().backward()
    objective.zero_grad()
    return counter.get_total_flops() / sum(chunk.size for batch in batches for chunk in batch.chunks)


def step_seconds(
    objective: ContrastiveObjective, optimizer: torch.optim.Optimizer, batches: list[Batch], precision: str
) -> list[float]:
    """Measure the seconds of an optimiser step on each batch, except the first, which warms up."""
    accelerator = Accelerator(mixed_precision=precision)
    prepared, optimizer = accelerator.prepare(objective, optimizer)
    taken = []
    for batch in batches:
        started = time.perf_counter()
        gradcache_backward(prepared, accelerator, batch)
        optimizer.step()
        optimizer.zero_grad()
        taken.append(time.perf_counter() - started)
    return taken[1:]


def gpu_hours(flops_per_pair: float, pairs: int, epochs: int, peak: float, utilisation: float) -> float:
    """Return the GPU-hours of a training run: pairs · epochs · FLOP per pair / (`peak` · `utilisation`) / 3600."""
    return pairs * epochs * flops_per_pair / (peak * utilisation) / 3600


def peak_memory() -> float:
    """Return the peak resident memory of this process in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def run(arguments: CostArguments) -> dict[str, float]:
    """
    Measure the cost and print it.

    Returns:
        `parameters`; `tokens`, `atoms` and `edges` per pair, including copies; `flops_per_pair`, `seconds_per_step`
        and `peak_gib`; and `hours NAME` for each machine.

    Raises:
        ClacInputError: If an argument is out of range, or the recipe or the text model is missing.
    """
    require_at_least(arguments, 1, "pairs", "chunk_size", "steps", "threads", "total_pairs", "epochs")
    if not 0 < arguments.utilisation <= 1:
        raise ClacInputError(f"--utilisation {arguments.utilisation}: must be greater than 0 and at most 1")
    torch.set_num_threads(arguments.threads)
    recipe = parse_arguments(PretrainArguments, [arguments.recipe])
    recipe = replace(
        recipe,
        terms=arguments.terms or recipe.terms,
        text_model_path=arguments.text_model_path or recipe.text_model_path,
    )
    torch.manual_seed(recipe.seed)
    model, processor = build(recipe)
    objective = ContrastiveObjective(model, recipe.objective_settings()).train()
    batches = draw_batches(recipe, processor, arguments)
    optimizer = make_optimizer(objective, recipe)
    precision = choose_precision(recipe.mixed_precision)
    seconds = median(step_seconds(objective, optimizer, batches, precision))
    # Read before counting, since unfused attention needs more memory.
    memory = peak_memory()
    flops = count_flops(objective, batches)
    result = {
        "parameters": float(sum(p.numel() for p in objective.parameters())),
        **pair_sizes(batches),
        "flops_per_pair": flops,
        "seconds_per_step": seconds,
        "peak_gib": memory,
        **{
            f"hours {name}": gpu_hours(flops, arguments.total_pairs, arguments.epochs, peak, arguments.utilisation)
            / count
            for name, count, peak in MACHINES
        },
    }
    _print(result, arguments, recipe, precision)
    return result


def draw_batches(recipe: PretrainArguments, processor: Any, arguments: CostArguments) -> list[Batch]:
    """Build a warm-up batch and the timed batches from random crystals, with the text style of the recipe."""
    records = first_records(recipe.dataset, "train", 0)
    wanted = arguments.pairs * (arguments.steps + 1)
    rows = np.random.default_rng(recipe.seed).permutation(len(records))[:wanted]
    crystals, records, _ = parse_crystals([records[row] for row in rows], processor, recipe.on_error)
    pairs = PairBatches(
        crystals,
        records,
        Collator(processor, recipe.max_text_tokens, recipe.copies(), arguments.chunk_size),
        recipe.text_style(),
        arguments.pairs,
        recipe.seed,
    )
    return list(pairs.epoch(0))


def pair_sizes(batches: list[Batch]) -> dict[str, float]:
    """Return the mean number of tokens (including padding), atoms and edges per pair, including copies."""
    chunks = [chunk for batch in batches for chunk in batch.chunks]
    pairs = sum(chunk.size for chunk in chunks)
    return {
        "tokens": sum(chunk.tokens["input_ids"].numel() for chunk in chunks) / pairs,
        "atoms": sum(len(chunk.graphs["atomic_numbers"]) for chunk in chunks) / pairs,
        "edges": sum(chunk.graphs["edge_index"].shape[1] for chunk in chunks) / pairs,
    }


def _print(result: dict[str, float], arguments: CostArguments, recipe: PretrainArguments, precision: str) -> None:
    console = Console(highlight=False)
    flops = result["flops_per_pair"]
    table = Table(title=f"{Path(arguments.recipe).stem}, {recipe.graph_encoder}, {len(recipe.terms)} term(s)")
    table.add_column("measured")
    table.add_column("", justify="right")
    rate = flops * arguments.pairs / result["seconds_per_step"]
    for name, value in (
        ("parameters", f"{result['parameters'] / 1e6:.1f} M"),
        ("tokens per pair with copies", f"{result['tokens']:.0f}"),
        ("atoms, edges per pair with copies", f"{result['atoms']:.0f}, {result['edges']:,.0f}"),
        ("operations per pair, forward and backward", f"{flops / 1e9:,.1f} GFLOP"),
        (
            f"step of {arguments.pairs} pairs in chunks of {arguments.chunk_size}, {precision_name(precision)}",
            f"{result['seconds_per_step']:.2f} s",
        ),
        (f"rate, {arguments.threads} thread(s), without repeated forward passes", f"{rate / 1e9:,.0f} GFLOP/s"),
        ("peak memory of the process", f"{result['peak_gib']:.1f} GiB"),
    ):
        table.add_row(name, value)
    console.print(table)
    total = arguments.total_pairs * arguments.epochs * flops
    console.print(
        f"{arguments.total_pairs:,} pairs x {arguments.epochs} epochs x {flops / 1e9:,.1f} GFLOP "
        f"= {total / 1e15:,.1f} PFLOP"
    )
    for name, count, peak in MACHINES:
        hours = result[f"hours {name}"]
        console.print(
            f"{name}: {total / 1e15:,.1f} PFLOP / ({count} x {peak / 1e12:g} TFLOP/s x {arguments.utilisation:g}) "
            f"= {hours:.2f} h, {hours * count:.2f} GPU-hours"
        )
    name, count, peak = REPORTED_MACHINE
    implied = total / (REPORTED_HOURS * 3600 * count * peak)
    console.print(f"The paper reports about {REPORTED_HOURS:g} h on {name}, which is {implied:.1%} of the peak")


def precision_name(precision: str) -> str:
    """Return the name of a precision; `no` mixed precision is `float32`."""
    return "float32" if precision == "no" else precision


if __name__ == "__main__":
    run_script(CostArguments, run)
