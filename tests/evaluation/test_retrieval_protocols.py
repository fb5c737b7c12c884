"""Retrieval protocols: sources of texts, pools, both splits, result files, and invalid input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_scripts.common.pool_texts import QUERIES
from evaluation.metrics.pools import DIRECTIONS, score_pool
from evaluation.retrieval_protocols import ProtocolArguments, evaluate_protocols, run
from evaluation.texts.query_sources import (
    SOURCES,
    QuerySource,
    description_sources,
    paragraph_sources,
    read_paragraphs,
)
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import CRYSTALS

SCHEMA = pa.schema(
    [
        ("material_id", pa.string()),
        ("text", pa.string()),
        ("matched_start", pa.int32()),
        ("matched_end", pa.int32()),
    ]
)


def write_paragraphs(directory: Path, rows: list[tuple[str, str, int, int]], split: str = "test") -> Path:
    directory.mkdir(exist_ok=True)
    table = pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA)
    pq.write_table(table, directory / f"{split}.parquet")
    return directory


class AxisEmbedder:
    """Embeds crystals as axes, and a text as the axis that its last word numbers."""

    def encode_crystals(self, structures: list[str], **kwargs: Any) -> Any:
        return np.eye(len(structures), dtype=np.float32)

    def encode_text(self, texts: list[str], **kwargs: Any) -> np.ndarray:
        return np.eye(6, dtype=np.float32)[[int(text.split()[-1]) for text in texts]]


def test_smaller_pools_keep_their_own_texts() -> None:
    source = QuerySource("paragraph", ["a 0", "b 3", "c 3", "d 5"], np.array([0, 3, 3, 4]))
    smaller = source.within(np.array([3, 4, 5]))
    assert smaller.texts == ["b 3", "c 3", "d 5"]
    assert smaller.targets.tolist() == [0, 0, 1]
    records = [{"material_id": f"mp-{row}", "cif": ""} for row in range(6)]
    found = evaluate_protocols(AxisEmbedder(), records, [source], [np.arange(6), np.array([3, 4, 5])], bootstrap=10)
    assert [(row["pool"], row["queries"]) for row in found] == [(6, 4), (3, 3)]
    # The text d says 5, the right crystal is 4.
    assert found[0]["text_to_crystal"]["top_1"] == pytest.approx(3 / 4)
    # Two texts of one crystal tie, so neither comes first.
    assert found[0]["crystal_to_text"]["top_1"] == pytest.approx(1 / 4)
    assert found[0]["crystal_to_text"]["ceiling"]["top_1"] == pytest.approx(3 / 4)


def test_scores_of_queries_equal_those_of_each_query_alone() -> None:
    generator = np.random.default_rng(0)
    crystals, texts = generator.normal(size=(7, 5)), generator.normal(size=(4, 5))
    rows, targets = [0, 1, 1, 3, 2], [6, 2, 3, 3, 0]
    scores = score_pool(crystals, texts, rows, targets, bootstrap=5)
    hits = [(texts[row] @ crystals.T).argmax() == target for row, target in zip(rows, targets, strict=True)]
    assert scores["text_to_crystal"]["top_1"] == pytest.approx(np.mean(hits))
    hits = [(crystals[target] @ texts.T).argmax() == row for row, target in zip(rows, targets, strict=True)]
    assert scores["crystal_to_text"]["top_1"] == pytest.approx(np.mean(hits))


def test_parts_of_descriptions() -> None:
    records = [{"material_id": f"mp-{row}"} for row in range(3)]
    described = {"mp-2": "NaCl is cubic. Na(1) is bonded to six Cl(1) atoms.", "mp-0": "Be is cubic.", "other": "x"}
    whole, first, rest = description_sources(records, described)
    assert whole.texts == ["Be is cubic.", "NaCl is cubic. Na(1) is bonded to six Cl(1) atoms."]
    assert whole.targets.tolist() == [0, 2]
    assert first.texts == ["Be is cubic.", "NaCl is cubic."]
    assert (rest.texts, rest.targets.tolist()) == (["Na(1) is bonded to six Cl(1) atoms."], [2])
    assert description_sources(records, {}) == []


def test_paragraphs_and_their_masks(tmp_path: Path) -> None:
    text = "We grew TiO2 films; TiO2 is stable."
    write_paragraphs(tmp_path, [("mp-1", text, 8, 12), ("mp-1", "Rutile is red.", 0, 6), ("mp-9", "x y", 0, 1)])
    found = read_paragraphs(tmp_path, "test")
    assert found[0] == ("mp-1", text, "We grew the material films; the material is stable.")
    plain, masked = paragraph_sources([{"material_id": "mp-0"}, {"material_id": "mp-1"}], found)
    assert plain.targets.tolist() == masked.targets.tolist() == [1, 1]
    assert masked.texts[1] == "the material is red."
    assert paragraph_sources([{"material_id": "mp-5"}], found) == []


def test_invalid_paragraphs(tmp_path: Path) -> None:
    with pytest.raises(ClacInputError, match=r"no paragraphs of the split test \(found no Parquet files\)"):
        read_paragraphs(tmp_path / "nothing", "test")
    write_paragraphs(tmp_path / "a", [("mp-1", "x", 0, 1)], "train")
    with pytest.raises(ClacInputError, match=r"found the splits train"):
        read_paragraphs(tmp_path / "a", "test")
    write_paragraphs(tmp_path / "b", [("mp-1", "text", 2, 9)])
    with pytest.raises(ClacInputError, match="row 0: the matched words are not in the text"):
        read_paragraphs(tmp_path / "b", "test")
    pq.write_table(pa.table({"material_id": ["a"], "text": ["b"]}), tmp_path / "b" / "test.parquet")
    with pytest.raises(ClacInputError, match="no column matched_start, matched_end"):
        read_paragraphs(tmp_path / "b", "test")
    (tmp_path / "b" / "test.parquet").write_bytes(b"PAR1")
    with pytest.raises(ClacInputError, match="not readable as parquet"):
        read_paragraphs(tmp_path / "b", "test")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve test crystals and eight of the train split."""
    for split, number in (("test", 12), ("train", 8)):
        pq.write_table(pq.read_table(CRYSTALS / f"{split}.parquet").slice(0, number), tmp_path / f"{split}.parquet")
    return tmp_path


