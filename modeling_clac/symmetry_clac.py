"""Space group of a crystal, and the classes of space groups that the graph tower embeds."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import gemmi
import numpy as np

from .crystal_clac import Crystal, site_of_each_atom
from .neighbors_clac import find_neighbors

# Tolerances of the symmetry search by spglib, in Å and degrees.
SYMPREC, ANGLE_TOLERANCE = 0.1, 5.0
NUM_SPACE_GROUPS = 230
# Product of the numbers of all atoms and of those of the rarest kind up to which a symmetry search takes seconds.
_MAX_WORK = 300_000
# Displacements that are tried to estimate the work, and the share of the atoms that they move onto atoms on average
# above which the search takes minutes.
_NUM_TRIED, _NEARLY_PERIODIC = 5, 0.1


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
        spglib finds no space group, or would search for minutes, see [`is_searchable`].
    """
    # spglib writes to stderr what it tried in vain, which says nothing about the result.
    os.environ.setdefault("SPGLIB_WARNING", "OFF")
    import spglib

    kinds, first = _kinds_of_sites(crystal)
    if not is_searchable(crystal.positions[first], kinds, crystal.cell):
        return None
    fractional = np.linalg.solve(crystal.cell.T, crystal.positions[first].T).T
    cell: Any = (crystal.cell, fractional, kinds)
    try:
        found = spglib.get_symmetry_dataset(cell, symprec=SYMPREC, angle_tolerance=ANGLE_TOLERANCE)
    # For some unusual cells spglib raises errors that depend on its version. They are valid crystals nevertheless.
    except Exception:
        found = None
    return None if found is None else (int(found.number), str(found.international))


def is_searchable(positions: np.ndarray, kinds: np.ndarray, cell: np.ndarray) -> bool:
    """
    Whether the symmetry of a cell can be searched in seconds.

    It can unless the cell is large and nearly a supercell, such as that of an element with one vacancy. Then many of
    the displacements that could be symmetry fail only at the last atom.

    Args:
        positions: `(num_sites, 3)` in Å.
        kinds: `(num_sites,)`, equal for equal sites.
        cell: `(3, 3)`, lattice vectors as rows in Å.
    """
    _, kind, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    if counts.min() * len(kind) <= _MAX_WORK:
        return True
    rare = positions[kind == counts.argmin()]
    displacements = rare[1:] - rare[0]
    fractional = np.linalg.solve(cell.T, displacements.T).T
    displacements = (fractional - np.rint(fractional)) @ cell
    shortest = displacements[np.argsort(np.linalg.norm(displacements, axis=1), kind="stable")[:_NUM_TRIED]]
    if any(_share_moved_onto(positions, kind, cell, displacement) == 1.0 for displacement in shortest):
        return True  # a supercell, which is reduced first
    spread = displacements[:: max(1, len(displacements) // _NUM_TRIED)]
    return float(np.mean([_share_moved_onto(positions, kind, cell, own) for own in spread])) < _NEARLY_PERIODIC


def _share_moved_onto(positions: np.ndarray, kinds: np.ndarray, cell: np.ndarray, displacement: np.ndarray) -> float:
    """Share of the sites that a displacement moves onto equal sites."""
    count = len(positions)
    centers, points, *_ = find_neighbors(np.concatenate([positions, positions + displacement]), cell, SYMPREC)
    onto = (centers < count) & (points >= count)
    return len(np.unique(points[onto & (kinds[centers % count] == kinds[points % count])])) / count


def _kinds_of_sites(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    """Number the sites by what occupies them, and return the first atom of each site."""
    if crystal.occupancy is None:
        return crystal.atomic_numbers, np.arange(len(crystal))
    site = site_of_each_atom(crystal)
    occupants: dict[int, dict[int, float]] = {}
    first: dict[int, int] = {}
    atoms = zip(site.tolist(), crystal.atomic_numbers.tolist(), crystal.occupancy.tolist(), strict=True)
    for atom, (place, number, share) in enumerate(atoms):
        # A site may list an element twice.
        own = occupants.setdefault(place, {})
        own[number] = own.get(number, 0.0) + share
        first.setdefault(place, atom)
    kinds: dict[tuple[tuple[int, float], ...], int] = {}
    rounded = (tuple(sorted((number, round(share, 3)) for number, share in own.items())) for own in occupants.values())
    numbers = [kinds.setdefault(own, len(kinds)) for own in rounded]
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
    "is_searchable",
    "symmetry_classes",
]
