"""Recognise names of compounds: common minerals and materials, and systematic names of binary compounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from datasets_scripts.entity_linking.formulas import Composition, composition_of, reduced
from modeling_clac.concepts.elements import ANION_NAMES, ELEMENT_NAMES, symbols


@dataclass(frozen=True)
class Named:
    """
    Meaning of the name of a material.

    Attributes:
        composition: Composition.
        space_groups: Space group numbers of the polymorph; empty if the name does not specify one.
    """

    composition: Composition
    space_groups: frozenset[int] = frozenset()


# Name, formula, and space group numbers if the name refers to a polymorph (minerals: Handbook of Mineralogy,
# Mineralogical Society of America; elements: Donohue 1974, The Structures of the Elements).
_TABLE = """
alumina Al2O3|sapphire Al2O3 167|corundum Al2O3 167|silica SiO2|quartz SiO2 152 154
cristobalite SiO2 92 227|tridymite SiO2|coesite SiO2 15|stishovite SiO2 136|titania TiO2|rutile TiO2 136
anatase TiO2 141|brookite TiO2 61|zirconia ZrO2|baddeleyite ZrO2 14|hafnia HfO2|ceria CeO2|magnesia MgO
periclase MgO 225|calcia CaO|yttria Y2O3|lanthana La2O3|gadolinia Gd2O3|scandia Sc2O3|thoria ThO2|urania UO2
beryllia BeO 186|baria BaO|strontia SrO|chromia Cr2O3 167|zincite ZnO 186|cassiterite SnO2 136|hematite Fe2O3 167
maghemite Fe2O3|magnetite Fe3O4|wüstite FeO 225|wustite FeO 225|goethite FeHO2 62|ilmenite FeTiO3 148|cuprite Cu2O 224
tenorite CuO 15|pyrolusite MnO2 136|hausmannite Mn3O4 141|litharge PbO 129|massicot PbO 57|pyrite FeS2 205
marcasite FeS2 58|galena PbS 225|sphalerite ZnS 216|cinnabar HgS 152 154|metacinnabar HgS 216|stibnite Sb2S3 62
orpiment As2S3 14|molybdenite MoS2 194 160|chalcopyrite CuFeS2 122|chalcocite Cu2S|covellite CuS 194
greenockite CdS 186|sylvite KCl 225|cryolite Na3AlF6|calcite CaCO3 167
aragonite CaCO3 62|magnesite MgCO3 167|siderite FeCO3 167|rhodochrosite MnCO3 167|smithsonite ZnCO3 167
witherite BaCO3 62|cerussite PbCO3 62|barite BaSO4 62|celestine SrSO4 62|anhydrite CaSO4 63|zircon ZrSiO4 141
forsterite Mg2SiO4 62|fayalite Fe2SiO4 62|enstatite MgSiO3|wollastonite CaSiO3|kyanite Al2SiO5 2|andalusite Al2SiO5 58
sillimanite Al2SiO5 62|scheelite CaWO4 88|powellite CaMoO4 88|diamond C 227|graphite C 194
moissanite SiC|silicon Si 227|germanium Ge 227|gallium arsenide GaAs|indium arsenide InAs|indium phosphide InP
gallium phosphide GaP|indium antimonide InSb|gallium antimonide GaSb|aluminium arsenide AlAs|aluminum arsenide AlAs
boron arsenide BAs|silicon carbide SiC|tungsten carbide WC|titanium carbide TiC|zirconium carbide ZrC
hafnium carbide HfC|tantalum carbide TaC|niobium carbide NbC|titanium nitride TiN|zirconium nitride ZrN
hafnium nitride HfN|niobium nitride NbN|chromium nitride CrN|vanadium nitride VN|barium titanate BaTiO3
strontium titanate SrTiO3|calcium titanate CaTiO3|lead titanate PbTiO3|lithium titanate Li4Ti5O12
potassium niobate KNbO3|lithium niobate LiNbO3|sodium niobate NaNbO3|lithium tantalate LiTaO3
potassium tantalate KTaO3|bismuth ferrite BiFeO3|lead zirconate PbZrO3|barium zirconate BaZrO3
calcium zirconate CaZrO3|strontium ruthenate SrRuO3|lanthanum aluminate LaAlO3|lanthanum manganite LaMnO3
yttrium aluminium garnet Y3Al5O12|yttrium aluminum garnet Y3Al5O12|yttrium iron garnet Y3Fe5O12|bismuth vanadate BiVO4
calcium tungstate CaWO4|lead tungstate PbWO4|lithium cobalt oxide LiCoO2|lithium cobaltate LiCoO2
lithium iron phosphate LiFePO4|lithium nickel oxide LiNiO2|lithium manganese oxide LiMn2O4|lithium manganate LiMn2O4
lithium phosphate Li3PO4|lithium carbonate Li2CO3|sodium carbonate Na2CO3|potassium carbonate K2CO3
calcium carbonate CaCO3|barium carbonate BaCO3|magnesium carbonate MgCO3|strontium carbonate SrCO3
calcium sulfate CaSO4|barium sulfate BaSO4|lithium hydroxide LiHO|sodium hydroxide NaHO|aluminium phosphate AlPO4
aluminum phosphate AlPO4|gallium phosphate GaPO4|boron phosphate BPO4|lithium borate Li2B4O7|barium borate BaB2O4
lithium aluminate LiAlO2|magnesium aluminate MgAl2O4|zinc ferrite ZnFe2O4|cobalt ferrite CoFe2O4
nickel ferrite NiFe2O4|manganese ferrite MnFe2O4|copper ferrite CuFe2O4|magnesium ferrite MgFe2O4
copper indium selenide CuInSe2|copper indium diselenide CuInSe2|copper gallium selenide CuGaSe2
caesium lead bromide CsPbBr3|cesium lead bromide CsPbBr3|caesium lead iodide CsPbI3|cesium lead iodide CsPbI3
caesium lead chloride CsPbCl3|cesium lead chloride CsPbCl3
"""

# Elements whose names usually refer to gases, ions or molecules, and elements that are rarely written about.
_UNNAMED = symbols("H He C N O F Ne S Cl Ar Se Br Kr I Xe Tc Pm Po At Rn Fr Ra Ac Pa")
# Element symbols by name, with British and American spellings.
MATERIAL_ELEMENTS = {
    **{name: symbol for symbol, name in list(ELEMENT_NAMES.items())[:92] if symbol not in _UNNAMED},
    "caesium": "Cs",
    "aluminium": "Al",
}
# Elements with a single common charge, so that a name without amounts determines the formula.
_CHARGES = {
    **dict.fromkeys("Li Na K Rb Cs Ag".split(), 1),
    **dict.fromkeys("Be Mg Ca Sr Ba Zn Cd".split(), 2),
    **dict.fromkeys("Sc Y La Pr Nd Sm Gd Dy Ho Er Tm Lu B Al Ga In".split(), 3),
    **dict.fromkeys("Zr Hf Si".split(), 4),
}
_CHARGES_OF_ANIONS = {"O": 2, "S": 2, "Se": 2, "Te": 2, "N": 3, "P": 3, "As": 3, "F": 1, "Cl": 1, "Br": 1, "I": 1}
_ANIONS = {ANION_NAMES[symbol]: (symbol, charge) for symbol, charge in _CHARGES_OF_ANIONS.items()}
_ANIONS["sulphide"] = _ANIONS["sulfide"]
# Anions whose amounts do not follow from charges; a name determines the formula only if it has a prefix.
_OTHERS = {ANION_NAMES[symbol]: symbol for symbol in ("B", "Si", "C", "Sb", "H")}
# Numbers of atoms (metal, other) by prefix.
_PREFIXES = {
    "mono": (1, 1),
    "di": (1, 2),
    "tri": (1, 3),
    "tetra": (1, 4),
    "hexa": (1, 6),
    "dodeca": (1, 12),
    "sesqui": (2, 3),
    "pent": (2, 5),
    "penta": (2, 5),
    "mon": (1, 1),
    "tetr": (1, 4),
}
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6}


@lru_cache(maxsize=1)
def common_names() -> dict[str, dict[tuple[str, ...], Named]]:
    """Return the table indexed by the first word, then by all words, in lower case."""
    names: dict[str, dict[tuple[str, ...], Named]] = {}
    for entry in _TABLE.replace("\n", "|").split("|"):
        words = entry.split()
        groups = [word for word in words if word.isdigit()]
        *name, formula = words[: len(words) - len(groups)] or [""]
        composition = composition_of(formula)
        if composition is not None:
            names.setdefault(name[0], {})[tuple(name)] = Named(composition, frozenset(map(int, groups)))
    return names


@lru_cache(maxsize=1)
def first_words() -> frozenset[str]:
    """Return the words that names can begin with, in lower case."""
    return frozenset(common_names()) | frozenset(MATERIAL_ELEMENTS)


def longest_common_name(words: list[str], place: int) -> tuple[int, Named] | None:
    """
    Find the longest name of the table that begins at a given word.

    Args:
        words: Words of the text in lower case.
        place: Index of the first word.

    Returns:
        Number of words and meaning of the name, or `None` if no name begins there.
    """
    found = None
    for name, named in common_names().get(words[place], {}).items():
        length = len(name)
        if tuple(words[place : place + length]) == name and (found is None or length > found[0]):
            found = length, named
    return found


def binary_name(metal: str, anion: str, roman: str | None) -> tuple[Named | None, str | None]:
    """
    Read systematic names such as `titanium dioxide`, `zinc oxide` and `copper(II) oxide`.

    Args:
        metal: First word in lower case.
        anion: Second word in lower case.
        roman: Oxidation number after the first word in lower-case Roman numerals, if given.

    Returns:
        The compound, or `None` if there is none, and the reason if the name is ambiguous.
    """
    symbol = MATERIAL_ELEMENTS.get(metal)
    if symbol is None:
        return None, None
    for prefix, (metals, others) in _PREFIXES.items():
        stem = anion.removeprefix(prefix)
        other = _ANIONS[stem][0] if stem in _ANIONS else _OTHERS.get(stem)
        if stem != anion and other is not None and other != symbol:
            if prefix.startswith("pent") and stem not in _ANIONS:
                metals = 1
            return Named(reduced({symbol: metals, other: others})), None
    if anion not in _ANIONS:
        return None, None
    other, charge = _ANIONS[anion]
    if other == symbol:
        return None, None
    own = _ROMAN.get(roman) if roman else _CHARGES.get(symbol)
    if own is None:
        return None, "oxidation number not given"
    if symbol == "Ag" and anion != "oxide" and charge > 2:
        return None, "oxidation number not given"
    divisor = math.gcd(own, charge)
    return Named(reduced({symbol: charge // divisor, other: own // divisor})), None


__all__ = ["MATERIAL_ELEMENTS", "Named", "binary_name", "common_names", "first_words", "longest_common_name"]
