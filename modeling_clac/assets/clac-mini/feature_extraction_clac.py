"""Crystals to graph tensors: neighbour edges within a cutoff, and batches of crystals as one disjoint graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import BatchFeature, FeatureExtractionMixin

from .contacts_clac import allowed_pairs, overlapping_atoms
from .crystal_clac import MAX_ATOMS, Crystal, ReadingOptions
from .errors_clac import ClacInputError, ErrorPolicy, InvalidStructureError
from .structures_clac import parse_each, parse_structure, structure_name
from .symmetry_clac import find_space_group

# Distances in Å that differ by less belong to one shell. CIFs round coordinates to 3-6 decimals, so distances that are
# equal by symmetry differ by up to about this much.
SHELL_TOLERANCE = 1e-2
# The first search uses a sphere that contains on average `_FIRST_SEARCH` times the wanted number of neighbours, if its
# radius is below `_WORTHWHILE` times the cutoff. These values were the fastest on the bundled crystals.
_FIRST_SEARCH = 1.6
_WORTHWHILE = 0.9
# Resolution of distances when edges are sorted, and a number of steps that no radius reaches.
_STEPS_PER_ANGSTROM = 1e6
_RADIUS_STEPS = 10**9
# A sum of occupancies reaches the cap if it is less than this below it: sums of shares are not exact.
_OCCUPANCY_ROUNDING = 1e-6
# Type and shape of the arrays of a graph; a data set returns them as lists.
GRAPH_ARRAYS: dict[str, tuple[type, tuple[int, ...]]] = {
    "atomic_numbers": (np.int64, (-1,)),
    "edge_index": (np.int64, (2, -1)),
    "edge_vector": (np.float32, (-1, 3)),
    "volume_per_atom": (np.float32, ()),
    "density": (np.float32, ()),
    "occupancy": (np.float32, (-1,)),
    "space_group": (np.int64, ()),
    "positions": (np.float32, (-1, 3)),
    "cell": (np.float32, (3, 3)),
}
_GEOMETRY = ("positions", "cell")


def _graph_arrays(graph: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a graph. A data set returns them as lists or tensors, and absent ones as `None`."""
    arrays = {}
    for name, (dtype, shape) in GRAPH_ARRAYS.items():
        value = graph.get(name)
        if isinstance(value, np.ndarray) and value.dtype != object:
            arrays[name] = value.reshape(shape)
        elif value is not None:
            rows = value.tolist() if hasattr(value, "tolist") else value
            arrays[name] = np.array([list(row) for row in rows] if len(shape) == 2 else rows, dtype=dtype).reshape(
                shape
            )
    return arrays


