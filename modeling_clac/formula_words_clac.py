"""
Words that are spelled like formulas but are none, and words that stand for formulas but are not spelled like them.

Acronyms of well-known compounds are in `ACRONYMS`; formulas whose capital letters were lost in `restore_capitals`.
"""

from __future__ import annotations

import re
from functools import lru_cache

from .formula_grammar_clac import ELEMENTS, SYMBOL, Parsed, parse_formula

# -------------------- words that are not formulas
# Words, abbreviations and names that are also element symbols; quantities (Tc, Ra, Re) are never composition.
NOT_ELEMENTS = frozenset("In As At No He Be Am Cm Pm Pa Ra Es Md Ts Mt Hs Rg Cn Nh Fl Mc Lv Og Db Sg Bh".split())
# Words spelled like compounds: laser gases, plurals, cells, programs.
NOT_COMPOUNDS = frozenset("NaN HeNe HeLa CoV PoC NoC SN1 SN2".split())
# Elements without crystals here whose symbols, even alone, rather are a space group or a word.
OTHER_MEANING = frozenset("Cm Pm No At Am".split())
# Compounds written with capitals only and without numbers. All other such words (UV, HCP, BCS, II, USB) are words,
# acronyms or Roman numerals.
CAPITALS = frozenset(
    (
        "BN BP BAs KF KI KH KP KS KN VN VC VO VP VS VB WC WN WB WP WS WO YN YP YS YB YC YF YI YO YH UC UN UO UB UH "
        "HF HI CO KOH KHO KCN KSCN KCSN KHS KNO KPO YOF YSF YCI YOI YSI YHO VOF VOI USO UOS UNI UCN "
        "HNO HCN CIN NOF PNO SNF BPO"
    ).split()
)
# Those that are no English words or common acronyms, which count in a line of capitals as well.
CAPITALS_IN_CAPITALS = frozenset("BN WC VN VC KF KI KOH KCN UN YN WN".split())
# Acronyms that numbers may follow (USB3, ISO 9001, COF-5, IP67).
NUMBERED_ACRONYMS = frozenset("USB ISO IP COF CSP PCN BIOS SPS PC IC CPU SOC VOC".split())
# Space groups (P21, C2, I41, F23) and point groups (C4, S6) that are spelled like an element with an amount.
SYMMETRY = re.compile(r"[PFI][1-46]\d*|C[1-6]|C222\d?|S[46]|(?:Pa|Fm|Pm)3")
# Molecules of one element whose symbol is one letter.
ELEMENTAL_MOLECULES = frozenset("H2 N2 O2 O3 F2 I2 S8 C60 C70".split())
# Structure types of the vocabulary that are named by a formula (NaCl-type); they say nothing about the composition.
PROTOTYPES = frozenset("NaCl CsCl Cu3Au ThCr2Si2".split())
# The symbol of the structure type of CsCl.
STRUKTURBERICHT = "B2"

# Quantities and words that no amount turns into an element.
NEVER_ELEMENTS = NOT_ELEMENTS - frozenset("In As Be".split())

