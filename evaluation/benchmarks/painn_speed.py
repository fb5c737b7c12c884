"""
Speed of the forward and backward pass of PaiNN, compared with an implementation written message by message.

    python -m evaluation.benchmarks.painn_speed --threads 1
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from evaluation.benchmarks.common import Comparison, draw_crystals, write_figures
from evaluation.benchmarks.painn_reference import painn_reference
from modeling_clac import ClacFeatureExtractor, ClacGraphConfig
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.graph_encoders_clac import PaiNN
from modeling_clac.utils.arguments import require_at_least, run_script


@dataclass
class PainnArguments:
    """Arguments of the PaiNN benchmark."""

    crystals: int = field(default=128, metadata={"help": "Random crystals of the bundled data set in a batch."})
    hidden_size: int = field(default=128, metadata={"help": "Features per atom."})
    num_interactions: int = field(default=3, metadata={"help": "Message-passing layers."})
    threads: int = field(default=1, metadata={"help": "Torch threads."})
    repeats: int = field(default=5, metadata={"help": "Alternating runs; the fastest is reported."})
    seed: int = field(default=0, metadata={"help": "Seed of the random sample and the weights."})
    output: str | None = field(default=None, metadata={"help": "Also write the figures to this JSON file."})


def step(encoder: PaiNN, forward: Callable[[], torch.Tensor]) -> list[torch.Tensor]:
    """
    Run a forward and a backward pass of the mean squared output.

    Returns:
        The output `(N, F)`, and the gradients of the weights of the encoder.
    """
    encoder.zero_grad()
    output = forward()
    output.square().mean().backward()
    return [output.detach(), *(p.grad for p in encoder.parameters() if p.grad is not None)]


def run(arguments: PainnArguments) -> dict[str, Any]:
    """
    Measure both implementations, print a table, and return the figures.

    Raises:
        ClacInputError: If an argument is out of range, or the implementations do not agree.
    """
    require_at_least(arguments, 1, "crystals", "hidden_size", "num_interactions", "threads", "repeats")
    torch.set_num_threads(arguments.threads)
    config = ClacGraphConfig(hidden_size=arguments.hidden_size, num_interactions=arguments.num_interactions)
    inputs = ClacFeatureExtractor.from_graph_config(config)(draw_crystals(arguments.crystals, arguments.seed))
    arrays = inputs["atomic_numbers"], inputs["edge_index"], inputs["edge_vector"]
    torch.manual_seed(arguments.seed)
    encoder = PaiNN(config)
    # Compare in float64, since at sites of high symmetry |v| is 0 and its float32 gradient is determined by rounding.
    exact, exact_arrays = deepcopy(encoder).double(), (*arrays[:2], arrays[2].double())
    ours = step(exact, lambda: exact(*exact_arrays))
    theirs = step(exact, lambda: painn_reference(exact, *exact_arrays)[0])
    difference = max(
        float((one - two).norm() / two.norm().clamp(min=1e-12)) for one, two in zip(ours, theirs, strict=True)
    )
    if difference > 1e-6:
        raise ClacInputError(
            f"the implementations disagree: relative difference {difference:.1e} of an output or gradient, "
            "expected at most 1e-6"
        )
    ways = {
        "CLaC": lambda: step(encoder, lambda: encoder(*arrays)),
        "message by message": lambda: step(encoder, lambda: painn_reference(encoder, *arrays)[0]),
    }
    for way in ways.values():
        way()
    figures = Comparison.measure(ways, arguments.crystals, arguments.repeats).report(
        f"PaiNN forward + backward, {arguments.hidden_size} features, {arguments.num_interactions} interactions, "
        f"{arguments.crystals} crystals, {arrays[1].shape[1]:,} edges, {arguments.threads} thread(s)"
    )
    figures |= {"largest_relative_difference": difference, "edges": arrays[1].shape[1], "arguments": asdict(arguments)}
    write_figures(figures, arguments.output)
    return figures


if __name__ == "__main__":
    run_script(PainnArguments, run)
