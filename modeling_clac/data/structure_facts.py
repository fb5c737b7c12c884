"""Facts that follow from a crystal structure: composition, symmetry, density and volume."""

from __future__ import annotations

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import gemmi
import numpy as np
import pyarrow as pa

from ..concepts.symmetry import crystal_system
from ..crystal_clac import Crystal, crystal_from_pymatgen, site_of_each_atom
from ..symmetry_clac import find_symmetry
from .properties import PROPERTIES
from .structure_writing import to_pymatgen

if TYPE_CHECKING:
    from pymatgen.core import Structure

# Atomic fractions that differ by less are equal: amounts are written with few decimals.
FRACTION_TOLERANCE = 1e-3
_AMOUNT_DECIMALS = 3
# Largest difference of the Pauling electronegativities of elements that share a site.
_SHARED_SITE_RANGE = 0.5

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
    Write a composition as a formula, such as `LiFePO4` or `La0.6Sr0.4CoO3`.

    Whole amounts are divided by their greatest common divisor and written as pymatgen does, sorted by
    electronegativity. Other amounts are those of the formula unit, rounded to 3 decimals. Of them, neighbours in this
    order with similar electronegativities that add up to a whole number share a site, and are sorted by amount as the
    field does.

    Args:
        amounts: Mapping of element symbols to amounts.
    """
    return _reduced_formula(tuple(amounts.items()))


@lru_cache(maxsize=1 << 16)
def _reduced_formula(amounts: tuple[tuple[str, float], ...]) -> str:
    from pymatgen.core import Composition, Element

    rounded = {symbol: _rounded(amount) for symbol, amount in amounts if amount > 0}
    if len(rounded) == 1:
        rounded = dict.fromkeys(rounded, 1.0)
    with warnings.catch_warnings():
        # pymatgen warns about elements without an electronegativity; they come last.
        warnings.simplefilter("ignore", UserWarning)
        if all(amount.is_integer() for amount in rounded.values()):
            return Composition(rounded).reduced_formula
        order = [(element.symbol, element.X) for element in sorted(map(Element, rounded))]
    parts: list[tuple[str, float]] = []
    sharing: list[tuple[str, float]] = []
    lowest = 0.0
    for symbol, electronegativity in order:
        part = (symbol, rounded[symbol])
        if not (sharing and electronegativity - lowest <= _SHARED_SITE_RANGE):
            parts, sharing, lowest = [*parts, *sharing], [], electronegativity
        if part[1].is_integer():
            parts, sharing = [*parts, *sharing, part], []
            continue
        sharing.append(part)
        total = sum(amount for _, amount in sharing)
        if len(sharing) > 1 and abs(total - round(total)) < 1e-3 * len(sharing):
            parts += sorted(sharing, key=lambda entry: -entry[1])
            sharing = []
    return "".join(symbol + _written(amount) for symbol, amount in [*parts, *sharing])


def _rounded(amount: float) -> float:
    """Round to `_AMOUNT_DECIMALS`, but a trace to one significant digit."""
    return round(float(amount), _AMOUNT_DECIMALS) or float(f"{amount:.1g}")


def _written(amount: float) -> str:
    return "" if amount == 1 else np.format_float_positional(amount, trim="-")


def formula_amounts(crystal: Crystal) -> dict[str, float]:
    """
    Count the atoms of each element in a formula unit.

    The number of formula units in the cell is the greatest common divisor of the numbers of atoms of an ordered
    crystal. In a disordered one it is that of the numbers of sites, counted for each mixture of elements, so that
    garnets have 12 O whatever shares their other sites.

    Args:
        crystal: The crystal.

    Returns:
        Mapping of element symbols, sorted by atomic number, to amounts.
    """
    numbers = crystal.atomic_numbers.tolist()
    if crystal.occupancy is None:
        counts = Counter(numbers)
        divisor = math.gcd(*counts.values())
        return {gemmi.Element(number).name: counts[number] // divisor for number in sorted(counts)}
    totals: dict[int, float] = defaultdict(float)
    mixtures: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    sites = site_of_each_atom(crystal).tolist()
    for number, share, site in zip(numbers, crystal.occupancy.tolist(), sites, strict=True):
        totals[number] += share
        mixtures[site][number] += share
    kinds = Counter(
        frozenset((number, _rounded(share)) for number, share in mixture.items()) for mixture in mixtures.values()
    )
    divisor = math.gcd(*kinds.values())
    return {gemmi.Element(number).name: totals[number] / divisor for number in sorted(totals)}


def crystal_formula(crystal: Crystal) -> str:
    """Write the composition of a crystal as a formula, see [`reduced_formula`]."""
    return reduced_formula(formula_amounts(crystal))


def same_composition(first: Mapping[str, float], second: Mapping[str, float]) -> bool:
    """
    Whether two compositions have the same atomic fractions, within `FRACTION_TOLERANCE`.

    Args:
        first: Mapping of element symbols to amounts.
        second: Another one, not necessarily of the same formula unit.
    """
    if first.keys() != second.keys():
        return False
    ours, theirs = sum(first.values()), sum(second.values())
    return all(abs(first[symbol] / ours - second[symbol] / theirs) <= FRACTION_TOLERANCE for symbol in first)


def describe_crystal(crystal: Crystal | Structure) -> dict[str, Any]:
    """
    Compute the columns that follow from a structure.

    Args:
        crystal: The crystal. It may be disordered.

    Returns:
        `formula` (reduced), `chemsys`, `nsites`, `elements`, `density` (g/cm³), `volume` (Å³), and
        `space_group_number`, `space_group_symbol` and `crystal_system`. `nsites` is the number of positions in the
        cell that are occupied, wholly or partly. The last three are `None` if [`find_symmetry`] finds no space group.
    """
    if isinstance(crystal, Crystal):
        structure = to_pymatgen(crystal)
    else:
        structure, crystal = crystal, crystal_from_pymatgen(crystal, "structure")
    amounts = formula_amounts(crystal)
    elements = sorted(amounts)
    return {
        "formula": reduced_formula(amounts),
        "chemsys": "-".join(elements),
        "nsites": len(structure),
        "elements": elements,
        **_symmetry(crystal),
        "density": float(structure.density),
        "volume": float(structure.volume),
    }


def _symmetry(crystal: Crystal) -> dict[str, Any]:
    found = find_symmetry(crystal)
    if found is None:
        return dict.fromkeys(("space_group_number", "space_group_symbol", "crystal_system"))
    number, symbol = found
    return {"space_group_number": number, "space_group_symbol": symbol, "crystal_system": crystal_system(number)}


__all__ = [
    "FRACTION_TOLERANCE",
    "STRUCTURE_COLUMNS",
    "crystal_formula",
    "describe_crystal",
    "formula_amounts",
    "reduced_formula",
    "same_composition",
]
