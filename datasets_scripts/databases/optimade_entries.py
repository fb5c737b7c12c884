"""From an entry of an OPTIMADE database to a row of our schema."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pymatgen.core import Element, Lattice, Structure

from datasets_scripts.common.crystal_rows import MIN_ATOM_VOLUME, structure_columns
from datasets_scripts.databases.attributes import number_at
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.structures_clac import MIN_DISTANCE

# Of the specification (https://specification.optimade.org, v1.2, section "Structures Entries").
FIELDS = (
    "id",
    "lattice_vectors",
    "cartesian_site_positions",
    "species_at_sites",
    "species",
    "dimension_types",
    "structure_features",
    "nsites",
)


class LeftOut(Exception):
    """Why an entry is no ordered three-dimensional crystal that can be used, in a few words."""


def response_fields(prefix: str) -> list[str]:
    """The properties to ask a provider for."""
    own = {path.split(".")[0] for row in PROPERTIES.values() for path in row.optimade.get(prefix, ())}
    return [*FIELDS, *sorted(own)]


def read_structure(attributes: Mapping[str, Any], max_atoms: int) -> Structure:
    """
    The crystal of an entry, lengths in Å.

    Raises:
        LeftOut: it has no full set of positions, is disordered, not periodic in three dimensions, holds unknown atoms,
            has more than `max_atoms`, or two of them in one place.
    """
    if attributes.get("dimension_types") not in (None, [1, 1, 1]):
        raise LeftOut("not periodic in three dimensions")
    lattice, positions = attributes.get("lattice_vectors"), attributes.get("cartesian_site_positions")
    names = attributes.get("species_at_sites")
    if not lattice or not positions or not names:
        raise LeftOut("no positions of atoms")
    if len(positions) != len(names) or attributes.get("nsites") not in (None, len(positions)):
        raise LeftOut("positions of only a part of the atoms")
    if len(positions) > max_atoms:
        raise LeftOut(f"more than {max_atoms:,} atoms")
    if {"disorder", "unknown_positions", "assemblies"} & set(attributes.get("structure_features") or []):
        raise LeftOut("disordered")
    symbol_of = {kind["name"]: _symbol(kind) for kind in attributes.get("species") or []}
    symbols = [symbol_of.get(name, name) for name in names]
    unknown = next((symbol for symbol in symbols if not Element.is_valid_symbol(symbol)), None)
    if unknown is not None:
        raise LeftOut("atoms of no known element")
    try:
        cell = Lattice(lattice)
        finite = all(math.isfinite(x) for row in (*lattice, *positions) for x in row)
    except (TypeError, ValueError):
        raise LeftOut("no positions of atoms") from None
    if not finite or cell.volume < MIN_ATOM_VOLUME * len(symbols):
        raise LeftOut("no volume")
    structure = Structure(cell, symbols, positions, coords_are_cartesian=True, to_unit_cell=True)
    if not structure.is_valid(MIN_DISTANCE):
        raise LeftOut("two atoms in one place")
    return structure


def _symbol(kind: Mapping[str, Any]) -> str:
    """The element of a species that is one, on every site."""
    symbols = kind.get("chemical_symbols") or []
    concentration = kind.get("concentration") or [1.0]
    if kind.get("attached"):
        raise LeftOut("groups of atoms without positions")
    if len(symbols) != 1 or abs(concentration[0] - 1.0) > 1e-6:
        raise LeftOut("disordered")
    return symbols[0]


def read_properties(attributes: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """The property columns that the provider's own properties give."""
    found = {}
    for column, row in PROPERTIES.items():
        values = (number_at(attributes, path) for path in row.optimade.get(prefix, ()))
        value = next((value for value in values if value is not None), None)
        if value is not None:
            found[column] = value
    # Some providers give the distance of a phase on the hull to the hull without it, which is negative.
    if "energy_above_hull" in found:
        found["energy_above_hull"] = max(0.0, found["energy_above_hull"])
    return found


def to_record(entry: Mapping[str, Any], prefix: str, max_atoms: int) -> dict[str, Any]:
    """
    Args:
        entry: one element of `data` of an answer. prefix: of the provider, such as `oqmd`.

    Returns:
        A row of our schema but its split; symmetry, density and volume are computed from the structure.

    Raises:
        LeftOut: see `read_structure`; or its symmetry cannot be found.
    """
    attributes = entry.get("attributes") or {}
    structure = read_structure(attributes, max_atoms)
    try:
        columns = structure_columns(structure)
    except (TypeError, ValueError):
        raise LeftOut("no space group found") from None
    properties = read_properties(attributes, prefix)
    return {"material_id": str(entry["id"]), "source": [prefix]} | columns | properties


class Duplicates:
    """
    Finds crystals that were there before: same formula and space group, volumes per atom within `tolerance`.

    Args:
        tolerance: relative difference of volumes.
    """

    def __init__(self, tolerance: float = 0.01):
        self.tolerance = tolerance
        self._volumes: dict[tuple[str, int], list[float]] = {}

    def seen(self, record: Mapping[str, Any]) -> bool:
        volume = record["volume"] / record["nsites"]
        known = self._volumes.setdefault((record["formula"], record["space_group_number"]), [])
        if any(abs(volume - other) <= self.tolerance * other for other in known):
            return True
        known.append(volume)
        return False


__all__ = [
    "FIELDS",
    "Duplicates",
    "LeftOut",
    "read_properties",
    "read_structure",
    "response_fields",
    "to_record",
]
