from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

from modeling_clac.concepts import vocabulary
from modeling_clac.concepts.concept_files import read_concepts
from modeling_clac.concepts.expressions import Expression
from modeling_clac.concepts.lint import lint
from modeling_clac.concepts.spelling import key
from modeling_clac.concepts.vocabulary import Vocabulary, is_held_out, load_vocabulary, vocabulary_files
from modeling_clac.data.facts.fact_table import EstimatedFacts, FactTable
from modeling_clac.errors_clac import ClacInputError

OWN = """
- id: my-oxide
  kind: anion
  name: my oxide
  test: element(O)
  wordings: |
    my oxide
    # a comment
    my oxygen compound

- id: my-wide-oxide
  kind: band
  name: my wide oxide
  test: concept("my-oxide") and band_gap > 3
  partly: band_gap > 2
  implies: [my-oxide]
  sort: band_gap descending
  accepts: [NO, MgO]
  wordings: [my wide oxide, my wide oxides of quality]
"""


@pytest.fixture
def own(tmp_path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def table() -> FactTable:
    records = [
        {"formula": "MgO", "band_gap": 4.7},
        {"formula": "ZnO", "band_gap": 2.5},
        {"formula": "FeO", "band_gap": 0.5},
        {"formula": "TiO2"},
        {"formula": "NaCl"},
        {"band_gap": 4.0},
    ]
    return FactTable.from_records(records)


def test_concepts_of_a_file(own, table):
    vocabulary = Vocabulary(read_concepts(own))
    assert list(vocabulary.concepts) == ["my-oxide", "my-wide-oxide"]
    concept = vocabulary["my-wide-oxide"]
    assert concept.accepts == ("NO", "MgO")
    assert concept.sort == ("band_gap", True)
    assert vocabulary.wordings("my-oxide") == ("my oxide", "my oxygen compound")
    np.testing.assert_array_equal(
        vocabulary.evaluate(table),
        np.array([[1, 1, 1, 1, 0, np.nan], [1, 0.5, 0, np.nan, np.nan, np.nan]], dtype=np.float32),
    )
    assert [found.id for found in vocabulary.describe(table, 0)] == ["my-wide-oxide"]
    assert [found.id for found in vocabulary.describe(table, 2)] == ["my-oxide"]
    assert vocabulary.test(Expression("not concept('my-oxide')"), table)[4] == 1


def test_own_concepts_join_the_bundled_ones(own):
    vocabulary = load_vocabulary([own])
    assert len(vocabulary) == len(load_vocabulary()) + 2


def test_values_do_not_keep_a_table_alive(own):
    vocabulary = Vocabulary(read_concepts(own))
    facts = FactTable.from_records([{"formula": "MgO"}])
    vocabulary.evaluate(facts)
    reference = weakref.ref(facts)
    del facts
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("id: my-wide-oxide", "id: my-oxide", "own.yaml:11: concept my-oxide: duplicate id"),
        ("implies: [my-oxide]", "implies: [oxides]", "my-wide-oxide: implies: no concept has the id oxides"),
        ("kind: band", "kind: bands", "concept my-wide-oxide: unknown kind bands; choose one of element,"),
        ("sort: band_gap d", "sort: gap d", "sort: unknown number gap"),
        ("sort: band_gap descending", "sort: band_gap down", "expected a number and ascending or descending"),
        ("test: element(O)", "test: element(Ox)", "concept my-oxide: test: unknown element or group of elements Ox"),
        ("test: element(O)", "test: concept('my-wide-oxide')", "refers to itself: my-oxide → my-wide-oxide → my-oxide"),
        ('concept("my-oxide")', "concept(xyz)", "no concept has the id xyz"),
        ("  test: element(O)\n", "", "own.yaml:2: concept my-oxide: test is missing"),
        ("  test: element(O)\n", "  tests: element(O)\n", "unknown key tests; did you mean test?"),
        ("  name: my oxide\n", "  name: my oxide\n  name: mine\n", "own.yaml:5: the key name occurs twice"),
        ("    my oxygen compound", "    My-oxides", "the wordings 'my oxide' and 'My-oxides' are the same"),
        ("[my wide oxide, my wide oxides of quality]", "[]", "no wordings"),
        ("[my wide oxide, my wide oxides of quality]", "[my oxide]", "the wording 'my oxide' belongs to my-oxide"),
        ("[my wide oxide, my wide oxides of quality]", "{a: b}", "expected a text or a list of texts"),
        ("- id: my-oxide", "id: my-oxide", "own.yaml"),
        ("accepts: [NO, MgO]", "accepts: NO", "accepts: expected a list in square brackets"),
    ],
)
def test_bad_files_are_one_line(tmp_path, old, new, problem):
    assert old in OWN
    path = tmp_path / "own.yaml"
    path.write_text(OWN.replace(old, new), encoding="utf-8")
    with pytest.raises(ClacInputError) as raised:
        load_vocabulary([path])
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


