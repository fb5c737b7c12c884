"""The files of an index in its directory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from ..data.bundled import BUNDLED_CRYSTALS, bundled_crystals
from ..errors_clac import ClacInputError
from ..utils.atomic_files import read_whole

JSON, TABLE, EMBEDDINGS, FACTS = "index.json", "crystals.parquet", "embeddings.safetensors", "facts.parquet"

# The files that must belong together: rows of the table are those of the embeddings.
_TIED = (TABLE, EMBEDDINGS)
_HASHED = 1 << 20  # bytes at either end of a file


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
    # Another process may replace the index meanwhile.
    names = read_whole(target, lambda: {path.name for path in target.iterdir()})
    others = sorted(names - {JSON, TABLE, EMBEDDINGS, FACTS})
    if others or (names and not read_whole(target, (target / JSON).is_file)):
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


def content_digests(directory: Path, names: Iterable[str] = _TIED) -> dict[str, str]:
    """
    Hash the files of an index, to detect files of another index in its directory.

    Of large files, the size and both ends are hashed, which takes milliseconds. The end of a parquet file describes the
    rest of it.

    Args:
        directory: Directory of the index.
        names: Names of the files. Missing ones are left out.
    """
    digests = {}
    for path in (directory / name for name in names if (directory / name).is_file()):
        size = path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with path.open("rb") as file:
            digest.update(file.read(_HASHED))
            file.seek(max(size - _HASHED, file.tell()))
            digest.update(file.read(_HASHED))
        digests[path.name] = digest.hexdigest()[:16]
    return digests


__all__ = [
    "EMBEDDINGS",
    "FACTS",
    "JSON",
    "TABLE",
    "check_target",
    "content_digests",
    "source_table",
    "table_digest",
]
