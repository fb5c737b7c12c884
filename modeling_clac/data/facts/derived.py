"""Numbers that follow from other columns of a crystal: elastic properties, volume per atom, number of elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...concepts.element_prices import ELEMENT_PRICES
from ...concepts.elements import ELEMENT_NAMES, GROUPS
from ...crystal_clac import atomic_mass

if TYPE_CHECKING:
    from .fact_table import FactTable

_PLANCK_OVER_BOLTZMANN = 4.799243073e-11  # K s (CODATA 2018)
# Indentation hardness in GPa of the minerals of the Mohs scale, talc (1) to diamond (10); 0 for nothing.
_HARDNESS_OF_MOHS = (0.0, 0.14, 0.61, 1.49, 2.0, 5.43, 6.87, 12.2, 17.6, 19.6, 115.0)
_MASSES = np.array([0.0, *(atomic_mass(number) for number in range(1, 119))])
_PRICES = np.array([0.0, *(ELEMENT_PRICES.get(symbol, math.nan) for symbol in ELEMENT_NAMES)])
# Lattice points in the conventional cell, by the letter of the centring in a Pearson symbol.
_LATTICE_POINTS = {"P": 1, "A": 2, "C": 2, "S": 2, "I": 2, "R": 3, "F": 4}
_TOXIC = np.array([False, *(symbol in GROUPS["toxic"] for symbol in ELEMENT_NAMES)])


@dataclass(frozen=True)
class Derived:
    """
    A number that is computed from other columns.

    Attributes:
        label: Name in texts.
        unit: Unit; empty if dimensionless.
        compute: Function of a table that returns `(n,)` float64, NaN where unknown.
        source: Where the equation comes from.
    """

    label: str
    unit: str
    compute: Callable[[FactTable], np.ndarray]
    source: str = ""


def _moduli(table: FactTable) -> tuple[np.ndarray, np.ndarray]:
    """Bulk and shear modulus in GPa. Those that are not positive belong to unstable crystals, and nothing follows."""
    bulk, shear = table.number("bulk_modulus_vrh"), table.number("shear_modulus_vrh")
    known = (bulk > 0) & (shear > 0)
    return np.where(known, bulk, np.nan), np.where(known, shear, np.nan)


def _volume_per_atom(table: FactTable) -> np.ndarray:
    sites = table.number("nsites")
    return table.number("volume") / np.where(sites > 0, sites, np.nan)


def _primitive_nsites(table: FactTable) -> np.ndarray:
    """Atoms of the primitive cell. Files hold it or the conventional one, so that `nsites` says less."""
    found = np.full(len(table), np.nan)
    for symbol, rows in table.rows_by_value("pearson").items():
        found[rows] = int(symbol[2:]) / _LATTICE_POINTS[symbol[1]]
    return found


def _mass_per_atom(table: FactTable) -> np.ndarray:
    return np.where(table.known_composition, table.compositions.total(_MASSES), np.nan)


def _number_of_elements(table: FactTable) -> np.ndarray:
    return np.where(table.known_composition, table.compositions.counts, np.nan)


def _price(table: FactTable) -> np.ndarray:
    compositions = table.compositions
    unknown = ~compositions.known | compositions.has_any(np.flatnonzero(np.isnan(_PRICES)))
    return np.where(unknown, np.nan, compositions.total(_MASSES * np.nan_to_num(_PRICES)) / compositions.total(_MASSES))


def _toxic_share(table: FactTable) -> np.ndarray:
    return np.where(table.known_composition, table.compositions.total(_TOXIC), np.nan)


def _pugh_ratio(table: FactTable) -> np.ndarray:
    bulk, shear = _moduli(table)
    return bulk / shear


def _youngs_modulus(table: FactTable) -> np.ndarray:
    bulk, shear = _moduli(table)
    return 9.0 * bulk * shear / (3.0 * bulk + shear)


def _hardness(table: FactTable) -> np.ndarray:
    bulk, shear = _moduli(table)
    return np.maximum(2.0 * ((shear / bulk) ** 2 * shear) ** 0.585 - 3.0, 0.0)


def _mohs_hardness(table: FactTable) -> np.ndarray:
    return np.interp(table.number("hardness"), _HARDNESS_OF_MOHS, np.arange(len(_HARDNESS_OF_MOHS)))


def _specific_stiffness(table: FactTable) -> np.ndarray:
    return _youngs_modulus(table) / table.number("density")


def _sound_velocity(table: FactTable) -> np.ndarray:
    bulk, shear = _moduli(table)
    # GPa / (g/cm³) = 10⁶ m²/s²
    longitudinal = 1e3 * np.sqrt((bulk + 4.0 / 3.0 * shear) / table.number("density"))
    transverse = 1e3 * np.sqrt(shear / table.number("density"))
    return ((longitudinal**-3 + 2.0 * transverse**-3) / 3.0) ** (-1.0 / 3.0)


def _debye_temperature(table: FactTable) -> np.ndarray:
    atoms = 1e30 / _volume_per_atom(table)
    return _PLANCK_OVER_BOLTZMANN * (3.0 * atoms / (4.0 * math.pi)) ** (1.0 / 3.0) * _sound_velocity(table)


_ANDERSON = "Anderson 1963, doi 10.1016/0022-3697(63)90067-2"
DERIVED: dict[str, Derived] = {
    "number_of_elements": Derived("number of elements", "", _number_of_elements),
    "volume_per_atom": Derived("volume per atom", "Å³", _volume_per_atom),
    "primitive_nsites": Derived(
        "atoms in the primitive cell", "", _primitive_nsites, "Pearson symbol over the lattice points of its centring"
    ),
    "mass_per_atom": Derived("mean mass of an atom", "u", _mass_per_atom),
    # Of its elements, not of the compound.
    "price": Derived("price of its elements", "$/kg", _price, "concepts/element_prices.py"),
    "toxic_share": Derived("share of toxic elements", "", _toxic_share, "atomic fraction"),
    # Bulk over shear modulus: ductile above 1.75.
    "pugh_ratio": Derived("Pugh ratio", "", _pugh_ratio, "K/G, Pugh 1954, doi 10.1080/14786440808520496"),
    "youngs_modulus": Derived("Young's modulus", "GPa", _youngs_modulus, "9KG/(3K + G), isotropic"),
    "hardness": Derived(
        "Vickers hardness", "GPa", _hardness, "Chen et al. 2011, doi 10.1016/j.intermet.2011.03.026; at least 0"
    ),
    "mohs_hardness": Derived(
        "Mohs hardness", "", _mohs_hardness, "of the hardness, by Broz et al. 2006, doi 10.2138/am.2006.1844"
    ),
    "specific_stiffness": Derived("specific stiffness", "GPa cm³/g", _specific_stiffness, "Young's modulus / density"),
    "sound_velocity": Derived("mean velocity of sound", "m/s", _sound_velocity, _ANDERSON),
    "debye_temperature": Derived("Debye temperature", "K", _debye_temperature, _ANDERSON),
}

__all__ = ["DERIVED", "Derived"]
