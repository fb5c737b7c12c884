"""
A page that searches crystals in the browser, as a folder that any web server can serve, without Python behind it.

It holds the text tower with rounded weights, ONNX Runtime Web, the reading of texts in JavaScript, and the vectors and
properties of the crystals of an index.
"""

from __future__ import annotations

import gzip
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from ..data.properties import PROPERTIES
from ..data.sources import source_link
from ..errors_clac import ClacInputError
from ..inference.checkpoints import Checkpoint
from ..search.index import CrystalIndex
from ..utils.atomic_files import replaced_directory
from ..utils.paths import ASSETS
from .static_model import quantized_tower, two_bytes
from .static_tables import reading_tables

FILES = ASSETS / "static-site"
MANIFEST = "site.json"
# Steps of the rounding of a vector in the mean size of its components; cosines change by less than 0.0005.
_STEPS = 200


def write_site(directory: Path, checkpoint: Checkpoint, index: CrystalIndex) -> int:
    """
    Write the page.

    Args:
        directory: The folder to write: new, empty, or an earlier page.
        checkpoint: The checkpoint of the index, with an ONNX graph.
        index: The crystals.

    Returns:
        Size of the folder in bytes.

    Raises:
        ClacInputError: If the folder holds anything else, the checkpoint has no ONNX graph or another tokenizer than
            that of an uncased BERT, the index belongs to another checkpoint, or `onnx` is not installed.
    """
    _check_target(directory)
    index.require_model(checkpoint.fingerprint)
    tokenizer, settings = (checkpoint.file(name) for name in ("tokenizer.json", "tokenizer_config.json"))
    if tokenizer is None or settings is None:
        raise ClacInputError(f"{checkpoint}: no tokenizer.json; save or download the checkpoint again")
    limit = json.loads(settings.read_text(encoding="utf-8"))["model_max_length"]
    site = {
        "model": checkpoint.name,
        "fingerprint": checkpoint.fingerprint,
        "crystals": len(index),
        "dimension": index.vectors.dim,
        "step": _step(index.vectors.dim),
        "tokens": min(int(limit), int(checkpoint.config["text_config"]["max_position_embeddings"])),
        "source": f"{len(index):,} crystals, embedded with {checkpoint.name} ({checkpoint.fingerprint}).",
    }
    packed = {
        "tower.bin": quantized_tower(checkpoint),
        "reading.bin": _json(reading_tables(tokenizer)),
        "crystals.bin": _json(_crystals(index)),
        "vectors.bin": _vectors(index.embeds),
    }
    with replaced_directory(directory) as new:
        for file in FILES.iterdir():
            shutil.copyfile(file, new / file.name)
        for name, content in packed.items():
            # The same content gives the same bytes.
            (new / name).write_bytes(gzip.compress(content, 6, mtime=0))
        (new / MANIFEST).write_bytes(_json(site))
    return sum(file.stat().st_size for file in directory.iterdir())


def _check_target(directory: Path) -> None:
    if not directory.resolve().parent.is_dir():
        raise ClacInputError(f"{directory}: its parent directory does not exist; create it first")
    if directory.exists() and not directory.is_dir():
        raise ClacInputError(f"{directory}: exists and is not a folder; choose another name")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / MANIFEST).is_file():
        raise ClacInputError(f"{directory}: holds other files; choose a new or empty folder")


def _step(dimension: int) -> float:
    return float(1 / (_STEPS * math.sqrt(dimension)))


def _vectors(embeds: np.ndarray) -> bytes:
    """The vectors in steps: the low bytes of all, then their high bytes, which compress well."""
    low, high = two_bytes(np.rint(embeds / _step(embeds.shape[1])).astype(np.int32))
    return low.tobytes() + high.tobytes()


def _crystals(index: CrystalIndex) -> dict[str, Any]:
    records = [index.record(row) for row in range(len(index))]
    columns = []
    for row in PROPERTIES.values():
        values = [_number(record.get(row.column), row.decimals) for record in records]
        if row.header and any(value is not None for value in values):
            columns.append({"header": row.header, "unit": row.unit, "decimals": row.decimals, "values": values})
    return {
        "id": [str(record.get("material_id") or place) for place, record in enumerate(records)],
        "formula": [str(record.get("formula") or "") for record in records],
        "group": [record.get("space_group_symbol") for record in records],
        "link": [source_link(record) for record in records],
        "columns": columns,
    }


def _number(value: Any, decimals: int) -> float | None:
    return round(float(value), decimals) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


__all__ = ["FILES", "MANIFEST", "write_site"]
