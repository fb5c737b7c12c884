"""Formulas whose capital letters were lost: `lifepo4`, `LIFEPO4`."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from .formula_grammar_clac import ELEMENTS, SYMBOL, Parsed, parse_formula

# Common oxidation states (Greenwood and Earnshaw); elements without a row do not occur in restored formulas.
_STATES = {
    symbol: tuple(map(int, states.split()))
    for symbols, states in (
        ("Li Na K Rb Cs Ag", "1"),
        ("Be Mg Ca Sr Ba Zn Cd Ra", "2"),
        ("B Al Ga Sc Y La Nd Gd Dy Ho Er Lu", "3"),
        ("In Tl", "1 3"),
        ("Hf Zr Th Si", "4"),
        ("Ge Sn Pb", "2 4"),
        ("Ti", "2 3 4"),
        ("V", "2 3 4 5"),
        ("Nb Ta", "3 4 5"),
        ("Cr", "2 3 6"),
        ("Mo W", "4 5 6"),
        ("Mn", "2 3 4 7"),
        ("Re", "4 6 7"),
        ("Fe Co", "2 3"),
        ("Ni", "2 3"),
        ("Cu", "1 2"),
        ("Ru Os Ir Rh", "3 4"),
        ("Pd Pt", "2 4"),
        ("Au", "1 3"),
        ("Hg", "1 2"),
        ("Sb Bi As", "-3 3 5"),
        ("Ce Pr Tb", "3 4"),
        ("Sm Eu Tm Yb", "2 3"),
        ("U", "3 4 5 6"),
        ("H", "-1 1"),
        ("C", "-4 4"),
        ("N", "-3 5"),
        ("P", "-3 3 5"),
        ("O", "-2"),
        ("S Se", "-2 4 6"),
        ("Te", "-2 4 6"),
        ("F", "-1"),
        ("Cl Br I", "-1 5 7"),
    )
    for symbol in symbols.split()
}
# Elements that follow the metals in a formula, with their electronegativities (Pauling scale).
_NONMETALS = {
    **{
        "Si": 1.90,
        "B": 2.04,
        "Ge": 2.01,
        "Sb": 2.05,
        "As": 2.18,
        "P": 2.19,
        "H": 2.20,
        "Te": 2.10,
        "C": 2.55,
        "Se": 2.55,
    },
    **{"S": 2.58, "I": 2.66, "Br": 2.96, "N": 3.04, "Cl": 3.16, "O": 3.44, "F": 3.98},
}
# What may stand at the end of a formula with two elements other than metals, such as a phosphate.
_LAST = frozenset("O S Se F Cl Br I".split())
# Restored although they have no numbers, or no charges that add up to zero. English words (tin, gap, inn) and common
# acronyms (PBS, CDS) are not among them.
_CASELESS = {
    formula.lower(): formula
    for formula in (
        "NaCl NaF NaBr KCl KBr LiF LiCl CsCl CsI CsBr RbCl AgCl AgBr MgO CaO SrO BaO ZnO NiO FeO MnO CdO BeO CuO "
        "ZnS ZnSe ZnTe CdTe CdSe HgTe HgSe PbTe PbSe GeTe SnTe SnSe GaN AlN GaAs GaSb InAs InSb InP AlAs AlGaN "
        "InGaN AlGaAs InGaAs HgCdTe SiC TiC ZrC ZrN HfC HfN NbN CrN ScN SiGe "
        "H2O CO2 NH3 CH4 MgB2 Nb3Sn Nb3Ge LaB6 CaB6 TiB2 ZrB2 HfB2 B4C Ni3Al TiAl Ti3Al LaNi5 SmCo5 Nd2Fe14B Fe3C"
    ).split()
}
# English words that are compounds in small letters, alone and with a number behind (a reference, cos2).
WORDS = frozenset(["sic"])
_WORDS_WITH_NUMBERS = frozenset(
    (
        "also basics basis bases because binds bite cab cabin cages captures careers cares cases cause "
        "causes coins columns condo cops cores cos coup covers cows cross crosses cubs cups curate gains "
        "gaps gases gates gathers house houses innate inverse labs lands laps latin lawn laws lays lips mono "
        "moths motif mounds mouse mouths nano pro prof races rains rates ratio ref reins relate relates "
        "relic remote rep retains reunite reverse rubs ruins scalp tavern taps tate thinks thus tips tires "
        "titan undo unite universe up ups us use uses verbs verse verses vertices virus walks was who whose "
        "wins wraps"
    ).split()
)
# Longer runs of letters are words: conditions8.
_LONG_RUN = re.compile(r"[a-z]{9}")
# Those without numbers, in any letters.
CASELESS_WORD = "(?i:" + "|".join(sorted((word for word in _CASELESS if word.isalpha()), key=len, reverse=True)) + ")"
# LiFePo4 is a phosphate; LiPo30 contains polonium.
_PHOSPHATE = re.compile(r"Po(?=[34](?!\.?\d))")
_READABLE = re.compile(r"[a-z0-9.()]+")
_SMALL = {symbol.lower(): symbol for symbol in ELEMENTS if symbol in _STATES}
_LARGEST_WORD, _MOST_ELEMENTS = 24, 6
# Elements that begin no formula of a compound with a metal.
_NOT_FIRST = frozenset("C N O F P S Cl Se Br I".split())


@lru_cache(maxsize=4096)
def restore_capitals(word: str) -> str | None:
    """
    Restore the capital letters of a formula written in small letters or capitals: `lifepo4`, `LIFEPO4`, `Tio2`.

    A word without numbers is restored if it is a well-known compound. One with numbers is restored if it can be read as
    a compound of a metal and others in which no element occurs twice and common oxidation states add up to zero. If
    there are several such readings, the one with the fewest elements counts, and if there are several of these, none.

    Args:
        word: The word.

    Returns:
        The formula, as long as the word; `None` if there is no such reading.
    """
    if _PHOSPHATE.search(word):
        word = _PHOSPHATE.sub("PO", word)
        parsed = parse_formula(word, whole=True)
        return word if parsed is not None and is_balanced(parsed) else None
    small = word.lower()
    if small in _CASELESS:
        return _CASELESS[small]
    if word not in (small, word.upper(), small.capitalize()) or _READABLE.fullmatch(small) is None:
        return None
    if len(small) > _LARGEST_WORD or _LONG_RUN.search(small) or small.rstrip("0123456789") in _WORDS_WITH_NUMBERS:
        return None
    if not re.search(r"[a-z)]\d", small) or re.search(r"(?<![\d.])[01](?![\d.])", small):
        return None
    readings = [reading for reading in _readings(small) if _is_sensible(reading)]
    fewest = min((len(_symbols(reading)) for reading in readings), default=0)
    readings = [reading for reading in readings if len(_symbols(reading)) == fewest]
    return readings[0] if len(readings) == 1 else None


def _symbols(reading: str) -> list[str]:
    return re.findall(SYMBOL, reading)


def _readings(small: str) -> list[str]:
    """All ways to write the letters of a word as symbols of elements."""
    endings: dict[int, list[str]] = {len(small): [""]}
    for place in range(len(small) - 1, -1, -1):
        found = []
        if not small[place].isalpha():
            found = [small[place] + ending for ending in endings[place + 1]]
        else:
            for length in (1, 2):
                symbol = _SMALL.get(small[place : place + length]) if place + length <= len(small) else None
                if symbol and len(symbol) == length:
                    found += [symbol + ending for ending in endings[place + length]]
        endings[place] = found[:256]
    return endings[0]


def _is_sensible(reading: str) -> bool:
    """Return whether a reading is ordered as formulas are, from metals to anions, and balanced."""
    symbols = _symbols(reading)
    parsed = parse_formula(reading, whole=True)
    if parsed is None or parsed.charged or not 2 <= len(symbols) <= _MOST_ELEMENTS or len(set(symbols)) < len(symbols):
        return False
    values = [_NONMETALS.get(symbol, 0.0) for symbol in symbols]
    others = [symbol for symbol in symbols if symbol in _NONMETALS]
    if (len(others) == len(symbols) > 2) or symbols[0] in _NOT_FIRST or (len(others) > 1 and others[-1] not in _LAST):
        # `ca(oh)2` is the only exception.
        return "(OH)" in reading and is_balanced(parsed)
    ordered = all(first <= second for first, second in pairwise(values) if first > 0.0)
    return (ordered or "(OH)" in reading) and is_balanced(parsed)


def is_balanced(parsed: Parsed) -> bool:
    """
    Return whether common oxidation states of a formula add up to zero.

    Args:
        parsed: The formula.
    """
    totals = {(0.0, 0.0)}
    for part in parsed.parts:
        states = _STATES.get(part.symbol, (0,))
        ranges = [(state * part.amount,) * 2 for state in states]
        # A sulfide or oxide may contain pairs (FeS2, Na2O2), and a metal several states (Fe3O4).
        if part.amount == 2 and part.symbol in ("O", "S"):
            ranges.append((-2.0, -2.0))
        if part.symbol not in _NONMETALS:
            ranges.append((min(states) * part.amount, max(states) * part.amount))
        totals = {(low + first, high + last) for low, high in totals for first, last in ranges}
    return any(low <= 1e-6 and high >= -1e-6 for low, high in totals)


__all__ = ["CASELESS_WORD", "WORDS", "is_balanced", "restore_capitals"]
