"""Crystal systems and classes of space groups, with gemmi's and spglib's tables as the oracle."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest
import spglib
from pymatgen.symmetry.groups import SpaceGroup, sg_symbol_from_int_number

from modeling_clac.concepts.symmetry import (
    CENTROSYMMETRIC,
    CRYSTAL_SYSTEMS,
    ENANTIOMORPHIC,
    GYROTROPIC,
    OPTICALLY_ACTIVE,
    POINT_GROUPS,
    POLAR,
    RHOMBOHEDRAL,
    SECOND_ORDER,
    SOHNCKE,
    SYMMETRY_FLAGS,
    bravais_lattice,
    centring,
    crystal_system,
    space_group_number,
)
from modeling_clac.concepts.symmetry import (
    point_group as point_group_of,
)
from modeling_clac.quantities_clac import NUMBER, find_quantities

GROUPS = range(1, 231)
POLAR_CLASSES = {"1", "2", "m", "mm2", "4", "4mm", "3", "3m", "6", "6mm"}


def point_group(number: int) -> str:
    # spglib lists 530 settings; the first one of each number is as good as any.
    hall = next(n for n in range(1, 531) if spglib.get_spacegroup_type(n).number == number)
    return spglib.get_spacegroup_type(hall).pointgroup_international


def test_point_groups() -> None:
    assert len(POINT_GROUPS) == 32
    for number in GROUPS:
        other = {"-4m2": "-42m", "-62m": "-6m2"}.get(point_group(number), point_group(number))
        assert point_group_of(number) == other
    with pytest.raises(ValueError, match="between 1 and 230"):
        point_group_of(231)


def test_bravais_lattices() -> None:
    lattices = {number: bravais_lattice(number) for number in GROUPS}
    assert len(set(lattices.values())) == 14
    for number, lattice in lattices.items():
        first = SpaceGroup(sg_symbol_from_int_number(number)).symbol[0]
        assert lattice[1] == {"A": "S", "C": "S"}.get(first, first) and centring(number) == first
    assert [lattices[number] for number in (2, 15, 38, 63, 122, 160, 164, 186, 225)] == [
        "aP", "mS", "oS", "oS", "tI", "hR", "hP", "hP", "cF",
    ]  # fmt: skip


def test_handed_groups() -> None:
    assert {n for n in GROUPS if gemmi.find_spacegroup_by_number(n).is_sohncke()} == SOHNCKE
    assert {n for n in GROUPS if gemmi.find_spacegroup_by_number(n).is_enantiomorphic()} == ENANTIOMORPHIC
    assert (len(SOHNCKE), len(ENANTIOMORPHIC)) == (65, 22)


def _axial_tensor_is_allowed(number: int, symmetric: bool) -> bool:
    """Whether a (symmetric or any) axial tensor of rank 2 survives all operations of the point group."""
    operations = [np.array(op.rot) / op.DEN for op in gemmi.find_spacegroup_by_number(number).operations().sym_ops]
    # Of the operations in the axes of the crystal, those of hexagonal ones are made Cartesian.
    basis = np.array([[1, -0.5, 0], [0, 3**0.5 / 2, 0], [0, 0, 1]]) if 143 <= number <= 194 else np.eye(3)
    total = np.zeros((9, 9))
    for operation in operations:
        turned = basis @ operation @ np.linalg.inv(basis)
        total += np.linalg.det(turned) * np.kron(turned, turned)
    mean = total / len(operations)
    if symmetric:
        swap = np.eye(9).reshape(3, 3, 9).transpose(1, 0, 2).reshape(9, 9)
        mean = mean @ (np.eye(9) + swap) / 2
    return bool(np.abs(mean).max() > 1e-9)


def test_optical_activity_follows_from_the_gyration_tensor() -> None:
    assert {n for n in GROUPS if _axial_tensor_is_allowed(n, symmetric=True)} == OPTICALLY_ACTIVE
    assert {n for n in GROUPS if _axial_tensor_is_allowed(n, symmetric=False)} == GYROTROPIC


def test_flags_are_sets_of_groups() -> None:
    for name, groups in SYMMETRY_FLAGS.items():
        assert groups and groups < set(GROUPS), name
    assert len(SYMMETRY_FLAGS["symmorphic"]) == 73


def test_crystal_systems() -> None:
    assert [crystal_system(n) for n in GROUPS] == [
        gemmi.find_spacegroup_by_number(n).crystal_system_str() for n in GROUPS
    ]
    assert [crystal_system(n) for n in GROUPS] == [
        SpaceGroup(sg_symbol_from_int_number(n)).crystal_system for n in GROUPS
    ]
    assert [n for groups in CRYSTAL_SYSTEMS.values() for n in groups] == list(GROUPS)


@pytest.mark.parametrize("number", [0, 231])
def test_other_numbers_are_not_space_groups(number: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 230"):
        crystal_system(number)


def test_rhombohedral_groups() -> None:
    lattices = {n: gemmi.find_spacegroup_by_number(n).hm[0] for n in CRYSTAL_SYSTEMS["trigonal"]}
    assert {n for n, lattice in lattices.items() if lattice == "R"} == RHOMBOHEDRAL


def _rotations(number: int) -> list[np.ndarray]:
    """Rotations of a group in its own basis, from the database of spglib."""
    hall = next(n for n in range(1, 531) if spglib.get_spacegroup_type(n).number == number)
    return list(spglib.get_symmetry_from_database(hall)["rotations"])


@pytest.mark.parametrize("number", GROUPS)
def test_classes_follow_from_the_operations(number: int) -> None:
    """A polar group leaves a vector unchanged, a centrosymmetric one inverts, one of chiral crystals only rotates."""
    rotations = _rotations(number)
    determinants = [round(float(np.linalg.det(rotation))) for rotation in rotations]
    assert (number in POLAR) == bool(np.abs(np.mean(rotations, axis=0)).max() > 1e-9)
    assert (number in CENTROSYMMETRIC) == any((rotation == -np.eye(3)).all() for rotation in rotations)
    assert (number in SOHNCKE) == (set(determinants) == {1})


def test_polar_groups() -> None:
    assert {n for n in GROUPS if point_group(n) in POLAR_CLASSES} == POLAR


def test_centrosymmetric_groups() -> None:
    assert {n for n in GROUPS if gemmi.find_spacegroup_by_number(n).is_centrosymmetric()} == CENTROSYMMETRIC
    assert not POLAR & CENTROSYMMETRIC


def test_groups_with_a_second_order_response() -> None:
    """A tensor of rank three that is symmetric in its last two indices survives the average over the point group."""
    rng = np.random.default_rng(0)
    tensor = rng.normal(size=(3, 3, 3))
    # Second-harmonic generation without absorption (Kleinman) lets all three indices change places.
    tensor = sum(np.transpose(tensor, p) for p in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
    found = set()
    for n in GROUPS:
        group = gemmi.find_spacegroup_by_number(n)
        # Fractional rotations become orthogonal ones in a cell that fits the group.
        gamma = 120.0 if crystal_system(n) in ("trigonal", "hexagonal") else 90.0
        cell = np.array(gemmi.UnitCell(1, 1, 1, 90, 90, gamma).orth.mat.tolist())
        turns = [cell @ (np.array(op.rot) / op.DEN) @ np.linalg.inv(cell) for op in group.operations().sym_ops]
        mean = sum(np.einsum("ia,jb,kc,abc->ijk", r, r, r, tensor) for r in turns) / len(turns)
        if np.abs(mean).max() > 1e-9:
            found.add(n)
    # Kleinman's symmetry also removes 422 and 622, whose response vanishes only without dispersion.
    point_groups = {n: point_group(n) for n in SECOND_ORDER - found}
    assert found <= SECOND_ORDER
    assert set(point_groups.values()) <= {"422", "622"}


@pytest.mark.parametrize(
    ("symbol", "number"),
    [("Fm-3m", 225), ("P6_3/mmc", 194), ("P21/n", 14), ("P2_1/c", 14), ("Pm−3m", 221), (" 62 ", 62), ("Pnma", 62)],
)
def test_symbols_in_any_setting(symbol: str, number: int) -> None:
    assert space_group_number(symbol) == number


@pytest.mark.parametrize("symbol", ["", "_", "231", "0", "Xm-3m", "cubic"])
def test_other_words_are_not_symbols(symbol: str) -> None:
    assert space_group_number(symbol) is None


@pytest.mark.parametrize("system", CRYSTAL_SYSTEMS)
def test_the_text_tower_knows_the_same_systems(system: str) -> None:
    """A symbol that is also a word is an element in front of a crystal system."""
    assert [kind < NUMBER for *_, kind, _ in find_quantities(f"He, {system}, is it")] == [True]
