"""The files of an index in its directory."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pyarrow as pa

from ..data.bundled import BUNDLED_CRYSTALS, bundled_crystals
from ..errors_clac import ClacInputError

JSON, TABLE, EMBEDDINGS, FACTS = "index.json", "crystals.parquet", "embeddings.safetensors", "facts.parquet"


def check_target(directory: str | os.PathLike[str]) -> None:
    """
    Check that an index can be written to a directory: it is new, empty, or an index to replace.

    Args:
        directory: Directory to write.

    Raises:
        ClacInputError: If the path holds anything else, or its parent directory does not exist.
    """
    target = Path(directory).resolve()
    if not target.parent.is_dir():
        raise ClacInputError(f"{directory}: its parent directory does not exist; create it first")
    if not target.exists():
        return
    if not target.is_dir():
        raise ClacInputError(f"{directory}: exists and is not an index directory; choose another name")
    others = sorted({path.name for path in target.iterdir()} - {JSON, TABLE, EMBEDDINGS, FACTS})
    if others or (any(target.iterdir()) and not (target / JSON).is_file()):
        found = others[0] if others else "other files"
        raise ClacInputError(f"{directory}: not an index (it contains {found}); choose another directory")


def source_table(name: str) -> pa.Table:
    if name != BUNDLED_CRYSTALS:
        raise ClacInputError(f"unknown table source {name!r}; expected {BUNDLED_CRYSTALS}")
    return bundled_crystals(with_cif=False)


def table_digest(table: pa.Table) -> str:
    """Hash the ids of the rows, to detect whether rows were changed or reordered."""
    ids = table["material_id"].to_pylist() if "material_id" in table.column_names else []
    return hashlib.sha256("\n".join(map(str, ids)).encode()).hexdigest()[:16]


__all__ = ["EMBEDDINGS", "FACTS", "JSON", "TABLE", "check_target", "source_table", "table_digest"]
