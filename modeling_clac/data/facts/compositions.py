"""Compositions of many crystals as columns: one entry for each element of each crystal, rather than one for all 118."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import gemmi
import numpy as np
import pyarrow as pa

from ...formulas_clac import read_formula
from ..structure_facts import FRACTION_TOLERANCE

NUMBERS = 119  # atomic numbers from 0
_ATOMIC_NUMBERS = {gemmi.Element(number).name: number for number in range(1, NUMBERS)}
# A formula as our tables write it. Anything else goes to the reader of formulas in texts, which is slower.
_TERM = re.compile(r"([A-Z][a-z]?)(\d+(?:\.\d+)?)?")
_BRACKETED = re.compile(rf"\((?P<inside>(?:{_TERM.pattern})+)\)(?P<factor>\d+(?:\.\d+)?)?")
_PLAIN = re.compile(rf"(?:{_TERM.pattern})+")

# Kinds of characters of a formula, and which may follow which: Si0.5(OH)2 is upper, lower, digit, dot, digit, ...
_START, _UPPER, _LOWER, _DIGIT, _DOT, _OPEN, _CLOSE, _OTHER = range(8)
_KINDS = np.full(256, _OTHER, dtype=np.uint8)
_KINDS[ord("A") : ord("Z") + 1], _KINDS[ord("a") : ord("z") + 1] = _UPPER, _LOWER
_KINDS[ord("0") : ord("9") + 1], _KINDS[ord(".")] = _DIGIT, _DOT
_KINDS[ord("(")], _KINDS[ord(")")] = _OPEN, _CLOSE
_MAY_FOLLOW = np.zeros((8, 8), dtype=bool)
_MAY_FOLLOW[_START, [_UPPER, _OPEN]] = _MAY_FOLLOW[_OPEN, _UPPER] = _MAY_FOLLOW[_DOT, _DIGIT] = True
for _kind in (_UPPER, _LOWER, _DIGIT, _CLOSE):
    _MAY_FOLLOW[_kind, [_UPPER, _DIGIT, _OPEN, _CLOSE]] = True
_MAY_FOLLOW[_CLOSE, _CLOSE] = False
_MAY_FOLLOW[_UPPER, _LOWER] = _MAY_FOLLOW[_DIGIT, _DOT] = True
# Atomic number by the letters of a symbol, from 0; the second one is 26 for symbols of one letter.
_BY_LETTERS = np.zeros((26, 27), dtype=np.int16)
for _symbol, _number in _ATOMIC_NUMBERS.items():
    _BY_LETTERS[ord(_symbol[0]) - 65, ord(_symbol[1]) - 97 if len(_symbol) == 2 else 26] = _number
_AT_ONCE = 1 << 14  # formulas read at once, whose arrays fit into the cache
_MOST_DIGITS = 15  # of a number that float64 holds exactly
_TYPES = (np.int16, np.uint8, np.float32)  # of counts, atomic numbers and amounts
_TERMS = 1 << 18  # terms used at once
# A sum of these tells sets of elements apart.
_MARKS = np.random.default_rng(0).integers(0, 2**63, NUMBERS, dtype=np.uint64)


class Compositions:
    """
    Reduced compositions of n crystals.

    Args:
        counts: `(n,)` number of elements of each crystal; 0 if its composition is unknown.
        elements: `(t,)` atomic number of each term, crystal by crystal; each at most once in a crystal.
        amounts: `(t,)` its amount in the reduced formula, above 0.

    Attributes:
        rows: `(t,)` int32, crystal of each term.
        elements: `(t,)` uint8.
        amounts: `(t,)` float32, atoms in the reduced formula.
        counts: `(n,)` int16, number of elements of each crystal; 0 if its composition is unknown.
        starts: `(n,)` int32, first term of each crystal.
    """

    def __init__(self, counts: np.ndarray, elements: np.ndarray, amounts: np.ndarray):
        # Narrow types, since a search in millions of crystals keeps these arrays.
        self.counts, self.elements, self.amounts = (
            np.asarray(values, dtype=kind) for values, kind in zip((counts, elements, amounts), _TYPES, strict=True)
        )
        self.rows = np.repeat(np.arange(len(counts), dtype=np.int32), self.counts)
        self.starts = (np.cumsum(self.counts, dtype=np.int32) - self.counts).astype(np.int32)

    @classmethod
    def from_formulas(cls, formulas: pa.Array | pa.ChunkedArray) -> Compositions:
        """
        Read formulas.

        Args:
            formulas: Strings, null where the composition is unknown.
        """
        chunks = formulas.chunks if isinstance(formulas, pa.ChunkedArray) else [formulas]
        pieces = [chunk.slice(start, _AT_ONCE) for chunk in chunks for start in range(0, len(chunk), _AT_ONCE)]
        nothing = [np.zeros(0, dtype=kind) for kind in _TYPES]
        terms = [nothing, *map(_reduced_terms, pieces)]
        return cls(*(np.concatenate(found) for found in zip(*terms, strict=True)))

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def known(self) -> np.ndarray:
        """`(n,)` bool, whether the composition of a crystal is known."""
        return np.asarray(self.counts > 0)

    @cached_property
    def shares(self) -> np.ndarray:
        """`(t,)` float32, atomic fraction of each term."""
        totals = np.ones(len(self))
        if len(self.rows):
            totals[self.known] = np.add.reduceat(self.amounts, self.starts[self.known], dtype=np.float64)
        found = np.empty_like(self.amounts)
        for terms in self._blocks():
            found[terms] = self.amounts[terms] / totals[self.rows[terms]]
        return found

    def _blocks(self) -> Iterator[slice]:
        """Yield parts of the terms, since wide types of all of them take more memory than everything that is kept."""
        for start in range(0, len(self.rows), _TERMS):
            yield slice(start, min(start + _TERMS, len(self.rows)))

    def _among(self, numbers: Iterable[int]) -> Iterator[np.ndarray]:
        """Yield the terms whose element is one of some elements, as places, a part of them at once."""
        chosen = np.zeros(NUMBERS, dtype=bool)
        chosen[list(numbers)] = True
        for terms in self._blocks():
            yield terms.start + np.flatnonzero(chosen[self.elements[terms]])

    def has_any(self, numbers: Iterable[int]) -> np.ndarray:
        """
        Tell which crystals have one of some elements.

        Args:
            numbers: Atomic numbers.

        Returns:
            `(n,)` bool.
        """
        found = np.zeros(len(self), dtype=bool)
        for terms in self._among(numbers):
            found[self.rows[terms]] = True
        return found

    def count(self, numbers: Iterable[int]) -> np.ndarray:
        """Count the elements of each crystal that are among some elements, `(n,)` int16."""
        found = np.zeros(len(self), dtype=np.int16)
        for terms in self._among(numbers):
            _add(found, self.rows[terms])
        return found

    def total(self, weights: np.ndarray, of: str = "shares") -> np.ndarray:
        """
        Sum the terms of each crystal.

        Args:
            weights: `(119,)` factor of each element; row = atomic number.
            of: `shares` or `amounts`.

        Returns:
            `(n,)` float64, 0 where the composition is unknown.
        """
        factors, values = np.asarray(weights, dtype=np.float64), getattr(self, of)
        found = np.zeros(len(self))
        for terms in self._among(np.flatnonzero(factors)):
            _add(found, self.rows[terms], values[terms] * factors[self.elements[terms]])
        return found

    def largest_share(self, numbers: Iterable[int]) -> np.ndarray:
        """Return the largest atomic fraction of some elements in each crystal, `(n,)` float32."""
        found = np.zeros(len(self), dtype=np.float32)
        for terms in self._among(numbers):
            np.maximum.at(found, self.rows[terms], self.shares[terms])
        return found

    def share(self, number: int) -> np.ndarray:
        """Return the atomic fraction of an element in each crystal, `(n,)` float32."""
        return self.largest_share((number,))

    def dense(self, rows: Sequence[int] | np.ndarray, of: str = "amounts") -> np.ndarray:
        """
        Return the terms of some crystals as a matrix.

        Args:
            rows: The crystals.
            of: `shares` or `amounts`.

        Returns:
            `(num_rows, 119)` float32; column = atomic number, zeros where unknown.
        """
        chosen = np.asarray(rows, dtype=np.int64)
        counts = self.counts[chosen]
        terms = np.arange(counts.sum()) + np.repeat(self.starts[chosen] - (np.cumsum(counts) - counts), counts)
        found = np.zeros((len(chosen), NUMBERS), dtype=np.float32)
        found[np.repeat(np.arange(len(chosen)), counts), self.elements[terms]] = getattr(self, of)[terms]
        return found

    def rows_with(self, numbers: Iterable[int]) -> np.ndarray:
        """
        Find the crystals that consist of some elements and no others.

        Args:
            numbers: Atomic numbers.

        Returns:
            Their rows, ascending.
        """
        wanted = set(numbers)
        mark = _MARKS[list(wanted)].sum(dtype=np.uint64)
        marks, order = self._by_elements
        rows = order[np.searchsorted(marks, mark, "left") : np.searchsorted(marks, mark, "right")]
        # Equal sums of other elements are possible, and improbable.
        return rows[self.counts[rows] == len(wanted)]

    @cached_property
    def _by_elements(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums of marks, sorted, and the rows that have them."""
        marks = np.zeros(len(self), dtype=np.uint64)
        if len(self.rows):
            marks[self.known] = np.add.reduceat(_MARKS[self.elements], self.starts[self.known])
        order = np.argsort(marks, kind="stable")
        return marks[order], order


