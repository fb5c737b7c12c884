"""Searches relative to a crystal: comparatives become bounds, and changes are those of the two records."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.crystal_clac import crystal_from_pymatgen
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
    structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(9.0), ["Ac", "At"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = Reference.of_crystal("new.cif", crystal_from_pymatgen(structure, "new.cif"), bundled_index().facts)
    assert not found.notes
    assert np.isnan(found.facts.number("band_gap")[0])
    assert found.facts.number("density")[0] == pytest.approx(structure.density)


def test_crystals_of_a_compound_most_stable_first(vocabulary: Vocabulary) -> None:
    records: list[dict[str, Any]] = [
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
    assert query.notes == (f"titanium carbide: hardness of {facts.table['material_id'][row].as_py()}",)
    assert query.comparisons == ()


def test_a_comparison_with_a_compound_of_unknown_value_is_left_out_and_said():
    table, vocabulary = FactTable.from_records([{"formula": "LiCoO2", "hardness": None}]), load_vocabulary()
    query = with_compounds(understand("oxide harder than titanium carbide", vocabulary), table, vocabulary)
    assert query.render() == "oxide"
    assert query.notes == (
        "harder than titanium carbide: no hardness of titanium carbide is known here; give a number",
    )


# -------------------- by hand
def _cube(symbols: tuple[str, str], edge: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(edge), list(symbols), [[0, 0, 0], [0.5, 0.5, 0.5]])


def _rock_salt(formula: str, edge: float, group: int = 225, **values: Any) -> dict[str, Any]:
    return {"formula": formula, "space_group_number": group, "nsites": 8, "volume": edge**3, **values}


def _found(facts: FactTable, edge: float = 5.6) -> Reference:
    return Reference.of_crystal("own.cif", crystal_from_pymatgen(_cube(("Na", "Cl"), edge), "own.cif"), facts)


@pytest.mark.parametrize(
    ("record", "is_same"),
    [
        (_rock_salt("NaCl", 5.6, band_gap=5.0), True),
        (_rock_salt("Na4Cl4", 5.6, band_gap=5.0), True),
        (_rock_salt("KCl", 5.6, band_gap=5.0), False),
        (_rock_salt("NaCl", 5.6, 221, band_gap=5.0), False),
        (_rock_salt("NaCl", 5.6 * 1.049 ** (1 / 3), band_gap=5.0), True),
        (_rock_salt("NaCl", 5.6 * 1.051 ** (1 / 3), band_gap=5.0), False),
        (_rock_salt("NaCl", 5.6 * 0.951 ** (1 / 3), band_gap=5.0), True),
        (_rock_salt("NaCl", 5.6 * 0.949 ** (1 / 3), band_gap=5.0), False),
    ],
)
def test_the_same_crystal_has_its_formula_group_and_volume(record: dict[str, Any], is_same: bool) -> None:
    found = _found(FactTable.from_records([_rock_salt("LiF", 4.0), record]))
    assert found.elements == {"Na", "Cl"} and found.name == "own.cif"
    if is_same:
        assert found.facts.number("band_gap")[0] == 5.0
        assert found.notes == ("own.cif: properties of row 1, which has its formula, space group and volume",)
    else:
        assert np.isnan(found.facts.number("band_gap")[0]) and found.notes == ()


def test_of_several_the_one_of_the_nearest_volume() -> None:
    records = [
        _rock_salt("NaCl", edge, band_gap=gap, material_id=name)
        for edge, gap, name in ((5.55, 4.0, "a"), (5.61, 5.0, "b"), (5.64, 6.0, "c"))
    ]
    found = _found(FactTable.from_records(records))
    assert found.facts.number("band_gap")[0] == 5.0
    assert found.notes == ("own.cif: properties of b, which has its formula, space group and volume",)
    # Its own structure decides what follows from it.
    assert found.facts.number("volume")[0] == pytest.approx(5.6**3)


def test_a_crystal_without_known_properties_has_no_note() -> None:
    found = _found(FactTable.from_records([_rock_salt("NaCl", 5.6, band_gap=None)]))
    assert found.notes == () and np.isnan(found.facts.number("band_gap")[0])


def test_a_row_is_a_reference() -> None:
    found = Reference.of_row("second", 1, FactTable.from_records(OTHERS))
    assert (found.name, found.notes, found.elements) == ("second", (), {"Na", "Fe", "O"})
    assert found.facts.number("density")[0] == 4.1


def test_crystals_of_equal_stability_by_their_sites(vocabulary: Vocabulary) -> None:
    records = [
        {"formula": "Ti", "nsites": sites, "energy_above_hull": energy, "elements": ["Ti"]}
        for sites, energy in ((6, 0.0), (2, 0.0), (1, 0.2))
    ]
    facts = FactTable.from_records([*records, {"formula": "TiO2", "nsites": 1, "energy_above_hull": 0.0}])
    assert rows_of_compound("titanium", facts, vocabulary) == [1, 0, 2]
    assert rows_of_compound("Ti", facts, vocabulary) == [1, 0, 2]
    # Neither words that are not read, nor orders, nor groups of elements are names.
    for text in ("titanium blah", "hardest titanium", "metal", "contains a metal", "titanium and oxygen", ""):
        assert rows_of_compound(text, facts, vocabulary) == [], text


def _reference_with(**values: Any) -> Reference:
    return Reference("x", FactTable.from_records([LCO | values]), ("where from",))


@pytest.mark.parametrize(
    ("text", "value", "low", "high"),
    [
        ("denser", 3.041, 3.05, None),
        ("denser", 3.046, 3.05, None),
        ("denser", 3.0, 3.0, None),
        ("lighter", 3.041, None, 3.04),
        ("lighter", 3.046, None, 3.04),
        ("lighter", 3.0, None, 3.0),
    ],
)
def test_bounds_are_the_next_number_that_is_shown(
    text: str, value: float, low: float | None, high: float | None, vocabulary: Vocabulary
) -> None:
    query = _relative(text, _reference_with(density=value), vocabulary)
    assert [each.literals[0].term for each in query.constraints] == [RangeTerm("density", low, high, strict=True)]
    assert query.sort == () and query.notes == ("where from",)


def test_an_unknown_value_does_not_hide_the_comparatives_behind_it(vocabulary: Vocabulary) -> None:
    query = _relative("stiffer, denser, hardest, wider gap", _reference_with(), vocabulary)
    assert query.labels == ["density > 5.03 g/cm³", "band gap > 0.66 eV", "highest bulk modulus", "highest hardness"]
    assert query.notes == ("the bulk modulus of x is unknown; hits are ordered by it instead", "where from")


@pytest.mark.parametrize(
    ("text", "label", "notes"),
    [
        (
            "more toxic",
            "share of toxic elements ≥ 1",
            ("the share of toxic elements of x is 1, which is the best value",),
        ),
        ("less toxic", "share of toxic elements < 1", ()),
    ],
)
def test_the_largest_value_is_the_best_of_more(
    text: str, label: str, notes: tuple[str, ...], vocabulary: Vocabulary
) -> None:
    reference = Reference("x", FactTable.from_records([{"formula": "Pb", "elements": ["Pb"]}]))
    query = relative_to(understand(text, vocabulary), reference, vocabulary)
    assert query.labels == [label] and query.notes == notes


def test_columns_of_changes(vocabulary: Vocabulary) -> None:
    query = understand("oxide, bulk modulus above 100 GPa or density below 3, hardest", vocabulary)
    assert changed_columns(query) == ("density", "band_gap", "bulk_modulus_vrh", "hardness")
    assert changed_columns(Query("")) == ("density", "band_gap")


def test_changes_without_space_groups() -> None:
    reference = Reference("x", FactTable.from_records([{"formula": "NaCl", "density": 2.165, "band_gap": None}]))
    facts = FactTable.from_records([{"formula": "KCl", "density": None, "space_group_symbol": None}])
    (change,) = changes(reference, facts, [0], ["density"])
    assert (change.removed, change.added, change.kept) == (("Na",), ("K",), ("Cl",))
    assert change.space_groups == (None, None) and change.written_space_groups == "?"
    assert change.values == {"density": (2.165, None)} and change.written("density") == "2.17 → ?"
    assert change.to_dict() == {
        "removed": ["Na"], "added": ["K"], "kept": ["Cl"], "density": [2.165, None], "space_group_symbol": [None, None],
    }  # fmt: skip


def test_several_comparisons_with_compounds(vocabulary: Vocabulary) -> None:
    facts = FactTable.from_records(
        [
            {"formula": "TiC", "density": None, "energy_above_hull": 0.0, "band_gap": None},
            {"formula": "TiC", "density": 4.911, "energy_above_hull": 0.1, "band_gap": None},
            {"formula": "CuO", "density": 6.3, "energy_above_hull": 0.0, "band_gap": 1.246},
        ]
    )
    text = "oxide, wider gap than TiC, lighter than TiC, wider gap than CuO"
    query = with_compounds(understand(text, vocabulary), facts, vocabulary)
    assert query.labels == ["oxide", "density < 4.91 g/cm³", "band gap > 1.25 eV"]
    assert [each.literals[0].term for each in query.constraints[1:]] == [
        RangeTerm("density", high=4.91, strict=True), RangeTerm("band_gap", low=1.25, strict=True),
    ]  # fmt: skip
    assert query.notes == (
        "wider gap than TiC: no band gap of TiC is known here; give a number", "TiC: density", "CuO: band gap",
    )  # fmt: skip
    assert query.contradictions == () and query.comparisons == ()
    both = with_compounds(understand("lighter than TiC, denser than CuO", vocabulary), facts, vocabulary)
    assert both.contradictions == (
        "density < 4.91 g/cm³ and density > 6.3 g/cm³: impossible, no density is both; change one of the numbers",
    )
    plain = understand("oxide", vocabulary)
    assert with_compounds(plain, facts, vocabulary) is plain
