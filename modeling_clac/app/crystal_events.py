"""What happens when crystals are opened, compared, described, dropped or brought along."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from ..data.structure_writing import cif_text
from ..errors_clac import ClacInputError
from ..search.export import safe_name
from . import markup
from .classification import ConceptRanking, description_html, rank_labels, ranked_html
from .comparison import comparison_html
from .components import gr
from .crystal_panel import panel_html, panel_of_row
from .downloads import Download
from .engine import Engine
from .layout import Layout
from .request import ANY_CRYSTAL
from .results import MOST_COMPARED
from .session import OWN, Session
from .structure_view import structure_view
from .uploads import drop, own_index

# Structures are embedded by few at a time: each takes a core.
_EMBEDDED_AT_ONCE = 2


def reports(function: Callable[..., dict[Any, Any]]) -> Callable[..., dict[Any, Any]]:
    """Show invalid input in the notes of the page."""

    @wraps(function)
    def call(page: Layout, *arguments: Any, **named: Any) -> dict[Any, Any]:
        try:
            return function(page, *arguments, **named)
        except ClacInputError as error:
            return page.reported(error)

    return call


class CrystalEvents(Layout):
    """
    Events of single crystals.

    Args:
        engine: The models and the index.
    """

    def __init__(self, engine: Engine):
        super().__init__(engine)
        self.ranking = ConceptRanking(engine)

    def shown(self, session: Session, **changed: Any) -> dict[Any, Any]:
        """Search with some parts of the request changed, and write all that depends on the result."""
        raise NotImplementedError

    def connect_crystals(self, inputs: list[Any], outputs: list[Any]) -> None:
        """
        Connect the events.

        Args:
            inputs: Components of a search.
            outputs: Components that show its result.
        """
        own: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        busy = {**own, "show_progress": "minimal"}
        opened = [self.session, self.side, self.viewer, self.panel, self.but, self.description, self.classified]
        opened.append(self.notes)
        # By default, an event is dropped while an earlier one of its kind is under way.
        all_of_them: dict[str, Any] = {**own, "trigger_mode": "multiple"}
        for source in (self.table, self.map):
            source.pick(self._pick, [self.session], opened, **all_of_them)
        # One after the other, so that the table shows the boxes that were ticked last.
        in_order: dict[str, Any] = {**all_of_them, "concurrency_limit": 1}
        self.table.compare(self._compare, [self.session], [self.compared, self.notes], **in_order)
        self.viewer.resize(self._resize, [self.session], [self.viewer, self.notes], **own)
        self.panel.like(self._like, inputs, outputs, **busy)
        self.panel.cif(self._cif, [self.session], [self.file, self.notes], **own)
        gr.on(
            [self.find_but.click, self.but.submit],
            self._but,
            [self.session, self.but, self.strict, self.count],
            outputs,
            **busy,
        )
        self.describe.click(self._describe, [self.session], [self.description, self.notes], **busy)
        gr.on(
            [self.classify.click, self.labels.submit],
            self._classify,
            [self.session, self.labels],
            [self.classified, self.notes],
            **busy,
        )
        few: dict[str, Any] = {**busy, "concurrency_limit": _EMBEDDED_AT_ONCE, "concurrency_id": "structures"}
        dropped = [*outputs, *(each for each in opened if each not in outputs), self.drop]
        self.drop.upload(self._drop, [self.session, self.drop, self.strict, self.count], dropped, **few)
        kept = [*outputs, self.own, self.own_notes, self.shelf, self.side]
        self.own.upload(self._bring, [self.session, self.own], kept, **few)
        self.shelf.input(self._choose_shelf, [self.session, self.shelf], kept, **busy)

    # -------------------- crystals of the results
    @reports
    def _pick(self, session: Session, event: gr.EventData) -> dict[Any, Any]:
        """Open a crystal of the results or of the map."""
        index = self.engine.index if "map" in event._data else session.index(self.engine)
        row = session.row(index, event.row)
        session.opened = index, row
        hits = () if session.found is None or session.found.index is not index else session.found.hits
        hit = next((hit for hit in hits if hit.row == row), None)
        view = self._view(session) if index.stored.has_structures else ""
        return self._opened(session, panel_of_row(index, row, hit), view)

    def _opened(self, session: Session, panel: str, view: str) -> dict[Any, Any]:
        return {
            self.session: session,
            self.side: gr.update(visible=True),
            self.panel: panel,
            self.viewer: view,
            self.but: "",
            self.description: "",
            self.classified: "",
        }

    def _view(self, session: Session, size: int = 1) -> str:
        name, crystal = session.crystal()
        return json.dumps({"name": name, **structure_view(crystal, size)})

    @reports
    def _resize(self, session: Session, event: gr.EventData) -> dict[Any, Any]:
        return {self.viewer: self._view(session, int(event.size))}

    @reports
    def _cif(self, session: Session) -> dict[Any, Any]:
        name, crystal = session.crystal()
        content = cif_text(crystal, name).encode()
        stem = safe_name(name).removesuffix(".cif")
        return {self.file: Download(f"{stem}.cif", "chemical/x-cif", content).to_json()}

    @reports
    def _compare(self, session: Session, event: gr.EventData) -> dict[Any, Any]:
        index = session.index(self.engine)
        rows = [session.row(index, row) for row in list(event.rows)[:MOST_COMPARED]]
        if len(rows) < 2:
            return {self.compared: markup.notes(["Choose another one to compare."] if rows else [])}
        return {self.compared: comparison_html(index, rows, self.engine.vocabulary)}

    # -------------------- searches that start at a crystal
    @reports
    def _like(self, session: Session, words: str, strict: bool, count: int) -> dict[Any, Any]:
        name = session.opened_name()
        return self.shown(session, text="", like=name, strict=strict, k=int(count))

    @reports
    def _but(self, session: Session, words: str, strict: bool, count: int) -> dict[Any, Any]:
        name = session.opened_name()
        return self.shown(session, text=words, like=name, strict=strict, k=int(count))

    # -------------------- what a crystal is
    @reports
    def _describe(self, session: Session) -> dict[Any, Any]:
        vector, facts, lines = session.features(self.engine)
        return {self.description: description_html(self.ranking, self.engine.index, vector, facts, lines)}

    @reports
    def _classify(self, session: Session, labels: str) -> dict[Any, Any]:
        vector, _, _ = session.features(self.engine)
        return {self.classified: ranked_html("Your labels", rank_labels(self.engine, vector, labels))}

    # -------------------- structures of the user
    @reports
    def _drop(self, session: Session, path: str | None, strict: bool, count: int) -> dict[Any, Any]:
        """Read a dropped structure, show it, and find similar crystals."""
        if path is None:
            return {self.session: session}
        try:
            session.dropped, notes = drop(self.engine, path)
        except ClacInputError as error:
            return {**self.reported(error), self.drop: None}
        session.opened = None
        found = self.shown(session, text="", like=session.dropped.name, strict=strict, k=int(count))
        record, facts = session.dropped.record, session.dropped.facts
        panel = markup.notes(notes, "warning") + panel_html(record, session.dropped.crystal, facts)
        return {**found, **self._opened(session, panel, self._view(session)), self.drop: None}

    @reports
    def _bring(self, session: Session, paths: list[str] | None) -> dict[Any, Any]:
        """Index the user's own files, and search in them."""
        if not paths:
            return {self.session: session}
        try:
            session.own, notes = own_index(self.engine, paths)
        except ClacInputError as error:
            written = markup.tag("p", markup.text(error), class_="error", role="alert")
            return {self.own: None, self.own_notes: written}
        shelf = gr.update(visible=True, value=OWN)
        found = self._choose_shelf(session, OWN)
        return {**found, self.own: None, self.own_notes: markup.notes(notes), self.shelf: shelf}

    def _choose_shelf(self, session: Session, shelf: str) -> dict[Any, Any]:
        """Search in the crystals of the index, or in the user's own."""
        session.shelf = shelf
        found = self.shown(session, **({"text": ANY_CRYSTAL} if session.request.is_empty else {}))
        return {**found, self.side: gr.update(visible=False)}


__all__ = ["CrystalEvents", "reports"]