def build_edges(
    crystals: Sequence[Crystal], cutoff: float, max_neighbors: int | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """
    Build the directed edges j -> i of each crystal, including those from an atom to its own images.

    The edges are sorted by target i and distance. Building them for many crystals at once takes half the time of one by
    one. With `max_neighbors`, each atom keeps its nearest neighbours and the rest of the last shell of (nearly) equal
    distances: a cut through a shell would depend on the order of the atoms and break the symmetry of the site.

    In a disordered crystal there are no edges between atoms that exclude each other, see [`allowed_pairs`], and a
    neighbour counts as much as its occupancy.

    Args:
        crystals: The crystals.
        cutoff: Neighbour cutoff in Å.
        max_neighbors: Number of neighbours of each atom; `None` keeps all.

    Returns:
        For each crystal `edge_index` `(2, E)` int64, row 0 = source j, row 1 = target i, and `edge_vector` `(E, 3)`
        float32, r_j + S·L - r_i in Å. E may be 0.
    """
    if max_neighbors is None:
        return _edges_within(crystals, [cutoff] * len(crystals), None)[0]
    # In a dense crystal most atoms within the cutoff exceed the cap. The search therefore starts with the sphere that
    # contains about `_FIRST_SEARCH` times the cap, and is repeated only if the last shell of an atom reaches beyond it.
    volumes = np.array([crystal.volume / (crystal.num_occupied or 1.0) for crystal in crystals])
    spheres = np.cbrt(_FIRST_SEARCH * max_neighbors * volumes * 3 / (4 * np.pi))
    radii = np.where(spheres < _WORTHWHILE * cutoff, spheres, cutoff)
    edges, whole = _edges_within(crystals, radii.tolist(), max_neighbors)
    again = np.flatnonzero(~whole & (radii < cutoff)).tolist()
    found, _ = _edges_within([crystals[place] for place in again], [cutoff] * len(again), max_neighbors)
    for place, own in zip(again, found, strict=True):
        edges[place] = own
    return edges


def _edges_within(
    crystals: Sequence[Crystal], radii: Sequence[float], cap: int | None
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """
    Build edges as [`build_edges`] does, with a search radius in Å for each crystal.

    Returns:
        The edges, and `(num_crystals,)` bool, whether the radius was large enough: the last shell of every atom ends
        within it.
    """
    if not crystals:
        return [], np.ones(0, dtype=bool)
    pairs = [allowed_pairs(crystal, radius) for crystal, radius in zip(crystals, radii, strict=True)]
    num_atoms = np.array([len(crystal) for crystal in crystals])
    num_edges = np.array([len(own[0]) for own in pairs])
    offsets = num_atoms.cumsum() - num_atoms
    targets, sources, images, distances = (np.concatenate(part) for part in zip(*pairs, strict=True))
    crystal_of = np.repeat(np.arange(len(crystals)), num_edges)
    targets, sources = targets + offsets[crystal_of], sources + offsets[crystal_of]
    # Sorting by a single integer makes the order independent of the other crystals.
    order = np.argsort(targets * _RADIUS_STEPS + (distances * _STEPS_PER_ANGSTROM).astype(np.int64), kind="stable")
    whole = np.ones(len(crystals), dtype=bool)
    if cap is not None:
        occupancy = None
        if any(crystal.occupancy is not None for crystal in crystals):
            occupancy = np.concatenate([crystal.weights for crystal in crystals])[sources[order]]
        last = _last_of_shells(targets[order], distances[order], np.repeat(radii, num_atoms), cap, occupancy)
        whole[np.repeat(np.arange(len(crystals)), num_atoms)[last < 0]] = False
        last[last < 0] = len(order)
        order = order[np.arange(len(order)) <= last[targets[order]]]
    targets, sources, crystal_of = targets[order], sources[order], crystal_of[order]
    positions = np.concatenate([crystal.positions for crystal in crystals])
    cells = np.stack([crystal.cell for crystal in crystals])
    vectors = np.einsum("ei,eij->ej", images[order], cells[crystal_of])
    vectors += positions[sources]
    vectors -= positions[targets]
    edge_index = np.stack([sources, targets]) - offsets[crystal_of]
    edge_vector = vectors.astype(np.float32)
    stops = np.bincount(crystal_of, minlength=len(crystals)).cumsum().tolist()
    edges = [
        (edge_index[:, start:stop], edge_vector[start:stop])
        for start, stop in zip([0, *stops[:-1]], stops, strict=True)
    ]
    return edges, whole


def _last_of_shells(
    targets: np.ndarray, distances: np.ndarray, radii: np.ndarray, cap: int, occupancy: np.ndarray | None
) -> np.ndarray:
    """
    Find the last edge that each atom keeps, the first one from number `cap` on that is followed by a gap.

    Args:
        targets: `(E,)`, target of each edge. Edges are sorted by target and distance.
        distances: `(E,)` in Å.
        radii: `(num_atoms,)`, search radius of each atom in Å.
        cap: Number of neighbours.
        occupancy: `(E,)`, occupancy of the source of each edge; `None` if all are 1.

    Returns:
        `(num_atoms,)`, indices of edges; -1 where the last shell may reach beyond the radius.
    """
    stop = np.bincount(targets, minlength=len(radii)).cumsum()
    # Edges that were not found are at least as long as the radius.
    following = np.empty(len(distances))
    following[:-1] = distances[1:]
    following[stop[stop > 0] - 1] = radii[stop > 0]
    ends = np.empty(len(distances) + 1, dtype=np.int64)
    found = np.flatnonzero(following - distances > SHELL_TOLERANCE)
    ends[: len(found)], ends[len(found) :] = found, len(distances)
    start = np.zeros_like(stop)
    start[1:] = stop[:-1]
    if occupancy is None:
        reached = start + (cap - 1)
    else:
        total = np.concatenate([[0.0], occupancy.cumsum()])
        reached = total[1:].searchsorted(total[start] + (cap - _OCCUPANCY_ROUNDING))
    last = ends[found.searchsorted(reached)]
    return np.where(last < stop, last, -1)


class ClacFeatureExtractor(FeatureExtractionMixin):
    r"""
    Converts crystals to the input tensors of [`ClacGraphModel`].

    Args:
        cutoff (`float`, *optional*, defaults to 6.0): Neighbour cutoff in Å. Must equal that of the model's
            `graph_config`.
        max_neighbors (`int` or `None`, *optional*, defaults to 16): Maximum number of neighbours per atom, see
            [`ClacGraphConfig`].
        max_atoms (`int` or `None`, *optional*, defaults to 10,000): Maximum number of atoms in a cell; larger cells are
            rejected. `None` accepts any size.
        disorder (`str`, *optional*, defaults to `"keep"`): What to do with mixed and partly occupied sites: `"keep"`,
            `"refuse"` or `"order"`, see [`ReadingOptions`].
        symmetry (`bool`, *optional*, defaults to `False`): Determine the space group, for a graph tower with
            `symmetry_readout`, see [`find_space_group`].
    """

    model_input_names = [
        "atomic_numbers",
        "edge_index",
        "edge_vector",
        "batch",
        "num_atoms",
        "volume_per_atom",
        "density",
        "occupancy",
        "space_group",
    ]

    def __init__(
        self,
        cutoff: float = 6.0,
        max_neighbors: int | None = 16,
        max_atoms: int | None = MAX_ATOMS,
        disorder: str = "keep",
        symmetry: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.cutoff = cutoff
        self.max_neighbors = max_neighbors
        self.max_atoms = max_atoms
        self.disorder = disorder
        self.symmetry = symmetry

    @classmethod
    def from_graph_config(cls, config: Any, **kwargs: Any) -> ClacFeatureExtractor:
        """
        Create the feature extractor that builds the edges expected by a graph tower.

        Args:
            config: A [`ClacGraphConfig`].
            kwargs: Other arguments of the class, such as `max_atoms`.
        """
        return cls(cutoff=config.cutoff, max_neighbors=config.max_neighbors, symmetry=config.symmetry_readout, **kwargs)

    @property
    def reading_options(self) -> ReadingOptions:
        """How the feature extractor reads structures."""
        return ReadingOptions(max_atoms=self.max_atoms, disorder=self.disorder)

    def parse(self, structure: Any, name: str | None = None) -> Crystal:
        """
        Parse one structure, see [`parse_structure`] for the accepted types.

        Args:
            structure: The structure.
            name: Name of the structure in error messages. Default: its path.

        Returns:
            The validated crystal.

        Raises:
            InvalidStructureError: If the structure is invalid, with name, reason and remedy on one line.
        """
        return parse_structure(structure, name, self.reading_options)

    def graph(self, structure: Any, name: str | None = None) -> dict[str, np.ndarray]:
        """
        Build the graph arrays of one structure, see [`ClacFeatureExtractor.graphs`].

        Args:
            structure: The structure.
            name: Name of the structure in error messages. Default: its path.

        Returns:
            The graph arrays.

        Raises:
            InvalidStructureError: If the structure is invalid, or two of its atoms overlap.
        """
        return self.graphs([structure], [name or structure_name(structure)])[0]

    def graphs(self, structures: Sequence[Any], names: Sequence[str] | None = None) -> list[dict[str, np.ndarray]]:
        """
        Build the graph arrays of structures.

        Args:
            structures: The structures.
            names: Names of the structures in error messages. Default: their paths.

        Returns:
            For each structure `atomic_numbers` `(N,)`, `edge_index` `(2, E)`, `edge_vector` `(E, 3)` in Å, `positions`
            `(N, 3)` in Å, `cell` `(3, 3)` in Å, and the scalars `volume_per_atom` in Å³ and `density` in g/cm³; for a
            disordered crystal also `occupancy` `(N,)`, see [`Crystal`]; with `symmetry` also the scalar `space_group`,
            its number, 0 if unknown.

        Raises:
            InvalidStructureError: If a structure is invalid, or two of its atoms overlap.
        """
        if names is None:
            names = [structure_name(structure) for structure in structures]
        crystals = [self.parse(structure, name) for structure, name in zip(structures, names, strict=True)]
        graphs = []
        for graph in self.graphs_or_errors(crystals, names):
            if isinstance(graph, InvalidStructureError):
                raise graph
            graphs.append(graph)
        return graphs

    def graphs_or_errors(
        self, crystals: Sequence[Crystal | InvalidStructureError], names: Sequence[str]
    ) -> list[dict[str, np.ndarray] | InvalidStructureError]:
        """
        Build the graph arrays of many parsed crystals at once.

        Args:
            crystals: Crystals, or the errors of those that could not be parsed, as yielded by [`parse_each`].
            names: Names of the crystals in error messages.

        Returns:
            For each crystal its graph arrays, see [`ClacFeatureExtractor.graphs`], or its error: the given one, or
            that two atoms overlap.
        """
        found: list[Any] = list(crystals)
        usable = [place for place, crystal in enumerate(crystals) if isinstance(crystal, Crystal)]
        edges = build_edges([found[place] for place in usable], self.cutoff, self.max_neighbors)
        for place, (edge_index, edge_vector) in zip(usable, edges, strict=True):
            graph = self._graph(found[place], names[place], edge_index, edge_vector)
            if self.symmetry and isinstance(graph, dict):
                known = found[place].space_group
                number = find_space_group(found[place]) if known is None else known
                graph["space_group"] = np.array(number, dtype=np.int64)
            found[place] = graph
        return found

    @staticmethod
    def _graph(
        crystal: Crystal, name: str, edge_index: np.ndarray, edge_vector: np.ndarray
    ) -> dict[str, np.ndarray] | InvalidStructureError:
        squared = np.einsum("ij,ij->i", edge_vector, edge_vector)
        if overlap := overlapping_atoms(crystal, edge_index, squared):
            source, target, distance = overlap
            first, second = sorted((source + 1, target + 1))
            return InvalidStructureError(
                f"{name}: atoms {first} and {second} overlap ({distance:.2f} Å apart); remove the duplicate, or check "
                "cell, symmetry and occupancies"
            )
        graph = {
            "atomic_numbers": crystal.atomic_numbers,
            "edge_index": edge_index,
            "edge_vector": edge_vector,
            "positions": crystal.positions.astype(np.float32),
            "cell": crystal.cell.astype(np.float32),
            "volume_per_atom": np.array(crystal.volume / crystal.num_occupied, dtype=np.float32),
            "density": np.array(crystal.density, dtype=np.float32),
        }
        if crystal.occupancy is not None:
            graph["occupancy"] = crystal.occupancy.astype(np.float32)
        return graph

    def collate(self, graphs: Sequence[Mapping[str, Any]], return_geometry: bool = False) -> BatchFeature:
        """
        Join graphs into one disjoint graph of B crystals, N atoms and E edges.

        Args:
            graphs: Graph arrays, see [`ClacFeatureExtractor.graphs`]; as arrays, or as lists that a data set stored.
            return_geometry: Add `positions` and `cell`. Default: `False`.

        Returns:
            A `BatchFeature` of torch tensors: `atomic_numbers` `(N,)`, `edge_index` `(2, E)`, `edge_vector` `(E, 3)` in
            Å, `batch` `(N,)` (graph of each atom), `num_atoms` `(B,)`, `volume_per_atom` `(B,)` in Å³, `density` `(B,)`
            in g/cm³; if a crystal is disordered also `occupancy` `(N,)`; with `symmetry` also `space_group` `(B,)`;
            with `return_geometry` also `positions`
            `(N, 3)` and `cell` `(B, 3, 3)` in Å.
        """
        graphs = [_graph_arrays(graph) for graph in graphs]
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
        if any("occupancy" in graph for graph in graphs):
            ones = [np.ones(count, dtype=np.float32) for count in num_atoms]
            arrays["occupancy"] = np.concatenate([g.get("occupancy", o) for g, o in zip(graphs, ones, strict=True)])
        if any("space_group" in graph for graph in graphs):
            arrays["space_group"] = np.array([graph.get("space_group", 0) for graph in graphs], dtype=np.int64)
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
        Convert structures to a batch of graphs.

        Args:
            structures: One structure or an iterable of structures, see [`parse_structure`].
            names: Names of the structures in error messages. Default: their paths, or their positions in the input.
            on_error: `"raise"`, `"skip"` (leave out) or `"warn"` (leave out with a warning).
            return_geometry: Add `positions` and `cell`. Default: `False`.
            return_tensors: `"pt"` for a batch, `None` for lists with one entry for each structure, which a data set can
                store.

        Returns:
            The batch, see [`ClacFeatureExtractor.collate`], or lists of graph arrays, see
            [`ClacFeatureExtractor.graphs`]. Its attribute `skipped` lists the index and the reason of each structure
            that was left out.

        Raises:
            InvalidStructureError: If a structure is invalid and `on_error="raise"`, or no structure is left.
            ValueError: If `return_tensors` is not supported.
        """
        if return_tensors not in (None, "pt"):
            raise ValueError(f"return_tensors={return_tensors!r} is not supported; use 'pt', or None for lists")
        policy = ErrorPolicy(on_error)
        parsed = list(parse_each(structures, names, self.reading_options))
        graphs = []
        made = self.graphs_or_errors([entry.crystal for entry in parsed], [entry.name for entry in parsed])
        for entry, graph in zip(parsed, made, strict=True):
            if isinstance(graph, InvalidStructureError):
                policy.apply(entry.place, graph)
            else:
                assert isinstance(entry.crystal, Crystal)
                policy.record(entry.name, entry.crystal.warnings)
                graphs.append(graph)
        if not graphs:
            reason = policy.skipped[0].reason if policy.skipped else "the list of structures is empty"
            raise InvalidStructureError(f"no usable structure: {reason}")
        if return_tensors == "pt":
            features = self.collate(graphs, return_geometry)
        else:
            kept = [name for name in GRAPH_ARRAYS if return_geometry or name not in _GEOMETRY]
            # Some crystals of a data set may have occupancies, others not: each column must exist for all.
            columns = {name: [graph.get(name) for graph in graphs] for name in kept}
            always = ("occupancy", *(("space_group",) if self.symmetry else ()))
            features = BatchFeature(
                {k: v for k, v in columns.items() if k in always or any(value is not None for value in v)}
            )
        features.skipped = policy.skipped  # type: ignore[attr-defined]
        return features

    @staticmethod
    def to_pyg(features: Any) -> Any:
        """
        Convert a batch of graphs to a torch-geometric `Batch`.

        Args:
            features: A batch returned by this feature extractor.

        Returns:
            A `Batch` with `z` `(N,)`, `edge_index` `(2, E)`, `edge_vector` `(E, 3)` in Å and `edge_weight` `(E,)`
            (distances in Å); if a crystal is disordered also `occupancy` `(N,)`; with `return_geometry=True` also `pos`
            `(N, 3)` and `cell` `(B, 3, 3)` in Å.
        """
        try:
            from torch_geometric.data import Batch, Data
        except ImportError:
            raise ClacInputError(
                "to_pyg needs torch-geometric, which is not installed; install it with "
                "`pip install 'clac-crystals[pyg]'`"
            ) from None
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
            if "occupancy" in features:
                data.occupancy = features["occupancy"][start:end]
            if "positions" in features:
                data.pos = features["positions"][start:end]
                data.cell = features["cell"][graph : graph + 1]
            data_list.append(data)
        return Batch.from_data_list(data_list)


__all__ = ["GRAPH_ARRAYS", "ClacFeatureExtractor", "build_edges"]
