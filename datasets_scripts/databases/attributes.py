"""Read numbers from the nested responses of databases."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def number_at(attributes: Mapping[str, Any], path: str) -> float | None:
    """
    Return a number from nested mappings, or `None` if there is no finite number at the path.

    Args:
        attributes: Nested mappings.
        path: Keys joined by dots, such as `bulk_modulus.vrh`.
    """
    value: Any = attributes
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if is_number else None


__all__ = ["number_at"]
