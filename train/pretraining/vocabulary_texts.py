"""What the vocabulary says of the training crystals: facts to predict, and phrases with all their right answers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.bundled import bundled_facts
from modeling_clac.data.facts.crystal_facts import crystal_facts
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.narrator.concept_phrases import ConceptPhrases, Phrase
from modeling_clac.utils.progress import progress_bar

# A fact that holds for fewer training crystals, or for all but as few, teaches nothing that carries over.
_FEWEST = 5


@dataclass(frozen=True)
class VocabularyTexts:
    """
    Phrases and facts of the training crystals.

    Attributes:
        phrases: Maker of phrases from the wordings that are not held out.
        facts: `(n, T)` float32, values of the concepts: 1, 0, grades, NaN where unknown.
    """

    phrases: ConceptPhrases
    facts: np.ndarray

    def draw(self, count: int, generator: random.Random) -> list[Phrase]:
        """Draw phrases."""
        return [self.phrases.draw(generator) for _ in range(count)]


def vocabulary_texts(
    records: Sequence[dict[str, Any]], crystals: Sequence[Crystal], show_progress: bool = True
) -> VocabularyTexts:
    """
    Evaluate the vocabulary on the training crystals.

    Args:
        records: Rows of the data set.
        crystals: Their structures.
        show_progress: Whether to show a progress bar.
    """
    vocabulary = load_vocabulary()
    table = facts_of(records, crystals, show_progress)
    return VocabularyTexts(ConceptPhrases(vocabulary, table), _facts(vocabulary, table))


def facts_of(records: Sequence[dict[str, Any]], crystals: Sequence[Crystal], show_progress: bool = True) -> FactTable:
    """
    Return the facts of crystals: those stored with the bundled crystals, computed for others.

    Args:
        records: Rows of a data set. A row that has the columns of facts keeps them.
        crystals: Their structures.
        show_progress: Whether to show a progress bar.
    """
    stored = {row["material_id"]: row for row in bundled_facts().to_pylist()}
    rows = []
    with progress_bar("facts of crystals", len(records), None if show_progress else False) as bar:
        for record, crystal in zip(records, crystals, strict=True):
            known = record if "ions" in record else stored.get(record["material_id"])
            if known is None:
                known = crystal_facts(crystal, record.get("space_group_number"))
            rows.append({**record, **known})
            bar.update()
    return FactTable.from_records(rows)


def _facts(vocabulary: Vocabulary, table: FactTable) -> np.ndarray:
    values = vocabulary.evaluate(table)
    often = np.minimum((values == 1).sum(axis=1), (values == 0).sum(axis=1)) >= _FEWEST
    return np.ascontiguousarray(values[often].T)


__all__ = ["VocabularyTexts", "facts_of", "vocabulary_texts"]
