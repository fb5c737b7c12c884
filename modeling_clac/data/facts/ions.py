"""Ions and groups of atoms in a crystal, found by the coordination of their atoms."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .ion_table import CENTRED_IONS, CONDENSED, HEXAHALO, HOMONUCLEAR, SILICATES, CentredIon
from .surroundings import COVALENT_RADII, IS_NONMETAL, NUMBERS, SYMBOLS, Surroundings, shared_ligands

# Central atoms of oxyanions from the most to the least acidic; without another cation, as in BPO4, the others are
# the cations.
_ACIDITY = "Cl Br N S I P Se C As V Re Tc Cr Mn Fe Mo W Te B Ge Si".split()
# Longest bonds of hydrogen in Å.
_H_BONDS = {
    "O": 1.25, "N": 1.25, "C": 1.25, "F": 1.25, "S": 1.50, "P": 1.55, "Cl": 1.45, "Se": 1.60, "Br": 1.60, "I": 1.75,
    "Si": 1.60, "B": 1.45, "As": 1.65, "Ge": 1.65,
}  # fmt: skip
# Longest bonds of carbon in Å.
_CARBON_BONDS = {
    "C": 1.65, "N": 1.45, "O": 1.45, "S": 1.80, "Se": 1.95, "F": 1.45, "Cl": 1.85, "Br": 2.05, "I": 2.25, "B": 1.70,
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
    _nitrogen_pairs(surroundings, found)
    _carbon_groups(surroundings, found)
    _oxygen_pairs(surroundings, found)
    _centred(surroundings, found)
    if "thiosulfate" in found.ids:
        # Its outer sulfur is not a sulfide.
        found.bound |= surroundings.counts(surroundings.pairs("S", "S", 2.3)) > 0
    _uranyl(surroundings, found)
    _halometallates(surroundings, found)
    return found


def _among(surroundings: Surroundings, symbol: str) -> np.ndarray:
    return np.asarray(surroundings.numbers == NUMBERS[symbol])


def hydrogen_bonds(surroundings: Surroundings, symbol: str) -> np.ndarray:
    """
    Count the hydrogen atoms of each site of an element.

    Hydrogen in the middle between two such sites counts half for each, and at least one in all: it makes a hydroxide of
    the bridge O-H-O in chromium oxide hydroxide, not water.

    Args:
        surroundings: The sites.
        symbol: The element.

    Returns:
        `(num_sites,)` int64.
    """
    pairs = surroundings.pairs(symbol, "H", _H_BONDS[symbol])
    shared = surroundings.counts_of_points(pairs)[surroundings.points[pairs]]
    sums = np.bincount(surroundings.centers[pairs], weights=1.0 / shared, minlength=len(surroundings))
    return np.where(sums > 0, np.maximum(np.floor(sums + 1e-6), 1), 0).astype(np.int64)


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
    amines = s.counts(s.pairs("N", "H", _H_BONDS["N"])) >= 2
    with_nitrogen = s.pairs("C", "N", 1.6)
    if "C" in s.present and (len(s.pairs("C", "H", _H_BONDS["C"])) or amines[s.points[with_nitrogen]].any()):
        found.ids.add("organic")
        carbon = _among(s, "C")
        found.bound |= carbon
        for other in ("N", "O", "S", "F", "Cl", "Br", "I"):
            found.bound[s.points[s.pairs("C", other, {"S": 1.9, "Cl": 1.9, "Br": 2.1, "I": 2.3}.get(other, 1.6))]] = (
                True
            )
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
            # Under pressure the hydrogen of ice is shared evenly.
            if (alone & (hydrogen == number)).any() and (len(s.present) > 2 or name in ("water", "ammonia")):
                found.ids.add(name)
    if "F" in s.present and (s.counts(s.pairs("H", "F", 1.30)) == 2).any():
        found.ids.add("bifluoride")


def _nitrogen_pairs(s: Surroundings, found: IonsFound) -> None:
    if "N" in s.present:
        links = s.pairs("N", "N", 1.50)
        number = s.counts(links)
        if len(links) and "organic" not in found.ids:
            hydrogen = hydrogen_bonds(s, "N") if "H" in s.present else np.zeros(len(s), int)
            free = (hydrogen == 0) & (s.counts(s.pairs("N", "C", 1.6)) == 0) & (s.counts(s.pairs("N", "O", 1.45)) == 0)
            if ((number == 1) & (hydrogen >= 2)).any():
                found.ids.add("hydrazine")
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


def _carbon_groups(s: Surroundings, found: IonsFound) -> None:
    if "C" not in s.present:
        return
    carbon = _among(s, "C")
    links = {symbol: s.pairs("C", symbol, longest) for symbol, longest in _CARBON_BONDS.items()}
    number = {symbol: s.counts(pairs) for symbol, pairs in links.items()}
    others = sum(number[symbol] for symbol in ("F", "Cl", "Br", "I", "B"))
    # Nitrogen between two carbon atoms, and nitrogen with oxygen.
    bridging = s.counts(s.pairs("N", "C", 1.45)) > 1
    oxidized = s.counts(s.pairs("N", "O", 1.45)) > 0
    to_bridge = s.counts(links["N"][bridging[s.points[links["N"]]]]) > 0
    to_oxidized = s.counts(links["N"][oxidized[s.points[links["N"]]]]) > 0
    short = s.counts(s.pairs("C", "N", 1.30))
    free = carbon & ~found.bound & (number["C"] == 0)
    bare = free & (number["O"] == 0) & (number["S"] == 0) & (number["Se"] == 0)
    one, two = number["N"] == 1, number["N"] == 2
    for name, members in {
        "cyanide": bare & one & ~to_oxidized & ((others - number["B"]) == 0),
        "fulminate": bare & one & to_oxidized,
        "carbodiimide": bare & two & (short == 2) & ~to_bridge & (others == 0),
        "dicyanamide": bare & two & to_bridge & (s.counts(s.pairs("C", "N", 1.22)) == 1) & (others == 0),
        "cyanate": free & one & (number["O"] == 1),
        "thiocyanate": free & one & (number["S"] == 1),
        "selenocyanate": free & one & (number["Se"] == 1),
        "carbonyl": free & (number["N"] == 0) & (number["O"] == 1) & (number["S"] == 0),
    }.items():
        if not members.any() or (name == "carbonyl" and not _metal_bonded(s, members)):
            continue
        found.ids.add(name)
        found.bound |= members
        for symbol in ("N", "O", "S", "Se"):
            found.bound[s.points[links[symbol][members[s.centers[links[symbol]]]]]] = True
        if name == "fulminate":
            found.bound[s.points[s.pairs("N", "O", 1.45)]] = True
    alone = sum(number[symbol] for symbol in ("N", "O", "S", "F", "Cl", "Br", "I", "B")) == 0
    pair = carbon & ~found.bound & (number["C"] == 1) & alone
    triple = s.pairs("C", "C", 1.45)
    # Both atoms are bonded to nothing else: not the ends of C3 groups.
    if (pair[s.centers[triple]] & pair[s.points[triple]]).any() and "organic" not in found.ids:
        found.ids.add("acetylide")


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
    if (s.counts(s.pairs("O", "O", 1.42)) == 2).any():
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
        if ion.mean_below < float("inf") or ion.mean_above:
            sums = np.bincount(s.centers[pairs], weights=s.distances[pairs], minlength=len(s))
            match &= sums < ion.mean_below * np.maximum(number, 1)
            match &= sums > ion.mean_above * number
        for symbol in (ion.has, *ion.lacks):
            if symbol in s.present:
                near = s.counts(s.pairs(ion.centre, symbol, _bond(ion.centre, symbol))) > 0
                match &= near if symbol == ion.has else ~near
            elif symbol and symbol == ion.has:
                match &= False
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
            # Octahedral Ge in SrGeTeO6 and Si in SiP2O7 are cations.
            rivals = {other.centre for other, *_ in found_here if other.ligand == "O"} & set(_ACIDITY)
            if ligand == "O" and not ion.binds and min(rivals, key=_ACIDITY.index) != ion.centre:
                continue
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


def _bond(first: str, second: str) -> float:
    """Longest bond of two nonmetals in Å."""
    return 1.2 * float(COVALENT_RADII[NUMBERS[first]] + COVALENT_RADII[NUMBERS[second]])


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
                found.bound[s.points[tetrahedra[-1]]] = True
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


def polyanions(s: Surroundings, anions: np.ndarray) -> set[str]:
    """
    Find anions that are bonded to others of their element.

    Args:
        s: The sites.
        anions: `(num_sites,)` bool, simple anions.

    Returns:
        Ids such as disulfide and polyphosphide.
    """
    ids = set()
    for symbol, (double, more, longest) in HOMONUCLEAR.items():
        if symbol not in s.present or IS_NONMETAL[s.numbers].all():
            continue
        pairs = s.pairs(symbol, symbol, longest)
        pairs = pairs[anions[s.centers[pairs]] & anions[s.points[pairs]]]
        if not len(pairs):
            continue
        number = s.counts(pairs)
        lonely = (number[s.centers[pairs]] == 1) & (number[s.points[pairs]] == 1)
        if lonely.any() and double:
            ids.add(double)
        if not lonely.all():
            ids.add(more)
    return ids


def _uranyl(s: Surroundings, found: IonsFound) -> None:
    if {"U", "O"} <= s.present and len(s.present) > 2 and (s.counts(s.pairs("U", "O", 1.90)) == 2).any():
        found.ids.add("uranyl")


def _halometallates(s: Surroundings, found: IonsFound) -> None:
    """Octahedra of a metal and halogens that share no ligand, with cations that are no part of other complex ions."""
    for halogen, name in HEXAHALO.items():
        if halogen not in s.present:
            continue
        centres = {"Ge", "Te", "Se", "Sb"} if halogen != "F" else set()
        metals = {m for m in s.present - _SPECTATORS - {halogen, "H"} if m in centres or not IS_NONMETAL[NUMBERS[m]]}
        if not s.present & (_SPECTATORS | {"H"}) or len(metals) != 1:
            continue
        (metal,) = metals
        pairs = s.pairs(metal, halogen, 1.25 * float(s.radii[s.pairs(metal, halogen, 9.0)].max(initial=0.0)))
        number = s.counts(pairs)
        members = _among(s, metal)
        alone = len(pairs) and (number[members] == 6).all() and (s.counts_of_points(pairs) <= 1).all()
        if alone and int(_among(s, halogen).sum()) == 6 * int(members.sum()):
            found.ids.add(name)
            if (metal, halogen) == ("Ti", "F"):
                found.ids.add("hexafluorotitanate")


__all__ = ["IonsFound", "find_ions", "hydrogen_bonds", "polyanions"]
