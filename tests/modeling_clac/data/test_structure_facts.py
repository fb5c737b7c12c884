"""Facts of structures: the same columns for the index, the bundled data set and all other data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Structure

from datasets_scripts.common.crystal_rows import SCHEMA, structure_columns
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.structure_facts import STRUCTURE_COLUMNS, describe_crystal, reduced_formula
from modeling_clac.formulas_clac import ELEMENTS
from modeling_clac.structures_clac import parse_structure
from tests.conftest import CRYSTALS


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
