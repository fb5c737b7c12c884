"""
Short texts as people type them into a search: "wide-gap cubic oxide", "hard ceramic coating", "light borides".

A query names a few traits of a record, each of which holds for it; like a narrative it invents nothing, but it
identifies no single crystal. Thresholds are the everyday ones of the field and are never printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .narrator import Draw, seed_text
from .narrator_applications import (
    CENTROSYMMETRIC,
    CHALCOGENS,
    HALOGENS,
    NONMETALS,
    POLAR,
    RARE_EARTH,
    TRANSITION,
    matching_rules,
)
from .narrator_phrases import ARITY, COUNT_WORDS, ELEMENT_NAMES, with_article
from .narrator_record import Known, read_record

__all__ = ["TRAITS", "Trait", "narrate_query", "prototype_of"]

_ALKALI = frozenset("Li Na K Rb Cs".split())
_ALKALINE_EARTH = frozenset("Be Mg Ca Sr Ba".split())
_PNICTOGENS = frozenset("N P As Sb Bi".split())
_PART = re.compile(r"([A-Z][a-z]?)(\d*)")

# (sorted stoichiometry, space group) -> names of the structure type; only where the two leave no doubt worth having.
_PROTOTYPES: dict[tuple[tuple[int, ...], int], tuple[str, ...]] = {
    ((1, 1), 216): ("zinc blende", "sphalerite"),
    ((1, 1), 186): ("wurtzite",),
    ((1, 1), 221): ("caesium chloride", "CsCl-type"),
    ((1, 1), 225): ("rock salt", "rocksalt", "NaCl-type"),
    ((1, 2), 136): ("rutile",),
    ((1, 2), 205): ("pyrite",),
    ((1, 2), 225): ("fluorite",),
    ((1, 1, 1), 216): ("half-Heusler",),
    ((1, 1, 2), 225): ("full Heusler", "Heusler"),
    ((1, 1, 3), 221): ("cubic perovskite", "perovskite"),
    ((1, 1, 3), 99): ("tetragonal perovskite", "perovskite"),
    ((1, 1, 4), 88): ("scheelite",),
    ((1, 2, 2), 139): ("ThCr2Si2-type",),
    ((1, 2, 4), 227): ("spinel",),
    ((1, 1, 2, 6), 225): ("double perovskite", "elpasolite"),
}
# Without nonmetals the same keys mean other types.
_INTERMETALLIC_PROTOTYPES: dict[tuple[tuple[int, ...], int], tuple[str, ...]] = {
    ((1, 1), 221): ("CsCl-type", "B2"),
    ((1, 2), 194): ("hexagonal Laves phase", "Laves phase"),
    ((1, 2), 227): ("cubic Laves phase", "Laves phase"),
    ((1, 3), 221): ("Cu3Au-type", "L1_2"),
    ((1, 3), 223): ("A15",),
    ((1, 1, 1), 216): ("half-Heusler",),
    ((1, 1, 2), 225): ("full Heusler", "Heusler"),
    ((1, 2, 2), 139): ("ThCr2Si2-type",),
}


def prototype_of(known: Known) -> tuple[str, ...]:
    """Names of the structure type, empty if it is not among the common ones that formula and space group tell."""
    group, formula = known.numbers.get("space_group_number"), known.composition.formula
    if group is None or not formula or not known.composition.symbols:
        return ()
    counts = tuple(sorted(int(count or 1) for _, count in _PART.findall(formula)))
    table = _PROTOTYPES if known.composition.elements & NONMETALS else _INTERMETALLIC_PROTOTYPES
    return table.get((counts, int(group)), ())


@dataclass(frozen=True)
class Trait:
    """
    Something that holds for a record and that a query can name.

    Attributes:
        group: of traits in one group a query names at most one.
        before: wordings in front of the noun. after: wordings behind it. One of the two may be empty.
    """

    group: str
    holds: Callable[[Known], bool]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def _above(column: str, bound: float) -> Callable[[Known], bool]:
    return lambda known: known.numbers.get(column, float("-inf")) >= bound


def _below(column: str, bound: float) -> Callable[[Known], bool]:
    return lambda known: known.numbers.get(column, float("inf")) <= bound


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
    """Bulk over shear modulus; above 1.75 metals tend to be ductile (Pugh 1954, doi 10.1080/14786440808520496)."""
    bulk, shear = known.numbers.get("bulk_modulus_vrh"), known.numbers.get("shear_modulus_vrh")
    return bulk / shear if bulk is not None and shear is not None and bulk > 0 and shear > 0 else None


TRAITS: tuple[Trait, ...] = (
    *(
        Trait("system", _in_system(system), (system,), (f"with {system} symmetry",))
        for system in ("cubic", "hexagonal", "trigonal", "tetragonal", "orthorhombic", "monoclinic", "triclinic")
    ),
    Trait("inversion", _in_groups(POLAR), ("polar", "non-centrosymmetric"), ("without inversion symmetry",)),
    Trait("inversion", _in_groups(CENTROSYMMETRIC), ("centrosymmetric",), ("with inversion symmetry",)),
    *(
        Trait("arity", _of_elements(count), (ARITY[count],), (f"of {COUNT_WORDS[count]} elements",))
        for count in (2, 3, 4)
    ),
    # -------------------- numbers
    Trait(
        "gap",
        _above("band_gap", 3.0),
        ("wide-gap", "wide gap", "wide band gap", "large-gap", "transparent"),
        ("with a wide gap", "with a large band gap", "transparent to visible light"),
    ),
    Trait("gap", _below("band_gap", 1.0), ("narrow-gap", "small-gap", "narrow gap"), ("with a narrow band gap",)),
    Trait("gap", lambda k: 1.0 <= k.numbers.get("band_gap", 0.0) <= 2.5, ("semiconducting",), ("with a medium gap",)),
    Trait("gap", _above("band_gap", 5.0), ("insulating", "ultrawide-gap"), ("with an ultrawide gap",)),
    Trait(
        "index",
        _above("refractive_index", 2.4),
        ("high-index", "high refractive index"),
        ("with a high refractive index", "that bends light strongly"),
    ),
    Trait("index", _below("refractive_index", 1.7), ("low-index",), ("with a low refractive index",)),
    Trait(
        "permittivity",
        _above("dielectric_total", 20.0),
        ("high-k", "high permittivity"),
        ("with a high dielectric constant", "with a large permittivity"),
    ),
    Trait("permittivity", _below("dielectric_total", 7.0), ("low-k",), ("with a low dielectric constant",)),
    Trait(
        "stiffness",
        _above("bulk_modulus_vrh", 200.0),
        ("stiff", "incompressible", "very stiff"),
        ("with a high bulk modulus", "that hardly compresses"),
    ),
    Trait("stiffness", _above("shear_modulus_vrh", 120.0), ("hard",), ("with a high shear modulus",)),
    Trait("stiffness", _below("bulk_modulus_vrh", 50.0), ("soft", "compressible"), ("with a low bulk modulus",)),
    Trait("ductility", lambda k: (_pugh(k) or 0.0) > 1.75, ("ductile",), ("that is ductile",)),
    Trait("ductility", lambda k: 0.0 < (_pugh(k) or 0.0) < 1.4, ("brittle",), ("that is brittle",)),
    Trait("isotropy", _below("elastic_anisotropy", 0.1), ("elastically isotropic",)),
    Trait("isotropy", _above("elastic_anisotropy", 1.0), ("elastically anisotropic",)),
    Trait(
        "density",
        _above("density", 8.0),
        ("dense", "heavy", "high-density"),
        ("with a high density", "of high density"),
    ),
    Trait(
        "density",
        _below("density", 3.0),
        ("light", "lightweight", "low-density"),
        ("with a low density", "of low density"),
    ),
    Trait(
        "piezoelectricity",
        _above("piezoelectric_modulus", 0.5),
        ("piezoelectric", "strongly piezoelectric"),
        ("with a strong piezoelectric response", "with a large piezoelectric modulus"),
    ),
    Trait("stability", _below("energy_above_hull", 1e-6), ("stable", "thermodynamically stable"), ("on the hull",)),
    Trait("stability", lambda k: 0.05 < k.numbers.get("energy_above_hull", 0.0) <= 0.2, ("metastable",)),
    Trait("stability", _above("energy_above_hull", 0.2), ("unstable",), ("far above the hull",)),
    # -------------------- elements
    Trait("metal", _has(RARE_EARTH), ("rare-earth", "rare earth"), ("with a rare earth",)),
    Trait("metal", _has(_ALKALI), ("alkali metal", "alkali"), ("with an alkali metal",)),
    Trait("metal", _has(_ALKALINE_EARTH), ("alkaline-earth",), ("with an alkaline earth",)),
    Trait("metal", _has(TRANSITION), ("transition-metal", "transition metal"), ("with a transition metal",)),
    Trait("absence", _lacks(frozenset({"Pb"})), ("lead-free",), ("without lead",)),
    Trait("absence", _lacks(frozenset({"Co"})), ("cobalt-free",), ("without cobalt",)),
    Trait("absence", _lacks(RARE_EARTH), ("rare-earth-free",), ("without rare earths",)),
)
# Not about the kind of material, so a query that names nothing else would be odd.
_SIDE_GROUPS = frozenset({"absence", "arity", "inversion"})

_GENERIC_NOUNS = ("material", "compound", "crystal", "solid", "materials", "compounds")
_OPENINGS = ("", "", "", "", "{a}", "find {a}", "looking for {a}")
_USE_FRAMES = ("{use}", "{use}", "material for {use}", "materials for {use}", "{noun} for {use}")


def _nouns(known: Known) -> list[str]:
    """Class names of a composition, from the family to the ceramics."""
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
        # Bi counts as a pnictogen though it is a metal.
        if elements & _PNICTOGENS and nonmetals <= _PNICTOGENS:
            nouns += ["pnictide", "pnictides"]
        if not nonmetals:
            nouns += ["alloy", "metallic compound", "intermetallic compound"]
    if nonmetals and nonmetals <= {"O", "N", "C", "B"} and len(elements) > len(nonmetals):
        nouns += ["ceramic", "ceramics"]
    return nouns


def narrate_query(record: Mapping[str, Any], seed: int | str | tuple = 0) -> str:
    """
    Write one short query that a crystal answers: one to three of its traits, its class or structure type, an element
    it contains, or a use that its properties justify. The text depends only on the record and `seed`.

    Raises ValueError if the record holds nothing to ask for, or if a numeric column holds no number.
    """
    known = read_record(record)
    identity = record.get("material_id") or known.composition.formula
    draw = Draw(f"query {seed_text(seed)}|{identity}")
    elements = known.composition.elements
    class_nouns, prototypes = _nouns(known), prototype_of(known)
    traits = [trait for trait in TRAITS if trait.holds(known)]
    columns = frozenset(known.numbers) | ({"elements"} if elements else frozenset())
    uses = matching_rules(known.numbers, elements, columns)
    if not (traits or class_nouns):
        raise ValueError("the record holds nothing to ask for")
    if uses and draw.random() < 0.25:
        noun = draw.pick(tuple(class_nouns) or _GENERIC_NOUNS)
        use = draw.pick(uses[int(draw.random() * len(uses))].areas)
        return draw.pick(_USE_FRAMES).format(use=use, noun=noun)
    noun = draw.pick(_GENERIC_NOUNS)
    if prototypes and draw.random() < 0.3:
        name = draw.pick(prototypes)
        noun = draw.pick((name, f"{name} structure", f"{name} {draw.pick(tuple(class_nouns) or ('compound',))}"))
    elif class_nouns and draw.random() < 0.7:
        noun = draw.pick(tuple(class_nouns))
    before, after = _chosen_words(traits, draw, named=noun not in _GENERIC_NOUNS)
    if elements and draw.random() < 0.35:
        symbol = draw.pick(tuple(sorted(elements)))
        name = ELEMENT_NAMES[symbol]
        if draw.random() < 0.4 and name not in noun:
            before.append(draw.pick((name, f"{name}-containing", f"{name}-based")))
        else:
            after.append(draw.pick((f"containing {name}", f"with {symbol}", f"containing {symbol}")))
    query = " ".join((*before, noun, *after))
    return query if noun.endswith("s") else (draw.pick(_OPENINGS) or query).replace("{a}", with_article(query))


def _chosen_words(traits: list[Trait], draw: Any, named: bool) -> tuple[list[str], list[str]]:
    """Wordings in front of and behind the noun; with a noun that says something they may be none."""
    wanted = int(draw.random() * 3) + (0 if named else 1)
    shuffled = list(traits)
    draw.shuffle(shuffled)
    # The telling traits first.
    shuffled.sort(key=lambda trait: trait.group in _SIDE_GROUPS)
    before: list[str] = []
    after: list[str] = []
    groups: set[str] = set()
    for trait in shuffled:
        if len(before) + len(after) >= wanted:
            break
        if trait.group in groups:
            continue
        groups.add(trait.group)
        if trait.before and (not trait.after or draw.random() < 0.7):
            before.append(draw.pick(trait.before))
        else:
            after.append(draw.pick(trait.after))
    return before, after
