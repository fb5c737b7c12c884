"""The usual ways from a CIF to a graph, to compare with, and the clock of the benchmarks."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds that the work takes, and its result."""
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def read_with_pymatgen(cif: str) -> Any:
    """CIF text -> `Structure`, by `CifParser`."""
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        # The parser tells of every coordinate that it rounds.
        warnings.simplefilter("ignore")
        return CifParser.from_str(cif).parse_structures(primitive=False)[0]


def pymatgen_graph(structure: Any, cutoff: float, max_neighbors: int | None) -> dict[str, np.ndarray]:
    """
    Graph arrays as `ClacFeatureExtractor.graph` gives them, by `Structure.get_all_neighbors`; but the cap cuts through
    shells of equal distances.
    """
    sources, targets, vectors = [], [], []
    for target, neighbors in enumerate(structure.get_all_neighbors(cutoff)):
        for neighbor in sorted(neighbors, key=lambda n: n.nn_distance)[:max_neighbors]:
            sources.append(neighbor.index)
            targets.append(target)
            vectors.append(neighbor.coords - structure[target].coords)
    return {
        "atomic_numbers": np.array(structure.atomic_numbers, dtype=np.int64),
        "edge_index": np.array([sources, targets], dtype=np.int64).reshape(2, -1),
        "edge_vector": np.array(vectors, dtype=np.float32).reshape(-1, 3),
        "volume_per_atom": np.array(structure.volume / len(structure), dtype=np.float32),
        "density": np.array(structure.density, dtype=np.float32),
    }


def read_with_ase(cif: str) -> Any:
    """CIF text -> `Atoms`, by `ase.io.read`."""
    import ase.io

    with warnings.catch_warnings():
        # Of space groups whose setting the file does not name.
        warnings.simplefilter("ignore")
        return ase.io.read(io.StringIO(cif), format="cif")


def ase_graph(atoms: Any, cutoff: float, max_neighbors: int | None) -> dict[str, np.ndarray]:
    """As [`pymatgen_graph`], by `ase.neighborlist.neighbor_list`."""
    from ase.data import atomic_masses
    from ase.neighborlist import neighbor_list

    target, source, vector, distance = neighbor_list("ijDd", atoms, cutoff)
    order = np.lexsort((distance, target))
    first = np.searchsorted(target[order], np.arange(len(atoms)))
    rank = np.arange(len(order)) - first[target[order]]
    kept = order[rank < max_neighbors] if max_neighbors is not None else order
    grams_per_angstrom = 1.66053906892
    density = atomic_masses[atoms.numbers].sum() * grams_per_angstrom / atoms.get_volume()
    return {
        "atomic_numbers": atoms.numbers.astype(np.int64),
        "edge_index": np.stack([source[kept], target[kept]]).astype(np.int64),
        "edge_vector": vector[kept].astype(np.float32),
        "volume_per_atom": np.array(atoms.get_volume() / len(atoms), dtype=np.float32),
        "density": np.array(density, dtype=np.float32),
    }
