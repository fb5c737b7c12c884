"""Crystal systems and classes of space groups."""

from __future__ import annotations

from functools import lru_cache

import gemmi


def _numbers(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(n for low, high in ranges for n in range(low, high + 1))


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

# Space groups whose point group is polar: 1, 2, m, mm2, 4, 4mm, 3, 3m, 6, 6mm.
POLAR = _numbers(
    (1, 1), (3, 9), (25, 46), (75, 80), (99, 110), (143, 146), (156, 161), (168, 173), (183, 186),
)  # fmt: skip
CENTROSYMMETRIC = _numbers(
    (2, 2), (10, 15), (47, 74), (83, 88), (123, 142), (147, 148), (162, 167), (175, 176), (191, 194),
    (200, 206), (221, 230),
)  # fmt: skip
# Groups with a second-order optical response. It vanishes in point group 432, which has no inversion centre.
SECOND_ORDER = _numbers((1, 206), (215, 230)) - CENTROSYMMETRIC

# Properties that follow from the space group, and the groups that have them.
SYMMETRY_FLAGS: dict[str, frozenset[int]] = {
    "polar": POLAR,
    "centrosymmetric": CENTROSYMMETRIC,
    "second_order": SECOND_ORDER,
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
    "POLAR",
    "RHOMBOHEDRAL",
    "SECOND_ORDER",
    "SYMMETRY_FLAGS",
    "crystal_system",
    "space_group_number",
]
