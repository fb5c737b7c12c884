"""Records and checks of sentences for the tests of the narrator."""

from __future__ import annotations

import re
from typing import Any

Record = dict[str, Any]

ELEMENTS = {
    "H": "hydrogen", "He": "helium", "Li": "lithium", "Be": "beryllium", "B": "boron", "C": "carbon",
    "N": "nitrogen", "O": "oxygen", "F": "fluorine", "Ne": "neon", "Na": "sodium", "Mg": "magnesium",
    "Al": "aluminum", "Si": "silicon", "P": "phosphorus", "S": "sulfur", "Cl": "chlorine", "Ar": "argon",
    "K": "potassium", "Ca": "calcium", "Sc": "scandium", "Ti": "titanium", "V": "vanadium",
    "Cr": "chromium", "Mn": "manganese", "Fe": "iron", "Co": "cobalt", "Ni": "nickel", "Cu": "copper",
    "Zn": "zinc", "Ga": "gallium", "Ge": "germanium", "As": "arsenic", "Se": "selenium", "Br": "bromine",
    "Kr": "krypton", "Rb": "rubidium", "Sr": "strontium", "Y": "yttrium", "Zr": "zirconium",
    "Nb": "niobium", "Mo": "molybdenum", "Tc": "technetium", "Ru": "ruthenium", "Rh": "rhodium",
    "Pd": "palladium", "Ag": "silver", "Cd": "cadmium", "In": "indium", "Sn": "tin", "Sb": "antimony",
    "Te": "tellurium", "I": "iodine", "Xe": "xenon", "Cs": "cesium", "Ba": "barium", "La": "lanthanum",
    "Ce": "cerium", "Pr": "praseodymium", "Nd": "neodymium", "Pm": "promethium", "Sm": "samarium",
    "Eu": "europium", "Gd": "gadolinium", "Tb": "terbium", "Dy": "dysprosium", "Ho": "holmium",
    "Er": "erbium", "Tm": "thulium", "Yb": "ytterbium", "Lu": "lutetium", "Hf": "hafnium", "Ta": "tantalum",
    "W": "tungsten", "Re": "rhenium", "Os": "osmium", "Ir": "iridium", "Pt": "platinum", "Au": "gold",
    "Hg": "mercury", "Tl": "thallium", "Pb": "lead", "Bi": "bismuth", "Th": "thorium", "U": "uranium",
    "Np": "neptunium", "Pu": "plutonium", "Ac": "actinium", "Pa": "protactinium", "Po": "polonium",
    "At": "astatine", "Am": "americium", "Cm": "curium", "No": "nobelium", "Es": "einsteinium",
    "Ra": "radium", "Fr": "francium", "Rn": "radon",
}  # fmt: skip
# Each word is correct only for compositions with its element.
FAMILIES = {
    "oxide": "O", "nitride": "N", "carbide": "C", "sulfide": "S", "selenide": "Se", "telluride": "Te",
    "fluoride": "F", "chloride": "Cl", "bromide": "Br", "iodide": "I", "boride": "B", "silicide": "Si",
    "phosphide": "P", "arsenide": "As", "antimonide": "Sb", "germanide": "Ge", "hydride": "H",
    "oxyfluoride": "F",
}  # fmt: skip
OTHER_FAMILIES = (
    "intermetallic", "elemental", "halide", "oxyhalide", "chalcogenide", "pnictide", "aluminide", "metal",
    "rare", "lanthanide", "actinide", "perovskite",
)  # fmt: skip
SYSTEMS = ("triclinic", "monoclinic", "orthorhombic", "tetragonal", "trigonal", "hexagonal", "cubic")

