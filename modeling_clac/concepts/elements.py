"""Names of the elements, the one table of groups of elements, and names of compounds by anion."""

from __future__ import annotations

_NAMES = """
H hydrogen He helium Li lithium Be beryllium B boron C carbon N nitrogen O oxygen F fluorine Ne neon Na
sodium Mg magnesium Al aluminum Si silicon P phosphorus S sulfur Cl chlorine Ar argon K potassium Ca calcium
Sc scandium Ti titanium V vanadium Cr chromium Mn manganese Fe iron Co cobalt Ni nickel Cu copper Zn zinc Ga
gallium Ge germanium As arsenic Se selenium Br bromine Kr krypton Rb rubidium Sr strontium Y yttrium Zr
zirconium Nb niobium Mo molybdenum Tc technetium Ru ruthenium Rh rhodium Pd palladium Ag silver Cd cadmium
In indium Sn tin Sb antimony Te tellurium I iodine Xe xenon Cs cesium Ba barium La lanthanum Ce cerium Pr
praseodymium Nd neodymium Pm promethium Sm samarium Eu europium Gd gadolinium Tb terbium Dy dysprosium Ho
holmium Er erbium Tm thulium Yb ytterbium Lu lutetium Hf hafnium Ta tantalum W tungsten Re rhenium Os osmium
Ir iridium Pt platinum Au gold Hg mercury Tl thallium Pb lead Bi bismuth Po polonium At astatine Rn radon Fr
francium Ra radium Ac actinium Th thorium Pa protactinium U uranium Np neptunium Pu plutonium Am americium
Cm curium Bk berkelium Cf californium Es einsteinium Fm fermium Md mendelevium No nobelium Lr lawrencium Rf
rutherfordium Db dubnium Sg seaborgium Bh bohrium Hs hassium Mt meitnerium Ds darmstadtium Rg roentgenium Cn
copernicium Nh nihonium Fl flerovium Mc moscovium Lv livermorium Ts tennessine Og oganesson
""".split()
ELEMENT_NAMES: dict[str, str] = dict(zip(_NAMES[::2], _NAMES[1::2], strict=True))


def symbols(text: str) -> frozenset[str]:
    """Return the set of element symbols in a space-separated text."""
    return frozenset(text.split())


ALKALI = symbols("Li Na K Rb Cs")
ALKALINE_EARTH = symbols("Be Mg Ca Sr Ba")
TRANSITION = symbols("Sc Ti V Cr Mn Fe Co Ni Cu Zn Y Zr Nb Mo Tc Ru Rh Pd Ag Cd Hf Ta W Re Os Ir Pt Au Hg")
LANTHANIDES = symbols("La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu")
RARE_EARTH = LANTHANIDES | symbols("Sc Y")
PLATINUM_GROUP = symbols("Ru Rh Pd Os Ir Pt")
REFRACTORY = symbols("Ti Zr Hf V Nb Ta Cr Mo W")
# Includes bismuth, although it is a metal.
PNICTOGENS = symbols("N P As Sb Bi")
# Excludes oxygen, whose compounds are oxides.
CHALCOGENS = symbols("S Se Te")
HALOGENS = symbols("F Cl Br I")
NOBLE_GASES = symbols("He Ne Ar Kr Xe Rn")
# Includes the metalloids: elements with which a metal forms a compound rather than an alloy.
NONMETALS = symbols("H B C N O F Si P S Cl As Se Br Te I Ge Sb At") | NOBLE_GASES
# What the field calls nonmetals and metalloids (semimetals of the staircase); everything else is a metal.
METALLOIDS = symbols("B Si Ge As Sb Te")
ACTINIDES = symbols("Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr")
METALS = frozenset(ELEMENT_NAMES) - NONMETALS - symbols("Ts Og")
PRECIOUS = PLATINUM_GROUP | symbols("Ag Au")


def _numbers(first: int, last: int) -> frozenset[str]:
    return frozenset(list(ELEMENT_NAMES)[first - 1 : last])


