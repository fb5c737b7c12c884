"""Searches for crystals like another one: what its vector and the text each decide, in one place for all callers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .text_search import ranked_hits, require_sense
from .understanding.likeness import Change, Reference, changed_columns, changes, relative_to

if TYPE_CHECKING:
    from ..concepts.vocabulary import Vocabulary
    from ..crystal_clac import Crystal
    from ..data.facts.fact_table import FactTable
    from .filters import Filters
    from .hits import Hits
    from .index import CrystalIndex
    from .understanding.query import Query


def search_like(
    index: CrystalIndex,
    embedder: Any,
    like: str | Crystal,
    text: str | None = None,
    k: int = 10,
    *,
    filters: Filters | None = None,
    strict: bool = False,
    vocabulary: Vocabulary | None = None,
) -> Hits:
    """
    Find crystals that are similar to another one, and differ from it in what a text says, as `clac search --like` does.

    Examples:
        >>> hits = search_like(index, ClacEmbedder.from_pretrained(), "mp-762018", "without cobalt, lighter", k=5)
        >>> hits.query.render()
        'no Co · density < 3.08 g/cm³'

    Args:
        index: The crystals.
        embedder: `ClacEmbedder` of the checkpoint of the index. It is used for structures, and for texts of which not
            all was read.
        like: Id of a crystal of the index, which is one of those that are compared, or a structure.
        text: How the crystals differ from it, in English. Default: not at all.
        k: Number of crystals to return.
        filters: Conditions that a crystal must meet to be found at all. Default: none.
        strict: Whether to return only crystals that meet all constraints for sure.
        vocabulary: Concepts that the text may name. Default: the bundled ones.

    Returns:
        [`Hits`], with the attribute `query` if there is a text.

    Raises:
        ClacInputError: If no crystal has this id, or the constraints of the text contradict each other.
    """
    row = index.stored.row_of(like) if isinstance(like, str) else None
    vector = index.vectors[row] if row is not None else embedder.encode_crystals([like])[0]
    if text is None or not text.strip():
        found: Hits = index.search(vector, k, filters)
        return found
    from ..concepts.vocabulary import load_vocabulary
    from .understanding.parser import understand

    vocabulary = load_vocabulary() if vocabulary is None else vocabulary
    query = understand(text, vocabulary)
    if counts_by_meaning(query):
        vector = unit_sum([vector, embedder.encode_text([text])[0]])
    if row is not None:
        reference = Reference.of_row(str(like), row, index.facts)
    else:
        reference = Reference.of_crystal("the crystal", like, index.facts)  # type: ignore[arg-type]
    return LikenessSearch(query, reference, vocabulary).hits(index, vector, k, filters=filters, strict=strict)


class LikenessSearch:
    """
    A search for crystals that are similar to another one and differ from it in what a text says.

    Args:
        query: The text, as it was read.
        reference: The crystal that it speaks of.
        vocabulary: The concepts that it names.

    Attributes:
        query: The query, with bounds in the place of comparatives such as "lighter".
        reference: The crystal.

    Raises:
        ClacInputError: If the constraints contradict each other.
    """

    def __init__(self, query: Query, reference: Reference, vocabulary: Vocabulary):
        self.reference, self.vocabulary = reference, vocabulary
        self.query = relative_to(query, reference, vocabulary)
        require_sense(self.query)

    def hits(self, index: CrystalIndex, vector: np.ndarray, k: int, **options: Any) -> Hits:
        """
        Rank the crystals of an index: those that meet the constraints first, the most similar ones first among them.

        Args:
            index: The crystals.
            vector: `(dim,)` vector of the crystal, or its sum with that of the text, see [`counts_by_meaning`].
            k: Number of crystals to return.
            options: Further arguments of [`ranked_hits`].
        """
        return ranked_hits(index, vector, self.query, self.vocabulary, k, by_likeness=True, **options)

    def changes(self, hits: Hits, facts: FactTable) -> list[Change]:
        """
        Compare hits with the crystal.

        Args:
            hits: The hits.
            facts: Facts of the crystals of the index.
        """
        columns = changed_columns(self.query if hits.query is None else hits.query)
        return changes(self.reference, facts, [hit.row for hit in hits], columns)


def counts_by_meaning(query: Query) -> bool:
    """
    Return whether the vector of a text is added to that of the crystal: there is a text, and not all of it was read.

    Args:
        query: The text, as it was read.
    """
    return bool(query.text.strip()) and (not query or bool(query.rest))


def unit_sum(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """
    Add vectors of a crystal and of a text.

    Args:
        vectors: Vectors `(dim,)` of unit length.

    Returns:
        `(dim,)`, unit length.
    """
    total: Any = sum(vectors)
    return np.asarray(total / (total @ total) ** 0.5)


__all__ = ["LikenessSearch", "counts_by_meaning", "search_like", "unit_sum"]