# -------------------- acronyms of compounds
# Acronym -> formula. Each group names its source. Where an acronym has several meanings in the field, the most used one
# comes first in the comment, and it is the one that is read.
ACRONYMS = {
    # Cuprate superconductors: C. P. Poole et al., Superconductivity (Academic Press, 2nd ed. 2007), chapter 8.
    "YBCO": "YBa2Cu3O7",
    "BSCCO": "Bi2Sr2CaCu2O8",  # Bi-2212; also Bi-2201 and Bi-2223
    "TBCCO": "Tl2Ba2CaCu2O8",
    "LSCO": "La1.85Sr0.15CuO4",  # optimal doping; in fuel cells also (La,Sr)CoO3
    "LBCO": "La1.875Ba0.125CuO4",
    "NCCO": "Nd1.85Ce0.15CuO4",
    # Ferroelectrics and multiferroics: G. H. Haertling, J. Am. Ceram. Soc. 82, 797 (1999); J. Roedel et al.,
    # J. Am. Ceram. Soc. 92, 1153 (2009) for those without lead; G. Catalan, J. F. Scott, Adv. Mater. 21, 2463 (2009).
    "BTO": "BaTiO3",  # also Bi4Ti3O12
    "PTO": "PbTiO3",
    "PZT": "Pb(Zr0.52Ti0.48)O3",  # at the morphotropic phase boundary
    "PZO": "PbZrO3",
    "PMN": "Pb(Mg1/3Nb2/3)O3",
    "PMN-PT": "(Pb(Mg1/3Nb2/3)O3)0.67(PbTiO3)0.33",
    "PZN": "Pb(Zn1/3Nb2/3)O3",
    "BST": "Ba0.5Sr0.5TiO3",
    "KNN": "K0.5Na0.5NbO3",
    "BNT": "Bi0.5Na0.5TiO3",
    "NBT": "Na0.5Bi0.5TiO3",
    "SBT": "SrBi2Ta2O9",
    "CCTO": "CaCu3Ti4O12",
    "BFO": "BiFeO3",
    # Perovskites of oxide electronics: H. Y. Hwang et al., Nature Mater. 11, 103 (2012).
    "STO": "SrTiO3",  # also SrTcO3, rarely
    "LAO": "LaAlO3",
    "SRO": "SrRuO3",
    "KTO": "KTaO3",
    "LSMO": "La0.7Sr0.3MnO3",
    "LCMO": "La0.7Ca0.3MnO3",
    # Solid electrolytes: J. C. Bachman et al., Chem. Rev. 116, 140 (2016); Z. Zhang et al., Energy Environ. Sci. 11,
    # 1945 (2018).
    "LLZO": "Li7La3Zr2O12",
    "LLZTO": "Li6.5La3Zr1.5Ta0.5O12",
    "LLTO": "Li0.33La0.56TiO3",
    "LATP": "Li1.3Al0.3Ti1.7(PO4)3",
    "LAGP": "Li1.5Al0.5Ge1.5(PO4)3",
    "LGPS": "Li10GeP2S12",
    "LPSCl": "Li6PS5Cl",
    "NZSP": "Na3Zr2Si2PO12",
    "NASICON": "Na3Zr2Si2PO12",  # the electrolyte; also the structure type
    "LISICON": "Li14Zn(GeO4)4",
    # Battery electrodes: N. Nitta et al., Mater. Today 18, 252 (2015).
    "LFP": "LiFePO4",
    "LMP": "LiMnPO4",
    "LMFP": "LiMn0.5Fe0.5PO4",
    "LCO": "LiCoO2",  # also LaCoO3 and La2CuO4
    "LMO": "LiMn2O4",  # also LaMnO3 and LiMnO2
    "LNO": "LiNiO2",  # also LaNiO3
    "LNMO": "LiNi0.5Mn1.5O4",
    "NMC": "LiNi1/3Mn1/3Co1/3O2",
    "NCM": "LiNi1/3Mn1/3Co1/3O2",
    "NCA": "LiNi0.8Co0.15Al0.05O2",
    "LTO": "Li4Ti5O12",
    "NVP": "Na3V2(PO4)3",
    "NVPF": "Na3V2(PO4)2F3",
    # Fuel cells: S. C. Singhal, K. Kendall, High Temperature Solid Oxide Fuel Cells (Elsevier, 2003), chapters 4 to 6;
    # Z. Shao, S. M. Haile, Nature 431, 170 (2004) for BSCF; K. D. Kreuer, Annu. Rev. Mater. Res. 33, 333 (2003) for
    # proton conductors.
    "YSZ": "Zr0.85Y0.15O1.93",  # 8 mol% Y2O3
    "8YSZ": "Zr0.85Y0.15O1.93",
    "3YSZ": "Zr0.94Y0.06O1.97",
    "ScSZ": "Zr0.82Sc0.18O1.91",  # 10 mol% Sc2O3
    "GDC": "Ce0.9Gd0.1O1.95",
    "CGO": "Ce0.9Gd0.1O1.95",
    "SDC": "Ce0.8Sm0.2O1.9",
    "LSM": "La0.8Sr0.2MnO3",
    "LSCF": "La0.6Sr0.4Co0.2Fe0.8O3",
    "LSGM": "La0.8Sr0.2Ga0.8Mg0.2O2.8",
    "BSCF": "Ba0.5Sr0.5Co0.8Fe0.2O3",
    "BZY": "BaZr0.8Y0.2O2.9",
    "BCY": "BaCe0.8Y0.2O2.9",
    # Transparent conductors and oxide semiconductors, by their host: D. S. Ginley (ed.), Handbook of Transparent
    # Conductors (Springer, 2010); K. Nomura et al., Nature 432, 488 (2004) for IGZO.
    "ITO": "In2O3",
    "FTO": "SnO2",
    "ATO": "SnO2",
    "AZO": "ZnO",
    "GZO": "ZnO",
    "IGZO": "InGaZnO4",
    # Absorbers: S. Siebentritt, S. Schorr, Prog. Photovolt. 20, 512 (2012); equal shares of In and Ga.
    "CIGS": "CuIn0.5Ga0.5Se2",
    "CZTS": "Cu2ZnSnS4",
    "CZTSe": "Cu2ZnSnSe4",
    "CZT": "Cd0.9Zn0.1Te",  # T. E. Schlesinger et al., Mater. Sci. Eng. R 32, 103 (2001)
    # Phase-change memory: M. Wuttig, N. Yamada, Nature Mater. 6, 824 (2007).
    "GST": "Ge2Sb2Te5",
    # Garnets, laser hosts and scintillators: P. Lecoq et al., Inorganic Scintillators for Detector Systems (Springer,
    # 2006); M. A. Gilleo, Ferromagnetic Insulators: Garnets, in Handbook of Magnetic Materials 2 (1980).
    "YAG": "Y3Al5O12",
    "LuAG": "Lu3Al5O12",
    "GAGG": "Gd3Al2Ga3O12",
    "GGG": "Gd3Ga5O12",
    "TGG": "Tb3Ga5O12",
    "YIG": "Y3Fe5O12",
    "YAP": "YAlO3",
    "LuAP": "LuAlO3",
    "LSO": "Lu2SiO5",
    "LYSO": "Lu1.8Y0.2SiO5",
    "GSO": "Gd2SiO5",
    "BGO": "Bi4Ge3O12",  # also Bi12GeO20
    "PWO": "PbWO4",
    "CWO": "CdWO4",
    # Nonlinear optical crystals: D. N. Nikogosyan, Nonlinear Optical Crystals (Springer, 2005).
    "KTP": "KTiOPO4",
    "KTA": "KTiOAsO4",
    "BBO": "BaB2O4",
    "LBO": "LiB3O5",
    "CLBO": "CsLiB6O10",
    "KBBF": "KBe2BO3F2",
    "KDP": "KH2PO4",
    "ZGP": "ZnGeP2",
    "LN": "LiNbO3",
    "LT": "LiTaO3",
    # Boron nitride polytypes and apatite: N. N. Greenwood, A. Earnshaw, Chemistry of the Elements (1997), 6.8, 12.3.
    "hBN": "BN",
    "cBN": "BN",
    "HAp": "Ca5(PO4)3OH",
    "HAP": "Ca5(PO4)3OH",
}
# Acronyms that also mean something else, such as a low temperature: only before these words.
_CRYSTAL = r"[\s-]+(?:crystals?|wafers?|substrates?|single|thin|films?|waveguides?|modulators?|on|domains?)\b"
ACRONYM_NEEDS = {"LN": re.compile(_CRYSTAL), "LT": re.compile(_CRYSTAL)}
# `NMC811`, `NCM 622`: tenths of the three metals, in the order of the letters. 111 are thirds.
_LAYERED = r"(?:NMC|NCM)[\s-]?(?P<tenths>111|[1-9]\d\d)"
ACRONYM = re.compile(
    rf"(?:{_LAYERED}|(?P<acronym>" + "|".join(sorted(map(re.escape, ACRONYMS), key=len, reverse=True)) + r"))(?![\w])"
)


