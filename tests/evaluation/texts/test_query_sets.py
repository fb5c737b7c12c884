"""Texts with right answers from facts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from datasets_scripts.common.pool_texts import held_out_texts
from evaluation.texts.query_sets import (
    CATEGORIES,
    REALISTIC,
    conjunctions,
    read_realistic_queries,
    realistic_texts,
)
from modeling_clac.concepts.vocabulary import Vocabulary, is_held_out
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from tests.helpers.concepts import small_vocabulary


@pytest.fixture(scope="module")
def table() -> FactTable:
    formulas = ["NaCl", "KCl", "LiCl", "NaF", "KF", "MgO", "CaO", "Al2O3", "SiO2", "Fe"]
    systems = ["cubic", "cubic", "cubic", "cubic", "hexagonal", "cubic", "cubic", "trigonal", "trigonal", "cubic"]
    groups = {"cubic": 225, "hexagonal": 194, "trigonal": 167}
    return FactTable.from_records(
        [
            {"formula": formula, "space_group_number": groups[system], "band_gap": 5.0 if "Cl" in formula else None}
            for formula, system in zip(formulas, systems, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return small_vocabulary(
        {"id": "chloride", "kind": "anion", "test": "element(Cl)"},
        {"id": "halide", "kind": "class", "test": "element(halogen)"},
        {"id": "cubic", "kind": "crystal-system", "test": "system(cubic)"},
        {"id": "insulating", "kind": "band", "test": "band_gap > 3"},
        {"id": "iron", "kind": "element", "test": "element(Fe)"},
    )


def test_the_committed_queries_are_balanced_and_readable(table, vocabulary) -> None:
    queries = read_realistic_queries()
    counts = Counter((query.category, query.half) for query in queries)
    for category in CATEGORIES:
        development, frozen = counts[category, "development"], counts[category, "frozen"]
        assert development >= 15 and frozen >= 15 and abs(development - frozen) <= 1
    halves = [realistic_texts(queries, table, vocabulary, half) for half in ("development", "frozen")]
    assert sum(map(len, halves)) == len(queries) >= 260
    assert all(len(own.truth) == len(table) for half in halves for own in half)


def test_the_half_of_a_query_does_not_depend_on_the_order(tmp_path: Path) -> None:
    lines = REALISTIC.read_text(encoding="utf-8").split("\n- query: ")
    entries = [line.split("\n\n#")[0] for line in lines[1:]]
    turned = tmp_path / "turned.yaml"
    turned.write_text("\n".join(f"- query: {entry}" for entry in reversed(entries)), encoding="utf-8")
    halves = {query.text: query.half for query in read_realistic_queries()}
    assert {query.text: query.half for query in read_realistic_queries(turned)} == halves


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{query: a, category: uses}", "expected the keys query, category and test"),
        ("{query: a, category: moods, test: element(O)}", "unknown category 'moods'"),
        ("{query: a, category: uses, test: elephant(O)}", "elephant"),
    ],
)
def test_a_broken_query_is_one_line(tmp_path: Path, entry: str, message: str) -> None:
    path = tmp_path / "queries.yaml"
    path.write_text(f"- {entry}\n", encoding="utf-8")
    with pytest.raises(ClacInputError, match=message):
        read_realistic_queries(path)
    path.write_text("- {query: a, category: uses, test: element(O)}\n" * 2, encoding="utf-8")
    with pytest.raises(ClacInputError, match="'a' occurs twice"):
        read_realistic_queries(path)


def test_held_out_wordings_of_concepts_with_enough_crystals(table, vocabulary) -> None:
    texts = held_out_texts(vocabulary, table, min_right=3)
    assert {own.group for own in texts} <= {"chloride", "halide", "cubic", "insulating"}
    assert texts and all(is_held_out(own.group, own.text) for own in texts)
    for own in texts:
        assert own.right >= 3
        np.testing.assert_array_equal(own.truth, vocabulary.holds(own.group, table))


def test_conjunctions_hold_together(table) -> None:
    vocabulary = small_vocabulary(
        {"id": "chloride", "kind": "anion", "test": "element(Cl)", "implies": ["halide"]},
        {"id": "halide", "kind": "class", "test": "element(halogen)"},
        {"id": "light", "kind": "band", "test": "element(Li, Na, F)"},
        {"id": "salt", "kind": "use", "test": "element(Na, K, Li)"},
    )
    drawn = list(conjunctions(vocabulary, table, number=3, seed=1, min_right=1))
    again = list(conjunctions(vocabulary, table, number=3, seed=1, min_right=1))
    assert [own.text for own in drawn] == [own.text for own in again]
    for own in drawn:
        wordings = own.text.split(", ")
        ids = [wording.split()[0] for wording in wordings]
        assert len(ids) == {"two": 2, "three": 3}[own.group] and not {"chloride", "halide"} <= set(ids)
        assert all(is_held_out(name, wording) for name, wording in zip(ids, wordings, strict=True))
        values = np.stack([vocabulary.holds(name, table) for name in ids])
        np.testing.assert_array_equal(own.truth == 1, (values == 1).all(axis=0))
    with pytest.raises(ClacInputError, match="give a smaller number"):
        list(conjunctions(vocabulary, table, number=50, min_right=1))
