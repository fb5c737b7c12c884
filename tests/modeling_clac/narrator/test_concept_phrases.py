from __future__ import annotations

import random
import re
import time

import numpy as np
import pytest

from modeling_clac.concepts.concept_files import read_concepts
from modeling_clac.concepts.expressions import Expression
from modeling_clac.concepts.spelling import key
from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.narrator.concept_phrases import FORMS, ConceptPhrases
from modeling_clac.narrator.number_phrases import NumberPhrases
from modeling_clac.narrator.phrase_grammar import AFTER, BEFORE, ELEMENT, HAVE, NOUN, VERB, part_of_speech, plural

CONCEPTS = """
- id: oxide
  kind: anion
  name: oxide
  test: element(O)
  wordings: [oxide, metal oxide, oxide phase, oxidic, oxide material, oxide crystal, compound of oxygen, oxo compound]
- id: sulfide
  kind: anion
  name: sulfide
  test: element(S)
  wordings: [sulfide, metal sulfide, sulfidic, compound of sulfur, thio compound, sulfide phase, sulfide solid]
- id: cubic
  kind: crystal-system
  name: cubic
  test: system(cubic)
  wordings: [cubic, isometric, cubic symmetry, of cubic symmetry, cubic lattice, with a cubic cell, isometric system]
- id: wide-gap
  kind: band
  name: wide-gap
  test: band_gap > 3
  opposite: narrow-gap
  wordings: [wide-gap, with a wide gap, large band gap, transparent, has a wide gap, wide band gap, insulating]
- id: narrow-gap
  kind: band
  name: narrow-gap
  test: band_gap < 1
  opposite: wide-gap
  wordings: [narrow-gap, small-gap, with a narrow gap, small band gap, narrow band gap, low-gap, nearly metallic]
- id: lead
  kind: element
  name: lead
  test: element(Pb)
  wordings: [Pb-containing, contains lead, lead compound, lead atoms, plumbian, with lead, lead inside, Pb ions]
- id: hard
  kind: band
  name: hard
  test: hardness > 20
  partly: hardness > 5
  wordings: [hard, scratch-resistant, with a high hardness, hard material, very hard, abrasive, resists scratches]
- id: unmet
  kind: class
  name: unmet
  test: element(No)
  wordings: [nobelium salt]
"""


@pytest.fixture(scope="module")
def table() -> FactTable:
    return FactTable.bundled().take(np.arange(0, 6000, 5))


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory) -> Vocabulary:
    path = tmp_path_factory.mktemp("concepts") / "own.yaml"
    path.write_text(CONCEPTS, encoding="utf-8")
    return Vocabulary(read_concepts(path))


@pytest.fixture(scope="module")
def phrases(vocabulary, table) -> ConceptPhrases:
    return ConceptPhrases(vocabulary, table)


def test_all_forms_are_drawn_and_right_for_some_crystal(phrases, table):
    rng = random.Random(0)
    drawn = [phrases.draw(rng) for _ in range(1500)]
    assert {phrase.form for phrase in drawn} == set(FORMS)
    for phrase in drawn:
        assert phrase.holds.shape == (len(table),) and phrase.holds.dtype == np.float32
        assert set(np.unique(phrase.holds[~np.isnan(phrase.holds)])) <= {0.0, 1.0}
        assert (phrase.holds == 1).any()
        assert phrase.text.strip() == phrase.text and "  " not in phrase.text and "{" not in phrase.text
    assert len({phrase.text for phrase in drawn}) > 1000
    assert {concept for phrase in drawn for concept in phrase.concepts} == {
        "oxide", "sulfide", "cubic", "wide-gap", "narrow-gap", "lead", "hard"
    }  # fmt: skip


def test_phrases_for_a_crystal_are_right_for_it(phrases, table):
    rng = random.Random(1)
    for crystal in range(0, len(table), 3):
        assert phrases.draw_for(rng, crystal).holds[crystal] == 1


def test_answers_of_single_concepts_and_conjunctions(phrases, vocabulary, table):
    rng = random.Random(2)
    for _ in range(400):
        phrase = phrases.draw(rng)
        values = [vocabulary.holds(concept, table) for concept in phrase.concepts]
        right = phrase.holds == 1
        if phrase.form in ("concept", "conjunction"):
            # Numbers of the phrase only restrict it further.
            assert all((value[right] == 1).all() for value in values)
        if phrase.form == "union":
            assert (np.maximum(*(np.nan_to_num(value) for value in values))[right] == 1).all()
        if phrase.form == "negation":
            assert (values[-1][right] == 0).all()
    single = phrases.phrases_of("hard", rng, 5)
    hard = vocabulary.holds("hard", table)
    assert len(single) == 5
    for phrase in single:
        np.testing.assert_array_equal(phrase.holds == 1, hard == 1)
        np.testing.assert_array_equal(np.isnan(phrase.holds), np.isnan(hard) | (hard == 0.5))


