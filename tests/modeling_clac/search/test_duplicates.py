"""Duplicates: what was moved, scaled, repeated or written in another cell is the same structure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from modeling_clac import ClacEmbedder
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.search.duplicates import compare_crystals, find_duplicates
from modeling_clac.search.index import bundled_index
from modeling_clac.structures_clac import parse_structure

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
MAGNESIA = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
CSCL = Structure(Lattice.cubic(3.5), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="module")
def embedder() -> ClacEmbedder:
    return ClacEmbedder.from_pretrained()


@pytest.fixture(scope="module")
def bundle() -> list[Crystal]:
    cifs = bundled_crystals()["cif"]
    return [parse_structure(cifs[row].as_py()) for row in range(0, 6000, 300)]


def variant(crystal: Crystal, seed: int) -> Crystal:
    """The crystal in a doubled, permuted, shifted and slightly expanded cell."""
    random = np.random.default_rng(seed)
    axis = int(random.integers(3))
    numbers = np.concatenate([crystal.atomic_numbers] * 2)
    positions = np.concatenate([crystal.positions, crystal.positions + crystal.cell[axis]])
    cell = crystal.cell.copy()
    cell[axis] *= 2
    order = random.permutation(len(numbers))
    shift = random.normal(size=3)
    scale = 1.0 + random.uniform(-0.01, 0.01)
    return Crystal(numbers[order], (positions[order] + shift) * scale, cell * scale)


@given(row=st.integers(0, 19), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_another_cell_of_a_crystal_is_a_duplicate(bundle, embedder, row: int, seed: int) -> None:
    crystals = [*bundle, variant(bundle[row], seed)]
    groups = find_duplicates(crystals, embedder.encode_crystals(crystals))
    assert [row, len(bundle)] in groups
    assert sorted(place for group in groups for place in group) == list(range(len(crystals)))


def test_verdicts(embedder) -> None:
    salt, magnesia, cscl = (parse_structure(structure) for structure in (SALT, MAGNESIA, CSCL))
    same = compare_crystals(salt, parse_structure(SALT.get_primitive_structure()), 1.0)
    assert same.same and same.same_prototype and same.rms == pytest.approx(0.0, abs=1e-6)
    prototype = compare_crystals(salt, magnesia, 0.2)
    assert (prototype.same, prototype.rms, prototype.same_prototype, prototype.cosine) == (False, None, True, 0.2)
    polymorph = compare_crystals(salt, cscl, 0.8)
    assert not polymorph.same and not polymorph.same_prototype


def test_the_cosine_is_a_filter() -> None:
    salt = parse_structure(SALT)
    assert find_duplicates([salt, salt], np.array([[1.0, 0.0], [0.6, 0.8]])) == [[0, 1]]
    assert find_duplicates([salt, salt], np.array([[1.0, 0.0], [0.4, 0.9]])) == [[0], [1]]
    assert find_duplicates([salt, salt], np.array([[1.0, 0.0], [0.4, 0.9]]), min_cosine=0.3) == [[0, 1]]


def test_no_pair_of_the_bundle_that_matches_is_below_the_filter() -> None:
    table, embeds = bundled_crystals(), bundled_index().embeds
    rows: dict[str, list[int]] = {}
    for row, formula in enumerate(table["formula"].to_pylist()):
        rows.setdefault(formula, []).append(row)
    cifs, matching = table["cif"], 0
    for formula in ("BaTiO3", "KNbO3", "SnO", "Ag3SI", "SiO2", "TiO2", "AlHO2"):
        crystals = [parse_structure(cifs[row].as_py()) for row in rows[formula]]
        vectors = embeds[rows[formula]]
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        unfiltered = find_duplicates(crystals, vectors, min_cosine=-1.0)
        assert find_duplicates(crystals, vectors) == unfiltered
        matching += len(crystals) - len(unfiltered)
    assert matching > 10


def test_disordered_crystals_are_compared_with_their_occupancies() -> None:
    mixed = Structure(Lattice.cubic(3.0), [{"Ni": 0.5, "Fe": 0.5}], [[0, 0, 0]])
    again = parse_structure(mixed * (2, 1, 1))
    other = parse_structure(Structure(Lattice.cubic(3.0), [{"Ni": 0.7, "Fe": 0.3}], [[0, 0, 0]]))
    groups = find_duplicates([parse_structure(mixed), again, other], np.ones((3, 1)))
    assert groups == [[0, 1], [2]]
    assert compare_crystals(parse_structure(mixed), again, 1.0).same
