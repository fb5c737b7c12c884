"""Polyhedra of anions around the other atoms of a crystal, and how they share corners, edges and faces."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...crystal_clac import Crystal, neighbor_pairs

# Radius in Å in which anions are looked for; corners are closer by the gap below, since the next anion must be seen.
_RADIUS = 4.5
# The next anion must be farther than the last corner by this factor, and the last corner not farther than the first by
# the other one: polar, Jahn-Teller and lone-pair distortions stay below it.
_GAP = 1.13
_SPREAD = {4: 1.35, 6: 1.75}
# Corners that lie opposite each other as seen from the centre, in degrees. They are 136 in the prisms of MoS2.
_OPPOSITE = 143.0

Corner = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Polyhedron:
    """
    Anions around an atom.

    Attributes:
        center: Index of the atom.
        shape: `octahedron`, `prism` (trigonal), `tetrahedron` or `square`.
        corners: Index and lattice image of each anion.
    """

    center: int
    shape: str
    corners: tuple[Corner, ...]


class Polyhedra:
    """
    The polyhedra with four or six corners in a crystal.

    Args:
        crystal: The crystal; the atoms of a mixed site count once.
        is_anion: `(num_sites,)` bool, which atoms are corners.
    """

    def __init__(self, crystal: Crystal, is_anion: np.ndarray) -> None:
        self.is_anion = is_anion
        # Center -> distance, anion and image, sorted; and the vectors to the anions.
        self._shells: dict[int, list[tuple[float, int, tuple[int, ...]]]] = {}
        self._vectors: dict[int, np.ndarray] = {}
        centers, points, images, distances = neighbor_pairs(crystal, _RADIUS)
        keep = ~is_anion[centers] & is_anion[points] & (distances > 0.5)
        centers, points = centers[keep], points[keep]
        images, distances = images[keep].astype(np.int64), distances[keep]
        order = np.lexsort((distances, centers))
        positions = crystal.positions
        centers, points, images, distances = centers[order], points[order], images[order], distances[order]
        vectors = positions[points] + images @ crystal.cell - positions[centers]
        starts = np.searchsorted(centers, np.arange(len(positions) + 1))
        image_list, point_list, distance_list = images.tolist(), points.tolist(), distances.tolist()
        for center in np.flatnonzero(~is_anion).tolist():
            start, end = int(starts[center]), int(starts[center + 1])
            end = min(end, start + 13)
            self._shells[center] = [
                (distance_list[place], point_list[place], tuple(image_list[place])) for place in range(start, end)
            ]
            self._vectors[center] = vectors[start:end]

    def coordination(self, center: int) -> int:
        """
        Count the anions around an atom up to the largest relative gap between their distances.

        Args:
            center: Index of the atom.

        Returns:
            The number, 0 if no anion is near.
        """
        distances = [entry[0] for entry in self._shells[center]]
        if not distances:
            return 0
        inside = [distance for distance in distances if distance <= 1.45 * distances[0]]
        beyond = distances[len(inside)] if len(inside) < len(distances) else max(1.3 * inside[-1], 1.45 * distances[0])
        ratios = np.array([*inside[1:], beyond]) / np.array(inside)
        return int(np.argmax(ratios)) + 1

    def opposite(self, center: int, number: int) -> int:
        """
        Count the pairs of the nearest anions that lie opposite each other.

        Args:
            center: Index of the atom.
            number: Number of nearest anions.
        """
        vectors = self._vectors[center][:number]
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return int((np.triu(units @ units.T, 1) < np.cos(np.radians(_OPPOSITE))).sum())

    @cached_property
    def shapes(self) -> dict[int, str]:
        """Shape of the polyhedron of each atom that has one."""
        return {entry.center: entry.shape for entry in self.all}

    @cached_property
    def all(self) -> tuple[Polyhedron, ...]:
        """The octahedra, prisms, tetrahedra and squares."""
        found = []
        for center, shell in self._shells.items():
            distances = [entry[0] for entry in shell]
            for number in (4, 6):
                if len(distances) < number or distances[number - 1] > _SPREAD[number] * distances[0]:
                    continue
                if self._beyond(center, number) < _GAP * distances[number - 1]:
                    continue
                pairs = self.opposite(center, number)
                shape = {(6, 3): "octahedron", (6, 0): "prism", (4, 0): "tetrahedron", (4, 2): "square"}.get(
                    (number, pairs)
                )
                if shape is not None and not (number == 4 and self._is_octahedral(center)):
                    found.append(Polyhedron(center, shape, tuple((entry[1], entry[2]) for entry in shell[:number])))
                    break
        return tuple(found)

    def _beyond(self, center: int, number: int) -> float:
        """Distance of the first anion after the nearest ones, in Å."""
        shell = self._shells[center]
        return shell[number][0] if len(shell) > number else _RADIUS

    def _is_octahedral(self, center: int) -> bool:
        """Whether four near anions and two farther ones make an octahedron: Cu2+, Mn3+."""
        distances = [entry[0] for entry in self._shells[center]]
        return (
            len(distances) >= 6
            and distances[5] <= _SPREAD[6] * distances[0]
            and self._beyond(center, 6) >= _GAP * distances[5]
            and self.opposite(center, 6) == 3
        )

    def of_shape(self, shape: str) -> list[Polyhedron]:
        """
        List the polyhedra of a shape.

        Args:
            shape: `octahedron`, `prism`, `tetrahedron` or `square`.
        """
        return [entry for entry in self.all if entry.shape == shape]


def shared_corners(first: list[Polyhedron], second: list[Polyhedron]) -> dict[int, dict[Corner, int]]:
    """
    Count the corners that polyhedra share.

    Args:
        first: Polyhedra.
        second: Polyhedra, the same list or others.

    Returns:
        Center of each of the first -> (center and image of one of the second) -> number of shared corners. A polyhedron
        does not share corners with itself, but with its images.
    """
    owners: dict[int, list[Corner]] = defaultdict(list)
    for entry in second:
        for corner, image in entry.corners:
            owners[corner].append((entry.center, image))
    shared: dict[int, dict[Corner, int]] = {}
    for entry in first:
        counts: Counter[Corner] = Counter()
        for corner, image in entry.corners:
            for center, other in owners[corner]:
                shift = (image[0] - other[0], image[1] - other[1], image[2] - other[2])
                if center != entry.center or shift != (0, 0, 0):
                    counts[(center, shift)] += 1
        shared[entry.center] = dict(counts)
    return shared


def periodicity(neighbors: dict[int, list[Corner]]) -> int:
    """
    Return in how many directions the largest connected part of a periodic graph extends.

    Args:
        neighbors: Node -> neighbours with their lattice images.

    Returns:
        0 to 3.
    """
    best = 0
    seen: dict[int, np.ndarray] = {}
    for root in neighbors:
        if root in seen:
            continue
        seen[root] = np.zeros(3, dtype=np.int64)
        stack, cycles = [root], []
        while stack:
            node = stack.pop()
            for other, image in neighbors[node]:
                place = seen[node] + np.array(image)
                if other not in seen:
                    seen[other] = place
                    stack.append(other)
                elif (step := place - seen[other]).any():
                    cycles.append(step)
        if cycles:
            best = max(best, int(np.linalg.matrix_rank(np.unique(np.array(cycles), axis=0))))
    return best


def shells(neighbors: dict[int, list[Corner]], root: int, number: int) -> list[int]:
    """
    Count the nodes of a periodic graph at each number of steps from one of them.

    Args:
        neighbors: Node -> neighbours with their lattice images.
        root: The node to start from.
        number: Number of steps.
    """
    reached = {(root, (0, 0, 0))}
    front = set(reached)
    counts = []
    for _ in range(number):
        front = {
            (other, (image[0] + step[0], image[1] + step[1], image[2] + step[2]))
            for node, image in front
            for other, step in neighbors[node]
        } - reached
        reached |= front
        counts.append(len(front))
    return counts


__all__ = ["Corner", "Polyhedra", "Polyhedron", "periodicity", "shared_corners", "shells"]