def _add(sums: np.ndarray, rows: np.ndarray, weights: np.ndarray | None = None) -> None:
    """Add a weight to the sum of a row for each of some rows, which are ascending. Default: 1."""
    if len(rows):
        found = np.bincount(rows - rows[0], weights)
        sums[rows[0] : rows[-1] + 1] += found.astype(sums.dtype)


def _reduced_terms(column: pa.Array) -> list[np.ndarray]:
    """Read formulas: number of terms of each, atomic number and amount of each term, in the types that are kept."""
    rows, elements, amounts = _terms(column.cast(pa.large_string()))
    amounts = amounts.astype(np.float32)
    amounts /= _divisors(rows, amounts, len(column))
    counts = np.bincount(rows, minlength=len(column))
    return [values.astype(kind) for values, kind in zip((counts, elements, amounts), _TYPES, strict=True)]


def _divisors(rows: np.ndarray, amounts: np.ndarray, count: int) -> np.ndarray:
    """
    Return what to divide the amount of each term by: the greatest common divisor of the whole amounts of a crystal,
    since tables write Na2O2 and Cl2 for sodium peroxide and chlorine; 1 if an amount is not whole.
    """
    divisors = np.ones(count, dtype=np.float32)
    if len(rows):
        with np.errstate(invalid="ignore"):
            whole = np.rint(amounts).astype(np.int64)
            broken = ~(np.abs(amounts - whole) <= FRACTION_TOLERANCE)
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        found = np.gcd.reduceat(whole, first)
        divisors[rows[first]] = np.where(found > 0, found, 1)
        divisors[rows[broken]] = 1
    return divisors[rows]


