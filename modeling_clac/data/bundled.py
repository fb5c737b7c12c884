"""The data set of crystals bundled with the package."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..utils.paths import ASSETS

BUNDLED_CRYSTALS = "mp-crystals"
# In a folder of its own, since a folder of crystals is read as one table.
BUNDLED_FACTS = ASSETS / "mp-facts" / "facts.parquet"
SPLITS = ("train", "validation", "test")
HELD_OUT = SPLITS[1:]


def bundled_crystals(with_cif: bool = True) -> pa.Table:
    """
    Read the bundled data set, one row per crystal, in the order train, validation and test.

    Args:
        with_cif: Whether to read the CIFs, which make up most of the data.
    """
    return pa.concat_tables(read_table(file, with_cif=with_cif) for file in bundled_files())


def bundled_facts() -> pa.Table:
    """Read the facts of the bundled crystals: `material_id` and fact columns, in the order of [`bundled_crystals`]."""
    return read_table(BUNDLED_FACTS)


def bundled_files() -> list[Path]:
    """List the files of the bundled data set, in the order train, validation and test."""
    return [ASSETS / BUNDLED_CRYSTALS / f"{split}.parquet" for split in SPLITS]


def bundled_counts() -> dict[str, int]:
    """Return the number of crystals in each split of the bundled data set."""
    return {split: pq.read_metadata(file).num_rows for split, file in zip(SPLITS, bundled_files(), strict=True)}


def read_table(path: Path, with_cif: bool = True) -> pa.Table:
    """
    Read a parquet file of crystals.

    Args:
        path: The file.
        with_cif: Whether to read the column `cif`, which makes up most of the file.
    """
    # Not by read_table of pyarrow, whose data sets import pandas.
    with pq.ParquetFile(path) as file:
        return file.read([name for name in file.schema_arrow.names if with_cif or name != "cif"])


def has_cifs(path: Path) -> bool:
    """Whether a parquet file of crystals has the column `cif`."""
    return "cif" in pq.read_schema(path).names


def read_cifs(paths: Sequence[Path], rows: Sequence[int]) -> list[str]:
    """
    Read the CIFs of some crystals from parquet files, without the rest of the files.

    Args:
        paths: The files, which follow one another as one table.
        rows: Rows of that table, in any order.

    Returns:
        The CIFs, in the order of `rows`.
    """
    wanted = sorted(set(rows))
    found: dict[int, str] = {}
    start = 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                inside = wanted[bisect_left(wanted, start) : bisect_left(wanted, end)]
                if inside:
                    column = file.read_row_group(group, ["cif"])["cif"]
                    found |= {row: column[row - start].as_py() for row in inside}
                start = end
    return [found[row] for row in rows]


__all__ = [
    "BUNDLED_CRYSTALS",
    "BUNDLED_FACTS",
    "HELD_OUT",
    "SPLITS",
    "bundled_counts",
    "bundled_crystals",
    "bundled_facts",
    "bundled_files",
    "has_cifs",
    "read_cifs",
    "read_table",
]
