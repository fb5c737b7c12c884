"""A map of the crystals of an index: coordinates that were computed before, and values for its colours."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..concepts.symmetry import CRYSTAL_SYSTEMS
from ..data.properties import PROPERTIES
from ..errors_clac import ClacInputError, first_line
from ..search.index_files import MAP

if TYPE_CHECKING:
    from ..search.index import CrystalIndex

_FINGERPRINT = "model_fingerprint"
_COLUMNS = ("band_gap", "density", "formation_energy_per_atom", "energy_above_hull", "bulk_modulus_vrh")
_GRID = 10_000
_DIGITS = 4


def write_map(directory: Path, points: np.ndarray, fingerprint: str) -> None:
    """
    Store the coordinates of the crystals with an index.

    Args:
        directory: Directory of the index.
        points: `(num_crystals, 2)`.
        fingerprint: Fingerprint of the checkpoint whose embeddings were reduced.
    """
    from safetensors.numpy import save

    from ..utils.atomic_files import replaced_file

    with replaced_file(directory / MAP) as new:
        new.write_bytes(save({"points": np.ascontiguousarray(points, np.float32)}, {_FINGERPRINT: fingerprint}))


def read_map(directory: Path, index: CrystalIndex) -> np.ndarray | None:
    """
    Read the coordinates that are stored with an index.

    Args:
        directory: Directory of the index.
        index: The index.

    Returns:
        `(num_crystals, 2)`, or `None` if there are none, or those of other embeddings.

    Raises:
        ClacInputError: If the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    file = directory / MAP
    if not file.is_file():
        return None
    try:
        with safe_open(file, framework="numpy") as stored:
            if (stored.metadata() or {}).get(_FINGERPRINT) != index.model_fingerprint:
                return None
            points = stored.get_tensor("points")
    except (OSError, SafetensorError) as error:
        raise ClacInputError(f"{file}: damaged ({first_line(error)}); run `python -m evaluation.index_map`") from None
    return points if points.shape == (len(index), 2) and np.isfinite(points).all() else None


def principal_plane(embeds: np.ndarray) -> np.ndarray:
    """
    Project embeddings onto their two principal components.

    Args:
        embeds: `(n, dim)`.

    Returns:
        `(n, 2)`.
    """
    centred = embeds - embeds.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ axes[:, ::-1][:, :2])


def map_payload(index: CrystalIndex, directory: Path | None) -> dict[str, Any]:
    """
    Return what the map of an index shows.

    Args:
        index: The crystals.
        directory: Directory of the index, which may hold coordinates. Default: two principal components.

    Returns:
        `method`; `x` and `y`, whole numbers up to 10,000; `names` (formula and id); `values` by property, with
        `label`, `unit`, `low` and `high`, the ends of the scale; and `systems`, number of the crystal system or -1,
        with their names in `system_names`.
    """
    points = None if directory is None else read_map(directory, index)
    method = "UMAP of the embeddings" if points is not None else "two principal components of the embeddings"
    if points is None:
        points = principal_plane(index.embeds)
    low, high = points.min(axis=0), points.max(axis=0)
    scaled = np.round((points - low) / np.maximum(high - low, 1e-9).max() * _GRID).astype(int)
    records = index.table.select([name for name in ("formula", "material_id") if name in index.columns]).to_pylist()
    names = [" ".join(str(value) for value in record.values() if value) for record in records]
    values = {}
    for column in _COLUMNS:
        if column in index.columns and (own := _scale(index, column)) is not None:
            values[column] = own
    systems = []
    if "crystal_system" in index.columns:
        numbers = {name: number for number, name in enumerate(CRYSTAL_SYSTEMS)}
        systems = [numbers.get(name, -1) for name in index.table["crystal_system"].to_pylist()]
    return {
        "method": method,
        "x": scaled[:, 0].tolist(),
        "y": scaled[:, 1].tolist(),
        "names": names,
        "values": values,
        "systems": systems,
        "system_names": list(CRYSTAL_SYSTEMS),
    }


def _scale(index: CrystalIndex, column: str) -> dict[str, Any] | None:
    numbers = np.asarray(index.table[column].to_numpy(zero_copy_only=False), dtype=np.float64)
    known = numbers[np.isfinite(numbers)]
    if len(known) < 2 or known.min() == known.max():
        return None
    row = PROPERTIES[column]
    low, high = np.quantile(known, [0.02, 0.98])
    shown = [None if not np.isfinite(number) else float(f"{number:.{_DIGITS}g}") for number in numbers.tolist()]
    return {"label": row.label, "unit": row.unit, "low": float(low), "high": float(high), "numbers": shown}


def similarity_bytes(cosines: np.ndarray) -> str:
    """
    Write cosines as one byte each, from the lowest (0) to the highest (255), in base64.

    Args:
        cosines: `(num_crystals,)`.
    """
    low, high = float(cosines.min()), float(cosines.max())
    levels = np.round((cosines - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode("ascii")


__all__ = ["map_payload", "principal_plane", "read_map", "similarity_bytes", "write_map"]
