"""Spellings of people who type fast, as they are meant: `no pb or cd`, `1,5 eV`, `2ish eV`, `1000k`."""

from __future__ import annotations

import re

from .number_words import with_digits

# Symbols that are no other words in small letters.
_SURE = frozenset(
    "li na mg al si cl ca sc ti cr mn fe ni cu zn ga ge br rb sr zr nb ru rh pd ag cd sn sb te cs ba nd sm gd tb dy yb"
    " lu hf pt au hg tl pb bi".split()
)
# Symbols that may be letters, short words or abbreviations: they are read in a list with others.
_UNSURE = frozenset("b c f h k n o p s u v w y ce co er eu ho ir la mo os pr re se ta th tm xe".split())
# Words that are symbols between the signs of a list only.
_WORDS = "in|as|i|at|no"
_SYMBOL = "|".join(sorted(_SURE | _UNSURE, key=len, reverse=True))
_LISTED = rf"(?!w/)(?:{_SYMBOL}|In|As|I|At|No)"
_BETWEEN = r"\s*(?:,|/|&|\+|-)\s*(?:(?:and|or)\s+)?|\s+(?:and|or|nor|plus)\s+|\s+"
_LIST = re.compile(rf"(?<![\w'.,/+-]){_LISTED}(?:(?:{_BETWEEN}){_LISTED})*(?![\w'])(?!-(?:type|axis|block|shell)\b)")
_ITEM = re.compile(rf"(?<!\w){_LISTED}(?!\w)")
_SIGN = re.compile(r"[,/&+-]|\b(?:and|or|nor|plus)\b")
_WORD_IN_LIST = re.compile(
    rf"(?<=[,/&-])(?P<blank>\s?)(?P<word>{_WORDS})"
    rf"(?=\s*[,/&-]\s?(?:{_SYMBOL})(?!\w)|,?\s+(?:and|or)\s+(?:{_SYMBOL})(?!\w))"
)
_NAMED_BEFORE = re.compile(
    r"(?<!\w)(?:no|not|non|without|w/(?:out|o)?|with|of|contain(?:s|ing)?|ha[sv]e?|having|only|and|or|nor|but|plus|minus|lacks?|lacking"
    r"|any|some|want|need|using|exclud(?:e|es|ing)|except|includ(?:e|es|ing)|avoid(?:s|ing)?|both|either|neither|element)[\s-]+$"
    r"|[,(:]\s*$",
    re.I,
)
_WITHOUT = re.compile(r"(?:no|without|w/o(?:ut)?|lacks?|lacking)\b", re.I)
_NAMED_BEHIND = re.compile(
    r"[\s-]+(?:free|based|rich|poor|containing|bearing|doped|ions?|atoms?|cations?|alloys?|compounds?"
    r"|salts?|perovskites?|spinels?|[a-z]+(?:ides?|ates?))\b",
    re.I,
)
_END = re.compile(r"\s*(?:$|[,.;:!?)]|and\b|or\b|but\b)", re.I)
_UNIT = r"(?:m?eV|[GM]Pa|kbar|Å|nm|g\s?/|kg\s?/)"
# `1,5 eV`, as in most of Europe; `1,500 kg/m³` is more than a thousand.
_DECIMAL_COMMA = re.compile(
    rf"(?<![\w.,])(?P<whole>\d{{1,3}}),(?=\d{{1,2}}(?:\s?(?:-|–|to)\s?\d{{1,3}}[.,]\d{{1,2}})?\s?{_UNIT}(?!\w))",
    re.I,
)
# `1.5-ish eV`, `1.5 eV-ish`: a number that stands alone is approximate anyway.
_ISH = re.compile(rf"(?<=\d)(?P<ish>[\s-]?ish)\b(?P<unit>\s?{_UNIT})?", re.I)
_ISH_BEHIND = re.compile(rf"(?<=\d)(?P<unit>\s?{_UNIT})[\s-]?ish\b", re.I)
# Notation of sets: `X ∈ {F, Cl}` is read as `X = (F, Cl)`. What is not equal to a value is not read: a point ends it.
_SIGNS = str.maketrans({"∈": "=", "{": "(", "}": ")", "∧": ",", "∨": "|", "≠": "!"})
_NOT_ZERO = re.compile(r"!=?(?=\s*0(?![.\d]))")
_SMALL_KELVIN = re.compile(r"(?<=\d)(?P<blank>\s?)k(?![\w-])")


def with_plain_numbers(text: str) -> str:
    """
    Write numbers, units and signs as usual.

    Args:
        text: A query.

    Returns:
        A text of the same length.
    """
    text = _NOT_ZERO.sub(lambda found: ">".ljust(len(found.group())), text.translate(_SIGNS))
    text = with_digits(text)
    while _DECIMAL_COMMA.search(text):
        text = _DECIMAL_COMMA.sub(r"\g<whole>.", text)
    text = _ISH.sub(lambda found: (found["unit"] or "").ljust(len(found.group())), text)
    text = _ISH_BEHIND.sub(lambda found: found["unit"].ljust(len(found.group())), text)
    return _SMALL_KELVIN.sub(r"\g<blank>K", text)


def with_capital_symbols(text: str) -> str:
    """
    Write element symbols in small letters with a capital, where they cannot be other words.

    They cannot be in a list of symbols, such as `cu, zn, sn and s`; if one of them stands alone, behind words such as
    `no`, and before words such as `free`.

    Args:
        text: The plain text of a query.

    Returns:
        A text of the same length.
    """

    def capitalized(found: re.Match[str]) -> str:
        run, (start, end) = found.group(), found.span()
        symbols = [item.group() for item in _ITEM.finditer(run)]
        sure = sum(symbol in _SURE for symbol in symbols)
        has_signs = _SIGN.search(run) is not None
        is_list = sure > 0 and len(symbols) > 1 and (has_signs or sure > 1 or len(symbols) > 2)
        before = _NAMED_BEFORE.search(text, 0, start)
        # `without co`, but not `with co doping`; letters are symbols behind `no` and `without` only.
        ends = (
            before is not None
            and before[0][0].isalpha()
            and (len(run) == 2 or _WITHOUT.match(text, before.start()) is not None)
            and _END.match(text, end) is not None
        )
        is_named = len(symbols) == 1 and (
            (before is not None and (sure == 1 or ends))
            or (sure == 1 and (_NAMED_BEHIND.match(text, end) is not None or text.strip() == run))
        )
        return _ITEM.sub(lambda item: item.group().capitalize(), run) if is_list or is_named else run

    text = _WORD_IN_LIST.sub(lambda found: found["blank"] + found["word"].capitalize(), text)
    return _LIST.sub(capitalized, text)


__all__ = ["with_capital_symbols", "with_plain_numbers"]
