"""The files of an index in its directory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from safetensors import SafetensorError

from ..data.arrow_files import open_columns
from ..data.bundled import BUNDLED_CRYSTALS, BUNDLED_FACTS, bundled_crystals, bundled_files, has_cifs, read_table
from ..errors_clac import ClacInputError, one_line
from ..utils.atomic_files import read_whole
from ..utils.paths import ASSETS
from .stored_crystals import StoredCrystals
from .vector_files import open_vectors
from .vectors import Vectors

BUNDLED_INDEX = ASSETS / "mp-index"

JSON, EMBEDDINGS, TABLE = "index.json", "embeddings.safetensors", "crystals.parquet"
# Columns of the table without the structures, and facts, both to be mapped into memory.
COLUMNS, FACTS = "columns.arrow", "facts.arrow"
GRAPH = "neighbors.usearch"
# Coordinates of a map, see `modeling_clac.app.map_view`.
MAP = "map.safetensors"
_OLD_FACTS = "facts.parquet"
_ALL = frozenset({JSON, EMBEDDINGS, TABLE, COLUMNS, FACTS, GRAPH, MAP, _OLD_FACTS})

ROW_GROUP = 4096  # rows of the table
_FORMAT = 1
# The files that must belong together: rows of the table are those of the embeddings.
_TIED = (TABLE, COLUMNS, EMBEDDINGS, GRAPH)
_HASHED = 1 << 20  # bytes at either end of a file


@dataclass(frozen=True)
class SavedIndex:
    """
    What is read of an index when it is loaded.

    Attributes:
        vectors: The embeddings.
        table: The table without structures.
        stored: Ids and structures.
        facts: File of the facts, which need not exist.
        graph: File of the graph of neighbours, which need not exist.
        model_fingerprint: Fingerprint of the checkpoint.
        model_name: Its name.
    """

    vectors: Vectors
    table: pa.Table
    stored: StoredCrystals
    facts: Path
    graph: Path
    model_fingerprint: str
    model_name: str


def read_index(directory: str | os.PathLike[str]) -> SavedIndex:
    """
    Read an index as far as a search needs it from the start.

    Args:
        directory: Directory of the index.

    Raises:
        ClacInputError: If the directory contains no index, or the index is damaged.
    """
    return read_whole(Path(directory), lambda: _read(directory))


def _read(directory: str | os.PathLike[str]) -> SavedIndex:
    path = Path(directory)
    if not (path / JSON).is_file():
        raise ClacInputError(f"{directory}: no index found ({JSON} missing); build one with `clac index`")
    try:
        described = json.loads((path / JSON).read_text(encoding="utf-8"))
        if described["format"] > _FORMAT:
            raise ClacInputError(
                f"{directory}: index of a later version; upgrade clac-crystals, or rebuild it with `clac index`"
            )
        irregular = [name for name in sorted(_ALL) if (path / name).exists() and not (path / name).is_file()]
        if irregular:
            raise ValueError(f"{irregular[0]} is not a regular file")
        # Indexes of earlier versions do not state it.
        stated = described.get("content", {})
        differing = [name for name, digest in content_digests(path, stated).items() if digest != stated[name]]
        if differing:
            raise ValueError(f"{differing[0]} is not the file that belongs to {JSON}")
        own = described["table"] == TABLE
        if own:
            files = [path / TABLE]
            columns = path / COLUMNS
            table = open_columns(columns) if columns.is_file() else read_table(path / TABLE, with_cif=False)
        else:
            files = bundled_files()
            table = source_table(described["table"])
            if table_digest(table) != described["table_digest"]:
                raise ValueError(f"{described['table']} has changed since the index was built")
        vectors = open_vectors(path / EMBEDDINGS)
        shape = vectors.stored.shape
        if shape != (described["num_crystals"], described["dim"]) or shape[0] != table.num_rows:
            raise ValueError(f"embeddings of shape {shape} for a table of {table.num_rows} crystals")
        name = "the bundled data set" if path == BUNDLED_INDEX else str(directory)
        facts = next((file for file in (path / FACTS, path / _OLD_FACTS) if file.is_file()), path / FACTS)
        return SavedIndex(
            vectors,
            table,
            StoredCrystals(table, files if has_cifs(files[0]) else (), name),
            facts if own else BUNDLED_FACTS,
            path / GRAPH,
            str(described["model_fingerprint"]),
            str(described["model_name"]),
        )
    except ClacInputError:
        raise
    except (
        OSError,
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RecursionError,
        TypeError,
        ValueError,
        SafetensorError,
        pa.ArrowException,
    ) as error:
        raise ClacInputError(f"{directory}: damaged index ({one_line(error)}); rebuild it with `clac index`") from None


def write_description(directory: Path, **described: Any) -> None:
    """
    Write `index.json`, after all other files.

    Args:
        directory: Directory of the index.
        described: Its entries.
    """
    document = {"format": _FORMAT, **described, "content": content_digests(directory)}
    (directory / JSON).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


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
    others = sorted(names - _ALL)
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
    "BUNDLED_INDEX",
    "COLUMNS",
    "EMBEDDINGS",
    "FACTS",
    "GRAPH",
    "JSON",
    "MAP",
    "ROW_GROUP",
    "TABLE",
    "SavedIndex",
    "check_target",
    "content_digests",
    "read_index",
    "source_table",
    "table_digest",
    "write_description",
]