def acronym_formula(found: re.Match[str]) -> str | None:
    """Return the formula of a match of `ACRONYM`; `None` if it means something else in its sentence."""
    if found["acronym"]:
        needed = ACRONYM_NEEDS.get(found["acronym"])
        alone = found.string.strip() == found.group()
        if needed is None or alone or needed.match(found.string, found.end()):
            return ACRONYMS[found["acronym"]]
        return None
    metals = ("Ni", "Mn", "Co") if found.group().startswith("NMC") else ("Ni", "Co", "Mn")
    tenths = [int(digit) for digit in found["tenths"]]
    if tenths == [1, 1, 1]:
        return ACRONYMS["NMC"]
    if sum(tenths) != 10:
        return None
    return "Li" + "".join(f"{metal}0.{number}" for metal, number in zip(metals, tenths, strict=True) if number) + "O2"


# -------------------- formulas in small letters or capitals
# Common oxidation states (Greenwood and Earnshaw); elements without a row do not occur in restored formulas.
_STATES = {
    symbol: tuple(map(int, states.split()))
    for symbols, states in (
        ("Li Na K Rb Cs Ag", "1"),
        ("Be Mg Ca Sr Ba Zn Cd Ra", "2"),
        ("B Al Ga Sc Y La Nd Gd Dy Ho Er Lu", "3"),
        ("In Tl", "1 3"),
        ("Hf Zr Th Si", "4"),
        ("Ge Sn Pb", "2 4"),
        ("Ti", "2 3 4"),
        ("V", "2 3 4 5"),
        ("Nb Ta", "3 4 5"),
        ("Cr", "2 3 6"),
        ("Mo W", "4 5 6"),
        ("Mn", "2 3 4 7"),
        ("Re", "4 6 7"),
        ("Fe Co", "2 3"),
        ("Ni", "2 3"),
        ("Cu", "1 2"),
        ("Ru Os Ir Rh", "3 4"),
        ("Pd Pt", "2 4"),
        ("Au", "1 3"),
        ("Hg", "1 2"),
        ("Sb Bi As", "-3 3 5"),
        ("Ce Pr Tb", "3 4"),
        ("Sm Eu Tm Yb", "2 3"),
        ("U", "3 4 5 6"),
        ("H", "-1 1"),
        ("C", "-4 4"),
        ("N", "-3 5"),
        ("P", "-3 3 5"),
        ("O", "-2"),
        ("S Se", "-2 4 6"),
        ("Te", "-2 4 6"),
        ("F", "-1"),
        ("Cl Br I", "-1 5 7"),
    )
    for symbol in symbols.split()
}
_ANIONS = frozenset("O F S Cl Se Br I".split())
_NONMETALS = frozenset("H C N O F P S Cl Se Br I".split())
# Restored although they have no numbers, or no charges that add up to zero. English words (tin, gap, inn) and common
# acronyms (PBS, CDS) are not among them.
_CASELESS = {
    formula.lower(): formula
    for formula in (
        "NaCl NaF NaBr KCl KBr LiF LiCl CsCl CsI CsBr RbCl AgCl AgBr MgO CaO SrO BaO ZnO NiO FeO MnO CdO BeO CuO "
        "ZnS ZnSe ZnTe CdTe CdSe HgTe HgSe PbTe PbSe GeTe SnTe SnSe GaN AlN GaAs GaSb InAs InSb InP AlAs AlGaN "
        "InGaN AlGaAs InGaAs HgCdTe SiC TiC ZrC ZrN HfC HfN NbN CrN ScN SiGe "
        "H2O CO2 NH3 CH4 MgB2 Nb3Sn Nb3Ge LaB6 CaB6 TiB2 ZrB2 HfB2 B4C Ni3Al TiAl Ti3Al LaNi5 SmCo5 Nd2Fe14B Fe3C"
    ).split()
}
# English words that are compounds in small letters.
WORDS = frozenset(["sic"])
_NOT_RESTORED = frozenset(["cos2"])
# Those without numbers, in any letters.
CASELESS_WORD = "(?i:" + "|".join(sorted((word for word in _CASELESS if word.isalpha()), key=len, reverse=True)) + ")"
_READABLE = re.compile(r"[a-z0-9.()]+")
_SMALL = {symbol.lower(): symbol for symbol in ELEMENTS if symbol in _STATES}
_LARGEST_WORD = 24


