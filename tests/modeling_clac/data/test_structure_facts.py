"""Facts of structures: the same columns for the index, the bundled data set and all other data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from datasets_scripts.common.crystal_rows import SCHEMA, structure_columns
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.structure_facts import (
    STRUCTURE_COLUMNS,
    crystal_formula,
    describe_crystal,
    formula_amounts,
    reduced_formula,
    same_composition,
)
from modeling_clac.formulas_clac import ELEMENTS, read_formula
from modeling_clac.structures_clac import parse_structure
from tests.conftest import CRYSTALS
from tests.helpers.disorder import cobaltite, garnet, split_atoms


def test_columns_are_those_of_the_bundle(records: list[dict[str, Any]]) -> None:
    for record in records[:25]:
        described = describe_crystal(parse_structure(record["cif"]))
        assert list(described) == list(STRUCTURE_COLUMNS)
        for column, value in described.items():
            # The CIF has six decimals.
            expected = pytest.approx(record[column], rel=1e-6) if isinstance(value, float) else record[column]
            assert value == expected, (record["material_id"], column)


def test_rows_of_data_sets_are_those_of_the_bundle(records: list[dict[str, Any]]) -> None:
    for record in records[:25]:
        columns = structure_columns(Structure.from_str(record["cif"], fmt="cif"))
        for column, value in columns.items():
            if column != "cif":
                expected = pytest.approx(record[column], rel=1e-6) if isinstance(value, float) else record[column]
                assert value == expected, (record["material_id"], column)
        again = Structure.from_str(columns["cif"], fmt="cif")
        assert again.composition == Structure.from_str(record["cif"], fmt="cif").composition
        pa.Table.from_pylist([columns], schema=pa.schema([entry for entry in SCHEMA if entry.name in columns]))


def test_a_crystal_and_its_pymatgen_structure_have_the_same_facts(structure_nacl: Structure) -> None:
    ours, theirs = describe_crystal(parse_structure(structure_nacl)), describe_crystal(structure_nacl)
    for column, value in theirs.items():
        assert ours[column] == (pytest.approx(value) if isinstance(value, float) else value), column


def test_a_cell_without_symmetry_is_described() -> None:
    # spglib fails if two atoms coincide.
    crystal = Crystal(np.array([11, 11]), np.zeros((2, 3)), np.eye(3) * 4.0)
    described = describe_crystal(crystal)
    assert described["formula"] == "Na"
    assert described["space_group_number"] is described["space_group_symbol"] is described["crystal_system"] is None
    with pytest.raises(ValueError, match="no space group"):
        structure_columns(Structure(crystal.cell, ["Na", "Na"], crystal.positions))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 12), min_size=1, max_size=5))
def test_reduced_formulas_are_those_of_pymatgen(amounts: dict[str, int]) -> None:
    assert reduced_formula(amounts) == Composition(amounts).reduced_formula


def test_files_of_the_bundle_have_the_columns() -> None:
    schema = pa.parquet.read_schema(CRYSTALS / "validation.parquet")
    assert {name: schema.field(name).type for name in STRUCTURE_COLUMNS} == STRUCTURE_COLUMNS


# -------------------- disorder
@pytest.mark.parametrize(
    "formula",
    [
        "Li6.75La3Zr1.75Ta0.25O12",
        "La0.6Sr0.4CoO3",
        "Ba0.5Sr0.5TiO3",
        "LiNi0.8Mn0.1Co0.1O2",
        "Li0.5CoO2",
        "Fe2.667O4",
        "Li1.2Mn0.54Co0.13Ni0.13O2",
        "La0.6Sr0.4CoO2.9",
        "Ti0.85O0.85",
        "Fe0.333Co0.333Ni0.333O",
    ],
)
def test_fractional_amounts_are_written_as_the_field_writes_them(formula: str) -> None:
    amounts = read_formula(formula)
    assert reduced_formula(amounts) == formula
    assert reduced_formula(dict(reversed(amounts.items()))) == formula


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(ELEMENTS[:80]), st.floats(0.01, 20), min_size=1, max_size=6))
def test_written_formulas_are_read_back(amounts: dict[str, float]) -> None:
    """Three decimals at most, and the same formula when it is written again."""
    formula = reduced_formula(amounts)
    read = read_formula(formula)
    assert reduced_formula(read) == formula
    if "." in formula:
        assert read == pytest.approx(amounts, abs=5.1e-4)
    assert same_composition({symbol: 3 * amount for symbol, amount in amounts.items()}, amounts)


def test_noise_of_occupancies_is_not_written() -> None:
    assert reduced_formula({"Li": 6.7499999999, "La": 3.0000000001, "Zr": 1.75, "Ta": 0.25, "O": 12}).startswith(
        "Li6.75La3"
    )
    assert reduced_formula({"Ti": 0.9999999, "O": 2.0000001}) == "TiO2"
    assert reduced_formula({"Ce": 1, "Gd": 0.00042, "O": 2}) == "CeGd0.0004O2"


def disordered_structures() -> list[Structure]:
    garnet_cell = garnet()
    antisite = Structure.from_spacegroup(
        "Fd-3m",
        Lattice.cubic(8.2),
        [{"Li": 0.5}, {"Mn": 0.75, "Ni": 0.25}, {"O": 1.0}],
        [[0, 0, 0], [0.625, 0.625, 0.625], [0.3875, 0.3875, 0.3875]],
    )
    alloy = Structure.from_spacegroup("Im-3m", Lattice.cubic(2.9), [{"Fe": 0.5, "Co": 0.5}], [[0, 0, 0]])
    ordered_alloy = Structure(
        Lattice.cubic(2.9), [{"Fe": 0.9, "Co": 0.1}, {"Fe": 0.1, "Co": 0.9}], [[0] * 3, [0.5] * 3]
    )
    return [garnet_cell, garnet_cell.get_primitive_structure(), cobaltite(), antisite, alloy, ordered_alloy]


def test_facts_of_disordered_crystals_are_those_of_pymatgen() -> None:
    groups = []
    for structure in disordered_structures():
        crystal = parse_structure(structure)
        described = describe_crystal(crystal)
        analyzer = SpacegroupAnalyzer(structure, symprec=0.1)
        assert described["space_group_number"] == analyzer.get_space_group_number()
        assert described["nsites"] == len(structure)
        assert described["density"] == pytest.approx(structure.density, rel=1e-9)
        assert crystal.density == pytest.approx(structure.density, rel=1e-4)
        written, fractions = Composition(described["formula"]), structure.composition
        for element in fractions.elements:
            assert written.get_atomic_fraction(element) == pytest.approx(
                fractions.get_atomic_fraction(element), abs=1e-3
            )
        assert described["elements"] == sorted(element.symbol for element in fractions.elements)
        groups.append(described["space_group_number"])
    assert groups == [230, 230, 221, 227, 229, 221]


def test_formula_units_follow_the_sites() -> None:
    formulas = [crystal_formula(parse_structure(structure)) for structure in disordered_structures()]
    assert formulas == [
        "Li6.75La3Zr1.75Ta0.25O12",
        "Li6.75La3Zr1.75Ta0.25O12",
        "La0.6Sr0.4CoO3",
        "Li0.5Mn1.5Ni0.5O4",
        "Fe0.5Co0.5",
        "FeCo",
    ]
    split = split_atoms(parse_structure(cobaltite()), np.random.default_rng(0), parts=3)
    assert crystal_formula(split) == "La0.6Sr0.4CoO3"
    assert formula_amounts(split) == pytest.approx({"O": 3, "Co": 1, "Sr": 0.4, "La": 0.6})
