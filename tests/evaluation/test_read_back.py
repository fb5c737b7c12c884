"""Crystals written in many ways: the files hold the crystals, by pymatgen's reading."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure

from evaluation.read_back import Outcome, ReadBackArguments, compare, run, write_in_all_ways
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.structures_clac import parse_structure

# What pymatgen reads without a choice of setting: all atoms, or all operations, are listed.
UNAMBIGUOUS = {"P1": "cif", "symmetrised": "cif", "POSCAR": "poscar"}


@pytest.mark.parametrize("row", [0, 17, 1234, 5000])
def test_the_files_hold_the_crystal(row: int) -> None:
    original = parse_structure(bundled_crystals()["cif"][row].as_py())
    structure = Structure(
        original.cell, original.atomic_numbers.tolist(), original.positions, coords_are_cartesian=True
    )
    texts = {way: text for way, _, text in write_in_all_ways(original, np.random.default_rng(row))}
    assert len(texts) == 8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for way, kind in UNAMBIGUOUS.items():
            read = Structure.from_str(texts[way], fmt=kind)
            assert read.density == pytest.approx(structure.density, rel=1e-4)
            assert StructureMatcher().fit(read, structure), way


def test_differences_are_found() -> None:
    salt, copper = (
        parse_structure({"atomic_numbers": z, "positions": np.zeros((1, 3)), "cell": np.eye(3) * 3})
        for z in ([11], [29])
    )
    assert compare(salt, salt) == ""
    assert compare(salt, copper) == "composition Cu instead of Na"
    wide = parse_structure({"atomic_numbers": [11], "positions": np.zeros((1, 3)), "cell": np.eye(3) * 4})
    assert compare(salt, wide).startswith("density")


def test_all_ways_are_read_back() -> None:
    outcomes = run(ReadBackArguments(crystals=12, seed=1))
    assert len(outcomes) == 8
    for outcome in outcomes.values():
        assert (outcome.written, outcome.refused, outcome.differs) == (12, {}, {})
        assert outcome.smallest_cosine > 0.9999
    assert Outcome().smallest_cosine == 1.0