@lru_cache(maxsize=4096)
def restore_capitals(word: str) -> str | None:
    """
    Restore the capital letters of a formula written in small letters or capitals: `lifepo4`, `LIFEPO4`, `Tio2`.

    A word without numbers is restored if it is a well-known compound. One with numbers is restored if it can be read as
    a compound of a metal and others in which no element occurs twice and common oxidation states add up to zero. If
    there are several such readings, the one with the fewest elements counts, and if there are several of these, none.

    Args:
        word: The word.

    Returns:
        The formula, as long as the word; `None` if there is no such reading.
    """
    small = word.lower()
    if small in _CASELESS:
        return _CASELESS[small]
    if len(small) > _LARGEST_WORD or small in _NOT_RESTORED or _READABLE.fullmatch(small) is None:
        return None
    if not re.search(r"[a-z)]\d", small) or re.search(r"(?<![\d.])[01](?![\d.])", small):
        return None
    readings = [reading for reading in _readings(small) if _is_sensible(reading)]
    fewest = min((len(_symbols(reading)) for reading in readings), default=0)
    readings = [reading for reading in readings if len(_symbols(reading)) == fewest]
    return readings[0] if len(readings) == 1 else None


def _symbols(reading: str) -> list[str]:
    return re.findall(SYMBOL, reading)


