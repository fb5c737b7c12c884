"""Numbers that queries are about: their names, units, comparative words, and substances that people compare with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from ..data.properties import PROPERTIES


@dataclass(frozen=True)
class Quantity:
    """
    A number of a crystal, as queries speak of it.

    Attributes:
        label: Name in the reading. It is one of `words`.
        unit: Unit of the column; empty if dimensionless.
        words: Names in texts, separated by `|`. A blank stands for a blank or a hyphen.
        symbols: Symbols, in which capitals count.
        more: Comparatives and superlatives for larger values ("denser densest").
        less: The same for smaller values.
        tolerance: Absolute tolerance of "about", which is at least a tenth of the value.
        low: Smallest value that is possible.
        high: Largest value that is possible.
        whole: Whether the values are whole numbers.
        decimals: Decimals of a value in marks.
    """

    label: str
    unit: str = ""
    words: str = ""
    symbols: str = ""
    more: str = ""
    less: str = ""
    tolerance: float = 0.0
    low: float | None = None
    high: float | None = None
    whole: bool = False
    decimals: int = 2


def _of(column: str, label: str, words: str, **more: str | float | bool) -> tuple[str, Quantity]:
    row = PROPERTIES.get(column)
    unit = "" if row is None else row.unit
    given = {"unit": unit, "words": f"{label}|{words}" if words else label, **more}
    return column, Quantity(label, **given)  # type: ignore[arg-type]


QUANTITIES: dict[str, Quantity] = dict((
    _of(
        "band_gap", "band gap",
        "bandgap|gap|energy gap|optical gap|electronic gap|forbidden gap|gap energy|band gap energy|gap width"
        "|fundamental gap|gaps",
        symbols="Eg E_g Egap", tolerance=0.2, low=0.0,
        more="wider gap|widest gap|larger gap|larger band gap|wider band gap|widest band gap|most insulating"
        "|most transparent|more insulating",
        less="narrower gap|narrowest gap|smaller gap|smaller band gap|narrower band gap|narrowest band gap",
    ),
    _of(
        "bulk_modulus_vrh", "bulk modulus",
        "bulk moduli|modulus of compression|incompressibility|compression modulus|stiffness",
        symbols="K B K_VRH B0 B_0 K_V K0", low=0.0, decimals=0,
        more="stiffer|stiffest|less compressible|least compressible|more incompressible|most incompressible"
        "|more rigid|most rigid|harder to compress|hardest to compress|more difficult to compress"
        "|most difficult to compress",
        less="more compressible|most compressible|less stiff|least stiff|easier to compress|easiest to compress",
    ),
    _of(
        "shear_modulus_vrh", "shear modulus", "shear moduli|rigidity modulus|modulus of rigidity|rigidity",
        symbols="G G_VRH", low=0.0, decimals=0,
    ),
    _of(
        "youngs_modulus", "Young's modulus", "youngs modulus|young modulus|elastic modulus|modulus of elasticity"
        "|tensile modulus|elastic moduli", unit="GPa", symbols="E", low=0.0, decimals=0,
    ),
    _of(
        "hardness", "hardness", "vickers hardness|vickers|vickers number", unit="GPa", symbols="HV H_V Hv",
        low=0.0, more="harder|hardest|most scratch resistant", less="softer|softest|least hard", decimals=1,
    ),
    _of(
        "mohs_hardness", "Mohs hardness", "mohs|scratch hardness|mohs scale|hardness on the mohs scale|mohs number",
        low=0.0, high=10.0, tolerance=0.5, decimals=1,
    ),
    _of(
        "density", "density", "mass density|densities|specific gravity|weight", symbols="rho ρ", low=0.0,
        more="denser|densest|heavier|heaviest|more dense|most dense", tolerance=0.1,
        less="lighter|lightest|less dense|least dense|lighter weight|lower weight|lightest weight",
    ),
    _of(
        "formation_energy_per_atom", "formation energy",
        "energy of formation|enthalpy of formation|formation enthalpy|heat of formation|formation energies"
        "|formation energy per atom",
        symbols="Ef E_f ΔHf Hf", tolerance=0.1,
        less="more exothermic|most exothermic|most negative formation energy|more strongly bound",
    ),
    _of(
        "energy_above_hull", "energy above the hull",
        "energy above hull|energy above the convex hull|hull energy|hull distance|above the hull|above hull"
        "|above the convex hull|of the hull|of the convex hull|from the hull|from the convex hull|distance to the hull"
        "|hull|convex hull|decomposition energy|e above hull|off the hull|to the hull|to hull|instability",
        symbols="Ehull E_hull E_above_hull ehull e_hull e_above_hull EAH", tolerance=0.01, low=0.0, decimals=3,
        more="least stable|less stable|more unstable|most unstable",
        less="most stable|more stable|thermodynamically most stable|most thermodynamically stable",
    ),
    _of(
        "refractive_index", "refractive index",
        "index of refraction|refraction index|refractive indices|optical index|refractivity|ior|index",
        symbols="n", tolerance=0.05, low=0.0,
        more="more refractive|most refractive|more refracting|most refracting",
    ),
    _of(
        "dielectric_total", "dielectric constant",
        "dielectric constants|relative permittivity|permittivity|total dielectric constant|static dielectric constant"
        "|dielectric permittivity|dielectric const|static dielectric const|total dielectric const|kappa|k value"
        "|dielectric",
        symbols="k ε eps ε_r εr", low=0.0, decimals=1, more="more polarizable|most polarizable",
    ),
    _of(
        "dielectric_electronic", "electronic dielectric constant",
        "high frequency dielectric constant|optical dielectric constant|electronic permittivity"
        "|electronic part of the dielectric constant",
        symbols="ε∞ eps_inf", low=0.0, decimals=1,
    ),
    _of(
        "piezoelectric_modulus", "piezoelectric modulus",
        "piezoelectric coefficient|piezoelectric constant|piezo modulus|piezoelectric response|piezo coefficient"
        "|piezoelectric effect|piezoelectricity|piezo response|piezoelectric coefficients",
        low=0.0, more="most piezoelectric|more piezoelectric",
    ),
    _of("poisson_ratio", "Poisson ratio", "poissons ratio|poisson's ratio|poisson number", symbols="ν nu",
        tolerance=0.02, low=-1.0, high=0.5),
    _of(
        "elastic_anisotropy", "elastic anisotropy",
        "universal elastic anisotropy index|anisotropy index|universal anisotropy index|universal anisotropy"
        "|anisotropy|elastic anisotropy index",
        symbols="AU A_U A^U", low=0.0, more="most anisotropic|more anisotropic", less="most isotropic|more isotropic",
    ),
    _of(
        "pugh_ratio", "Pugh ratio", "pughs ratio|pugh's ratio|K/G|B/G|bulk to shear ratio"
        "|ratio of bulk to shear modulus|ratio of bulk modulus to shear modulus|ratio of the bulk to the shear modulus"
        "|bulk to shear modulus ratio|bulk modulus to shear modulus ratio|bulk to shear modulus"
        "|bulk modulus over shear modulus",
        low=0.0, more="most ductile|more ductile|tougher|toughest", less="most brittle|more brittle",
    ),
    _of("debye_temperature", "Debye temperature", "debye temp", unit="K", low=0.0, decimals=0),
    _of("sound_velocity", "sound velocity", "speed of sound|velocity of sound|sound speed", unit="m/s", low=0.0,
        decimals=0),
    _of("volume_per_atom", "volume per atom", "atomic volume|volume of an atom", unit="Å³", low=0.0, decimals=1),
    _of("volume", "cell volume", "unit cell volume|volume of the cell|volume of the unit cell|volume", low=0.0,
        decimals=1),
    _of(
        "nsites", "atoms in the cell",
        "atoms in primitive cell|atoms in the primitive unit cell|atoms per primitive unit cell"
        "|atoms in the unit cell|atoms per cell|atoms per unit cell|atoms|atoms in cell|sites|sites in the cell"
        "|sites per cell|number of atoms|number of sites|atoms in the primitive cell|atoms per primitive cell"
        "|atom cell|atom unit cell|cell size|unit cell|unit cell size|atom",
        low=1.0, whole=True, decimals=0,
        symbols="nsites N_at N_atoms natoms",
        more="largest cell|biggest cell|largest unit cell|biggest unit cell|most atoms",
        less="smallest cell|smallest unit cell|tiniest unit cell|fewest atoms",
    ),
    _of(
        "number_of_elements", "number of elements",
        "elements|different elements|chemical elements|components|constituents|distinct elements|kinds of atoms"
        "|element",
        low=1.0, whole=True, decimals=0, more="most elements", less="fewest elements",
    ),
    _of(
        "price", "price of the elements", "cost of the elements|price|prices|cost|costs", unit="$/kg", low=0.0,
        more="more expensive|most expensive|costlier|costliest|pricier|dearer|cost more|costs more",
        less="cost less|costs less|cost less per kg|costs less per kg"
        "|cheaper|cheapest|less expensive|least expensive|less costly|more affordable|most affordable",
    ),
    _of(
        "toxic_share", "share of toxic elements", "amount of toxic elements", low=0.0, high=1.0,
        more="more toxic|most toxic|more poisonous|most poisonous",
        less="less toxic|least toxic|less poisonous|least poisonous|less harmful",
    ),
    _of("space_group_number", "space group number", "", low=1.0, high=230.0, whole=True, decimals=0),
    _of("specific_stiffness", "specific stiffness", "specific modulus|stiffness to weight ratio"
        "|stiffness to density ratio", unit="GPa cm³/g", low=0.0, decimals=0),
))  # fmt: skip

# Unit of a text -> columns that have it, with the most usual one first.
UNIT_COLUMNS: dict[str, tuple[str, ...]] = {
    "eV": ("band_gap", "energy_above_hull", "formation_energy_per_atom"),
    "eV/atom": ("formation_energy_per_atom", "energy_above_hull"),
    "GPa": ("bulk_modulus_vrh", "shear_modulus_vrh", "hardness", "youngs_modulus"),
    "g/cm³": ("density",),
    "Å³/atom": ("volume_per_atom",),
    "Å³": ("volume", "volume_per_atom"),
    "C/m²": ("piezoelectric_modulus",),
    "K": ("debye_temperature",),
    "m/s": ("sound_velocity",),
    "atom": ("nsites",),
}
# Columns whose numbers carry no unit.
UNITLESS = tuple(column for column, quantity in QUANTITIES.items() if not quantity.unit)


@dataclass(frozen=True)
class Reference:
    """
    A substance that people compare with.

    Attributes:
        values: Values by column, at room temperature.
    """

    values: Mapping[str, float] = field(default_factory=dict)


# CRC Handbook of Chemistry and Physics, 97th ed.: densities in sections 3, 4 and 15; gaps, refractive indices,
# permittivities, elastic constants (Voigt-Reuss-Hill averages of them) and hardness in sections 10, 12 and 15. Hardness
# above 20 GPa: measured values in Chen et al. 2011, doi 10.1016/j.intermet.2011.03.026, whose model gives the column.
_REFERENCES: dict[str, dict[str, float]] = {
    "water": {"density": 0.997, "refractive_index": 1.33, "dielectric_total": 78.4},
    "ice": {"density": 0.917, "bulk_modulus_vrh": 8.9},
    "air": {"density": 0.0012},
    "wood|oak": {"density": 0.7},
    "steel|stainless steel|mild steel": {
        "density": 7.85, "bulk_modulus_vrh": 160.0, "shear_modulus_vrh": 79.0, "youngs_modulus": 200.0, "hardness": 2.0,
    },
    "hardened steel|tool steel": {"density": 7.85, "bulk_modulus_vrh": 160.0, "youngs_modulus": 200.0, "hardness": 8.0},
    "diamond": {
        "density": 3.51, "bulk_modulus_vrh": 443.0, "shear_modulus_vrh": 535.0, "youngs_modulus": 1143.0,
        "hardness": 96.0, "band_gap": 5.5, "refractive_index": 2.42, "dielectric_total": 5.7,
    },
    "quartz": {
        "density": 2.65, "bulk_modulus_vrh": 38.0, "shear_modulus_vrh": 44.0, "hardness": 12.0, "band_gap": 8.9,
        "refractive_index": 1.54, "dielectric_total": 4.5,
    },
    "glass|window glass": {
        "density": 2.5, "bulk_modulus_vrh": 42.0, "shear_modulus_vrh": 29.0, "youngs_modulus": 70.0, "hardness": 5.5,
        "refractive_index": 1.52, "dielectric_total": 7.0,
    },
    "silica|SiO2|fused silica|silicon dioxide": {
        "density": 2.2, "bulk_modulus_vrh": 37.0, "band_gap": 8.9, "refractive_index": 1.46, "dielectric_total": 3.9,
    },
    "sapphire|corundum|alumina|Al2O3|ruby": {
        "density": 3.98, "bulk_modulus_vrh": 254.0, "shear_modulus_vrh": 163.0, "youngs_modulus": 403.0,
        "hardness": 20.0, "band_gap": 8.8, "refractive_index": 1.77, "dielectric_total": 10.0,
    },
    "silicon|Si": {
        "density": 2.33, "bulk_modulus_vrh": 98.0, "shear_modulus_vrh": 66.0, "hardness": 11.0, "band_gap": 1.12,
        "refractive_index": 3.4, "dielectric_total": 11.7,
    },
    "germanium|Ge": {"density": 5.32, "bulk_modulus_vrh": 75.0, "band_gap": 0.66, "refractive_index": 4.0},
    "silicon carbide|SiC|carborundum": {
        "density": 3.21, "bulk_modulus_vrh": 223.0, "shear_modulus_vrh": 190.0, "hardness": 27.0, "band_gap": 3.0,
    },
    "tungsten carbide|WC": {
        "density": 15.6, "bulk_modulus_vrh": 389.0, "shear_modulus_vrh": 282.0, "hardness": 24.0,
    },
    "cubic boron nitride|c-BN|cBN": {
        "density": 3.49, "bulk_modulus_vrh": 400.0, "shear_modulus_vrh": 409.0, "hardness": 55.0,
    },
    "gallium nitride|GaN": {"density": 6.15, "bulk_modulus_vrh": 207.0, "band_gap": 3.4, "hardness": 12.0},
    "gallium arsenide|GaAs": {"density": 5.32, "bulk_modulus_vrh": 75.0, "band_gap": 1.42, "hardness": 7.0},
    "zinc oxide|ZnO": {"density": 5.6, "bulk_modulus_vrh": 143.0, "band_gap": 3.4, "refractive_index": 2.0},
    "titania|TiO2|rutile|titanium dioxide": {
        "density": 4.23, "bulk_modulus_vrh": 215.0, "band_gap": 3.0, "refractive_index": 2.7, "hardness": 11.0,
    },
    "hafnia|HfO2": {"density": 9.7, "band_gap": 5.8, "dielectric_total": 22.0},
    "salt|table salt|NaCl|rock salt": {"density": 2.17, "bulk_modulus_vrh": 25.0, "hardness": 0.2, "band_gap": 8.5},
    "graphite": {"density": 2.2, "bulk_modulus_vrh": 34.0},
    "concrete": {"density": 2.4},
    "magnesium|Mg": {"density": 1.74, "bulk_modulus_vrh": 36.0, "shear_modulus_vrh": 17.0},
    "aluminium|aluminum|Al": {"density": 2.70, "bulk_modulus_vrh": 76.0, "shear_modulus_vrh": 26.0, "hardness": 0.2},
    "titanium|Ti": {"density": 4.51, "bulk_modulus_vrh": 107.0, "shear_modulus_vrh": 43.0, "hardness": 1.0},
    "iron|Fe": {"density": 7.87, "bulk_modulus_vrh": 168.0, "shear_modulus_vrh": 82.0, "hardness": 0.6},
    "copper|Cu": {"density": 8.96, "bulk_modulus_vrh": 137.0, "shear_modulus_vrh": 47.0, "hardness": 0.4},
    "nickel|Ni": {"density": 8.90, "bulk_modulus_vrh": 183.0, "shear_modulus_vrh": 86.0, "hardness": 0.6},
    "silver|Ag": {"density": 10.5, "bulk_modulus_vrh": 104.0, "shear_modulus_vrh": 30.0},
    "lead|Pb": {"density": 11.3, "bulk_modulus_vrh": 45.0, "shear_modulus_vrh": 9.0},
    "gold|Au": {"density": 19.3, "bulk_modulus_vrh": 173.0, "shear_modulus_vrh": 28.0},
    "tungsten|W": {"density": 19.3, "bulk_modulus_vrh": 310.0, "shear_modulus_vrh": 160.0, "hardness": 3.5},
    "uranium|U": {"density": 19.1, "bulk_modulus_vrh": 114.0},
    "osmium|Os": {"density": 22.6, "bulk_modulus_vrh": 410.0},
    "mercury": {"density": 13.5},
}  # fmt: skip
REFERENCES: dict[str, Reference] = {
    name.lower(): Reference(values) for names, values in _REFERENCES.items() for name in names.split("|")
}


def written_number(value: float) -> str:
    """Write a number without trailing zeros, such as `1.5`."""
    return np.format_float_positional(float(f"{value:.6g}"), trim="-")


def _spaced(words: str) -> str:
    """A regular expression for a word in which a blank stands for blanks or a hyphen."""
    return r"(?:\s+|-)".join(map(re.escape, words.split()))


@dataclass(frozen=True)
class Mention:
    """The name of a quantity in a text."""

    column: str
    start: int
    end: int


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Names of quantities -> columns."""
    return {
        re.sub(r"[\s-]+", " ", word.lower()): column
        for column, quantity in QUANTITIES.items()
        for word in quantity.words.split("|")
    }


