"""Crystals with exchanged elements: other compositions, the same structure."""

from __future__ import annotations

import random

import numpy as np
import pytest

from modeling_clac.data.structure_facts import describe_crystal
from modeling_clac.formulas_clac import read_formula
from modeling_clac.structures_clac import parse_structure
from train.pretraining.substitution import FAMILIES, element_volumes, substitute, substituted_crystals


@pytest.fixture(scope="module")
def crystals(records):
    return [parse_structure(record["cif"]) for record in records]


def family(symbol: str) -> frozenset[str]:
    (own,) = [members for members in FAMILIES if symbol in members]
    return own


def test_new_crystals_have_new_formulas_and_the_symmetry_of_their_parents(crystals, records) -> None:
    made, rows = substituted_crystals(crystals, records, 40, 0, show_progress=False)
    assert len(made) == len(rows) == 40
    formulas = [row["formula"] for row in rows]
    assert len(set(formulas)) == 40 and not set(formulas) & {record["formula"] for record in records}
    parents = {record["material_id"]: record for record in records}
    disordered = 0
    for crystal, row in zip(made, rows, strict=True):
        parent = parents[row["material_id"].split(" after ")[1]]
        assert row["space_group_number"] == parent["space_group_number"] == crystal.space_group
        new, old = set(read_formula(row["formula"])), set(read_formula(parent["formula"]))
        assert new != old
        for symbol in new - old:
            assert family(symbol) & (old - new or old)
        assert row["band_gap"] is None and row["density"] == pytest.approx(crystal.density, rel=1e-4)
        assert 0.3 < row["volume"] / parent["volume"] < 3
        disordered += not crystal.is_ordered
    assert 1 <= disordered <= 20
    _, others = substituted_crystals(crystals, records, 10, 1, forbidden=formulas, show_progress=False)
    assert not {row["formula"] for row in others} & set(formulas)


def test_the_same_seed_makes_the_same_crystals(crystals, records) -> None:
    one, other = (substituted_crystals(crystals, records, 5, 3, show_progress=False) for _ in range(2))
    assert one[1] == other[1]
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(one[0], other[0], strict=True))


def test_volumes_add_up(crystals) -> None:
    volumes = element_volumes(crystals)
    known = ~np.isnan(volumes)
    predicted = np.array([crystal.weights @ volumes[crystal.atomic_numbers] for crystal in crystals])
    actual = np.array([crystal.volume for crystal in crystals])
    assert np.corrcoef(np.log(predicted), np.log(actual))[0, 1] > 0.95
    assert known.sum() == len(set(np.concatenate([crystal.atomic_numbers for crystal in crystals])))


def test_a_crystal_without_exchangeable_elements_is_left_out(structure_po) -> None:
    assert substitute(parse_structure(structure_po), np.full(119, 10.0), random.Random(0)) is None


def test_the_cell_grows_with_the_elements(structure_nacl) -> None:
    crystal = parse_structure(structure_nacl)
    volumes = np.full(119, 10.0)
    volumes[[19, 37, 55]] = 80.0
    for seed in range(20):
        changed = substitute(crystal, volumes, random.Random(seed))
        assert changed is not None
        before, after = (own.weights @ volumes[own.atomic_numbers] for own in (crystal, changed))
        assert changed.volume / crystal.volume == pytest.approx(after / before)
        assert describe_crystal(changed)["space_group_number"] == 225
