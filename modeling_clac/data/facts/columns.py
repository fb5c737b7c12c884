"""The columns of facts that are computed once per crystal and stored, and what they mean."""

from __future__ import annotations

import pyarrow as pa

# To increase whenever crystals get other facts or a column is added; then facts of older versions are computed again.
FACTS_VERSION = 10
# Key of the version in the metadata of a schema.
VERSION_KEY = b"facts_version"

_IDS = pa.list_(pa.string())
# Properties that are estimated where nobody has computed them, see `estimates.py`.
ESTIMATED_PROPERTIES = (
    "formation_energy_per_atom",
    "band_gap",
    "bulk_modulus_vrh",
    "shear_modulus_vrh",
    "poisson_ratio",
    "dielectric_electronic",
    "dielectric_total",
    "refractive_index",
    "piezoelectric_modulus",
)

# In all columns, null means unknown; an empty list means that there are none.
FACT_COLUMNS: dict[str, pa.DataType] = {
    # Elements that act as simple anions: O in MgO and MgAl2O4, but not in CaCO3, whose O belongs to an ion.
    "anions": _IDS,
    # Ids of ions and groups of atoms, found by coordination; see `chemistry.py`.
    "ions": _IDS,
    # Ids of classes of compounds: alloy, intermetallic, zintl, oxysalt, mixed_anion, hydrate, ...
    "classes": _IDS,
    # Of the bonded network: 3 framework, 2 layers, 1 chains, 0 molecules.
    "dimensionality": pa.int8(),
    # The same without alkali metals, Ca, Sr, Ba and Tl, which hold layers and chains together: 2 for LiCoO2.
    "framework_dimensionality": pa.int8(),
    # `Ti:6:octahedron` for each kind of surroundings: element, number of neighbours, shape (may be empty).
    "coordination": _IDS,
    # `Fe+2` for each pair of element and formal oxidation state.
    "oxidation_states": _IDS,
    # Symbol of the Bravais lattice, such as cF.
    "bravais_lattice": pa.string(),
    # Wyckoff sequence: letters from the last to the first with the numbers of orbits, such as `f2 e d a`.
    "wyckoff": pa.string(),
    "pearson": pa.string(),
    # AFLOW label of the prototype.
    "prototype": pa.string(),
    # Ids of structure types; several if one contains the other, such as cubic-perovskite and perovskite.
    "structure_types": _IDS,
    # Estimates of properties and their errors, in the units of the properties.
    **{f"estimated_{name}{ending}": pa.float32() for name in ESTIMATED_PROPERTIES for ending in ("", "_error")},
}

__all__ = ["ESTIMATED_PROPERTIES", "FACTS_VERSION", "FACT_COLUMNS", "VERSION_KEY"]
