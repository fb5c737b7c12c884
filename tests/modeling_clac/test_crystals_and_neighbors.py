"""Crystals as arrays: limits of what is accepted, mixed sites, neighbours by plain loops, and atoms that are close."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Element, Lattice, Structure

from modeling_clac import crystal_clac, neighbors_clac
from modeling_clac.contacts_clac import allowed_pairs, overlapping_atoms, shortest_contact
from modeling_clac.crystal_clac import (
    Crystal,
    ReadingOptions,
    atomic_mass,
    check_crystal,
    check_size,
    crystal_from_pymatgen,
    density_of,
    make_crystal,
    neighbor_pairs,
    partly_periodic,
    refuse_disorder,
    site_of_each_atom,
)
from modeling_clac.errors_clac import ClacInputError, InvalidStructureError
from modeling_clac.neighbors_clac import check_extent, compact_cell, find_neighbors

CUBE = np.eye(3) * 4.0


def crystal(numbers: list[int], positions: Any, cell: Any = CUBE, occupancy: list[float] | None = None) -> Crystal:
    shares = None if occupancy is None else np.array(occupancy)
    return Crystal(np.array(numbers), np.array(positions, dtype=float), np.array(cell, dtype=float), shares)


# ------------------------------------------------------------------------------------------------- values


def test_options_and_limits() -> None:
    options = ReadingOptions()
    assert (options.max_atoms, options.disorder, options.strict) == (10_000, "keep", False)
    assert crystal_clac.DENSITY_RANGE == (0.1, 30.0) and crystal_clac.OCCUPANCY_TOLERANCE == 0.02
    assert crystal_clac.SAME_SITE == 0.05 and crystal_clac.MAX_LENGTH == 10_000
    for disorder in ("keep", "refuse", "order"):
        assert ReadingOptions(disorder=disorder).disorder == disorder
    with pytest.raises(ClacInputError, match="disorder='drop': choose keep, refuse or order"):
        ReadingOptions(disorder="drop")
    for value, name in ((options, "strict"), (crystal([1], [[0, 0, 0]]), "cell")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, None)


@pytest.mark.parametrize("number", range(1, 119))
def test_masses_are_those_of_pymatgen(number: int) -> None:
    # Isotopes of radioactive elements are chosen differently.
    assert atomic_mass(number) == pytest.approx(Element.from_Z(number).atomic_mass, rel=1e-3 if number <= 83 else 0.03)


def test_density_and_amounts() -> None:
    # Caesium chloride: 168.36 u in 4.123³ Å³ are 3.99 g/cm³.
    salt = crystal([55, 17], [[0, 0, 0], [2.06] * 3], np.eye(3) * 4.123)
    assert salt.density == pytest.approx(3.988, abs=2e-3) and salt.volume == pytest.approx(4.123**3)
    assert density_of(1.0, 1.0) == pytest.approx(1.66053907)
    assert (len(salt), salt.is_ordered, salt.num_occupied, salt.weights.tolist()) == (2, True, 2.0, [1.0, 1.0])
    half = crystal([55, 17], salt.positions, salt.cell, [0.5, 1.0])
    assert (half.is_ordered, half.num_occupied, half.weights.tolist()) == (False, 1.5, [0.5, 1.0])
    assert half.density == pytest.approx((132.905 / 2 + 35.45) / 4.123**3 * 1.66053907, rel=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_volumes_are_determinants(seed: int) -> None:
    cell = np.random.default_rng(seed).normal(size=(3, 3)) * 3
    assert crystal([1], [[0, 0, 0]], cell).volume == pytest.approx(abs(np.linalg.det(cell)))


@pytest.mark.parametrize(
    ("periodic", "number"), [((True,) * 3, 3), ((True, True, False), 2), ((False, True, False), 1), ((False,) * 3, 0)]
)
def test_directions_that_are_not_periodic(periodic: tuple[bool, bool, bool], number: int) -> None:
    warnings = partly_periodic(periodic)
    assert warnings == () if number == 3 else f"periodic in {number} directions only" in warnings[0]
    structure = Structure(Lattice(np.eye(3) * 4, pbc=periodic), ["Cu"], [[0, 0, 0]])
    assert crystal_from_pymatgen(structure, "x").warnings == warnings


# ------------------------------------------------------------------------------------------------- checks


def message(made: Crystal, max_atoms: int | None = None) -> str:
    with pytest.raises(InvalidStructureError) as error:
        check_crystal(made, "x", max_atoms)
    return str(error.value)


def test_numbers_of_atoms() -> None:
    check_size(5, "x", 5)
    check_size(10**9, "x", None)
    with pytest.raises(InvalidStructureError, match=r"^x: 1,001 atoms in the cell exceed the limit of 1,000; "):
        check_size(1001, "x", 1000)
    with pytest.raises(InvalidStructureError, match="x: at least 6 atoms"):
        check_size(6, "x", 5, at_least=True)
    assert "no atoms" in message(crystal([], np.zeros((0, 3))))
    assert "2 atoms in the cell exceed the limit of 1" in message(crystal([1, 1], [[0, 0, 0], [2, 2, 2]]), 1)
    assert check_crystal(crystal([14, 14], [[0, 0, 0], [2, 2, 2]]), "x", 2) == ""


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (np.diag([math.nan, 4, 4]), "NaN or infinite"), (np.diag([math.inf, 4, 4]), "NaN or infinite"),
        (np.zeros((3, 3)), "no cell"), ([[4, 0, 0], [0, 4, 0], [4, 4, 0]], "no volume"),
        (np.diag([0.1, 0.1, 0.0999]), "no volume"), (np.diag([20_000.0, 4, 4]), "lattice vector of 20,000 Å"),
        ([[7_000, 10_001, 0], [0, 4, 0], [0, 0, 4]], "lattice vector of 12,207 Å"),
        (np.diag([4, 4, 0.29]), "overlap with their own images: the shortest lattice translation is 0.29 Å"),
    ],
)  # fmt: skip
def test_cells_that_are_refused(cell: Any, reason: str) -> None:
    assert reason in message(crystal([6], [[0, 0, 0]], cell))


@pytest.mark.parametrize(
    "cell",
    [
        np.diag([10_000.0, 4, 4]),
        np.diag([-9_000.0, 3, 3]),
        np.diag([4, 4, 0.31]),
        [[4, 0, 0], [4000.1, 4, 0], [0, 0, 4]],
    ],
)
def test_cells_that_are_accepted(cell: Any) -> None:
    check_crystal(crystal([6], [[0, 0, 0]], cell), "x", None)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_infinite_values_that_cancel() -> None:
    """The sum of infinity and -infinity is not finite; neither is that of numbers near the largest one."""
    cell = np.diag([math.inf, -math.inf, 4])
    assert "NaN or infinite" in message(crystal([6], [[0, 0, 0]], cell))
    positions = [[0, 0, 0], [1, math.nan, 1], [math.inf, 0, 0]]
    assert "coordinates of atom 2 are NaN" in message(crystal([6, 6, 6], positions))
    assert "coordinates of atom 1 are NaN" in message(crystal([6, 6], [[-math.inf, 0, 0], [math.inf, 0, 0]]))


@pytest.mark.parametrize("sign", [1, -1])
def test_positions_far_from_the_origin(sign: int) -> None:
    assert check_crystal(crystal([29], [[0, sign * 1e6, 0]]), "x", None) == ""
    far = crystal([29, 29], [[0, 0, 0], [0, sign * 1.01e6, 0]])
    assert "atom 2 is 1.01e+06 Å from the origin" in message(far)


@pytest.mark.parametrize(("number", "is_element"), [(0, False), (1, True), (118, True), (119, False), (-3, False)])
def test_atomic_numbers(number: int, is_element: bool) -> None:
    made = crystal([6, number], [[0, 0, 0], [2, 2, 2]])
    if is_element:
        check_crystal(made, "x", None)
    else:
        assert f"atom 2 has atomic number {number}; expected 1 to 118" in message(made)


@pytest.mark.parametrize(
    ("numbers", "edge", "occupancy", "is_doubtful"),
    [
        # One atom of hydrogen or osmium in a cube.
        ([1], (1.008 * 1.66054 / 0.1) ** (1 / 3) - 0.001, None, False),
        ([1], (1.008 * 1.66054 / 0.1) ** (1 / 3) + 0.001, None, True),
        ([76], (190.23 * 1.66054 / 30) ** (1 / 3) + 0.001, None, False),
        ([76], (190.23 * 1.66054 / 30) ** (1 / 3) - 0.001, None, True),
        # The bounds by the lightest and heaviest atoms do not decide, but the density does.
        ([1, 76], 2.2, None, False), ([76, 1, 1, 1], 2.4, None, False), ([1, 1, 1, 1, 1, 1, 1, 76], 16.0, None, True),
        # Vacancies count.
        ([76], 2.0, [0.5], False), ([76], 2.0, None, True), ([1], 2.5, [0.5], True),
    ],
)  # fmt: skip
def test_densities(numbers: list[int], edge: float, occupancy: list[float] | None, is_doubtful: bool) -> None:
    places = np.random.default_rng(1).random((len(numbers), 3)) * edge
    made = crystal(numbers, places, np.eye(3) * edge, occupancy)
    warning = check_crystal(made, "x", None)
    assert bool(warning) == is_doubtful
    if is_doubtful:
        assert warning.startswith(f"density: {made.density:.3g} g/cm³; expected 0.1 to 30")


def test_disorder_is_refused() -> None:
    refuse_disorder(crystal([11, 17], [[0, 0, 0], [2, 2, 2]]), "x")
    with pytest.raises(InvalidStructureError, match=r"^x: atom 2 \(Cl\) has occupancy 0.25; accept disorder"):
        refuse_disorder(crystal([11, 17, 35], [[0, 0, 0], [2, 2, 2], [2, 2, 2]], CUBE, [1, 0.25, 0.75]), "x")


# -------------------------------------------------------------------------------------------- mixed sites


def test_arrays_that_do_not_fit() -> None:
    for arguments, reason in (
        (([1, 2], [[0, 0, 0]], CUBE), "2 atomic numbers but 1 positions"),
        (([1], [[0, 0]], CUBE), "arrays do not describe a crystal"),
        (([1], [[0, 0, 0]], np.eye(2)), "arrays do not describe a crystal"),
        ((["A"], [[0, 0, 0]], CUBE), "arrays do not describe a crystal"),
        (([None], [[0, 0, 0]], CUBE), "arrays do not describe a crystal"),
        (([10**30], [[0, 0, 0]], CUBE), "arrays do not describe a crystal"),
        (([1], [[0, 0, 0]], CUBE, [1, 1]), "1 atomic numbers but 2 occupancies"),
    ):
        with pytest.raises(InvalidStructureError, match=f"^x: {reason}"):
            make_crystal("x", *arguments)


@pytest.mark.parametrize(
    ("share", "is_valid"),
    [(-0.001, False), (0.0, True), (1.0, True), (1.0199, True), (1.021, False), (1.9, False), (math.nan, False)],
)
def test_occupancies(share: float, is_valid: bool) -> None:
    arguments = ([29, 30], [[0, 0, 0], [2, 2, 2]], CUBE, [1.0, share])
    if not is_valid:
        with pytest.raises(InvalidStructureError, match=rf"^x: atom 2 \(Zn\) has occupancy {share:g}; expected 0 to 1"):
            make_crystal("x", *arguments)
        return
    made = make_crystal("x", *arguments)
    assert made.is_ordered and made.atomic_numbers.tolist() == ([29, 30] if share else [29])


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.5, 0.5], [0.5, 0.5]), ([0.6, 0.41], [0.6 / 1.01, 0.41 / 1.01]),
        ([0.6, 0.385], [0.6 / 0.985, 0.385 / 0.985]),
        ([0.6, 0.37], [0.6, 0.37]), ([0.6, 0.42], [0.6 / 1.02, 0.42 / 1.02]),
        ([0.6, 0.38], [0.6 / 0.98, 0.38 / 0.98]), ([0.6, 0.43], None),
        ([1e-10, 1.0], [1.0]), ([1e-8, 0.5], [1e-8, 0.5]), ([1.0, 0.0], [1.0]),
    ],
)  # fmt: skip
def test_sums_of_a_site(shares: list[float], expected: list[float] | None) -> None:
    arguments = ([29, 30], [[0, 0, 0], [0, 0, 0]], CUBE, shares)
    if expected is None:
        with pytest.raises(
            InvalidStructureError, match=r"Cu 0.6 \+ Zn 0.43 overlap \(site at 0, 0, 0\): .* up to 1.03"
        ):
            make_crystal("x", *arguments)
        return
    assert make_crystal("x", *arguments).weights.tolist() == pytest.approx(expected, rel=1e-12)


def test_atoms_of_one_element_on_a_site_are_one() -> None:
    """Two isotopes of lithium with nickel, listed apart from each other, next to a full oxygen."""
    places = [[0.0, 0.0, 0.0], [2.0, 2.0, 2.0], [0.0, 0.0, 0.01], [0.0, 0.0, 0.0]]
    made = make_crystal("x", [3, 8, 28, 3], places, CUBE, [0.1, 1.0, 0.3, 0.6])
    assert made.atomic_numbers.tolist() == [3, 8, 28] and made.weights.tolist() == pytest.approx([0.7, 1.0, 0.3])
    np.testing.assert_allclose(made.positions, places[:3])
    both = make_crystal("x", [3, 3, 8], [[0, 0, 0], [0, 0, 0], [2, 2, 2]], CUBE, [0.4, 0.6, 1.0])
    assert both.is_ordered and both.atomic_numbers.tolist() == [3, 8]


def test_names_in_errors() -> None:
    places = [[1, 2, 3], [1, 2, 3], [0, 0, 0]]
    with pytest.raises(InvalidStructureError, match=r"Na1 1 \+ K1 1 overlap \(site at 0.25, 0.5, 0.75\): .* up to 2"):
        make_crystal("x", [11, 19, 17], places, CUBE, names=["Na1", "K1", "Cl1"])
    with pytest.raises(InvalidStructureError, match=r"K1 0.6 \+ Cl1 0.6 overlap \(site at 0.25"):
        make_crystal("x", [11, 19, 17], places[::-1], CUBE, [0.0, 0.6, 0.6], names=["Na1", "K1", "Cl1"])
    # Without names, full atoms on one place are left to the check of distances.
    assert make_crystal("x", [11, 19, 17], places, CUBE).is_ordered
    ordered = make_crystal("x", [11, 17], places[1:], CUBE, [1.0, 1.0], warnings=("w",), names=["Na1", "Cl1"])
    assert ordered.is_ordered and ordered.warnings == ("w",)
    assert make_crystal("x", [11], [[0, 0, 0]], CUBE, [0.5], warnings=("w",)).warnings == ("w",)


def test_sites_of_atoms() -> None:
    """Sites are numbered by their first atoms; a chain of close atoms is one site, also through a face of the cell."""
    places = [[0, 0, 0], [2, 2, 2], [0, 0, 0.04], [2, 2, 2.06], [3.97, 0, 0], [0, 0, 0.08], [1, 1, 1]]
    made = crystal([1, 2, 3, 4, 5, 6, 7], places, CUBE, [0.1] * 7)
    assert site_of_each_atom(made).tolist() == [0, 1, 0, 2, 0, 0, 3]
    assert site_of_each_atom(crystal([1, 1], [[0, 0, 0], [0, 0, 0.049]])).tolist() == [0, 0]
    assert site_of_each_atom(crystal([1, 1], [[0, 0, 0], [0, 0, 0.051]])).tolist() == [0, 1]


def test_structures_of_pymatgen() -> None:
    mixed = Structure(
        Lattice.cubic(4), [{"Fe3+": 0.3, "Fe2+": 0.2, "Ni": 0.5}, "O2-"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    )
    made = crystal_from_pymatgen(mixed, "x")
    assert dict(zip(made.atomic_numbers.tolist(), made.weights.tolist(), strict=True)) == pytest.approx(
        {26: 0.5, 28: 0.5, 8: 1.0}
    )
    with pytest.raises(InvalidStructureError, match="x: unknown element 'X'"):
        crystal_from_pymatgen(Structure(Lattice.cubic(4), ["Cu", "X"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]), "x")
    heavy = crystal_from_pymatgen(Structure(Lattice.cubic(4), ["Og", "D"], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]), "x")
    assert heavy.is_ordered and heavy.atomic_numbers.tolist() == [118, 1]


# --------------------------------------------------------------------------------------------- neighbours

CELLS = {
    "cubic": np.eye(3) * 3.3, "hexagonal": Lattice.hexagonal(2.9, 4.7).matrix,
    "triclinic": Lattice.from_parameters(3.1, 4.2, 5.3, 75, 98, 112).matrix,
    "rhombohedral": Lattice.rhombohedral(4.1, 40).matrix, "left-handed": np.diag([3.0, 4.0, -5.0]),
    "sheared": np.array([[3.0, 0, 0], [31.0, 3.5, 0], [-17.0, 22.0, 4.0]]),
    "long": np.diag([2.0, 2.0, 900.0]),
}  # fmt: skip


def slow_neighbors(positions: np.ndarray, cell: np.ndarray, radius: float) -> dict[tuple[int, ...], float]:
    """Centre, neighbour and image -> distance, by a loop over all images in reach."""
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    shifts = (positions @ np.linalg.inv(cell)).round(9)
    reach = [range(-n, n + 1) for n in (np.ceil(radius / heights) + np.ceil(np.ptp(shifts, axis=0)) + 1).astype(int)]
    found = {}
    for image in itertools.product(*reach):
        for i, j in itertools.product(range(len(positions)), repeat=2):
            distance = float(np.linalg.norm(positions[j] + np.array(image) @ cell - positions[i]))
            if distance < radius and (i != j or any(image)):
                found[(i, j, *image)] = distance
    return found


@pytest.mark.parametrize("limits", ["usual", "compact", "coarse"])
@pytest.mark.parametrize("name", CELLS)
def test_neighbors_equal_a_plain_loop(name: str, limits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the compact cell and with the larger cubes that are used for unusual shapes."""
    if limits != "usual":
        monkeypatch.setattr(neighbors_clac, "_MAX_IMAGES", 0)
    if limits == "coarse":
        monkeypatch.setattr(neighbors_clac, "_MAX_CUBES", 40)
    cell = CELLS[name]
    generator = np.random.default_rng(len(name))
    positions = generator.random((3, 3)) @ cell + generator.integers(-2, 3, (3, 3)) @ cell * (name != "long")
    radius = 3.7
    compact = np.array(Lattice(cell).get_lll_reduced_lattice().matrix) if name == "sheared" else cell
    centers, points, images, distances = find_neighbors(positions, cell, radius)
    found = {
        (i, j, *image): distance
        for i, j, image, distance in zip(
            centers.tolist(), points.tolist(), np.asarray(images).astype(int).tolist(), distances.tolist(), strict=True
        )
    }
    assert len(found) == len(distances)
    vectors = positions[points] + images @ cell - positions[centers]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), distances, atol=1e-7)
    # In the reduced cell the loop is short; distances are those of the same lattice.
    inside = positions - np.floor(positions @ np.linalg.inv(compact)) @ compact
    expected = slow_neighbors(inside, compact, radius)
    counts = np.bincount(centers * 3 + points, minlength=9)
    assert counts.tolist() == [sum(key[:2] == (i, j) for key in expected) for i in range(3) for j in range(3)]
    np.testing.assert_allclose(sorted(distances), sorted(expected.values()), atol=1e-7)


