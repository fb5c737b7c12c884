"""
The text of a CIF to crystals.

Each data block is read in four steps: its syntax (`cif_blocks_clac`), the listed sites (`cif_sites_clac`), the symmetry
that it states (`cif_symmetry_clac`), and what it says about its contents (`cif_facts_clac`). Where the symmetry leaves
more than one reading, the one that agrees with the contents is used (`cif_readings_clac`).
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import NamedTuple

import gemmi
import numpy as np

from .cif_blocks_clac import CifBlock, numbers_of, read_blocks
from .cif_facts_clac import Facts, compare, read_facts
from .cif_readings_clac import Reading, choose_reading
from .cif_sites_clac import Sites, expand, has_atoms, read_sites
from .cif_symmetry_clac import (
    TRIVIAL,
    Operations,
    TooManyOperationsError,
    hall_setting,
    listed_operations,
    named_settings,
)
from .crystal_clac import MAX_LENGTH, Crystal, ReadingOptions, check_crystal, make_crystal
from .errors_clac import InvalidStructureError, one_line

_LENGTHS = tuple(f"_cell_length_{axis}" for axis in "abc")
_CELL = (*_LENGTHS, *(f"_cell_angle_{angle}" for angle in ("alpha", "beta", "gamma")))
_OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_magn_operation_xyz",
    "_space_group_symop_ssg_operation_algebraic",
    "_space_group_symop_magn_ssg_operation_algebraic",
)
_CENTERINGS = ("_space_group_symop_magn_centering_xyz", "_space_group_symop_magn_ssg_centering_algebraic")
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_SYMBOLS = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_space_group_name_h-m",
    "_space_group_name_h-m_ref",
    "_space_group_name_schoenflies",
)
_LONE_IDENTITY = {"x,y,z", "'x, y, z'", "'x,y,z'", '"x, y, z"', '"x,y,z"'}
_P1 = {"P1", "'P 1'", '"P 1"', "'P1'", "1", "?", "."}
_NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")
_CODE = "_space_group_it_coordinate_system_code"
# Tags of descriptions that are more than a list of atoms.
_BEYOND = re.compile(
    r"^_(?:(?P<moments>atom_site_moment)|(?P<modulation>cell_modulation_dimension|atom_site_fourier|"
    r"atom_site_(?:displace|occ)_(?:fourier|special)|cell_wave_vector)|(?P<composite>cell_subsystem)|"
    r"(?P<solvent>platon_squeeze|smtbx_masks))",
    re.MULTILINE,
)
# Tags of most files, which need no search for the ones above.
_COMMON = {
    *(*_CELL, *_OPERATIONS, *_HALL, *_SYMBOLS, *_NUMBERS, "_cell_volume", "_cell_formula_units_z"),
    *("_chemical_formula_sum", "_chemical_formula_structural", "_symmetry_equiv_pos_site_id", "_atom_site_label"),
    *("_atom_site_type_symbol", "_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z"),
    *("_atom_site_occupancy", "_atom_site_symmetry_multiplicity"),
}
_CELL_VOLUME_TOLERANCE = 0.02


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
        One crystal, or its error, for each data block with atoms.

    Raises:
        InvalidStructureError: If the text holds no crystal, or its only one is invalid.
    """
    if not text.strip():
        raise InvalidStructureError(f"{label}: empty; export the structure again")
    blocks = [block for block in read_blocks(text, label) if has_atoms(block)]
    if not blocks:
        raise InvalidStructureError(f"{label}: no atoms found (_atom_site_ loop); truncated, or not a structure")
    where = [label if len(blocks) == 1 else f"{label}#{block.name}" for block in blocks]
    found = [_block_or_error(block, name, options) for block, name in zip(blocks, where, strict=True)]
    if len(found) == 1 and isinstance(found[0], InvalidStructureError):
        raise found[0]
    return [NamedCrystal(block.name, crystal) for block, crystal in zip(blocks, found, strict=True)]


def _block_or_error(block: CifBlock, label: str, options: ReadingOptions) -> Crystal | InvalidStructureError:
    try:
        return _read_block(block, label, options.max_atoms)
    except InvalidStructureError as error:
        # Names and values of a file may have several lines.
        return InvalidStructureError(" ".join(str(error).split("\n")))


