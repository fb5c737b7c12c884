"""
The text of a CIF to crystals.

Each data block is read in four steps: its syntax (`cif_blocks_clac`), the listed sites (`cif_sites_clac`), the symmetry
that it states (`cif_symmetry_clac`), and what it says about its contents (`cif_facts_clac`). Where the symmetry leaves
more than one reading, the one that agrees with the contents is used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import gemmi
import numpy as np

from .cif_blocks_clac import CifBlock, numbers_of, read_blocks
from .cif_facts_clac import Agreement, Facts, compare, read_facts
from .cif_sites_clac import Sites, expand, has_atoms, read_sites
from .cif_symmetry_clac import (
    TRIVIAL,
    Operations,
    generated_group,
    hall_setting,
    listed_operations,
    named_settings,
)
from .contacts_clac import MIN_DISTANCE_SHARE, shortest_contact
from .crystal_clac import DENSITY_RANGE, Crystal, ReadingOptions, make_crystal
from .errors_clac import InvalidStructureError

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
# Shortest distances, as a share of the sum of the covalent radii, of nearly all bundled crystals.
_USUAL_CONTACTS = (0.75, 1.3)
# Readings whose shortest contacts differ by less than this are equally good.
_SAME_CONTACT = 0.02


# Reads a block with some operations.
Reader = Callable[[Operations], "Reading"]


class NamedCrystal(NamedTuple):
    """
    A crystal of a file that may hold several.

    Attributes:
        name: Name of the crystal within the file, such as that of its data block.
        crystal: The crystal, or the error if it is invalid: one invalid crystal does not hide the others.
    """

    name: str
    crystal: Crystal | InvalidStructureError


@dataclass
class Reading:
    """
    The crystal that a block describes if its symmetry is understood in one way.

    Attributes:
        operations: Symmetry operations.
        crystal: The crystal.
        agreement: How it agrees with what the file states.
        multiplicities: Whether the multiplicities that the file states are those found.
        warnings: Warnings of this reading.
    """

    operations: Operations
    crystal: Crystal
    agreement: Agreement
    multiplicities: bool
    warnings: list[str]

    @property
    def faults(self) -> int:
        """How much speaks against the reading."""
        low, high = DENSITY_RANGE
        return (
            4 * bool(self.agreement.composition)
            + 2 * len(self.agreement.against)
            + (not self.multiplicities)
            + 2 * (not low <= self.crystal.density <= high)
        )


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
    if len(blocks) == 1:
        return [NamedCrystal(blocks[0].name, _read_block(blocks[0], label, options.max_atoms))]
    return [NamedCrystal(block.name, _block_or_error(block, label, options)) for block in blocks]


def _block_or_error(block: CifBlock, label: str, options: ReadingOptions) -> Crystal | InvalidStructureError:
    try:
        return _read_block(block, f"{label}#{block.name}", options.max_atoms)
    except InvalidStructureError as error:
        return error


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

    if listed is not None:
        reading = _with_listed(listed, settings, stated, read, label)
    elif settings:
        reading = _best(settings, stated, read)
    else:
        reading = _without_symmetry(stated, read, label)
    _judge(reading, listed is not None, stated, label)
    notes = (*block.warnings, *sites.warnings, *reading.warnings, *reading.agreement.notes)
    return replace(reading.crystal, warnings=notes) if notes else reading.crystal


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
        block.warnings.append(f"cell: {tag} is missing, read as 90°")
        numbers[place] = 90.0  # the default of the CIF dictionary
    a, b, c, alpha, beta, gamma = numbers
    cosines = [math.cos(math.radians(angle)) for angle in (alpha, beta, gamma)]
    squared = 1 - sum(cosine**2 for cosine in cosines) + 2 * math.prod(cosines)
    if min(a, b, c) <= 0 or squared <= 1e-12:
        raise InvalidStructureError(f"{label}: cell has no volume (lengths {a}, {b}, {c} Å); check the cell parameters")
    stated, volume = block.number("_cell_volume"), a * b * c * math.sqrt(squared)
    if stated and abs(stated / volume - 1) > _CELL_VOLUME_TOLERANCE:
        block.warnings.append(f"cell: the file states a volume of {stated:g} Å³, lengths and angles give {volume:.5g}")
    return gemmi.UnitCell(a, b, c, alpha, beta, gamma)


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
        except ValueError as error:
            raise InvalidStructureError(
                f"{label}: symmetry operation {error} not understood; write it like 'x+1/2, -y, z'"
            ) from None
    symbols = [text for tag in _SYMBOLS if (text := block.text(tag))]
    number = block.number(*_NUMBERS)
    number = int(number) if number and 1 <= number <= 230 else None
    hall = block.text(*_HALL)
    stated = repr(symbols[0]) if symbols else f"no. {number}" if number else f"{hall!r}" if hall else ""
    code = block.text(_CODE)
    settings: list[Operations] = []
    if hall and (setting := hall_setting(hall)) is not None:
        settings = [setting]
    for symbol in symbols:
        settings += [] if settings else named_settings(symbol, number, code)
    if not settings and number:
        settings = list(named_settings("", number, code))
        if symbols and settings and listed is None:
            block.warnings.append(f"space group: {stated} not understood; read as no. {number}")
    fitting = [setting for setting in settings if setting.fits(cell)]
    if settings and not fitting:
        lengths = ", ".join(f"{length:.4g}" for length in np.linalg.norm(cell, axis=1))
        block.warnings.append(f"cell: lengths {lengths} Å and angles do not fit space group {stated}")
    return listed, fitting or settings, stated


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


def _with_listed(listed: Operations, settings: Sequence[Operations], stated: str, read: Reader, label: str) -> Reading:
    """Read with the listed operations, or with the symbol if only that agrees with the file."""
    if not listed.is_group:
        return _with_incomplete_list(listed, settings, stated, read, label)
    differs = [setting for setting in settings if setting.keys != listed.keys]
    if len(differs) < len(settings) or not settings:
        return read(listed)
    reading = _attempt(read, listed)
    # A lone identity next to the symbol of a higher symmetry is what programs write that lose the operations.
    if isinstance(reading, InvalidStructureError) or reading.faults or len(listed) == 1:
        others = [other for setting in differs if isinstance(other := _attempt(read, setting), Reading)]
        better = [other for other in others if isinstance(reading, InvalidStructureError) or _is_better(other, reading)]
        if better:
            best = min(better, key=lambda other: (other.faults, _strain(other)))
            best.warnings.append(
                f"space group: the {len(listed)} listed operations do not fit the contents that the file states; those "
                f"of {stated} were used"
            )
            return best
    if isinstance(reading, InvalidStructureError):
        raise reading
    if all(setting.number != listed.number for setting in settings):
        reading.warnings.append(
            f"space group: the file lists {len(listed)} operations that differ from {stated}; the operations were used"
        )
    return reading


def _is_better(other: Reading, reading: Reading) -> bool:
    if other.faults != reading.faults:
        return other.faults < reading.faults
    if other.agreement.support or reading.agreement.support or len(reading.operations) > 1:
        return False
    # Nothing stated decides. An asymmetric unit alone has atoms without neighbours.
    return _strain(other) == 0.0 and _strain(reading) > 0.0


def _with_incomplete_list(
    listed: Operations, settings: Sequence[Operations], stated: str, read: Reader, label: str
) -> Reading:
    """Read with the group that an incomplete list of operations belongs to."""
    complete = [setting for setting in settings if setting.keys >= listed.keys]
    generated = generated_group(listed)
    choices = complete or ([generated] if generated is not None else settings)
    if not choices:
        raise InvalidStructureError(
            f"{label}: the {len(listed)} listed symmetry operations generate no space group; list all operations"
        )
    reading = _best(choices, stated, read)
    source = stated if complete else "the group that they generate"
    reading.warnings.append(
        f"space group: the {len(listed)} listed operations are not a group; the {len(reading.operations)} of {source} "
        "were used"
    )
    return reading


def _attempt(read: Reader, operations: Operations) -> Reading | InvalidStructureError:
    try:
        return read(operations)
    except InvalidStructureError as error:
        return error


def _strain(reading: Reading) -> float:
    """How far the shortest contact of a reading is from those of usual crystals."""
    low, high = _USUAL_CONTACTS
    ratio = shortest_contact(reading.crystal, 6.0)[0]
    if ratio < MIN_DISTANCE_SHARE:
        return 10.0 - ratio
    return max(0.0, low - ratio, min(ratio, 9.0) - high)


def _best(settings: Sequence[Operations], stated: str, read: Reader) -> Reading:
    """Read with all settings that a symbol allows, and return the reading that agrees best with the file."""
    if len(settings) == 1:
        return read(settings[0])
    attempts = [_attempt(read, setting) for setting in settings]
    readings = [reading for reading in attempts if isinstance(reading, Reading)]
    if not readings:
        raise next(error for error in attempts if isinstance(error, InvalidStructureError))
    fewest = min(reading.faults for reading in readings)
    most = max(len(reading.agreement.support) for reading in readings if reading.faults == fewest)
    readings = [r for r in readings if r.faults == fewest and len(r.agreement.support) == most]
    if len(readings) == 1:
        return readings[0]
    distinct = _distinct(readings)
    if len(distinct) == 1:
        return distinct[0]
    contacts = [shortest_contact(reading.crystal, 6.0) for reading in distinct]
    scores = [abs(math.log(min(max(ratio, 1e-3), 20.0))) for ratio, _ in contacts]
    best = next(place for place, score in enumerate(scores) if score <= min(scores) + _SAME_CONTACT)
    chosen = distinct[best]
    others = ", ".join(f"{reading.operations.name}" for reading in distinct if reading is not chosen)
    chosen.warnings.append(
        f"space group: {stated} leaves {len(distinct)} settings open ({chosen.operations.name}; {others}); the first "
        f"was used, with a shortest distance of {contacts[best][1]:.2f} Å"
    )
    return chosen


def _distinct(readings: list[Reading]) -> list[Reading]:
    """Leave out readings that give the same crystal as an earlier one."""
    found: dict[tuple[float, ...], Reading] = {}
    for reading in readings:
        crystal = reading.crystal
        kinds = np.round(np.bincount(crystal.atomic_numbers, weights=crystal.weights), 3)
        ratio, distance = shortest_contact(crystal, 6.0)
        found.setdefault((*kinds.tolist(), round(ratio, 2), round(distance, 2)), reading)
    return list(found.values())


def _without_symmetry(stated: str, read: Reader, label: str) -> Reading:
    """Read as P 1, if that agrees with the contents that the file states."""
    reading = read(TRIVIAL)
    if stated:
        if not reading.agreement.support or reading.agreement.against:
            raise InvalidStructureError(
                f"{label}: space group {stated} not understood and no symmetry operations listed; list them "
                "(_space_group_symop_operation_xyz)"
            )
        reading.warnings.append(f"space group: {stated} not understood; read as P 1, which agrees with the contents")
    elif not reading.agreement.support:
        reading.warnings.append("space group: neither a symbol nor operations stated; read as P 1")
    return reading


def _judge(reading: Reading, listed: bool, stated: str, label: str) -> None:
    """
    Compare the chosen reading with what the file states.

    Raises:
        InvalidStructureError: If the composition is not that of the formula, or all that the file states about the
            number of atoms speaks against the reading.
    """
    agreement = reading.agreement
    if agreement.composition:
        raise InvalidStructureError(f"{label}: {agreement.composition}")
    if not agreement.against:
        return
    if not agreement.support and (not listed or len(agreement.against) > 1):
        symmetry = "the listed operations" if listed else f"space group {stated}" if stated else "no stated symmetry"
        raise InvalidStructureError(
            f"{label}: with {symmetry} the cell has {reading.crystal.num_occupied:g} atoms, which is not what the file "
            f"states ({'; '.join(agreement.against)}); check symmetry and atoms"
        )
    reading.warnings.extend(agreement.against)


__all__ = ["NamedCrystal", "read_cif"]