def _words_of(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def _any_of(phrases: Iterable[str], words: frozenset[str]) -> str:
    """An expression for those phrases whose first word is among some words, the longest first; empty if none is."""
    # Of all phrases, it takes longer to compile than to read a text.
    present = (phrase for phrase in phrases if re.match(r"\w*", phrase)[0] in words)  # type: ignore[index]
    return "|".join(map(_spaced, sorted(present, key=len, reverse=True)))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.I)


@lru_cache(maxsize=1)
def _symbols() -> tuple[re.Pattern[str], dict[str, str]]:
    columns = {symbol: column for column, quantity in QUANTITIES.items() for symbol in quantity.symbols.split()}
    longest_first = sorted(columns, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?!\w)"), columns


def find_mentions(text: str) -> list[Mention]:
    """Find the names of quantities in a text, and their symbols, in the order of the text."""
    names = _any_of(_names(), _words_of(text))
    found = [
        Mention(_names()[re.sub(r"[\s-]+", " ", match.group().lower())], *match.span())
        for match in (_compiled(rf"(?<![\w-])(?:{names})(?!\w)").finditer(text) if names else ())
    ]
    pattern, columns = _symbols()
    for match in pattern.finditer(text):
        if not any(mention.start <= match.start() < mention.end for mention in found):
            found.append(Mention(columns[match.group()], *match.span()))
    return sorted(found, key=lambda mention: mention.start)


