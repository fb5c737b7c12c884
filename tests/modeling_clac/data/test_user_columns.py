"""Columns of users' tables: which statements contradict a structure, which columns are kept, and how rows are named."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from pymatgen.core import Structure

from modeling_clac import ClacInputError
from modeling_clac.data.structure_facts import describe_crystal
from modeling_clac.data.user_columns import contradictions, not_numbers, own_columns, row_ids
from modeling_clac.structures_clac import parse_structure


def test_the_bundled_crystals_do_not_contradict_themselves(records: list[dict[str, Any]]) -> None:
    some = [record for record in records if record["nsites"] <= 12][:60]
    table = pa.Table.from_pylist([{name: value for name, value in record.items() if name != "cif"} for record in some])
    facts = [describe_crystal(parse_structure(record["cif"])) for record in some]
    assert contradictions(table, range(len(some)), facts) == [[]] * len(some)


@pytest.mark.parametrize(
    ("column", "same", "other"),
    [
        ("formula", ["NaCl", "ClNa", "Na4Cl4", "Na Cl", None, ""], ["KCl", "Na2Cl", "salt"]),
        ("elements", ["Na-Cl", "Cl, Na", "['Na', 'Cl']", None], ["Na", "Na, Cl, O"]),
        ("elements", [["Na", "Cl"], ["Cl", "Na"], []], [["Na"], ["K", "Cl"]]),
        ("chemsys", ["Na-Cl", "Cl-Na"], ["K-Cl"]),
        ("density", [2.16, 2.2, float("nan")], [2.5, 216.0]),
        ("density", ["2.16", None], ["heavy", "21.6"]),
        ("space_group_number", [225, None], [1, 221]),
        ("space_group_number", ["225", "225.0"], ["Fm-3m"]),
        ("space_group_symbol", ["Fm-3m", "F m -3 m", "F m 3 m", None], ["Pm-3m", "rock salt"]),
        ("crystal_system", ["cubic", "Cubic "], ["hexagonal"]),
    ],
)
def test_statements(structure_nacl: Structure, column: str, same: list[Any], other: list[Any]) -> None:
    table = pa.table({column: [*same, *other]})
    found = contradictions(table, range(len(table)), [describe_crystal(structure_nacl)] * len(table))
    assert [bool(wrong) for wrong in found] == [False] * len(same) + [True] * len(other)
    for (wrong,) in found[len(same) :]:
        assert wrong.startswith(f"{column} is stated as ") and "; the structure has " in wrong


def test_columns_and_ids() -> None:
    table = pa.table(
        {
            "id": ["a", "b", "c"],
            "material_id": ["x", "x", "y"],
            "formula": ["NaCl"] * 3,
            "band_gap": ["1.5", "", None],
            "bulk_modulus_vrh": pa.array([10, None, 30], pa.int16()),
            "phase": pa.array(["α", "β", "α"]).dictionary_encode(),
            "__index_level_0__": [7, 8, 9],
        }
    )
    columns = own_columns(table, [0, 2], "t.csv")
    assert {name: column.to_pylist() for name, column in columns.items()} == {
        "id": ["a", "c"],
        "band_gap": [1.5, None],
        "bulk_modulus_vrh": [10.0, 30.0],
        "phase": ["α", "α"],
    }
    assert columns["bulk_modulus_vrh"].type == pa.float64() and columns["phase"].type == pa.string()
    # The first column whose values are unique in the whole table.
    assert row_ids(table, [0, 2], [1, 3], "t") == ["a", "c"]
    assert row_ids(table.drop_columns(["id"]), [0, 2], [1, 3], "t") == ["t-1", "t-3"]
    texts = pa.table({"band_gap": ["1", "wide", ""], "phase": ["α", "β", "α"]})
    assert not_numbers(texts, {0: 1, 2: 3}, "t.csv") == {}
    (found,) = not_numbers(texts, {0: 1, 1: 2}, "t.csv").items()
    assert found == (1, "t.csv: column band_gap, row 2: 'wide' is not a number; correct it, or rename the column")
    with pytest.raises(ClacInputError, match=r"t\.csv: column band_gap has type list"):
        own_columns(pa.table({"band_gap": [[1.0]]}), [0], "t.csv")
