"""What occupies a site of a CIF: elements, ions, isotopes, mixtures, groups with hydrogen and dummies."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import gemmi

from .crystal_clac import OCCUPANCY_TOLERANCE

_CHARGE = r"(?:\d*\.?\d*[+-]+|[+-]\d+\.?\d*)"
# `Fe`, `Fe3+`, `O2-`, `Fe+3`, `7Li`, `Cval`, `O1`
_ION = re.compile(rf"(?:\d{{1,3}})?([A-Za-z]{{1,2}}?)(?:{_CHARGE}|v(?:al?)?|\d+|\((?:{_CHARGE}|[IVX]+|\d+)\))?")
_AMOUNT = r"\d*\.\d+|\d+/\d+|\d+(?![\d.]*[+-](?!\s*[\d.]*[A-Z]))%?"
_SPECIES = rf"([A-Z][a-z]?|\u25a1)\s*(?:{_CHARGE}(?=[\s,/;:)&]|$|\s*\d*\.\d))?"
_BEFORE = re.compile(rf"({_AMOUNT})?\s*[*]?\s*{_SPECIES}")
_AFTER = re.compile(rf"{_SPECIES}\s*[:=]?\s*({_AMOUNT})?")
_BETWEEN = re.compile(r"[\s,/+;&|]*")
# Hydrogen that is written as a part of the site: the heavy atom, and the number of hydrogens.
_HYDRIDE = re.compile(r"([BCNO])[HD](\d?)\W?|[HD](\d?)([NO])\W?|([HD]OH)|(wat)\w*|(tip)\w*", re.IGNORECASE)
_DUMMIES = {"Q", "X", "Va", "Vac", "Vacancy", "Dum", "Dummy", "Du", "Bq", "Gh", "Lp", "Cg", "Cnt", "\u25a1"}
_ISOTOPES = {"D": 1, "T": 1}
# Elements that were made in a few atoms only; in a label, `Cn1` is carbon and `Hs1` hydrogen.
_LAST_IN_CRYSTALS = 103
_GROUPS = {84, 102, *range(_LAST_IN_CRYSTALS + 1, 119)}
_SEVERAL = re.compile(r"[,/+&\u25a1]|\d\.\d|\.\d")


class Species(NamedTuple):
    """
    What occupies a site.

    Attributes:
        shares: Atomic number and share of each element. Empty for a dummy or a vacancy.
        hydrogens: Number of hydrogen atoms that are named (`OH`, `H2O`) but have no positions of their own.
        unknown_shares: Whether the elements are named without their shares (`(Fe,Ni)`).
    """

    shares: tuple[tuple[int, float], ...]
    hydrogens: int = 0
    unknown_shares: bool = False


@lru_cache(maxsize=8192)
def element_of(symbol: str) -> int:
    """Atomic number of a plain type symbol with or without charge or isotope (`Fe`, `FE`, `O2-`, `D`, `7Li`), or 0."""
    match = _ION.fullmatch(symbol.strip("'\" "))
    if match is None:
        return 0
    number = _atomic_number(match[1])
    # In capitals these are groups of atoms: `NH4`, `PO4`, `NO3`.
    return 0 if number in _GROUPS and match[1].isupper() else number


def _atomic_number(letters: str) -> int:
    name = letters.capitalize()
    return _ISOTOPES.get(name) or gemmi.Element(name).atomic_number


@lru_cache(maxsize=8192)
def species_of_symbol(symbol: str) -> Species | None:
    """
    Read a type symbol.

    Args:
        symbol: The symbol, without quotes.

    Returns:
        The species; `None` if the symbol is not understood.
    """
    if number := element_of(symbol):
        return Species(((number, 1.0),))
    if _is_dummy(symbol):
        return Species(())
    if re.fullmatch(r"O[wW](?:at\w*)?\d*", symbol):
        return Species(((8, 1.0),))
    if hydride := _HYDRIDE.fullmatch(symbol):
        first, count, count_before, last, *water = hydride.groups()
        if any(water):
            return Species(((8, 1.0),), 2)
        return Species(((_atomic_number(first or last), 1.0),), int(count or count_before or 1))
    return _mixture(symbol)


def _is_dummy(text: str) -> bool:
    return re.split(r"[\d(_\-]", text)[0].capitalize() in _DUMMIES


def _mixture(text: str) -> Species | None:
    """Read `Si0.75Al0.25`, `0.75Si + 0.25Al`, `(Fe,Ni)`, `Fe/Ni`; `None` if the text does not name several elements."""
    text = re.sub(r"[()\[\]{}_]", "", text).strip()
    before = bool(re.match(r"[\d.]", text))
    pattern = _BEFORE if before else _AFTER
    shares: dict[int, float] = {}
    missing, end, count = False, 0, 0
    while end < len(text):
        match = pattern.match(text, end)
        if match is None:
            return None
        count += 1
        amount, symbol = match.groups() if before else match.groups()[::-1]
        number = 0 if symbol == "\u25a1" else _atomic_number(symbol)
        if not number and symbol not in ("Va", "\u25a1"):
            return None
        if amount is None:
            missing = True
        elif number:
            shares[number] = shares.get(number, 0.0) + _share(amount)
        shares.setdefault(number, 0.0)
        between = _BETWEEN.match(text, match.end())
        end = between.end() if between else match.end()
    shares.pop(0, None)  # vacancies
    total = sum(shares.values())
    if 99 <= total <= 101 and not missing:
        shares, total = {number: share / 100 for number, share in shares.items()}, total / 100
    if count < 2:
        return None
    unknown = missing or not 0 < total <= 1.0 + OCCUPANCY_TOLERANCE
    return Species(tuple(shares.items()), unknown_shares=unknown)


def _share(amount: str) -> float:
    top, _, bottom = amount.rstrip("%").partition("/")
    return float(top) / float(bottom or 1) / (100 if amount.endswith("%") else 1)


@lru_cache(maxsize=8192)
def species_of_label(label: str, elements: frozenset[int] = frozenset()) -> Species | None:
    """
    Read the species from the label of a site.

    Args:
        label: The label, such as `Na1`, `FE2A`, `Owat`, `Nb0.8Zr0.2`.
        elements: Elements in the formula of the file. They decide between `Co` and `C` in `CO1`.

    Returns:
        The species; `None` if the label is not understood.
    """
    if names_several(label) and (mixture := _mixture(re.sub(r"(?<=[a-z])\d+$", "", label))):
        return mixture
    letters = re.match(r"\d*([A-Za-z]+)", label)
    if letters is None:
        return Species(()) if _is_dummy(label) else None
    name = letters[1]
    if name[:3].lower() in ("wat", "tip") or label.upper().startswith(("H2O", "HOH", "D2O")):
        return Species(((8, 1.0),), 2)
    found = [number for length in (2, 1) if len(name) >= length and (number := _atomic_number(name[:length]))]
    if name[:1].upper() == "T" and found and found[0] == 1:
        found = []  # the tetrahedral site of a framework
    if len(found) > 1 and found[0] > _LAST_IN_CRYSTALS:
        found = found[1:]
    known = [number for number in found if number in elements]
    if found and not known and _is_dummy(name):
        return Species(())
    if not found:
        return Species(()) if _is_dummy(name) else None
    # `Ow` and `Cl` are clear; the second letter of `OH1` or `CA1` may belong to the name.
    return Species((((known or found)[0], 1.0),))


def names_several(label: str) -> bool:
    """Whether a label may name several elements, such as `Fe/Ni1` or `Nb0.8Zr0.2`."""
    # Most labels have none of these, and this test is much faster than the pattern.
    return any(sign in label for sign in ",/+.&\u25a1") and _SEVERAL.search(label) is not None


__all__ = ["Species", "element_of", "names_several", "species_of_label", "species_of_symbol"]
