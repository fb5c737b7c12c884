"""The parser of formulas, compared with pymatgen's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from modeling_clac.formula_grammar_clac import parse_formula
from modeling_clac.formulas_clac import ELEMENTS, find_formulas, read_formula

AMOUNTS = st.one_of(st.just(""), st.integers(1, 40).map(str), st.sampled_from(["0.5", "0.25", "1.5"]))
UNITS = st.tuples(st.sampled_from(ELEMENTS), AMOUNTS).map("".join)
GROUPS = st.recursive(
    st.lists(UNITS, min_size=1, max_size=3).map("".join),
    lambda inner: st.tuples(inner, st.sampled_from(["()", "[]"]), AMOUNTS).map(
        lambda p: f"{p[1][0]}{p[0]}{p[1][1]}{p[2]}"
    ),
    max_leaves=3,
)


@settings(deadline=None)
@given(st.lists(GROUPS, min_size=1, max_size=3).map("".join))
def test_amounts_agree_with_pymatgen(formula: str) -> None:
    assert read_formula(formula) == pytest.approx(Composition(formula).as_dict())


@settings(deadline=None)
@given(st.text("ABCFONaieou()[]123.", max_size=8))
def test_accepted_texts_agree_with_pymatgen(text: str) -> None:
    parsed = parse_formula(text, whole=True) if text else None
    if parsed:
        found = {}
        for part in parsed.parts:
            found[part.symbol] = found.get(part.symbol, 0.0) + part.amount
        assert found == pytest.approx(dict(Composition(text).as_dict()))


def test_bundled_formulas(bundle) -> None:
    for record in bundle:
        assert read_formula(record["formula"]) == Composition(record["formula"]).as_dict()


@pytest.mark.parametrize(
    "text",
    ["", "Pnma", "Xx2", "Fe)", "(Fe", "2Fe", "(2)", "Fe2..3", "Fe(O]2", "Fe()2", "Fe-3", "SiO2 glass"],
)
def test_other_words_are_not_formulas(text: str) -> None:
    assert read_formula(text) == {}


def test_blanks_between_parts_are_ignored() -> None:
    assert read_formula(" Li1 Fe1 (P O4)1 ") == read_formula("LiFePO4")
    assert read_formula("C o") == {}


def test_positions_and_amounts_of_the_symbols() -> None:
    (formula,) = find_formulas("of K2Cu[Co(NO2)6]")
    assert [tuple(part) for part in formula.parts] == [
        (3, 4, "K", 2.0),
        (5, 7, "Cu", 1.0),
        (8, 10, "Co", 1.0),
        (11, 12, "N", 6.0),
        (12, 13, "O", 12.0),
    ]


@pytest.mark.parametrize(
    ("ion", "plain"),
    [("SO42-", "SO4"), ("PO43-", "PO4"), ("CO32-", "CO3"), ("Cr2O72-", "Cr2O7"), ("S2O32-", "S2O3"), ("O2-", "O")]
    + [("SO42−", "SO4"), ("CO32–", "CO3"), ("NO3−", "NO3")],
)
def test_the_pieces_of_an_ion_end_before_its_charge(ion: str, plain: str) -> None:
    for text in (ion, f"aqueous {ion} ions"):
        (formula,) = find_formulas(text)
        assert formula.plain == plain
        assert "".join(text[piece.start : piece.end] for piece in formula.pieces) == plain


@pytest.mark.parametrize("text", ["(SrTiO3", "SrTiO3)", "[(SrTiO3)]", "SrTiO3)2"])
def test_brackets_of_a_sentence(text: str) -> None:
    (formula,) = find_formulas(text)
    assert formula.amounts == {"Sr": 1, "Ti": 1, "O": 3}


def test_unbalanced_brackets_are_not_one_formula() -> None:
    assert read_formula("(SrTiO3") == read_formula("SrTiO3)") == {}
