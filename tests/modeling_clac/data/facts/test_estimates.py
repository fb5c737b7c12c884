"""Estimates of properties from composition and structure."""

from __future__ import annotations

import numpy as np
import pytest

from modeling_clac.data.facts.columns import ESTIMATED_PROPERTIES
from modeling_clac.data.facts.estimates import ESTIMATED, ESTIMATES, bundled_estimator, descriptors, kernel
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.data.properties import PROPERTIES

# As in the Materials Project: cells, densities and space groups of well-known compounds.
DIAMOND = {"formula": "C", "nsites": 2, "volume": 11.4, "density": 3.5, "space_group_number": 227}
MAGNESIA = {"formula": "MgO", "nsites": 2, "volume": 19.0, "density": 3.52, "space_group_number": 225}
SODIUM = {"formula": "Na", "nsites": 2, "volume": 75.6, "density": 1.01, "space_group_number": 229}
GALENA = {"formula": "PbS", "nsites": 2, "volume": 54.4, "density": 7.3, "space_group_number": 225}


@pytest.fixture(scope="module")
def table() -> FactTable:
    return FactTable.bundled()


def test_every_estimated_property_is_a_property() -> None:
    assert list(ESTIMATED) == list(ESTIMATED_PROPERTIES) == bundled_estimator().properties
    assert set(ESTIMATED) <= set(PROPERTIES)
    assert ESTIMATES.stat().st_size < 3_000_000


def test_known_compounds_come_in_the_right_order() -> None:
    found = bundled_estimator().estimate(FactTable.from_records([DIAMOND, MAGNESIA, SODIUM, GALENA]))
    bulk = found["bulk_modulus_vrh"][0]
    assert bulk[0] > bulk[1] > bulk[3] > bulk[2] and bulk[0] > 250 and bulk[2] < 30
    gap = found["band_gap"][0]
    assert gap[1] > 3 and gap[3] < 2 and gap[2] < 1
    index = found["refractive_index"][0]
    assert 1.5 < index[1] < 2.2 < index[3] and np.isnan(index[2])  # a metal has none
    for value, error in found.values():
        assert (error[~np.isnan(value)] >= 0).all()


def test_a_centre_of_symmetry_leaves_no_piezoelectric_effect() -> None:
    value, error = bundled_estimator().estimate(
        FactTable.from_records([MAGNESIA, {**MAGNESIA, "space_group_number": 186}])
    )["piezoelectric_modulus"]
    assert value[0] == error[0] == 0.0 and value[1] > 0.0


def test_without_composition_or_volume_there_is_no_estimate() -> None:
    records = [{**MAGNESIA, "formula": None}, {**MAGNESIA, "volume": None}, {"formula": "MgO"}]
    for record in records:
        for value, error in bundled_estimator().estimate(FactTable.from_records([record])).values():
            assert np.isnan(value).all() and np.isnan(error).all()


def test_an_estimate_depends_only_on_its_own_crystal(table) -> None:
    rows = np.random.default_rng(0).permutation(len(table))[:1500]
    together, alone = bundled_estimator().estimate(table.take(rows)), bundled_estimator().estimate(table.take(rows[:3]))
    for name, (value, error) in alone.items():
        np.testing.assert_allclose(together[name][0][:3], value, rtol=1e-4)
        np.testing.assert_allclose(together[name][1][:3], error, rtol=1e-4)


def test_the_stored_facts_hold_the_estimates(table) -> None:
    rows = np.arange(0, len(table), 97)
    for name, (value, error) in bundled_estimator().estimate(table.take(rows)).items():
        # Stored with three significant digits.
        np.testing.assert_allclose(table.number(f"estimated_{name}")[rows], value, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(table.number(f"estimated_{name}_error")[rows], error, rtol=1e-3, atol=1e-5)


def test_known_values_stay_apart_from_estimates(table) -> None:
    known = ~np.isnan(table.number("bulk_modulus_vrh"))
    estimated = ~np.isnan(table.number("estimated_bulk_modulus_vrh"))
    assert known.sum() < 1500 < 6000 < estimated.sum()


def test_the_kernel_by_hand() -> None:
    left, right = np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[1.0, 0.0]])
    np.testing.assert_allclose(kernel(left, right, 0.5), np.exp([[-0.5], [-2.0]]))


def test_descriptors_of_a_compound_by_hand() -> None:
    elements = np.zeros((119, 2))
    elements[12], elements[8] = (14.0, 1.5), (11.5, 0.6)
    (found,) = descriptors(FactTable.from_records([MAGNESIA]), elements)
    fractions, rest = found[:96], found[96:]
    assert fractions[11] == fractions[7] == 0.5 and fractions.sum() == 1.0
    np.testing.assert_allclose(rest[:8], [12.75, 1.05, 1.25, 0.45, 11.5, 0.6, 14.0, 1.5])
    np.testing.assert_allclose(rest[8:11], np.log([9.5, 3.52, 9.5 / 12.75]))
