"""Space groups of crystals and their classes against gemmi and the tables, and the readouts of symmetry and pattern."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gemmi
import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from modeling_clac import ClacFeatureExtractor, ClacGraphModel, symmetry_clac
from modeling_clac.descriptors_clac import PATTERN_SIZE, pattern_features
from modeling_clac.formulas_clac import ELEMENTS, read_formula
from modeling_clac.structures_clac import parse_structure
from modeling_clac.symmetry_clac import (
    ANGLE_TOLERANCE,
    CLASS_SIZES,
    NUM_SPACE_GROUPS,
    SYMPREC,
    find_space_group,
    find_symmetry,
    is_searchable,
    symmetry_classes,
)
from tests.conftest import random_rotation, small_graph_config


def test_classes_agree_with_gemmi() -> None:
    groups = [gemmi.find_spacegroup_by_number(number) for number in range(1, 231)]
    classes = [symmetry_classes(number) for number in range(1, 231)]
    assert symmetry_classes(0) == (0, 0, 0, 0)
    assert [number for number, *_ in classes] == list(range(1, 231))
    # One class for each point group, system and centring, and one group for each class.
    for place, names in (
        (1, [group.point_group_hm() for group in groups]),
        (2, [group.crystal_system_str() for group in groups]),
        (3, [group.hm[0] for group in groups]),
    ):
        pairs = {(own[place], name) for own, name in zip(classes, names, strict=True)}
        assert len(pairs) == len({name for _, name in pairs}) == CLASS_SIZES[place] - 1
        assert {number for number, _ in pairs} == set(range(1, CLASS_SIZES[place]))


@pytest.mark.parametrize(
    ("group", "classes"),
    [
        (0, (0, 0, 0, 0)),
        (1, (1, 1, 1, 1)),
        (2, (2, 2, 1, 1)),
        (3, (3, 3, 2, 1)),
        (5, (5, 3, 2, 2)),
        (14, (14, 5, 2, 1)),
        (22, (22, 6, 3, 3)),
        (23, (23, 6, 3, 4)),
        (38, (38, 7, 3, 5)),
        (62, (62, 8, 3, 1)),
        (82, (82, 10, 4, 4)),
        (139, (139, 15, 4, 4)),
        (146, (146, 16, 5, 6)),
        (167, (167, 20, 5, 6)),
        (186, (186, 25, 6, 1)),
        (194, (194, 27, 6, 1)),
        (216, (216, 31, 7, 3)),
        (225, (225, 32, 7, 3)),
        (230, (230, 32, 7, 4)),
    ],
)
def test_numbers_of_the_classes(group: int, classes: tuple[int, int, int, int]) -> None:
    """Models are trained with these numbers: they follow the order of the International Tables."""
    assert symmetry_classes(group) == classes


def test_sizes_and_tolerances() -> None:
    assert CLASS_SIZES == (231, 33, 8, 7) and NUM_SPACE_GROUPS == 230
    assert (SYMPREC, ANGLE_TOLERANCE) == (0.1, 5.0)


ROCK_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        (ROCK_SALT, (225, "Fm-3m")),
        (Structure(Lattice.cubic(3.35), ["Po"], [[0, 0, 0]]), (221, "Pm-3m")),
        (
            Structure.from_spacegroup(
                "P6_3mc", Lattice.hexagonal(3.25, 5.2), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.38]]
            ),
            (186, "P6_3mc"),
        ),
        (
            Structure(Lattice.from_parameters(3, 4, 5, 70, 80, 95), ["Na", "Cl"], [[0, 0, 0], [0.3, 0.4, 0.2]]),
            (1, "P1"),
        ),
    ],
)
def test_numbers_and_symbols(structure: Structure, expected: tuple[int, str]) -> None:
    assert find_symmetry(parse_structure(structure)) == expected
    assert find_space_group(parse_structure(structure)) == expected[0]


@pytest.mark.parametrize(("shift", "group"), [(0.0, 221), (0.05, 221), (0.2, 99)])
def test_positions_may_be_off_by_a_tenth_of_an_angstrom(shift: float, group: int) -> None:
    moved = Structure(Lattice.cubic(4.0), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5 + shift / 4.0]])
    assert find_space_group(parse_structure(moved)) == group


@pytest.mark.parametrize("raised", [None, ValueError("unusual"), TypeError("other")])
def test_crystals_without_a_known_space_group(monkeypatch: pytest.MonkeyPatch, raised: Exception | None) -> None:
    def unusual(*_: object, symprec: float, angle_tolerance: float) -> None:
        assert (symprec, angle_tolerance) == (0.1, 5.0)
        if raised is not None:
            raise raised

    monkeypatch.setattr("spglib.get_symmetry_dataset", unusual)
    assert find_symmetry(parse_structure(ROCK_SALT)) is None
    assert find_space_group(parse_structure(ROCK_SALT)) == 0


@pytest.mark.parametrize(
    ("first", "others", "group"),
    [
        # The order of the elements does not count, nor a difference in the fourth decimal.
        ({"K": 0.5, "Na": 0.5}, {"Na": 0.5, "K": 0.5}, 225),
        ({"K": 0.5, "Na": 0.4999}, {"Na": 0.5, "K": 0.5}, 225),
        ({"K": 0.5, "Na": 0.498}, {"Na": 0.5, "K": 0.5}, 221),
        # One element with two charges is one element, and a part of an atom is not a whole one.
        ({"Na+": 0.25, "Na": 0.25}, {"Na": 0.5}, 225),
        ({"Na+": 0.25, "Na": 0.5}, {"Na": 0.5}, 221),
        ({"Na": 1.0}, {"Na": 0.5}, 221),
        ({"Na": 0.5}, {"Na": 0.5}, 225),
    ],
)
def test_sites_are_equal_if_their_occupants_are(first: dict[Any, float], others: dict[Any, float], group: int) -> None:
    structure = ROCK_SALT.copy()
    structure.replace_species({"Na": others})
    structure[0] = first
    assert find_space_group(parse_structure(structure)) == group
    # The same with the chlorine first, so that the sites have other numbers.
    turned = Structure.from_sites(list(reversed(structure)))
    assert find_space_group(parse_structure(turned)) == group


def grid(*counts: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of a simple cubic lattice, and its cell."""
    places = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), axis=-1).reshape(-1, 3)
    return 3.0 * places, 3.0 * np.diag(counts).astype(float)


