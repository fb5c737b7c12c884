"""Ranking of crystals by what holds of a query: grades of terms, costs of constraints, marks of hits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from ...concepts.elements import GROUPS
from ...concepts.patterns import read_pattern
from ...concepts.quantities import QUANTITIES
from ...concepts.symmetry import POINT_GROUPS, point_group
from ...data.structure_facts import FRACTION_TOLERANCE
from ...formulas_clac import ATOMIC_NUMBERS, read_formula
from .implied_elements import allowed_elements, needed_elements
from .query import (
    ConceptTerm,
    Constraint,
    CountTerm,
    ElementTerm,
    FormulaTerm,
    Literal,
    OnlyTerm,
    PatternTerm,
    PointGroupTerm,
    Query,
    RangeTerm,
    SpaceGroupTerm,
    SystemTerm,
    Term,
)
from .well_known import places_in_lists

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary
    from ...data.facts.compositions import Compositions
    from ...data.facts.fact_table import FactTable

# A constraint whose value is unknown costs about half of one that fails; an estimate shifts it.
_UNKNOWN, _BY_ESTIMATE = 0.45, 0.25
_PREFERRED = 0.3
# With two other conditions or more, uses may be what the search is for rather than what the crystal must be good for.
_USE_AMONG_OTHERS = 0.8
_HOLDS = 0.999
# Costs that differ by less are equal.
_DECIMALS = 3
# Largest grade of a value outside a range, and of another composition.
_NEAR = 0.6

SIGNS = {"met": "✓", "partly": "±", "unknown": "?", "failed": "✗"}

# Function of rows that returns one number for each of them; crystals with smaller ones come first.
SortValues = Callable[[np.ndarray], np.ndarray]
_estimated: WeakKeyDictionary[FactTable, FactTable | None] = WeakKeyDictionary()


@dataclass(frozen=True)
class Mark:
    """
    Whether a hit meets a constraint.

    Attributes:
        label: Wording of the constraint.
        state: `met`, `partly`, `unknown` or `failed`.
        value: The value that decides, such as `2.1 eV`, or an estimate, such as `~2.1 eV`; empty if there is none.
    """

    label: str
    state: str
    value: str = ""

    @property
    def sign(self) -> str:
        """One character for the state."""
        return SIGNS[self.state]

    def __str__(self) -> str:
        return f"{self.sign} {self.label}{f' ({self.value})' if self.value else ''}"

    def to_dict(self) -> dict[str, str | None]:
        """Convert to values for JSON."""
        return {"label": self.label, "state": self.state, "value": self.value or None}


class Evaluation:
    """
    How well crystals meet a query.

    Args:
        query: The query.
        table: Facts of n crystals.
        vocabulary: The concepts that the query names.

    Attributes:
        query: The query.
        table: The facts.
        grades: `(num_constraints, n)` float32: 1 met, 0 failed, between them near misses, NaN unknown.
    """

    def __init__(self, query: Query, table: FactTable, vocabulary: Vocabulary):
        self.query, self.table, self.vocabulary = query, table, vocabulary
        grades = [constraint_grade(constraint, table, vocabulary) for constraint in query.constraints]
        self.grades = np.stack(grades) if grades else np.zeros((0, len(table)), dtype=np.float32)

    @cached_property
    def estimated(self) -> np.ndarray:
        """`(num_constraints, n)` float32, grades where estimates replace unknown values; NaN without an estimate."""
        filled = with_estimates(self.table)
        if filled is None or not np.isnan(self.grades).any():
            return self.grades
        rows = [
            constraint_grade(constraint, filled, self.vocabulary) if np.isnan(grades).any() else grades
            for constraint, grades in zip(self.query.constraints, self.grades, strict=True)
        ]
        return np.stack(rows)

    @cached_property
    def costs(self) -> np.ndarray:
        """`(n,)` float64, what is missing: 1 for each constraint that fails, less for near misses and unknown ones."""
        total = np.zeros(len(self.table))
        needed = [constraint for constraint in self.query.constraints if not constraint.preferred]
        uses = sum(map(_is_use, needed))
        of_use = _USE_AMONG_OTHERS / max(uses, 1) if len(needed) - uses >= 2 else 1.0
        for constraint, grades, estimates in zip(self.query.constraints, self.grades, self.estimated, strict=True):
            cost, unknown = 1.0 - grades, np.isnan(grades)
            if unknown.any():
                missing = 1.0 - np.where(np.isnan(estimates), 0.5, estimates)
                cost = np.where(unknown, _UNKNOWN + _BY_ESTIMATE * missing, cost)
            weight = _PREFERRED if constraint.preferred else of_use if _is_use(constraint) else 1.0
            total += weight * cost
        return np.asarray(total.round(_DECIMALS))

    @property
    def met(self) -> np.ndarray:
        """`(n,)` bool, whether all constraints are met for sure, wishes not counted."""
        needed = [not constraint.preferred for constraint in self.query.constraints]
        return np.asarray((self.grades[needed] >= _HOLDS).all(axis=0))

    def order(self, cosines: np.ndarray, rows: np.ndarray | None = None, by_likeness: bool = False) -> np.ndarray:
        """
        Sort crystals: by cost, then by the order that the query names, the distance to values that it names, elements
        that it does not name, how well known they are for a use that it names, and the cosine.

        Args:
            cosines: `(n,)` cosine of each crystal with the query.
            rows: Rows to sort. Default: all.
            by_likeness: Whether the cosine comes before elements that the query does not name, as in a search for
                crystals like another one.

        Returns:
            The rows, best first.
        """
        rows = np.arange(len(self.table)) if rows is None else rows
        return _sorted(rows, self._keys(lambda chosen: cosines[chosen], by_likeness))

    def best(
        self,
        k: int,
        cosines: SortValues,
        nearest: Callable[[int, np.ndarray], np.ndarray],
        rows: np.ndarray | None = None,
        by_likeness: bool = False,
    ) -> np.ndarray:
        """
        Return the first crystals of [`order`], without sorting all of them.

        Args:
            k: Number of crystals.
            cosines: Returns the cosines of some rows with the query.
            nearest: Returns the given number of rows, among some rows, that have the largest cosines. It is called for
                crystals that are equal in all that comes before the cosine.
            rows: Rows to sort, ascending. Default: all.
            by_likeness: See [`order`].

        Returns:
            The rows, best first.
        """
        tied = np.arange(len(self.table)) if rows is None else rows
        keys = self._keys(cosines, by_likeness)
        chosen: list[np.ndarray] = []
        for key in keys[:-2]:
            if len(tied) <= k:
                break
            values = key(tied)
            last = np.partition(values, k - 1)[k - 1]
            before = tied[values < last]
            chosen.append(before)
            tied, k = tied[values == last], k - len(before)
        if len(tied) > k:
            tied = nearest(k, tied)
        return _sorted(np.concatenate([*chosen, tied]), keys)

    def _keys(self, cosines: SortValues, by_likeness: bool) -> list[SortValues]:
        """Return what decides the order of crystals, the most important first; at the end the cosine and the row."""
        keys: list[SortValues] = [lambda rows: self.costs[rows]]
        for sort in self.query.sort:
            keys += _sort_keys(self.table, sort.column, sort.descending)
        others = [] if by_likeness else [lambda rows: self._other_elements[rows]]
        keys += [lambda rows: self._distances[rows], *others, lambda rows: self._places[rows]]
        return [*keys, lambda rows: -cosines(rows), lambda rows: rows]

    @cached_property
    def _places(self) -> np.ndarray:
        return places_in_lists(self.query, self.table, self.vocabulary)

    @cached_property
    def _distances(self) -> np.ndarray:
        """`(n,)`, relative distances to the values of `about`."""
        total = np.zeros(len(self.table))
        for constraint in self.query.constraints:
            for literal in constraint.literals:
                term = literal.term
                if isinstance(term, RangeTerm) and term.about is not None and not literal.negated:
                    values = self.table.number(term.column)
                    near = np.abs(values - term.about) / (abs(term.about) + 0.1)
                    total += np.where(np.isnan(values), 3.0, np.minimum(near, 3.0)).round(2)
        return total

    @cached_property
    def _other_elements(self) -> np.ndarray:
        """`(n,)`, number of elements that the query does not name: `iron oxide` is one of iron and oxygen first."""
        allowed: set[str] = set()
        elements = 0
        for constraint in self.query.constraints:
            terms = [literal.term for literal in constraint.literals if not literal.negated]
            elements += any(isinstance(term, ElementTerm) for term in terms)
            for term in terms:
                allowed |= allowed_elements(term, self.vocabulary)
        if not elements:
            return np.zeros(len(self.table))
        compositions = self.table.compositions
        return compositions.counts - compositions.count(ATOMIC_NUMBERS[symbol] for symbol in allowed)

    def marks(self, row: int) -> list[Mark]:
        """
        Tell which constraints a crystal meets.

        Args:
            row: Row of the crystal.
        """
        return [
            Mark(
                constraint.label,
                _state(float(self.grades[number, row])),
                self._value(constraint, row),
            )
            for number, constraint in enumerate(self.query.constraints)
        ]

    def _value(self, constraint: Constraint, row: int) -> str:
        for literal in constraint.literals:
            column = _column_of(literal.term, self.vocabulary)
            value = "" if column is None else self._written(column, row)
            if value and column is not None:
                return f"{value} {QUANTITIES[column].unit}".strip()
        return ""

    def _written(self, column: str, row: int) -> str:
        value, sign = float(self.table.number(column)[row]), ""
        if np.isnan(value):
            filled = with_estimates(self.table)
            value, sign = (np.nan if filled is None else float(filled.number(column)[row])), "~"
        return "" if np.isnan(value) else f"{sign}{value:.{QUANTITIES[column].decimals}f}"

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Numbers that the query speaks of, the most important ones first."""
        terms = [literal.term for constraint in self.query.constraints for literal in constraint.literals]
        named = [_column_of(term, self.vocabulary) for term in terms]
        columns = [*(key.column for key in self.query.sort), *(column for column in named if column is not None)]
        return tuple(dict.fromkeys(columns))

    def values(self, row: int) -> dict[str, str]:
        """
        Write the numbers of a crystal that the query speaks of; an estimate as `~2.1`, an unknown one is empty.

        Args:
            row: Row of the crystal.
        """
        return {column: self._written(column, row) for column in self.columns}