_HIGHEST = "highest|largest|greatest|biggest|maximum|maximal|max|strongest|widest|top|best|maximize|maximise"
_LOWEST = "lowest|smallest|least|minimum|minimal|min|narrowest|weakest|tiniest|fewest|poorest|minimize|minimise"
_HIGHER = "higher|larger|greater|bigger|wider|stronger"
_LOWER = "lower|smaller|narrower|weaker"
_SUPERLATIVE = re.compile(r"(?:\w+est|most|least)\b", re.I)


@dataclass(frozen=True)
class Comparative:
    """A comparative or superlative in a text: `denser`, `lowest density`."""

    column: str
    more: bool
    superlative: bool
    start: int
    end: int


@lru_cache(maxsize=1)
def _idioms() -> dict[str, tuple[str, bool]]:
    """Comparatives and superlatives of single quantities -> the column, and whether they mean larger values."""
    return {
        word: (column, more)
        for column, quantity in QUANTITIES.items()
        for words, more in ((quantity.more, True), (quantity.less, False))
        for word in filter(None, words.lower().split("|"))
    }


@lru_cache(maxsize=1)
def _positives() -> dict[str, tuple[str, bool]]:
    """Adjectives of the superlatives: `hard` of `hardest`, `rigid` of `most rigid`."""
    found = {}
    for words, meaning in _idioms().items():
        if words.startswith("most "):
            found[words.removeprefix("most ")] = meaning
        elif words.endswith("iest"):
            found[f"{words[:-4]}y"] = meaning
        elif words.endswith("est") and " " not in words:
            # `hardest` and `densest`
            found |= {words[:-3]: meaning, words[:-2]: meaning}
    return found


