"""Recognise chemical formulas of compounds with a definite composition in the text of papers."""

from __future__ import annotations

import math
import re
from functools import lru_cache

from modeling_clac.formula_grammar_clac import parse_formula
from modeling_clac.formulas_clac import ELEMENTS, read_formula

# Sorted pairs (symbol, amount), divided by the greatest common divisor: Te2Mo, MoTe2 and Mo2Te4 are one composition.
Composition = tuple[tuple[str, int], ...]

_SYMBOLS = frozenset(ELEMENTS)
_VARIABLE = re.compile(r"[-−–+±][a-zδ]|δ|[A-Za-z)\]](?:x|z|(?<!D)y)(?![a-z])|\d[xyz]")
# Molecules and ions in solutions and gases; these do not refer to crystals.
_MOLECULES = frozenset(
    (
        "XeF2 H2O H2O2 CO CO2 NO NO2 N2O N2O4 NH3 NH4 N2H4 CH4 C2H2 C2H4 C2H6 C3H8 SO2 SO3 SO4 H2S HCl HF HBr HI HNO3 "
        "H2SO4 H3PO4"
    ).split()
)
# Compounds written with capitals only; other such words (BCS, SOC, HPC, NV) are abbreviations.
_CAPITALS = frozenset("BN KF WN WC VN".split())
# Formulas of peroxides are written with two atoms of each element (Na2O2).
_PEROXIDES = frozenset("Li Na K Rb Cs O".split())
# Elements that substitute for each other. Two from one row without amounts denote an alloy (AlGaAs), not a compound.
_EXCHANGING = tuple(
    frozenset(row.split())
    for row in (
        "Al Ga In",
        "Zn Cd Hg",
        "Si Ge Sn",
        "V Cr Mn Fe Co Ni Cu",
        "Ca Sr Ba",
        "Ti Zr Hf",
        "Nb Ta",
        "Mo W",
        "S Se Te",
        "Cl Br I",
        "N P As Sb",
        "Cu Ag Au",
        "Ni Pd Pt",
        "Li Na K Rb Cs",
    )
)


@lru_cache(maxsize=1 << 18)
def read_compound(word: str) -> tuple[Composition | None, str | None]:
    """
    Read a word as a compound.

    Args:
        word: Word without the markup of subscripts; see `modeling_clac.formulas_clac.flatten_markup`.

    Returns:
        The composition, or `None` if the word is not a compound with integer amounts, and the reason if it looks like a
        compound but is left out.
    """
    if _VARIABLE.search(word):
        return None, "variable amounts" if re.search(r"\d|[A-Z][a-z]?[A-Z]", word) and _looks_chemical(word) else None
    # Acronyms and lost capitals are not read here, since a paper defines its own abbreviations.
    parsed = parse_formula(word, whole=True)
    if parsed is None or parsed.charged or not parsed.definite:
        return None, None
    found: dict[str, float] = {}
    for part in parsed.parts:
        found[part.symbol] = found.get(part.symbol, 0.0) + part.amount
    # Formulas do not contain the amount 1, so `SV1` is a name.
    if len(found) < 2 or re.search(r"[A-Za-z)]1(?![\d.])", word):
        return None, None
    if word in _MOLECULES or found.keys() <= {"C", "H", "N", "O", "S", "F", "Cl"}:
        return None, "molecule or ion" if any(letter.isdigit() for letter in word) else None
    if any(number != int(number) or number == 0 for number in found.values()):
        return None, "fractional amounts"
    bare = not any(letter.isdigit() for letter in word)
    if bare and word.isupper() and word not in _CAPITALS:
        return None, None
    if bare and any(len(row & found.keys()) > 1 for row in _EXCHANGING):
        return None, "alloy without amounts"
    if max(found.values()) > 200:
        return None, None
    numbers = {symbol: int(number) for symbol, number in found.items()}
    if math.gcd(*numbers.values()) > 1 and not (set(numbers.values()) == {2} and numbers.keys() <= _PEROXIDES):
        return None, "cluster or molecule"
    return reduced(numbers), None


def _looks_chemical(word: str) -> bool:
    symbols = re.findall(r"[A-Z][a-z]?", re.sub(r"[xyzδ]", "", word))
    return len(symbols) > 1 and all(symbol in _SYMBOLS for symbol in symbols)


def reduced(numbers: dict[str, int]) -> Composition:
    """Divide amounts by their greatest common divisor."""
    divisor = math.gcd(*numbers.values())
    return tuple(sorted((symbol, number // divisor) for symbol, number in numbers.items()))


def composition_of(formula: str) -> Composition | None:
    """Return the composition of a clean formula, such as that of a record, or `None` if it cannot be read."""
    found = read_formula(formula)
    if not found or any(number != int(number) or number < 1 for number in found.values()):
        return None
    return reduced({symbol: int(number) for symbol, number in found.items()})


__all__ = ["Composition", "composition_of", "read_compound", "reduced"]
