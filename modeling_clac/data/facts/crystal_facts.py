"""All facts of a crystal that are computed once and stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ...crystal_clac import Crystal
from ..structure_facts import formula_amounts
from .bonding import CATION, SPACERS, dimensionality, roles_of, simple_anions
from .chemistry import classes_of, oxide_names
from .columns import FACT_COLUMNS, FACTS_VERSION, VERSION_KEY
from .coordination import coordination_of, shells_connect
from .ions import IonsFound, find_ions, polyanions
from .oxidation import oxidation_states
from .structure_types import structure_type_facts
from .surroundings import NUMBERS, SYMBOLS, Surroundings
from .symmetry import find_orbits, symmetry_facts

_LARGE = SPACERS | {"In"}
# An atom of these elements whose neighbours are all farther than so many times the sum of the radii is misplaced.
_LOST = np.full(119, np.inf)
_LOST[[NUMBERS[symbol] for symbol in ("O", "F", "S", "Se", "Te", "Cl", "Br", "I")]] = 1.45
_LOST[[NUMBERS[symbol] for symbol in ("B", "C", "N", "Si", "P", "As", "Ge", "Sb")]] = 1.28


def crystal_facts(crystal: Crystal, space_group: int | None = None) -> dict[str, Any]:
    """
    Compute the facts of a crystal.

    Args:
        crystal: The crystal. It may be disordered.
        space_group: Number of its space group in the table of crystals, which the symmetry of the sites must have;
            `None` if unknown.

    Returns:
        The columns of `FACT_COLUMNS`; `None` where a fact is unknown.
    """
    facts: dict[str, Any] = dict.fromkeys(FACT_COLUMNS)
    facts |= _chemistry(crystal)
    orbits = find_orbits(crystal, space_group)
    facts |= symmetry_facts(orbits, space_group)
    facts["structure_types"] = structure_type_facts(crystal, orbits)
    return facts


def _chemistry(crystal: Crystal) -> dict[str, Any]:
    amounts = formula_amounts(crystal)
    surroundings = Surroundings.of(crystal)
    if _has_lost_atoms(surroundings):
        return {"dimensionality": None}
    anions: set[str] = set()
    ions: set[str] = set()
    coordination: set[str] = set()
    first: tuple[IonsFound, np.ndarray, np.ndarray] | None = None
    oxyanions: set[str] = set()
    # Once with the most frequent element of each site, and once for each element that is nowhere the most frequent.
    for variant in surroundings.variants():
        found = find_ions(variant)
        simple = simple_anions(variant, found)
        roles = roles_of(variant, found, simple)
        anions |= {SYMBOLS[number] for number in np.unique(variant.numbers[simple]).tolist()}
        found.ids |= polyanions(variant, simple)
        ions |= found.ids
        oxyanions |= found.oxyanions
        coordination |= coordination_of(variant, roles)
        first = first or (found, simple, roles)
    assert first is not None
    found, simple, roles = first
    found.oxyanions |= oxyanions
    states = oxidation_states(surroundings, amounts, found, simple) if crystal.is_ordered else None
    ions |= oxide_names(surroundings, amounts, anions, found, states)
    if "manganate" in ions and states and states.get("Mn") == (7,):
        ions.add("permanganate")
    dimension = dimensionality(surroundings, roles)
    cations = {SYMBOLS[number] for number in np.unique(surroundings.numbers[roles == CATION]).tolist()}
    # In salts of large cations, such as TlCl and K2S, long bonds count like short ones.
    if dimension != 3 and cations and cations <= _LARGE:
        connected = shells_connect(surroundings, roles)
        if dimension is None:
            dimension = 3 if connected == 3 else None
        elif connected > dimension:
            dimension = None
    return {
        "anions": _sorted(anions),
        "ions": _sorted(ions),
        "classes": _sorted(classes_of(surroundings, amounts, anions, found, ions, dimension, not crystal.is_ordered)),
        "dimensionality": dimension,
        "framework_dimensionality": _framework(surroundings, roles, dimension),
        "coordination": _sorted(coordination),
        "oxidation_states": None if states is None else _written(states),
    }


def _has_lost_atoms(s: Surroundings) -> bool:
    """Whether a nonmetal of a compound has no neighbour at all, as if positions were exchanged: nothing is certain."""
    # Anions of ammonium salts have contacts to hydrogen only, which are long.
    if len(s.elements) == 1 or "H" in s.present:
        return False
    nearest = np.full(len(s), np.inf)
    np.minimum.at(nearest, s.centers, s.distances / s.radii)
    return bool((nearest > _LOST[s.numbers]).any())


def _framework(surroundings: Surroundings, roles: np.ndarray, dimension: int | None) -> int | None:
    """Dimensionality without the spacers, if there are any."""
    kept = ~np.isin(surroundings.numbers, [NUMBERS[symbol] for symbol in SPACERS])
    return dimension if kept.all() or not kept.any() else dimensionality(surroundings, roles, kept)


def _written(states: Mapping[str, tuple[int, ...]]) -> list[str]:
    return sorted(f"{symbol}{state:+d}" for symbol, values in states.items() for state in values)


def _sorted(ids: Iterable[str]) -> list[str]:
    return sorted(ids)


def facts_of(crystals: Sequence[Crystal], space_groups: Sequence[int | None] | None = None) -> pa.Table:
    """
    Compute the facts of several crystals.

    Args:
        crystals: The crystals.
        space_groups: Numbers of their space groups in the table of crystals; `None` if unknown.

    Returns:
        A table with the columns of `FACT_COLUMNS`, and the version of the facts in the metadata of its schema.
    """
    schema = pa.schema(list(FACT_COLUMNS.items()), metadata={VERSION_KEY: str(FACTS_VERSION)})
    groups = space_groups or [None] * len(crystals)
    rows = [crystal_facts(crystal, group) for crystal, group in zip(crystals, groups, strict=True)]
    return pa.Table.from_pylist(rows, schema=schema)


__all__ = ["crystal_facts", "facts_of"]
