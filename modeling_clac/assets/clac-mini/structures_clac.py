"""Structures of any type to validated arrays. The only place where structures are parsed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from .cif_clac import NamedCrystal
from .crystal_clac import Crystal, ReadingOptions, check_crystal, crystal_from_pymatgen, make_crystal, refuse_disorder
from .errors_clac import ClacInputError, InvalidStructureError, StructureWarning
from .ordering_clac import order_crystal
from .structure_files_clac import load_carriers, load_content, read_mapping, read_text
from .structure_formats_clac import crystal_from_ase
from .structure_sources_clac import path_exists

DEFAULT_OPTIONS = ReadingOptions()
_SHOWN_STRUCTURES = 5  # in messages


def parse_structure(structure: Any, name: str | None = None, options: ReadingOptions = DEFAULT_OPTIONS) -> Crystal:
    """
    Parse and validate a structure.

    Args:
        structure: A path or the text of a file with one structure, in a format of [`read_structures`]; a pymatgen
            `Structure`; an ase `Atoms`; a torch-geometric `Data` with `z`, `pos` and `cell`; a mapping with
            `atomic_numbers`, `positions` and `cell` (and `occupancy`), the `as_dict()` of a pymatgen `Structure`, or a
            row of a table with a `cif` or `structure`; or a [`Crystal`].
        name: Name of the structure in error messages. Default: its path.
        options: How to read.

    Returns:
        The validated crystal.

    Raises:
        InvalidStructureError: If the structure is invalid, with name, reason and remedy on one line.
    """
    label = name or structure_name(structure)
    crystal = _to_crystal(structure, label, options)
    warning = check_crystal(crystal, label, options.max_atoms)
    if warning and warning not in crystal.warnings:
        crystal = replace(crystal, warnings=(*crystal.warnings, warning))
    if options.disorder == "refuse":
        refuse_disorder(crystal, label)
    if options.disorder == "order" and not crystal.is_ordered:
        crystal = order_crystal(crystal, label, options.max_atoms)
    if options.strict and crystal.warnings:
        raise InvalidStructureError(f"{label}: {crystal.warnings[0]}")
    return crystal


def read_structures(source: Any, options: ReadingOptions = DEFAULT_OPTIONS) -> Iterator[NamedCrystal]:
    """
    Read all structures of files, lazily.

    The result can be passed to everything that accepts structures, such as `ClacEmbedder.encode_crystals`.

    Args:
        source: A path, or an iterable of paths: files of the formats below, each also with `.gz`, zip archives, folders
            (searched recursively), patterns (`"runs/*.vasp"`), `"-"` for standard input, and single structures of a
            file by name or number (`"two.cif#ag"`). Or the content of a file: text, bytes, a file opened for reading,
            or a parsed JSON document. Formats: CIF, mCIF, POSCAR, extended XYZ, JSON of pymatgen and OPTIMADE, and
            CSV, JSON lines and parquet with a column `cif` or `structure`.
        options: How to read.

    Yields:
        The structures with their names: the path; `path#name` if the file has several; `path row 3` in a table. An
        invalid structure is yielded as its error, so that it does not hide the others.

    Raises:
        InvalidStructureError: If a folder, pattern or archive has no file with structures.
    """
    if not _is_document(source):
        for entry in source if _is_many(source) else [source]:
            if _is_document(entry):
                yield from read_structures(entry, options)
            else:
                name, crystal = entry if isinstance(entry, NamedCrystal) else ("structure", entry)
                yield NamedCrystal(name, _checked(crystal, name, options))
        return
    for name, crystal in _read_document(source, structure_name(source), options):
        yield NamedCrystal(name, _checked(crystal, name, options))


def _checked(crystal: Crystal | InvalidStructureError, name: str, options: ReadingOptions) -> Any:
    if isinstance(crystal, InvalidStructureError):
        return crystal
    try:
        return parse_structure(crystal, name, options)
    except InvalidStructureError as error:
        return error


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
            polars, pyarrow or datasets, or the result of [`read_structures`]. See [`parse_structure`] for the accepted
            types. A path or text that is not in a list may hold several structures.
        names: Name of each structure in messages. Default: its path, or its position in the input.
        options: How to read.

    Yields:
        The parsed structures, in input order.

    Raises:
        ClacInputError: If the numbers of names and structures differ, or the input is a table or a set.
    """
    size = count_structures(structures)
    if size is not None and isinstance(names, Sized) and len(names) != size:
        raise ClacInputError(f"got {len(names)} names for {size} structures; give one name for each structure")
    total = "" if size is None else f" of {size}"
    given = iter(names) if names is not None else None
    place = -1
    for place, item in enumerate(_items(structures, options)):
        # A column of pyarrow yields scalars.
        structure = item.as_py() if hasattr(item, "as_py") else item
        own = structure.name if isinstance(structure, NamedCrystal) else None
        name = own or structure_name(structure, f"structure {place + 1}{total}")
        if given is not None:
            try:
                name = next(given)
            except StopIteration:
                raise ClacInputError(f"got {place} names for more structures; give one name for each") from None
        crystal = structure.crystal if isinstance(structure, NamedCrystal) else structure
        yield ParsedStructure(place, name, _checked(crystal, name, options))
    if given is not None and next(given, None) is not None:
        raise ClacInputError(f"got more names than the {place + 1} structures; give one name for each")


def _items(structures: Any, options: ReadingOptions) -> Iterable[Any]:
    """Return the structures one by one."""
    if _is_many(structures):
        return structures
    return read_structures(structures, options) if _is_document(structures) else [structures]


