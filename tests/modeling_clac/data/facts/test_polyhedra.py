"""Shapes of polyhedra and ends of coordination shells: ideal ones, and distorted ones on both sides of each limit."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from modeling_clac.crystal_clac import Crystal, crystal_from_pymatgen
from modeling_clac.data.facts.coordination import first_shell, shape_of
from modeling_clac.data.facts.polyhedra import Polyhedra

AXES = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
TETRAHEDRON = [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]
CUBE = [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]


GOLDEN = (1 + 5**0.5) / 2


def named(corners: Sequence[Sequence[float]]) -> str:
    directions = np.array(corners, dtype=float)
    return shape_of(directions / np.linalg.norm(directions, axis=1, keepdims=True))


def at(*angles: float) -> list[list[float]]:
    """Directions in the x-y plane, in degrees from x."""
    return [[math.cos(math.radians(angle)), math.sin(math.radians(angle)), 0.0] for angle in angles]


def cone(count: int, polar: float, turn: float = 0.0) -> list[list[float]]:
    """Directions at one angle from z, evenly around it, in degrees."""
    around = [math.radians(turn + 360 * step / count) for step in range(count)]
    z, r = math.cos(math.radians(polar)), math.sin(math.radians(polar))
    return [[r * math.cos(phi), r * math.sin(phi), z] for phi in around]


# Close packing ABA of the anticuboctahedron: six in the plane, three above and three below at the same places.
ABOVE = math.degrees(math.acos(math.sqrt(2 / 3)))
TWELVE: dict[str, Sequence[Sequence[float]]] = {
    "cuboctahedron": [v for a in (-1, 1) for b in (-1, 1) for v in ([a, b, 0], [a, 0, b], [0, a, b])],
    "icosahedron": [v for a in (-1, 1) for b in (-GOLDEN, GOLDEN) for v in ([0, a, b], [a, b, 0], [b, 0, a])],
    "anticuboctahedron": [*cone(6, 90), *cone(3, ABOVE, 30), *cone(3, 180 - ABOVE, 30)],
}


@pytest.mark.parametrize(
    ("angle", "shape"), [(180, "linear"), (161, "linear"), (159, "bent"), (104.5, "bent"), (60, "bent")]
)
def test_two_corners(angle: float, shape: str) -> None:
    assert named(at(0, angle)) == shape


@pytest.mark.parametrize(
    ("polar", "shape"),
    [(90, "trigonal-planar"), (82, "trigonal-planar"), (78, "trigonal-pyramid"), (70, "trigonal-pyramid")],
)
def test_three_corners(polar: float, shape: str) -> None:
    """The angles of a flat pyramid add up to 350.9° at 82° from the axis, and to 345° at 78°."""
    assert named(cone(3, polar)) == shape


def test_three_corners_at_right_angles_and_in_a_t() -> None:
    assert named(AXES[::2]) == "trigonal-pyramid" and named(at(0, 90, 180)) == "trigonal-planar"


@pytest.mark.parametrize(
    ("largest", "shape"),
    # τ4 = (360° - α - β) / 141° with two equal largest angles.
    [
        (109.4712, "tetrahedron"),
        (126, "tetrahedron"),
        (128, ""),
        (150, ""),
        (161, ""),
        (163.5, "square-planar"),
        (180, "square-planar"),
    ],
)
def test_four_corners(largest: float, shape: str) -> None:
    """A tetrahedron that is flattened along z."""
    half = largest / 2
    assert named([*cone(2, half), *cone(2, 180 - half, 90)]) == shape


def test_four_corners_with_a_small_angle_are_no_tetrahedron() -> None:
    """Two corners come closer to each other, and the others make up for it: angles of 82° and of 78°."""
    for small, shape in ((84, "tetrahedron"), (76, "")):
        assert named([*cone(2, small / 2), *cone(2, 180 - 109.4712 / 2, 90)]) == shape


@pytest.mark.parametrize(
    ("largest", "second", "shape"),
    # τ5 = (α - β) / 60°: 1 in a trigonal bipyramid, 0 in a square pyramid.
    [(180, 120, "trigonal-bipyramid"), (180, 142, "trigonal-bipyramid"), (180, 146, ""), (180, 154, ""),
    (180, 158, "square-pyramid"),
     (180, 180, "square-pyramid"), (150, 150, "square-pyramid"), (132, 132, "square-pyramid"), (128, 128, "")],
)  # fmt: skip
def test_five_corners(largest: float, second: float, shape: str) -> None:
    """One apex, and two pairs of corners that are bent away from it."""
    assert named([[0.0, 0.0, 1.0], *cone(2, largest / 2), *cone(2, second / 2, 90)]) == shape


def test_prisms_are_no_octahedra() -> None:
    """Two triangles that are turned against each other by 60° make an octahedron, and an ideal prism by 0°."""
    for turn, polar, shape in ((60, 54.7356, "octahedron"), (60, 49.1, "octahedron"), (0, 49.1, "trigonal-prism")):
        assert named([*cone(3, polar), *cone(3, 180 - polar, turn)]) == shape
    assert named([*cone(3, 62), *cone(3, 118)]) == ""


def documented(corners: np.ndarray) -> str:
    """The names of six, eight and twelve corners by the limits of their angles in degrees."""
    angles = sorted(
        math.degrees(math.acos(max(-1, min(1, float(a @ b))))) for a, b in itertools.combinations(corners, 2)
    )
    if len(corners) == 6:
        if sum(angle > 140 for angle in angles) == 3 and angles[0] > 50 and angles[11] < 125:
            return "octahedron"
        is_prism = angles[0] > 60 and angles[8] < 110 and angles[9] > 115 and angles[14] < 160
        return "trigonal-prism" if is_prism else ""
    straight = sum(angle > 165 for angle in angles)
    if len(corners) == 8:
        if straight == 4 and angles[0] > 60:
            return "cube"
        return "square-antiprism" if straight == 0 and angles[0] > 58 and angles[27] < 155 else ""
    if straight == 6 and angles[0] > 45:
        if sum(78 < angle < 102 for angle in angles) >= 12:
            return "cuboctahedron"
        return "icosahedron" if angles[0] > 55 else ""
    return "anticuboctahedron" if straight == 3 and angles[0] > 50 else ""


@pytest.mark.parametrize("shape", ["octahedron", "trigonal-prism", "cube", "square-antiprism", *TWELVE])
def test_distorted_polyhedra(shape: str) -> None:
    """Ideal polyhedra whose corners are moved at random, and those that are stretched or flattened along z."""
    ideal = {
        "octahedron": AXES, "trigonal-prism": [*cone(3, 49.1), *cone(3, 130.9)], "cube": CUBE,
        "square-antiprism": [*cone(4, 59.3), *cone(4, 120.7, 45)], **TWELVE,
    }[shape]  # fmt: skip
    generator = np.random.default_rng(len(shape))
    names = set()
    for step in range(400):
        corners = np.array(ideal, dtype=float)
        corners /= np.linalg.norm(corners, axis=1, keepdims=True)
        if step % 4:
            corners += generator.normal(size=corners.shape) * generator.random() * 0.3
        corners *= [1, 1, math.exp(generator.normal() * 0.25)]
        corners /= np.linalg.norm(corners, axis=1, keepdims=True)
        names.add(shape_of(corners))
        assert shape_of(corners) == documented(corners)
    assert {shape, ""} <= names


def test_bent_octahedra() -> None:
    """Two opposite corners move off the axis until they are at 150° and at 130°."""
    for angle, shape in ((150, "octahedron"), (130, "")):
        ends = [
            [math.sin(math.radians((180 - angle) / 2)), 0, sign * math.cos(math.radians((180 - angle) / 2))]
            for sign in (1, -1)
        ]
        assert named([*AXES[:4], *ends]) == shape


def test_eight_corners() -> None:
    assert named(CUBE) == "cube"
    square = [*cone(4, 59.3), *cone(4, 180 - 59.3, 45)]
    assert named(square) == "square-antiprism"
    # Turned back to a prism, four pairs are opposite each other: at 59.3° it is a flat cube.
    assert named([*cone(4, 59.3), *cone(4, 180 - 59.3)]) == "cube"
    # Edges of 58° end the antiprism, edges of 60° the cube.
    assert named([*cone(4, 43.5), *cone(4, 180 - 43.5, 45)]) == "square-antiprism"
    assert named([*cone(4, 42.5), *cone(4, 180 - 42.5, 45)]) == ""
    assert named([*cone(4, 46), *cone(4, 134)]) == "cube" and named([*cone(4, 44), *cone(4, 136)]) == ""


def test_twelve_corners() -> None:
    for shape, corners in TWELVE.items():
        assert named(corners) == shape
    # The hexagonal prism of boron around magnesium in MgB2.
    assert named([*cone(6, 45.3), *cone(6, 134.7)]) == ""


@pytest.mark.parametrize("count", [1, 7, 9, 10, 11, 13])
def test_other_numbers_of_corners_have_no_name(count: int) -> None:
    assert named(cone(count, 90)) == ""


@pytest.mark.parametrize(
    ("distances", "number"),
    [
        # Na in rock salt, Cs in CsCl, Ti in rutile.
        ([2.82] * 6 + [4.88] * 8, 6), ([3.57] * 8, 8), ([1.95] * 4 + [1.98] * 2 + [3.49] * 4, 6),
        # The largest gap is the end, the first of two equal ones; those below 6 % are none.
        ([2.0, 2.2, 2.6, 2.8, 3.05], 2), ([2.0, 2.2, 2.42, 2.6], 4),
        ([2.0] * 4 + [2.13] * 4 + [2.24, 2.36, 2.48, 2.6, 2.74, 2.88, 3.0, 3.1], 4),
        ([4.0 * 1.05**step for step in range(7)], 0), ([4.0 * 1.07**step for step in range(5)], 1),
        # Neighbours beyond 1.5 times the shortest distance are none, whatever the gaps.
        ([2.0, 2.9, 3.3], 1), ([2.0, 2.05, 3.0, 3.05], 2), ([1.0, 1.02, 1.49, 1.51, 3.0], 2), ([2.0, 3.0, 5.4], 2),
        ([2.0, 3.01, 5.4], 1),
        # Nothing is known beyond 5.5 Å.
        ([5.0, 5.1], 2), ([5.2, 5.3], 0), ([5.6], 0), ([3.0], 1),
    ],
)  # fmt: skip
def test_first_shell(distances: list[float], number: int) -> None:
    assert first_shell(np.array(distances)) == number


def cluster(corners: Sequence[Sequence[float]], lengths: list[float] | float = 2.0, extra: float = 0.0) -> Polyhedra:
    """One metal atom in a large cell, with anions in the given directions, and one more at another distance."""
    directions = np.array(corners, dtype=float)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    places = directions * np.broadcast_to(np.asarray(lengths, dtype=float), (len(corners),))[:, None]
    if extra:
        places = np.concatenate([places, [[extra / 3**0.5] * 3]])
    structure = Structure(
        Lattice.cubic(30), ["Ti", *["O"] * len(places)], np.concatenate([np.zeros((1, 3)), places]) + 15,
        coords_are_cartesian=True,
    )  # fmt: skip
    return Polyhedra(crystal_from_pymatgen(structure, "cluster"), np.array([False, *[True] * len(places)]))


def shape_in(found: Polyhedra) -> str | None:
    return found.shapes.get(0)


@pytest.mark.parametrize(
    ("corners", "shape"),
    [
        (AXES, "octahedron"), (TETRAHEDRON, "tetrahedron"), (AXES[:4], "square"),
        ([*cone(3, 49.1), *cone(3, 130.9)], "prism"), (AXES[:5], None), (AXES[:3], None), (CUBE, None),
        # One opposite pair among four, or two among six, has no name.
        ([*at(0, 180), *cone(2, 30, 90)], None), ([*AXES[:4], *cone(2, 40, 45)], None),
    ],
)  # fmt: skip
def test_shapes(corners: Sequence[Sequence[float]], shape: str | None) -> None:
    found = cluster(corners)
    assert shape_in(found) == shape
    assert found.coordination(0) == len(corners)
    assert [entry.shape for entry in found.all] == ([shape] if shape else [])
    for name in ("octahedron", "prism", "tetrahedron", "square"):
        chosen = found.of_shape(name)
        assert [entry.center for entry in chosen] == ([0] if name == shape else [])
        assert all(sorted(site for site, _ in entry.corners) == list(range(1, len(corners) + 1)) for entry in chosen)


@pytest.mark.parametrize(("angle", "number"), [(180, 1), (144, 1), (142, 0), (90, 0)])
def test_opposite_anions(angle: float, number: int) -> None:
    assert cluster(at(0, angle)).opposite(0, 2) == number
    # Only the nearest ones count.
    assert cluster(at(0, angle), [2.0, 2.1]).opposite(0, 1) == 0


@pytest.mark.parametrize(
    ("corners", "longest", "shape"),
    [
        (AXES, 3.48, "octahedron"), (AXES, 3.52, None), (TETRAHEDRON, 2.68, "tetrahedron"), (TETRAHEDRON, 2.72, None),
    ],
)  # fmt: skip
def test_distances_may_differ_by_so_much(corners: Sequence[Sequence[float]], longest: float, shape: str | None) -> None:
    """The farthest anion is at most 1.75 times as far as the nearest one in octahedra, and 1.35 times in tetrahedra."""
    assert shape_in(cluster(corners, [2.0] * (len(corners) - 1) + [longest])) == shape


@pytest.mark.parametrize(
    ("corners", "extra", "is_shape"),
    [(AXES, 2.28, True), (AXES, 2.24, False), (TETRAHEDRON, 2.28, True), (TETRAHEDRON, 2.24, False)],
)
def test_the_next_anion_is_farther(corners: Sequence[Sequence[float]], extra: float, is_shape: bool) -> None:
    """By a factor of 1.13."""
    assert (shape_in(cluster(corners, 2.0, extra)) is not None) == is_shape


@pytest.mark.parametrize(("length", "shape"), [(3.95, "octahedron"), (4.0, None), (4.4, None)])
def test_anions_near_the_limit_of_the_search(length: float, shape: str | None) -> None:
    """Beyond 4.5 Å the next anion is not seen, so that corners are at most 3.98 Å away."""
    assert shape_in(cluster(AXES, length)) == shape


@pytest.mark.parametrize(
    ("far", "shape"),
    # Four near and two far anions of Cu(II) are an octahedron, unless the far ones are too far.
    [(2.0, "octahedron"), (2.4, "octahedron"), (3.4, "octahedron"), (3.55, "square")],
)
def test_stretched_octahedra(far: float, shape: str) -> None:
    assert shape_in(cluster(AXES, [2.0] * 4 + [far] * 2)) == shape


def test_four_near_anions_of_a_stretched_octahedron_with_a_seventh_anion_are_a_square() -> None:
    assert shape_in(cluster(AXES, [2.0] * 4 + [2.6] * 2, 2.8)) == "square"
    assert shape_in(cluster(AXES, [2.0] * 4 + [2.6] * 2, 3.0)) == "octahedron"


@pytest.mark.parametrize(
    ("lengths", "number"),
    [
        ([2.0] * 6, 6), ([2.0] * 4 + [2.65] * 2, 4), ([2.0, 2.1, 2.2, 2.3, 2.4, 2.5], 6), ([2.0] * 4 + [2.88] * 2, 4),
        # Anions beyond 1.45 times the shortest distance are not counted.
        ([2.0] * 4 + [2.95] * 2, 4), ([2.0, 2.0, 2.5, 2.5, 2.92, 4.0], 2),
        # The end is at 1.3 times the last distance, or 1.45 times the first one.
        ([2.0] * 5 + [2.62], 5), ([2.0] * 5 + [2.58], 6), ([2.0, 2.86, 2.86, 2.86, 2.86, 2.86], 1),
    ],
)  # fmt: skip
def test_numbers_of_anions(lengths: list[float], number: int) -> None:
    assert cluster(AXES, lengths).coordination(0) == number


def test_no_anion_is_near() -> None:
    found = cluster(AXES[:1], 4.6)
    assert found.coordination(0) == 0 and found.all == ()


def test_atoms_on_one_place_are_no_corners() -> None:
    """An anion on top of the metal, as a placeholder, does not count."""
    crystal = Crystal(np.array([22, 8, 8]), np.array([[0.0, 0, 0], [0, 0, 0.4], [0, 0, 2.0]]), np.eye(3) * 12)
    assert Polyhedra(crystal, np.array([False, True, True])).coordination(0) == 1


def test_corners_have_the_images_of_the_cell() -> None:
    """Rock salt in the primitive cell: six images of one anion around the metal."""
    structure = Structure(
        Lattice([[0, 2.1, 2.1], [2.1, 0, 2.1], [2.1, 2.1, 0]]), ["Mg", "O"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    )
    (found,) = Polyhedra(crystal_from_pymatgen(structure, "MgO"), np.array([False, True])).all
    assert found.center == 0 and found.shape == "octahedron"
    oxygen = structure.lattice.get_cartesian_coords(structure.frac_coords[1])
    places = [oxygen + np.array(image) @ structure.lattice.matrix for _, image in found.corners]
    np.testing.assert_allclose(
        sorted(map(tuple, np.round(places, 6) + 0.0)), sorted(tuple(2.1 * np.array(v)) for v in AXES)
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.center = 1  # type: ignore[misc]
