"""Names of the elements, groups of elements, and names of compounds by anion."""

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
