"""Columns of the periodic table: `groups 4, 5 or 6`, `groups 4 to 6`."""

from __future__ import annotations

import re

from ...concepts.spelling import key
from .chemistry import all_free
from .implied_elements import allowed_elements
from .lexicon import Lexicon
from .query import CountTerm, Literal, Term
from .state import State
from .wordings import term_of

# A single group is a wording, and `space groups` are others.
_COLUMNS = re.compile(
    r"(?<!space )(?<!point )(?P<any>\bany\s+of\s+)?\bgroups?\s+"
    r"(?P<numbers>(?P<low>1[0-8]|[1-9])(?:\s*(?:to|-|through)\s*(?P<high>1[0-8]|[1-9])"
    r"|(?:\s*(?:,\s*(?:and|or)|,|/|and|or)\s*(?:1[0-8]|[1-9]))+))(?!\w)"
    r"(?:\s+of\s+the\s+periodic\s+table|\s+(?:elements?|metals?))?",
    re.I,
)


def read_columns(state: State, lexicon: Lexicon) -> None:
    """Read lists and spans of columns."""
    for found in _COLUMNS.finditer(state.text):
        if not all_free(state.free, *found.span()):
            continue
        if found["high"] is not None:
            span = _span(lexicon, found)
            state.add([] if span is None else [span])
            continue
        numbers = list(re.finditer(r"\d+", found["numbers"]))
        groups = [_group(lexicon, int(number.group())) for number in numbers]
        if None in groups:
            continue
        for group, number in zip(groups, numbers, strict=True):
            assert group is not None
            start = found.start("numbers") + number.start()
            end = found.end() if number is numbers[-1] else found.start("numbers") + number.end()
            state.add([Literal(group, False, start, end)])
        state.mark(found.start(), found.start("numbers"))


def _span(lexicon: Lexicon, found: re.Match[str]) -> Literal | None:
    low, high = sorted((int(found["low"]), int(found["high"])))
    groups = [group for number in range(low, high + 1) if (group := _group(lexicon, number)) is not None]
    symbols = {symbol for group in groups for symbol in allowed_elements(group, lexicon.vocabulary)}
    if not symbols:
        return None
    # Readings write it as `any of groups 4 to 6`.
    return Literal(CountTerm(f"groups {low} to {high}", tuple(sorted(symbols)), 1), False, *found.span())


def _group(lexicon: Lexicon, number: int) -> Term | None:
    names = (f"group {number}", f"group {number} element", f"group {number} metal")
    concept_id = next(filter(None, (lexicon.id_of(key(name)) for name in names)), None)
    return None if concept_id is None else term_of(lexicon, concept_id)


__all__ = ["read_columns"]
