"""Numbers written as words where they are values, as in `two hundred GPa`: they are written as digits."""

from __future__ import annotations

import re

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_ONES += "seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = {"hundred": 100, "thousand": 1000}
# Word -> its value.
VALUES = {word: value for value, word in enumerate(_ONES)} | {word: 10 * ten for ten, word in enumerate(_TENS, 2)}
_SCALE = rf"[\s-]+(?:{'|'.join(_SCALES)})"
_BELOW_TEN = "|".join(_ONES[1:10])
_SMALL = rf"(?:(?:{'|'.join(_TENS)})(?:[\s-]+(?:{_BELOW_TEN}))?|{'|'.join(sorted(_ONES[1:], key=len, reverse=True))})"
# At most as many parts as `one hundred thousand two hundred and five`: without a bound, the time would explode.
_LARGE = rf"(?:{_SMALL}|an?|\d+){_SCALE}(?:{_SCALE}|(?:[\s-]+(?:and[\s-]+)?{_SMALL})(?:{_SCALE})?){{0,3}}"
_FRACTION = rf"\s+and\s+a\s+half|\s+point(?:\s+(?:{'|'.join(_ONES[:10])}))+"
_WORDS = rf"(?:{_LARGE}|half\s+an?\b|{_SMALL}(?:{_FRACTION})?)"
_NUMBER = rf"(?:{_WORDS}|\d+(?:\.\d+)?)"
_OTHER_END = rf"(?P<to>\s*(?:-|to|and|or)\s*){_NUMBER}"
# Behind elements whose ratio is given: `three oxygens for every two metal atoms`.
RATIO = r"(?:for|to)\s+(?:every|each)\s+(?:two|three|four|five|six|\d)\b"
# Units that stand behind numbers in words. Single letters may be elements: `one K and two Na`.
_UNIT = (
    r"[\s-]+(?:an?\s+)?(?:m?eV|electron[\s-]?volts?|[GM]Pa|gigapascals?|megapascals?|kbar|kelvins?|grams?|kilograms?|k?g(?=\s?/)|Å|angstroms?"
    r"|nm|nanomet(?:er|re)s?|dollars?|euros?|(?:on\s+the\s+|in\s+)?mohs)(?!\w)"
)
_WITH_UNIT = re.compile(
    rf"(?<![\w.-])(?P<first>{_NUMBER})(?:{_OTHER_END})?(?=(?:\s+or\s+(?:more|less|higher|lower|better|above|below))?{_UNIT})",
    re.I,
)
# `two atoms` is read as it stands; `twenty-five atoms` has more than one word.
_COUNTED = re.compile(
    rf"(?<![\w.-])(?P<first>{_LARGE}|(?:{'|'.join(_TENS)})(?:[\s-]+(?:{_BELOW_TEN}))?)(?=\s+(?:atoms?|sites?)\b)", re.I
)
# `dielectric constant above ten`: quantities without a unit, and others whose unit is left out.
_BEHIND_NAME = re.compile(
    r"\b(?:gap|index|constant|permittivity|modulus|density|hardness|mohs(?:\s+scale)?)\s+(?:(?:is|of|at|an?|be|or|must|should|no|not)\s+)*"
    r"(?:(?:above|over|exceeding|beyond|least|most|below|under|about|around|of|near|(?:more|less|greater|higher|lower|larger|smaller)\s+than)\s+)"
    rf"(?P<first>{_WORDS})(?=\s*(?:$|[,;.!?)]|\b(?:and|but|or\s+(?:more|less|above|higher|better))\b))",
    re.I,
)
# `energy above the hull must be zero`
_NOTHING = re.compile(r"(?<=\s)zero(?=\s*(?:[,.;!?)]|$|\b(?:and|but)\b))", re.I)
_OF_HULL = re.compile(
    r"\bhull(?:\s+(?:energy|distance))?\s+(?:(?:must|should|has\s+to)\s+be|is|of|equal\s+to|equals|=)\s+(?:exactly\s+)?$",
    re.I,
)
_ANY = re.compile("|".join((*_ONES, *_TENS, *_SCALES, "half")), re.I)


def with_digits(text: str) -> str:
    """
    Write numbers in words as digits where a unit or the name of a quantity shows that they are values.

    Args:
        text: A query.

    Returns:
        A text of the same length.
    """
    if _ANY.search(text) is None:
        return text
    text = _NOTHING.sub(lambda found: "   0" if _OF_HULL.search(text, 0, found.start()) else found.group(), text)
    for pattern in (_WITH_UNIT, _COUNTED, _BEHIND_NAME):
        text = pattern.sub(_in_digits, text)
    return text


def _in_digits(found: re.Match[str]) -> str:
    first, last = found["first"], found.groupdict().get("to")
    head = found.group()[: found.start("first") - found.start()]
    if last is None:
        return head + _digits(first)
    second = found.group()[found.end("to") - found.start() :]
    return head + _digits(first, _shared_scale(first, second)) + last + _digits(second)


def _shared_scale(first: str, second: str) -> int:
    """What the first end of `two to three hundred` shares with the second one; 1 if it has a scale of its own."""
    scale = re.search(rf"[\s-]+({'|'.join(_SCALES)})$", second, re.I)
    if scale is None or re.search("|".join(_SCALES), first, re.I):
        return 1
    return _SCALES[scale[1].lower()] if _value(first) < _value(second[: scale.start()]) else 1


def _digits(words: str, scale: int = 1) -> str:
    """Write a number in digits, behind as many blanks as keep the length."""
    if words[0].isdigit() and words.replace(".", "").isdigit() and scale == 1:
        return words
    value = f"{_value(words) * scale:g}" if _value(words) * scale < 1e5 else f"{_value(words) * scale:.0f}"
    # A longer number would move what stands behind it.
    return value.rjust(len(words)) if len(value) <= len(words) else words


def _value(words: str) -> float:
    whole, _, decimals = words.lower().partition("point")
    total = part = 0.0
    for word in re.findall(r"\d+(?:\.\d+)?|[a-z]+", whole):
        if word in _SCALES:
            part = max(part, 1) * _SCALES[word]
            total, part = (total + part, 0.0) if word == "thousand" else (total, part)
        elif word == "half":
            part += 0.5
        elif word[0].isdigit():
            part += float(word)
        else:
            part += VALUES.get(word, 0)
    tail = "".join(str(VALUES[word]) for word in decimals.split())
    return total + part + (float(f"0.{tail}") if tail else 0.0)


__all__ = ["RATIO", "VALUES", "with_digits"]
