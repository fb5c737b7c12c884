"""
Which words the training texts contain.

A text of other words still gets a vector, and the scores of crystals may be arbitrary. The test needs no model, so that
every search can make it, and it names its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..formulas_clac import find_formulas

# A text is far from training if more than this share of its words is unknown.
UNKNOWN_SHARE = 0.5

_WORD = re.compile(r"[^\W\d_]{2,}")
_BLANK = re.compile(r"[\s/,;:()\[\]{}]+")
_ENDINGS = re.compile(r"(?:ies|es|s|ing|ed|ly|ity|ic)$")
# Function words say nothing about the subject of a text.
_FUNCTION_WORDS = frozenset(
    """a about all also an and any are as at be been but by can could do does for from get give had has have how i if in
    into is it its like looking me more most my no not of on one or our should show some such than that the their them
    then there these they this those to under use used very was we were what when where which who why will with within
    without would you your find""".split()
)


@dataclass(frozen=True)
class Vocabulary:
    """
    The vocabulary of the training texts.

    Attributes:
        stems: Stems of its words.
    """

    stems: frozenset[str]

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> Vocabulary:
        """Collect the vocabulary of texts."""
        return cls(frozenset(_stem(word) for text in texts for word in _words(text)))

    def unknown_words(self, text: str) -> tuple[list[str], int]:
        """
        Find the words that do not occur in the training texts.

        Args:
            text: A text. Its formulas, numbers and function words do not count.

        Returns:
            The unknown words in order, and the number of different words that count.
        """
        words = list(dict.fromkeys(_words(text)))
        return [word for word in words if _stem(word) not in self.stems], len(words)

    def is_far(self, text: str) -> bool:
        """
        Return whether most words of a text do not occur in the training texts.

        A text with a formula is not far: the model compares the composition whatever the words around it say.
        """
        unknown, count = self.unknown_words(text)
        return len(unknown) > UNKNOWN_SHARE * count and not find_formulas(text)

    def note(self, text: str) -> str | None:
        """Return one line on a text that is far from the training texts, else `None`."""
        if not self.is_far(text):
            return None
        return f"far from the training texts: {self._missing(text)}, so the scores may be arbitrary"

    def label_note(self, text: str) -> str | None:
        """Return one line on a text with a word that no training text contains, else `None`."""
        if self.is_far(text) or not self.unknown_words(text)[0] or find_formulas(text):
            return self.note(text)
        return f"may be misread: {self._missing(text)}"

    def _missing(self, text: str) -> str:
        unknown, _ = self.unknown_words(text)
        shown = ", ".join(f'"{word}"' for word in unknown[:3]) + (", ..." if len(unknown) > 3 else "")
        return f"{shown} {'occurs' if len(unknown) == 1 else 'occur'} in no training text"


def _words(text: str) -> Iterator[str]:
    """Yield the words of a text in lower case, without function words, formulas, units and symbols."""
    pieces, end = [], 0
    for formula in find_formulas(text):
        pieces.append(text[end : formula.start])
        end = max(end, formula.end)
    pieces.append(text[end:])
    for part in _BLANK.split(" ".join(pieces)):
        # Parts with digits are symbols of space groups, units with powers, or names of models.
        if any(sign.isdigit() for sign in part):
            continue
        for word in _WORD.findall(part):
            if word.lower() not in _FUNCTION_WORDS:
                yield word.lower()


def _stem(word: str) -> str:
    return _ENDINGS.sub("", word) or word


__all__ = ["UNKNOWN_SHARE", "Vocabulary"]
