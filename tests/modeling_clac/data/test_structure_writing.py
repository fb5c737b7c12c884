"""Structures that are written as CIF, POSCAR, pymatgen and ase objects, and read back."""

from __future__ import annotations

import sys
from dataclasses import replace

import gemmi
import numpy as np
import pytest
from ase import Atoms
from ase.io import read as read_with_ase
from ase.io import write as write_with_ase
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifParser
from pymatgen.io.vasp import Poscar

from modeling_clac import ClacInputError, InvalidStructureError
from modeling_clac.crystal_clac import Crystal, make_crystal
from modeling_clac.data.structure_writing import cif_text, hill_formula, poscar_text, to_ase, to_pymatgen
from modeling_clac.structures_clac import parse_structure

GARNET = {"Li": 0.75, "Ta": 0.25}


@st.composite
def crystals(draw: st.DrawFn, disordered: bool = True) -> Crystal:
    """Crystals with any cell, of either handedness, and with mixed, partly occupied and full sites."""
    lengths = [draw(st.floats(4, 9)) for _ in range(3)]
    lattice = Lattice.from_parameters(*lengths, *(draw(st.floats(75, 110)) for _ in range(3)))
    rotation = np.linalg.qr(np.random.default_rng(draw(st.integers(0, 99))).normal(size=(3, 3)))[0]
    cell = lattice.matrix @ rotation
    # Sites on a grid, far from one another, each moved a little. No hydrogen, which pymatgen joins to OH groups.
    places = draw(st.lists(st.tuples(*[st.integers(0, 1)] * 3), min_size=1, max_size=5, unique=True))
    numbers, fractional, occupancy = [], [], []
    for place in places:
        moved = [(axis + draw(st.floats(-0.1, 0.1))) / 2 + draw(st.sampled_from([0, 0, 3])) for axis in place]
        species = draw(st.lists(st.sampled_from([3, 8, 9, 26, 57, 92]), min_size=1, max_size=3, unique=True))
        if not disordered:
            species = species[:1]
        shares = [draw(st.floats(0.05, 0.97 / len(species))) for _ in species] if disordered else [1.0]
        if draw(st.booleans()) and disordered:
            shares[-1] = 1.0 - sum(shares[:-1])
        numbers += species
        fractional += [moved] * len(species)
        occupancy += shares
    return make_crystal("drawn", numbers, np.array(fractional) @ cell, cell, occupancy)


