"""Facts that follow from a crystal structure: composition, symmetry, density and volume."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gemmi
import pyarrow as pa

from ..crystal_clac import Crystal
from .properties import PROPERTIES
from .structure_writing import to_pymatgen

if TYPE_CHECKING:
    from pymatgen.core import Structure

# Tolerances of the symmetry search by spglib, in Å and degrees.
SYMPREC, ANGLE_TOLERANCE = 0.1, 5.0

# Columns of `describe_crystal` and their types.
STRUCTURE_COLUMNS: dict[str, pa.DataType] = {
    "formula": pa.string(),
    "chemsys": pa.string(),
    "nsites": pa.int32(),
    "elements": pa.list_(pa.string()),
    "space_group_number": pa.int32(),
    "space_group_symbol": pa.string(),
    "crystal_system": pa.string(),
    **{column: pa.float64() for column, row in PROPERTIES.items() if row.from_structure},
}


def reduced_formula(amounts: Mapping[str, float]) -> str:
    """
    Return the reduced formula as pymatgen writes it, sorted by electronegativity, such as `LiFePO4`.

    Args:
        amounts: Mapping of element symbols to numbers of atoms.
    """
    return _reduced_formula(tuple(amounts.items()))


@lru_cache(maxsize=1 << 16)
def _reduced_formula(amounts: tuple[tuple[str, float], ...]) -> str:
    from pymatgen.core import Composition

    with warnings.catch_warnings():
        # pymatgen warns about elements without an electronegativity; they come last.
        warnings.simplefilter("ignore", UserWarning)
        return Composition(dict(amounts)).reduced_formula


def atom_counts(crystal: Crystal) -> dict[str, int]:
    """Count the atoms of each element in the cell. The keys are element symbols, sorted by atomic number."""
    counts = Counter(crystal.atomic_numbers.tolist())
    return {gemmi.Element(number).name: counts[number] for number in sorted(counts)}


def describe_crystal(crystal: Crystal | Structure) -> dict[str, Any]:
    """
    Compute the columns that follow from a structure.

    Args:
        crystal: An ordered crystal.

    Returns:
        `formula` (reduced), `chemsys`, `nsites`, `elements`, `density` (g/cm³), `volume` (Å³), and
        `space_group_number`, `space_group_symbol` and `crystal_system`. spglib determines the symmetry with the
        tolerances `SYMPREC` and `ANGLE_TOLERANCE`; the three are `None` if it finds no space group.
    """
    structure = to_pymatgen(crystal) if isinstance(crystal, Crystal) else crystal
    amounts = {element.symbol: amount for element, amount in structure.composition.items()}
    elements = sorted(amounts)
    return {
        "formula": reduced_formula(amounts),
        "chemsys": "-".join(elements),
        "nsites": len(structure),
        "elements": elements,
        **_symmetry(structure),
        "density": float(structure.density),
        "volume": float(structure.volume),
    }


def _symmetry(structure: Structure) -> dict[str, Any]:
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    try:
        analyzer = SpacegroupAnalyzer(structure, symprec=SYMPREC, angle_tolerance=ANGLE_TOLERANCE)
        return {
            "space_group_number": analyzer.get_space_group_number(),
            "space_group_symbol": analyzer.get_space_group_symbol(),
            "crystal_system": analyzer.get_crystal_system(),
        }
    except (ValueError, TypeError):
        # spglib fails for some unusual cells. They are valid crystals nevertheless.
        return dict.fromkeys(("space_group_number", "space_group_symbol", "crystal_system"))


__all__ = ["ANGLE_TOLERANCE", "STRUCTURE_COLUMNS", "SYMPREC", "atom_counts", "describe_crystal", "reduced_formula"]