def test_neighbors_at_the_radius_are_left_out() -> None:
    numbers = [len(neighbor_pairs(crystal([84], [[0, 0, 0]]), radius)[0]) for radius in (3.999, 4.0, 4.001, 5.65, 5.66)]
    assert numbers == [0, 0, 6, 6, 18]


def test_atoms_on_one_place_are_neighbors_but_no_atom_is_its_own() -> None:
    centers, points, images, distances = neighbor_pairs(crystal([1, 2], [[1, 1, 1], [1, 1, 1]]), 1.0)
    assert sorted(zip(centers.tolist(), points.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert not images.any() and not distances.any()


def test_compact_cells() -> None:
    cell = np.array([[3.0, 0, 0], [31.0, 3.5, 0], [-17.0, 22.0, 4.0]])
    compact, integers = compact_cell(cell)
    np.testing.assert_allclose(integers @ cell, compact)
    assert abs(np.linalg.det(integers)) == pytest.approx(1) and (integers == np.rint(integers)).all()
    assert np.linalg.norm(compact, axis=1).max() < 6


def test_bounds_of_the_search() -> None:
    names = (
        "_RADIUS _MIN_TRANSLATION _MIN_SHAPE _MAX_PAIRS _MAX_MEAN_PAIRS _MAX_CLOSE_PAIRS _MAX_MEAN_CLOSE_PAIRS "
        "_MAX_IMAGES _MAX_CUBES"
    ).split()
    values = (6.0, 0.3, 1e-7, 4_000_000, 800, 300_000, 100, 3_000_000, 1_000_000)
    assert tuple(getattr(neighbors_clac, name) for name in names) == values


def grid(per_edge: int, edge: float) -> np.ndarray:
    steps = (np.arange(per_edge) + 0.5) * edge / per_edge
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)


@pytest.mark.parametrize(
    ("per_edge", "edge", "reason"),
    [
        # Atoms on a simple cubic grid. 4.19 · 6³ / d³ are within 6 Å: 905 at d = 1.0 Å, and 680 at 1.1 Å.
        (18, 18 * 1.1, None), (18, 18 * 1.0, "each has about"), (18, 18 * 2.0, None),
        (18, 18 * 0.2, "many are at one place"),
        # Few atoms may be close to each other.
        (4, 4 * 1.0, None), (6, 6 * 0.9, None),
    ],
)  # fmt: skip
def test_dense_cells(per_edge: int, edge: float, reason: str | None) -> None:
    positions = grid(per_edge, edge)
    if reason is None:
        check_extent(positions, np.eye(3) * edge, "x")
        return
    with pytest.raises(InvalidStructureError, match=rf"^x: atoms overlap: .*{reason}"):
        check_extent(positions, np.eye(3) * edge, "x")


def test_many_atoms_at_one_place() -> None:
    """Of 1,000 atoms in a large cell, 548 may be at one place, so that 300,000 pairs are close, and 549 may not."""
    for copies, reason in ((540, None), (552, r"of 1,000 atoms in the cell, many are at one place")):
        positions = grid(10, 60.0)
        positions[:copies] = positions[0]
        if reason is None:
            check_extent(positions, np.eye(3) * 60.0, "x")
        else:
            with pytest.raises(InvalidStructureError, match=reason):
                check_extent(positions, np.eye(3) * 60.0, "x")


def test_flat_cells_and_short_translations() -> None:
    with pytest.raises(InvalidStructureError, match="cell is flat"):
        check_extent(np.zeros((1, 3)), np.array([[3000.0, 0, 0], [0, 3000.0, 0], [3000.0, 3000.0, 1e-4]]), "x")
    # The lattice vectors are long, and one of their sums is 0.25 Å.
    short = np.array([[4.0, 0, 0], [4.0, 0.25, 0], [0, 0, 4.0]])
    with pytest.raises(InvalidStructureError, match=r"shortest lattice translation is 0.25 Å; expected at least 0.3"):
        check_extent(np.zeros((1, 3)), short, "x")
    check_extent(np.zeros((1, 3)), np.array([[4.0, 0, 0], [4.0, 0.35, 0], [0, 0, 4.0]]), "x")
    diagonal = np.array([[3.0, 0, 0], [0, 3.0, 0], [3.0, 3.0, 0.2]])
    with pytest.raises(InvalidStructureError, match=r"translation is 0.2 Å"):
        check_extent(np.zeros((1, 3)), diagonal, "x")


# ---------------------------------------------------------------------------------------------- contacts


def pair(distance: float, shares: tuple[float, float] | None, numbers: tuple[int, int] = (3, 3)) -> Crystal:
    return crystal(
        list(numbers), [[0, 0, 0], [0, 0, distance]], np.eye(3) * 9, None if shares is None else list(shares)
    )


@pytest.mark.parametrize(
    ("distance", "shares", "is_pair"),
    [
        # Twice the covalent radius of lithium, 1.28 Å, times 0.75 is 1.92 Å.
        (1.90, (0.5, 0.5), False), (1.94, (0.5, 0.5), True), (1.90, (0.5, 0.51), False), (1.90, (0.5, 0.53), True),
        (1.90, (0.2, 0.3), False), (1.90, None, True), (0.04, (0.4, 0.6), False), (0.04, (0.4, 0.7), True),
        (0.06, (0.4, 0.7), True),
    ],
)  # fmt: skip
def test_atoms_that_exclude_each_other(distance: float, shares: tuple[float, float] | None, is_pair: bool) -> None:
    centers, points, images, distances = allowed_pairs(pair(distance, shares), 3.0)
    assert len(centers) == len(points) == len(images) == len(distances) == (2 if is_pair else 0)
    if is_pair:
        assert distances.tolist() == pytest.approx([distance] * 2) and sorted(centers.tolist()) == [0, 1]


def test_the_occupancy_of_a_site_is_that_of_its_atoms() -> None:
    """A half-occupied site next to one that is divided among two elements: 0.5 + 0.2 + 0.2 are at most 1."""
    places = [[0, 0, 0], [0, 0, 1.5], [0, 0, 1.5]]
    for shares, number in (([0.5, 0.2, 0.2], 0), ([0.5, 0.4, 0.2], 4)):
        assert len(allowed_pairs(crystal([3, 3, 11], places, np.eye(3) * 9, shares), 3.0)[0]) == number


def test_the_shortest_contact_is_relative_to_the_radii() -> None:
    """H-H at 0.8 Å is longer than Na-Cl at 1.6 Å: covalent radii are 0.31, 1.66 and 1.02 Å."""
    made = crystal([1, 1, 11, 17], [[0, 0, 0], [0, 0, 0.8], [0, 4, 0], [0, 4, 1.6]], np.eye(3) * 12)
    ratio, distance = shortest_contact(made, 3.0)
    assert ratio == pytest.approx(1.6 / (1.66 + 1.02)) and distance == pytest.approx(1.6)
    assert shortest_contact(made, 0.5) == (math.inf, math.inf)


@pytest.mark.parametrize(
    ("numbers", "distance", "overlaps"),
    [
        # Half the sum of the radii: 1.34 Å for NaCl and 0.31 Å for hydrogen, but at least 0.3 Å.
        ((11, 17), 1.33, True), ((11, 17), 1.35, False), ((1, 1), 0.305, True), ((1, 1), 0.32, False),
        ((2, 2), 0.29, True), ((2, 2), 0.31, False),
    ],
)  # fmt: skip
def test_atoms_that_overlap(numbers: tuple[int, int], distance: float, overlaps: bool) -> None:
    made = pair(distance, None, numbers)
    edges, squared = np.array([[0, 1], [1, 0]]), np.array([distance**2] * 2)
    found = overlapping_atoms(made, edges, squared)
    assert (found is not None) == overlaps
    if found is not None:
        assert found == (0, 1, pytest.approx(distance))
    assert overlapping_atoms(made, np.zeros((2, 0), dtype=int), np.zeros(0)) is None


def test_the_worst_overlap_is_named() -> None:
    made = crystal([11, 17, 1, 1], [[0, 0, 0], [0, 0, 1.2], [4, 0, 0], [4, 0, 0.1]], np.eye(3) * 12)
    edges, squared = np.array([[0, 2], [1, 3]]), np.array([1.44, 0.01])
    assert overlapping_atoms(made, edges, squared) == (2, 3, pytest.approx(0.1))
    # Long edges of small atoms next to large ones are no overlap.
    assert overlapping_atoms(made, np.array([[2], [3]]), np.array([0.7])) is None
