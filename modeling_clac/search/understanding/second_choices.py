"""What a query would take, but wants less than something else: `oxides` of `sulfides preferred over oxides`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .asides import Aside
from .lists import JOINT
from .query import Literal, RangeTerm

_ARTICLE = r"\s+(?:an?\s+|the\s+|any\s+)?$"
_SECOND_BEFORE = re.compile(
    # `cubic preferred over tetragonal`
    rf"(?:\b(?:prefer(?:red|able|ably)|favou?red)\s+(?:over|to|above){_ARTICLE}"
    # `we prefer tin over lead`, but not `preferably inert to water`
    rf"|\b(?:prefer\w*|favou?r(?:s|ing)?)\s[^,;.!?]*\sover{_ARTICLE}|\bprefer(?:s|red|ring)?\s[^,;.!?]*\sto{_ARTICLE}"
    # `I would rather have tin than lead`
    rf"|\brather\s[^,;.!?]*\sthan{_ARTICLE})",
    re.I,
)
_LAST = re.compile(rf"\s+(?:over|to|than){_ARTICLE}", re.I)
# `nickel second choice`
_SECOND_BEHIND = re.compile(
    r"\s+(?:is\s+|as\s+|being\s+)?(?:an?\s+|the\s+|my\s+|our\s+)?second\s+(?:choice|best|option)\b"
    r"|\s+as\s+(?:an?\s+|the\s+|my\s+|our\s+)?(?:fall-?back|back-?up|plan\s+B|last\s+resort)\b",
    re.I,
)
_PREFERRED_BEHIND = re.compile(r"[^,;.!?]*\b(?:prefer\w*|favou?red)\s+(?:over|to|above)\b", re.I)


def without_second_choices(text: str, literals: Iterable[Literal]) -> tuple[list[Literal], list[Aside]]:
    """
    Take out what is wanted less: a crystal needs neither to have it nor to lack it.

    Args:
        text: The query.
        literals: Its literals, by their places.

    Returns:
        The other literals, and what was taken out.
    """
    kept: list[Literal] = []
    asides: list[Aside] = []
    group: list[Literal] = []
    for literal in literals:
        if group and _goes_on(text, group[-1], literal):
            group.append(literal)
            continue
        if group:
            asides.append(_aside(text, group))
            group = []
        if _SECOND_BEHIND.match(text, literal.end) or (kept and _is_second(text, kept[-1], literal)):
            group = [literal]
        else:
            kept.append(literal)
    if group:
        asides.append(_aside(text, group))
    return kept, asides


def _is_second(text: str, before: Literal, literal: Literal) -> bool:
    """Whether a literal is the second one of a comparison, whose first one ends right before it."""
    if isinstance(literal.term, RangeTerm) or _SECOND_BEFORE.search(text, 0, literal.start) is None:
        return False
    gap = text[before.end : literal.start]
    return _LAST.fullmatch(gap) is not None or _PREFERRED_BEHIND.match(gap) is not None


def _goes_on(text: str, before: Literal, literal: Literal) -> bool:
    """Whether a list of two goes on: `oxides or nitrides`, `lead halides`."""
    gap = text[before.end : literal.start]
    return "," not in gap and JOINT.fullmatch(gap) is not None and not isinstance(literal.term, RangeTerm)


def _aside(text: str, group: list[Literal]) -> Aside:
    name = text[group[0].start : group[-1].end]
    return Aside(name, f"read {name!r} as the second choice, not as asked for")


__all__ = ["without_second_choices"]
