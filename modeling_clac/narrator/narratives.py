"""
Offline narrator, which writes a short English narrative from the property record of a crystal.

The narrator only states facts of the record. Missing values are never mentioned, and each number is that of the record
within the decimals shown, or follows from it (volume per atom, number of elements). The text depends only on the seed,
the options and the record, so equal calls give equal texts on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ..data.properties import PROPERTIES
from . import phrases as words
from .applications import Application, application_sentence, justified_applications
from .phrases import capitalize, class_word, number, with_article
from .record import Known, read_record

__all__ = ["Application", "applications", "narrate", "narrate_sentences"]

# Facts that combine several columns in a sentence or have a function of their own; any other column is a fact.
_GROUPS: dict[str, tuple[str, ...]] = {
    "cell": ("volume", "nsites"),
    "stability": ("energy_above_hull",),
    "moduli": ("bulk_modulus_vrh", "shear_modulus_vrh"),
    "dielectric": ("dielectric_electronic", "dielectric_total"),
}


def _fact_columns() -> dict[str, tuple[str, ...]]:
    group_of = {column: fact for fact, columns in _GROUPS.items() for column in columns}
    facts = [group_of.get(column, column) for column in PROPERTIES]
    return {fact: _GROUPS.get(fact, (fact,)) for fact in facts if fact in _GROUPS or fact in words.SINGLE}


# Fact -> columns of the record in its sentence; each fact is kept or dropped as a whole.
FACT_COLUMNS: dict[str, tuple[str, ...]] = {
    "composition": ("elements",),
    "symmetry": ("crystal_system", "space_group_symbol", "space_group_number"),
    **_fact_columns(),
}

# Limits of the stability classes: energies above the hull in eV/atom.
ON_HULL, NEAR_HULL, METASTABLE = 1e-6, 0.05, 0.2


class Draw:
    """Seeded random choices, based only on `random()`, whose stream is the same in all Python versions."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed).random

    def pick(self, options: tuple[str, ...]) -> str:
        return options[int(self.random() * len(options))]

    def number(self, column: str, value: float) -> str:
        decimals = words.DECIMALS[column]
        return number(value, decimals[int(self.random() * len(decimals))])

    def shuffle(self, items: list[Any]) -> None:
        for i in range(len(items) - 1, 0, -1):
            j = int(self.random() * (i + 1))
            items[i], items[j] = items[j], items[i]


# -------------------- sentences for facts
def _tell_composition(known: Known, draw: Draw, masked: bool, with_system: bool) -> str | None:
    composition = known.composition
    phrases = composition.phrases
    templates: tuple[str, ...]
    if not composition.symbols:
        if masked:
            return None
        if composition.formula:
            return draw.pick(words.FORMULA_ONLY).format_map(phrases)
        return draw.pick(words.OXIDE_ONLY) if composition.is_oxide else None
    if masked:
        templates = words.COUNT
    elif len(composition.symbols) == 1:
        templates = words.ELEMENTAL if composition.formula else words.ELEMENTAL_NO_FORMULA
    else:
        templates = words.COMPOUND if composition.formula else words.COMPOUND_NO_FORMULA
    if with_system and known.crystal_system:
        phrases = phrases | _system_phrases(known.crystal_system)
        if masked:
            templates += words.COUNT_WITH_SYSTEM
        elif templates is words.COMPOUND:
            templates += words.COMPOUND_WITH_SYSTEM
    return draw.pick(templates).format_map(phrases)


@lru_cache(maxsize=64)
def _system_phrases(system: str) -> dict[str, str]:
    article = with_article(system)
    return {"sys": system, "Sys": capitalize(system), "a_sys": article, "A_sys": capitalize(article)}


def _tell_symmetry(known: Known, draw: Draw) -> str | None:
    system, symbol = known.crystal_system, known.space_group_symbol
    group = known.numbers.get("space_group_number")
    templates = words.SYMMETRY.get((system is not None, symbol is not None, group is not None))
    if templates is None:
        return None
    phrases = _system_phrases(system) if system else {}
    shown = number(group, 0) if group is not None else ""
    return draw.pick(templates).format(sg=symbol, no=shown, **phrases)


