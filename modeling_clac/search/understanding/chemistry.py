"""Symmetry symbols, chemical systems, formulas, patterns and element symbols in queries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ...concepts.patterns import read_pattern
from ...concepts.symmetry import POINT_GROUPS, space_group_number
from ...formulas_clac import COMPOSITION, ELEMENTS, ION, find_formulas
from .query import ElementTerm, FormulaTerm, Literal, PatternTerm, PointGroupTerm, SpaceGroupTerm, SystemTerm

_ELEMENT = "|".join(sorted(ELEMENTS, key=len, reverse=True))
_SYMBOL_OF_GROUP = r"[PIFRCABpifrcab][-\d_/a-emnABCM]{1,11}"
_GROUP_WORDS = (
    r"(?:(?:space[\s-]?groups?|\bSG|\bspg\.?|\bs\.g\.)(?:\s*(?:symbol|type|no\.?|nr\.?|number|#|is|=|:|of))*\s*"
    r"|(?-i:N[or])\.\s?(?=\d))"
)
_NAMED_GROUP = re.compile(
    rf"(?<!\w){_GROUP_WORDS}#?(?P<symbol>\d{{1,3}}(?![\w.])|[PIFRCAB](?:\s?[-\d_/]+|\s?[a-emn]){{1,7}}(?![\w])"
    rf"|{_SYMBOL_OF_GROUP}(?!\w))",
    re.I,
)
# A symbol with blanks, as in CIFs: `P 63/m m c`, `F d -3 m`.
_SPACED_GROUP = re.compile(
    r"(?<![\w\-/])(?P<symbol>[PIFRCAB](?:\s-?[1-6_]{1,3}(?:/[a-dmn])?|\s[a-emn]){2,3})(?![\w/-])"
)
_BARE_GROUP = re.compile(rf"(?<![\w\-/·])(?P<symbol>{_SYMBOL_OF_GROUP})(?![\w/])")
_CUBIC = re.compile(r"[PFI][a-dmn]-?3[a-dmn]?")
_NEXT_GROUP = re.compile(r"\s*(?:,|/|and|or)\s*(?:or\s+|and\s+)?(?P<number>\d{1,3})(?![\w.])")
_BEHIND = re.compile(r"\s*(?:space[\s-]?group|symmetry)", re.I)
# Symbols in small letters without numbers that are read as a group; others are words (cancan, immm).
_SMALL = frozenset(
    "pnma pbca pbcn pbcm pmna pnnm pmma pmmn pbam pban pccn pcca pnna cmcm cmca cmmm cccm imma immm ibam ibca"
    "  fddd fmmm pmmm cmce pbnm pmc pmn ima".split()
)
_POINT_GROUP = re.compile(
    r"(?<!\w)(?:(?:crystallographic\s+)?point[\s-]?group|crystal\s+class|(?:crystal\s+)?point\s+symmetry)\s*(?:symbol|is|=|:|of)?\s*"
    r"(?P<symbol>[-\d/m]+|[A-Z][a-z]?\d?[a-z]?\d?)(?!\w)"
    r"|(?<![\w/-])(?P<behind>-?[1-6]?(?:/m|m)[-\dm/]*|-?[346]m2?|-?[2346]{1,3})\s+(?:point[\s-]?group|crystal\s+class)",
)
# Schoenflies symbols (International Tables A, table 3.2.1.4).
_SCHOENFLIES = {
    "C1": "1", "Ci": "-1", "C2": "2", "Cs": "m", "C2h": "2/m", "D2": "222", "C2v": "mm2", "D2h": "mmm", "C4": "4",
    "S4": "-4", "C4h": "4/m", "D4": "422", "C4v": "4mm", "D2d": "-42m", "D4h": "4/mmm", "C3": "3", "S6": "-3",
    "C3i": "-3", "D3": "32", "C3v": "3m", "D3d": "-3m", "C6": "6", "C3h": "-6", "C6h": "6/m", "D6": "622", "C6v": "6mm",
    "D3h": "-6m2", "D6h": "6/mmm", "T": "23", "Th": "m-3", "O": "432", "Td": "-43m", "Oh": "m-3m",
}  # fmt: skip
_OLD_POINT_GROUPS = {"m3m": "m-3m", "m3": "m-3", "-62m": "-6m2", "-4m2": "-42m"}
_SYSTEM = re.compile(rf"(?<![\w-])(?:{_ELEMENT})(?:-(?:{_ELEMENT}))+(?![\w-])(?P<word>\s+(?:chemical\s+)?system)?")
_UNKNOWN_SYSTEM = re.compile(r"(?<![\w-])[A-Z][a-z]?(?:-[A-Z][a-z]?)+(?![\w-])")
_NOT_SYSTEM = re.compile(
    r"\s+(?:(?:functional\s+)?groups?|units?|octahedra|tetrahedra|polyhedra|networks?|frameworks?|sheets?|chains?|contacts?|links?|linkages?|bonds?|bonding|distances?|pairs?|interactions?|stretch)\b",
    re.I,
)
_SYSTEM_WORD = re.compile(
    rf"(?<![\w-])(?:(?:{_ELEMENT})(?:\s*(?:,|and|/|&)\s*(?:and\s+)?|\s+))+(?:{_ELEMENT})\s+(?:chemical\s+|phase\s+)?system(?!\w)"
)


# `V Mn Fe Co Ni Cu`
_ROW = re.compile(rf"(?<![\w-])(?:(?:{_ELEMENT})\s){{2,}}(?:{_ELEMENT})(?![\w-])")


def all_free(free: Sequence[bool], start: int, end: int) -> bool:
    """Whether no character of a span was read yet."""
    return all(free[start:end])


def find_symmetry(text: str) -> list[Literal]:
    """
    Find space groups and point groups.

    Args:
        text: The plain text.
    """
    found: list[Literal] = []
    for match in _POINT_GROUP.finditer(text):
        symbol = match["symbol"] or match["behind"]
        symbol = _SCHOENFLIES.get(symbol, _OLD_POINT_GROUPS.get(symbol, symbol))
        if symbol in POINT_GROUPS:
            found.append(Literal(PointGroupTerm(symbol), False, *match.span()))
    for match in _NAMED_GROUP.finditer(text):
        # The blanks of `P 21/c` are read, the words behind are not.
        symbol, end = match["symbol"], match.end()
        number = _number(symbol)
        while number is None and " " in symbol:
            symbol = symbol.rsplit(" ", 1)[0]
            end = match.start("symbol") + len(symbol)
            number = _number(symbol)
        if number is not None:
            found.append(_group(number, match.start(), end))
            # `space groups 225, 227 or 229`
            while symbol.isdigit() and (more := _NEXT_GROUP.match(text, end)) and (number := _number(more["number"])):
                found.append(_group(number, more.start("number"), more.end()))
                end = more.end()
    for match in _SPACED_GROUP.finditer(text):
        number = _number(match["symbol"]) if re.search(r"\d", match["symbol"]) else None
        if number is not None and not any(literal.start <= match.start() < literal.end for literal in found):
            found.append(_group(number, *match.span()))
    for match in _BARE_GROUP.finditer(text):
        symbol = match["symbol"].rstrip("-/")
        end = match.start() + len(symbol)
        if any(literal.start <= match.start() < literal.end for literal in found) or not _is_group(symbol, text, end):
            continue
        number = _number(symbol)
        if number is not None:
            behind = _BEHIND.match(text, end)
            found.append(_group(number, match.start(), behind.end() if behind else end))
    return found


def _number(symbol: str) -> int | None:
    """Return the number of a space group."""
    plain = symbol.replace("_", "").replace(" ", "")
    numbers = (space_group_number(symbol), _standard_symbols().get(plain), space_group_number(plain))
    return next((number for number in numbers if number is not None), None)


@lru_cache(maxsize=1)
def _standard_symbols() -> dict[str, int]:
    """Symbols without blanks, such as P212121, in which gemmi does not find the axes."""
    import gemmi

    groups = [gemmi.find_spacegroup_by_number(number) for number in range(1, 231)]
    return {group.hm.replace(" ", ""): group.number for group in groups}


def _group(number: int, start: int, end: int) -> Literal:
    return Literal(SpaceGroupTerm(number, group_symbol(number)), False, start, end)


def group_symbol(number: int) -> str:
    """Return the short symbol of a space group in its standard setting, such as `P21/c`."""
    import gemmi

    # gemmi writes H for rhombohedral groups on hexagonal axes.
    return re.sub("^H", "R", gemmi.find_spacegroup_by_number(number).short_name())


def _is_group(symbol: str, text: str, end: int) -> bool:
    """Whether a word without `space group` before it is a space group and not a word or a formula."""
    plain = symbol.replace("_", "")
    if plain.lower() in _SMALL:
        return True
    named = _BEHIND.match(text, end) is not None
    if plain[0].islower():
        return re.search(r"\d[/a-dmn-]|-\d", plain) is not None and len(plain) >= 4
    if len(plain) < 3 or re.fullmatch(r"[A-Z]\d{1,2}", plain):
        return named
    if re.search(r"^.\d|-\d|/", plain):
        return True
    return (plain[1:].islower() and len(plain) >= 4) or _CUBIC.fullmatch(plain) is not None


def find_systems(text: str, free: Sequence[bool]) -> tuple[list[Literal], list[str]]:
    """
    Find chemical systems, such as `Li-P-S` and `Fe, Co and O system`.

    Returns:
        The systems, and the words that look like one but name an unknown element.
    """
    found: list[Literal] = []
    for pattern in (_SYSTEM_WORD, _SYSTEM):
        for match in pattern.finditer(text):
            symbols = re.findall(rf"(?<![A-Za-z])(?:{_ELEMENT})(?![a-z])", match.group())
            if not all_free(free, *match.span()) or _NOT_SYSTEM.match(text, match.end()):
                continue
            if any(literal.start < match.end() and match.start() < literal.end for literal in found):
                continue
            if len(set(symbols)) == len(symbols) > 1:
                found.append(Literal(SystemTerm(tuple(symbols)), False, *match.span()))
    unknown = []
    for match in _UNKNOWN_SYSTEM.finditer(text):
        symbols = match.group().split("-")
        strange = [symbol for symbol in symbols if symbol not in ELEMENTS]
        # `I-III`, `p-n` and `A-B` are other things.
        if len(strange) == 1 and len(strange[0]) == 2 and len(symbols) > 2 and all_free(free, *match.span()):
            unknown.append(strange[0])
    return found, unknown


def find_rows(text: str, free: Sequence[bool]) -> list[list[Literal]]:
    """
    Find symbols of elements in a row without commas, such as `V Mn Fe Co Ni Cu`.

    Args:
        text: The plain text.
        free: For each character, whether it is not read yet.
    """
    found = []
    for match in _ROW.finditer(text):
        symbols = re.compile(r"\S+").finditer(text, *match.span())
        row = [Literal(ElementTerm(symbol.group()), False, *symbol.span()) for symbol in symbols]
        if all_free(free, *match.span()) and len({literal.term for literal in row}) == len(row):
            found.append(row)
    return found


def find_compositions(text: str, free: Sequence[bool]) -> list[Literal]:
    """
    Find formulas and patterns of formulas.

    Args:
        text: The plain text.
        free: For each character, whether it is not read yet.
    """
    found: list[Literal] = []
    for match in re.finditer(r"(?<![\w-])(?<!\w\()(?:(?:Ln|RE|[A-Z][a-z]?)\d*){2,}(?!\w|\)[\w(])", text):
        word = match.group()
        if is_pattern(word) and all_free(free, *match.span()):
            found.append(Literal(PatternTerm(word), False, *match.span()))
    for formula in find_formulas(text):
        taken = any(literal.start < formula.end and formula.start < literal.end for literal in found)
        if taken or not all_free(free, formula.start, formula.end):
            continue
        amounts = formula.amounts
        word = text[formula.start : formula.end]
        if formula.role == ION and len(amounts) == 1:
            found.append(Literal(ElementTerm(next(iter(amounts))), False, formula.start, formula.end))
        elif formula.role == COMPOSITION and len(amounts) > 1:
            found.append(
                Literal(FormulaTerm(_plain(amounts), tuple(amounts.items())), False, formula.start, formula.end)
            )
        elif formula.role == COMPOSITION and any(map(str.isdigit, word)):
            # `C60`: the element and nothing else.
            found.append(Literal(SystemTerm(tuple(amounts)), False, formula.start, formula.end))
    return sorted(found, key=lambda literal: literal.start)


def _plain(amounts: dict[str, float]) -> str:
    from ...concepts.quantities import written_number

    return "".join(
        symbol + ("" if amount == 1 else written_number(round(amount, 4))) for symbol, amount in amounts.items()
    )


_WORDS_IN_CAPITALS = frozenset("MAX AM AX XRD EDX TEM AFM MAB LED RT LT HT AT MA".split())


_WITH_HALOGEN = re.compile(r"[A-Z][a-z]OX")


def is_pattern(word: str) -> bool:
    """Whether a word is a pattern of formulas, such as `ABO3`."""
    return _may_be_pattern(word) and read_pattern(word) is not None


def _may_be_pattern(word: str) -> bool:
    # `A15` is a structure type, as `B1` and `C14` are.
    if word in _WORDS_IN_CAPITALS or len(word) < 2 or (word[0].isalpha() and word[1:].isdigit()):
        return False
    # `BiOX`
    if any(map(str.isdigit, word)) or _WITH_HALOGEN.fullmatch(word):
        return True
    return word in {"AB", "MX", "AX", "XYZ", "ABC", "ABX", "MO", "ABO", "RE", "LnX", "REX", "MN"} - {"RE", "MO", "MN"}


# Symbols that are words, numbers or other symbols as well: they need a sign that an element is meant.
_NEEDS_SUPPORT = frozenset("In As At No He Be Am I C B K P S N V W U Y O H F Pa Ra Mt Ho Es".split())
_SUPPORT_BEHIND = re.compile(
    r"[-\s]?(?:free|based|containing|rich|bearing|poor|doped|deficient|substituted)\b"
    r"|\s+(?:compounds?|alloys?|atoms?|ions?|cations?|anions?|halides?|oxides?|sulfides?|sulphides?|nitrides?|sites?"
    r"|salts?|content|chalcogenides?|fluorides?|chlorides?|bromides?|iodides?|phosphates?|hydrides?|tellurides?"
    r"|selenides?|carbides?|borides?|arsenides?|phosphides?|antimonides?|silicides?|system|minerals?|perovskites?)\b"
    r"|-(?:feldspars?|micas?)\b",
    re.I,
)
_SUPPORT_BEFORE = re.compile(
    r"(?:\b(?:contain(?:s|ing)?|without|no|with|of|only|and|or|nor|neither|either|both|element|elements|free\s+of|exclude"
    r"|excluding|except|has|have|having|but|minus|plus|not|any"
    r"|nor|than|besides|except\s+for|preferably|lack(?:s|ing)?|w/o?|no\s+to|like|such\s+as|e\.g\.?"
    # `four elements, one of which is F`
    r"|one\s+of\s+(?:them|these|which)(?:\s+(?:is|being))?|one\s+(?:element\s+|of\s+the\s+elements\s+)?(?:is|being))|[,/&|¬]|\s\+|[A-Z]\s*=)\s*\(?$",
    re.I,
)
# The first word of a part in a reading that was printed: `oxide · I or iodate`.
_FIRST_OF_PART = re.compile(r" ; $")
# Between the separators of a reading that was printed: `U · oxide`.
_ALONE, _ALONE_BEHIND = re.compile(r"(?:^|;)\s*$"), re.compile(r"\s*(?:;|$)")
_SYMBOL_BEFORE = re.compile(rf"(?<![\w-])(?:{_ELEMENT})\s$")
_LISTED_BEFORE = re.compile(rf"(?<![\w-])(?:{_ELEMENT})\s+(?:and|or)\s+$")
_ENDS_BEHIND = re.compile(r"\s*(?:$|[,.;:!?)])")
# `on the B site` of a perovskite.
_SITE_BEHIND = re.compile(r"[-\s](?:sites?|cations?|positions?|sublattice)\b")
# `B should be a metal` behind a pattern such as `ABO3`.
_PATTERN_WITH_B, _SITE_IS = (
    re.compile(r"(?<!\w)A[A'\d]*B"),
    re.compile(r"\s*(?:=|:|(?:is|being|are|should|must|may|can)\b)"),
)
# `layered or not, I do not care`
_PRONOUN_BEHIND = re.compile(
    r"(?:'(?:m|d|ve|ll)\b|\s+(?:also\s+|really\s+|just\s+|only\s+)?(?:am|do(?:n't)?|did|have|had|can(?:not|'t)?|could|want|need|would|will|think|guess|look|search|know|like|take|care|mean|use|work|study|was|prefer|hope|wish|already|define|remember|recall|teach|lecture|make|say|said|bought|tried|got|am|suppose|believe|assume|expect|ask|heard|read|saw|see)\b)"
)
# `groups III and V`
_ROMAN_BEFORE = re.compile(r"(?<!\w)(?:I{1,3}|IV|VI{0,3})\s*(?:and|or|,|/|&|to)\s*$|\bgroups?\s*$")
_SLASH_BEHIND = re.compile(rf"(?:/|\||\s+or\s+)(?:{_ELEMENT})(?![\w])")
_LIST_BEHIND = re.compile(rf"\s*(?:,|/|&|and|or)\s*(?:(?:and|or)\s+)?(?:{_ELEMENT}|contains\s+metal)(?![\w])")


def element_symbol(text: str, start: int, end: int) -> str | None:
    """
    Return the element of a word that is spelled like a symbol, or `None` if it is another word.

    Args:
        text: The plain text.
        start: Index of the first character of the word.
        end: Index after its last character.
    """
    word = text[start:end]
    if word not in ELEMENTS:
        return None
    if _ALONE.search(text, 0, start) and _ALONE_BEHIND.match(text, end) and word != "No":
        return word
    if word not in _NEEDS_SUPPORT or _FIRST_OF_PART.search(text, 0, start):
        return word
    if text[start - 1 : start] == "-" and start > 1:
        return None
    if word in ("I", "V") and _ROMAN_BEFORE.search(text, 0, start):
        return None
    if word == "B" and (_SITE_BEHIND.match(text, end) or (_SITE_IS.match(text, end) and _PATTERN_WITH_B.search(text))):
        return None
    if word == "I" and _PRONOUN_BEHIND.match(text, end):
        return None
    # `No halides` does not name nobelium.
    if word != "No" and _SUPPORT_BEHIND.match(text, end):
        return word
    before = _SUPPORT_BEFORE.search(text, 0, start)
    # `In`, `As`, `I` and `No` begin sentences; `in`, `as` and `no` are not spelled with a capital elsewhere.
    if before is not None and (word not in ("I",) or before.group().strip().lower() not in ("and", "or", "but", "of")):
        return word
    # `Br or I`
    if word == "I" and _LISTED_BEFORE.search(text, 0, start) and _ENDS_BEHIND.match(text, end):
        return word
    if word != "I" and _SYMBOL_BEFORE.search(text, 0, start):
        return word
    behind = _SLASH_BEHIND if word == "I" else _LIST_BEHIND
    return word if behind.match(text, end) else None


__all__ = [
    "all_free",
    "element_symbol",
    "find_compositions",
    "find_rows",
    "find_symmetry",
    "find_systems",
    "group_symbol",
]
