"""The word `metal`, which means an element in `metal oxide` and a metallic compound in `a hard metal`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ...concepts.elements import GROUPS
from .chemistry import all_free
from .lists import EXAMPLE, SAME
from .query import ConceptTerm, CountTerm, ElementTerm, Literal

_METAL_BEHIND = re.compile(
    r"[\s-]+(?:containing|rich|bearing|based|free|atoms?|ions?|cations?|(?:for|to)\s+every)\b", re.I
)
# Concepts before which `metal` says that a metal is present, and not that the compound is one.
_OF_METALS = frozenset({"anion", "oxyanion", "group", "class", "structure-type", "use"})
_CONTAINS_METAL = re.compile(
    r"\b(?:contain(?:s|ing)?|with|has|having|includ(?:es|ing))\s+(?:a\s+|any\s+|some\s+)?metals?\b(?!\s+\w+ide)"
    r"|\bmetal[\s-]+containing\b",
    re.I,
)
_METAL = re.compile(r"(?:an?\s+)?(?P<word>metals?)", re.I)
# Before `metal` where a metal atom is meant: `no metal`, `nitrogen and a metal`.
_NO_METAL = re.compile(
    r"\b(?:(?:and|or|plus)\s+(?:an?|one)|(?:an?|one|the|some|any)\s+(?:other|single|sole|second|third|further|extra|additional|(?:mono|di|tri|tetra|penta|hexa)valent)|another|other|further|additional|extra|trivalent|divalent|the\s+only|as\s+(?:its\s+)?only|one\s+of\s+(?:them|which)\s+(?:is\s+)?an?|no|without|free\s+of|containing\s+no|contain\s+no|contains\s+no|devoid\s+of|lacking|any)\s+(?:any\s+|a\s+)?$",
    re.I,
)
# `the metal being from the first row`, `a metal such as iron`: the atom.
_METAL_IS = re.compile(
    r"\s+(?:(?:is|being|are|(?:should|must|may|can)\s+be|comes?|coming)\s+(?:from\s+)?|from\s+)(?:the\s+|an?\s+|either\s+|one\s+of\s+)*$"
    rf"|\s*[,(]?\s*(?:{EXAMPLE}|{SAME})[\s,:(]*$",
    re.I,
)
_OF_GROUP = re.compile(r"\s+(?:(?:out\s+)?of|from|in|belonging\s+to)\s+(?:the\s+)?", re.I)
# `a metal other than iron, and oxygen`: a compound of both, in which the metal is an element.
_OTHER_METAL = re.compile(
    r"\s+(?:other\s+than|except(?:\s+for)?|but\s+not|apart\s+from|besides)\s+[^,;.!?]+(?:,\s*(?:and|plus|with)|\s+(?:plus|with))\s+",
    re.I,
)


def is_group(text: str, literal: Literal) -> bool:
    """Whether a literal is a group of elements, of which others may be examples."""
    term = literal.term
    is_metal = _METAL.fullmatch(text, literal.start, literal.end) is not None
    # `radioactive elements`
    is_metal = is_metal or re.search(r"\b(?:elements?|metals?)$", text[literal.start : literal.end], re.I) is not None
    return is_metal or (isinstance(term, ConceptTerm) and term.kind_of_concept == "element-group")


def _is_of_list(text: str, literal: Literal, following: Literal) -> bool:
    is_chemistry = isinstance(following.term, (ElementTerm, CountTerm)) or is_group(text, following)
    return is_chemistry and _METAL_IS.fullmatch(text, literal.end, following.start) is not None


def _names_metals(text: str, literal: Literal, following: Literal) -> bool:
    """Whether a list of metals stands right behind the word: `the metals nickel and cobalt`."""
    is_plural = text[literal.end - 1] == "s" and text[literal.end : following.start].isspace()
    term = following.term
    return is_plural and isinstance(term, ElementTerm) and term.symbol in GROUPS["metal"]


def contained_metals(text: str, free: Sequence[bool]) -> list[Literal]:
    """
    Read `contains a metal`.

    Args:
        text: The query.
        free: Whether each character was not read yet.
    """
    found = [match.span() for match in _CONTAINS_METAL.finditer(text)]
    return [Literal(ElementTerm("metal"), False, *span) for span in found if all_free(free, *span)]


def metals_as_elements(text: str, literals: list[Literal]) -> list[Literal]:
    """
    Read `metal` in `metal oxide`, `no metal` and `metal-free` as an element, not as a metallic compound.

    Args:
        text: The query.
        literals: What was read, in the order of the text.
    """
    found: list[Literal] = []
    starts: dict[int, int] = {}
    for place, literal in enumerate(literals):
        following = literals[place + 1] if place + 1 < len(literals) else None
        literal = replace(literal, start=starts.get(place, literal.start))
        found_word = _METAL.fullmatch(text, literal.start, literal.end)
        if isinstance(literal.term, ConceptTerm) and found_word is not None:
            start = found_word.start("word")
            of_compound = (
                following is not None
                and not text[literal.end : following.start].strip(" -")
                and isinstance(following.term, ConceptTerm)
                and following.term.kind_of_concept in _OF_METALS
            )
            other = _OTHER_METAL.match(text, literal.end)
            # `lanthanide metal`
            before = found[-1] if found else None
            of_compound = of_compound or (
                before is not None and is_group(text, before) and not text[before.end : literal.start].strip(" -")
            )
            of_compound = of_compound or (following is not None and _is_of_list(text, literal, following))
            of_compound = of_compound or (other is not None and any(each.start == other.end() for each in literals))
            if following is not None and _names_metals(text, literal, following):
                continue
            if (
                following is not None
                and is_group(text, following)
                and _OF_GROUP.fullmatch(text, literal.end, following.start)
            ):
                # `metals of the platinum group`: the group alone, whose negation and number stand before the word.
                starts[place + 1] = start
                continue
            if of_compound or _NO_METAL.search(text, 0, start) or _METAL_BEHIND.match(text, literal.end):
                literal = replace(literal, term=ElementTerm("metal"))
        found.append(literal)
    return found


__all__ = ["contained_metals", "is_group", "metals_as_elements"]
