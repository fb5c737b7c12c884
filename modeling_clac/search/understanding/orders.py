"""Orders that a query asks for: `sorted by density, highest first`, `from softest to hardest`."""

from __future__ import annotations

import re
from itertools import pairwise

from ...concepts.quantities import QUANTITIES, Mention, find_comparatives, find_mentions
from .chemistry import all_free
from .query import SortKey
from .state import State

_SORTED = re.compile(
    r"\b(?:(?P<verb>sort(?:ed|ing)?|order(?:ed)?|rank(?:ed|ing)?|arranged?)\b(?:\s+(?!by\b|on\b|according\b)\w+){0,4}?"
    r"\s+(?P<by>(?:by|on|after|according\s+to|in\s+terms\s+of)\b)|(?P<top>top|best)\s+\d+(?:\s+\w+){0,2}?\s+by|(?P<plain>sort(?:ed)?)|(?P<in_order>in\s+(?:the\s+)?order\s+of))\s+(?:their\s+|its\s+|the\s+)?$",
    re.I,
)
_HIGH = (
    "high(?:est)?|larg(?:e|est)|big(?:gest)?|great(?:est)?|wid(?:e|est)|heav(?:y|iest)|dens(?:e|est)|hard(?:est)?"
    "|stiff(?:est)?|most"
)
_LOW = "low(?:est)?|small(?:est)?|narrow(?:est)?|light(?:est)?|soft(?:est)?|cheap(?:est)?|least|few(?:est)?"
_ONES = r"(?:\s+(?:ones?|values?|compounds?|materials?))?"
_DIRECTION = re.compile(
    r"\s*[,;(]?\s*(?:from\s+|in\s+|with\s+)?(?:the\s+|an?\s+)?"
    rf"(?:(?P<down>desc(?:ending)?|decreasing|falling|(?:{_HIGH})\s+to\s+(?:the\s+)?(?:{_LOW})|(?:{_HIGH}){_ONES}\s+(?:first|on\s+top))"
    rf"|asc(?:ending)?|increasing|rising|(?:{_LOW})\s+to\s+(?:the\s+)?(?:{_HIGH})|(?:{_LOW}){_ONES}\s+(?:first|on\s+top))"
    r"(?:\s+order)?\b\)?",
    re.I,
)
_FROM, _TO = (
    re.compile(r"(?:\b(?:sort|order|rank|arrang)\w*\s+)?\bfrom\s+(?:the\s+)?$", re.I),
    re.compile(r"(?:\s+ones?)?\s+to\s+(?:the\s+)?", re.I),
)
_FIRST = re.compile(rf"{_ONES}\s+(?:first|on\s+top)\b", re.I)
_BY = re.compile(r"\s+(?:by|in|on|in\s+terms\s+of)\s+(?:their\s+|its\s+|the\s+)?", re.I)
# Of these, people want the smallest first.
_SMALLEST_FIRST = frozenset({"energy_above_hull", "formation_energy_per_atom", "price", "toxic_share", "nsites"})


def read_orders(state: State) -> None:
    """Read orders, and the directions that stand behind them."""
    mentions = find_mentions(state.text)
    for mention in mentions:
        sorted_by = _SORTED.search(state.text, 0, mention.start)
        if sorted_by is None or not all_free(state.free, sorted_by.start(), mention.end):
            continue
        direction = _DIRECTION.match(state.text, mention.end)
        if direction is None:
            descending = sorted_by["top"] is not None or mention.column not in _SMALLEST_FIRST
            said = QUANTITIES[mention.column].label
            state.notes.append(f"ordered by {said}, {'largest' if descending else 'smallest'} first")
        else:
            descending = direction["down"] is not None
        end = mention.end if direction is None else direction.end()
        state.sort.append((sorted_by.start(), SortKey(mention.column, descending)))
        # What is sorted stands between: `rank the carbides by hardness`.
        begin = sorted_by.start()
        if sorted_by["verb"]:
            state.mark(*sorted_by.span("verb"))
            begin = sorted_by.start("by")
        state.mark(begin, end)
    _read_ends(state, mentions)


def _read_ends(state: State, mentions: list[Mention]) -> None:
    """Read `from softest to hardest`, which begins with the softest, and `first` of `lightest ones first`."""
    superlatives = [each for each in find_comparatives(state.text) if each.superlative]
    for first, last in pairwise(superlatives):
        before = _FROM.search(state.text, 0, first.start)
        if before is None or _TO.fullmatch(state.text, first.end, last.start) is None:
            continue
        if not all_free(state.free, before.start(), last.end):
            continue
        column, end = first.column, last.end
        by = _BY.match(state.text, end)
        named = None if by is None else next((each for each in mentions if each.start == by.end()), None)
        if named is not None:
            column, end = named.column, named.end
        state.sort.append((before.start(), SortKey(column, first.more)))
        state.mark(before.start(), end)
    for each in superlatives:
        behind = _FIRST.match(state.text, each.end)
        if behind is not None and all_free(state.free, *behind.span()):
            state.mark(*behind.span())


__all__ = ["read_orders"]
