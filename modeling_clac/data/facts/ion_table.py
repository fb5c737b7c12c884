"""
Ions and groups of atoms, in one table: what a central atom and its neighbours look like.

The distances end between the longest bond of the ion and the shortest contact that is none; for bonds to oxygen see
Gagné and Hawthorne 2018, Acta Crystallographica B74, 79. There is room for the bonds of density functional theory,
which are up to 3 % too long.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CentredIon:
    """
    An ion or group of a central atom and its ligands.

    Attributes:
        id: Id in the column `ions`.
        centre: Symbol of the central atom.
        ligand: Symbol of the ligands.
        counts: Possible numbers of ligands.
        longest: Longest distance between them in Å.
        mean_below: Mean distance in Å below which the ion has this oxidation state; infinite if the number decides.
        mean_above: Mean distance above which it does.
        has: Another element that must be bonded to the central atom.
        lacks: Elements that must not be bonded to it.
        binds: Whether the ligands belong to the ion, rather than being simple anions of a network.
        state: Oxidation state of the central atom.
    """

    id: str
    centre: str
    ligand: str
    counts: tuple[int, ...]
    longest: float
    mean_below: float = float("inf")
    mean_above: float = 0.0
    has: str = ""
    lacks: tuple[str, ...] = ()
    binds: bool = True
    state: int | None = None


# In each group of rows with the same centre and ligand, the first one that fits a central atom applies.
CENTRED_IONS: tuple[CentredIon, ...] = (
    CentredIon("borate", "B", "O", (3, 4), 1.75, state=3),
    CentredIon("carbonate", "C", "O", (3, 4), 1.50, lacks=("C",), state=4),
    CentredIon("oxalate", "C", "O", (2,), 1.45, has="C", state=3),
    CentredIon("nitrate", "N", "O", (3,), 1.45, lacks=("C",), state=5),
    CentredIon("nitrite", "N", "O", (2,), 1.40, lacks=("C",), state=3),
    CentredIon("silicate", "Si", "O", (4,), 1.95, state=4),
    CentredIon("silicate", "Si", "O", (5, 6), 1.98, binds=False, state=4),
    CentredIon("phosphate", "P", "O", (4,), 1.85, state=5),
    CentredIon("hypophosphate", "P", "O", (3,), 1.85, has="P", state=4),
    CentredIon("fluorophosphate", "P", "O", (2, 3), 1.85, has="F", state=5),
    CentredIon("phosphite", "P", "O", (3,), 1.85, has="H", lacks=("C",), state=3),
    CentredIon("hypophosphite", "P", "O", (2,), 1.75, has="H", state=1),
    CentredIon("sulfate", "S", "O", (4,), 1.80, state=6),
    CentredIon("thiosulfate", "S", "O", (3,), 1.80, has="S"),
    CentredIon("fluorosulfate", "S", "O", (3,), 1.75, has="F", state=6),
    CentredIon("sulfite", "S", "O", (3,), 1.75, lacks=("C", "F", "Cl", "N", "H"), state=4),
    CentredIon("dithionite", "S", "O", (2,), 1.75, has="S", state=3),
    CentredIon("sulfur_dioxide", "S", "O", (2,), 1.60, lacks=("C", "F", "Cl", "N"), state=4),
    CentredIon("perchlorate", "Cl", "O", (4,), 1.75, state=7),
    CentredIon("chlorate", "Cl", "O", (3,), 1.75, state=5),
    CentredIon("chlorite", "Cl", "O", (2,), 1.80, mean_above=1.50, lacks=("F",), state=3),
    CentredIon("perbromate", "Br", "O", (4,), 1.85, state=7),
    CentredIon("bromate", "Br", "O", (3,), 1.90, state=5),
    CentredIon("periodate", "I", "O", (4,), 1.95, mean_below=1.86, state=7),
    CentredIon("periodate", "I", "O", (6,), 2.10, mean_below=1.98, state=7),
    CentredIon("iodate", "I", "O", (3, 4), 2.10, state=5),
    CentredIon("arsenate", "As", "O", (4,), 1.98, mean_below=1.82, state=5),
    CentredIon("arsenate", "As", "O", (6,), 2.05, binds=False, state=5),
    CentredIon("arsenite", "As", "O", (3, 4), 2.00, state=3),
    CentredIon("selenate", "Se", "O", (4,), 1.90, state=6),
    CentredIon("selenite", "Se", "O", (3,), 1.95, state=4),
    CentredIon("tellurate", "Te", "O", (4,), 1.95, mean_below=1.88, state=6),
    CentredIon("tellurate", "Te", "O", (6,), 2.12, mean_below=2.02, binds=False, state=6),
    CentredIon("tellurite", "Te", "O", (3, 4, 5), 2.25, state=4),
    CentredIon("germanate", "Ge", "O", (4,), 1.95, state=4),
    CentredIon("germanate", "Ge", "O", (5, 6), 2.10, binds=False, state=4),
    CentredIon("vanadate", "V", "O", (4,), 2.00, mean_below=1.80, state=5),
    CentredIon("chromate", "Cr", "O", (4,), 1.85, mean_below=1.74),
    CentredIon("manganate", "Mn", "O", (4,), 1.85, mean_below=1.74),
    CentredIon("ferrate", "Fe", "O", (4,), 1.85, mean_below=1.72, state=6),
    CentredIon("molybdate", "Mo", "O", (4,), 2.00, mean_below=1.85, state=6),
    CentredIon("tungstate", "W", "O", (4,), 2.00, mean_below=1.86, state=6),
    CentredIon("perrhenate", "Re", "O", (4,), 1.90, mean_below=1.80, state=7),
    CentredIon("pertechnetate", "Tc", "O", (4,), 1.90, mean_below=1.80, state=7),
    CentredIon("thiophosphate", "P", "S", (3, 4), 2.35, binds=False),
    CentredIon("selenophosphate", "P", "Se", (3, 4), 2.50, binds=False),
    CentredIon("thiosilicate", "Si", "S", (4,), 2.40, binds=False, state=4),
    CentredIon("selenosilicate", "Si", "Se", (4,), 2.55, binds=False, state=4),
    CentredIon("thiogermanate", "Ge", "S", (4,), 2.45, binds=False, state=4),
    CentredIon("selenogermanate", "Ge", "Se", (4,), 2.60, binds=False, state=4),
    CentredIon("thiostannate", "Sn", "S", (4,), 2.60, binds=False, state=4),
    CentredIon("thiostannate", "Sn", "S", (6,), 2.70, mean_below=2.62, binds=False, state=4),
    CentredIon("selenostannate", "Sn", "Se", (4,), 2.70, binds=False, state=4),
    CentredIon("thioarsenate", "As", "S", (4,), 2.35, binds=False, state=5),
    CentredIon("thioarsenite", "As", "S", (3,), 2.50, binds=False, state=3),
    CentredIon("thioantimonate", "Sb", "S", (4,), 2.50, mean_below=2.42, binds=False, state=5),
    CentredIon("thioantimonite", "Sb", "S", (3,), 2.68, binds=False, state=3),
    CentredIon("thioborate", "B", "S", (3, 4), 2.10, binds=False, state=3),
    CentredIon("fluoroborate", "B", "F", (4,), 1.60, binds=False, state=3),
    CentredIon("hexafluorophosphate", "P", "F", (6,), 1.85, binds=False, state=5),
    CentredIon("hexafluoroarsenate", "As", "F", (6,), 1.95, binds=False, state=5),
    CentredIon("hexafluoroantimonate", "Sb", "F", (6,), 2.08, mean_below=1.97, binds=False, state=5),
    CentredIon("hexafluorosilicate", "Si", "F", (6,), 1.90, binds=False, state=4),
    CentredIon("hexafluorogermanate", "Ge", "F", (6,), 1.98, binds=False, state=4),
    CentredIon("fluoroaluminate", "Al", "F", (4, 5, 6), 2.10, binds=False, state=3),
    CentredIon("borohydride", "B", "H", (4,), 1.45, state=3),
    CentredIon("alanate", "Al", "H", (4, 6), 1.95, state=3),
)  # fmt: skip

# Ions whose central atoms are connected by common ligands: id of the ion -> id if it is alone, two of them, and more.
CONDENSED: dict[str, tuple[str, str, str]] = {
    "phosphate": ("orthophosphate", "diphosphate", "polyphosphate"),
    "chromate": ("", "dichromate", ""),
}
# Silicates by the dimension of the connected tetrahedra; finite ones by their size.
SILICATES = {1: "chain_silicate", 2: "layer_silicate", 3: "framework_silicate"}

# Oxides without discrete oxyanions are named after the most acidic metal. Highest rank first; those of one rank are
# named together where there is another cation, as in lead zirconate titanate.
OXIDE_NAMES: tuple[dict[str, str], ...] = (
    {"W": "tungstate", "Mo": "molybdate"},
    {"Te": "tellurate", "Re": "rhenate", "Os": "osmate"},
    {"V": "vanadate"},
    {"Nb": "niobate", "Ta": "tantalate"},
    {"Sb": "antimonate"},
    {"Si": "silicate", "As": "arsenate"},
    {"Ti": "titanate", "Zr": "zirconate", "Hf": "hafnate"},
    {"Ge": "germanate", "Sn": "stannate"},
    {"U": "uranate"},
    {"Ru": "ruthenate", "Ir": "iridate", "Rh": "rhodate", "Pt": "platinate", "Pd": "palladate"},
    {"Al": "aluminate", "Ga": "gallate", "In": "indate"},
    {"Bi": "bismuthate", "Pb": "plumbate"},
    {"Cr": "chromite"},
    {"Mn": "manganite", "Fe": "ferrite", "Co": "cobaltate", "Ni": "nickelate", "Cu": "cuprate"},
    {"Ce": "cerate", "Sc": "scandate"},
    {"Zn": "zincate", "Be": "beryllate"},
)  # fmt: skip

# Cations with a lone pair have longer bonds to O, and give no name: symbol -> longest mean distance of the first shell
# of the higher oxidation state in Å.
HIGH_STATE_BONDS = {"Sb": 2.06, "Bi": 2.29, "Pb": 2.28, "Sn": 2.16}

# Halometallates whose octahedra share no ligand.
HEXAHALO = {"F": "hexafluoro_metallate", "Cl": "hexachloro_metallate", "Br": "hexabromo_metallate"}
HEXAHALO["I"] = "hexaiodo_metallate"
# Pairs of atoms of one element: id for a pair, for more, and longest bond in Å.
HOMONUCLEAR: dict[str, tuple[str, str, float]] = {
    "S": ("disulfide", "polysulfide", 2.35),
    "Se": ("diselenide", "polyselenide", 2.62),
    "Te": ("ditelluride", "polytelluride", 3.10),
    "P": ("diphosphide", "polyphosphide", 2.40),
    "As": ("diarsenide", "polyarsenide", 2.65),
    "Sb": ("diantimonide", "polyantimonide", 3.00),
    "I": ("", "polyiodide", 3.10),
    "Br": ("", "polybromide", 2.75),
}

# Ids of ions that are not in the tables above.
OTHER_IONS = (
    "hexafluorotitanate", "selenocyanate", "fulminate", "dicyanamide", "hydrazine",
    "hydroxide", "water", "hydronium", "ammonium", "ammonia", "amide", "imide", "organic", "azide", "dinitrogen",
    "diazenide", "pernitride", "cyanide", "cyanate", "thiocyanate", "carbodiimide", "acetylide", "carbonyl", "peroxide",
    "superoxide", "dioxygen", "ozonide", "bifluoride", "uranyl", "aluminosilicate", "orthosilicate", "disilicate",
    "ring_silicate", "permanganate", "antimonite",
)  # fmt: skip
IONS: frozenset[str] = frozenset(
    name
    for name in (
        *(ion.id for ion in CENTRED_IONS), *(name for names in CONDENSED.values() for name in names),
        *SILICATES.values(), *(name for names in OXIDE_NAMES for name in names.values()), *HEXAHALO.values(),
        *(name for pair, more, _ in HOMONUCLEAR.values() for name in (pair, more)), *OTHER_IONS,
    )
    if name
)  # fmt: skip

__all__ = [
    "CENTRED_IONS",
    "CONDENSED",
    "HEXAHALO",
    "HIGH_STATE_BONDS",
    "HOMONUCLEAR",
    "IONS",
    "OXIDE_NAMES",
    "SILICATES",
    "CentredIon",
]
