"""
Wordings of the narrator: number formatting, and sentence templates for each fact.

The templates contain placeholders, which the narrator fills from the facts of a record. Sentences are short, because
text length determines the cost of training. None starts with a word that is also an element symbol (In, As, At, I, He,
Be, No), so that masked texts can be searched for symbols.
"""

from __future__ import annotations

import math

from ..data.properties import PROPERTIES

ARITY = {1: "unary", 2: "binary", 3: "ternary", 4: "quaternary", 5: "quinary", 6: "senary", 7: "septenary"}
COUNT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

# Possible numbers of decimals of each column; the narrator draws one per sentence.
DECIMALS: dict[str, tuple[int, ...]] = {
    **{column: row.text_decimals or (row.decimals,) for column, row in PROPERTIES.items()},
    "volume_per_atom": PROPERTIES["volume"].text_decimals,
    "nsites": (0,),
    "space_group_number": (0,),
}


def number(value: float, decimals: int) -> str:
    """Format `value` with `decimals` decimals, or with two significant digits if it is less than the last decimal."""
    if value == 0:
        return "0"
    size = abs(value)
    if size < 10.0**-decimals:
        decimals = min(1 - math.floor(math.log10(size)), 15)
    return f"{value:.{decimals}f}"


def join_words(words: list[str] | tuple[str, ...]) -> str:
    """Join words into an English list: 'a', 'a and b', 'a, b and c'."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def with_article(phrase: str) -> str:
    """Put 'a' or 'an' before `phrase`."""
    # These start with a vowel letter but a 'y' sound.
    if phrase.startswith(("unary", "uranium", "europium")):
        return "a " + phrase
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def capitalize(phrase: str) -> str:
    """Capitalise the first letter and keep the others."""
    return phrase[:1].upper() + phrase[1:]


# -------------------- composition
# Placeholders: f formula, e element names, ary 'ternary', fam 'oxide', named 'lithium cobalt oxide', sys 'cubic';
# a_* and A_* with article.
COMPOUND = (
    "{f} is {a_ary} {fam}.",
    "{f} is {a_named}.",
    "{f}: {named}.",
    "{f}, {a_ary} {fam}.",
    "{f} contains {e}.",
    "Composition: {f} ({e}).",
    "Formula {f}, {a_ary} {fam}.",
    "This is {f}, {a_named}.",
    "{f}, made of {e}.",
    "{Named} with the formula {f}.",
    "{f}: {ary} {fam} of the elements {e}.",
    "{A_ary} {fam}, {f}.",
    "{A_named}, {f}.",
)
COMPOUND_WITH_SYSTEM = (
    "{f} is {a_sys} {fam}.",
    "{f}, {a_sys} {named}.",
    "{A_sys} {ary} {fam}, {f}.",
    "{Sys} {named} ({f}).",
    "{f}: {sys} {named}.",
    "{A_sys} {named}, {f}.",
)
ELEMENTAL = (
    "{f} is elemental {e}.",
    "{f}: elemental {e}.",
    "Elemental solid: {e} ({f}).",
    "Pure {e}, formula {f}.",
    "{f} is an elemental solid made of {e}.",
    "The element {e} ({f}) as a solid.",
    "Solid {e}, {f}.",
)
FORMULA_ONLY = (
    "Formula: {f}.",
    "{f}.",
    "The chemical formula is {f}.",
    "This is {f}.",
    "Composition: {f}.",
    "A material of composition {f}.",
)
COMPOUND_NO_FORMULA = (
    "{A_named}.",
    "{A_ary} {fam} containing {e}.",
    "Elements: {e}.",
    "It contains {e}.",
    "This is {a_named}.",
    "{A_ary} {fam} built from {e}.",
)
ELEMENTAL_NO_FORMULA = (
    "Elemental {e}.",
    "An elemental solid of {e}.",
    "Pure {e}.",
    "Only element present: {e}.",
    "It is elemental {e}.",
)
OXIDE_ONLY = (
    "An oxide.",
    "The material is an oxide.",
    "Family: oxide.",
    "It is an oxide.",
    "Class: oxide material.",
)
COUNT = (
    "{A_ary} crystal.",
    "{Ary} composition.",
    "The material is {ary}.",
    "It combines {count} {noun}.",
    "Number of elements: {n}.",
    "Composition of {count} distinct {noun}.",
    "This is {a_ary} phase.",
    "{Ary} crystal with {count} chemical {noun}.",
)
COUNT_WITH_SYSTEM = ("{A_sys} {ary} crystal.", "{Sys}, {ary} phase.", "{Ary} and {sys}.")

# -------------------- symmetry
_SYSTEM = (
    "Crystal system: {sys}.",
    "The crystal is {sys}.",
    "{A_sys} crystal structure.",
    "{Sys} symmetry.",
    "It has {a_sys} lattice.",
    "The structure belongs to the {sys} crystal system.",
)
_SYMBOL = (
    "Space group {sg}.",
    "Space group: {sg}.",
    "It crystallizes with space group {sg}.",
    "The space group is {sg}.",
    "{sg} symmetry.",
    "Structure with {sg} symmetry.",
)
_NUMBER = (
    "Space group number {no}.",
    "Space group no. {no}.",
    "The space group number is {no}.",
    "International space group {no}.",
    "Space group number: {no}.",
    "It crystallizes with space group number {no}.",
)
_SYSTEM_SYMBOL = (
    "{Sys}, space group {sg}.",
    "{A_sys} crystal with space group {sg}.",
    "It adopts {a_sys} structure ({sg}).",
    "{Sys} {sg} structure.",
    "The lattice is {sys}, space group {sg}.",
    "{Sys} phase, {sg}.",
    "Symmetry: {sys}, {sg}.",
)
_SYSTEM_NUMBER = (
    "{Sys}, space group number {no}.",
    "{A_sys} crystal, space group {no}.",
    "The structure is {sys} (space group {no}).",
    "Symmetry: {sys}, number {no}.",
    "{Sys} lattice with space group no. {no}.",
)
_SYMBOL_NUMBER = (
    "Space group {sg} (no. {no}).",
    "Space group {sg}, number {no}.",
    "It crystallizes with space group {sg} ({no}).",
    "Symmetry: {sg}, no. {no}.",
    "The space group is {sg}, number {no}.",
)
_ALL_SYMMETRY = (
    "{Sys}, space group {sg} (no. {no}).",
    "It crystallizes with {sys} symmetry, space group {sg} (number {no}).",
    "{A_sys} crystal with space group {sg}, no. {no}.",
    "The {sys} structure has space group {sg} ({no}).",
    "Crystal system {sys}; space group {sg}; number {no}.",
    "Its lattice is {sys}, with space group {sg} (no. {no}).",
    "Symmetry: {sys}, {sg}, no. {no}.",
    "Structurally {sys}: space group {sg}, number {no}.",
)
# (system known, symbol known, number known) -> templates.
SYMMETRY: dict[tuple[bool, bool, bool], tuple[str, ...]] = {
    (True, False, False): _SYSTEM,
    (False, True, False): _SYMBOL,
    (False, False, True): _NUMBER,
    (True, True, False): _SYSTEM_SYMBOL,
    (True, False, True): _SYSTEM_NUMBER,
    (False, True, True): _SYMBOL_NUMBER,
    (True, True, True): _ALL_SYMMETRY + _SYSTEM_SYMBOL + _SYSTEM_NUMBER[:2] + _SYMBOL_NUMBER[:2] + _SYSTEM[:2],
}

# -------------------- cell
# Placeholders: v volume, pa volume per atom, u their unit, sites '20 sites', atoms '20 atoms', n number of sites.
CELL = (
    "The cell of {v} {u} holds {sites}.",
    "Cell volume {v} {u} with {atoms}.",
    "Cell: {sites}, {v} {u}.",
    "With {atoms}, the cell takes {v} {u}.",
    "The unit cell contains {atoms} and spans {v} {u}.",
    "Cell volume: {v} {u} ({sites}).",
    "The cell has {sites} and {pa} {u} per atom.",
    "Volume per atom: {pa} {u}, with {sites} per cell.",
    "A cell of {atoms}, {v} {u} and {pa} {u} per atom.",
)
CELL_VOLUME = (
    "Cell volume: {v} {u}.",
    "The cell volume is {v} {u}.",
    "The unit cell spans {v} {u}.",
    "Its cell fills {v} {u}.",
    "Volume of the cell {v} {u}.",
)
CELL_SITES = (
    "The cell holds {sites}.",
    "Cell of {atoms}.",
    "Sites per cell: {n}.",
    "The unit cell contains {atoms}.",
    "Number of sites: {n}.",
)

# -------------------- facts with one number
# Placeholders: x number, u unit, w class word such as 'low', 'moderate', 'high'.
SINGLE: dict[str, tuple[str, ...]] = {
    "density": (
        "Density: {x} {u}.",
        "The density is {x} {u}.",
        "It has {a_w} density of {x} {u}.",
        "{W} density, {x} {u}.",
        "Mass density {x} {u}.",
        "Its density is {w} at {x} {u}.",
        "Calculated density of {x} {u}.",
        "{W}-density solid ({x} {u}).",
    ),
    "formation_energy_per_atom": (
        "Formation energy: {x} {u}.",
        "The formation energy is {x} {u}.",
        "It forms from the elements with {x} {u}.",
        "{W} formation energy, {x} {u}.",
        "Its formation energy is {w}: {x} {u}.",
        "Energy of formation {x} {u}.",
        "Computed formation energy of {x} {u}.",
        "The {w} formation energy is {x} {u}.",
    ),
    "band_gap": (
        "Band gap: {x} {u}.",
        "The band gap is {x} {u}.",
        "{A_w} with a band gap of {x} {u}.",
        "{W} (gap {x} {u}).",
        "Its gap of {x} {u} makes it {a_w}.",
        "Electronically {a_w}, gap {x} {u}.",
        "It is {a_w}: {x} {u} gap.",
        "Calculated band gap {x} {u}, {a_w}.",
        "{W}, {x} {u} band gap.",
    ),
    "poisson_ratio": (
        "Poisson ratio: {x}.",
        "The Poisson ratio is {x}.",
        "Its Poisson ratio is {w}, {x}.",
        "{W} Poisson ratio of {x}.",
        "Poisson ratio {x}.",
        "It shows a Poisson ratio of {x}.",
        "Elastically, its Poisson ratio comes to {x}.",
    ),
    "elastic_anisotropy": (
        "Elastic anisotropy: {x}.",
        "Universal elastic anisotropy index {x}.",
        "{W}, anisotropy index {x}.",
        "The elastic anisotropy index is {x}.",
        "It is {w} (anisotropy {x}).",
        "Its elastic anisotropy amounts to {x}.",
        "With an anisotropy index of {x} it is {w}.",
    ),
    "refractive_index": (
        "Refractive index: {x}.",
        "The refractive index is {x}.",
        "{W} refractive index of {x}.",
        "Optically, its refractive index is {w}: {x}.",
        "Refractive index near {x}.",
        "Light propagates with a refractive index of {x}.",
        "It refracts with {a_w} index of {x}.",
    ),
    "piezoelectric_modulus": (
        "Piezoelectric modulus: {x} {u}.",
        "The largest piezoelectric modulus is {x} {u}.",
        "{W} piezoelectric response, {x} {u}.",
        "Its piezoelectric modulus reaches {x} {u}.",
        "It has {a_w} piezoelectric modulus of {x} {u}.",
        "Maximum piezoelectric modulus {x} {u}.",
        "{W} piezoelectricity ({x} {u}).",
    ),
}

# Placeholders: x energy above the hull, u its unit.
STABILITY: dict[str, tuple[str, ...]] = {
    "stable": (
        "Thermodynamically stable, {x} {u} above the hull.",
        "It lies on the convex hull ({x} {u}).",
        "Stable phase: energy above hull {x} {u}.",
        "The phase is thermodynamically stable, on the hull.",
        "On the convex hull, hence stable against decomposition.",
        "Energy above hull: {x} {u}, a ground-state phase.",
        "Stable against decomposition ({x} {u} above hull).",
        "A thermodynamically stable phase on the hull.",
    ),
    "near": (
        "Nearly stable, {x} {u} above the hull.",
        "It sits {x} {u} above the hull, close to stability.",
        "Slightly metastable: energy above hull {x} {u}.",
        "Energy above hull: {x} {u}, near-stable.",
        "A near-hull phase ({x} {u} above).",
        "Only {x} {u} above the convex hull: mildly metastable.",
        "Metastable by just {x} {u} above the hull.",
    ),
    "metastable": (
        "Metastable, {x} {u} above the hull.",
        "It sits {x} {u} above the convex hull.",
        "A metastable phase: energy above hull {x} {u}.",
        "Energy above hull: {x} {u}, metastable.",
        "Thermodynamically metastable by {x} {u} above the hull.",
        "The phase is metastable ({x} {u} above hull).",
    ),
    "unstable": (
        "Thermodynamically unstable, {x} {u} above the hull.",
        "It lies far above the hull, by {x} {u}.",
        "An unstable phase: energy above hull {x} {u}.",
        "Energy above hull: {x} {u}, prone to decompose.",
        "Unstable against decomposition ({x} {u} above hull).",
        "The phase is unstable, {x} {u} above the convex hull.",
    ),
}

# Placeholders: b bulk modulus, g shear modulus, u their unit, w class word of the bulk modulus.
MODULI = (
    "Bulk modulus {b} {u}, shear modulus {g} {u}.",
    "Bulk and shear moduli: {b} and {g} {u}.",
    "{W} solid with bulk modulus {b} {u} and shear modulus {g} {u}.",
    "The bulk modulus is {b} {u} and the shear modulus {g} {u}.",
    "Elastic moduli: bulk {b} {u}, shear {g} {u}.",
    "Mechanically {w}: bulk modulus {b} {u}, shear modulus {g} {u}.",
    "Its shear modulus is {g} {u} and its bulk modulus {b} {u}.",
    "Bulk modulus of {b} {u} against a shear modulus of {g} {u}.",
)
BULK = (
    "Bulk modulus: {b} {u}.",
    "The bulk modulus is {b} {u}.",
    "{W} solid with bulk modulus {b} {u}.",
    "It resists compression with a bulk modulus of {b} {u}.",
    "Mechanically {w}, bulk modulus {b} {u}.",
)
SHEAR = (
    "Shear modulus: {g} {u}.",
    "The shear modulus is {g} {u}.",
    "It resists shear with a modulus of {g} {u}.",
    "Shear modulus of {g} {u}.",
    "Its shear modulus amounts to {g} {u}.",
)

# Placeholders: e electronic constant, t total constant, w class word of the total (or only) constant.
DIELECTRIC = (
    "Dielectric constant {t}, electronic part {e}.",
    "The total dielectric constant is {t}, of which {e} is electronic.",
    "{W} permittivity: {t} total, {e} electronic.",
    "Dielectric constants: electronic {e}, total {t}.",
    "Its relative permittivity is {t}, with {e} from electrons.",
    "Electronic dielectric constant {e}; static total {t}.",
    "{W} dielectric constant of {t} ({e} electronic).",
)
DIELECTRIC_ELECTRONIC = (
    "Electronic dielectric constant: {e}.",
    "The electronic dielectric constant is {e}.",
    "Electronic part of the dielectric constant {e}.",
    "High-frequency permittivity of {e}.",
    "Its electrons alone give a dielectric constant of {e}.",
)
DIELECTRIC_TOTAL = (
    "Total dielectric constant: {t}.",
    "The total dielectric constant is {t}.",
    "{W} static permittivity, {t}.",
    "Its dielectric constant is {w} at {t}.",
    "Dielectric constant {t}, ions included.",
)

# Column -> (upper bound, class word), where the first match counts. The bounds are those of the bands of the vocabulary
# (properties.yaml): a test holds that a narrative never says what the concept of its word denies.
CLASS_WORDS: dict[str, tuple[tuple[float, str], ...]] = {
    "density": ((3.0, "low"), (8.0, "moderate"), (math.inf, "high")),
    "formation_energy_per_atom": (
        (-2.0, "strongly negative"),
        (-0.5, "clearly negative"),
        (-1e-9, "weakly negative"),
        (1e-9, "zero"),
        (math.inf, "positive"),
    ),
    "band_gap": (
        (0.0, "gapless solid"),
        (1.0, "narrow-gap semiconductor"),
        (3.0, "medium-gap semiconductor"),
        (4.0, "wide-gap semiconductor"),
        (math.inf, "ultrawide-gap insulator"),
    ),
    "bulk_modulus_vrh": ((50.0, "soft"), (200.0, "moderately stiff"), (math.inf, "very stiff")),
    "poisson_ratio": ((0.2, "low"), (0.33, "ordinary"), (math.inf, "high")),
    "elastic_anisotropy": (
        (0.1, "elastically almost isotropic"),
        (1.0, "elastically somewhat anisotropic"),
        (math.inf, "elastically strongly anisotropic"),
    ),
    "dielectric_electronic": ((3.0, "low"), (10.0, "moderate"), (math.inf, "high")),
    "dielectric_total": ((7.0, "low"), (20.0, "moderate"), (math.inf, "high")),
    "refractive_index": ((1.7, "low"), (2.4, "moderate"), (math.inf, "high")),
    "piezoelectric_modulus": ((0.1, "weak"), (0.5, "moderate"), (math.inf, "strong")),
}


def class_word(column: str, value: float) -> str:
    """
    Return the class word of a value, e.g. 'low' for a density of 1.8 g/cm³.

    Raises:
        ValueError: If the value is NaN.
    """
    for bound, word in CLASS_WORDS[column]:
        if value <= bound:
            return word
    raise ValueError(f"{column} is not a finite number: {value}")