def _read_block(block: CifBlock, label: str, max_atoms: int | None) -> Crystal:
    cell = _cell(block, label)
    vectors = np.array(cell.orth.mat.tolist(), dtype=np.float64).T
    facts = read_facts(block)
    if facts.formula and not facts.amounts:
        block.warnings.append(f"formula: {facts.formula!r} not understood")
    sites = read_sites(block, cell, frozenset(facts.amounts), label, max_atoms)
    sites.incomplete |= _beyond_atoms(block)
    listed, settings, stated = _stated_symmetry(block, vectors, label)

    def read(operations: Operations) -> Reading:
        return _reading(sites, operations, vectors, facts, label, max_atoms)

    reading = choose_reading(listed, settings, stated, read, label)
    notes = (*block.warnings, *sites.warnings, *reading.warnings, *reading.agreement.notes)
    return replace(reading.crystal, warnings=tuple(one_line(note) for note in notes)) if notes else reading.crystal


def _cell(block: CifBlock, label: str) -> gemmi.UnitCell:
    values = [column[0] if (column := block.columns.get(tag)) else "" for tag in _CELL]
    numbers = numbers_of(values)
    for place, (tag, value) in enumerate(zip(_CELL, values, strict=True)):
        if math.isfinite(numbers[place]):
            continue
        if not value and tag in _LENGTHS:
            raise InvalidStructureError(f"{label}: no cell ({tag} missing); CLaC reads periodic crystals only")
        if tag in _LENGTHS or value not in ("", "?", "."):
            raise InvalidStructureError(f"{label}: cell parameter is not a number ({tag} {value}); correct it")
        # 90° is the default of the CIF dictionary.
        numbers[place] = 120.0 if tag == "_cell_angle_gamma" and _is_hexagonal(block) else 90.0
        block.warnings.append(f"cell: {tag} is missing, read as {numbers[place]:g}°")
    a, b, c, alpha, beta, gamma = numbers
    if not max(a, b, c) <= MAX_LENGTH:
        raise InvalidStructureError(
            f"{label}: lattice vector of {max(a, b, c):,.6g} Å; expected at most {MAX_LENGTH:,} Å, so check the unit "
            "of the cell"
        )
    wrong = next((angle for angle in (alpha, beta, gamma) if not 0 < angle < 180), None)
    if wrong is not None:
        raise InvalidStructureError(
            f"{label}: cell angle of {wrong:,.6g}°; expected between 0° and 180°, so check the cell"
        )
    cosines = [math.cos(math.radians(angle)) for angle in (alpha, beta, gamma)]
    squared = 1 - sum(cosine**2 for cosine in cosines) + 2 * math.prod(cosines)
    if min(a, b, c) <= 0 or squared <= 1e-12:
        raise InvalidStructureError(f"{label}: cell has no volume (lengths {a}, {b}, {c} Å); check the cell parameters")
    stated, volume = block.number("_cell_volume"), a * b * c * math.sqrt(squared)
    if stated and abs(stated / volume - 1) > _CELL_VOLUME_TOLERANCE:
        block.warnings.append(f"cell: the file states a volume of {stated:g} Å³, lengths and angles give {volume:.5g}")
    return gemmi.UnitCell(a, b, c, alpha, beta, gamma)


def _is_hexagonal(block: CifBlock) -> bool:
    """Whether the stated symmetry has hexagonal axes."""
    operations = "".join(block.column(*_OPERATIONS)).lower().replace(" ", "")
    number = block.number(*_NUMBERS) or 0
    symbols = any(re.match(r"[PH][ _]*-?[36]", block.text(tag)) for tag in _SYMBOLS)
    return "x-y" in operations or "-x+y" in operations or 143 <= number <= 194 or symbols


def _beyond_atoms(block: CifBlock) -> bool:
    """Warn of what a crystal cannot hold. Returns whether the file says that the model lacks atoms (solvent)."""
    if block.columns.keys() <= _COMMON:
        return False
    found = {match.lastgroup for match in _BEYOND.finditer("\n".join(block.columns))}
    if "modulation" in found and block.number("_cell_modulation_dimension") == 0:
        found.discard("modulation")
    for kind, text in (
        ("moments", "magnetic moments: not used"),
        ("modulation", "modulation: the average structure was read, without modulation waves"),
        ("composite", "composite: the subsystems of a composite crystal are read in one cell"),
        ("solvent", "solvent: its contribution was subtracted from the data, so that it has no atoms"),
    ):
        if kind in found:
            block.warnings.append(text)
    return "solvent" in found


