"""Formal oxidation states, where the rules of valence leave one possibility."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product

import numpy as np

from ...concepts.elements import ALKALI, RARE_EARTH, TRANSITION
from .ions import IonsFound
from .surroundings import IS_NONMETAL, NUMBERS, SYMBOLS, Surroundings

_ANION_STATES = {
    "F": -1, "Cl": -1, "Br": -1, "I": -1, "O": -2, "S": -2, "Se": -2, "Te": -2, "N": -3, "P": -3, "As": -3, "Sb": -3,
    "H": -1, "C": -4,
}  # fmt: skip
# Usual states; those after `|` are tried only if the usual ones give no neutral compound (Greenwood and Earnshaw,
# Chemistry of the Elements, 2nd edition).
_STATES_BY_ELEMENT = """
Be 2; Mg 2; Ca 2; Sr 2; Ba 2; Ra 2; Al 3; Ga 3|1 2; In 3|1; Tl 1 3; Sn 2 4; Pb 2 4; Sb 3 5; Bi 3|5; Ti 4|2 3;
Zr 4|2 3; Hf 4|2 3; V 5 4 3|2; Nb 5|2 3 4; Ta 5|3 4; Cr 3 6|2 4 5; Mo 6 4|2 3 5; W 6|2 4 5; Mn 2 3 4|5 6 7; Tc 7 4;
Re 7|3 4 5 6; Fe 2 3|4 6; Ru 4|2 3 5 6; Os 4|6 8 5; Co 2 3|4; Rh 3|4 1; Ir 4|3 5 6; Ni 2|3 4; Pd 2|4; Pt 4 2;
Cu 1 2|3; Ag 1|2 3; Au 1 3; Zn 2; Cd 2; Hg 2|1; Ce 3 4; Pr 3|4; Tb 3|4; Sm 3|2; Eu 2 3; Yb 3 2; Tm 3|2; Th 4;
Pa 5 4; U 4 6|3 5; Np 4 5 6|3; Pu 4 3|6; Am 3|4; Cm 3; Ac 3; Si 4; Ge 4|2; B 3; P 5|3 4; As 3 5; S 6 4; Se 4 6;
Te 4 6; I 5 7; Cl 7 5; Br 5; N 5 3; C 4
"""
_STATES: dict[str, str] = dict(entry.split(maxsplit=1) for entry in _STATES_BY_ELEMENT.split(";"))  # type: ignore[misc]
_STATES |= dict.fromkeys(ALKALI | {"Fr"}, "1") | dict.fromkeys(RARE_EARTH - _STATES.keys(), "3")
# States that only oxygen and fluorine stabilise.
_OXIDE_FLUORIDE_STATES = {
    "Cu": 3,
    "Ag": 2,
    "Ni": 3,
    "Pd": 4,
    "Co": 4,
    "Fe": 4,
    "Mn": 4,
    "Au": 5,
    "Pb": 4,
    "Bi": 5,
    "Tl": 3,
}
# Anions with metallic compounds, in which transition metals have no formal oxidation state.
_METALLIC_ANIONS = frozenset({"B", "C", "Si", "Ge", "P", "As", "Sb", "Bi", "Sn", "Pb", "H"})
_MOST_COMBINATIONS = 4096
_NEUTRAL = 0.02  # charge of a formula unit that counts as zero, per atom


def oxidation_states(
    surroundings: Surroundings, amounts: Mapping[str, float], found: IonsFound, anions: np.ndarray
) -> dict[str, tuple[int, ...]] | None:
    """
    Determine formal oxidation states from the anions and ions and the neutrality of the formula unit.

    Args:
        surroundings: The sites of an ordered crystal.
        amounts: Symbol -> atoms in the formula unit.
        found: The ions.
        anions: `(num_sites,)` bool, simple anions.

    Returns:
        Symbol -> states; two of them for an element of mixed valence. `None` if there are no anions, or if there are
        several possibilities or none.
    """
    numbers = surroundings.numbers
    scale = sum(amounts.values()) / len(numbers)
    symbols = [SYMBOLS[number] for number in numbers.tolist()]
    states = found.states.copy()
    for site in np.flatnonzero((anions | (found.bound & ~found.centres)) & np.isnan(states)).tolist():
        states[site] = _ANION_STATES.get(symbols[site], math.nan)
    if not anions.any() and not found.bound.any():
        return None
    anionic = {symbols[site] for site in np.flatnonzero(anions).tolist()}
    metals = {symbol for symbol in symbols if not IS_NONMETAL[NUMBERS[symbol]]}
    if anionic & {"B", "Si", "Ge", "Sn", "Pb"} or (anionic & _METALLIC_ANIONS and metals & TRANSITION):
        return None
    if found.ids & _UNCOUNTED:
        return None
    known = ~np.isnan(states)
    if (~known & (anions | (found.bound & ~found.centres))).any():
        return None
    charge = float(states[known].sum()) * scale
    open_amounts: dict[str, float] = {}
    for site in np.flatnonzero(~known).tolist():
        open_amounts[symbols[site]] = open_amounts.get(symbols[site], 0.0) + scale
    if open_amounts.keys() & _ONLY_IN_IONS:
        return None
    result: dict[str, set[int]] = {}
    solved = _solve(open_amounts, charge, _NEUTRAL * sum(amounts.values()))
    if solved is None:
        return None
    others_only = not amounts.keys() & {"O", "F"}
    if others_only and any(max(values) >= _OXIDE_FLUORIDE_STATES.get(symbol, 9) for symbol, values in solved.items()):
        return None
    for site in np.flatnonzero(known).tolist():
        if states[site].is_integer():
            result.setdefault(symbols[site], set()).add(int(states[site]))
    for symbol, values in solved.items():
        result.setdefault(symbol, set()).update(values)
    return {symbol: tuple(sorted(values)) for symbol, values in sorted(result.items())}


def lowest_state(symbol: str) -> int:
    """
    Return the lowest positive oxidation state that an element usually has; 0 if none is known.

    Args:
        symbol: Its symbol.
    """
    return min((int(state) for state in _STATES.get(symbol, "0").replace("|", " ").split()), default=0)


# Elements whose positive states follow from ions only: those of BrF2+ and S2N3 would be guesses.
_ONLY_IN_IONS = frozenset({"N", "O", "S", "Cl", "Br", "I"})
# Ions whose atoms have no oxidation state of the tables above.
_UNCOUNTED = frozenset({
    "organic", "azide", "cyanide", "cyanate", "thiocyanate", "carbodiimide", "acetylide", "carbonyl", "dinitrogen",
    "diazenide", "pernitride", "disulfide", "polysulfide", "diselenide", "polyselenide", "ditelluride", "polytelluride",
    "diphosphide", "polyphosphide", "diarsenide", "polyarsenide", "diantimonide", "polyantimonide", "polyiodide",
    "polybromide", "ozonide", "thiosulfate", "dioxygen", "hypophosphite", "amide", "imide", "hydrazine",
})  # fmt: skip


def _solve(amounts: Mapping[str, float], charge: float, tolerance: float) -> dict[str, tuple[int, ...]] | None:
    """Choose states of the cations that make up for a charge; `None` if that is not possible in exactly one way."""
    if any(symbol not in _STATES for symbol in amounts):
        return None
    tiers = {symbol: _STATES[symbol].split("|") for symbol in amounts}
    # With several elements of variable state, mixed valence is likelier than a rare state, as of Cu in DyCu3Mn4O12.
    variable = sum(len(tier[0].split()) > 1 for tier in tiers.values())
    for last in (1, 2) if variable < 2 else (1,):
        choices = [[int(state) for state in " ".join(tiers[symbol][:last]).split()] for symbol in amounts]
        if math.prod(map(len, choices)) > _MOST_COMBINATIONS:
            return None
        fits = [
            states
            for states in product(*choices)
            if abs(charge + sum(a * state for a, state in zip(amounts.values(), states, strict=True))) <= tolerance
        ]
        if len(fits) == 1:
            return {symbol: (state,) for symbol, state in zip(amounts, fits[0], strict=True)}
        if fits:
            return None
    return _mixed_valence(amounts, tiers, charge)


def _mixed_valence(
    amounts: Mapping[str, float], tiers: Mapping[str, list[str]], charge: float
) -> dict[str, tuple[int, ...]] | None:
    """Two neighbouring usual states of the only element that has several."""
    several = [symbol for symbol in amounts if len(tiers[symbol][0].split()) > 1]
    if len(several) != 1:
        return None
    fixed = {symbol: int(tiers[symbol][0]) for symbol in amounts if symbol != several[0]}
    mean = -(charge + sum(amounts[symbol] * state for symbol, state in fixed.items())) / amounts[several[0]]
    low, high = math.floor(mean), math.ceil(mean)
    if {str(low), str(high)} <= set(tiers[several[0]][0].split()) and low != high:
        return {symbol: (state,) for symbol, state in fixed.items()} | {several[0]: (low, high)}
    return None


__all__ = ["lowest_state", "oxidation_states"]
