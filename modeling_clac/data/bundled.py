"""The data set of crystals bundled with the package."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..utils.paths import ASSETS

BUNDLED_CRYSTALS = "mp-crystals"
SPLITS = ("train", "validation", "test")
HELD_OUT = SPLITS[1:]


def bundled_crystals(with_cif: bool = True) -> pa.Table:
    """
    Read the bundled data set, one row per crystal, in the order train, validation and test.

    Args:
        with_cif: Whether to read the CIFs, which make up most of the data.
    """
    return pa.concat_tables(
        read_table(ASSETS / BUNDLED_CRYSTALS / f"{split}.parquet", with_cif=with_cif) for split in SPLITS
    )


def bundled_counts() -> dict[str, int]:
    """Return the number of crystals in each split of the bundled data set."""
    return {split: pq.read_metadata(ASSETS / BUNDLED_CRYSTALS / f"{split}.parquet").num_rows for split in SPLITS}


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


__all__ = ["BUNDLED_CRYSTALS", "HELD_OUT", "SPLITS", "bundled_counts", "bundled_crystals", "read_table"]