def _is_use(constraint: Constraint) -> bool:
    terms = [literal.term for literal in constraint.literals if not literal.negated]
    return bool(terms) and all(isinstance(term, ConceptTerm) and term.kind_of_concept == "use" for term in terms)


def _state(grade: float) -> str:
    if np.isnan(grade):
        return "unknown"
    return "met" if grade >= _HOLDS else "partly" if grade >= 0.5 else "failed"


def _column_of(term: Term, vocabulary: Vocabulary) -> str | None:
    """The number that decides a term, to be shown with its mark."""
    if isinstance(term, RangeTerm):
        return term.column
    if isinstance(term, ConceptTerm) and term.kind_of_concept == "band" and term.id in vocabulary.concepts:
        test = vocabulary[term.id].test.text
        return next((column for column in QUANTITIES if column in test), None)
    return None


def _sorted(rows: np.ndarray, keys: list[SortValues]) -> np.ndarray:
    return rows[np.lexsort([key(rows) for key in reversed(keys)])]


def _sort_keys(table: FactTable, column: str, descending: bool) -> list[SortValues]:
    """Keys of an order: known values first, then estimates, then unknown ones."""
    known = table.number(column)
    filled = with_estimates(table)
    values = known if filled is None else filled.number(column)
    unknown = np.isnan(known).astype(np.int8) + np.isnan(values)
    shown = np.where(np.isnan(values), 0.0, -values if descending else values)
    return [lambda rows: unknown[rows], lambda rows: shown[rows]]


