"""Disordered crystals that are ordered on reading: composition, evenness, size limit, exclusions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Lattice, Structure

from modeling_clac import ClacFeatureExtractor, InvalidStructureError
from modeling_clac.crystal_clac import Crystal, ReadingOptions, neighbor_pairs
from modeling_clac.data.structure_facts import crystal_formula, describe_crystal, formula_amounts, same_composition
from modeling_clac.data.structure_writing import to_pymatgen
from modeling_clac.structures_clac import parse_structure
from tests.helpers.disorder import cobaltite, garnet, split_atoms

ORDER = ReadingOptions(disorder="order")


def mixed(structure: Structure, shares: dict[str, float], site: int = 0) -> Structure:
    changed = structure.copy()
    changed[site] = shares
    return changed


def rock_salt(shares: dict[str, float]) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), [shares, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_half_and_half_alternate() -> None:
    """La and Sr of a perovskite as the ions of rock salt, the atoms of a bcc alloy as those of CsCl."""
    ordered = parse_structure(mixed(cobaltite(), {"La": 0.5, "Sr": 0.5}), options=ORDER)
    assert ordered.is_ordered and len(ordered) == 10 and not ordered.warnings
    assert describe_crystal(ordered)["space_group_symbol"] == "Fm-3m"
    alloy = Structure(Lattice.cubic(2.9), [{"Fe": 0.5, "Co": 0.5}] * 2, [[0, 0, 0], [0.5, 0.5, 0.5]])
    facts = describe_crystal(parse_structure(alloy, options=ORDER))
    assert (facts["formula"], facts["nsites"], facts["space_group_symbol"]) == ("FeCo", 2, "Pm-3m")


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_distribution_is_the_most_even_of_all(seed: int) -> None:
    """Eight atoms on twelve sites at random positions, four on the first kind: all distributions are compared."""
    generator = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid([0, 0.5], [0, 0.5], [0, 1 / 3, 2 / 3], indexing="ij"), axis=-1).reshape(-1, 3)
    places = grid + generator.uniform(-0.06, 0.06, grid.shape)
    structure = Structure(Lattice.orthorhombic(6, 6.4, 9), [{"Mg": 1 / 3, "Zn": 2 / 3}] * 12, places)
    ordered = parse_structure(structure, options=ORDER)
    assert formula_amounts(ordered) == {"Mg": 1, "Zn": 2} and len(ordered) == 12

    charges = Structure(structure.lattice, ["H+"] * 12, places)
    energies = EwaldSummation(charges).total_energy_matrix

    def energy(magnesium: list[int]) -> float:
        deviation = np.full(12, -1 / 3)
        deviation[magnesium] += 1.0
        return float(deviation @ energies @ deviation)

    lowest = min(energy(list(chosen)) for chosen in combinations(range(12), 4))
    assert np.allclose(ordered.positions, structure.cart_coords)
    assert energy(np.flatnonzero(ordered.atomic_numbers == 12).tolist()) == pytest.approx(lowest, abs=1e-4)


@pytest.mark.parametrize(
    "structure", [garnet().get_primitive_structure(), cobaltite(), rock_salt({"Mg": 0.7, "Ni": 0.2})]
)
def test_composition_cell_and_density_stay(structure: Structure) -> None:
    disordered, ordered = parse_structure(structure), parse_structure(structure, options=ORDER)
    assert ordered.is_ordered and not ordered.warnings
    assert same_composition(formula_amounts(ordered), formula_amounts(disordered))
    assert ordered.density == pytest.approx(disordered.density, rel=1e-9)
    multiple = ordered.volume / disordered.volume
    assert multiple == pytest.approx(round(multiple))
    ClacFeatureExtractor()(ordered)
    # Each atom is on a site of the disordered crystal that has its element.
    parent = to_pymatgen(disordered)
    for site in to_pymatgen(ordered):
        distances = parent.lattice.get_all_distances(
            parent.lattice.get_fractional_coords(site.coords), parent.frac_coords
        )
        nearest = int(distances.argmin())
        assert distances[0, nearest] < 1e-6 and site.specie in parent[nearest].species


def test_atoms_that_exclude_each_other_are_not_both_present() -> None:
    ordered = parse_structure(garnet(), options=ORDER)
    lithium = ordered.atomic_numbers == 3
    assert lithium.sum() == 54
    only = Crystal(ordered.atomic_numbers[lithium], ordered.positions[lithium], ordered.cell)
    assert neighbor_pairs(only, 5.0)[3].min() > 1.92
    # Three positions of one atom, 0.6 Å apart, in each of two cages.
    cage = np.array([[0, 0, 0], [0.6, 0, 0], [0.3, 0.5, 0]])
    places = np.concatenate([cage, cage + np.array([0, 0, 4])])
    structure = Structure(Lattice.orthorhombic(5, 5, 8), [{"O": 1 / 3}] * 6, places, coords_are_cartesian=True)
    heights = parse_structure(structure, options=ORDER).positions[:, 2]
    assert sorted(heights) == pytest.approx([0, 4])


def test_the_result_is_always_the_same() -> None:
    structure = mixed(cobaltite(), {"La": 0.62, "Sr": 0.3, "Ba": 0.08})
    first, second = (parse_structure(structure, options=ORDER) for _ in range(2))
    assert (first.atomic_numbers == second.atomic_numbers).all() and (first.positions == second.positions).all()


def test_the_nearest_composition_within_the_limit_is_stated() -> None:
    options = ReadingOptions(max_atoms=15, disorder="order")
    ordered = parse_structure(rock_salt({"Mg": 0.7, "Ni": 0.3}), options=options)
    assert crystal_formula(ordered) == "Mg3NiO4"
    assert ordered.warnings == (
        "the occupancies do not fit into a cell of at most 15 sites; the ordered crystal is O4Mg3Ni",
    )
    with pytest.raises(InvalidStructureError, match="do not fit"):
        parse_structure(rock_salt({"Mg": 0.7, "Ni": 0.3}), options=ReadingOptions(15, "order", strict=True))
    assert not parse_structure(rock_salt({"Mg": 0.75, "Ni": 0.25}), options=options).warnings
    assert len(parse_structure(rock_salt({"Mg": 0.7, "Ni": 0.3}), options=ORDER)) == 40


def test_a_crystal_with_too_many_mixed_sites_is_refused() -> None:
    structure = Structure(Lattice.cubic(2.9), [{"Fe": 0.5, "Co": 0.5}], [[0, 0, 0]]) * (9, 8, 8)
    with pytest.raises(InvalidStructureError, match="576 mixed or partly occupied sites in the cell are too many"):
        parse_structure(structure, options=ORDER)


def test_ordered_crystals_stay() -> None:
    ordered = parse_structure(rock_salt({"Mg": 1.0}))
    assert parse_structure(ordered, options=ORDER) is ordered


def test_atoms_of_one_element_on_one_site_are_one_atom() -> None:
    whole = parse_structure(rock_salt({"Mg": 1.0}))
    halves = split_atoms(whole, np.random.default_rng(0))
    ordered = parse_structure(halves, options=ORDER)
    assert ordered.is_ordered and sorted(ordered.atomic_numbers) == sorted(whole.atomic_numbers)
