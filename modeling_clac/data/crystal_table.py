"""Tables of crystals, made from files or from the bundled data set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..crystal_clac import Crystal, ReadingOptions
from ..errors_clac import ClacInputError, ErrorPolicy, InvalidStructureError, Skipped, Warned, one_line
from ..structure_files_clac import Carrier, Text, is_cif, load_carriers
from ..structure_sources_clac import StructureFile
from ..structure_tables_clac import StructureTable, table_from_arrow
from ..structures_clac import DEFAULT_OPTIONS
from ..utils.atomic_files import replaced_file
from ..utils.progress import progress_bar
from .bundled import BUNDLED_CRYSTALS, bundled_crystals
from .graph_batches import parse_structures
from .structure_facts import STRUCTURE_COLUMNS, crystal_formula, describe_crystal
from .structure_writing import cif_text
from .user_columns import contradictions, not_numbers, own_columns, row_ids

_DESCRIBED = pa.schema([("material_id", pa.string()), *STRUCTURE_COLUMNS.items()])


class CrystalTable(NamedTuple):
    """
    A table of crystals.

    Attributes:
        table: One row per crystal, with its CIF in the column `cif`.
        crystals: Parsed crystal of each row, or `None` if its CIF did not have to be parsed.
        skipped: Structures that were skipped, by their index in a file or an input in memory.
        warned: What was read with doubt.
        notes: One line for each source in which files of other kinds were left out.
    """

    table: pa.Table
    crystals: list[Crystal | None]
    skipped: list[Skipped]
    warned: list[Warned]
    notes: list[str]


def crystal_table(
    sources: Sequence[str | os.PathLike[str]], options: ReadingOptions = DEFAULT_OPTIONS, on_error: str = "raise"
) -> CrystalTable:
    """
    Collect crystals from several sources in one table for an index.

    The columns are `material_id` (the name of the file, or the id in a table), those of `describe_crystal`, `path` (of
    files other than tables) and `cif`. Tables keep their own columns; what follows from the structures is computed.

    Args:
        sources: Files, folders and patterns, see [`read_structures`], and `mp-crystals` for the bundled data set.
        options: How to read the structures.
        on_error: What to do with an invalid structure: `"raise"`, `"skip"` or `"warn"`. Skipped structures have no
            row.

    Raises:
        ClacInputError: If a source has no structures.
        InvalidStructureError: If a structure is invalid, a value of a property is not a number, or a column has
            another type than in the sources before, and `on_error="raise"`.
    """
    reader = TableReader(options, ErrorPolicy(on_error))
    if isinstance(sources, (str, os.PathLike)):
        sources = [sources]
    for bundled, group in groupby(sources, lambda source: str(source) == BUNDLED_CRYSTALS):
        if bundled:
            reader.add(bundled_crystals())
        else:
            reader.read(load_carriers(list(group), reader.notes))
    return reader.result()


def table_of_structures(
    structures: Any, options: ReadingOptions = DEFAULT_OPTIONS, on_error: str = "raise"
) -> CrystalTable:
    """
    Make a table of structures in memory for an index.

    Args:
        structures: An iterable of structures, see [`parse_structure`]; or a table of pandas, polars, pyarrow or
            datasets with a column `cif` or `structure`, whose other columns are kept as in [`crystal_table`].
        options: How to read the structures.
        on_error: What to do with an invalid structure, see [`crystal_table`].

    Raises:
        ClacInputError: If a table has no column with structures.
        InvalidStructureError: If a structure is invalid, or a value of a property is not a number, and
            `on_error="raise"`.
    """
    reader = TableReader(options, ErrorPolicy(on_error))
    table = _arrow_table(structures)
    if table is not None:
        file = StructureFile("table", "table")
        carrier = Carrier(file, table_from_arrow(table, file.name))
        reader.add_table(carrier)
    else:
        reader.add_structures(structures)
    return reader.result()


def _arrow_table(source: Any) -> pa.Table | None:
    """Convert a table in memory, or return `None` if the source is something else."""
    if isinstance(source, pa.Table):
        return source
    if not (hasattr(source, "columns") or hasattr(source, "column_names")):
        return None
    if hasattr(source, "with_format"):  # a data set
        return source.with_format("arrow")[:]
    return source.to_arrow() if hasattr(source, "to_arrow") else pa.Table.from_pandas(source)


def unique_ids(ids: Sequence[str], paths: Sequence[str | None]) -> list[str]:
    """
    Make ids unique: by the paths of files with the same name, then by numbers (`a`, `a (2)`).

    Args:
        ids: The ids.
        paths: Path of the file of each crystal; `None` if it is a row of a table.
    """
    repeated = {name for name, count in Counter(ids).items() if count > 1}
    named = [path if path and name in repeated else name for name, path in zip(ids, paths, strict=True)]
    counts: Counter[str] = Counter()
    unique = []
    for name in named:
        counts[name] += 1
        unique.append(name if counts[name] == 1 else f"{name} ({counts[name]})")
    return unique


class _FileRow(NamedTuple):
    name: str
    short: str
    cif: str
    crystal: Crystal


class TableReader:
    """
    Reads sources into tables.

    Args:
        options: How to read the structures.
        errors: What to do with invalid ones.

    Attributes:
        tables: Tables read so far, with the columns of an index.
        crystals: Crystal of each of their rows, or `None`.
        notes: See [`CrystalTable`].
    """

    def __init__(self, options: ReadingOptions, errors: ErrorPolicy):
        self.options = options
        self.errors = errors
        self.tables: list[pa.Table] = []
        self._schema = _DESCRIBED
        self.crystals: list[Crystal | None] = []
        self.notes: list[str] = []
        self._read = 0

    def add(self, table: pa.Table, crystals: Sequence[Crystal] | None = None, label: str = BUNDLED_CRYSTALS) -> None:
        """Add rows, unless a column has another type than before. What was read with doubt is recorded already."""
        try:
            self._schema = pa.unify_schemas([self._schema, table.schema], promote_options="permissive")
        except pa.ArrowException as error:
            reason = f"{label}: its columns have incompatible types with those read before ({one_line(error)})"
            self.errors.apply(0, InvalidStructureError(f"{reason}; rename or convert one of them"))
            return
        self.tables.append(table)
        self.crystals += (
            [None] * table.num_rows if crystals is None else [replace(crystal, warnings=()) for crystal in crystals]
        )

    def result(self, unique: bool = True) -> CrystalTable:
        """
        Return all rows as one table.

        Args:
            unique: Whether to make ids different that several rows have.
        """
        table = pa.concat_tables(self.tables or [_DESCRIBED.empty_table()], promote_options="permissive")
        if unique:
            paths = table["path"].to_pylist() if "path" in table.column_names else [None] * table.num_rows
            ids = pa.array(unique_ids(table["material_id"].to_pylist(), paths), pa.string())
            table = table.set_column(table.column_names.index("material_id"), "material_id", ids)
        return CrystalTable(table, self.crystals, self.errors.skipped, self.errors.warned, self.notes)

    def read(self, carriers: Iterable[Carrier]) -> None:
        """Read the contents of files."""
        rows: list[_FileRow] = []
        with progress_bar("reading files", None) as bar:
            for carrier in carriers:
                if isinstance(carrier.content, StructureTable):
                    self._add_files(rows)
                    rows = []
                    self.add_table(carrier)
                else:
                    rows += self._file_rows(carrier)
                bar.update()
        self._add_files(rows)

    def _file_rows(self, carrier: Carrier) -> list[_FileRow]:
        file, structures = carrier.file, list(carrier.structures(self.options))
        text = carrier.content.text if isinstance(carrier.content, Text) and carrier.content.format == "cif" else None
        rows = []
        for _, name, crystal in parse_structures(
            structures, errors=self.errors, options=self.options, show_progress=False
        ):
            # The text of a CIF stays as it is, unless it holds something else than what was read.
            whole = len(structures) == 1 and file.selector is None and self._as_stated
            cif = text if whole and text is not None else cif_text(crystal, name)
            rows.append(_FileRow(name, file.short + name.removeprefix(file.name), cif, crystal))
        return rows

    @property
    def _as_stated(self) -> bool:
        """Whether crystals are read as their CIFs state them."""
        return self.options.disorder != "order"

    def _add_files(self, rows: list[_FileRow]) -> None:
        if not rows:
            return
        crystals = [row.crystal for row in rows]
        ids = [row.short for row in rows]
        table = _with_facts(ids, _facts(crystals), {"path": pa.array([row.name for row in rows], pa.string())})
        self.add(table.append_column("cif", pa.array([row.cif for row in rows], pa.large_string())), crystals)

    def add_structures(self, structures: Any) -> None:
        """Add the valid ones of structures in memory."""
        parsed = parse_structures(structures, errors=self.errors, options=self.options)
        self._add_files([_FileRow(name, name, cif_text(crystal, name), crystal) for _, name, crystal in parsed])

    def add_table(self, carrier: Carrier) -> None:
        """Add the valid rows of a table."""
        file, content = carrier.file, carrier.content
        assert isinstance(content, StructureTable)
        try:
            others = content.table
            own_columns(others, (), file.name)
        except ClacInputError as error:
            self.errors.apply(0, error)
            return
        # One structure for each row.
        parsed = list(parse_structures(carrier.structures(self.options), errors=self.errors, options=self.options))
        rows = [place for place, *_ in parsed]
        names = [name for _, name, _ in parsed]
        crystals = [crystal for *_, crystal in parsed]
        facts = _facts(crystals)
        unread = not_numbers(others, {row: content.number(row) for row in rows}, file.name)
        kept = []
        for place, wrong in enumerate(contradictions(others, rows, facts)):
            if rows[place] in unread:
                self.errors.apply(rows[place], InvalidStructureError(unread[rows[place]]))
            elif wrong and self.options.strict:
                self.errors.apply(rows[place], InvalidStructureError(f"{names[place]}: {wrong[0]}"))
            else:
                self.errors.record(names[place], wrong)
                kept.append(place)
        rows = [rows[place] for place in kept]
        crystals = [crystals[place] for place in kept]
        facts = [facts[place] for place in kept]
        own = own_columns(others, rows, file.name)
        numbers = [content.number(row) for row in rows]
        table = _with_facts(row_ids(others, rows, numbers, PurePath(file.short).stem), facts, own)
        cifs = []
        for row, crystal in zip(rows, crystals, strict=True):
            value = content.structures[row]
            value = value.as_py() if hasattr(value, "as_py") else value
            stated = isinstance(value, str) and is_cif(value) and self._as_stated
            cifs.append(value if stated else cif_text(crystal))
        self.add(table.append_column("cif", pa.array(cifs, pa.large_string())), crystals, file.name)


def _facts(crystals: Sequence[Crystal]) -> list[dict[str, Any]]:
    facts = []
    with progress_bar("finding symmetries", len(crystals)) as bar:
        for crystal in crystals:
            facts.append(describe_crystal(crystal))
            bar.update()
    return facts


def _with_facts(ids: Sequence[str], facts: Sequence[Mapping[str, Any]], own: Mapping[str, Any]) -> pa.Table:
    """Make a table of ids, facts that follow from the structures, and other columns."""
    rows = [{"material_id": name, **fact} for name, fact in zip(ids, facts, strict=True)]
    table = pa.Table.from_pylist(rows, schema=_DESCRIBED)
    for name, column in own.items():
        table = table.append_column(name, column)
    return table


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
    "TableReader",
    "crystal_table",
    "table_of_structures",
    "unique_ids",
    "write_embeddings",
]