def _tell_cell(known: Known, draw: Draw) -> str | None:
    volume, nsites = known.numbers.get("volume"), known.numbers.get("nsites")

    def pick(templates: tuple[str, ...]) -> str:
        if known.composition.is_fractional:  # the number of sites is not that of atoms
            templates = tuple(own for own in templates if "{atoms}" not in own and "{pa}" not in own)
        return draw.pick(templates).format_map(phrases)

    phrases: dict[str, str] = {}
    if nsites is not None:
        count = number(nsites, 0)
        plural = "" if nsites == 1 else "s"
        phrases = {"n": count, "sites": f"{count} site{plural}", "atoms": f"{count} atom{plural}"}
    if volume is not None:
        phrases |= {"v": draw.number("volume", volume), "u": PROPERTIES["volume"].unit}
    if volume is None:
        return pick(words.CELL_SITES) if phrases else None
    if not nsites:
        return pick(words.CELL_VOLUME)
    phrases["pa"] = draw.number("volume_per_atom", volume / nsites)
    return pick(words.CELL)


def _tell_stability(known: Known, draw: Draw) -> str | None:
    energy = known.numbers.get("energy_above_hull")
    if energy is None:
        return None
    if energy <= ON_HULL:
        key = "stable"
        # Do not print numerical noise around zero.
        energy = 0.0 if abs(energy) <= ON_HULL else energy
    elif energy <= NEAR_HULL:
        key = "near"
    else:
        key = "metastable" if energy <= METASTABLE else "unstable"
    template = draw.pick(words.STABILITY[key])
    return template.format(x=draw.number("energy_above_hull", energy), u=PROPERTIES["energy_above_hull"].unit)


@lru_cache(maxsize=256)
def _word_phrases(word: str) -> dict[str, str]:
    article = with_article(word)
    return {"w": word, "W": capitalize(word), "a_w": article, "A_w": capitalize(article)}


def _tell_single(column: str) -> Callable[[Known, Draw], str | None]:
    templates, unit = words.SINGLE[column], PROPERTIES[column].unit

    def tell(known: Known, draw: Draw) -> str | None:
        value = known.numbers.get(column)
        if value is None:
            return None
        phrases = _word_phrases(class_word(column, value)) if column in words.CLASS_WORDS else {}
        return draw.pick(templates).format(x=draw.number(column, value), u=unit, **phrases)

    return tell


def _tell_pair(
    first: tuple[str, str],
    second: tuple[str, str],
    both: tuple[str, ...],
    only_first: tuple[str, ...],
    only_second: tuple[str, ...],
) -> Callable[[Known, Draw], str | None]:
    """Build the function that words two columns with the same unit; `first` and `second` are (column, placeholder)."""
    unit = {"u": PROPERTIES[first[0]].unit}

    def tell(known: Known, draw: Draw) -> str | None:
        phrases: dict[str, str] = {}
        for column, placeholder in (second, first):
            value = known.numbers.get(column)
            if value is not None:
                phrases[placeholder] = draw.number(column, value)
                if column in words.CLASS_WORDS:
                    phrases |= _word_phrases(class_word(column, value))
        if not phrases:
            return None
        if second[1] not in phrases:
            return draw.pick(only_first).format_map(phrases | unit)
        return draw.pick(both if first[1] in phrases else only_second).format_map(phrases | unit)

    return tell


_OWN_TELLERS: dict[str, Callable[[Known, Draw], str | None]] = {
    "symmetry": _tell_symmetry,
    "cell": _tell_cell,
    "stability": _tell_stability,
    "moduli": _tell_pair(("bulk_modulus_vrh", "b"), ("shear_modulus_vrh", "g"), words.MODULI, words.BULK, words.SHEAR),
    "dielectric": _tell_pair(
        ("dielectric_total", "t"),
        ("dielectric_electronic", "e"),
        words.DIELECTRIC,
        words.DIELECTRIC_TOTAL,
        words.DIELECTRIC_ELECTRONIC,
    ),
}
_TELLERS = {fact: _OWN_TELLERS.get(fact) or _tell_single(fact) for fact in FACT_COLUMNS if fact != "composition"}


# -------------------- public API
def seed_text(seed: Any) -> str:
    """Convert a seed to text that is the same for all integer types and Python versions."""
    if isinstance(seed, tuple):
        return "(" + ",".join(seed_text(part) for part in seed) + ")"
    return f"{seed}"


