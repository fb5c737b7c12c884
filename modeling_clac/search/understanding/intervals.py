"""Numbers in queries with what stands around them: comparisons, ranges, tolerances and number words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...units_clac import Measure, Unit, canonical_unit, convert, find_measures
from .query_units import with_unit_behind

_ABOVE_SIGNS, _BELOW_SIGNS, _ABOUT_SIGNS = ">=|>|≥|⩾", "<=|<|≤|⩽", "~|≈|∼|≃"
# Comparatives with `than`, misspelt as well; `greater 2.4` leaves it out.
_THAN = r"(?:\s+(?:th[ae]n(?:\s+or\s+equal\s+to)?|as))"
_ABOVE = (
    rf"above|over|(?:gr(?:ea|a|e+)ter|larger|bigger|hig(?:h|)er){_THAN}?|(?:more?|wider|denser|heavier|stiffer|harder|tougher){_THAN}"
    r"|exceed(?:s|ing)?|beyond|at\s+least|(?:a\s+)?min(?:imum)?\.?(?:\s+of)?|upwards?\s+of|starting\s+(?:at|from)"
    r"|in\s+excess\s+of|surpass(?:es|ing)|longer\s+than|greater\s+or\s+equal\s+to|north\s+of|abov|atleast"
)
_BELOW = (
    rf"below|beneath|under|(?:smal+er|lower|fewer){_THAN}?|(?:les+|narrower|lighter|softer|cheaper|less\s+dense|shorter){_THAN}"
    r"|at\s+most|(?:a\s+)?max(?:imum)?\.?(?:\s+of)?|up\s+to|within|south\s+of|belov|bellow"
)
_ABOUT = (
    r"ar+ound|arond|aprox(?:imately)?\.?|about|approximately|approx\.?|roughly|nearly|near|close(?:st)?\s+to|circa|ca\.?|some|in\s+the\s+region\s+of"
    r"|in\s+the\s+order\s+of|of\s+the\s+order\s+of|on\s+the\s+order\s+of"
)
_OF = r"(?:\s*(?:\b(?:a|an|the|of|about|around|roughly|values?|mohs(?:\s+hardness)?)\b|:|-))*\s*$"
_BEFORE_ABOVE, _BEFORE_BELOW, _BEFORE_ABOUT = (
    re.compile(rf"(?:{signs}|(?<!\w)(?:{words})){_OF}", re.I)
    for signs, words in ((_ABOVE_SIGNS, _ABOVE), (_BELOW_SIGNS, _BELOW), (_ABOUT_SIGNS, _ABOUT))
)
_STRICT = re.compile(
    r"(?:<|>|above|over|below|beneath|under|th[ae]n|as|greater|larger|bigger|higher|smaller|lower|fewer|beyond|exceed\w*)\s*$",
    re.I,
)
# Behind the name of a quantity, before what its value is compared with: `gap above that of GaN`.
BEYOND = (
    r"(?:(?P<more>above|over|exceeding|(?:higher|greater|larger|wider|more|bigger)\s+(?:than|as))"
    r"|below|under|(?:lower|smaller|less|narrower|cheaper)\s+(?:than|as))"
)
# `no more than`, `must not be below`, `shouldn't exceed`: the other side, with its end.
_NEGATED = re.compile(
    r"(?<!\w)(?:no|nothing|(?:(?:does|do|did|should|must|can|could|would|is|are)\s+)?not|never|cannot|musn'?t|(?:is|are|was|were|do|does|did|has|have|should|must|need|would|could|ca|wo)n'?t)\s+"
    r"(?:(?:be|go|get|fall|drop|rise|have|contain|ever|at|any)\s+)*$",
    re.I,
)
# `must not be below 2 or above 3`
_NEGATED_TOO = re.compile(r"\s*,?\s*(?:or|nor)\s+$", re.I)
_BEHIND_ABOVE = re.compile(
    r"\s*(?:(?:or\s+so\s+)?(?:or|and)\s+(?:more|higher|above|larger|greater|up|over|upwards?|wider|denser|beyond)\b|\+(?!\w)"
    # `15 GPa up`, `12 GPa plus`
    r"|\s(?:up|upwards?|plus)(?=\s*(?:[,.;:)!?]|$))"
    # `30 meV or better` is less.
    r"|(?<!eV)(?<!kg)(?<!atom)\s+or\s+better\b"
    r"|at\s+(?:the\s+)?(?:very\s+)?least\b|at\s+(?:the\s+)?minimum\b|minimum\b|min\b)",
    re.I,
)
_BEHIND_BELOW = re.compile(
    r"\s*(?:(?:or|and)\s+(?:less|lower|below|smaller|fewer|under|down|narrower|lighter)\b|at\s+(?:the\s+)?(?:very\s+)?most\b"
    r"|maximum\b|max\b|tops\b)",
    re.I,
)
# `1.1eV-1.5eV` is a range, not a unit with a power.
_RANGE_HYPHEN = re.compile(r"(?<=[A-Za-zÅ³])-(?=\d+(?:\.\d+)?\s?(?:m?eV|[GM]Pa|K|Å[3³]?|g/cm[3³]|kg/m[3³])(?!\w))")
# Between the ends of a range, and before it.
_TO = re.compile(r"\s*(?:-|to|(?:un)?till?|\.\.\.?|…|through|until|up\s+to)\s*", re.I)
_AND = re.compile(r"\s*(?:and|&|to|-)\s*", re.I)
# `3 or 4 elements`
_OR = re.compile(r"\s+or\s+", re.I)
# A sign in words, but not that of a tolerance.
_MINUS = re.compile(r"(?<!or )(?<!plus )\bminus\s+$", re.I)
_TOLERANCE = re.compile(r"\s*(?:±|\+/-|\+-|plus\s+or\s+minus|plus\s+minus|,?\s*give\s+or\s+take)\s*", re.I)
_PERCENT = re.compile(r"\s?(?:%|percent\b|per\s+cent\b)", re.I)
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
    "ten": 10, "twelve": 12, "half a dozen": 6, "two dozen": 24, "dozen": 12,
    "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100,
}  # fmt: skip
_NUMBER_WORD = rf"(?:{'|'.join(_WORDS)}|\d+)"
# The noun stands behind the last number: `three or four elements`.
_COUNTED = re.compile(
    rf"(?<![\w-])(?P<number>{_NUMBER_WORD})(?=(?P<more>\s+or\s+(?:more|fewer|less))?(?:\s+(?:or|to|and|(?:but|and)\s+(?:at\s+most|(?:no|not)\s+more\s+than|less\s+than|fewer\s+than))\s+{_NUMBER_WORD})?[\s-]+(?:(?:different|distinct|chemical|(?P<kinds>(?:different\s+)?kinds\s+of))\s+)?"
    r"(?P<what>atoms?|sites?|elements?|components?|constituents?)(?![\w-]))",
    re.I,
)
# The noun stands behind the first number: `at least three elements but less than five`.
_COUNTED_TOO = re.compile(
    r"(?P<what>atoms|sites|elements|components|constituents)\s*,?\s+(?:(?:but|and|yet)\s+)?"
    r"(?:at\s+(?:most|least)|(?:no|not)\s+(?:more|less|fewer)\s+than|(?:more|less|fewer)\s+than|under|below|above|over|up\s+to)\s+"
    rf"(?P<number>{_NUMBER_WORD})(?=\s*(?:[,.;:)]|$))",
    re.I,
)
_IS_BEHIND = re.compile(r"\s+(?:is|being|each|from|of|(?:should|must|has\s+to)\s+be)\b", re.I)
# `2 of Fe, Co, Ni` counts elements of a list and is not a value.
_OF_LIST_BEHIND = re.compile(r"(?:\s+or\s+more)?\s+of\s+(?!the\s+order\b)", re.I)
# Wavelengths, in nm.
_LENGTHS: dict[Unit, float] = {(("nm", 1),): 1.0, (("um", 1),): 1e3}
_ATOMS, _ELEMENTS = (("atom", 1),), (("elements", 1),)
# `a ratio below .2`
_BARE_POINT = re.compile(r"(?<![\w.)])\.(?=\d)")
# Elements with a number that is not a count: `group 13 elements`, `3d elements`.
_GROUP_BEFORE = re.compile(r"(?<!space )(?<!point )groups?\s*(?:\d+\s*(?:,|/|-|to|or|and)\s*)*$", re.I)


@dataclass(frozen=True)
class Interval:
    """
    One or two numbers with what stands around them.

    Attributes:
        low: Lower end; `None` if there is none.
        high: Upper end; `None` if there is none.
        about: The value, if there are no ends.
        exact: Whether `about` stands alone, without a word such as *around*.
        strict: Whether the ends themselves are excluded.
        measure: The first number, with the unit of both.
        start: Index of the first character of the expression.
        end: Index after it.
        needs_name_behind: Whether it is one end of a chain, `1 < gap < 2`.
        wavelength: The wavelength that was read as an energy, as it was written.
        negated: Whether it was negated: `not below 2 eV` has the other end, of `not between 1 and 2 eV` both ends are
            given and values outside are meant.
    """

    low: float | None
    high: float | None
    about: float | None
    exact: bool
    strict: bool
    measure: Measure
    start: int
    end: int
    needs_name_behind: bool = False
    wavelength: str = ""
    negated: bool = False


def read_intervals(text: str, with_units: str, free: Sequence[bool]) -> list[Interval]:
    """
    Read the numbers of a text that are not read yet, with the comparisons and ranges that they belong to.

    Args:
        text: The plain text.
        with_units: A text of the same length that still has the signs of units (Å³).
        free: For each character, whether it is not read yet.
    """
    return _intervals(text, _measures(_RANGE_HYPHEN.sub("…", with_units), free))


def _measures(text: str, free: Sequence[bool]) -> list[Measure]:
    """The numbers of a text that are not read yet, number words included."""
    found = [
        measure
        for measure in find_measures(text)
        if all(free[measure.start : measure.end])
        and _GROUP_BEFORE.search(text, 0, measure.start) is None
        and (measure.unit or _OF_LIST_BEHIND.match(text, measure.stop) is None)
    ]
    for place, measure in enumerate(found):
        minus = _MINUS.search(text, 0, measure.start)
        if minus is not None and measure.value > 0:
            found[place] = measure = measure._replace(start=minus.start(), value=-measure.value)
        found[place] = with_unit_behind(text, measure)
    for match in _BARE_POINT.finditer(text):
        place = match.start() - 1  # a zero is written before the point
        behind = find_measures(f"0{text[match.start() :]}")
        # Before a letter that is not a unit, as in ".5x", there is no number.
        if behind and all(free[match.start() : match.start() + 2]):
            first = behind[0]
            shifted = first._replace(start=match.start(), end=first.end + place, stop=first.stop + place)
            found = [*(measure for measure in found if not shifted.start <= measure.start < shifted.stop), shifted]
    for match in (*_COUNTED.finditer(text), *_COUNTED_TOO.finditer(text)):
        start, end = match.span("number")
        if not all(free[start:end]) or _GROUP_BEFORE.search(text, 0, start):
            found = [measure for measure in found if measure.start != start]
            continue
        # `one element being Te` says which one, and not how many.
        if match["number"].lower() in ("one", "1") and _IS_BEHIND.match(text, match.end("what")):
            continue
        number = match["number"].lower()
        value = float(_WORDS.get(number, 0) or number)
        found = [measure for measure in found if measure.start != start]
        is_atom = match["what"].lower().startswith(("atom", "site")) and match.groupdict().get("kinds") is None
        unit = _ATOMS if is_atom else _ELEMENTS
        # The noun belongs to the number if it stands behind it, unless it is that of `three or more elements`.
        stop = end if match.groupdict().get("more") else max(end, match.end("what"))
        found.append(Measure(start, end, value, unit, stop, False))
    return sorted(found)


def _intervals(text: str, measures: list[Measure]) -> list[Interval]:
    """Join the ends of ranges, and read the words around."""
    found: list[Interval] = []
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
            second, unit = following.value, measure.unit or following.unit
            if measure.unit and following.unit:
                converted = _converted(second, following.unit, unit)
                if converted is None:
                    found.append(_single(text, measure, bool(found) and found[-1].negated))
                    continue
                second = converted
            # `1 eV -2 eV`: a hyphen, not a sign, unless it may be a formation energy.
            if between.isspace() and 0 <= measure.value < -second and ("atom", -1) not in unit:
                between, second = "-", -second
            joined = measure._replace(unit=unit, stop=following.stop)
            if tolerance:
                share = None if following.unit else _PERCENT.match(text, following.stop)
                if share is not None:
                    second, joined = abs(measure.value) * second / 100, joined._replace(stop=share.end())
                low, high = measure.value - second, measure.value + second
                found.append(Interval(low, high, None, False, False, joined, measure.start, joined.stop))
                skip = True
                continue
            before = _RANGE_BEFORE.search(head)
            is_counted = measure.unit == following.unit and measure.unit in (_ATOMS, _ELEMENTS)
            # `3 or 4 elements`: their noun stands behind the second one.
            between = text[measure.end : following.start] if is_counted and measure.stop > following.start else between
            is_range = (
                _TO.fullmatch(between)
                or (before is not None and _AND.fullmatch(between))
                or (is_counted and _OR.fullmatch(between) is not None)
            )
            bounded = _BEFORE_ABOVE.search(head) or _BEFORE_BELOW.search(head)
            if is_range and (before is not None or not bounded):
                start = before.start() if before is not None else measure.start
                about = _BEFORE_ABOUT.search(head)
                if before is None and about is not None:
                    start = about.start()
                low, high = sorted((measure.value, second))
                negated = _NEGATED.search(head, 0, start) is not None
                found.append(Interval(low, high, None, False, False, joined, start, following.stop, negated=negated))
                skip = True
                continue
        found.append(_single(text, measure, bool(found) and found[-1].negated))
    return found


def _converted(value: float, unit: Unit, target: Unit) -> float | None:
    """The second end of `500 meV to 1.5 eV` in the unit of the first; `None` for `2 eV, 5 GPa`."""
    canonical = canonical_unit(unit)
    if unit in _LENGTHS and target in _LENGTHS:
        return value * _LENGTHS[unit] / _LENGTHS[target]
    if unit == target or canonical is None:
        return value if unit == target else None
    return convert(value, unit, target) if canonical == canonical_unit(target) else None


def _single(text: str, measure: Measure, after_negation: bool) -> Interval:
    head = text[: measure.start]
    value = measure.value
    above, below, about = (pattern.search(head) for pattern in (_BEFORE_ABOVE, _BEFORE_BELOW, _BEFORE_ABOUT))
    behind_above, behind_below = _BEHIND_ABOVE.match(text, measure.stop), _BEHIND_BELOW.match(text, measure.stop)
    negative = _NEGATIVE.search(head)
    if negative is not None:
        return Interval(None, value, None, False, True, measure, negative.start(), measure.stop)
    if above is not None or below is not None:
        words = above or below
        assert words is not None
        said, start = words.group(), words.start()
        negation = _NEGATED.search(head, 0, start)
        negated = negation is not None or (after_negation and _NEGATED_TOO.search(head, 0, start) is not None)
        strict = bool(_STRICT.search(re.sub(_OF, "", said) or said)) and not negated
        strict = strict and "equal" not in said and not said.lstrip().startswith((">=", "<=", "≥", "≤"))
        start = start if negation is None else negation.start()
        low, high = (value, None) if (above is not None) != negated else (None, value)
        return Interval(low, high, None, False, strict, measure, start, measure.stop, negated=negated)
    if behind_above is not None:
        return Interval(value, None, None, False, False, measure, measure.start, behind_above.end())
    if behind_below is not None:
        return Interval(None, value, None, False, False, measure, measure.start, behind_below.end())
    chain = _CHAIN.match(text, measure.stop)
    if chain is not None:
        low, high = (value, None) if chain["sign"].startswith(("<", "≤")) else (None, value)
        strict = chain["sign"] in "<>"
        return Interval(low, high, None, False, strict, measure, measure.start, chain.end(), True)
    start = about.start() if about is not None else measure.start
    return Interval(None, None, value, about is None, False, measure, start, measure.stop)


__all__ = ["BEYOND", "Interval", "read_intervals"]
