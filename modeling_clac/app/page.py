"""The page: its components, and what happens when a search changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..concepts.elements import ELEMENT_NAMES
from ..errors_clac import ClacInputError
from . import markup
from .chips import chips, chips_html
from .components import gr, share_html
from .crystal_events import CrystalEvents, reports
from .downloads import download
from .engine import Engine
from .filter_views import chosen_range, filters_text, next_state
from .map_view import similarity_bytes
from .request import SearchRequest
from .results import results_html
from .searches import Found
from .session import Session

_SEARCHES_AT_ONCE, _LONGEST_QUEUE = 8, 100


class Page(CrystalEvents):
    """
    The page over an index.

    Args:
        engine: The models and the index.

    Attributes:
        blocks: The application of gradio.
    """

    def __init__(self, engine: Engine):
        super().__init__(engine)
        with gr.Blocks(title="CLaC: search crystals", analytics_enabled=False, delete_cache=(600, 600)) as self.blocks:
            self.build()
            self._connect()
        self.blocks.queue(max_size=_LONGEST_QUEUE, default_concurrency_limit=_SEARCHES_AT_ONCE)

    def _connect(self) -> None:
        outputs = [self.session, self.box, self.chips, self.notes, self.table, self.after, self.share, self.map]
        outputs.append(self.compared)
        inputs = [self.session, self.box, self.strict, self.count]
        own: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
        # The one event that programs may call, as the benchmark does.
        named = {**own, "api_visibility": "undocumented", "api_name": "search"}
        gr.on([self.go.click, self.box.submit], self._search, inputs, outputs, **named)
        gr.on([self.strict.input, self.count.input], self._again, inputs, outputs, **own)
        filtered = [*outputs, self.elements, self.ranges]
        self.examples.choose(self._choose_example, inputs, outputs, **own)
        self.chips.choose(self._choose_chip, inputs, filtered, **own)
        for suffix, button in self.files.items():
            button.click(self._download(suffix), [self.session], [self.file, self.notes], **own)
        self.elements.element(self._element, inputs, filtered, **own)
        self.ranges.range(self._range, inputs, filtered, **own)
        self.clear.click(self._clear, inputs, filtered, **own)
        self.connect_crystals(inputs, outputs)
        self.blocks.load(self._open, [self.session], [self.strict, self.count, *filtered], **own)

    # -------------------- searches
    def shown(self, session: Session, **changed: Any) -> dict[Any, Any]:
        """Search with some parts of the request changed, and write all that depends on the result."""
        try:
            found = session.search(self.engine, **changed)
        except ClacInputError as error:
            return {self.session: session, **self.reported(error)}
        return {
            self.session: session,
            self.box: found.request.text or found.request.like,
            self.chips: self._chips(found),
            self.notes: markup.notes([*filters_text(found.request), *found.notes]),
            self.table: results_html(found),
            self.after: gr.update(visible=bool(len(found.hits))),
            self.share: share_html(found),
            self.map: self._map(found),
            self.compared: "",
        }

    def _chips(self, found: Found) -> str:
        cut = [] if found.query is None else chips(found.query, self.engine.understand)
        return chips_html(cut, found.request.like)

    def _map(self, found: Found) -> str:
        if found.index is not self.engine.index:
            return ""
        hits = [hit.row for hit in found.hits]
        return json.dumps({"hits": hits, "similarity": similarity_bytes(found.cosines)})

    def _search(self, session: Session, words: str, strict: bool, count: int) -> dict[Any, Any]:
        return self.shown(session, **self._of_box(session, words), strict=strict, k=int(count))

    def _again(self, session: Session, words: str, strict: bool, count: int) -> dict[Any, Any]:
        if session.found is None:
            return {self.session: session}
        return self._search(session, words, strict, count)

    def _of_box(self, session: Session, words: str) -> dict[str, str]:
        """Return the text, and the crystal that it speaks of, unless the box shows the search as it is."""
        request = session.request
        return {} if words == (request.text or request.like) else {"text": words, "like": ""}

    def _choose_example(
        self, session: Session, words: str, strict: bool, count: int, event: gr.EventData
    ) -> dict[Any, Any]:
        return self.shown(session, text=str(event.text), like="", strict=strict, k=int(count))

    @reports
    def _choose_chip(
        self, session: Session, words: str, strict: bool, count: int, event: gr.EventData
    ) -> dict[Any, Any]:
        """Search for the text that a chip carries; that of a crystal leaves the crystal out."""
        like = "" if event.part == "like" else session.request.like
        return self._filtered(session, text=str(event.text), like=like, strict=strict, k=int(count))

    def _open(self, session: Session, request: gr.Request) -> dict[Any, Any]:
        """Carry out the search of the link with which the page was opened."""
        try:
            wanted = SearchRequest.from_link(request.query_params.multi_items())
        except ClacInputError as error:
            return self.reported(error)
        session.request = wanted
        if wanted.is_empty:
            return {self.session: session}
        filters = {self.elements: self.periodic(wanted), self.ranges: self.sliders(wanted)}
        return {self.strict: wanted.strict, self.count: wanted.k, **filters, **self.shown(session)}

    # -------------------- filters
    @reports
    def _element(self, session: Session, words: str, strict: bool, count: int, event: gr.EventData) -> dict[Any, Any]:
        """Require, exclude or no longer use an element."""
        if event.symbol not in ELEMENT_NAMES:
            raise ClacInputError("element: unknown symbol")
        request = session.request
        required, excluded = next_state(event.symbol, request.elements, request.exclude_elements)
        changed = {"elements": required, "exclude_elements": excluded, "strict": strict, "k": int(count)}
        return self._filtered(session, **self._of_box(session, words), **changed)

    @reports
    def _range(self, session: Session, words: str, strict: bool, count: int, event: gr.EventData) -> dict[Any, Any]:
        """Limit a property."""
        chosen = chosen_range(self.histograms, event.column, event.low, event.high)
        ranges = dict(session.request.ranges)
        if chosen is not None:
            column, bounds = chosen
            ranges.pop(column, None)
            if bounds != (None, None):
                ranges[column] = bounds
        return self._filtered(session, **self._of_box(session, words), ranges=ranges, strict=strict, k=int(count))

    @reports
    def _clear(self, session: Session, words: str, strict: bool, count: int) -> dict[Any, Any]:
        none: dict[str, Any] = {"elements": (), "exclude_elements": (), "ranges": {}}
        return self._filtered(session, **self._of_box(session, words), **none, strict=strict, k=int(count))

    def _filtered(self, session: Session, **changed: Any) -> dict[Any, Any]:
        """Search with other filters; without words and filters, nothing is shown."""
        request = replace(session.request, **changed)
        if request.is_empty:
            session.request, session.found = request, None
            emptied = (self.box, self.chips, self.notes, self.table, self.share, self.map, self.compared)
            found = {self.session: session, self.after: gr.update(visible=False), **dict.fromkeys(emptied, "")}
        else:
            found = self.shown(session, **changed)
        return {
            **found,
            self.elements: self.periodic(session.request),
            self.ranges: self.sliders(session.request),
        }

    def _download(self, suffix: str) -> Callable[[Session], dict[Any, Any]]:
        def make(session: Session) -> dict[Any, Any]:
            try:
                return {self.file: download(session.shown(), suffix).to_json()}
            except ClacInputError as error:
                return self.reported(error)

        return make


__all__ = ["Page"]
