"""Crystals are ranked by what holds of a query; compared with a literal version that looks at one crystal at a time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_clac.concepts.concept_files import read_concepts
from modeling_clac.concepts.quantities import QUANTITIES
from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.formulas_clac import read_formula
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import ConceptTerm, ElementTerm, Query, RangeTerm, SystemTerm
from modeling_clac.search.understanding.ranking import Evaluation

VOCABULARY = Vocabulary(read_concepts(Path(__file__).parent / "vocabulary.yaml"))
NAN = float("nan")


def crystal(formula: str, group: int, **values: Any) -> dict[str, Any]:
    elements = sorted(read_formula(formula))
    return {
        "formula": formula,
        "elements": elements,
        "space_group_number": group,
        "nsites": 2 * len(elements),
        **values,
    }


RECORDS = [
    crystal("CsPbI3", 221, anions=["I"], structure_types=["perovskite"], band_gap=1.5, density=5.4),
    crystal("CsSnI3", 62, anions=["I"], structure_types=["perovskite"], band_gap=0.9, density=4.5),
    crystal("CsSnCl3", 221, anions=["Cl"], structure_types=["perovskite"], band_gap=None, estimated_band_gap=2.4),
    crystal("NaCl", 225, anions=["Cl"], structure_types=["rock-salt"], band_gap=5.0, density=2.2),
    crystal("TiN", 225, anions=["N"], structure_types=["rock-salt"], band_gap=None, bulk_modulus_vrh=280.0),
    crystal("AlN", 186, anions=["N"], structure_types=["wurtzite"], band_gap=4.1, bulk_modulus_vrh=200.0),
    crystal("BN", 216, anions=None, structure_types=None, band_gap=4.6, bulk_modulus_vrh=370.0, density=3.5),
    crystal("Fe2O3", 167, anions=["O"], structure_types=["corundum"], band_gap=1.9, density=5.2),
    crystal("FeO", 225, anions=["O"], structure_types=["rock-salt"], band_gap=None, density=6.0),
    crystal("LiFePO4", 62, anions=[], ions=["phosphate"], structure_types=["olivine"], band_gap=3.5, density=3.6),
    crystal("Li3PS4", 31, anions=["S"], structure_types=[], band_gap=2.7, density=1.9),
    crystal("Li2S", 225, anions=["S"], structure_types=["antifluorite"], band_gap=3.4, density=1.6),
]
TABLE = FactTable.from_records(RECORDS)
FORMULAS = [record["formula"] for record in RECORDS]


def ranked(text: str, cosines: np.ndarray | None = None) -> list[str]:
    evaluation = Evaluation(understand(text, VOCABULARY), TABLE, VOCABULARY)
    order = evaluation.order(np.zeros(len(TABLE)) if cosines is None else cosines)
    return [FORMULAS[row] for row in order]


def states(text: str, formula: str) -> list[str]:
    evaluation = Evaluation(understand(text, VOCABULARY), TABLE, VOCABULARY)
    return [str(mark) for mark in evaluation.marks(FORMULAS.index(formula))]


def test_what_holds_comes_first_then_the_cosine() -> None:
    cosines = np.linspace(-1, 1, len(RECORDS))
    assert ranked("lead-free halide perovskite", cosines)[:2] == ["CsSnCl3", "CsSnI3"]
    assert ranked("lead-free halide perovskite", -cosines)[:2] == ["CsSnI3", "CsSnCl3"]
    # One constraint fails: no perovskite, or with lead.
    assert set(ranked("lead-free halide perovskite")[2:4]) == {"NaCl", "CsPbI3"}


def test_a_failed_constraint_moves_a_hit_down_but_not_away() -> None:
    assert sorted(ranked("nitride without boron, cubic")) == sorted(FORMULAS)


def test_a_space_group_comes_before_others_of_its_class() -> None:
    # m-3m is the point group of 221 and 225, and -43m that of 216.
    order = ranked("space group Fm-3m")
    assert set(order[:4]) == {"NaCl", "TiN", "FeO", "Li2S"} and set(order[4:6]) == {"CsPbI3", "CsSnCl3"}
    assert states("space group Fm-3m", "NaCl")[0][0] == "✓" and states("space group Fm-3m", "BN")[0][0] == "✗"


def test_near_misses_come_in_proportion() -> None:
    order = ranked("gap above 4.5 eV")
    assert order[:2] == ["NaCl", "BN"]
    known = [formula for formula in order if RECORDS[FORMULAS.index(formula)]["band_gap"] is not None]
    gaps = [RECORDS[FORMULAS.index(formula)]["band_gap"] for formula in known[2:]]
    assert gaps == sorted(gaps, reverse=True)


def test_unknown_values_stand_between_those_that_hold_and_those_that_fail() -> None:
    order = ranked("gap above 2 eV")
    place = {formula: number for number, formula in enumerate(order)}
    for formula in ("NaCl", "BN", "AlN", "Li2S"):
        assert place[formula] < place["CsSnCl3"] < place["TiN"]
    # An estimate that says yes comes before no estimate, and before a value far below.
    assert place["TiN"] < place["CsSnI3"]
    assert states("gap above 2 eV", "CsSnCl3") == ["? band gap > 2 eV (~2.40 eV)"]
    assert states("gap above 2 eV", "NaCl") == ["✓ band gap > 2 eV (5.00 eV)"]
    assert states("gap above 2 eV", "TiN") == ["? band gap > 2 eV"]
    assert states("gap above 2 eV", "CsSnI3") == ["✗ band gap > 2 eV (0.90 eV)"]


def test_crystals_nearer_to_a_named_value_come_first() -> None:
    table = FactTable.from_records([{"formula": "GaN", "band_gap": 2.1}, {"formula": "GaP", "band_gap": 2.0}])
    query = understand("band gap of about 2 eV", VOCABULARY)
    assert Evaluation(query, table, VOCABULARY).order(np.array([0.9, 0.1])).tolist() == [1, 0]


def test_superlatives_sort_what_holds() -> None:
    assert ranked("stiffest nitride")[:3] == ["TiN", "AlN", "BN"]  # of BN, the anions are unknown
    assert ranked("lightest sulfide")[:2] == ["Li2S", "Li3PS4"]
    assert ranked("oxides, highest density")[:2] == ["FeO", "Fe2O3"]


def test_the_named_elements_come_first() -> None:
    assert ranked("Fe and O")[:2] == ["Fe2O3", "FeO"] or ranked("Fe and O")[:2] == ["FeO", "Fe2O3"]
    assert ranked("Fe and O")[2] == "LiFePO4"


def test_compositions_near_the_one_that_is_named() -> None:
    assert ranked("Fe2O3")[:2] == ["Fe2O3", "FeO"]
    assert ranked("Li-P-S")[:2] == ["Li3PS4", "Li2S"]
    assert ranked("sapphire")[0] in ("Fe2O3", "FeO", "AlN")  # no Al2O3 here: its elements come first


def test_nothing_but_some_groups_comes_first() -> None:
    assert set(ranked("only transition metals and nitrogen")[:1]) == {"TiN"}
    assert states("only transition metals and oxygen", "LiFePO4")[-1].startswith("✗")
    assert states("only transition metals and oxygen", "Fe2O3")[-1].startswith("✓")


def test_the_number_of_elements_of_a_group_counts() -> None:
    assert states("oxides with one metal and at least two transition metals", "Fe2O3")[-1].startswith("✗")
    assert ranked("exactly two alkali metals")[-1] not in ("NaCl", "CsPbI3")
    assert states("at most 2 alkali metals", "NaCl") == states("at most 2 alkali metals", "TiN")


def test_about_a_value_the_nearest_comes_first() -> None:
    assert ranked("band gap around 4.3 eV")[:2] == ["AlN", "BN"]


def test_negation_of_unknown_is_unknown() -> None:
    assert states("no nitride", "BN") == ["? no nitride"]
    assert states("no nitride", "TiN") == ["✗ no nitride"]
    assert states("no oxide", "BN") == ["✓ no oxide"]  # without oxygen, whatever its anions


def test_strict_keeps_what_is_met_for_sure() -> None:
    evaluation = Evaluation(understand("nitride", VOCABULARY), TABLE, VOCABULARY)
    assert [FORMULAS[row] for row in np.flatnonzero(evaluation.met)] == ["TiN", "AlN"]


def test_wishes_count_less() -> None:
    order = ranked("halide perovskite, preferably without lead")
    assert order[:3] == ["CsSnI3", "CsSnCl3", "CsPbI3"]


# -------------------- a literal version
def slow_literal(term: Any, negated: bool, record: dict[str, Any]) -> float:
    amounts = read_formula(record["formula"])
    if isinstance(term, ElementTerm):
        grade = float(term.symbol in amounts)
    elif isinstance(term, RangeTerm):
        value = record.get(term.column)
        if value is None:
            return NAN
        low = -math.inf if term.low is None else term.low
        high = math.inf if term.high is None else term.high
        inside = low < value < high if term.strict else low <= value <= high
        ends = [abs(end) for end in (term.low, term.high) if end is not None]
        scale = max(0.5 * max(ends), QUANTITIES[term.column].tolerance, 0.05)
        outside = max(low - value, value - high, 0.0)
        grade = 1.0 if inside else 0.6 * math.exp(-outside / scale)
        if negated:
            return float(not inside)
    elif isinstance(term, SystemTerm):
        wanted, present = set(term.symbols), set(amounts)
        if present == wanted:
            grade = 1.0
        elif present < wanted:
            grade = 0.6 if len(present) > 1 else 0.4
        elif wanted < present:
            grade = 0.4
        else:
            grade = 0.3 * len(wanted & present) / len(wanted | present)
        if negated:
            return float(grade < 1)
    else:
        assert isinstance(term, ConceptTerm)
        grade = slow_concept(term.id, record)
    return 1.0 - grade if negated else grade


def slow_concept(concept: str, record: dict[str, Any]) -> float:
    anions, types, elements = record.get("anions"), record.get("structure_types"), read_formula(record["formula"])
    symbols = {"oxide": {"O"}, "nitride": {"N"}, "sulfide": {"S"}, "halide": {"F", "Cl", "Br", "I"}}
    if concept in symbols:
        if anions is None:
            return NAN if symbols[concept] & set(elements) or concept == "halide" else 0.0
        return float(bool(symbols[concept] & set(anions)))
    if concept in ("perovskite", "rock-salt"):
        return NAN if types is None else float(concept in types)
    if concept == "cubic":
        return float(record["space_group_number"] >= 195)
    assert concept == "wide-gap"
    gap = record.get("band_gap")
    return NAN if gap is None else float(gap > 3)


def slow_cost(query: Query, record: dict[str, Any]) -> float:
    filled = {**record, **({"band_gap": record.get("estimated_band_gap")} if record.get("band_gap") is None else {})}
    total = 0.0
    for constraint in query.constraints:
        grade, estimate = (
            _any([slow_literal(literal.term, literal.negated, each) for literal in constraint.literals])
            for each in (record, filled)
        )
        missing = 1 - (0.5 if math.isnan(estimate) else estimate)
        cost = 0.45 + 0.25 * missing if math.isnan(grade) else 1 - grade
        total += (0.3 if constraint.preferred else 1.0) * cost
    return total


def _any(grades: list[float]) -> float:
    known = [grade for grade in grades if not math.isnan(grade)]
    best = max(known, default=-1.0)
    return best if best >= 0.999 or len(known) == len(grades) else NAN


PARTS = [
    "halide", "no halide", "perovskite", "not perovskite", "without lead", "nitride", "no oxide", "cubic",
    "not cubic", "gap above 2 eV", "gap below 4 eV", "band gap between 1 and 2 eV", "density under 4", "wide gap",
    "Fe or Li", "no Li", "oxide or sulfide", "Li-P-S", "not in the Li-S system", "preferably cubic",
    "at most 2 elements", "contains N", "perovskite or rock salt", "bulk modulus over 250 GPa",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4, unique=True))
def test_costs_are_those_of_a_literal_version(parts: list[str]) -> None:
    query = understand("; ".join(parts), VOCABULARY)
    evaluation = Evaluation(query, TABLE, VOCABULARY)
    records = [{**record, "number_of_elements": len(record["elements"])} for record in RECORDS]
    expected = [slow_cost(query, record) for record in records]
    np.testing.assert_allclose(evaluation.costs, expected, atol=2e-3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3, unique=True), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(parts: list[str], seed: int) -> None:
    query = understand("; ".join(parts), VOCABULARY)
    shuffled = np.random.default_rng(seed).permutation(len(RECORDS))
    cosines = np.random.default_rng(seed).uniform(-1, 1, len(RECORDS))
    order = Evaluation(query, TABLE, VOCABULARY).order(cosines)
    again = Evaluation(query, TABLE.take(shuffled), VOCABULARY).order(cosines[shuffled])
    assert [FORMULAS[row] for row in order] == [FORMULAS[shuffled[row]] for row in again]


@pytest.mark.parametrize("text", ["", "something", "·"])
def test_without_constraints_the_cosine_decides(text: str) -> None:
    cosines = np.linspace(-1, 1, len(RECORDS))
    assert ranked(text, cosines) == FORMULAS[::-1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*PARTS, "lowest density", "hardest"]), min_size=0, max_size=3, unique=True),
    st.integers(1, 16),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_the_best_are_the_first_of_the_order(parts: list[str], k: int, seed: int, by_likeness: bool) -> None:
    generator = np.random.default_rng(seed)
    # Several crystals have the same cosine.
    cosines = generator.integers(-2, 3, len(RECORDS)) / 2
    rows = np.flatnonzero(generator.random(len(RECORDS)) < 0.8)
    evaluation = Evaluation(understand("; ".join(parts), VOCABULARY), TABLE, VOCABULARY)

    def nearest(count: int, tied: np.ndarray) -> np.ndarray:
        return tied[np.argsort(-cosines[tied], kind="stable")[:count]]

    best = evaluation.best(k, lambda chosen: cosines[chosen], nearest, rows, by_likeness)
    assert best.tolist() == evaluation.order(cosines, rows, by_likeness)[:k].tolist()
    np.testing.assert_array_equal(np.sort(evaluation.order(cosines)), np.arange(len(RECORDS)))


def test_among_other_conditions_uses_count_less(tmp_path: Path) -> None:
    lamp = "- {id: lamp, kind: use, name: lamp phosphor, wordings: lamp phosphor, test: formula(ZnS)}\n"
    laser = "- {id: laser, kind: use, name: laser host, wordings: laser host, test: formula(ZnS)}\n"
    dense = "- {id: dense, kind: band, name: dense, wordings: dense, test: density > 5}\n"
    (tmp_path / "uses.yaml").write_text(lamp + laser + dense)
    vocabulary = Vocabulary(read_concepts(tmp_path / "uses.yaml"))
    table = FactTable.from_records([{"formula": "ZnS", "density": 4.1}, {"formula": "PbS", "density": 7.6}])
    for text, expected in (
        ("lamp phosphor, dense", [1.0, 1.0]),
        ("lamp phosphor, dense, contains S", [1.0, 0.8]),
        ("lamp phosphor, laser host, dense, contains S", [1.0, 0.8]),
    ):
        np.testing.assert_allclose(Evaluation(understand(text, vocabulary), table, vocabulary).costs, expected)


def test_well_known_compounds_of_a_use_come_first(tmp_path: Path) -> None:
    lamp = "- {id: lamp, kind: use, name: lamp phosphor, wordings: lamp phosphor, test: '%s'}"
    tested = "formula(ZnS, CaS, SrS, BaS, MgS, LiF, NaF, KF, RbF, CsF, CdS) or density > 5"
    (tmp_path / "uses.yaml").write_text(lamp % tested)
    vocabulary = Vocabulary(read_concepts(tmp_path / "uses.yaml"))
    formulas = ["PbO", "CdS", "ZnS", "NaCl"]
    table = FactTable.from_records(
        [{"formula": formula, "density": 9.0 if formula == "PbO" else 4.0} for formula in formulas]
    )
    for text, expected in (
        ("lamp phosphor", ["ZnS", "CdS", "PbO", "NaCl"]),
        # What the query names as an example has the use, and comes before all others.
        ("lamp phosphors such as NaCl", ["NaCl", "ZnS", "CdS", "PbO"]),
    ):
        evaluation = Evaluation(understand(text, vocabulary), table, vocabulary)
        assert [formulas[row] for row in evaluation.order(np.array([0.9, 0.5, 0.1, 0.2]))] == expected
        best = evaluation.best(2, lambda rows: np.zeros(len(rows)), lambda k, rows: rows[:k])
        assert [formulas[row] for row in best] == expected[:2]
