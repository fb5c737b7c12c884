"""
Short search phrases as users type them: "wide-gap cubic oxide", "hard ceramic coating", "light borides".

A query names a few traits of a record. Like a narrative it only states facts of the record, but it does not identify a
single crystal. The thresholds are common in the field and never printed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..concepts.elements import (
    ALKALI,
    ALKALINE_EARTH,
    CHALCOGENS,
    ELEMENT_NAMES,
    HALOGENS,
    NONMETALS,
    PNICTOGENS,
    RARE_EARTH,
    TRANSITION,
)
from ..concepts.structure_types import FORMULA_TYPES, structure_types
from ..concepts.symmetry import CENTROSYMMETRIC, CRYSTAL_SYSTEMS, POLAR
from .narratives import Draw, seed_text
from .phrases import ARITY, COUNT_WORDS, with_article
from .record import FAMILIES, Known, read_record

__all__ = [
    "CONDITIONS",
    "TRAITS",
    "Query",
    "Trait",
    "failing",
    "in_system",
    "narrate_query",
    "prototype_of",
    "undecided",
]

_MODULI = ("bulk_modulus_vrh", "shear_modulus_vrh")


def prototype_of(known: Known) -> tuple[str, ...]:
    """Return the names of the structure type; empty unless formula and space group determine a common one."""
    return structure_types(known.composition.formula, known.numbers.get("space_group_number"))


@dataclass(frozen=True)
class Trait:
    """
    A trait that a query can name.

    Attributes:
        group: A query names at most one trait of each group.
        holds: Tests whether a record has the trait.
        before: Wordings in front of the noun; may be empty if `after` is not.
        after: Wordings after the noun; may be empty if `before` is not.
        needs: Columns that must be known to decide whether a record has the trait.
    """

    group: str
    holds: Callable[[Known], bool]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def unknown(self, known: Known) -> bool:
        """Return whether the record lacks a column that decides about the trait."""
        return not all(column in known.numbers for column in self.needs)


def _range(
    group: str, column: str, low: float, high: float, before: tuple[str, ...], after: tuple[str, ...] = ()
) -> Trait:
    """Build a trait that holds if the value of `column` is between `low` and `high`."""
    return Trait(group, lambda known: low <= known.numbers.get(column, math.nan) <= high, before, after, (column,))


def _above(group: str, column: str, low: float, before: tuple[str, ...], after: tuple[str, ...] = ()) -> Trait:
    return _range(group, column, low, math.inf, before, after)


def _below(group: str, column: str, high: float, before: tuple[str, ...], after: tuple[str, ...] = ()) -> Trait:
    return _range(group, column, -math.inf, high, before, after)


def _has(symbols: frozenset[str]) -> Callable[[Known], bool]:
    return lambda known: bool(known.composition.elements & symbols)


def _lacks(symbols: frozenset[str]) -> Callable[[Known], bool]:
    return lambda known: bool(known.composition.elements) and not known.composition.elements & symbols


def _in_groups(groups: frozenset[int]) -> Callable[[Known], bool]:
    return lambda known: known.numbers.get("space_group_number") in groups


def _in_system(system: str) -> Callable[[Known], bool]:
    return lambda known: known.crystal_system == system


def _of_elements(count: int) -> Callable[[Known], bool]:
    return lambda known: len(known.composition.symbols) == count


def _pugh(known: Known) -> float | None:
    """
    Return the ratio of bulk to shear modulus, or None if unknown.

    Metals above 1.75 tend to be ductile (Pugh 1954, doi 10.1080/14786440808520496).
    """
    bulk, shear = known.numbers.get("bulk_modulus_vrh"), known.numbers.get("shear_modulus_vrh")
    return bulk / shear if bulk is not None and shear is not None and bulk > 0 and shear > 0 else None


TRAITS: tuple[Trait, ...] = (
    *(
        Trait("system", _in_system(system), (system,), (f"with {system} symmetry",))
        for system in reversed(CRYSTAL_SYSTEMS)
    ),
    Trait("inversion", _in_groups(POLAR), ("polar", "non-centrosymmetric"), ("without inversion symmetry",)),
    Trait("inversion", _in_groups(CENTROSYMMETRIC), ("centrosymmetric",), ("with inversion symmetry",)),
    *(
        Trait("arity", _of_elements(count), (ARITY[count],), (f"of {COUNT_WORDS[count]} elements",))
        for count in (2, 3, 4)
    ),
    # -------------------- numbers
    _above(
        "gap",
        "band_gap",
        3.0,
        ("wide-gap", "wide gap", "wide band gap", "large-gap", "transparent"),
        ("with a wide gap", "with a large band gap", "transparent to visible light"),
    ),
    _below("gap", "band_gap", 1.0, ("narrow-gap", "small-gap", "narrow gap"), ("with a narrow band gap",)),
    _range("gap", "band_gap", 1.0, 2.5, ("semiconducting",), ("with a medium gap",)),
    _above("gap", "band_gap", 5.0, ("insulating", "ultrawide-gap"), ("with an ultrawide gap",)),
    _above(
        "index",
        "refractive_index",
        2.4,
        ("high-index", "high refractive index"),
        ("with a high refractive index", "that bends light strongly"),
    ),
    _below("index", "refractive_index", 1.7, ("low-index",), ("with a low refractive index",)),
    _above(
        "permittivity",
        "dielectric_total",
        20.0,
        ("high-k", "high permittivity"),
        ("with a high dielectric constant", "with a large permittivity"),
    ),
    _below("permittivity", "dielectric_total", 7.0, ("low-k",), ("with a low dielectric constant",)),
    _above(
        "stiffness",
        "bulk_modulus_vrh",
        200.0,
        ("stiff", "incompressible", "very stiff"),
        ("with a high bulk modulus", "that hardly compresses"),
    ),
    _above("stiffness", "shear_modulus_vrh", 120.0, ("hard",), ("with a high shear modulus",)),
    _below("stiffness", "bulk_modulus_vrh", 50.0, ("soft", "compressible"), ("with a low bulk modulus",)),
    Trait("ductility", lambda k: (_pugh(k) or 0.0) > 1.75, ("ductile",), ("that is ductile",), _MODULI),
    Trait("ductility", lambda k: 0.0 < (_pugh(k) or 0.0) < 1.4, ("brittle",), ("that is brittle",), _MODULI),
    _below("isotropy", "elastic_anisotropy", 0.1, ("elastically isotropic",)),
    _above("isotropy", "elastic_anisotropy", 1.0, ("elastically anisotropic",)),
    _above(
        "density",
        "density",
        8.0,
        ("dense", "heavy", "high-density"),
        ("with a high density", "of high density"),
    ),
    _below(
        "density",
        "density",
        3.0,
        ("light", "lightweight", "low-density"),
        ("with a low density", "of low density"),
    ),
    _above(
        "piezoelectricity",
        "piezoelectric_modulus",
        0.5,
        ("piezoelectric", "strongly piezoelectric"),
        ("with a strong piezoelectric response", "with a large piezoelectric modulus"),
    ),
    _below("stability", "energy_above_hull", 1e-6, ("stable", "thermodynamically stable"), ("on the hull",)),
    _range("stability", "energy_above_hull", 0.05, 0.2, ("metastable",)),
    _above("stability", "energy_above_hull", 0.2, ("unstable",), ("far above the hull",)),
    # -------------------- elements
    Trait("metal", _has(RARE_EARTH), ("rare-earth", "rare earth"), ("with a rare earth",)),
    Trait("metal", _has(ALKALI), ("alkali metal", "alkali"), ("with an alkali metal",)),
    Trait("metal", _has(ALKALINE_EARTH), ("alkaline-earth",), ("with an alkaline earth",)),
    Trait("metal", _has(TRANSITION), ("transition-metal", "transition metal"), ("with a transition metal",)),
    Trait("absence", _lacks(frozenset({"Pb"})), ("lead-free",), ("without lead",)),
    Trait("absence", _lacks(frozenset({"Co"})), ("cobalt-free",), ("without cobalt",)),
    Trait("absence", _lacks(RARE_EARTH), ("rare-earth-free",), ("without rare earths",)),
)
# These do not describe the kind of material, so a query should not consist of them alone.
_SIDE_GROUPS = frozenset({"absence", "arity", "inversion"})

_GENERIC_NOUNS = ("material", "compound", "crystal", "solid", "materials", "compounds")
_OPENINGS = ("", "", "", "", "{a}", "find {a}", "looking for {a}")


def _nouns(known: Known) -> list[str]:
    """Return the class nouns of a composition, such as its family, chalcogenide, halide, alloy or ceramic."""
    elements = known.composition.elements
    if not elements:
        return []
    phrases = known.composition.phrases
    nouns = [phrases["fam"], phrases["fam"] + "s"]
    nonmetals = elements & NONMETALS
    if "O" not in elements and len(elements) > 1:
        if nonmetals and nonmetals <= CHALCOGENS:
            nouns += ["chalcogenide", "chalcogenides"]
        if nonmetals and nonmetals <= HALOGENS:
            nouns += ["halide", "halides"]
        if elements & PNICTOGENS and nonmetals <= PNICTOGENS:
            nouns += ["pnictide", "pnictides"]
        if not nonmetals:
            nouns += ["alloy", "metallic compound", "intermetallic compound"]
    if nonmetals and nonmetals <= {"O", "N", "C", "B"} and len(elements) > len(nonmetals):
        nouns += ["ceramic", "ceramics"]
    return nouns


@dataclass(frozen=True)
class Query:
    """
    A text and the conditions that it expresses. A text without conditions and formula describes one crystal.

    Attributes:
        text: The phrase.
        conditions: Names in `CONDITIONS`; a crystal matches the query if all of them hold.
        formula: The required formula, if the query names one.
    """

    text: str
    conditions: frozenset[str] = frozenset()
    formula: str | None = None


_CLASSES = (
    *FAMILIES,
    *("chalcogenide", "halide", "pnictide", "alloy", "metallic compound", "intermetallic compound", "ceramic"),
)
# All conditions that a query may express.
CONDITIONS: tuple[str, ...] = (
    *(f"trait {place}" for place in range(len(TRAITS))),
    *(f"element {symbol}" for symbol in ELEMENT_NAMES),
    *(f"class {name}" for name in _CLASSES),
    *(f"prototype {name}" for name in sorted({name for kind in FORMULA_TYPES for name in kind.names})),
)


def failing(record: Mapping[str, Any]) -> frozenset[str]:
    """
    Return the `CONDITIONS` that do not hold for a record.

    Undecided conditions are not included: a crystal without a computed band gap may have a wide one.
    """
    known = read_record(record)
    elements = known.composition.elements
    possible = {f"trait {place}" for place, trait in enumerate(TRAITS) if trait.unknown(known) or trait.holds(known)}
    possible |= {f"element {symbol}" for symbol in elements}
    possible |= {f"class {noun.removesuffix('s')}" for noun in _nouns(known)}
    possible |= {f"prototype {name}" for name in prototype_of(known)}
    return frozenset(CONDITIONS) - possible


def undecided(record: Mapping[str, Any]) -> frozenset[str]:
    """Return the `CONDITIONS` that cannot be decided for a record, because it lacks a column that they need."""
    known = read_record(record)
    return frozenset(f"trait {place}" for place, trait in enumerate(TRAITS) if trait.unknown(known))


def in_system(system: str) -> str:
    """Return the name of the condition that a crystal belongs to `system`."""
    return f"trait {next(place for place, trait in enumerate(TRAITS) if trait.before == (system,))}"


def narrate_query(record: Mapping[str, Any], seed: int | str | tuple = 0) -> Query:
    """
    Write a short query that a crystal matches.

    A query names one to three traits of the crystal, its class or structure type, or an element. The text depends only
    on the record and `seed`.

    Args:
        record: Values by column, see `modeling_clac.narrator.narratives.narrate`.
        seed: Seed of the random choices.

    Raises:
        ValueError: If the record has no traits, or a numeric column has a value that is not a number.
    """
    known = read_record(record)
    identity = record.get("material_id") or known.composition.formula
    draw = Draw(f"query {seed_text(seed)}|{identity}")
    elements = known.composition.elements
    class_nouns, prototypes = _nouns(known), prototype_of(known)
    traits = [place for place, trait in enumerate(TRAITS) if trait.holds(known)]
    if not (traits or class_nouns):
        raise ValueError("the record has no traits for a query")
    conditions = set()
    noun = draw.pick(_GENERIC_NOUNS)
    if prototypes and draw.random() < 0.3:
        name, family = draw.pick(prototypes), draw.pick(tuple(class_nouns) or ("compound",))
        noun = draw.pick((name, f"{name} structure", f"{name} {family}"))
        conditions |= {f"prototype {name}"} | (_of_noun(family, known) if family in noun else set())
    elif class_nouns and draw.random() < 0.7:
        noun = draw.pick(tuple(class_nouns))
        conditions |= _of_noun(noun, known)
    chosen = _chosen_traits(traits, draw, named=noun not in _GENERIC_NOUNS)
    conditions |= {f"trait {place}" for place in chosen}
    before, after = _words(chosen, draw)
    if elements and draw.random() < 0.35:
        symbol = draw.pick(tuple(sorted(elements)))
        conditions.add(f"element {symbol}")
        name = ELEMENT_NAMES[symbol]
        if draw.random() < 0.4 and name not in noun:
            before.append(draw.pick((name, f"{name}-containing", f"{name}-based")))
        else:
            after.append(draw.pick((f"containing {name}", f"with {symbol}", f"containing {symbol}")))
    query = " ".join((*before, noun, *after))
    if not noun.endswith("s"):
        query = (draw.pick(_OPENINGS) or query).replace("{a}", with_article(query))
    return Query(query, frozenset(conditions))


def _of_noun(noun: str, known: Known) -> set[str]:
    """Return the conditions of a class noun; "sulfur- and iodine-containing compound" names elements."""
    condition = f"class {noun.removesuffix('s')}"
    if condition in CONDITIONS:
        return {condition}
    return {f"element {symbol}" for symbol in known.composition.symbols if ELEMENT_NAMES[symbol] in noun}


def _chosen_traits(traits: list[int], draw: Draw, named: bool) -> list[int]:
    """
    Choose up to three traits of different groups.

    Args:
        traits: Positions in `TRAITS` of the traits of the record.
        draw: Random choices.
        named: Whether the noun is specific, so that no trait is needed.

    Returns:
        Positions in `TRAITS`.
    """
    wanted = int(draw.random() * 3) + (0 if named else 1)
    shuffled = list(traits)
    draw.shuffle(shuffled)
    # The most informative traits come first.
    shuffled.sort(key=lambda place: TRAITS[place].group in _SIDE_GROUPS)
    first_of_group: dict[str, int] = {}
    for place in shuffled:
        first_of_group.setdefault(TRAITS[place].group, place)
    return list(first_of_group.values())[:wanted]


def _words(chosen: list[int], draw: Draw) -> tuple[list[str], list[str]]:
    """Draw the wordings in front of and after the noun."""
    before: list[str] = []
    after: list[str] = []
    for place in chosen:
        trait = TRAITS[place]
        if trait.before and (not trait.after or draw.random() < 0.7):
            before.append(draw.pick(trait.before))
        else:
            after.append(draw.pick(trait.after))
    return before, after
