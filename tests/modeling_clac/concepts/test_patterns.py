from __future__ import annotations

import numpy as np
import pytest

from modeling_clac.concepts.patterns import read_pattern
from modeling_clac.formulas_clac import ATOMIC_NUMBERS, read_formula


def amounts(*formulas: str) -> np.ndarray:
    table = np.zeros((len(formulas), 119), dtype=np.float32)
    for row, formula in enumerate(formulas):
        for symbol, amount in read_formula(formula).items():
            table[row, ATOMIC_NUMBERS[symbol]] = amount
    return table


@pytest.mark.parametrize(
    ("pattern", "formula", "matches"),
    [
        ("ABO3", "BaTiO3", True),
        ("ABO3", "BaTiS3", False),
        ("A2B2O6", "BaTiO3", True),
        ("ABX3", "CsPbI3", True),
        ("ABX3", "Ni3AlC", False),
        ("A2BX6", "Cs2SnI6", True),
        ("AB2X4", "MgAl2O4", True),
        ("MX2", "MoS2", True),
        ("MX2", "TiB2", True),
        ("X2YZ", "Co2MnSi", True),
        ("XYZ", "NiTiSn", True),
        ("Ln2O3", "La2O3", True),
        ("Ln2O3", "Al2O3", False),
        ("ABC2", "CuGaS2", True),
        ("M2C", "Mo2C", True),
        ("M2C", "Mo2N", False),
        ("A2B", "SiO2", True),
        ("AB", "Si", False),
        ("ABO3", "Ba0.5Ti0.5O", False),
    ],
)
def test_matches(pattern, formula, matches):
    assert read_pattern(pattern).matches(amounts(formula))[0] == matches


@pytest.mark.parametrize("text", ["TiO2", "ABA", "A0B", "abo3", "", "ABo3x", "Al2O3", "A B", "AXx"])
def test_what_is_no_pattern(text):
    assert read_pattern(text) is None
