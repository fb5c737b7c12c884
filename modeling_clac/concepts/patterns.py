"""Patterns of formulas, such as ABO3 or A2BX6: letters stand for different elements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from math import gcd

import numpy as np

from ..formula_grammar_clac import ATOMIC_NUMBERS
from .elements import NONMETALS, RARE_EARTH

_PART = re.compile(r"(?P<group>Ln|RE)(?P<many>\d*)|(?P<letter>[A-Z][a-z]?)(?P<amount>\d*)")
# Single capitals that are no element symbols.
_LETTERS = frozenset("ADEGJLMQRTXZ")
_GROUPS = {"Ln": RARE_EARTH, "RE": RARE_EARTH}
_ALL = frozenset(ATOMIC_NUMBERS)
_METALS = _ALL - NONMETALS


@dataclass(frozen=True)
class Pattern:
    """
    A pattern of formulas.

    Attributes:
        text: As it was written.
        fixed: Amounts of the elements that the pattern names.
        free: Amount and possible elements of each letter.
    """

    text: str
    fixed: Mapping[str, int]
    free: tuple[tuple[int, frozenset[str]], ...]

    @property
    def num_elements(self) -> int:
        """Number of elements of a crystal that matches."""
        return len(self.fixed) + len(self.free)

    def matches(self, amounts: np.ndarray) -> np.ndarray:
        """
        Compare compositions with the pattern.

        Args:
            amounts: `(num_crystals, 119)`, atoms of each element in the reduced formula.

        Returns:
            `(num_crystals,)` bool.
        """
        wanted = np.sort([*self.fixed.values(), *(amount for amount, _ in self.free)]).astype(float)
        possible = (amounts > 0).sum(axis=1) == self.num_elements
        for symbol, amount in self.fixed.items():
            possible &= np.abs(amounts[:, ATOMIC_NUMBERS[symbol]] - amount) < 1e-3
        rows = np.flatnonzero(possible)
        # As many in each row as the pattern has.
        present = amounts[rows][amounts[rows] > 0].reshape(-1, len(wanted))
        rows = rows[(np.abs(np.sort(present, axis=1) - wanted) < 1e-3).all(axis=1)]
        found = np.zeros(len(amounts), dtype=bool)
        for row in rows:
            others = {
                _SYMBOLS[number]: float(amounts[row, number])
                for number in np.flatnonzero(amounts[row]).tolist()
                if _SYMBOLS[number] not in self.fixed
            }
            found[row] = _assigned(self.free, others)
        return found


_SYMBOLS = {number: symbol for symbol, number in ATOMIC_NUMBERS.items()}


def _assigned(letters: tuple[tuple[int, frozenset[str]], ...], present: dict[str, float]) -> bool:
    """Whether each letter can be given an element of its amount."""
    if not letters:
        return not present
    (amount, allowed), *others = letters
    return any(
        symbol in allowed and abs(value - amount) < 1e-3 and _assigned(tuple(others), _without(present, symbol))
        for symbol, value in present.items()
    )


def _without(present: dict[str, float], symbol: str) -> dict[str, float]:
    return {other: value for other, value in present.items() if other != symbol}


@lru_cache(maxsize=1024)
def read_pattern(text: str) -> Pattern | None:
    """
    Read a pattern.

    Capitals that are no element symbols (A, D, E, G, J, L, M, Q, R, T, X, Z) are letters; so are B with another
    letter, C with A and B, and Y with X. `M` stands for a metal, `X` for a nonmetal unless there is a `Y` (as in the
    Heusler phases X2YZ), `Ln` and `RE` for a rare earth. Amounts are reduced: A2B2O6 is ABO3.

    Args:
        text: The pattern, such as `ABX3`.

    Returns:
        The pattern; None if the text is not one: it has no letters, a letter twice, or is not made of symbols.
    """
    parts: list[tuple[str, int]] = []
    place = 0
    for found in _PART.finditer(text):
        if found.start() != place:
            return None
        place = found.end()
        name, amount = found["group"] or found["letter"], found["many"] or found["amount"]
        if name not in _GROUPS and name not in _ALL and len(name) > 1:
            return None
        parts.append((name, int(amount or 1)))
    names = [name for name, _ in parts]
    if place != len(text) or len(set(names)) != len(names) or 0 in (amount for _, amount in parts):
        return None
    letters = {name for name in names if name in _LETTERS or name in _GROUPS}
    for name, others in (("B", letters), ("Y", letters & {"X"}), ("C", letters & {"A"} if "B" in names else set())):
        if name in names and others:
            letters.add(name)
    if not letters:
        return None
    divisor = reduce(gcd, (amount for _, amount in parts))
    allowed = {"M": _METALS, "X": _ALL if "Y" in letters else NONMETALS, **_GROUPS}
    fixed = {name: amount // divisor for name, amount in parts if name not in letters}
    free = tuple((amount // divisor, allowed.get(name, _ALL)) for name, amount in parts if name in letters)
    return Pattern(text, fixed, free)


__all__ = ["Pattern", "read_pattern"]
