"""Indexes that are built in parts: the same as in one part, after an interruption, and by several processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeling_clac.crystal_clac import ReadingOptions
from modeling_clac.data.crystal_table import crystal_table
from modeling_clac.errors_clac import ClacInputError, InvalidStructureError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.search import index_building, index_parts
from modeling_clac.search.index import CrystalIndex
from modeling_clac.search.index_building import BuildOptions, build_index
from modeling_clac.search.index_parts import cut_into_parts

ROWS = 4  # of a part
FILES = ["columns.arrow", "crystals.parquet", "embeddings.safetensors", "facts.arrow", "index.json"]


@pytest.fixture(scope="module")
def options(small_checkpoint: Path) -> BuildOptions:
    return BuildOptions(resolve_checkpoint(small_checkpoint), ReadingOptions())


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_parts, "ROW_GROUP", ROWS)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], cifs: list[str]) -> list[str]:
    """A table of 9 rows in two row groups, two shards whose columns differ, and a folder of 5 files."""
    directory = tmp_path_factory.mktemp("inputs")
    few = [record for record in records if record["nsites"] <= 8][:15]
    large = pa.table({"id": [f"x{row}" for row in range(9)], "cif": [record["cif"] for record in few[:9]]})
    pq.write_table(large, directory / "large.parquet", row_group_size=5)
    for number, values in enumerate(([1, 2], [0.5, 1.5])):
        rows = few[9 + 2 * number :][:2]
        table = pa.table({"id": ["x0", f"y{number}"], "cif": [row["cif"] for row in rows], "own": values})
        pq.write_table(table, directory / f"shard-{number}.parquet")
    (directory / "folder").mkdir()
    for place, cif in enumerate(cifs[:5]):
        (directory / "folder" / f"{place}.cif").write_text(cif)
    (directory / "folder" / "notes.txt").write_text("mine")
    return [str(directory / name) for name in ("large.parquet", "shard-0.parquet", "shard-1.parquet", "folder")]


def _content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_parts_are_cut_where_they_are_large(inputs: list[str], small_parts: None) -> None:
    parts, sources = cut_into_parts([*inputs, inputs[0]])
    assert [part.rows for part in parts] == [(0, 4), (4, 8), (8, 9), None, None, None, None]
    assert [len(part.files) for part in parts[3:]] == [1, 1, 4, 1]
    assert [source.name for source in sources] == [*inputs, inputs[0]]
    assert sources[-1].known == 1  # read before
    assert {part.key("a") for part in parts}.isdisjoint(part.key("b") for part in parts)


@pytest.mark.usefixtures("small_parts")
def test_an_index_in_parts_is_that_of_one_table(inputs: list[str], options: BuildOptions, tmp_path: Path) -> None:
    messages: list[str] = []
    built = build_index(inputs, tmp_path / "index", options, tell=messages.append)
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["index"] and not messages
    read = crystal_table(inputs)
    expected = CrystalIndex.build(ClacEmbedder.from_pretrained(options.checkpoint), read.table, crystals=read.crystals)
    index = CrystalIndex.load(tmp_path / "index")
    assert built.notes == read.notes and built.num_crystals == len(index) == 18
    assert index.table.equals(expected.table.drop_columns(["cif"]))
    assert "x0 (3)" in index.stored and index.table["own"].to_pylist()[8:13] == [None, 1, 2, 0.5, 1.5]
    np.testing.assert_allclose(index.embeds, expected.embeds, atol=1e-3)
    assert index.has_facts
    assert index.facts.table.combine_chunks().equals(expected.facts.table.combine_chunks())
    assert pq.read_table(tmp_path / "index" / "crystals.parquet")["cif"].to_pylist() == read.table["cif"].to_pylist()
    assert index.structure("y1").cell.shape == (3, 3)


@pytest.mark.usefixtures("small_parts")
def test_an_interrupted_build_goes_on(
    inputs: list[str], options: BuildOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(inputs, tmp_path / "whole", options)
    built: list[int] = []
    build_part: Callable[..., Any] = index_building.build_part

    def until(last: int) -> Callable[..., Any]:
        def build(part: Any, **arguments: Any) -> Any:
            if part.number == last:
                raise KeyboardInterrupt
            built.append(part.number)
            return build_part(part, **arguments)

        return build

    monkeypatch.setattr(index_building, "build_part", until(2))
    with pytest.raises(KeyboardInterrupt):
        build_index(inputs, tmp_path / "index", options)
    assert built == [0, 1] and not (tmp_path / "index").exists()
    # What a killed process left of a part.
    (tmp_path / ".index.parts" / "part-000002.new").mkdir()
    (tmp_path / ".index.parts" / "part-000001" / "report.json").write_text("{")
    monkeypatch.setattr(index_building, "build_part", until(-1))
    messages: list[str] = []
    build_index(inputs, tmp_path / "index", options, tell=messages.append)
    assert built[2:] == [1, 2, 3, 4, 5, 6]
    assert messages == ["1 of 7 parts were built before"]
    assert _content(tmp_path / "index") == _content(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "whole"]


@pytest.mark.usefixtures("small_parts")
def test_parts_of_other_inputs_are_built_again(
    inputs: list[str], options: BuildOptions, tmp_path: Path, records: list[dict[str, Any]]
) -> None:
    for name in ("a", "b"):
        pq.write_table(pa.table({"cif": [record["cif"] for record in records[:3]]}), tmp_path / f"{name}.parquet")
    bad = tmp_path / "bad.parquet"
    pq.write_table(pa.table({"cif": [records[0]["cif"]] * 3 + ["data_x"]}), bad)
    sources = [str(tmp_path / f"{name}.parquet") for name in ("a", "b", "bad")]
    messages: list[str] = []
    with pytest.raises(InvalidStructureError, match=r"bad\.parquet row 4: "):
        build_index(sources, tmp_path / "index", options, tell=messages.append)
    assert messages == [f"2 of 3 parts are kept in {tmp_path / '.index.parts'}; the same command goes on from there"]
    pq.write_table(pa.table({"cif": [records[1]["cif"]]}), bad)
    pq.write_table(pa.table({"cif": [records[2]["cif"]]}), tmp_path / "a.parquet")
    build_index(sources, tmp_path / "index", options, tell=messages.append)
    assert messages[1:] == ["1 of 3 parts were built before"]
    ids = ["a-1", "b-1", "b-2", "b-3", "bad-1"]
    assert CrystalIndex.load(tmp_path / "index").table["material_id"].to_pylist() == ids
    # Other options are another index.
    other = BuildOptions(options.checkpoint, ReadingOptions(strict=True), "skip")
    build_index(sources, tmp_path / "index", other, tell=messages.append)
    assert len(messages) == 2


@pytest.mark.usefixtures("small_parts")
def test_errors_leave_nothing_behind(options: BuildOptions, tmp_path: Path, records: list[dict[str, Any]]) -> None:
    pq.write_table(pa.table({"cif": ["data_x"] * 5}), tmp_path / "bad.parquet")
    before = sorted(path.name for path in tmp_path.iterdir())
    for sources, on_error, message in (
        ([str(tmp_path / "bad.parquet")], "raise", "row 1: "),
        ([str(tmp_path / "none.parquet")], "raise", r"none\.parquet"),
        ([str(tmp_path / "*.cif")], "skip", "no file matches"),
    ):
        with pytest.raises(ClacInputError, match=message):
            build_index(sources, tmp_path / "index", BuildOptions(options.checkpoint, options.reading, on_error))
        assert sorted(path.name for path in tmp_path.iterdir()) == before
    for number, value in enumerate((1.0, "x")):
        table = pa.table({"cif": [records[0]["cif"]] * 3, "own": [value] * 3})
        pq.write_table(table, tmp_path / f"{number}.parquet")
    with pytest.raises(ClacInputError, match="incompatible types"):
        build_index([str(tmp_path / f"{number}.parquet") for number in range(2)], tmp_path / "index", options)


@pytest.mark.usefixtures("small_parts")
def test_skipped_structures_are_reported(options: BuildOptions, tmp_path: Path, records: list[dict[str, Any]]) -> None:
    cifs = [records[0]["cif"], "data_x", *["data_y"] * ROWS, records[1]["cif"]]
    pq.write_table(pa.table({"cif": cifs}), tmp_path / "x.parquet")
    skipping = BuildOptions(options.checkpoint, options.reading, "skip")
    built = build_index([str(tmp_path / "x.parquet")], tmp_path / "index", skipping)
    assert [entry.reason.split(": ")[0][-5:] for entry in built.skipped] == [f"row {row}" for row in range(2, 7)]
    assert CrystalIndex.load(tmp_path / "index").table["material_id"].to_pylist() == ["x-1", "x-7"]
    with pytest.raises(ClacInputError, match="no usable structure, 2 skipped"):
        pq.write_table(pa.table({"cif": ["data_x"] * 2}), tmp_path / "y.parquet")
        build_index([str(tmp_path / "y.parquet")], tmp_path / "none", skipping)


@pytest.mark.usefixtures("small_parts")
def test_ray_builds_the_same_bytes(inputs: list[str], options: BuildOptions, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    build_index(inputs, tmp_path / "local", options)
    ray.init(num_cpus=2, log_to_driver=False, ignore_reinit_error=True)
    try:
        build_index(inputs, tmp_path / "ray", options, executor="ray", workers=2)
        assert _content(tmp_path / "ray") == _content(tmp_path / "local")
        described = json.loads((tmp_path / "ray" / "index.json").read_text())
        assert described["num_crystals"] == 18
        (tmp_path / "bad.cif").write_text("data_x")
        with pytest.raises(InvalidStructureError, match=r"bad\.cif"):
            build_index([str(tmp_path / "bad.cif")], tmp_path / "bad", options, executor="ray")
    finally:
        ray.shutdown()
