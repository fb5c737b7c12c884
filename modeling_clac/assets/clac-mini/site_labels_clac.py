"""
Site labels and polyhedra in descriptions of crystal structures.

In "LiFePO4 crystallizes in the space group Pnma. Li(1) is bonded to six O(2) atoms to form LiO6 octahedra that share
corners with PO4 tetrahedra", only the first formula is the composition of the crystal. This module tells the formulas
of compounds from those of sites, groups and polyhedra.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from .formula_grammar_clac import SYMBOL

# The number of a site after the symbol of its element: Li(1), O(2a), Cd(1)P4. Planes such as Si(111) have three digits.
_LABEL = re.compile(rf"(?<![a-z])(?P<symbol>{SYMBOL})(?P<label>\(\d{{1,2}}[a-z]?\))")
# The rest of a bond next to a symbol: Ti-O, Nb(1)-Nb(1).
_BOND_AFTER, _BOND_BEFORE = re.compile(rf"\)?[-–]{SYMBOL}(?![a-z])"), re.compile(rf"{SYMBOL}(?:\(\d+\))?[-–]$")
_SHAPE = (
    r"(?:\w*hedr(?:a|on|al)|\w*pyramid(?:s|al)?|(?:anti)?prism(?:s|atic)?|triangles?|squares?|dumbbells?"
    r"|(?:trigonal|square)[ -]planar|see-saw|polyanions?)"
)
_ADJECTIVES = (
    r"(?:(?:distorted|regular|irregular|isolated|corner|edge|face|sharing|shared|linked|trigonal|square|tetragonal"
    r"|pentagonal|hexagonal|augmented|capped|bicapped|tricapped|and|,)[\s,-]++)*"
)
_POLYHEDRON = re.compile(rf"[\s-]+{_ADJECTIVES}{_SHAPE}\b", re.IGNORECASE)
# Words that make the element or group before them a part of a crystal.
_PART = re.compile(r"[\s-]+(?:sites?|atoms?|cations?|anions?|ions|groups?|units?|molecules?|vacanc(?:y|ies)|bonds?)\b")
# "CdTe is NaCl structured": the structure type is that of another compound.
_TYPE = re.compile(r"[\s-]+(?:(?:like|derived|type)\s+)?(?:structured|structure[ -]type|prototype)\b")


def site_labels(text: str) -> list[tuple[int, int]]:
    """
    Find the numbers of sites, such as `(2)` in `O(2)`.

    Args:
        text: The text.

    Returns:
        (index of the opening bracket, index after the closing one) of each, in the order of the text.
    """
    return [match.span("label") for match in _LABEL.finditer(text)]


def formulas_of_crystals(text: str, formulas: Sequence[tuple[int, int, frozenset[str]]]) -> list[bool]:
    """
    Decide which formulas of a text are compositions of crystals.

    Site labels, groups, bonds, polyhedra and structure types are not, if the text also has the formula of a compound.
    If there are site labels or polyhedra, a composition contains all their elements: in "Sb is alpha As structured"
    with sites Sb(1), only antimony counts.

    Args:
        text: The text.
        formulas: (index of the first character, index after the last one, element symbols) of each formula.

    Returns:
        For each formula, whether it is a composition. All are if the text has no formula of a compound.
    """
    labels = [match.span() for match in _LABEL.finditer(text)]
    elements = {match["symbol"] for match in _LABEL.finditer(text)}
    ends = [last for _, last in labels]
    compounds = []
    for start, end, symbols in formulas:
        place = bisect_right(ends, start)
        is_site = place < len(labels) and labels[place][0] < end
        is_site |= _POLYHEDRON.match(text, end) is not None
        is_part = len(text) > end and bool(
            _PART.match(text, end) or _TYPE.match(text, end) or (len(symbols) == 1 and _is_bond(text, start, end))
        )
        if is_site:
            elements |= symbols
        compounds.append(not is_site and not is_part)
    if not any(compounds):
        return [True] * len(formulas)
    whole = [compound and elements <= symbols for compound, (_, _, symbols) in zip(compounds, formulas, strict=True)]
    return whole if any(whole) else compounds


def _is_bond(text: str, start: int, end: int) -> bool:
    return bool(_BOND_AFTER.match(text, end) or _BOND_BEFORE.search(text, max(0, start - 8), start))


__all__ = ["formulas_of_crystals", "site_labels"]
