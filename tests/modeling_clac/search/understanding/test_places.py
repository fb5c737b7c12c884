"""Queries are read exactly: the places of what was read, the JSON of the reading, the numbers, and the words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from modeling_clac.concepts.concept_files import read_concepts
from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import Query

HERE = Path(__file__).parent
VOCABULARY = Vocabulary(read_concepts(HERE / "vocabulary.yaml"))
CASES: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "places.yaml").read_text(encoding="utf-8"))


def pieces(query: Query) -> list[str]:
    """The parts of a text from which its constraints were read."""
    return [
        " + ".join(query.text[literal.start : literal.end] for literal in constraint.literals)
        for constraint in query.constraints
    ]


@pytest.mark.parametrize("text", CASES)
def test_what_is_read_from_where(text: str) -> None:
    query, expected = understand(text, VOCABULARY), CASES[text]
    assert (query.render() + (f" | {' '.join(query.rest)}" if query.rest else "")).strip() == expected["reading"]
    assert pieces(query) == expected.get("from", [])
    assert list(query.notes) == expected.get("notes", [])
    assert list(query.contradictions) == expected.get("contradictions", [])