# Invented values that differ after rounding, so that each number identifies its column.
FULL: Record = {
    "material_id": "x-1",
    "formula": "LiZn2O4",
    "chemsys": "Li-Zn-O",
    "elements": ["Li", "O", "Zn"],
    "nsites": 14,
    "space_group_number": 216,
    "space_group_symbol": "F-43m",
    "crystal_system": "cubic",
    "density": 3.5714,
    "volume": 151.637,
    "formation_energy_per_atom": -1.8462,
    "energy_above_hull": 0.0314,
    "band_gap": 2.87,
    "bulk_modulus_vrh": 127.62,
    "shear_modulus_vrh": 58.47,
    "poisson_ratio": 0.2943,
    "elastic_anisotropy": 2.638,
    "dielectric_electronic": 4.71,
    "dielectric_total": 31.92,
    "refractive_index": 2.17,
    "piezoelectric_modulus": 0.7731,
    "is_oxide": True,
}
NAN = float("nan")
COMPOSITION = ("formula", "elements", "chemsys", "is_oxide")
# Words that reveal a fact, by column.
TELLTALES = {
    "density": r"density|g/cm³|lightweight",
    "volume": r"Å³|volume|spans",
    "nsites": r"sites?\b|(?<!/)(?<!per )\batoms?\b",
    "formation_energy_per_atom": r"formation|forms from",
    "energy_above_hull": r"hull|stable|stability|decompos|ground-state",
    "band_gap": r"\bgap|-gap|semiconductor|insulator|\beV(?!/)",
    "bulk_modulus_vrh": r"bulk|compression|stiff|soft",
    "shear_modulus_vrh": r"shear",
    "poisson_ratio": r"poisson",
    "elastic_anisotropy": r"isotrop",
    "dielectric_electronic": r"electronic (part|dielectric|\d)|(\d|is) electronic|(from|its) electrons",
    "dielectric_total": r"total|static|ions included|relative permittivity"
    r"|dielectric constant (of )?[\d.]+(, electronic| \()",
    "refractive_index": r"refract|(?<!anisotropy )index of",
    "piezoelectric_modulus": r"piezo|C/m²",
    "crystal_system": "|".join(SYSTEMS),
    "space_group_symbol": r"F-43m",
    "space_group_number": r"\b216\b",
}
# Words that must occur in a sentence with a number of the column.
NUMBER_CONTEXT = {
    "density": r"density",
    "volume": r"Å³",
    "volume_per_atom": r"Å³",
    "nsites": r"sites?\b|(?<!/)\batoms?\b",
    "formation_energy_per_atom": r"formation|forms from",
    "energy_above_hull": r"hull|stable",
    "band_gap": r"gap",
    "bulk_modulus_vrh": r"bulk|compression",
    "shear_modulus_vrh": r"shear",
    "poisson_ratio": r"Poisson",
    "elastic_anisotropy": r"anisotropy",
    "dielectric_electronic": r"dielectric|permittivity",
    "dielectric_total": r"dielectric|permittivity",
    "refractive_index": r"refract",
    "piezoelectric_modulus": r"piezo",
    "space_group_number": r"space group|symmetry",
    "n_elements": r"elements",
}
UNITS = {
    "density": "g/cm³",
    "volume": "Å³",
    "formation_energy_per_atom": "eV/atom",
    "energy_above_hull": "eV/atom",
    "band_gap": "eV",
    "bulk_modulus_vrh": "GPa",
    "shear_modulus_vrh": "GPa",
    "piezoelectric_modulus": "C/m²",
}
FACTS = {
    "composition": COMPOSITION,
    "symmetry": ("crystal_system", "space_group_symbol", "space_group_number"),
    "cell": ("volume", "nsites"),
    "moduli": ("bulk_modulus_vrh", "shear_modulus_vrh"),
    "dielectric": ("dielectric_electronic", "dielectric_total"),
    **{
        c: (c,)
        for c in (
            *("density", "formation_energy_per_atom", "energy_above_hull", "band_gap", "poisson_ratio"),
            *("elastic_anisotropy", "refractive_index", "piezoelectric_modulus"),
        )
    },
}
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.]*\d)")


def only(*columns: str, of: Record = FULL) -> Record:
    return {column: of[column] for column in columns if column in of}


def present(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and value != value)


CONTEXT = {column: re.compile(pattern, re.IGNORECASE) for column, pattern in NUMBER_CONTEXT.items()}


def strip_tokens(text: str, record: Record) -> str:
    """Remove the formula and the space group symbol, whose digits and letters are not numbers or elements."""
    tokens = {record.get("space_group_symbol"), record.get("formula")}
    return " ".join("@" if word.strip(".,:;()") in tokens else word for word in text.split(" "))


def untrue_numbers(sentence: str, record: Record) -> list[str]:
    """Return the numbers of a sentence that do not match a column of the record that the sentence mentions."""
    values: dict[str, float] = {c: record[c] for c in NUMBER_CONTEXT if present(record.get(c))}
    if "volume" in values and "nsites" in values:
        values["volume_per_atom"] = values["volume"] / values["nsites"]
    if record.get("elements") is not None:
        values["n_elements"] = len(record["elements"])
    wrong = []
    text = strip_tokens(sentence, record)
    for shown in NUMBER.findall(text):
        decimals = len(shown.partition(".")[2])
        slack = 0.5 * 10.0**-decimals * (1 + 1e-6)
        if not any(
            abs(float(shown) - value) <= slack and CONTEXT[column].search(text) for column, value in values.items()
        ):
            wrong.append(shown)
    # Any other digit is an error.
    if re.search(r"\d", NUMBER.sub("", text)):
        wrong.append(text)
    return wrong


def misplaced_moduli(sentence: str, record: Record) -> list[str]:
    """Return numbers that a sentence explicitly attributes to the wrong modulus."""
    pattern = r"(bulk|shear) modulus (?:of |is |amounts to )?(\d+(?:\.\d+)?)"
    return [
        f"{which} {shown}"
        for which, shown in re.findall(pattern, sentence, re.IGNORECASE)
        if abs(float(shown) - record[f"{which.lower()}_modulus_vrh"]) > 0.51
    ]
