"""Space group of a crystal, and the classes of space groups that the graph tower embeds."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import gemmi
import numpy as np

from .crystal_clac import Crystal, site_of_each_atom

# Tolerances of the symmetry search by spglib, in Å and degrees.
SYMPREC, ANGLE_TOLERANCE = 0.1, 5.0
NUM_SPACE_GROUPS = 230


@lru_cache(maxsize=1)
def _classes() -> tuple[tuple[int, int, int, int], ...]:
    """Classes of the groups 0 to 230, see [`symmetry_classes`]."""
    groups = [gemmi.find_spacegroup_by_number(number) for number in range(1, NUM_SPACE_GROUPS + 1)]
    names = [(group.point_group_hm(), group.crystal_system_str(), group.hm[0]) for group in groups]
    # Numbered in the order in which they first occur.
    points, systems, centrings = (list(dict.fromkeys(kind)) for kind in zip(*names, strict=True))
    numbered = [
        (number, points.index(point) + 1, systems.index(system) + 1, centrings.index(centring) + 1)
        for number, (point, system, centring) in enumerate(names, start=1)
    ]
    return ((0, 0, 0, 0), *numbered)


# Number of classes of each kind in `symmetry_classes`, including 0 for an unknown group: space groups, crystal classes,
# crystal systems and centrings.
CLASS_SIZES = (NUM_SPACE_GROUPS + 1, 33, 8, 7)


def find_space_group(crystal: Crystal) -> int:
    """
    Find the space group of a crystal, see [`find_symmetry`].

    Args:
        crystal: The crystal.

    Returns:
        Number of the space group, 1 to 230; 0 if spglib finds none.
    """
    found = find_symmetry(crystal)
    return 0 if found is None else found[0]


def find_symmetry(crystal: Crystal) -> tuple[int, str] | None:
    """
    Find number and symbol of the space group of a crystal with spglib, within `SYMPREC` and `ANGLE_TOLERANCE`.

    Positions of a disordered crystal are equivalent only if they have the same elements with the same occupancies.

    Args:
        crystal: The crystal.

    Returns:
        The number, 1 to 230, and the Hermann-Mauguin symbol in the standard setting, such as `P6_3/mmc`; `None` if
        spglib finds no space group.
    """
    # spglib writes to stderr what it tried in vain, which says nothing about the result.
    os.environ.setdefault("SPGLIB_WARNING", "OFF")
    import spglib

    kinds, first = _kinds_of_sites(crystal)
    fractional = np.linalg.solve(crystal.cell.T, crystal.positions[first].T).T
    cell: Any = (crystal.cell, fractional, kinds)
    try:
        found = spglib.get_symmetry_dataset(cell, symprec=SYMPREC, angle_tolerance=ANGLE_TOLERANCE)
    # For some unusual cells spglib raises errors that depend on its version. They are valid crystals nevertheless.
    except Exception:
        found = None
    return None if found is None else (int(found.number), str(found.international))


def _kinds_of_sites(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """Number the sites by what occupies them, and return the first atom of each site."""
    if crystal.occupancy is None:
        return crystal.atomic_numbers, np.arange(len(crystal))
    site = site_of_each_atom(crystal)
    occupants: dict[int, list[tuple[int, float]]] = {}
    first: dict[int, int] = {}
    atoms = zip(site.tolist(), crystal.atomic_numbers.tolist(), crystal.occupancy.round(3).tolist(), strict=True)
    for atom, (place, number, share) in enumerate(atoms):
        occupants.setdefault(place, []).append((number, share))
        first.setdefault(place, atom)
    kinds: dict[tuple[tuple[int, float], ...], int] = {}
    numbers = [kinds.setdefault(tuple(sorted(own)), len(kinds)) for own in occupants.values()]
    return np.array(numbers), np.array(list(first.values()))


def symmetry_classes(space_group: int) -> tuple[int, int, int, int]:
    """
    Number the classes that a space group belongs to.

    Args:
        space_group: Number of the space group; 0 if unknown.

    Returns:
        The space group, its crystal class (point group), crystal system and centring, each counted from 1; zeros if
        unknown. Together, system and centring are the Bravais lattice.
    """
    return _classes()[space_group]


__all__ = [
    "ANGLE_TOLERANCE",
    "CLASS_SIZES",
    "NUM_SPACE_GROUPS",
    "SYMPREC",
    "find_space_group",
    "find_symmetry",
    "symmetry_classes",
]
