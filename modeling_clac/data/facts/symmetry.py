"""Symmetry of the sites of a crystal by moyopy: Wyckoff sequence, Pearson symbol and prototype label."""

from __future__ import annotations

import gzip
import importlib.util
import json
import logging
import math
from collections import Counter
from dataclasses import dataclass
from functools import cmp_to_key, lru_cache
from pathlib import Path
from typing import Any

import gemmi
import numpy as np

from ...concepts.symmetry import bravais_lattice
from ...crystal_clac import Crystal, site_of_each_atom
from ...symmetry_clac import SYMPREC, is_searchable

# Tolerances of the symmetry search in Å, in the order in which they are tried. The first is that of the stored space
# group; the others decide where moyopy and spglib judge a distorted structure differently.
_TOLERANCES = (SYMPREC, 0.05, 0.2, 0.02)
# Labels count the elements with letters.
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Quotient of the longest and the shortest lattice vector beyond which moyopy may not end.
_MAX_ASPECT = 300.0


@dataclass(frozen=True, eq=False)
class Orbits:
    """
    The sites of a crystal, sorted into sets of equivalent ones.

    Attributes:
        space_group: Number of the space group.
        numbers: `(num_sites,)` int64, atomic numbers; of a mixed site that of the most frequent element.
        positions: `(num_sites, 3)` float64, Cartesian coordinates in Å.
        orbits: `(num_sites,)` int64, the orbit of each site.
        letters: Wyckoff letter of each site, in the setting that moyopy chose.
        pearson: Pearson symbol, such as `cF8`.
    """

    space_group: int
    numbers: np.ndarray
    positions: np.ndarray
    orbits: np.ndarray
    letters: tuple[str, ...]
    pearson: str


def find_orbits(crystal: Crystal, space_group: int | None = None) -> Orbits | None:
    """
    Find the sets of equivalent sites.

    Args:
        crystal: The crystal. A mixed site counts as its most frequent element, a vacancy as an atom.
        space_group: Number of the space group that the sites should have; `None` takes the one found.

    Returns:
        The orbits, or `None` if no tolerance leads to the space group, or the search would take minutes.
    """
    import moyopy

    # Notes on how far atoms were moved and on cells that are not primitive.
    logging.getLogger("moyo").setLevel(logging.ERROR)
    numbers, positions = _sites(crystal)
    lengths = np.linalg.norm(crystal.cell, axis=1)
    if lengths.max() > _MAX_ASPECT * lengths.min() or not is_searchable(positions, numbers, crystal.cell):
        return None
    fractions = positions @ np.linalg.inv(crystal.cell)
    cell = moyopy.Cell(crystal.cell.tolist(), fractions.tolist(), numbers.tolist())
    for tolerance in _TOLERANCES if space_group is not None else _TOLERANCES[:1]:
        try:
            found = moyopy.MoyoDataset(cell, symprec=tolerance)
        except ValueError:  # moyopy found no symmetry at this tolerance
            continue
        if space_group in (None, found.number):
            orbits = np.asarray(found.orbits, dtype=np.int64)
            return Orbits(found.number, numbers, positions, orbits, tuple(found.wyckoffs), found.pearson_symbol)
    return None


def _sites(crystal: Crystal) -> tuple[np.ndarray, np.ndarray]:
    if crystal.occupancy is None:
        return crystal.atomic_numbers, crystal.positions
    sites = site_of_each_atom(crystal)
    # The last of equal keys wins: sort by share, and of equal shares the lighter element.
    order = np.lexsort((-crystal.atomic_numbers, crystal.occupancy))
    largest = {int(sites[atom]): int(atom) for atom in order}
    atoms = np.array([largest[site] for site in sorted(largest)])
    return crystal.atomic_numbers[atoms], crystal.positions[atoms]


def symmetry_facts(orbits: Orbits | None, space_group: int | None = None) -> dict[str, str | None]:
    """
    Describe the symmetry of a crystal beyond its space group.

    Args:
        orbits: The orbits of the crystal, or `None` if unknown.
        space_group: Number of the space group, for crystals without orbits.

    Returns:
        `bravais_lattice` (`cF`, `hP`, ...), `wyckoff` (as in the Inorganic Crystal Structure Database: `e d a`),
        `pearson` (`cF56`) and `prototype` (label as AFLOW writes it, with the elements sorted by amount so that all
        isopointal crystals share it: `AB2C4_cF56_227_a_d_e`). All letters are those of the origin for which they are
        lowest. `None` where unknown.
    """
    group = space_group if orbits is None else orbits.space_group
    lattice = None if group is None else bravais_lattice(group)
    if orbits is None:
        return {"bravais_lattice": lattice, "wyckoff": None, "pearson": None, "prototype": None}
    label = prototype_label(orbits)
    letters: Counter[str] = Counter()
    for part in label.split("_")[3:]:
        letters.update(_counted(part))
    wyckoff = " ".join(
        letter + (str(count) if count > 1 else "")
        for letter, count in sorted(letters.items(), key=lambda entry: (entry[0] == "A", entry[0]), reverse=True)
    )
    return {"bravais_lattice": lattice, "wyckoff": wyckoff, "pearson": orbits.pearson, "prototype": label}


