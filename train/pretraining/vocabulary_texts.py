"""What the vocabulary says of the training crystals: facts to predict, and phrases with all their right answers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modeling_clac.concepts.held_out import HeldOutWordings
from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.bundled import bundled_facts
from modeling_clac.data.facts.crystal_facts import crystal_facts
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.narrator.concept_phrases import ConceptPhrases, Phrase
from modeling_clac.utils.progress import progress_bar
from train.pretraining.augmentation import split_sentences

# A fact that holds for fewer training crystals, or for all but as few, teaches nothing that carries over.
_FEWEST = 5


@dataclass(frozen=True)
class VocabularyTexts:
    """
    Phrases and facts of the training crystals.

    Attributes:
        phrases: Maker of phrases from the wordings that are not held out.
        facts: `(n, T)` float32, values of the concepts: 1, 0, grades, NaN where unknown.
        held_out: The wordings that no text of training may contain.
    """

    phrases: ConceptPhrases
    facts: np.ndarray
    held_out: HeldOutWordings

    def without_held_out(self, text: str) -> str:
        """Leave out the sentences of a text that contain a held-out wording. The last one is kept in any case."""
        if not self.held_out.occurs_in(text):
            return text
        sentences = split_sentences(text)
        kept = [sentence for sentence in sentences if not self.held_out.occurs_in(sentence)]
        return " ".join(kept or sentences[-1:])

    def draw(self, count: int, generator: random.Random) -> list[Phrase]:
        """Draw phrases."""
        return [self.phrases.draw(generator) for _ in range(count)]


def vocabulary_texts(rows: Sequence[dict[str, Any]]) -> VocabularyTexts:
    """
    Evaluate the vocabulary on the training crystals.

    Args:
        rows: Rows of the data set with the columns of facts, see [`with_facts`].
    """
    vocabulary = load_vocabulary()
    table = FactTable.from_records(rows)
    phrases = ConceptPhrases(vocabulary, table)
    return VocabularyTexts(phrases, _facts(vocabulary, table), HeldOutWordings(vocabulary))


def with_facts(
    records: Sequence[dict[str, Any]], crystals: Sequence[Crystal], show_progress: bool = True
) -> list[dict[str, Any]]:
    """
    Add the facts of crystals to their records: those stored with the bundled crystals, computed for others.

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
    return rows


def _facts(vocabulary: Vocabulary, table: FactTable) -> np.ndarray:
    values = vocabulary.evaluate(table)
    often = np.minimum((values == 1).sum(axis=1), (values == 0).sum(axis=1)) >= _FEWEST
    return np.ascontiguousarray(values[often].T)


__all__ = ["VocabularyTexts", "vocabulary_texts", "with_facts"]