def with_estimates(table: FactTable) -> FactTable | None:
    """
    Return a table whose unknown values are replaced by estimates; `None` if there are no estimates.

    Args:
        table: Facts with columns such as `estimated_band_gap`.
    """
    from ...data.facts.fact_table import EstimatedFacts

    if table not in _estimated:
        _estimated[table] = EstimatedFacts(table) if EstimatedFacts.exist(table) else None
    return _estimated[table]


def constraint_grade(constraint: Constraint, table: FactTable, vocabulary: Vocabulary) -> np.ndarray:
    """
    Grade a constraint: the best of its literals.

    Args:
        constraint: The constraint.
        table: Facts of n crystals.
        vocabulary: The concepts that it names.

    Returns:
        `(n,)` float32: 1 met, 0 failed, between them near misses, NaN unknown.
    """
    if len(constraint.literals) == 1:
        return literal_grade(constraint.literals[0], table, vocabulary)
    grades = np.stack([literal_grade(literal, table, vocabulary) for literal in constraint.literals])
    unknown = np.isnan(grades)
    best = np.where(unknown, np.float32(-1), grades).max(axis=0)
    return np.where(unknown.any(axis=0) & (best < _HOLDS), np.float32(np.nan), best).astype(np.float32)


def literal_grade(literal: Literal, table: FactTable, vocabulary: Vocabulary) -> np.ndarray:
    """Grade a term that must hold or must not; see [`constraint_grade`]."""
    if literal.negated and isinstance(literal.term, RangeTerm):
        values = table.number(literal.term.column)
        outside = _grade_of_range(literal.term, values) < _HOLDS
        return np.where(np.isnan(values), np.nan, outside).astype(np.float32)
    grade = _grade(literal.term, table, vocabulary)
    if not literal.negated:
        return grade
    # What is nearly there is not there, but a concept that holds by half is excluded by half.
    holds = grade if isinstance(literal.term, ConceptTerm) else np.where(np.isnan(grade), grade, grade >= _HOLDS)
    return (1.0 - holds).astype(np.float32)


