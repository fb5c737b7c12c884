"""What `clac search` does with a text that it reads as constraints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .printing import print_lines

if TYPE_CHECKING:
    import numpy as np

    from ..concepts.vocabulary import Vocabulary
    from ..search.filters import Filters
    from ..search.hits import Hits
    from ..search.index import CrystalIndex
    from ..search.understanding.query import Query


class Reading:
    """
    A text that was read.

    Args:
        query: The constraints.
        vocabulary: The concepts that they name.
    """

    def __init__(self, query: Query, vocabulary: Vocabulary):
        self.query, self.vocabulary = query, vocabulary

    def search(
        self, index: CrystalIndex, vector: np.ndarray, k: int, filters: Filters, strict: bool
    ) -> tuple[Hits, list[str]]:
        """
        Search by the constraints, then by the cosine with a vector.

        Returns:
            The hits, and notes for the user.
        """
        from ..data.facts.fact_table import FactTable
        from ..search.text_search import ranked_hits

        notes = list(self.query.notes)
        facts = index.facts if index.has_facts else FactTable(index.table)
        if not index.has_facts and self.query.constraints:
            notes.append(
                "this index has no facts of its crystals, so that structure types, ions and the like are unknown; "
                "rebuild it with `clac index`"
            )
        hits = ranked_hits(index, vector, self.query, self.vocabulary, k, filters=filters, strict=strict, facts=facts)
        return hits, notes

    def show(self) -> None:
        """Print how the text was read."""
        lines = [f"read as: {self.query.render()}"] if self.query else []
        if self.query.rest:
            lines.append(f"not read: {', '.join(self.query.rest)} (compared by meaning only)")
        print_lines(lines)

    def explain(self, hits: Hits) -> None:
        """Print what the signs mean and, if no hit meets all constraints, what the nearest one lacks."""
        if not self.query.constraints:
            return
        from .support import note

        states = {mark.state for hit in hits for mark in hit.marks}
        words = {"met": "met", "partly": "partly met", "unknown": "unknown", "failed": "not met"}
        from ..search.understanding.ranking import SIGNS

        print(", ".join(f"{SIGNS[state]} {word}" for state, word in words.items() if state in states))
        missing = [mark for mark in hits[0].marks if mark.state != "met"]
        if missing:
            named = ", ".join(f"{mark.label} is {_MISSING[mark.state]}{_of(mark.value)}" for mark in missing)
            name = hits[0].record.get("formula") or hits[0].record.get("material_id") or "hit 1"
            note(f"no crystal meets all constraints; the nearest is {name}: {named}")

    def nothing_found(self, strict: bool) -> str:
        """Explain why there are no hits."""
        if strict and self.query.constraints:
            return "no crystal meets all constraints for sure; without --strict, the nearest ones are shown"
        return "no crystal passes the filters"


_MISSING = {"partly": "partly met", "unknown": "unknown", "failed": "not met"}


def _of(value: str) -> str:
    return f" ({value})" if value else ""


def read_text(text: str, concepts: Sequence[Path] | None = None) -> Reading:
    """
    Read a text as constraints.

    Args:
        text: The text.
        concepts: Files of the user's own concepts.

    Raises:
        ClacInputError: If the constraints contradict each other, or a concept file is broken.
    """
    from ..concepts.vocabulary import load_vocabulary
    from ..search.text_search import require_sense
    from ..search.understanding.parser import understand

    vocabulary = load_vocabulary(concepts or ())
    query = understand(text, vocabulary)
    require_sense(query)
    return Reading(query, vocabulary)


__all__ = ["Reading", "read_text"]
