"""Searches by text that are understood: constraints on facts first, then the similarity of the embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors_clac import ClacInputError

if TYPE_CHECKING:
    from ..concepts.vocabulary import Vocabulary
    from ..data.facts.fact_table import FactTable
    from .filters import Filters
    from .hits import Hits
    from .index import CrystalIndex
    from .understanding.query import Query


def search_text(
    index: CrystalIndex,
    embedder: Any,
    text: str | Sequence[str],
    k: int = 10,
    *,
    filters: Filters | None = None,
    understanding: bool = True,
    strict: bool = False,
    vocabulary: Vocabulary | None = None,
    approximate: bool = False,
) -> Any:
    """
    Find crystals by a description, as `clac search` does.

    The text is read as constraints ("lead-free halide perovskite": halide, perovskite, no Pb), see
    [`modeling_clac.search.understanding.parser.understand`]. Crystals that meet them come first, sorted by the cosine
    of text and crystal; a constraint that fails moves a crystal down. With `understanding=False`, as in
    `CrystalIndex.search` with the embedding of the text, the cosine alone decides.

    Examples:
        >>> hits = search_text(index, ClacEmbedder.from_pretrained(), "lead-free halide perovskite", k=5)
        >>> hits.query.render()
        'no Pb · halide · perovskite'

    Args:
        index: The crystals.
        embedder: `ClacEmbedder` of the checkpoint of the index.
        text: A description in English, or several.
        k: Number of crystals to return.
        filters: Conditions that a crystal must meet to be found at all. Default: none.
        understanding: Whether to read the text as constraints.
        strict: Whether to return only crystals that meet all constraints for sure.
        vocabulary: Concepts that the text may name. Default: the bundled ones.
        approximate: Whether the graph of neighbours decides which crystals are compared, see `CrystalIndex.search`.

    Returns:
        [`Hits`] with the attribute `query`; for several texts, a list of them.

    Raises:
        ClacInputError: If the constraints of a text contradict each other.
    """
    texts = [text] if isinstance(text, str) else list(text)
    embeds = embedder.encode_text(texts)
    if not understanding:
        found = [index.search(vector, k, filters, approximate) for vector in embeds]
    else:
        from ..concepts.vocabulary import load_vocabulary
        from .understanding.parser import understand

        vocabulary = load_vocabulary() if vocabulary is None else vocabulary
        queries = [understand(each, vocabulary) for each in texts]
        found = [
            ranked_hits(index, vector, query, vocabulary, k, filters=filters, strict=strict, approximate=approximate)
            for vector, query in zip(embeds, queries, strict=True)
        ]
    return found[0] if isinstance(text, str) else found


def require_sense(query: Query) -> None:
    """
    Check that a crystal can meet a query.

    Raises:
        ClacInputError: If its constraints contradict each other.
    """
    if query.contradictions:
        raise ClacInputError(query.contradictions[0])


def ranked_hits(
    index: CrystalIndex,
    vector: np.ndarray,
    query: Query,
    vocabulary: Vocabulary,
    k: int = 10,
    *,
    filters: Filters | None = None,
    strict: bool = False,
    facts: FactTable | None = None,
    by_likeness: bool = False,
    approximate: bool = False,
) -> Hits:
    """
    Rank the crystals of an index by a query that was read, then by the cosine with a vector.

    Args:
        index: The crystals.
        vector: `(dim,)` query vector.
        query: The query.
        vocabulary: The concepts that it names.
        k: Number of crystals to return.
        filters: Conditions that a crystal must meet to be found at all.
        strict: Whether to return only crystals that meet all constraints for sure.
        facts: Facts of the crystals. Default: those of the index.
        by_likeness: Whether the vector is that of a crystal, so that similar ones come first among those that meet the
            constraints.
        approximate: See `CrystalIndex.search`.

    Returns:
        The hits, best first, with their marks.

    Raises:
        ClacInputError: If the constraints contradict each other, or as `CrystalIndex.search`.
    """
    from .understanding.likeness import with_compounds
    from .understanding.ranking import Evaluation

    facts = index.facts if facts is None else facts
    query = with_compounds(query, facts, vocabulary)
    require_sense(query)
    if k < 1:
        raise ClacInputError(f"k={k}: must be at least 1")
    rows = np.arange(len(index)) if filters is None else np.flatnonzero(index.mask(filters))
    evaluation = Evaluation(query, facts, vocabulary)
    if strict:
        rows = rows[evaluation.met[rows]]
    best = evaluation.best(
        k,
        lambda chosen: index.cosines(vector, chosen),
        lambda count, tied: index.nearest(vector, count, tied, approximate),
        rows,
        by_likeness,
    )
    return index.hits(best, index.cosines(vector, best), evaluation)


__all__ = ["ranked_hits", "require_sense", "search_text"]
