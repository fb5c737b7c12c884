"""Facts of the bundled crystals: computed again, they are those that are stored."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest

from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.bundled import bundled_crystals, bundled_facts
from modeling_clac.data.facts.columns import FACT_COLUMNS
from modeling_clac.data.facts.crystal_facts import crystal_facts
from modeling_clac.search.stored_crystals import StoredCrystals

# Estimates follow from other crystals, not from the crystal itself.
COLUMNS = tuple(name for name in FACT_COLUMNS if not name.startswith("estimated_"))
LISTS = ("anions", "ions", "classes", "coordination", "oxidation_states", "structure_types")
# Crystals that are taken for each value of a column, and parts of the test.
CRYSTALS_PER_VALUE = dict.fromkeys(LISTS, 3) | {"coordination": 1}
PARTS = 16


@cache
def stored_facts() -> list[dict[str, Any]]:
    return bundled_facts().select(["material_id", *COLUMNS]).to_pylist()


@cache
def chosen() -> list[tuple[int, Crystal, int]]:
    """Row, crystal and space group of a few crystals for each value in a column of lists."""
    values = [
        {(column, value) for column in LISTS for value in facts[column] or ()}
        # What is not certain: oxidation states, or the dimensionality.
        | {(column, "unknown") for column in COLUMNS if facts[column] is None}
        for facts in stored_facts()
    ]
    rows: list[int] = []
    seen: Counter[tuple[str, str]] = Counter()
    for row in sorted(range(len(values)), key=lambda row: -len(values[row])):
        if any(seen[value] < CRYSTALS_PER_VALUE.get(value[0], 3) for value in values[row]):
            rows.append(row)
            seen.update(values[row])
    groups = bundled_crystals(with_cif=False)["space_group_number"].to_pylist()
    crystals = StoredCrystals.bundled().structures(rows)
    return [(row, crystal, groups[row]) for row, crystal in zip(rows, crystals, strict=True)]


@pytest.mark.parametrize("part", range(PARTS))
def test_stored_facts_are_those_that_are_computed(part: int) -> None:
    for row, crystal, group in chosen()[part::PARTS]:
        expected, found = stored_facts()[row], crystal_facts(crystal, group)
        assert {name: found[name] for name in COLUMNS} == {name: expected[name] for name in COLUMNS}, expected


def test_each_value_is_that_of_a_chosen_crystal() -> None:
    rows = {row for row, *_ in chosen()}
    for column in LISTS:
        everywhere = {value for facts in stored_facts() for value in facts[column] or ()}
        assert {value for row in rows for value in stored_facts()[row][column] or ()} == everywhere
