"""
Property columns of crystal data sets, defined in one table.

The options of `clac search`, the headers and units of its results, the schemas and cards of data sets, the facts in
prompts, the checks of texts, the readers of databases and the numbers of the narrator derive from `PROPERTIES`. To add
a property, add a row here and its wordings in `modeling_clac/narrator/phrases.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Property:
    """
    A property column.

    Attributes:
        column: Name in tables and records.
        label: Name in texts.
        unit: Unit of the values; empty if they are dimensionless.
        note: Details for data cards that the label does not state.
        decimals: Decimals in tables.
        text_decimals: Possible numbers of decimals in narratives, one of which is drawn. Default: `decimals`.
        header: Short column header for tables; empty if tables do not show the column.
        priority: Position among the columns of a table; a narrow terminal shows the smallest numbers.
        option: Stem of the options of `clac search`, e.g. `band_gap` for `--band-gap-min`; empty if there are none.
        bounds: Ends of the range that have an option.
        from_structure: Whether it is computed from the structure rather than read from a source.
        matminer: CSV file of matminer 0.3.9 and its column.
        mp_summary: Path in a summary document of the Materials Project, with keys joined by dots.
        optimade: Prefix of an OPTIMADE provider -> paths in the attributes of its entries, of which the first present
            one is read. Only properties with the meaning and the unit of the column.
        gpt_narratives: Names of the column in the public GPT narratives, with the unit in parentheses.
    """

    column: str
    label: str
    unit: str = ""
    note: str = ""
    decimals: int = 2
    text_decimals: tuple[int, ...] = ()
    header: str = ""
    priority: int = 100
    option: str = ""
    bounds: tuple[str, ...] = ("min", "max")
    from_structure: bool = False
    matminer: tuple[str, str] | None = None
    mp_summary: str | None = None
    optimade: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gpt_narratives: tuple[str, ...] = ()

    @property
    def unit_name(self) -> str:
        """The unit, or `dimensionless`."""
        return self.unit or "dimensionless"

    @property
    def meaning(self) -> str:
        """Unit and note for data cards."""
        parts = (self.unit, self.note) if self.unit else (self.note, self.unit_name)
        return ", ".join(filter(None, parts))

    @property
    def range_options(self) -> dict[str, str]:
        """End of the range (`min` or `max`) -> parameter of `clac search`."""
        return {end: f"{self.option}_{end}" for end in self.bounds} if self.option else {}


def _mp_stability(key: str) -> tuple[str, ...]:
    # There is one value per functional; the website of the Materials Project shows that of the mixed scheme.
    return tuple(f"_mp_stability.{scheme}.{key}" for scheme in ("gga_gga+u_r2scan", "gga_gga+u", "r2scan"))


# In the order of the columns in data sets. Each row has three parts: definition, display, sources.
PROPERTIES: dict[str, Property] = {row.column: row for row in (
    Property(
        "density", "density", "g/cm³", decimals=2, text_decimals=(2, 3),
        header="density", priority=1, option="density",
        from_structure=True,
    ),
    Property(
        "volume", "volume of the cell", "Å³", note="of the cell in `cif`", text_decimals=(1, 2),
        from_structure=True,
    ),
    Property(
        "formation_energy_per_atom", "formation energy", "eV/atom", decimals=3, text_decimals=(2, 3),
        header="formation", priority=4, option="formation_energy",
        matminer=("flla_2015", "formation_energy_per_atom"), mp_summary="formation_energy_per_atom",
        optimade={
            "mp": _mp_stability("formation_energy_per_atom"),
            "oqmd": ("_oqmd_delta_e",),
            "alexandria": ("_alexandria_formation_energy_per_atom",),
            "jarvis": ("_jarvis_formation_energy_peratom",),
        },
        gpt_narratives=(
            "formation energy (eV/atom)", "formation energy per atom (eV/atom)", "formation energy per atom (eV)",
        ),
    ),
    Property(
        "energy_above_hull", "energy above the convex hull", "eV/atom", decimals=3,
        header="above hull", priority=3, option="energy_above_hull", bounds=("max",),
        matminer=("flla_2015", "e_above_hull"), mp_summary="energy_above_hull",
        optimade={
            "mp": _mp_stability("energy_above_hull"),
            "oqmd": ("_oqmd_stability",),
            "alexandria": ("_alexandria_hull_distance",),
            "jarvis": ("_jarvis_ehull",),
        },
        gpt_narratives=("energy above hull (eV/atom)",),
    ),
    Property(
        "band_gap", "band gap", "eV", decimals=2, text_decimals=(1, 2, 2),
        header="gap", priority=2, option="band_gap",
        matminer=("dielectric_constant", "band_gap"), mp_summary="band_gap",
        optimade={
            "oqmd": ("_oqmd_band_gap",),
            "alexandria": ("_alexandria_band_gap",),
            "jarvis": ("_jarvis_optb88vdw_bandgap",),
        },
        gpt_narratives=("band gap (eV)",),
    ),
    Property(
        "bulk_modulus_vrh", "bulk modulus", "GPa", note="Voigt-Reuss-Hill average", decimals=1, text_decimals=(0, 1),
        header="bulk", priority=5, option="bulk_modulus",
        matminer=("elastic_tensor", "K_VRH"), mp_summary="bulk_modulus.vrh", gpt_narratives=("bulk modulus (GPa)",),
    ),
    Property(
        "shear_modulus_vrh", "shear modulus", "GPa", note="Voigt-Reuss-Hill average", decimals=1, text_decimals=(0, 1),
        header="shear", priority=6, option="shear_modulus",
        matminer=("elastic_tensor", "G_VRH"), mp_summary="shear_modulus.vrh", gpt_narratives=("shear modulus (GPa)",),
    ),
    Property(
        "poisson_ratio", "Poisson ratio", decimals=2, text_decimals=(2, 3),
        header="Poisson", priority=11,
        matminer=("elastic_tensor", "poisson_ratio"), mp_summary="homogeneous_poisson",
        gpt_narratives=("Poisson ratio",),
    ),
    Property(
        "elastic_anisotropy", "universal elastic anisotropy index",
        note="universal elastic anisotropy index", decimals=2,
        header="anisotropy", priority=12,
        matminer=("elastic_tensor", "elastic_anisotropy"), mp_summary="universal_anisotropy",
    ),
    Property(
        "dielectric_electronic", "electronic dielectric constant",
        note="electronic part of the relative permittivity", decimals=2, text_decimals=(1, 2),
        header="ε electr.", priority=10,
        matminer=("dielectric_constant", "poly_electronic"), mp_summary="e_electronic",
    ),
    Property(
        "dielectric_total", "total dielectric constant",
        note="relative permittivity, electronic and ionic", decimals=2, text_decimals=(1, 2),
        header="ε total", priority=8, option="dielectric_total",
        matminer=("dielectric_constant", "poly_total"), mp_summary="e_total",
    ),
    Property(
        "refractive_index", "refractive index", decimals=2,
        header="refr. n", priority=7, option="refractive_index",
        matminer=("dielectric_constant", "n"), mp_summary="n", gpt_narratives=("refractive index",),
    ),
    Property(
        "piezoelectric_modulus", "piezoelectric modulus", "C/m²",
        note="largest over all directions", decimals=3, text_decimals=(2, 3),
        header="piezo", priority=9, option="piezoelectric_modulus",
        matminer=("piezoelectric_tensor", "eij_max"), mp_summary="e_ij_max",
    ),
)}  # fmt: skip

# Column -> unit or `dimensionless`.
UNITS: dict[str, str] = {column: row.unit_name for column, row in PROPERTIES.items()}
# All numeric columns of a record.
NUMERIC_COLUMNS: tuple[str, ...] = ("nsites", "space_group_number", *PROPERTIES)

__all__ = ["NUMERIC_COLUMNS", "PROPERTIES", "UNITS", "Property"]
