"""Occupied sites of a crystal with their neighbours, sorted by distance, and components of periodic networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import gemmi
import numpy as np

from ...concepts.elements import NONMETALS
from ...crystal_clac import OCCUPANCY_TOLERANCE, Crystal, neighbor_pairs, site_of_each_atom

# In Å. The first shell of large ions ends at 4.2 Å; the gap behind it has to be seen as well.
RADIUS = 5.5
# Cordero et al. 2008, doi 10.1039/b801115j; Å, by atomic number.
COVALENT_RADII = np.array([gemmi.Element(number).covalent_r for number in range(119)])
SYMBOLS = [gemmi.Element(number).name for number in range(119)]
NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS) if number}
IS_NONMETAL = np.array([symbol in NONMETALS for symbol in SYMBOLS])
# Positions with occupancies up to 1 in total that are closer than this share of the sum of the radii are alternatives.
_EXCLUSION_SHARE = 0.75


@dataclass(frozen=True)
class Surroundings:
    """
    Occupied sites of a crystal and their neighbours within `RADIUS`.

    Of alternative positions that are too close to be occupied together, the one with the highest occupancy is kept.

    Attributes:
        numbers: `(num_sites,)` int64, atomic number of each site; of a mixed site, that of its most frequent element.
        minor: Atomic number -> sites on which an element is present that is the most frequent one of no site.
        elements: Atomic numbers of all elements, sorted.
        centers: `(E,)` sites, ascending.
        points: `(E,)` their neighbours, by increasing distance.
        images: `(E, 3)` int64, lattice images of the neighbours.
        distances: `(E,)`, in Å.
        vectors: `(E, 3)`, from site to neighbour in Å.
    """

    numbers: np.ndarray
    minor: dict[int, np.ndarray]
    elements: tuple[int, ...]
    centers: np.ndarray
    points: np.ndarray
    images: np.ndarray
    distances: np.ndarray
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def of(cls, crystal: Crystal) -> Surroundings:
        """
        Find the neighbours of all sites of a crystal.

        Args:
            crystal: The crystal. It may be disordered.
        """
        positions, numbers, species = crystal.positions, crystal.atomic_numbers, {}
        if crystal.occupancy is not None:
            sites = site_of_each_atom(crystal)
            occupancy = np.bincount(sites, weights=crystal.occupancy)
            # The most frequent species of each site comes last, so that it is the one that stays.
            order = np.argsort(crystal.occupancy, kind="stable")
            first = np.zeros(len(occupancy), dtype=np.int64)
            first[sites[order]] = order
            positions, main = positions[first], numbers[first]
            kept = _without_alternatives(
                replace(crystal, positions=positions, atomic_numbers=main, occupancy=occupancy)
            )
            place = np.full(len(occupancy), -1)
            place[kept] = np.arange(len(kept))
            species = {
                number: np.unique(place[sites[numbers == number]])
                for number in sorted(set(numbers.tolist()) - set(main[kept].tolist()))
            }
            positions, numbers = positions[kept], main[kept]
        sites_only = Crystal(numbers, positions, crystal.cell)
        centers, points, images, distances = neighbor_pairs(sites_only, RADIUS)
        order = np.lexsort((distances, centers))
        centers, points, images = centers[order], points[order], images[order].astype(np.int64)
        vectors = positions[points] + images @ crystal.cell - positions[centers]
        return cls(
            numbers,
            {number: rows[rows >= 0] for number, rows in species.items()},
            tuple(np.unique(crystal.atomic_numbers).tolist()),
            centers,
            points,
            images,
            distances[order],
            vectors,
        )

    def variants(self) -> Iterator[Surroundings]:
        """Yield the crystal with the main species, and once more for each element that is never the main one."""
        yield self
        for number, sites in self.minor.items():
            if len(sites):
                numbers = self.numbers.copy()
                numbers[sites] = number
                yield replace(self, numbers=numbers)

    @cached_property
    def starts(self) -> np.ndarray:
        """`(num_sites + 1,)`, where the pairs of each site begin."""
        return np.searchsorted(self.centers, np.arange(len(self) + 1))

    @cached_property
    def center_numbers(self) -> np.ndarray:
        """`(E,)`, atomic numbers of the sites."""
        return self.numbers[self.centers]

    @cached_property
    def point_numbers(self) -> np.ndarray:
        """`(E,)`, atomic numbers of their neighbours."""
        return self.numbers[self.points]

    @cached_property
    def radii(self) -> np.ndarray:
        """`(E,)`, sums of the covalent radii in Å."""
        return COVALENT_RADII[self.center_numbers] + COVALENT_RADII[self.point_numbers]

    @cached_property
    def present(self) -> frozenset[str]:
        """Symbols of the elements of the sites."""
        return frozenset(SYMBOLS[number] for number in np.unique(self.numbers).tolist())

    def pairs(self, center: str, point: str, longest: float, shortest: float = 0.0) -> np.ndarray:
        """
        Return the pairs of two elements within a distance.

        Args:
            center: Symbol of the element of the sites.
            point: Symbol of the element of their neighbours.
            longest: Longest distance in Å.
            shortest: Shortest distance in Å.

        Returns:
            Numbers of the pairs, ascending.
        """
        if center not in self.present or point not in self.present:
            return np.zeros(0, dtype=np.int64)
        of_elements = (self.center_numbers == NUMBERS[center]) & (self.point_numbers == NUMBERS[point])
        return np.flatnonzero(of_elements & (self.distances <= longest) & (self.distances > shortest))

    def counts(self, pairs: np.ndarray) -> np.ndarray:
        """Count the given pairs of each site, `(num_sites,)` int64."""
        return np.bincount(self.centers[pairs], minlength=len(self))

    def counts_of_points(self, pairs: np.ndarray) -> np.ndarray:
        """Count the given pairs that each site is a neighbour in, `(num_sites,)` int64."""
        return np.bincount(self.points[pairs], minlength=len(self))


def _without_alternatives(crystal: Crystal) -> np.ndarray:
    """Sites to keep, of which no two exclude each other."""
    assert crystal.occupancy is not None
    kept = np.ones(len(crystal), dtype=bool)
    radii = COVALENT_RADII[crystal.atomic_numbers]
    centers, points, _, distances = neighbor_pairs(crystal, float(2 * _EXCLUSION_SHARE * radii.max()))
    close = distances < _EXCLUSION_SHARE * (radii[centers] + radii[points])
    close &= crystal.occupancy[centers] + crystal.occupancy[points] <= 1.0 + OCCUPANCY_TOLERANCE
    others: dict[int, list[int]] = {}
    for center, point in zip(centers[close].tolist(), points[close].tolist(), strict=True):
        if center != point:
            others.setdefault(center, []).append(point)
    for site in np.argsort(-crystal.occupancy, kind="stable").tolist():
        if kept[site]:
            kept[others.get(site, [])] = False
    return np.flatnonzero(kept)


class Component(NamedTuple):
    """
    A connected part of a periodic network.

    Attributes:
        dimension: 0 for a finite part, 1 for a chain, 2 for a layer, 3 for a framework.
        size: Number of its nodes in a cell.
        links: Number of its links in a cell.
    """

    dimension: int
    size: int
    links: int


class Network:
    """
    A periodic network to which links are added one by one.

    Args:
        nodes: Number of nodes in a cell.

    Attributes:
        dimension: The highest dimension of its components.
    """

    def __init__(self, nodes: int):
        self._parent = list(range(nodes))
        self._offset: list[tuple[int, int, int]] = [(0, 0, 0)] * nodes
        self._basis: list[list[tuple[int, int, int]]] = [[] for _ in range(nodes)]
        self._size, self._links = [1] * nodes, [0] * nodes
        self.dimension = 0

    def _root(self, node: int) -> tuple[int, tuple[int, int, int]]:
        """Root of a node, and the cell of the node in the frame of the root."""
        x, y, z = 0, 0, 0
        while self._parent[node] != node:
            a, b, c = self._offset[node]
            x, y, z, node = x + a, y + b, z + c, self._parent[node]
        return node, (x, y, z)

    def link(self, first: int, second: int, image: tuple[int, int, int]) -> None:
        """
        Add a link.

        Args:
            first: A node.
            second: Another one, or the same.
            image: Cell in which the second one is.
        """
        root, (a, b, c) = self._root(first)
        other, (d, e, f) = self._root(second)
        shift = (a + image[0] - d, b + image[1] - e, c + image[2] - f)
        if root != other:
            if self._size[root] < self._size[other]:
                root, other, shift = other, root, (-shift[0], -shift[1], -shift[2])
            self._parent[other], self._offset[other] = root, shift
            self._size[root] += self._size[other]
            self._links[root] += self._links[other] + 1
            for vector in self._basis[other]:
                self._extend(root, vector)
        else:
            self._links[root] += 1
            self._extend(root, shift)

    def _extend(self, root: int, v: tuple[int, int, int]) -> None:
        basis = self._basis[root]
        if v == (0, 0, 0) or len(basis) == 3:
            return
        if basis:
            (a, b, c) = basis[0]
            normal = (b * v[2] - c * v[1], c * v[0] - a * v[2], a * v[1] - b * v[0])
            if normal == (0, 0, 0):
                return
            if len(basis) == 2:
                w = basis[1]
                if not (normal[0] * w[0] + normal[1] * w[1] + normal[2] * w[2]):
                    return
        basis.append(v)
        self.dimension = max(self.dimension, len(basis))

    def components(self, nodes: Iterable[int]) -> list[Component]:
        """List the components of some nodes."""
        roots = {self._root(node)[0] for node in nodes}
        return [Component(len(self._basis[root]), self._size[root], self._links[root]) for root in sorted(roots)]


def shared_ligands(surroundings: Surroundings, pairs: np.ndarray) -> Network:
    """
    Connect centres that share a ligand, such as tetrahedra that share a corner.

    Args:
        surroundings: The sites.
        pairs: Pairs of a centre and a ligand.

    Returns:
        A network whose nodes are the sites.
    """
    holders: dict[int, list[tuple[int, tuple[int, int, int]]]] = {}
    rows = zip(
        surroundings.centers[pairs].tolist(),
        surroundings.points[pairs].tolist(),
        surroundings.images[pairs].tolist(),
        strict=True,
    )
    for center, ligand, image in rows:
        holders.setdefault(ligand, []).append((center, tuple(image)))
    network = Network(len(surroundings))
    for members in holders.values():
        for place, (first, (a, b, c)) in enumerate(members):
            for second, (d, e, f) in members[place + 1 :]:
                network.link(first, second, (a - d, b - e, c - f))
    return network


__all__ = [
    "COVALENT_RADII",
    "IS_NONMETAL",
    "NUMBERS",
    "RADIUS",
    "SYMBOLS",
    "Component",
    "Network",
    "Surroundings",
    "shared_ligands",
]
