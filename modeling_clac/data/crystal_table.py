"""Tables of crystals: the bundled one, and those made from files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors_clac import ClacInputError, ErrorPolicy, one_line
from ..structures_clac import MAX_ATOMS, Crystal
from ..utils.atomic_files import replaced_file
from ..utils.progress import progress_bar
from .bundled import BUNDLED_CRYSTALS, bundled_crystals, read_table
from .graph_batches import parse_structures
from .structure_facts import STRUCTURE_COLUMNS, atom_counts, describe_crystal, reduced_formula

_DESCRIBED = pa.schema([("material_id", pa.string()), *STRUCTURE_COLUMNS.items()])


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


class CrystalTable(NamedTuple):
    """
    A table of crystals.

    Attributes:
        table: one row per crystal, with its CIF in the column `cif`.
        crystals: of each row the crystal, if making the table took parsing it, else `None`.
        skipped: one line for each structure that was left out.
    """

    table: pa.Table
    crystals: list[Crystal | None]
    skipped: list[str]


def crystal_table(
    sources: Sequence[str | os.PathLike[str]], max_atoms: int | None = MAX_ATOMS, on_error: str = "raise"
) -> CrystalTable:
    """
    Make one table for an index from CIF files, directories of them, parquet files with a `cif` column, and
    `mp-crystals`, the bundled data set. Columns are those of `describe_crystal`, `material_id` (the file name), `path`
    and `cif`; a parquet file keeps its own and gets those it does not have.

    Args:
        sources: paths, or `mp-crystals`.
        max_atoms: cells with more atoms are refused; `None` accepts any size.
        on_error: `"raise"`, `"skip"` or `"warn"`; a structure that is skipped has no row.

    Raises:
        ClacInputError: a source is missing or unusable, or the columns of two sources do not go together.
        InvalidStructureError: a structure is unusable and `on_error="raise"`.
    """
    errors = ErrorPolicy(on_error)
    tables: list[pa.Table] = []
    crystals: list[Crystal | None] = []
    files = []
    for source in sources:
        if str(source) == BUNDLED_CRYSTALS:
            tables.append(bundled_crystals())
            crystals += [None] * tables[-1].num_rows
        elif Path(source).suffix.lower() == ".parquet":
            table, own = _completed(_read_parquet(Path(source)), str(source), max_atoms, errors)
            tables.append(table)
            crystals += own
        else:
            files.append(source)
    if files:
        table, own = _table_of_files(crystal_files(files), max_atoms, errors)
        tables.append(table)
        crystals += own
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise ClacInputError(f"columns of the inputs do not go together: {one_line(error)}") from None
    return CrystalTable(table, crystals, [skipped.reason for skipped in errors.skipped])


def _table_of_files(
    files: list[Path], max_atoms: int | None, errors: ErrorPolicy
) -> tuple[pa.Table, list[Crystal | None]]:
    parsed = list(parse_structures(files, errors=errors, max_atoms=max_atoms))
    kept = [files[place] for place, *_ in parsed]
    columns: dict[str, Any] = {
        "path": pa.array([str(file) for file in kept], pa.string()),
        # What parsed is text, in whichever encoding.
        "cif": pa.array([file.read_text(encoding="utf-8-sig", errors="replace") for file in kept], pa.large_string()),
    }
    crystals = [crystal for *_, crystal in parsed]
    described = _described(crystals, [file.name for file in kept])
    return pa.table({**{name: described[name] for name in described.column_names}, **columns}), [*crystals]


def _described(crystals: Sequence[Crystal], ids: Sequence[str]) -> pa.Table:
    rows = []
    with progress_bar("finding symmetries", len(crystals)) as bar:
        for name, crystal in zip(ids, crystals, strict=True):
            rows.append({"material_id": name, **describe_crystal(crystal)})
            bar.update()
    return pa.Table.from_pylist(rows, schema=_DESCRIBED)


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


def _completed(
    table: pa.Table, path: str, max_atoms: int | None, errors: ErrorPolicy
) -> tuple[pa.Table, list[Crystal | None]]:
    """A table with all columns of `_DESCRIBED`; structures are only parsed where one is missing."""
    missing = [name for name in _DESCRIBED.names if name not in table.column_names]
    if not missing:
        return table, [None] * table.num_rows
    names = (f"{path} row {row + 1}" for row in range(table.num_rows))
    parsed = list(parse_structures(table["cif"], names, errors=errors, max_atoms=max_atoms))
    rows = [place for place, *_ in parsed]
    table = table.take(pa.array(rows, pa.int64()))
    crystals = [crystal for *_, crystal in parsed]
    described = _described(crystals, [f"{Path(path).stem}-{row + 1}" for row in rows])
    for name in missing:
        table = table.append_column(_DESCRIBED.field(name), described[name])
    return table, [*crystals]


def write_embeddings(
    path: Path, names: Sequence[str], crystals: Sequence[Crystal], embeds: np.ndarray, metadata: Mapping[str, str]
) -> None:
    """A parquet file of `path`, `formula` and `embedding` `(D,)` float32, one row per crystal; whole or not at all."""
    columns = {
        "path": pa.array(names, pa.string()),
        "formula": pa.array([reduced_formula(atom_counts(crystal)) for crystal in crystals], pa.string()),
        "embedding": pa.array(list(embeds), pa.list_(pa.float32())),
    }
    with replaced_file(path) as new:
        pq.write_table(pa.table(columns).replace_schema_metadata(dict(metadata)), new, compression="zstd")


__all__ = [
    "CrystalTable",
    "crystal_files",
    "crystal_table",
    "write_embeddings",
]
