"""Structure types: the table of those that the field talks about, and their names in the literature."""

from __future__ import annotations

from dataclasses import dataclass

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


__all__ = ["PHASE_WORDS", "STRUCTURE_TYPES", "StructureType"]