def _terms(column: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read formulas, as large strings: row, atomic number and amount of each term."""
    rows, elements, amounts, unread = _plain_terms(column)
    others = []
    for row in unread.tolist():
        summed: Counter[int] = Counter()
        for number, amount in amounts_of(column[row].as_py()):
            summed[number] += amount  # type: ignore[assignment]
        others += [(row, number, amount) for number, amount in summed.items() if amount > 0]
    if others:
        rows = np.concatenate([rows, [row for row, *_ in others]])
        order = np.argsort(rows, kind="stable")
        rows = rows[order]
        elements = np.concatenate([elements, [number for _, number, _ in others]])[order]
        amounts = np.concatenate([amounts, [amount for *_, amount in others]])[order]
    return rows, elements, amounts


def _plain_terms(column: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """
    Read all formulas that consist of symbols and amounts at once.

    Args:
        column: Formulas, as large strings.

    Returns:
        Row, atomic number and amount of each term, and the rows of the other formulas.
    """
    _, offsets_buffer, data = column.buffers()
    count = len(column)
    nothing = np.zeros(0, dtype=np.int64)
    if not count or data is None:
        return nothing, nothing, nothing.astype(np.float64), nothing
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[column.offset : column.offset + count + 1]
    text = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    lengths = np.diff(offsets)
    filled = np.flatnonzero(lengths)
    if not len(text):
        return nothing, nothing, nothing.astype(np.float64), nothing
    row_of = np.repeat(np.arange(count), lengths)
    kinds = _KINDS[text]
    before = np.empty_like(kinds)
    before[1:] = kinds[:-1]
    before[offsets[:-1][filled]] = _START
    odd = np.zeros(count, dtype=bool)
    odd[row_of[~_MAY_FOLLOW[before, kinds]]] = True
    odd[filled[kinds[offsets[1:][filled] - 1] == _DOT]] = True

    depth = np.cumsum((kinds == _OPEN).astype(np.int8), dtype=np.int64) - np.cumsum(kinds == _CLOSE)
    depth -= np.concatenate([[0], depth])[offsets[row_of]]
    odd[row_of[(depth < 0) | (depth > 1)]] = True
    odd[filled[depth[offsets[1:][filled] - 1] != 0]] = True

    kinds[odd[row_of]] = _OTHER

    # A symbol or a closing bracket, each with the number after it.
    starts = np.flatnonzero((kinds == _UPPER) | (kinds == _CLOSE))
    if not len(starts):
        return nothing, nothing, nothing.astype(np.float64), np.flatnonzero(odd)
    is_symbol = kinds[starts] == _UPPER
    numbers = _numbers_after(text, kinds, starts)
    rows = row_of[starts]
    odd[rows[np.isnan(numbers)]] = True
    inside = is_symbol & (depth[starts] == 1)
    closing = np.flatnonzero(~is_symbol)
    if len(closing):
        # Of the bracket that ends next; where none does, the formula is odd.
        next_one = np.minimum(np.searchsorted(closing, np.flatnonzero(inside)), len(closing) - 1)
        numbers[inside] *= numbers[closing[next_one]]
    starts, rows, amounts = starts[is_symbol], rows[is_symbol], numbers[is_symbol]

    second = np.minimum(starts + 1, len(text) - 1)
    double = (kinds[second] == _LOWER) & (second > starts)
    elements = _BY_LETTERS[text[starts] - 65, np.where(double, text[second] - np.uint8(97), 26)]
    odd[rows[elements == 0]] = True
    counts = np.bincount(rows, minlength=count)
    for step in range(1, int(counts.max(initial=0))):
        # CH3OH names hydrogen twice.
        twice = (rows[step:] == rows[:-step]) & (elements[step:] == elements[:-step])
        odd[rows[step:][twice]] = True
    kept = ~odd[rows] & (amounts > 0)
    return rows[kept], elements[kept].astype(np.int64), amounts[kept], np.flatnonzero(odd)


def _numbers_after(text: np.ndarray, kinds: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """
    Read the number between each start and the next one.

    Args:
        text: Characters.
        kinds: Their kinds.
        starts: Places of characters, ascending.

    Returns:
        `(num_starts,)` float64: 1 where there is none, NaN where it has several dots or too many digits.
    """
    ends = np.append(starts[1:], len(text))
    # Characters before the first start belong to it, so that each character has one.
    owner = np.repeat(np.arange(len(starts)), ends - np.append(0, starts[1:]))
    digit = kinds == _DIGIT
    before = np.concatenate([[0], np.cumsum(digit)])
    digits = before[ends] - before[starts]
    places = np.flatnonzero(digit)
    after = np.minimum(before[ends[owner[places]]] - before[places + 1], _MOST_DIGITS)
    values = np.bincount(owner[places], weights=(text[places] - np.float64(48)) * 10.0**after, minlength=len(starts))
    dots = np.flatnonzero(kinds == _DOT)
    decimals = np.zeros(len(starts), dtype=np.int64)
    decimals[owner[dots]] = np.minimum(before[ends[owner[dots]]] - before[dots], _MOST_DIGITS)
    found = np.where(digits > 0, values / 10.0**decimals, 1.0)
    found[(digits > _MOST_DIGITS) | (np.bincount(owner[dots], minlength=len(starts)) > 1)] = np.nan
    return found


def amounts_of(formula: str) -> list[tuple[int, float]]:
    """
    Read one formula.

    Args:
        formula: The formula.

    Returns:
        Atomic numbers and amounts, in the order of the formula; an element may be repeated.
    """
    if "(" in formula:
        formula = _BRACKETED.sub(_multiplied, formula)
    if _PLAIN.fullmatch(formula):
        terms = _TERM.findall(formula)
        if all(symbol in _ATOMIC_NUMBERS for symbol, _ in terms):
            return [(_ATOMIC_NUMBERS[symbol], float(amount or 1)) for symbol, amount in terms]
    return [(_ATOMIC_NUMBERS[symbol], amount) for symbol, amount in read_formula(formula).items()]


def _multiplied(group: re.Match[str]) -> str:
    factor = float(group["factor"] or 1)
    return "".join(f"{symbol}{float(amount or 1) * factor!r}" for symbol, amount in _TERM.findall(group["inside"]))


__all__ = ["NUMBERS", "Compositions", "amounts_of"]
