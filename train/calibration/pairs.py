"""Pairs of crystals and search phrases that are known to be right or wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modeling_clac.narrator.search_phrases import failing, narrate_query, undecided


@dataclass(frozen=True)
class LabelledPhrases:
    """
    Phrases, and which crystals they describe.

    Attributes:
        texts: The phrases, all different.
        right: Whether each phrase describes each crystal, `(num_texts, num_crystals)` bool.
        decided: Whether the properties of the crystal decide it, `(num_texts, num_crystals)` bool.
    """

    texts: list[str]
    right: np.ndarray
    decided: np.ndarray

    @property
    def prevalence(self) -> float:
        """Share of right pairs among those that are decided."""
        return float(self.right[self.decided].mean())


def labelled_phrases(records: Sequence[Mapping[str, Any]], number: int, seed: int) -> LabelledPhrases:
    """
    Write search phrases for crystals drawn at random, and decide for every crystal whether they describe it.

    Args:
        records: Property records of the crystals.
        number: Number of phrases to write; fewer remain, because equal ones are merged.
        seed: Seed of the crystals and the wordings.

    Returns:
        The phrases with at least one condition.
    """
    order = np.random.default_rng(seed).permutation(len(records))
    conditions: dict[str, frozenset[str]] = {}
    for place in range(number):
        query = narrate_query(records[order[place % len(order)]], seed=(seed, place))
        if query.conditions:
            conditions.setdefault(query.text, query.conditions)
    wrong, unknown = [failing(record) for record in records], [undecided(record) for record in records]
    right = np.array([[not (own & fails) for fails in wrong] for own in conditions.values()])
    decided = np.array(
        [[bool(own & f) or not (own & u) for f, u in zip(wrong, unknown, strict=True)] for own in conditions.values()]
    )
    return LabelledPhrases(list(conditions), right, decided)


__all__ = ["LabelledPhrases", "labelled_phrases"]
