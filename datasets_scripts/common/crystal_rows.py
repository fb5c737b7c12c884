"""Rows of data sets of crystals: their columns, and those that are computed from the structure."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter

from modeling_clac.data.properties import PROPERTIES
from modeling_clac.data.structure_facts import STRUCTURE_COLUMNS, describe_crystal

DECIMALS = 6  # of every real number and of the CIFs
# A cell that leaves its atoms less room has no volume worth the name; Å³ an atom.
MIN_ATOM_VOLUME = 1.0


def crystal_schema(properties: Iterable[str]) -> pa.Schema:
    """
    The schema of a data set of crystals.

    Args:
        properties: its columns of properties, those that follow from the structure included.
    """
    return pa.schema(
        {
            "material_id": pa.string(),
            "source": pa.list_(pa.string()),
            "cif": pa.large_string(),
            **STRUCTURE_COLUMNS,
            **dict.fromkeys(properties, pa.float64()),
            "is_oxide": pa.bool_(),
            "split": pa.string(),
        }
    )


# Columns of every data set of crystals with properties.
SCHEMA = crystal_schema(PROPERTIES)


def structure_columns(structure: Structure) -> dict[str, Any]:
    """
    The columns of a row that follow from the structure: the CIF, what `describe_crystal` gives, and `is_oxide`.

    Raises:
        ValueError: no space group can be determined.
    """
    facts = describe_crystal(structure)
    if facts["space_group_number"] is None:
        raise ValueError("no space group found")
    with warnings.catch_warnings():
        # Of elements without an electronegativity, which a CIF makes no use of.
        warnings.simplefilter("ignore", UserWarning)
        cif = str(CifWriter(structure, significant_figures=DECIMALS))
    rounded = {name: round(value, DECIMALS) if isinstance(value, float) else value for name, value in facts.items()}
    return {"cif": cif, **rounded, "is_oxide": "O" in facts["elements"] and len(facts["elements"]) > 1}


__all__ = ["DECIMALS", "MIN_ATOM_VOLUME", "SCHEMA", "crystal_schema", "structure_columns"]
