"""Elements that are counted, and elements besides which there are no others: `two metals`, `only Li, P and S`."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from ...concepts.elements import GROUPS
from .implied_elements import allowed_elements
from .polarity import JOINT, WORD, family
from .query import ConceptTerm, CountTerm, ElementTerm, Literal, OnlyTerm, SystemTerm

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary

_NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5}
# Bounds of a number, with what they add to it.
_AT_LEAST = {"at least": 0, "more than": 1, "no fewer than": 0, "no less than": 0, "not fewer than": 0}
_AT_MOST = {"at most": 0, "less than": -1, "fewer than": -1, "no more than": 0, "not more than": 0, "up to": 0}
_COUNT_BEFORE = re.compile(
    rf"(?:(?P<bound>exactly|{'|'.join(sorted([*_AT_LEAST, *_AT_MOST], key=len, reverse=True))})\s+)?"
    r"(?<![\w.-])(?<!group )(?P<number>two|three|four|five|[2-9])\s+(?:different\s+|distinct\s+)?"
    r"(?:of\s+)?(?:an?\s+|the\s+)?$",
    re.I,
)
_METALS = re.compile(r"metals?", re.I)
_ONLY = re.compile(
    r"\b(?:only|solely|exclusively|nothing\s+but|nothing\s+else|just|purely|no\s+other\s+elements)\b", re.I
)


def counted_groups(text: str, literals: list[Literal], vocabulary: Vocabulary) -> list[Literal]:
    """
    Read `at least two transition metals` and `three metals` as numbers of elements.

    Args:
        text: The plain text.
        literals: Terms with their polarity, in the order of the text.
        vocabulary: The concepts that they name.
    """
    found = []
    for literal in literals:
        count = _COUNT_BEFORE.search(text, 0, literal.start)
        is_metal = _METALS.fullmatch(text, literal.start, literal.end) is not None
        is_group = isinstance(literal.term, ConceptTerm) and literal.term.kind_of_concept == "element-group"
        bound = "exactly" if count is None else (count["bound"] or "exactly").lower()
        # The `no` of `no more than two` excludes nothing.
        if count is not None and (is_metal or is_group) and (not literal.negated or bound.startswith("no")):
            symbols = GROUPS["metal"] if is_metal else allowed_elements(literal.term, vocabulary)
            number = _NUMBERS.get(count["number"].lower()) or int(count["number"])
            number += _AT_LEAST.get(bound, 0) + _AT_MOST.get(bound, 0)
            low, high = 0 if bound in _AT_MOST else number, None if bound in _AT_LEAST else number
            term = CountTerm("metal" if is_metal else literal.term.label, tuple(sorted(symbols)), low, high)
            literal = replace(literal, term=term, start=count.start(), negated=False)
        found.append(literal)
    return found


def only_elements(text: str, literals: list[Literal], vocabulary: Vocabulary) -> list[Literal]:
    """
    Read `only Li, P and S` and `nothing but Fe and O` as a chemical system.

    `only alkali metals and halogens` excludes all other elements, `halides of alkali metals only` does not.

    Args:
        text: The plain text.
        literals: Terms with their polarity, in the order of the text.
        vocabulary: The concepts that they name.
    """
    # `nothing but metals` may be a wording.
    found = next(
        (each for each in _ONLY.finditer(text) if not any(x.start <= each.start() < x.end for x in literals)), None
    )
    listed = [literal for literal in literals if family(literal) == "chemistry" and not literal.negated]
    if found is None or not listed or len(listed) != len([x for x in literals if family(x) == "chemistry"]):
        return literals
    behind = [literal for literal in listed if literal.start >= found.end()]
    chosen = behind if behind and len(WORD.findall(text[found.end() : behind[0].start])) <= 3 else []
    if not chosen and text[found.end() :].strip(" .!?") == "":
        chosen = listed
    if not chosen or any(
        text[one.end : two.start].strip() and JOINT.fullmatch(text[one.end : two.start]) is None
        for one, two in pairwise(chosen)
    ):
        return literals
    start, end = chosen[0].start, chosen[-1].end
    if all(isinstance(literal.term, ElementTerm) and literal.term.symbol != "metal" for literal in chosen):
        symbols = tuple(dict.fromkeys(literal.term.symbol for literal in chosen))  # type: ignore[union-attr]
        system = Literal(SystemTerm(symbols), False, start, end)
        return sorted([*(each for each in literals if each not in chosen), system], key=lambda each: each.start)
    allowed = [allowed_elements(literal.term, vocabulary) for literal in chosen]
    if not all(allowed) or any(family(literal) in ("anion", "class") for literal in literals):
        return literals
    names = tuple(dict.fromkeys(literal.term.label for literal in chosen))
    only = Literal(OnlyTerm(names, tuple(sorted(frozenset().union(*allowed)))), False, start, end)
    place = literals.index(chosen[-1]) + 1
    return [*literals[:place], only, *literals[place:]]


__all__ = ["counted_groups", "only_elements"]