def _readings(small: str) -> list[str]:
    """All ways to write the letters of a word as symbols of elements."""
    endings: dict[int, list[str]] = {len(small): [""]}
    for place in range(len(small) - 1, -1, -1):
        found = []
        if not small[place].isalpha():
            found = [small[place] + ending for ending in endings[place + 1]]
        else:
            for length in (1, 2):
                symbol = _SMALL.get(small[place : place + length]) if place + length <= len(small) else None
                if symbol and len(symbol) == length:
                    found += [symbol + ending for ending in endings[place + length]]
        endings[place] = found[:256]
    return endings[0]


def _is_sensible(reading: str) -> bool:
    symbols = _symbols(reading)
    parsed = parse_formula(reading, whole=True)
    if parsed is None or parsed.charged or len(set(symbols)) < max(2, len(symbols)) or set(symbols) <= _NONMETALS:
        return False
    if symbols[0] in _ANIONS:  # cations come first
        return False
    return is_balanced(parsed)


def is_balanced(parsed: Parsed) -> bool:
    """
    Return whether common oxidation states of a formula add up to zero.

    Args:
        parsed: The formula.
    """
    totals = {(0.0, 0.0)}
    for part in parsed.parts:
        states = _STATES.get(part.symbol, (0,))
        positive = [state for state in states if state > 0]
        ranges = [(state * part.amount,) * 2 for state in states if state < 0]
        # A sulfide or oxide may contain pairs (FeS2, Na2O2), and a metal several states (Fe3O4).
        if part.amount == 2 and part.symbol in ("O", "S"):
            ranges.append((-2.0, -2.0))
        if positive:
            ranges.append((min(positive) * part.amount, max(positive) * part.amount))
        totals = {(low + first, high + last) for low, high in totals for first, last in ranges}
    return any(low <= 1e-6 and high >= -1e-6 for low, high in totals)


__all__ = [
    "ACRONYM",
    "ACRONYMS",
    "CAPITALS",
    "CAPITALS_IN_CAPITALS",
    "CASELESS_WORD",
    "ELEMENTAL_MOLECULES",
    "NEVER_ELEMENTS",
    "NOT_COMPOUNDS",
    "NOT_ELEMENTS",
    "NUMBERED_ACRONYMS",
    "OTHER_MEANING",
    "PROTOTYPES",
    "STRUKTURBERICHT",
    "SYMMETRY",
    "WORDS",
    "acronym_formula",
    "is_balanced",
    "restore_capitals",
]
