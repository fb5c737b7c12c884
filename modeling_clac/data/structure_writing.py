"""Crystals as CIF and POSCAR text, and as objects of pymatgen and ase. The only place where structures are written."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import gemmi
import numpy as np

from ..crystal_clac import Crystal, site_of_each_atom
from ..errors_clac import ClacInputError, InvalidStructureError

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

# Decimals of lengths in Å, angles in degrees and fractional coordinates: what float64 can hold.
_CELL_DECIMALS, _COORDINATE_DECIMALS = 12, 14
_OCCUPANCY_DECIMALS = 10
_CELL_PARAMETERS = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
_LONGEST_NAME = 75  # characters of the name of a data block, the limit of CIF 1.1


def cif_text(crystal: Crystal, name: str = "crystal") -> str:
    """
    Write a crystal as CIF text in space group P1.

    The text states the cell, the atoms with fractional coordinates at full precision and their occupancies (10
    decimals), the composition and the density. Comments repeat the warnings of the crystal. [`parse_structure`] reads
    the same crystal back, up to a rotation and to translations of single atoms by lattice vectors.

    Args:
        crystal: The crystal. It may be disordered.
        name: Name of the data block. Characters that CIF does not allow there are replaced by `_`.
    """
    _, fractional = _right_handed(crystal)
    symbols = _symbols(crystal)
    occupancies = _written_occupancies(crystal)
    amounts, units = _formula_unit(symbols, occupancies)

    document = gemmi.cif.Document()
    block = document.add_new_block(re.sub(r"[^!-~]+", "_", name)[:_LONGEST_NAME] or "crystal")
    for parameter, value in zip(_CELL_PARAMETERS, cell_parameters(crystal), strict=True):
        block.set_pair(f"_cell_{parameter}", _decimal(value, _CELL_DECIMALS))
    block.set_pair("_cell_volume", _decimal(crystal.volume, 6))
    block.set_pair("_cell_formula_units_Z", str(units))
    block.set_pair("_chemical_formula_sum", gemmi.cif.quote(hill_formula(amounts)))
    block.set_pair("_exptl_crystal_density_diffrn", _decimal(crystal.density, 6))
    block.set_pair("_space_group_name_H-M_alt", gemmi.cif.quote("P 1"))
    block.set_pair("_space_group_IT_number", "1")
    block.init_loop("_space_group_symop_", ["operation_xyz"]).add_row([gemmi.cif.quote("x, y, z")])
    columns = ["type_symbol", "label", "fract_x", "fract_y", "fract_z", "occupancy"]
    loop = block.init_loop("_atom_site_", columns)
    numbers: Counter[str] = Counter()
    for symbol, position, occupancy in zip(symbols, fractional, occupancies, strict=True):
        numbers[symbol] += 1
        coordinates = [_decimal(coordinate, _COORDINATE_DECIMALS) for coordinate in position]
        loop.add_row([symbol, f"{symbol}{numbers[symbol]}", *coordinates, _decimal(occupancy, _OCCUPANCY_DECIMALS)])
    doubts = "".join(f"# {warning}\n" for warning in crystal.warnings)
    return doubts + document.as_string()


def poscar_text(crystal: Crystal, name: str = "crystal") -> str:
    """
    Write a crystal as POSCAR text for VASP, with fractional coordinates and the atoms sorted by element.

    Args:
        crystal: An ordered crystal.
        name: First line of the file.

    Raises:
        InvalidStructureError: If the crystal is disordered, which the format cannot express.
    """
    if not crystal.is_ordered:
        raise InvalidStructureError(
            f"{name}: disordered, which a POSCAR cannot express; write a CIF, or order the crystal when it is read "
            "(disorder='order', --disorder order)"
        )
    from pymatgen.io.vasp import Poscar

    cell, fractional = _right_handed(crystal)
    ordered = Crystal(crystal.atomic_numbers, fractional @ cell, cell)
    poscar = Poscar(to_pymatgen(ordered), comment=" ".join(name.split()), sort_structure=True)
    return poscar.get_str(significant_figures=_COORDINATE_DECIMALS)


def to_pymatgen(crystal: Crystal) -> Structure:
    """
    Convert a crystal to a pymatgen `Structure`.

    Args:
        crystal: The crystal. Atoms of a disordered crystal that share a position become one site with several species.
    """
    from pymatgen.core import Structure

    if crystal.occupancy is None:
        return Structure(crystal.cell, crystal.atomic_numbers.tolist(), crystal.positions, coords_are_cartesian=True)
    first, species = _sites(crystal)
    return Structure(crystal.cell, species, crystal.positions[first], coords_are_cartesian=True)


def to_ase(crystal: Crystal) -> Atoms:
    """
    Convert a crystal to ase `Atoms`.

    A disordered crystal has one atom for each site, of the most abundant element there. As in files that ase reads,
    the array `spacegroup_kinds` numbers the sites and `info["occupancy"]` maps each number, as a string, to the
    occupancy of each element.

    Args:
        crystal: The crystal.

    Raises:
        ClacInputError: If ase is not installed.
    """
    try:
        from ase import Atoms
    except ImportError:
        raise ClacInputError("ase is not installed; install it with `pip install ase`") from None
    if crystal.occupancy is None:
        return Atoms(numbers=crystal.atomic_numbers, positions=crystal.positions, cell=crystal.cell, pbc=True)
    first, species = _sites(crystal)
    atoms = Atoms(
        [max(amounts, key=amounts.__getitem__) for amounts in species],
        positions=crystal.positions[first],
        cell=crystal.cell,
        pbc=True,
        info={"occupancy": {str(site): amounts for site, amounts in enumerate(species)}},
    )
    atoms.new_array("spacegroup_kinds", np.arange(len(species)))
    return atoms


def cell_parameters(crystal: Crystal) -> tuple[float, float, float, float, float, float]:
    """Return the lengths a, b, c of the lattice vectors in Å and the angles α, β, γ between them in degrees."""
    a, b, c = crystal.cell
    lengths = (float(np.linalg.norm(vector)) for vector in crystal.cell)
    return (*lengths, _angle(b, c), _angle(a, c), _angle(a, b))  # type: ignore[return-value]


def hill_formula(amounts: Mapping[str, float]) -> str:
    """
    Write amounts of elements in the order of Hill, such as `C H4 O` or `La3 Li6.75 O12 Ta0.25 Zr1.75`.

    Args:
        amounts: Element symbols and their amounts.
    """
    first = [symbol for symbol in ("C", "H") if "C" in amounts and symbol in amounts]
    order = [*first, *sorted(set(amounts) - set(first))]
    shown = {symbol: _decimal(amounts[symbol], 6) for symbol in order}
    return " ".join(symbol if amount == "1" else f"{symbol}{amount}" for symbol, amount in shown.items())


def _sites(crystal: Crystal) -> tuple[list[int], list[dict[str, float]]]:
    """Return the first atom of each site, and the occupancy of each element there."""
    species: dict[int, dict[str, float]] = {}
    first: dict[int, int] = {}
    sites, weights = site_of_each_atom(crystal).tolist(), crystal.weights.tolist()
    for atom, (site, symbol) in enumerate(zip(sites, _symbols(crystal), strict=True)):
        amounts = species.setdefault(site, {})
        amounts[symbol] = amounts.get(symbol, 0.0) + weights[atom]
        first.setdefault(site, atom)
    return list(first.values()), list(species.values())


def _written_occupancies(crystal: Crystal) -> list[float]:
    """Round the occupancies so that those of a site never add up to more than 1, which pymatgen does not read."""
    if crystal.is_ordered:
        return [1.0] * len(crystal)
    occupancies = np.round(crystal.weights, _OCCUPANCY_DECIMALS).tolist()
    members: dict[int, list[int]] = {}
    for atom, site in enumerate(site_of_each_atom(crystal).tolist()):
        members.setdefault(site, []).append(atom)
    for atoms in members.values():
        largest = max(atoms, key=occupancies.__getitem__)
        while sum(occupancies[atom] for atom in atoms) > 1.0:
            occupancies[largest] = round(occupancies[largest] - 10**-_OCCUPANCY_DECIMALS, _OCCUPANCY_DECIMALS)
    return occupancies


def _right_handed(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """
    Return a right-handed cell `(3, 3)` of the crystal in Å and the fractional coordinates `(num_atoms, 3)` in [0, 1).

    Lengths and angles, and the POSCAR of pymatgen, would otherwise describe the mirror image of a left-handed cell.
    """
    cell = crystal.cell if np.linalg.det(crystal.cell) > 0 else -crystal.cell
    fractional = np.linalg.solve(cell.T, crystal.positions.T).T
    # Rounded first, so that -1e-17 becomes 0 and not 1.
    return cell, np.round(fractional, _COORDINATE_DECIMALS) % 1.0


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    """Angle between two vectors in degrees. The arctangent is exact near 0° and 180° as well."""
    return math.degrees(math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b)))


def _symbols(crystal: Crystal) -> list[str]:
    return [gemmi.Element(number).name for number in crystal.atomic_numbers.tolist()]


def _formula_unit(symbols: list[str], occupancies: list[float]) -> tuple[dict[str, float], int]:
    """Amounts of the elements in a formula unit, and the number of units in the cell (1 if amounts are fractional)."""
    amounts: dict[str, float] = {}
    for symbol, occupancy in zip(symbols, occupancies, strict=True):
        amounts[symbol] = amounts.get(symbol, 0.0) + occupancy
    whole = [round(amount) for amount in amounts.values()]
    if any(abs(amount - near) > 1e-6 for amount, near in zip(amounts.values(), whole, strict=True)):
        return amounts, 1
    units = math.gcd(*whole)
    return {symbol: amount // units for symbol, amount in zip(amounts, whole, strict=True)}, units


def _decimal(value: float, decimals: int) -> str:
    """Write a number without an exponent and without trailing zeros."""
    return np.format_float_positional(value, precision=decimals, trim="-")


__all__ = ["cell_parameters", "cif_text", "hill_formula", "poscar_text", "to_ase", "to_pymatgen"]
