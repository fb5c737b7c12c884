"""Structure types: the table of those that the field talks about, and their names in the literature."""

from __future__ import annotations

from dataclasses import dataclass

from ..formulas_clac import read_formula
from .elements import NONMETALS
from .structure_type_table import TABLE


@dataclass(frozen=True)
class StructureType:
    """
    A structure type.

    Attributes:
        id: Identifier, in lower case with hyphens.
        name: Name in sentences.
        labels: Prototype labels of which a crystal of the type has one; empty if only its surroundings decide.
        implies: Ids of wider types.
    """

    id: str
    name: str
    labels: tuple[str, ...] = ()
    implies: tuple[str, ...] = ()

    @property
    def space_groups(self) -> frozenset[int]:
        """Numbers of the space groups of the labels."""
        return frozenset(int(label.split("_")[2]) for label in self.labels)


def _read_table() -> dict[str, StructureType]:
    types = {}
    for line in TABLE.replace("\\\n", "").splitlines():
        if not line or line.startswith("#"):
            continue
        identifier, name, *rest = (part.strip() for part in line.split("|"))
        labels, implies = (tuple(part.split()) for part in [*rest, "", ""][:2])
        types[identifier] = StructureType(identifier, name, labels, implies)
    return types


STRUCTURE_TYPES: dict[str, StructureType] = _read_table()


@dataclass(frozen=True)
class FormulaType:
    """
    A structure type that stoichiometry and space group determine, for crystals of which no more is known.

    Attributes:
        type: Id of the structure type.
        space_group: Number of the space group.
        stoichiometry: Amounts of the elements in the reduced formula, sorted.
        nonmetals: Whether the crystal contains a nonmetal, since alloys with the same stoichiometry and space group may
            have another type; `None` for both.
        names: Names as in the Inorganic Crystal Structure Database, the most precise first.
    """

    type: str
    space_group: int
    stoichiometry: tuple[float, ...]
    nonmetals: bool | None
    names: tuple[str, ...]


FORMULA_TYPES = (
    FormulaType("zinc-blende", 216, (1, 1), True, ("zinc blende", "sphalerite")),
    FormulaType("wurtzite", 186, (1, 1), True, ("wurtzite",)),
    FormulaType("caesium-chloride", 221, (1, 1), True, ("caesium chloride", "CsCl-type")),
    FormulaType("b2", 221, (1, 1), False, ("CsCl-type", "B2")),
    FormulaType("rock-salt", 225, (1, 1), True, ("rock salt", "rocksalt", "NaCl-type")),
    FormulaType("rutile", 136, (1, 2), True, ("rutile",)),
    FormulaType("pyrite", 205, (1, 2), True, ("pyrite",)),
    FormulaType("fluorite", 225, (1, 2), True, ("fluorite",)),
    FormulaType("laves-hexagonal", 194, (1, 2), False, ("hexagonal Laves phase", "Laves phase")),
    FormulaType("laves-cubic", 227, (1, 2), False, ("cubic Laves phase", "Laves phase")),
    FormulaType("cu3au", 221, (1, 3), False, ("Cu3Au-type", "L1_2")),
    FormulaType("a15", 223, (1, 3), False, ("A15",)),
    FormulaType("half-heusler", 216, (1, 1, 1), None, ("half-Heusler",)),
    FormulaType("full-heusler", 225, (1, 1, 2), None, ("full Heusler", "Heusler")),
    FormulaType("cubic-perovskite", 221, (1, 1, 3), True, ("cubic perovskite", "perovskite")),
    FormulaType("tetragonal-perovskite", 99, (1, 1, 3), True, ("tetragonal perovskite", "perovskite")),
    FormulaType("scheelite", 88, (1, 1, 4), True, ("scheelite",)),
    FormulaType("thcr2si2", 139, (1, 2, 2), None, ("ThCr2Si2-type",)),
    FormulaType("spinel", 227, (1, 2, 4), True, ("spinel",)),
    FormulaType("double-perovskite", 225, (1, 1, 2, 6), True, ("double perovskite", "elpasolite")),
)
_BY_FORMULA = {
    (kind.stoichiometry, kind.space_group, nonmetals): kind.names
    for kind in FORMULA_TYPES
    for nonmetals in ((True, False) if kind.nonmetals is None else (kind.nonmetals,))
}

# Names of phases in papers next to a formula, in lower case, and their space groups.
PHASE_WORDS: dict[str, frozenset[int]] = {
    word: frozenset(groups)
    for words, groups in (
        (("zincblende", "zinc-blende", "zinc blende", "sphalerite"), (216,)),
        (("wurtzite", "wurtzitic"), (186,)),
        (("rocksalt", "rock-salt", "rock salt", "fluorite"), (225,)),
        (("rutile",), (136,)),
        (("pyrite",), (205,)),
        (("half-heusler",), (216,)),
        (("spinel", "pyrochlore"), (227,)),
        (("anatase",), (141,)),
        (("brookite",), (61,)),
        (("corundum", "calcite"), (167,)),
        (("marcasite",), (58,)),
        (("aragonite", "olivine"), (62,)),
        (("quartz",), (152, 154, 180, 181)),
        (("delafossite",), (166, 194)),
        (("lepidocrocite",), (59, 63)),
    )
    for word in words
}


def structure_types(formula: str | None, space_group: float | None) -> tuple[str, ...]:
    """
    Return the names of the structure type of a crystal of which only formula and space group are known.

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
    return _BY_FORMULA.get((stoichiometry, int(space_group), bool(amounts.keys() & NONMETALS)), ())


__all__ = ["FORMULA_TYPES", "PHASE_WORDS", "STRUCTURE_TYPES", "FormulaType", "StructureType", "structure_types"]
