"""Structure descriptions: resumed runs, shards, samples, and crystals that cannot be described."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datasets_scripts.descriptions import DescriptionArguments, build, chosen_rows
from evaluation.retrieval import sample_pool
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import CRYSTALS
from tests.helpers.robocrys import install_robocrys


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Twelve crystals, half of them in each of two splits."""
    directory = tmp_path / "crystals"
    directory.mkdir()
    for split in ("test", "validation"):
        pq.write_table(pq.read_table(CRYSTALS / f"{split}.parquet").slice(0, 6), directory / f"{split}.parquet")
    return directory


def read(directory: Path, split: str) -> list[dict]:
    return [row for file in sorted(directory.glob(f"{split}-*.parquet")) for row in pq.read_table(file).to_pylist()]


def test_each_crystal_is_described_once(few, tmp_path, monkeypatch) -> None:
    calls = install_robocrys(tmp_path, monkeypatch)
    arguments = DescriptionArguments(str(tmp_path / "set"), input=str(few))
    build(arguments)
    rows = read(tmp_path / "set", "test")
    source = pq.read_table(few / "test.parquet").to_pylist()
    assert [row["material_id"] for row in rows] == [row["material_id"] for row in source]
    assert (
        rows[0]["description"] == f"{rows[0]['formula']} crystallizes with {rows[0]['nsites']} sites. Li(1) is bonded."
    )
    assert {row["writer"] for row in rows} == {"robocrys 9.9"} and rows[0]["cif"] == source[0]["cif"]
    assert "Robocrystallographer 9.9" in (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    assert len(calls.read_text().splitlines()) == 12
    # A crash cut off the last line of the journal; only this crystal is described again.
    journal = tmp_path / "set" / "journal-00000-of-00001.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    build(arguments)
    assert len(calls.read_text().splitlines()) == 13 and read(tmp_path / "set", "test") == rows


def test_shards_hold_the_same_rows(few, tmp_path, monkeypatch) -> None:
    install_robocrys(tmp_path, monkeypatch)
    build(DescriptionArguments(str(tmp_path / "whole"), input=str(few)))
    for shard in range(3):
        build(DescriptionArguments(str(tmp_path / "parts"), input=str(few), shard=shard, num_shards=3))
    for split in ("test", "validation"):
        assert read(tmp_path / "parts", split) == read(tmp_path / "whole", split)
    assert (tmp_path / "parts" / "README.md").is_file()


def test_samples_are_those_of_a_pool(few, tmp_path, monkeypatch) -> None:
    install_robocrys(tmp_path, monkeypatch)
    output = tmp_path / "set"
    build(DescriptionArguments(str(output), input=str(few), splits=["test"], sample=4, texts_only=True))
    rows = read(output, "test")
    expected = sample_pool(pq.read_table(few / "test.parquet").to_pylist(), 4, 0)
    assert [row["material_id"] for row in rows] == [row["material_id"] for row in expected]
    assert list(rows[0]) == ["material_id", "formula", "description", "writer", "split"]
    assert not read(output, "validation")


def test_crystals_that_fail_or_take_too_long_are_left_out(few, tmp_path, monkeypatch, capsys) -> None:
    formulas = pq.read_table(few / "test.parquet")["formula"].to_pylist()
    first, second = [formula for formula in formulas if formulas.count(formula) == 1][:2]
    calls = install_robocrys(tmp_path, monkeypatch, failing=(first,), slow=(second,))
    arguments = {"input": str(few), "splits": ["test"], "time_limit": 0.5}
    build(DescriptionArguments(str(tmp_path / "set"), **arguments))
    assert len(read(tmp_path / "set", "test")) == 4
    shown = capsys.readouterr().out
    assert "KeyError" in shown and "more than 0.5 s" in shown and "left out: 2" in shown
    entries = [
        json.loads(line) for line in (tmp_path / "set" / "journal-00000-of-00001.jsonl").read_text().splitlines()
    ]
    assert sum("problem" in entry for entry in entries) == 2
    # They are tried again only with more time.
    build(DescriptionArguments(str(tmp_path / "set"), **arguments))
    assert len(calls.read_text().splitlines()) == 4
    with pytest.raises(ClacInputError, match=r"row \d: not described .KeyError.*; remove the row or use"):
        build(DescriptionArguments(str(tmp_path / "set"), **arguments, on_error="raise"))


def test_invalid_arguments(few, tmp_path, monkeypatch) -> None:
    with pytest.raises(ClacInputError, match=r"--splits dev: not in .*found test, validation"):
        build(DescriptionArguments(str(tmp_path / "set"), input=str(few), splits=["dev"]))
    with pytest.raises(ClacInputError, match="--time_limit"):
        DescriptionArguments(str(tmp_path / "set"), time_limit=0)
    monkeypatch.setitem(__import__("sys").modules, "robocrys", None)
    with pytest.raises(ClacInputError, match=r"pip install 'clac-crystals\[describe\]'"):
        build(DescriptionArguments(str(tmp_path / "set"), input=str(few)))
    assert not list((tmp_path / "set").glob("*.parquet"))


def test_chosen_rows_of_an_input_without_splits(tmp_path) -> None:
    from datasets_scripts.common.records import Records

    table = pq.read_table(CRYSTALS / "test.parquet").slice(0, 50).drop_columns(["split"])
    pq.write_table(table, tmp_path / "crystals.parquet")
    records = Records(tmp_path / "crystals.parquet")
    arguments = DescriptionArguments("x", input=str(tmp_path))
    assert chosen_rows(records, arguments) == list(range(50))
