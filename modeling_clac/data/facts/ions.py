"""Ions and groups of atoms in a crystal, found by the coordination of their atoms."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .ion_table import CENTRED_IONS, CONDENSED, HEXAHALO, HOMONUCLEAR, SILICATES, CentredIon
from .surroundings import IS_NONMETAL, NUMBERS, SYMBOLS, Surroundings, shared_ligands

# Central atoms of oxyanions from the most to the least acidic; without another cation, as in BPO4, the others are
# the cations.
_ACIDITY = "Cl Br N S I P Se C As V Re Tc Cr Mn Fe Mo W Te B Ge Si".split()
# Longest bonds of hydrogen in Å.
_H_BONDS = {
    "O": 1.25, "N": 1.25, "C": 1.25, "F": 1.25, "S": 1.50, "P": 1.55, "Cl": 1.45, "Se": 1.60, "Br": 1.60, "I": 1.75,
    "Si": 1.60, "B": 1.45, "As": 1.65, "Ge": 1.65,
}  # fmt: skip
# Cations that do not count as bridges between complex ions.
_SPECTATORS = frozenset("Li Na K Rb Cs Tl Be Mg Ca Sr Ba".split())


@dataclass
class IonsFound:
    """
    Ions of a crystal.

    Attributes:
        ids: Ids of the ions and groups.
        bound: `(num_sites,)` bool, nonmetal atoms that belong to an ion or group, and so are no simple anions.
        centres: `(num_sites,)` bool, central atoms of oxyanions and groups.
        states: `(num_sites,)` float64, oxidation states that follow from the ions; NaN elsewhere.
    """

    ids: set[str]
    bound: np.ndarray
    centres: np.ndarray
    states: np.ndarray
    oxyanions: set[str] = field(default_factory=set)


def find_ions(surroundings: Surroundings) -> IonsFound:
    """
    Find the ions and groups of a crystal.

    Args:
        surroundings: Its sites.
    """
    count = len(surroundings)
    found = IonsFound(set(), np.zeros(count, bool), np.zeros(count, bool), np.full(count, np.nan))
    if len(surroundings.present) == 1:
        return found
    _hydrogen_groups(surroundings, found)
    _nitrogen_and_carbon(surroundings, found)
    _oxygen_pairs(surroundings, found)
    _centred(surroundings, found)
    _homonuclear(surroundings, found)
    _uranyl(surroundings, found)
    _halometallates(surroundings, found)
    return found


def _among(surroundings: Surroundings, symbol: str) -> np.ndarray:
    return np.asarray(surroundings.numbers == NUMBERS[symbol])


def hydrogen_bonds(surroundings: Surroundings, symbol: str) -> np.ndarray:
    """Count the hydrogen atoms that are bonded to each site of an element, `(num_sites,)` int64."""
    return surroundings.counts(surroundings.pairs(symbol, "H", _H_BONDS[symbol]))


def _hydrogen_groups(s: Surroundings, found: IonsFound) -> None:
    if "H" not in s.present:
        return
    nonmetals = np.zeros(len(s), dtype=bool)
    for symbol in _H_BONDS.keys() & s.present:
        pairs = s.pairs(symbol, "H", _H_BONDS[symbol])
        if symbol not in ("B", "Si", "Ge"):
            nonmetals[s.points[pairs]] = True
    found.bound |= nonmetals
    found.states[nonmetals] = 1
    if "C" in s.present and len(s.pairs("C", "H", _H_BONDS["C"])):
        found.ids.add("organic")
        carbon = _among(s, "C")
        found.bound |= carbon
        for other in ("N", "O", "S", "F", "Cl", "Br", "I"):
            found.bound[s.points[s.pairs("C", other, {"S": 1.9, "Cl": 1.9, "Br": 2.1, "I": 2.3}.get(other, 1.6))]] = True
    # What else the atom is bonded to: nonmetals other than hydrogen.
    close = s.distances < 1.15 * s.radii
    heavy = IS_NONMETAL[s.point_numbers] & (s.point_numbers != 1) & close
    for symbol, names in (
        ("O", {1: "hydroxide", 2: "water", 3: "hydronium"}),
        ("N", {4: "ammonium", 3: "ammonia", 2: "amide", 1: "imide"}),
    ):
        if symbol not in s.present:
            continue
        hydrogen = hydrogen_bonds(s, symbol)
        alone = s.counts(np.flatnonzero(heavy & (s.center_numbers == NUMBERS[symbol]))) == 0
        found.bound |= hydrogen > 0
        for number, name in names.items():
            if (alone & (hydrogen == number)).any():
                found.ids.add(name)
    if "F" in s.present and (s.counts(s.pairs("H", "F", 1.30)) == 2).any():
        found.ids.add("bifluoride")


def _nitrogen_and_carbon(s: Surroundings, found: IonsFound) -> None:
    if "N" in s.present:
        links = s.pairs("N", "N", 1.50)
        number = s.counts(links)
        if len(links):
            hydrogen = hydrogen_bonds(s, "N") if "H" in s.present else np.zeros(len(s), int)
            free = (hydrogen == 0) & (s.counts(s.pairs("N", "C", 1.6)) == 0) & (s.counts(s.pairs("N", "O", 1.45)) == 0)
            middle = free & (number == 2)
            if middle.any():
                found.ids.add("azide")
            in_azide = middle | (s.counts(links[middle[s.points[links]]]) > 0)
            paired = free & (number == 1) & ~in_azide
            shortest = s.distances[links[paired[s.centers[links]]]]
            for name, low, high in (("dinitrogen", 0.0, 1.15), ("diazenide", 1.15, 1.30), ("pernitride", 1.30, 1.50)):
                if ((shortest > low) & (shortest <= high)).any():
                    found.ids.add(name)
            # Diazenides and pernitrides are nitrides as well; azides are not.
            short = s.counts(links[s.distances[links] <= 1.15]) > 0
            found.bound |= in_azide | (paired & short)
    if "C" not in s.present:
        return
    carbon = _among(s, "C")
    nitrogen, oxygen = s.counts(s.pairs("C", "N", 1.45)), s.counts(s.pairs("C", "O", 1.45))
    sulfur = s.counts(s.pairs("C", "S", 1.80)) + s.counts(s.pairs("C", "Se", 1.95))
    carbons = s.counts(s.pairs("C", "C", 1.65))
    free = carbon & (carbons == 0) & ~found.bound
    for name, match in {
        "cyanide": (nitrogen == 1) & (oxygen == 0) & (sulfur == 0),
        "cyanate": (nitrogen == 1) & (oxygen == 1),
        "thiocyanate": (nitrogen == 1) & (sulfur == 1),
        "carbodiimide": (nitrogen == 2) & (oxygen == 0) & (sulfur == 0),
        "carbonyl": (nitrogen == 0) & (oxygen == 1) & (sulfur == 0),
    }.items():
        members = free & match
        if not members.any() or (name == "carbonyl" and not _metal_bonded(s, members)):
            continue
        found.ids.add(name)
        found.bound |= members
        for other in ("N", "O", "S", "Se"):
            found.bound[s.points[_within(s, members, other, 1.95 if other == "Se" else 1.80 if other == "S" else 1.45)]] = True
    pair = carbon & (carbons == 1) & (nitrogen == 0) & (oxygen == 0) & (s.counts(s.pairs("C", "C", 1.45)) == 1)
    if (pair & ~found.bound).any() and "organic" not in found.ids:
        found.ids.add("acetylide")


def _within(s: Surroundings, members: np.ndarray, other: str, longest: float) -> np.ndarray:
    pairs = s.pairs("C", other, longest)
    return pairs[members[s.centers[pairs]]]


def _metal_bonded(s: Surroundings, members: np.ndarray) -> bool:
    close = (s.distances < 1.15 * s.radii) & ~IS_NONMETAL[s.point_numbers]
    return bool(members[s.centers[close]].any())


def _oxygen_pairs(s: Surroundings, found: IonsFound) -> None:
    if "O" not in s.present:
        return
    pairs = s.pairs("O", "O", 1.65)
    if not len(pairs):
        return
    number = s.counts(pairs)
    if (number == 2).any():
        found.ids.add("ozonide")
    lengths = s.distances[pairs[number[s.centers[pairs]] == 1]]
    for name, low, high, state in (
        ("dioxygen", 0.0, 1.265, 0.0), ("superoxide", 1.265, 1.40, -0.5), ("peroxide", 1.40, 1.65, -1.0),
    ):  # fmt: skip
        inside = (lengths > low) & (lengths <= high)
        if inside.any():
            found.ids.add(name)
            found.states[s.centers[pairs[number[s.centers[pairs]] == 1][inside]]] = state
    found.bound |= number > 0


def _centred(s: Surroundings, found: IonsFound) -> None:
    """Oxyanions and other ions with a central atom."""
    fits: dict[str, list[tuple[CentredIon, np.ndarray, np.ndarray]]] = {}
    decided: dict[tuple[str, str], np.ndarray] = {}
    for ion in CENTRED_IONS:
        if ion.centre not in s.present or ion.ligand not in s.present:
            continue
        pairs = s.pairs(ion.centre, ion.ligand, ion.longest)
        number = s.counts(pairs)
        taken = decided.setdefault((ion.centre, ion.ligand), np.zeros(len(s), dtype=bool))
        match = np.isin(number, ion.counts) & ~taken & ~found.bound
        if ion.mean_below < float("inf"):
            sums = np.bincount(s.centers[pairs], weights=s.distances[pairs], minlength=len(s))
            match &= sums < ion.mean_below * np.maximum(number, 1)
        if ion.also:
            near = s.counts(s.pairs(ion.centre, ion.also.removeprefix("-"), ion.also_within)) > 0
            match &= ~near if ion.also.startswith("-") else near
        taken |= match
        if match.any():
            fits.setdefault(ion.ligand, []).append((ion, match, pairs[match[s.centers[pairs]]]))
    for ligand, found_here in fits.items():
        centres = {ion.centre for ion, _, _ in found_here}
        others = {SYMBOLS[number] for number in s.elements} - {ligand, *centres} - {"O"}
        if not others:
            # Without other cations there are no ions but a network, as in SiO2; in BPO4 the less acidic is the cation.
            ranked = [symbol for symbol in _ACIDITY if symbol in centres]
            found_here = [entry for entry in found_here if len(centres) > 1 and entry[0].centre == ranked[0]]
        for ion, match, pairs in found_here:
            found.ids.add(ion.id)
            found.centres |= match
            if ion.state is not None:
                found.states[match] = ion.state
            if ion.binds:
                found.bound |= match
                found.bound[s.points[pairs]] = True
                if ligand == "O":
                    found.oxyanions.add(ion.id)
            _connections(s, found, ion, match, pairs)


def _connections(s: Surroundings, found: IonsFound, ion: CentredIon, match: np.ndarray, pairs: np.ndarray) -> None:
    """Distinguish ions by how their central atoms are connected."""
    if ion.id in CONDENSED:
        alone, double, more = CONDENSED[ion.id]
        for part in shared_ligands(s, pairs).components(np.flatnonzero(match).tolist()):
            name = more if part.dimension or part.size > 2 else double if part.size == 2 else alone
            if name:
                found.ids.add(name)
    if ion.id == "silicate" and ion.binds:
        _silicate(s, found, match, pairs)


def _silicate(s: Surroundings, found: IonsFound, match: np.ndarray, pairs: np.ndarray) -> None:
    # Al and others in tetrahedra that share corners with the silicate belong to its framework, as in feldspars.
    tetrahedra, nodes = [pairs], match.copy()
    for symbol, longest in (("Al", 1.95), ("Ga", 2.0), ("B", 1.65), ("Be", 1.80), ("Ge", 1.95)):
        links = s.pairs(symbol, "O", longest)
        four = s.counts(links) == 4
        if four.any():
            tetrahedra.append(links[four[s.centers[links]]])
            nodes |= four
            if symbol == "Al":
                found.ids.add("aluminosilicate")
    alone = shared_ligands(s, pairs).components(np.flatnonzero(match).tolist())
    kinds = {_silicate_kind(part.dimension, part.size, part.links) for part in alone}
    if len(tetrahedra) > 1:
        together = np.concatenate(tetrahedra)
        shared = s.counts_of_points(together)
        network = shared_ligands(s, together)
        oxygen = np.unique(s.points[together])
        if (shared[oxygen] >= 2).all() and network.dimension == 3:
            kinds = {"framework_silicate"}
        elif {_silicate_kind(*part) for part in network.components(np.flatnonzero(nodes).tolist())} != kinds:
            kinds = set()
    found.ids |= kinds - {""}


def _silicate_kind(dimension: int, size: int, links: int) -> str:
    if dimension:
        return SILICATES[dimension]
    if size <= 2:
        return ("orthosilicate", "disilicate")[size - 1]
    return "ring_silicate" if links >= size else ""


def _homonuclear(s: Surroundings, found: IonsFound) -> None:
    for symbol, (double, more, longest) in HOMONUCLEAR.items():
        if symbol not in s.present:
            continue
        pairs = s.pairs(symbol, symbol, longest)
        free = ~found.bound & ~found.centres
        pairs = pairs[free[s.centers[pairs]] & free[s.points[pairs]]]
        if not len(pairs):
            continue
        number = s.counts(pairs)
        lonely = (number[s.centers[pairs]] == 1) & (number[s.points[pairs]] == 1)
        if lonely.any() and double:
            found.ids.add(double)
        if not lonely.all():
            found.ids.add(more)
    # The outer atoms of thiosulfate are no sulfide.
    if "thiosulfate" in found.ids:
        found.bound |= s.counts(s.pairs("S", "S", 2.3)) > 0


def _uranyl(s: Surroundings, found: IonsFound) -> None:
    if {"U", "O"} <= s.present and len(s.present) > 2 and (s.counts(s.pairs("U", "O", 1.90)) == 2).any():
        found.ids.add("uranyl")


def _halometallates(s: Surroundings, found: IonsFound) -> None:
    """Octahedra of a metal and halogens that share no ligand, with cations that are no part of other complex ions."""
    for halogen, name in HEXAHALO.items():
        if halogen not in s.present:
            continue
        metals = {m for m in s.present - _SPECTATORS - {halogen, "H"} if not IS_NONMETAL[NUMBERS[m]]}
        if not s.present & (_SPECTATORS | {"H"}) or len(metals) != 1:
            continue
        (metal,) = metals
        pairs = s.pairs(metal, halogen, 1.25 * float(s.radii[s.pairs(metal, halogen, 9.0)].max(initial=0.0)))
        number = s.counts(pairs)
        members = _among(s, metal)
        if len(pairs) and (number[members] == 6).all() and (s.counts_of_points(pairs) <= 1).all():
            found.ids.add(name)


__all__ = ["IonsFound", "find_ions", "hydrogen_bonds"]
