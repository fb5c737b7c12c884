"""The tools for assistants, through the client of the `mcp` package."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mcp import Client, StdioServerParameters
from mcp.server.mcpserver import MCPServer

from modeling_clac import ClacEmbedder
from modeling_clac.app.mcp_server import make_server
from modeling_clac.app.tools import Tools
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.search.index import CrystalIndex
from tests.conftest import CRYSTALS, ROOT

NAMES = {
    "search_crystals",
    "get_crystal",
    "similar_crystals",
    "classify_crystal",
    "understand_query",
    "list_concepts",
}


@pytest.fixture(scope="module")
def index(small_checkpoint: Path) -> CrystalIndex:
    table = pq.read_table(CRYSTALS / "validation.parquet").slice(0, 60)
    return CrystalIndex.build(ClacEmbedder.from_pretrained(small_checkpoint), table, show_progress=False)


@pytest.fixture(scope="module")
def server(small_checkpoint: Path, index: CrystalIndex) -> MCPServer[Any]:
    return make_server(Tools(resolve_checkpoint(small_checkpoint), index))


def ask(server: Any, use: Callable[[Client], Awaitable[Any]]) -> Any:
    async def session() -> Any:
        async with Client(server) as client:
            return await use(client)

    return asyncio.run(session())


def call(server: Any, name: str, **arguments: Any) -> Any:
    result = ask(server, lambda client: client.call_tool(name, arguments))
    assert not result.is_error, result.content[0].text
    value = result.structured_content
    return value["result"] if set(value) == {"result"} else value


def refusal(server: Any, name: str, **arguments: Any) -> str:
    result = ask(server, lambda client: client.call_tool(name, arguments))
    assert result.is_error
    return str(result.content[0].text)


def test_every_tool_is_read_only_and_describes_its_arguments(server) -> None:
    tools = ask(server, lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == NAMES
    for tool in tools:
        assert tool.annotations.read_only_hint and len(tool.description) > 40
        assert all(schema.get("description") for schema in tool.input_schema["properties"].values())


def test_a_search_tells_how_it_was_read(server, index) -> None:
    found = call(server, "search_crystals", text="oxides without iron", k=5)
    assert found["read_as"] == "oxide · no Fe"
    assert found["num_crystals"] == 60 and found["units"]["density"] == "g/cm³"
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3, 4, 5]
    states = [{mark["state"] for mark in hit["marks"]} for hit in found["hits"]]
    right = [("O" in hit["elements"], "Fe" not in hit["elements"]) for hit in found["hits"]]
    assert states[0] == {"met"} and right[0] == (True, True)
    assert [own == {"met"} for own in states] == sorted((all(own) for own in right), reverse=True)
    filtered = call(server, "search_crystals", text="oxide", k=50, elements=["O"], ranges={"density": [None, 5.0]})
    assert filtered["hits"] and all(hit["density"] <= 5 for hit in filtered["hits"])


def test_crystals_by_id_and_by_structure(server, index) -> None:
    name = index.table["material_id"][3].as_py()
    known = call(server, "get_crystal", material_id=name, cif=True)
    assert known["record"]["material_id"] == name and known["cif"].startswith(("data_", "#"))
    by_id = call(server, "similar_crystals", material_id=name, k=4)["hits"]
    assert len(by_id) == 4 and name not in {hit["material_id"] for hit in by_id}
    by_cif = call(server, "similar_crystals", cif=known["cif"], k=5)["hits"]
    assert by_cif[0]["material_id"] == name
    assert [hit["material_id"] for hit in by_cif[1:]] == [hit["material_id"] for hit in by_id]
    ranked = call(server, "classify_crystal", labels=["an oxide", "a metal"], material_id=name)["labels"]
    assert [entry["label"] for entry in ranked] in (["an oxide", "a metal"], ["a metal", "an oxide"])
    assert ranked[0]["cosine"] >= ranked[1]["cosine"]
    again = call(server, "classify_crystal", labels=["an oxide", "a metal"], cif=known["cif"])["labels"]
    np.testing.assert_allclose([e["cosine"] for e in again], [e["cosine"] for e in ranked], atol=1e-5)


def test_queries_and_concepts(server, index) -> None:
    read = call(server, "understand_query", text="cubic nitrides with a band gap above 2 eV")
    assert {constraint["label"] for constraint in read["constraints"]} >= {"cubic", "nitride"}
    assert 'elements HAS "N"' in read["optimade"]["filter"]
    spinel = call(server, "list_concepts", words="spinel", k=3)
    assert spinel[0]["name"] == "spinel" and spinel[0]["kind"] == "structure-type" and len(spinel) == 3


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("search_crystals", {"text": "  "}, "the text is empty; write"),
        ("search_crystals", {"text": "oxide", "k": 1000}, "less than or equal to 50"),
        ("search_crystals", {"text": "oxide", "elements": ["Xx"]}, "Xx"),
        ("search_crystals", {"text": "oxide", "ranges": {"density": [5.0]}}, "density has 1 bounds; give"),
        ("search_crystals", {"text": "oxide", "ranges": {"density": [5.0, 1.0]}}, "swap them"),
        ("search_crystals", {"text": "oxide without oxygen"}, "oxygen"),
        ("get_crystal", {"material_id": "mp-none"}, "mp-none"),
        ("similar_crystals", {}, "give either the id of a crystal or a structure"),
        ("similar_crystals", {"cif": "/etc/passwd"}, "cif"),
        ("classify_crystal", {"labels": [], "material_id": "mp-1"}, "labels"),
        ("no_such_tool", {}, "no_such_tool"),
    ],
)
def test_errors_say_what_to_do(server, name, arguments, message) -> None:
    text = refusal(server, name, **arguments)
    assert message in text and "Traceback" not in text


def test_the_command_serves_on_stdin_and_stdout(small_checkpoint, index, tmp_path) -> None:
    index.save(tmp_path / "index")
    options = ["--index", str(tmp_path / "index"), "--model", str(small_checkpoint)]
    command = StdioServerParameters(command=sys.executable, args=["-m", "clac_cli", "mcp", *options], cwd=str(ROOT))
    result = ask(command, lambda client: client.call_tool("understand_query", {"text": "hard ceramic"}))
    assert not result.is_error
    assert json.loads(result.content[0].text)["read_as"]


def test_a_table_of_another_checkpoint_is_refused(small_checkpoint, index) -> None:
    other = CrystalIndex(index.embeds, pa.table({"material_id": index.table["material_id"]}), "another", "other")
    with pytest.raises(Exception, match="other"):
        Tools(resolve_checkpoint(small_checkpoint), other)
