"""
Words that are spelled like formulas but are none, and words that stand for formulas but are not spelled like them.

Acronyms of well-known compounds are in `ACRONYMS`. Formulas whose capitals were lost have a module of their own.
"""

from __future__ import annotations

import re

# -------------------- words that are not formulas
# Words, names and quantities (Ra) that are also element symbols, and elements without crystals.
NOT_ELEMENTS = frozenset("In As He Be Pa Pm Po At Rn Fr Ra Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt".split())
NOT_ELEMENTS |= frozenset("Ds Rg Cn Nh Fl Mc Lv Ts Og".split())
# Words spelled like compounds: laser gases, plurals, cells, programs.
NOT_COMPOUNDS = frozenset("NaN HeNe HeLa CoV PoC NoC SN1 SN2 KHz BF16 CP2K".split())
# Elements without crystals here whose symbols, even alone, rather are a space group or a word.
OTHER_MEANING = frozenset("Cm Pm No At Am".split())
# Compounds written with capitals only and without numbers. All other such words (UV, HCP, BCS, II, USB) are words,
# acronyms or Roman numerals.
CAPITALS = frozenset(
    (
        "BN BP BAs KF KI KH KP KS VN VC VP VS WC WN WP YN YP YS UC UN UO HF HI CO KOH KHO KHS KCN KSCN KCSN YOF YSF "
        "YCI VOF USO HNO HCN CIN NOF PNO SNF"
    ).split()
)
# Further ones that are read only if they are the whole text: VB is a valence band, and WO a patent.
CAPITALS_ALONE = CAPITALS | frozenset("KN VB VO WB WS WO YB YC YF YH UB UOS UNI UCN BPO YOI VOI".split())
# Those that are no English words or common acronyms, which count in a line of capitals as well.
CAPITALS_IN_CAPITALS = frozenset("BN WC VN VC KF KI KOH KCN UN YN WN".split())
# Acronyms that numbers may follow (USB3, ISO 9001, COF-5, IP67).
NUMBERED_ACRONYMS = frozenset("USB ISO IP COF CSP PCN BIOS SPS PC IC CPU SOC VOC SC SYK SCN FP HV HK".split())
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


__all__ = [
    "ACRONYM",
    "ACRONYMS",
    "CAPITALS",
    "CAPITALS_ALONE",
    "CAPITALS_IN_CAPITALS",
    "ELEMENTAL_MOLECULES",
    "NEVER_ELEMENTS",
    "NOT_COMPOUNDS",
    "NOT_ELEMENTS",
    "NUMBERED_ACRONYMS",
    "OTHER_MEANING",
    "PROTOTYPES",
    "STRUKTURBERICHT",
    "SYMMETRY",
    "acronym_formula",
]
