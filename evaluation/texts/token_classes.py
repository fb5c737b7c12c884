"""What the tokens of a text are: formulas, numbers, words of symmetry, words of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.quantities_clac import NOTHING, NUMBER
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import ConceptTerm, PointGroupTerm, SpaceGroupTerm

CLASSES = ("formulas", "numbers", "symmetry", "classes", "other words", "special tokens")
FORMULAS, NUMBERS, SYMMETRY, COMPOUND_CLASSES, OTHER, SPECIAL = range(len(CLASSES))
# Kinds of concepts of the vocabulary.
_SYMMETRY_KINDS = frozenset({"symmetry", "crystal-system", "space-group"})
_CLASS_KINDS = frozenset({"element-group", "anion", "oxyanion", "group", "class", "structure-type", "structural"})


def token_classes(text: str, encoded: Any, vocabulary: Vocabulary) -> np.ndarray:
    """
    Find the class of each token of a text.

    Formulas and numbers are what the tokenizer reads as such; words of symmetry and of classes of compounds are what a
    search would read as such.

    Args:
        text: The text.
        encoded: The tokens of this text, with `token_kinds`, `offset_mapping` and `special_tokens_mask`, `(1, L)` each.
        vocabulary: The vocabulary.

    Returns:
        `(L,)` int64, places in `CLASSES`.
    """
    kinds, special = np.asarray(encoded["token_kinds"][0]), np.asarray(encoded["special_tokens_mask"][0])
    starts, ends = np.asarray(encoded["offset_mapping"][0]).T
    found = np.full(len(kinds), OTHER)
    literals = [literal for constraint in understand(text, vocabulary).constraints for literal in constraint.literals]
    for own, terms, concept_kinds in (
        (COMPOUND_CLASSES, (), _CLASS_KINDS),
        (SYMMETRY, (SpaceGroupTerm, PointGroupTerm), _SYMMETRY_KINDS),
    ):
        for literal in literals:
            term = literal.term
            if isinstance(term, terms) or (isinstance(term, ConceptTerm) and term.kind_of_concept in concept_kinds):
                found[(starts < literal.end) & (ends > literal.start)] = own
    # Symbols of space groups hold digits and letters that are neither numbers nor elements.
    free = found != SYMMETRY
    found[free & (kinds != NOTHING) & (kinds < NUMBER)] = FORMULAS
    found[free & (kinds >= NUMBER)] = NUMBERS
    found[special == 1] = SPECIAL
    return found


__all__ = ["CLASSES", "OTHER", "SPECIAL", "token_classes"]
