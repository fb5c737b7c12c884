"""Crystals as validated arrays: the type that every reader returns, and the checks that hold for all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gemmi
import numpy as np

from .errors_clac import ClacInputError, InvalidStructureError
from .neighbors_clac import check_extent, find_neighbors

MAX_ATOMS = 10_000
# In g/cm³. Hydrogen at low temperature has 0.09, osmium 22.6, and the densest crystals under pressure somewhat more.
DENSITY_RANGE = (0.1, 30.0)
# Refined occupancies, and their sums on one site, that differ by less than this from 1 are 1.
OCCUPANCY_TOLERANCE = 0.02
# Smaller occupancies are zero: even traces are more.
_LEAST_OCCUPANCY = 1e-9
DISORDER = ("keep", "refuse", "order")
# Atoms closer than this, in Å, share one site. CIFs round coordinates to 3-6 decimals.
SAME_SITE = 0.05
_MIN_VOLUME = 1e-3
# In Å. Longer lattice vectors, and coordinates farther from the origin, have lost their unit.
MAX_LENGTH, _MAX_COORDINATE = 10_000, 1e6
_ATOMIC_MASSES = np.array([gemmi.Element(number).weight for number in range(119)])
# One unified atomic mass unit per Å³ (CODATA 2018).
_GRAMS_PER_CM3 = 1.66053906660


@dataclass(frozen=True)
class ReadingOptions:
    """
    How structures are read.

    Attributes:
        max_atoms: Maximum number of atoms in a cell; larger cells are rejected. `None` accepts any size.
        disorder: What to do with sites that are mixed or partly occupied: `"keep"` their occupancies, `"refuse"` the
            structure, or `"order"` it (the most even ordered cell).
        strict: Whether a structure that was read with a warning is an error.

    Raises:
        ClacInputError: If `disorder` is none of these.
    """

    max_atoms: int | None = MAX_ATOMS
    disorder: str = "keep"
    strict: bool = False

    def __post_init__(self) -> None:
        if self.disorder not in DISORDER:
            raise ClacInputError(f"disorder={self.disorder!r}: choose keep, refuse or order")


@dataclass(frozen=True)
class Crystal:
    """
    A periodic crystal. Atoms of a mixed site have the same position; their occupancies add up to at most 1.

    Attributes:
        atomic_numbers: `(num_atoms,)` int64.
        positions: `(num_atoms, 3)` float64, Cartesian coordinates in Å.
        cell: `(3, 3)` float64, lattice vectors as rows in Å.
        occupancy: `(num_atoms,)` float64 in (0, 1], or `None` if all atoms are fully occupied.
        warnings: What the input states and was not used, or was read with doubt; one line each, without the name of
            the input.
        space_group: Number of the space group, 0 if it has none, as `find_space_group` determines it; `None` before it
            is determined.
    """

    atomic_numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    occupancy: np.ndarray | None = None
    warnings: tuple[str, ...] = ()
    space_group: int | None = None

    def __len__(self) -> int:
        return len(self.atomic_numbers)

    @property
    def is_ordered(self) -> bool:
        """Whether all atoms are fully occupied."""
        return self.occupancy is None

    @property
    def weights(self) -> np.ndarray:
        """Occupancy of each atom, `(num_atoms,)` float64; ones for an ordered crystal."""
        return np.ones(len(self)) if self.occupancy is None else self.occupancy

    @property
    def num_occupied(self) -> float:
        """Sum of the occupancies: the mean number of atoms in the cell."""
        return float(len(self)) if self.occupancy is None else float(self.occupancy.sum())

    @cached_property
    def volume(self) -> float:
        """Volume of the cell in Å³."""
        return _volume(self.cell)

    @property
    def density(self) -> float:
        """Mass density in g/cm³, with the natural isotope composition."""
        masses = _ATOMIC_MASSES[self.atomic_numbers]
        if self.occupancy is not None:
            masses = masses * self.occupancy
        return density_of(float(masses.sum()), self.volume)

    def _repr_html_(self) -> str:
        """Drawing for notebooks."""
        from .crystal_drawing_clac import drawing

        return drawing(self)


def _volume(cell: np.ndarray) -> float:
    """|a · (b x c)| of a cell `(3, 3)`, in Å³. Takes a tenth of the time of `numpy.linalg.det`."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = cell.tolist()
    return abs(ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx))


