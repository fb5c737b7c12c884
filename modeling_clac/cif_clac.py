"""The text of a CIF to crystals: symmetry, sites, and what the file states about them."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

import gemmi
import numpy as np

from .crystal_clac import (
    MIN_DISTANCE,
    Crystal,
    ReadingOptions,
    check_size,
    crystal_from_pymatgen,
    shortest_distance,
)
from .errors_clac import InvalidStructureError, one_line

_WHERE_ALL_OCCUPIED = 1e-3


class NamedCrystal(NamedTuple):
    """
    A crystal of a file that may hold several.

    Attributes:
        name: Name of the crystal within the file, such as that of its data block.
        crystal: The crystal, or the error if it is invalid: one invalid crystal does not hide the others.
    """

    name: str
    crystal: Crystal | InvalidStructureError


def read_cif(text: str, label: str, options: ReadingOptions) -> list[NamedCrystal]:
    """
    Read the crystals in the text of a CIF.

    Args:
        text: The text.
        label: Name of the structure in error messages.
        options: How to read.

    Returns:
        One crystal for each data block with atoms.

    Raises:
        InvalidStructureError: If the text holds no valid crystal.
    """
    if not text.strip():
        raise InvalidStructureError(f"{label}: empty; export the structure again")
    block = _cif_block(text, label)
    _check_cell(block, label)
    sites = _check_sites(block, label, options.max_atoms)
    crystal = _from_gemmi(block)
    if crystal is None:
        crystal = _from_pymatgen_cif(text, label)
    _check_composition(block, crystal, label, sites)
    return [NamedCrystal(block.name, crystal)]


def _cif_block(text: str, label: str) -> gemmi.cif.Block:
    """Return the first block with atoms. A file may have several, such as publication data next to the structure."""
    try:
        document = gemmi.cif.read_string(text)
    except (ValueError, RuntimeError) as error:
        raise InvalidStructureError(f"{label}: not a readable CIF; truncated or damaged ({one_line(error)})") from None
    blocks = [block for block in document if _atom_column(block)]
    if not blocks:
        raise InvalidStructureError(f"{label}: no atoms found (_atom_site_ loop); truncated, or not a structure")
    return blocks[0]


def _atom_column(block: gemmi.cif.Block) -> list[str]:
    for tag in ("_atom_site_type_symbol", "_atom_site_label"):
        column = list(block.find_loop(tag))
        if column:
            return column
    return []


def _number(text: str) -> float:
    return gemmi.cif.as_number(text)


def _check_cell(block: gemmi.cif.Block, label: str) -> None:
    tags = ["_cell_length_a", "_cell_length_b", "_cell_length_c"]
    tags += ["_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma"]
    values = [block.find_value(tag) for tag in tags]
    if any(value is None for value in values):
        missing = next(tag for tag, value in zip(tags, values, strict=True) if value is None)
        raise InvalidStructureError(f"{label}: no cell ({missing} missing); CLaC reads periodic crystals only")
    numbers = [_number(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        bad = next(f"{t} {v}" for t, v, n in zip(tags, values, numbers, strict=True) if not math.isfinite(n))
        raise InvalidStructureError(f"{label}: cell parameter is not a number ({bad}); correct it")
    a, b, c, alpha, beta, gamma = numbers
    cosines = [math.cos(math.radians(angle)) for angle in (alpha, beta, gamma)]
    squared = 1 - sum(cosine**2 for cosine in cosines) + 2 * math.prod(cosines)
    if min(a, b, c) <= 0 or squared <= 1e-12:
        raise InvalidStructureError(f"{label}: cell has no volume (lengths {a}, {b}, {c} Å); check the cell parameters")


def _check_sites(block: gemmi.cif.Block, label: str, max_atoms: int | None) -> list[str]:
    """
    Check what gemmi would accept silently: coordinates and elements.

    Returns:
        Symbol or label of each listed atom.
    """
    symbols = _atom_column(block)
    check_size(len(symbols), label, max_atoms)
    for axis in ("x", "y", "z"):
        column = list(block.find_loop(f"_atom_site_fract_{axis}"))
        column = column or list(block.find_loop(f"_atom_site_Cartn_{axis}"))
        if len(column) != len(symbols):
            raise InvalidStructureError(f"{label}: atoms without {axis} coordinate; truncated or damaged")
        numbers = [_number(value) for value in column]
        if not all(map(math.isfinite, numbers)):
            bad = next(i for i, number in enumerate(numbers) if not math.isfinite(number))
            raise InvalidStructureError(
                f"{label}: atom {bad + 1} ({symbols[bad]}): {axis} = {column[bad]} is not a number; correct it"
            )
    for index, symbol in enumerate(symbols):
        if not _site_element(symbol):
            raise InvalidStructureError(
                f"{label}: atom {index + 1}: unknown element {symbol!r}; use symbols of the periodic table"
            )
    return symbols


@lru_cache(maxsize=4096)
def _site_element(symbol: str) -> int:
    """Atomic number of a symbol or label in a CIF (`Fe2+`, `'O1'`), or 0 if it is unknown."""
    letters = re.match(r"[A-Za-z]+", symbol.strip("'\""))
    return 0 if letters is None else _element_number(letters.group())


@lru_cache(maxsize=4096)
def _element_number(letters: str) -> int:
    """Atomic number from the letters of a symbol or label (`Fe`, `FE`, `Owat` -> 26, 26, 8), or 0 if it is unknown."""
    for length in (2, 1):
        if len(letters) >= length:
            number = gemmi.Element(letters[:length].capitalize()).atomic_number
            if number:
                return number
    return 0


def _from_gemmi(block: gemmi.cif.Block) -> Crystal | None:
    """Fast path for ordered crystals whose symmetry gemmi understands. Returns `None` to leave the CIF to pymatgen."""
    if not list(block.find_loop("_atom_site_fract_x")):
        return None
    small = gemmi.make_small_structure_from_block(block)
    has_symmetry = bool(small.symops) or small.spacegroup is not None
    if not has_symmetry or not len(small.sites) or any(abs(site.occ - 1) > _WHERE_ALL_OCCUPIED for site in small.sites):
        return None
    trivial = len(small.symops) <= 1 and (small.spacegroup is None or small.spacegroup.number == 1)
    sites = list(small.sites) if trivial else small.get_all_unit_cell_sites()
    numbers = np.array([site.element.atomic_number for site in sites], dtype=np.int64)
    if not numbers.all():
        return None
    fractional = np.array([site.fract.tolist() for site in sites], dtype=np.float64)
    cell = np.array(small.cell.orth.mat.tolist(), dtype=np.float64).T
    crystal = Crystal(numbers, fractional @ cell, cell)
    # Either symmetry-equivalent sites are listed, or special positions are rounded: pymatgen merges the images.
    if not trivial and shortest_distance(crystal, MIN_DISTANCE) < MIN_DISTANCE:
        return None
    return crystal


def _from_pymatgen_cif(text: str, label: str) -> Crystal:
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Occupancies that exceed 1 only by rounding are not disorder.
            structures = CifParser.from_str(text, occupancy_tolerance=1.01).parse_structures(primitive=False)
        except Exception as error:  # the parser raises errors of many types with the same meaning for the user
            raise InvalidStructureError(f"{label}: no valid structure in the CIF ({one_line(error)})") from None
    if not structures:
        raise InvalidStructureError(f"{label}: no valid structure in the CIF; export the structure again")
    return crystal_from_pymatgen(structures[0], label)


def _check_composition(block: gemmi.cif.Block, crystal: Crystal, label: str, sites: list[str]) -> None:
    """
    Compare the atoms with the formula in the CIF: a CIF that was cut between two rows still parses.

    Hydrogen is not compared, since X-ray structures often leave it out.
    """
    formula = block.find_value("_chemical_formula_sum")
    if formula is None:
        return
    stated = {
        number: float(count or 1)
        for symbol, count in re.findall(r"([A-Z][a-z]?)\s*(\d+\.?\d*)?", gemmi.cif.as_string(formula))
        if (number := _element_number(symbol)) > 1
    }
    found = Counter(number for number in crystal.atomic_numbers.tolist() if number > 1)
    if not stated or not found:
        return
    ratio = sum(found.values()) / sum(stated.values())
    if set(stated) != set(found) or any(abs(found[z] - stated[z] * ratio) > 0.02 * found[z] for z in found):
        raise InvalidStructureError(
            f"{label}: the {len(sites)} listed atoms do not match the formula in the file "
            f"({gemmi.cif.as_string(formula)}); truncated, or atoms are missing"
        )


__all__ = ["NamedCrystal", "read_cif"]