def _facts(known: Known, masked: bool) -> list[str]:
    """List the facts that a narrative of this record can state."""
    composition, numbers = known.composition, known.numbers
    facts = []
    if composition.symbols or (not masked and (composition.formula or composition.is_oxide)):
        facts.append("composition")
    if known.crystal_system or known.space_group_symbol or "space_group_number" in numbers:
        facts.append("symmetry")
    for fact in _TELLERS:
        if fact != "symmetry" and not numbers.keys().isdisjoint(FACT_COLUMNS[fact]):
            facts.append(fact)
    return facts


def _justifying(known: Known, facts: list[str], masked: bool) -> frozenset[str]:
    """Return the columns that application rules may depend on, given the stated facts."""
    columns = {column for fact in facts for column in FACT_COLUMNS[fact] if column in known.numbers}
    if "composition" in facts and known.composition.symbols and not masked:
        columns.add("elements")
    return frozenset(columns)


def narrate_sentences(
    record: Mapping[str, Any],
    seed: int | str | tuple = 0,
    *,
    mask_formula: bool = False,
    keep: float = 1.0,
    max_applications: int = 1,
) -> list[str]:
    """Write the sentences of a narrative; see [`narrate`] for the arguments and errors."""
    if not 0.0 <= keep <= 1.0:
        raise ValueError(f"keep must be between 0 and 1, got {keep}")
    if max_applications < 0:
        raise ValueError(f"max_applications must not be negative, got {max_applications}")
    known = read_record(record)
    facts = _facts(known, mask_formula)
    if not facts:
        raise ValueError("the record has no facts to narrate")
    identity = record.get("material_id") or known.composition.formula
    # The identity of the record is part of the seed; otherwise all records would get the same wording.
    draw = Draw(f"{seed_text(seed)}|{identity}")
    draw.shuffle(facts)
    if keep < 1.0:
        kept = [f for f in facts if draw.random() < keep or (f == "composition" and not mask_formula)]
        facts = kept or facts[:1]
    sentences = []
    for fact in facts:
        if fact == "composition":
            sentence = _tell_composition(known, draw, mask_formula, "symmetry" in facts)
        else:
            sentence = _TELLERS[fact](known, draw)
        if sentence is not None:
            sentences.append(sentence)
    if max_applications:
        found = justified_applications(
            record, known.numbers, known.composition.symbols, _justifying(known, facts, mask_formula), draw.random
        )
        draw.shuffle(found)
        sentences += [application_sentence(application, draw.random) for application in found[:max_applications]]
    return sentences


def narrate(
    record: Mapping[str, Any],
    seed: int | str | tuple = 0,
    *,
    mask_formula: bool = False,
    keep: float = 1.0,
    max_applications: int = 1,
) -> str:
    """
    Write a narrative of a property record.

    The facts come in random order, followed by application areas. The text depends only on the arguments.

    Args:
        record: Values by column, in the units of `modeling_clac.data.properties`. Missing, None and NaN values are not
            mentioned.
        seed: Seed of the wording, the order and the selection of facts.
        mask_formula: Whether to omit the formula and the names of elements and families. The number of elements may
            still be mentioned.
        keep: Probability of keeping each fact, 0-1. At least one fact is kept, and the composition always is unless
            masked.
        max_applications: Maximum number of application areas. They depend only on the kept facts.

    Returns:
        The sentences joined by spaces.

    Raises:
        ValueError: If the record has no facts to narrate, a numeric column has a value that is not a number, or `keep`
            or `max_applications` is out of range.
    """
    return " ".join(
        narrate_sentences(record, seed, mask_formula=mask_formula, keep=keep, max_applications=max_applications)
    )


def applications(record: Mapping[str, Any], *, mask_formula: bool = False) -> list[Application]:
    """
    List the application areas that the facts of a record justify.

    Args:
        record: Values by column, see [`narrate`].
        mask_formula: Whether to exclude rules that depend on the composition.

    Returns:
        The areas with their reasons; empty if there are none.

    Raises:
        ValueError: If a numeric column has a value that is not a number.
    """
    known = read_record(record)
    columns = _justifying(known, _facts(known, mask_formula), mask_formula)
    return justified_applications(record, known.numbers, known.composition.symbols, columns, lambda: 0.0)
