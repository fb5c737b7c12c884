"""Texts that stand for an option of a question: its statement, or wordings of the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from datasets_scripts.multiple_choice.concept_classes import CONCEPT_QUESTIONS, class_ids
from datasets_scripts.multiple_choice.drawing import KINDS
from evaluation.multiple_choice.question_set import ChoiceQuestion
from modeling_clac.concepts.spelling import key
from modeling_clac.concepts.vocabulary import Vocabulary

ENSEMBLES = ("statement", "wordings", "held_out_wordings")
# Classes with bounds of their own or names that other concepts have.
_CONCEPTS = {
    ("metal", "a metal"): "metallic",
    ("metal", "an insulator"): "gapped",
    ("band_gap", "an ultrawide-gap insulator"): "ultrawide-gap",
    ("density", "low"): "light",
    ("density", "moderate"): "medium-density",
    ("density", "high"): "dense",
    ("stiffness", "soft"): "compressible",
    ("stiffness", "very stiff"): "high-bulk-modulus",
}
# Classes that are no concept of the vocabulary.
_WORDINGS = {
    ("oxide", "no oxide"): ("compound without oxygen", "no oxygen", "oxygen-free", "free of oxygen", "not an oxide"),
    ("stiffness", "moderately stiff"): ("moderately stiff", "medium bulk modulus", "intermediate bulk modulus"),
}
# A composition is named by its formula.
_FORMULA_FRAMES = ("{}", "{} crystal", "compound {}", "composition {}", "the material {}")


def concept_of(kind: str, label: str, vocabulary: Vocabulary) -> str | None:
    """
    Find the concept that an option names.

    Args:
        kind: Kind of the question.
        label: Class that the option names.
        vocabulary: The vocabulary.

    Returns:
        Id of the concept, or `None` if the vocabulary has none.
    """
    if kind in CONCEPT_QUESTIONS:
        return _ids_by_name(kind, vocabulary).get(label)
    found = _CONCEPTS.get((kind, label))
    if found is not None:
        return found if found in vocabulary.concepts else None
    if (kind, label) in _WORDINGS or kind == "composition":
        return None
    ids = vocabulary.ids_of_keys.get(key(label.removeprefix("an ").removeprefix("a ")), ())
    return ids[0] if len(ids) == 1 else None


@cache
def _ids_by_name(kind: str, vocabulary: Vocabulary) -> dict[str, str]:
    return {vocabulary[own].name: own for own in class_ids(kind, vocabulary)}


def option_prompts(kind: str, label: str, ensemble: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """
    Return the texts whose mean embedding stands for an option.

    Args:
        kind: Kind of the question.
        label: Class that the option names.
        ensemble: `statement`, the option as it is written; `wordings`, those of the vocabulary that occur in training
            texts; or `held_out_wordings`, those that do not.
        vocabulary: The vocabulary.

    Returns:
        At least one text: the statement where the vocabulary has no such wording.
    """
    statement = (KINDS[kind].statement.format(label),)
    if ensemble == "statement":
        return statement
    concept = concept_of(kind, label, vocabulary)
    if concept is not None:
        return vocabulary.wordings(concept, held_out=ensemble == "held_out_wordings") or statement
    if ensemble == "held_out_wordings":
        return statement
    if kind == "composition":
        return tuple(frame.format(label) for frame in _FORMULA_FRAMES)
    return _WORDINGS.get((kind, label), statement)


def option_embeds(
    questions: Sequence[ChoiceQuestion],
    ensemble: str,
    vocabulary: Vocabulary,
    encode: Callable[[list[str]], Any],
) -> tuple[dict[str, int], np.ndarray, float]:
    """
    Embed the options of questions by their ensembles.

    Args:
        questions: The questions.
        ensemble: One of `ENSEMBLES`.
        vocabulary: The vocabulary.
        encode: Returns unit vectors of texts, `(n, dim)`.

    Returns:
        Row of each statement; unit vectors `(statements, dim)`; share of statements with other texts than themselves.
    """
    prompts: dict[str, tuple[str, ...]] = {}
    for question in questions:
        for label, option in zip(question.labels, question.options, strict=True):
            if option not in prompts:
                prompts[option] = option_prompts(question.kind, label, ensemble, vocabulary)
    texts = list(dict.fromkeys(text for own in prompts.values() for text in own))
    rows = {text: row for row, text in enumerate(texts)}
    vectors = np.asarray(encode(texts))
    means = np.stack([vectors[[rows[text] for text in own]].mean(axis=0) for own in prompts.values()])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    replaced = sum(own != (option,) for option, own in prompts.items())
    return {option: row for row, option in enumerate(prompts)}, means, replaced / len(prompts)


def similarities(
    questions: Sequence[ChoiceQuestion],
    crystals: Mapping[str, int],
    crystal_embeds: np.ndarray,
    options: Mapping[str, int],
    option_vectors: np.ndarray,
) -> list[np.ndarray]:
    """
    Compute the cosine of each option with the crystal of its question.

    Args:
        questions: The questions.
        crystals: Row of each crystal by `material_id`.
        crystal_embeds: Unit vectors, `(crystals, dim)`.
        options: Row of each statement.
        option_vectors: Unit vectors, `(statements, dim)`.

    Returns:
        For each question, `(options,)`.
    """
    return [
        option_vectors[[options[option] for option in question.options]]
        @ crystal_embeds[crystals[question.material_id]]
        for question in questions
    ]


__all__ = ["ENSEMBLES", "concept_of", "option_embeds", "option_prompts", "similarities"]
