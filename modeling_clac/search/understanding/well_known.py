"""Which compounds of a use come first: those that its list names first, as the lists begin with the best-known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .query import ConceptTerm, FormulaTerm, Query, Term

if TYPE_CHECKING:
    from ...concepts.vocabulary import Vocabulary
    from ...data.facts.fact_table import FactTable

# Lengths of the first parts of a list.
_PARTS = (10, 25)


def places_in_lists(query: Query, table: FactTable, vocabulary: Vocabulary) -> np.ndarray:
    """
    Tell how far behind crystals stand in the lists of the uses of a query.

    Args:
        query: The query.
        table: Facts of n crystals.
        vocabulary: The concepts that the query names.

    Returns:
        `(n,)` float64, 0 in the first part of the list of each use, larger in later parts and outside of the lists.
    """
    total = np.zeros(len(table))
    for constraint in query.constraints:
        terms = [literal.term for literal in constraint.literals if not literal.negated]
        uses = [term for term in terms if isinstance(term, ConceptTerm) and term.kind_of_concept == "use"]
        if not uses:
            continue
        lists = [vocabulary[use.id].test.listed_formulas for use in uses]
        places = (
            np.min([_places(formulas, table) for formulas in lists], axis=0) if all(lists) else np.zeros(len(table))
        )
        if len(terms) > len(uses):
            # Examples that the query names come before all others.
            places = np.where(np.any([_is_compound(term, table, vocabulary) for term in terms], axis=0), 0, 1 + places)
        total += places
    return total


def _places(formulas: tuple[str, ...], table: FactTable) -> np.ndarray:
    """`(n,)`, number of the first parts of a list that crystals are not in."""
    return np.sum([table.formula_is(formulas[:part]) != 1 for part in _PARTS], axis=0)


def _is_compound(term: Term, table: FactTable, vocabulary: Vocabulary) -> np.ndarray:
    """`(n,)` bool, which crystals are a compound that a query names."""
    if isinstance(term, FormulaTerm):
        return table.formula_is(term.formula) == 1
    if isinstance(term, ConceptTerm) and term.kind_of_concept == "name":
        return vocabulary.holds(term.id, table) == 1
    return np.zeros(len(table), dtype=bool)


__all__ = ["places_in_lists"]