def test_one_table_of_both_splits(small_checkpoint: Path, data: Path, tmp_path: Path) -> None:
    records = pq.read_table(data / "test.parquet", columns=["material_id", "formula"]).to_pylist()
    names = [record["material_id"] for record in records]
    described = [f"{record['formula']} is cubic. It has sites." for record in records[:3]]
    pq.write_table(pa.table({"material_id": names[:3], "description": described}), tmp_path / "d.parquet")
    paragraphs = [(name, f"We grew {row} of it.", 8, 9) for row, name in enumerate(names[:6])]
    write_paragraphs(tmp_path / "papers", paragraphs)
    # A split at random has crystals whose formula is in the train split.
    (tmp_path / "random").mkdir()
    rows = pq.read_table(data / "test.parquet")
    ids = rows.column_names.index("material_id")
    twins = rows.slice(0, 4).set_column(ids, "material_id", pa.array(["a", "b", "c", "d"]))
    pq.write_table(twins, tmp_path / "random" / "train.parquet")
    pq.write_table(rows, tmp_path / "random" / "test.parquet")
    output = tmp_path / "out" / "result.json"
    result = run(
        ProtocolArguments(
            str(small_checkpoint),
            str(data),
            pools=[6, 1000],
            descriptions=str(tmp_path / "d.parquet"),
            paragraphs=str(tmp_path / "papers"),
            random_model=str(small_checkpoint),
            random_data=str(tmp_path / "random"),
            bootstrap=10,
            output=str(output),
        )
    )
    stored = json.loads(output.read_text(encoding="utf-8"))
    assert stored["splits"] == json.loads(json.dumps(result["splits"]))
    ours, random = stored["splits"]["by formula"], stored["splits"]["at random"]
    assert ours["known_formulas"] == 0
    assert random["known_formulas"] >= 4 / 12
    assert {(row["pool"], row["source"]) for row in ours["rows"]} == {(p, s) for p in (6, 12) for s in SOURCES}
    assert {row["source"] for row in random["rows"]} == {*QUERIES, "paragraph", "paragraph_masked"}
    small = {row["source"]: row for row in ours["rows"] if row["pool"] == 6}
    assert small["description"]["queries"] == 3  # the described crystals are in each pool
    assert all(0 <= row[way]["top_1"] <= row[way]["top_10"] <= 1 for row in ours["rows"] for way in DIRECTIONS)
    table = (output.parent / "table.md").read_text(encoding="utf-8")
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    assert len(lines) == 2 + len(ours["rows"]) + len(random["rows"])
    assert (output.parent / "protocols.png").read_bytes().startswith(b"\x89PNG")
    assert "top-1 accuracy" in (output.parent / "protocols.svg").read_text(encoding="utf-8")


def test_scores_of_the_largest_pool_are_those_of_the_retrieval_evaluation(
    small_checkpoint: Path, data: Path, records: list[dict[str, Any]]
) -> None:
    from evaluation.retrieval import RetrievalArguments
    from evaluation.retrieval import run as run_retrieval

    ours = run(ProtocolArguments(str(small_checkpoint), str(data), pools=[12], bootstrap=10))["splits"]["by formula"]
    other = run_retrieval(RetrievalArguments(str(small_checkpoint), pool=12, data=str(data), bootstrap=10))
    for row in ours["rows"]:
        for direction in DIRECTIONS:
            assert row[direction]["top_3"] == pytest.approx(other["scores"][row["source"]][direction]["top_3"])


def test_invalid_input(small_checkpoint: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ClacInputError, match="expected numbers of at least 2"):
        ProtocolArguments(pools=[1])
    with pytest.raises(ClacInputError, match="belong together"):
        ProtocolArguments(random_model="x")
    with pytest.raises(ClacInputError, match=r"ending in \.json"):
        ProtocolArguments(output="x.txt")
    # A crystal of the train split in the pool would be a leak.
    pq.write_table(pq.read_table(data / "test.parquet").slice(3, 1), data / "train.parquet")
    with pytest.raises(ClacInputError, match="is in the train split and in the split test"):
        run(ProtocolArguments(str(small_checkpoint), str(data), bootstrap=10, output=str(tmp_path / "x.json")))
    assert not (tmp_path / "x.json").exists()
