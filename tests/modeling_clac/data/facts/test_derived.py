"""Numbers that follow from other columns, by their equations, with pymatgen and scipy as sources of constants."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from pymatgen.core import Element, Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from scipy import constants

from modeling_clac.concepts.elements import ELEMENT_NAMES
from modeling_clac.crystal_clac import crystal_from_pymatgen
from modeling_clac.data.facts.crystal_facts import crystal_facts
from modeling_clac.data.facts.derived import DERIVED
from modeling_clac.data.facts.fact_table import FactTable

# Rutile: moduli in GPa, density in g/cm³, volume of the cell in Å³ (Materials Project, mp-2657).
BULK, SHEAR, DENSITY, VOLUME, SITES = 209.0, 112.0, 4.13, 64.3, 6
RUTILE = {
    "formula": "TiO2", "nsites": SITES, "volume": VOLUME, "density": DENSITY, "bulk_modulus_vrh": BULK,
    "shear_modulus_vrh": SHEAR,
}  # fmt: skip


def number(name: str, **changes: float | str | None) -> float:
    return float(FactTable.from_records([RUTILE | changes]).number(name)[0])


def test_elastic_numbers_follow_from_the_moduli() -> None:
    young = 9 * BULK * SHEAR / (3 * BULK + SHEAR)
    assert number("pugh_ratio") == pytest.approx(BULK / SHEAR)
    assert number("youngs_modulus") == pytest.approx(young)
    assert number("specific_stiffness") == pytest.approx(young / DENSITY)
    assert number("volume_per_atom") == pytest.approx(VOLUME / SITES)
    # H = 2 (k² G)^0.585 - 3 with k = G / K (Chen et al. 2011).
    assert number("hardness") == pytest.approx(2 * ((SHEAR / BULK) ** 2 * SHEAR) ** 0.585 - 3)


def test_sound_and_debye_temperature_are_those_of_anderson() -> None:
    density = DENSITY * 1e3
    longitudinal = math.sqrt((BULK + 4 / 3 * SHEAR) * 1e9 / density)
    transverse = math.sqrt(SHEAR * 1e9 / density)
    mean = ((1 / longitudinal**3 + 2 / transverse**3) / 3) ** (-1 / 3)
    assert number("sound_velocity") == pytest.approx(mean)
    atoms = SITES / (VOLUME * 1e-30)
    debye = constants.h / constants.k * (3 * atoms / (4 * math.pi)) ** (1 / 3) * mean
    assert number("debye_temperature") == pytest.approx(debye, rel=1e-8)


@pytest.mark.parametrize(("bulk", "shear"), [(0.0, 50.0), (50.0, 0.0), (-1.0, 50.0), (50.0, -1.0), (None, 50.0)])
def test_nothing_follows_from_moduli_that_are_not_positive(bulk: float | None, shear: float) -> None:
    changes = {"bulk_modulus_vrh": bulk, "shear_modulus_vrh": shear}
    for name in ("pugh_ratio", "youngs_modulus", "hardness", "mohs_hardness", "specific_stiffness", "sound_velocity"):
        assert math.isnan(number(name, **changes)), name
    assert number("pugh_ratio", bulk_modulus_vrh=0.5, shear_modulus_vrh=0.25) == 2.0


def test_volume_per_atom_needs_atoms() -> None:
    assert math.isnan(number("volume_per_atom", nsites=0)) and number("volume_per_atom", nsites=1) == VOLUME


@pytest.mark.parametrize(
    ("mohs", "vickers"),
    # Broz et al. 2006, in GPa; quartz is between 12 and 13.
    [(1, 0.14), (2, 0.61), (3, 1.49), (4, 2.0), (5, 5.43), (6, 6.87), (7, 12.2), (8, 17.6), (9, 19.6), (10, 115.0)],
)
def test_mohs_hardness(mohs: int, vickers: float) -> None:
    def mohs_of(hardness: float) -> float:
        """Mohs hardness of a crystal with K = G and this Vickers hardness."""
        modulus = ((hardness + 3) / 2) ** (1 / 0.585)
        return number("mohs_hardness", bulk_modulus_vrh=modulus, shear_modulus_vrh=modulus)

    assert mohs_of(vickers) == pytest.approx(mohs)
    below = (0.0, 0.14, 0.61, 1.49, 2.0, 5.43, 6.87, 12.2, 17.6, 19.6)[mohs - 1]
    assert mohs_of((vickers + below) / 2) == pytest.approx(mohs - 0.5)


def test_softer_than_nothing_is_zero() -> None:
    assert number("hardness", bulk_modulus_vrh=80.0, shear_modulus_vrh=1.0) == 0.0
    assert number("mohs_hardness", bulk_modulus_vrh=80.0, shear_modulus_vrh=1.0) == 0.0


def test_atoms_of_the_primitive_cell_do_not_depend_on_the_cell() -> None:
    """Of each Bravais lattice, in the conventional cell and in that of pymatgen."""
    lattices = (  # space group, lattice, fractions
        (225, Lattice.cubic(5.6), [[0, 0, 0], [0.5, 0.5, 0.5]]),
        (229, Lattice.cubic(3.2), [[0, 0, 0]]),
        (166, Lattice.hexagonal(3.8, 10.5), [[0, 0, 0], [0, 0, 0.26]]),
        (139, Lattice.tetragonal(3.9, 12.0), [[0, 0, 0], [0, 0, 0.36]]),
        (65, Lattice.orthorhombic(4.0, 5.0, 6.0), [[0, 0, 0], [0.5, 0.0, 0.5]]),
        (12, Lattice.monoclinic(5.1, 4.2, 6.3, 105.0), [[0, 0, 0], [0.21, 0, 0.37]]),
        (221, Lattice.cubic(4.1), [[0, 0, 0], [0.5, 0.5, 0.5]]),
    )
    for group, lattice, positions in lattices:
        structure = Structure.from_spacegroup(group, lattice, ["Na", "Cl"][: len(positions)], positions)
        primitive = SpacegroupAnalyzer(structure).get_primitive_standard_structure()
        facts = [crystal_facts(crystal_from_pymatgen(cell, "x")) for cell in (structure, primitive)]
        found = FactTable.from_records(facts).number("primitive_nsites")
        assert found.tolist() == [len(primitive)] * 2, group


def test_masses_of_all_elements_are_those_of_pymatgen() -> None:
    masses = FactTable.from_records([{"formula": symbol} for symbol in ELEMENT_NAMES]).number("mass_per_atom")
    for symbol, mass in zip(ELEMENT_NAMES, masses.tolist(), strict=True):
        # Isotopes of radioactive elements are chosen differently.
        assert mass == pytest.approx(Element(symbol).atomic_mass, rel=1e-3 if Element(symbol).Z <= 83 else 0.03), symbol
    water = FactTable.from_records([{"formula": "H2O"}, {"formula": None}]).number("mass_per_atom")
    assert water[0] == pytest.approx(18.015 / 3, rel=1e-4) and math.isnan(water[1])


def test_prices_are_means_by_mass() -> None:
    table = FactTable.from_records([{"formula": formula} for formula in ("Al", "O2", "Al2O3", "AlPu", "Og", None)])
    aluminium, oxygen, alumina, *unknown = table.number("price").tolist()
    share = 2 * 26.982 / (2 * 26.982 + 3 * 15.999)
    assert alumina == pytest.approx(share * aluminium + (1 - share) * oxygen, rel=1e-4)
    assert np.isnan(unknown).all()


@pytest.mark.parametrize(
    ("symbol", "toxic"), [(s, s in "Be As Cd Hg Tl Pb".split()) for s in list(ELEMENT_NAMES)[:103]]
)
def test_toxic_share(symbol: str, toxic: bool) -> None:
    assert FactTable.from_records([{"formula": symbol}]).number("toxic_share")[0] == toxic


def test_unknown_formulas_have_no_numbers() -> None:
    table = FactTable.from_records([{"formula": None}])
    for name in ("number_of_elements", "mass_per_atom", "price", "toxic_share"):
        assert np.isnan(table.number(name)[0]), name


def test_descriptions_do_not_change() -> None:
    for entry in DERIVED.values():
        with pytest.raises(dataclasses.FrozenInstanceError):
            entry.label = ""  # type: ignore[misc]
