"""Conditions on chemistry, bonds and coordination, of which the rules of structure types are made."""

from __future__ import annotations

from collections.abc import Callable

from ...concepts.elements import (
    ALKALI,
    ALKALINE_EARTH,
    CHALCOGENS,
    RARE_EARTH,
    TRANSITION,
    symbols,
)
from .evidence import Evidence

Rule = Callable[[Evidence], bool]

ELECTROPOSITIVE = ALKALI | ALKALINE_EARTH | RARE_EARTH
EARLY_METALS = RARE_EARTH | symbols("Ca Sr Ba Ti Zr Hf Th U Np Pu")
LATE_METALS = TRANSITION - EARLY_METALS | {"Zr"}
# Metals M and A elements of MAX phases (doi 10.1146/annurev-matsci-062910-100448).
MAX_METALS = symbols("Sc Ti V Cr Mn Y Zr Nb Mo Lu Hf Ta W Fe")
MAX_A = symbols("Al Si P S Ga Ge As Cd In Sn Tl Pb Zn Cu Au Ir Sb Bi Te Se Pd")
TRIGONAL = symbols("C N B")


def anions(amount: int) -> Rule:
    return lambda crystal: crystal.anion_amount(amount)


def not_anions(amount: int) -> Rule:
    return lambda crystal: bool(crystal.of_amount(amount)) and crystal.anions.isdisjoint(crystal.of_amount(amount))


def metallic(crystal: Evidence) -> bool:
    return crystal.is_metallic


def shape(amount: int, shape: str) -> Rule:
    """All atoms of the cations with an amount have polyhedra of a shape."""
    return lambda crystal: crystal.all_shapes(shape, crystal.of_amount(amount) - crystal.anions)


def all_cations(shape: str) -> Rule:
    return lambda crystal: bool(crystal.anions) and crystal.all_shapes(shape)


def every(*rules: Rule) -> Rule:
    return lambda crystal: all(rule(crystal) for rule in rules)


def either(*rules: Rule) -> Rule:
    return lambda crystal: any(rule(crystal) for rule in rules)


def none_of(rule: Rule) -> Rule:
    return lambda crystal: not rule(crystal)


def only_elements(elements: frozenset[str]) -> Rule:
    """Only these elements are present."""
    return lambda crystal: crystal.elements <= elements


def has_any(elements: frozenset[str]) -> Rule:
    """One of the elements is present."""
    return lambda crystal: not crystal.elements.isdisjoint(elements)


def anions_among(elements: frozenset[str]) -> Rule:
    return lambda crystal: bool(crystal.anions) and crystal.anions <= elements


def bonded(amount: int) -> Rule:
    """Atoms of an element with this amount are bonded to their like."""
    return lambda crystal: any(crystal.is_bonded(symbol) for symbol in crystal.of_amount(amount))


def coordinated(amount: int, low: int, high: int) -> Rule:
    """The cations with an amount have so many anions around them."""
    return lambda crystal: all(
        low <= number <= high
        for symbol in crystal.of_amount(amount) - crystal.anions
        for number in crystal.coordination(symbol)
    )


def at_cation(letter: str) -> Rule:
    return lambda crystal: bool(crystal.at(letter)) and crystal.anions.isdisjoint(crystal.at(letter))


def at_anion(letter: str) -> Rule:
    return lambda crystal: bool(crystal.at(letter)) and crystal.at(letter) <= crystal.anions


def is_b2(crystal: Evidence) -> bool:
    return crystal.is_metallic and not crystal.has("C", "P", "B", "As", "Te")


def axis_ratio(crystal: Evidence) -> float:
    """Ratio c/a of a tetragonal crystal with one formula unit AB in the cell."""
    lengths = sorted((crystal.crystal.cell**2).sum(axis=1) ** 0.5)
    if len(crystal.symbols) != 2:
        return float("nan")
    # The two equal edges are a.
    if abs(lengths[0] - lengths[1]) < abs(lengths[1] - lengths[2]):
        return float(lengths[2] / lengths[0])
    return float(lengths[0] / lengths[2])


