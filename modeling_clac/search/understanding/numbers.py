"""Numbers in queries: comparisons and ranges, bound to the quantity that they belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ...concepts.quantities import (
    QUANTITIES,
    REFERENCES,
    UNIT_COLUMNS,
    UNITLESS,
    Mention,
    find_comparatives,
    find_mentions,
)
from ...formula_grammar_clac import ATOMIC_NUMBERS
from ...units_clac import Measure, canonical_unit, convert, find_measures, read_unit
from .query import Literal, RangeTerm, SortKey

_ABOVE_SIGNS, _BELOW_SIGNS, _ABOUT_SIGNS = ">=|>|≥|⩾", "<=|<|≤|⩽", "~|≈|∼|≃"
_ABOVE = (
    r"above|over|greater\s+than(?:\s+or\s+equal\s+to)?|more\s+than|larger\s+than|bigger\s+than|higher\s+than"
    r"|exceed(?:s|ing)?|beyond|wider\s+than|at\s+least|(?:a\s+)?min(?:imum)?\.?(?:\s+of)?|no\s+less\s+than"
    r"|not\s+less\s+than|not\s+(?:below|under)|no\s+lower\s+than|not\s+smaller\s+than|upwards?\s+of|starting\s+(?:at|from)"
    r"|in\s+excess\s+of|no\s+fewer\s+than|not\s+fewer\s+than|surpass(?:es|ing)|greater\s+or\s+equal\s+to"
    # Misspelt as well.
    r"|abov|atleast|grater\s+than|gre+ter\s+than|hig(?:er|her)\s+then|mor\s+than"
    r"|denser\s+than|heavier\s+than|stiffer\s+than|harder\s+than|tougher\s+than|north\s+of"
)
_BELOW = (
    r"below|under|less\s+than(?:\s+or\s+equal\s+to)?|smaller\s+than|lower\s+than|narrower\s+than"
    r"|fewer\s+than|at\s+most|(?:a\s+)?max(?:imum)?\.?(?:\s+of)?|up\s+to|no\s+more\s+than|not\s+more\s+than"
    r"|not\s+(?:above|over)|not\s+exceeding|no\s+larger\s+than|no\s+greater\s+than|no\s+higher\s+than|within"
    r"|belov|bellow|les+\s+th[ae]n|lower\s+then|smal+er\s+then"
    r"|lighter\s+than|softer\s+than|cheaper\s+than|less\s+dense\s+than|not\s+larger\s+than|not\s+greater\s+than|not\s+higher\s+than|no\s+bigger\s+than"
    r"|doesn't\s+exceed|does\s+not\s+exceed|do\s+not\s+exceed|south\s+of|shorter\s+than"
)
_ABOUT = (
    r"ar+ound|arond|aprox(?:imately)?\.?|about|approximately|approx\.?|roughly|nearly|near|close\s+to|circa|ca\.?|some|in\s+the\s+region\s+of"
    r"|in\s+the\s+order\s+of|of\s+the\s+order\s+of|on\s+the\s+order\s+of"
)
_OF = r"(?:\s*(?:\b(?:a|an|the|of|about|around|roughly|values?|mohs(?:\s+hardness)?)\b|:|-))*\s*$"
_THAN = re.compile(r"\s+than\b", re.I)
_BEFORE_ABOVE, _BEFORE_BELOW, _BEFORE_ABOUT = (
    re.compile(rf"(?:{signs}|(?<!\w)(?:{words})){_OF}", re.I)
    for signs, words in ((_ABOVE_SIGNS, _ABOVE), (_BELOW_SIGNS, _BELOW), (_ABOUT_SIGNS, _ABOUT))
)
_STRICT = re.compile(r"(?:<|>|above|over|below|under|than|beyond|exceed\w*)\s*$", re.I)
_NOT_STRICT = re.compile(r"(?:\bno[t]?\b|n't)[\w\s]*$", re.I)
_BEHIND_ABOVE = re.compile(
    r"\s*(?:(?:or|and)\s+(?:more|higher|above|larger|greater|up|over|upwards?|wider|denser|beyond)\b|\+(?!\w)"
    r"|at\s+least\b|at\s+(?:the\s+)?minimum\b|minimum\b|min\b)",
    re.I,
)
_BEHIND_BELOW = re.compile(
    r"\s*(?:(?:or|and)\s+(?:less|lower|below|smaller|fewer|under|down|narrower|lighter)\b|at\s+(?:the\s+)?most\b"
    r"|maximum\b|max\b|tops\b)",
    re.I,
)
_RANGE_HYPHEN = re.compile(r"(?<=[A-Za-z])-(?=\d+(?:\.\d+)?\s?(?:m?eV|[GM]Pa|K|Å)(?!\w))")
# Between the ends of a range, and before it.
_TO = re.compile(r"\s*(?:-|to|\.\.\.?|…|through|until|up\s+to)\s*", re.I)
_AND = re.compile(r"\s*(?:and|to|-)\s*", re.I)
# A sign in words, but not that of a tolerance.
_MINUS = re.compile(r"(?<!or )(?<!plus )\bminus\s+$", re.I)
_TOLERANCE = re.compile(r"\s*(?:±|\+/-|\+-|plus\s+or\s+minus|plus\s+minus)\s*", re.I)
_RANGE_BEFORE = re.compile(
    r"(?:betwe+n|be+tween|from|(?:in|within|over)\s+(?:the|a)\s+range(?:\s+(?:of|from|between))?|ranging\s+(?:from|between)|range"
    r"|window(?:\s+of)?|range\s+of|lies\s+between|lying\s+between)\s*:?\s*$",
    re.I,
)
# `1 eV < gap < 2 eV`: the sign behind the number, and the name between.
_CHAIN = re.compile(r"\s*(?P<sign><=?|≤|>=?|≥)\s*")
_NEGATIVE = re.compile(r"(?:more\s+negative|stronger|more\s+stable)\s+than\s*$", re.I)
_WORDS = {
    "one": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100,
}  # fmt: skip
_COUNTED = re.compile(
    rf"(?<![\w-])(?P<number>{'|'.join(_WORDS)}|\d+)(?=[\s-]+(?:(?:different|distinct|chemical|(?P<kinds>(?:different\s+)?kinds\s+of))\s+)?"
    r"(?P<what>atoms?|sites?|elements?|components?|constituents?)(?![\w-]))",
    re.I,
)
# Wavelengths in nm of optical spectra, and hc in eV nm (CODATA 2018).
_NANOMETRE, _MICROMETRE = (("nm", 1),), (("um", 1),)
_SHORTEST, _LONGEST = 50.0, 30e3
_EV_NM = 1239.84198
_TRANSPARENT = re.compile(r"\b(?:transparen|transmi|see-through|window\b)", re.I)
_ABSORBS = re.compile(r"\babsorb\w*", re.I)
_OPTICAL = re.compile(
    r"\b(?:gaps?|band\s?gaps?|edge|absor\w+|cut-?off|onset|emi(?:t|ss)\w*|lumin\w+|fluoresc\w+|lasing)", re.I
)
_MOHS = (("mohs", 1),)
_HV = (("HV", 1),)
_HV_BEHIND = re.compile(r"\s?(?:HV\b\d*|VHN\b|kgf?\s?/\s?mm(?:2|\^2|²))")
# 1 kgf/mm²
_GPA_PER_HV = 0.00980665
_PRICE = (("$/kg", 1),)
_CURRENCY = r"(?:US\s?)?\$|USD|dollars?|bucks|€|EUR|euros?"
# A dollar sign is gone from the text: it may have been one of LaTeX.
_PRICE_BEHIND = re.compile(
    rf"\s?(?:{_CURRENCY})?\s?(?:/|per|(?<=[a-z€]\s)an?|for\s+(?:a|one))\s?(?:kg|kilo(?:gram)?s?)\b", re.I
)
_EUROS = re.compile("€|EUR|euros?", re.I)
_CUBIC_ANGSTROM = (("A", 3),)
_CUBIC_ANGSTROM_BEHIND = re.compile(r"\s?A3\b(?!\w)")
_MOHS_BEHIND = re.compile(
    r"\s*(?:(?:on|of|in)\s+)?(?:the\s+)?mohs\b(?:\s+(?:hardness\s+)?scale\b|\s+hardness\b)?", re.I
)
# Units that the reader of numbers in texts does not know.
_UNITS_BEHIND = (
    (_MOHS, _MOHS_BEHIND), (_HV, _HV_BEHIND), (_PRICE, _PRICE_BEHIND), (_CUBIC_ANGSTROM, _CUBIC_ANGSTROM_BEHIND),
)  # fmt: skip
# Elements with a number that is not a count: `group 13 elements`, `3d elements`.
_GROUP_BEFORE = re.compile(r"(?<!space )(?<!point )group\s*$", re.I)
_CLAUSE = re.compile(r"[;.!?](?:\s|$)|\bbut\b|\bwhile\b|\bwhereas\b", re.I)
_NEXT_BOUND = re.compile(r"[\s,]*(?:(?:and|but|or|yet)\s+)?(?:also\s+)?", re.I)


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


@dataclass(frozen=True)
class _Interval:
    """One or two numbers with what stands around them."""

    low: float | None
    high: float | None
    about: float | None
    exact: bool
    strict: bool
    measure: Measure
    start: int
    end: int
    # The end of a chain: `1 < gap < 2`.
    needs_name_behind: bool = False
    # The wavelength that was read as an energy.
    wavelength: str = ""


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
        if not found.superlative and _THAN.match(text, found.end)
    ]
    mentions = sorted({*mentions, *compared}, key=lambda mention: (mention.start, mention.end))
    taken = [False] * len(text)
    for start, end in reading.used:
        taken[start:end] = [True] * (end - start)
    usable = [is_free and not is_taken for is_free, is_taken in zip(free, taken, strict=True)]
    # `1.1eV-1.5eV` is a range, not a unit with a power.
    measures = _measures(_RANGE_HYPHEN.sub("…", with_units), usable)
    intervals = _intervals(text, measures)
    intervals = [_as_gap(text, interval) for interval in intervals]
    free_names = [mention for mention in mentions if all(usable[mention.start : mention.end])]
    previous: tuple[_Interval, str, Mention | None] | None = None
    bound: set[Mention] = set()
    for number, interval in enumerate(intervals):
        before = intervals[number - 1].end if number else 0
        after = intervals[number + 1].start if number + 1 < len(intervals) else len(text)
        found = _bind(text, interval, free_names, bound, before, after, previous)
        if found is None:
            continue
        column, mention, factor = found
        if interval.wavelength:
            reading.notes.append(_wavelength_note(interval))
        start, end = interval.start, interval.end
        reading.used.append((start, end))
        if column == "price" and _EUROS.search(text, start, end):
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
        reading.literals.append(Literal(_term(text, interval, column, factor), False, start, end))
        previous = interval, column, mention
    _join_chains(text, reading)
    return reading


def _is_name(text: str, mention: Mention, bound: Mention) -> bool:
    """Whether a name of the quantity of a number is nothing else: K may be potassium where the modulus has its name."""
    between = text[min(mention.end, bound.end) : max(mention.start, bound.start)]
    return text[mention.start : mention.end] not in ATOMIC_NUMBERS or re.search(r"[\w;]", between) is None


def _read_comparatives(text: str, free: Sequence[bool], reading: NumberReading) -> None:
    for found in find_comparatives(text):
        if not all(free[found.start : found.end]):
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
_REFERENCE_BEHIND_NAME = re.compile(
    r"\s+(?:is\s+)?(?:(?P<more>above|higher\s+than|greater\s+than|larger\s+than|wider\s+than|over|exceeding)"
    r"|below|lower\s+than|smaller\s+than|less\s+than|narrower\s+than|under)"
    rf"\s+(?:that\s+of\s+)?(?:a\s+|the\s+)?(?P<name>{_SUBSTANCES})(?!\w)(?!\s+compounds?)",
    re.I,
)


def _measures(text: str, free: Sequence[bool]) -> list[Measure]:
    """The numbers of a text that are not read yet, number words included."""
    found = [
        measure
        for measure in find_measures(text)
        if all(free[measure.start : measure.end]) and _GROUP_BEFORE.search(text, 0, measure.start) is None
    ]
    for place, measure in enumerate(found):
        minus = _MINUS.search(text, 0, measure.start)
        if minus is not None and measure.value > 0:
            found[place] = measure = measure._replace(start=minus.start(), value=-measure.value)
        if measure.unit:
            continue
        for unit, pattern in _UNITS_BEHIND:
            if (behind := pattern.match(text, measure.stop)) is not None:
                found[place] = measure._replace(unit=unit, stop=behind.end())
                break
    for match in _COUNTED.finditer(text):
        start, end = match.span("number")
        if not all(free[start:end]) or _GROUP_BEFORE.search(text, 0, start):
            found = [measure for measure in found if measure.start != start]
            continue
        number = match["number"].lower()
        value = float(_WORDS.get(number, 0) or number)
        found = [measure for measure in found if measure.start != start]
        is_atom = match["what"].lower().startswith(("atom", "site")) and match["kinds"] is None
        unit = (("atom", 1),) if is_atom else (("elements", 1),)
        found.append(Measure(start, end, value, unit, match.end("what"), False))
    return sorted(found)


def _intervals(text: str, measures: list[Measure]) -> list[_Interval]:
    """Join the ends of ranges, and read the words around."""
    found: list[_Interval] = []
    skip = False
    for number, measure in enumerate(measures):
        if skip:
            skip = False
            continue
        following = measures[number + 1] if number + 1 < len(measures) else None
        between = text[measure.stop : following.start] if following else ""
        head = text[: measure.start]
        if following is not None:
            tolerance = _TOLERANCE.fullmatch(between)
            # A hyphen before the second number is its sign for the reader of numbers.
            second = following.value
            hyphen = between.strip() == "" and text[following.start] == "-" and measure.stop == following.start
            if hyphen and second < 0:
                between, second = "-", -second
            unit = measure.unit or following.unit
            joined = measure._replace(unit=unit, stop=following.stop)
            if tolerance:
                low, high = measure.value - second, measure.value + second
                found.append(_Interval(low, high, None, False, False, joined, measure.start, following.stop))
                skip = True
                continue
            before = _RANGE_BEFORE.search(head)
            is_range = _TO.fullmatch(between) or (before is not None and _AND.fullmatch(between))
            bounded = _BEFORE_ABOVE.search(head) or _BEFORE_BELOW.search(head)
            if is_range and (before is not None or not bounded):
                start = before.start() if before is not None else measure.start
                about = _BEFORE_ABOUT.search(head)
                if before is None and about is not None:
                    start = about.start()
                low, high = sorted((measure.value, second))
                found.append(_Interval(low, high, None, False, False, joined, start, following.stop))
                skip = True
                continue
        found.append(_single(text, measure))
    return found


def _single(text: str, measure: Measure) -> _Interval:
    head = text[: measure.start]
    value = measure.value
    above, below, about = (pattern.search(head) for pattern in (_BEFORE_ABOVE, _BEFORE_BELOW, _BEFORE_ABOUT))
    if above is not None and below is not None:
        # The longer one: `no less than` contains `less than`.
        above, below = (above, None) if above.start() <= below.start() else (None, below)
    behind_above, behind_below = _BEHIND_ABOVE.match(text, measure.stop), _BEHIND_BELOW.match(text, measure.stop)
    negative = _NEGATIVE.search(head)
    if negative is not None:
        return _Interval(None, value, None, False, True, measure, negative.start(), measure.stop)
    if above is not None or below is not None:
        words = above or below
        assert words is not None
        said = words.group()
        strict = bool(_STRICT.search(re.sub(_OF, "", said) or said)) and not _NOT_STRICT.match(said)
        strict = strict and "equal" not in said and not said.lstrip().startswith((">=", "<=", "≥", "≤"))
        low, high = (value, None) if above is not None else (None, value)
        return _Interval(low, high, None, False, strict, measure, words.start(), measure.stop)
    if behind_above is not None:
        return _Interval(value, None, None, False, False, measure, measure.start, behind_above.end())
    if behind_below is not None:
        return _Interval(None, value, None, False, False, measure, measure.start, behind_below.end())
    chain = _CHAIN.match(text, measure.stop)
    if chain is not None:
        low, high = (value, None) if chain["sign"].startswith(("<", "≤")) else (None, value)
        strict = chain["sign"] in "<>"
        return _Interval(low, high, None, False, strict, measure, measure.start, chain.end(), True)
    start = about.start() if about is not None else measure.start
    return _Interval(None, None, value, about is None, False, measure, start, measure.stop)


def _as_gap(text: str, interval: _Interval) -> _Interval:
    """
    Read a wavelength of absorption, emission or transparency as a band gap, E = hc/λ.

    What is transparent down to 300 nm has a gap of at least 4.1 eV; an edge above 500 nm is a gap below 2.5 eV.
    """
    unit = interval.measure.unit
    scale = 1.0 if unit == _NANOMETRE else 1e3 if unit == _MICROMETRE else None
    around = text[max(0, interval.start - 40) : interval.measure.start] + " " + text[interval.end : interval.end + 25]
    ends = [end for end in (interval.low, interval.high, interval.about) if end is not None]
    if scale is None or not all(_SHORTEST <= end * scale <= _LONGEST for end in ends):
        return interval
    energy = {end: round(_EV_NM / (end * scale), 2) for end in ends}
    low = high = about = None
    if _TRANSPARENT.search(around):
        low = energy[min(ends)]
    elif interval.about is not None and _ABSORBS.search(around):
        high = energy[interval.about]
    elif _OPTICAL.search(around):
        about = None if interval.about is None else energy[interval.about]
        low = None if interval.high is None else energy[interval.high]
        high = None if interval.low is None else energy[interval.low]
    else:
        return interval
    measure, said = interval.measure._replace(unit=(("eV", 1),)), text[interval.measure.start : interval.measure.stop]
    return replace(interval, low=low, high=high, about=about, exact=False, measure=measure, wavelength=said)


def _wavelength_note(interval: _Interval) -> str:
    energies = " to ".join(f"{end:g}" for end in (interval.about, interval.low, interval.high) if end is not None)
    return f"read {interval.wavelength} as a photon energy of {energies} eV"


def _columns(measure: Measure) -> tuple[tuple[str, ...], dict[str, float]]:
    """Columns that have the unit of a number, with the factors that convert it."""
    if not measure.unit:
        return UNITLESS, {}
    if measure.unit == _MOHS:
        return ("mohs_hardness",), {}
    if measure.unit == _HV:
        return ("hardness",), {"hardness": _GPA_PER_HV}
    if measure.unit == _PRICE:
        return ("price",), {}
    if measure.unit == (("elements", 1),):
        return ("number_of_elements",), {}
    if measure.unit in (_CUBIC_ANGSTROM, (("angstrom", 3),), (("Å", 3),)):
        return UNIT_COLUMNS["Å³"], {}
    if measure.unit in ((("A", 3), ("atom", -1)), (("angstrom", 3), ("atom", -1))):
        return UNIT_COLUMNS["Å³/atom"], {}
    for unit, columns in UNIT_COLUMNS.items():
        if read_unit(unit) == measure.unit:
            return columns, {}
    canonical = canonical_unit(measure.unit)
    factor = None if canonical is None else convert(1.0, measure.unit, canonical)
    if canonical is None or factor is None:
        return (), {}
    columns = UNIT_COLUMNS[canonical]
    if canonical == "eV" and factor < 1:  # meV
        columns = ("energy_above_hull", "band_gap", "formation_energy_per_atom")
    return columns, dict.fromkeys(columns, factor)


def _bind(
    text: str,
    interval: _Interval,
    mentions: list[Mention],
    bound: set[Mention],
    before: int,
    after: int,
    previous: tuple[_Interval, str, Mention | None] | None,
) -> tuple[str, Mention | None, float] | None:
    """Return the column of a number, the mention that named it, and the factor that converts its unit."""
    columns, factors = _columns(interval.measure)
    has_unit = bool(interval.measure.unit)
    candidates = []
    for mention in mentions:
        if mention in bound or not (mention.column in columns or not has_unit):
            continue
        if mention.end <= interval.start and mention.end >= before:
            between = text[mention.end : interval.start]
            distance = len(between)
            if _CLAUSE.search(between) or interval.needs_name_behind:
                continue
            limit = 40 if has_unit or not interval.exact else 12
        elif mention.start >= interval.end and mention.end <= after:
            between = text[interval.end : mention.start]
            # What stands behind belongs to the number only if it follows at once: `a 2 eV gap`.
            distance = len(between) + 4
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
    if interval.measure.unit == (("atom", -1), ("eV", 1)) and interval.low is None and (interval.high or 0) >= 0:
        column = "energy_above_hull"
    if column == "debye_temperature":
        return None  # temperatures in queries are of other things
    return column, None, factors.get(column, 1.0)


def _term(text: str, interval: _Interval, column: str, factor: float) -> RangeTerm:
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
