"""
Grammar of chemical formulas: element symbols, amounts, brackets, water and charges.

`formulas_clac` decides which words of a text are formulas; this module only parses them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

ELEMENTS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc "
    "Lv Ts Og"
).split()
ATOMIC_NUMBERS = {symbol: place for place, symbol in enumerate(ELEMENTS, start=1)}


def _symbol_pattern() -> str:
    """Pattern of an element symbol, by first letters for speed. Longer symbols come first: `Co` is cobalt."""
    seconds: dict[str, str] = {}
    for symbol in sorted(ELEMENTS):
        seconds[symbol[0]] = seconds.get(symbol[0], "") + symbol[1:]
    single = [first for first in seconds if first in ELEMENTS]
    letters = [f"{first}[{second}]" for first, second in seconds.items() if second]
    return f"(?:{'|'.join(letters)}|[{''.join(single)}])"


SYMBOL = _symbol_pattern()

_SIGN = "[-−–+±]"
_VARIABLE = r"(?:[xyzδ]|delta)(?![a-zδ])"
_NUMBER = r"\d+\.\d+(?!\d|(?:\.\d+|/\d+)?H2O)|\d+"
_TOKEN = re.compile(
    rf"(?P<symbol>{SYMBOL})(?!(?![xyz](?![a-z]))[a-z])"
    r"|(?P<roman>\((?:I{1,3}|IV|VI{0,2})\)(?!\d))"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<comma>,\s?)"
    rf"|(?P<amount>(?:{_NUMBER})(?:{_SIGN}(?:{_NUMBER})?(?:{_VARIABLE}|d(?![A-Za-z])))+"
    rf"|(?:{_NUMBER})?{_VARIABLE}(?:{_SIGN}(?:{_NUMBER})?{_VARIABLE})*"
    rf"|\d+/\d+(?!\d|H-)|{_NUMBER})"
)
_TERM = re.compile(rf"(?P<sign>{_SIGN}?)(?P<number>\d+/\d+|\d+\.\d+|\d+)?(?P<variable>[xyzδd]|delta)?")
_DOT = re.compile(
    r"\s?[·•∙⋅‧・*]\s?(?P<many>\d+/\d+|\d+\.\d+|\d+|[nxyz](?![a-z]))?\s?(?=[A-Z(\[])"
    r"|\s(?P<behind>\d+)\s?(?=H2O(?![a-z\d]))"
    r"|\.(?P<water>\d+/\d+|\d+\.\d+|\d+|[nx])?(?=H2O(?![a-z\d]))"
)
# `TiO2(B)` is a phase, `Cu(I)` an oxidation state.
_PHASE = re.compile(r"\([A-Z]\)(?![\dA-Za-z(])")
_LABEL = re.compile(r"\(\d{1,2}[a-z]?\)")
_REPEATED = re.compile(r"[nm](?![A-Za-z0-9])")
_RAISED_CHARGE = re.compile(r"\^(?:\d{0,2}[-−–+]|[-−–+]\d?)")
_PLUS = re.compile(r"\+(?![A-Za-z0-9+]|\s?[δ±])")
# Ions with a charge written on the line. The last digit of `SO42-` is the charge.
_ANION = re.compile(
    r"(?:OH|F|Cl|Br|I|H|CN|SCN|NO[23]|BH4|BF4|PF6|ClO4|MnO4|AlO2|HCO3|H2PO4)[-−–]"
    r"|(?:(?:O|S|Se|Te|CO3|SO[34]|S2O3|HPO4|CrO4|Cr2O7|MoO4|WO4|SiO3)(?=2)|(?:N|P|PO4|AsO4|BO3|VO4)(?=3)|SiO4(?=4))"
    r"(?P<charge>\d)[-−–]"
)
_ENDS_WORD = re.compile(r"(?![\w−–-])")
# Of atoms in a formula unit. Larger numbers are damaged, or not finite.
_LARGEST_AMOUNT = 1e9
_CLOSING = {"(": ")", "[": "]", "{": "}"}


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


class Piece(NamedTuple):
    """A piece of the plain spelling of a formula (a symbol, amount or bracket) and its place."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Parsed:
    """
    A formula parsed from a flat text.

    Attributes:
        start: Index of its first character.
        end: Index after its last character.
        parts: Its element symbols in their order.
        pieces: Its plain spelling.
        definite: Whether all amounts are numbers; `False` for `YBa2Cu3O7-x` and `(Ba,Sr)TiO3`.
        charged: Whether it is an ion.
    """

    start: int
    end: int
    parts: tuple[FormulaPart, ...]
    pieces: tuple[Piece, ...]
    definite: bool
    charged: bool