def test_large_cells_that_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    positions, cell = grid(6, 6, 1)
    one_kind = np.zeros(36, dtype=int)
    vacancy = np.arange(36) != 14
    assert is_searchable(positions[vacancy], one_kind[vacancy], cell)  # few atoms
    monkeypatch.setattr(symmetry_clac, "_MAX_WORK", 2)
    # Nearly periodic; a supercell; a supercell of the one with a vacancy.
    assert not is_searchable(positions[vacancy], one_kind[vacancy], cell)
    assert is_searchable(positions, one_kind, cell)
    doubled, two = np.concatenate([positions[vacancy], positions[vacancy] + [0, 0, 3.0]]), cell * [[1], [1], [2]]
    assert is_searchable(doubled, np.zeros(70, dtype=int), two)
    # Positions may be off by a tenth of an angstrom, and lie in other cells.
    moved = doubled + generator.normal(size=doubled.shape) * 0.01 + generator.integers(-2, 3, doubled.shape) @ two
    assert is_searchable(moved, np.zeros(70, dtype=int), two)
    # Disordered positions, and disordered kinds on an ordered lattice: most displacements fail early.
    assert is_searchable(generator.uniform(0, 30, (40, 3)), np.zeros(40, dtype=int), 30 * np.eye(3))
    positions, cell = grid(6, 6, 4)
    keep = np.arange(144) != 70
    many = generator.permutation(np.arange(144) % 30)
    assert is_searchable(positions[keep], many[keep], cell)
    assert not is_searchable(positions[keep], (np.arange(144) // 72)[keep], cell)
    # Two atoms have a single displacement.
    pair = np.array([[0.0, 0, 0], [2.0, 2, 2]])
    assert is_searchable(pair, np.array([7, 7]), 4 * np.eye(3))
    assert not is_searchable(np.array([*pair, [2.0, 0, 0]]), np.array([7, 7, 7]), 4 * np.eye(3))


def test_displacements_that_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symmetry_clac, "_MAX_WORK", 2)
    # Lengths are exact here: the translation along z is behind the four neighbours, which are as near.
    positions, cell = grid(4, 4, 1)
    positions, cell = positions[np.arange(16) != 10] * 4 / 3, cell * 4 / 3
    doubled = np.concatenate([positions, positions + np.array([0, 0, 4.0])])
    assert is_searchable(doubled, np.zeros(30, dtype=int), cell * [[1], [1], [2]])
    # The displacement to the second atom, which is off its place, fails early; most others do not.
    positions, cell = grid(6, 6, 1)
    positions[1] += [1.0, 1.3, 0.7]
    assert not is_searchable(positions, np.zeros(36, dtype=int), cell)
    # Three atoms of the rarest kind: only the second displacement is nearly a symmetry.
    half = np.random.default_rng(0).uniform(0, 20, (18, 3))
    rare = np.array([[1.0, 2, 3], [7.0, 5, 2], [11.0, 2, 3]])
    positions = np.concatenate([half, half + np.array([10.0, 0, 0]), rare])
    assert not is_searchable(positions, np.array([4] * 36 + [6] * 3), 20 * np.eye(3))


@pytest.mark.parametrize(("rare", "searched"), [(300, True), (400, False)])
def test_the_rarest_kind_decides_whether_a_large_cell_is_searched(rare: int, searched: bool) -> None:
    """Up to 300 000 pairs of an atom of the rarest kind and any atom: here 300 or 400 of 1000."""
    positions, cell = grid(10, 10, 10)
    kinds = np.where(np.arange(1000) < rare, 5, 3)
    positions[555] += 1.0
    positions[5] += 1.0
    assert is_searchable(positions, kinds, cell) is searched


def test_space_groups_agree_with_the_tables(records) -> None:
    for record in records[:60]:
        assert find_space_group(parse_structure(record["cif"])) == record["space_group_number"]


def test_space_group_of_disordered_and_of_rotated_crystals() -> None:
    rock_salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    crystal = parse_structure(rock_salt)
    turned = replace(crystal, positions=crystal.positions @ (q := random_rotation(np.random.default_rng(1))).T)
    assert find_space_group(crystal) == find_space_group(replace(turned, cell=crystal.cell @ q.T)) == 225
    mixed = rock_salt.copy()
    mixed.replace_species({"Na": {"Na": 0.5, "K": 0.5}})
    assert find_space_group(parse_structure(mixed)) == 225
    # One site with other occupants breaks the symmetry.
    mixed[0] = {"Na": 0.9, "K": 0.1}
    assert find_space_group(parse_structure(mixed)) == 221


@pytest.mark.parametrize("copies", [(9, 9, 9), (3, 10, 20)])
def test_the_space_group_of_a_large_supercell_is_that_of_its_cell(copies: tuple[int, int, int]) -> None:
    """The same supercell with a vacancy is not searched, since that would take minutes."""
    polonium = Structure(Lattice.cubic(3.35), ["Po"], [[0, 0, 0]]).make_supercell(copies)
    assert find_space_group(parse_structure(polonium)) == 221
    polonium.remove_sites([0])
    assert find_space_group(parse_structure(polonium)) == 0


def test_the_graph_tower_reads_the_space_group() -> None:
    config = small_graph_config(symmetry_readout=True, pattern_readout=True)
    extractor, model = ClacFeatureExtractor.from_graph_config(config), ClacGraphModel(config).eval()
    cubic = Structure(Lattice.cubic(3.4), ["Po"], [[0, 0, 0]])
    features = extractor([cubic, Structure(Lattice.tetragonal(2.9, 3.6), ["Po"], [[0, 0, 0]])])
    assert features["space_group"].tolist() == [221, 123]
    own = model(**features).pooler_output
    assert own.shape == (2, model.output_size)
    unknown = model(**{**features, "space_group": torch.zeros(2, dtype=torch.long)}).pooler_output
    same = (own == unknown).all(dim=0)
    assert (~same).sum() == config.hidden_size
    with pytest.raises(ValueError, match=r"space_group is missing.*symmetry=True"):
        model(**{name: value for name, value in features.items() if name != "space_group"})
    # A known group, such as that of the crystal before it was distorted, is kept.
    known = replace(extractor.parse(cubic), space_group=99)
    assert extractor([known])["space_group"].tolist() == [99]
    assert "space_group" not in ClacFeatureExtractor()([cubic])


def test_patterns_ignore_the_elements() -> None:
    def fractions(formula: str) -> torch.Tensor:
        amounts = read_formula(formula)
        row = torch.zeros(119)
        for symbol, amount in amounts.items():
            row[ELEMENTS.index(symbol) + 1] = amount / sum(amounts.values())
        return row

    rows = pattern_features(torch.stack([fractions(f) for f in ("NaCl", "GaAs", "TiO2", "BaTiO3", "Si")]))
    assert rows.shape == (5, PATTERN_SIZE)
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[1], rows[2])
    assert rows[:, :7].argmax(dim=1).tolist() == [2, 2, 2, 3, 1]
    assert rows[4, 7:].count_nonzero() <= (rows.shape[1] - 7) // 6
