"""Crystal systems that are compared: `lower symmetry than orthorhombic`, `tetragonal or higher symmetry`."""

from __future__ import annotations

import re

from ...concepts.symmetry import CRYSTAL_SYSTEMS
from .query import Literal, RangeTerm

# Their space groups are numbered in the order of symmetry.
_NAMES = "|".join(CRYSTAL_SYSTEMS)
_COMPARED = (
    re.compile(rf"\b(?P<order>higher|lower)\s+symmetry\s+than\s+(?P<than>{_NAMES})\b", re.I),
    re.compile(rf"\b(?P<order>higher|lower)\s+than\s+(?P<than>{_NAMES})\s+symmetry\b", re.I),
    re.compile(rf"\bsymmetry\s+(?:is\s+)?(?P<order>higher|lower)\s+than\s+(?P<than>{_NAMES})\b", re.I),
)
_OR_MORE = re.compile(rf"\b(?P<system>{_NAMES})\s+or\s+(?P<order>higher|lower)\s+symmetry\b", re.I)


def find_symmetry_orders(text: str) -> list[Literal]:
    """
    Find comparisons of crystal systems, as ranges of the number of the space group.

    Args:
        text: The plain text.
    """
    found = []
    for match in (match for pattern in _COMPARED for match in pattern.finditer(text)):
        groups = CRYSTAL_SYSTEMS[match["than"].lower()]
        low, high = (max(groups) + 1, None) if match["order"].lower() == "higher" else (None, min(groups) - 1)
        found.append(_literal(match, low, high))
    for match in _OR_MORE.finditer(text):
        groups = CRYSTAL_SYSTEMS[match["system"].lower()]
        low, high = (min(groups), None) if match["order"].lower() == "higher" else (None, max(groups))
        found.append(_literal(match, low, high))
    return found


def _literal(match: re.Match[str], low: int | None, high: int | None) -> Literal:
    return Literal(RangeTerm("space_group_number", low, high), False, *match.span())


__all__ = ["find_symmetry_orders"]
