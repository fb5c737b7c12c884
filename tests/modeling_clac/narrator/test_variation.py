"""Variation of narratives: several wordings per fact, well-formed sentences, and dropped facts."""

from __future__ import annotations

import re
from typing import Any

import pytest

from modeling_clac.narrator.applications import with_uses
from modeling_clac.narrator.narratives import applications, narrate, narrate_sentences
from tests.helpers.narrator_checks import (
    COMPOSITION,
    FACTS,
    FULL,
    NUMBER,
    TELLTALES,
    UNITS,
    Record,
    only,
    untrue_numbers,
)


# -------------------- variation
def shapes(texts: set[str]) -> set[str]:
    """Replace numbers, so that a wording with other decimals does not count as another wording."""
    return {re.sub(r"\d+(\.\d+)?", "#", text) for text in texts}


@pytest.mark.parametrize("fact", FACTS)
def test_five_phrasings_for_each_fact(fact: str) -> None:
    texts = {narrate(only(*FACTS[fact]), seed, max_applications=0) for seed in range(300)}
    assert len(shapes(texts)) >= 5


@pytest.mark.parametrize("column", [c for columns in FACTS.values() for c in columns if c != "chemsys"])
def test_five_phrasings_for_each_column_alone(column: str) -> None:
    texts = {narrate(only(column), seed, max_applications=0) for seed in range(300)}
    assert len(shapes(texts)) >= 5


@pytest.mark.parametrize("energy", [0.0, 0.02, 0.1, 0.5])
def test_five_phrasings_for_each_stability(energy: float) -> None:
    assert len(shapes({narrate({"energy_above_hull": energy}, seed) for seed in range(200)})) >= 5


def test_each_use_in_narratives(bundle: list[Record]) -> None:
    """Each use follows from the facts that it names, and is said in several ways with reasons from these facts."""
    examples: dict[str, Record] = {}
    for record in bundle:
        for application in applications(record):
            examples.setdefault(application.name, record)
    assert len(examples) >= 120
    for name, record in list(examples.items())[::4]:
        application = next(a for a in applications(record) if a.name == name)
        columns = [*application.facts, *COMPOSITION]
        reduced = only(*columns, of=record) | {column: record[column] for column in ("uses", "possible_uses")}
        assert application == next(a for a in applications(reduced) if a.name == name)
        assert not untrue_numbers(f"Given {application.reason}.", record), application
        said: set[str] = set()
        for seed in range(60):
            said |= {
                sentence
                for sentence in narrate_sentences(reduced, seed, max_applications=99)
                if any(wording in sentence for wording in application.wordings)
            }
        assert len(shapes(said)) >= 5, name
        assert all(len(sentence.split()) <= 40 for sentence in said), said


def uses_of(formula: str, **values: Any) -> dict[str, bool]:
    """Whether each use of a record is firm."""
    return {a.name: a.firm for a in applications({"formula": formula, **values})}


def test_uses_of_known_compounds() -> None:
    assert uses_of("LiFePO4")["li-ion-cathode"]
    assert "li-ion-cathode" not in uses_of("NaFePO4")
    assert "pv-absorber" in uses_of("GaAs", band_gap=1.4) and "pv-absorber" not in uses_of("NaCl", band_gap=1.4)
    assert "ferroelectric" not in uses_of("SrTiO3", space_group_number=221)
    assert "nonlinear-optical" not in uses_of("CaF2", space_group_number=225, band_gap=7.0)


def test_what_is_only_likely_is_worded_as_possible() -> None:
    """The test of a use gives a firm sentence, its `partly` a tentative one."""
    tentative = re.compile(r"^(Possible|Worth|Candidate|Potential|It may|Conceivable)")
    for formula, firm in (("LiFePO4", True), ("LiCuPO4", False)):
        record = {"formula": formula}
        assert uses_of(formula)["li-ion-cathode"] is firm
        for seed in range(40):
            for sentence in narrate_sentences(record, seed, max_applications=99)[1:]:
                if "athode" in sentence:
                    assert bool(tentative.match(sentence)) is not firm, sentence


