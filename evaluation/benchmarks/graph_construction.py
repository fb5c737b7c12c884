"""
Speed of graph construction on one core: from CIF text, compared with pymatgen and ASE, and from parsed crystals.

    OMP_NUM_THREADS=1 python -m evaluation.benchmarks.graph_construction
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from rich.console import Console

from evaluation.benchmarks.common import Comparison, draw_crystals, write_figures
from modeling_clac import ClacFeatureExtractor
from modeling_clac.crystal_clac import Crystal
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.feature_extraction_clac import SHELL_TOLERANCE
from modeling_clac.utils.arguments import require_at_least, run_script

# Our distances and the reference distances differ by float32 rounding errors, Å.
_ROUNDING = 1e-4


@dataclass
class GraphArguments:
    """Arguments of the graph construction benchmark."""

    limit: int = field(default=0, metadata={"help": "Random crystals of the bundled data set; 0: all."})
    alternative: int = field(default=256, metadata={"help": "Crystals compared with pymatgen, which is slow."})
    ase: int = field(default=64, metadata={"help": "Crystals compared with ASE, which is slower."})
    cutoff: float = field(default=6.0, metadata={"help": "Cutoff of the neighbours in Å."})
    max_neighbors: int = field(default=16, metadata={"help": "Neighbours per atom; the last shell is completed."})
    batch_size: int = field(default=64, metadata={"help": "Crystals per batch."})
    repeats: int = field(default=3, metadata={"help": "Alternating runs; the fastest is reported."})
    seed: int = field(default=0, metadata={"help": "Seed of the random sample."})
    output: str | None = field(default=None, metadata={"help": "Also write the figures to this JSON file."})


def pymatgen_edges(cif: str, cutoff: float, cap: int) -> tuple[np.ndarray, ...]:
    """
    Build edges with `CifParser` and `Structure.get_all_neighbors`, truncated as in `build_edges`.

    Args:
        cif: CIF text.
        cutoff: Cutoff in Å.
        cap: Neighbours per atom; the last shell is completed.

    Returns:
        Atomic numbers `(N,)`; fractional coordinates `(N, 3)`; rows (target, source, image) `(E, 5)` int64; distances
        `(E,)` in Å.
    """
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        # The parser warns about each coordinate that it rounds.
        warnings.simplefilter("ignore")
        structure = CifParser.from_str(cif).parse_structures(primitive=False)[0]
    rows, distances = [], []
    for target, neighbors in enumerate(structure.get_all_neighbors(cutoff)):
        neighbors = sorted(neighbors, key=lambda neighbor: neighbor.nn_distance)
        lengths = [neighbor.nn_distance for neighbor in neighbors]
        kept = kept_neighbors(lengths, cap)
        rows += [(target, n.index, *np.rint(n.image).astype(int)) for n in neighbors[:kept]]
        distances += lengths[:kept]
    numbers = np.array(structure.atomic_numbers, dtype=np.int64)
    return numbers, structure.frac_coords, np.array(rows, dtype=np.int64).reshape(-1, 5), np.array(distances)


def ase_edges(cif: str, cutoff: float, cap: int) -> tuple[np.ndarray, ...]:
    """Build edges with `ase.io` and `ase.neighborlist.neighbor_list`; see [`pymatgen_edges`]."""
    from ase.io import read
    from ase.neighborlist import neighbor_list

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        atoms: Any = read(io.StringIO(cif), format="cif")
    targets, sources, distances, images = neighbor_list("ijdS", atoms, cutoff)
    order = np.lexsort((distances, targets))
    rows = np.column_stack([targets, sources, images]).astype(np.int64)[order]
    distances, ends = distances[order], np.cumsum(np.bincount(targets, minlength=len(atoms)))
    kept: list[int] = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        kept += range(start, start + kept_neighbors(distances[start:end], cap))
    return atoms.get_atomic_numbers(), atoms.get_scaled_positions(wrap=False), rows[kept], distances[kept]


def kept_neighbors(lengths: Sequence[float], cap: int) -> int:
    """Count the neighbours to keep among an atom's ascending distances (Å): `cap`, plus the rest of the last shell."""
    count = min(cap, len(lengths))
    while count < len(lengths) and lengths[count] - lengths[count - 1] <= SHELL_TOLERANCE:
        count += 1
    return count


