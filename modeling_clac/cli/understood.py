"""What `clac search` does with a text that it reads as constraints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .printing import print_lines, print_table

if TYPE_CHECKING:
    import numpy as np

    from ..concepts.vocabulary import Vocabulary
    from ..crystal_clac import Crystal
    from ..data.facts.fact_table import FactTable
    from ..search.filters import Filters
    from ..search.hits import Hits
    from ..search.index import CrystalIndex
    from ..search.likeness_search import LikenessSearch
    from ..search.stored_crystals import StoredCrystals
    from ..search.understanding.likeness import Change
    from ..search.understanding.optimade import OptimadeFilter
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
        self.likeness: LikenessSearch | None = None

    def compare_with(self, crystal: Crystal | int, name: str, index: CrystalIndex) -> None:
        """
        Read comparatives, such as "lighter", as bounds.

        Args:
            crystal: The crystal that the text speaks of, or its row.
            name: Its name.
            index: The index that is searched.

        Raises:
            ClacInputError: If the bounds contradict other constraints.
        """
        from ..search.likeness_search import LikenessSearch
        from ..search.understanding.likeness import Reference

        make = Reference.of_row if isinstance(crystal, int) else Reference.of_crystal
        reference = make(name, crystal, _facts_of(index))  # type: ignore[arg-type]
        self.likeness = LikenessSearch(self.query, reference, self.vocabulary)
        self.query = self.likeness.query

    def changes(self, hits: Hits, index: CrystalIndex) -> list[Change]:
        """Compare hits with the crystal that the text speaks of; empty if there is none."""
        return [] if self.likeness is None else self.likeness.changes(hits, _facts_of(index))

    def show_changes(self, hits: Hits, index: CrystalIndex) -> None:
        """Print what differs between the crystal that the text speaks of and the hits."""
        found = self.changes(hits, index)
        if not found or self.likeness is None:
            return
        from ..concepts.quantities import QUANTITIES

        columns = [
            ("#", [str(hit.rank) for hit in hits]),
            ("formula", [str(hit.record.get("formula") or "") for hit in hits]),
            ("removed", [" ".join(change.removed) for change in found]),
            ("added", [" ".join(change.added) for change in found]),
            ("kept", [" ".join(change.kept) for change in found]),
        ]
        for column in found[0].values:
            quantity = QUANTITIES[column]
            columns.append((f"{quantity.label}\n{quantity.unit}", [change.written(column) for change in found]))
        columns.append(("space group", [change.written_space_groups for change in found]))
        print(f"\nchanges from {self.likeness.reference.name}:")
        print_table(columns, {"#"})

    def optimade(self, filters: Filters) -> OptimadeFilter:
        """
        Write the constraints and the options of the search as an OPTIMADE filter.

        Raises:
            ClacInputError: If none of them can be written.
        """
        from ..errors_clac import ClacInputError
        from ..search.understanding.optimade import optimade_filter

        written = optimade_filter(self.query, self.vocabulary, filters)
        if not written.filter:
            labels = ", ".join(written.left_out) or ", ".join(self.query.rest) or self.query.text
            raise ClacInputError(
                f"--optimade: an OPTIMADE filter cannot say {labels}; name elements, formulas or numbers of atoms"
            )
        return written

    def search(
        self,
        index: CrystalIndex,
        vector: np.ndarray,
        k: int,
        filters: Filters,
        strict: bool,
        approximate: bool = False,
    ) -> tuple[Hits, list[str]]:
        """
        Search by the constraints, then by the cosine with a vector.

        Returns:
            The hits, and notes for the user.
        """
        from ..search.text_search import ranked_hits

        options: dict[str, Any] = {
            "filters": filters,
            "strict": strict,
            "facts": _facts_of(index),
            "approximate": approximate,
        }
        if self.likeness is not None:
            hits = self.likeness.hits(index, vector, k, **options)
        else:
            hits = ranked_hits(index, vector, self.query, self.vocabulary, k, **options)
        assert hits.query is not None
        self.query = hits.query
        notes = list(self.query.notes)
        if not index.has_facts and self.query.constraints:
            notes.append(
                "this index has no facts of its crystals, so that structure types, ions and the like are unknown; "
                "rebuild it with `clac index`"
            )
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


def _facts_of(index: CrystalIndex) -> FactTable:
    """Return the facts of an index; those that follow from its columns if it has no others."""
    from ..data.facts.fact_table import FactTable

    return index.facts if index.has_facts else FactTable(index.table)


_MISSING = {"partly": "partly met", "unknown": "unknown", "failed": "not met"}


def _of(value: str) -> str:
    return f" ({value})" if value else ""


def find_compound(name: str, crystals: StoredCrystals, concepts: Sequence[Path] | None = None) -> int | None:
    """
    Find a crystal by the name or formula of its compound.

    Args:
        name: What the user wrote.
        crystals: The crystals.
        concepts: Files of the user's own concepts.

    Returns:
        The row of the most stable one; `None` if there is no such compound. A note says which one it is.
    """
    from ..concepts.vocabulary import load_vocabulary
    from ..data.facts.fact_table import FactTable
    from ..search.understanding.likeness import rows_of_compound
    from .support import note

    rows = rows_of_compound(name, FactTable(crystals.table), load_vocabulary(concepts or ()))
    if not rows:
        return None
    record = crystals.record(rows[0])
    which = f", the most stable of {len(rows)}" if len(rows) > 1 else ""
    symbol = record.get("space_group_symbol") or "unknown space group"
    note(f"{name}: {record.get('material_id')} ({record.get('formula')}, {symbol}){which}")
    return rows[0]


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
