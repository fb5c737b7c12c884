"""Searches relative to a crystal: comparatives become bounds, and changes are those of the two records."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.search.index import CrystalIndex, bundled_index
from modeling_clac.search.understanding.likeness import (
    Reference,
    changed_columns,
    changes,
    relative_to,
    rows_of_compound,
    with_compounds,
)
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import Query, RangeTerm

LCO = {
    "formula": "LiCoO2",
    "space_group_number": 166,
    "space_group_symbol": "R-3m",
    "nsites": 4,
    "volume": 32.3,
    "density": 5.03,
    "band_gap": 0.66,
    "bulk_modulus_vrh": None,
}
OTHERS = [
    {"formula": "LiNiO2", "space_group_symbol": "C2/m", "density": 4.78, "band_gap": 0.4},
    {"formula": "NaFeO2", "space_group_symbol": "R-3m", "density": 4.1, "band_gap": None},
]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference("lco.cif", FactTable.from_records([LCO]))


def _relative(text: str, reference: Reference, vocabulary: Vocabulary) -> Query:
    return relative_to(understand(text, vocabulary), reference, vocabulary)


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("without cobalt, lighter", "no Co · density < 5.03 g/cm³"),
        ("denser, wider gap", "density > 5.03 g/cm³ · band gap > 0.66 eV"),
        ("cheaper", "price of the elements < {price} $/kg"),
        ("stiffer", "highest bulk modulus"),
        ("without lithium", "no Li"),
    ],
)
def test_comparatives_become_bounds(text: str, reading: str, reference: Reference, vocabulary: Vocabulary) -> None:
    query = _relative(text, reference, vocabulary)
    price = f"{math.floor(100 * float(reference.facts.number('price')[0])) / 100:g}"
    assert query.render() == reading.format(price=price)
    assert not any(key.relative for key in query.sort)


def test_an_unknown_value_orders_and_says_so(reference: Reference, vocabulary: Vocabulary) -> None:
    query = _relative("stiffer", reference, vocabulary)
    assert query.notes == ("the bulk modulus of lco.cif is unknown; hits are ordered by it instead",)


def test_where_nothing_is_better_an_equal_value_is_enough(reference: Reference, vocabulary: Vocabulary) -> None:
    query = _relative("less toxic", reference, vocabulary)
    assert query.render() == "share of toxic elements ≤ 0"
    assert query.notes == ("the share of toxic elements of lco.cif is 0, which is the best value",)
    assert not query.contradictions


def test_bounds_exclude_the_reference_itself(reference: Reference, vocabulary: Vocabulary) -> None:
    (constraint,) = _relative("lighter", reference, vocabulary).constraints
    term = constraint.literals[0].term
    assert isinstance(term, RangeTerm)
    assert (term.low, term.high, term.strict) == (None, 5.03, True)


def test_a_bound_may_contradict_another_one(reference: Reference, vocabulary: Vocabulary) -> None:
    query = _relative("lighter, density above 8 g/cm3", reference, vocabulary)
    assert query.contradictions == (
        "density > 8 g/cm³ and density < 5.03 g/cm³: impossible, no density is both; change one of the numbers",
    )


@pytest.mark.parametrize(("text", "value", "bound"), [("denser", 3.0415, 3.05), ("lighter", 5.0489, 5.04)])
def test_bounds_are_rounded_away_from_the_reference(
    text: str, value: float, bound: float, vocabulary: Vocabulary
) -> None:
    query = _relative(text, Reference("x", FactTable.from_records([LCO | {"density": value}])), vocabulary)
    term = query.constraints[0].literals[0].term
    assert isinstance(term, RangeTerm)
    assert bound in (term.low, term.high)


def test_superlatives_stay_orders(reference: Reference, vocabulary: Vocabulary) -> None:
    query = _relative("lightest without cobalt", reference, vocabulary)
    assert query.render() == "no Co · lowest density"


def test_changes(reference: Reference, vocabulary: Vocabulary) -> None:
    columns = changed_columns(_relative("lighter, wider gap, cheaper", reference, vocabulary))
    assert columns == ("density", "band_gap", "price")
    nickel, sodium = changes(reference, FactTable.from_records(OTHERS), [0, 1], columns)
    assert (nickel.removed, nickel.added, nickel.kept) == (("Co",), ("Ni",), ("Li", "O"))
    assert nickel.values["density"] == (5.03, 4.78)
    assert nickel.written("density") == "5.03 → 4.78"
    assert nickel.written_space_groups == "R-3m → C2/m"
    assert (sodium.removed, sodium.added, sodium.kept) == (("Co", "Li"), ("Fe", "Na"), ("O",))
    assert sodium.written("band_gap") == "0.66 → ?"
    assert sodium.written_space_groups == "R-3m"
    assert sodium.to_dict()["band_gap"] == [0.66, None]
    assert sodium.to_dict()["space_group_symbol"] == ["R-3m", "R-3m"]


def test_every_change_agrees_with_the_two_formulas() -> None:
    facts = bundled_index().facts
    rows = np.random.default_rng(0).choice(len(facts), 50, replace=False)
    elements = facts.table["elements"].to_pylist()
    for change, row in zip(changes(Reference("x", facts.take([0])), facts, rows, ["density"]), rows, strict=True):
        assert set(change.kept) | set(change.added) == set(elements[row])
        assert set(change.kept) | set(change.removed) == set(elements[0])
        assert change.values["density"][1] == pytest.approx(facts.number("density")[row])


def test_a_file_has_the_properties_of_the_same_crystal_of_the_index() -> None:
    index: CrystalIndex = bundled_index()
    gaps = index.facts.number("band_gap")
    row = int(np.flatnonzero(gaps > 1.0)[0])
    crystal = index.structure(row)
    found = Reference.of_crystal("own.cif", crystal, index.facts)
    assert found.facts.number("band_gap")[0] == gaps[row]
    assert index.record(row)["material_id"] in found.notes[0]
    assert found.elements == set(index.record(row)["elements"])


def test_a_new_crystal_has_what_follows_from_its_structure() -> None:
    from pymatgen.core import Lattice, Structure

    from modeling_clac.crystal_clac import crystal_from_pymatgen

    structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(9.0), ["Ac", "At"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = Reference.of_crystal("new.cif", crystal_from_pymatgen(structure, "new.cif"), bundled_index().facts)
    assert not found.notes
    assert np.isnan(found.facts.number("band_gap")[0])
    assert found.facts.number("density")[0] == pytest.approx(structure.density)


def test_crystals_of_a_compound_most_stable_first(vocabulary: Vocabulary) -> None:
    records = [
        {"formula": "TiO2", "energy_above_hull": 0.03, "space_group_number": 141},
        {"formula": "TiO2", "energy_above_hull": None, "space_group_number": 12},
        {"formula": "TiO2", "energy_above_hull": 0.0, "space_group_number": 136},
        {"formula": "SnO2", "energy_above_hull": 0.0, "space_group_number": 136},
    ]
    facts = FactTable.from_records(records)
    assert rows_of_compound("titania", facts, vocabulary) == [2, 0, 1]
    assert rows_of_compound("TiO2", facts, vocabulary) == [2, 0, 1]
    assert rows_of_compound("anatase", facts, vocabulary) == [0]
    assert rows_of_compound("brookite", facts, vocabulary) == []
    assert rows_of_compound("titanium", facts, vocabulary) == []
    assert rows_of_compound("oxide", facts, vocabulary) == []
    assert rows_of_compound("no titania", facts, vocabulary) == []
    assert rows_of_compound("titania or SnO2", facts, vocabulary) == []


def test_a_comparison_with_a_compound_takes_the_value_of_its_most_stable_crystal():
    facts, vocabulary = bundled_index().facts, load_vocabulary()
    query = with_compounds(understand("carbide harder than titanium carbide", vocabulary), facts, vocabulary)
    values = facts.number("hardness")
    row = next(row for row in rows_of_compound("TiC", facts, vocabulary) if not math.isnan(values[row]))
    (term,) = (constraint.literals[0].term for constraint in query.constraints if "hardness" in constraint.label)
    assert isinstance(term, RangeTerm)
    assert term.low == pytest.approx(values[row], abs=0.1)
    assert term.low >= values[row]
    assert query.comparisons == ()


def test_a_comparison_with_a_compound_of_unknown_value_is_left_out_and_said():
    table, vocabulary = FactTable.from_records([{"formula": "LiCoO2", "hardness": None}]), load_vocabulary()
    query = with_compounds(understand("oxide harder than titanium carbide", vocabulary), table, vocabulary)
    assert query.render() == "oxide"
    assert query.notes == (
        "harder than titanium carbide: no hardness of titanium carbide is known here; give a number",
    )