def density_of(mass: float, volume: float) -> float:
    """
    Return a density in g/cm³.

    Args:
        mass: Mass in unified atomic mass units.
        volume: Volume in Å³.
    """
    return mass / volume * _GRAMS_PER_CM3


def atomic_mass(atomic_number: int) -> float:
    """Return the mass of an element with the natural isotope composition, in unified atomic mass units."""
    return float(_ATOMIC_MASSES[atomic_number])


def make_crystal(
    label: str,
    atomic_numbers: Any,
    positions: Any,
    cell: Any,
    occupancy: Any = None,
    warnings: tuple[str, ...] = (),
    names: Sequence[str] | None = None,
) -> Crystal:
    """
    Build a crystal from arrays.

    Atoms whose occupancy is 0 are left out, and atoms of one element on one site, such as two isotopes or two oxidation
    states, become one. If the occupancies on one site add up to 1 within `OCCUPANCY_TOLERANCE`, as refined values do,
    they are scaled to 1.

    Args:
        label: Name of the structure in error messages.
        atomic_numbers: `(num_atoms,)`.
        positions: `(num_atoms, 3)`, Cartesian coordinates in Å.
        cell: `(3, 3)`, lattice vectors as rows in Å.
        occupancy: `(num_atoms,)`; `None` if all atoms are fully occupied.
        warnings: Warnings of the crystal.
        names: Names of the atoms in error messages, such as labels of their sites. If given, fully occupied atoms on
            one site are an error as well.

    Raises:
        InvalidStructureError: If the arrays do not describe a crystal, an occupancy is not in [0, 1], or those of one
            site add up to more than 1.
    """
    try:
        numbers = np.asarray(atomic_numbers, dtype=np.int64).reshape(-1)
        places = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
        vectors = np.asarray(cell, dtype=np.float64).reshape(3, 3)
        shares = None if occupancy is None else np.asarray(occupancy, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidStructureError(f"{label}: arrays do not describe a crystal ({error})") from None
    if len(places) != len(numbers):
        raise InvalidStructureError(
            f"{label}: {len(numbers)} atomic numbers but {len(places)} positions; give one position for each atom"
        )
    if shares is not None and len(shares) != len(numbers):
        raise InvalidStructureError(
            f"{label}: {len(numbers)} atomic numbers but {len(shares)} occupancies; give one occupancy for each atom"
        )
    if shares is None or (shares == 1.0).all():
        if names is None:
            return Crystal(numbers, places, vectors, None, warnings)
        shares = np.ones(len(numbers))
    bad = np.flatnonzero(~((shares >= 0.0) & (shares <= 1.0 + OCCUPANCY_TOLERANCE)))
    if len(bad):
        raise InvalidStructureError(
            f"{label}: atom {bad[0] + 1} ({_symbol(numbers[bad[0]])}) has occupancy {shares[bad[0]]:g}; expected 0 to 1"
        )
    kept = np.flatnonzero(shares > _LEAST_OCCUPANCY)
    crystal = Crystal(numbers[kept], places[kept], vectors, shares[kept], warnings)
    check_crystal(crystal, label, None)
    shares, first = _site_occupancies(
        crystal, label, None if names is None else [names[atom] for atom in kept.tolist()]
    )
    numbers, places, shares = crystal.atomic_numbers[first], crystal.positions[first], shares[first]
    return Crystal(numbers, places, vectors, None if (shares == 1.0).all() else shares, warnings)


def _site_occupancies(crystal: Crystal, label: str, names: Sequence[str] | None) -> tuple[np.ndarray, np.ndarray]:
    """
    Check the sums of the occupancies on each site, and add up those of one element.

    Returns:
        Occupancies `(num_atoms,)`, scaled to 1 on sites where they nearly are, and the atoms to keep: one for each
        element on a site.
    """
    shares, site = crystal.weights.copy(), site_of_each_atom(crystal)
    sums = np.bincount(site, weights=shares)
    over = np.flatnonzero(sums > 1.0 + OCCUPANCY_TOLERANCE + 1e-9)
    if len(over):
        members = np.flatnonzero(site == over[0])
        species = " + ".join(
            f"{_symbol(crystal.atomic_numbers[i]) if names is None else names[i]} {shares[i]:g}"
            for i in members.tolist()
        )
        x, y, z = np.linalg.solve(crystal.cell.T, crystal.positions[members[0]]) % 1.0
        raise InvalidStructureError(
            f"{label}: {species} overlap (site at {x:.4g}, {y:.4g}, {z:.4g}): their occupancies add up to "
            f"{sums[over[0]]:.4g}; expected at most 1, so correct the occupancies or the positions"
        )
    nearly = np.abs(sums - 1.0) <= OCCUPANCY_TOLERANCE + 1e-9
    scale = np.where(nearly, 1.0 / np.where(nearly, sums, 1.0), 1.0)
    shares *= scale[site]
    _, first, kind = np.unique(site * 128 + crystal.atomic_numbers, return_index=True, return_inverse=True)
    if len(first) < len(shares):
        shares[first] = np.bincount(kind, weights=shares)
    shares[np.abs(shares - 1.0) < 1e-12] = 1.0
    return shares, np.sort(first)


def site_of_each_atom(crystal: Crystal) -> np.ndarray:
    """
    Find the atoms that share a site, as the species of a mixed site do.

    Args:
        crystal: The crystal.

    Returns:
        Number of the site of each atom, `(num_atoms,)` int64. Sites are numbered from 0 in the order of their first
        atoms.
    """
    site = np.arange(len(crystal))
    centers, points, *_ = neighbor_pairs(crystal, SAME_SITE)
    for center, point in zip(centers.tolist(), points.tolist(), strict=True):
        first, second = sorted((site[center], site[point]))
        site[site == second] = first
    return np.unique(site, return_inverse=True)[1]


def _symbol(atomic_number: int) -> str:
    return gemmi.Element(int(atomic_number)).name


def crystal_from_pymatgen(structure: Any, label: str) -> Crystal:
    """
    Convert a pymatgen `Structure`. Isotopes become their elements; the species of a mixed site become atoms with
    occupancies.

    Args:
        structure: The structure.
        label: Name of the structure in error messages.

    Raises:
        InvalidStructureError: If a species is not an element, or the occupancies are invalid.
    """
    unknown = [species.symbol for species in structure.composition if not 1 <= species.Z <= 118]
    if unknown:
        raise InvalidStructureError(f"{label}: unknown element {unknown[0]!r}; use symbols of the periodic table")
    doubts = partly_periodic(structure.lattice.pbc)
    matrix = structure.lattice.matrix
    if structure.is_ordered:
        return make_crystal(label, structure.atomic_numbers, structure.cart_coords, matrix, warnings=doubts)
    numbers, positions, shares = [], [], []
    for site in structure:
        for species, amount in site.species.items():
            numbers.append(species.Z)
            positions.append(site.coords)
            shares.append(amount)
    return make_crystal(label, numbers, positions, matrix, shares, doubts)


def partly_periodic(periodic: Iterable[bool]) -> tuple[str, ...]:
    """
    Return the warnings about a structure that is not stated to be periodic along all lattice vectors.

    Args:
        periodic: Whether it is periodic along each of them.
    """
    directions = sum(map(bool, periodic))
    if directions == 3:
        return ()
    return (f"periodic in {directions} directions only (pbc); read as periodic in all three",)


def check_size(num_atoms: int, label: str, max_atoms: int | None, at_least: bool = False) -> None:
    """
    Check the number of atoms in a cell.

    Args:
        num_atoms: Number of atoms.
        label: Name of the structure in error messages.
        max_atoms: Maximum number of atoms. `None` accepts any size.
        at_least: Whether not all atoms were counted.

    Raises:
        InvalidStructureError: If there are more.
    """
    if max_atoms is not None and num_atoms > max_atoms:
        raise InvalidStructureError(
            f"{label}: {'at least ' if at_least else ''}{num_atoms:,} atoms in the cell exceed the limit of "
            f"{max_atoms:,}; increase max_atoms (--max-atoms) to accept them"
        )


def check_crystal(crystal: Crystal, label: str, max_atoms: int | None) -> str:
    """
    Check what holds for each crystal, whatever it was read from.

    Args:
        crystal: The crystal.
        label: Name of the structure in error messages.
        max_atoms: Maximum number of atoms in a cell. `None` accepts any size.

    Returns:
        A warning about a density that hardly any crystal has, or an empty string.

    Raises:
        InvalidStructureError: If the crystal has no atoms, too many, no volume, an unknown element, or numbers that are
            not finite.
    """
    if len(crystal) == 0:
        raise InvalidStructureError(f"{label}: no atoms in the cell; give at least one")
    check_size(len(crystal), label, max_atoms)
    if not math.isfinite(crystal.cell.sum()) and not np.isfinite(crystal.cell).all():
        raise InvalidStructureError(f"{label}: cell contains NaN or infinite values; check the lattice vectors")
    if not crystal.cell.any():
        raise InvalidStructureError(f"{label}: no cell; CLaC reads periodic crystals only")
    if crystal.volume < _MIN_VOLUME:
        raise InvalidStructureError(f"{label}: cell has no volume; check the lattice vectors")
    if not crystal.volume <= MAX_LENGTH and not np.abs(crystal.cell).max() <= MAX_LENGTH:
        raise InvalidStructureError(
            f"{label}: lattice vector of {np.linalg.norm(crystal.cell, axis=1).max():,.0f} Å; expected at most "
            f"{MAX_LENGTH:,} Å, so check the unit of the cell"
        )
    # If the sum is finite, so are its terms: one pass is enough for a valid structure.
    if not math.isfinite(crystal.positions.sum()) and not np.isfinite(crystal.positions).all():
        bad = np.flatnonzero(~np.isfinite(crystal.positions).all(axis=1))
        raise InvalidStructureError(f"{label}: coordinates of atom {bad[0] + 1} are NaN or infinite; correct them")
    if not (crystal.positions.max() <= _MAX_COORDINATE and crystal.positions.min() >= -_MAX_COORDINATE):
        far = np.flatnonzero(np.abs(crystal.positions).max(axis=1) > _MAX_COORDINATE)[0]
        raise InvalidStructureError(
            f"{label}: atom {far + 1} is {np.abs(crystal.positions[far]).max():.3g} Å from the origin; expected at "
            f"most {_MAX_COORDINATE:,.0f} Å, so check the unit of the coordinates"
        )
    check_extent(crystal.positions, crystal.cell, label)
    smallest, largest = int(crystal.atomic_numbers.min()), int(crystal.atomic_numbers.max())
    if smallest < 1 or largest > 118:
        wrong = np.flatnonzero((crystal.atomic_numbers < 1) | (crystal.atomic_numbers > 118))
        raise InvalidStructureError(
            f"{label}: atom {wrong[0] + 1} has atomic number {crystal.atomic_numbers[wrong[0]]}; expected 1 to 118"
        )
    return _implausible_density(crystal, smallest, largest)


def _implausible_density(crystal: Crystal, smallest: int, largest: int) -> str:
    low, high = DENSITY_RANGE
    atoms = crystal.num_occupied / crystal.volume * _GRAMS_PER_CM3
    # The lightest and the heaviest element give bounds, which are enough for most crystals.
    if _ATOMIC_MASSES[smallest] * atoms >= low and _ATOMIC_MASSES[largest] * atoms <= high:
        return ""
    density = crystal.density
    if low <= density <= high:
        return ""
    return f"density: {density:.3g} g/cm³; expected {low:g} to {high:g}, so check the cell (in Å) and the symmetry"


def refuse_disorder(crystal: Crystal, label: str) -> None:
    """
    Check that all atoms of a crystal are fully occupied.

    Args:
        crystal: The crystal.
        label: Name of the structure in error messages.

    Raises:
        InvalidStructureError: If a site is mixed or partly occupied.
    """
    if crystal.occupancy is not None:
        atom = int(np.flatnonzero(crystal.occupancy < 1.0)[0])
        raise InvalidStructureError(
            f"{label}: atom {atom + 1} ({_symbol(crystal.atomic_numbers[atom])}) has occupancy "
            f"{crystal.occupancy[atom]:g}; accept disorder with disorder='keep' (--disorder keep), or order the "
            "crystal with disorder='order'"
        )


def neighbor_pairs(crystal: Crystal, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """
    Find all periodic neighbours closer than a radius, see [`find_neighbors`].

    Args:
        crystal: The crystal.
        radius: Radius in Å.

    Returns:
        Centre atoms `(E,)`, neighbour atoms `(E,)`, lattice images `(E, 3)`, and distances `(E,)` in Å.
    """
    return find_neighbors(crystal.positions, crystal.cell, radius)


__all__ = [
    "DENSITY_RANGE",
    "DISORDER",
    "MAX_ATOMS",
    "MAX_LENGTH",
    "OCCUPANCY_TOLERANCE",
    "SAME_SITE",
    "Crystal",
    "ReadingOptions",
    "atomic_mass",
    "check_crystal",
    "check_size",
    "crystal_from_pymatgen",
    "density_of",
    "make_crystal",
    "neighbor_pairs",
    "partly_periodic",
    "refuse_disorder",
    "site_of_each_atom",
]
