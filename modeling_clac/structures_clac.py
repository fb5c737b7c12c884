"""Structures of any type to validated arrays. The only place where structures are parsed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import Any, NamedTuple

from .cif_clac import NamedCrystal, read_cif
from .crystal_clac import Crystal, ReadingOptions, check_crystal, crystal_from_pymatgen, make_crystal, refuse_disorder
from .errors_clac import ClacInputError, InvalidStructureError, first_line

DEFAULT_OPTIONS = ReadingOptions()


def parse_structure(structure: Any, name: str | None = None, options: ReadingOptions = DEFAULT_OPTIONS) -> Crystal:
    """
    Parse and validate a structure.

    Args:
        structure: CIF text, a path to a CIF file, a pymatgen `Structure`, an ase `Atoms`, a torch-geometric `Data` with
            `z`, `pos` and `cell`, a mapping with `atomic_numbers`, `positions` and `cell` (both also with `occupancy`),
            or a [`Crystal`].
        name: Name of the structure in error messages. Default: its path.
        options: How to read.

    Returns:
        The validated crystal.

    Raises:
        InvalidStructureError: If the structure is invalid, with name, reason and remedy on one line.
    """
    label = name or structure_name(structure)
    crystal = _to_crystal(structure, label, options)
    check_crystal(crystal, label, options.max_atoms)
    if options.disorder == "refuse":
        refuse_disorder(crystal, label)
    if options.strict and crystal.warnings:
        raise InvalidStructureError(f"{label}: {crystal.warnings[0]}")
    return crystal


class ParsedStructure(NamedTuple):
    """
    A parsed structure, one of many.

    Attributes:
        place: Index in the input, from 0.
        name: Name of the structure in messages.
        crystal: The crystal, or the error if the structure is invalid.
    """

    place: int
    name: str
    crystal: Crystal | InvalidStructureError


def parse_each(
    structures: Any, names: Iterable[str] | None = None, options: ReadingOptions = DEFAULT_OPTIONS
) -> Iterator[ParsedStructure]:
    """
    Parse structures lazily, one at a time.

    Args:
        structures: One structure, or any iterable of structures: a list, a generator, a column of numpy, pandas,
            pyarrow or datasets. See [`parse_structure`] for the accepted types.
        names: Name of each structure in messages. Default: its path, or its position in the input.
        options: How to read.

    Yields:
        The parsed structures, in input order.

    Raises:
        ClacInputError: If the numbers of names and structures differ.
    """
    size = count_structures(structures)
    if size is not None and isinstance(names, Sized) and len(names) != size:
        raise ClacInputError(f"got {len(names)} names for {size} structures; give one name for each structure")
    total = "" if size is None else f" of {size}"
    items = structures if _is_many(structures) else [structures]
    named = ((item, None) for item in items) if names is None else zip(items, names, strict=True)
    for place, (item, name) in enumerate(named):
        # A column of pyarrow yields scalars.
        structure = item.as_py() if hasattr(item, "as_py") else item
        label = structure_name(structure, f"structure {place + 1}{total}") if name is None else name
        try:
            crystal: Crystal | InvalidStructureError = parse_structure(structure, label, options)
        except InvalidStructureError as error:
            crystal = error
        yield ParsedStructure(place, label, crystal)


def count_structures(structures: Any) -> int | None:
    """Return the number of structures in the input of [`parse_each`], or `None` if it has no length."""
    if not _is_many(structures):
        return 1
    return len(structures) if isinstance(structures, Sized) else None


def _is_many(structures: Any) -> bool:
    """
    Whether the input is an iterable of structures. Single pymatgen, ase and torch-geometric objects are iterable as
    well.
    """
    if isinstance(structures, (str, bytes, Path, Crystal, dict)):
        return False
    single = _is_pymatgen(structures) or _is_ase(structures) or _is_pyg(structures)
    return not single and hasattr(structures, "__iter__")


def _is_pymatgen(structure: Any) -> bool:
    return hasattr(structure, "lattice") and hasattr(structure, "is_ordered")


def _is_ase(structure: Any) -> bool:
    return hasattr(structure, "get_atomic_numbers") and hasattr(structure, "get_positions")


def _is_pyg(structure: Any) -> bool:
    return hasattr(structure, "keys") and {"z", "pos", "cell"} <= set(structure.keys())


def structure_name(structure: Any, fallback: str = "structure") -> str:
    """Return the name of a structure in messages: its path, or `fallback` if it is not a path."""
    return str(structure) if _is_path(structure) else fallback


def _is_path(structure: Any) -> bool:
    if isinstance(structure, Path):
        return True
    return isinstance(structure, str) and "\n" not in structure and not structure.lstrip().startswith("data_")


def _to_crystal(structure: Any, label: str, options: ReadingOptions) -> Crystal:
    if isinstance(structure, Crystal):
        return structure
    if isinstance(structure, dict):
        return _from_arrays(label, structure, "atomic_numbers", "positions", "cell")
    if _is_path(structure):
        return _first_of(read_cif(_read_text(Path(structure), label), label, options))
    if isinstance(structure, str):
        return _first_of(read_cif(structure, label, options))
    if _is_pymatgen(structure):
        return crystal_from_pymatgen(structure, label)
    if _is_ase(structure):
        arrays = {
            "atomic_numbers": structure.get_atomic_numbers(),
            "positions": structure.get_positions(),
            "cell": structure.cell.array if hasattr(structure.cell, "array") else structure.cell,
        }
        return _from_arrays(label, arrays, "atomic_numbers", "positions", "cell")
    if _is_pyg(structure):
        return _from_arrays(label, structure.to_dict(), "z", "pos", "cell")
    raise InvalidStructureError(
        f"{label}: cannot read a structure from {type(structure).__name__}; pass CIF text, a path to a CIF file, a "
        "pymatgen Structure, an ase Atoms, or a torch-geometric Data with z, pos and cell"
    )


def _first_of(crystals: list[NamedCrystal]) -> Crystal:
    return crystals[0].crystal


def _from_arrays(label: str, arrays: Any, numbers: str, positions: str, cell: str) -> Crystal:
    missing = [key for key in (numbers, positions, cell) if arrays.get(key) is None]
    if missing:
        raise InvalidStructureError(f"{label}: {', '.join(missing)} missing; give {numbers}, {positions} and {cell}")
    return make_crystal(label, arrays[numbers], arrays[positions], arrays[cell], arrays.get("occupancy"))


def _read_text(path: Path, label: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidStructureError(f"{label}: cannot be read ({first_line(error)})") from None
    if b"\0" in content:
        raise InvalidStructureError(f"{label}: binary file, not a CIF; export the structure as CIF text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


__all__ = [
    "DEFAULT_OPTIONS",
    "ParsedStructure",
    "count_structures",
    "parse_each",
    "parse_structure",
    "structure_name",
]
