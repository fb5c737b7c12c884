"""Facts as arrays: agreement with the rows they come from, and unknown values."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from pymatgen.core import Composition, Element

from modeling_clac.concepts.element_prices import ELEMENT_PRICES
from modeling_clac.concepts.elements import GROUPS
from modeling_clac.concepts.symmetry import POLAR
from modeling_clac.data.bundled import bundled_crystals, bundled_facts
from modeling_clac.data.facts import fact_table
from modeling_clac.data.facts.columns import FACT_COLUMNS, FACTS_VERSION, VERSION_KEY
from modeling_clac.data.facts.derived import DERIVED
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError


@pytest.fixture(scope="module")
def table() -> FactTable:
    return FactTable.bundled()


def test_the_bundled_facts_are_those_of_the_bundled_crystals(table: FactTable) -> None:
    facts = bundled_facts()
    assert facts["material_id"].equals(bundled_crystals(with_cif=False)["material_id"])
    assert facts.schema.metadata[VERSION_KEY] == str(FACTS_VERSION).encode()
    assert {name: facts.schema.field(name).type for name in FACT_COLUMNS} == FACT_COLUMNS
    assert len(table) == facts.num_rows


def test_compositions_agree_with_pymatgen(table: FactTable) -> None:
    formulas = table.table["formula"].to_pylist()
    for row in range(0, len(table), 37):
        composition = Composition(formulas[row])
        expected = np.zeros(119)
        for element, amount in composition.items():
            expected[Element(str(element)).Z] = amount
        np.testing.assert_allclose(table.amounts[row], expected, rtol=1e-6)
        np.testing.assert_allclose(table.fractions[row], expected / expected.sum(), rtol=1e-5)
        assert table.number("number_of_elements")[row] == len(composition)


def test_numbers_are_those_of_the_columns(table: FactTable) -> None:
    gaps = [math.nan if value is None else value for value in table.table["band_gap"].to_pylist()]
    np.testing.assert_array_equal(table.number("band_gap"), gaps)
    np.testing.assert_allclose(table.number("volume_per_atom"), table.number("volume") / table.number("nsites"))
    with pytest.raises(KeyError, match="softness"):
        table.number("softness")
    with pytest.raises(ClacInputError, match="instead of numbers"):
        table.number("formula")


def test_chunks_and_dropped_numbers_change_nothing(table: FactTable, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [table.table.slice(0, 0), table.table.slice(0, 1000), table.table.slice(1000)]
    monkeypatch.setattr(fact_table, "_MOST_NUMBERS", 1)
    monkeypatch.setattr(fact_table, "_MOST_BYTES", 0)
    other = FactTable(pa.concat_tables(parts))
    assert other.values("anions") == table.values("anions")
    for name in ("band_gap", "nsites", "hardness", "band_gap"):
        np.testing.assert_array_equal(other.number(name), table.number(name))
    for column, value in (("anions", "O"), ("crystal_system", "cubic"), ("material_id", "mp-66"), ("ions", "none")):
        np.testing.assert_array_equal(other.label(column, value), table.label(column, value))


def test_labels_agree_with_a_plain_loop(table: FactTable) -> None:
    elements = table.table["elements"].to_pylist()
    np.testing.assert_array_equal(table.label("elements", "Fe"), ["Fe" in row for row in elements])
    systems = table.table["crystal_system"].to_pylist()
    np.testing.assert_array_equal(table.label("crystal_system", "cubic"), [system == "cubic" for system in systems])
    groups = table.table["space_group_number"].to_pylist()
    np.testing.assert_array_equal(table.label("flags", "polar"), [group in POLAR for group in groups])
    assert not table.label("elements", "Og").any()
    assert table.values("crystal_system")[0] == "cubic"


def test_formulas_need_not_be_reduced(table: FactTable) -> None:
    formulas = table.table["formula"].to_pylist()
    expected = [formula in ("TiO2", "Li3N") for formula in formulas]
    np.testing.assert_array_equal(table.formula_is(["Ti2O4", "NLi3"]), expected)
    with pytest.raises(ValueError, match="not a chemical formula"):
        table.formula_is("galena")


def test_rows_are_taken_with_their_facts(table: FactTable) -> None:
    rows = np.arange(5, 900, 7)
    taken = table.take(rows)
    for name in ("band_gap", "hardness"):
        np.testing.assert_array_equal(taken.number(name), table.number(name)[rows])
    np.testing.assert_array_equal(taken.label("elements", "O"), table.label("elements", "O")[rows])


def test_unknown_facts_are_neither_true_nor_false() -> None:
    records = [
        {"formula": "Li0.5CoO2", "ions": ["peroxide"], "dimensionality": 2, "space_group_number": None},
        {"formula": None, "ions": None, "dimensionality": None, "space_group_number": 99},
        {"formula": "Zr2Ni4", "ions": [], "dimensionality": 3, "space_group_number": 225},
    ]
    table = FactTable.from_records(records)
    np.testing.assert_array_equal(table.label("ions", "peroxide"), [1, np.nan, 0])
    np.testing.assert_array_equal(table.label("ions", "oxide"), [0, np.nan, 0])
    np.testing.assert_array_equal(table.number("dimensionality"), [2, np.nan, 3])
    np.testing.assert_array_equal(table.label("flags", "polar"), [np.nan, 1, 0])
    np.testing.assert_array_equal(table.formula_is(["LiCo2O4", "ZrNi2"]), [1, np.nan, 1])
    np.testing.assert_array_equal(table.number("number_of_elements"), [3, np.nan, 2])
    # What no column says is unknown.
    assert np.isnan(table.label("classes", "alloy")).all() and np.isnan(table.number("band_gap")).all()
    assert all(np.isnan(table.number(name)).all() for name in ("hardness", "volume_per_atom", "debye_temperature"))


def test_facts_join_a_table_in_its_order() -> None:
    crystals = pa.table({"formula": ["NaCl", "Si"], "anions": [["S"], ["S"]]})
    facts = pa.table({"material_id": ["a", "b"], "anions": [["Cl"], []]})
    table = FactTable.from_table(crystals, facts)
    np.testing.assert_array_equal(table.label("anions", "Cl"), [1, 0])
    assert not table.label("anions", "S").any()
    with pytest.raises(ValueError, match="facts of 1"):
        FactTable.from_table(crystals, facts.slice(1))


def test_derived_numbers() -> None:
    """Diamond: 442 GPa, 535 GPa, 3.51 g/cm³: E = 1144 GPa, ν = 0.07; a Debye temperature of 2250 K by elasticity."""
    diamond = {"formula": "C", "nsites": 8, "volume": 45.4, "density": 3.51}
    moduli = {"bulk_modulus_vrh": 442.0, "shear_modulus_vrh": 535.0}
    soft = {"bulk_modulus_vrh": 50.0, "shear_modulus_vrh": 2.0}
    unstable = {"bulk_modulus_vrh": 50.0, "shear_modulus_vrh": -2.0}
    table = FactTable.from_records([diamond | moduli, diamond | soft, diamond | unstable])
    assert table.number("youngs_modulus")[0] == pytest.approx(1144, rel=0.01)
    assert table.number("debye_temperature")[0] == pytest.approx(2240, rel=0.01)
    # Chen et al. give 95.7 GPa for these moduli (their table 1: k = 1.211, G = 536).
    assert table.number("hardness")[0] == pytest.approx(95, rel=0.02)
    assert table.number("hardness")[1] == 0.0
    assert table.number("pugh_ratio")[1] == 25.0
    assert np.isnan(table.number("hardness")[2]) and np.isnan(table.number("sound_velocity")[2])
    assert all(len(table.number(name)) == 3 for name in DERIVED)


def test_amounts_are_those_of_the_reduced_formula() -> None:
    formulas = ("Na2O2", "Cl2", "H0.5Ti0.25O1.5", "Li4Ti5O12")
    table = FactTable.from_records([{"formula": formula} for formula in formulas])
    assert table.amounts[0][[11, 8]].tolist() == [1, 1]
    assert table.amounts[1][17] == 1
    assert table.amounts[2][[1, 22, 8]].tolist() == [0.5, 0.25, 1.5]
    assert table.amounts[3][[3, 22, 8]].tolist() == [4, 5, 12]


def test_prices_and_toxic_elements() -> None:
    table = FactTable.from_records([{"formula": formula} for formula in ("LiCoO2", "LiFePO4", "CdTe", "PuO2", "Au")])
    price, toxic = table.number("price"), table.number("toxic_share")
    masses = {"Li": 6.94, "Co": 58.933, "O": 2 * 15.999}
    expected = sum(masses[symbol] * ELEMENT_PRICES[symbol] for symbol in masses) / sum(masses.values())
    assert price[0] == pytest.approx(expected, rel=1e-3)
    assert price[1] < price[0] < price[4] == ELEMENT_PRICES["Au"]
    assert math.isnan(price[3])
    assert toxic.tolist() == [0, 0, 0.5, 0, 0]
    assert {symbol for symbol in ELEMENT_PRICES if ELEMENT_PRICES[symbol] > 10_000} <= GROUPS["precious"] | {"Cs", "Rb"}
