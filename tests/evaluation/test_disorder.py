"""The comparison of disordered parents with ordered crystals: cases, decorations, shares."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from evaluation import disorder
from evaluation.disorder import (
    DisorderArguments,
    Entry,
    decorated,
    element_volumes,
    orderings,
    share_farther,
    solid_solutions,
    summarize,
)
from modeling_clac.data.structure_facts import crystal_formula, describe_crystal
from modeling_clac.structures_clac import parse_structure


def entry(name: str, structure: Structure) -> Entry:
    crystal = parse_structure(structure)
    facts = describe_crystal(crystal)
    return Entry(name, facts["formula"], facts["space_group_number"], crystal)


def b2(first: str, second: str, a: float) -> Structure:
    return Structure(Lattice.cubic(a), [first, second], [[0, 0, 0], [0.5, 0.5, 0.5]])


def rock_salt(cation: str, anion: str, a: float) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    found = [
        entry("feco", b2("Fe", "Co", 2.85)),
        entry("nial", b2("Ni", "Al", 2.88)),
        entry("cscl", b2("Cs", "Cl", 4.1)),
    ]
    for cation, a in (("Mg", 4.21), ("Mn", 4.44), ("Ca", 4.81), ("Fe", 4.3)):
        found.append(entry(cation.lower() + "o", rock_salt(cation, "O", a)))
    return found


def test_orderings_have_similar_elements_on_equivalent_positions(entries: list[Entry]) -> None:
    cases = list(orderings(entries))
    assert [case.name for case in cases] == ["feco", "nial"]
    parent = cases[0].parent
    assert describe_crystal(parent)["space_group_symbol"] == "Im-3m"
    assert crystal_formula(parent) == "Fe0.5Co0.5" and cases[0].ordered is entries[0].crystal
    assert parent.density == pytest.approx(entries[0].crystal.density)


def test_solid_solutions_mix_one_element_at_the_mean_volume(entries: list[Entry]) -> None:
    cases = {case.name: case for case in solid_solutions(entries)}
    assert set(cases) == {"mgo + mno", "mno + feo"}
    case = cases["mgo + mno"]
    assert case.parent.volume == pytest.approx((4.21**3 + 4.44**3) / 2)
    assert crystal_formula(case.parent) == "Mg0.5Mn0.5O" and case.elements == {"Mg", "Mn", "O"}
    assert case.ordered.is_ordered and crystal_formula(case.ordered) == "MgMnO2"


def test_decorated_structures_have_the_elements_in_order_and_the_volume_of_their_atoms(entries: list[Entry]) -> None:
    volumes = element_volumes(entries)
    ordered = parse_structure(rock_salt("Na", "Cl", 5.64))
    volumes[[11, 17]] = 20.0, 25.0
    crystal = decorated(entries[3], ["Cl", "Na"], ordered, volumes)
    assert crystal_formula(crystal) == "NaCl" and crystal.atomic_numbers.tolist() == [17] * 4 + [11] * 4
    assert crystal.volume == pytest.approx(5.64**3)
    alloy = decorated(entries[0], ["Na", "Na"], ordered, volumes)
    assert alloy.volume == pytest.approx(5.64**3 * 40 / 180)


def test_share_and_summary() -> None:
    angles = np.array([0.0, 0.3, 0.1, 0.5, 1.0])
    embeds = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert share_farther(embeds, np.array([True, True, True])) == pytest.approx(2 / 3)
    assert share_farther(embeds, np.array([False, True, False])) == 1.0
    assert np.isnan(share_farther(embeds, np.zeros(3, dtype=bool)))
    summary = summarize([1.0, 0.9, float("nan")])
    assert summary["parents"] == 2 and summary["mean_share_farther"] == pytest.approx(0.95)
    assert summary["parents_with_95_percent_farther"] == 0.5
    assert summarize([float("nan")]) == {"parents": 0}


def test_the_comparison_runs(entries: list[Entry], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(disorder, "bundled_entries", lambda max_sites: entries)
    output = tmp_path / "result.json"
    result = disorder.run(DisorderArguments(parents=2, generated=3, output=str(output)))
    assert json.loads(output.read_text())["kinds"] == result["kinds"]
    assert result["kinds"]["solid solution"]["all"]["parents"] == 2
