"""Search phrases are true: each phrase is checked against the record with independent rules."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_clac.concepts.elements import ELEMENT_NAMES
from modeling_clac.narrator.record import read_record
from modeling_clac.narrator.search_phrases import CONDITIONS, TRAITS, failing, narrate_query, prototype_of

SYMBOLS = {name: symbol for symbol, name in ELEMENT_NAMES.items()}
SYSTEMS = ("cubic", "hexagonal", "trigonal", "tetragonal", "orthorhombic", "monoclinic", "triclinic")


def value(record: dict[str, Any], column: str) -> float | None:
    return record.get(column)


def contradiction(query: str, record: dict[str, Any]) -> str | None:
    """Return the first statement of a query that the record contradicts or does not support."""
    words = set(re.findall(r"[a-z-]+", query.lower()))
    elements = set(record["elements"])
    for system in SYSTEMS:
        # Names of structure types such as "cubic perovskite" contain the system, which must hold as well.
        if system in words and record["crystal_system"] != system:
            return system
    for name, symbol in SYMBOLS.items():
        named = re.search(rf"\b(containing {name}|{name}-(containing|based))\b", query)
        if (named or re.search(rf"\b(with|containing) {symbol}\b", query)) and symbol not in elements:
            return name
    limits = [
        ("wide-gap|wide gap|wide band gap|large-gap|large band gap|transparent", "band_gap", 3.0, None),
        ("narrow-gap|small-gap|narrow gap|narrow band gap", "band_gap", None, 1.0),
        ("high-index|high refractive index", "refractive_index", 2.4, None),
        ("low-index|low refractive index", "refractive_index", None, 1.7),
        ("high-k|high permittivity|high dielectric constant|large permittivity", "dielectric_total", 20.0, None),
        ("with a low density|of low density|lightweight|low-density", "density", None, 3.0),
        ("with a high density|of high density|high-density", "density", 8.0, None),
        ("incompressible|high bulk modulus", "bulk_modulus_vrh", 200.0, None),
        ("low bulk modulus|soft ", "bulk_modulus_vrh", None, 50.0),
        ("on the hull|thermodynamically stable", "energy_above_hull", None, 1e-6),
        ("unstable|far above the hull", "energy_above_hull", 0.2, None),
        ("strongly piezoelectric|strong piezoelectric response", "piezoelectric_modulus", 0.5, None),
    ]
    for phrase, column, low, high in limits:
        known = value(record, column)
        if re.search(rf"(?<![a-z-])({phrase})", query) and (
            known is None or (low is not None and known < low) or (high is not None and known > high)
        ):
            return phrase
    for count, arity in ((2, "binary"), (3, "ternary"), (4, "quaternary")):
        if arity in words and len(elements) != count:
            return arity
    if words & {"lead-free"} and "Pb" in elements:
        return "lead-free"
    if words & {"oxide", "oxides"} and "O" not in elements:
        return "oxide"
    if words & {"chalcogenide", "chalcogenides"} and not elements & {"S", "Se", "Te"}:
        return "chalcogenide"
    if words & {"halide", "halides"} and not elements & {"F", "Cl", "Br", "I"}:
        return "halide"
    return None


def test_queries_are_true(records) -> None:
    for record in records:
        for seed in range(8):
            query = narrate_query(record, seed).text
            assert contradiction(query, record) is None, (query, record["material_id"])


def test_queries_are_short_and_varied(records) -> None:
    queries = [narrate_query(record, seed).text for record in records[:500] for seed in range(4)]
    assert max(len(query.split()) for query in queries) <= 22
    assert sum(len(query.split()) for query in queries) / len(queries) < 8
    assert len(set(queries)) > len(queries) / 2
    assert not any("  " in query or query != query.strip() for query in queries)
    counts = Counter(word for query in queries for word in query.split())
    for word in ("oxide", "cubic", "stable", "dense", "material", "containing", "intermetallic", "for"):
        assert counts[word] > 5, word


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_equal_seeds_give_equal_queries(records, seed) -> None:
    record = records[seed % len(records)]
    assert narrate_query(record, seed) == narrate_query(dict(record), seed)


@pytest.mark.parametrize(
    ("formula", "elements", "group", "name"),
    [
        ("NaCl", ["Na", "Cl"], 225, "rock salt"),
        ("GaN", ["Ga", "N"], 186, "wurtzite"),
        ("SrTiO3", ["Sr", "Ti", "O"], 221, "perovskite"),
        ("MgAl2O4", ["Mg", "Al", "O"], 227, "spinel"),
        ("CaF2", ["Ca", "F"], 225, "fluorite"),
        ("MgCu2", ["Mg", "Cu"], 227, "Laves phase"),
        ("NiAl", ["Ni", "Al"], 221, "CsCl-type"),
    ],
)
def test_structure_types(formula, elements, group, name) -> None:
    record = {"formula": formula, "elements": elements, "space_group_number": group}
    assert name in prototype_of(read_record(record))
    assert prototype_of(read_record(record | {"space_group_number": 2})) == ()


def test_each_trait_holds_for_some_crystals_but_not_all(records) -> None:
    known = [read_record(record) for record in records]
    for trait in TRAITS:
        share = sum(map(trait.holds, known)) / len(known)
        assert 0 < share < 1, trait.before


def test_crystals_match_their_own_queries(records) -> None:
    for record in records[::4]:
        missing = failing(record)
        for seed in range(8):
            query = narrate_query(record, seed)
            assert query.conditions <= set(CONDITIONS) and not query.conditions & missing, (query, record["formula"])


def test_other_crystals_match_a_query(records) -> None:
    """Another crystal matches if its properties, with unknown ones completed, do not contradict the text."""
    contradicted = answered = 0
    for record in records[::16]:
        query = narrate_query(record, 1)
        for other in records[::4]:
            known = {column: value for column, value in other.items() if value is not None}
            complete = {**record, **known}
            if query.conditions & failing(complete):
                contradicted += 1
            elif query.conditions:
                assert contradiction(query.text, complete) is None, (query, other["formula"])
                answered += 1
    assert contradicted > answered > 20


def test_unknown_is_not_failing() -> None:
    record = {"formula": "ZnO", "elements": ["Zn", "O"], "material_id": "x"}
    gap = {f"trait {place}" for place, trait in enumerate(TRAITS) if trait.group == "gap"}
    assert not gap & failing(record)
    assert gap <= failing(record | {"band_gap": 2.7})
    assert len(gap & failing(record | {"band_gap": 3.4})) == 3
    assert {"element Zn", "class oxide"}.isdisjoint(failing(record)) and {"element S", "class sulfide"} <= failing(
        record
    )


def test_empty_record_is_an_error() -> None:
    with pytest.raises(ValueError, match="no traits for a query"):
        narrate_query({})
