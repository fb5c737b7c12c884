"""
Values of the numbers and formulas in a text.

The word pieces of `Li2GeO3` and `4.03` do not express that a third of the atoms is lithium, or that 4.03 is close to
4.1. This module finds such quantities. It imports nothing slow, since every search starts with it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from .formula_words_clac import STRUKTURBERICHT
from .formulas_clac import ATOMIC_NUMBERS, COMPOSITION, ELEMENTS, Formula, find_formulas
from .site_labels_clac import site_labels
from .units_clac import DENSITY_UNIT, canonical_measure, find_measures, read_number

# Kinds of tokens: none of these, the atomic number of an element in a formula, a number, or a number that is a density.
NOTHING, NUMBER = 0, len(ELEMENTS) + 1
DENSITY = NUMBER + 1
NUM_KINDS = DENSITY + 1

# Units of lengths and angles, and coordination numbers, which may be ranges (3.18-3.25 Å).
_LENGTHS = frozenset("Å nm pm um mm cm m".split())
_GEOMETRY = re.compile(r"(?:[-–]\d+(?:\.\d+)?)?(?:\s?°(?!\s?C)|\s?degrees?\b|-(?:coordinate|fold))")
_LARGEST_DENSITY = 30.0  # g/cm³; osmium has 22.6
# Smaller numbers count as zero. Periods of the waves that represent a number, in powers of ten.
SMALLEST = 1e-3
PERIODS = tuple(16.0 / 2.0**k for k in range(9))
# Periods for densities, which span two powers of ten and differ by a few per cent between polymorphs.
DENSITY_PERIODS = tuple(4.0 / 2.0**k for k in range(9))
# Periods for atomic fractions: 1/2 and 2/3 are an eighth of a power of ten apart.
FRACTION_PERIODS = tuple(4.0 / 2.0**k for k in range(6))


def find_quantities(text: str) -> list[tuple[int, int, int, float]]:
    """
    Find the numbers and the element symbols of formulas in a text.

    Args:
        text: The text.

    Returns:
        (index of the first character, index after the last one, kind, value) of each, in the order of the text. The
        value of a number is the number in the canonical unit of its quantity, such as g/cm³ for densities; its kind is
        `DENSITY` if it is a density and not a bound, else `NUMBER`.
        The value of an element symbol is its atomic fraction in the formula, its kind the atomic number.
    """
    formulas = find_formulas(text)
    found = [quantity for formula in formulas for quantity in element_quantities(formula)]
    return sorted([*found, *(number[:4] for number in find_numbers(text, formulas))])


class Number(NamedTuple):
    """
    A number in a text that may be a property.

    Attributes:
        start: Index of its first character.
        end: Index after its last character.
        kind: `DENSITY` or `NUMBER`.
        value: The number, in the canonical unit of its quantity.
        stop: Index after the last character of its unit.
        plain: Number and unit in the plain spelling and the canonical unit; `None` if the text already has it.
    """

    start: int
    end: int
    kind: int
    value: float
    stop: int
    plain: tuple[str, str] | None


def find_numbers(text: str, formulas: Sequence[Formula]) -> list[Number]:
    """
    Find the numbers in a text that are not part of a formula or of a site label.

    Lengths, angles and coordination numbers are left out. They belong to sites and are not properties of the crystal.

    Args:
        text: The text.
        formulas: Its formulas in the order of the text.

    Returns:
        The numbers, in the order of the text.
    """
    found = []
    ends = [formula.end for formula in formulas]
    labels = set(site_labels(text))
    for measure in find_measures(text):
        place = bisect_right(ends, measure.start)
        if place < len(formulas) and formulas[place].start < measure.end:
            continue
        is_length = len(measure.unit) == 1 and measure.unit[0][0] in _LENGTHS and measure.unit[0][1] == 1
        if is_length or (measure.start - 1, measure.end + 1) in labels or _GEOMETRY.match(text, measure.end):
            continue
        plain = canonical_measure(text, measure)
        value = measure.value if plain is None else read_number(plain[0])
        in_density_unit = plain[1] == "g/cm³" if plain else measure.unit == DENSITY_UNIT
        is_density = in_density_unit and not measure.bound and 0.0 < value <= _LARGEST_DENSITY
        kind = DENSITY if is_density else NUMBER
        found.append(Number(measure.start, measure.end, kind, value, measure.stop, plain))
    return found


def element_quantities(formula: Formula) -> list[tuple[int, int, int, float]]:
    """
    Return the element symbols of a formula that states a composition, as [`find_quantities`] does.

    Args:
        formula: The formula. Ions, dopants and names of structure types state none. The symbol B2 is an exception: the
            texts of training had it with the element it is spelled like, and models know it that way.
    """
    total = sum(part.amount for part in formula.parts)
    if not (formula.role == COMPOSITION or formula.plain == STRUKTURBERICHT) or total <= 0.0:
        return []
    return [(part.start, part.end, ATOMIC_NUMBERS[part.symbol], part.amount / total) for part in formula.parts]


def read_quantities(
    quantities: Iterable[tuple[int, int, int, float]], offsets: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the kinds and values of the tokens of a text.

    Args:
        quantities: The quantities of the text given to the tokenizer; see [`find_quantities`].
        offsets: (index of the first character, index after the last one) of each of the L tokens; both are equal for
            special tokens and padding.

    Returns:
        `token_kinds` `(L,)` int64: the atomic number for the first piece of an element symbol in a formula, `NUMBER` or
        `DENSITY` for all pieces of a number, else `NOTHING`. `token_values` `(L,)` float32: the atomic fraction, the
        number, else 0.
    """
    kinds = np.zeros(len(offsets), dtype=np.int64)
    values = np.zeros(len(offsets), dtype=np.float32)
    pieces = [(start, end, token) for token, (start, end) in enumerate(offsets) if end > start]
    ends = [end for _, end, _ in pieces]
    for start, end, kind, value in quantities:
        for place in range(bisect_right(ends, start), len(pieces)):
            piece_start, _, token = pieces[place]
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
    "element_quantities",
    "find_numbers",
    "find_quantities",
    "read_quantities",
]