def same_crystal(one: Crystal, other: Crystal) -> None:
    """Same atoms in the same order, up to a proper rotation and lattice vectors."""
    assert one.atomic_numbers.tolist() == other.atomic_numbers.tolist()
    np.testing.assert_allclose(one.weights, other.weights, atol=1e-9)
    sign = np.sign(np.linalg.det(one.cell)) * np.sign(np.linalg.det(other.cell))
    rotation = np.linalg.solve(sign * other.cell, one.cell)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) > 0
    moved = np.linalg.solve(one.cell.T, (one.positions - other.positions @ rotation).T)
    np.testing.assert_allclose(moved, np.round(moved), atol=1e-9)
    assert one.density == pytest.approx(other.density, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(crystals())
def test_a_cif_reads_back_as_the_same_crystal(crystal: Crystal):
    text = cif_text(crystal, "some id, with spaces")
    read = parse_structure(text)
    same_crystal(read, crystal)
    # Drawn crystals may be lighter than real ones, which is all that may be noted.
    assert all(warning.startswith("density: ") for warning in read.warnings)
    block = gemmi.cif.read_string(text).sole_block()
    assert block.name == "some_id,_with_spaces"
    assert float(block.find_value("_exptl_crystal_density_diffrn")) == pytest.approx(crystal.density, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(crystals())
def test_pymatgen_reads_the_cif_and_agrees_with_the_conversion(crystal: Crystal):
    read = CifParser.from_str(cif_text(crystal)).parse_structures(primitive=False)[0]
    converted = to_pymatgen(crystal)
    for structure in (read, converted):
        assert structure.density == pytest.approx(crystal.density, rel=1e-4)
        assert len(structure) == len({tuple(np.round(position, 6)) for position in crystal.positions})
    amounts = read.composition.get_el_amt_dict()
    assert converted.composition.get_el_amt_dict() == pytest.approx(amounts, abs=1e-6)
    same_crystal(parse_structure(converted), crystal)


@settings(max_examples=25, deadline=None)
@given(crystals(disordered=False))
def test_a_poscar_reads_back_as_the_same_crystal(crystal: Crystal):
    structure = Poscar.from_str(poscar_text(crystal, "a\nname")).structure
    read = parse_structure(structure)
    order = np.argsort(crystal.atomic_numbers, kind="stable")
    ours = Crystal(crystal.atomic_numbers[order], crystal.positions[order], crystal.cell)
    order = np.argsort(read.atomic_numbers, kind="stable")
    same_crystal(Crystal(read.atomic_numbers[order], read.positions[order], read.cell), ours)
    assert np.linalg.det(structure.lattice.matrix) > 0


def test_bundled_crystals_read_back(cifs: list[str]):
    for cif in cifs[:8]:
        crystal = parse_structure(cif)
        same_crystal(parse_structure(cif_text(crystal)), crystal)


def test_composition_and_number_of_formula_units_are_stated(structure_nacl: Structure):
    block = gemmi.cif.read_string(cif_text(parse_structure(structure_nacl), "")).sole_block()
    assert block.find_value("_chemical_formula_sum") == "'Cl Na'"
    assert block.find_value("_cell_formula_units_Z") == "4"
    assert block.find_value("_cell_length_a") == "5.64"
    assert block.name == "crystal"


def test_what_was_read_with_doubt_is_a_comment(structure_nacl: Structure):
    crystal = replace(parse_structure(structure_nacl), warnings=("hydrogen: 2 H atoms have no position",))
    text = cif_text(crystal)
    assert text.startswith("# hydrogen: 2 H atoms have no position\ndata_crystal\n")
    same_crystal(parse_structure(text), crystal)


def test_formulas_of_hill_keep_fractions():
    assert hill_formula({"Zr": 1.75, "Li": 6.75, "La": 3, "Ta": 0.25, "O": 12}) == "La3 Li6.75 O12 Ta0.25 Zr1.75"
    assert hill_formula({"O": 1, "H": 4, "C": 1}) == "C H4 O"
    assert hill_formula({"H": 2, "O": 1}) == "H2 O"


def test_a_poscar_of_a_disordered_crystal_is_refused():
    mixed = parse_structure(Structure(Lattice.cubic(4), [GARNET], [[0, 0, 0]]))
    with pytest.raises(InvalidStructureError, match="mixed: disordered, which a POSCAR cannot express"):
        poscar_text(mixed, "mixed")


def test_mixed_sites_follow_the_conventions_of_ase(tmp_path):
    structure = Structure(Lattice.cubic(4), [GARNET, {"Fe": 0.5}, "O"], [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0.5, 0.5]])
    crystal = parse_structure(structure)
    atoms = to_ase(crystal)
    assert isinstance(atoms, Atoms) and atoms.get_chemical_symbols() == ["Li", "Fe", "O"] and atoms.pbc.all()
    assert atoms.info["occupancy"] == {"0": GARNET, "1": {"Fe": 0.5}, "2": {"O": 1.0}}
    # ase writes what it understands of them, and reads our CIF in the same way.
    write_with_ase(tmp_path / "ase.cif", atoms)
    same_crystal(parse_structure(CifParser(tmp_path / "ase.cif").parse_structures(primitive=False)[0]), crystal)
    (tmp_path / "own.cif").write_text(cif_text(crystal))
    read = read_with_ase(tmp_path / "own.cif", fractional_occupancies=True)
    kinds = [read.info["occupancy"][str(kind)] for kind in read.arrays["spacegroup_kinds"]]
    assert GARNET in kinds and {"O": 1.0} in kinds and {"Fe": 0.5} in kinds


def test_ordered_crystals_have_no_occupancies_in_ase(structure_perovskite: Structure):
    atoms = to_ase(parse_structure(structure_perovskite))
    assert atoms.info == {} and atoms.get_atomic_numbers().tolist() == [56, 22, 8, 8, 8]
    np.testing.assert_allclose(atoms.cell.array, structure_perovskite.lattice.matrix)
    np.testing.assert_allclose(atoms.positions, structure_perovskite.cart_coords)


def test_a_missing_ase_is_one_line(structure_po: Structure, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ase", None)
    with pytest.raises(ClacInputError, match="ase is not installed; install it with `pip install ase`"):
        to_ase(parse_structure(structure_po))
