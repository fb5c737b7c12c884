"""
Chemical formulas: parsing text into elements and amounts.

Which words of a running text are formulas is decided by the callers: `quantities_clac` for the text tower, which
includes alloys and partial occupancies, and `datasets_scripts.entity_linking.formulas` for papers, where only compounds
of a definite composition count.
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
# Pattern of an element symbol. Longer symbols come first: `Co` is cobalt.
SYMBOL = "(?:" + "|".join(sorted(ELEMENTS, key=len, reverse=True)) + ")"
_PART = re.compile(rf"(?P<symbol>{SYMBOL}(?![a-z]))|(?P<open>[(\[])|(?P<close>[)\]])|(?P<amount>\d+(?:\.\d+)?)")


# For `str.translate`.
PLAIN_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_BLANKS = re.compile(r"\s+(?![a-z])")


class FormulaPart(NamedTuple):
    """
    One element symbol of a formula.

    Attributes:
        start: Index of its first character.
        end: Index after its last character.
        symbol: The element symbol.
        amount: Number of atoms, including the multipliers of the enclosing brackets.
    """

    start: int
    end: int
    symbol: str
    amount: float


def formula_parts(text: str, in_sentence: bool = False) -> list[FormulaPart]:
    """
    Parse the element symbols of a formula in their order. Brackets may be nested.

    Args:
        text: A formula, such as `K2Cu[Co(NO2)6]`.
        in_sentence: Also accept brackets that belong to the sentence around the formula and may be unbalanced in `text`
            (`(SrTiO3`, `SrTiO3)`), and numbers without a symbol or bracket before them. Default: `False`.

    Returns:
        The parts; empty if the text is not a formula.
    """
    places: list[tuple[int, int, str]] = []
    amounts: list[float] = []
    opened: list[tuple[str, int]] = []
    last: range | None = None  # the symbols that a following amount multiplies
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
    Return the composition given by a formula.

    Args:
        text: A formula and nothing else, such as `Ca3(PO4)2`. Blanks between its parts are ignored.

    Returns:
        Number of atoms by element, in the order of the formula; empty if the text is not a formula.
    """
    amounts: dict[str, float] = {}
    for part in formula_parts(_BLANKS.sub("", text)):
        amounts[part.symbol] = amounts.get(part.symbol, 0.0) + part.amount
    return amounts


__all__ = ["ATOMIC_NUMBERS", "ELEMENTS", "PLAIN_SUBSCRIPTS", "SYMBOL", "FormulaPart", "formula_parts", "read_formula"]
