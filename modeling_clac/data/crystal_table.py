"""Tables of crystals: the bundled one, and those made from files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from ..errors_clac import ClacInputError, InvalidStructureError, one_line
from ..structures_clac import MAX_ATOMS, Crystal, parse_structure
from ..utils.atomic_files import replaced_file
from .bundled import BUNDLED_CRYSTALS, bundled_crystals, read_table

# As the symmetry columns of the bundled data set were made: Å and degrees.
_SYMPREC, _ANGLE_TOLERANCE = 0.1, 5.0
_PROGRESS_FROM = 64

_DESCRIBED = pa.schema(
    [
        ("material_id", pa.string()),
        ("formula", pa.string()),
        ("chemsys", pa.string()),
        ("nsites", pa.int32()),
        ("elements", pa.list_(pa.string())),
        ("space_group_number", pa.int32()),
        ("space_group_symbol", pa.string()),
        ("crystal_system", pa.string()),
        ("density", pa.float64()),
        ("volume", pa.float64()),
    ]
)


def _composition(crystal: Crystal) -> Any:
    from pymatgen.core import Composition

    return Composition(Counter(_symbols(crystal)))


def _symbols(crystal: Crystal) -> list[str]:
    return [gemmi.Element(int(number)).name for number in crystal.atomic_numbers]


def describe_crystal(crystal: Crystal) -> dict[str, Any]:
    """
    What a structure says by itself: `formula` (reduced), `chemsys`, `nsites`, `elements`, `density` (g/cm³), `volume`
    (Å³) and its space group (symprec 0.1 Å, angle tolerance 5°), which is None where none can be determined.
    """
    composition = _composition(crystal)
    elements = sorted(element.symbol for element in composition)
    return {
        "formula": composition.reduced_formula,
        "chemsys": "-".join(elements),
        "nsites": len(crystal),
        "elements": elements,
        **_symmetry(crystal),
        "density": crystal.density,
        "volume": crystal.volume,
    }


def _symmetry(crystal: Crystal) -> dict[str, Any]:
    from pymatgen.core import Structure
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    structure = Structure(crystal.cell, _symbols(crystal), crystal.positions, coords_are_cartesian=True)
    try:
        analyzer = SpacegroupAnalyzer(structure, symprec=_SYMPREC, angle_tolerance=_ANGLE_TOLERANCE)
        return {
            "space_group_number": analyzer.get_space_group_number(),
            "space_group_symbol": analyzer.get_space_group_symbol(),
            "crystal_system": analyzer.get_crystal_system(),
        }
    except (ValueError, TypeError):
        # Unusual cells have no symmetry that spglib can determine; they are crystals all the same.
        return dict.fromkeys(("space_group_number", "space_group_symbol", "crystal_system"))


def crystal_files(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """
    Files as they are, directories as all `*.cif` below them, sorted; each file once.

    Raises:
        ClacInputError: a directory without CIF files.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() == ".cif" and file.is_file())
        if not found:
            raise ClacInputError(f"{path}: no .cif file in this directory or below it")
        files += found
    return list(dict.fromkeys(files))


def read_crystals(
    structures: Sequence[Any],
    names: Sequence[str],
    max_atoms: int | None = MAX_ATOMS,
    on_error: str = "raise",
) -> tuple[dict[int, Crystal], list[tuple[int, str]]]:
    """
    Parses structures; see [`parse_structure`].

    Args:
        names: how messages call them.
        on_error: `"raise"` or `"skip"`.

    Returns:
        The crystals by their place in the input, and what was skipped: (place, reason).

    Raises:
        InvalidStructureError: a structure is unusable and `on_error="raise"`.
    """
    crystals: dict[int, Crystal] = {}
    skipped: list[tuple[int, str]] = []
    for place, (structure, name) in enumerate(zip(structures, _progress(names, "reading crystals"), strict=True)):
        try:
            crystals[place] = parse_structure(structure, name, max_atoms)
        except InvalidStructureError as error:
            if on_error == "raise":
                raise
            skipped.append((place, str(error)))
    return crystals, skipped


