"""Conditions that hold for some crystals only: `if it contains Li, it must not contain Co`."""

from __future__ import annotations

import re
from dataclasses import replace

from .query import Constraint, Literal

# The verbs may belong to the terms: `contains Li` is a wording.
_IT = r"(?:it|they|one|(?:the|a|any)\s+(?:compound|crystal|material|phase|structure)s?)"
_IF = re.compile(
    rf"\b(?:if|whenever)\s+{_IT}\s+(?:also\s+)?(?:(?:contains?|has|have|includes?|is|are)\s+(?:an?\s+|any\s+)?)?$", re.I
)
_THEN = re.compile(
    rf"\s*,?\s*(?:then\s+)?(?:{_IT}\s+)?(?:must|should|may|can|has\s+to|have\s+to|shall)\s*(?P<not>not|n't)?\s*"
    r"(?:also\s+)?(?:(?:contain|have|include|be)\s+(?:an?\s+|any\s+)?)?",
    re.I,
)


def without_conditionals(text: str, literals: list[Literal]) -> tuple[list[Literal], list[Constraint], list[str]]:
    """
    Read `if it contains Li, it must not contain Co` as not both.

    Args:
        text: The plain text.
        literals: Terms in the order of the text.

    Returns:
        The other terms, the conditions, and those that cannot be said as they are written.
    """
    found: list[Literal] = []
    constraints: list[Constraint] = []
    unread = []
    place = 0
    while place < len(literals):
        literal, following = literals[place], literals[place + 1 : place + 2]
        condition = _IF.search(text, 0, literal.start)
        then = _THEN.fullmatch(text, literal.end, following[0].start) if following else None
        if condition is None or then is None:
            found.append(literal)
            place += 1
            continue
        if then["not"] is None:
            unread.append(" ".join(text[condition.start() : following[0].end].split()))
        else:
            constraints.append(Constraint(tuple(replace(each, negated=True) for each in (literal, following[0]))))
        place += 2
    return found, constraints, unread


__all__ = ["without_conditionals"]
