"""Prompt ensembles, adjustment on validation questions, and scores."""

from __future__ import annotations

import numpy as np
import pytest

from datasets_scripts.multiple_choice.drawing import KINDS
from evaluation.multiple_choice.answers import (
    balanced,
    calibration_of,
    choose_adjustment,
    credits_of,
    scores_by_level,
    softmax,
    text_credits,
)
from evaluation.multiple_choice.prompts import ENSEMBLES, concept_of, option_embeds, option_prompts
from modeling_clac.concepts.elements import ANION_NAMES
from modeling_clac.concepts.symmetry import CRYSTAL_SYSTEMS
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.narrator.phrases import CLASS_WORDS, with_article
from tests.helpers.questions import rock_salt_question

VOCABULARY = load_vocabulary()
LABELS = [
    *(("crystal_system", own) for own in CRYSTAL_SYSTEMS),
    *(("space_group", own) for own in ("P1", "P2_1/c", "Fm-3m", "P6_3/mmc")),
    ("oxide", "an oxide"),
    *(("anion", with_article(own)) for own in ANION_NAMES.values()),
    *(("metal", own) for own in ("a metal", "an insulator")),
    *(("band_gap", with_article(own)) for bound, own in CLASS_WORDS["band_gap"] if bound > 0),
    *(("stable", own) for own in ("stable", "unstable")),
    *(("stability", own) for own in ("stable", "metastable", "unstable")),
    *(("density", own) for _, own in CLASS_WORDS["density"]),
    *(("stiffness", own) for own in ("soft", "very stiff")),
    *(("layered", own) for own in ("layered", "three-dimensional network")),
    ("oxyanion", "orthophosphate"),
    ("structure_type", "rutile structure"),
]


@pytest.mark.parametrize(("kind", "label"), LABELS)
def test_every_class_is_a_concept(kind: str, label: str) -> None:
    assert concept_of(kind, label, VOCABULARY) in VOCABULARY.concepts
    trained = option_prompts(kind, label, "wordings", VOCABULARY)
    unseen = option_prompts(kind, label, "held_out_wordings", VOCABULARY)
    assert len(trained) > 1 and not set(trained) & set(unseen)


def test_classes_of_other_names_have_texts_too() -> None:
    for kind, label in (("composition", "NaCl"), ("oxide", "no oxide"), ("stiffness", "moderately stiff")):
        statement = KINDS[kind].statement.format(label)
        assert option_prompts(kind, label, "statement", VOCABULARY) == (statement,)
        assert option_prompts(kind, label, "held_out_wordings", VOCABULARY) == (statement,)
        assert len(option_prompts(kind, label, "wordings", VOCABULARY)) > 1
    assert KINDS["density"].label("The crystal has a low density.") == "low"
    assert KINDS["density"].label("A low density.") is None


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_options_are_unit_means_of_their_texts(ensemble: str) -> None:
    def encode(texts: list[str]) -> np.ndarray:
        vectors = np.array([[len(text), text.count("o"), 1.0] for text in texts])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    rows, vectors, covered = option_embeds([rock_salt_question()], ensemble, VOCABULARY, encode)
    assert list(rows) == list(rock_salt_question().options)
    expected = encode(list(option_prompts("oxide", "an oxide", ensemble, VOCABULARY))).mean(axis=0)
    np.testing.assert_allclose(vectors[0], expected / np.linalg.norm(expected))
    assert covered == {"statement": 0.0, "wordings": 1.0, "held_out_wordings": 0.5}[ensemble]


def test_centring_is_chosen_where_an_option_is_close_to_everything() -> None:
    generator = np.random.default_rng(0)
    right = generator.integers(0, 3, 60)
    means = np.array([0.5, 0.1, 0.1])
    cosines = [means + 0.1 * np.eye(3)[own] for own in right]
    found = choose_adjustment(cosines, [means] * 60, right.tolist(), 20.0)
    assert found.centring > 0 and found.scores(cosines[0], means).argmax() == right[0]
    assert found.probabilities(cosines[0], means).sum() == pytest.approx(1)
    assert found.scale == 300  # all answers are right, so the sharpest is best
    plain = choose_adjustment([0.1 * np.eye(3)[own] for own in right], [np.zeros(3)] * 60, right.tolist(), 20.0)
    assert plain.centring == 0
    assert choose_adjustment([], [], [], 20.0).scale == 20


def test_scores_of_known_answers() -> None:
    questions = [rock_salt_question(0), rock_salt_question(0), rock_salt_question(0), rock_salt_question(1)]
    credits = credits_of(questions, [[1, 0], [1, 0], [0.5, 0.5], [1, 0]])
    np.testing.assert_allclose(credits, [1, 1, 0.5, 0])
    own = scores_by_level(questions, credits, 200, 0)["oxide, easy"]
    assert own["accuracy"] == 0.625 and own["balanced_accuracy"] == pytest.approx((2.5 / 3 + 0) / 2)
    assert own["interval"][0] <= own["accuracy"] <= own["interval"][1]
    middle, (low, high) = balanced(np.ones(5), np.arange(5), 50, 0)
    assert (middle, low, high) == (1, 1, 1)
    found = calibration_of(questions, [softmax(np.array([3.0, 0.0]))] * 4, 50, 0)
    assert found["num_pairs"] == 4 and found["bins"][0]["right"] == 0.75


def test_rules_without_a_crystal() -> None:
    found = text_credits([rock_salt_question(1)] * 5, [rock_salt_question(1), rock_salt_question(0)])
    np.testing.assert_allclose(found["chance"], [0.5, 0.5])
    np.testing.assert_allclose(found["majority"], [1, 0])
    np.testing.assert_allclose(found["text_only"], [1, 0])