def test_opposite_poles(phrases, vocabulary, table):
    rng = random.Random(3)
    (stiff,) = phrases.phrases_of("wide-gap", rng)
    other = phrases.opposite(rng, stiff)
    assert other is not None and other.concepts == ("narrow-gap",)
    assert not ((stiff.holds == 1) & (other.holds == 1)).any()
    (oxide,) = phrases.phrases_of("oxide", rng)
    assert phrases.opposite(rng, oxide) is None


def test_held_out_wordings_occur_in_no_training_phrase(phrases, vocabulary, table):
    held_out = {key(w) for c in vocabulary for w in vocabulary.wordings(c.id, held_out=True)}
    assert held_out
    rng = random.Random(4)
    for phrase in (phrases.draw(rng) for _ in range(1500)):
        assert key(phrase.text) not in held_out, phrase.text
    tested = ConceptPhrases(vocabulary, table, held_out=True, forms={"concept": 1.0})
    training = {key(w) for c in vocabulary for w in vocabulary.wordings(c.id, held_out=False)}
    for phrase in (tested.draw(rng) for _ in range(300)):
        (concept,) = phrase.concepts
        assert any(key(w) in key(phrase.text) for w in vocabulary.wordings(concept, held_out=True))
        assert key(phrase.text) not in training


def test_the_same_seed_draws_the_same_phrases(vocabulary, table, phrases):
    other = ConceptPhrases(vocabulary, table)
    for source in (lambda: random.Random(5), lambda: np.random.default_rng(5)):
        one, two = source(), source()
        assert [phrases.draw(one).text for _ in range(50)] == [other.draw(two).text for _ in range(50)]


@pytest.mark.parametrize(
    ("form", "text", "test"),
    [
        ("elements", "with Pb and O", "elements(Pb, O)"),
        ("elements", "containing Pb or O", "element(Pb, O)"),
        ("system", "Pb-O system", "elements(Pb, O) and only(Pb, O)"),
        ("pattern", "ABO3 compound", "pattern(ABO3)"),
    ],
)
def test_answers_of_composition_phrases(vocabulary, table, form, text, test):
    """Draw until the phrase comes up; its answers are those of the test on facts."""
    maker = ConceptPhrases(vocabulary, table, forms={form: 1.0})
    expected = vocabulary.test(Expression(test), table)
    # Crystals for which such a phrase can be drawn.
    wanted = "elements(Pb, O)" if form != "pattern" else "pattern(ABO3) and only(O, metal)"
    both = vocabulary.test(Expression(wanted), table)
    rng, rows = random.Random(6), np.flatnonzero((expected == 1) & (both == 1))
    drawn = (maker.draw_for(rng, int(rows[int(rng.random() * len(rows))])) for _ in range(20000))
    phrase = next(phrase for phrase in drawn if phrase.text == text)
    np.testing.assert_array_equal(phrase.holds, expected)


def test_thresholds_are_those_of_the_text(table):
    numbers = NumberPhrases(table)
    rng = random.Random(7)
    seen = 0
    for _ in range(6000):
        piece, holds = numbers.draw(rng.random)
        found = re.search(
            r"^(?:with )?(?:a )?(band gap|gap|density) (above|below|>|<) ([\d.]+) (eV|g/cm3|kg/m3)$", piece.text
        )
        if found is None:
            continue
        seen += 1
        values = table.number("density" if found[1] == "density" else "band_gap")
        threshold = float(found[3]) / (1000 if found[4] == "kg/m3" else 1)
        right = values > threshold if found[2] in ("above", ">") else values < threshold
        np.testing.assert_array_equal(holds, np.where(np.isnan(values), np.nan, right))
    assert seen > 5


@pytest.mark.parametrize(
    ("wording", "kind", "part"),
    [
        ("cubic", "crystal-system", BEFORE),
        ("phosphate", "oxyanion", NOUN),
        ("with a wide gap", "band", AFTER),
        ("contains iron", "element", VERB),
        ("iron", "element", ELEMENT),
        ("Fe-based", "element", BEFORE),
        ("salt of phosphoric acid", "oxyanion", NOUN),
        ("attacked by humid air", "attribute", AFTER),
        ("wide-gap semiconductor", "band", NOUN),
        ("lithium battery cathode", "use", NOUN),
        ("high bulk modulus", "band", HAVE),
        ("corner-sharing octahedra", "structural", HAVE),
    ],
)
def test_part_of_speech(wording, kind, part):
    assert part_of_speech(wording, kind) == part


@pytest.mark.parametrize(
    ("one", "many"),
    [("salt of an acid", "salts of an acid"), ("battery", "batteries"), ("glass", "glasses"), ("TiO2", "TiO2"),
     ("oxide with lead", "oxides with lead"), ("perovskites", "perovskites")],
)  # fmt: skip
def test_plural(one, many):
    assert plural(one) == many


def test_speed(phrases):
    rng = random.Random(8)
    start = time.process_time()
    for _ in range(300):
        phrases.draw(rng)
    assert time.process_time() - start < 1.5
