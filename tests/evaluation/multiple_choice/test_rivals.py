"""Narratives for rivals, from data sets with a card, and from files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from evaluation.multiple_choice.rivals import narratives_of
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.narrator.narratives import narrate
from tests.conftest import CRYSTALS
from tests.helpers.questions import rock_salt_question


def test_narratives_of_the_bundled_crystals(records) -> None:
    own = records[3]
    question = replace(rock_salt_question(), material_id=own["material_id"])
    found = narratives_of([question], CRYSTALS, 0)  # a directory with a card
    assert found == {own["material_id"]: narrate(own, seed=(0, own["material_id"]))}
    assert found == narratives_of([question], CRYSTALS / "validation.parquet", 0)


def test_missing_crystals_and_files_are_one_line(tmp_path: Path) -> None:
    pq.write_table(pq.read_table(CRYSTALS / "validation.parquet").slice(0, 2), tmp_path / "two.parquet")
    with pytest.raises(ClacInputError, match=r"no crystal a \(of 1 in the questions\)"):
        narratives_of([rock_salt_question()], tmp_path, 0)
    with pytest.raises(ClacInputError, match="not readable as parquet"):
        narratives_of([rock_salt_question()], tmp_path / "nothing.parquet", 0)
