"""The random split: sizes, rows, card, and invalid input."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_scripts.random_split import RandomSplitArguments, build
from modeling_clac.data.bundled import SPLITS
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import CRYSTALS


def read(directory: Path) -> dict[str, list[dict]]:
    return {split: pq.read_table(directory / f"{split}.parquet").to_pylist() for split in SPLITS}


def test_rows_are_kept_and_splits_drawn_at_random(tmp_path: Path) -> None:
    for folder, seed in (("one", 0), ("again", 0), ("other", 1)):
        build(RandomSplitArguments(str(tmp_path / folder), seed=seed))
    given, drawn = read(CRYSTALS), read(tmp_path / "one")
    assert {split: len(rows) for split, rows in drawn.items()} == {split: len(rows) for split, rows in given.items()}
    assert all(row["split"] == split for split, rows in drawn.items() for row in rows)

    def crystals(data: dict[str, list[dict]]) -> dict[str, str]:
        return {row["material_id"]: row["cif"] for rows in data.values() for row in rows}

    assert crystals(drawn) == crystals(given)
    assert drawn == read(tmp_path / "again")
    assert drawn["test"] != read(tmp_path / "other")["test"]
    known = {row["formula"] for row in drawn["train"]}
    shared = sum(row["formula"] in known for row in drawn["test"])
    assert shared > 50  # the bundled crystals have many polymorphs
    assert f"those of {shared} of the 1,024 test crystals" in (tmp_path / "one" / "README.md").read_text()


def test_invalid_input_leaves_nothing(tmp_path: Path) -> None:
    pq.write_table(pa.table({"material_id": ["a"], "formula": ["NaCl"], "cif": ["x"]}), tmp_path / "one.parquet")
    with pytest.raises(ClacInputError, match=r"no rows of the split \w+; give more crystals"):
        build(RandomSplitArguments(str(tmp_path / "new"), input=str(tmp_path / "one.parquet")))
    pq.write_table(pa.table({"material_id": ["a"], "formula": ["NaCl"]}), tmp_path / "two.parquet")
    with pytest.raises(ClacInputError, match="missing columns cif"):
        build(RandomSplitArguments(str(tmp_path / "new"), input=str(tmp_path / "two.parquet")))
    assert not (tmp_path / "new").exists()
