"""Compositions as columns: equal to those that are read formula by formula."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_clac.concepts.patterns import read_pattern
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.data.facts.compositions import Compositions, amounts_of
from modeling_clac.data.facts.fact_table import FactTable

ODD = [
    None, "", "X", "CH3OH", "Ca(OH", "CaOH)2", "Ca((OH)2)3", "A(B)", "()2", "1Na", "na", "Na.5", "Si1.", "O0", "D2O",
    "Fe1.2.3", "(Ba,Sr)TiO3", "H1234567890123456789", ".5Na", "Qq3", "Ti O2", "Na₂O", "Fe(CN)6.5", "(NH4)2SO4",
]  # fmt: skip
SYMBOLS = ["H", "C", "O", "Fe", "F", "Cl", "Og", "Na"]
AMOUNTS = st.sampled_from(["", "2", "12", "0.5", "6.75", "1.0", "0", "007"])
TERMS = st.tuples(st.sampled_from(SYMBOLS), AMOUNTS).map("".join)
GROUPS = st.tuples(st.lists(TERMS, min_size=1, max_size=3).map("".join), AMOUNTS).map(lambda g: f"({g[0]}){g[1]}")
FORMULAS = st.lists(TERMS | GROUPS, max_size=5).map("".join)


def _one_by_one(formulas: list[str | None]) -> np.ndarray:
    """Reduced amounts `(n, 119)`, literally."""
    amounts = np.zeros((len(formulas), 119), dtype=np.float32)
    for row, formula in enumerate(formulas):
        for number, amount in amounts_of(formula) if formula else ():
            amounts[row, number] += amount  # in float32, so that sums of the same element may differ in the last digit
        present = amounts[row][amounts[row] > 0]
        whole = np.rint(present).astype(np.int64)
        if len(present) and (np.abs(present - whole) <= 1e-3).all():
            amounts[row] /= max(np.gcd.reduce(whole), 1)
    return amounts


def _read(formulas: list[str | None]) -> Compositions:
    return Compositions.from_formulas(pa.array(formulas, pa.string()))


@pytest.mark.parametrize("split", [0, 3])
def test_formulas_are_read_as_one_by_one(split: int) -> None:
    formulas = [*bundled_crystals(with_cif=False)["formula"].to_pylist(), *ODD]
    chunks = pa.chunked_array([pa.array(part, pa.string()) for part in (formulas[:split], formulas[split:])])
    found = Compositions.from_formulas(chunks)
    np.testing.assert_array_equal(found.dense(range(len(formulas))), _one_by_one(formulas))


@settings(deadline=None)
@given(st.lists(FORMULAS | st.none() | st.text("HOFe(.)12", max_size=8), max_size=8))
def test_any_formulas_are_read_as_one_by_one(formulas: list[str | None]) -> None:
    expected = _one_by_one(formulas)
    found = _read(formulas)
    np.testing.assert_allclose(found.dense(range(len(formulas))), expected, rtol=1e-6)
    np.testing.assert_array_equal(found.known, (expected > 0).any(axis=1))


def test_sums_and_counts_are_those_of_the_matrix() -> None:
    table = FactTable.bundled().take(np.arange(0, 6000, 7))
    found, amounts = table.compositions, table.amounts
    shares = amounts / amounts.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(table.fractions, shares, atol=1e-6)
    numbers, weights = [3, 8, 26, 17], np.random.default_rng(0).normal(size=119)
    np.testing.assert_array_equal(found.has_any(numbers), (amounts[:, numbers] > 0).any(axis=1))
    np.testing.assert_array_equal(found.count(numbers), (amounts[:, numbers] > 0).sum(axis=1))
    np.testing.assert_allclose(found.largest_share(numbers), shares[:, numbers].max(axis=1), atol=1e-6)
    np.testing.assert_allclose(found.total(weights), shares @ weights, atol=1e-5)
    np.testing.assert_allclose(found.total(weights, "amounts"), amounts @ weights, atol=1e-4)
    only = ((amounts > 0) == np.isin(np.arange(119), [8, 26])).all(axis=1)
    np.testing.assert_array_equal(found.rows_with([26, 8]), np.flatnonzero(only))
    pattern = read_pattern("ABO3")
    assert pattern is not None
    np.testing.assert_array_equal(table.matches(pattern), pattern.matches(amounts))
    assert table.matches(pattern).any()


def test_no_crystals() -> None:
    assert len(_read([])) == 0 and _read([None]).dense([0]).sum() == 0
    assert Compositions.from_formulas(pa.chunked_array([], pa.string())).known.shape == (0,)
