"""Schema of crystal data sets and the columns that are computed from the structure."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter

from modeling_clac.data.properties import PROPERTIES
from modeling_clac.data.structure_facts import STRUCTURE_COLUMNS, describe_crystal

DECIMALS = 6  # decimals of all real-valued columns and of the coordinates in CIFs
# Cells with less volume per atom are degenerate.
MIN_ATOM_VOLUME = 1.0  # Å³ per atom


def crystal_schema(properties: Iterable[str]) -> pa.Schema:
    """
    Return the schema of a crystal data set.

    Args:
        properties: Names of the property columns, including those that are computed from the structure.
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


# Columns of all crystal data sets with properties.
SCHEMA = crystal_schema(PROPERTIES)


def structure_columns(structure: Structure) -> dict[str, Any]:
    """
    Compute the columns that follow from the structure: the CIF, the facts from `describe_crystal`, and `is_oxide`.

    Raises:
        ValueError: If no space group can be determined.
    """
    facts = describe_crystal(structure)
    if facts["space_group_number"] is None:
        raise ValueError("no space group found")
    with warnings.catch_warnings():
        # pymatgen warns about elements without an electronegativity, which a CIF does not use.
        warnings.simplefilter("ignore", UserWarning)
        cif = str(CifWriter(structure, significant_figures=DECIMALS))
    rounded = {name: round(value, DECIMALS) if isinstance(value, float) else value for name, value in facts.items()}
    return {"cif": cif, **rounded, "is_oxide": "O" in facts["elements"] and len(facts["elements"]) > 1}


__all__ = ["DECIMALS", "MIN_ATOM_VOLUME", "SCHEMA", "crystal_schema", "structure_columns"]