# Group -> its elements, under the names that tests of concepts use.
GROUPS: dict[str, frozenset[str]] = {
    # ---- blocks and groups of the periodic table
    "alkali": ALKALI,
    "alkaline_earth": ALKALINE_EARTH,
    "transition": TRANSITION,
    "transition_3d": _numbers(21, 30),
    "transition_4d": _numbers(39, 48),
    "transition_5d": _numbers(72, 80),
    "early_transition": symbols("Sc Ti V Cr Y Zr Nb Mo Hf Ta W"),
    "late_transition": symbols("Fe Co Ni Cu Ru Rh Pd Ag Os Ir Pt Au"),
    "lanthanide": LANTHANIDES,
    "rare_earth": RARE_EARTH,
    # Split at the half-filled 4f shell, as the cerium group and the yttrium group of mineralogy.
    "light_rare_earth": _numbers(57, 63),
    "heavy_rare_earth": _numbers(64, 71) | symbols("Y"),
    "actinide": ACTINIDES,
    "transuranium": _numbers(93, 118),
    "f_block": LANTHANIDES | ACTINIDES,
    "s_block": ALKALI | ALKALINE_EARTH | symbols("H He Fr Ra"),
    "p_block": _numbers(5, 10) | _numbers(13, 18) | _numbers(31, 36) | _numbers(49, 54) | _numbers(81, 86),
    "post_transition": symbols("Al Ga In Tl Sn Pb Bi"),
    "main_group_metal": ALKALI | ALKALINE_EARTH | symbols("Al Ga In Tl Sn Pb Bi"),
    "group_4": symbols("Ti Zr Hf"),
    "group_5": symbols("V Nb Ta"),
    "group_6": symbols("Cr Mo W"),
    "group_12": symbols("Zn Cd Hg"),
    "triel": symbols("B Al Ga In Tl"),
    "tetrel": symbols("C Si Ge Sn Pb"),
    "pnictogen": PNICTOGENS,
    "chalcogen": CHALCOGENS,
    "halogen": HALOGENS,
    "noble_gas": NOBLE_GASES,
    "metal": METALS,
    "metalloid": METALLOIDS,
    "nonmetal": NONMETALS - METALLOIDS,
    # ---- families of metals
    "platinum_group": PLATINUM_GROUP,
    "noble_metal": PRECIOUS,
    "precious": PRECIOUS,
    "coinage": symbols("Cu Ag Au"),
    "refractory": REFRACTORY,
    "iron_group": symbols("Fe Co Ni"),
    # Metals of the London Metal Exchange other than precious ones and steel.
    "base_metal": symbols("Al Cu Ni Zn Pb Sn"),
    # ---- what people filter by
    # At least 50 ppm of the upper crust (CRC Handbook of Chemistry and Physics, "Abundance of elements in the earth's
    # crust and in the sea"), and nitrogen, of which air is made.
    "earth_abundant": symbols("O Si Al Fe Ca Na Mg K Ti H P Mn F Ba Sr S C Zr Cl V Cr Ni Zn Ce Cu N Rb"),
    # Metals or their common compounds below about 12 USD/kg (USGS, Mineral Commodity Summaries 2024).
    "inexpensive": symbols("H B C N O F Na Mg Al Si P S Cl K Ca Ti Cr Mn Fe Cu Zn Br Sr Ba Pb La Ce"),
    # Critical raw materials of the European Union, COM(2023) 160. Those listed in one form only, which is not that of
    # the element in compounds (silicon metal, titanium metal, natural graphite, coking coal, feldspar), are left out.
    "critical": symbols("Sb As Ba Al Be Bi B Co Cu F Ga Ge Hf He Li Mg Mn Ni Nb P Sr Ta W V")
    | PLATINUM_GROUP
    | RARE_EARTH,
    # 3TG: section 1502 of the Dodd-Frank Act; regulation (EU) 2017/821.
    "conflict": symbols("Sn Ta W Au"),
    # No stable isotope (IUPAC, standard atomic weights). Bismuth, with a half-life of 2e19 years, is not counted.
    "radioactive": symbols("Tc Pm") | _numbers(84, 118),
    # Elements that are poisonous in nearly all of their compounds: WHO, ten chemicals of major public health concern
    # (As, Cd, Hg, Pb); IARC group 1 (Be); acute toxicity of all thallium compounds (EU 1272/2008, annex VI).
    "toxic": symbols("Be As Cd Hg Tl Pb"),
    # Elements whose ions or metals usually carry a magnetic moment.
    "magnetic": symbols("Cr Mn Fe Co Ni") | symbols("Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm"),
    # Up to calcium, and from the sixth period on, where spin-orbit coupling matters.
    "light": _numbers(1, 20),
    "heavy": _numbers(55, 118),
    # Cations with an empty d shell in their highest oxidation state, and those with a stereochemically active pair.
    "d0": symbols("Ti Zr Hf V Nb Ta Mo W"),
    "lone_pair": symbols("Tl Ge Sn Pb As Sb Bi Se Te I"),
    # Metals with several common oxidation states.
    "redox": symbols("Ti V Cr Mn Fe Co Ni Cu Mo W Nb Ce Eu U"),
}

# Element -> name of the compounds in which it is the anion.
ANION_NAMES = {
    "O": "oxide",
    "F": "fluoride",
    "Cl": "chloride",
    "Br": "bromide",
    "I": "iodide",
    "S": "sulfide",
    "Se": "selenide",
    "Te": "telluride",
    "N": "nitride",
    "P": "phosphide",
    "As": "arsenide",
    "Sb": "antimonide",
    "C": "carbide",
    "Si": "silicide",
    "Ge": "germanide",
    "B": "boride",
    "H": "hydride",
}
