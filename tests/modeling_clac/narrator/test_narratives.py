"""Narratives are true, complete and deterministic, and state nothing that is not in the record."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_clac.narrator.applications import with_uses
from modeling_clac.narrator.narratives import applications, narrate, narrate_sentences
from tests.conftest import ROOT
from tests.helpers.narrator_checks import (
    COMPOSITION,
    CONTEXT,
    ELEMENTS,
    FAMILIES,
    FULL,
    NAN,
    NUMBER,
    NUMBER_CONTEXT,
    OTHER_FAMILIES,
    SYSTEMS,
    TELLTALES,
    UNITS,
    Record,
    misplaced_moduli,
    only,
    strip_tokens,
    untrue_numbers,
)


# -------------------- truthfulness
def test_numbers_are_those_of_the_record(bundle: list[Record]) -> None:
    """Over 3,000 narratives, masked and unmasked, with all applications, contain only true numbers."""
    found: set[str] = set()
    count = 0
    for i, record in enumerate(bundle[::2]):
        for masked in (False, True):
            count += 1
            for sentence in narrate_sentences(record, i, mask_formula=masked, max_applications=99):
                assert not untrue_numbers(sentence, record), (sentence, record)
                assert not misplaced_moduli(sentence, record), (sentence, record)
                found |= {c for c in CONTEXT.keys() - found if CONTEXT[c].search(sentence)}
    assert count >= 3000
    assert found == NUMBER_CONTEXT.keys()


finite = st.floats(min_value=1e-6, max_value=900, allow_nan=False)


def ten(each: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Ten at a time, whose uses are evaluated together: that takes as long as those of a single record."""
    return st.lists(each, min_size=10, max_size=10)


@settings(max_examples=20, deadline=None)
@given(
    drawn=ten(
        st.fixed_dictionaries(
            {column: finite for column in UNITS if column != "formation_energy_per_atom"}
            | dict.fromkeys(("poisson_ratio", "elastic_anisotropy", "refractive_index", "dielectric_total"), finite)
            | {"formation_energy_per_atom": st.floats(-6, 6), "nsites": st.integers(1, 500)}
        )
    ),
    seed=st.integers(),
)
def test_numbers_of_any_size_are_true(drawn: list[Record], seed: int) -> None:
    for record in with_uses([FULL | values for values in drawn]):
        for sentence in narrate_sentences(record, seed, max_applications=99):
            assert not untrue_numbers(sentence, record), sentence


def test_number_checker_detects_errors() -> None:
    assert not untrue_numbers("Density: 3.57 g/cm³.", FULL)
    assert untrue_numbers("Density: 3.58 g/cm³.", FULL)
    assert untrue_numbers("Density: 2.87 g/cm³.", FULL)
    assert untrue_numbers("It is a III-V2 solid.", FULL)


@pytest.mark.parametrize("value", [1e-9, 3e-5, 0.00042])
def test_small_numbers_do_not_round_to_zero(value: float) -> None:
    text = narrate({"piezoelectric_modulus": value})
    assert float(NUMBER.findall(text)[0]) == pytest.approx(value, rel=0.06)


@settings(max_examples=30, deadline=None)
@given(
    drawn=ten(st.lists(st.sampled_from(sorted(ELEMENTS)), min_size=1, max_size=6, unique=True)),
    seed=st.integers(),
)
def test_elements_and_families_named_are_in_the_record(drawn: list[list[str]], seed: int) -> None:
    """Narratives and applications only name elements and families of the composition."""
    unknown = {"chemsys": None, "is_oxide": None}
    records = [FULL | {"formula": "".join(symbols), "elements": symbols} | unknown for symbols in drawn]
    for symbols, record in zip(drawn, with_uses(records), strict=True):
        text = narrate(record, seed, max_applications=99).lower()
        for symbol, name in ELEMENTS.items():
            if re.search(rf"\b{name}\b", text):
                assert symbol in symbols, (name, text)
        for family, symbol in FAMILIES.items():
            if re.search(rf"\b{family}s?\b", text):
                assert symbol in symbols and len(symbols) > 1, (family, text)
        if re.search(r"\bintermetallic\b", text):
            assert not set(symbols) & {"O", "N", "F", "Cl", "Br", "I", "S", "Se", "H", "C", "P"}


@pytest.mark.parametrize(
    ("formula", "word"),
    [
        ("MgO", "oxide"), ("LiCoO2", "lithium cobalt oxide"), ("GaN", "nitride"), ("TiC", "carbide"),
        ("ZnS", "sulfide"), ("CdSe", "selenide"), ("Bi2Te3", "telluride"), ("CaF2", "fluoride"),
        ("NaCl", "chloride"), ("CsPbBr3", "bromide"), ("KI", "iodide"), ("MgB2", "boride"),
        ("FeSi", "silicide"), ("InP", "phosphide"), ("GaAs", "arsenide"),
        ("InSb", "antimonide"), ("MgH2", "hydride"), ("Ni3Al", "intermetallic"), ("SiC", "silicon carbide"),
        ("As2S3", "arsenic sulfide"), ("TaO2F", "oxyfluoride"), ("CaCO3", "oxygen-containing compound"),
        ("BiSI", "sulfur-"),
    ],
)  # fmt: skip
def test_family_word(formula: str, word: str) -> None:
    texts = [narrate({"formula": formula}, seed, max_applications=0) for seed in range(60)]
    assert any(word in text.lower() for text in texts)


