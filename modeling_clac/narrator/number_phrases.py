"""Phrases about numbers with random thresholds, and which crystals they are right for: "band gap above 2.3 eV"."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..concepts.quantities import QUANTITIES, Quantity
from .phrase_grammar import AFTER, Draw, Piece, pick
from .phrases import COUNT_WORDS, with_article

if TYPE_CHECKING:
    from ..data.facts.fact_table import FactTable

# Unit of a column -> spellings and factors.
_SPELLINGS: dict[str, tuple[tuple[str, float], ...]] = {
    "eV": (("eV", 1.0), ("eV", 1.0), ("electronvolts", 1.0), ("ev", 1.0)),
    "eV/atom": (("eV/atom", 1.0), ("eV per atom", 1.0), ("meV/atom", 1e3), ("meV per atom", 1e3), ("eV", 1.0)),
    "GPa": (("GPa", 1.0), ("GPa", 1.0), ("gigapascals", 1.0), ("gpa", 1.0)),
    "g/cm³": (("g/cm³", 1.0), ("g/cm3", 1.0), ("g/cc", 1.0), ("g cm-3", 1.0), ("kg/m3", 1e3), ("g/cm^3", 1.0)),
    "Å³": (("Å³", 1.0), ("A^3", 1.0), ("cubic angstroms", 1.0)),
    "C/m²": (("C/m²", 1.0), ("C/m2", 1.0)),
    "K": (("K", 1.0), ("kelvin", 1.0)),
    "m/s": (("m/s", 1.0), ("km/s", 1e-3)),
}
# Names that need more words around them than a number.
_NEEDS_MORE = frozenset(
    "gaps hull elements element components constituents atom atoms sites weight moduli instability appearance"
    " convex stiffness rigidity anisotropy".split()
)
# Placeholders: q quantity, x number with unit.
_ABOVE = (
    "{q} above {x}", "{q} > {x}", "{q} over {x}", "{q} of more than {x}", "{q} greater than {x}", "{q} larger than {x}",
    "{q} higher than {x}", "{q} of at least {x}", "{q} >= {x}", "{q} exceeding {x}", "{q} not below {x}",
    "minimum {q} of {x}", "{q} from {x} up", "{q} bigger than {x}", "more than {x} {q}", "{q} {x} or more",
    "{q} beyond {x}", "{q} no less than {x}",
)  # fmt: skip
_BELOW = (
    "{q} below {x}", "{q} < {x}", "{q} under {x}", "{q} of less than {x}", "{q} smaller than {x}", "{q} lower than {x}",
    "{q} of at most {x}", "{q} <= {x}", "{q} not above {x}", "maximum {q} of {x}", "{q} up to {x}", "less than {x} {q}",
    "{q} {x} or less", "{q} no more than {x}", "{q} within {x}",
)  # fmt: skip
_BETWEEN = (
    "{q} between {x} and {y}", "{q} from {x} to {y}", "{q} of {x} to {y}", "{q} in the range {x} to {y}",
    "{q} {x}-{y}", "{q} in the range {x}–{y}", "{x} < {q} < {y}", "{q} of {x}-{y}", "{x} to {y} {q}",
)  # fmt: skip
_ABOUT = (
    "{q} around {x}", "{q} of about {x}", "{q} near {x}", "{q} ~ {x}", "{q} close to {x}", "{q} of roughly {x}",
    "{q} ≈ {x}", "{q} of approximately {x}", "{q} of {x}", "{q} = {x}", "{q} {x}", "{x} {q}",
)  # fmt: skip
_COUNTS: dict[str, dict[str, tuple[str, ...]]] = {
    "nsites": {
        "above": ("more than {x} atoms in the cell", "more than {x} atoms per cell", "over {x} sites", "nsites > {x}",
                  "large cell with more than {x} atoms"),
        "below": ("fewer than {x} atoms in the cell", "less than {x} atoms per unit cell", "under {x} sites",
                  "small cell, less than {x} atoms", "nsites < {x}"),
        "equal": ("{x} atoms in the cell", "{x} atoms per unit cell", "cell of {x} atoms", "exactly {x} sites",
                  "{x}-atom cell", "{w} atoms per cell"),
    },
    "number_of_elements": {
        "above": ("more than {x} elements", "more than {w} different elements", "over {w} elements"),
        "below": ("fewer than {x} elements", "less than {w} elements", "fewer than {w} different elements"),
        "equal": ("{x} elements", "{w} elements", "made of {w} elements", "{w} different elements",
                  "exactly {x} elements", "composed of {w} elements"),
    },
}  # fmt: skip
# Words with which a phrase does not need `with` in front.
_STARTS = frozenset({"more", "less", "fewer", "over", "under", "exactly", "made", "composed"})
# Share of the numbers of a table below the smallest and above the largest threshold.
_TAIL = 0.04


class NumberPhrase(NamedTuple):
    """A piece of a phrase about a number, and the `(n,)` float32 of the crystals for which it is right."""

    piece: Piece
    holds: np.ndarray


class NumberPhrases:
    """
    Phrases about the numbers of a table.

    Args:
        table: The crystals.
    """

    def __init__(self, table: FactTable):
        self._values = {column: table.number(column) for column in QUANTITIES if column != "space_group_number"}
        self._sorted = {column: np.sort(values[~np.isnan(values)]) for column, values in self._values.items()}
        self._names = {column: names for column in self._sorted if (names := _names(QUANTITIES[column]))}
        # A column without a name that fits in a phrase is said in the words of `_COUNTS` or not at all.
        self._columns = [
            column
            for column, values in self._sorted.items()
            if len(values) >= 20 and (column in self._names or column in _COUNTS)
        ]

    def draw(self, draw: Draw, row: int | None = None) -> NumberPhrase | None:
        """
        Draw a phrase about a number.

        Args:
            draw: Returns floats in [0, 1).
            row: A crystal for which the phrase must be right. Default: any.

        Returns:
            The phrase; `None` if no number of the crystal is known.
        """
        columns = self._columns
        if row is not None:
            columns = [column for column in columns if not math.isnan(self._values[column][row])]
        if not columns:
            return None
        column = columns[int(draw() * len(columns))]
        values, known = self._values[column], self._sorted[column]
        value = float(values[row]) if row is not None else float(known[int(draw() * len(known))])
        if column in _COUNTS:
            return self._count(column, value, draw)
        return self._range(column, value, draw)

    def _count(self, column: str, value: float, draw: Draw) -> NumberPhrase:
        values = self._values[column]
        way = pick(("equal", "equal", "above", "below"), draw)
        number = int(value)
        step = 1 + int(draw() * (3 if column == "nsites" else 1))
        if way == "above" and number - step < 1:
            way = "below"
        if way == "above":
            number -= step
            holds = values > number
        elif way == "below":
            number += step
            holds = values < number
        else:
            holds = values == number
        word = COUNT_WORDS[number] if number < len(COUNT_WORDS) else str(number)
        form = pick(_COUNTS[column][way], draw)
        if number == 1:
            form = form.replace("elements", "element").replace("atoms", "atom").replace("sites", "site")
        return NumberPhrase(_after(form.format(x=number, w=word), draw), _truth(holds, values))

    def _range(self, column: str, value: float, draw: Draw) -> NumberPhrase:
        quantity, values, known = QUANTITIES[column], self._values[column], self._sorted[column]
        spelling, factor = "", 1.0
        if quantity.unit:
            spellings = _SPELLINGS.get(quantity.unit, ((quantity.unit, 1.0),))
            spelling, factor = spellings[int(draw() * len(spellings))]
            if draw() < 0.1 and factor == 1.0:
                spelling = ""
        way = pick(("above", "below", "between", "about", "above", "below"), draw)
        low = _rounded(_quantile(known, _TAIL + draw() * (_rank(known, value) - _TAIL)), draw, math.floor, factor)
        high = _rounded(_quantile(known, _rank(known, value) + draw() * (1 - _TAIL - _rank(known, value))), draw,
                        math.ceil, factor)  # fmt: skip
        # Nothing lies below zero, so that a bound of zero would say nothing.
        if way == "above" and low == 0 == quantity.low:
            way = "about"
        if way == "above":
            form, holds = pick(_ABOVE, draw), values > low
        elif way == "below":
            form, holds = pick(_BELOW, draw), values < high
        elif way == "between" and low < high:
            form, holds = pick(_BETWEEN, draw), (values >= low) & (values <= high)
        else:
            return self._about(column, value, spelling, factor, draw)
        first = _written(high if way == "below" else low, factor)
        second = _written(high, factor)
        unit = f" {spelling}" if spelling else ""
        x = first if way == "between" else first + unit
        text = form.format(q=self._name(column, draw), x=x, y=second + unit)
        return NumberPhrase(_after(text, draw), _truth(holds, values))

    def _about(self, column: str, value: float, spelling: str, factor: float, draw: Draw) -> NumberPhrase:
        quantity, values = QUANTITIES[column], self._values[column]
        middle = _rounded(value, draw, round, factor)
        tolerance = max(quantity.tolerance, 0.1 * abs(middle))
        distance = np.abs(values - middle)
        # Between one and two tolerances, neither right nor wrong.
        holds = np.where(distance <= tolerance, 1.0, np.where(distance <= 2 * tolerance, np.nan, 0.0))
        unit = f" {spelling}" if spelling else ""
        text = pick(_ABOUT, draw).format(q=self._name(column, draw), x=_written(middle, factor) + unit)
        return NumberPhrase(_after(text, draw), np.where(np.isnan(values), np.nan, holds).astype(np.float32))

    def _name(self, column: str, draw: Draw) -> str:
        return QUANTITIES[column].label if draw() < 0.4 else pick(self._names[column], draw)


def _names(quantity: Quantity) -> tuple[str, ...]:
    names = [quantity.label, *quantity.words.split("|")]
    kept = [name for name in names if name and name.split()[-1] not in _NEEDS_MORE and "from" not in name.split()]
    return tuple(dict.fromkeys(name for name in kept if not name.startswith(("above", "of", "off", "to", "kinds"))))


def _after(text: str, draw: Draw) -> Piece:
    starts = text[0].isdigit() or text.split()[0] in (
        "more",
        "less",
        "fewer",
        "over",
        "under",
        "exactly",
        "made",
        "composed",
    )
    if starts or draw() < 0.35:
        return Piece(text, AFTER)
    return Piece("with " + (with_article(text) if draw() < 0.3 else text), AFTER)


def _rank(known: np.ndarray, value: float) -> float:
    return min(max(float(np.searchsorted(known, value)) / len(known), _TAIL), 1 - _TAIL)


def _quantile(known: np.ndarray, share: float) -> float:
    return float(known[min(int(share * len(known)), len(known) - 1)])


def _rounded(value: float, draw: Draw, way, factor: float) -> float:
    """Round to one to three significant digits in the unit that is written, down or up so that the value stays in."""
    shown = value * factor
    if shown == 0:
        return 0.0
    digits = 1 + int(draw() * 2.5)
    step = 10.0 ** (math.floor(math.log10(abs(shown))) - digits + 1)
    if draw() < 0.2:
        step *= 5
    # As it will be written, so that the answers are those of the text.
    return float(f"{way(shown / step) * step:.4g}") / factor


def _written(value: float, factor: float) -> str:
    return np.format_float_positional(float(f"{value * factor:.4g}"), trim="-")


def _truth(holds: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), np.float32(np.nan), holds.astype(np.float32))


__all__ = ["NumberPhrase", "NumberPhrases"]