def _grade(term: Term, table: FactTable, vocabulary: Vocabulary) -> np.ndarray:
    if isinstance(term, ConceptTerm):
        return _grade_of_concept(term, table, vocabulary)
    if isinstance(term, RangeTerm):
        return _grade_of_range(term, table.number(term.column))
    if isinstance(term, (SpaceGroupTerm, PointGroupTerm)):
        numbers = table.number("space_group_number")
        return np.where(np.isnan(numbers), np.nan, _grade_of_symmetry(term, numbers)).astype(np.float32)
    known = table.known_composition
    if isinstance(term, ElementTerm):
        symbols = GROUPS["metal"] if term.symbol == "metal" else {term.symbol}
        grade = table.compositions.has_any(ATOMIC_NUMBERS[symbol] for symbol in symbols)
    elif isinstance(term, PatternTerm):
        pattern = read_pattern(term.pattern)
        grade = np.zeros(len(table), dtype=bool) if pattern is None else table.matches(pattern)
    elif isinstance(term, CountTerm):
        inside = table.compositions.count(ATOMIC_NUMBERS[symbol] for symbol in term.symbols)
        high = np.inf if term.high is None else term.high
        # One element too few or too many is a near miss.
        beyond = np.maximum(np.maximum(term.low - inside, inside - high), 0.0)
        # What is excluded has no near miss.
        near = 0.0 if term.high == 0 else 0.4
        grade = np.where(beyond == 0, 1.0, near / np.maximum(beyond, 1.0))
    elif isinstance(term, OnlyTerm):
        inside = table.compositions.count(ATOMIC_NUMBERS[symbol] for symbol in term.symbols)
        counts = table.compositions.counts
        grade = np.where(inside == counts, 1.0, 0.4 * inside / np.maximum(counts, 1))
    elif isinstance(term, SystemTerm):
        grade = _grade_of_system(term, table.compositions)
    else:
        grade = _grade_of_formula(term, table.compositions)
    return np.where(known, grade, np.nan).astype(np.float32)


