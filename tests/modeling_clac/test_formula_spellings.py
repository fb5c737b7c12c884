"""Formulas in all spellings and words that are no formulas: a labelled list, and spellings drawn at random."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.formula_words_clac import ACRONYMS, NOT_COMPOUNDS, PROTOTYPES, STRUKTURBERICHT
from modeling_clac.formulas_clac import COMPOSITION, DOPANT, ELEMENTS, ION, find_formulas, read_formula
from modeling_clac.plain_text_clac import plain_text

# Columns: a text, and its formulas in the spelling of pymatgen, or `-`. Ions count, dopants behind a colon do not.
LABELLED = [
    line.split("\t") for line in Path(__file__).with_name("formulas.tsv").read_text(encoding="utf-8").splitlines()[1:]
]
AMOUNTS = st.one_of(st.just(""), st.integers(2, 40).map(str), st.sampled_from(["0.5", "0.25", "1.5", "6.75"]))
# Words that are also symbols are left out, since a text is not only a formula here.
SYMBOLS = [symbol for symbol in ELEMENTS[:94] if symbol not in ("At", "Fr", "Ra")]
UNITS = st.tuples(st.sampled_from(SYMBOLS), AMOUNTS)
GROUPS = st.one_of(
    UNITS.map(lambda unit: [unit]),
    st.tuples(st.lists(UNITS, min_size=2, max_size=3), st.integers(2, 6)).map(
        lambda drawn: [("(", ""), *drawn[0], (")", str(drawn[1]))]
    ),
)
FORMULAS = st.lists(GROUPS, min_size=2, max_size=4).map(lambda groups: [unit for group in groups for unit in group])


def matches(text: str, expected: str) -> bool:
    found = [formula.amounts for formula in find_formulas(text) if formula.role != DOPANT]
    wanted = [] if expected == "-" else expected.split(";")
    return len(found) == len(wanted) and all(
        Composition(amounts).almost_equals(Composition(formula), rtol=1e-6)
        for amounts, formula in zip(found, wanted, strict=True)
    )


def test_labelled_list() -> None:
    wrong = [(text, expected) for text, expected in LABELLED if not matches(text, expected)]
    words = sum(expected == "-" for _, expected in LABELLED)
    assert len(LABELLED) >= 300 and 0.4 <= words / len(LABELLED) <= 0.6
    # The name of the place is read as the element.
    assert wrong == [("the La Jolla laboratory", "-")]


def spellings(units: list[tuple[str, str]]) -> dict[str, str]:
    """The ways in which people write a formula, by name."""
    subscripts = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

    def written(form: str) -> str:
        return "".join(symbol + (form.format(amount) if amount else "") for symbol, amount in units)

    plain = written("{}")
    return {
        "plain": plain,
        "unicode": plain.translate(subscripts),
        "latex": written("$_{{{}}}$"),
        "math": "$" + written("_{{{}}}") + "$",
        "mathrm": r"$\mathrm{" + written("_{{{}}}") + "}$",
        "ce": r"\ce{" + plain + "}",
        "html": written("<sub>{}</sub>"),
        "markdown": written("~{}~"),
    }


def is_label(plain: str) -> bool:
    """Words in capitals and their plurals (UV, SIO2, ICs) have rules of their own."""
    return plain.removesuffix("s").isupper() or plain in NOT_COMPOUNDS or plain in ACRONYMS


@settings(deadline=None, max_examples=150)
@given(FORMULAS)
def test_every_spelling_agrees_with_pymatgen(units: list[tuple[str, str]]) -> None:
    written = spellings(units)
    repeated = any(one == two and not number for (one, number), (two, _) in pairwise(units))
    if is_label(written["plain"]) or repeated:
        return
    expected = Composition(written["plain"]).as_dict()
    plain = plain_text(f"a film of {written['plain']} on glass").text
    for name, text in written.items():
        assert read_formula(text) == pytest.approx(expected), name
        (found,) = find_formulas(f"a film of {text} on glass")
        assert found.amounts == pytest.approx(expected) and found.role == COMPOSITION, name
        assert plain_text(f"a film of {text} on glass").text == plain, name


@settings(deadline=None, max_examples=80)
@given(st.dictionaries(st.sampled_from(SYMBOLS), st.integers(1, 12), min_size=2, max_size=5))
def test_blanks_of_pymatgen(amounts: dict[str, int]) -> None:
    formula = Composition(amounts).formula
    for text in (formula, f"cells of {formula} were relaxed"):
        (found,) = find_formulas(text)
        assert found.amounts == pytest.approx(amounts)
    assert read_formula(formula) == pytest.approx(amounts)


@settings(deadline=None)
@given(st.text("LiFeOCa2₂3.,-·$_{}()<>sub/ x^+", max_size=16))
def test_any_text_is_read_with_places_in_it(text: str) -> None:
    end = 0
    for formula in find_formulas(text):
        assert end <= formula.start < formula.end <= len(text)
        end = formula.end
        for part in formula.parts:
            assert formula.start <= part.start < part.end <= formula.end
            assert text[part.start : part.end] in (part.symbol, part.symbol.lower(), "LCO", "LFO")
    plain = plain_text(text)
    for start, stop, _, _ in plain.quantities:
        assert 0 <= start < stop <= len(plain.text)


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Li$_2$GeO$_3$", ["Li", "Ge", "O"]),
        ("Ga₂O₃", ["Ga", "O"]),
        ("film of Li<sub>2</sub>O", ["Li", "O"]),
        ("Li1 Fe1 P1 O4", ["Li", "Fe", "P", "O"]),
        ("lifepo4", ["li", "fe", "p", "o"]),
        ("CuSO4·5H2O", ["Cu", "S", "O", "H", "O"]),
        ("YBCO", ["YBCO"] * 4),
    ],
)
def test_symbols_have_their_place_in_the_text(text: str, symbols: list[str]) -> None:
    (formula,) = find_formulas(text)
    assert [text[part.start : part.end] for part in formula.parts] == symbols


@pytest.mark.parametrize(
    ("text", "definite"),
    [
        ("YBa2Cu3O7", True),
        ("YBa2Cu3O7-x", False),
        ("YBa2Cu3O7−δ", False),
        ("(Ba,Sr)TiO3", False),
        ("(Ba0.5,Sr0.5)TiO3", True),
        ("AlxGa1-xN", False),
        ("V2O5·nH2O", False),
        ("LiNi1/3Mn1/3Co1/3O2", True),
    ],
)
def test_formulas_with_variables_are_not_definite(text: str, definite: bool) -> None:
    (formula,) = find_formulas(text)
    assert formula.definite is definite


def test_roles() -> None:
    roles = {
        text[f.start : f.end]: f.role for text in ["Li+ in GaN:Mg", "Ti4+ and Nd:YAG"] for f in find_formulas(text)
    }
    assert roles == {"Li+": ION, "GaN": COMPOSITION, "Mg": DOPANT, "Ti4+": ION, "Nd": DOPANT, "YAG": COMPOSITION}


def test_acronyms_stand_for_compounds() -> None:
    for acronym, formula in ACRONYMS.items():
        assert read_formula(acronym) == pytest.approx(read_formula(formula)) != {}
        assert read_formula(formula) == pytest.approx(
            Composition(formula.replace("1/3", "0.33333333").replace("2/3", "0.66666667")).as_dict(), rel=1e-6
        )
        (found,) = find_formulas(f"thin {acronym} films")
        assert (found.start, found.end) == (5, 5 + len(acronym))
        assert "-" in acronym or find_formulas(f"{acronym}s") == find_formulas(f"X{acronym}") == []


def test_acronyms_of_crystals_need_their_context() -> None:
    assert find_formulas("the LT phase") == []
    assert find_formulas("an LT wafer")[0].amounts == {"Li": 1, "Ta": 1, "O": 3}


def test_prototypes_are_those_of_the_vocabulary() -> None:
    vocabulary = load_vocabulary()
    wordings = {
        word for concept in vocabulary for word in vocabulary.wordings(concept.id) if concept.kind == "structure-type"
    }
    assert {f"{name}-type" for name in PROTOTYPES} <= wordings
    assert STRUKTURBERICHT in wordings
    assert [found.role for found in find_formulas("CsCl-type or CsCl")] == ["prototype", COMPOSITION]
