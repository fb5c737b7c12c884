"""What a visit of the page keeps: the last search, a dropped structure, own crystals. It ends with the visit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors_clac import ClacInputError
from .request import SearchRequest
from .searches import Dropped, Found, find

if TYPE_CHECKING:
    import numpy as np

    from ..crystal_clac import Crystal
    from ..data.facts.fact_table import FactTable
    from ..search.index import CrystalIndex
    from .engine import Engine

OWN, BUNDLED = "own", "bundled"


@dataclass
class Session:
    """
    The state of one visit.

    Attributes:
        request: The search that is shown, or the filters that were chosen so far.
        found: Its result; `None` before the first search.
        dropped: The structure that was dropped last.
        own: The user's own crystals.
        shelf: What is searched: `bundled`, the crystals of the index, or `own`.
        opened: Index and row of the crystal that is shown in the viewer; `None` for the dropped structure.
    """

    request: SearchRequest = field(default_factory=SearchRequest)
    found: Found | None = None
    dropped: Dropped | None = None
    own: CrystalIndex | None = None
    shelf: str = BUNDLED
    opened: tuple[CrystalIndex, int] | None = None

    def index(self, engine: Engine) -> CrystalIndex:
        """Return the crystals that are searched."""
        return self.own if self.shelf == OWN and self.own is not None else engine.index

    def search(self, engine: Engine, **changed: Any) -> Found:
        """
        Carry out the search with some of its parts changed.

        Args:
            engine: The models.
            changed: Attributes of the request.

        Raises:
            ClacInputError: If the search is invalid.
        """
        request = replace(self.request, **changed)
        self.found = find(engine, request, self.index(engine), self.dropped)
        self.request = self.found.request
        return self.found

    def row(self, index: CrystalIndex, value: Any) -> int:
        """
        Check a row that the browser sent.

        Args:
            index: The crystals.
            value: The row.

        Raises:
            ClacInputError: If there is no such crystal.
        """
        if not isinstance(value, int):
            raise ClacInputError("row: expected a whole number")
        return index.stored.rows([value])[0]

    def opened_name(self) -> str:
        """
        Return the name of the crystal that is shown in the viewer.

        Raises:
            ClacInputError: If there is none.
        """
        if self.opened is not None:
            index, row = self.opened
            return str(index.record(row).get("material_id") or f"row {row}")
        if self.dropped is None:
            raise ClacInputError("no crystal is shown; choose one from the results")
        return self.dropped.name

    def crystal(self) -> tuple[str, Crystal]:
        """
        Return the crystal that is shown in the viewer, with its name.

        Raises:
            ClacInputError: If there is none, or the index has no structures.
        """
        name = self.opened_name()
        if self.opened is not None:
            index, row = self.opened
            return name, index.structure(row)
        assert self.dropped is not None
        return name, self.dropped.crystal

    def features(self, engine: Engine) -> tuple[np.ndarray, FactTable, list[str]]:
        """
        Return the embedding `(dim,)` and the facts of the crystal that is shown, and whether it is far from training.

        Raises:
            ClacInputError: If there is none.
        """
        self.opened_name()
        if self.opened is not None:
            index, row = self.opened
            vector, facts = index.vectors[row], index.facts.take([row])
            crystals = [index.structure(row)] if index.stored.has_structures else []
        else:
            assert self.dropped is not None
            vector, facts, crystals = self.dropped.vector, self.dropped.facts, [self.dropped.crystal]
        if engine.calibration is None or not crystals:
            return vector, facts, []
        found = engine.calibration.crystal_notes(crystals, vector[None])
        return vector, facts, [line for line in found if line is not None]

    def shown(self) -> Found:
        """
        Return the result that is shown.

        Raises:
            ClacInputError: If there is none yet.
        """
        if self.found is None:
            raise ClacInputError("nothing was searched for yet; write what to look for")
        return self.found


__all__ = ["BUNDLED", "OWN", "Session"]
