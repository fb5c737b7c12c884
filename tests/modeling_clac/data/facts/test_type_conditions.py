"""Conditions of structure types by themselves: composition, symmetry and surroundings are given, not computed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure

from modeling_clac.data.facts import conditions
from modeling_clac.data.facts.conditions import Rule
from modeling_clac.data.facts.evidence import Evidence
from modeling_clac.data.facts.frameworks import composition_types
from modeling_clac.data.facts.structure_types import structure_type_facts
from modeling_clac.data.facts.symmetry import find_orbits
from modeling_clac.structures_clac import parse_structure

OCTAHEDRON, TETRAHEDRON, SQUARE = ({name} for name in ("octahedron", "tetrahedron", "square"))


class Known(Evidence):
    """
    Evidence that is stated.

    Args:
        formula: Formula of the crystal.
        anions: Symbols of its anions.
        around: Symbol -> shapes and numbers of anions around its atoms.
        group: Number of the space group.
        letters: Symbol -> its Wyckoff letters.
        bonds: Pairs of symbols whose atoms are bonded.
    """

    def __init__(
        self, formula: str, anions: str = "", around: dict[str, set[Any]] | None = None, group: int = 1,
        letters: dict[str, str] | None = None, bonds: str = "",
    ) -> None:  # fmt: skip
        amounts = {str(symbol): int(amount) for symbol, amount in Composition(formula).get_el_amt_dict().items()}
        self.amounts, self.elements, self.group = amounts, frozenset(amounts), group
        self.symbols = [symbol for symbol, amount in amounts.items() for _ in range(amount)]
        self.around = around or {}
        self.bonds = {frozenset(pair.split("-")) for pair in bonds.split()}
        self.__dict__["anions"] = frozenset(anions.split())
        self.__dict__["letters"] = letters or {}

    def shapes(self, symbol: str) -> frozenset[str | None]:
        return frozenset(value for value in self.around.get(symbol, {None}) if not isinstance(value, int))

    def coordination(self, symbol: str) -> frozenset[int]:
        return frozenset(value for value in self.around.get(symbol, set()) if isinstance(value, int))

    def is_bonded(self, first: str, second: str | None = None) -> bool:
        return frozenset((first, second or first)) in self.bonds


def types_of(*arguments: Any, **more: Any) -> list[str]:
    return list(composition_types(Known(*arguments, **more)))


@pytest.mark.parametrize(
    ("formula", "is_argyrodite"),
    [
        *((formula, True) for formula in "Li6PS5Cl Li6PS5I Cu6PS5Br Li7PS6 Ag8GeS6 Ag8GeTe6".split()),
        *((formula, True) for formula in "Cu7PSe6 Li5PS4Cl2 Ag9AlSe6 Ag7TaS6".split()),
        *((f"Ag7{centre}S6", True) for centre in "P As Sb Si Ge Sn Ti V Nb Ta Al Ga".split()),
        *((formula, False) for formula in "Li4PS6 Li10PS6 Li6PS3Cl3 Li6PS5F Li12P2S10Cl2 Li6PS5Cl2".split()),
        *((formula, False) for formula in "Li6NaPS5Cl Li6PO5Cl Na6PS5Cl Li6S5Cl Ag7FeS6".split()),
    ],
)  # fmt: skip
def test_argyrodites(formula: str, is_argyrodite: bool) -> None:
    assert types_of(formula, "S") == ["argyrodite"] * is_argyrodite


@pytest.mark.parametrize(
    ("formula", "shapes", "is_thio_lisicon"),
    [
        ("Li4GeS4", TETRAHEDRON, True), ("Li3PS4", TETRAHEDRON, True), ("Li5P2S8", TETRAHEDRON, True),
        ("Li10GeP2S12", TETRAHEDRON, True), ("Li5AlS4", TETRAHEDRON, True),
        *((f"Li4{centre}S4", TETRAHEDRON, True) for centre in "As Sb Si Sn Ga Zn B".split()),
        ("Li4P2S8", TETRAHEDRON, False), ("Li2GeS3", TETRAHEDRON, False),
        ("Li4GeS4O", TETRAHEDRON, False), ("Li4GeS4", OCTAHEDRON, False),
        ("Li4GeS4", {"tetrahedron", None}, False), ("Li4TiS4", TETRAHEDRON, False), ("Li", TETRAHEDRON, False),
    ],
)  # fmt: skip
def test_thio_lisicons(formula: str, shapes: set[Any], is_thio_lisicon: bool) -> None:
    centres = dict.fromkeys("Ge P Al As Sb Si Sn Ga Zn B Ti".split(), shapes)
    assert ("thio-lisicon" in types_of(formula, "S", centres)) == is_thio_lisicon


@pytest.mark.parametrize(
    ("formula", "anions", "group", "shapes", "is_lisicon"),
    [
        ("Li3PO4", "O", 62, TETRAHEDRON, True), ("Li3PO4", "O", 31, TETRAHEDRON, True),
        ("Li2ZnSiO4", "O", 62, TETRAHEDRON, True), ("LiGaO2", "O", 62, TETRAHEDRON, False),
        *(("Li3PO4", "O", group, TETRAHEDRON, False) for group in (30, 32, 61, 63)),
        ("Li3PO4", "O", 62, OCTAHEDRON, False), ("Li3PO4", "O F", 62, TETRAHEDRON, False),
    ],
)  # fmt: skip
def test_lisicons(formula: str, anions: str, group: int, shapes: set[Any], is_lisicon: bool) -> None:
    around = dict.fromkeys(("Li", "P", "Zn", "Si", "Ga"), shapes)
    assert types_of(formula, anions, around, group) == ["lisicon"] * is_lisicon


@pytest.mark.parametrize(
    "group", [1, 2, 3, 11, 12, 141, 142, 143, 146, 147, 148, 149, 159, 160, 161, 165, 166, 167, 230]
)
def test_alunites_and_chevrel_phases(group: int) -> None:
    assert ("alunite" in types_of("KAl3S2O14H6", "", None, group)) == (group in (160, 166))
    assert ("chevrel" in types_of("PbMo6S8", "S", None, group)) == (group in (2, 148))


def test_other_formulas_are_neither_alunites_nor_chevrel_phases() -> None:
    for formula in ("KAl3S2O13H6", "KAl3S2O15H6", "KAl3S3O14H6", "KAl3SO14H6", "KAl3P2O14H6"):
        assert not types_of(formula, "", None, 166), formula
    assert types_of("SnMo6Se8", "Se", None, 148) == types_of("Mo6Te8Ag", "Te", None, 148) == ["chevrel"]
    for formula, anion in (
        ("PbRe6S8", "S"),
        ("PbMo6O8", "O"),
        ("PbMo5S8", "S"),
        ("PbMo6S7", "S"),
        ("Pb2Mo6S8", "S"),
        ("Mo6S8", "S"),
    ):
        assert not types_of(formula, anion, None, 148), formula


@pytest.mark.parametrize(
    ("group", "letters", "formula", "expected"),
    [
        (223, "cik ad", "Na8Si46", "clathrate-i"), (223, "cik a", "Na2Ge46", "clathrate-i"),
        (223, "cik", "Sn46", "clathrate-i"), (223, "2cik ad", "Na8Si46", "clathrate-i"),
        (223, "ci ad", "Na8Si46", ""), (223, "ck ad", "Na8Si46", ""), (223, "ik ad", "Na8Si46", ""),
        (223, "cik e", "Na8Si46", ""), (223, "cik ad", "Na8Al46", ""), (222, "cik ad", "Na8Si46", ""),
        (224, "cik ad", "Na8Si46", ""),
        (227, "aeg bd", "Na24Si136", "clathrate-ii"), (227, "eg c", "Ge136", "clathrate-ii"),
        (227, "ag b", "Na24Si136", ""), (227, "ae b", "Na24Si136", ""), (227, "aegf bd", "Na24Si136", ""),
        (226, "aeg bd", "Na24Si136", ""), (228, "aeg bd", "Na24Si136", ""),
        (227, "aeg bd", "Na24Zn136", ""),
    ],
)  # fmt: skip
def test_clathrates(group: int, letters: str, formula: str, expected: str) -> None:
    elements = list(Composition(formula).get_el_amt_dict())
    places = dict(zip(elements[::-1], letters.split(), strict=False))
    assert types_of(formula, "", None, group, places) == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("formula", "group", "shapes", "is_apatite"),
    [
        *(
            ("Ca5P3O12F", group, TETRAHEDRON, group in (11, 14, 147, 173, 174, 176))
            for group in (1, 10, 11, 12, 13, 14, 15, 146, 147, 148, 172, 173, 174, 175, 176, 177)
        ),
        *((f"Pb5{centre}3O12Cl", 176, TETRAHEDRON, True) for centre in "V As Si Ge S Cr Mn".split()),
        ("Ca5P3O13H", 176, TETRAHEDRON, True), ("Ca5P3O13", 176, TETRAHEDRON, True),
        ("Ca10P6O26", 176, TETRAHEDRON, True), ("Ca10Si3S3O24F2", 176, TETRAHEDRON, True),
        ("Sr5P3O12Br", 176, TETRAHEDRON, True),
        ("Ba5P3O12I", 176, TETRAHEDRON, True), ("Ca5P3O11F", 176, TETRAHEDRON, False),
        ("Ca5P3O14F", 176, TETRAHEDRON, False), ("Ca4P3O12F", 176, TETRAHEDRON, False),
        ("Ca6P3O12F", 176, TETRAHEDRON, False),
        ("Ca5P3O12F", 176, OCTAHEDRON, False), ("Ca5P3O12F", 176, {"tetrahedron", None}, False),
        ("Ca5P3S12F", 176, TETRAHEDRON, False), ("Ca5Fe3O12F", 176, TETRAHEDRON, False),
        ("H2O", 173, TETRAHEDRON, False),
        ("Ca5P3O12S", 176, TETRAHEDRON, False),
    ],
)  # fmt: skip
def test_apatites(formula: str, group: int, shapes: set[Any], is_apatite: bool) -> None:
    around = dict.fromkeys("P V As Si Ge S Cr Mn Fe".split(), shapes)
    if formula == "Ca5P3O12S":
        around["S"] = {None}
    assert types_of(formula, "O", around, group) == ["apatite"] * is_apatite


def test_garnets() -> None:
    letters = {"Al": "ad", "Y": "c", "O": "h"}
    assert types_of("Al5Y3O12", "O", None, 230, letters) == ["garnet"] == types_of("Al5Y3F12", "F", None, 230, letters)
    for group, places, anions in (
        (229, letters, "O"),
        (230, letters | {"Y": "b"}, "O"),
        (230, letters | {"O": "g"}, "O"),
        (230, letters, "S"),
    ):
        assert not types_of("Al5Y3O12", anions, None, group, places)
    for formula, group, expected in (
        ("Li7La3Zr2O12", 142, True), ("Li7La3Zr2O12", 141, False), ("Li7La3Zr2O12", 143, False),
        ("Li6La3Zr2O12", 142, False), ("Li8La3Zr2O12", 142, False), ("Li7La4Zr2O12", 142, False),
        ("Li7La3Zr2O11", 142, False), ("Li7La3Zr2O13", 142, False),
    ):  # fmt: skip
        assert types_of(formula, "O", None, group) == ["garnet"] * expected, formula


# --------------------------------------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        # One metal more than C, N or B, and one atom of the A element.
        ("Ti2AlC", True), ("Ti3SiC2", True), ("Ti4AlN3", True), ("Cr2AlB", True), ("Ti2AlC2", False),
        ("Ti3AlC", False), ("Ti3Al2C2", False), ("Ti2Al2C", False), ("Ti2AlO", False), ("Ti2AlCN", False),
        ("TiZrAlC", False), ("Ti2AlSiC", False), ("Ti2C", False), ("Mg2AlC", False), ("Ti2FeC", False),
        ("Ti2MgC", False), ("Al2C", False), ("Ti2Al", False),
    ],
)  # fmt: skip
def test_max_phases(formula: str, expected: bool) -> None:
    assert conditions.max_phase(Known(formula)) is expected


@pytest.mark.parametrize(
    ("a", "b", "c", "ratio"),
    [(3, 3, 3.6, 1.2), (4, 4, 3, 0.75), (3, 3, 3, 1.0), (3.6, 3, 3, 1.2), (3, 4, 4, 0.75), (2.8, 2.81, 4.2, 1.5)],
)
def test_axis_ratio(a: float, b: float, c: float, ratio: float) -> None:
    """The two edges that are equal, or nearly so, are a."""
    crystal = Known("TiAl")
    crystal.crystal = SimpleNamespace(cell=np.diag([a, b, c]))  # type: ignore[assignment]
    assert conditions.axis_ratio(crystal) == pytest.approx(ratio)
    crystal.symbols = crystal.symbols * 2
    assert np.isnan(conditions.axis_ratio(crystal))


def holds(rule: Rule, *arguments: Any, **more: Any) -> bool:
    return rule(Known(*arguments, **more))


def test_conditions_on_composition() -> None:
    for formula, b2, heusler in (("NiAl", True, True), ("FeC", False, True), ("FeP", False, True),
    ("FeB", False, True), ("NiAs", False, True), ("LaTe", False, True), ("NaCl", False, False),
    ("LiH", False, False), ("FeO", False, False), ("MnS", False, False), ("CsI", False, False),
    ("CsBr", False, False), ("CsF", False, False), ("CsSe", False, False)):  # fmt: skip
        assert holds(conditions.is_b2, formula) is b2, formula
        assert conditions.is_heusler(Known(formula)) is heusler, formula
        assert holds(conditions.metallic, formula) is (b2 or formula in ("FeC", "FeP", "FeB", "NiAs", "LaTe")), formula
    some = frozenset({"Ti", "O"})
    assert holds(conditions.only_elements(some), "TiO2") and not holds(conditions.only_elements(some), "SrTiO3")
    assert holds(conditions.has_any(some), "SrTiO3") and not holds(conditions.has_any(some), "NaCl")
    assert holds(conditions.anions_among(some), "TiO2", "O") and not holds(conditions.anions_among(some), "TiN", "N")
    assert not holds(conditions.anions_among(some), "TiO2", "") and not holds(
        conditions.anions_among(some), "TiOF", "O F"
    )
    yes, no = conditions.has_any(frozenset({"Na"})), conditions.has_any(frozenset({"K"}))
    assert [holds(conditions.every(*rules), "NaCl") for rules in ((yes, yes), (yes, no), (no, yes), (no, no))] == [
        True,
        False,
        False,
        False,
    ]
    assert [holds(conditions.either(*rules), "NaCl") for rules in ((yes, yes), (yes, no), (no, yes), (no, no))] == [
        True,
        True,
        True,
        False,
    ]
    assert holds(conditions.none_of(no), "NaCl") and not holds(conditions.none_of(yes), "NaCl")


def test_conditions_on_anions() -> None:
    assert [holds(conditions.anions(n), "TiO2", "O") for n in (1, 2, 3)] == [False, True, False]
    assert not holds(conditions.anions(2), "Na2O2", "O") and not holds(conditions.anions(2), "TiO2", "")
    assert [holds(conditions.not_anions(n), "TiO2", "O") for n in (1, 2, 3)] == [True, False, False]
    letters = {"Ni": "a", "As": "c"}
    assert holds(conditions.at_anion("c"), "NiAs", "As", letters=letters) and not holds(
        conditions.at_anion("a"), "NiAs", "As", letters=letters
    )
    assert holds(conditions.at_cation("a"), "NiAs", "As", letters=letters) and not holds(
        conditions.at_cation("c"), "NiAs", "As", letters=letters
    )
    assert not holds(conditions.at_anion("b"), "NiAs", "As", letters=letters) and not holds(
        conditions.at_cation("b"), "NiAs", "As", letters=letters
    )


def test_conditions_on_surroundings() -> None:
    rutile = {"Ti": {"octahedron", 6}}
    assert holds(conditions.shape(1, "octahedron"), "TiO2", "O", rutile) and not holds(
        conditions.shape(1, "tetrahedron"), "TiO2", "O", rutile
    )
    assert not holds(conditions.shape(2, "octahedron"), "TiO2", "O", rutile) and not holds(
        conditions.shape(1, "octahedron"), "TiO2", "O", {"Ti": {"octahedron", None}}
    )
    assert holds(conditions.all_cations("octahedron"), "TiO2", "O", rutile) and not holds(
        conditions.all_cations("octahedron"), "TiO2", "", rutile
    )
    assert not holds(conditions.all_cations("octahedron"), "FeTiO3", "O", rutile)
    for low, high, expected in ((6, 6, True), (5, 7, True), (7, 8, False), (4, 5, False), (6, 8, True), (4, 6, True)):
        assert holds(conditions.coordinated(1, low, high), "TiO2", "O", rutile) is expected
    assert not holds(conditions.coordinated(1, 6, 6), "TiO2", "O", {"Ti": {6, 7}}) and holds(
        conditions.coordinated(2, 9, 9), "TiO2", "O", rutile
    )
    assert holds(conditions.bonded(2), "FeS2", bonds="S-S") and not holds(conditions.bonded(1), "FeS2", bonds="S-S")


@pytest.mark.parametrize(
    ("rule", "formula", "anions", "around", "expected"),
    [
        # ABX2 with two octahedra, or an octahedron and eight anions.
        ("octahedral_oxide_like", "NaCrO2", "O", {"Na": {"octahedron", 6}, "Cr": {"octahedron", 6}}, True),
        ("octahedral_oxide_like", "KCrO2", "O", {"K": {None, 8}, "Cr": {"octahedron", 6}}, True),
        ("octahedral_oxide_like", "CuCrO2", "O", {"Cu": {None, 2}, "Cr": {"octahedron", 6}}, False),
        ("octahedral_oxide_like", "NaCrO2", "O", {"Na": {None, 6}, "Cr": {None, 6}}, False),
        ("octahedral_oxide_like", "NaCrO3", "O", {"Na": {"octahedron", 6}, "Cr": {"octahedron", 6}}, False),
        ("octahedral_oxide_like", "NaCrO2", "O", {"Na": {None, 5}, "Cr": {"octahedron", 6}}, False),
        ("octahedral_oxide_like", "NaCrO2", "O", {"Na": {None}, "Cr": {"octahedron", 6}}, False),
        ("linear_cation", "CuAlO2", "O", {"Cu": {None, 2}, "Al": {"octahedron", 6}}, True),
        ("linear_cation", "CuAlS2", "S", {"Cu": {None, 2}}, True),
        ("linear_cation", "CuAlO2", "O", {"Cu": {None, 3}}, False),
        ("linear_cation", "CuAlF2", "F", {"Cu": {None, 2}}, False),
        ("linear_cation", "CuAlO3", "O", {"Cu": {None, 2}}, False),
        ("linear_cation", "CuAlO2H", "O", {"Cu": {None, 2}}, False),
        ("linear_cation", "CuCO2", "O", {"Cu": {None, 2}}, False),
        ("linear_cation", "CuNO2", "O", {"Cu": {None, 2}}, False),
        # Small cations in octahedra, and any in all octahedra.
        ("small_cations", "LiNbO3", "O", {"Nb": {"octahedron"}}, True),
        ("small_cations", "FeTiO3", "O", {"Ti": {"octahedron"}, "Fe": {None}}, True),
        ("small_cations", "FeTiO3", "O", {"Ti": {None}, "Fe": {None}}, False),
        *(
            ("small_cations", f"{large}TiO3", "O", {"Ti": {"octahedron"}, large: {None}}, False)
            for large in "Ca Na K La Y Pb Bi Tl Ag N C B".split()
        ),
        *(
            ("small_cations", f"{small}TiO3", "O", {"Ti": {"octahedron"}, small: {None}}, True)
            for small in "Li Be Mg Sc".split()
        ),
        ("small_cations", "BiInO3", "O", {"Bi": {"octahedron"}, "In": {"octahedron"}}, True),
        ("has_octahedra", "FeTiO3", "O", {"Ti": {"octahedron"}}, True),
        ("has_octahedra", "FeTiO3", "O", {"Ti": {"octahedron", None}}, False),
        ("tetrahedral_centre", "CaWO4", "O", {"W": {"tetrahedron"}}, True),
        ("tetrahedral_centre", "CaWO4", "O", {"W": {"tetrahedron", None}}, False),
        ("tetrahedral_centre", "CaWO4", "O", {"W": {"octahedron"}}, False),
        # The other cations have six, or seven, anions around them.
        ("octahedral_rest", "Mg2SiO4", "O", {"Si": {"tetrahedron", 4}, "Mg": {"octahedron", 6}}, True),
        ("octahedral_rest", "Mg2SiO4", "O", {"Si": {"tetrahedron", 4}, "Mg": {None, 5, 6}}, False),
        ("octahedral_rest", "SiO2", "O", {"Si": {"tetrahedron", 4}}, False),
        ("octahedral_rest", "Mg2SiO4", "O", {"Si": {"tetrahedron", 4}, "Mg": {None}}, False),
        ("large_rest", "BaSO4", "O", {"S": {"tetrahedron", 4}, "Ba": {None, 12}}, True),
        ("large_rest", "BaSO4", "O", {"S": {"tetrahedron", 4}, "Ba": {None, 7}}, True),
        ("large_rest", "BaSO4", "O", {"S": {"tetrahedron", 4}, "Ba": {None, 6}}, False),
        ("large_rest", "SiO2", "O", {"Si": {"tetrahedron", 4}}, False),
        ("large_rest", "BaSO4", "O", {"S": {"tetrahedron", 4}, "Ba": {None}}, False),
        ("large_rest", "BaSO4", "O", {"S": {"tetrahedron"}, "Ba": {6, 8}}, False),
        ("planar_centre", "CaCO3", "O", {"C": {3}}, True), ("planar_centre", "NaNO3", "O", {"N": {3}}, True),
        ("planar_centre", "ScBO3", "O", {"B": {3}}, True), ("planar_centre", "CaCO3", "O", {"C": {3, 4}}, False),
        ("planar_centre", "KClO3", "O", {"Cl": {3}}, False), ("planar_centre", "CaCS3", "S", {"C": {3}}, False),
        ("planar_centre", "CaCO3", "O C", {"C": {3}}, False),
    ],
)  # fmt: skip
def test_conditions(rule: str, formula: str, anions: str, around: dict[str, set[Any]], expected: bool) -> None:
    assert getattr(conditions, rule)(Known(formula, anions, around)) is expected


def test_interstitial_atoms() -> None:
    assert holds(conditions.has_interstitial, "Ti3AlC", bonds="C-Ti") and not holds(
        conditions.has_interstitial, "Ti3AlC", bonds="C-Al"
    )
    for centre in "H B C N O F S Se Te P As Cl Br I Si Ge Sb Bi".split():
        assert holds(conditions.has_interstitial, f"Ca3Pb{centre}", bonds=f"Ca-{centre}"), centre
    assert not holds(conditions.has_interstitial, "Ca3PbSn", bonds="Ca-Sn") and not holds(
        conditions.has_interstitial, "Ti2AlC", bonds="C-Ti"
    )
    assert not holds(conditions.has_interstitial, "Ti3AlC2", bonds="C-Ti")


# --------------------------------------------------------------------------------------------- frameworks


def built(group: str, lattice: Lattice, sites: dict[str, tuple[float, float, float]]) -> set[str]:
    """Types of a structure; sites are named by an element and, if there are several, a number."""
    symbols = [name.rstrip("0123456789") for name in sites]
    crystal = parse_structure(Structure.from_spacegroup(group, lattice, symbols, list(sites.values())))
    return set(structure_type_facts(crystal, find_orbits(crystal)) or ())


@pytest.mark.parametrize(("edge", "is_open"), [(8.4325, False), (8.4355, True), (8.8, True)])
def test_frameworks_are_open_below_20_tetrahedra_in_1000_cubic_angstroms(edge: float, is_open: bool) -> None:
    """Sodalite, with 12 silicon atoms in the cell."""
    found = built("Im-3m", Lattice.cubic(edge), {"Si": (0.25, 0, 0.5), "O": (0, 0.3533, 0.3533)})
    assert ("zeolite" in found) == is_open and "corner-sharing-tetrahedra" in found


@pytest.mark.parametrize(("shift", "is_tilted"), [(0.0, False), (0.035, False), (0.05, True)])
def test_perovskites_are_tilted_below_170_degrees(shift: float, is_tilted: bool) -> None:
    """Oxygen atoms of a perovskite move out of the line between two titanium atoms: 172.0° and 168.6°."""
    names = ["Sr", "Ti", "O", "O", "O"]
    places = [[0.0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5 + shift, 0], [0.5, 0, 0.5 + shift], [0, 0.5 + shift, 0.5]]
    crystal = parse_structure(Structure(Lattice.cubic(3.9), names, places))
    found = set(structure_type_facts(crystal, find_orbits(crystal)) or ())
    assert "perovskite" in found and ("tilted-perovskite" in found) == is_tilted


@pytest.mark.parametrize("size", [(4, 4, 4), (5, 4, 4), (5, 5, 4)])
def test_large_cells_are_not_searched_for_polyhedra(size: tuple[int, int, int]) -> None:
    """Up to 400 atoms: one of the titanium atoms is replaced, so that the cell is not reduced."""
    structure = Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(3.9), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]]
    ).make_supercell(size)
    structure.replace(next(i for i, site in enumerate(structure) if site.specie.symbol == "Ti"), "Zr")
    crystal = parse_structure(structure)
    found = structure_type_facts(crystal, find_orbits(crystal))
    assert found is not None and ("perovskite" in found) == (len(structure) <= 400)
