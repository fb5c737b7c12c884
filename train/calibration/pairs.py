"""Pairs of crystals and search phrases that are known to be right or wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.narrator.concept_phrases import ConceptPhrases


@dataclass(frozen=True)
class LabelledPhrases:
    """
    Phrases, and which crystals they describe.

    Attributes:
        texts: The phrases, all different.
        right: Whether each phrase describes each crystal, `(num_texts, num_crystals)` bool.
        decided: Whether the facts of the crystal decide it, `(num_texts, num_crystals)` bool.
    """

    texts: list[str]
    right: np.ndarray
    decided: np.ndarray

    @property
    def prevalence(self) -> float:
        """Share of right pairs among those that are decided."""
        return float(self.right[self.decided].mean())


def labelled_phrases(table: FactTable, number: int, seed: int) -> LabelledPhrases:
    """
    Write search phrases, and decide for every crystal whether they describe it.

    The phrases are made of the held-out wordings, since a model is surer of the words that it was trained on.

    Args:
        table: Facts of the crystals.
        number: Number of phrases to write; fewer remain, because equal ones are merged.
        seed: Seed of the phrases.
    """
    phrases, generator = ConceptPhrases(load_vocabulary(), table, held_out=True), random.Random(seed)
    holds: dict[str, np.ndarray] = {}
    for _ in range(number):
        phrase = phrases.draw(generator)
        holds.setdefault(phrase.text, phrase.holds)
    values = np.stack(list(holds.values()))
    return LabelledPhrases(list(holds), values == 1, (values == 0) | (values == 1))


__all__ = ["LabelledPhrases", "labelled_phrases"]
