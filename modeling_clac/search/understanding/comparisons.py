"""Comparisons with compounds, whose values are looked up among the crystals: `harder than titanium carbide`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...concepts.quantities import REFERENCES, find_comparatives, find_mentions
from ...concepts.spelling import key, tokens
from .chemistry import all_free, element_symbol, find_compositions
from .intervals import BEYOND
from .lexicon import LONGEST_NAME, Lexicon
from .query import Comparison, FormulaTerm
from .state import State
from .wordings import together

_THAN = re.compile(r"\s+(?:than|compared\s+(?:to|with))\s+(?:that\s+of\s+)?(?:an?\s+|the\s+)?", re.I)
# `gap larger than that of GaN`
_BEYOND = re.compile(
    rf"\s+(?:(?:is|are|being|(?:must|should)\s+be)\s+)?{BEYOND}\s+(?:that\s+of\s+)?(?:an?\s+|the\s+)?", re.I
)

# `elements lighter than scandium` is a group of elements.
_ELEMENTS_BEFORE = re.compile(r"\b(?:elements?|atoms)\s+(?:that\s+are\s+)?$", re.I)


def read_comparisons(state: State, lexicon: Lexicon) -> None:
    """Read `harder than titanium carbide`, whose value is looked up among the crystals."""
    for column, more, start, than in _compared(state.text):
        if not all_free(state.free, start, than) or _ELEMENTS_BEFORE.search(state.text, 0, start):
            continue
        behind = [word for word in tokens(state.text) if word.start >= than][:LONGEST_NAME]
        words = together(state.text, lexicon, behind, 0) if behind else []
        for count in range(len(words), 0, -1):
            end = words[count - 1].end
            name = state.text[than:end]
            known = REFERENCES.get(re.sub(r"[\s-]+", " ", name.lower()))
            # Elements have prices for themselves, but not diamond.
            if words[0].start != than or (known is not None and (column in known.values or column == "price")):
                break
            if _is_compound(lexicon, name):
                label = state.text[start:end]
                state.comparisons.append(Comparison(column, more, name, label))
                state.mark(start, end)
                break


def _compared(text: str) -> Iterator[tuple[str, bool, int, int]]:
    """Columns that are compared with something, whether they must be larger, where this begins, and what is behind."""
    for found in find_comparatives(text):
        than = _THAN.match(text, found.end)
        if than is not None:
            yield found.column, found.more, found.start, than.end()
    for mention in find_mentions(text):
        beyond = _BEYOND.match(text, mention.end)
        if beyond is not None:
            yield mention.column, beyond["more"] is not None, mention.start, beyond.end()


def _is_compound(lexicon: Lexicon, name: str) -> bool:
    """Whether a text is the name or formula of one compound or element."""
    spelled = key(name)
    concept = lexicon.id_of(spelled)
    if spelled in lexicon.elements or (concept is not None and lexicon.vocabulary[concept].kind in ("name", "element")):
        return True
    whole = [each for each in find_compositions(name, [True] * len(name)) if each.end - each.start == len(name)]
    return any(isinstance(each.term, FormulaTerm) for each in whole) or element_symbol(name, 0, len(name)) is not None


__all__ = ["read_comparisons"]
