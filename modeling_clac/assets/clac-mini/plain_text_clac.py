"""
The text that word pieces are made of: each formula and unit in plain spelling, and where each character comes from.

`Ga₂O₃`, `Ga$_2$O$_3$` and `Ga2 O3` are read as `Ga2 O3`, `YBCO` as `Y Ba2 Cu3 O7`, and `7.2 g/cc` and `7200 kg/m3` as
`7.2 g/cm³`, so that every spelling gives the same tokens. It imports nothing slow, since every search starts with it.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .formulas_clac import SITE, Formula, find_formulas
from .quantities_clac import Number, element_quantities, find_numbers
from .site_labels_clac import site_labels

# How the rule begins by which tokenizers saved earlier split formulas.
_EARLIER_RULE = r"(?:(?<=[0-9])|(?<=\))|(?<=H)"
# Key of `tokenizer_config.json`: whether formulas are split into elements.
SPLIT_FORMULAS = "split_formulas"


class Label(NamedTuple):
    """The number of a site, `(2)` in `O(2)`, which says nothing about the crystal."""

    start: int
    end: int


@dataclass(frozen=True)
class PlainText:
    """
    A text in which each formula and each unit is spelled plainly.

    Attributes:
        text: The plain text.
        quantities: Its numbers and element symbols at their places in the plain text; see `find_quantities`.
        starts: Index in the original text of each character; `None` if nothing was changed.
        ends: Index in the original text after each character.
    """

    text: str
    quantities: list[tuple[int, int, int, float]] = field(default_factory=list)
    starts: list[int] | None = None
    ends: list[int] | None = None

    @property
    def changed(self) -> bool:
        """Whether it differs from the original text."""
        return self.starts is not None

    def place(self, start: int, end: int, word: int | None = None) -> tuple[int, int]:
        """Return the place of a piece of the plain text, which is its own; `word` is that of `PlainWords`."""
        return start, end

    def original(self, start: int, end: int, word: int | None = None) -> tuple[int, int]:
        """
        Return the place in the original text of a piece of the plain text.

        Args:
            start: Index of its first character.
            end: Index after its last character.
            word: Number of its word, which counts in `PlainWords` only.

        Returns:
            The indices in the original text. An empty piece is returned unchanged.
        """
        if self.starts is None or self.ends is None or end <= start:
            return start, end
        return self.starts[start], self.ends[end - 1]


def plain_text(text: str, split: bool = True) -> PlainText:
    """
    Spell the formulas of a text plainly, and convert numbers to the units that models know.

    Args:
        text: The text.
        split: Whether to separate the elements of a formula by blanks: `Li Fe P O4`. Default: `True`.

    Returns:
        The plain text. Formulas that state no composition (ions, dopants) are left as they are; numbers of sites are
        left out.
    """
    formulas = find_formulas(text)
    numbers = find_numbers(text, formulas)
    builder = _Builder(text)
    quantities: list[tuple[int, int, int, float]] = []
    labels = [Label(start, end) for start, end in site_labels(text)]
    parts: list[Formula | Number | Label] = [*formulas, *numbers, *labels]
    for part in sorted(parts, key=lambda part: part.start):
        if part.start < builder.done:
            continue  # a part of the one before, such as the label in a formula
        if isinstance(part, Label):
            builder.leave_out(part)
        elif isinstance(part, Formula):
            elements = element_quantities(part)
            if elements or part.role == SITE:
                quantities += builder.add_formula(part, elements, split)
        elif part.plain is not None:
            quantities.append(builder.add_number(part))
    builder.copy(len(text))
    quantities += [
        (builder.place_of(start), builder.place_of(start) + end - start, kind, value)
        for start, end, kind, value, _, plain in numbers
        if plain is None
    ]
    plain = "".join(builder.characters)
    if plain == text:
        return PlainText(text, sorted(quantities))
    return PlainText(plain, sorted(quantities), builder.starts, builder.ends)


class _Builder:
    """Collects the characters of a plain text and their places in the original text."""

    def __init__(self, text: str):
        self.text, self.done = text, 0
        self.characters: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        # Where each copied part of the text begins, in the original and in the plain text.
        self.copied: list[tuple[int, int]] = []

    def copy(self, end: int) -> None:
        """Copy the text up to a place."""
        self.copied.append((self.done, len(self.characters)))
        self.characters += self.text[self.done : end]
        self.starts += range(self.done, end)
        self.ends += range(self.done + 1, end + 1)
        self.done = end

    def place_of(self, start: int) -> int:
        """Return the place in the plain text of a copied character."""
        original, plain = self.copied[bisect_right(self.copied, start, key=lambda part: part[0]) - 1]
        return plain + start - original

    def add_formula(
        self, formula: Formula, elements: list[tuple[int, int, int, float]], split: bool
    ) -> list[tuple[int, int, int, float]]:
        """Add the plain spelling of a formula, and return its element symbols at their places in the plain text."""
        self.copy(formula.start)
        remaining = iter(elements)
        found = []
        previous = "("
        for text, start, end in formula.pieces:
            is_symbol = text[0].isalpha()
            if split and is_symbol and previous not in "([":
                self.add(" ", start, start)
            if is_symbol and elements:
                _, _, kind, value = next(remaining)
                found.append((len(self.characters), len(self.characters) + len(text), kind, value))
            self.add(text, start, end)
            previous = text
        self.done = formula.end
        return found

    def leave_out(self, label: Label) -> None:
        """Leave out a part of the text."""
        self.copy(label.start)
        # `Cd(1)P4` is `Cd P4`.
        if self.text[label.end : label.end + 1].isalpha():
            self.add(" ", label.start, label.end)
        self.done = label.end

    def add_number(self, number: Number) -> tuple[int, int, int, float]:
        """Add a number and its unit in plain spelling, and return the number as a quantity."""
        assert number.plain is not None
        value, unit = number.plain
        self.copy(number.start)
        first = len(self.characters)
        self.add(value, number.start, number.end)
        if unit:
            # The blank is not a part of the unit, which may be a word of its own.
            first_of_unit = number.stop - len(self.text[number.end : number.stop].lstrip())
            self.add(" ", number.end, first_of_unit)
            self.add(unit, first_of_unit, number.stop)
        self.done = number.stop
        return first, first + len(value), number.kind, number.value

    def add(self, text: str, start: int, end: int) -> None:
        if text == self.text[start:end]:
            self.starts += range(start, end)
            self.ends += range(start + 1, end + 1)
        else:
            self.starts += [start] * len(text)
            self.ends += [end] * len(text)
        self.characters += text


def join_words(words: Sequence[str]) -> tuple[str, list[int]]:
    """
    Join words with blanks.

    Args:
        words: The words.

    Returns:
        The text, and the index of the first character of each word.
    """
    starts, place = [], 0
    for word in words:
        starts.append(place)
        place += len(word) + 1
    return " ".join(words), starts


class PlainWords:
    """
    A text given as words, in which each formula is spelled plainly. A formula may span several words.

    Attributes:
        text: The plain words, as many as there are words.
        quantities: As those of `PlainText`, at their places in the joined plain text.
    """

    def __init__(self, words: Sequence[str], split: bool = True):
        joined, self._starts = join_words(words)
        self._lengths = [len(word) for word in words]
        self._plain = plain_text(joined, split)
        self.quantities = self._plain.quantities
        self.text = list(words)
        self._places: list[int | None] = list(self._starts)
        starts = self._plain.starts
        if starts is None:
            return
        for number, (start, word) in enumerate(zip(self._starts, words, strict=True)):
            first, last = bisect_right(starts, start - 1), bisect_right(starts, start + len(word) - 1)
            plain = self._plain.text[first:last].strip()
            # A word that is a part of a formula written at another word keeps its own tokens.
            self._places[number] = None
            if plain:
                self.text[number] = plain
                self._places[number] = first + self._plain.text[first:last].index(plain)

    def place(self, start: int, end: int, word: int | None = None) -> tuple[int, int]:
        """Return the place in the joined plain text of a piece of a plain word; (0, 0) if it has none."""
        first = None if word is None else self._places[word]
        return (0, 0) if first is None or end <= start else (first + start, first + end)

    def original(self, start: int, end: int, word: int | None = None) -> tuple[int, int]:
        """Return the place in the original word of a piece of a plain word."""
        first = None if word is None else self._places[word]
        if word is None or first is None or self._plain.starts is None or end <= start:
            return start, end
        own = self._starts[word]
        begin, stop = self._plain.original(first + start, first + end)
        return begin - own, min(stop - own, self._lengths[word])

    @property
    def changed(self) -> bool:
        """Whether it differs from the original text."""
        return self._plain.changed


def take_splitting_rule(backend: Any) -> bool:
    """
    Remove the rule by which tokenizers saved earlier split formulas, which also split words in capitals.

    Args:
        backend: A `tokenizers.Tokenizer`, which is changed.

    Returns:
        Whether it had the rule, so that formulas are to be split by `plain_text`.
    """
    if backend.normalizer is None:
        return False
    state = json.loads(backend.normalizer.__getstate__())
    rules = state["normalizers"] if state["type"] == "Sequence" else [state]
    first = rules[0] if rules else {}
    if first.get("type") != "Replace" or not first["pattern"].get("Regex", "").startswith(_EARLIER_RULE):
        return False
    rest = rules[1] if len(rules) == 2 else {"type": "Sequence", "normalizers": rules[1:]}
    normalizer = backend.normalizer
    normalizer.__setstate__(json.dumps(rest).encode())
    backend.normalizer = normalizer
    return True


__all__ = ["SPLIT_FORMULAS", "PlainText", "PlainWords", "join_words", "plain_text", "take_splitting_rule"]
