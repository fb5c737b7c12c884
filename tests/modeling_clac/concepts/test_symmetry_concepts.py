"""Concepts of symmetry and structure types: every group and type has one, its wordings name it, its test selects it."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest

from modeling_clac.concepts.families import space_group_wordings
from modeling_clac.concepts.structure_types import STRUCTURE_TYPES
from modeling_clac.concepts.symmetry import CRYSTAL_SYSTEMS, POINT_GROUPS, point_group, space_group_number
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable

GROUPS = range(1, 231)


@pytest.fixture(scope="module")
def vocabulary():
    return load_vocabulary()


@pytest.fixture(scope="module")
def table() -> FactTable:
    return FactTable.bundled()


def test_symbols_in_all_settings_name_their_group() -> None:
    for group in gemmi.spacegroup_table():
        # gemmi writes rhombohedral groups in hexagonal axes as protein crystallographers do: H32.
        short = group.short_name().replace("H", "R")
        if group.number > 2 and len(short.replace("-", "")) > 2:
            assert short in space_group_wordings(group.number), group


@pytest.mark.parametrize(
    ("number", "wording"),
    [
        (225, "Fm-3m"),
        (225, "Fm3m"),
        (225, "Fm3̅m"),
        (225, "space group F m -3 m"),
        (225, "space group 225"),
        (227, "Fd3m"),
        (14, "P2_1/c"),
        (14, "P21/c"),
        (14, "P2_1/n"),
        (14, "space group P 1 21/c 1"),
        (62, "Pnma"),
        (62, "Pbnm"),
        (194, "P6_3/mmc"),
        (2, "space group P-1"),
    ],
)
def test_spellings(number: int, wording: str) -> None:
    assert wording in space_group_wordings(number)


def test_no_text_names_two_groups() -> None:
    owners: dict[str, set[int]] = {}
    for number in GROUPS:
        wordings = space_group_wordings(number)
        assert len(wordings) >= 8, number
        for wording in wordings:
            owners.setdefault(wording, set()).add(number)
    assert not {wording: numbers for wording, numbers in owners.items() if len(numbers) > 1}


def test_bare_symbols_are_read_as_the_group() -> None:
    for number in GROUPS:
        for wording in space_group_wordings(number):
            if " " not in wording and wording.isascii():
                assert space_group_number(wording) in (number, None), wording


def test_every_group_is_a_concept(vocabulary, table) -> None:
    numbers = table.number("space_group_number")
    for number in GROUPS:
        values = vocabulary.holds(f"space-group-{number}", table)
        assert np.array_equal(values == 1, numbers == number)


def test_point_groups_and_systems_are_concepts(vocabulary, table) -> None:
    numbers = table.number("space_group_number").astype(int)
    for name in POINT_GROUPS:
        (concept,) = [entry for entry in vocabulary if entry.name == f"point group {name}"]
        holds = vocabulary.holds(concept.id, table) == 1
        assert all((point_group(number) == name) == held for number, held in zip(numbers, holds, strict=True))
    for name, groups in CRYSTAL_SYSTEMS.items():
        assert np.array_equal(vocabulary.holds(name, table) == 1, np.isin(numbers, list(groups)))


def test_wider_classes_hold_where_narrower_ones_do(vocabulary, table) -> None:
    kinds = ("symmetry", "crystal-system", "structure-type", "structural")
    for concept in vocabulary:
        if concept.kind in kinds:
            holds = vocabulary.holds(concept.id, table) == 1
            for wider in concept.implies:
                assert (vocabulary.holds(wider, table)[holds] == 1).all(), (concept.id, wider)


def test_poles_exclude_each_other(vocabulary, table) -> None:
    for first, second in (("centrosymmetric", "noncentrosymmetric"), ("symmorphic", "nonsymmorphic")):
        total = vocabulary.holds(first, table) + vocabulary.holds(second, table)
        assert (total == 1).all()


def test_every_structure_type_is_a_concept(vocabulary) -> None:
    tests = {concept.test.text: concept for concept in vocabulary}
    for kind in STRUCTURE_TYPES.values():
        concept = tests[f'type("{kind.id}")']
        assert concept.implies == kind.implies
        assert len(concept.wordings) >= 8, kind.id


@pytest.mark.parametrize(
    ("concept", "formulas", "others"),
    [
        ("perovskite", ["SrTiO3", "CsSnI3", "YFeO3"], ["CaCO3", "NaCl"]),
        ("spinel", ["MgAl2O4", "Mn3O4"], ["K2PtCl6", "Sr2RuO4"]),
        ("rock-salt", ["NaCl", "MgO"], ["NiAl", "TiO2"]),
        ("layered", ["MoS2", "CdI2", "V2O5"], ["NaCl", "Si"]),
        ("polar", ["LiNbO3", "GaN"], ["NaCl", "NiAl"]),
        ("chiral", ["FeSi"], ["NaCl"]),
        ("centrosymmetric", ["NaCl"], ["LiNbO3"]),
        ("kagome", ["CoSn"], ["NaCl"]),
        ("max-phase", ["Ti3SiC2", "Ti2AlC"], ["TiC"]),
    ],
)
def test_compounds_that_everybody_knows(vocabulary, table, concept, formulas, others) -> None:
    values = vocabulary.holds(concept, table)
    for formula in formulas:
        assert (values[table.formula_is([formula]) == 1] == 1).any(), formula
    for formula in others:
        assert not (values[table.formula_is([formula]) == 1] == 1).any(), formula