@pytest.mark.parametrize(
    ("formula", "word"),
    [
        ("O2", "oxide"),
        ("CaCO3", "carbide"),
        ("CaCO3", "carbonate"),
        ("NaBH4", "hydride"),
        ("Pd", "intermetallic"),
    ],
)
def test_no_uncertain_family_word(formula: str, word: str) -> None:
    for seed in range(60):
        assert word not in narrate({"formula": formula}, seed, max_applications=0).lower()


@pytest.mark.parametrize(("formula", "word"), [("NaCl", "binary"), ("LiCoO2", "ternary"), ("LiFePO4", "quaternary")])
def test_arity(formula: str, word: str) -> None:
    texts = " ".join(narrate({"formula": formula}, seed, max_applications=0) for seed in range(60))
    assert set(re.findall(r"binary|ternary|quaternary|unary", texts)) == {word}


def test_crystal_system_is_that_of_the_record(bundle: list[Record]) -> None:
    for i, record in enumerate(bundle[:3000]):
        found = set(re.findall("|".join(SYSTEMS), narrate(record, i, max_applications=99).lower()))
        assert found <= {record["crystal_system"]}


@pytest.mark.parametrize(
    ("energy", "wanted", "barred"),
    [
        (0.0, r"stable|hull", r"metastable|unstable|near\b|nearly"),
        (0.02, r"metastable|near|close", r"unstable|thermodynamically stable"),
        (0.1, r"metastable|above", r"unstable|near\b|thermodynamically stable"),
        (0.3, r"unstable|decompose|far above", r"(?<!un)stable|near\b"),
    ],
)
def test_stability_words(energy: float, wanted: str, barred: str) -> None:
    for seed in range(100):
        text = narrate(FULL | {"energy_above_hull": energy}, seed, max_applications=99).lower()
        sentence = next(s for s in text.split(". ") if re.search(r"hull|stable", s))
        assert re.search(wanted, sentence), sentence
        assert not re.search(barred, sentence), sentence
        if energy > 1e-6:
            assert not re.search(r"(?<!meta)(?<!un)(?<!nearly )(?<!near-)stable", text), text


@pytest.mark.parametrize(
    ("column", "value", "barred"),
    [
        ("band_gap", 0.4, "wide|insulator"),
        ("band_gap", 6.0, "narrow|semiconductor"),
        ("density", 1.5, "high.{0,3}density|density.*high"),
        ("density", 15.0, "low.{0,3}density|density.*low"),
        ("bulk_modulus_vrh", 20.0, "stiff"),
        ("bulk_modulus_vrh", 400.0, "soft"),
        ("elastic_anisotropy", 5.0, "almost isotropic|somewhat"),
        ("formation_energy_per_atom", 0.5, "negative"),
        ("formation_energy_per_atom", -1.0, "positive|zero"),
    ],
)
def test_class_words_agree_with_the_value(column: str, value: float, barred: str) -> None:
    texts = {narrate({column: value}, seed, max_applications=0).lower() for seed in range(100)}
    assert not [text for text in texts if re.search(barred, text)]


# -------------------- determinism
def test_same_seed_same_text_and_other_seeds_differ() -> None:
    seeds: list[int | str | tuple] = [0, 1, "a", ("epoch", 3), (3, "epoch"), -7]
    texts = [narrate(FULL, seed) for seed in seeds]
    assert texts == [narrate(dict(reversed(FULL.items())), seed) for seed in seeds]
    assert len(set(texts)) == len(seeds)
    assert len({narrate(FULL, seed) for seed in range(200)}) == 200


