"""Contradictions in a query, and remarks on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ...concepts.elements import ELEMENT_NAMES
from ...concepts.quantities import QUANTITIES, written_number
from ...concepts.symmetry import CRYSTAL_SYSTEMS, crystal_system
from ...formula_grammar_clac import ATOMIC_NUMBERS
from .implied_elements import needed_elements
from .query import (
    ConceptTerm,
    ElementTerm,
    Query,
    RangeTerm,
    SpaceGroupTerm,
    Term,
    positive_terms,
)

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary


def contradictions(query: Query, vocabulary: Vocabulary) -> Iterator[str]:
    """Explain why no crystal can meet a query, one line for each reason."""
    needed = positive_terms(query)
    excluded = [
        literal.term
        for constraint in query.constraints
        if len(constraint.literals) == 1 and not constraint.preferred
        for literal in constraint.literals
        if literal.negated
    ]
    for term in needed:
        if term in excluded:
            yield f"{term.label}: both required and excluded; remove one of the two"
    symbols = {term.symbol for term in excluded if isinstance(term, ElementTerm)}
    for term in needed:
        if term in excluded:
            continue
        both = sorted(needed_elements(term, vocabulary) & symbols)
        if both:
            names = ", ".join(ELEMENT_NAMES[symbol] for symbol in both)
            yield f"{term.label} without {names}: no crystal can be both; remove one of the two"
    yield from _of_ranges([term for term in needed if isinstance(term, RangeTerm)])
    yield from _of_symmetry(needed)


def _of_ranges(ranges: Sequence[RangeTerm]) -> Iterator[str]:
    for term in ranges:
        quantity = QUANTITIES[term.column]
        least, most = quantity.low, quantity.high
        ends = [end for end in (term.low, term.high) if end is not None]
        below = least is not None and (
            (term.high is not None and term.high < least)
            or (term.about is not None and term.about < least)
            or (term.high is not None and term.high <= least and term.strict)
        )
        above = most is not None and (
            (term.low is not None and term.low > most)
            or (term.about is not None and term.about > most)
            or (term.low is not None and term.low >= most and term.strict)
        )
        if ends and (below or above):
            bound, limit = ("below", least) if below else ("above", most)
            assert limit is not None
            yield f"{term.label}: impossible, no {quantity.label} is {bound} {written_number(limit)}; change the number"
    by_column: dict[str, list[RangeTerm]] = {}
    for term in ranges:
        by_column.setdefault(term.column, []).append(term)
    for column, terms in by_column.items():
        low = max((term.low for term in terms if term.low is not None), default=None)
        high = min((term.high for term in terms if term.high is not None), default=None)
        if len(terms) > 1 and low is not None and high is not None and low > high:
            labels = " and ".join(term.label for term in terms)
            yield f"{labels}: impossible, no {QUANTITIES[column].label} is both; change one of the numbers"


def _of_symmetry(needed: Sequence[Term]) -> Iterator[str]:
    systems = [term.id for term in needed if isinstance(term, ConceptTerm) and term.kind_of_concept == "crystal-system"]
    systems = [system for system in systems if system in CRYSTAL_SYSTEMS]
    groups = [term for term in needed if isinstance(term, SpaceGroupTerm)]
    if len(set(systems)) > 1:
        yield f"{' and '.join(systems)}: no crystal can be both; remove one, or write `or`"
    if len({group.number for group in groups}) > 1:
        labels = " and ".join(group.label for group in groups)
        yield f"{labels}: a crystal has one space group; remove one, or write `or`"
    for group in groups:
        for system in systems:
            own = crystal_system(group.number)
            if own != system:
                yield f"{group.label} is {own}, not {system}; remove one of the two"


def unknown_elements(query: Query, unknown: Sequence[str]) -> list[str]:
    """
    Name the words that look like elements and are none, one line for each.

    Args:
        query: The query.
        unknown: Such words in chemical systems.
    """
    strange = [*unknown, *(word for word in query.rest if _may_be_element(word))]
    return [f"unknown element {word!r}; give a name or symbol of the periodic table" for word in dict.fromkeys(strange)]


def _may_be_element(word: str) -> bool:
    """Whether an unread word looks like the name or symbol of an element."""
    if re.fullmatch(r"[A-Z][a-z]", word):
        return word not in _SHORT_WORDS and word not in ATOMIC_NUMBERS
    if word.lower() in ELEMENT_NAMES.values():
        return False
    return re.fullmatch(r"[A-Za-z]?[a-z]{4,}(?:ium|inium)", word) is not None and word.lower() not in _NOT_ELEMENTS


_SHORT_WORDS = frozenset(
    "An As At Be By Do Go He Hi If In Is It Me My No Of Oh Ok On Or So To Up Us We Ab Am Ex Mr Ms Dr Ln vs".split()
)
_NOT_ELEMENTS = frozenset(
    "medium equilibrium premium stadium aluminium millennium consortium auditorium aquarium gymnasium calcium".split()
)

__all__ = ["contradictions", "unknown_elements"]