def test_held_out_wordings_do_not_depend_on_spelling():
    wordings = [f"wording {letter}{other}" for letter in "abcdefghij" for other in "klmnopqrst"]
    held_out = [wording for wording in wordings if is_held_out("some-concept", wording)]
    assert 8 <= len(held_out) <= 35
    for wording in wordings:
        assert is_held_out("some-concept", wording) == is_held_out("some-concept", wording.upper().replace(" ", "-"))
    assert not is_held_out("some-concept", "Some concepts")


# -------------------- the bundled vocabulary
def test_bundled_vocabulary_is_sound():
    assert [problem.message for problem in lint(vocabulary_files(), FactTable.bundled()) if problem.is_error] == []


def test_held_out_and_training_wordings_are_all_wordings():
    vocabulary = load_vocabulary()
    for concept in vocabulary:
        held_out = vocabulary.wordings(concept.id, held_out=True)
        training = vocabulary.wordings(concept.id, held_out=False)
        assert sorted((*held_out, *training)) == sorted(concept.wordings)
        assert not {key(wording) for wording in held_out} & {key(wording) for wording in training}


def test_estimates_change_what_depends_on_numbers_only() -> None:
    table, other = FactTable.bundled("validation"), FactTable.bundled("validation")
    alone, shared = (Vocabulary(list(load_vocabulary())) for _ in range(2))
    for concept_id in ("hard", "ceramic", "halide", "perovskite"):
        known, estimated = shared.holds(concept_id, table), shared.holds(concept_id, EstimatedFacts(table))
        # Evaluated on its own, nothing is kept of the facts without estimates.
        np.testing.assert_array_equal(alone.holds(concept_id, EstimatedFacts(other)), estimated)
        np.testing.assert_array_equal(shared.holds(concept_id, table), known)
        unknown, unknown_with_estimates = np.isnan(known).sum(), np.isnan(estimated).sum()
        assert unknown > unknown_with_estimates if concept_id == "hard" else unknown == unknown_with_estimates


def test_halves_of_halves_are_kept_exactly(table, tmp_path: Path) -> None:
    steps = ["band_gap > 1", *(f'concept("step-{number}")' for number in range(6))]
    lines = [
        f"- id: step-{number}\n  kind: band\n  name: step {number}\n  test: band_gap > 9\n  partly: {partly}\n"
        f"  wordings: [step {number}]"
        for number, partly in enumerate(steps)
    ]
    file = tmp_path / "own.yaml"
    file.write_text("\n".join(lines))
    own = Vocabulary(read_concepts(file))
    gaps = table.number("band_gap")
    expected = np.where(np.isnan(gaps), np.nan, np.where(gaps > 9, 1.0, np.where(gaps > 1, 2.0**-7, 0.0)))
    for _ in range(2):
        np.testing.assert_array_equal(own.holds("step-6", table), expected)


def test_values_that_are_dropped_are_computed_again(table, monkeypatch) -> None:
    expected = load_vocabulary().evaluate(table)
    monkeypatch.setattr(vocabulary, "_KEPT", 20 * len(table))
    fresh = Vocabulary(list(load_vocabulary()))
    np.testing.assert_array_equal(fresh.evaluate(table), expected)
    assert len(fresh._values[table]) <= 40