def crystal_table(
    sources: Sequence[str | os.PathLike[str]], max_atoms: int | None = MAX_ATOMS, on_error: str = "raise"
) -> tuple[pa.Table, list[str]]:
    """
    One table for an index from CIF files, directories of them, parquet files with a `cif` column, and `mp-crystals`,
    the bundled data set. Columns are those of `describe_crystal`, `material_id` (the file name), `path` and `cif`; a
    parquet file keeps its own and gets those it does not have.

    Returns:
        The table, and one line for each structure that was skipped.

    Raises:
        ClacInputError: a source is missing or unusable, or the columns of two sources do not go together.
        InvalidStructureError: a structure is unusable and `on_error="raise"`.
    """
    tables, skipped = [], []
    files = []
    for source in sources:
        if str(source) == BUNDLED_CRYSTALS:
            tables.append(bundled_crystals())
        elif Path(source).suffix.lower() == ".parquet":
            table, reasons = _completed(_read_parquet(Path(source)), str(source), max_atoms, on_error)
            tables.append(table)
            skipped += reasons
        else:
            files.append(source)
    if files:
        table, reasons = _table_of_files(crystal_files(files), max_atoms, on_error)
        tables.append(table)
        skipped += reasons
    try:
        return pa.concat_tables(tables, promote_options="permissive"), skipped
    except pa.ArrowException as error:
        raise ClacInputError(f"columns of the inputs do not go together: {one_line(error)}") from None


def _table_of_files(files: list[Path], max_atoms: int | None, on_error: str) -> tuple[pa.Table, list[str]]:
    crystals, skipped = read_crystals(files, [str(file) for file in files], max_atoms, on_error)
    kept = [files[place] for place in crystals]
    columns: dict[str, Any] = {
        "path": pa.array([str(file) for file in kept], pa.string()),
        # What parsed is text, in whichever encoding.
        "cif": pa.array([file.read_text(encoding="utf-8-sig", errors="replace") for file in kept], pa.large_string()),
    }
    described = _described(list(crystals.values()), [file.name for file in kept])
    table = pa.table({**{name: described[name] for name in described.column_names}, **columns})
    return table, [reason for _, reason in skipped]


def _described(crystals: Sequence[Crystal], ids: Sequence[str]) -> pa.Table:
    rows = [describe_crystal(crystal) for crystal in _progress(crystals, "finding symmetries")]
    named = [{"material_id": name, **row} for name, row in zip(ids, rows, strict=True)]
    return pa.Table.from_pylist(named, schema=_DESCRIBED)


def _read_parquet(path: Path) -> pa.Table:
    try:
        table = read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ClacInputError(f"{path}: cannot be read as parquet ({one_line(error)})") from None
    if "cif" not in table.column_names:
        raise ClacInputError(f"{path}: no column `cif`, only {', '.join(table.column_names) or 'an empty table'}")
    if not (pa.types.is_string(table["cif"].type) or pa.types.is_large_string(table["cif"].type)):
        raise ClacInputError(f"{path}: column `cif` holds {table['cif'].type}, not the text of CIF files")
    return table


def _completed(table: pa.Table, path: str, max_atoms: int | None, on_error: str) -> tuple[pa.Table, list[str]]:
    """A table with all columns of `_DESCRIBED`; structures are only parsed where one is missing."""
    missing = [name for name in _DESCRIBED.names if name not in table.column_names]
    if not missing:
        return table, []
    names = [f"{path} row {row + 1}" for row in range(table.num_rows)]
    crystals, skipped = read_crystals(table["cif"].to_pylist(), names, max_atoms, on_error)
    rows = list(crystals)
    table = table.take(pa.array(rows, pa.int64()))
    described = _described(list(crystals.values()), [f"{Path(path).stem}-{row + 1}" for row in rows])
    for name in missing:
        table = table.append_column(_DESCRIBED.field(name), described[name])
    return table, [reason for _, reason in skipped]


def _progress(items: Sequence[Any], description: str) -> Any:
    # disable=None leaves the decision to whether the output is a terminal.
    return tqdm(items, desc=description, leave=False, disable=None if len(items) >= _PROGRESS_FROM else True)


def write_embeddings(
    path: Path, names: Sequence[str], crystals: Sequence[Crystal], embeds: np.ndarray, metadata: Mapping[str, str]
) -> None:
    """A parquet file of `path`, `formula` and `embedding` `(D,)` float32, one row per crystal; whole or not at all."""
    columns = {
        "path": pa.array(names, pa.string()),
        "formula": pa.array([_composition(crystal).reduced_formula for crystal in crystals], pa.string()),
        "embedding": pa.array(list(embeds), pa.list_(pa.float32())),
    }
    with replaced_file(path) as new:
        pq.write_table(pa.table(columns).replace_schema_metadata(dict(metadata)), new, compression="zstd")


__all__ = [
    "crystal_files",
    "crystal_table",
    "describe_crystal",
    "read_crystals",
    "write_embeddings",
]
