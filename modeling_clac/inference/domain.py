"""
What the training crystals cover: elements, packing and neighbours.

Far from everything in training, a model still returns a vector, and its answers may be arbitrary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gemmi
import numpy as np

from ..crystal_clac import Crystal

# An element counts as known if at least this many training crystals contain it.
MIN_CRYSTALS = 5
# Share of training crystals on each side of the accepted range of packing fractions.
PACKING_TAIL = 0.0025
# Number of nearest training crystals whose mean cosine measures the distance of a crystal.
NEIGHBORS = 10

_FAR = "far from the training crystals"
_RADII = np.array([gemmi.Element(number).covalent_r for number in range(119)])


@dataclass(frozen=True)
class CrystalDomain:
    """
    The elements of the training crystals, and the range of their packing fractions.

    Attributes:
        elements: Number of training crystals that contain each element, by symbol.
        packing: Smallest and largest accepted packing fraction, see [`packing_fraction`].
    """

    elements: Mapping[str, int]
    packing: tuple[float, float]

    @classmethod
    def of_crystals(cls, crystals: Sequence[Crystal]) -> CrystalDomain:
        """Collect the elements and the range of packing fractions of crystals."""
        counts = Counter(number for crystal in crystals for number in np.unique(crystal.atomic_numbers).tolist())
        elements = {gemmi.Element(number).name: counts[number] for number in sorted(counts)}
        fractions = [packing_fraction(crystal) for crystal in crystals]
        low, high = np.quantile(fractions, [PACKING_TAIL, 1.0 - PACKING_TAIL])
        return cls(elements, (float(low), float(high)))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CrystalDomain:
        """Read what `to_json` wrote."""
        low, high = content["packing"]
        return cls({str(name): int(count) for name, count in content["elements"].items()}, (float(low), float(high)))

    def to_json(self) -> dict[str, Any]:
        """Convert to values that JSON has."""
        return {"elements": dict(self.elements), "packing": list(self.packing)}

    def note(self, crystal: Crystal) -> str | None:
        """Return one line on a crystal with a rare element or an unusual packing fraction, else `None`."""
        symbols = [gemmi.Element(number).name for number in np.unique(crystal.atomic_numbers).tolist()]
        for symbol in symbols:
            count = self.elements.get(symbol, 0)
            if count < MIN_CRYSTALS:
                amount = {0: "no training crystal contains", 1: "a single training crystal contains"}
                return f"{_FAR}: {amount.get(count, f'only {count} training crystals contain')} {symbol}"
        fraction = packing_fraction(crystal)
        low, high = self.packing
        if not low <= fraction <= high:
            found = f"{fraction:.2g} of the cell is within covalent radii"
            return f"{_FAR}: {found} ({low:.2g} to {high:.2g} in training)"
        return None


def packing_fraction(crystal: Crystal) -> float:
    """
    Return the volume of spheres of covalent radius over that of the cell. Overlaps count twice, so it can exceed 1.

    Args:
        crystal: The crystal; atoms count by their occupancy.
    """
    spheres = 4.0 / 3.0 * np.pi * _RADII[crystal.atomic_numbers] ** 3
    return float((spheres * crystal.weights).sum() / crystal.volume)


def neighbor_cosines(embeds: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """
    Compute the mean cosine of each crystal with its `NEIGHBORS` nearest reference crystals.

    Args:
        embeds: Unit vectors `(num_crystals, dim)`.
        reference: Unit vectors `(num_reference, dim)`.

    Returns:
        `(num_crystals,)`; smaller values are farther away.
    """
    count = min(NEIGHBORS, len(reference))
    found = np.empty(len(embeds))
    # In blocks, which bound the memory.
    for start in range(0, len(embeds), 1024):
        cosines = embeds[start : start + 1024] @ reference.T
        found[start : start + 1024] = np.partition(cosines, -count, axis=1)[:, -count:].mean(axis=1)
    return found


__all__ = [
    "MIN_CRYSTALS",
    "NEIGHBORS",
    "CrystalDomain",
    "neighbor_cosines",
    "packing_fraction",
]
