"""
The numbers and formulas of a text, as what they mean: word pieces spell `Li2GeO3` and `4.03` without saying that a
third of the atoms is lithium, or that 4.03 lies near 4.1. Imports nothing heavy, since a search starts with it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from .formulas_clac import ATOMIC_NUMBERS, ELEMENTS, SYMBOL, formula_parts

# What a token is: nothing of this, the element of that atomic number in a formula, a number, or one that is a density.
NOTHING, NUMBER = 0, len(ELEMENTS) + 1
DENSITY = NUMBER + 1
NUM_KINDS = DENSITY + 1

# A word of symbols, amounts and brackets, neither part of a longer word nor of a space group (P2_1/c, Fm-3m).
_FORMULA = re.compile(rf"(?<![\w(\[./-])[(\[]*{SYMBOL}(?:{SYMBOL}|[0-9.]+(?=\d)\d|[0-9]|[()\[\]])*(?![\w/-])")
# Neither part of a word or formula, nor of a space group or an identifier (Fm-3m, mp-149); but both ends of 10-20.
_NUMBER = re.compile(
    r"(?<![\w./)\]])(?<![^\W\d]-)[-−+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?(?!\w|,\d|\.\d)"
)
_DENSITY_UNIT = re.compile(r"[\s~]*g\s*(?:/\s*(?:cm\s*(?:³|\^?\{?3\}?)|cc)|[·⋅.]?\s*cm\s*(?:⁻³|\^?\{?[-−]3\}?))(?!\w)")
# A density above, or from one to another, is not that density.
_BOUND = re.compile(
    r"(?:[<>≤≥~–-]|\b(?:above|below|over|under|than|least|most|beyond|exceeding|exceeds|between)"
    r"|\d\s*to|between\s+[\d.]+\s+and)\s*$"
)
_BOUND_BEHIND = re.compile(r"\s*(?:or|and)\s+(?:more|less|above|below|over|under|up)\b")
_LARGEST_DENSITY = 30.0  # g/cm³; osmium has 22.6
# Spelt like compounds or elements, but words, abbreviations and space groups.
_OTHER_WORDS = frozenset("UV PV HCP BCC FCC CIF OS US In As At No He Be Am Cm Pm Pa".split())
_SINGLE_LETTER = re.compile(r"[A-Z]|[PCFI]\d+")
# Before a crystal system even those are elements: "Be, hexagonal".
_CRYSTAL_SYSTEM = re.compile(r",\s+(?:triclinic|monoclinic|orthorhombic|tetragonal|trigonal|hexagonal|cubic)\b")

# Numbers below this are as good as zero. Periods of the waves that stand for a number, in powers of ten.
SMALLEST = 1e-3
PERIODS = tuple(16.0 / 2.0**k for k in range(9))
# Of densities, which range over two powers of ten, and of which polymorphs differ by a few per cent.
DENSITY_PERIODS = tuple(4.0 / 2.0**k for k in range(9))
# Of atomic fractions, of which a half and two thirds are an eighth of a power of ten apart.
FRACTION_PERIODS = tuple(4.0 / 2.0**k for k in range(6))


def find_quantities(text: str) -> list[tuple[int, int, int, float]]:
    """
    Find the numbers and formulas of a text.

    Args:
        text: Any English text.

    Returns:
        (first character, behind the last one, kind, value) of every written number, with the number as its value (of
        kind `DENSITY` where it is one in g/cm³, and no bound of one), and of every element symbol of a formula, with
        its atomic fraction in it; in the order of the text.
    """
    found = []
    for match in _FORMULA.finditer(text):
        alone = match.group() == text.strip() or _CRYSTAL_SYSTEM.match(text, match.end()) is not None
        found += _read_formula(match.group(), match.start(), alone)
    for match in _NUMBER.finditer(text):
        value = float(match.group().replace("−", "-").replace(",", ""))
        found.append((match.start(), match.end(), _number_kind(text, match, value), value))
    return sorted(found)


def _number_kind(text: str, number: re.Match[str], value: float) -> int:
    unit = _DENSITY_UNIT.match(text, number.end())
    if unit is None or not 0.0 < value <= _LARGEST_DENSITY:
        return NUMBER
    bounded = _BOUND.search(text, max(0, number.start() - 24), number.start()) or _BOUND_BEHIND.match(text, unit.end())
    return NUMBER if bounded else DENSITY


def _read_formula(word: str, start: int, alone: bool) -> list[tuple[int, int, int, float]]:
    """The symbols of a formula with their atomic fractions; none where the word is not one."""
    if not alone:
        bare = word.strip("()[]")
        if bare in _OTHER_WORDS or _SINGLE_LETTER.fullmatch(bare):
            return []
    parts = formula_parts(word, in_sentence=True)
    total = sum(part.amount for part in parts)
    if total <= 0:
        return []
    return [(start + p.start, start + p.end, ATOMIC_NUMBERS[p.symbol], p.amount / total) for p in parts]


def read_quantities(text: str, offsets: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """
    What the tokens of a text mean.

    Args:
        text: The text given to the tokenizer.
        offsets: (first character, position after the last one) of each of the L tokens; equal for special tokens and
            padding.

    Returns:
        `token_kinds` `(L,)` int64: the atomic number for the first piece of an element symbol in a formula, `NUMBER`
        or `DENSITY` for all pieces of a number, else `NOTHING`; `token_values` `(L,)` float32: atomic fraction, the
        number, else 0.
    """
    kinds = np.zeros(len(offsets), dtype=np.int64)
    values = np.zeros(len(offsets), dtype=np.float32)
    pieces = [(start, end, token) for token, (start, end) in enumerate(offsets) if end > start]
    ends = [end for _, end, _ in pieces]
    for start, end, kind, value in find_quantities(text):
        for piece_start, _, token in pieces[bisect_right(ends, start) :]:
            if piece_start >= end:
                break
            kinds[token], values[token] = kind, value
            if kind < NUMBER:
                break
    return kinds, values


__all__ = [
    "DENSITY",
    "DENSITY_PERIODS",
    "FRACTION_PERIODS",
    "NOTHING",
    "NUMBER",
    "NUM_KINDS",
    "PERIODS",
    "SMALLEST",
    "find_quantities",
    "read_quantities",
]
