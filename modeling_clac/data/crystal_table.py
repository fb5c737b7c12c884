"""Tables of crystals, made from files or from the bundled data set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..crystal_clac import Crystal, ReadingOptions
from ..errors_clac import ClacInputError, ErrorPolicy, one_line
from ..structures_clac import DEFAULT_OPTIONS
from ..utils.atomic_files import replaced_file
from ..utils.progress import progress_bar
from .bundled import BUNDLED_CRYSTALS, bundled_crystals, read_table
from .graph_batches import parse_structures
from .structure_facts import STRUCTURE_COLUMNS, crystal_formula, describe_crystal

_DESCRIBED = pa.schema([("material_id", pa.string()), *STRUCTURE_COLUMNS.items()])


def crystal_files(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """
    List CIF files.

    Args:
        paths: Files, which are kept as given, and directories, which are searched recursively for `*.cif` files.

    Returns:
        The files without duplicates. Files found in a directory are sorted.

    Raises:
        ClacInputError: If a directory contains no CIF file.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            files.append(path)
            continue
        found = sorted(file for file in path.rglob("*") if file.suffix.lower() == ".cif" and file.is_file())
        if not found:
            raise ClacInputError(
                f"{path}: no .cif file in this directory or its subdirectories; give a directory with CIF files"
            )
        files += found
    return list(dict.fromkeys(files))


class CrystalTable(NamedTuple):
    """
    A table of crystals.

    Attributes:
        table: One row per crystal, with its CIF in the column `cif`.
        crystals: Parsed crystal of each row, or `None` if its CIF did not have to be parsed.
        skipped: One line for each structure that was skipped.
    """

    table: pa.Table
    crystals: list[Crystal | None]
    skipped: list[str]


def crystal_table(
    sources: Sequence[str | os.PathLike[str]], options: ReadingOptions = DEFAULT_OPTIONS, on_error: str = "raise"
) -> CrystalTable:
    """
    Collect crystals from several sources in one table for an index.

    The columns are those of `describe_crystal`, `material_id` (the file name), `path` and `cif`. A parquet file keeps
    its own columns; missing columns are added.

    Args:
        sources: CIF files, directories of CIF files, parquet files with a `cif` column, and `mp-crystals` for the
            bundled data set.
        options: How to read the structures.
        on_error: What to do with an invalid structure: `"raise"`, `"skip"` or `"warn"`. Skipped structures have no
            row.

    Raises:
        ClacInputError: If a source is missing or unreadable, or if the columns of two sources have incompatible types.
        InvalidStructureError: If a structure is invalid and `on_error="raise"`.
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
            table, own = _completed(_read_parquet(Path(source)), str(source), options, errors)
            tables.append(table)
            crystals += own
        else:
            files.append(source)
    if files:
        table, own = _table_of_files(crystal_files(files), options, errors)
        tables.append(table)
        crystals += own
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise ClacInputError(
            f"the columns of the inputs have incompatible types ({one_line(error)}); rename or convert one of them"
        ) from None
    return CrystalTable(table, crystals, [skipped.reason for skipped in errors.skipped])


def _table_of_files(
    files: list[Path], options: ReadingOptions, errors: ErrorPolicy
) -> tuple[pa.Table, list[Crystal | None]]:
    parsed = list(parse_structures(files, errors=errors, options=options))
    kept = [files[place] for place, *_ in parsed]
    columns: dict[str, Any] = {
        "path": pa.array([str(file) for file in kept], pa.string()),
        # The files were parsed, so they are text, but the encoding may vary.
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
        raise ClacInputError(f"{path}: no column `cif`; found {', '.join(table.column_names) or 'no columns'}")
    if not (pa.types.is_string(table["cif"].type) or pa.types.is_large_string(table["cif"].type)):
        raise ClacInputError(
            f"{path}: column `cif` has type {table['cif'].type}; expected strings with the text of CIF files"
        )
    return table


def _completed(
    table: pa.Table, path: str, options: ReadingOptions, errors: ErrorPolicy
) -> tuple[pa.Table, list[Crystal | None]]:
    """Add the missing columns of `_DESCRIBED` to a table. Structures are parsed only if a column is missing."""
    missing = [name for name in _DESCRIBED.names if name not in table.column_names]
    if not missing:
        return table, [None] * table.num_rows
    names = (f"{path} row {row + 1}" for row in range(table.num_rows))
    parsed = list(parse_structures(table["cif"], names, errors=errors, options=options))
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
    """
    Write embeddings to a parquet file with the columns `path`, `formula` and `embedding`. The write is atomic.

    Args:
        path: File to write.
        names: Path of each crystal.
        crystals: The crystals.
        embeds: Their embeddings, `(num_crystals, dim)` float32.
        metadata: Metadata of the file.
    """
    columns = {
        "path": pa.array(names, pa.string()),
        "formula": pa.array([crystal_formula(crystal) for crystal in crystals], pa.string()),
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
