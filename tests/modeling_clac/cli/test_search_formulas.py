"""`clac search` with formulas in several spellings, in the query and as a filter."""

from __future__ import annotations

import json

import pytest

from tests.helpers.cli import Run, assert_one_line


@pytest.mark.parametrize("formula", ["Al₂O₃", "Al$_2$O$_3$", "Al<sub>2</sub>O<sub>3</sub>", "Al2 O3", "al2o3", "O3Al2"])
def test_filter_in_any_spelling(clac: Run, formula: str):
    result = clac("search", "an oxide", "--formula", formula, "-k", "2", "--json")
    assert result.code == 0
    assert {hit["formula"] for hit in json.loads(result.out)["hits"]} == {"Al2O3"}


def test_a_filter_that_is_no_formula(clac: Run):
    result = clac("search", "an oxide", "--formula", "IONIC")
    assert result.code == 2
    assert_one_line(result, "'IONIC' is not a chemical formula")


@pytest.mark.parametrize(
    ("query", "formula"), [("HfO2-based film", "HfO2"), ("Ga₂O₃", "Ga2O3"), ("lifepo4", "LiFePO4")]
)
def test_query_in_any_spelling(clac: Run, query: str, formula: str):
    result = clac("search", query, "-k", "1", "--json")
    assert json.loads(result.out)["hits"][0]["formula"] == formula
