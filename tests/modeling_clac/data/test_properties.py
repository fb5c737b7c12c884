"""The table of property columns is consistent and complete for the bundled data set, and the rest derives from it."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_scripts.common.cards import COLUMNS
from datasets_scripts.common.crystal_rows import SCHEMA
from datasets_scripts.crystals import BUNDLED_SCHEMA, SOURCES
from datasets_scripts.databases.mp_summary import read_summary
from datasets_scripts.databases.optimade_entries import read_properties, response_fields
from datasets_scripts.llm.check_text import text_problems
from datasets_scripts.llm.generation import facts
from modeling_clac.cli.main import search
from modeling_clac.data.properties import NUMERIC_COLUMNS, PROPERTIES, UNITS
from modeling_clac.narrator.narratives import narrate
from modeling_clac.units_clac import CANONICAL_UNITS
from tests.conftest import CRYSTALS, ROOT


def test_the_columns_of_the_bundled_data_set_are_in_the_table() -> None:
    schema = pq.read_schema(CRYSTALS / "train.parquet")
    numeric = {entry.name for entry in schema if pa.types.is_floating(entry.type) or pa.types.is_integer(entry.type)}
    assert numeric <= set(NUMERIC_COLUMNS)
    assert schema.equals(BUNDLED_SCHEMA)
    assert set(BUNDLED_SCHEMA.names) <= set(SCHEMA.names)


def test_rows_are_consistent() -> None:
    for column, row in PROPERTIES.items():
        assert column == row.column and row.column.isidentifier()
        assert row.label and row.decimals >= 0
        assert row.unit in CANONICAL_UNITS or not row.unit
        assert set(row.bounds) <= {"min", "max"}
    for names in (
        [row.label for row in PROPERTIES.values()],
        [row.header for row in PROPERTIES.values() if row.header],
        [row.option for row in PROPERTIES.values() if row.option],
        [name.lower() for row in PROPERTIES.values() for name in row.gpt_narratives],
        [row.mp_summary for row in PROPERTIES.values() if row.mp_summary],
        [row.matminer for row in PROPERTIES.values() if row.matminer],
    ):
        assert max(Counter(names).values()) == 1, names


def test_every_source_of_matminer_is_read() -> None:
    taken = {(name, column) for name, columns in SOURCES.items() for column in columns.values()}
    assert taken == {row.matminer for row in PROPERTIES.values() if row.matminer}


def test_search_has_an_option_for_each_end_of_a_range() -> None:
    options = {name for row in PROPERTIES.values() for name in row.range_options.values()}
    parameters = inspect.signature(search).parameters
    assert {name for name in parameters if name.endswith(("_min", "_max"))} == options
    assert {"band_gap_min", "band_gap_max", "energy_above_hull_max", "bulk_modulus_min"} <= options
    assert "energy_above_hull_min" not in options
    for row in PROPERTIES.values():
        for name in row.range_options.values():
            assert parameters[name].default.help == UNITS[row.column]


@pytest.mark.parametrize("column", PROPERTIES)
def test_a_property_has_wordings_with_its_unit(column: str) -> None:
    texts = {narrate({column: 2.5}, seed) for seed in range(200)}
    shapes = {re.sub(r"\d+(\.\d+)?", "#", text) for text in texts}
    assert len(shapes) >= 5
    assert not any("{" in text for text in texts)
    numbers = [text for text in texts if re.search(r"\d", text)]
    assert numbers and all(f" {PROPERTIES[column].unit}" in text for text in numbers)


@pytest.mark.parametrize("column", PROPERTIES)
def test_cards_prompts_and_checks_know_a_property(column: str) -> None:
    row = PROPERTIES[column]
    assert UNITS[column] in COLUMNS[column]
    record = {"formula": "NaCl", column: 2.5}
    assert f"- {row.label}: 2.5 {row.unit}".rstrip() in facts(record).splitlines()
    assert not text_problems(f"NaCl has 2.5 {row.unit}.", record)
    assert text_problems(f"NaCl has 2.6 {row.unit}.", record)
    if row.unit:
        assert text_problems("NaCl has 2.5 K and 2.5 g/cm³ or 2.5 GPa.", record)


def test_units_are_spelled_in_several_ways() -> None:
    record = {"formula": "NaCl", "energy_above_hull": 0.025, "density": 2.165, "volume": 180.0, "nsites": 8}
    text = "NaCl: 25 meV/atom or 0.025 eV per atom, 2.165 g/cm3 or 2165 kg/m³, 180 Å^3 or 22.5 Å³/atom."
    assert not text_problems(text, record)


def test_databases_give_the_columns_of_the_table() -> None:
    summary = {"bulk_modulus": {"vrh": 90.0, "voigt": 95.0}, "n": 1.5, "e_total": None, "band_gap": True}
    assert read_summary(summary) == {"bulk_modulus_vrh": 90.0, "refractive_index": 1.5}
    schemes = {"gga_gga+u": {"energy_above_hull": 0.2}, "r2scan": {"energy_above_hull": 0.3}}
    assert read_properties({"_mp_stability": schemes}, "mp") == {"energy_above_hull": 0.2}
    assert "_mp_stability" in response_fields("mp")
    assert "_oqmd_band_gap" in response_fields("oqmd")


def test_the_table_imports_nothing_heavy() -> None:
    code = (
        "import os, sys; os.environ['CLAC_LAZY_IMPORT'] = '1'; import modeling_clac.data.properties; "
        "print({'torch', 'transformers', 'pymatgen', 'pyarrow', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.returncode) == ("set()", 0), done.stderr
