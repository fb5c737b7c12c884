"""Elements besides which there are no others: `only Li, P and S`, `oxides of iron and nothing else`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from .implied_elements import allowed_elements, needed_elements
from .lists import ANY_OF, JOINT, OR, WORD, family
from .query import ElementTerm, Literal, OnlyTerm, SystemTerm

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary

# Behind a list: `made of Li, P and S alone`, `rare earths and oxygen and nothing else`, `Fe and O, no others`.
_ALONE = re.compile(
    r"\b(?:alone|(?:with\s+)?nothing\s+(?:else|more|further)|no\s+(?:others|other\s+elements)(?!\s+than))\b", re.I
)
_BEFORE_ALONE = re.compile(r"[\s,]*(?:and\s+)?")
# More elements than a compound of all of them has; of a longer list, any may be left out.
_MOST_OF_SYSTEM = 5
_ONLY = re.compile(
    # `just two elements, one of them Te` and `only those with Sn` name no system, nor does `just needs Sn`.
    r"\b(?:only|solely|exclusively|nothing\s+but|nothing\s+(?:else|more|further)|just|purely|no\s+(?:other|further|more)\s+elements)\b"
    r"(?!\s+(?:the\s+|(?:for|in)\s+)?(?:ones|those|these|two|three|four|five|[2-9]|needs?|wants?|has\s+to|must|should)\b)",
    re.I,
)


_SUBSYSTEMS = (
    r"(?:(?:the|its|their|all|any)\s+)*(?:binar(?:y|ies)|ternar(?:y|ies)|sub-?systems?|subsets?|end[\s-]?members?|elements)"
    r"(?:\s+(?:compounds|phases|ones|systems|subsystems))?"
)
_WITH_SUBSYSTEMS = re.compile(
    rf"\s*[,(]?\s*(?:and|with(?=\s+(?:the|its|their|all|any)\b)|including|incl\.?|plus)\s+(?:also\s+)?{_SUBSYSTEMS}(?:\s*(?:,|and|or|,\s*and)\s+{_SUBSYSTEMS})*\b\)?"
    r"(?!\s+(?:(?:compounds|phases|ones|systems)\s+)?(?:excluded|left|omitted|ignored|not|out)\b)",
    re.I,
)


def with_subsystems(text: str, literals: Iterable[Literal]) -> list[Literal]:
    """
    Read `the Li-P-S system, including the binaries` as crystals of any of its elements and no others.

    Args:
        text: The plain text.
        literals: Terms, among them chemical systems.
    """
    found = []
    for literal in literals:
        behind = _WITH_SUBSYSTEMS.match(text, literal.end)
        if behind is not None and isinstance(literal.term, SystemTerm):
            names = (f"the {literal.term.label} and its subsystems",)
            term = OnlyTerm(names, tuple(sorted(literal.term.symbols)))
            literal = Literal(term, False, literal.start, behind.end())
        found.append(literal)
    return found


def only_elements(text: str, literals: list[Literal], vocabulary: Vocabulary) -> list[Literal]:
    """
    Read `only Li, P and S`, `Li, P and S alone` and `nothing but Fe and O` as a chemical system.

    `only alkali metals and halogens` excludes all other elements, `halides of alkali metals only` does not. Of a list
    longer than a compound has elements, any may be left out.

    Args:
        text: The plain text.
        literals: Terms with their polarity, in the order of the text.
        vocabulary: The concepts that they name.
    """
    alone = _chosen_alone(text, literals)
    chosen = alone or _chosen_only(text, literals)
    is_choice = bool(chosen) and ANY_OF.search(text, 0, chosen[0].start) is not None
    is_choice = is_choice or any(OR.search(text[one.end : two.start]) for one, two in pairwise(chosen))
    # `oxides of only iron or cobalt`: one of them. Of a long list, any.
    is_long = len({each.term for each in chosen}) > _MOST_OF_SYSTEM
    if not chosen or (is_choice and not alone and not is_long):
        return literals
    start, end = chosen[0].start, chosen[-1].end
    if all(isinstance(literal.term, ElementTerm) and literal.term.symbol != "metal" for literal in chosen):
        if is_choice and not is_long:
            # `nitrides of Ti or Zr, nothing else` have one of them, and no other element.
            return [*literals, _alternatives_alone(literals, vocabulary, start, end)]
        symbols = tuple(dict.fromkeys(literal.term.symbol for literal in chosen))  # type: ignore[union-attr]
        system = Literal(_system(symbols, literals, vocabulary), False, start, end)
        # The same elements may be asked for elsewhere: `Na or K, nothing but Na, K and O`.
        others = [each for each in literals if not start <= each.start < end or each.negated]
        return sorted([*others, system], key=lambda each: each.start)
    allowed = [allowed_elements(literal.term, vocabulary) for literal in chosen]
    # A class may bring elements of its own, as anions do; intermetallics and ternary compounds do not.
    others = [each for each in literals if family(each) in ("anion", "class") and each not in chosen]
    permitted = frozenset().union(*allowed)
    if not all(allowed) or any(_brings_others(each, permitted, vocabulary) for each in others):
        return literals
    if any(_ONLY.search(literal.term.label) for literal in chosen):
        return literals
    names = tuple(dict.fromkeys(literal.term.label for literal in chosen))
    only = Literal(OnlyTerm(names, tuple(sorted(permitted))), False, start, end)
    place = literals.index(chosen[-1]) + 1
    return [*literals[:place], only, *literals[place:]]


def _brings_others(literal: Literal, symbols: frozenset[str], vocabulary: Vocabulary) -> bool:
    """Whether an anion or a class speaks of other elements than some; an intermetallic of metals does not."""
    speaks_of = allowed_elements(literal.term, vocabulary)
    return family(literal) == "anion" or (bool(speaks_of) and not symbols <= speaks_of)


def _alternatives_alone(literals: list[Literal], vocabulary: Vocabulary, start: int, end: int) -> Literal:
    """Nothing but the elements and the anions that are asked for."""
    asked = [
        each.term for kind in ("chemistry", "anion") for each in literals if family(each) == kind and not each.negated
    ]
    allowed = frozenset().union(*(allowed_elements(term, vocabulary) for term in asked))
    names = tuple(dict.fromkeys(term.label for term in asked))
    return Literal(OnlyTerm(names, tuple(sorted(allowed))), False, start, end)


def _system(symbols: tuple[str, ...], literals: list[Literal], vocabulary: Vocabulary) -> SystemTerm | OnlyTerm:
    """The system of some elements and of the anions that are asked for: `oxides of only iron` have oxygen too."""
    anions = [literal.term for literal in literals if family(literal) == "anion" and not literal.negated]
    needed = [needed_elements(term, vocabulary) for term in anions]
    if all(needed):
        names = tuple(dict.fromkeys([*symbols, *sorted(frozenset().union(*needed))]))
        return SystemTerm(names) if len(names) <= _MOST_OF_SYSTEM else OnlyTerm(names, tuple(sorted(names)))
    allowed = frozenset(symbols).union(*(allowed_elements(term, vocabulary) for term in anions))
    return OnlyTerm((*symbols, *dict.fromkeys(term.label for term in anions)), tuple(sorted(allowed)))


def _chosen_alone(text: str, literals: list[Literal]) -> list[Literal]:
    """The list of elements right before `alone` or `nothing else`."""
    for found in _ALONE.finditer(text):
        end = next((place for place, each in enumerate(literals, 1) if each.end > found.start()), len(literals) + 1) - 1
        if not end or _BEFORE_ALONE.fullmatch(text, literals[end - 1].end, found.start()) is None:
            continue
        last = literals[end - 1]
        # `titanium or zirconium nitride, nothing else`
        is_compound = end > 1 and family(last) == "anion" and not last.negated
        end -= is_compound and not text[literals[end - 2].end : last.start].strip()
        first = end
        while first and family(literals[first - 1]) == "chemistry" and not literals[first - 1].negated:
            gap = text[literals[first - 1].end : literals[first].start] if first < end else ","
            if not gap.strip() or JOINT.fullmatch(gap) is None:
                break
            first -= 1
        if end - first > 1 - is_compound:
            return literals[first:end]
    return []


def _chosen_only(text: str, literals: list[Literal]) -> list[Literal]:
    """The list of elements behind `only`, or all elements of a text that ends with it."""
    # `nothing but metals` may be a wording.
    found = next(
        (each for each in _ONLY.finditer(text) if not any(x.start <= each.start() < x.end for x in literals)), None
    )
    listed = [literal for literal in literals if family(literal) == "chemistry" and not literal.negated]
    excluded = [literal for literal in literals if family(literal) == "chemistry" and literal.negated]
    # `only Si, C or O; no Ni` ends before what is excluded.
    if found is None or not listed or not all(re.search("[;.]", text[found.end() : each.start]) for each in excluded):
        return []
    behind = [literal for literal in listed if literal.start >= found.end()]
    chosen = behind if behind and len(WORD.findall(text[found.end() : behind[0].start])) <= 3 else []
    # `iron and oxygen only, e.g. rust`
    if not chosen and re.match(r"\s*(?:$|[.!?;(]|,\s*(?:e\.?g|such\s+as|for\s+example|like))", text[found.end() :]):
        chosen = listed
    is_all = found.group().lower().startswith(("nothing else", "nothing more", "nothing further", "no "))
    if any(
        not is_all and text[one.end : two.start].strip() and JOINT.fullmatch(text[one.end : two.start]) is None
        for one, two in pairwise(chosen)
    ):
        return []
    return chosen


__all__ = ["only_elements", "with_subsystems"]