def _grade_of_concept(term: ConceptTerm, table: FactTable, vocabulary: Vocabulary) -> np.ndarray:
    grade = vocabulary.holds(term.id, table)
    unknown = np.isnan(grade)
    if unknown.any() and (needed := needed_elements(term, vocabulary)):
        # Without facts, a compound without nitrogen still is not a nitride.
        has = table.compositions.count(ATOMIC_NUMBERS[symbol] for symbol in needed)
        lacks = table.known_composition & (has < len(needed))
        grade = np.where(unknown & lacks, np.float32(0), grade)
    if term.kind_of_concept == "name" and (named := vocabulary[term.id].test.listed_formulas):
        # Compounds of the same elements come before all others.
        amounts = read_formula(named[0])
        if amounts:
            # Less than what holds by half, such as another polymorph.
            near = 0.8 * _grade_of_formula(FormulaTerm("", tuple(amounts.items())), table.compositions)
            near = np.minimum(near, 0.49)
            grade = np.where(grade < near, near, grade)
    return grade.astype(np.float32)


def _grade_of_range(term: RangeTerm, values: np.ndarray) -> np.ndarray:
    """1 inside of the range; outside, the further the less, so that near misses come first."""
    low = -np.inf if term.low is None else term.low
    high = np.inf if term.high is None else term.high
    with np.errstate(invalid="ignore"):
        outside = np.maximum(np.maximum(low - values, values - high), 0.0)
        # Values are stored with rounding.
        inside = outside <= 1e-9 * np.maximum(1.0, np.abs(values))
        if term.strict:
            inside &= (values > low) & (values < high)
    ends = [abs(end) for end in (term.low, term.high) if end is not None]
    scale = max(0.5 * max(ends, default=1.0), QUANTITIES[term.column].tolerance, 0.05)
    grade = np.where(inside, 1.0, _NEAR * np.exp(-outside / scale))
    return np.where(np.isnan(values), np.nan, grade).astype(np.float32)


def _grade_of_symmetry(term: SpaceGroupTerm | PointGroupTerm, numbers: np.ndarray) -> np.ndarray:
    """1 in the group; a part for other space groups of the same point group."""
    if isinstance(term, PointGroupTerm):
        return np.isin(numbers, list(POINT_GROUPS[term.symbol]))
    same_class = np.isin(numbers, list(POINT_GROUPS[point_group(term.number)]))
    return np.where(numbers == term.number, 1.0, np.where(same_class, 0.3, 0.0))


def _grade_of_system(term: SystemTerm, compositions: Compositions) -> np.ndarray:
    """1 for exactly these elements; less for compounds of some of them, and with others."""
    shared = compositions.count(ATOMIC_NUMBERS[symbol] for symbol in term.symbols)
    others = compositions.counts - shared
    size = len(term.symbols)
    inside = np.where(shared >= 2, 0.6, 0.4)
    overlapping = 0.3 * shared / np.maximum(size + others, 1)
    grade = np.where(others == 0, np.where(shared == size, 1.0, inside), np.where(shared == size, 0.4, overlapping))
    return np.where(shared == 0, 0.0, grade)


def _grade_of_formula(term: FormulaTerm, compositions: Compositions) -> np.ndarray:
    """1 for the composition; less for others of the same elements, and for those that share some of them."""
    wanted = {ATOMIC_NUMBERS[symbol]: amount for symbol, amount in term.amounts}
    total = sum(wanted.values())
    largest, differences = (np.zeros(len(compositions)) for _ in range(2))
    for number, amount in wanted.items():
        difference = np.abs(compositions.share(number) - amount / total)
        differences += difference
        largest = np.maximum(largest, difference)
    shared, counts = compositions.count(wanted), compositions.counts
    same_elements = (shared == counts) & (shared == len(wanted))
    overlap = shared / np.maximum(counts + len(wanted) - shared, 1)
    near = np.where(same_elements, 0.5 * (1.0 - 0.5 * differences), 0.35 * overlap)
    others = compositions.largest_share(frozenset(range(1, 119)) - wanted.keys())
    return np.where(np.maximum(largest, others) <= FRACTION_TOLERANCE, 1.0, near)


__all__ = ["SIGNS", "Evaluation", "Mark", "constraint_grade", "literal_grade", "with_estimates"]
