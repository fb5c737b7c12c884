"""Roles of the atoms of a crystal, anion or cation, and the dimensionality of its bonded network."""

from __future__ import annotations

import numpy as np

from ...concepts.elements import ALKALI, ALKALINE_EARTH, RARE_EARTH
from .ions import IonsFound
from .surroundings import IS_NONMETAL, NUMBERS, SYMBOLS, Network, Surroundings

# Pauling electronegativities of the nonmetals (CRC Handbook, 97th edition), but that of Te is raised above those of P,
# As and H, with which it forms tellurides. Metals count as less electronegative than all of them, whatever the scale
# says of noble metals.
_ELECTRONEGATIVITY = {
    "H": 2.20, "B": 2.04, "C": 2.55, "N": 3.04, "O": 3.44, "F": 3.98, "Si": 1.90, "P": 2.19, "S": 2.58, "Cl": 3.16,
    "Ge": 2.01, "As": 2.18, "Se": 2.551, "Br": 2.96, "Sb": 2.05, "Te": 2.25, "I": 2.66, "At": 2.2,
}  # fmt: skip
_EN = np.zeros(119)
_EN[[NUMBERS[symbol] for symbol in _ELECTRONEGATIVITY]] = list(_ELECTRONEGATIVITY.values())
_GROUPS = {
    symbol: group
    for group, members in {13: "B", 14: "C Si Ge", 15: "N P As Sb", 16: "O S Se Te", 17: "F Cl Br I At"}.items()
    for symbol in members.split()
}
_GROUP = np.array([_GROUPS.get(symbol, 0) for symbol in SYMBOLS])
# Semimetals of one group form alloys, such as Si-Ge and As-Sb, unless one of them is of the second row.
_SECOND_ROW = np.isin(np.arange(119), (6, 7, 8, 9))
_ELECTROPOSITIVE = ALKALI | ALKALINE_EARTH | RARE_EARTH | {"Th", "U", "Np", "Pu", "Ac"}
# Metals that are anions of electropositive metals.
_METAL_ANIONS = frozenset({"Bi", "Sn", "Pb"})
# Ratios of distances to sums of covalent radii up to which atoms are bonded, and up to which they are in contact.
_BONDED, _CONTACT = 1.25, 1.45

ANION, NEUTRAL, CATION = -1, 0, 1
# Distance beyond the sum of the radii, as a share of it, at which the weight of a bond is one half (Larsen et al. 2019,
# doi 10.1103/PhysRevMaterials.3.034003).
_SCORE_WIDTH = 0.15
_LONGEST_RATIO = 1.9
# A pair of cation and anion that is the shortest one of its elements is a bond, up to this ratio.
_IONIC_RATIO = 1.4
_BONDED_METALS = 1.02
_LEAST_SCORE = 0.5
# Parts that come closer than this are not separate.
_LEAST_SEPARATION = 1.22
# Anions of compounds whose metals are bonded to each other.
_METALLIC_ANIONS = frozenset({"B", "C", "Si", "Ge", "Sn", "Pb", "P", "As", "Sb", "Bi"})
# Cations between the layers, chains or molecules of a framework.
SPACERS = ALKALI | {"Ca", "Sr", "Ba", "Tl"}


def simple_anions(surroundings: Surroundings, found: IonsFound) -> np.ndarray:
    """
    Find the atoms that are simple anions: more electronegative than all that they are bonded to.

    An atom that is bonded to one more electronegative nonmetal and to two or more metals is one as well, such as As in
    CoAsS.

    Args:
        surroundings: The sites.
        found: The ions, to which other nonmetals belong.

    Returns:
        `(num_sites,)` bool.
    """
    s = surroundings
    center, point = s.center_numbers, s.point_numbers
    ratio = s.distances / s.radii
    related = (_GROUP[center] == _GROUP[point]) & np.isin(_GROUP[center], (13, 14, 15))
    related &= ~_SECOND_ROW[center] & ~_SECOND_ROW[point]
    more = (_EN[point] > _EN[center]) & (ratio < _BONDED) & (_EN[center] > 0) & ~related & (point != 1)
    metal = ~IS_NONMETAL[point]
    less = ((_EN[point] < _EN[center]) & ~related & (point != 1)) | metal
    noble = IS_NONMETAL & (_EN == 0)
    candidates = IS_NONMETAL[s.numbers] & ~noble[s.numbers] & ~found.bound & ~found.centres
    above = s.counts(np.flatnonzero(more))
    metals = s.counts(np.flatnonzero(metal & (ratio < _BONDED)))
    anions = candidates & (s.counts(np.flatnonzero(less & (ratio < _CONTACT))) > 0)
    anions &= (above == 0) | ((above == 1) & (metals >= 2) & (s.numbers != 1))
    if found.ids & {"ammonium", "hydronium"}:
        # They have contacts to hydrogen only.
        anions |= candidates & (_GROUP[s.numbers] == 17) & (above == 0)
    heavy = np.isin(s.numbers, [NUMBERS[symbol] for symbol in _METAL_ANIONS])
    if heavy.any():
        # Bi in Ca4Bi2O is an anion, in Bi2O3 a cation.
        heavy &= s.counts(np.flatnonzero(IS_NONMETAL[point] & (ratio < _CONTACT))) == 0
        others = {symbol for symbol in s.present - _METAL_ANIONS if not IS_NONMETAL[NUMBERS[symbol]]}
        if others & _ELECTROPOSITIVE and (others <= _ELECTROPOSITIVE or anions.any()):
            anions |= heavy
    return anions


