"""The crystals that come with the package."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..utils.paths import ASSETS

BUNDLED_CRYSTALS = "mp-crystals"
SPLITS = ("train", "validation", "test")
HELD_OUT = SPLITS[1:]


def bundled_crystals(with_cif: bool = True) -> pa.Table:
    """The bundled data set, one row per crystal: train, validation and test, in this order."""
    return pa.concat_tables(
        read_table(ASSETS / BUNDLED_CRYSTALS / f"{split}.parquet", with_cif=with_cif) for split in SPLITS
    )


def bundled_counts() -> dict[str, int]:
    """Crystals in each split of the bundled data set."""
    return {split: pq.read_metadata(ASSETS / BUNDLED_CRYSTALS / f"{split}.parquet").num_rows for split in SPLITS}


def read_table(path: Path, with_cif: bool = True) -> pa.Table:
    """A parquet file of crystals; the CIFs are most of it, and are not read without need."""
    columns = None if with_cif else [name for name in pq.read_schema(path).names if name != "cif"]
    return pq.read_table(path, columns=columns)


__all__ = ["BUNDLED_CRYSTALS", "HELD_OUT", "SPLITS", "bundled_counts", "bundled_crystals", "read_table"]
