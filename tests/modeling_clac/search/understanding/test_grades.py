"""Grades, costs, marks and orders of crystals, each compared with a value that was computed by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_clac.concepts.concept_files import read_concepts
from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.formulas_clac import read_formula
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import (
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
    SortKey,
    SpaceGroupTerm,
    SystemTerm,
    Term,
)
from modeling_clac.search.understanding.ranking import (
    Evaluation,
    Mark,
    constraint_grade,
    literal_grade,
    with_estimates,
)
from tests.helpers.concepts import small_vocabulary

VOCABULARY = Vocabulary(read_concepts(Path(__file__).parent / "vocabulary.yaml"))
NAN = float("nan")


def table(*formulas: str | None, **columns: list[Any]) -> FactTable:
    """Facts of crystals; columns are lists of values."""
    count = len(formulas) or len(next(iter(columns.values())))
    named = list(formulas) or ["TiO2"] * count
    return FactTable.from_records(
        [
            {
                "formula": formula,
                "elements": [] if formula is None else sorted(read_formula(formula)),
                **{name: values[row] for name, values in columns.items()},
            }
            for row, formula in enumerate(named)
        ]
    )


def grades(term: Term, facts: FactTable, negated: bool = False) -> np.ndarray:
    return literal_grade(Literal(term, negated), facts, VOCABULARY)


def check(term: Term, facts: FactTable, positive: list[float], negative: list[float]) -> None:
    """Compare the grades of a term, and of the term that must not hold."""
    for negated, expected in ((False, positive), (True, negative)):
        found = grades(term, facts, negated)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6)


def formula(text: str) -> FormulaTerm:
    return FormulaTerm(text, tuple(read_formula(text).items()))


# -------------------- ranges
def near(outside: float, scale: float) -> float:
    """Grade of a value at a distance from a range."""
    return 0.6 * math.exp(-outside / scale)


def test_a_lower_end() -> None:
    facts = table(band_gap=[3.0, 2.0, 2.0 - 1e-9, 1.5, 0.0, None])
    values = [1, 1, 1, near(0.5, 1), near(2, 1), NAN]
    check(RangeTerm("band_gap", low=2.0), facts, values, [0, 0, 0, 1, 1, NAN])
    # An end that is excluded is a near miss.
    values[1:3] = [0.6, 0.6]
    check(RangeTerm("band_gap", low=2.0, strict=True), facts, values, [0, 1, 1, 1, 1, NAN])


def test_an_upper_end() -> None:
    facts = table(band_gap=[1.0, 4.0, 4.0 + 1e-9, 5.0, 10.0, None])
    values = [1, 1, 1, near(1, 2), near(6, 2), NAN]
    check(RangeTerm("band_gap", high=4.0), facts, values, [0, 0, 0, 1, 1, NAN])
    values[1:3] = [0.6, 0.6]
    check(RangeTerm("band_gap", high=4.0, strict=True), facts, values, [0, 1, 1, 1, 1, NAN])


def test_both_ends_and_none() -> None:
    facts = table(band_gap=[0.5, 1.0, 2.0, 4.0, 5.0])
    check(RangeTerm("band_gap", 1.0, 4.0), facts, [near(0.5, 2), 1, 1, 1, near(1, 2)], [1, 0, 0, 0, 1])
    check(RangeTerm("band_gap", 1.0, 4.0, strict=True), facts, [near(0.5, 2), 0.6, 1, 0.6, near(1, 2)], [1, 1, 0, 1, 1])
    check(RangeTerm("band_gap"), facts, [1] * 5, [0] * 5)


def test_large_values_may_differ_by_their_rounding() -> None:
    facts = table(bulk_modulus_vrh=[400.0 - 3e-7, 400.0 - 5e-7])
    check(RangeTerm("bulk_modulus_vrh", low=400.0), facts, [1, 0.6], [0, 1])


def test_near_zero_the_tolerance_of_the_quantity_is_the_scale() -> None:
    facts = table(formation_energy_per_atom=[0.1], energy_above_hull=[0.1])
    assert grades(RangeTerm("formation_energy_per_atom", high=0.0), facts)[0] == pytest.approx(near(0.1, 0.1))
    # At least 0.05.
    assert grades(RangeTerm("energy_above_hull", high=0.0), facts)[0] == pytest.approx(near(0.1, 0.05))
    assert grades(RangeTerm("formation_energy_per_atom", high=-4.0), facts)[0] == pytest.approx(near(4.1, 2.0))


# -------------------- symmetry
def test_space_groups() -> None:
    facts = table(space_group_number=[225, 221, 216, 62, None])
    check(SpaceGroupTerm(225, "Fm-3m"), facts, [1, 0.3, 0, 0, NAN], [0, 1, 1, 1, NAN])


def test_point_groups() -> None:
    facts = table(space_group_number=[225, 221, 230, 216, 62, None])
    check(PointGroupTerm("m-3m"), facts, [1, 1, 1, 0, 0, NAN], [0, 0, 0, 1, 1, NAN])


# -------------------- compositions
def test_elements_and_metals() -> None:
    facts = table("NaCl", "SO2", "Fe", None)
    check(ElementTerm("Na"), facts, [1, 0, 0, NAN], [0, 1, 1, NAN])
    check(ElementTerm("metal"), facts, [1, 0, 1, NAN], [0, 1, 0, NAN])


def test_patterns() -> None:
    facts = table("CaTiO3", "TiO2", None)
    check(PatternTerm("ABO3"), facts, [1, 0, NAN], [0, 1, NAN])


def test_numbers_of_elements() -> None:
    facts = table("CO2", "NaCl", "LiNaCl2", "LiNaKCl3", "LiNaKRbCl4", None)
    alkali = ("Cs", "K", "Li", "Na", "Rb")
    check(CountTerm("alkali", alkali, 2), facts, [0.2, 0.4, 1, 1, 1, NAN], [1, 1, 0, 0, 0, NAN])
    check(CountTerm("alkali", alkali, 0, 1), facts, [1, 1, 0.4, 0.2, 0.4 / 3, NAN], [0, 0, 1, 1, 1, NAN])
    check(CountTerm("alkali", alkali, 2, 2), facts, [0.2, 0.4, 1, 0.4, 0.2, NAN], [1, 1, 0, 1, 1, NAN])


def test_nothing_but_some_elements() -> None:
    facts = table("Fe2O3", "FeO", "LiFePO4", "NaCl", "Fe", None)
    check(OnlyTerm(("x",), ("Fe", "O")), facts, [1, 1, 0.2, 0, 1, NAN], [0, 0, 1, 1, 0, NAN])


def test_chemical_systems() -> None:
    facts = table("Li3PS4", "Li2S", "S", "LiPS4O", "LiPO4", "NaCl", "LiNaCl2", None)
    positive = [1, 0.6, 0.4, 0.4, 0.3 * 2 / 4, 0, 0.3 / 5, NAN]
    check(SystemTerm(("Li", "P", "S")), facts, positive, [0, 1, 1, 1, 1, 1, 1, NAN])
    check(SystemTerm(("S",)), table("S", "Li2S"), [1, 0.4], [0, 1])


def test_formulas() -> None:
    # Shares of Fe in Fe2O3 and FeO: 0.4 and 0.5, so that the differences add up to 0.2.
    facts = table("Fe2O3", "Fe4O6", "FeO", "LiFePO4", "NaCl", "Fe", None)
    positive = [1, 1, 0.5 * 0.9, 0.35 * 2 / 4, 0, 0.35 / 2, NAN]
    check(formula("Fe2O3"), facts, positive, [0, 0, 1, 1, 1, 1, NAN])


def test_formulas_agree_within_a_thousandth() -> None:
    # A share of 0.501 in place of 0.5 is within the tolerance, 0.5012 is not.
    facts = table("Fe501O499", "Fe5005O4995", "Fe5012O4988", "Fe500O500Li1", "Fe500O500Li2")
    found = grades(formula("FeO"), facts)
    assert (found == 1).tolist() == [True, True, False, True, False]
    assert found[2] == pytest.approx(0.5 * (1 - 0.5 * 0.0024), abs=1e-6)
    assert found[4] == pytest.approx(0.35 * 2 / 3, abs=1e-6)


# -------------------- concepts
def test_a_concept_without_its_elements_fails_even_without_facts() -> None:
    facts = FactTable.from_records(
        [
            {"formula": "TiN", "anions": None},
            {"formula": "TiO2", "anions": None},
            {"formula": "AlN", "anions": ["N"]},
            {"formula": None, "anions": None},
        ]
    )
    check(ConceptTerm("nitride", "nitride", "anion"), facts, [NAN, 0, 1, NAN], [NAN, 1, 0, NAN])
    # Both of two elements are needed.
    facts = FactTable.from_records([{"formula": name, "anions": None} for name in ("BiOCl", "TiO2", "NaCl", "TiN")])
    check(ConceptTerm("oxychloride", "oxychloride", "class"), facts, [NAN, 0, 0, 0], [NAN, 1, 1, 1])


def test_names_of_compounds_are_near_to_those_of_the_same_elements() -> None:
    facts = table("TiO2", "Ti2O3", "TiO", "SrTiO3", "NaCl")
    term = ConceptTerm("rutile", "rutile", "name")
    # Differences of shares: 2 |1/3 - 2/5| and 2 |1/3 - 1/2|.
    expected = [1, 0.8 * 0.5 * (1 - 1 / 15), 0.8 * 0.5 * (1 - 1 / 6), 0.8 * 0.35 * 2 / 3, 0]
    np.testing.assert_allclose(grades(term, facts), expected, atol=1e-6)
    np.testing.assert_allclose(grades(term, facts, True), 1 - np.array(expected), atol=1e-6)
    # Other kinds of concepts are not near.
    use = ConceptTerm("tin-coating", "hard coating", "use")
    np.testing.assert_allclose(grades(use, table("TiN", "Ti2N")), [1, 0])


@pytest.mark.parametrize("test", ['formula("TiO2") and space_group(136)', "formula(TiO2) and space_group(136)"])
def test_another_polymorph_of_a_mineral_stays_below_one_half(test: str) -> None:
    vocabulary = small_vocabulary({"id": "mineral", "kind": "name", "test": test})
    facts = table("TiO2", "TiO2", space_group_number=[136, 141])
    found = literal_grade(Literal(ConceptTerm("mineral", "mineral", "name")), facts, vocabulary)
    np.testing.assert_allclose(found, [1, 0.49], atol=1e-6)


# -------------------- constraints
def constraint(*terms: Term, preferred: bool = False) -> Constraint:
    return Constraint(tuple(Literal(term) for term in terms), preferred)


def test_the_best_of_several_counts_unless_an_unknown_one_may_be_better() -> None:
    facts = table("NaCl", "NaCl", "KCl", "NaCl", "KCl", band_gap=[3.0, 1.5, 1.5, None, None])
    either = constraint(RangeTerm("band_gap", low=2.0), ElementTerm("K"))
    found = constraint_grade(either, facts, VOCABULARY)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [1, near(0.5, 1), 1, NAN, 1], atol=1e-6)
    np.testing.assert_allclose(
        constraint_grade(constraint(ElementTerm("K")), facts, VOCABULARY), [0, 0, 1, 0, 1], atol=1e-6
    )


def evaluation(facts: FactTable, *constraints: Constraint, sort: tuple[SortKey, ...] = ()) -> Evaluation:
    return Evaluation(Query("", constraints, sort), facts, VOCABULARY)


def test_costs_of_what_holds_fails_and_is_unknown() -> None:
    columns = {"band_gap": [3.0, 0.0, None, None, None, 1.5], "estimated_band_gap": [None, None, None, 3.0, 0.0, 9.0]}
    facts = table(**columns)
    wide = constraint(RangeTerm("band_gap", low=2.0))
    far = near(2, 1)
    expected = [0, 1 - far, 0.45 + 0.25 * 0.5, 0.45, 0.45 + 0.25 * (1 - far), 1 - near(0.5, 1)]
    np.testing.assert_allclose(evaluation(facts, wide).costs, np.round(expected, 3), atol=1e-6)
    wish = constraint(RangeTerm("band_gap", low=2.0), preferred=True)
    np.testing.assert_allclose(evaluation(facts, wish).costs, np.round(0.3 * np.array(expected), 3), atol=1e-6)
    both = evaluation(facts, wide, constraint(ElementTerm("Na")), wish)
    np.testing.assert_allclose(both.costs, 1.3 * np.array(expected) + 1, atol=6e-4)
    assert evaluation(facts).costs.tolist() == [0] * 6 and evaluation(facts).grades.shape == (0, 6)


def test_estimates_are_used_where_values_are_unknown() -> None:
    facts = table(band_gap=[3.0, None, None], estimated_band_gap=[0.0, 3.0, None], density=[1.0, 1.0, 1.0])
    wide, light = constraint(RangeTerm("band_gap", low=2.0)), constraint(RangeTerm("density", high=2.0))
    found = evaluation(facts, wide, light).estimated
    np.testing.assert_allclose(found, np.array([[1, 1, NAN], [1, 1, 1]]))
    filled = with_estimates(facts)
    assert filled is not None and with_estimates(facts) is filled
    np.testing.assert_allclose(filled.number("band_gap"), [3, 3, NAN])
    plain = table(band_gap=[3.0, None])
    assert with_estimates(plain) is None
    np.testing.assert_allclose(evaluation(plain, wide).estimated, np.array([[1, NAN]]))
    np.testing.assert_allclose(evaluation(plain, wide).costs, [0, 0.575])


def test_met_needs_all_but_wishes() -> None:
    facts = table("NaCl", "NaCl", "KCl", "NaF", band_gap=[3.0, None, 3.0, 3.0])
    wide, sodium = constraint(RangeTerm("band_gap", low=2.0)), constraint(ElementTerm("Na"))
    wish = constraint(ElementTerm("Cl"), preferred=True)
    assert evaluation(facts, wide, sodium, wish).met.tolist() == [True, False, False, True]
    assert evaluation(facts, wish).met.tolist() == [True] * 4
    assert evaluation(facts).met.tolist() == [True] * 4


# -------------------- marks
def test_marks_of_all_states() -> None:
    facts = table("Li3PS4", "Li2S", "LiPS4O", None)
    marks = [evaluation(facts, constraint(SystemTerm(("Li", "P", "S")))).marks(row)[0] for row in range(4)]
    assert [mark.state for mark in marks] == ["met", "partly", "failed", "unknown"]
    assert [mark.sign for mark in marks] == ["✓", "±", "✗", "?"]
    assert [str(mark) for mark in marks] == [f"{sign} Li-P-S system" for sign in "✓±✗?"]
    assert marks[0].to_dict() == {"label": "Li-P-S system", "state": "met", "value": None}
    assert Mark("x", "met", "2 eV").to_dict() == {"label": "x", "state": "met", "value": "2 eV"}
    assert str(Mark("x", "partly", "2 eV")) == "± x (2 eV)"


def test_one_half_is_partly() -> None:
    # A concept that holds by half.
    vocabulary = small_vocabulary({"id": "thing", "kind": "class", "test": "space_group(136) or band_gap > 1"})
    facts = table(band_gap=[2.0, 0.0], space_group_number=[1, 1])
    found = Evaluation(Query("", (constraint(ConceptTerm("thing", "thing", "class")),)), facts, vocabulary)
    found.grades = np.array([[0.5, np.nextafter(np.float32(0.5), np.float32(0))]], dtype=np.float32)
    assert [found.marks(row)[0].state for row in range(2)] == ["partly", "failed"]
    found.grades = np.array([[0.999, 0.9989]], dtype=np.float64)
    assert [found.marks(row)[0].state for row in range(2)] == ["met", "partly"]
    assert found.met.tolist() == [True, False]


def test_values_of_marks() -> None:
    facts = table(
        "NaCl", "NaCl", "NaCl",
        band_gap=[2.126, None, None], estimated_band_gap=[None, 1.5, None], density=[2.0, 3.0, None],
        bulk_modulus_vrh=[99.6, None, 12.0], refractive_index=[1.5, None, None],
    )  # fmt: skip
    found = evaluation(
        facts,
        constraint(ElementTerm("Na")),
        constraint(RangeTerm("band_gap", low=2.0), RangeTerm("density", high=2.0)),
        constraint(ConceptTerm("stiff", "stiff", "band")),
        constraint(RangeTerm("refractive_index", low=1.0)),
        constraint(ConceptTerm("semiconductor", "semiconductor", "class")),
        constraint(ElementTerm("K"), RangeTerm("density", high=9.0)),
        sort=(SortKey("price", False), SortKey("density", True)),
    )
    values = [[mark.value for mark in found.marks(row)] for row in range(3)]
    assert values == [
        ["", "2.13 eV", "100 GPa", "1.50", "", "2.00 g/cm³"],
        ["", "~1.50 eV", "", "", "", "3.00 g/cm³"],
        ["", "", "12 GPa", "", "", ""],
    ]
    assert found.columns == ("price", "density", "band_gap", "bulk_modulus_vrh", "refractive_index")
    shown = found.values(1)
    assert list(shown) == list(found.columns)
    assert (shown["density"], shown["band_gap"], shown["bulk_modulus_vrh"]) == ("3.00", "~1.50", "")


# -------------------- orders
def order(found: Evaluation, cosines: list[float] | None = None, **options: Any) -> list[int]:
    chosen = np.zeros(len(found.table)) if cosines is None else np.array(cosines)
    ordered = found.order(chosen, **options).tolist()
    # The first ones are found without sorting all.
    for k in range(1, len(ordered) + 1):

        def nearest(count: int, tied: np.ndarray) -> np.ndarray:
            return tied[np.argsort(-chosen[tied], kind="stable")[:count]]

        best = found.best(k, lambda rows: chosen[rows], nearest, **options)
        assert best.tolist() == ordered[:k]
    return [int(row) for row in ordered]


def test_an_order_lists_known_values_then_estimates_then_unknown_ones() -> None:
    facts = table(band_gap=[1.0, None, 3.0, None, 2.0], estimated_band_gap=[9.0, 0.5, None, None, 0.0])
    assert order(evaluation(facts, sort=(SortKey("band_gap", True),))) == [2, 4, 0, 1, 3]
    assert order(evaluation(facts, sort=(SortKey("band_gap", False),))) == [0, 4, 2, 1, 3]
    facts = table(band_gap=[1.0, None, 3.0], density=[3.0, 2.0, 1.0])
    assert order(evaluation(facts, sort=(SortKey("band_gap", True),))) == [2, 0, 1]


def test_the_second_order_decides_where_the_first_is_equal() -> None:
    facts = table(band_gap=[1.0, 1.0, 2.0], density=[3.0, 4.0, 1.0])
    keys = (SortKey("band_gap", False), SortKey("density", True))
    assert order(evaluation(facts, sort=keys)) == [1, 0, 2]


def test_costs_come_before_orders_and_these_before_cosines() -> None:
    facts = table("NaCl", "KCl", "NaF", "NaBr", density=[3.0, 1.0, 2.0, 2.0])
    sodium = constraint(ElementTerm("Na"))
    assert order(evaluation(facts, sodium, sort=(SortKey("density", False),)), [0, 0, 0, 1]) == [3, 2, 0, 1]
    assert order(evaluation(facts, sodium), [0.1, 0.9, 0.3, 0.2]) == [2, 3, 0, 1]
    assert order(evaluation(facts, sodium), [0.1, 0.9, 0.3, 0.2], rows=np.array([0, 1, 3])) == [3, 0, 1]
    # Equal ones stay in the order of the table.
    assert order(evaluation(facts, sodium)) == [0, 2, 3, 1]


def test_distances_to_the_value_that_is_named() -> None:
    about = constraint(RangeTerm("band_gap", 1.0, 3.0, 2.0))
    facts = table(band_gap=[2.9, 1.2, 2.1, 2.0])
    assert order(evaluation(facts, about), [9, 9, 0, 0]) == [3, 2, 1, 0]
    # Relative to 2.1, that are 0.43, 0.38, 0.05 and 0; equal if they agree to two decimals.
    facts = table(band_gap=[2.02, 2.0, 2.04])
    assert order(evaluation(facts, about), [0.2, 0.1, 0.9]) == [1, 0, 2]
    facts = table(band_gap=[2.0, 2.005, 2.0])
    assert order(evaluation(facts, about), [0.2, 0.9, 0.1]) == [1, 0, 2]
    # A wish that is not met by far is three units away at most, as an unknown value is.
    wish = Constraint((Literal(RangeTerm("band_gap", 1.0, 3.0, 2.0)), Literal(ElementTerm("Ti"))))
    facts = table(band_gap=[50.0, None, 2.0])
    assert order(evaluation(facts, wish), [0.1, 0.9, 0.0]) == [2, 1, 0]
    # What must not hold has no distance.
    negated = Constraint((Literal(RangeTerm("band_gap", 1.0, 3.0, 2.0), True),))
    facts = table(band_gap=[5.0, 9.0])
    assert order(evaluation(facts, negated), [0.1, 0.9]) == [1, 0]


def test_elements_that_are_not_named_come_later() -> None:
    facts = table("LiFePO4", "FeO", "FeOCl", "Fe2O3")
    iron_oxide = understand("iron oxide", VOCABULARY)
    found = Evaluation(iron_oxide, facts, VOCABULARY)
    found.grades = np.ones_like(found.grades)
    assert order(found, [0.9, 0.1, 0.8, 0.2]) == [3, 1, 2, 0]
    # In a search by likeness, the cosine decides.
    assert order(found, [0.9, 0.1, 0.8, 0.2], by_likeness=True) == [0, 2, 3, 1]
    # Without an element, such as in `oxide`, nothing is named; what is excluded is not either.
    for text in ("oxide", "oxide without iron"):
        found = Evaluation(understand(text, VOCABULARY), facts, VOCABULARY)
        found.grades = np.ones_like(found.grades)
        assert order(found, [0.9, 0.1, 0.8, 0.2]) == [0, 2, 3, 1]
    found = Evaluation(understand("iron without chlorine", VOCABULARY), facts, VOCABULARY)
    found.grades = np.ones_like(found.grades)
    assert order(found, [0.1, 0.1, 0.9, 0.2]) == [3, 1, 2, 0]
