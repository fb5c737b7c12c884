"""Retrieval by structure descriptions: the pool, the parts of a description, and the committed descriptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_scripts.common.pool_texts import DESCRIPTIONS, read_descriptions, sentences_of_description
from evaluation.descriptions import (
    DescriptionsArguments,
    described_pool,
    evaluate_descriptions,
    run,
)
from evaluation.retrieval import sample_pool
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import CRYSTALS


class FirstWordEmbedder:
    """Embeds crystals as axes, and a text as that of the crystal that its first word names."""

    def __init__(self, names: list[str]):
        self.names = names

    def encode_crystals(self, structures: list[str], **kwargs: Any) -> Any:
        return np.eye(len(self.names), dtype=np.float32)[[self.names.index(name) for name in kwargs["names"]]]

    def encode_text(self, texts: list[str], **kwargs: Any) -> np.ndarray:
        named = [text.split()[0] if text.count(".") > 1 else self.names[0] for text in texts]
        return np.eye(len(self.names), dtype=np.float32)[[self.names.index(name) for name in named]]


def test_scores_of_both_parts() -> None:
    names = [f"mp-{number}" for number in range(8)]
    pool = [{"material_id": name, "cif": ""} for name in names]
    described = {name: f"{name} crystallizes in the cubic Fm-3m space group. Na(1) is bonded." for name in names[2:6]}
    result = evaluate_descriptions(FirstWordEmbedder(names), pool, described, bootstrap=20)
    assert (result["pool"], result["queries"]) == (8, 4)
    assert result["scores"]["whole description"]["top_1"] == 1.0
    assert result["scores"]["first sentence"]["top_1"] == 0.0
    assert result["scores"]["first sentence"]["example"] == "mp-2 crystallizes in the cubic Fm-3m space group."


def test_pool_contains_the_described_crystals() -> None:
    records = [{"material_id": f"mp-{number}"} for number in range(50)]
    described = dict.fromkeys(("mp-3", "mp-40"), "text")
    pool = described_pool(records, described, 20, 0)
    assert len(pool) == 20 and {"mp-3", "mp-40"} <= {record["material_id"] for record in pool}
    assert pool == described_pool(records, described, 20, 0) != described_pool(records, described, 20, 1)
    assert described_pool(records, described, 1024, 0) == records
    with pytest.raises(ClacInputError, match="--pool 1: must be at least 2"):
        described_pool(records, described, 1, 0)
    with pytest.raises(ClacInputError, match="mp-99 is described, but not in the split"):
        described_pool(records, {"mp-99": "text"}, 20, 0)


def test_sentences_of_a_description() -> None:
    text = "VSi2 is Titanium Disilicide-like structured and crystallizes in the hexagonal P6_222 space group. V(1) x."
    first, rest = sentences_of_description(text)
    assert first.endswith("P6_222 space group.")
    assert rest == "V(1) x."
    assert sentences_of_description("Be is one sentence.") == ("Be is one sentence.", "")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_committed_descriptions_are_a_sample_of_the_split(split) -> None:
    records = pq.read_table(CRYSTALS / f"{split}.parquet", columns=["material_id", "formula"]).to_pylist()
    table = pq.read_table(DESCRIPTIONS / f"{split}.parquet")
    assert table["material_id"].to_pylist() == [row["material_id"] for row in sample_pool(records, 200, 0)]
    assert len(read_descriptions(DESCRIPTIONS / f"{split}.parquet")) == 200


def test_invalid_files(tmp_path: Path) -> None:
    pq.write_table(pa.table({"material_id": ["mp-1"], "text": ["x"]}), tmp_path / "a.parquet")
    with pytest.raises(ClacInputError, match="no column description"):
        read_descriptions(tmp_path / "a.parquet")
    pq.write_table(pa.table({"material_id": ["mp-1"], "description": [" "]}), tmp_path / "b.parquet")
    with pytest.raises(ClacInputError, match="no description of mp-1"):
        read_descriptions(tmp_path / "b.parquet")
    with pytest.raises(ClacInputError, match=r"expected a file name ending in \.json"):
        run(DescriptionsArguments(output="x.csv"))


def test_result_file(small_checkpoint, tmp_path: Path) -> None:
    records = pq.read_table(CRYSTALS / "validation.parquet").slice(0, 12)
    pq.write_table(records, tmp_path / "validation.parquet")
    texts = [f"{formula} is cubic. It has sites." for formula in records["formula"].to_pylist()[:5]]
    names = records["material_id"].to_pylist()[:5]
    pq.write_table(pa.table({"material_id": names, "description": texts}), tmp_path / "d.parquet")
    result = run(
        DescriptionsArguments(
            model=str(small_checkpoint),
            data=str(tmp_path),
            descriptions=str(tmp_path / "d.parquet"),
            pool=10,
            bootstrap=20,
            output=str(tmp_path / "result.json"),
        )
    )
    stored = json.loads((tmp_path / "result.json").read_text())
    assert (
        stored["scores"] == json.loads(json.dumps(result["scores"])) and stored["pool"] == 10 and stored["queries"] == 5
    )
    assert {"fingerprint", "commit", "command", "seed", "versions"} <= set(stored)
