"""Numbers in the nested answers of databases."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def number_at(attributes: Mapping[str, Any], path: str) -> float | None:
    """
    A number in nested mappings, None where there is no finite one.

    Args:
        path: the keys, joined by dots, such as `bulk_modulus.vrh`.
    """
    value: Any = attributes
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


__all__ = ["number_at"]
