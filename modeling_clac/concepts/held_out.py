"""Held-out wordings in texts of training: no text that a model learns from may contain one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, lru_cache

from .concept_files import Concept
from .spelling import key, tokens
from .vocabulary import Vocabulary, wordings_of

# Words of the longest run that is looked up. Longer wordings do not come about by chance.
_LONGEST = 8


class HeldOutWordings:
    """
    The wordings of a vocabulary that are held out from training.

    Args:
        vocabulary: The vocabulary.
    """

    def __init__(self, vocabulary: Vocabulary):
        self._vocabulary = vocabulary
        self._runs: dict[str, frozenset[str]] = {}

    def occurs_in(self, text: str, wordings: Iterable[str] = ()) -> bool:
        """
        Whether a text contains a held-out wording, in any spelling.

        Args:
            text: The text.
            wordings: Training wordings that the text is made of. What they contain does not count.
        """
        found = self.keys.intersection(_runs(text))
        if not found:
            return False
        return not found <= frozenset[str]().union(*map(self._runs_of, wordings))

    @cached_property
    def keys(self) -> frozenset[str]:
        """Keys of the held-out wordings. One that is a training wording of another concept is not held out."""
        return _keys(tuple(self._vocabulary))

    def _runs_of(self, wording: str) -> frozenset[str]:
        if wording not in self._runs:
            self._runs[wording] = frozenset(_runs(wording))
        return self._runs[wording]


# Phases of a training run, and validation, ask for those of the same concepts.
@lru_cache(maxsize=4)
def _keys(concepts: tuple[Concept, ...]) -> frozenset[str]:
    held_out, training = (
        {key(wording) for concept in concepts for wording in wordings_of(concept, which)} for which in (True, False)
    )
    return frozenset(held_out - training)


def _runs(text: str) -> list[str]:
    """Keys of all runs of words in a text."""
    keys = [token.key for token in tokens(text)]
    return [
        "".join(keys[start:end])
        for start in range(len(keys))
        for end in range(start + 1, min(len(keys), start + _LONGEST) + 1)
    ]


__all__ = ["HeldOutWordings"]
