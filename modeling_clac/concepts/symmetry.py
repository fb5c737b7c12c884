"""Crystal systems and classes of space groups."""

from __future__ import annotations

from functools import lru_cache

import gemmi

# In order of increasing symmetry (International Tables for Crystallography, volume A).
CRYSTAL_SYSTEMS: dict[str, range] = {
    "triclinic": range(1, 3),
    "monoclinic": range(3, 16),
    "orthorhombic": range(16, 75),
    "tetragonal": range(75, 143),
    "trigonal": range(143, 168),
    "hexagonal": range(168, 195),
    "cubic": range(195, 231),
}
# Trigonal groups with a rhombohedral lattice: R3, R-3, R32, R3m, R3c, R-3m, R-3c.
RHOMBOHEDRAL = frozenset({146, 148, 155, 160, 161, 166, 167})

POINT_GROUPS: dict[str, frozenset[int]] = {}
for _number in range(1, 231):
    _class = gemmi.find_spacegroup_by_number(_number).point_group_hm().replace("-4m2", "-42m").replace("-62m", "-6m2")
    POINT_GROUPS[_class] = POINT_GROUPS.get(_class, frozenset()) | {_number}


def groups_of_classes(*point_groups: str) -> frozenset[int]:
    """
    Collect the space groups of point groups.

    Args:
        point_groups: Hermann-Mauguin symbols, such as `mm2`.
    """
    return frozenset().union(*(POINT_GROUPS[name] for name in point_groups))


# Crystal physics after Nye, Physical Properties of Crystals, appendix B, and International Tables A, chapter 3.2.
POLAR = groups_of_classes("1", "2", "m", "mm2", "4", "4mm", "3", "3m", "6", "6mm")
CENTROSYMMETRIC = groups_of_classes(
    "-1", "2/m", "mmm", "4/m", "4/mmm", "-3", "-3m", "6/m", "6/mmm", "m-3", "m-3m"
)  # fmt: skip
# Only rotations and screw rotations: the groups in which a chiral crystal can exist.
SOHNCKE = groups_of_classes("1", "2", "222", "4", "422", "3", "32", "6", "622", "23", "432")
# The 11 pairs that are mirror images of each other, such as P4_1 and P4_3.
ENANTIOMORPHIC = frozenset(
    {76, 78, 91, 95, 92, 96, 144, 145, 151, 153, 152, 154, 169, 170, 171, 172, 178, 179, 180, 181, 212, 213}
)
# Groups with a second-order optical response, and a piezoelectric one. It vanishes in point group 432, which has no
# inversion centre.
SECOND_ORDER = frozenset(range(1, 231)) - CENTROSYMMETRIC - POINT_GROUPS["432"]
# Rotation of the plane of polarisation along some direction: the enantiomorphic classes and four others.
OPTICALLY_ACTIVE = SOHNCKE | groups_of_classes("m", "mm2", "-4", "-42m")
# A gyration tensor whose symmetric or antisymmetric part does not vanish.
GYROTROPIC = OPTICALLY_ACTIVE | groups_of_classes("3m", "4mm", "6mm")

# What follows from the space group, by the name it has in a test on facts.
SYMMETRY_FLAGS: dict[str, frozenset[int]] = {
    "polar": POLAR,
    "centrosymmetric": CENTROSYMMETRIC,
    "chiral": SOHNCKE,
    "enantiomorphic": ENANTIOMORPHIC,
    "piezoelectric": SECOND_ORDER,
    "second_order": SECOND_ORDER,
    "pyroelectric": POLAR,
    "optically_active": OPTICALLY_ACTIVE,
    "gyrotropic": GYROTROPIC,
    "rhombohedral": RHOMBOHEDRAL,
    "symmorphic": frozenset(n for n in range(1, 231) if gemmi.find_spacegroup_by_number(n).is_symmorphic()),
}


def crystal_system(space_group: int) -> str:
    """
    Return the crystal system of a space group.

    Args:
        space_group: Number of the space group.

    Raises:
        ValueError: If the number is not between 1 and 230.
    """
    for name, groups in CRYSTAL_SYSTEMS.items():
        if space_group in groups:
            return name
    raise ValueError(f"space group number {space_group} is not between 1 and 230")


def point_group(space_group: int) -> str:
    """
    Return the point group of a space group, such as `mm2`.

    Args:
        space_group: Number of the space group.

    Raises:
        ValueError: If the number is not between 1 and 230.
    """
    for name, groups in POINT_GROUPS.items():
        if space_group in groups:
            return name
    raise ValueError(f"space group number {space_group} is not between 1 and 230")


def bravais_lattice(space_group: int) -> str:
    """
    Return the Bravais lattice of a space group as in Pearson symbols: `cF`, `oS` (one face centred), `hR`.

    Args:
        space_group: Number of the space group.

    Raises:
        ValueError: If the number is not between 1 and 230.
    """
    family = {"triclinic": "a", "trigonal": "h"}.get(system := crystal_system(space_group), system[0])
    letter = centring(space_group)
    return family + ("S" if letter in "AC" else letter)


def centring(space_group: int) -> str:
    """
    Return the centring of a space group in its standard setting: P, A, C, I, F or R.

    Args:
        space_group: Number of the space group.
    """
    return gemmi.find_spacegroup_by_number(space_group).hm[0]


@lru_cache(maxsize=1024)
def space_group_number(symbol: str) -> int | None:
    """
    The number of a space group.

    Args:
        symbol: Hermann-Mauguin symbol in any setting, `Fm-3m`, `P6_3/mmc`, `P21/n`; or the number.

    Returns:
        From 1 to 230, None where there is no such group.
    """
    plain = symbol.strip().replace("_", "").replace("−", "-")
    if plain.isdigit():
        # gemmi reads 0 as P1.
        return int(plain) if 1 <= int(plain) <= 230 else None
    group = gemmi.find_spacegroup_by_name(plain) if plain else None
    return None if group is None else group.number


__all__ = [
    "CENTROSYMMETRIC",
    "CRYSTAL_SYSTEMS",
    "ENANTIOMORPHIC",
    "GYROTROPIC",
    "OPTICALLY_ACTIVE",
    "POINT_GROUPS",
    "POLAR",
    "RHOMBOHEDRAL",
    "SECOND_ORDER",
    "SOHNCKE",
    "SYMMETRY_FLAGS",
    "bravais_lattice",
    "centring",
    "crystal_system",
    "groups_of_classes",
    "point_group",
    "space_group_number",
]
