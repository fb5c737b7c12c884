"""
Rules that decide which applications the properties and the elements of a crystal justify.

Rules that depend on the composition name elements, so the narrator omits them if the formula is masked. Thresholds are
screening heuristics and never printed; the numbers in a sentence are those of the record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .elements import (
    CHALCOGENS,
    HALOGENS,
    LANTHANIDES,
    NONMETALS,
    PLATINUM_GROUP,
    RARE_EARTH,
    REFRACTORY,
    TRANSITION,
    symbols,
)
from .symmetry import POLAR, SECOND_ORDER

Values = Mapping[str, float]
Elements = frozenset[str]


REDOX = symbols("Ti V Cr Mn Fe Co Ni Cu Mo Nb W")
HEAVY = symbols("Cs Ba La Ce Eu Gd Lu Hf W Hg Tl Pb Bi")

# Sets that are used by a single rule.
_OXIDANTS = symbols("O S Se F Cl Br I P N")
_CONDUCTING = (TRANSITION - symbols("Y Zr Sc Hf Ta Zn")) | (LANTHANIDES - symbols("La Lu")) | symbols("Sn Pb Sb Bi Te")
_MULTIVALENT = symbols("Mg Ca")
_OXYGEN_SULFUR = symbols("O S Se")
_CATALYTIC = symbols("V Cr Mn Fe Co Ni Cu Mo W Ce")
_TRANSPARENT = symbols("O In Sn Zn Cd Ga")
_MAGNETIC_IONS = symbols("Fe Co Mn Cr Ni")
_BARRIER = RARE_EARTH | symbols("Zr Hf")
_BARRIER_HOST = _BARRIER | symbols("O Al Ti Ta")
_LARGE_CATIONS = symbols("Cs Rb")
_LONE_PAIR = symbols("Pb Sn Ge Bi")
_HEAVY_HALOGENS = symbols("Cl Br I")
_FERROMAGNETS = symbols("Fe Co")
_LARGE_MOMENT = symbols("Gd Tb Dy Ho Er")
_HYDRIDE_METALS = symbols("Li Na Mg Ca Al La Ce Y Ti Zr V Ni Pd")
_INTERSTITIAL = symbols("B C N")
_REFRACTORY_HOST = REFRACTORY | _INTERSTITIAL | symbols("Al Si")
_ALUMINIDE_HOST = symbols("Al Ti Ni Nb Co Fe")
_FISSILE = symbols("U Th Pu")
_P_BLOCK = symbols("Bi Sb Pb Sn Ge")
_HEAVY_CHALCOGENS = symbols("Te Se")
_NOT_THERMOELECTRIC = symbols("O F Cl Br I H N C")
_GERMANIUM_ANTIMONY = symbols("Ge Sb")
_PHASE_CHANGE_HOST = symbols("Ge Sb Te In Ag Bi Sn")
_LAYER_METALS = symbols("Ti Zr Hf V Nb Ta Mo W Re")
_GROUP_THREE = symbols("B Al Ga In")
_GROUP_FIVE = symbols("N P As Sb")
_COINAGE = symbols("Cu Ag")
_ABSORBER_CATIONS = symbols("In Ga Sn Zn")
_BONE = symbols("Ca P O")


@dataclass(frozen=True)
class Rule:
    """
    A rule, which holds if every column of `needs` is known and both tests pass.

    Attributes:
        name: Name of the rule.
        needs: Columns that must be known; `elements` stands for the composition.
        areas: Wordings of the application, the main one first.
        test_values: Test of the property values. Default: passes.
        test_elements: Test of the elements. Default: passes.
        cite: Columns whose numbers appear in the reason.
        show: Elements to name in the reason.
        notes: Replaces the standard wording of the reason. It may contain `{names}` for the elements of `show`, and the
            columns of `needs` for their numbers.
        firm: Whether the facts are strong enough for 'suits'. Composition alone and conditions that are necessary but
            not sufficient are not.
    """

    name: str
    needs: frozenset[str]
    areas: tuple[str, ...]
    test_values: Callable[[Values], bool] | None = None
    test_elements: Callable[[Elements], bool] | None = None
    cite: tuple[str, ...] = ()
    show: Elements = frozenset()
    notes: tuple[str, ...] = ()
    firm: bool = False


def _property_rule(
    name: str,
    cite: str,
    test: Callable[[Values], bool],
    *areas: str,
    needs: str = "",
    notes: tuple[str, ...] = (),
    firm: bool = True,
) -> Rule:
    columns = tuple(cite.split())
    return Rule(name, frozenset(columns) | frozenset(needs.split()), areas, test, cite=columns, notes=notes, firm=firm)


def _composition_rule(
    name: str,
    show: Elements,
    test: Callable[[Elements], bool],
    *areas: str,
    cite: str = "",
    values: Callable[[Values], bool] | None = None,
) -> Rule:
    columns = tuple(cite.split())
    return Rule(name, frozenset(columns) | {"elements"}, areas, values, test, columns, show)


# fmt: off
RULES: tuple[Rule, ...] = (
    # ---- electronic and optical
    _property_rule(
        "ultraviolet", "band_gap", lambda v: v["band_gap"] > 3.2,
        "UV optoelectronics", "UV detectors", "solar-blind photodetectors", "ultraviolet emitters",
        "UV-transparent parts",
    ),
    _property_rule(
        "deep_ultraviolet_window", "band_gap", lambda v: v["band_gap"] > 6.0,
        "deep-UV windows", "vacuum-ultraviolet optics", "short-wavelength lithography lenses",
        "far-UV transparent windows",
    ),
    _property_rule(
        "solar_absorber", "band_gap", lambda v: 1.0 <= v["band_gap"] <= 1.8,
        "solar absorbers", "thin-film solar cells", "photovoltaic absorber layers",
        "solar energy conversion", "photovoltaics",
    ),
    _property_rule(
        "near_infrared", "band_gap", lambda v: 0.6 < v["band_gap"] < 1.0,
        "near-infrared photodetectors", "telecom-wavelength detectors",
        "bottom cells of tandem solar devices",
        "near-IR sensing",
    ),
    _property_rule(
        "infrared_detector", "band_gap", lambda v: 0.1 <= v["band_gap"] <= 0.6,
        "infrared detectors", "mid-IR sensors", "thermal imaging", "infrared photodiodes",
    ),
    _property_rule(
        "thermoelectric_gap", "band_gap", lambda v: 0.1 <= v["band_gap"] <= 0.6,
        "thermoelectric conversion", "waste-heat harvesting", "thermoelectric generators",
        "solid-state cooling modules",
    ),
    _property_rule(
        "visible_emitter", "band_gap", lambda v: 1.8 < v["band_gap"] <= 3.2,
        "visible LEDs", "visible-light emitters", "display and lighting diodes",
        "visible-range optoelectronics",
    ),
    _property_rule(
        "power_electronics", "band_gap", lambda v: 3.0 <= v["band_gap"] <= 6.0,
        "power electronics", "high-voltage switches", "high-temperature electronics", "power transistors",
    ),
    _property_rule(
        "high_k_gate", "dielectric_total band_gap",
        lambda v: v["dielectric_total"] > 18 and v["band_gap"] > 2.5,
        "high-k gate dielectrics", "transistor gate insulators", "high-permittivity insulating films",
        "memory capacitors",
    ),
    _property_rule(
        "capacitor", "dielectric_total", lambda v: v["dielectric_total"] > 30,
        "capacitor dielectrics", "compact capacitors", "microwave resonators", "energy-storage capacitors",
    ),
    _property_rule(
        "low_k", "dielectric_total", lambda v: v["dielectric_total"] < 5,
        "low-k interlayers", "interconnect insulation", "low-permittivity insulating layers",
        "high-speed circuit substrates",
    ),
    _property_rule(
        "high_index_optics", "refractive_index band_gap",
        lambda v: v["refractive_index"] > 2.1 and v["band_gap"] > 2.0,
        "high-index lenses", "photonic waveguides", "high-index optical coatings", "metasurface optics",
    ),
    _property_rule(
        "infrared_optics", "refractive_index band_gap",
        lambda v: v["refractive_index"] > 2.4 and 0.5 < v["band_gap"] <= 2.0,
        "infrared lenses", "IR optics", "infrared waveguides", "thermal-camera windows",
    ),
    _property_rule(
        "low_index_coating", "refractive_index", lambda v: v["refractive_index"] < 1.6,
        "antireflection coatings", "low-index optical layers", "optical cladding", "low-reflection windows",
    ),
    _property_rule(
        "nonlinear_optics", "band_gap",
        lambda v: v["band_gap"] > 2.0 and int(v["space_group_number"]) in SECOND_ORDER,
        "frequency doubling", "nonlinear optics", "second-harmonic generation", "laser frequency conversion",
        needs="space_group_number",
        notes=("space group {space_group_number} without inversion center", "its acentric space group"),
        firm=False,
    ),
    _property_rule(
        "polar_dielectric", "band_gap",
        lambda v: v["band_gap"] > 1.0 and int(v["space_group_number"]) in POLAR,
        "pyroelectric detectors", "ferroelectric memory studies", "polar electronic devices",
        "pyroelectric energy harvesting",
        needs="space_group_number",
        notes=("its polar space group", "polar space group {space_group_number}"),
        firm=False,
    ),
    _property_rule(
        "piezo_device", "piezoelectric_modulus", lambda v: v["piezoelectric_modulus"] > 0.5,
        "piezoelectric sensors", "actuators", "ultrasonic transducers", "vibration energy harvesters",
        "precision positioners",
    ),
    _property_rule(
        "acoustic_wave", "piezoelectric_modulus band_gap",
        lambda v: v["piezoelectric_modulus"] > 0.3 and v["band_gap"] > 2.5,
        "acoustic-wave filters", "radio-frequency resonators", "surface-acoustic-wave devices",
        "timing resonators",
    ),
    # ---- mechanical and mass
    _property_rule(
        "hard_coating", "bulk_modulus_vrh shear_modulus_vrh",
        lambda v: v["bulk_modulus_vrh"] > 200 and v["shear_modulus_vrh"] > 120,
        "wear-resistant coatings", "hard coatings", "cutting tools", "abrasion-resistant surfaces",
    ),
    _property_rule(
        "abrasive", "shear_modulus_vrh poisson_ratio",
        lambda v: v["shear_modulus_vrh"] > 130 and v["poisson_ratio"] < 0.22,
        "abrasives", "grinding media", "indenter tips", "polishing grit",
    ),
    _property_rule(
        "ductile", "", lambda v: 0 < v["shear_modulus_vrh"] < 0.57 * v["bulk_modulus_vrh"],
        "ductile structural parts", "formable components", "damage-tolerant parts", "crack-resistant layers",
        needs="bulk_modulus_vrh shear_modulus_vrh",
        notes=(
            "a shear modulus of {shear_modulus_vrh} GPa, low beside a bulk modulus of {bulk_modulus_vrh} GPa",
            "a bulk modulus of {bulk_modulus_vrh} GPa, high for a shear modulus of {shear_modulus_vrh} GPa",
        ),
    ),
    _property_rule(
        "compliant", "shear_modulus_vrh", lambda v: v["shear_modulus_vrh"] < 15,
        "solid lubricants", "compliant interlayers", "soft sealing layers", "stress-relief layers",
    ),
    _property_rule(
        "stiff_light",
        "bulk_modulus_vrh density", lambda v: v["bulk_modulus_vrh"] > 90 and v["density"] < 4.0,
        "lightweight stiff parts", "aerospace structures", "light armor", "weight-saving structural parts",
    ),
    _property_rule(
        "lightweight", "density", lambda v: v["density"] < 2.2,
        "lightweight components", "weight-critical designs", "weight-saving fillers",
        "light structural fillers",
    ),
    _property_rule(
        "shielding", "density", lambda v: v["density"] > 10,
        "radiation shielding", "gamma-ray shields", "X-ray absorbers", "counterweights and ballast",
    ),
    _property_rule(
        "isotropic", "elastic_anisotropy", lambda v: v["elastic_anisotropy"] < 0.05,
        "precision mirrors", "dimensionally uniform ceramics", "low-stress polycrystalline parts",
        "metrology supports",
    ),
    _property_rule(
        "anisotropic", "elastic_anisotropy", lambda v: v["elastic_anisotropy"] > 2,
        "direction-sensitive strain sensing", "phononic devices", "acoustic beam steering",
        "oriented-crystal springs",
    ),
    _property_rule(
        "inert_ceramic", "formation_energy_per_atom",
        lambda v: v["formation_energy_per_atom"] < -2.5 and v["energy_above_hull"] < 0.01,
        "inert crucibles", "furnace linings", "corrosion-resistant ceramics", "protective barrier layers",
        needs="energy_above_hull", firm=False,
    ),
    # ---- composition
    _composition_rule(
        "lithium_cathode", symbols("Li") | REDOX,
        lambda e: "Li" in e and bool(e & REDOX) and bool(e & _OXIDANTS),
        "lithium-ion battery cathodes", "rechargeable battery electrodes", "lithium insertion electrodes",
        "lithium-ion cells",
    ),
    _composition_rule(
        "lithium_electrolyte", symbols("Li"),
        lambda e: "Li" in e and bool(e & _OXIDANTS) and not e & _CONDUCTING,
        "solid lithium electrolytes", "all-solid-state batteries", "lithium-ion conductors",
        "battery separators",
    ),
    _composition_rule(
        "sodium_cathode", symbols("Na") | REDOX,
        lambda e: "Na" in e and bool(e & REDOX) and bool(e & _OXIDANTS),
        "sodium-ion battery cathodes", "sodium insertion electrodes", "grid-storage battery electrodes",
        "sodium-ion cells",
    ),
    _composition_rule(
        "sodium_electrolyte", symbols("Na"),
        lambda e: "Na" in e and bool(e & _OXIDANTS) and not e & _CONDUCTING,
        "solid sodium electrolytes", "solid-state sodium batteries", "sodium-ion conductors",
        "grid-storage cells",
    ),
    _composition_rule(
        "multivalent_cathode", symbols("Mg Ca") | REDOX,
        lambda e: bool(e & _MULTIVALENT) and bool(e & REDOX) and bool(e & _OXYGEN_SULFUR),
        "multivalent battery cathodes", "divalent-ion batteries", "multivalent-ion storage",
        "next-generation battery electrodes",
    ),
    _composition_rule(
        "oxide_catalysis", symbols("O V Cr Mn Fe Co Ni Cu Mo W Ce"),
        lambda e: "O" in e and bool(e & _CATALYTIC),
        "heterogeneous catalysis", "oxidation catalysts", "catalyst supports", "exhaust-gas cleaning",
        "electrocatalysis",
    ),
    _composition_rule(
        "photocatalysis", symbols("O"), lambda e: "O" in e and len(e) > 1,
        "photocatalysis", "photoelectrodes", "solar water splitting", "visible-light photocatalysts",
        cite="band_gap", values=lambda v: 1.8 <= v["band_gap"] <= 3.2,
    ),
    _composition_rule(
        "transparent_conductor", symbols("O In Sn Zn Cd Ga"),
        lambda e: "O" in e and len(e) > 1 and e <= _TRANSPARENT,
        "transparent conductors", "transparent electrodes", "thin-film transistors",
        "touch-screen electrodes",
    ),
    _composition_rule(
        "magnetic_oxide", symbols("O Fe Co Mn Cr Ni"),
        lambda e: "O" in e and bool(e & _MAGNETIC_IONS),
        "magnetic ceramics", "spintronics", "magnetic storage media", "microwave magnetic components",
    ),
    _composition_rule(
        "thermal_barrier", RARE_EARTH | symbols("Zr Hf O"),
        lambda e: "O" in e and bool(e & _BARRIER) and e <= _BARRIER_HOST,
        "thermal barrier coatings", "turbine-blade coatings", "high-temperature insulation",
        "refractory ceramics",
    ),
    _composition_rule(
        "phosphor_host", RARE_EARTH | symbols("O"),
        lambda e: "O" in e and bool(e & RARE_EARTH) and not e & (REDOX | PLATINUM_GROUP),
        "phosphors", "laser host crystals", "luminescent materials", "solid-state lighting converters",
    ),
    _composition_rule(
        "scintillator", HEAVY | HALOGENS, lambda e: bool(e & HALOGENS) and bool(e & HEAVY),
        "scintillators", "radiation detectors", "X-ray imaging screens", "gamma-ray spectroscopy crystals",
    ),
    _composition_rule(
        "halide_absorber", symbols("Cs Rb Pb Sn Ge Bi Cl Br I"),
        lambda e: bool(e & _LARGE_CATIONS and e & _LONE_PAIR and e & _HEAVY_HALOGENS) and "O" not in e,
        "photovoltaic halides", "thin-film light absorbers", "light-emitting halide layers",
        "halide photodetectors",
    ),
    _composition_rule(
        "permanent_magnet", LANTHANIDES | symbols("Fe Co Y"),
        lambda e: bool(e & RARE_EARTH) and bool(e & _FERROMAGNETS) and not e & _OXIDANTS,
        "permanent magnets", "high-coercivity magnets", "electric-motor magnets", "hard magnetic materials",
    ),
    _composition_rule(
        "magnetocaloric", symbols("Gd Tb Dy Ho Er"),
        lambda e: bool(e & _LARGE_MOMENT) and len(e) > 1 and not e & NONMETALS,
        "magnetocaloric cooling", "magnetic refrigeration", "cryogenic regenerators",
        "low-temperature cooling stages",
    ),
    _composition_rule(
        "hydrogen_storage", symbols("H"),
        lambda e: "H" in e and bool(e & _HYDRIDE_METALS) and not e & _OXIDANTS and "C" not in e,
        "hydrogen storage", "solid-state hydrogen tanks", "hydrogen release materials",
        "hydrogen compressors",
    ),
    _composition_rule(
        "refractory_ceramic", REFRACTORY | symbols("B C N"),
        lambda e: bool(e & _INTERSTITIAL) and bool(e & REFRACTORY) and e <= _REFRACTORY_HOST,
        "refractory ceramics", "ultrahigh-temperature ceramics", "cutting-tool coatings",
        "diffusion barriers",
    ),
    _composition_rule(
        "aluminide", symbols("Al Ti Ni Nb Co Fe"),
        lambda e: "Al" in e and len(e) > 1 and e <= _ALUMINIDE_HOST,
        "high-temperature alloys", "turbine components", "oxidation-resistant alloys",
        "structural intermetallics",
    ),
    _composition_rule(
        "nuclear_fuel", symbols("U Th Pu"), lambda e: bool(e & _FISSILE),
        "nuclear fuel studies", "reactor fuel research", "advanced fuel forms", "nuclear waste-form studies",
    ),
    _composition_rule(
        "thermoelectric_chalcogenide", symbols("Bi Sb Pb Sn Ge Te Se"),
        lambda e: bool(e & _P_BLOCK) and bool(e & _HEAVY_CHALCOGENS) and not e & _NOT_THERMOELECTRIC,
        "thermoelectric generators", "Peltier coolers", "thermoelectric conversion", "waste-heat recovery",
    ),
    _composition_rule(
        "phase_change", symbols("Ge Sb Te"),
        lambda e: "Te" in e and bool(e & _GERMANIUM_ANTIMONY) and e <= _PHASE_CHANGE_HOST,
        "phase-change memory", "rewritable optical discs", "nonvolatile memory cells",
        "reconfigurable photonics",
    ),
    _composition_rule(
        "layered_dichalcogenide", symbols("Ti Zr Hf V Nb Ta Mo W Re S Se Te"),
        lambda e: len(e) == 2 and bool(e & _LAYER_METALS) and bool(e & CHALCOGENS),
        "two-dimensional electronics", "dry lubricants", "catalytic electrodes", "ultrathin transistors",
    ),
    _composition_rule(
        "group_three_five", symbols("B Al Ga In N P As Sb"),
        lambda e: bool(e & _GROUP_THREE) and bool(e & _GROUP_FIVE) and e <= (_GROUP_THREE | _GROUP_FIVE),
        "high-speed electronics", "laser diodes", "compound-semiconductor devices", "heterostructure devices",
    ),
    _composition_rule(
        "chalcogenide_absorber", symbols("Cu Ag In Ga Sn Zn S Se Te"),
        lambda e: bool(e & _COINAGE and e & CHALCOGENS and e & _ABSORBER_CATIONS) and "O" not in e,
        "thin-film solar cells", "photovoltaic absorbers", "photodetector layers", "solar-fuel photocathodes",
    ),
    _composition_rule(
        "noble_catalyst", PLATINUM_GROUP, lambda e: bool(e & PLATINUM_GROUP) and not e & NONMETALS,
        "fuel-cell electrodes", "metal catalysts", "electrochemical catalysis", "exhaust-gas catalysts",
    ),
    _composition_rule(
        "bioceramic", symbols("Ca P O"), lambda e: e >= _BONE,
        "bone-repair ceramics", "biomedical implants", "implant coatings", "bioactive fillers",
    ),
)
# fmt: on