def test_dropped_facts_leave_out_the_uses_that_depend_on_them() -> None:
    record = {"formula": "Tl2ZnBr4", "band_gap": 2.0, "density": 6.0}
    assert "radiation-detector" in uses_of(**record)
    for seed in range(60):
        sentences = narrate_sentences(record, seed, keep=0.0, max_applications=99)
        assert not any("detector" in sentence for sentence in sentences)


def test_records_with_uses_give_the_same_text() -> None:
    records = [{"material_id": "a", "formula": "LiFePO4"}, {"material_id": "b", "formula": "NaCl", "band_gap": 5.0}]
    for record, complete in zip(records, with_uses(records), strict=True):
        assert narrate(record, 3, max_applications=9) == narrate(complete, 3, max_applications=9)
    assert with_uses([]) == []


@pytest.mark.parametrize("most", [0, 1, 3])
def test_max_applications(most: int) -> None:
    record = FULL | {"formula": "ZnO", "elements": ["O", "Zn"], "chemsys": "O-Zn"}
    wordings = [w for a in applications(record) for w in a.wordings]
    assert len(applications(record)) > 3
    for seed in range(50):
        sentences = narrate_sentences(record, seed, max_applications=most)
        assert sum(any(f": {w}" in s for w in wordings) for s in sentences) == most


def test_fact_order_varies() -> None:
    first = {narrate_sentences(only("density", "band_gap", "nsites"), s, max_applications=0)[0] for s in range(60)}
    openers = {c for c in ("density", "band_gap", "nsites") for s in first if re.search(TELLTALES[c], s, re.I)}
    assert openers == {"density", "band_gap", "nsites"}


@pytest.mark.parametrize("column", UNITS)
def test_units_are_given(column: str) -> None:
    for seed in range(100):
        sentence = narrate(only(column), seed, max_applications=0)
        if NUMBER.search(sentence):
            assert re.search(rf"\d {re.escape(UNITS[column])}(?!\w)", sentence), sentence
        else:
            assert column == "energy_above_hull"


def test_sentences_are_short_and_well_formed(bundle: list[Record]) -> None:
    lengths = []
    for i, record in enumerate(bundle[:2000]):
        sentences = narrate_sentences(record, i)
        lengths += [len(sentence.split()) for sentence in sentences]
        for sentence in sentences:
            assert sentence.endswith(".") and not re.search(r"[{}]|\s\s|\.\.", sentence), sentence
            assert not sentence[0].islower(), sentence
    assert sum(lengths) / len(lengths) < 10


# -------------------- keep
def test_keep_drops_facts() -> None:
    lengths = {
        keep: sum(len(narrate_sentences(FULL, s, keep=keep, max_applications=0)) for s in range(300)) / 300
        for keep in (0.0, 0.5, 1.0)
    }
    assert lengths[0.0] == 1
    assert lengths[1.0] == len(FACTS)
    assert lengths[0.5] == pytest.approx(1 + (len(FACTS) - 1) / 2, abs=0.6)


def test_composition_is_kept_unless_masked() -> None:
    for seed in range(100):
        assert re.search("LiZn2O4|lithium", narrate(FULL, seed, keep=0.0), re.IGNORECASE)
    kept = {narrate(FULL, seed, keep=0.0, mask_formula=True, max_applications=0) for seed in range(200)}
    assert len(kept) > 20
    assert all(text for text in kept)


def test_dropped_facts_do_not_appear_in_applications() -> None:
    for seed in range(300):
        sentences = narrate_sentences(FULL, seed, keep=0.3, mask_formula=True, max_applications=99)
        facts = narrate_sentences(FULL, seed, keep=0.3, mask_formula=True, max_applications=0)
        assert sentences[: len(facts)] == facts
        for column in (
            "density",
            "band_gap",
            "shear_modulus_vrh",
            "piezoelectric_modulus",
            "refractive_index",
        ):
            if re.search(TELLTALES[column], " ".join(sentences), re.IGNORECASE):
                assert re.search(TELLTALES[column], " ".join(facts), re.IGNORECASE), (column, sentences)
