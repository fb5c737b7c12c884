"""Files of embeddings with ids, which any model can write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modeling_clac.errors_clac import ClacInputError, first_line
from modeling_clac.utils.atomic_files import replaced_file


def read_embeddings(path: Path, ids: Sequence[str]) -> np.ndarray:
    """
    Read embeddings by id.

    Args:
        path: Parquet file with the columns `id` and `embedding` (list of numbers), in any order of rows.
        ids: The ids to return. Other rows of the file are ignored.

    Returns:
        Unit vectors, `(len(ids), dim)` float32.

    Raises:
        ClacInputError: If the file cannot be read, lacks an id or has it twice, or a vector is empty, zero, not finite
            or of another length.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise ClacInputError(f"{path}: not readable as parquet ({first_line(error)})") from None
    missing = [name for name in ("id", "embedding") if name not in table.column_names]
    if missing:
        raise ClacInputError(f"{path}: no column {', '.join(missing)}; expected the columns id and embedding")
    kind = table["embedding"].type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise ClacInputError(f"{path}: column embedding has type {kind}; expected lists of numbers")
    if not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
        raise ClacInputError(f"{path}: column embedding has lists of {kind.value_type}; expected lists of numbers")
    names = [str(name) for name in table["id"].to_pylist()]
    place = {name: row for row, name in enumerate(names)}
    if len(place) < len(names):
        twice = next(name for row, name in enumerate(names) if place[name] != row)
        raise ClacInputError(f"{path}: the id {twice} occurs twice; keep one row of each id")
    absent = [own for own in ids if own not in place]
    if absent:
        raise ClacInputError(
            f"{path}: no embedding of {absent[0]}, nor of {len(absent) - 1:,} more of the {len(ids):,} ids; embed all"
            if len(absent) > 1
            else f"{path}: no embedding of {absent[0]}; embed all {len(ids):,} ids"
        )
    return _unit(path, ids, table["embedding"].take(pa.array([place[own] for own in ids])).to_pylist())


def _unit(path: Path, ids: Sequence[str], rows: list[list[float] | None]) -> np.ndarray:
    size = len(rows[0] or ())
    for own, row in zip(ids, rows, strict=True):
        if not row or len(row) != size or None in row:
            raise ClacInputError(f"{path}: the embedding of {own} is not a list of {size} numbers, as that of {ids[0]}")
    vectors = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1)
    wrong = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(wrong):
        raise ClacInputError(f"{path}: the embedding of {ids[wrong[0]]} is zero or not finite; the cosine is undefined")
    return (vectors / lengths[:, None]).astype(np.float32)


def write_embeddings(path: Path, ids: Sequence[str], vectors: np.ndarray) -> None:
    """
    Write embeddings with their ids.

    Args:
        path: Parquet file.
        ids: Id of each row.
        vectors: `(len(ids), dim)`.

    Raises:
        ClacInputError: If the file cannot be written.
    """
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    table = pa.table(
        {"id": pa.array(list(ids), pa.string()), "embedding": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])}
    )
    with replaced_file(path) as new:
        pq.write_table(table, new, compression="zstd")


__all__ = ["read_embeddings", "write_embeddings"]