@dataclass
class _Amount:
    """A number plus variables, such as 1-x or 2x."""

    constant: float
    slopes: dict[str, float] = field(default_factory=dict)

    def value(self, variables: dict[str, float]) -> float:
        if not self.slopes:
            return self.constant
        return self.constant + sum(slope * variables[name] for name, slope in self.slopes.items())


class _Part(NamedTuple):
    start: int
    end: int
    symbol: str
    factors: list[_Amount]


@dataclass
class _Group:
    """An open bracket: its parts, and the pieces at which its items, separated by commas, begin."""

    bracket: str
    first_part: int
    first_piece: int
    start: int
    # For each item its first part, its first piece, and whether an amount ends it.
    items: list[tuple[int, int, bool]] = field(default_factory=list)


class _Parser:
    def __init__(self, flat: str, start: int, whole: bool, many: str):
        self.flat, self.start, self.place, self.whole, self.many = flat, start, start, whole, many
        self.parts: list[_Part] = []
        self.pieces: list[tuple[str | _Amount, int, int]] = []
        self.definite = True
        self.charged = False
        self.numbered = False  # whether it has an oxidation number, as in Fe(III)
        self.grouped = False  # whether the formula is one bracket without a multiplier so far

    def parse(self) -> bool:
        """Parse a formula and what belongs to it; return whether there is one."""
        if not self._units():
            return False
        while dot := _DOT.match(self.flat, self.place):
            before = self.place
            self.place = dot.end()
            if self.many:
                self._multiply(0, 0, _amount(self.many), *self.pieces[0][1:])
                self.start -= len(self.many)
                self.many = ""
            first_part, first_piece = len(self.parts), len(self.pieces)
            if not self._units() or self._inside_word():
                self.place = before
                del self.parts[first_part:], self.pieces[first_piece:]
                break
            many = dot["many"] or dot["behind"] or dot["water"] or "1"
            if many in "nxyz":  # an unknown amount of water is left out
                self.definite = False
                del self.parts[first_part:], self.pieces[first_piece:]
            elif many != "1":
                self._multiply(first_part, first_piece, _amount(many), *dot.span(dot.lastgroup or 0))
            self.grouped = False
        self._charge()
        return not self._inside_word()

    def _inside_word(self) -> bool:
        return self.place < len(self.flat) and (self.flat[self.place].isalnum() or self.flat[self.place] == "_")

    def _multiply(self, first_part: int, first_piece: int, amount: _Amount, start: int, end: int) -> None:
        """Multiply what was parsed since the given part, and write it in brackets."""
        for part in self.parts[first_part:]:
            part.factors.append(amount)
        place = self.pieces[-1][1:]
        if len(self.parts) - first_part > 1 or not isinstance(self.pieces[-1][0], str):
            self.pieces.insert(first_piece, ("(", start, end))
            self.pieces.append((")", *place))
        self.pieces.append((amount, *place))

    def _units(self) -> bool:
        """Parse symbols, amounts and brackets as far as they go."""
        opened: list[_Group] = []
        last: range | None = None  # the parts that a following amount multiplies
        first = len(self.parts)
        self.grouped = False
        while found := _TOKEN.match(self.flat, self.place):
            name, end = found.lastgroup, found.end()
            if name == "roman" and (last is None or (self.whole and len(found.group()) == 3)):
                name, end = "open", found.start() + 1  # (V) is a bracket
            if name == "symbol":
                self.grouped = False
                last = range(len(self.parts), len(self.parts) + 1)
                self.parts.append(_Part(*found.span(), found.group(), []))
                self.pieces.append((found.group(), *found.span()))
            elif name == "roman":
                self.numbered, last = True, None
            elif name == "open":
                if not self.whole and not opened and len(self.parts) > first and _PHASE.match(self.flat, found.start()):
                    break
                if len(self.parts) == first + 1 and _LABEL.match(self.flat, found.start()):
                    return False
                bracket = found.group()[0]
                opened.append(_Group(bracket, len(self.parts), len(self.pieces), found.start()))
                opened[-1].items.append((len(self.parts), len(self.pieces) + 1, False))
                self.pieces.append(("(" if bracket == "{" else bracket, found.start(), end))
                last = None
            elif name == "comma":
                if not opened or len(self.parts) == opened[-1].items[-1][0]:
                    break
                group = opened[-1]
                group.items[-1] = (*group.items[-1][:2], not isinstance(self.pieces[-1][0], str))
                group.items.append((len(self.parts), len(self.pieces), False))
                last = None
            elif name == "close":
                if not opened:
                    break
                group = opened.pop()
                if _CLOSING[group.bracket] != found.group() or group.items[-1][0] == len(self.parts):
                    opened.append(group)
                    break
                group.items[-1] = (*group.items[-1][:2], not isinstance(self.pieces[-1][0], str))
                if len(group.items) > 1:
                    self._share(group)
                self.pieces.append((")" if found.group() == "}" else found.group(), *found.span()))
                last = range(group.first_part, len(self.parts))
                self.grouped = group.first_part == first and not opened
                if repeated := _REPEATED.match(self.flat, found.end()):
                    self.place, self.definite, self.grouped, last = repeated.end(), False, False, None
                    continue
            else:
                if last is None:
                    break
                amount = _amount(found.group())
                for part in self.parts[last.start : last.stop]:
                    part.factors.append(amount)
                self.pieces.append((amount, *found.span()))
                self.grouped, last = False, None
            self.place = end
        if opened:
            # The bracket belongs to the sentence: `SrTiO3(001)`, `NaCl(aq)`.
            self.place = opened[0].start
            del self.parts[opened[0].first_part :], self.pieces[opened[0].first_piece :]
        return len(self.parts) > first

    def _share(self, group: _Group) -> None:
        """Give the items of a mixed site that have no amounts equal shares of what is left of one atom."""
        open_items = [item for item in group.items if not item[2]]
        if not open_items:
            return
        self.definite = False
        stops = [*(item[0] for item in group.items[1:]), len(self.parts)]
        known = sum(
            part.factors[-1].constant
            for (first_part, _, given), stop in zip(group.items, stops, strict=True)
            for part in self.parts[first_part:stop]
            if given and part.factors
        )
        share = _Amount((1.0 - known if known < 1.0 else len(open_items)) / len(open_items))
        items = [*group.items, (len(self.parts), len(self.pieces), True)]
        for (first_part, first_piece, given), (stop, last_piece, _) in reversed(list(pairwise(items))):
            if given:
                continue
            for part in self.parts[first_part:stop]:
                part.factors.append(share)
            place = self.pieces[last_piece - 1][1:]
            many = stop - first_part > 1
            self.pieces[last_piece:last_piece] = [(")", *place), (share, *place)] if many else [(share, *place)]
            if many:
                self.pieces.insert(first_piece, ("(", *self.pieces[first_piece][1:]))

    def _charge(self) -> None:
        """Parse the charge of an ion. The number in `Fe2+` is the charge, and the one in `NH4+` an amount."""
        if raised := _RAISED_CHARGE.match(self.flat, self.place):
            self.place, self.charged = raised.end(), True
            return
        first = self.parts[0].start
        plus = _PLUS.match(self.flat, self.place)
        anion = None if plus else _ANION.match(self.flat, first)
        if anion and not (anion.end() == self.place + 1 and _ENDS_WORD.match(self.flat, anion.end())):
            anion = None
        if plus is None and anion is None:
            return
        self.place, self.charged = self.place + 1, True
        amount, start, end = self.pieces[-1]
        if isinstance(amount, str):
            return
        digits = self.flat[start:end]
        if anion:
            if anion["charge"] is None:
                return
            digits = digits[:-1]
        elif len(self.parts) == 1 or self.flat[start - 1] == "]":
            digits = ""
        else:
            return
        for part in self.parts:
            part.factors[:] = [factor for factor in part.factors if factor is not amount]
        self.pieces.pop()
        if digits:
            self.parts[-1].factors.append(_amount(digits))
            self.pieces.append((_amount(digits), start, end - 1))

    def result(self) -> Parsed | None:
        """Evaluate the amounts; `None` if one of them is not sensible."""
        variables = self._variables()
        parts = []
        for part in self.parts:
            amount = 1.0
            for factor in part.factors:
                amount *= factor.value(variables)
            if amount <= 0.0 and not any(factor.slopes for factor in part.factors):
                return None
            if not amount <= _LARGEST_AMOUNT:
                return None
            parts.append(FormulaPart(part.start, part.end, part.symbol, max(0.0, amount)))
        pieces = []
        for text, start, end in self.pieces:
            if not isinstance(text, str):
                text = written_amount(max(0.0, text.value(variables)))
                if text == "1":
                    continue
            pieces.append(Piece(text, start, end))
        definite = self.definite and not variables
        charged = self.charged or (self.numbered and len(parts) == 1)
        return Parsed(self.start, self.place, tuple(parts), tuple(pieces), definite, charged)

    def _variables(self) -> dict[str, float]:
        """
        Choose the values of variables.

        A variable that only shifts amounts (`O7-x`) is 0, an amount of its own (`NaxCoO2`) is 1, and one that
        distributes a site over elements (`AlxGa1-xN`) gives them equal shares.
        """
        amounts = [factor for part in self.parts for factor in part.factors if factor.slopes]
        values: dict[str, float] = {}
        for name in {name for amount in amounts for name in amount.slopes}:
            own = [amount for amount in amounts if name in amount.slopes]
            shifts = [amount for amount in own if amount.constant]
            if len(shifts) == len(own):
                values[name] = 0.0
            else:
                # Of `1-x-y`, each variable and what is left are a third.
                shares = [
                    min(-amount.constant / amount.slopes[name], 1.0) / (1 + len(amount.slopes))
                    for amount in shifts
                    if amount.slopes[name] < 0
                ]
                values[name] = min(shares, default=1.0)
        return values


