"""What exclusions spare, and what there is nothing but: `no metals except Yb`, `no elements other than Fe and O`."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from ...concepts.elements import GROUPS
from .implied_elements import allowed_elements
from .lists import EXCEPT, JOINT
from .metals import is_group
from .polarity import with_polarity
from .query import ConceptTerm, CountTerm, ElementTerm, Literal, SystemTerm

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary

# `no metal but iron`; `no metals but an oxide of silicon` asks for an oxide.
_SPARES = re.compile(
    rf"(?:[\s-]free)?\s*(?:elements?|atoms?|ones?|metals?)?\s*[,(]?\s*(?:{EXCEPT}|but|unless(?:\s+it(?:'s|\s+is))?)\s+(?:for\s+)?"
    r"(?:an?\s+|the\s+)?",
    re.I,
)
# `no other metals than Fe`
_OTHER_BEFORE, _THAN = re.compile(r"\bother\s+$", re.I), re.compile(r"\s*(?:elements?|metals?)?\s*than\s+", re.I)
_NOTHING = re.compile(
    rf"(?:\bno\s+(?:other\s+|further\s+)?elements?\s+(?:{EXCEPT}|than|but)|\bnothing\s+{EXCEPT}"
    rf"|(?:(?<!\w)not|n'?t|(?<!\w)without)\s+(?:(?:have|having|contain|containing|include)\s+)?any\s?thing\s+(?:{EXCEPT}|but|else\s+(?:than|but)))\s+",
    re.I,
)
_NO_ANION = re.compile(
    rf"\b(?:no|without(?:\s+any)?)\s+(?:other\s+)?anions?\s+(?:{EXCEPT}|than|but)\s+(?:the\s+)?", re.I
)
_ANIONS = frozenset("H B C N O F Si P S Cl As Se Br Te I".split())
# Families of which some members may be spared: `no halides except fluorides`.
_KINDS = frozenset({"element-group", "anion"})


def with_spared_elements(text: str, literals: list[Literal], vocabulary: Vocabulary) -> list[Literal]:
    """
    Read exclusions that spare some elements, and chemical systems named as `nothing other than iron and oxygen`.

    Args:
        text: The plain text.
        literals: Terms in the order of the text.
        vocabulary: The concepts that they name.
    """
    polar = with_polarity(text, literals)
    # By the place where the list begins.
    systems = {each.end(): each.start() for each in _NOTHING.finditer(text)}
    anions = {each.end(): each.start() for each in _NO_ANION.finditer(text)}
    found: list[Literal] = []
    place = 0
    while place < len(literals):
        start = literals[place].start
        if start in systems or start in anions:
            run = _listed(text, literals, place)
            special = _nothing_else(run, systems.get(start), anions.get(start), vocabulary)
            if special is not None:
                found.append(special)
                place += len(run)
                continue
        symbols_of_group = _group(text, literals[place], vocabulary) if polar[place].negated else frozenset()
        run = _listed(text, literals, place + 1) if symbols_of_group else []
        spared = _elements_of(run, vocabulary)
        if (
            spared
            and spared < symbols_of_group
            and _spares(text, literals[place], run[0])
            and not text[run[-1].end : run[-1].end + 2].strip(" -").isalnum()
        ):
            name = "metal" if symbols_of_group == GROUPS["metal"] else literals[place].term.label
            found.append(_sparing(name, symbols_of_group - spared, run, literals[place].start))
            place += 1 + len(run)
            continue
        found.append(literals[place])
        place += 1
    return found


def _nothing_else(run: list[Literal], system: int | None, anion: int | None, vocabulary: Vocabulary) -> Literal | None:
    """Read a list behind `no elements other than` or `no anions except`, which begin at some places."""
    if system is not None and all(isinstance(each.term, ElementTerm) for each in run):
        symbols = tuple(dict.fromkeys(each.term.symbol for each in run if isinstance(each.term, ElementTerm)))
        return Literal(SystemTerm(symbols), False, system, run[-1].end)
    spared = _elements_of(run, vocabulary)
    if anion is not None and spared and spared <= _ANIONS:
        return _sparing("anion", _ANIONS - spared, run, anion)
    return None


def _listed(text: str, literals: list[Literal], place: int) -> list[Literal]:
    """The list that begins at a place."""
    run = literals[place : place + 1]
    for literal in islice(literals, place + 1, None):
        gap = text[run[-1].end : literal.start]
        if not gap.strip() or JOINT.fullmatch(gap) is None or type(literal.term) is not type(run[0].term):
            break
        run.append(literal)
    return run


def _elements_of(run: list[Literal], vocabulary: Vocabulary) -> frozenset[str]:
    return frozenset().union(*(allowed_elements(each.term, vocabulary) for each in run))


def _group(text: str, literal: Literal, vocabulary: Vocabulary) -> frozenset[str]:
    """The elements of a group or family; none if a term is something else."""
    term = literal.term
    if isinstance(term, ElementTerm):
        return GROUPS["metal"] if term.symbol == "metal" else frozenset()
    if not isinstance(term, ConceptTerm):
        return frozenset()
    if term.kind_of_concept in _KINDS:
        return allowed_elements(term, vocabulary)
    # The word `metals` alone is a class of compounds.
    return GROUPS["metal"] if is_group(text, literal) else frozenset()


def _spares(text: str, group: Literal, first: Literal) -> bool:
    """Whether what stands between a group and a list spares the list."""
    if _SPARES.fullmatch(text, group.end, first.start):
        return True
    is_other = _OTHER_BEFORE.search(text, 0, group.start) is not None
    return is_other and _THAN.fullmatch(text, group.end, first.start) is not None


def _sparing(name: str, symbols: frozenset[str], run: list[Literal], start: int) -> Literal:
    spared = " and ".join(dict.fromkeys(each.term.label for each in run))
    return Literal(CountTerm(f"{name} except {spared}", tuple(sorted(symbols)), 0, 0), False, start, run[-1].end)


__all__ = ["with_spared_elements"]
