"""What is known of a crystal when its structure type is looked for."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Collection
from functools import cached_property, lru_cache

import gemmi
import numpy as np

from ...concepts.elements import TRANSITION
from ...concepts.symmetry import crystal_system
from ...crystal_clac import Crystal, neighbor_pairs
from .polyhedra import Polyhedra
from .symmetry import Orbits, canonical_letters, prototype_label

# Elements that are anions next to any metal.
STRONG_ANIONS = frozenset("F O Cl Br I N S Se Te H".split())
# Elements that are anions if nothing in the compound attracts electrons more.
WEAK_ANIONS = frozenset("P As Sb Bi C Si Ge Sn Pb B Po At".split())
# Elements whose compounds with each other are alloys.
_NO_ALLOY = frozenset("F O Cl Br I N S Se H".split())
# Elements to which hydrogen is bound as a proton.
_PROTON_ACCEPTORS = frozenset("F O Cl Br I N S Se Te C P As".split())
# Longest bond between equal atoms, in terms of twice their covalent radius.
_BONDED = 1.2


@lru_cache(maxsize=128)
def electronegativity(symbol: str) -> float:
    """
    Return the Pauling electronegativity of an element, 0 if it has none.

    Args:
        symbol: Symbol of the element.
    """
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        value = Element(symbol).X
    return 0.0 if math.isnan(value) else float(value)


class Evidence:
    """
    Composition, sites and surroundings of a crystal, computed when a rule needs them.

    Args:
        crystal: The crystal.
        orbits: Its sets of equivalent sites.
    """

    def __init__(self, crystal: Crystal, orbits: Orbits) -> None:
        sites = len(orbits.numbers)
        self.crystal = (
            crystal if crystal.occupancy is None else Crystal(orbits.numbers, orbits.positions, crystal.cell, None)
        )
        self.orbits = orbits
        self.group = orbits.space_group
        self.symbols = [gemmi.Element(number).name for number in orbits.numbers.tolist()]
        totals = Counter(self.symbols)
        self.elements = frozenset(totals)
        divisor = math.gcd(*totals.values())
        self.amounts = {symbol: total // divisor for symbol, total in totals.items()}
        self.units = divisor
        self.volume_per_atom = crystal.volume / sites

    @cached_property
    def label(self) -> str:
        """Prototype label."""
        return prototype_label(self.orbits)

    @cached_property
    def letters(self) -> dict[str, str]:
        """Element -> Wyckoff letters in the label, such as `ad`."""
        return canonical_letters(self.orbits)

    @property
    def system(self) -> str:
        """Crystal system."""
        return crystal_system(self.group)

    @property
    def stoichiometry(self) -> tuple[int, ...]:
        """Amounts in the reduced formula, sorted."""
        return tuple(sorted(self.amounts.values()))

    @cached_property
    def anions(self) -> frozenset[str]:
        """Elements that act as anions."""
        # Noble metals attract electrons as much as antimony, and are no anions next to it.
        highest = max(self.elements - TRANSITION or self.elements, key=electronegativity)
        found = {
            symbol
            for symbol in self.elements
            if (symbol in STRONG_ANIONS and len(self.elements) > 1) or (symbol in WEAK_ANIONS and symbol == highest)
        }
        if "H" in found and any(self.is_bonded("H", symbol) for symbol in self.elements & _PROTON_ACCEPTORS):
            found -= {"H"}
        oxidised = frozenset("Cl Br I S Se Te N".split())
        if highest in ("O", "F", "Cl", "Br", "I"):
            found -= {symbol for symbol in found & oxidised - {highest} if self._is_oxidised(symbol, highest)}
        return frozenset(found)

    def _is_oxidised(self, symbol: str, ligand: str) -> bool:
        """Whether all atoms of an element are bound to oxygen or halogens, as in sulfates."""
        lengths = self._nearest(symbol, ligand)
        return bool((lengths < 1.25 * _bond(symbol, ligand)).all())

    def _nearest(self, symbol: str, other: str) -> np.ndarray:
        """Distance of each atom of an element to the nearest one of another, infinite beyond 4 Å."""
        centers, points, _, distances = self._pairs
        names = np.array(self.symbols)
        lengths = np.full(len(names), np.inf)
        chosen = (names[centers] == symbol) & (names[points] == other)
        np.minimum.at(lengths, centers[chosen], distances[chosen])
        return lengths[names == symbol]

    @cached_property
    def _pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return neighbor_pairs(self.crystal, 4.0)

    @cached_property
    def polyhedra(self) -> Polyhedra:
        """Polyhedra of the anions."""
        return Polyhedra(self.crystal, np.array([symbol in self.anions for symbol in self.symbols]))

    def of_amount(self, amount: int) -> frozenset[str]:
        """
        List the elements with an amount in the reduced formula.

        Args:
            amount: Number of atoms.
        """
        return frozenset(symbol for symbol, number in self.amounts.items() if number == amount)

    def anion_amount(self, amount: int) -> bool:
        """
        Whether the anions are exactly the elements with an amount.

        Args:
            amount: Number of atoms in the reduced formula.
        """
        return bool(self.anions) and self.anions == self.of_amount(amount)

    def has(self, *symbols: str) -> bool:
        """Whether one of the elements is present."""
        return not self.elements.isdisjoint(symbols)

    @property
    def is_metallic(self) -> bool:
        """Whether the crystal consists of metals, metalloids and elements that alloys contain (B, C, P, As, Te)."""
        return self.elements.isdisjoint(_NO_ALLOY)

    def at(self, letter: str) -> frozenset[str]:
        """
        List the elements whose only sites have a Wyckoff letter.

        Args:
            letter: Letter in the label.
        """
        return frozenset(symbol for symbol, letters in self.letters.items() if letters == letter)

    def coordination(self, symbol: str) -> frozenset[int]:
        """
        Return the numbers of anions around the atoms of an element.

        Args:
            symbol: Symbol of the element.
        """
        return frozenset(
            self.polyhedra.coordination(site) for site in self._representatives if self.symbols[site] == symbol
        )

    def shapes(self, symbol: str) -> frozenset[str | None]:
        """
        Return the shapes of the polyhedra around the atoms of an element, `None` for other ones.

        Args:
            symbol: Symbol of the element.
        """
        return frozenset(
            self.polyhedra.shapes.get(site) for site in self._representatives if self.symbols[site] == symbol
        )

    @cached_property
    def cations(self) -> frozenset[str]:
        """Elements that are no anions."""
        return self.elements - self.anions

    def all_shapes(self, shape: str, symbols: Collection[str] | None = None) -> bool:
        """
        Whether all atoms of elements have polyhedra of one shape.

        Args:
            shape: The shape.
            symbols: The elements; `None` for all that are no anions.
        """
        chosen = self.cations if symbols is None else symbols
        return bool(chosen) and all(self.shapes(symbol) == {shape} for symbol in chosen)

    @cached_property
    def _representatives(self) -> list[int]:
        return np.unique(self.orbits.orbits, return_index=True)[1].tolist()

    def is_bonded(self, first: str, second: str | None = None) -> bool:
        """
        Whether atoms of elements are bonded to each other.

        Args:
            first: Symbol of an element.
            second: Symbol of another; `None` for the same.
        """
        other = second or first
        lengths = self._nearest(first, other)
        return bool((lengths < _BONDED * _bond(first, other)).any())


def _bond(first: str, second: str) -> float:
    """Sum of covalent radii in Å."""
    return float(gemmi.Element(first).covalent_r + gemmi.Element(second).covalent_r)


__all__ = ["STRONG_ANIONS", "WEAK_ANIONS", "Evidence", "electronegativity"]
