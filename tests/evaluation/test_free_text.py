"""Precision of search phrases: conditions, scores, committed files, and invalid input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.free_text import Phrase, evaluate_phrases, read_crystals, read_phrases
from modeling_clac.errors_clac import ClacInputError
from tests.conftest import CRYSTALS, ROOT

FILES = [ROOT / "evaluation" / "queries" / f"{name}.yaml" for name in ("development", "frozen")]


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return read_crystals(CRYSTALS, "validation")


class Oracle:
    """Embeds each phrase and its correct answers on an axis of their own; with `sign=-1` all answers are wrong."""

    def __init__(self, phrases: list[Phrase], records: list[dict[str, Any]], sign: float = 1.0):
        self.rows = [[float(p.is_decided(r) and p.is_right(r)) * sign for p in phrases] for r in records]

    def encode_crystals(self, cifs: list[str], names: list[str]) -> np.ndarray:
        return np.array(self.rows)

    def encode_text(self, texts: list[str]) -> np.ndarray:
        return np.eye(len(texts))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_committed_phrases_have_answers(file: Path, records) -> None:
    phrases = read_phrases(file)
    assert len({phrase.text for phrase in phrases}) == len(phrases)
    assert len(phrases) >= {"development": 60, "frozen": 30}[file.stem]
    perfect = evaluate_phrases(Oracle(phrases, records), records, phrases)
    assert perfect["share_of_possible"] == 1.0
    assert sum(entry["right"] == 0 for entry in perfect["phrases"]) <= len(phrases) // 10
    assert evaluate_phrases(Oracle(phrases, records, -1.0), records, phrases)["share_of_possible"] < 0.2


def test_development_and_frozen_phrases_are_disjoint() -> None:
    development, frozen = ({phrase.text for phrase in read_phrases(file)} for file in FILES)
    assert not development & frozen


def test_conditions() -> None:
    record = {
        "elements": ["O", "Sr", "Ti"],
        "formula": "SrTiO3",
        "crystal_system": "cubic",
        "space_group_number": 221,
        "band_gap": 3.2,
        "density": None,
        "structure_types": ["cubic-perovskite", "perovskite"],
    }
    right = Phrase(
        "x",
        elements=["O"],
        any=["Sr", "Ba"],
        nonmetals=["O"],
        num_elements=[3, 3],
        crystal_system="cubic",
        structure_types=["perovskite", "spinel"],
        ranges={"band_gap": [3, None]},
    )
    assert right.is_decided(record) and right.is_right(record)
    for wrong in (
        {"elements": ["N"]},
        {"any": ["N"]},
        {"nonmetals": []},
        {"num_elements": [2, 2]},
        {"crystal_system": "hexagonal"},
        {"polar": True},
        {"structure_types": ["spinel"]},
        {"ranges": {"band_gap": [None, 3]}},
    ):
        assert not Phrase("x", **wrong).is_right(record), wrong
    assert not Phrase("x", ranges={"density": [None, 3]}).is_decided(record)
    assert not Phrase("x", structure_types=["spinel"]).is_decided({**record, "structure_types": None})


def test_crystals_with_unknown_properties_are_not_searched(records) -> None:
    phrase = Phrase("wide gap", ranges={"band_gap": [3.0, None]})
    result = evaluate_phrases(Oracle([phrase], records), records, [phrase])
    assert result["phrases"][0]["searched"] == sum(record["band_gap"] is not None for record in records)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[", "not YAML"),
        ("text: a", "expected a list of phrases"),
        ("- {elements: [O]}", "entry 1: missing `text`"),
        ("- {text: a}\n- {text: b, element: [O]}", "entry 2: unknown key element"),
        (None, "cannot be read"),
    ],
)
def test_invalid_files_are_errors(tmp_path: Path, content: str | None, reason: str) -> None:
    file = tmp_path / "queries.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ClacInputError, match=reason):
        read_phrases(file)


def test_phrases_without_answers(records) -> None:
    with pytest.raises(ClacInputError, match="none of the phrases"):
        evaluate_phrases(Oracle([Phrase("x", elements=["Og"])], records), records, [Phrase("x", elements=["Og"])])
