"""Names of oxides after their most acidic metal, and classes of compounds."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import lru_cache

import numpy as np

from ...concepts.elements import ALKALI, ALKALINE_EARTH, NOBLE_GASES, NONMETALS, RARE_EARTH
from .ion_table import OXIDE_NAMES
from .ions import IonsFound
from .surroundings import NUMBERS, SYMBOLS, Surroundings

HALOGENS = frozenset({"F", "Cl", "Br", "I"})
_CHALCOGENS = frozenset({"S", "Se", "Te"})
_PNICTOGENS = frozenset({"P", "As", "Sb", "Bi"})
_TRIVALENT = frozenset({"Cr", "Mn", "Fe", "Co", "Ni", "Cu"})
# Cations of complex oxides that never give them their name.
_NEVER_ACIDIC = ALKALI | ALKALINE_EARTH | RARE_EARTH | {"Ag", "Cd", "Hg", "Tl", "Th", "Au"} - {"Sc", "Be"}
_RANKS = {symbol: rank for rank, names in enumerate(OXIDE_NAMES) for symbol in names}
_NAMES = {symbol: name for names in OXIDE_NAMES for symbol, name in names.items()}
# Difference of Pauling electronegativities at which a bond is half ionic (Pauling, The Nature of the Chemical Bond).
_IONIC_DIFFERENCE = 1.7
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
    "oxyhalide", "oxychalcogenide", "chalcohalide", "nitride_halide", "hydrate", "molecular", "organic",
    *MIXED_CLASSES.values(),
})  # fmt: skip


def oxide_names(amounts: Mapping[str, float], anions: Set[str], found: IonsFound) -> set[str]:
    """
    Name an oxide of several metals after the most acidic one, such as titanate, ferrite or stannate.

    Args:
        amounts: Symbol -> atoms in the formula unit.
        anions: Symbols of the simple anions.
        found: The ions. Oxides with oxyanions have no such name.

    Returns:
        Ids; empty if there is no other cation, or the order of the metals is not clear.
    """
    if "O" not in anions or found.oxyanions or "organic" in found.ids:
        return set()
    metals = {symbol for symbol in amounts if symbol not in anions and symbol not in ("O", "H")}
    metals -= {symbol for symbol in metals if symbol in ("N", "C", *HALOGENS, *_CHALCOGENS) and symbol != "Te"}
    acidic = {symbol: _RANKS[symbol] for symbol in metals if symbol in _RANKS and symbol not in _NEVER_ACIDIC}
    if not acidic or len(metals) < 2:
        return set()
    top = min(acidic.values())
    centres = [symbol for symbol, rank in acidic.items() if rank == top]
    others = metals - set(centres)
    if len(centres) > 1:
        if top == _RANKS["Fe"]:
            # Of two metals of this kind, that of the larger amount has the higher state, as in MnFe2O4.
            most = max(amounts[symbol] for symbol in centres)
            chief = [symbol for symbol in centres if amounts[symbol] == most]
            if len(chief) > 1 or amounts[chief[0]] < 1.5 * max(amounts[m] for m in centres if m != chief[0]):
                return set()
            centres = chief
        elif not others:
            # ZrTiO4 is a titanate: the order within a rank decides.
            order = list(OXIDE_NAMES[top])
            centres = [min(centres, key=order.index)]
    elif "Fe" in centres and not others:
        return set()
    return {_NAMES[symbol] for symbol in centres}


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
    cations = elements - anions - {"H", "O", "N", "C", "S", "P", "Cl", "Br", "I", "Se", "As", "B", "F"}
    if found.oxyanions and (cations or "ammonium" in ids):
        classes.add("oxysalt")
    classes |= _mixed(anions, found, ids)
    if "O" in anions and not found.oxyanions and "organic" not in ids and len(metals) > 1:
        classes.add("complex_oxide")
    if "organic" in ids:
        classes.add("organic")
    if "water" in ids and len(elements) > 2:
        classes.add("hydrate")
    if anions or found.oxyanions or ids & ANIONIC_IDS:
        if _is_ionic(elements, metals, anions, found, ids):
            classes.add("ionic")
            if found.oxyanions or ids & ANIONIC_IDS or (anions & HALOGENS and "O" not in anions):
                classes.add("salt")
    if dimension == 0 and "ionic" not in classes and not metals & (_NEVER_ACIDIC - {"Hg", "Au"}) and "ammonium" not in ids:
        classes.add("molecular")
    return classes


def _is_intermetallic(elements: Set[str], metals: Set[str]) -> bool:
    """Metals with Si, Ge or Sb, if at least one is a transition metal, a rare earth or an actinide."""
    rest = elements - metals
    heavy = {m for m in metals if m in RARE_EARTH or 21 <= NUMBERS[m] <= 29 or 39 <= NUMBERS[m] <= 47}
    heavy |= {m for m in metals if 57 <= NUMBERS[m] <= 79 or NUMBERS[m] >= 89}
    return rest <= {"Si", "Ge", "Sb"} and bool(heavy) and len(metals) >= 1


def _mixed(anions: Set[str], found: IonsFound, ids: Set[str]) -> set[str]:
    classes: set[str] = set()
    kinds = len(anions) + len({_family(name) for name in found.oxyanions}) + len(ids & ANIONIC_IDS)
    if kinds > 1:
        classes.add("mixed_anion")
    if "O" in anions:
        classes |= {MIXED_CLASSES[symbol] for symbol in anions & MIXED_CLASSES.keys()}
        if anions & HALOGENS:
            classes.add("oxyhalide")
        if anions & _CHALCOGENS:
            classes.add("oxychalcogenide")
    if anions & _CHALCOGENS and anions & HALOGENS:
        classes.add("chalcohalide")
    if "N" in anions and anions & HALOGENS:
        classes.add("nitride_halide")
    return classes


def _family(name: str) -> str:
    return name


def _is_ionic(elements: Set[str], metals: Set[str], anions: Set[str], found: IonsFound, ids: Set[str]) -> bool:
    """Whether the difference between the mean electronegativities of anions and metals is large."""
    if "ammonium" in ids and (anions & HALOGENS or found.oxyanions):
        return True
    if not metals:
        return False
    if found.oxyanions or ids & ANIONIC_IDS:
        top = 3.44
    else:
        top = max(electronegativity(symbol) for symbol in anions)
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
    if rest == {"P"} or (active <= {"Mg"} and len(rest) == 1 and rest <= {"P"}):
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