_ADJECTIVES = frozenset("|".join((_HIGHEST, _LOWEST, _HIGHER, _LOWER)).split("|"))


def _comparatives(words: frozenset[str]) -> re.Pattern[str] | None:
    """An expression for the comparatives and superlatives that a text of some words may have."""
    idioms, names = _any_of(_idioms(), words), ""
    if not _ADJECTIVES.isdisjoint(words) or "possible" in words:
        names = _any_of(_names(), words)
    parts = [f"(?P<idiom>{idioms or '(?!)'})"]
    if names:
        adjectives = f"(?P<most_high>{_HIGHEST})|(?P<most_low>{_LOWEST})|(?P<high>{_HIGHER})|(?P<low>{_LOWER})"
        # `the higher the gap, the better`, `maximize the hardness`
        parts.append(rf"(?:{adjectives})\s+(?:possible\s+|known\s+|absolute\s+|the\s+)?(?P<name>{names})")
        # `a hardness as high as possible`
        parts.append(
            rf"(?P<wished>{names})\s+(?:(?:is|should\s+be|must\s+be)\s+)?as\s+(?:(?P<up>high|large|wide)|low|small|narrow)"
            r"\s+as\s+possible"
        )
    plain = _any_of(_positives(), words) if "as" in words else ""
    if plain:
        # `as hard as possible`
        parts.append(
            rf"as\s+(?P<plain>{plain})\s+as\s+(?:possible|(?:it|they)\s+(?:gets?|comes?|can\s+(?:be|get))"
            r"|(?:you|we|I)\s+can\s+(?:get|find)(?:\s+(?:it|them))?)"
        )
    return _compiled(rf"(?<![\w-])(?:{'|'.join(parts)})(?!\w)") if idioms or names or plain else None