def clac_edges(crystal: Crystal, graph: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows (target, source, image) `(E, 5)` and distances in Å, with the images recovered from edge vectors."""
    source, target = graph["edge_index"]
    offset = graph["edge_vector"] - crystal.positions[source] + crystal.positions[target]
    images = np.rint(offset @ np.linalg.inv(crystal.cell)).astype(np.int64)
    return np.column_stack([target, source, images]), np.linalg.norm(graph["edge_vector"], axis=1)


def differing_edges(
    ours: tuple[np.ndarray, np.ndarray], oracle: tuple[np.ndarray, np.ndarray], num_atoms: int, cutoff: float
) -> int:
    """
    Count the edges that are in only one of two graphs, compared as multisets of (target, source, image).

    Atoms with a distance within rounding error of the shell tolerance or the cutoff are excluded, because rounding
    decides which neighbours they keep.

    Args:
        ours: Rows `(E, 5)` and distances `(E,)` in Å of our graph.
        oracle: Rows and distances of the reference graph.
        num_atoms: Number of atoms.
        cutoff: Cutoff in Å.
    """
    differing = 0
    for target in range(num_atoms):
        (own, own_lengths), (other, other_lengths) = (
            (rows[rows[:, 0] == target], lengths[rows[:, 0] == target]) for rows, lengths in (ours, oracle)
        )
        one, two = sorted(map(tuple, own.tolist())), sorted(map(tuple, other.tolist()))
        if one == two:
            continue
        lengths = np.sort(max(own_lengths, other_lengths, key=len))
        steps = np.append(np.diff(lengths), cutoff - lengths[-1:])
        tie = np.abs(steps - SHELL_TOLERANCE).min(initial=np.inf) < _ROUNDING or abs(steps[-1]) < _ROUNDING
        differing += 0 if tie else len(set(one) ^ set(two)) or abs(len(one) - len(two))
    return differing


def check_edges(extractor: ClacFeatureExtractor, cifs: Sequence[str], edges: Callable[..., Any]) -> int:
    """
    Compare all edges of all crystals with the reference `edges`.

    Returns:
        The number of compared edges.

    Raises:
        ClacInputError: If a crystal differs.
    """
    compared = 0
    for cif in cifs:
        crystal = extractor.parse(cif)
        numbers, fractional, rows, lengths = edges(cif, extractor.cutoff, extractor.max_neighbors)
        # The parsers sort atoms or move them into the cell, so map their atoms and images to ours.
        offset = (crystal.positions @ np.linalg.inv(crystal.cell))[None] - fractional[:, None]
        place = np.abs(offset - np.rint(offset)).sum(axis=-1).argmin(axis=1)
        moved = np.rint(offset[np.arange(len(place)), place]).astype(np.int64)
        rows[:, 2:] += moved[rows[:, 0]] - moved[rows[:, 1]]
        rows[:, :2] = place[rows[:, :2]]
        own = clac_edges(crystal, extractor.graph(crystal))
        differing = differing_edges(own, (rows, lengths), len(crystal), extractor.cutoff)
        same_atoms = sorted(place) == list(range(len(crystal))) and (numbers == crystal.atomic_numbers[place]).all()
        if differing or not same_atoms:
            name = cif.split("data_", 1)[-1].split(maxsplit=1)[0]
            raise ClacInputError(f"{name}: {differing} edges differ from those of {edges.__name__}")
        compared += len(rows)
    return compared


def tensors_of(structures: Sequence[Any], extractor: ClacFeatureExtractor, batch_size: int) -> list[Any]:
    """Build batches of graph tensors from CIF texts or parsed crystals."""
    groups = [structures[start : start + batch_size] for start in range(0, len(structures), batch_size)]
    return [extractor.collate(extractor.graphs(group)) for group in groups]


def alternative_tensors(cifs: Sequence[str], edges: Callable[..., Any], cutoff: float, cap: int) -> list[Any]:
    """Build edges as tensors for each crystal; unlike ours, this time does not include collation."""
    return [[torch.from_numpy(array) for array in edges(cif, cutoff, cap)] for cif in cifs]


def run(arguments: GraphArguments) -> dict[str, Any]:
    """
    Measure the speed and print tables.

    Returns:
        The figures of each comparison by its name.

    Raises:
        ClacInputError: If an argument is out of range, or edges differ from those of pymatgen or ASE.
    """
    require_at_least(arguments, 1, "alternative", "ase", "max_neighbors", "batch_size", "repeats")
    torch.set_num_threads(1)
    cutoff, cap, size = arguments.cutoff, arguments.max_neighbors, arguments.batch_size
    extractor = ClacFeatureExtractor(cutoff, cap)
    cifs = draw_crystals(arguments.limit, arguments.seed)
    few, fewer = cifs[: arguments.alternative], cifs[: arguments.ase]
    edges = {"pymatgen": check_edges(extractor, few, pymatgen_edges), "ase": check_edges(extractor, fewer, ase_edges)}
    crystals = [extractor.parse(cif) for cif in cifs]

    comparisons = {
        "CIF and parsed crystals": (
            {
                "CLaC, CIF text to tensors": lambda: tensors_of(cifs, extractor, size),
                "CLaC, parsed crystals to tensors": lambda: tensors_of(crystals, extractor, size),
            },
            len(cifs),
        ),
        "pymatgen": (
            {
                "CLaC": lambda: tensors_of(few, extractor, size),
                "pymatgen CifParser + get_all_neighbors": lambda: alternative_tensors(few, pymatgen_edges, cutoff, cap),
            },
            len(few),
        ),
        "ase": (
            {
                "CLaC": lambda: tensors_of(fewer, extractor, size),
                "ase.io + neighbor_list": lambda: alternative_tensors(fewer, ase_edges, cutoff, cap),
            },
            len(fewer),
        ),
    }
    figures: dict[str, Any] = {"edges_equal_to_the_oracle": edges, "arguments": asdict(arguments)}
    for name, (ways, count) in comparisons.items():
        title = f"{count:,} crystals, {cutoff} Å, {cap} neighbours, one thread"
        figures[name] = Comparison.measure(ways, count, arguments.repeats).report(title)
    write_figures(figures, arguments.output)
    Console().print(
        f"identical edges: {edges['pymatgen']:,} (pymatgen), {edges['ase']:,} (ASE)",
        highlight=False,
    )
    return figures


if __name__ == "__main__":
    run_script(GraphArguments, run)
