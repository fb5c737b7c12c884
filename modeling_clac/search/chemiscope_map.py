"""A map of crystals in chemiscope: each a point and a structure, with its properties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gemmi
import numpy as np
import pyarrow as pa

from ..errors_clac import ClacInputError

if TYPE_CHECKING:
    from ..crystal_clac import Crystal

_NAMES = ("formula", "material_id", "space_group_symbol", "crystal_system")


def chemiscope_widget(crystals: Sequence[Crystal], table: pa.Table, embeds: np.ndarray) -> Any:
    """
    Show crystals on a map of their embeddings, next to their structures.

    Args:
        crystals: The structures.
        table: Their properties, see [`Hits.to_arrow`]. Properties that are unknown for one of the crystals are left
            out, since chemiscope shows numbers only.
        embeds: Their embeddings `(num_crystals, dim)`.

    Returns:
        A widget of chemiscope. The axes of the map are the first two principal components of the embeddings.

    Raises:
        ClacInputError: If there are fewer than three crystals, or chemiscope is not installed.
    """
    try:
        import chemiscope
    except ImportError:
        raise ClacInputError("the map needs chemiscope; pip install 'clac-crystals[notebook]'") from None
    if len(crystals) < 3:
        raise ClacInputError(f"{len(crystals)} crystals are too few for a map; search with a larger k, at least 3")
    left, sizes, _ = np.linalg.svd(embeds - embeds.mean(axis=0), full_matrices=False)
    properties: dict[str, Any] = {"map 1": left[:, 0] * sizes[0], "map 2": left[:, 1] * sizes[1]}
    for name in table.column_names:
        column = table[name]
        if name in _NAMES:
            properties[name] = [str(value) for value in column.to_pylist()]
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            values = np.array(column.to_pylist(), dtype=float)
            if np.isfinite(values).all():
                properties[name] = values
    return chemiscope.show(
        structures=[_structure(crystal) for crystal in crystals],
        properties={name: {"target": "structure", "values": values} for name, values in properties.items()},
        metadata={"name": f"{len(crystals)} crystals"},
        settings=chemiscope.quick_settings(x="map 1", y="map 2", map_color="score", periodic=True),
    )


def _structure(crystal: Crystal) -> dict[str, Any]:
    x, y, z = crystal.positions.T.tolist()
    names = [gemmi.Element(number).name for number in crystal.atomic_numbers.tolist()]
    return {"size": len(crystal), "names": names, "x": x, "y": y, "z": z, "cell": crystal.cell.ravel().tolist()}


__all__ = ["chemiscope_widget"]
