"""Filters of a table in several chunks, with unknown values."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from modeling_clac.errors_clac import ClacInputError
from modeling_clac.search.filters import FilteredTable, Filters

SCHEMA = pa.schema(
    {
        "formula": pa.string(), "elements": pa.list_(pa.string()), "crystal_system": pa.string(),
        "space_group_number": pa.int64(), "gap": pa.float64(),
    }
)  # fmt: skip
ROWS: list[list[dict[str, Any]]] = [
    [
        {"formula": "NaCl", "elements": ["Cl", "Na"], "crystal_system": "cubic", "space_group_number": 225, "gap": 1.0},
        {"formula": None, "elements": None, "crystal_system": None, "space_group_number": None, "gap": 2.0},
        {"formula": "Fe", "elements": ["Fe"], "crystal_system": "cubic", "space_group_number": 229, "gap": None},
    ],
    [
        {"formula": "Cl", "elements": ["Cl"], "crystal_system": "monoclinic", "space_group_number": 14, "gap": 2.0},
        {
            "formula": "Fe2O3",
            "elements": ["Fe", "O"],
            "crystal_system": "trigonal",
            "space_group_number": 167,
            "gap": 3.0,
        },
    ],
    [],
    [{"formula": "FeO", "elements": ["Fe", "O"], "crystal_system": "cubic", "space_group_number": 225, "gap": 2.5}],
]
TABLE = pa.concat_tables([pa.Table.from_pylist(rows, schema=SCHEMA) for rows in ROWS])


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"elements": ["Cl"]}, [0, 3]),
        ({"elements": ["fe", " O "]}, [4, 5]),
        ({"exclude_elements": ["Fe"]}, [0, 1, 3]),
        ({"elements": ["Fe"], "exclude_elements": ["O"]}, [2]),
        ({"elements": ["U"]}, []),
        ({"exclude_elements": ["U", "Na"]}, [1, 2, 3, 4, 5]),
        ({"crystal_system": " CUBIC "}, [0, 2, 5]),
        ({"space_group": 225}, [0, 5]),
        ({"space_group": "Fm-3m", "elements": ["O"]}, [5]),
        ({"formula": "Na2Cl2"}, [0]),
        ({"formula": "Fe4O6"}, [4]),
        ({"ranges": {"gap": (2, 2)}}, [1, 3]),
        ({"ranges": {"gap": (2, None)}}, [1, 3, 4, 5]),
        ({"ranges": {"gap": (None, 2)}}, [0, 1, 3]),
        ({"ranges": {"gap": (None, None)}}, [0, 1, 3, 4, 5]),
        ({"ranges": {"gap": (2, None), "space_group_number": (200, 300)}}, [5]),
    ],
)
def test_rows_that_pass(options: dict[str, Any], rows: list[int]) -> None:
    mask = FilteredTable(TABLE).mask(Filters(**options))
    assert mask.dtype == bool and mask.nonzero()[0].tolist() == rows


@pytest.mark.parametrize(
    "options",
    [
        {"elements": ["Xx"]}, {"elements": ["Iron"]}, {"elements": ["X"]},
        {"elements": ["Fe"], "exclude_elements": ["fe"]},
        {"crystal_system": "round"}, {"space_group": 231}, {"space_group": 0}, {"space_group": "Xyz"},
        {"formula": "IONIC"}, {"formula": "blah"}, {"formula": ""}, {"ranges": {"gap": (2, 1)}},
        {"ranges": {"gap": (float("nan"), 1)}}, {"ranges": {"gap": (1, float("nan"))}},
    ],
)  # fmt: skip
def test_what_no_crystal_can_meet_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ClacInputError):
        Filters(**options)


def test_short_formulas_in_capitals_are_formulas() -> None:
    assert Filters(formula="CON").formula == Filters(formula="NOC").formula