def _amount(text: str) -> _Amount:
    if text.isdigit():
        return _Amount(float(text))
    amount = _Amount(0.0)
    for term in _TERM.finditer(text):
        if not term.group():
            continue
        numerator, _, denominator = (term["number"] or "1").partition("/")
        number = float(numerator) / float(denominator or 1) if float(denominator or 1) else 0.0
        if term["sign"] in tuple("-−–"):
            number = -number
        name = {"delta": "δ", "d": "δ"}.get(term["variable"] or "", term["variable"])
        if name:
            amount.slopes[name] = amount.slopes.get(name, 0.0) + number
        else:
            amount.constant += number
    return amount


def written_amount(amount: float) -> str:
    """Write an amount with at most three decimals: 2, 0.75, 0.333."""
    return f"{amount:.3f}".rstrip("0").rstrip(".")


def parse_formula(flat: str, start: int = 0, whole: bool = False, many: str = "") -> Parsed | None:
    """
    Parse the formula that begins at a place of a text.

    Args:
        flat: A text without the markup of subscripts; see `formula_markup_clac`.
        start: Index of its first character, a bracket or the first letter of a symbol.
        whole: Whether the rest of the text is one formula. Otherwise, brackets may belong to the sentence: `(NaCl)`,
            `TiO2(B)`. Default: `False`.
        many: A number before it, which belongs to the first part of a product: `3CaO·Al2O3`.

    Returns:
        The formula, which ends at the end of a word; `None` if there is none.
    """
    parser = _Parser(flat, start, whole, many)
    if not parser.parse() or (parser.grouped and not whole) or (whole and parser.place != len(flat)):
        return None
    return parser.result()


__all__ = [
    "ATOMIC_NUMBERS",
    "ELEMENTS",
    "SYMBOL",
    "FormulaPart",
    "Parsed",
    "Piece",
    "parse_formula",
    "written_amount",
]
