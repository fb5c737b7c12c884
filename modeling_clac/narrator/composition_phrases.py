"""Phrases about the composition and the crystals for which they are right: elements, systems, patterns, formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..concepts.elements import ELEMENT_NAMES, NONMETALS
from ..concepts.patterns import read_pattern
from ..formula_grammar_clac import ELEMENTS
from .phrase_grammar import Draw, pick
from .phrases import join_words

if TYPE_CHECKING:
    from ..data.facts.fact_table import FactTable

COMPOSITION_FORMS = ("elements", "system", "pattern", "formula")
# A text, and the `(n,)` float32 of the crystals for which it is right.
Made = tuple[str, np.ndarray]


class CompositionPhrases:
    """
    Phrases about the compositions of a table.

    Args:
        table: The crystals.
    """

    def __init__(self, table: FactTable):
        self.table = table
        self._present = table.fractions > 0
        self._patterns: dict[str, np.ndarray] = {}
        self._makers: dict[str, Callable[[Draw, int], Made | None]] = {
            "elements": self._elements,
            "system": self._system,
            "pattern": self._pattern,
            "formula": self._formula,
        }

    def draw(self, form: str, draw: Draw, row: int) -> Made | None:
        """
        Draw a phrase that is right for a crystal.

        Args:
            form: One of `COMPOSITION_FORMS`.
            draw: Returns floats in [0, 1).
            row: Row of the crystal.

        Returns:
            The phrase and its right answers; `None` if the crystal has no phrase of this form.
        """
        return self._makers[form](draw, row)

    def _symbols(self, row: int, draw: Draw) -> list[str]:
        """Elements of a crystal in random order."""
        symbols = [ELEMENTS[number - 1] for number in np.flatnonzero(self._present[row]).tolist()]
        return [symbol for _, symbol in sorted((draw(), symbol) for symbol in symbols)]

    def _elements(self, draw: Draw, row: int) -> Made | None:
        symbols = self._symbols(row, draw)
        if not symbols:
            return None
        chosen = symbols[: 1 + int(draw() * min(3, len(symbols)))]
        holds = self._has(chosen)
        words = [_element_word(symbol, draw) for symbol in chosen]
        if len(chosen) == 2 and draw() < 0.15:
            holds = self._has(chosen, np.any)
            text = f"{words[0]} or {words[1]}"
        else:
            text = join_words(words) if draw() < 0.7 else pick((", ", " + ", " "), draw).join(words)
        form = pick(
            ("with {}", "containing {}", "{}", "contains {}", "{} in it", "with {} in it", "{} compounds"), draw
        )
        return self._made(form.format(text), holds)

    def _system(self, draw: Draw, row: int) -> Made | None:
        symbols = self._symbols(row, draw)
        if not 2 <= len(symbols) <= 5:
            return None
        holds = self._has(symbols) & (self._present.sum(axis=1) == len(symbols))
        chain = pick(("-", "-", "–"), draw).join(symbols)
        names = join_words([ELEMENT_NAMES[symbol] for symbol in symbols])
        form = pick(
            ("{c}", "{c} system", "{c} phase", "{c} chemical system", "only {s}", "only {n}", "{c} compound",
             "the system {c}", "made of {n} only", "compounds of {n} and nothing else", "phases in the {c} system"),
            draw,
        )  # fmt: skip
        return self._made(form.format(c=chain, s=join_words(symbols), n=names), holds)

    def _pattern(self, draw: Draw, row: int) -> Made | None:
        symbols = self._symbols(row, draw)
        if not 2 <= len(symbols) <= 4 or not np.isfinite(self.table.amounts[row]).all():
            return None
        text = _pattern_of(
            {symbol: float(self.table.amounts[row, ELEMENTS.index(symbol) + 1]) for symbol in symbols}, draw
        )
        if text is None:
            return None
        if text not in self._patterns:
            pattern = read_pattern(text)
            if pattern is None:
                return None
            self._patterns[text] = self.table.matches(pattern)
        form = pick(
            ("{p}", "{p} compound", "{p} stoichiometry", "{p} composition", "general formula {p}", "of the form {p}",
             "{p} type formula", "formula {p}", "{p} compounds"),
            draw,
        )  # fmt: skip
        return self._made(form.format(p=text), self._patterns[text])

    def _formula(self, draw: Draw, row: int) -> Made | None:
        formula = self._formulas[row]
        if not formula:
            return None
        form = pick(("{}", "{} crystal", "{} structure", "{} polymorphs", "composition {}", "the compound {}"), draw)
        return self._made(form.format(formula), self.table.formula_is([formula]) == 1)

    @cached_property
    def _formulas(self) -> list[str | None]:
        table = self.table.table
        return table["formula"].to_pylist() if "formula" in table.column_names else [None] * len(self.table)

    def _has(self, symbols: Sequence[str], which: Callable[..., Any] = np.all) -> np.ndarray:
        present = self._present[:, [ELEMENTS.index(symbol) + 1 for symbol in symbols]]
        return np.asarray(which(present, axis=1))

    def _made(self, text: str, holds: np.ndarray) -> Made:
        return text, np.where(self.table.known_composition, holds.astype(np.float32), np.float32(np.nan))


def _element_word(symbol: str, draw: Draw) -> str:
    return ELEMENT_NAMES[symbol] if draw() < 0.6 else symbol


def _pattern_of(amounts: Mapping[str, float], draw: Draw) -> str | None:
    """Write a composition as a pattern: MgAl2O4 is AB2O4 or AB2X4."""
    if any(abs(amount - round(amount)) > 1e-3 or amount > 30 for amount in amounts.values()):
        return None
    anions = [symbol for symbol in amounts if symbol in NONMETALS]
    cations = sorted((symbol for symbol in amounts if symbol not in anions), key=lambda symbol: amounts[symbol])
    if len(anions) > 1 or not cations or len(cations) > 3:
        return None
    letters = "ABC" if len(cations) > 1 else pick(("A", "M"), draw)
    parts = [(letter, amounts[symbol]) for letter, symbol in zip(letters, cations, strict=False)]
    if anions:
        letter = anions[0] if draw() < 0.6 else "X"
        parts.append((letter, amounts[anions[0]]))
    return "".join(letter + (str(round(amount)) if round(amount) > 1 else "") for letter, amount in parts)


__all__ = ["COMPOSITION_FORMS", "CompositionPhrases"]
