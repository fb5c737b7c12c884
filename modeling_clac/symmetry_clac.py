"""Space group of a crystal, and the classes of space groups that the graph tower embeds."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np

from .crystal_clac import Crystal, site_of_each_atom

# Tolerances of the symmetry search by spglib, in Å and degrees.
SYMPREC, ANGLE_TOLERANCE = 0.1, 5.0
NUM_SPACE_GROUPS = 230
# Last space group of each crystal system, triclinic to cubic, and of each of the 32 crystal classes (International
# Tables for Crystallography, volume A, table 3.2.3.2).
_LAST_OF_SYSTEMS = (2, 15, 74, 142, 167, 194, 230)
_LAST_OF_CLASSES = (
    1, 2, 5, 9, 15, 24, 46, 74, 80, 82, 88, 98, 110, 122, 142, 146, 148, 155, 161, 167, 173, 174, 176, 182, 186, 190,
    194, 199, 206, 214, 220, 230,
)  # fmt: skip
# Numbers of the groups with a centred lattice; all others are primitive.
_CENTRINGS = {
    "C": (5, 8, 9, 12, 15, 20, 21, 35, 36, 37, *range(63, 69)),
    "A": (38, 39, 40, 41),
    "F": (22, 42, 43, 69, 70, 196, 202, 203, 209, 210, 216, 219, *range(225, 229)),
    "I": (
        23, 24, 44, 45, 46, 71, 72, 73, 74, 79, 80, 82, 87, 88, 97, 98, *range(107, 111), *range(119, 123),
        *range(139, 143), 197, 199, 204, 206, 211, 214, 217, 220, 229, 230,
    ),
    "R": (146, 148, 155, 160, 161, 166, 167),
}  # fmt: skip
_CENTRING_OF = {number: place for place, groups in enumerate(_CENTRINGS.values(), start=1) for number in groups}
# Number of classes of each kind in `symmetry_classes`, including 0 for an unknown group.
CLASS_SIZES = (NUM_SPACE_GROUPS + 1, len(_LAST_OF_CLASSES) + 1, len(_LAST_OF_SYSTEMS) + 1, len(_CENTRINGS) + 2)


def find_space_group(crystal: Crystal) -> int:
    """
    Find the space group of a crystal with spglib, within `SYMPREC` and `ANGLE_TOLERANCE`.

    Positions of a disordered crystal are equivalent only if they have the same elements with the same occupancies.

    Args:
        crystal: The crystal.

    Returns:
        Number of the space group, 1 to 230; 0 if spglib finds none.
    """
    import spglib

    kinds, first = _kinds_of_sites(crystal)
    fractional = np.linalg.solve(crystal.cell.T, crystal.positions[first].T).T
    cell: Any = (crystal.cell, fractional, kinds)
    try:
        found = spglib.get_symmetry_dataset(cell, symprec=SYMPREC, angle_tolerance=ANGLE_TOLERANCE)
    # For some unusual cells spglib raises errors that depend on its version. They are valid crystals nevertheless.
    except Exception:
        found = None
    return 0 if found is None else int(found.number)


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
    if not space_group:
        return (0, 0, 0, 0)
    return (
        space_group,
        bisect_left(_LAST_OF_CLASSES, space_group) + 1,
        bisect_left(_LAST_OF_SYSTEMS, space_group) + 1,
        _CENTRING_OF.get(space_group, 0) + 1,
    )


__all__ = ["ANGLE_TOLERANCE", "CLASS_SIZES", "NUM_SPACE_GROUPS", "SYMPREC", "find_space_group", "symmetry_classes"]