def count_structures(structures: Any) -> int | None:
    """Return the number of structures in the input of [`parse_each`], or `None` if it is not known in advance."""
    if not _is_many(structures):
        return None if _is_document(structures) else 1
    return len(structures) if isinstance(structures, Sized) else None


def _is_many(structures: Any) -> bool:
    """
    Whether the input is an iterable of structures. Single pymatgen, ase and torch-geometric objects are iterable as
    well.
    """
    if isinstance(structures, (Crystal, NamedCrystal)) or _is_document(structures):
        return False
    if _is_pymatgen(structures) or _is_ase(structures) or _is_pyg(structures):
        return False
    if isinstance(structures, (set, frozenset)):
        raise ClacInputError("the structures are a set, which has no order; pass a list")
    columns = getattr(structures, "column_names", getattr(structures, "columns", None))
    if columns is not None:
        shown = ", ".join(map(str, columns))
        raise ClacInputError(
            f"the structures are a table with the columns {shown}; pass one column, such as table['cif']"
        )
    return hasattr(structures, "__iter__") and getattr(structures, "ndim", 1) != 0


def _is_document(structure: Any) -> bool:
    """Whether something may hold several structures: a path, a text, the content of a file, or a mapping."""
    return isinstance(structure, (str, bytes, os.PathLike, Mapping)) or hasattr(structure, "read")


def _is_pymatgen(structure: Any) -> bool:
    return hasattr(structure, "lattice") and hasattr(structure, "is_ordered")


def _is_ase(structure: Any) -> bool:
    return hasattr(structure, "get_atomic_numbers") and hasattr(structure, "get_positions")


def _is_pyg(structure: Any) -> bool:
    return hasattr(structure, "keys") and {"z", "pos", "cell"} <= set(structure.keys())


def structure_name(structure: Any, fallback: str = "structure") -> str:
    """Return the name of a structure in messages: its path, or `fallback` if it is not a path."""
    return os.fspath(structure) if _is_path(structure) else fallback


def _is_path(structure: Any) -> bool:
    if isinstance(structure, os.PathLike):
        return True
    if not isinstance(structure, str) or not structure.strip() or "\n" in structure or "\r" in structure:
        return False
    return not structure.lstrip().lower().startswith(("data_", "{", "[")) or path_exists(structure)


def _to_crystal(structure: Any, label: str, options: ReadingOptions) -> Crystal:
    if isinstance(structure, Crystal):
        return structure
    if _is_document(structure):
        return _only(_read_document(structure, label, options), structure_name(structure, label), label)
    if _is_pymatgen(structure):
        return crystal_from_pymatgen(structure, label)
    if _is_ase(structure):
        return crystal_from_ase(structure, label)
    if _is_pyg(structure):
        return _from_arrays(label, structure.to_dict(), "z", "pos", "cell")
    if structure is None or str(structure) in ("nan", "<NA>", "NaT"):
        raise InvalidStructureError(
            f"{label}: cannot read a structure from {type(structure).__name__}, a missing value; remove it"
        )
    raise InvalidStructureError(
        f"{label}: cannot read a structure from {type(structure).__name__}; pass CIF text, a path, a pymatgen "
        "Structure, an ase Atoms, or a torch-geometric Data with z, pos and cell"
    )


def _read_document(source: Any, label: str, options: ReadingOptions) -> Iterator[NamedCrystal]:
    """Read the structures of a path, a text, the content of a file, or a mapping; they are checked later."""
    if _is_path(source):
        notes: list[str] = []
        for carrier in load_carriers([source], notes):
            yield from carrier.structures(options)
        for note in notes:
            warnings.warn(note, StructureWarning, stacklevel=2)
        return
    if hasattr(source, "read"):
        source = source.read()
    if isinstance(source, Mapping):
        yield from read_mapping(source, label, options)
    elif isinstance(source, str):
        yield from read_text(source, label, options)
    else:
        for carrier in load_content(bytes(source), label):
            yield from carrier.structures(options)


def _only(structures: Iterator[NamedCrystal], path: str, label: str) -> Crystal:
    """Return the only structure of a document. Errors call it `label` rather than by its path."""
    found = list(islice(structures, _SHOWN_STRUCTURES + 1))
    if len(found) > 1:
        names = [structure.name.removeprefix(f"{path}#") for structure in found[:_SHOWN_STRUCTURES]]
        more = ", ..." if len(found) > _SHOWN_STRUCTURES else ""
        raise InvalidStructureError(
            f"{label}: several structures ({', '.join(names)}{more}); choose one by name or number, such as "
            f"{path}#{names[0]}, or read all with read_structures"
        )
    crystal = found[0].crystal
    if isinstance(crystal, InvalidStructureError):
        message = str(crystal)
        raise InvalidStructureError(label + message.removeprefix(path)) if message.startswith(path) else crystal
    return crystal


def _from_arrays(label: str, arrays: Any, numbers: str, positions: str, cell: str) -> Crystal:
    missing = [key for key in (numbers, positions, cell) if arrays.get(key) is None]
    if missing:
        raise InvalidStructureError(f"{label}: {', '.join(missing)} missing; give {numbers}, {positions} and {cell}")
    return make_crystal(label, arrays[numbers], arrays[positions], arrays[cell], arrays.get("occupancy"))


__all__ = [
    "DEFAULT_OPTIONS",
    "ParsedStructure",
    "count_structures",
    "parse_each",
    "parse_structure",
    "read_structures",
    "structure_name",
]
