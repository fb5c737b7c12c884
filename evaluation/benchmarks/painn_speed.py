"""
Forward and backward passes of PaiNN, against one that computes every message edge by edge with the same weights.

    python -m evaluation.benchmarks.painn_speed
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from evaluation.benchmarks.alternatives import timed
from modeling_clac import ClacFeatureExtractor, ClacGraphConfig
from modeling_clac.graph_encoders_clac import PaiNN
from modeling_clac.structures_clac import ClacInputError
from modeling_clac.tables import bundled_crystals
from tests.painn_reference import edge_wise_painn
from train.arguments import run_script


@dataclass
class PaiNNArguments:
    """Arguments of the PaiNN benchmark."""

    crystals: int = field(default=128, metadata={"help": "Crystals in the batch, drawn from the bundled data set."})
    hidden_size: int = field(default=128, metadata={"help": "Features per atom."})
    num_interactions: int = field(default=3, metadata={"help": "Message-passing layers."})
    cutoff: float = field(default=6.0, metadata={"help": "Neighbour cutoff in Å."})
    max_neighbors: int = field(default=16, metadata={"help": "Neighbours kept for each atom."})
    threads: int = field(default=2, metadata={"help": "Threads of torch."})
    repeats: int = field(default=7, metadata={"help": "Runs; the median counts."})
    seed: int = field(default=0, metadata={"help": "Seed of the draw and the weights."})


def forward_backward(painn: PaiNN, forward: Callable[..., Tensor], graph: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Atom features, and the gradient of their squared sum with respect to the embeddings of the elements."""
    painn.zero_grad()
    features = forward(graph["atomic_numbers"], graph["edge_index"], graph["edge_vector"])
    (features**2).sum().backward()
    gradient = painn.embedding.weight.grad
    assert gradient is not None
    return features.detach(), gradient.clone()


def run(arguments: PaiNNArguments) -> dict[str, float]:
    """
    Measures and prints.

    Returns:
        Crystals per second of `clac` and `edge_wise`, their median `ratio`, and `difference`, the largest one between
        their atom features.

    Raises:
        ClacInputError: an argument is out of range.
    """
    for name in ("crystals", "hidden_size", "num_interactions", "max_neighbors", "threads", "repeats"):
        if getattr(arguments, name) < 1:
            raise ClacInputError(f"--{name} {getattr(arguments, name)}: must be at least 1")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    painn = PaiNN(
        ClacGraphConfig(
            hidden_size=arguments.hidden_size,
            num_interactions=arguments.num_interactions,
            cutoff=arguments.cutoff,
            max_neighbors=arguments.max_neighbors,
        )
    )
    cifs = bundled_crystals()["cif"].to_pylist()
    rows = np.random.default_rng(arguments.seed).permutation(len(cifs))[: arguments.crystals]
    extractor = ClacFeatureExtractor(arguments.cutoff, arguments.max_neighbors)
    graph = dict(extractor([cifs[row] for row in rows]))

    def literal(*inputs: Tensor) -> Tensor:
        return edge_wise_painn(painn, *inputs)

    (features, _), (expected, _) = (forward_backward(painn, way, graph) for way in (painn, literal))
    ours, theirs = [], []
    for _ in range(arguments.repeats):
        ours.append(timed(lambda: forward_backward(painn, painn, graph))[0])
        theirs.append(timed(lambda: forward_backward(painn, literal, graph))[0])
    result = {
        "clac": len(rows) / median(ours),
        "edge_wise": len(rows) / median(theirs),
        "ratio": median(slow / fast for slow, fast in zip(theirs, ours, strict=True)),
        "difference": float((features - expected).abs().max()),
    }
    table = Table(
        title=f"PaiNN {arguments.hidden_size} x {arguments.num_interactions}, {len(rows)} crystals, "
        f"{len(graph['atomic_numbers']):,} atoms, {graph['edge_index'].shape[1]:,} edges, {arguments.threads} "
        f"thread(s), median of {arguments.repeats}"
    )
    for column in ("forward and backward", "crystals/s", "ratio"):
        table.add_column(column, justify="left" if column.startswith("forward") else "right")
    table.add_row("clac", f"{result['clac']:,.0f}", f"{result['ratio']:.1f}")
    table.add_row("edge by edge", f"{result['edge_wise']:,.0f}", "1")
    console = Console()
    console.print(table)
    console.print(f"largest difference of the atom features: {result['difference']:.1e}", highlight=False)
    return result


if __name__ == "__main__":
    run_script(PaiNNArguments, run)