def _stated_symmetry(block: CifBlock, cell: np.ndarray, label: str) -> tuple[Operations | None, list[Operations], str]:
    """
    Read what a block states about its symmetry.

    Returns:
        The listed operations or `None`, the settings that its symbols allow, and these symbols for messages.
    """
    column = block.column(*_OPERATIONS)
    if len(column) == 1 and _states_only_p1(block) and column[0] in _LONE_IDENTITY:
        return TRIVIAL, [], "P 1"
    listed = None
    if column and not all(value in ("?", ".") for value in column):
        try:
            listed = listed_operations(tuple(column), tuple(block.column(*_CENTERINGS)))
        except TooManyOperationsError as error:
            raise InvalidStructureError(f"{label}: {error}") from None
        except ValueError as error:
            raise InvalidStructureError(
                f"{label}: symmetry operation {one_line(error, 60)} not understood; write it like 'x+1/2, -y, z'"
            ) from None
    # A symbol in the place of the number is one as well.
    tags = (*_SYMBOLS, *(tag for tag in _NUMBERS if block.number(tag) is None))
    symbols = [text for tag in tags if (text := block.text(tag))]
    hall, code, stated = block.text(*_HALL), block.text(_CODE), block.number(*_NUMBERS)
    number = int(stated) if stated and 1 <= stated <= 230 else None
    statements = [(repr(hall), [setting] if (setting := hall_setting(hall)) else [])] if hall else []
    statements += [(repr(symbol), list(named_settings(symbol, number, code))) for symbol in dict.fromkeys(symbols)]
    if stated is not None:
        statements.append((f"no. {stated:g}", list(named_settings("", number, code)) if number else []))
    if not statements:
        return listed, [], ""
    shown = next((text for text, _ in statements if not hall or text != repr(hall)), repr(hall))
    understood = [(text, settings) for text, settings in statements if settings]
    if not understood:
        return listed, [], shown
    used, settings = understood[0]
    if listed is None and shown not in (text for text, _ in understood):
        block.warnings.append(f"space group: {shown} not understood; read as {used}")
    kinds = {setting.number for setting in settings}
    for text, others in understood[1:]:
        if kinds.isdisjoint(other.number for other in others):
            block.warnings.append(f"space group: {used} and {text} are different groups")
            settings = settings + others
    fitting = [setting for setting in ([listed] if listed is not None else settings) if setting.fits(cell)]
    if not fitting:
        lengths = ", ".join(f"{length:.4g}" for length in np.linalg.norm(cell, axis=1))
        block.warnings.append(f"cell: lengths {lengths} Å and angles do not fit space group {shown}")
    return listed, [setting for setting in settings if setting.fits(cell)] or settings, shown


def _states_only_p1(block: CifBlock) -> bool:
    for tag in (*_SYMBOLS, *_HALL, *_NUMBERS):
        value = block.columns.get(tag)
        if value and value[0] not in _P1:
            return False
    return True


def _reading(
    sites: Sites, operations: Operations, cell: np.ndarray, facts: Facts, label: str, max_atoms: int | None
) -> Reading:
    order = len(operations)
    if order == 1 and sites.plain:
        crystal = Crystal(np.array(sites.plain, dtype=np.int64), sites.fractional @ cell, cell)
        check_crystal(crystal, label, None)
        return Reading(operations, crystal, compare(facts, crystal, len(sites.plain), sites.incomplete), True, [])
    atoms = expand(sites, operations, cell, label, max_atoms)
    names = [sites.labels[site] for site in atoms.site]
    positions = atoms.fractional @ cell
    crystal = make_crystal(label, atoms.atomic_numbers, positions, cell, atoms.occupancy, names=names)
    warnings = list(atoms.warnings)
    same = True
    if sites.multiplicities and order > 1:
        stated, found = np.array(numbers_of(sites.multiplicities)), atoms.multiplicities
        # Some programs write the number of operations that keep the site instead.
        wrong = (found > 0) & (stated != found) & np.isfinite(stated) & (np.abs(stated * found - order) > 1e-6)
        if wrong.any():
            same = False
            row = int(np.flatnonzero(wrong)[0])
            warnings.append(
                f"multiplicity: the file states {stated[row]:g} for site {sites.labels[row]}, the operations give "
                f"{found[row]}"
            )
    agreement = compare(facts, crystal, len(sites.labels), sites.incomplete)
    return Reading(operations, crystal, agreement, same, warnings)


__all__ = ["NamedCrystal", "read_cif"]
