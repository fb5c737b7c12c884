"""Results as files with one row per entry: CSV, parquet or JSON, by the ending of the name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors_clac import ClacInputError
from .atomic_files import json_bytes, replaced_file

SUFFIXES = (".csv", ".parquet", ".json")


def check_output(path: Path, suffixes: Sequence[str] = SUFFIXES) -> None:
    """
    Check that results can be written to a file.

    Args:
        path: The file.
        suffixes: Endings of the known formats.

    Raises:
        ClacInputError: If the name has another ending, the parent directory does not exist, or the path is a directory.
    """
    # Also protects a CIF that shell completion inserted.
    if path.suffix.lower() not in suffixes:
        raise ClacInputError(f"{path}: unknown format; give a file name that ends in {', '.join(suffixes)}")
    if not path.resolve().parent.is_dir():
        raise ClacInputError(f"{path}: its parent directory does not exist; create it first")
    if path.is_dir():
        raise ClacInputError(f"{path}: is a directory; give a file name")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any]) -> None:
    """
    Write rows to a file atomically.

    Args:
        path: The file, see [`check_output`].
        rows: One or more rows with the same columns. `None` is an unknown value.
        metadata: What the rows are: keys of the JSON document around `rows`, metadata of a parquet file. CSV has none.

    Raises:
        ClacInputError: If the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        content = json_bytes({**metadata, "rows": [dict(row) for row in rows]})
    elif suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode()
    with replaced_file(path) as new:
        if suffix == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            described = {f"clac_{name}": json.dumps(value) for name, value in metadata.items()}
            table = pa.Table.from_pylist([dict(row) for row in rows]).replace_schema_metadata(described)
            pq.write_table(table, new, compression="zstd")
        else:
            new.write_bytes(content)


__all__ = ["SUFFIXES", "check_output", "write_rows"]
