"""
Chemical formulas: from text to elements and amounts.

What counts as a formula in running text is decided by those who read it: `quantities_clac` for the text tower, which
also sees alloys and partial occupancies, and `datasets_scripts.entity_linking.formulas` for papers, of which only
compounds of a definite composition count.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ELEMENTS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc "
    "Lv Ts Og"
).split()
ATOMIC_NUMBERS = {symbol: place for place, symbol in enumerate(ELEMENTS, start=1)}
# A pattern for one element symbol, longer ones first: `Co` is cobalt.
SYMBOL = "(?:" + "|".join(sorted(ELEMENTS, key=len, reverse=True)) + ")"
_PART = re.compile(rf"(?P<symbol>{SYMBOL}(?![a-z]))|(?P<open>[(\[])|(?P<close>[)\]])|(?P<amount>\d+(?:\.\d+)?)")


_BLANKS = re.compile(r"\s+(?![a-z])")


class FormulaPart(NamedTuple):
    """
    One symbol of a formula.

    Attributes:
        start: place of its first character.
        end: place behind its last one.
        symbol: the element.
        amount: atoms in the formula, multiplied by the amounts behind the brackets around it.
    """

    start: int
    end: int
    symbol: str
    amount: float


def formula_parts(text: str, in_sentence: bool = False) -> list[FormulaPart]:
    """
    The symbols of a formula in their order; brackets may be nested.

    Args:
        text: a formula, `K2Cu[Co(NO2)6]`.
        in_sentence: accept brackets of the sentence around the formula, which need not be closed or opened in `text`
            (`(SrTiO3`, `SrTiO3)`), and numbers with nothing in front of them.

    Returns:
        The parts, none where the text is not a formula.
    """
    places: list[tuple[int, int, str]] = []
    amounts: list[float] = []
    opened: list[tuple[str, int]] = []
    last: range | None = None  # the symbols that an amount would multiply
    end = 0
    for part in _PART.finditer(text):
        if part.start() != end:
            return []
        end = part.end()
        if part["symbol"]:
            last = range(len(places), len(places) + 1)
            places.append((part.start(), part.end(), part["symbol"]))
            amounts.append(1.0)
        elif part["open"]:
            opened.append((part["open"], len(places)))
            last = None
        elif part["close"]:
            if not opened and in_sentence:
                break
            bracket, first = opened.pop() if opened else ("", 0)
            if not in_sentence and (bracket + part["close"] not in ("()", "[]") or first == len(places)):
                return []
            last = range(first, len(places))
        else:
            if last is None and not in_sentence:
                return []
            for place in last or ():
                amounts[place] *= float(part["amount"])
            last = None
    if not in_sentence and (opened or end != len(text)):
        return []
    return [FormulaPart(*place, amount) for place, amount in zip(places, amounts, strict=True)]


def read_formula(text: str) -> dict[str, float]:
    """
    The composition that a formula states.

    Args:
        text: a formula and nothing else, `Ca3(PO4)2`; blanks between its parts do not count.

    Returns:
        Element -> atoms of it, in the order of the formula; empty where the text is not a formula.
    """
    amounts: dict[str, float] = {}
    for part in formula_parts(_BLANKS.sub("", text)):
        amounts[part.symbol] = amounts.get(part.symbol, 0.0) + part.amount
    return amounts


__all__ = ["ATOMIC_NUMBERS", "ELEMENTS", "SYMBOL", "FormulaPart", "formula_parts", "read_formula"]
