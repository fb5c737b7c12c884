"""The table of results and the files to download."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from html.parser import HTMLParser

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeling_clac import ClacInputError, CrystalIndex
from modeling_clac.app import markup
from modeling_clac.app.downloads import download
from modeling_clac.app.engine import Engine
from modeling_clac.app.request import SearchRequest
from modeling_clac.app.results import results_html
from modeling_clac.app.searches import find

EVIL = '<img src=x onerror=alert(1)>{{evil}}${evil}"'


class Tags(HTMLParser):
    """Collects the tags, and checks that all are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in ("input", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(written: str) -> list[str]:
    parser = Tags()
    parser.feed(written)
    assert not parser.open
    return parser.seen


def test_a_row_for_each_hit_with_marks_and_unknown_values(engine: Engine) -> None:
    found = find(engine, SearchRequest("oxide without iron, band gap above 1 eV", k=7), engine.index)
    written = results_html(found)
    assert tags(written).count("tr") == 8
    assert "&lt;" not in written, "HTML is escaped twice"
    assert [int(row) for row in re.findall(r'data-row="(\d+)"', written)] == [hit.row for hit in found.hits]
    assert written.count('class="mark ') == 7 * 3 and "gap (eV)" in written
    unknown = [hit for hit in found.hits if hit.record["band_gap"] is None]
    assert not unknown or '<span class="unknown">unknown</span>' in written


def test_an_id_finds_the_crystal_and_similar_ones(engine: Engine) -> None:
    identity = engine.index.table["material_id"][7].as_py()
    found = find(engine, SearchRequest(identity, k=3), engine.index)
    assert found.request == SearchRequest(like=identity, k=3)
    assert found.hits[0].record["material_id"] == identity and found.hits[0].score == pytest.approx(1, abs=1e-5)


def test_like_another_one_but_lighter(engine: Engine) -> None:
    row = int(engine.index.table["density"].to_numpy().argmax())
    identity = engine.index.table["material_id"][row].as_py()
    found = find(engine, SearchRequest("lighter", identity, k=5), engine.index)
    assert all(change.values["density"][0] > change.values["density"][1] for change in found.changes)
    assert "density" in results_html(found)


def test_filters_alone_are_a_search(engine: Engine) -> None:
    found = find(engine, SearchRequest(elements=("O",), ranges={"density": (None, 4.0)}), engine.index)
    assert len(found.hits) and found.query is None
    assert all("O" in hit.record["elements"] and hit.record["density"] <= 4.0 for hit in found.hits)
    with pytest.raises(ClacInputError, match="nothing to search for"):
        find(engine, SearchRequest("  "), engine.index)


def test_content_of_an_index_is_not_html(engine: Engine) -> None:
    table = engine.index.table.slice(0, 3)
    evil = pa.array([EVIL] * 3)
    for name in ("formula", "material_id", "space_group_symbol"):
        table = table.set_column(table.column_names.index(name), name, evil)
    index = CrystalIndex(engine.index.embeds[:3], table, engine.checkpoint.fingerprint)
    found = find(Engine(engine.checkpoint, index), SearchRequest("oxide"), index)
    assert "img" not in tags(results_html(found)) and "onerror=alert" in results_html(found)


def test_formulas_and_symbols() -> None:
    assert markup.formula("Li6.75La3(ZrO4)2") == "Li<sub>6.75</sub>La<sub>3</sub>(ZrO<sub>4</sub>)<sub>2</sub>"
    assert markup.space_group("P6_3/mmc") == "P6<sub>3</sub>/mmc"
    assert markup.space_group("Fm-3m") == 'Fm<span class="bar">3</span>m'


def test_downloads_hold_the_results(engine: Engine) -> None:
    found = find(engine, SearchRequest("oxide", k=4), engine.index)
    ids = [hit.record["material_id"] for hit in found.hits]
    files = {suffix: download(found, suffix) for suffix in (".csv", ".parquet", ".json", ".zip")}
    assert files[".csv"].content.decode().count("\n") == 5
    assert pq.read_table(io.BytesIO(files[".parquet"].content))["material_id"].to_pylist() == ids
    assert [hit["material_id"] for hit in json.loads(files[".json"].content)["hits"]] == ids
    names = zipfile.ZipFile(io.BytesIO(files[".zip"].content)).namelist()
    assert names[0] == "hits.csv" and [name[2:-4] for name in names[1:]] == ids
    sent = json.loads(files[".csv"].to_json())
    assert base64.b64decode(sent["content"]) == files[".csv"].content
    with pytest.raises(ClacInputError, match="choose one of"):
        download(found, ".exe")


def test_without_hits_the_reason_is_named(engine: Engine) -> None:
    for request, reason in (
        (SearchRequest("oxide", ranges={"density": (90.0, None)}, strict=True), "passes the filters"),
        (SearchRequest("helium compound", strict=True), "for sure"),
    ):
        found = find(engine, request, engine.index)
        assert not len(found.hits) and reason in results_html(found)
