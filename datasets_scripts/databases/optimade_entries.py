"""Convert entries of OPTIMADE databases to rows of our schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pymatgen.core import Structure

from datasets_scripts.common.crystal_rows import MIN_ATOM_VOLUME, structure_columns
from datasets_scripts.databases.attributes import number_at
from modeling_clac.contacts_clac import MIN_DISTANCE
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.data.structure_writing import to_pymatgen
from modeling_clac.errors_clac import InvalidStructureError
from modeling_clac.structure_formats_clac import OptimadeError, crystal_from_optimade

# Fields from the specification (https://specification.optimade.org, v1.2, section "Structures Entries").
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
    """An entry is not a usable, ordered, three-dimensional crystal; the message gives the reason in a few words."""


def response_fields(prefix: str) -> list[str]:
    """Return the fields to request from a provider."""
    own = {path.split(".")[0] for row in PROPERTIES.values() for path in row.optimade.get(prefix, ())}
    return [*FIELDS, *sorted(own)]


def read_structure(attributes: Mapping[str, Any], max_atoms: int) -> Structure:
    """
    Read the structure of an entry (lengths in Å).

    Args:
        attributes: Attributes of the entry.
        max_atoms: Largest number of atoms in the cell.

    Raises:
        LeftOut: If the entry is disordered, not periodic in three dimensions, lacks positions, has unknown elements,
            overlapping atoms or more than `max_atoms` atoms.
    """
    if "disorder" in (attributes.get("structure_features") or []):
        raise LeftOut("disordered")
    sites = attributes.get("cartesian_site_positions") or []
    if len(sites) > max_atoms:
        raise LeftOut(f"more than {max_atoms:,} atoms")
    try:
        crystal = crystal_from_optimade(attributes, "entry")
    except OptimadeError as error:
        raise LeftOut(error.reason) from None
    except InvalidStructureError:
        raise LeftOut("no atomic positions") from None
    if not crystal.is_ordered:
        raise LeftOut("disordered")
    finite = np.isfinite(crystal.cell).all() and np.isfinite(crystal.positions).all()
    if not finite or crystal.volume < MIN_ATOM_VOLUME * len(crystal):
        raise LeftOut("cell without volume")
    structure = to_pymatgen(crystal)
    if not structure.is_valid(MIN_DISTANCE):
        raise LeftOut("overlapping atoms")
    return Structure.from_sites(structure, to_unit_cell=True)


def read_properties(attributes: Mapping[str, Any], prefix: str) -> dict[str, float]:
    """Return the property columns found in the provider-specific fields."""
    found = {}
    for column, row in PROPERTIES.items():
        values = (number_at(attributes, path) for path in row.optimade.get(prefix, ()))
        value = next((value for value in values if value is not None), None)
        if value is not None:
            found[column] = value
    # Some providers give a negative value for stable phases: the distance to the hull constructed without the phase.
    if "energy_above_hull" in found:
        found["energy_above_hull"] = max(0.0, found["energy_above_hull"])
    return found


def to_record(entry: Mapping[str, Any], prefix: str, max_atoms: int) -> dict[str, Any]:
    """
    Convert an entry to a row of our schema without the split.

    Symmetry, density and volume are computed from the structure.

    Args:
        entry: Element of `data` in a response.
        prefix: Prefix of the provider, such as `oqmd`.
        max_atoms: Largest number of atoms in the cell.

    Raises:
        LeftOut: If the structure cannot be used (see `read_structure`) or has no space group.
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
    Detect duplicates: crystals with the same formula, space group and (within a tolerance) volume per atom.

    Args:
        tolerance: Largest relative difference between the volumes.
    """

    def __init__(self, tolerance: float = 0.01):
        self.tolerance = tolerance
        self._volumes: dict[tuple[str, int], list[float]] = {}

    def seen(self, record: Mapping[str, Any]) -> bool:
        """Return whether the crystal duplicates an earlier one; otherwise remember it."""
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
