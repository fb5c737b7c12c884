"""Names of oxides after their most acidic metal, and classes of compounds."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import lru_cache

import numpy as np

from ...concepts.elements import ALKALI, ALKALINE_EARTH, NOBLE_GASES, NONMETALS, RARE_EARTH
from .ion_table import CENTRED_IONS, HIGH_STATE_BONDS, OXIDE_NAMES
from .ions import IonsFound
from .oxidation import lowest_state
from .surroundings import NUMBERS, SYMBOLS, Network, Surroundings

HALOGENS = frozenset({"F", "Cl", "Br", "I"})
_CHALCOGENS = frozenset({"S", "Se", "Te"})
_PNICTOGENS = frozenset({"P", "As", "Sb", "Bi"})
# Cations of complex oxides that never give them their name.
_NEVER_ACIDIC = (ALKALI | ALKALINE_EARTH | RARE_EARTH | {"Ag", "Cd", "Hg", "Tl", "Th", "Au"}) - {"Sc", "Be", "Ce"}
_ELECTROPOSITIVE = (ALKALI | ALKALINE_EARTH | RARE_EARTH | {"Tl", "Ag", "Th", "Cd"}) - {"Be"}
_RANKS = {symbol: rank for rank, names in enumerate(OXIDE_NAMES) for symbol in names}
_NAMES = {symbol: name for names in OXIDE_NAMES for symbol, name in names.items()}
# Lowest oxidation state in which a metal gives its oxides their name.
_LEAST_STATES = {"V": 4, "Nb": 4, "Ta": 4, "Mo": 4, "W": 4, "Cu": 2, "Ti": 3, "Fe": 3, "Cr": 3, "Ce": 4}
# Highest state in which it does: oxides of Cr(IV) and Cr(V) are no chromites.
_GREATEST_STATES = {"Cr": 3}
_NO_OXIDE = frozenset({"organic", "peroxide", "superoxide", "ozonide", "water"})
# Difference of Pauling electronegativities at which a bond is half ionic (Pauling, The Nature of the Chemical Bond).
_IONIC_DIFFERENCE = 1.7
# Metals that form clusters, and their longest bonds as a share of the sum of the covalent radii.
_CLUSTER_METALS = ("Zr", "Hf", "V", "Nb", "Ta", "Mo", "W", "Tc", "Re", "Ru", "Os", "Rh", "Ir", "Fe", "Co")
_CLUSTER_BOND = 0.95
_METALLIC_ANIONS = frozenset({"B", "C", "N", "Si", "Ge", "Sn", "P", "As", "Sb", "Bi", "H"})
_ZINTL_CATIONS = ALKALI | {"Ca", "Sr", "Ba", "Mg", "Eu", "Yb"}
# Electrons that a metal gives in a Zintl phase; those after the electropositive ones are part of the polyanion.
_GIVEN = dict.fromkeys(ALKALI, 1) | dict.fromkeys(("Ca", "Sr", "Ba", "Mg", "Eu", "Yb"), 2)
_FORMERS = {"Zn": 2, "Cd": 2, "Mn": 2, "Al": 3, "Ga": 3, "In": 3, "Cu": 1, "Ag": 1}
_ZINTL_GROUPS = {
    "Ga": 3, "In": 3, "Tl": 3, "Al": 3, "Si": 4, "Ge": 4, "Sn": 4, "Pb": 4, "P": 5, "As": 5, "Sb": 5, "Bi": 5,
}  # fmt: skip
# Oxygen belongs to them, or they are anions by themselves.
ANIONIC_IDS = frozenset({
    "hydroxide", "azide", "cyanide", "cyanate", "thiocyanate", "carbodiimide", "peroxide", "superoxide", "amide",
    "imide", "borohydride", "alanate", "bifluoride",
})  # fmt: skip
MIXED_CLASSES = {
    "F": "oxyfluoride", "Cl": "oxychloride", "Br": "oxybromide", "I": "oxyiodide", "S": "oxysulfide",
    "Se": "oxyselenide", "Te": "oxytelluride", "N": "oxynitride", "H": "oxyhydride", "P": "oxypnictide",
    "As": "oxypnictide", "Sb": "oxypnictide", "Bi": "oxypnictide", "C": "oxycarbide",
}  # fmt: skip
CLASSES: frozenset[str] = frozenset({
    "element", "alloy", "intermetallic", "zintl", "ionic", "salt", "oxysalt", "complex_oxide", "mixed_anion",
    "oxyhalide", "oxychalcogenide", "chalcohalide", "nitride_halide", "hydrate", "molecular", "organic", "cluster",
    *MIXED_CLASSES.values(),
})  # fmt: skip


def oxide_names(
    surroundings: Surroundings,
    amounts: Mapping[str, float],
    anions: Set[str],
    found: IonsFound,
    states: Mapping[str, tuple[int, ...]] | None,
) -> set[str]:
    """
    Name an oxide of several metals after the most acidic one, such as titanate, ferrite or stannate.

    Args:
        surroundings: The sites.
        amounts: Symbol -> atoms in the formula unit.
        anions: Symbols of the simple anions.
        found: The ions. Oxides with oxyanions have no such name.
        states: Oxidation states, if they are known.

    Returns:
        Ids; empty if there is no other cation, or the order of the metals is not clear.
    """
    if anions != {"O"} or found.oxyanions or found.ids & _NO_OXIDE:
        return set()
    metals = {symbol for symbol in amounts if symbol not in ("O", "H")}
    # In suboxides such as Zr3NiO, metals are bonded to metals.
    if sum(amounts[symbol] * lowest_state(symbol) for symbol in metals) > 2.0 * amounts["O"] + 0.01:
        return set()
    acidic = {
        symbol: _RANKS[symbol]
        for symbol in metals
        if symbol in _RANKS and symbol not in _NEVER_ACIDIC and _in_high_state(surroundings, symbol, states)
    }
    if not acidic or len(metals) < 2:
        return set()
    top = min(acidic.values())
    centres = {symbol for symbol, rank in acidic.items() if rank == top}
    if "V" in centres and metals & {"Nb", "Ta", "Sb"}:
        return set()
    # The weakest acids give a name next to bases only: ZnSb2O4 is an antimonite of zinc.
    if top == _RANKS["Zn"] and metals - centres - _NEVER_ACIDIC:
        return set()
    if top == _RANKS["Fe"]:
        return _name_of_iron_group(amounts, centres, metals)
    if centres == metals:
        # ZrTiO4 is a titanate: the order within a rank decides.
        centres = {min(centres, key=list(OXIDE_NAMES[top]).index)}
    return {_NAMES[symbol] for symbol in centres}


def _name_of_iron_group(amounts: Mapping[str, float], centres: set[str], metals: set[str]) -> set[str]:
    """Of two metals of this rank, that of the larger amount has the higher state, as in MnFe2O4; Cu has a low one."""
    if len(centres) > 1:
        centres = centres - {"Cu"}
    chief = max(centres, key=lambda symbol: amounts[symbol])
    if any(amounts[chief] < 1.5 * amounts[symbol] for symbol in centres - {chief}):
        return set()
    return {_NAMES[chief]} if metals > {chief} else set()


def _in_high_state(s: Surroundings, symbol: str, states: Mapping[str, tuple[int, ...]] | None) -> bool:
    """Whether a metal has the oxidation state that gives its oxides their name."""
    if states is not None and symbol in HIGH_STATE_BONDS:
        return max(states.get(symbol, (0,))) >= 4
    if symbol in HIGH_STATE_BONDS:
        pairs = s.pairs(symbol, "O", 2.7)
        for site in np.unique(s.centers[pairs]).tolist():
            near = s.distances[pairs[s.centers[pairs] == site]]
            if len(near) >= 4 and near[: min(len(near), 6)].mean() < HIGH_STATE_BONDS[symbol]:
                return True
        return False
    if states is None or symbol not in states:
        return symbol not in ("V", "Ce", "Cr")
    return _LEAST_STATES.get(symbol, 0) <= max(states[symbol]) <= _GREATEST_STATES.get(symbol, 9)


def classes_of(
    surroundings: Surroundings,
    amounts: Mapping[str, float],
    anions: Set[str],
    found: IonsFound,
    ids: Set[str],
    dimension: int | None,
    disordered: bool,
) -> set[str]:
    """
    Classify a compound.

    Args:
        surroundings: Its sites.
        amounts: Symbol -> atoms in the formula unit.
        anions: Symbols of the simple anions.
        found: The ions.
        ids: Ids of the ions and groups of all species.
        dimension: Dimensionality of the bonded network.
        disordered: Whether sites are mixed or partly occupied.

    Returns:
        Ids of `CLASSES`.
    """
    elements = set(amounts)
    classes: set[str] = set()
    if len(elements) == 1:
        return {"element", "molecular"} if dimension == 0 and not elements & NOBLE_GASES else {"element"}
    metals = elements - NONMETALS
    if metals == elements:
        classes |= {"alloy"} if disordered else {"alloy", "intermetallic"}
    elif _is_intermetallic(elements, metals):
        classes.add("intermetallic")
    if is_zintl(surroundings, elements):
        classes.add("zintl")
        classes.discard("alloy")
    centres = {ion.centre for ion in CENTRED_IONS if ion.id in found.oxyanions}
    if found.oxyanions and (elements - anions - centres - {"H", "O", "N"} or "ammonium" in ids):
        classes.add("oxysalt")
    classes |= _mixed(anions, metals, found, ids)
    if "O" in anions and not found.oxyanions and "organic" not in ids and len(elements - anions - {"H"}) > 1:
        classes.add("complex_oxide")
    if "organic" in ids:
        classes.add("organic")
    if _has_clusters(surroundings, anions):
        classes.add("cluster")
    if "water" in ids and len(elements) > 2:
        classes.add("hydrate")
    onium = bool(ids & {"ammonium", "hydronium"})
    molecular = dimension == 0 and not onium and not metals & _ELECTROPOSITIVE
    if molecular:
        classes.add("molecular")
    elif _is_ionic(metals, anions, found, ids):
        classes.add("ionic")
        if ids & ANIONIC_IDS or (anions & HALOGENS and "O" not in anions):
            classes.add("salt")
    if "oxysalt" in classes and not molecular:
        classes.add("salt")
    return classes


def _has_clusters(s: Surroundings, anions: Set[str]) -> bool:
    """Whether three or more transition metal atoms of a salt or oxide are bonded to a finite group, as in Mo6S8."""
    if not anions or anions <= _METALLIC_ANIONS:
        return False
    # Vanadium in oxides comes as close where it shares edges of octahedra.
    symbols = [symbol for symbol in _CLUSTER_METALS if symbol != "V" or "O" not in anions]
    metal = np.isin(s.numbers, [NUMBERS[symbol] for symbol in symbols])
    pairs = metal[s.centers] & metal[s.points] & (s.distances < _CLUSTER_BOND * s.radii)
    network = Network(len(s))
    for pair in np.flatnonzero(pairs).tolist():
        network.link(int(s.centers[pair]), int(s.points[pair]), tuple(s.images[pair].tolist()))
    parts = network.components(np.unique(s.centers[pairs]).tolist())
    return any(part.size >= 3 and part.dimension == 0 for part in parts)


def _is_intermetallic(elements: Set[str], metals: Set[str]) -> bool:
    """Metals with Si, Ge or Sb, if at least one is a transition metal, a rare earth or an actinide."""
    rest = elements - metals
    heavy = {m for m in metals if m in RARE_EARTH or 21 <= NUMBERS[m] <= 29 or 39 <= NUMBERS[m] <= 47}
    heavy |= {m for m in metals if 57 <= NUMBERS[m] <= 79 or NUMBERS[m] >= 89}
    return rest <= {"Si", "Ge", "Sb"} and bool(heavy) and len(metals) >= 1


def _mixed(anions: Set[str], metals: Set[str], found: IonsFound, ids: Set[str]) -> set[str]:
    classes: set[str] = set()
    kinds = len(anions) + len(found.oxyanions) + len(ids & ANIONIC_IDS)
    # Borides with carbon, such as YNi2B2C, and carbides with tin are metals.
    metallic = anions <= _METALLIC_ANIONS - {"N", "H"} and kinds == len(anions)
    if kinds > 1 and not metallic:
        classes.add("mixed_anion")
    if "O" in anions:
        classes |= {MIXED_CLASSES[symbol] for symbol in anions & MIXED_CLASSES.keys()}
        if anions & HALOGENS:
            classes.add("oxyhalide")
        if anions & _CHALCOGENS:
            classes.add("oxychalcogenide")
    if anions & _CHALCOGENS and anions & HALOGENS and metals:
        classes.add("chalcohalide")
    if "N" in anions and anions & HALOGENS and metals:
        classes.add("nitride_halide")
    return classes


def _is_ionic(metals: Set[str], anions: Set[str], found: IonsFound, ids: Set[str]) -> bool:
    """Whether the difference between the mean electronegativities of anions and metals is large."""
    if "ammonium" in ids and (anions & HALOGENS or found.oxyanions):
        return True
    if not metals or not (anions or found.oxyanions or ids & ANIONIC_IDS):
        return False
    # The outer atoms of ions are mostly oxygen.
    tops = {"O"} if found.oxyanions or ids & ANIONIC_IDS else anions
    top = max(electronegativity(symbol) for symbol in tops)
    lowest = min(electronegativity(symbol) for symbol in metals)
    return top - lowest >= _IONIC_DIFFERENCE


@lru_cache(maxsize=128)
def electronegativity(symbol: str) -> float:
    """
    Return the Pauling electronegativity of an element, 0 if there is none.

    Args:
        symbol: Its symbol.
    """
    from pymatgen.core.periodic_table import Element

    value = Element(symbol).data.get("X")
    return float(value) if value is not None and value == value else 0.0


def is_zintl(surroundings: Surroundings, elements: Set[str]) -> bool:
    """
    Test whether a compound is a Zintl phase: the electrons that the electropositive metals give complete the octets of
    the others, each bond between these counting as one electron for both (Klemm and Busmann 1963).

    Args:
        surroundings: The sites.
        elements: Symbols of the elements.
    """
    active = elements & _ZINTL_CATIONS
    rest = elements - _ZINTL_CATIONS
    heavy = rest & (_ZINTL_GROUPS.keys() - _FORMERS.keys())
    if not heavy:
        heavy = rest & _ZINTL_GROUPS.keys()
    formers = rest - heavy
    if not active or not heavy or not formers <= _FORMERS.keys():
        return False
    # Salts such as Na3P, semiconductors such as MgSiP2, and metals such as CaMn2Ge2 do not count.
    if rest == {"P"} or (active == {"Mg"} and "P" in rest) or ("Mn" in rest and heavy & {"Si", "Ge", "Sn", "Pb"}):
        return False
    s = surroundings
    symbols = [SYMBOLS[number] for number in s.numbers.tolist()]
    is_heavy = np.isin(s.numbers, [NUMBERS[symbol] for symbol in heavy])
    bonded = is_heavy[s.centers] & is_heavy[s.points] & (s.distances < 1.18 * s.radii)
    bonds = s.counts(np.flatnonzero(bonded))
    balance = 0
    for site, symbol in enumerate(symbols):
        if symbol in heavy:
            balance -= max(8 - _ZINTL_GROUPS[symbol] - int(bonds[site]), 0)
        else:
            balance += _GIVEN.get(symbol, _FORMERS.get(symbol, 0))
    return balance == 0


__all__ = ["CLASSES", "HALOGENS", "classes_of", "electronegativity", "is_zintl", "oxide_names"]