def prototype_label(orbits: Orbits) -> str:
    """
    Write the prototype label of a crystal, such as `AB3_cP4_221_a_c`.

    Elements are sorted by amount and letters chosen as in pymatgen's `get_prototype_from_protostructure`
    (doi 10.1126/sciadv.abn4117), so that the label does not depend on origin, axes and which elements they are.

    Args:
        orbits: The orbits of the crystal.
    """
    _, amounts, letters = _lettered(orbits)
    anonymous = "".join(
        letter + (str(amount) if amount > 1 else "") for letter, amount in zip(_LETTERS, sorted(amounts), strict=False)
    )
    return f"{anonymous}_{orbits.pearson}_{orbits.space_group}_{'_'.join(letters)}"


def canonical_letters(orbits: Orbits) -> dict[str, str]:
    """
    Return the Wyckoff letters of each element as the prototype label has them.

    Args:
        orbits: The orbits of the crystal.

    Returns:
        Symbol of the element -> its letters, `ad` or `2c`. Elements that could be exchanged without a change of the
        label keep one of the possible letters.
    """
    elements, _, letters = _lettered(orbits)
    return {gemmi.Element(number).name: text for number, text in zip(elements, letters, strict=True)}


def _lettered(orbits: Orbits) -> tuple[list[int], list[int], list[str]]:
    """Atomic numbers, amounts and letters of the elements, in the order of the label."""
    places: dict[int, Counter[str]] = {}
    _, first = np.unique(orbits.orbits, return_index=True)
    for site in first.tolist():
        places.setdefault(int(orbits.numbers[site]), Counter())[orbits.letters[site]] += 1
    totals = Counter(orbits.numbers.tolist())
    divisor = math.gcd(*totals.values())
    elements = sorted(totals)
    amounts = [totals[number] // divisor for number in elements]
    order, letters = _lowest_letters(
        orbits.space_group, tuple(amounts), tuple(tuple(sorted(places[number].items())) for number in elements)
    )
    return [elements[place] for place in order], [amounts[place] for place in order], list(letters)


@lru_cache(maxsize=1 << 14)
def _lowest_letters(
    space_group: int, amounts: tuple[int, ...], places: tuple[tuple[tuple[str, int], ...], ...]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Find the order of the elements and their Wyckoff letters for the origin and axes that give the lowest letters."""
    best: tuple[int, str, tuple[tuple[int, str, int], ...]] | None = None
    for relabelled in _relabellings()[str(space_group)]:
        parts = []
        score = 0
        for place, (amount, element) in enumerate(zip(amounts, places, strict=True)):
            moved = sorted((relabelled[letter], count) for letter, count in element)
            score += sum(0 if letter == "A" else ord(letter) - 96 for letter, _ in moved)
            text = "".join((str(count) if count > 1 else "") + letter for letter, count in moved)
            parts.append((amount, text, place))
        parts.sort(key=cmp_to_key(_before))
        candidate = (score, "_".join(text for _, text, _ in parts), tuple(parts))
        best = candidate if best is None or candidate[:2] < best[:2] else best
    assert best is not None  # the identity is one of them
    return tuple(place for _, _, place in best[2]), tuple(text for _, text, _ in best[2])


def _before(first: tuple[int, str, int], second: tuple[int, str, int]) -> int:
    """Order by amount, then so that the joined text is lowest."""
    if first[0] != second[0]:
        return first[0] - second[0]
    one, other = f"{first[1]}_{second[1]}", f"{second[1]}_{first[1]}"
    return (one > other) - (one < other)


@lru_cache(maxsize=1)
def _relabellings() -> dict[str, list[dict[str, str]]]:
    """
    Read which Wyckoff letters change into which others by another choice of origin and axes.

    The table is pymatgen's. It is read by itself, since importing `pymatgen.analysis.prototypes` takes seconds.
    """
    found = importlib.util.find_spec("pymatgen.analysis.prototypes")
    for folder in (found.submodule_search_locations or ()) if found else ():
        for file in Path(folder).glob("wyckoff-position-relabelings.json.gz"):
            return _letters_of(json.loads(gzip.decompress(file.read_bytes())))
    from pymatgen.analysis.prototypes import WYCKOFF_POSITION_RELAB_DICT

    return _letters_of(WYCKOFF_POSITION_RELAB_DICT)


def _letters_of(table: dict[str, list[dict[Any, str]]]) -> dict[str, list[dict[str, str]]]:
    return {
        group: [{chr(int(old)): new for old, new in choice.items()} for choice in choices]
        for group, choices in table.items()
    }


def _counted(part: str) -> dict[str, int]:
    """Read the letters of an element, `2cd`, as counts."""
    counts: dict[str, int] = {}
    digits = ""
    for sign in part:
        if sign.isdigit():
            digits += sign
        else:
            counts[sign] = int(digits or 1)
            digits = ""
    return counts


__all__ = ["Orbits", "canonical_letters", "find_orbits", "prototype_label", "symmetry_facts"]