def find_comparatives(text: str) -> list[Comparative]:
    """Find the comparatives and superlatives of quantities in a text."""
    pattern = _comparatives(_words_of(text))
    found = []
    for match in () if pattern is None else pattern.finditer(text):
        if match["idiom"]:
            words = re.sub(r"[\s-]+", " ", match["idiom"].lower())
            column, more = _idioms()[words]
            superlative = _SUPERLATIVE.search(words) is not None
        elif match.groupdict().get("plain"):
            (column, more), superlative = _positives()[re.sub(r"[\s-]+", " ", match["plain"].lower())], True
        elif match["name"] is None:
            column = _names()[re.sub(r"[\s-]+", " ", match["wished"].lower())]
            more, superlative = match["up"] is not None, True
        else:
            column = _names()[re.sub(r"[\s-]+", " ", match["name"].lower())]
            more = match["most_high"] is not None or match["high"] is not None
            superlative = match["most_high"] is not None or match["most_low"] is not None
        found.append(Comparative(column, more, superlative, *match.span()))
    return found


__all__ = [
    "QUANTITIES",
    "REFERENCES",
    "UNITLESS",
    "UNIT_COLUMNS",
    "Comparative",
    "Mention",
    "Quantity",
    "Reference",
    "find_comparatives",
    "find_mentions",
    "written_number",
]
