"""Structure types, identified by stoichiometry and space group, and their names in the literature."""

from __future__ import annotations

from dataclasses import dataclass

from ..formulas_clac import read_formula
from .elements import NONMETALS


@dataclass(frozen=True)
class StructureType:
    """
    A structure type.

    Attributes:
        space_groups: Numbers of the possible space groups.
        names: Names of the type as in the Inorganic Crystal Structure Database, the most precise first; empty if
            stoichiometry and space group do not determine the type.
        stoichiometry: Amounts of the elements in the reduced formula, sorted.
        nonmetals: Whether the crystal contains a nonmetal, since alloys with the same stoichiometry and space group may
            have another type; None for both.
        words: Names of a phase of this type in papers, in lower case.
    """

    space_groups: tuple[int, ...]
    names: tuple[str, ...] = ()
    stoichiometry: tuple[float, ...] = ()
    nonmetals: bool | None = True
    words: tuple[str, ...] = ()


STRUCTURE_TYPES = (
    StructureType(
        (216,),
        ("zinc blende", "sphalerite"),
        (1, 1),
        words=("zincblende", "zinc-blende", "zinc blende", "sphalerite"),
    ),
    StructureType((186,), ("wurtzite",), (1, 1), words=("wurtzite", "wurtzitic")),
    StructureType((221,), ("caesium chloride", "CsCl-type"), (1, 1)),
    StructureType((221,), ("CsCl-type", "B2"), (1, 1), nonmetals=False),
    StructureType(
        (225,),
        ("rock salt", "rocksalt", "NaCl-type"),
        (1, 1),
        words=("rocksalt", "rock-salt", "rock salt"),
    ),
    StructureType((136,), ("rutile",), (1, 2), words=("rutile",)),
    StructureType((205,), ("pyrite",), (1, 2), words=("pyrite",)),
    StructureType((225,), ("fluorite",), (1, 2), words=("fluorite",)),
    StructureType((194,), ("hexagonal Laves phase", "Laves phase"), (1, 2), nonmetals=False),
    StructureType((227,), ("cubic Laves phase", "Laves phase"), (1, 2), nonmetals=False),
    StructureType((221,), ("Cu3Au-type", "L1_2"), (1, 3), nonmetals=False),
    StructureType((223,), ("A15",), (1, 3), nonmetals=False),
    StructureType((216,), ("half-Heusler",), (1, 1, 1), nonmetals=None, words=("half-heusler",)),
    StructureType((225,), ("full Heusler", "Heusler"), (1, 1, 2), nonmetals=None),
    StructureType((221,), ("cubic perovskite", "perovskite"), (1, 1, 3)),
    StructureType((99,), ("tetragonal perovskite", "perovskite"), (1, 1, 3)),
    StructureType((88,), ("scheelite",), (1, 1, 4)),
    StructureType((139,), ("ThCr2Si2-type",), (1, 2, 2), nonmetals=None),
    StructureType((227,), ("spinel",), (1, 2, 4), words=("spinel",)),
    StructureType((225,), ("double perovskite", "elpasolite"), (1, 1, 2, 6)),
    # Only used to identify phases in papers, next to a formula.
    StructureType((141,), words=("anatase",)),
    StructureType((61,), words=("brookite",)),
    StructureType((167,), words=("corundum",)),
    StructureType((227,), words=("pyrochlore",)),
    StructureType((58,), words=("marcasite",)),
    StructureType((167,), words=("calcite",)),
    StructureType((62,), words=("aragonite",)),
    StructureType((152, 154, 180, 181), words=("quartz",)),
    StructureType((166, 194), words=("delafossite",)),
    StructureType((62,), words=("olivine",)),
    StructureType((59, 63), words=("lepidocrocite",)),
)
_BY_FACTS = {
    (kind.stoichiometry, group, nonmetals): kind.names
    for kind in STRUCTURE_TYPES
    if kind.names
    for group in kind.space_groups
    for nonmetals in ((True, False) if kind.nonmetals is None else (kind.nonmetals,))
}


def structure_types(formula: str | None, space_group: float | None) -> tuple[str, ...]:
    """
    Return the names of the structure type of a crystal.

    Args:
        formula: Reduced formula, or None if unknown.
        space_group: Number of the space group, or None if unknown.

    Returns:
        The names, the most precise first; empty if formula and space group do not determine a common type.
    """
    if formula is None or space_group is None:
        return ()
    amounts = read_formula(formula)
    stoichiometry = tuple(sorted(amounts.values()))
    return _BY_FACTS.get((stoichiometry, int(space_group), bool(amounts.keys() & NONMETALS)), ())


__all__ = ["STRUCTURE_TYPES", "StructureType", "structure_types"]
