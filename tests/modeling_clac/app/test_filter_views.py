"""The periodic table and the sliders."""

from __future__ import annotations

import numpy as np
import pytest

from modeling_clac.app.engine import Engine
from modeling_clac.app.filter_views import (
    chosen_range,
    element_counts,
    filters_text,
    histograms,
    next_state,
    periodic_html,
    range_text,
    ranges_html,
)
from modeling_clac.app.request import SearchRequest
from modeling_clac.concepts.elements import ELEMENT_NAMES
from tests.modeling_clac.app.test_results import tags


def test_all_elements_have_a_place_of_their_own(engine: Engine) -> None:
    counts = element_counts(engine.index)
    formulas = engine.index.table["elements"].to_pylist()
    assert counts["O"] == sum("O" in own for own in formulas)
    written = periodic_html(counts, ("Li",), ("Co",))
    assert tags(written).count("button") == 118
    assert all(f'data-symbol="{symbol}"' in written for symbol in ELEMENT_NAMES)
    places = [part.split('"')[0] for part in written.split("grid-area: ")[1:]]
    assert len(set(places)) == 118
    assert "lithium: required" in written and "cobalt: excluded" in written


def test_an_element_turns_from_required_to_excluded_to_not_used() -> None:
    assert next_state("Li", (), ()) == (("Li",), ())
    assert next_state("Li", ("O", "Li"), ("Co",)) == (("O",), ("Co", "Li"))
    assert next_state("Li", ("O",), ("Co", "Li")) == (("O",), ("Co",))


def test_histograms_count_all_known_values(engine: Engine) -> None:
    found = histograms(engine.index)
    assert found[0].column == "density"
    for own in found:
        values = np.array(engine.index.table[own.column].to_pylist(), dtype=float)
        assert sum(own.counts) == own.known == np.isfinite(values).sum()
    written = ranges_html(found, {"density": (2.0, None)}, len(engine.index))
    assert tags(written).count("svg") == len(found)
    assert "minimum of density (g/cm³)" in written and "≥ 2.00" in written


def test_ends_of_sliders_are_open(engine: Engine) -> None:
    found = histograms(engine.index)
    density = found[0]
    assert chosen_range(found, "density", density.low, density.high) == ("density", (None, None))
    assert chosen_range(found, "density", 3.5, density.high) == ("density", (3.5, None))
    assert chosen_range(found, "density", 5.0, 4.0) == ("density", (4.0, 5.0))


@pytest.mark.parametrize("value", ["<b>", None, [], float("nan")])
def test_data_that_no_slider_sends_is_not_used(engine: Engine, value) -> None:
    found = histograms(engine.index)
    assert chosen_range(found, value, 1, 2) is None
    assert chosen_range(found, "density", value, value) == ("density", (None, None))


def test_ranges_are_written() -> None:
    texts = [range_text(ends, 1) for ends in ((None, None), (1.0, None), (None, 2.0), (1.0, 2.0))]
    assert texts == ["any", "≥ 1.0", "≤ 2.0", "1.0 to 2.0"]


def test_filters_are_written_as_one_line() -> None:
    request = SearchRequest("oxide", elements=("Li", "O"), exclude_elements=("Co",), ranges={"density": (3.0, None)})
    assert filters_text(request) == ["Only crystals with Li, O; without Co; density ≥ 3.00 g/cm³."]
    assert filters_text(SearchRequest("oxide")) == []
