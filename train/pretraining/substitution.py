"""
Crystals made from those of the training split by exchanging elements.

A compound of another element of the same family, in the same structure, has known chemical classes, symmetry and
structure type, although nobody has computed its properties. Such crystals teach that these facts do not depend on the
compositions that happen to be in the training split.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modeling_clac.concepts.elements import ALKALI, HALOGENS, LANTHANIDES, PLATINUM_GROUP, symbols
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.facts.crystal_facts import crystal_facts
from modeling_clac.data.properties import NUMERIC_COLUMNS
from modeling_clac.data.structure_facts import describe_crystal
from modeling_clac.formulas_clac import ELEMENTS
from modeling_clac.utils.progress import progress_bar

# Elements that replace each other in many structures.
FAMILIES: tuple[frozenset[str], ...] = (
    ALKALI,
    symbols("Mg Ca Sr Ba"),
    LANTHANIDES - symbols("Eu Yb Pm") | symbols("Y"),
    symbols("Ti Zr Hf"),
    symbols("V Nb Ta"),
    symbols("Cr Mo W"),
    symbols("Mn Fe Co Ni"),
    PLATINUM_GROUP,
    symbols("Cu Ag Au"),
    symbols("Zn Cd"),
    symbols("Al Ga In"),
    symbols("Si Ge Sn"),
    symbols("P As Sb"),
    symbols("S Se Te"),
    HALOGENS,
)
_NUMBERS = {symbol: number for number, symbol in enumerate(ELEMENTS, start=1)}
_FAMILY_OF = {_NUMBERS[symbol]: [_NUMBERS[s] for s in sorted(family)] for family in FAMILIES for symbol in family}
# Share of the new crystals in which two elements are exchanged, and in which an element is replaced only in part.
_SECOND, _PARTLY = 0.3, 0.2
# Weight of the prior in the volumes of elements, in atoms.
_PRIOR = 3.0
_TRIES = 20


def substituted_crystals(
    crystals: Sequence[Crystal],
    records: Sequence[dict[str, Any]],
    count: int,
    seed: int,
    forbidden: Collection[str] = (),
    show_progress: bool = True,
) -> tuple[list[Crystal], list[dict[str, Any]]]:
    """
    Make new crystals by exchanging one or two elements for others of their family, wholly or in part.

    The cell is scaled by the mean volumes of the elements in the given crystals. Symmetry, density and facts are
    computed; properties are unknown.

    Args:
        crystals: The crystals.
        records: Their rows of the data set.
        count: Number of crystals to make.
        seed: Seed of the choice.
        forbidden: Reduced formulas that must not occur, such as those of validation and test.
        show_progress: Whether to show a progress bar.

    Returns:
        The crystals, and their rows with the columns of `describe_crystal` and `crystal_facts`. No formula occurs
        twice, or among the given crystals. There may be fewer than `count` if few exchanges are possible.
    """
    volumes = element_volumes(crystals)
    generator = random.Random(f"substitutions-{seed}")
    used = {*forbidden, *(record["formula"] for record in records)}
    made: list[Crystal] = []
    rows: list[dict[str, Any]] = []
    with progress_bar("substituting elements", count, None if show_progress else False) as bar:
        for _ in range(_TRIES * count):
            if len(made) == count:
                break
            place = generator.randrange(len(crystals))
            changed = substitute(crystals[place], volumes, generator)
            if changed is None:
                continue
            described = describe_crystal(changed)
            if described["formula"] in used or described["space_group_number"] is None:
                continue
            used.add(described["formula"])
            parent = records[place]["material_id"]
            unknown = dict.fromkeys(NUMERIC_COLUMNS)
            name = f"{described['formula']} after {parent}"
            rows.append({**unknown, **described, **crystal_facts(changed), "material_id": name, "cif": None})
            made.append(replace(changed, space_group=described["space_group_number"]))
            bar.update()
    return made, rows


def substitute(crystal: Crystal, volumes: np.ndarray, generator: random.Random) -> Crystal | None:
    """
    Exchange elements of a crystal.

    Args:
        crystal: The crystal.
        volumes: `(119,)`, volume of an atom of each element in Å³, see [`element_volumes`].
        generator: Source of random numbers.

    Returns:
        The new crystal; `None` if no element belongs to a family, or the volume of an element is unknown.
    """
    numbers = crystal.atomic_numbers.copy()
    before = crystal.weights @ volumes[numbers]
    partly = crystal.is_ordered and generator.random() < _PARTLY
    exchanged: tuple[int, int] | None = None
    for _ in range(2 if not partly and generator.random() < _SECOND else 1):
        own = sorted(set(numbers.tolist()))
        candidates = [(old, new) for old in own for new in _FAMILY_OF.get(old, ()) if new not in own]
        if not candidates:
            break
        exchanged = generator.choice(candidates)
        if not partly:
            numbers[numbers == exchanged[0]] = exchanged[1]
    if exchanged is None:
        return None
    positions, occupancy = crystal.positions, crystal.occupancy
    if partly:
        old, new = exchanged
        share = generator.choice((0.1, 0.2, 0.25, 0.3, 0.5))
        sites = np.flatnonzero(numbers == old)
        occupancy = np.ones(len(numbers) + len(sites))
        occupancy[sites] = 1.0 - share
        occupancy[len(numbers) :] = share
        numbers = np.concatenate([numbers, np.full(len(sites), new)])
        positions = np.concatenate([positions, positions[sites]])
    weights = np.ones(len(numbers)) if occupancy is None else occupancy
    after = weights @ volumes[numbers]
    if not (before > 0 and np.isfinite(before + after)):
        return None
    factor = float((after / before) ** (1 / 3))
    return Crystal(numbers, positions * factor, crystal.cell * factor, occupancy)


def element_volumes(crystals: Sequence[Crystal]) -> np.ndarray:
    """
    Estimate the volume of an atom of each element, such that their sums are close to the volumes of the cells.

    Args:
        crystals: The crystals.

    Returns:
        `(119,)` in Å³, NaN for elements that do not occur; ridge regression of the volume per atom on the atomic
        fractions, towards the mean volume per atom.
    """
    fractions = np.zeros((len(crystals), 119))
    for row, crystal in enumerate(crystals):
        np.add.at(fractions[row], crystal.atomic_numbers, crystal.weights / crystal.num_occupied)
    per_atom = np.array([crystal.volume / crystal.num_occupied for crystal in crystals])
    mean = per_atom.mean()
    matrix = fractions.T @ fractions + _PRIOR * np.eye(119)
    volumes = mean + np.linalg.solve(matrix, fractions.T @ (per_atom - fractions.sum(axis=1) * mean))
    volumes = np.maximum(volumes, 0.1 * mean)
    volumes[~fractions.any(axis=0)] = np.nan
    return volumes


__all__ = ["FAMILIES", "element_volumes", "substitute", "substituted_crystals"]
