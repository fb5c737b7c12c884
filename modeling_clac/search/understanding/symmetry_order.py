"""Crystal systems that are compared: `lower symmetry than orthorhombic`, `tetragonal or higher symmetry`."""

from __future__ import annotations

import re

from .query import Literal, RangeTerm

# First and last space group of each crystal system, in the order of symmetry.
_GROUPS = {
    "triclinic": (1, 2), "monoclinic": (3, 15), "orthorhombic": (16, 74), "tetragonal": (75, 142),
    "trigonal": (143, 167), "hexagonal": (168, 194), "cubic": (195, 230),
}  # fmt: skip
_NAMES = "|".join(_GROUPS)
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
        first, last = _GROUPS[match["than"].lower()]
        low, high = (last + 1, None) if match["order"].lower() == "higher" else (None, first - 1)
        found.append(_literal(match, low, high))
    for match in _OR_MORE.finditer(text):
        first, last = _GROUPS[match["system"].lower()]
        low, high = (first, None) if match["order"].lower() == "higher" else (None, last)
        found.append(_literal(match, low, high))
    return found


def _literal(match: re.Match[str], low: int | None, high: int | None) -> Literal:
    return Literal(RangeTerm("space_group_number", low, high), False, *match.span())


__all__ = ["find_symmetry_orders"]
