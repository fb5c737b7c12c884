"""Numbers in queries: comparisons and ranges, bound to the quantity that they belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ...concepts.quantities import (
    QUANTITIES,
    REFERENCES,
    Mention,
    find_comparatives,
    find_mentions,
)
from ...formula_grammar_clac import ATOMIC_NUMBERS
from .intervals import BEYOND, Interval, read_intervals
from .query import Literal, RangeTerm, SortKey
from .query_units import EUROS, columns_of_unit
from .wavelengths import as_gap, wavelength_note

_THAN = re.compile(r"\s+than\b", re.I)
_CLAUSE = re.compile(r"[;.!?](?:\s|$)|\bbut\b|\bwhile\b|\bwhereas\b", re.I)
_NEXT_BOUND = re.compile(
    r"[\s,]*(?:(?:and|but|or|yet)\s+)?(?:(?:also|still|ideally|preferably|better)\s+)?(?:(?:be|is|stays?|remains?|keeps?)\s+)?",
    re.I,
)
# `the heavier alkaline earths` are not denser compounds.
_OF_ELEMENTS = re.compile(
    r"(?:heavi|light)e(?:r|st)\s+(?:alkali\w*|rare[\s-]+earths?|lanthanides?|halogens?|chalcogens?|pnictogens?|tetrels?|elements?|atoms)\b",
    re.I,
)
# What makes fire.
_LIGHTER = re.compile(r"\b(?:gas|cigarette|cigar|fire|pocket|grill)\s+lighter$", re.I)
# `under 4 in density`: the name belongs to the number as if it followed at once.
_IN_NAME = re.compile(r"\s+(?:in|on)\s+(?:the\s+)?", re.I)


@dataclass(frozen=True)
class NumberReading:
    """
    What the numbers of a text say.

    Attributes:
        literals: The ranges.
        sort: The orders.
        used: Spans that were read.
        touched: Spans of names of quantities, which wordings may still use.
        notes: Numbers that were read with doubt or not at all.
    """

    literals: list[Literal]
    sort: list[tuple[int, SortKey]]
    used: list[tuple[int, int]]
    touched: list[tuple[int, int]]
    notes: list[str]


def read_numbers(text: str, with_units: str, free: Sequence[bool]) -> NumberReading:
    """
    Read comparisons, ranges and superlatives.

    Args:
        text: The plain text.
        with_units: A text of the same length that still has the signs of units (Å³).
        free: For each character, whether it is not read yet.
    """
    reading = NumberReading([], [], [], [], [])
    mentions = find_mentions(text)
    _read_comparatives(text, free, reading)
    # `harder` in `harder than 20 GPa` names the quantity.
    compared = [
        Mention(found.column, found.start, found.end)
        for found in find_comparatives(text)
        if _THAN.match(text, found.end)
    ]
    mentions = sorted({*mentions, *compared}, key=lambda mention: (mention.start, mention.end))
    taken = [False] * len(text)
    for start, end in reading.used:
        taken[start:end] = [True] * (end - start)
    usable = [is_free and not is_taken for is_free, is_taken in zip(free, taken, strict=True)]
    intervals = [as_gap(text, interval) for interval in read_intervals(text, with_units, usable)]
    free_names = [mention for mention in mentions if all(usable[mention.start : mention.end])]
    previous: tuple[Interval, str, Mention | None] | None = None
    bound: set[Mention] = set()
    for number, interval in enumerate(intervals):
        before = intervals[number - 1].end if number else 0
        after = intervals[number + 1].start if number + 1 < len(intervals) else len(text)
        found = _bind(text, interval, free_names, bound, before, after, previous)
        if found is None:
            continue
        column, mention, factor = found
        if _says_again(text, interval, column, reading.literals):
            reading.used.append((interval.start, interval.end))
            continue
        if interval.wavelength:
            reading.notes.append(wavelength_note(interval))
        start, end = interval.start, interval.end
        reading.used.append((start, end))
        if column == "price" and EUROS.search(text, start, end):
            reading.notes.append(f"read {text[interval.measure.start : end]} as US dollars, in which prices are known")
        if column == "mohs_hardness":
            # `hardness > 9 on the Mohs scale`
            reading.touched.extend((each.start, each.end) for each in mentions if each.column == "hardness")
        if mention is not None:
            bound.add(mention)
            # `high-frequency dielectric constant eps_inf > 12` names the quantity twice.
            same = [each for each in mentions if each.column == column and _is_name(text, each, mention)]
            reading.touched.extend((each.start, each.end) for each in same)
            start, end = min(start, mention.start), max(end, mention.end)
        outside = interval.negated and interval.low is not None and interval.high is not None
        reading.literals.append(Literal(_term(text, interval, column, factor), outside, start, end))
        previous = interval, column, mention
    _join_chains(text, reading)
    return reading


def _says_again(text: str, interval: Interval, column: str, literals: list[Literal]) -> bool:
    """Whether a value in brackets is that of a substance before: `stiffer than steel (about 160 GPa)`."""
    opened = re.search(r"\s*\(\s*$", text[: interval.start])
    return opened is not None and any(
        isinstance(each.term, RangeTerm) and each.term.column == column and each.end == opened.start()
        for each in literals
    )


def _is_name(text: str, mention: Mention, bound: Mention) -> bool:
    """Whether a name of the quantity of a number is nothing else: K may be potassium where the modulus has its name."""
    between = text[min(mention.end, bound.end) : max(mention.start, bound.start)]
    said = text[mention.start : mention.end]
    # A `dielectric with eps above 20` is a material.
    may_be_other = said in ATOMIC_NUMBERS or said.lower() == "dielectric"
    return not may_be_other or re.search(r"[\w;]", between) is None


def _read_comparatives(text: str, free: Sequence[bool], reading: NumberReading) -> None:
    for found in find_comparatives(text):
        if not all(free[found.start : found.end]):
            continue
        if _LIGHTER.search(text[: found.end]):
            continue
        if _OF_ELEMENTS.match(text, found.start):
            reading.used.append((found.start, found.end))
            reading.notes.append(f"{text[found.start : found.end]!r} is about elements, which are not compared")
            continue
        behind = _REFERENCE.match(text, found.end)
        if behind is not None:
            value = REFERENCES[re.sub(r"[\s-]+", " ", behind["name"].lower())].values.get(found.column)
            quantity = QUANTITIES[found.column]
            reading.used.append((found.start, behind.end()))
            if value is None:
                reading.notes.append(f"no {quantity.label} of {behind['name']} is known here; give a number")
                continue
            term = _beyond(found.column, value, found.more)
            reading.literals.append(Literal(term, False, found.start, behind.end()))
            continue
        # `larger than 2 eV` is a comparison with a number.
        if re.match(r"\s*(?:than|of|:|=|is)?\s*(?:about\s+|around\s+)?[-\d.]*\d", text[found.end :]):
            continue
        if re.match(r"\s+(?:than|compared)\b", text[found.end :]):
            continue
        reading.used.append((found.start, found.end))
        reading.sort.append((found.start, SortKey(found.column, found.more, not found.superlative)))
    for floats in _FLOATS.finditer(text):
        density = REFERENCES[re.sub(r"[\s-]+", " ", floats["name"].lower())].values.get("density")
        if density is not None and all(free[floats.start() : floats.end()]):
            reading.used.append(floats.span())
            reading.literals.append(
                Literal(_beyond("density", density, floats["sinks"] is not None), False, *floats.span())
            )
    for mention in find_mentions(text):
        if not all(free[mention.start : mention.end]):
            continue
        behind = _REFERENCE_BEHIND_NAME.match(text, mention.end)
        if behind is None:
            continue
        value = REFERENCES[re.sub(r"[\s-]+", " ", behind["name"].lower())].values.get(mention.column)
        if value is not None:
            more = behind["more"] is not None
            term = _beyond(mention.column, value, more)
            reading.literals.append(Literal(term, False, mention.start, behind.end()))
            reading.used.append((mention.start, behind.end()))


_SUBSTANCES = "|".join(re.escape(name).replace(r"\ ", r"[\s-]+") for name in sorted(REFERENCES, key=len, reverse=True))
_REFERENCE = re.compile(
    rf"\s+(?:than|as|compared\s+(?:to|with))\s+(?:that\s+of\s+)?(?:a\s+|the\s+)?(?P<name>{_SUBSTANCES})(?!\w)", re.I
)
# `floats on mercury`
_FLOATS = re.compile(
    rf"\b(?:float(?:s|ing)?|swims?|(?P<sinks>sink(?:s|ing)?))\s+(?:on|in)\s+(?:liquid\s+)?(?P<name>{_SUBSTANCES})(?!\w)",
    re.I,
)
_REFERENCE_BEHIND_NAME = re.compile(
    rf"\s+(?:is\s+)?(?:{BEYOND})"
    rf"\s+(?:that\s+of\s+)?(?:a\s+|the\s+)?(?P<name>{_SUBSTANCES})(?!\w)(?!\s+compounds?)",
    re.I,
)


def _bind(
    text: str,
    interval: Interval,
    mentions: list[Mention],
    bound: set[Mention],
    before: int,
    after: int,
    previous: tuple[Interval, str, Mention | None] | None,
) -> tuple[str, Mention | None, float] | None:
    """Return the column of a number, the mention that named it, and the factor that converts its unit."""
    columns, factors = columns_of_unit(interval.measure)
    has_unit = bool(interval.measure.unit)
    candidates = []
    for mention in mentions:
        if mention in bound or not (mention.column in columns or not has_unit):
            continue
        if mention.end <= interval.start and mention.end >= before:
            between = text[mention.end : interval.start]
            distance = len(between)
            # `im a student n need 4 ...`
            if mention.end - mention.start == 1 and interval.exact and re.search(r"\b(?!is\b|of\b|at\b)\w+", between):
                continue
            if _CLAUSE.search(between) or interval.needs_name_behind:
                continue
            limit = 40 if has_unit or not interval.exact else 12
        elif mention.start >= interval.end and mention.end <= after:
            between = text[interval.end : mention.start]
            # What stands behind belongs to the number only if it follows at once: `a 2 eV gap`.
            distance = 1 if _IN_NAME.fullmatch(between) else len(between) + 4
            limit = 24 if has_unit else 6
            if _CLAUSE.search(between) or "," in between:
                continue
        elif interval.start <= mention.start and mention.end <= interval.measure.start:
            # `harder` in `harder than 20 GPa`
            distance, limit = interval.measure.start - mention.end, 24
        elif mention.start >= interval.measure.start and mention.end <= interval.measure.stop:
            between, distance, limit = "", 0, 1  # `5 atoms`: the unit is the name
        else:
            continue
        if distance <= limit:
            candidates.append((distance, mention.start, mention))
    if candidates:
        mention = min(candidates)[2]
        return mention.column, mention, factors.get(mention.column, 1.0)
    if previous is not None and (not has_unit or previous[1] in columns):
        # `bulk modulus above 100 and below 200 GPa`: the second end of the same quantity.
        gap = text[previous[0].end : interval.start]
        if previous[0].needs_name_behind and previous[2] is not None:  # `1 < n < 1.5`
            gap = gap.removeprefix(text[previous[2].start : previous[2].end])
        one_sided = interval.about is None and previous[0].about is None
        if one_sided and _NEXT_BOUND.fullmatch(gap):
            return previous[1], None, factors.get(previous[1], 1.0)
    if not has_unit or not columns:
        return None
    column = columns[0]
    # `hard (> 20 GPa)`
    if "hardness" in columns and re.search(r"hard\s*\(\s*$", text[: interval.start], re.I):
        column = "hardness"
    largest = interval.about if interval.high is None else interval.high
    if (
        ("atom", -1) in interval.measure.unit
        and "energy_above_hull" in columns
        and interval.low is None
        and (largest or 0) >= 0
    ):
        column = "energy_above_hull"
    if column == "debye_temperature":
        return None  # temperatures in queries are of other things
    return column, None, factors.get(column, 1.0)


def _term(text: str, interval: Interval, column: str, factor: float) -> RangeTerm:
    quantity = QUANTITIES[column]
    if interval.about is not None:
        value = _clean(interval.about * factor)
        if quantity.whole:
            return RangeTerm(column, value, value)
        # `formation energy of 2 eV/atom` and `density 5` are about that value: nothing is equal to it.
        width = max(quantity.tolerance, 0.1 * abs(value))
        return RangeTerm(column, _clean(value - width), _clean(value + width), value)
    low, high = (None if end is None else _clean(end * factor) for end in (interval.low, interval.high))
    strict = interval.strict
    if quantity.whole and strict:
        low, high, strict = low if low is None else low + 1, high if high is None else high - 1, False
    return RangeTerm(column, low, high, strict=strict)


def _beyond(column: str, value: float, more: bool) -> RangeTerm:
    return RangeTerm(column, low=value, strict=True) if more else RangeTerm(column, high=value, strict=True)


def _clean(value: float) -> float:
    """Remove the noise of the conversion of units."""
    return float(f"{value:.10g}")


def _join_chains(text: str, reading: NumberReading) -> None:
    """Join two one-sided ranges of one quantity: `1 < gap < 2`, `above 1 and below 2 eV`."""
    for first, second in list(pairwise(list(reading.literals))):
        one, two = first.term, second.term
        assert isinstance(one, RangeTerm) and isinstance(two, RangeTerm)
        if one.column != two.column or one.about is not None or two.about is not None:
            continue
        ends = (one.low if two.low is None else two.low, one.high if two.high is None else two.high)
        opposite = (one.low is None) != (two.low is None) and (one.high is None) != (two.high is None)
        low, high = ends
        if opposite and low is not None and high is not None and low <= high and first in reading.literals:
            place = reading.literals.index(first)
            joined = RangeTerm(one.column, low, high)
            reading.literals[place : place + 2] = [
                Literal(joined, False, min(first.start, second.start), max(first.end, second.end))
            ]


__all__ = ["NumberReading", "read_numbers"]
