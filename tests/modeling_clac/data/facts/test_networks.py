"""Periodic networks: dimension, components and coordination sequences, with known nets and random graphs."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from modeling_clac.crystal_clac import crystal_from_pymatgen
from modeling_clac.data.facts.polyhedra import Corner, Polyhedron, periodicity, shared_corners, shells
from modeling_clac.data.facts.surroundings import Component, Network, Surroundings, shared_ligands

Link = tuple[int, int, tuple[int, int, int]]
# Nets of one or more nodes: links (each once), dimension, and neighbours of the first shells (O'Keeffe and Hyde 1996).
NETS: dict[str, tuple[list[Link], int, list[int]]] = {
    "chain": ([(0, 0, (0, 0, 1))], 1, [2, 2, 2, 2]),
    "zigzag": ([(0, 1, (0, 0, 0)), (1, 0, (1, 0, 0))], 1, [2, 2, 2, 2]),
    "diagonal chain": ([(0, 0, (1, -1, 2))], 1, [2, 2, 2]),
    "double chain": ([(0, 0, (2, 0, 0)), (0, 0, (3, 0, 0))], 1, [4, 8, 6, 6]),
    "square": ([(0, 0, (1, 0, 0)), (0, 0, (0, 1, 0))], 2, [4, 8, 12, 16]),
    "oblique square": ([(0, 0, (1, 1, 0)), (0, 0, (0, 1, 1))], 2, [4, 8, 12, 16]),
    "triangular": ([(0, 0, (1, 0, 0)), (0, 0, (0, 0, 1)), (0, 0, (1, 0, 1))], 2, [6, 12, 18]),
    "honeycomb": ([(0, 1, (0, 0, 0)), (0, 1, (-1, 0, 0)), (0, 1, (0, -1, 0))], 2, [3, 6, 9, 12]),
    "cubic": ([(0, 0, (1, 0, 0)), (0, 0, (0, 1, 0)), (0, 0, (0, 0, 1))], 3, [6, 18, 38, 66]),
    "diamond": ([(0, 1, i) for i in ((0, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, -1))], 3, [4, 12, 24, 42, 64]),
    "bcc": ([(0, 0, i) for i in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1))], 3, [8, 26, 56]),
    "fcc": (
        [(0, 0, i) for i in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, -1, 0), (1, 0, -1), (0, 1, -1))], 3, [12, 42, 92],
    ),
    "molecule": ([(0, 1, (0, 0, 0)), (1, 2, (1, 0, 0)), (0, 2, (1, 0, 0))], 0, [2, 0]),
    "shifted pair": ([(0, 1, (2, -1, 3))], 0, [1, 0, 0]),
}  # fmt: skip


def graph(links: list[Link]) -> dict[int, list[Corner]]:
    neighbors: dict[int, list[Corner]] = {node: [] for first, second, _ in links for node in (first, second)}
    for first, second, image in links:
        neighbors[first].append((second, image))
        neighbors[second].append((first, (-image[0], -image[1], -image[2])))
    return neighbors


def network(links: list[Link], nodes: int) -> Network:
    found = Network(nodes)
    for first, second, image in links:
        found.link(first, second, image)
    return found


@pytest.mark.parametrize("name", NETS)
def test_known_nets(name: str) -> None:
    links, dimension, sequence = NETS[name]
    neighbors = graph(links)
    assert shells(neighbors, 0, len(sequence)) == sequence
    assert periodicity(neighbors) == dimension
    count = len(neighbors)
    for order in itertools.islice(itertools.permutations(links), 30):
        found = network(list(order), count)
        assert found.dimension == dimension
        assert found.components(range(count)) == [Component(dimension, count, len(links))]
        reverse = [(second, first, (-x, -y, -z)) for first, second, (x, y, z) in order]
        assert network(reverse, count).dimension == dimension


def test_the_highest_dimension_of_several_parts_counts() -> None:
    """A layer, a chain, a pair and a single node, in any order."""
    parts: list[list[Link]] = [
        [(0, 0, (1, 0, 0)), (0, 0, (0, 1, 0))],
        [(1, 2, (0, 0, 0)), (2, 1, (0, 0, 1))],
        [(3, 4, (0, 1, 0))],
    ]
    expected = {0: Component(2, 1, 2), 1: Component(1, 2, 2), 3: Component(0, 2, 1), 5: Component(0, 1, 0)}
    for order in itertools.permutations(parts):
        links = [link for part in order for link in part]
        found = network(links, 6)
        assert found.dimension == 2
        assert sorted(found.components(range(6))) == sorted(expected.values())
        for node, part in expected.items():
            assert found.components([node]) == [part]
        assert periodicity(graph(links)) == 2
    assert network([], 3).dimension == 0 and periodicity({0: []}) == 0


def brute_force(links: list[Link], nodes: int) -> list[Component]:
    """Components by networkx, and the rank of the sums of images along all cycles of a spanning forest."""
    plain = nx.MultiGraph()
    plain.add_nodes_from(range(nodes))
    plain.add_edges_from((first, second) for first, second, _ in links)
    found = []
    for members in nx.connected_components(plain):
        inside = [link for link in links if link[0] in members]
        place = {min(members): np.zeros(3, dtype=int)}
        while len(place) < len(members):
            for first, second, image in inside:
                if first in place and second not in place:
                    place[second] = place[first] + image
                elif second in place and first not in place:
                    place[first] = place[second] - image
        cycles = [place[first] + image - place[second] for first, second, image in inside]
        rank = int(np.linalg.matrix_rank(np.array(cycles))) if cycles else 0
        found.append(Component(rank, len(members), len(inside)))
    return sorted(found)


@settings(max_examples=150, deadline=None)
@given(
    nodes=st.integers(1, 6),
    raw=st.lists(st.tuples(*[st.integers(0, 5)] * 2, st.tuples(*[st.integers(-2, 2)] * 3)), max_size=9),
)
def test_random_networks(nodes: int, raw: list[Link]) -> None:
    links = [(first % nodes, second % nodes, image) for first, second, image in raw]
    found, expected = network(links, nodes), brute_force(links, nodes)
    assert sorted(found.components(range(nodes))) == expected
    assert found.dimension == max(part.dimension for part in expected)
    alone: dict[int, list[Corner]] = {node: [] for node in range(nodes)}
    neighbors = alone | graph(links)
    assert periodicity(neighbors) == found.dimension


def octahedron(center: int, *corners: Corner) -> Polyhedron:
    return Polyhedron(center, "octahedron", corners)


def test_shared_corners_count_images() -> None:
    """Two polyhedra that share one corner in the cell and two with the image of the other one along a."""
    here, next_cell = (0, 0, 0), (1, 0, 0)
    first = octahedron(0, (5, here), (6, here), (7, here))
    second = octahedron(1, (5, here), (6, (-1, 0, 0)), (7, (-1, 0, 0)))
    assert shared_corners([first], [second]) == {0: {(1, here): 1, (1, next_cell): 2}}
    assert shared_corners([second], [first]) == {1: {(0, here): 1, (0, (-1, 0, 0)): 2}}
    both = shared_corners([first, second], [first, second])
    assert both == {0: {(1, here): 1, (1, next_cell): 2}, 1: {(0, here): 1, (0, (-1, 0, 0)): 2}}
    # It shares corners with its own images, but not with itself.
    chain = octahedron(2, (8, here), (8, (0, 0, 1)))
    assert shared_corners([chain], [chain]) == {2: {(2, (0, 0, 1)): 1, (2, (0, 0, -1)): 1}}
    assert shared_corners([chain], []) == {2: {}}


@pytest.mark.parametrize(
    ("kind", "size", "dimension", "links"),
    # Tetrahedra AX4 on a cubic grid: far from each other, or three in a row at shared corners.
    [("alone", 1, 0, 0), ("pair", 2, 0, 1), ("chain", 1, 1, 1)],
)
def test_centres_that_share_ligands_are_linked(kind: str, size: int, dimension: int, links: int) -> None:
    bond = 1.6
    cell = Lattice.orthorhombic(2 * bond if kind == "chain" else 9.0, 9.0, 9.0)
    positions = [[0.0, 0.0, 0.0], [bond, 0.0, 0.0], [0.0, bond, 0.0]]
    symbols = ["Si", "O", "O"]
    if kind == "pair":
        positions.append([2 * bond, 0.0, 0.0])
        symbols.append("Si")
    sites = Surroundings.of(
        crystal_from_pymatgen(Structure(cell, symbols, positions, coords_are_cartesian=True), "silicate")
    )
    found = shared_ligands(sites, sites.pairs("Si", "O", 1.7))
    silicon = np.flatnonzero(sites.numbers == 14).tolist()
    assert found.components(silicon) == [Component(dimension, size, links)]


@pytest.mark.parametrize("shift", [(0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5), (0.55, 0.45, 0.5)])
@pytest.mark.parametrize("repeat", [9.0, 4 * 1.6])
def test_rings_and_chains_across_the_faces_of_the_cell(shift: tuple[float, ...], repeat: float) -> None:
    """Four silicon atoms in a square ring with oxygen between them, and a straight chain."""
    bond = 1.6
    if repeat == 9.0:
        silicon = np.array([[1, 1, 0], [-1, 1, 0], [-1, -1, 0], [1, -1, 0]]) * bond
        oxygen = np.array([[0, 1, 0], [-1, 0, 0], [0, -1, 0], [1, 0, 0]]) * bond
        expected = Component(0, 4, 4)
    else:
        silicon = np.array([[0, 0, 0], [0, 0, 2]]) * bond
        oxygen = np.array([[0, 0, 1], [0, 0, 3]]) * bond
        expected = Component(1, 2, 2)
    cell = Lattice.tetragonal(9.0, repeat)
    positions = np.concatenate([silicon, oxygen])
    fractions = (positions @ np.linalg.inv(cell.matrix) + shift) % 1.0
    symbols = ["Si"] * len(silicon) + ["O"] * len(oxygen)
    sites = Surroundings.of(crystal_from_pymatgen(Structure(cell, symbols, fractions), "silicate"))
    found = shared_ligands(sites, sites.pairs("Si", "O", 1.7))
    assert found.components(range(len(silicon))) == [expected]
