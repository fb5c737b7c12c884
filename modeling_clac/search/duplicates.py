"""
Same structure or not: pymatgen's `StructureMatcher`, with the cosine of the embeddings as a filter before it.

Of the 1,794 pairs of bundled crystals with one formula, `StructureMatcher` finds 110 to be the same structure, most of
them weakly distorted forms such as cubic and tetragonal BaTiO3. The lowest of their cosines is 0.61, so a pair below
`MIN_COSINE` is not matched; that spares an eighth of the matching of polymorphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..crystal_clac import Crystal
from ..data.structure_facts import crystal_formula
from ..data.structure_writing import to_pymatgen

MIN_COSINE = 0.5
# Default tolerance of `StructureMatcher` for sites, in units of the cube root of the volume per atom.
SITE_TOLERANCE = 0.3


@dataclass(frozen=True)
class Match:
    """
    Comparison of two crystals.

    Attributes:
        same: Whether they are the same structure within the tolerance, after their volumes were made equal.
        rms: Root mean square displacement of the sites of the same structure, in units of the cube root of the volume
            per atom; `None` if they are not the same.
        same_prototype: Whether they are the same structure once the elements are exchanged, as NaCl and MgO are.
        cosine: Cosine of their embeddings.
    """

    same: bool
    rms: float | None
    same_prototype: bool
    cosine: float


def compare_crystals(first: Crystal, second: Crystal, cosine: float, site_tolerance: float = SITE_TOLERANCE) -> Match:
    """
    Compare two crystals with `StructureMatcher`.

    Args:
        first: A crystal.
        second: Another crystal.
        cosine: Cosine of their embeddings.
        site_tolerance: Largest displacement of a site, in units of the cube root of the volume per atom.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(stol=site_tolerance)
    structures = to_pymatgen(first), to_pymatgen(second)
    found = matcher.get_rms_dist(*structures) if matcher.fit(*structures) else None
    rms = None if found is None else float(found[0])
    # Exchanging elements is defined for ordered crystals only.
    anonymous = first.is_ordered and second.is_ordered and bool(matcher.fit_anonymous(*structures))
    return Match(rms is not None, rms, rms is not None or anonymous, cosine)


def find_duplicates(
    crystals: Sequence[Crystal],
    embeds: np.ndarray,
    min_cosine: float = MIN_COSINE,
    site_tolerance: float = SITE_TOLERANCE,
) -> list[list[int]]:
    """
    Group crystals of the same structure.

    Each crystal is compared with the first one of every group that has its formula.

    Args:
        crystals: The crystals.
        embeds: Their embeddings, `(num_crystals, dim)`, unit length.
        min_cosine: Pairs with a lower cosine are different, without matching.
        site_tolerance: See [`compare_crystals`].

    Returns:
        Groups of indices, ordered by their first one; a crystal without duplicates is a group of one.
    """
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(stol=site_tolerance)
    by_formula: dict[str, list[list[int]]] = {}
    for place, crystal in enumerate(crystals):
        groups = by_formula.setdefault(crystal_formula(crystal), [])
        for group in groups:
            near = float(embeds[place] @ embeds[group[0]]) >= min_cosine
            if near and matcher.fit(to_pymatgen(crystal), to_pymatgen(crystals[group[0]])):
                group.append(place)
                break
        else:
            groups.append([place])
    return sorted(group for groups in by_formula.values() for group in groups)


__all__ = ["MIN_COSINE", "SITE_TOLERANCE", "Match", "compare_crystals", "find_duplicates"]
