"""Test that cards agree with the data files; the bundled card is compared with its files."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from datasets_scripts.common.cards import make_card
from datasets_scripts.common.shards import read_reports
from datasets_scripts.narratives import NarrativeArguments, build, card_text
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import CRYSTALS


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, NarrativeArguments]:
    arguments = NarrativeArguments(str(tmp_path / "set"), input=str(CRYSTALS / "validation.parquet"), limit=40)
    build(arguments)
    return tmp_path / "set", arguments


def test_card_is_reproducible(built) -> None:
    directory, arguments = built
    written = (directory / "README.md").read_text(encoding="utf-8")
    assert make_card(directory, card_text(arguments), read_reports(directory, 1)) == written


def test_card_reflects_the_files(built) -> None:
    directory, arguments = built
    file = next(directory.glob("validation*.parquet"))
    table = pq.read_table(file)
    pq.write_table(table.slice(0, 7), file)
    assert "| `validation` | 7 |" in make_card(directory, card_text(arguments))
    pq.write_table(table.append_column("mystery", pa.array([1] * len(table))), file)
    with pytest.raises(ClacInputError, match="no description of the columns mystery"):
        make_card(directory, card_text(arguments))


def test_bundled_card_has_correct_counts() -> None:
    text = (CRYSTALS / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("---")[1])
    splits = {entry["split"]: entry["path"] for entry in head["configs"][0]["data_files"]}
    tables = {split: pq.ParquetFile(CRYSTALS / path) for split, path in splits.items()}
    for split, table in tables.items():
        assert re.search(rf"`?{split}`?[^\n]*\b{table.metadata.num_rows:,}\b", text), split
    for name in next(iter(tables.values())).schema_arrow.names:
        assert f"`{name}`" in text, name
