"""Crystals -> graph tensors: neighbour edges within a cutoff, then one disjoint graph for a batch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature, FeatureExtractionMixin

from .structures_clac import (
    MAX_ATOMS,
    MIN_DISTANCE,
    Crystal,
    InvalidStructureError,
    neighbor_pairs,
    parse_structure,
    structure_name,
)

# Two neighbours whose distances differ by less are one shell. CIFs round coordinates to 3-6 decimals, so distances that
# symmetry makes equal differ by up to about this much.
SHELL_TOLERANCE = 1e-2
# The first sphere to search holds on average so many times the neighbours that are wanted, but is left out unless it is
# smaller than the cutoff by the second factor: measured to be fastest on the bundled crystals.
_FIRST_SEARCH = 1.6
_WORTHWHILE = 0.9

ON_ERROR = ("raise", "skip", "warn")


def build_edges(crystal: Crystal, cutoff: float, max_neighbors: int | None) -> tuple[np.ndarray, np.ndarray]:
    """
    Directed edges j -> i of one crystal, sorted by target i and distance, images of an atom to itself included.

    With `max_neighbors`, each atom keeps its nearest ones, extended to the end of a shell of (nearly) equal distances:
    a cut through a shell would depend on the order of the atoms and break the symmetry of the site.

    Returns:
        `edge_index` `(2, E)` int64, row 0 = source j, row 1 = target i; `edge_vector` `(E, 3)` float32 = r_j + S·L
        - r_i in Å. E may be 0.
    """
    cap = max_neighbors
    pairs = _sorted_pairs(crystal, cutoff) if cap is None else _capped_pairs(crystal, cutoff, cap)
    targets, sources, images = pairs[:3]
    vectors = images @ crystal.cell
    vectors += crystal.positions[sources]
    vectors -= crystal.positions[targets]
    edge_index = np.empty((2, len(targets)), dtype=np.int64)
    edge_index[0], edge_index[1] = sources, targets
    return edge_index, vectors.astype(np.float32)


def _sorted_pairs(crystal: Crystal, radius: float) -> tuple[np.ndarray, ...]:
    """[`neighbor_pairs`] by target and distance: targets `(E,)`, sources `(E,)`, images `(E, 3)`, distances `(E,)`."""
    targets, sources, images, distances = neighbor_pairs(crystal, radius)
    # One number to sort by, since no distance reaches the radius.
    order = np.argsort(targets * radius + distances, kind="stable")
    return targets[order], sources[order], images[order], distances[order]


def _capped_pairs(crystal: Crystal, cutoff: float, cap: int) -> tuple[np.ndarray, ...]:
    """
    The first `cap` of [`_sorted_pairs`] of each target, then on to the end of the shell.

    In a dense crystal most of what lies within the cutoff goes beyond the cap. So the search starts with the sphere
    that holds about `_FIRST_SEARCH` times the cap, and ends with it if every atom's last shell does.
    """
    num_atoms = len(crystal)
    sphere = (_FIRST_SEARCH * cap * crystal.volume / num_atoms * 3 / (4 * np.pi)) ** (1 / 3)
    for radius in (sphere, cutoff) if sphere < _WORTHWHILE * cutoff else (cutoff,):
        pairs = _sorted_pairs(crystal, radius)
        targets, distances = pairs[0], pairs[3]
        last = _last_of_shells(targets, distances, num_atoms, cap, radius)
        last[last < 0] = len(targets)
        if radius == cutoff or last.max() < len(targets):
            break
    keep = np.flatnonzero(np.arange(len(targets)) <= last[targets])
    return tuple(array[keep] for array in pairs[:3])


def _last_of_shells(targets: np.ndarray, distances: np.ndarray, num_atoms: int, cap: int, radius: float) -> np.ndarray:
    """
    Place `(num_atoms,)` of the last edge that each atom keeps, among edges sorted by (target, distance): the first at
    `cap` or more with a gap behind it. -1 where more edges beyond the radius may belong to it.
    """
    stop = np.bincount(targets, minlength=num_atoms).cumsum()
    # What is beyond the radius is at least there.
    following = np.empty(len(distances))
    following[:-1] = distances[1:]
    following[stop[stop > 0] - 1] = radius
    ends = np.empty(len(distances) + 1, dtype=np.int64)
    found = np.flatnonzero(following - distances > SHELL_TOLERANCE)
    ends[: len(found)], ends[len(found) :] = found, len(distances)
    start = np.zeros_like(stop)
    start[1:] = stop[:-1]
    last = ends[found.searchsorted(start + (cap - 1))]
    return np.where(last < stop, last, -1)


class ClacFeatureExtractor(FeatureExtractionMixin):
    r"""
    Turns crystals into the tensors of [`ClacGraphModel`].

    Args:
        cutoff (`float`): neighbour cutoff in Å; must be the one of the model's `graph_config`.
        max_neighbors (`int`, *optional*): see [`ClacGraphConfig`].
        max_atoms (`int`, *optional*): larger cells are refused; `None` accepts any size.
    """

    model_input_names = [
        "atomic_numbers",
        "edge_index",
        "edge_vector",
        "batch",
        "num_atoms",
        "volume_per_atom",
        "density",
    ]

    def __init__(
        self,
        cutoff: float = 6.0,
        max_neighbors: int | None = 16,
        max_atoms: int | None = MAX_ATOMS,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.cutoff = cutoff
        self.max_neighbors = max_neighbors
        self.max_atoms = max_atoms

    @classmethod
    def from_graph_config(cls, config: Any, **kwargs: Any) -> ClacFeatureExtractor:
        """The extractor whose edges a graph tower with this config expects."""
        return cls(cutoff=config.cutoff, max_neighbors=config.max_neighbors, **kwargs)

    def parse(self, structure: Any, name: str | None = None) -> Crystal:
        """
        One structure -> checked arrays; see [`parse_structure`] for what is accepted.

        Raises:
            InvalidStructureError: in one line, with the name, the reason and what to do.
        """
        return parse_structure(structure, name, self.max_atoms)

    def graph(self, structure: Any, name: str | None = None) -> dict[str, np.ndarray]:
        """
        One structure -> its graph arrays: `atomic_numbers` `(N,)`, `edge_index` `(2, E)`, `edge_vector` `(E, 3)` in Å,
        `positions` `(N, 3)` in Å, `cell` `(3, 3)` in Å, and the scalars `volume_per_atom` in Å³, `density` in g/cm³.

        Raises:
            InvalidStructureError: also when two atoms stand at one place.
        """
        crystal = self.parse(structure, name)
        edge_index, edge_vector = build_edges(crystal, self.cutoff, self.max_neighbors)
        squared = np.einsum("ij,ij->i", edge_vector, edge_vector)
        if len(squared) and squared.min() < MIN_DISTANCE**2:
            source, target = edge_index[:, squared.argmin()]
            first, second = sorted((source + 1, target + 1))
            raise InvalidStructureError(
                f"{name or structure_name(structure)}: atoms {first} and {second} are at one place "
                f"({squared.min() ** 0.5:.2f} Å apart); remove the duplicate or order the site"
            )
        return {
            "atomic_numbers": crystal.atomic_numbers,
            "edge_index": edge_index,
            "edge_vector": edge_vector,
            "positions": crystal.positions.astype(np.float32),
            "cell": crystal.cell.astype(np.float32),
            "volume_per_atom": np.array(crystal.volume / len(crystal), dtype=np.float32),
            "density": np.array(crystal.density, dtype=np.float32),
        }

    def collate(self, graphs: Sequence[dict[str, np.ndarray]], return_geometry: bool = False) -> BatchFeature:
        """
        Joins graphs into one disjoint graph of B crystals, N atoms and E edges.

        Returns:
            `BatchFeature` of torch tensors: `atomic_numbers` `(N,)`, `edge_index` `(2, E)`, `edge_vector` `(E, 3)`,
            `batch` `(N,)` (graph id of each atom), `num_atoms`, `volume_per_atom`, `density` `(B,)`; with
            `return_geometry` also `positions` `(N, 3)` and `cell` `(B, 3, 3)`.
        """
        num_atoms = np.array([len(graph["atomic_numbers"]) for graph in graphs], dtype=np.int64)
        num_edges = [graph["edge_index"].shape[1] for graph in graphs]
        offsets = np.concatenate([[0], np.cumsum(num_atoms)[:-1]]) if len(graphs) else np.zeros(0, dtype=np.int64)
        edge_index = np.concatenate([graph["edge_index"] for graph in graphs], axis=1)
        arrays = {
            "atomic_numbers": np.concatenate([graph["atomic_numbers"] for graph in graphs]),
            "edge_index": edge_index + np.repeat(offsets, num_edges),
            "edge_vector": np.concatenate([graph["edge_vector"] for graph in graphs]),
            "batch": np.repeat(np.arange(len(graphs)), num_atoms),
            "num_atoms": num_atoms,
            "volume_per_atom": np.array([graph["volume_per_atom"] for graph in graphs], dtype=np.float32),
            "density": np.array([graph["density"] for graph in graphs], dtype=np.float32),
        }
        if return_geometry:
            arrays["positions"] = np.concatenate([graph["positions"] for graph in graphs])
            arrays["cell"] = np.stack([graph["cell"] for graph in graphs])
        return BatchFeature({key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in arrays.items()})

    def __call__(
        self,
        structures: Any,
        names: Sequence[str] | None = None,
        on_error: str = "raise",
        return_geometry: bool = False,
        return_tensors: str | None = "pt",
    ) -> BatchFeature:
        r"""
        Args:
            structures: one structure or a list, see [`parse_structure`].
            names: how error messages call them; by default paths by themselves, others by their place in the list.
            on_error: `"raise"`, `"skip"` (drop silently) or `"warn"` (drop with a warning). What was dropped is in
                `.skipped`, a list of (place in the list, reason).
            return_geometry: add `positions` and `cell`, see `collate`.
            return_tensors: `"pt"` only.

        Raises:
            InvalidStructureError: a structure is unusable and `on_error="raise"`, or none is left.
        """
        if return_tensors not in (None, "pt"):
            raise ValueError(f"return_tensors={return_tensors!r}: only 'pt' is supported")
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error={on_error!r}: choose one of {', '.join(ON_ERROR)}")
        if not isinstance(structures, (list, tuple)):
            structures = [structures]
        graphs, skipped = [], []
        for index, structure in enumerate(structures):
            fallback = f"structure {index + 1} of {len(structures)}"
            name = names[index] if names is not None else structure_name(structure, fallback)
            try:
                graphs.append(self.graph(structure, name))
            except InvalidStructureError as error:
                if on_error == "raise":
                    raise
                if on_error == "warn":
                    warnings.warn(f"skipped {error}", stacklevel=2)
                skipped.append((index, str(error)))
        if not graphs:
            reason = skipped[0][1] if skipped else "the list of structures is empty"
            raise InvalidStructureError(f"no usable structure: {reason}")
        features = self.collate(graphs, return_geometry)
        features.skipped = skipped  # type: ignore[attr-defined]
        return features

    @staticmethod
    def to_pyg(features: Any) -> Any:
        """
        A processed batch -> torch-geometric `Batch` with `z`, `edge_index`, `edge_vector`, `edge_weight` (distances,
        Å), and `pos`, `cell` when the batch was made with `return_geometry=True`.
        """
        from torch_geometric.data import Batch, Data

        ends = torch.cumsum(features["num_atoms"], 0).tolist()
        edge_graph = features["batch"][features["edge_index"][1]]
        data_list = []
        for graph, (end, count) in enumerate(zip(ends, features["num_atoms"].tolist(), strict=True)):
            start = end - count
            edges = edge_graph == graph
            vectors = features["edge_vector"][edges]
            data = Data(
                z=features["atomic_numbers"][start:end],
                edge_index=features["edge_index"][:, edges] - start,
                edge_vector=vectors,
                edge_weight=vectors.norm(dim=1),
                num_nodes=count,
            )
            if "positions" in features:
                data.pos = features["positions"][start:end]
                data.cell = features["cell"][graph : graph + 1]
            data_list.append(data)
        return Batch.from_data_list(data_list)


__all__ = ["ClacFeatureExtractor", "build_edges"]
