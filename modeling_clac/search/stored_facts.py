"""Facts of the crystals of an index: read from its directory, or computed from its structures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..crystal_clac import Crystal
from ..data.arrow_files import open_columns, write_columns
from ..data.bundled import read_table
from ..data.facts.columns import FACT_COLUMNS, FACTS_VERSION, VERSION_KEY
from ..utils.progress import progress_bar
from .stored_crystals import StoredCrystals

_AT_ONCE = 256  # crystals


def read_facts(path: Path) -> pa.Table | None:
    """
    Read a file of facts.

    Args:
        path: Arrow file, or parquet file of an earlier version, with the columns of `FACT_COLUMNS`.

    Returns:
        Its table, or `None` if there is no such file, or its facts are of another version.
    """
    if not path.is_file():
        return None
    facts = open_columns(path) if path.suffix == ".arrow" else read_table(path)
    return facts if (facts.schema.metadata or {}).get(VERSION_KEY) == str(FACTS_VERSION).encode() else None


def write_facts(facts: pa.Table, path: Path) -> None:
    """
    Write a file of facts.

    Args:
        facts: Table with the columns of `FACT_COLUMNS`.
        path: Arrow file, to be mapped into memory, or parquet file, a tenth of its size.
    """
    facts = facts.replace_schema_metadata({VERSION_KEY: str(FACTS_VERSION)})
    if path.suffix == ".arrow":
        write_columns(path, facts.schema, [facts])
    else:
        pq.write_table(facts, path, compression="zstd")


def compute_facts(
    stored: StoredCrystals, parsed: Sequence[Crystal | None] | None = None, show_progress: bool | None = None
) -> pa.Table | None:
    """
    Compute the facts of stored crystals.

    Args:
        stored: The crystals.
        parsed: Structure of each crystal, or `None` where it is still to be read.
        show_progress: Whether to show a progress bar. Default: only for long work in a terminal.

    Returns:
        A table with the columns of `FACT_COLUMNS`, or `None` if there are no structures.

    Raises:
        ClacInputError: If the structures cannot be read.
    """
    if not stored.has_structures:
        return None
    from ..data.facts.crystal_facts import facts_of
    from ..data.facts.estimates import with_estimates

    count = stored.table.num_rows
    known = "space_group_number" in stored.table.column_names
    groups = stored.table["space_group_number"].to_pylist() if known else [None] * count
    tables = [pa.schema(list(FACT_COLUMNS.items())).empty_table()]
    with progress_bar("finding facts", count, show_progress) as bar:
        for start in range(0, count, _AT_ONCE):
            rows = range(start, min(start + _AT_ONCE, count))
            known_ones = [None] * len(rows) if parsed is None else parsed[rows.start : rows.stop]
            missing = [row for row, crystal in zip(rows, known_ones, strict=True) if crystal is None]
            read = iter(stored.structures(missing))
            crystals = [next(read) if crystal is None else crystal for crystal in known_ones]
            tables.append(facts_of(crystals, groups[rows.start : rows.stop]).replace_schema_metadata(None))
            bar.update(len(rows))
    return with_estimates(pa.concat_tables(tables), stored.table)


__all__ = ["compute_facts", "read_facts", "write_facts"]
