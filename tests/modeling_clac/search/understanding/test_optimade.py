"""Queries as OPTIMADE filters: their grammar is that of the `optimade` package, and they find what the query means."""

from __future__ import annotations

import operator
import re
from functools import cache, reduce
from math import gcd
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeling_clac.concepts.elements import GROUPS
from modeling_clac.concepts.patterns import read_pattern
from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.data.facts.ion_table import IONS
from modeling_clac.formulas_clac import read_formula
from modeling_clac.search.filters import Filters
from modeling_clac.search.understanding.implied_elements import ion_elements
from modeling_clac.search.understanding.optimade import optimade_filter
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import (
    ConceptTerm,
    Constraint,
    ElementTerm,
    FormulaTerm,
    Literal,
    OnlyTerm,
    PatternTerm,
    Query,
    RangeTerm,
    SortKey,
    SystemTerm,
    Term,
)

lark = pytest.importorskip("lark")
filterparser = pytest.importorskip("optimade.filterparser")


@cache
def _vocabulary() -> Vocabulary:
    return load_vocabulary()


@cache
def _table() -> FactTable:
    table = FactTable.bundled()
    return table.take(np.arange(0, len(table), 5))


# -------------------- a literal evaluator of filters
@cache
def _records() -> list[dict[str, Any]]:
    """The properties of the OPTIMADE specification for the bundled crystals."""
    records = []
    for formula, sites in zip(_table().table["formula"].to_pylist(), _table().number("nsites"), strict=True):
        amounts = {symbol: round(amount) for symbol, amount in read_formula(formula).items()}
        divisor = reduce(gcd, amounts.values())
        amounts = {symbol: amount // divisor for symbol, amount in sorted(amounts.items())}
        ordered = sorted(amounts.values(), reverse=True)
        records.append(
            {
                "elements": set(amounts),
                "nelements": len(amounts),
                "nsites": int(sites),
                "chemical_formula_reduced": _written(amounts),
                "chemical_formula_anonymous": _written(dict(zip("ABCDEFGHIJ", ordered, strict=False))),
            }
        )
    return records


def _written(amounts: dict[str, int]) -> str:
    return "".join(symbol if amount == 1 else f"{symbol}{amount}" for symbol, amount in amounts.items())


_OPERATORS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip


def _holds(tree: Any, record: dict[str, Any]) -> bool:
    """Evaluate a parsed filter on one record, rule by rule of the grammar."""
    if tree.data in ("filter", "comparison"):
        return _holds(tree.children[0], record)
    if tree.data == "expression":
        return any(_holds(child, record) for child in tree.children if isinstance(child, lark.Tree))
    if tree.data == "expression_clause":
        return all(_holds(child, record) for child in tree.children if isinstance(child, lark.Tree))
    if tree.data == "expression_phrase":
        negated = any(isinstance(child, lark.Token) and child.type == "NOT" for child in tree.children)
        (inner,) = (child for child in tree.children if isinstance(child, lark.Tree))
        return _holds(inner, record) != negated
    assert tree.data == "property_first_comparison", tree.data
    name, side = tree.children
    value = record[str(name.children[0])]
    words = [str(child) for child in side.children if isinstance(child, lark.Token)]
    values = [_value(token) for token in side.scan_values(lambda token: token.type in ("ESCAPED_STRING", "SIGNED_INT"))]
    if side.data == "value_op_rhs":
        return bool(_OPERATORS[words[0]](value, values[0]))
    assert side.data == "set_op_rhs" and words[0] == "HAS", side
    tests = {"ALL": value.issuperset, "ONLY": value.issubset, "ANY": lambda listed: bool(value & set(listed))}
    return bool(tests[words[1] if len(words) > 1 else "ALL"](values))


def _value(token: Any) -> str | int:
    return int(token) if token.type == "SIGNED_INT" else str(token)[1:-1]


def _found(text: str) -> np.ndarray:
    tree = filterparser.LarkParser().parse(text)
    return np.array([_holds(tree, record) for record in _records()])


# -------------------- what the terms mean
@cache
def _meant(term: Term) -> np.ndarray:
    table = _table()
    if isinstance(term, ElementTerm):
        listed = GROUPS["metal"] if term.symbol == "metal" else {term.symbol}
        return np.array([bool(record["elements"] & listed) for record in _records()])
    if isinstance(term, SystemTerm):
        return np.array([record["elements"] == set(term.symbols) for record in _records()])
    if isinstance(term, OnlyTerm):
        return np.array([record["elements"] <= set(term.symbols) for record in _records()])
    if isinstance(term, FormulaTerm):
        return table.formula_is([term.formula]) == 1
    if isinstance(term, PatternTerm):
        pattern = read_pattern(term.pattern)
        assert pattern is not None
        return pattern.matches(table.amounts)
    if isinstance(term, ConceptTerm):
        return _vocabulary().holds(term.id, table) == 1
    assert isinstance(term, RangeTerm)
    number = table.number(term.column)
    low = -np.inf if term.low is None else term.low
    high = np.inf if term.high is None else term.high
    return (number > low) & (number < high) if term.strict else (number >= low) & (number <= high)


def _meant_by(constraints: tuple[Constraint, ...]) -> np.ndarray:
    return np.all(
        [
            np.any([_meant(literal.term) != literal.negated for literal in constraint.literals], axis=0)
            for constraint in constraints
        ],
        axis=0,
    )


_SYMBOLS = st.sampled_from("Li O Fe Ti S Pb Na Cl Si H Mg La F P N Cu".split())
_TERMS = st.one_of(
    st.builds(ElementTerm, _SYMBOLS | st.just("metal")),
    st.lists(_SYMBOLS, min_size=1, max_size=3, unique=True).map(lambda symbols: SystemTerm(tuple(symbols))),
    st.sets(_SYMBOLS, min_size=2, max_size=8).map(lambda symbols: OnlyTerm(("these",), tuple(sorted(symbols)))),
    st.sampled_from(["TiO2", "LiFePO4", "Fe2O3", "CaO", "NaCl", "Ti2O4", "Ca(OH)2"]).map(
        lambda formula: FormulaTerm(formula, tuple(read_formula(formula).items()))
    ),
    st.sampled_from(["ABO3", "ABX3", "AB", "A2B", "A2BX4", "LnBO3", "MX2"]).map(PatternTerm),
    st.builds(
        RangeTerm,
        st.sampled_from(["nsites", "number_of_elements"]),
        low=st.integers(1, 4).map(float),
        high=st.one_of(st.none(), st.integers(5, 12).map(float)),
        strict=st.booleans(),
    ),
    st.sampled_from(["mineral-rutile", "trivial-quicklime", "ore-iron-ore", "group-feldspar", "trivial-alumina"]).map(
        lambda name: ConceptTerm(name, name, "name")
    ),
)
_LITERALS = st.builds(Literal, _TERMS, st.booleans())
_CONSTRAINTS = st.lists(_LITERALS, min_size=1, max_size=2).map(lambda literals: Constraint(tuple(literals)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(constraints=st.lists(_CONSTRAINTS, min_size=1, max_size=3).map(tuple))
def test_a_filter_finds_the_crystals_that_are_meant(constraints: tuple[Constraint, ...]) -> None:
    written = optimade_filter(Query("", constraints), _vocabulary())
    meant = _meant_by(constraints)
    found = _found(written.filter) if written.filter else np.ones(len(meant), dtype=bool)
    if written.is_exact:
        np.testing.assert_array_equal(found, meant)
    else:
        assert found[meant].all()


def test_every_ion_has_the_elements_that_a_filter_asks_for() -> None:
    table = FactTable.bundled()
    elements = [set(symbols) for symbols in table.table["elements"].to_pylist()]
    for name in IONS:
        assert ion_elements(name), name
        rows = np.flatnonzero(table.label("ions", name) == 1)
        assert all(ion_elements(name) <= elements[row] for row in rows), name


@pytest.mark.parametrize(
    ("text", "filter_", "in_part", "left_out"),
    [
        ("oxide", 'elements HAS "O"', ["oxide"], []),
        ("phosphate without hydrogen", 'elements HAS ALL "O", "P" AND NOT elements HAS "H"', ["phosphate"], []),
        ("contains Ti and contains O", 'elements HAS ALL "Ti", "O"', [], []),
        ("iron or cobalt", 'elements HAS ANY "Fe", "Co"', [], []),
        ("Li-P-S system", 'elements HAS ALL "Li", "P", "S" AND nelements = 3', [], []),
        ("contains oxygen but no lead", 'elements HAS "O" AND NOT elements HAS "Pb"', [], []),
        (
            "oxides with elements from Sc to Cr",
            'elements HAS "O" AND elements HAS ANY "Sc", "Ti", "V", "Cr"',
            ["oxide"],
            [],
        ),
        ("contains S, no halogens except F", 'elements HAS "S" AND NOT elements HAS ANY "Cl", "Br", "I"', [], []),
        ("quicklime", 'chemical_formula_reduced = "CaO"', [], []),
        ("LiFePO4", 'chemical_formula_reduced = "FeLiO4P"', [], []),
        ("fewer than 5 atoms in the cell, contains Ti", 'nsites <= 4 AND elements HAS "Ti"', [], []),
        ("rutile", 'chemical_formula_reduced = "O2Ti"', ["rutile"], []),
        ("contains Fe, band gap above 5 eV", 'elements HAS "Fe"', [], ["band gap > 5 eV"]),
        ("contains Fe, hardest", 'elements HAS "Fe"', [], ["highest hardness"]),
    ],
)
def test_filters_of_texts(text: str, filter_: str, in_part: list[str], left_out: list[str]) -> None:
    written = optimade_filter(understand(text, _vocabulary()), _vocabulary())
    assert written.to_dict() == {"filter": filter_, "only_in_part": in_part, "not_in_the_filter": left_out}
    filterparser.LarkParser().parse(written.filter)


def test_a_concept_that_only_implies_elements_is_said_in_part_and_never_negated() -> None:
    term = ConceptTerm("mineral-rutile", "rutile", "name")
    iron = Constraint((Literal(ElementTerm("Fe")),))
    either = Constraint((Literal(term), Literal(ElementTerm("Fe"))))
    assert optimade_filter(Query("", (Constraint((Literal(term, True),)), iron)), _vocabulary()).to_dict() == {
        "filter": 'elements HAS "Fe"',
        "only_in_part": [],
        "not_in_the_filter": ["no rutile"],
    }
    written = optimade_filter(Query("", (either, iron)), _vocabulary())
    assert written.filter == '(chemical_formula_reduced = "O2Ti" OR elements HAS "Fe") AND elements HAS "Fe"'
    assert written.in_part == ("rutile or Fe",)


def test_disorder_has_elements_only() -> None:
    amounts = tuple(read_formula("La1.85Sr0.15CuO4").items())
    written = optimade_filter(Query("", (Constraint((Literal(FormulaTerm("LSCO", amounts)),)),)), _vocabulary())
    assert written.filter == 'elements HAS ALL "La", "Sr", "Cu", "O"'
    assert written.in_part == ("LSCO",)


def test_wishes_and_orders_are_left_out() -> None:
    wish = Constraint((Literal(ElementTerm("Ti")),), preferred=True)
    written = optimade_filter(Query("", (wish,), (SortKey("nsites", False),)), _vocabulary())
    assert written.filter == ""
    assert written.left_out == ("preferably Ti", "lowest atoms in the cell")


def test_options_of_a_search() -> None:
    filters = Filters(
        elements=["Li", "O"],
        exclude_elements=["Pb", "Cd"],
        formula="Ti2O4",
        space_group="Fm-3m",
        ranges={"nsites": (None, 8.0), "band_gap": (1.0, None)},
    )
    either = Constraint((Literal(ElementTerm("Fe")), Literal(ElementTerm("Co"))))
    written = optimade_filter(Query("", (either,)), _vocabulary(), filters)
    assert written.filter == (
        'elements HAS ANY "Fe", "Co" AND elements HAS ALL "Li", "O" '
        'AND NOT elements HAS ANY "Cd", "Pb" AND chemical_formula_reduced = "O2Ti" AND nsites <= 8'
    )
    assert written.left_out == ("space group 225", "band gap")
    filterparser.LarkParser().parse(written.filter)
    assert optimade_filter(Query(""), _vocabulary(), Filters()).filter == ""


@pytest.mark.parametrize("group", ["halogen", "rare_earth", "precious", "metal"])
def test_all_names_of_elements_are_symbols(group: str) -> None:
    written = optimade_filter(Query(""), _vocabulary(), Filters(exclude_elements=sorted(GROUPS[group]))).filter
    assert set(re.findall(r'"(\w+)"', written)) == GROUPS[group]
    filterparser.LarkParser().parse(written)