def roles_of(surroundings: Surroundings, found: IonsFound, anions: np.ndarray) -> np.ndarray:
    """
    Tell cations from anions and ligands.

    Args:
        surroundings: The sites.
        found: The ions.
        anions: `(num_sites,)` bool, simple anions.

    Returns:
        `(num_sites,)` int8: `CATION` for metals and central atoms of ions, `ANION` for simple anions and the outer
        atoms of ions, otherwise `NEUTRAL`. All are neutral where nothing is an anion.
    """
    numbers = surroundings.numbers
    roles = np.where(IS_NONMETAL[numbers], NEUTRAL, CATION)
    outer = found.bound & ~found.centres & np.isin(numbers, [NUMBERS[symbol] for symbol in ("N", "O", "S", "Se")])
    # Hydrogen that is bonded to B or Al, unlike that of acids, has no state.
    outer |= found.bound & (numbers == 1) & np.isnan(found.states)
    roles[anions | outer] = ANION
    inner = IS_NONMETAL[numbers] & ~anions & ~found.bound & (numbers != 1)
    roles[inner | found.centres] = CATION
    return roles.astype(np.int8) if (roles == ANION).any() else np.zeros(len(numbers), dtype=np.int8)


def _bond_ratios(s: Surroundings, roles: np.ndarray) -> np.ndarray:
    """Distances divided by the lengths of bonds, `(E,)`; infinite for pairs that are no bonds."""
    radii = s.radii.copy()
    first, second = roles[s.centers], roles[s.points]
    metals = ~IS_NONMETAL[s.center_numbers] & ~IS_NONMETAL[s.point_numbers]
    metallic = {SYMBOLS[number] for number in np.unique(s.numbers[roles == ANION]).tolist()} <= _METALLIC_ANIONS
    # The shortest of these pairs are bonds. Covalent radii are too small for lone pairs and close-packed metals.
    bonds = (first * second == -1) | (metals & metallic)
    kinds = s.center_numbers * 119 + s.point_numbers
    for kind in np.unique(kinds[bonds]).tolist():
        pairs = bonds & (kinds == kind)
        own = float(radii[pairs][0])
        radii[pairs] = min(max(own, float(s.distances[pairs].min())), _IONIC_RATIO * own)
    ratios = s.distances / radii
    if not metallic:
        # Large cations are as close as atoms of their metals without being bonded.
        large = np.isin(s.numbers, [NUMBERS[symbol] for symbol in _ELECTROPOSITIVE | {"Tl"}])
        apart = (ratios > _BONDED_METALS) | large[s.centers] | large[s.points]
        ratios[metals & (first == CATION) & (second == CATION) & apart] = np.inf
    return np.asarray(ratios)


def dimensionality(surroundings: Surroundings, roles: np.ndarray, kept: np.ndarray | None = None) -> int | None:
    """
    Determine the dimensionality of the bonded network.

    Bonds are added in the order of their lengths, divided by those of bonds between the two elements. The
    dimensionality that lasts longest wins (Larsen et al. 2019, doi 10.1103/PhysRevMaterials.3.034003). Unlike there,
    the shortest distance between a cation and an anion is a bond even if the covalent radii say otherwise, as in TlCl,
    and cations are not bonded to each other unless they are very close.

    Args:
        surroundings: The sites.
        roles: Their roles, see [`roles_of`].
        kept: `(num_sites,)` bool, sites of the network. Default: all.

    Returns:
        3 for a framework, 2 for layers, 1 for chains, 0 for molecules or single ions; the highest of all parts. `None`
        if no dimensionality is clearly the right one.
    """
    s = surroundings
    ratios = _bond_ratios(s, roles)
    x, y, z = s.images.T
    forward = (s.points > s.centers) | (
        (s.points == s.centers) & ((x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0)))))
    )
    use = (ratios < _LONGEST_RATIO) & forward
    if kept is not None:
        use &= kept[s.centers] & kept[s.points]
    pairs = np.flatnonzero(use)
    pairs = pairs[np.argsort(ratios[pairs], kind="stable")]
    network = Network(len(s))
    reached = [0.0]
    rows = zip(
        s.centers[pairs].tolist(), s.points[pairs].tolist(), s.images[pairs].tolist(), ratios[pairs].tolist(),
        strict=True,
    )  # fmt: skip
    for center, point, image, ratio in rows:
        network.link(center, point, tuple(image))
        while len(reached) <= network.dimension:
            reached.append(ratio)
        if network.dimension == 3:
            break
    bounds = [*(_weight(ratio) for ratio in reached), *[1.0] * (5 - len(reached))]
    scores = np.diff(bounds)
    best = int(scores.argmax())
    if best < 3 and best + 1 < len(reached) and reached[best + 1] < _LEAST_SEPARATION:
        return None
    return best if scores[best] >= _LEAST_SCORE else None


def _weight(ratio: float) -> float:
    beyond = (max(0.0, ratio - 1.0) / _SCORE_WIDTH) ** 2
    return beyond / (1.0 + beyond)


__all__ = ["ANION", "CATION", "NEUTRAL", "SPACERS", "dimensionality", "roles_of", "simple_anions"]
