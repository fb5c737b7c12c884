"""Whether wordings of the two ends of a property are kept apart: stiff from soft, dense from light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from datasets_scripts.common.pool_texts import LabelledText
from evaluation.metrics.intervals import mean_interval
from evaluation.texts.rankers import Ranker
from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.data.facts.fact_table import FactTable


def pole_texts(vocabulary: Vocabulary, table: FactTable, min_right: int = 3) -> list[LabelledText]:
    """
    Collect the held-out wordings of the concepts that have an opposite.

    Args:
        vocabulary: The vocabulary.
        table: Facts of the crystals.
        min_right: Least number of crystals of either end.

    Returns:
        One text for each wording. The crystals of the concept are right and those of its opposite wrong; all others
        are undecided. The group is the id of the concept.
    """
    texts = []
    for concept in vocabulary:
        if concept.opposite is None:
            continue
        own, other = (vocabulary.holds(end, table) == 1 for end in (concept.id, concept.opposite))
        if min(own.sum(), other.sum()) < min_right:
            continue
        truth = np.full(len(table), np.nan, dtype=np.float32)
        truth[other], truth[own] = 0, 1
        texts += [LabelledText(text, concept.id, truth) for text in vocabulary.wordings(concept.id, held_out=True)]
    return texts


def score_poles(texts: Sequence[LabelledText], rank: Ranker, seed: int = 0) -> dict[str, Any]:
    """
    Score how well texts separate the crystals of their own end from those of the other.

    Args:
        texts: See `pole_texts`.
        rank: Scores of the crystals for texts.
        seed: Seed of the bootstrap over the texts.

    Returns:
        `auc`, the mean probability that a crystal of the own end is ahead of one of the other (0.5: chance), with its
        95 % `interval`; `flipped`, the number of texts below chance; and `texts`, the value of each.
    """
    scores = rank([own.text for own in texts])
    values = []
    for own, row in zip(texts, scores, strict=True):
        decided = ~np.isnan(own.truth)
        values.append(float(roc_auc_score(own.truth[decided], row[decided])))
    return {
        "auc": float(np.mean(values)),
        "interval": mean_interval(np.array(values), seed=seed),
        "flipped": sum(value < 0.5 for value in values),
        "texts": [
            {"text": own.text, "group": own.group, "auc": value} for own, value in zip(texts, values, strict=True)
        ],
    }


__all__ = ["pole_texts", "score_poles"]
