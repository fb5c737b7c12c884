"""Known values of a property record, and phrases for its composition."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..concepts.elements import ANION_NAMES, ELEMENT_NAMES, NOBLE_GASES, NONMETALS
from ..data.properties import NUMERIC_COLUMNS
from ..formulas_clac import read_formula
from . import phrases as words
from .phrases import capitalize, join_words, with_article

# Anion formers that determine the family word if the other elements leave no ambiguity.
_STRONG = {symbol: ANION_NAMES[symbol] for symbol in "F Cl Br I S Se Te N".split()}
# Sorted so that, in a binary of two of them, the first is the anion.
_WEAK = {symbol: ANION_NAMES[symbol] for symbol in "C P As Sb B Si Ge H".split()}
# All family words that denote a fixed set of compositions.
FAMILIES = (
    *(*_STRONG.values(), *_WEAK.values()),
    *("oxide", "oxyfluoride", "oxygen-containing compound", "intermetallic", "elemental solid"),
)
_AMBIGUOUS_WITH_STRONG = frozenset({"H", "C", "P", "As"})


@dataclass(frozen=True)
class Composition:
    """
    Composition of a crystal.

    Attributes:
        formula: Formula, or None if unknown.
        symbols: Element symbols in the order of the formula.
        elements: The same symbols as a set.
        is_oxide: Whether the record marks the crystal as an oxide.
        phrases: Texts for the placeholders of the templates.
    """

    formula: str | None
    symbols: tuple[str, ...]
    elements: frozenset[str]
    is_oxide: bool
    phrases: dict[str, str]

    @property
    def is_fractional(self) -> bool:
        """Whether the formula has amounts that are not whole: some sites are mixed or partly occupied."""
        return self.formula is not None and "." in self.formula


@dataclass
class Known:
    """
    Known values of a record.

    Attributes:
        numbers: Finite numbers by column.
        crystal_system: Crystal system in lower case, or None.
        space_group_symbol: Symbol of the space group, or None.
        composition: Composition.
    """

    numbers: dict[str, float]
    crystal_system: str | None
    space_group_symbol: str | None
    composition: Composition


def _family(elements: frozenset[str]) -> tuple[str, tuple[str, ...], bool]:
    """Return the family noun, the elements it implies, and whether the others precede it ('copper oxide')."""
    if elements & NOBLE_GASES:
        return "compound", (), False
    nonmetals = elements & NONMETALS
    if "O" in elements:
        others = nonmetals - {"O", "B", "Si", "Ge", "As", "Sb", "Te"}
        if not others:
            return "oxide", ("O",), True
        if others == {"F"}:
            return "oxyfluoride", ("O", "F"), True
        return "oxygen-containing compound", ("O",), False
    strong = [symbol for symbol in _STRONG if symbol in elements]
    weak = [symbol for symbol in _WEAK if symbol in elements]
    if len(strong) == 1 and (len(elements) == 2 or not _AMBIGUOUS_WITH_STRONG & set(weak)):
        return _STRONG[strong[0]], (strong[0],), True
    if not strong and weak and (len(weak) == 1 or (len(elements) == 2 and "H" not in weak)):
        return _WEAK[weak[0]], (weak[0],), True
    if not nonmetals:
        return "intermetallic", (), True
    named = (*strong, *weak)
    # With suspended hyphens: "sulfur- and iodine-containing".
    return join_words([ELEMENT_NAMES[symbol] + "-" for symbol in named]) + "containing compound", named, False


@lru_cache(maxsize=1 << 16)
def _composition(formula: str | None, listed: tuple[str, ...] | None, is_oxide: bool) -> Composition:
    found = tuple(read_formula(formula)) if formula else ()
    # The formula determines the order; if the elements disagree with it, they take precedence.
    symbols = found if listed is None or set(listed) == set(found) else listed
    if not symbols or any(symbol not in ELEMENT_NAMES for symbol in symbols):
        return Composition(formula, (), frozenset(), is_oxide, {"f": formula or ""})
    elements = frozenset(symbols)
    names = [ELEMENT_NAMES[symbol] for symbol in symbols]
    family, implied, before = _family(elements) if len(symbols) > 1 else ("elemental solid", (), False)
    others = [ELEMENT_NAMES[symbol] for symbol in symbols if symbol not in implied]
    if before:
        joined = "-".join(others) if family == "intermetallic" else " ".join(others)
        named = f"{joined} {family}".lstrip()
    else:
        named = f"{family} of {join_words(others)}" if others else family
    count = len(symbols)
    arity = words.ARITY.get(count, "multicomponent")
    phrases = {
        "f": formula or "",
        "e": join_words(names),
        "fam": family,
        "named": named,
        "Named": capitalize(named),
        "a_named": with_article(named),
        "A_named": capitalize(with_article(named)),
        "ary": arity,
        "Ary": capitalize(arity),
        "a_ary": with_article(arity),
        "A_ary": capitalize(with_article(arity)),
        "n": str(count),
        "count": words.COUNT_WORDS[count] if count < len(words.COUNT_WORDS) else "many",
        "noun": "element" if count == 1 else "elements",
    }
    return Composition(formula, symbols, elements, is_oxide, phrases)


def _text(value: Any) -> str | None:
    """Return a stripped string, or None for a missing value (None, NaN or an empty string)."""
    return value.strip() or None if isinstance(value, str) else None


def read_record(record: Mapping[str, Any]) -> Known:
    """
    Read the known values of a record.

    Raises:
        ValueError: If a numeric column has a value that is not a number.
    """
    get = record.get
    numbers: dict[str, float] = {}
    for column in NUMERIC_COLUMNS:
        value = get(column)
        if value is None:
            continue
        try:
            value = float(value)
        except (TypeError, ValueError):
            raise ValueError(f"{column} is not a number: {value!r}") from None
        if math.isfinite(value):
            numbers[column] = value
    listed = get("elements")
    symbols: tuple[str, ...] | None = None
    # A missing list is None, or NaN in a data frame.
    if listed is not None and not isinstance(listed, float):
        symbols = tuple(dict.fromkeys(str(symbol) for symbol in listed)) or None
    chemsys = _text(get("chemsys"))
    if symbols is None and chemsys:
        symbols = tuple(dict.fromkeys(chemsys.split("-")))
    is_oxide = get("is_oxide")
    system = _text(get("crystal_system"))
    return Known(
        numbers,
        system.lower() if system else None,
        _text(get("space_group_symbol")),
        _composition(_text(get("formula")), symbols, bool(is_oxide) and is_oxide == 1),
    )
