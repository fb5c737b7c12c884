"""Text and JSON of formats other than CIF to crystals: POSCAR, extended XYZ, pymatgen, OPTIMADE."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

import gemmi
import numpy as np

from .cif_clac import NamedCrystal
from .crystal_clac import Crystal, crystal_from_pymatgen, make_crystal, partly_periodic
from .errors_clac import InvalidStructureError, one_line
from .formulas_clac import read_formula

# A value of JSON that states one of these sets of keys is a structure.
ARRAYS = ("atomic_numbers", "positions", "cell")
_PYMATGEN = ("lattice", "sites")
_OPTIMADE = ("lattice_vectors", "cartesian_site_positions", "species_at_sites")
_SHOWN_KEYS = 8
# A number of atoms. Python refuses to convert thousands of digits.
_COUNT = re.compile(r"\d{1,18}")
# A column of extended XYZ with more than 999 values for each atom. ase makes a list of their names.
_WIDE_COLUMN = re.compile(r":[RILS]:0*([1-9]\d{3,})", re.IGNORECASE)


class NoStructuresError(InvalidStructureError):
    """A readable file that holds something other than structures."""


class OptimadeError(InvalidStructureError):
    """
    An OPTIMADE entry that is not a usable crystal.

    Args:
        label: Name of the entry.
        reason: Reason in a few words, without values of the entry.
        details: The rest of the message.
    """

    def __init__(self, label: str, reason: str, details: str):
        super().__init__(f"{label}: {reason} ({details})")
        self.reason = reason


def read_poscar(text: str, label: str) -> Crystal:
    """
    Read the crystal in the text of a POSCAR or CONTCAR file of VASP. Velocities are not read.

    Args:
        text: The text.
        label: Name of the structure in error messages.

    Raises:
        InvalidStructureError: If the text is damaged, or does not name the elements.
    """
    from pymatgen.io.vasp import Poscar

    lines = text.splitlines()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            _use_positive_scale(lines)
            poscar = Poscar.from_str("\n".join(lines), read_velocities=False)
        except Exception as error:  # errors of many types with the same meaning for the user
            raise InvalidStructureError(
                f"{label}: cannot be read as a POSCAR ({one_line(error)}); truncated or damaged"
            ) from None
    if not poscar.true_names:
        raise InvalidStructureError(
            f"{label}: the POSCAR does not name its elements (format of VASP 4); add a line of element symbols before "
            "the numbers of atoms"
        )
    _check_count(lines, len(poscar.structure), label)
    return crystal_from_pymatgen(poscar.structure, label)


def _use_positive_scale(lines: list[str]) -> None:
    """Replace a volume (a negative factor in the second line) by the scaling factor that gives it."""
    factor = float(lines[1].split()[0])
    if factor < 0:
        vectors = [[float(value) for value in line.split()[:3]] for line in lines[2:5]]
        lines[1] = repr(float((-factor / abs(np.linalg.det(vectors))) ** (1 / 3)))


def _check_count(lines: list[str], num_atoms: int, label: str) -> None:
    """Refuse coordinates that the numbers of atoms do not cover: they would be left out silently."""
    # The line `Direct` or `Cartesian` follows the numbers of atoms, or `Selective dynamics`.
    words = re.compile(r"\s*(?!s)[^\d\s]", re.IGNORECASE)
    after_numbers = (i for i in range(6, len(lines)) if words.match(lines[i]) and not words.match(lines[i - 1]))
    mode = next(after_numbers, len(lines))
    for line in lines[mode + 1 + num_atoms :]:
        values = line.split()[:3]
        if len(values) < 3 or not all(map(_is_number, values)):
            return
        raise InvalidStructureError(
            f"{label}: more coordinates than the {num_atoms} atoms of the POSCAR; correct the numbers of atoms"
        )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def read_extxyz(text: str, label: str) -> Iterator[NamedCrystal]:
    """
    Read the crystals in the text of an extended XYZ file, with ase.

    Args:
        text: The text.
        label: Name of the file in error messages.

    Yields:
        The crystal of each frame, or the error if the frame is invalid.
    """
    frames = list(_frames(text.splitlines()))
    for number, frame in enumerate(frames, start=1):
        name = label if len(frames) == 1 else f"{label}#{number}"
        if isinstance(frame, str):
            yield NamedCrystal(name, InvalidStructureError(f"{name}: {frame}; truncated or damaged"))
            continue
        try:
            yield NamedCrystal(name, _read_frame(frame, name))
        except InvalidStructureError as error:
            yield NamedCrystal(name, error)


def _frames(lines: list[str]) -> Iterator[list[str] | str]:
    """Split the lines into frames. The last one is the reason if it cannot be split off."""
    start = 0
    while start < len(lines):
        count = lines[start].strip()
        if not count:
            start += 1
        elif not _COUNT.fullmatch(count):
            yield f"expected the number of atoms in line {start + 1}, found {one_line(count, 40)!r}"
            return
        elif start + 2 + int(count) > len(lines):
            yield f"{count} atoms stated in line {start + 1}, {max(0, len(lines) - start - 2)} found"
            return
        else:
            end = start + 2 + int(count)
            following = end
            while following < len(lines) and not lines[following].strip():
                following += 1
            if following < len(lines) and not _COUNT.fullmatch(lines[following].strip()):
                yield f"more lines than the {count} atoms stated in line {start + 1}"
                return
            yield lines[start:end]
            start = following


def _read_frame(lines: list[str], label: str) -> Crystal:
    try:
        from ase.io import read
    except ImportError:
        raise InvalidStructureError(
            f"{label}: extended XYZ is read with ase; install it with `pip install ase`"
        ) from None
    if "lattice" not in lines[1].lower():
        raise InvalidStructureError(
            f"{label}: a molecule (no Lattice in the second line of the frame); CLaC reads periodic crystals only"
        )
    if widths := _WIDE_COLUMN.findall(lines[1]):
        raise InvalidStructureError(
            f"{label}: a column of {one_line(widths[0], 20)} values for each atom in the second line of the frame; "
            "damaged"
        )
    if "properties=" not in lines[1].lower() or "properties=species" in lines[1].lower():
        # Isotopes of hydrogen, which ase does not know.
        lines = [*lines[:2], *(re.sub(r"^\s*[DT](?=\s)", "H", line) for line in lines[2:])]
    try:
        atoms = read(StringIO("\n".join(lines) + "\n"), format="extxyz")
    except Exception as error:  # errors of many types with the same meaning for the user
        reason = f"unknown element {error}" if isinstance(error, KeyError) else one_line(error)
        raise InvalidStructureError(
            f"{label}: cannot be read as extended XYZ ({reason}); truncated or damaged"
        ) from None
    return crystal_from_ase(atoms, label)


def crystal_from_ase(atoms: Any, label: str) -> Crystal:
    """
    Convert an ase `Atoms`. Occupancies are read from `info["occupancy"]`, where ase stores those of a CIF.

    Args:
        atoms: The atoms.
        label: Name of the structure in error messages.

    Raises:
        InvalidStructureError: If the atoms do not describe a crystal.
    """
    cell = getattr(atoms.cell, "array", atoms.cell)
    numbers, positions = atoms.get_atomic_numbers(), atoms.get_positions()
    periodic = list(getattr(atoms, "pbc", ()))
    # The default of ase is that nothing is periodic, whatever the cell.
    notes = partly_periodic(periodic) if any(periodic) else ()
    occupancy = getattr(atoms, "info", {}).get("occupancy")
    if not isinstance(occupancy, Mapping) or "spacegroup_kinds" not in getattr(atoms, "arrays", {}):
        return make_crystal(label, numbers, positions, cell, warnings=notes)
    shared = {str(kind): amounts for kind, amounts in occupancy.items()}
    species = []
    for kind, position, number in zip(atoms.arrays["spacegroup_kinds"].tolist(), positions, numbers, strict=True):
        for symbol, share in shared.get(str(kind), {None: 1.0}).items():
            species.append((number if symbol is None else gemmi.Element(symbol).atomic_number, position, share))
    numbers, positions, shares = zip(*species, strict=True) if species else ((), (), ())
    return make_crystal(label, numbers, positions, cell, shares, notes)


def is_structure(value: Any) -> bool:
    """Whether a value of JSON is a structure of a format that [`crystal_from_mapping`] reads."""
    return isinstance(value, Mapping) and (
        any(all(key in value for key in keys) for keys in (ARRAYS, _PYMATGEN, _OPTIMADE))
        or _is_entry(value)
        or is_structure(value.get("structure"))
        or _is_molecule(value)
    )


def _is_entry(value: Mapping[str, Any]) -> bool:
    return value.get("type") == "structures" and isinstance(value.get("attributes"), Mapping)


def _is_molecule(value: Mapping[str, Any]) -> bool:
    return "sites" in value and "lattice" not in value and isinstance(value["sites"], list)


def crystal_from_mapping(value: Mapping[str, Any], label: str) -> Crystal:
    """
    Read a crystal from a mapping.

    Args:
        value: `atomic_numbers`, `positions` and `cell` (and `occupancy`); `Structure.as_dict()` of pymatgen; an
            OPTIMADE entry or its attributes; or a mapping with one of these as its `structure`, such as the `as_dict()`
            of a computed entry.
        label: Name of the structure in error messages.

    Raises:
        InvalidStructureError: If the mapping does not describe a crystal.
    """
    if all(key in value for key in _PYMATGEN):
        return _crystal_from_pymatgen_dict(value, label)
    if _is_entry(value) or any(key in value for key in _OPTIMADE):
        try:
            return crystal_from_optimade(value["attributes"] if _is_entry(value) else value, label)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InvalidStructureError):
                raise
            reason = f"{error} missing" if isinstance(error, KeyError) else one_line(error)
            raise InvalidStructureError(f"{label}: not a valid OPTIMADE entry ({reason})") from None
    if isinstance(value.get("structure"), Mapping):
        return crystal_from_mapping(value["structure"], label)
    if _is_molecule(value):
        raise InvalidStructureError(f"{label}: a molecule without a cell; CLaC reads periodic crystals only")
    missing = [key for key in ARRAYS if value.get(key) is None]
    if len(missing) == len(ARRAYS):
        raise NoStructuresError(f"{label}: no structure in it; {found_keys(value)}, expected {_EXPECTED_KEYS}")
    if missing:
        raise InvalidStructureError(f"{label}: {', '.join(missing)} missing; give {' and '.join(ARRAYS)}")
    misnamed = [key for key in map(str, value) if "occ" in key.lower() and key != "occupancy"]
    if misnamed:
        raise InvalidStructureError(f"{label}: key `{misnamed[0]}` not understood; name occupancies `occupancy`")
    return make_crystal(label, value["atomic_numbers"], value["positions"], value["cell"], value.get("occupancy"))


_EXPECTED_KEYS = (
    "Structure.as_dict() of pymatgen, an OPTIMADE entry, or atomic_numbers, positions and cell"  # in error messages
)


def found_keys(value: Any) -> str:
    """Return what a value of JSON holds instead of a structure, for error messages."""
    if isinstance(value, Mapping):
        names = [one_line(key, 30) for key in list(value)[:_SHOWN_KEYS]]
        return (
            f"found the keys {', '.join(names)}{', ...' if len(value) > _SHOWN_KEYS else ''}" if names else "found {}"
        )
    return f"found {type(value).__name__}"


def _crystal_from_pymatgen_dict(value: Mapping[str, Any], label: str) -> Crystal:
    from pymatgen.core import Structure

    # Properties may name classes to import; they are not needed.
    try:
        lattice = value["lattice"]
        periodic = lattice.get("pbc") or (True, True, True)
        if lattice.get("matrix") is not None:
            lattice = {"matrix": lattice["matrix"]}
        lattice = {**lattice, "pbc": periodic}
        sites = [{"species": [_plain(one) for one in site["species"]], "abc": site["abc"]} for site in value["sites"]]
        structure = Structure.from_dict({"lattice": lattice, "sites": sites})
    except Exception as error:  # errors of many types with the same meaning for the user
        reason = f"{error} missing" if isinstance(error, KeyError) else one_line(error)
        raise InvalidStructureError(
            f"{label}: not a valid Structure.as_dict() of pymatgen ({reason}); write it again"
        ) from None
    if not structure:
        raise InvalidStructureError(f"{label}: no atoms in the cell; give at least one")
    return crystal_from_pymatgen(structure, label)


def _plain(species: Mapping[str, Any]) -> dict[str, Any]:
    return {"element": species["element"], "occu": species.get("occu", 1.0)}


def crystal_from_optimade(attributes: Mapping[str, Any], label: str) -> Crystal:
    """
    Read a crystal from the attributes of an OPTIMADE entry (https://specification.optimade.org, v1.2, section
    "Structures Entries"). Species with concentrations below 1 and vacancies become occupancies.

    Args:
        attributes: Attributes of the entry.
        label: Name of the structure in error messages.

    Raises:
        OptimadeError: If the entry is not periodic in three dimensions, lacks positions, or has unknown elements,
            groups of atoms without positions, or assemblies (correlated disorder).
    """
    dimensions = attributes.get("dimension_types")
    if dimensions is not None and list(dimensions) != [1, 1, 1]:
        raise OptimadeError(label, "not periodic in three dimensions", f"dimension_types {list(dimensions)}")
    cell, positions = attributes.get("lattice_vectors"), attributes.get("cartesian_site_positions")
    names = attributes.get("species_at_sites")
    if not (cell and positions and names):
        missing = [key for key in _OPTIMADE if not attributes.get(key)]
        raise OptimadeError(label, "no atomic positions", f"{', '.join(missing)} missing or empty")
    if len(positions) != len(names) or attributes.get("nsites") not in (None, len(positions)):
        stated = attributes.get("nsites") or len(names)
        raise OptimadeError(label, "atomic positions are incomplete", f"{len(positions)} positions of {stated} sites")
    features = set(attributes.get("structure_features") or [])
    if features & {"unknown_positions", "assemblies"} or attributes.get("assemblies"):
        found = ", ".join(sorted(features & {"unknown_positions", "assemblies"})) or "assemblies"
        raise OptimadeError(label, "disordered", f"{found} cannot be described by occupancies")
    kinds = {kind["name"]: _occupants(kind, label) for kind in attributes.get("species") or []}
    numbers, places, shares = [], [], []
    for name, position in zip(names, positions, strict=True):
        for number, share in kinds.get(name) or _occupants({"name": name, "chemical_symbols": [name]}, label):
            numbers.append(number)
            places.append(position)
            shares.append(share)
    stated = _stated_formula(attributes, numbers, shares)
    return make_crystal(label, numbers, places, cell, shares, stated)


def _stated_formula(attributes: Mapping[str, Any], numbers: list[int], shares: list[float]) -> tuple[str, ...]:
    """Return a warning if an entry states another composition than its sites have, as with implicit hydrogen."""
    formula = attributes.get("chemical_formula_reduced")
    stated = read_formula(formula) if isinstance(formula, str) else {}
    # Disordered entries state a rounded formula.
    if not stated or any(share < 1.0 for share in shares):
        return ()
    found = Counter(gemmi.Element(number).name for number in numbers)
    same = stated.keys() == found.keys() and all(
        abs(amount * len(numbers) - found[symbol] * sum(stated.values())) < 1e-6 for symbol, amount in stated.items()
    )
    if same:
        return ()
    shown = "".join(f"{symbol}{found[symbol]}" for symbol in sorted(found))
    return (f"chemical_formula_reduced is stated as {one_line(formula, 60)}; the sites have {shown}",)


def _occupants(kind: Mapping[str, Any], label: str) -> list[tuple[int, float]]:
    """Atomic number and concentration of each element of a species."""
    from pymatgen.core import Element

    if kind.get("attached"):
        raise OptimadeError(label, "groups of atoms without positions", f"species {kind['name']}")
    symbols = kind.get("chemical_symbols") or []
    concentrations = kind.get("concentration") or [1.0] * len(symbols)
    found = []
    for symbol, share in zip(symbols, concentrations, strict=False):
        if symbol == "vacancy":
            continue
        if not Element.is_valid_symbol(symbol):
            raise OptimadeError(label, "unknown element", f"{symbol!r} in species {kind['name']}")
        found.append((Element(symbol).Z, float(share)))
    if not found or len(symbols) != len(concentrations):
        raise OptimadeError(label, "unknown element", f"species {kind['name']} names no element")
    return found


def looks_like_poscar(text: str) -> bool:
    """Whether lines 2 to 5 of a text are a scaling factor and lattice vectors, as in a POSCAR."""
    lines = [line.split() for line in text.splitlines()[1:5]]
    return (
        len(lines) == 4
        and len(lines[0]) in (1, 3)
        and all(map(_is_number, lines[0]))
        and all(len(line) >= 3 and all(map(_is_number, line[:3])) for line in lines[1:])
    )


def looks_like_xyz(text: str) -> bool:
    """Whether a text begins with a number of atoms, a comment and the coordinates of an atom."""
    lines = text.splitlines()[:3]
    if len(lines) < 3 or not _COUNT.fullmatch(lines[0].strip()):
        return False
    return "lattice=" in lines[1].lower() or bool(re.match(r"\s*[A-Z][a-z]?\s+(\S+\s+){2}\S+", lines[2]))


__all__ = [
    "ARRAYS",
    "NoStructuresError",
    "OptimadeError",
    "crystal_from_ase",
    "crystal_from_mapping",
    "crystal_from_optimade",
    "found_keys",
    "is_structure",
    "looks_like_poscar",
    "looks_like_xyz",
    "read_extxyz",
    "read_poscar",
]
