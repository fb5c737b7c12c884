"""Comparisons with compounds, whose values are looked up among the crystals: `harder than titanium carbide`."""

from __future__ import annotations

import re

from ...concepts.quantities import REFERENCES, find_comparatives
from ...concepts.spelling import key, tokens
from .chemistry import all_free, element_symbol, find_compositions
from .lexicon import LONGEST_NAME, Lexicon
from .query import Comparison, FormulaTerm
from .state import State
from .wordings import together

_THAN = re.compile(r"\s+(?:than|compared\s+(?:to|with))\s+(?:that\s+of\s+)?(?:an?\s+|the\s+)?", re.I)

# `elements lighter than scandium` is a group of elements.
_ELEMENTS_BEFORE = re.compile(r"\b(?:elements?|atoms)\s+(?:that\s+are\s+)?$", re.I)


def read_comparisons(state: State, lexicon: Lexicon) -> None:
    """Read `harder than titanium carbide`, whose value is looked up among the crystals."""
    for found in find_comparatives(state.text):
        than = _THAN.match(state.text, found.end)
        if than is None or not all_free(state.free, found.start, than.end()):
            continue
        if _ELEMENTS_BEFORE.search(state.text, 0, found.start):
            continue
        behind = [word for word in tokens(state.text) if word.start >= than.end()][:LONGEST_NAME]
        words = together(state.text, lexicon, behind, 0) if behind else []
        for count in range(len(words), 0, -1):
            end = words[count - 1].end
            name = state.text[than.end() : end]
            if words[0].start != than.end() or re.sub(r"[\s-]+", " ", name.lower()) in REFERENCES:
                break
            if _is_compound(lexicon, name):
                label = state.text[found.start : end]
                state.comparisons.append(Comparison(found.column, found.more, name, label))
                state.mark(found.start, end)
                break


def _is_compound(lexicon: Lexicon, name: str) -> bool:
    """Whether a text is the name or formula of one compound or element."""
    spelled = key(name)
    concept = lexicon.id_of(spelled)
    if spelled in lexicon.elements or (concept is not None and lexicon.vocabulary[concept].kind in ("name", "element")):
        return True
    whole = [each for each in find_compositions(name, [True] * len(name)) if each.end - each.start == len(name)]
    return any(isinstance(each.term, FormulaTerm) for each in whole) or element_symbol(name, 0, len(name)) is not None


__all__ = ["read_comparisons"]
