"""A search as a link, as a command and as Python."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeling_clac import ClacInputError
from modeling_clac.app.request import SearchRequest
from modeling_clac.data.properties import PROPERTIES

BOUNDED = [column for column, row in PROPERTIES.items() if set(row.range_options) == {"min", "max"}]
bounds = st.one_of(st.none(), st.integers(-50, 50).map(lambda number: number / 8))


@st.composite
def requests(draw: st.DrawFn) -> SearchRequest:
    symbols = draw(st.lists(st.sampled_from(["Li", "Fe", "O", "Cl", "Pb"]), unique=True))
    cut = draw(st.integers(0, len(symbols)))
    ranges = {}
    for column in draw(st.lists(st.sampled_from(BOUNDED), unique=True, max_size=3)):
        low, high = draw(bounds), draw(bounds)
        if (low, high) != (None, None):
            ranges[column] = (min(low, high), max(low, high)) if None not in (low, high) else (low, high)
    return SearchRequest(
        draw(st.text(max_size=40)),
        draw(st.sampled_from(["", "mp-149", "my file.cif"])),
        tuple(symbols[:cut]),
        tuple(symbols[cut:]),
        ranges,
        draw(st.integers(1, 100)),
        draw(st.booleans()),
    )


@given(requests())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_link_is_read_as_the_same_search(search) -> None:
    assert SearchRequest.from_link(parse_qsl(search.to_link()[1:], keep_blank_values=True)) == search


def test_the_command_and_the_program_name_all_parts() -> None:
    request = SearchRequest("it's oxide", "", ("Li",), ("Co",), {"band_gap": (1.0, None)}, 5, True)
    line = 'clac search "it\'s oxide" --element Li --exclude-element Co --band-gap-min=1 -k 5 --strict'
    assert shlex.split(request.command()) == shlex.split(line)
    program = request.python()
    compile(program, "program", "exec")
    assert 'search_text(index, embedder, "it\'s oxide", k=5' in program
    assert "Filters(elements=['Li'], exclude_elements=['Co'], ranges={'band_gap': (1.0, None)})" in program
    assert "search_like(index, embedder, 'mp-149', 'lighter'" in SearchRequest("lighter", "mp-149").python()


def test_filters_without_words_are_a_command_as_well() -> None:
    assert SearchRequest(elements=("Li",)).command() == "clac search crystals --element Li -k 20"
    assert SearchRequest(like="mp-149").command() == "clac search --like mp-149 -k 20"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([("colour", "red")], "unknown parameter 'colour'"),
        ([("band_gap_min", "much")], "band_gap_min='much' is not a number"),
        ([("band_gap_min", "nan")], "is not a number"),
        ([("k", "1000")], "choose 1 to 100"),
        ([("element", "Xx")], "unknown element symbol"),
        ([("element", "Li"), ("exclude_element", "Li")], "both required and excluded"),
        ([("q", "x" * 2001)], "at most 2,000"),
    ],
)
def test_a_broken_link_is_an_error_of_one_line(values, message) -> None:
    with pytest.raises(ClacInputError, match=message):
        SearchRequest.from_link(values)


def test_parameters_of_gradio_are_no_part_of_the_search() -> None:
    assert SearchRequest.from_link([("__theme", "dark"), ("q", "oxide")]) == SearchRequest("oxide")


def test_the_programs_run(monkeypatch, structure_nacl, tmp_path) -> None:
    """The names of the programs exist, with a search that only counts."""
    import modeling_clac

    for name in ("search_text", "search_like"):
        monkeypatch.setattr(modeling_clac, name, lambda index, embedder, *words, **options: (words, options), False)
    monkeypatch.chdir(tmp_path)
    structure_nacl.to(filename="mine.cif")
    filtered = SearchRequest("oxide", elements=("Li",), ranges={"density": (1.0, 2.0)}, strict=True)
    for program in (
        filtered.python(),
        SearchRequest(like="mp-149").python(),
        SearchRequest("lighter", "mine.cif").python(True),
    ):
        names: dict[str, Any] = {}
        exec(program, names)
        assert len(names["hits"][0]) >= 1