def test_same_text_in_a_fresh_process() -> None:
    code = (
        "import json,sys; from modeling_clac.narrator.narratives import narrate; r = json.load(sys.stdin);"
        "t = [narrate(r, s, keep=0.7, mask_formula=m) for m in (False, True) for s in (0, 'a', 5)];"
        "print(json.dumps(t))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4242", "PYTHONPATH": str(ROOT), "CLAC_LAZY_IMPORT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(FULL), env=environment, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    here = [narrate(FULL, s, keep=0.7, mask_formula=m) for m in (False, True) for s in (0, "a", 5)]
    assert json.loads(done.stdout.strip().splitlines()[-1]) == here


def test_narrate_joins_its_sentences() -> None:
    for seed in range(20):
        assert narrate(FULL, seed, keep=0.6) == " ".join(narrate_sentences(FULL, seed, keep=0.6))


def test_one_seed_does_not_give_all_records_the_same_wording() -> None:
    texts = {narrate({"material_id": f"x-{i}", "density": 5.0}, 0, max_applications=0) for i in range(50)}
    assert len(texts) >= 5


# -------------------- missing values
def without(missing: set[str], absence: Any) -> Record:
    known = {column: value for column, value in FULL.items() if column not in missing}
    return known if absence == "drop" else known | dict.fromkeys(missing, absence)


@settings(max_examples=30, deadline=None)
@given(
    drawn=ten(st.tuples(st.sets(st.sampled_from(sorted(TELLTALES)), min_size=1), st.sampled_from(["drop", None, NAN]))),
    seed=st.integers(),
)
def test_missing_values_are_never_mentioned(drawn: list[tuple[set[str], Any]], seed: int) -> None:
    records = with_uses([without(*each) for each in drawn])
    for (missing, _), record in zip(drawn, records, strict=True):
        # The name of a use says nothing of the crystal.
        text = narrate(record, seed, max_applications=99).replace("semiconductor laser", "laser")
        assert not re.search(r"\b(nan|none|null|unknown)\b", text, re.IGNORECASE)
        for column in missing:
            assert not re.search(TELLTALES[column], text, re.IGNORECASE), (column, text)


def test_all_known_values_are_mentioned() -> None:
    for seed in range(200):
        text = narrate(FULL, seed)
        for column in TELLTALES.keys() - {
            "crystal_system",
            "space_group_symbol",
            "space_group_number",
            "nsites",
        }:
            assert re.search(TELLTALES[column], text, re.IGNORECASE), (column, text)


def test_formula_alone() -> None:
    for formula in ("LiFePO4", "Si", "Xx3"):
        assert any(formula in narrate({"formula": formula}, seed) for seed in range(5))


@pytest.mark.parametrize("record", [{}, {"density": None, "formula": NAN}, {"material_id": "x-9"}, {"elements": []}])
def test_record_without_facts_is_a_one_line_error(record: Record) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        narrate(record)


def test_invalid_arguments_are_value_errors() -> None:
    with pytest.raises(ValueError, match="density"):
        narrate({"density": "heavy"})
    with pytest.raises(ValueError, match="keep"):
        narrate(FULL, keep=1.5)
    with pytest.raises(ValueError, match="max_applications"):
        narrate(FULL, max_applications=-1)


# -------------------- masking
def test_masked_text_names_no_element(bundle: list[Record]) -> None:
    barred = {*ELEMENTS, *ELEMENTS.values()}
    for word in (*FAMILIES, *OTHER_FAMILIES):
        barred |= {word, word + "s", "oxy" + word}
    barred |= {word.capitalize() for word in barred if len(word) > 2}
    for i, record in enumerate(bundle):
        text = narrate(record, i, mask_formula=True, max_applications=99)
        text = strip_tokens(text, {"space_group_symbol": record["space_group_symbol"]}).replace("C/m²", "")
        assert not barred & set(re.findall(r"[A-Za-z]+", text)), text
        assert record["formula"] not in re.findall(r"\w+", text), text


def test_without_the_composition_there_are_no_applications(bundle: list[Record]) -> None:
    """A use of an unknown composition cannot be defended: it may be poisonous or dissolve in water."""
    for record in bundle[:500]:
        assert applications(record, mask_formula=True) == []
        assert applications({**record, "formula": None, "elements": None, "chemsys": None}) == []


def test_masked_composition_states_only_the_number_of_elements() -> None:
    texts = {narrate(only(*COMPOSITION), seed, mask_formula=True) for seed in range(100)}
    assert len(texts) >= 5
    assert all(re.search(r"ternary|three|3", text, re.IGNORECASE) for text in texts)


# -------------------- disorder
def test_disordered_crystals_have_sites_not_atoms() -> None:
    """The number of sites is not that of atoms where sites are mixed or partly occupied."""
    record = {
        "material_id": "garnet",
        "formula": "Li6.75La3Zr1.75Ta0.25O12",
        "elements": ["La", "Li", "O", "Ta", "Zr"],
        "crystal_system": "cubic",
        "space_group_symbol": "Ia-3d",
        "space_group_number": 230,
        "nsites": 256,
        "volume": 2180.8,
        "density": 5.24,
    }
    texts = [narrate(record, seed) for seed in range(200)]
    assert all("256" in text or "2180" in text or "2181" in text for text in texts)
    assert not any("atom" in text for text in texts)
    assert any("Li6.75La3Zr1.75Ta0.25O12" in text for text in texts)
    assert any("256 sites" in text for text in texts)
    ordered = [narrate({**record, "formula": "Li7La3Zr2O12"}, seed) for seed in range(200)]
    assert any("256 atoms" in text for text in ordered) and any("per atom" in text for text in ordered)
