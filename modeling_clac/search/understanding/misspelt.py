"""Misspelt names of quantities, corrected before numbers are read: a number is bound to the name next to it."""

from __future__ import annotations

from functools import lru_cache

from ...concepts.quantities import QUANTITIES
from ...concepts.spelling import tokens
from ...formula_markup_clac import FlatText
from .lexicon import Lexicon


def with_quantities_spelled(flat: FlatText, lexicon: Lexicon) -> tuple[FlatText, list[str]]:
    """
    Correct the words of quantities.

    Args:
        flat: A query.
        lexicon: The words that are no mistakes.

    Returns:
        The query, whose places are still those in the original text, and a note for each correction.
    """
    notes = []
    parts, starts, ends = [], [], []
    last = 0
    for word in tokens(flat.text):
        if word.text.lower() in _words() or word.text.isupper():
            continue
        better = lexicon.correction(word.text)
        if better is None or better not in _words():
            continue
        notes.append(f"read {word.text!r} as {better!r}")
        whole = flat.span(word.start, word.end)
        kept = [flat.span(place, place + 1) for place in range(last, word.start)]
        parts += [flat.text[last : word.start], better]
        starts += [start for start, _ in kept] + [whole[0]] * len(better)
        ends += [end for _, end in kept] + [whole[1]] * len(better)
        last = word.end
    if not notes:
        return flat, []
    rest = [flat.span(place, place + 1) for place in range(last, len(flat.text))]
    text = "".join((*parts, flat.text[last:]))
    starts += [start for start, _ in rest]
    ends += [end for _, end in rest]
    return FlatText(text, starts, ends, flat.length or len(flat.text)), notes


@lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    """Words of the names of quantities, and of what compares them."""
    names = (f"{each.words}|{each.more}|{each.less}" for each in QUANTITIES.values())
    return frozenset(word for name in names for word in name.lower().replace("|", " ").split() if word.isalpha())


__all__ = ["with_quantities_spelled"]
