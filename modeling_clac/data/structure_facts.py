"""What a crystal structure says by itself: composition, symmetry, density."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gemmi
import pyarrow as pa

from ..structures_clac import Crystal
from .properties import PROPERTIES

if TYPE_CHECKING:
    from pymatgen.core import Structure

# Tolerances within which spglib finds symmetries: Å and degrees.
SYMPREC, ANGLE_TOLERANCE = 0.1, 5.0

# Column of `describe_crystal` -> type.
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
    The reduced formula, as pymatgen writes it: by electronegativity, `LiFePO4`.

    Args:
        amounts: element -> atoms of it.
    """
    return _reduced_formula(tuple(amounts.items()))


@lru_cache(maxsize=1 << 16)
def _reduced_formula(amounts: tuple[tuple[str, float], ...]) -> str:
    from pymatgen.core import Composition

    with warnings.catch_warnings():
        # Of elements without an electronegativity, which come last.
        warnings.simplefilter("ignore", UserWarning)
        return Composition(dict(amounts)).reduced_formula


def atom_counts(crystal: Crystal) -> dict[str, int]:
    """Element -> its atoms in the cell, by atomic number."""
    counts = Counter(crystal.atomic_numbers.tolist())
    return {gemmi.Element(number).name: counts[number] for number in sorted(counts)}


def describe_crystal(crystal: Crystal | Structure) -> dict[str, Any]:
    """
    The columns that follow from a structure.

    Args:
        crystal: an ordered crystal.

    Returns:
        `formula` (reduced), `chemsys`, `nsites`, `elements`, `density` (g/cm³), `volume` (Å³) and the space group
        (spglib, within `SYMPREC` and `ANGLE_TOLERANCE`), None where none can be determined.
    """
    structure = _to_pymatgen(crystal) if isinstance(crystal, Crystal) else crystal
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


def _to_pymatgen(crystal: Crystal) -> Structure:
    from pymatgen.core import Structure

    numbers = crystal.atomic_numbers.tolist()
    return Structure(crystal.cell, numbers, crystal.positions, coords_are_cartesian=True)


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
        # Unusual cells have no symmetry that spglib can determine; they are crystals all the same.
        return dict.fromkeys(("space_group_number", "space_group_symbol", "crystal_system"))


__all__ = ["ANGLE_TOLERANCE", "STRUCTURE_COLUMNS", "SYMPREC", "atom_counts", "describe_crystal", "reduced_formula"]
