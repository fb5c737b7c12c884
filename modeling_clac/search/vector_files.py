"""The file of the vectors of an index: safetensors with `embeddings` (float16) and `lengths`, written as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from .vectors import Vectors, lengths_of

_EMBEDDINGS, _LENGTHS = "embeddings", "lengths"
_TYPES: dict[str, Any] = {"F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
_SIZE = 8  # bytes of the number before the header


def write_vectors(path: Path, count: int, dim: int, blocks: Iterable[np.ndarray]) -> None:
    """
    Write vectors, block by block.

    Args:
        path: File to write.
        count: Number of vectors.
        dim: Number of dimensions.
        blocks: `(num_rows, dim)` vectors of about unit length, float16 or float32. They are rounded to float16.

    Raises:
        ValueError: If the blocks hold another number of vectors.
    """
    size = 2 * count * dim
    header = {
        _EMBEDDINGS: {"dtype": "F16", "shape": [count, dim], "data_offsets": [0, size]},
        _LENGTHS: {"dtype": "F32", "shape": [count], "data_offsets": [size, size + 4 * count]},
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _SIZE)
    lengths = [np.zeros(0, dtype=np.float32)]
    with path.open("wb") as file:
        file.write(len(text).to_bytes(_SIZE, "little") + text)
        for block in blocks:
            rounded = np.ascontiguousarray(block, dtype="<f2")
            lengths.append(lengths_of(rounded))
            file.write(rounded.tobytes())
        written = np.concatenate(lengths)
        if len(written) != count:
            raise ValueError(f"{len(written)} vectors of {count}")
        file.write(written.astype("<f4").tobytes())


def open_vectors(path: Path) -> Vectors:
    """
    Open a file of vectors. They are read when they are needed.

    Args:
        path: File of [`write_vectors`], or of an earlier version, without lengths.

    Raises:
        OSError: If the file cannot be read.
        SafetensorError: If it is damaged.
        ValueError: If it has no vectors, or some are zero, NaN or infinite.
    """
    with safe_open(path, framework="numpy"):  # checks that the header fits the file
        pass
    with path.open("rb") as file:
        size = int.from_bytes(file.read(_SIZE), "little")
        header = json.loads(file.read(size))

    def array(name: str) -> np.ndarray:
        described = header[name]
        if described["dtype"] not in _TYPES:
            raise ValueError(f"{name} of type {described['dtype']}; expected float16")
        start = _SIZE + size + described["data_offsets"][0]
        shape = tuple(described["shape"])
        if not np.prod(shape):
            return np.zeros(shape, dtype=_TYPES[described["dtype"]])
        return np.memmap(path, _TYPES[described["dtype"]], "r", start, shape)

    stored = array(_EMBEDDINGS)
    if stored.ndim != 2:
        raise ValueError(f"embeddings of shape {stored.shape}")
    if stored.dtype == np.float64:
        stored = stored.astype(np.float32)
    lengths = np.array(array(_LENGTHS)) if _LENGTHS in header else lengths_of(stored)
    if lengths.shape != stored.shape[:1]:
        raise ValueError(f"lengths of shape {lengths.shape} for embeddings of shape {stored.shape}")
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise ValueError("some embeddings are zero, NaN or infinite")
    return Vectors(stored, lengths)


__all__ = ["open_vectors", "write_vectors"]
