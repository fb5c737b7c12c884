"""What a query allows without asking for it: `it does not have to be cubic`, `doesn't matter if toxic`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .asides import Aside
from .grouping import is_second_of_two
from .lists import EXCEPT, JOINT, family
from .polarity import with_polarity
from .query import Literal, RangeTerm

_NOT = r"(?:not|n'?t)"
_MAY = r"\b(?:(?:may|might)(?:\s+(?:also|optionally))?|(?:can|could)\s+(?:also|optionally))"
# `contain iron` may be one wording.
_MAY_BEFORE, _CONTAIN = re.compile(rf"{_MAY}\s+$", re.I), re.compile(r"(?:contain|include)\b", re.I)
_ALLOWED_BEFORE = re.compile(
    rf"(?:(?:do|does|need|is|are|must)\s?{_NOT}\s+(?:really\s+|necessarily\s+)?(?:have|need|required|obliged|want)\s+(?:it\s+|them\s+)?to\s+(?:be|have|contain)"
    rf"|\bneed\s?{_NOT}\s+(?:be|have|contain)|\bnot\s+necessarily|\bno\s+need\s+(?:for|to\s+(?:be|have|contain))"
    rf"|\b(?:do|does)\s?{_NOT}\s+(?:really\s+)?mind|\b(?:do|does)\s?{_NOT}\s+(?:really\s+)?(?:matter|care|mind)\s+(?:if|whether|about)(?:\s+(?:it|they|this|that)(?:\s+(?:is|are|'s|has|have|contains?))?)?"
    rf"|{_MAY}\s+(?:contain|include)|\btolerat(?:es?|ing)|\boptional(?:ly(?:\s+with)?)?|\bwith(?:\s+or\s+|/)without"
    r"|\b(?:no\s+matter|regardless\s+of|irrespective\s+of)(?:\s+(?:if|whether))?)\s+(?:an?\s+|the\s+|any\s+)?$",
    re.I,
)
# Inside a range, whose name may stand before its verb: `gap need not be above 2 eV`.
_ALLOWED_WITHIN = re.compile(
    rf"\b(?:need\s?{_NOT}(?=\s)|(?:do|does)\s?{_NOT}\s+(?:really\s+|necessarily\s+)?(?:have|need)\s+to\b"
    rf"|(?:is|are)\s?{_NOT}\s+(?:required|obliged)\s+to\b|not\s+necessarily\b)",
    re.I,
)
_ALLOWED_BEHIND = re.compile(
    rf"(?:\s+(?:itself|ones?|versions?|compounds?|phases?|materials?|analog(?:ue)?s?|variants?))?\s+(?:(?:is|are|would\s+be|can\s+be)\s+(?:also\s+|totally\s+|perfectly\s+)?(?:ok|okay|fine|alright|accepted|allowed|acceptable|permitted|optional|tolerable|tolerated|welcome|all\s+right)\b"
    # `a third metal or none`, `layered or not`
    r"|or\s+(?:none|not)\b(?!\s+\w+\s+(?:at|than))"
    rf"|{_MAY}\s+be\s+(?:around|present|there|included|involved|inside|in\b)"
    rf"|(?:also\s+)?welcome\b|also\s+(?:ok(?:ay)?|fine|good|possible|acceptable)\b|optional\b|unimportant\b|irrelevant\b|allowed\b|acceptable\b|ok(?:ay)?\b|(?:(?:is|are)\s?)?{_NOT}\s+(?:needed|required|necessary|a\s+must)\b"
    rf"|(?:do|does)\s?{_NOT}\s+matter\b)",
    re.I,
)
# `insulating or metallic I don't care`: neither is asked for.
_NOT_CARED = re.compile(
    rf"\s+(?:(?:I|we)\s+)?(?:do|does)\s?(?:{_NOT}|nt)\s+(?:really\s+)?(?:care|mind)\b(?!\s+(?:about|if|whether|which|for))",
    re.I,
)
_ALSO = re.compile(r"\balso\s+(?:an?\s+|the\s+)?$", re.I)
# `no oxygen is allowed` excludes it.
_NONE_ALLOWED = re.compile(r"\bno\s+(?:\w+\s+)?$", re.I)
_PERMITTED = re.compile(r"\s+(?:\w+\s+)*?(?:allowed|acceptable|permitted|tolerable|tolerated|welcome)\b", re.I)
# Behind what is excluded: `no fluorides except those containing Li`.
_SPARED = re.compile(
    rf"\s*,?\s*(?:{EXCEPT}|but|unless)\s+(?:for\s+)?(?:those|the\s+ones|ones|they|if\s+they)\s+(?:(?:with|of|containing|contain|have|that\s+(?:contain|have))\s+(?:an?\s+)?)?",
    re.I,
)
_NO_MATTER = re.compile(rf"\s+(?:do|does)\s?{_NOT}\s+matter\b", re.I)
_ANY_OF = re.compile(r"\bany\s+of\b[^.;:!?]*$", re.I)
_EITHER = re.compile(r"\beither\s+(?:an?\s+|the\s+)?$", re.I)
_NOTE = "read {!r} as allowed, not as asked for"


def without_allowed(text: str, literals: Iterable[Literal]) -> tuple[list[Literal], list[Aside]]:
    """
    Take out what may hold and need not: neither `cubic` nor `not cubic` is asked by `need not be cubic`.

    Args:
        text: The query.
        literals: Its literals, by their places.

    Returns:
        The other literals, and what was taken out.
    """
    kept: list[Literal] = []
    asides: list[Aside] = []
    last: Literal | None = None
    listed = list(literals)
    excluded = {each.start for each in with_polarity(text, listed) if each.negated}
    for literal in listed:
        # `tantalum ones, titanium ones are fine too`: one of both.
        if any(each.start not in excluded and is_second_of_two(text, each, literal) for each in kept):
            kept.append(literal)
            last = None
            continue
        # `either A or B is fine` asks for one of them.
        if kept and _is_or(text, kept[-1], literal) and _EITHER.search(text, 0, kept[-1].start):
            kept.append(literal)
            last = None
            continue
        # `osmium and rhenium ok` allows both, `iron, and nickel is ok` the last one.
        if kept and _is_and(text, kept[-1], literal) and _is_said_of_all(text, literal):
            asides.append(_aside(text, kept.pop()))
        # `an oxide or a fluoride does not matter` asks for one of them.
        elif kept and _is_or(text, kept[-1], literal) and _NO_MATTER.match(text, literal.end):
            kept.append(literal)
            last = None
            continue
        # `insulating or metallic I don't care`, `also cerium or calcium ok`
        if kept and _is_or(text, kept[-1], literal) and _is_said_of_both(text, kept[-1], literal):
            earlier = kept.pop()
            asides.append(_aside(text, earlier))
            # `gold silver or copper welcome`
            if kept and text[kept[-1].end : earlier.start].isspace() and family(kept[-1]) == family(earlier):
                asides.append(_aside(text, kept.pop()))
        # `others with antimony or tin are fine` asks for one of them.
        elif (
            kept
            and _is_or(text, kept[-1], literal)
            and _ALLOWED_BEHIND.match(text, literal.end)
            and _is_with(text, kept)
        ):
            kept.append(literal)
            last = None
            continue
        goes_on = last is not None and _is_joint(text, last, literal)
        is_spared = bool(kept) and kept[-1].start in excluded and _SPARED.fullmatch(text, kept[-1].end, literal.start)
        if goes_on or is_spared or _is_allowed(text, literal):
            asides.append(_aside(text, literal))
            # What stands before `is fine` is one thing; a list begins behind `need not be`.
            last = literal if _ALLOWED_BEHIND.match(text, literal.end) is None else None
        else:
            kept.append(literal)
            last = None
    return kept, asides


def _aside(text: str, literal: Literal) -> Aside:
    name = text[literal.start : literal.end]
    return Aside(name, _NOTE.format(name))


def _is_or(text: str, before: Literal, literal: Literal) -> bool:
    return re.fullmatch(r"\s*,?\s+or\s+(?:an?\s+)?", text[before.end : literal.start]) is not None


def _is_and(text: str, before: Literal, literal: Literal) -> bool:
    gap = text[before.end : literal.start]
    return re.fullmatch(r"\s+(?:and|&)\s+", gap) is not None and family(before) == family(literal)


def _is_said_of_all(text: str, literal: Literal) -> bool:
    """Whether what allows a term has a verb in the plural, or none."""
    behind = _ALLOWED_BEHIND.match(text, literal.end)
    return behind is not None and re.match(r"(?:\s+\w+s)?\s+is\b", behind.group(), re.I) is None


def _is_with(text: str, kept: list[Literal]) -> bool:
    """Whether the list that ends with the last literal begins behind `with`."""
    place = len(kept) - 1
    while place and JOINT.fullmatch(text[kept[place - 1].end : kept[place].start]):
        place -= 1
    return re.search(r"\b(?:with|containing|of)\s+$", text[: kept[place].start], re.I) is not None or text.startswith(
        "with ", kept[place].start
    )


def _is_said_of_both(text: str, before: Literal, literal: Literal) -> bool:
    behind = _ALLOWED_BEHIND.match(text, literal.end)
    is_welcome = behind is not None and re.search(r"welcome|optional|unimportant", behind.group()) is not None
    is_also = _ALSO.search(text, 0, before.start) is not None and behind is not None
    return is_welcome or is_also or _NOT_CARED.match(text, literal.end) is not None


def _is_allowed(text: str, literal: Literal) -> bool:
    if isinstance(literal.term, RangeTerm) and _ALLOWED_WITHIN.search(text, literal.start, literal.end):
        return True
    if _CONTAIN.match(text, literal.start) and _MAY_BEFORE.search(text, 0, literal.start):
        return True
    behind = _ALLOWED_BEHIND.match(text, literal.end)
    # `any of Fe, Cu, Zn allowed` asks for one of them.
    if behind is not None and _ANY_OF.search(text, 0, literal.start):
        return False
    if behind is not None and _NONE_ALLOWED.search(text, 0, literal.start) and _PERMITTED.match(behind.group()):
        return False
    return (
        behind is not None
        or _NOT_CARED.match(text, literal.end) is not None
        or _ALLOWED_BEFORE.search(text, 0, literal.start) is not None
    )


def _is_joint(text: str, before: Literal, literal: Literal) -> bool:
    """Whether a list of two goes on: `cubic or tetragonal`, `lead halides`."""
    gap = text[before.end : literal.start]
    return "," not in gap and " and " not in gap and JOINT.fullmatch(gap) is not None


__all__ = ["without_allowed"]
