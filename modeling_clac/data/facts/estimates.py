"""
Estimates of properties that nobody has computed, from composition and structure.

Support vector regressions with a Gaussian kernel on descriptors of composition, density and symmetry, one for each
property, and one for the size of its error. `python -m train.estimates` trains them on the train split and
`python -m evaluation.estimates` measures them. Estimates rank crystals; they are shown as estimates and are never
stored in the columns of the properties.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import load_file

from ...concepts.elements import METALS
from ...concepts.symmetry import CRYSTAL_SYSTEMS, SYMMETRY_FLAGS
from ...formula_grammar_clac import ATOMIC_NUMBERS
from ...utils.paths import ASSETS
from .fact_table import FactTable

ESTIMATES = ASSETS / "estimates" / "estimates.safetensors"
_ELEMENTS = 96  # Cm, the last element of the training crystals
_METALS = sorted(ATOMIC_NUMBERS[symbol] for symbol in METALS)
_NONMETALS = sorted(frozenset(range(1, 119)) - frozenset(_METALS))
# Standard deviations at which descriptors are cut off, so that a crystal unlike all others is not extrapolated.
_CUT = 5.0
_AT_ONCE = 1024  # crystals; the kernel with all training crystals is kept for that many


@dataclass(frozen=True)
class Estimated:
    """
    How a property is estimated.

    Attributes:
        transform: Function of the values that is learnt.
        inverse: Its inverse.
        least: Smallest possible value.
        of_insulators: Whether it is defined for insulators only, so that alloys get no estimate.
    """

    transform: Callable[[np.ndarray], np.ndarray]
    inverse: Callable[[np.ndarray], np.ndarray]
    least: float = -np.inf
    of_insulators: bool = False


def _same(values: np.ndarray) -> np.ndarray:
    return values


def _shifted_log(values: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(values, 0.0) + 0.05)


def _shifted_exp(values: np.ndarray) -> np.ndarray:
    return np.exp(values) - 0.05


# Elastic anisotropy and energy above the hull are not estimated: on validation, the errors are about those of the mean.
ESTIMATED: dict[str, Estimated] = {
    "formation_energy_per_atom": Estimated(_same, _same),
    "band_gap": Estimated(_same, _same, least=0.0),
    "bulk_modulus_vrh": Estimated(np.log, np.exp, least=0.0),
    "shear_modulus_vrh": Estimated(np.log, np.exp, least=0.0),
    "poisson_ratio": Estimated(_same, _same),
    "dielectric_electronic": Estimated(np.log, np.exp, least=1.0, of_insulators=True),
    "dielectric_total": Estimated(np.log, np.exp, least=1.0, of_insulators=True),
    "refractive_index": Estimated(np.log, np.exp, least=1.0, of_insulators=True),
    "piezoelectric_modulus": Estimated(_shifted_log, _shifted_exp, least=0.0, of_insulators=True),
}


def descriptors(table: FactTable, elements: np.ndarray) -> np.ndarray:
    """
    Describe crystals by composition, density and symmetry.

    Args:
        table: Facts of n crystals.
        elements: Properties of the elements, `(119, num_properties)`; row = atomic number. The first column is the
            volume of an atom in Å³, the second its radius in Å.

    Returns:
        `(n, num_descriptors)` float64: atomic fractions; mean, standard deviation, smallest and largest value of each
        property of the elements; volume per atom, density and packing; crystal system, centre of symmetry and polar
        axis; numbers of sites and elements. NaN where unknown.
    """
    fractions = table.fractions.astype(np.float64)
    present = fractions > 0
    mean = fractions @ elements
    spread = np.sqrt(np.maximum(fractions @ elements**2 - mean**2, 0.0))
    lowest = np.stack([np.where(present, column, np.inf).min(axis=1) for column in elements.T], axis=1)
    highest = np.stack([np.where(present, column, -np.inf).max(axis=1) for column in elements.T], axis=1)
    group = table.number("space_group_number")
    volume = table.number("volume_per_atom")
    with np.errstate(divide="ignore", invalid="ignore"):
        structure = [
            np.log(volume),
            np.log(table.number("density")),
            np.log(volume / mean[:, 0]),
            np.log(volume / mean[:, 1] ** 3),
            np.log(table.number("nsites")),
        ]
    structure += [
        table.number("number_of_elements"),
        group,
        *(np.isin(group, list(groups)) for groups in CRYSTAL_SYSTEMS.values()),
        *(np.isin(group, list(SYMMETRY_FLAGS[flag])) for flag in ("centrosymmetric", "polar")),
    ]
    found = np.concatenate(
        [fractions[:, 1 : _ELEMENTS + 1], mean, spread, lowest, highest, np.stack(structure, axis=1)], axis=1
    )
    found[~table.known_composition] = np.nan
    return found


def is_alloy(table: FactTable) -> np.ndarray:
    """Whether each crystal consists of metallic elements only, `(n,)` bool. Most of them conduct."""
    return table.known_composition & ~(table.fractions[:, _NONMETALS] > 0).any(axis=1)


@dataclass(frozen=True)
class PropertyEstimator:
    """
    Trained regressions of all properties. They share the training crystals and the kernel.

    Attributes:
        elements: Properties of the elements, see `descriptors`.
        mean: Means of the descriptors of the training crystals, `(num_descriptors,)`.
        scale: Their standard deviations.
        crystals: Standardised descriptors of the training crystals, `(num_crystals, num_descriptors)`.
        gamma: Width of the kernel exp(-gamma |x - x'|²).
        weights: Weights of the training crystals, `(num_crystals, 2 * num_properties)`: for each property those of the
            value and those of the logarithm of its error.
        offsets: Constants, `(2 * num_properties,)`.
        factors: Factors of the errors, `(num_properties,)`, so that the stated share of errors is smaller.
        record: How it was trained: the properties in their order, `coverage`, `validation`, commit, seed.
    """

    elements: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    crystals: np.ndarray
    gamma: float
    weights: np.ndarray
    offsets: np.ndarray
    factors: np.ndarray
    record: dict[str, Any]

    @property
    def properties(self) -> list[str]:
        """The properties, in the order of the weights."""
        return list(self.record["properties"])

    @classmethod
    def load(cls, path: Path = ESTIMATES) -> PropertyEstimator:
        """
        Read a trained estimator.

        Args:
            path: File written by `python -m train.estimates`.
        """
        arrays = load_file(path)
        record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return cls(
            **{name: array.astype(np.float64) for name, array in arrays.items()}, gamma=record["gamma"], record=record
        )

    def standardised(self, table: FactTable) -> np.ndarray:
        """Return the descriptors of crystals as the kernel takes them, `(n, num_descriptors)`; unknown ones are 0."""
        scaled = (descriptors(table, self.elements) - self.mean) / self.scale
        return np.nan_to_num(np.clip(scaled, -_CUT, _CUT), nan=0.0)

    def estimate(self, table: FactTable) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """
        Estimate the properties of crystals.

        Args:
            table: Facts of n crystals.

        Returns:
            By property the estimates and their errors, both `(n,)` float32. NaN where the composition or the volume is
            unknown, and for properties of insulators where a crystal consists of metals.
        """
        inputs = self.standardised(table)
        outputs = np.concatenate(
            [
                kernel(inputs[start : start + _AT_ONCE], self.crystals, self.gamma) @ self.weights
                for start in range(0, max(len(inputs), 1), _AT_ONCE)
            ]
        )
        outputs += self.offsets
        usable = table.known_composition & ~np.isnan(table.number("volume_per_atom"))
        insulators = usable & ~is_alloy(table)
        centred = np.isin(table.number("space_group_number"), list(SYMMETRY_FLAGS["centrosymmetric"]))
        found = {}
        for place, name in enumerate(self.properties):
            how = ESTIMATED[name]
            value, error = values_and_errors(how, outputs[:, 2 * place], outputs[:, 2 * place + 1], self.factors[place])
            if name == "piezoelectric_modulus":
                # The tensor vanishes if there is a centre of symmetry (Neumann's principle).
                value, error = np.where(centred, 0.0, value), np.where(centred, 0.0, error)
            known = insulators if how.of_insulators else usable
            found[name] = tuple(np.where(known, column, np.nan).astype(np.float32) for column in (value, error))
        return found  # type: ignore[return-value]


def kernel(left: np.ndarray, right: np.ndarray, gamma: float) -> np.ndarray:
    """
    Compute the Gaussian kernel exp(-gamma |x - x'|²).

    Args:
        left: `(n, d)`.
        right: `(m, d)`.
        gamma: Width.

    Returns:
        `(n, m)`.
    """
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2.0 * (left @ right.T)
    return np.asarray(np.exp(-gamma * np.maximum(squares, 0.0)))


def values_and_errors(
    how: Estimated, predicted: np.ndarray, log_error: np.ndarray, factor: float
) -> tuple[np.ndarray, np.ndarray]:
    """
    Turn the outputs of the regressions into values and errors in the unit of the property.

    Args:
        how: How the property is estimated.
        predicted: Predicted transformed values, `(n,)`.
        log_error: Predicted logarithms of the errors of the transformed values, `(n,)`.
        factor: Factor of the errors.
    """
    half = np.exp(log_error)
    value = np.maximum(how.inverse(predicted), how.least)
    # Half of the interval that is symmetric before the transform.
    error = factor * (how.inverse(predicted + half) - how.inverse(predicted - half)) / 2.0
    return value, error


def with_estimates(facts: pa.Table, table: pa.Table) -> pa.Table:
    """
    Fill the estimates in a table of facts.

    Args:
        facts: The columns of `FACT_COLUMNS`.
        table: The crystals, in the same order, with formula, volume, density and space group.

    Returns:
        The facts, with estimates where composition and volume are known. They have three significant digits, which is
        more than their errors allow.
    """
    for name, columns in bundled_estimator().estimate(FactTable.from_table(table, facts)).items():
        for column, values in zip((f"estimated_{name}", f"estimated_{name}_error"), columns, strict=True):
            rounded = values.astype(np.float16).astype(np.float32)
            array = pa.array(rounded, mask=~np.isfinite(rounded))
            facts = facts.set_column(facts.column_names.index(column), column, array)
    return facts


@lru_cache(maxsize=1)
def bundled_estimator() -> PropertyEstimator:
    """Load the estimator of the package."""
    return PropertyEstimator.load()


__all__ = [
    "ESTIMATED",
    "ESTIMATES",
    "Estimated",
    "PropertyEstimator",
    "bundled_estimator",
    "descriptors",
    "is_alloy",
    "kernel",
    "values_and_errors",
    "with_estimates",
]
