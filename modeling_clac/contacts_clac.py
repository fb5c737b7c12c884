"""Atoms that are close to each other: which of them can be present together, and which are too close."""

from __future__ import annotations

import math

import gemmi
import numpy as np

from .crystal_clac import OCCUPANCY_TOLERANCE, SAME_SITE, Crystal, neighbor_pairs

# In Å. Real bonds are longer than 0.7 Å (H-H); a shorter distance than this means a duplicated or misplaced atom.
MIN_DISTANCE = 0.3
# Shortest distance as a share of the sum of the covalent radii. It is 0.65 or more in the bundled crystals.
MIN_DISTANCE_SHARE = 0.5
# In Å (Cordero et al. 2008, doi 10.1039/b801115j).
_COVALENT_RADII = np.array([gemmi.Element(number).covalent_r for number in range(119)])
# Partly occupied atoms closer than this share of the sum of their covalent radii are alternatives. Bonds are longer
# than 0.8 times the sum, and split positions, such as those of Li in garnets, closer than 0.7 times.
_EXCLUSION_SHARE = 0.75


def allowed_pairs(crystal: Crystal, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """
    Find the periodic neighbours of each atom that can be present together with it.

    Two atoms exclude each other if they are on one site, or if the occupancies of their two sites add up to at most 1
    and they are closer than 0.75 times the sum of their covalent radii, as split positions are.

    Args:
        crystal: The crystal.
        radius: Radius in Å.

    Returns:
        See [`neighbor_pairs`]; for an ordered crystal the same.
    """
    pairs = neighbor_pairs(crystal, radius)
    if crystal.occupancy is None:
        return pairs
    centers, points, _, distances = pairs
    same = distances < SAME_SITE
    # Occupancy of the site of each atom, so that it does not matter into how many atoms a site is divided.
    on_site = crystal.occupancy + np.bincount(
        centers[same], weights=crystal.occupancy[points[same]], minlength=len(crystal)
    )
    radii = _COVALENT_RADII[crystal.atomic_numbers]
    close = distances < _EXCLUSION_SHARE * (radii[centers] + radii[points])
    limit = 1.0 + OCCUPANCY_TOLERANCE
    excluded = same & (on_site[centers] <= limit) | close & (on_site[centers] + on_site[points] <= limit)
    return centers[~excluded], points[~excluded], pairs[2][~excluded], distances[~excluded]


def shortest_contact(crystal: Crystal, radius: float) -> tuple[float, float]:
    """
    Find the two atoms that are closest, compared with the sum of their covalent radii. See [`allowed_pairs`].

    Args:
        crystal: The crystal.
        radius: Radius in Å within which atoms are compared.

    Returns:
        Their distance divided by the sum of the radii, and the distance in Å; infinity if there are no two atoms.
    """
    centers, points, _, distances = allowed_pairs(crystal, radius)
    if not len(distances):
        return math.inf, math.inf
    radii = _COVALENT_RADII[crystal.atomic_numbers]
    ratios = distances / (radii[centers] + radii[points])
    closest = ratios.argmin()
    return float(ratios[closest]), float(distances[closest])


def overlapping_atoms(crystal: Crystal, edge_index: np.ndarray, squared: np.ndarray) -> tuple[int, int, float] | None:
    """
    Find two atoms that are too close to be a crystal: closer than half the sum of their covalent radii. In the bundled
    crystals the shortest distance is 0.65 times the sum.

    Args:
        crystal: The crystal.
        edge_index: `(2, E)`, pairs of atoms.
        squared: `(E,)`, their squared distances in Å².

    Returns:
        Numbers of two atoms and their distance in Å, or `None`.
    """
    if not len(squared):
        return None
    radii = _COVALENT_RADII[crystal.atomic_numbers]
    shortest = float(squared.min())
    if shortest >= max(2 * MIN_DISTANCE_SHARE * float(radii.max()), MIN_DISTANCE) ** 2:
        return None
    source, target = edge_index
    limits = np.maximum(MIN_DISTANCE_SHARE * (radii[source] + radii[target]), MIN_DISTANCE)
    worst = int((squared / (limits * limits)).argmin())
    if squared[worst] >= limits[worst] ** 2:
        return None
    return int(source[worst]), int(target[worst]), float(squared[worst]) ** 0.5


__all__ = ["MIN_DISTANCE", "MIN_DISTANCE_SHARE", "allowed_pairs", "overlapping_atoms", "shortest_contact"]
