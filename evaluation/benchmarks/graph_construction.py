"""
Crystals turned into graph tensors per second on one core, from CIF text and from arrays, against pymatgen and ase; and
whether the edges are the same.

    python -m evaluation.benchmarks.graph_construction
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from evaluation.benchmarks.alternatives import (
    ase_graph,
    pymatgen_graph,
    read_with_ase,
    read_with_pymatgen,
    timed,
)
from modeling_clac import ClacFeatureExtractor
from modeling_clac.feature_extraction_clac import build_edges
from modeling_clac.structures_clac import ClacInputError, Crystal
from modeling_clac.tables import bundled_crystals
from train.arguments import run_script

# Å; file formats round coordinates alike, but readers do not.
_TOLERANCE = 1e-3


@dataclass
class GraphArguments:
    """Arguments of the graph-construction benchmark."""

    limit: int = field(default=2048, metadata={"help": "Crystals drawn from the bundled data set; 0 takes all."})
    alternative: int = field(default=128, metadata={"help": "Of these, crystals given to pymatgen and ase, too."})
    cutoff: float = field(default=6.0, metadata={"help": "Neighbour cutoff in Å."})
    max_neighbors: int = field(default=16, metadata={"help": "Neighbours kept for each atom."})
    batch_size: int = field(default=32, metadata={"help": "Crystals a batch."})
    repeats: int = field(default=5, metadata={"help": "Runs; the median counts."})
    seed: int = field(default=0, metadata={"help": "Seed of the draw."})


def in_batches(
    extractor: ClacFeatureExtractor, graphs: Callable[[Any], dict[str, np.ndarray]], items: Sequence[Any], size: int
) -> None:
    """Makes the tensors of all items, a batch at a time."""
    for start in range(0, len(items), size):
        extractor.collate([graphs(item) for item in items[start : start + size]])


def same_edges(crystal: Crystal, structure: Any, cutoff: float) -> bool:
    """Whether all edges within the cutoff are those of pymatgen's `get_all_neighbors`, self-images included."""
    oracle = pymatgen_graph(structure, cutoff, None)
    edge_index, edge_vector = build_edges(crystal, cutoff, None)
    if edge_index.shape != oracle["edge_index"].shape:
        return False
    ours = _sorted_edges(edge_index, edge_vector)
    theirs = _sorted_edges(oracle["edge_index"], oracle["edge_vector"])
    return bool(np.array_equal(ours[0], theirs[0]) and np.allclose(ours[1], theirs[1], atol=_TOLERANCE))


def _sorted_edges(edge_index: np.ndarray, edge_vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Rounded for the order only; the odd shift keeps symmetric vectors away from the places where rounding jumps.
    rounded = np.round(edge_vector + 0.00123, 2)
    order = np.lexsort((*rounded.T, edge_index[0], edge_index[1]))
    return edge_index[:, order], edge_vector[order]


def run(arguments: GraphArguments) -> dict[str, float]:
    """
    Measures and prints.

    Returns:
        Crystals per second `cif`, `arrays`, and of the compared ones `cif_compared`, `pymatgen`, `ase`; the median
        ratios `over_pymatgen` and `over_ase`; and `same_edges`, the share of the compared crystals whose edges are
        those of pymatgen.

    Raises:
        ClacInputError: an argument is out of range.
    """
    for name in ("alternative", "batch_size", "repeats", "max_neighbors"):
        if getattr(arguments, name) < 1:
            raise ClacInputError(f"--{name} {getattr(arguments, name)}: must be at least 1")
    torch.set_num_threads(1)
    extractor = ClacFeatureExtractor(arguments.cutoff, arguments.max_neighbors)
    cifs = bundled_crystals()["cif"].to_pylist()
    order = np.random.default_rng(arguments.seed).permutation(len(cifs))[: arguments.limit or None]
    cifs = [cifs[row] for row in order]
    subset = cifs[: arguments.alternative]
    crystals = [extractor.parse(cif) for cif in cifs]

    cutoff, cap = arguments.cutoff, arguments.max_neighbors
    ways: dict[str, tuple[Callable[[Any], dict[str, np.ndarray]], Sequence[Any]]] = {
        "cif": (extractor.graph, cifs),
        "arrays": (extractor.graph, crystals),
        "cif_compared": (extractor.graph, subset),
        "pymatgen": (lambda cif: pymatgen_graph(read_with_pymatgen(cif), cutoff, cap), subset),
        "ase": (lambda cif: ase_graph(read_with_ase(cif), cutoff, cap), subset),
    }
    for graphs, items in ways.values():  # pays for imports and allocations
        in_batches(extractor, graphs, items[:8], arguments.batch_size)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.repeats):
        # One after the other in every run, so that a busy machine slows all.
        for name, (graphs, items) in ways.items():
            taken, _ = timed(partial(in_batches, extractor, graphs, items, arguments.batch_size))
            seconds[name].append(taken)
    result = {name: len(ways[name][1]) / median(taken) for name, taken in seconds.items()}
    for other in ("pymatgen", "ase"):
        pairs = zip(seconds[other], seconds["cif_compared"], strict=True)
        result[f"over_{other}"] = median(slow / fast for slow, fast in pairs)
    same = [same_edges(extractor.parse(cif), read_with_pymatgen(cif), cutoff) for cif in subset]
    result["same_edges"] = float(np.mean(same))
    _print(result, arguments, len(cifs), len(subset))
    return result


def _print(result: dict[str, float], arguments: GraphArguments, count: int, compared: int) -> None:
    table = Table(
        title=f"cutoff {arguments.cutoff} Å, {arguments.max_neighbors} neighbours, batches of {arguments.batch_size}, "
        f"one core, median of {arguments.repeats}"
    )
    for column in ("to graph tensors", "crystals", "crystals/s", "clac is faster by"):
        table.add_column(column, justify="left" if column.startswith("to ") else "right")
    table.add_row("clac, from CIF text", f"{count:,}", f"{result['cif']:,.0f}", "")
    table.add_row("clac, from arrays", f"{count:,}", f"{result['arrays']:,.0f}", "")
    table.add_section()
    table.add_row("clac, from CIF text", f"{compared:,}", f"{result['cif_compared']:,.0f}", "")
    for name, label in (("pymatgen", "pymatgen CifParser + get_all_neighbors"), ("ase", "ase.io.read + neighbor_list")):
        table.add_row(label, f"{compared:,}", f"{result[name]:,.0f}", f"{result[f'over_{name}']:.1f}x")
    console = Console()
    console.print(table)
    console.print(
        f"edges identical to pymatgen's, without the cap: {result['same_edges']:.1%} of {compared}", highlight=False
    )


if __name__ == "__main__":
    run_script(GraphArguments, run)
