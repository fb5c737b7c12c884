"""Searches with one part left out, and the report."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.reports.search_ablation import search_ablation_markdown, write_search_ablation
from evaluation.search_ablation import (
    TERMS,
    WHOLE,
    SearchAblationArguments,
    ablate,
    ablated_rankers,
    run,
    without_negation,
    without_terms,
)
from evaluation.texts.query_sets import LabelledText
from modeling_clac.concepts.concept_files import KINDS
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.search.understanding.parser import understand


def test_each_kind_of_term_is_left_out_in_one_row() -> None:
    kinds = [kind for group in TERMS.values() for kind in group]
    assert len(kinds) == len(set(kinds)) and set(KINDS) <= set(kinds)


@pytest.mark.parametrize(
    "left_out, reading",
    [
        ("elements and formulas", "spinel · cubic · band gap > 2 eV · lowest density"),
        ("structure types", "cubic · Mg · no Pb · band gap > 2 eV · lowest density"),
        ("symmetry", "spinel · Mg · no Pb · band gap > 2 eV · lowest density"),
        ("numbers and bands", "spinel · cubic · Mg · no Pb"),
    ],
)
def test_constraints_of_a_kind_are_not_read(left_out, reading) -> None:
    query = understand("cubic spinel with Mg, lead-free, gap > 2 eV, lowest density", load_vocabulary())
    assert set(without_terms(TERMS[left_out])(query).labels) == set(reading.split(" · "))
    assert "no Pb" not in without_negation(query).labels and len(without_negation(query).labels) == 5


@pytest.fixture
def table() -> FactTable:
    return FactTable.from_records(
        [
            {"formula": "MgO", "space_group_number": 225, "structure_types": ["rock-salt"]},
            {"formula": "PbO", "space_group_number": 129, "structure_types": []},
            {"formula": "NaCl", "space_group_number": 225, "structure_types": ["rock-salt"]},
        ]
    )


def test_what_is_left_out_costs_the_queries_that_need_it(table, tmp_path) -> None:
    def cosines(texts) -> np.ndarray:
        return np.tile([0.0, 1.0, 0.5], (len(texts), 1))

    rankers = ablated_rankers(cosines, table, load_vocabulary())
    texts = [
        LabelledText("oxide without lead", "elements", np.array([1.0, 0.0, 0.0], dtype=np.float32)),
        LabelledText("Pb", "elements", np.array([0.0, 1.0, 0.0], dtype=np.float32)),
    ]
    first = {name: int(np.argmax(rank([texts[0].text])[0])) for name, rank in rankers.items()}
    assert first[WHOLE] == 0
    assert first["understanding: embeddings alone"] == first["negation"] == 1
    rows = ablate(rankers, texts)
    assert rows[0]["without"] == WHOLE and rows[0]["difference"] == 0.0
    assert all(row["share"] == pytest.approx(rows[0]["share"] + row["difference"]) for row in rows)
    result = {
        "rows": rows,
        "before": None,
        "queries": 2,
        "pool": 3,
        "split": "validation",
        "model": "clac-mini",
        "fingerprint": "0" * 12,
        "seed": 0,
        "commit": None,
        "command": "python -m evaluation.search_ablation",
    }
    assert "| whole search |" in search_ablation_markdown(result)
    written = write_search_ablation(result, tmp_path / "result.json")
    assert {path.name for path in written} == {
        "result.json", "table.md", "search-ablation.png", "search-ablation.svg",
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments, message",
    [({"split": "train"}, "--split train: choose from"), ({"output": "x.txt"}, "ending in .json")],
)
def test_wrong_arguments_are_errors(arguments, message) -> None:
    with pytest.raises(ClacInputError, match=message):
        run(SearchAblationArguments(**arguments))
