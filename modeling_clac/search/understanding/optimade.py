"""
A query as an OPTIMADE filter, to be used on any database that has the interface.

OPTIMADE (doi 10.1038/s41597-021-00974-z; specification 1.2) knows elements, their number, reduced and anonymous
formulas and the number of sites. What else a query asks for cannot be said there. Where it implies elements, as a
phosphate implies P and O, the filter asks for those; it then finds all crystals that the query means, and others.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from math import gcd
from typing import TYPE_CHECKING, Any

from ...concepts.elements import GROUPS
from ...concepts.fact_functions import element_set
from ...concepts.patterns import read_pattern
from ...formula_grammar_clac import ATOMIC_NUMBERS
from ...formulas_clac import read_formula
from .implied_elements import ion_elements
from .query import (
    ConceptTerm,
    Constraint,
    CountTerm,
    ElementTerm,
    FormulaTerm,
    Literal,
    OnlyTerm,
    PatternTerm,
    Query,
    RangeTerm,
    SystemTerm,
    Term,
)

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary
    from ..filters import Filters

_PROPERTIES = {"number_of_elements": "nelements", "nsites": "nsites"}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "=", ast.NotEq: "!=",
}  # fmt: skip
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
# Functions whose first argument, or all of them, are elements that must be present.
_OF_ELEMENT = {"anion": None, "only_anion": None, "oxidation": 1, "coordination": 1, "polyhedron": 1}


@dataclass(frozen=True)
class OptimadeFilter:
    """
    A filter, and what it does not say.

    Attributes:
        filter: The filter; empty if nothing of the query can be said.
        in_part: Wordings of constraints of which only a part can be said: it also finds crystals that do not meet them.
        left_out: Wordings of constraints and orders that cannot be said.
    """

    filter: str
    in_part: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """Whether the filter finds the crystals of the query and no others."""
        return not self.in_part and not self.left_out

    def to_dict(self) -> dict[str, Any]:
        """Convert to values for JSON."""
        return {"filter": self.filter, "only_in_part": list(self.in_part), "not_in_the_filter": list(self.left_out)}


@dataclass(frozen=True)
class _Clause:
    """
    A condition that holds for all crystals that are meant.

    Attributes:
        text: As a part of a filter; empty if all crystals may be meant.
        exact: Whether it holds for no others.
        joined: The operator on its top level, `AND` or `OR`.
        all_of: The elements, if it says that elements are present and no more.
        parts: The clauses that `OR` joins.
    """

    text: str = ""
    exact: bool = False
    joined: str = ""
    all_of: tuple[str, ...] = ()
    parts: tuple[_Clause, ...] = ()

    def within(self, operator: str) -> str:
        """Its text as a part of a longer one."""
        return f"({self.text})" if self.joined not in ("", operator) else self.text


_NOTHING = _Clause()


def optimade_filter(query: Query, vocabulary: Vocabulary, filters: Filters | None = None) -> OptimadeFilter:
    """
    Write a query as an OPTIMADE filter.

    Args:
        query: The query.
        vocabulary: The vocabulary of its concepts.
        filters: Options of the search, which apply as well.

    Returns:
        The filter, which finds at least the crystals that meet the constraints. Wishes ("preferably ..."), comparisons
        with compounds and orders are left out.
    """
    writer = _Writer(vocabulary)
    said = [
        (_NOTHING if constraint.preferred else writer.constraint(constraint), constraint.label)
        for constraint in query.constraints
    ]
    said += [] if filters is None else _of_options(filters)
    said += [(_NOTHING, comparison.label) for comparison in query.comparisons]
    said += [(_NOTHING, key.label) for key in query.sort]
    return OptimadeFilter(
        _conjunction([clause for clause, _ in said]).text,
        tuple(label for clause, label in said if clause.text and not clause.exact),
        tuple(label for clause, label in said if not clause.text and not clause.exact),
    )


def _of_options(filters: Filters) -> list[tuple[_Clause, str]]:
    """Write options of a search, each with its wording."""
    found = [
        (_has_all(list(filters.elements)), ""),
        (_negation(_has_any(filters.exclude_elements)), ""),
        (_NOTHING if filters.formula is None else _composition(read_formula(filters.formula)), filters.formula or ""),
        (_NOTHING, "" if filters.crystal_system is None else f"crystal system {filters.crystal_system}"),
        (_NOTHING, "" if filters.space_group is None else f"space group {filters.space_group}"),
    ]
    for column, (low, high) in filters.ranges.items():
        ends = [(">=", low), ("<=", high)]
        bounds = [
            _number(_PROPERTIES[column], sign, end) for sign, end in ends if end is not None and column in _PROPERTIES
        ]
        found.append((_conjunction(bounds) if bounds else _NOTHING, column.replace("_", " ")))
    return [(clause, label) for clause, label in found if clause.text or label]


@dataclass
class _Writer:
    """Writes constraints with the tests of a vocabulary."""

    vocabulary: Vocabulary
    # Concepts whose tests are being read; a test that refers to itself says nothing.
    above: list[str] = field(default_factory=list)

    def constraint(self, constraint: Constraint) -> _Clause:
        return _disjunction([self._literal(literal) for literal in constraint.literals])

    def _literal(self, literal: Literal) -> _Clause:
        clause = self._term(literal.term)
        return _negation(clause) if literal.negated else clause

    def _term(self, term: Term) -> _Clause:
        match term:
            case ElementTerm(symbol):
                return _has_any(GROUPS["metal"] if symbol == "metal" else [symbol])
            case SystemTerm(symbols):
                return _conjunction([_has_all(symbols), _number("nelements", "=", len(symbols))])
            case CountTerm(_, symbols, 1, None):
                return _has_any(symbols)
            case CountTerm(_, symbols, _, 0):
                return _negation(_has_any(symbols))
            case OnlyTerm(_, symbols):
                return _negation(_has_any([symbol for symbol in ATOMIC_NUMBERS if symbol not in symbols]))
            case FormulaTerm(_, amounts):
                return _composition(dict(amounts))
            case PatternTerm(pattern):
                return _pattern(pattern)
            case RangeTerm():
                return _range(term)
            case ConceptTerm(concept_id):
                return self._concept(concept_id)
        return _NOTHING

    def _concept(self, concept_id: str) -> _Clause:
        if concept_id in self.above or concept_id not in self.vocabulary.concepts:
            return _NOTHING
        self.above.append(concept_id)
        text = " ".join(self.vocabulary[concept_id].test.text.split())
        clause = self._expression(ast.parse(text, mode="eval").body)
        self.above.pop()
        return clause

    def _expression(self, tree: ast.expr) -> _Clause:
        match tree:
            case ast.BoolOp(op=ast.And(), values=values):
                return _conjunction([self._expression(value) for value in values])
            case ast.BoolOp(values=values):
                return _disjunction([self._expression(value) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _negation(self._expression(operand))
            case ast.Compare(left=left, ops=operators, comparators=others):
                sides = [left, *others]
                pairs = zip(sides, operators, others, strict=False)
                return _conjunction([_comparison(*pair) for pair in pairs])
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, [_argument(argument) for argument in arguments])
        return _NOTHING

    def _call(self, name: str, values: list[str]) -> _Clause:
        if name == "element":
            return _has_any(element_set(values))
        if name == "elements":
            single = [value for value in values if value in ATOMIC_NUMBERS]
            groups = [_has_any(element_set([value])) for value in values if value not in ATOMIC_NUMBERS]
            return _conjunction([_has_all(single), *groups])
        if name == "only":
            return _Clause(f"elements HAS ONLY {_quoted(_ordered(element_set(values)))}", True)
        if name == "formula":
            return _disjunction([_composition(read_formula(value)) for value in values])
        if name == "pattern":
            return _disjunction([_pattern(value) for value in values])
        if name == "concept":
            return _disjunction([self._concept(value) for value in values])
        if name == "ion":
            return _disjunction([replace(_has_all(_ordered(ion_elements(value))), exact=False) for value in values])
        if name in _OF_ELEMENT:
            return replace(_has_any(element_set(values[: _OF_ELEMENT[name]])), exact=False)
        return _NOTHING


# -------------------- joining
def _conjunction(clauses: Iterable[_Clause]) -> _Clause:
    clauses = list(clauses)
    # A clause without a text that is exact holds for all crystals.
    exact = all(clause.exact for clause in clauses)
    symbols = dict.fromkeys(symbol for clause in clauses for symbol in clause.all_of)
    said: dict[str, _Clause] = {}
    for clause in clauses:
        part = _has_all(list(symbols)) if clause.all_of else clause
        if part.text:
            said[part.within("AND")] = part
    if len(said) < 2:
        return replace(next(iter(said.values()), _NOTHING), exact=exact)
    return _Clause(" AND ".join(said), exact, "AND")


def _disjunction(clauses: Iterable[_Clause]) -> _Clause:
    flat = [part for clause in clauses for part in clause.parts or (clause,)]
    if not all(clause.text for clause in flat):
        return _NOTHING
    # `Ti and O, or O` is `O`.
    sets = {frozenset(clause.all_of) for clause in flat if clause.all_of}
    flat = [clause for clause in flat if not any(other < frozenset(clause.all_of) for other in sets)]
    exact = all(clause.exact for clause in flat)
    single = [symbol for clause in flat if len(clause.all_of) == 1 for symbol in clause.all_of]
    said: dict[str, _Clause] = {}
    for clause in flat:
        part = replace(_has_any(single), exact=exact) if len(clause.all_of) == 1 else clause
        said[part.within("OR")] = part
    if len(said) == 1:
        return replace(next(iter(said.values())), exact=exact)
    return _Clause(" OR ".join(said), exact, "OR", parts=tuple(said.values()))


def _negation(clause: _Clause) -> _Clause:
    if not clause.exact or not clause.text:
        return _Clause(exact=clause.exact)
    is_simple = not clause.joined and not clause.text.startswith("NOT ")
    return _Clause(f"NOT {clause.text}" if is_simple else f"NOT ({clause.text})", True)


# -------------------- conditions
def _ordered(symbols: Iterable[str]) -> list[str]:
    return sorted(symbols, key=ATOMIC_NUMBERS.__getitem__)


def _quoted(symbols: Iterable[str]) -> str:
    return ", ".join(f'"{symbol}"' for symbol in symbols)


def _has_any(symbols: Iterable[str]) -> _Clause:
    found = _ordered(set(symbols))
    if len(found) < 2:
        return _has_all(found)
    return _Clause(f"elements HAS ANY {_quoted(found)}", True)


def _has_all(symbols: Sequence[str]) -> _Clause:
    if not symbols:
        return _Clause(exact=True)
    operator = "HAS" if len(symbols) == 1 else "HAS ALL"
    return _Clause(f"elements {operator} {_quoted(symbols)}", True, all_of=tuple(symbols))


def _number(name: str, sign: str, value: float) -> _Clause:
    return _Clause(f"{name} {sign} {value:g}", True)


def _composition(amounts: dict[str, float]) -> _Clause:
    whole = {symbol: round(amount) for symbol, amount in amounts.items()}
    if (
        not whole
        or 0 in whole.values()
        or any(abs(whole[symbol] - amount) > 1e-6 for symbol, amount in amounts.items())
    ):
        # A disordered crystal has no reduced formula in OPTIMADE, but its elements.
        return replace(_has_all(list(amounts)), exact=False)
    divisor = reduce(gcd, whole.values())
    parts = ((symbol, amount // divisor) for symbol, amount in sorted(whole.items()))
    formula = "".join(symbol if amount == 1 else f"{symbol}{amount}" for symbol, amount in parts)
    return _Clause(f'chemical_formula_reduced = "{formula}"', True)


def _pattern(text: str) -> _Clause:
    pattern = read_pattern(text)
    if pattern is None:
        return _NOTHING
    amounts = sorted([*pattern.fixed.values(), *(amount for amount, _ in pattern.free)], reverse=True)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(amounts)]
    anonymous = "".join(
        letter if amount == 1 else f"{letter}{amount}" for letter, amount in zip(letters, amounts, strict=True)
    )
    clauses = [_Clause(f'chemical_formula_anonymous = "{anonymous}"', True), _has_all(list(pattern.fixed))]
    restricted = [allowed for _, allowed in pattern.free if len(allowed) < len(ATOMIC_NUMBERS)]
    clauses += [replace(_has_any(allowed), exact=False) for allowed in dict.fromkeys(restricted)]
    whole = _conjunction(clauses)
    # Which element has which amount cannot be said, unless all amounts are the same.
    return whole if len(set(amounts)) == 1 or not pattern.fixed else replace(whole, exact=False)


def _range(term: RangeTerm) -> _Clause:
    name = _PROPERTIES.get(term.column)
    if name is None:
        return _NOTHING
    low, high = term.low, term.high
    if low is not None and low == high:
        return _number(name, "=", low)
    ends = [(">" if term.strict else ">=", low), ("<" if term.strict else "<=", high)]
    return _conjunction([_number(name, sign, end) for sign, end in ends if end is not None])


def _argument(tree: ast.expr) -> str:
    return tree.id if isinstance(tree, ast.Name) else str(ast.literal_eval(tree))


def _comparison(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> _Clause:
    sign = _COMPARISONS[type(operator)]
    if isinstance(left, ast.Constant):
        left, right, sign = right, left, _MIRRORED[sign]
    if not isinstance(right, ast.Constant):
        return _NOTHING
    value = float(right.value)  # type: ignore[arg-type]
    if isinstance(left, ast.Name) and left.id in _PROPERTIES:
        return _number(_PROPERTIES[left.id], sign, value)
    match left:
        case ast.Call(func=ast.Name(id="share" | "amount"), args=arguments):
            needs_some = (sign == ">" and value >= 0) or (sign in (">=", "=") and value > 0)
            some = _has_any(element_set(_argument(argument) for argument in arguments))
            return replace(some, exact=sign == ">" and value == 0) if needs_some else _NOTHING
    return _NOTHING


__all__ = ["OptimadeFilter", "optimade_filter"]
