"""Conditions that tell structure types with the same prototype label apart."""

from __future__ import annotations

from ...concepts.elements import (
    ALKALI,
    ALKALINE_EARTH,
    CHALCOGENS,
    HALOGENS,
    PNICTOGENS,
    RARE_EARTH,
    TRANSITION,
    symbols,
)
from .conditions import (
    EARLY_METALS,
    ELECTROPOSITIVE,
    LATE_METALS,
    Rule,
    all_cations,
    anions,
    anions_among,
    at_anion,
    at_cation,
    axis_ratio,
    bonded,
    coordinated,
    either,
    every,
    has_any,
    has_interstitial,
    has_octahedra,
    is_b2,
    is_heusler,
    large_rest,
    linear_cation,
    max_phase,
    metallic,
    none_of,
    not_anions,
    octahedral_oxide_like,
    octahedral_rest,
    only_elements,
    planar_centre,
    shape,
    small_cations,
    tetrahedral_centre,
)

_pyritic = either(bonded(2), lambda crystal: crystal.has("Sb", "Bi", "Te"))

# Id of a type -> the rule that a crystal with one of its labels meets. Types without a rule need none.
RULES: dict[str, Rule] = {
    # Elements
    "graphite": lambda crystal: crystal.elements == {"C"},
    "lonsdaleite": lambda crystal: crystal.elements <= symbols("C Si Ge"),
    "arsenic": lambda crystal: crystal.elements <= symbols("P As Sb Bi"),
    "black-phosphorus": lambda crystal: crystal.elements <= symbols("P As"),
    "iodine": lambda crystal: crystal.elements <= symbols("Cl Br I"),
    "selenium": lambda crystal: crystal.elements <= symbols("S Se Te"),
    "hcp": lambda crystal: crystal.elements.isdisjoint(symbols("H N O F Cl Br I S C")),
    "fcc": lambda crystal: crystal.elements.isdisjoint(symbols("H N O F Cl Br I S C")),
    "bcc": lambda crystal: crystal.elements.isdisjoint(symbols("H N O F Cl Br I S C")),
    # AB
    "caesium-chloride": either(
        has_any(HALOGENS | symbols("O S Se N H")), every(has_any(symbols("Cs Rb K Tl")), has_any(symbols("Au Te")))
    ),
    "b2": is_b2,
    "nickel-arsenide": at_anion("c"),
    "anti-nickel-arsenide": at_anion("a"),
    "hexagonal-boron-nitride": only_elements(symbols("B N")),
    "l1-0": lambda crystal: is_b2(crystal) and not 0.85 < axis_ratio(crystal) < 1.1,
    "fesi": lambda crystal: not crystal.elements <= symbols("C N O H"),
    "natl": metallic,
    "mnp": lambda crystal: (
        crystal.has(*LATE_METALS)
        and crystal.has(*symbols("P As Sb Bi Si Ge Sn Ga Al In Te Se S"))
        and not crystal.has(*symbols("O F Cl Br I H N B"), *ELECTROPOSITIVE)
    ),
    "feb": lambda crystal: (
        crystal.is_metallic
        and not crystal.has("P", "As", "Te")
        and (crystal.has("B") or (crystal.has(*EARLY_METALS) and not crystal.has("Sb", "Bi")))
    ),
    "ges": lambda crystal: (
        crystal.elements <= symbols("Ge Sn Pb S Se Te P As In Tl") and crystal.has("S", "Se", "Te", "P", "As")
    ),
    "crb": lambda crystal: crystal.elements.isdisjoint(HALOGENS | symbols("O S Se H N")),
    "tli": has_any(HALOGENS),
    "litharge": every(at_anion("a"), none_of(has_any(symbols("H")))),
    "fese": every(at_anion("c"), none_of(has_any(symbols("H")))),
    "tias": lambda crystal: crystal.has("P", "As", "Sb", "C", "N") and not crystal.has("O", "S", "Se", "Te"),
    "gase": every(has_any(symbols("Ga In Al Tl")), has_any(CHALCOGENS)),
    "cooperite": every(all_cations("square"), none_of(has_any(symbols("H")))),
    "sodium-peroxide": bonded(1),
    "alpha-gete": only_elements(symbols("Ge Sn Pb Te Se S")),
    "cuti": metallic,
    "b19": metallic,
    # AB2
    "fluorite": every(anions(2), none_of(metallic)),
    "fluorite-intermetallic": lambda crystal: crystal.is_metallic and not RULES["antifluorite"](crystal),
    "antifluorite": every(anions(1), not_anions(2), has_any(ELECTROPOSITIVE)),
    "rutile": every(anions(2), shape(1, "octahedron")),
    "vo2-m1": every(anions(2), shape(1, "octahedron"), anions_among(symbols("O F"))),
    "anatase": every(anions(2), shape(1, "octahedron")),
    "brookite": every(anions(2), shape(1, "octahedron")),
    "baddeleyite": every(anions(2), coordinated(1, 7, 7), anions_among(symbols("O F"))),
    "arsenopyrite": every(bonded(2), has_any(TRANSITION), has_any(PNICTOGENS - symbols("N")), shape(1, "octahedron")),
    "pyrite": every(_pyritic, anions(2), lambda crystal: not crystal.elements <= symbols("C N O")),
    "marcasite": every(_pyritic, anions(2), shape(1, "octahedron")),
    "cacl2": every(anions(2), none_of(bonded(2)), shape(1, "octahedron"), anions_among(symbols("O F Cl Br I H"))),
    "alpha-pbo2": every(anions(2), shape(1, "octahedron")),
    "cotunnite": every(anions(2), none_of(bonded(2)), coordinated(1, 7, 10)),
    "anti-cotunnite": every(anions(1), not_anions(2), lambda crystal: crystal.of_amount(2) <= ELECTROPOSITIVE),
    "co2si": every(
        metallic, not_anions(2), lambda crystal: crystal.of_amount(2).isdisjoint(ELECTROPOSITIVE | symbols("C"))
    ),
    "cdi2": every(anions(2), shape(1, "octahedron"), anions_among(HALOGENS | CHALCOGENS | symbols("O H"))),
    "anti-cdi2": every(anions(1), not_anions(2)),
    "cdcl2": every(anions(2), shape(1, "octahedron"), anions_among(HALOGENS | CHALCOGENS | symbols("O"))),
    "anti-cdcl2": every(anions(1), not_anions(2)),
    "mos2-2h": every(anions(2), shape(1, "prism")),
    "mos2-3r": every(anions(2), shape(1, "prism")),
    "nbs2-2h": every(anions(2), shape(1, "prism"), anions_among(HALOGENS | CHALCOGENS)),
    "wte2": every(anions(2), anions_among(CHALCOGENS), has_any(TRANSITION)),
    "beta-mote2": every(anions(2), anions_among(CHALCOGENS), has_any(TRANSITION)),
    "quartz": every(anions(2), shape(1, "tetrahedron"), none_of(bonded(2))),
    "cristobalite": every(anions(2), shape(1, "tetrahedron"), anions_among(symbols("O F"))),
    "tridymite": every(anions(2), shape(1, "tetrahedron"), anions_among(symbols("O F"))),
    "coesite": every(anions(2), shape(1, "tetrahedron")),
    "sis2": every(anions(2), shape(1, "tetrahedron")),
    "cuprite": anions(1),
    "laves-cubic": metallic,
    "laves-hexagonal": metallic,
    "laves-c36": metallic,
    "alb2": lambda crystal: crystal.elements.isdisjoint(HALOGENS | symbols("O S N H")),
    "mosi2": every(metallic, none_of(has_any(symbols("C P As")))),
    "calcium-carbide": every(has_any(symbols("C O N")), bonded(2)),
    "thsi2": every(metallic, bonded(2)),
    "cain2": every(metallic, lambda crystal: crystal.elements.isdisjoint(CHALCOGENS)),
    "cecu2": metallic,
    "fe2p": lambda crystal: crystal.elements.isdisjoint(HALOGENS | symbols("O S Se N H")),
    "cu2sb": metallic,
    "mopt2": lambda crystal: crystal.is_metallic and not crystal.has("Si", "Ge"),
    "hgbr2": has_any(symbols("Hg")),
    "osge2": lambda crystal: crystal.is_metallic and crystal.has(*TRANSITION),
    # AB3
    "cu3au": lambda crystal: crystal.elements.isdisjoint(HALOGENS | symbols("O S Se N H C P")),
    "reo3": every(anions(3), shape(1, "octahedron")),
    "anti-reo3": every(anions(1), not_anions(3)),
    "fef3": every(anions(3), shape(1, "octahedron")),
    "a15": metallic,
    "na3as": lambda crystal: crystal.elements.isdisjoint(HALOGENS | symbols("O S")),
    "ni3sn": lambda crystal: crystal.is_metallic and not crystal.has("P", "C", "N", "Te"),
    "ucl3": every(anions(3), coordinated(1, 8, 9)),
    "cementite": lambda crystal: (
        crystal.is_metallic and crystal.anions.isdisjoint(crystal.of_amount(3)) and not crystal.has("P", "As")
    ),
    "yf3": every(anions(3), coordinated(1, 7, 9), anions_among(symbols("F H"))),
    "bii3": every(anions(3), shape(1, "octahedron")),
    "alcl3": every(anions(3), shape(1, "octahedron")),
    "pubr3": every(anions(3), has_any(HALOGENS)),
    "skutterudite": every(bonded(3), has_any(symbols("P As Sb"))),
    "filled-skutterudite": has_any(symbols("P As Sb Ge Sn")),
    "zrse3": has_any(CHALCOGENS),
    "moo3": every(anions(3), anions_among(symbols("O"))),
    "tii3": every(anions(3), shape(1, "octahedron")),
    # Others with two elements
    "corundum": every(anions(3), shape(2, "octahedron")),
    "bixbyite": anions(3),
    "anti-bixbyite": every(anions(2), not_anions(3)),
    "rare-earth-sesquioxide-a": every(anions(3), anions_among(symbols("O S N"))),
    "rare-earth-sesquioxide-b": anions(3),
    "mg3sb2": every(anions(2), has_any(ALKALINE_EARTH | symbols("Mn Zn Cd Yb Eu")), has_any(PNICTOGENS)),
    "al3ni2": lambda crystal: crystal.is_metallic and not crystal.has(*ELECTROPOSITIVE),
    "beta-gallia": every(anions(3), anions_among(symbols("O"))),
    "tetradymite": every(anions_among(CHALCOGENS), has_any(symbols("Bi Sb As"))),
    "stibnite": every(anions(3), anions_among(CHALCOGENS)),
    "pu2c3": bonded(3),
    "th3p4": anions(4),
    "anti-th3p4": every(anions(3), not_anions(4)),
    "beta-si3n4": every(anions(4), all_cations("tetrahedron")),
    "gamma-brass": metallic,
    # Ternary intermetallics, pnictides and carbides
    "half-heusler": is_heusler,
    "full-heusler": is_heusler,
    "inverse-heusler": is_heusler,
    "quaternary-heusler": is_heusler,
    "tinisi": lambda crystal: crystal.is_metallic and not crystal.has("C"),
    "zrnial": lambda crystal: crystal.is_metallic,
    "ligage": lambda crystal: crystal.elements.isdisjoint(HALOGENS | symbols("O S H N")),
    "zrbesi": lambda crystal: crystal.elements.isdisjoint(HALOGENS | symbols("O S H N")),
    "pbclf": lambda crystal: len(crystal.anions) == 2 and crystal.at("a") <= crystal.anions,
    "anti-pbclf": lambda crystal: len(crystal.anions) == 1 and at_cation("a")(crystal) and not RULES["cefesi"](crystal),
    "lifeas": lambda crystal: (
        at_cation("a")(crystal)
        and crystal.at("a") <= TRANSITION
        and crystal.has(*ALKALI)
        and crystal.has(*(PNICTOGENS - symbols("N")), "Se", "S", "Te")
    ),
    "cefesi": lambda crystal: (
        crystal.is_metallic
        and crystal.has("Si", "Ge", "Sn")
        and bool(crystal.at("a"))
        and crystal.at("a") <= TRANSITION
    ),
    "ullmannite": lambda crystal: (
        crystal.has(*TRANSITION) and crystal.has(*CHALCOGENS) and crystal.has("P", "As", "Sb", "Bi")
    ),
    "feocl": every(has_any(HALOGENS), has_any(symbols("O N S Se"))),
    "thcr2si2": lambda crystal: crystal.elements.isdisjoint(HALOGENS | symbols("O N H")),
    "cabe2ge2": lambda crystal: crystal.elements.isdisjoint(HALOGENS | symbols("O N H")),
    "caal2si2": lambda crystal: (
        len(crystal.anions) <= 1
        and crystal.anions.isdisjoint(crystal.of_amount(1))
        and crystal.elements.isdisjoint(HALOGENS | symbols("O H"))
    ),
    "la2o2s": lambda crystal: (
        crystal.has("O", "N") and crystal.has(*CHALCOGENS, "P", "As") and crystal.of_amount(1) <= crystal.anions
    ),
    "mo2nib2": metallic,
    "hfcusi2": metallic,
    "mgcual2": metallic,
    "cenic2": has_any(symbols("C")),
    "luni2b2c": every(has_any(symbols("B C")), has_any(TRANSITION)),
    "mgcu4sn": metallic,
    "zrcusias": lambda crystal: (
        len(crystal.anions & symbols("O F H N S Se Te P As Sb Bi Cl Br I")) >= 1
        and crystal.has(*symbols("P As Sb Bi S Se Te Si Ge"))
    ),
    "eta-carbide": has_any(symbols("C N O")),
    "max-211": lambda crystal: max_phase(crystal) and crystal.at("a") <= symbols("C N B") and bool(crystal.at("a")),
    "max-312": max_phase,
    "max-413": max_phase,
    # Perovskites and their relatives that a label shows
    "vacancy-ordered-double-perovskite": every(anions(6), shape(1, "octahedron")),
    "quadruple-perovskite": anions_among(symbols("O F")),
    "antiperovskite": lambda crystal: (
        not_anions(3)(crystal)
        and crystal.has(*symbols("H B C N O F P As S Se Te Cl Br I Sb Bi Si Ge"))
        and has_interstitial(crystal)
    ),
    "csnicl3": every(anions(3), has_any(ELECTROPOSITIVE | symbols("Tl In Pb"))),
    "post-perovskite": every(anions(3), has_octahedra),
    "nh4cdcl3": every(anions(3), has_octahedra, none_of(has_any(symbols("O")))),
    "lithium-niobate": every(anions(3), small_cations),
    "ilmenite": every(anions(3), has_octahedra, none_of(has_any(symbols("C N B P")))),
    "ymno3": every(anions(3), anions_among(symbols("O"))),
    "k2nif4": every(anions(4), shape(1, "octahedron")),
    "anti-k2nif4": not_anions(4),
    "nd2cuo4": every(anions(4), shape(1, "square")),
    "infinite-layer": every(anions(2), lambda crystal: any(crystal.shapes(s) == {"square"} for s in crystal.cations)),
    "elpasolite": anions_among(HALOGENS),
    "cryolite": anions_among(HALOGENS),
    "k2gef6": every(anions(6), shape(1, "octahedron")),
    "lisbf6": every(anions(6), all_cations("octahedron")),
    "kosf6": every(anions(6), has_octahedra),
    # Oxides with other frameworks
    "pyrochlore": has_any(symbols("O F S")),
    "olivine": lambda crystal: len(crystal.anions) == 1 and tetrahedral_centre(crystal) and octahedral_rest(crystal),
    "cafe2o4": every(anions(4), shape(2, "octahedron")),
    "beta-k2so4": lambda crystal: tetrahedral_centre(crystal),
    "phenakite": all_cations("tetrahedron"),
    "scheelite": lambda crystal: tetrahedral_centre(crystal),
    "zircon": lambda crystal: tetrahedral_centre(crystal),
    "monazite": lambda crystal: (
        tetrahedral_centre(crystal) and crystal.has("O") and large_rest(crystal) and not crystal.has(*ALKALI, "Ag")
    ),
    "fergusonite": lambda crystal: (
        crystal.has("O") and crystal.has("Nb", "Ta", "W", "Mo", "V", "As") and crystal.has(*RARE_EARTH, "Bi")
    ),
    "wolframite": every(anions(4), all_cations("octahedron")),
    "baryte": lambda crystal: tetrahedral_centre(crystal) and large_rest(crystal),
    "bpo4": all_cations("tetrahedron"),
    "berlinite": all_cations("tetrahedron"),
    "trirutile": all_cations("octahedron"),
    "pbsb2o6": lambda crystal: anions(6)(crystal) and crystal.all_shapes("octahedron", crystal.of_amount(2)),
    "calcite": lambda crystal: planar_centre(crystal),
    "aragonite": lambda crystal: planar_centre(crystal),
    "dolomite": lambda crystal: planar_centre(crystal),
    "pyroxene": lambda crystal: crystal.has("Si", "Ge") and crystal.has("O"),
    "melilite": has_any(symbols("O F S")),
    "stuffed-cristobalite": lambda crystal: any(crystal.shapes(s) == {"tetrahedron"} for s in crystal.cations),
    "delafossite": linear_cation,
    "alpha-nafeo2": octahedral_oxide_like,
    "anti-alpha-nafeo2": every(not_anions(2), lambda crystal: len(crystal.anions) == 2),
    "beta-nafeo2": all_cations("tetrahedron"),
    "gamma-lifeo2": anions(2),
    "li2mno3": lambda crystal: anions(3)(crystal) and crystal.all_shapes("octahedron"),
    "lepidocrocite": every(anions_among(symbols("O F")), has_any(symbols("H"))),
    "vanadium-pentoxide": anions(5),
    "pseudobrookite": every(anions(5), anions_among(symbols("O"))),
    # Chalcogenides
    "chalcopyrite": all_cations("tetrahedron"),
    "stannite": every(anions(4), all_cations("tetrahedron"), none_of(has_any(ELECTROPOSITIVE - symbols("Li Be Mg")))),
    "kesterite": every(anions(4), all_cations("tetrahedron"), none_of(has_any(ELECTROPOSITIVE - symbols("Li Be Mg")))),
    "famatinite": every(anions(4), all_cations("tetrahedron"), anions_among(CHALCOGENS)),
    "enargite": every(anions(4), all_cations("tetrahedron"), anions_among(CHALCOGENS)),
    "sulvanite": every(anions(4), all_cations("tetrahedron")),
    "thiogallate": every(anions(4), all_cations("tetrahedron")),
    "chalcostibite": every(has_any(symbols("Cu Ag")), has_any(symbols("Sb Bi"))),
    "lacunar-spinel": anions_among(CHALCOGENS),
    "mps3": every(has_any(symbols("P")), has_any(CHALCOGENS)),
    "mnbi2te4": every(has_any(symbols("Bi Sb")), anions_among(CHALCOGENS)),
    "kcuzrs3": every(anions(3), anions_among(CHALCOGENS)),
}


__all__ = ["RULES"]