def is_heusler(crystal: Evidence) -> bool:
    """Metals and the elements of groups 13 to 15 that Heusler compounds contain."""
    return crystal.elements.isdisjoint(symbols("O F Cl Br I S Se H"))


def octahedral_oxide_like(crystal: Evidence) -> bool:
    """Both cations of ABX2 have six anions, those of the smaller one an octahedron."""
    return crystal.anion_amount(2) and any(
        crystal.shapes(symbol) == {"octahedron"} for symbol in crystal.cations
    ) and all(min(crystal.coordination(symbol), default=0) >= 6 for symbol in crystal.cations)  # fmt: skip


def linear_cation(crystal: Evidence) -> bool:
    """One cation of ABX2 has two near anions, as Cu+ in delafossites."""
    return (
        crystal.anion_amount(2)
        and crystal.anions <= CHALCOGENS | {"O"}
        and not crystal.has("H", "C", "N")
        and any(crystal.coordination(symbol) == {2} for symbol in crystal.cations)
    )


def max_phase(crystal: Evidence) -> bool:
    metals = crystal.elements & MAX_METALS
    light = crystal.elements & symbols("C N B")
    others = crystal.elements - metals - light
    if len(light) != 1 or len(others) != 1 or not others <= MAX_A or len(metals) != 1:
        return False
    amounts = (crystal.amounts[min(metals)], crystal.amounts[min(others)], crystal.amounts[min(light)])
    return amounts[1] == 1 and amounts[0] == amounts[2] + 1


def small_cations(crystal: Evidence) -> bool:
    """One cation is in octahedra, and none is as large as those of perovskites."""
    large = ELECTROPOSITIVE - symbols("Li Be Mg Sc") | symbols("Pb Bi Tl Ag N C B")
    return (crystal.elements.isdisjoint(large) and has_octahedra(crystal)) or all_cations("octahedron")(crystal)


def has_octahedra(crystal: Evidence) -> bool:
    """All atoms of one cation are in octahedra."""
    return any(crystal.shapes(symbol) == {"octahedron"} for symbol in crystal.cations)


def has_interstitial(crystal: Evidence) -> bool:
    """Whether a nonmetal of an antiperovskite is surrounded by metal atoms at bonding distance."""
    metals = crystal.of_amount(3)
    centres = symbols("H B C N O F S Se Te P As Cl Br I Si Ge Sb Bi") & crystal.of_amount(1)
    return any(crystal.is_bonded(centre, metal) for centre in centres for metal in metals)


def tetrahedral_centre(crystal: Evidence) -> bool:
    """One element has tetrahedra of anions around all its atoms."""
    return any(crystal.shapes(symbol) == {"tetrahedron"} for symbol in crystal.cations)


def rest(crystal: Evidence) -> list[str]:
    return [symbol for symbol in crystal.cations if crystal.shapes(symbol) != {"tetrahedron"}]


def octahedral_rest(crystal: Evidence) -> bool:
    others = rest(crystal)
    return bool(others) and all(min(crystal.coordination(symbol), default=0) >= 6 for symbol in others)


def large_rest(crystal: Evidence) -> bool:
    """The other cations have at least seven anions around them."""
    others = rest(crystal)
    return bool(others) and all(min(crystal.coordination(symbol), default=0) >= 7 for symbol in others)


def planar_centre(crystal: Evidence) -> bool:
    """Carbon, nitrogen or boron with three oxygen atoms."""
    return crystal.has("O") and any(crystal.coordination(symbol) == {3} for symbol in crystal.cations & TRIGONAL)


__all__ = [
    "EARLY_METALS",
    "ELECTROPOSITIVE",
    "LATE_METALS",
    "Rule",
    "all_cations",
    "anions",
    "anions_among",
    "at_anion",
    "at_cation",
    "axis_ratio",
    "bonded",
    "coordinated",
    "either",
    "every",
    "has_any",
    "has_interstitial",
    "has_octahedra",
    "is_b2",
    "is_heusler",
    "large_rest",
    "linear_cation",
    "max_phase",
    "metallic",
    "none_of",
    "not_anions",
    "octahedral_oxide_like",
    "octahedral_rest",
    "only_elements",
    "planar_centre",
    "shape",
    "small_cations",
    "tetrahedral_centre",
]
