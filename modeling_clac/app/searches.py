"""The searches of the page: a request gives hits, how it was read, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors_clac import ClacInputError
from .engine import Engine
from .request import SearchRequest

if TYPE_CHECKING:
    import numpy as np

    from ..crystal_clac import Crystal
    from ..data.facts.fact_table import FactTable
    from ..search.hits import Hits
    from ..search.index import CrystalIndex
    from ..search.understanding.likeness import Change
    from ..search.understanding.query import Query

# Shown while a page has no search.
EXAMPLES = (
    "lead-free halide perovskite",
    "wide band gap oxide without cobalt",
    "hardest nitride",
    "lithium oxide solid electrolyte for batteries",
    "transparent conductor",
    "Heusler alloy, magnetic",
    "LiFePO4",
    "mp-149",
)


@dataclass(frozen=True)
class Dropped:
    """
    A structure that the user dropped; it is kept for the session only.

    Attributes:
        name: Name of its file.
        crystal: The structure.
        vector: `(dim,)` its embedding.
    """

    name: str
    crystal: Crystal
    vector: np.ndarray

    @cached_property
    def record(self) -> dict[str, Any]:
        """What follows from the structure, as the record of a crystal."""
        from ..data.structure_facts import describe_crystal

        return {"material_id": self.name, **describe_crystal(self.crystal)}

    @cached_property
    def facts(self) -> FactTable:
        """Its facts, a table of one row."""
        from ..data.facts.crystal_facts import crystal_facts
        from ..data.facts.fact_table import FactTable

        return FactTable.from_records([{**self.record, **crystal_facts(self.crystal)}])


@dataclass(frozen=True)
class Found:
    """
    The result of a search.

    Attributes:
        request: The search, as it was carried out.
        index: The index that was searched.
        hits: The hits.
        query: How the text was read; `None` without one.
        cosines: `(num_crystals,)` similarity of all crystals with the request.
        notes: Lines for the user.
        changes: What changed for each hit, if the text speaks of another crystal.
        of_file: Whether the request speaks of a dropped structure, which no link carries.
        of_own: Whether the user's own crystals were searched.
    """

    request: SearchRequest
    index: CrystalIndex
    hits: Hits
    query: Query | None
    cosines: np.ndarray
    notes: Sequence[str] = ()
    changes: Sequence[Change] = ()
    of_file: bool = False
    of_own: bool = False


def find(engine: Engine, request: SearchRequest, index: CrystalIndex, dropped: Dropped | None = None) -> Found:
    """
    Carry out a search.

    Args:
        engine: The models.
        request: The search. A text that is the id of a crystal is read as `like`.
        index: The crystals to search: those of the engine, or the user's own.
        dropped: The structure that `request.like` names, if it is not an id.

    Raises:
        ClacInputError: If there is nothing to look for, or the constraints contradict each other.
    """
    if request.is_empty:
        raise ClacInputError("nothing to search for; write what to look for, choose elements, or drop a structure")
    if not request.like and any(request.text.strip() in each.stored for each in (index, engine.index)):
        request = replace(request, like=request.text.strip(), text="")
    if request.like:
        return _find_like(engine, request, index, dropped)
    from ..search.text_search import ranked_hits

    query = engine.understand(request.words)
    vector = engine.text_encoder.encode_text([request.words])[0]
    hits = ranked_hits(
        index, vector, query, engine.vocabulary, request.k, filters=request.filters, strict=request.strict
    )
    notes = [] if hits.query is None else list(hits.query.notes)
    notes += _text_notes(engine, request.text) if request.text.strip() else []
    read = hits.query if request.text.strip() else None
    return Found(request, index, hits, read, index.cosines(vector), notes, of_own=index is not engine.index)


def _find_like(engine: Engine, request: SearchRequest, index: CrystalIndex, dropped: Dropped | None) -> Found:
    from ..search.likeness_search import LikenessSearch, counts_by_meaning, unit_sum
    from ..search.understanding.likeness import Reference

    of_file = dropped is not None and dropped.name == request.like
    if dropped is not None and of_file:
        vector, facts = dropped.vector, engine.index.facts
        reference = Reference.of_crystal(dropped.name, dropped.crystal, facts)
    else:
        source = index if request.like in index.stored else engine.index
        row = source.stored.row_of(request.like)
        vector = source.vectors[row]
        reference = Reference.of_row(request.like, row, source.facts)
    query, notes = engine.understand(request.text), []
    if counts_by_meaning(query):
        vector = unit_sum([vector, engine.text_encoder.encode_text([request.text])[0]])
        notes += _text_notes(engine, request.text)
    search = LikenessSearch(query, reference, engine.vocabulary)
    hits = search.hits(index, vector, request.k, filters=request.filters, strict=request.strict)
    assert hits.query is not None
    changed = search.changes(hits, index.facts)
    read = hits.query if request.text.strip() else None
    notes = [*hits.query.notes, *notes]
    own = index is not engine.index
    return Found(request, index, hits, read, index.cosines(vector), notes, changed, of_file, own)


def _text_notes(engine: Engine, text: str) -> list[str]:
    """Say that a text is long, or has words that the model has not seen."""
    calibration = engine.calibration
    lines = [engine.text_encoder.reading_note(text), None if calibration is None else calibration.vocabulary.note(text)]
    return [line for line in lines if line is not None]


__all__ = ["EXAMPLES", "Dropped", "Found", "find"]
