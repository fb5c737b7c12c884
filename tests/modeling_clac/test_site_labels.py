"""Formulas of sites, groups and polyhedra in descriptions of structures are not the composition of the crystal."""

from __future__ import annotations

import pytest
from pymatgen.core import Composition

from modeling_clac.formulas_clac import COMPOSITION, find_formulas
from modeling_clac.plain_text_clac import plain_text
from modeling_clac.quantities_clac import NUMBER, find_quantities
from modeling_clac.site_labels_clac import site_labels

DESCRIPTIONS = {
    "LiFePO4 crystallizes in the orthorhombic Pnma space group. Li(1) is bonded to six equivalent O(2) atoms to form "
    "LiO6 octahedra that share corners with four equivalent P(1)O4 tetrahedra and edges with two Fe(1)O6 octahedra. "
    "The Li(1)-O(2) bond length is 2.11 Å. The corner-sharing octahedral tilt angles range from 47-64°.": "LiFePO4",
    "Sb is alpha As structured and crystallizes in the trigonal R-3m space group. Sb(1) is bonded to six equivalent "
    "Sb(1) atoms to form a mixture of distorted corner and edge-sharing SbSb6 octahedra.": "Sb",
    "CdTe is ZnS-derived structured. Cd(1) is bonded to four equivalent Te(1) atoms to form CdTe4 tetrahedra.": "CdTe",
    "Li2MnO3 has Li1+ bonded to six O2- atoms to form LiO6 octahedra, and two inequivalent Mn4+ sites.": "Li2MnO3",
    "TlNd(MoO4)2 consists of one Nd(MoO4)2 framework. Tl(1) is bonded to eight O(1) atoms. Nd(1) is bonded to eight "
    "O(1) atoms, and Mo(1) to four to form MoO4 tetrahedra.": "TlNd(MoO4)2",
    "Na3Zr2Si2PO12 is built of ZrO6 octahedra, SiO4 groups and PO4-tetrahedra, with two Na sites.": "Na3Zr2Si2PO12",
    "In BaTiO3 the Ti-O bonds of the distorted TiO6 octahedra are unequal.": "BaTiO3",
}


@pytest.mark.parametrize(("text", "formula"), DESCRIPTIONS.items())
def test_composition_of_a_description(text, formula) -> None:
    read: dict[int, float] = {}
    for _, _, kind, value in find_quantities(text):
        if kind < NUMBER:
            read[kind] = read.get(kind, 0.0) + value
    total = sum(read.values())
    expected = Composition(formula).fractional_composition
    assert {kind: pytest.approx(expected[symbol]) for symbol, kind in ((e, e.Z) for e in expected)} == {
        kind: value / total for kind, value in read.items()
    }


def test_without_a_compound_polyhedra_count() -> None:
    (found,) = find_formulas("corner-sharing TiO6 octahedra")
    assert found.role == COMPOSITION and found.amounts == {"Ti": 1, "O": 6}


def test_compounds_with_groups_and_layers_stay_compositions() -> None:
    text = "MoS2 layers on SrTiO3 substrates, with Li2S nanoparticles and NaCl"
    assert [formula.plain for formula in find_formulas(text) if formula.role == COMPOSITION] == [
        "MoS2",
        "SrTiO3",
        "Li2S",
        "NaCl",
    ]


def test_numbers_of_sites_lengths_and_angles_are_no_quantities() -> None:
    text = "O(2) and Li(1b), Si(111) planes, 2.11 Å, 1.9-2.3 Å, 47-64°, 109.5 degrees, 6-coordinate; 62.1 Å³, 25 °C"
    assert [text[start:end] for start, end in site_labels(text)] == ["(2)", "(1b)"]
    assert [value for _, _, kind, value in find_quantities(text) if kind == NUMBER] == [111.0, 62.1, 25.0]


def test_numbers_of_sites_are_left_out_of_the_tokens() -> None:
    plain = plain_text("Cd(1) is bonded to P(2) in Cd(1)P4 tetrahedra of CdP2; GaN(0001) and Ca(OH)2 are not sites")
    assert (
        plain.text
        == "Cd is bonded to P in Cd P4 tetrahedra of Cd P2; Ga N(0001) and Ca( O H)2 are not sites".replace(
            "Ca( O H)2", plain_text("Ca(OH)2").text
        )
    )
    start = plain.text.index("P4")
    assert plain.original(start, start + 2) == (32, 34)


@pytest.mark.parametrize(
    "text", ["W crystallizes in the cubic Im-3m space group.", "C is diamond structured and hard."]
)
def test_subject_of_a_description_is_a_composition(text) -> None:
    assert [formula.plain for formula in find_formulas(text)] == [text[0]]


def test_hydroxides_with_adjacent_oxygens() -> None:
    assert find_formulas("AlOOH is Lepidocrocite structured")[0].amounts == {"Al": 1, "O": 2, "H": 1}
