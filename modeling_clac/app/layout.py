"""The components of the page and where they stand."""

from __future__ import annotations

from typing import Any

from . import markup
from .about import about_html
from .components import MAP, VIEWER, gr, live_html
from .engine import Engine
from .filter_views import element_counts, histograms, periodic_html, ranges_html
from .request import DEFAULT_HITS, LONGEST_TEXT, SearchRequest
from .searches import EXAMPLES
from .session import BUNDLED, OWN, Session
from .tools import MAX_ATOMS
from .uploads import MOST_CRYSTALS, MOST_FILES

SECONDS_KEPT = 3600  # of the state of a visit
_SUFFIXES = [".cif", ".mcif", ".vasp", ".poscar", ".xyz", ".extxyz", ".json", ".gz"]
_FORMATS = "CIF, POSCAR, extended XYZ or JSON"
_FILES = {".csv": "CSV", ".parquet": "Parquet", ".json": "JSON", ".zip": "CIFs (zip)"}


class Layout:
    """
    The components over an index.

    Args:
        engine: The models and the index.
    """

    def __init__(self, engine: Engine):
        self.engine = engine
        self.counts, self.histograms = element_counts(engine.index), histograms(engine.index)

    def build(self) -> None:
        """Create the components, inside the blocks that hold them."""
        self.session = gr.State(Session(), time_to_live=SECONDS_KEPT)
        self._add_box()
        self._add_filters()
        self._add_results()
        self._add_tools()

    def _add_box(self) -> None:
        count = len(self.engine.index)
        gr.HTML(
            markup.tag("h1", "CLaC")
            + markup.tag("p", f"Search {count:,} inorganic crystals with words, formulas, elements and structures."),
            elem_classes="clac-title clac-page",
        )
        with gr.Row():
            with gr.Column(scale=5, min_width=300):
                self.box = gr.Textbox(
                    label="What are you looking for?",
                    placeholder="lead-free halide perovskite, band gap 1 to 2 eV",
                    max_length=LONGEST_TEXT,
                    elem_id="clac-box",
                )
                examples = "".join(
                    markup.tag("li", markup.tag("button", markup.text(each), type="button", data_text=each))
                    for each in EXAMPLES
                    if not each.startswith("mp-") or each in self.engine.index.stored
                )
                listed = markup.tag("ul", examples, class_="examples", aria_label="Examples")
                self.examples = live_html("texts", listed)
            with gr.Column(scale=1, min_width=200):
                self.go = gr.Button("Search", variant="primary")
                self.drop = gr.File(label="Or a crystal", file_types=_SUFFIXES, height=160, elem_id="clac-drop")
                gr.HTML(markup.notes([f"{_FORMATS}, up to {MAX_ATOMS} atoms"]), elem_classes="clac-page")

    def _add_filters(self) -> None:
        with gr.Accordion("Elements", open=False):
            self.elements = live_html("periodic", self.periodic(SearchRequest()))
        with gr.Accordion("Properties", open=False):
            self.ranges = live_html("ranges", self.sliders(SearchRequest()))
            self.clear = gr.Button("Clear elements and properties", size="sm")
        with gr.Row():
            self.strict = gr.Checkbox(label="Only certain ones: all constraints are met for sure", scale=3)
            self.count = gr.Dropdown([10, 20, 50, 100], value=DEFAULT_HITS, label="Results", scale=1, min_width=120)

    def _add_results(self) -> None:
        self.chips = live_html("texts", elem_id="clac-chips")
        self.notes = gr.HTML(elem_classes="clac-page", elem_id="clac-notes")
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                self.table = live_html("results", elem_id="clac-table")
                with gr.Row(visible=False) as self.after:
                    self.files = {suffix: gr.Button(label, size="sm", min_width=90) for suffix, label in _FILES.items()}
                self.compared = live_html("plain", elem_id="clac-compared")
            with gr.Column(scale=2, min_width=360, visible=False) as self.side:
                self._add_crystal()
        self.file = live_html("downloads", template="", visible="hidden")
        with gr.Accordion("This search as a link, as a command and as Python", open=False):
            self.share = live_html("share")

    def _add_crystal(self) -> None:
        self.viewer = live_html("viewer", template=VIEWER, elem_id="clac-viewer")
        self.panel = live_html("panel", elem_id="clac-panel")
        with gr.Row(equal_height=True):
            self.but = gr.Textbox(
                label="Like this, but ...",
                placeholder="without cobalt, lighter",
                max_length=LONGEST_TEXT,
                scale=3,
                elem_id="clac-but",
            )
            self.find_but = gr.Button("Find", scale=1, min_width=80)
        with gr.Accordion("What is it good for? Concepts, uses and your own labels", open=False):
            self.describe = gr.Button("Rank concepts and uses", size="sm")
            self.description = live_html("plain", elem_id="clac-description")
            self.labels = gr.Textbox(
                label="Your own labels, separated by commas",
                placeholder="metal, oxide, cathode of a battery",
                elem_id="clac-labels",
            )
            self.classify = gr.Button("Classify", size="sm")
            self.classified = live_html("plain", elem_id="clac-classified")

    def _add_tools(self) -> None:
        with gr.Accordion("Map of all crystals", open=False):
            self.map = live_html("map", template=MAP, elem_id="clac-map")
        with gr.Accordion("Search in your own files", open=False):
            gr.HTML(
                markup.notes(
                    [
                        f"Up to {MOST_FILES} files ({_FORMATS}, or a zip of them) with up to {MOST_CRYSTALS} "
                        "crystals. They are searched in this "
                        "visit only, and are deleted when it ends."
                    ]
                ),
                elem_classes="clac-page",
            )
            self.own = gr.File(
                label="Your files",
                file_count="multiple",
                file_types=[*_SUFFIXES, ".zip", ".csv", ".parquet"],
                height=120,
                elem_id="clac-own",
            )
            self.own_notes = gr.HTML(elem_classes="clac-page", elem_id="clac-own-notes")
            self.shelf = gr.Radio(
                [(f"{len(self.engine.index):,} crystals of the index", BUNDLED), ("my files", OWN)],
                value=BUNDLED,
                label="Search in",
                visible=False,
            )
        with gr.Accordion("What the model has not seen, and how good it is", open=False):
            gr.HTML(about_html(self.engine), elem_classes="clac-page", elem_id="clac-about")

    def periodic(self, request: SearchRequest) -> str:
        """Write the periodic table for a search."""
        return periodic_html(self.counts, request.elements, request.exclude_elements)

    def sliders(self, request: SearchRequest) -> str:
        """Write the sliders for a search."""
        return ranges_html(self.histograms, request.ranges, len(self.engine.index))

    def reported(self, error: Exception) -> dict[Any, Any]:
        """Show invalid input in the notes of the page."""
        return {self.notes: markup.tag("p", markup.text(error), class_="error", role="alert")}


__all__ = ["SECONDS_KEPT", "Layout"]
