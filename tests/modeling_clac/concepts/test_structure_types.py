"""Structure types, with the AFLOW encyclopedia that comes with pymatgen as the oracle."""

from __future__ import annotations

import re

import pytest
from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY

from modeling_clac.concepts.structure_types import STRUCTURE_TYPES, structure_types

# Our names, or words, of the types in the encyclopedia; labels hold stoichiometry and space group, `A2B_tP6_136_f_a`.
NAMES = {
    "(Cubic) Perovskite": "perovskite",
    "Anatase": "anatase",
    "Brookite": "brookite",
    "Calcite": "calcite",
    "Corundum": "corundum",
    "Cubic Laves": "cubic Laves phase",
    "Fluorite": "fluorite",
    "Halite, Rock Salt": "rock salt",
    "Hexagonal Laves": "hexagonal Laves phase",
    "Heusler": "Heusler",
    "Marcasite": "marcasite",
    "Pyrite": "pyrite",
    "Rutile": "rutile",
    "Spinel": "spinel",
    "Wurtzite": "wurtzite",
    "Zincblende, Sphalerite": "zinc blende",
    "half-Heusler": "half-Heusler",
    "quartz (alpha)": "quartz",
    "quartz (beta)": "quartz",
}
LABELS = [
    (NAMES[entry["tags"]["mineral"]], entry["tags"]["aflow"])
    for entry in AFLOW_PROTOTYPE_LIBRARY
    if entry["tags"]["mineral"] in NAMES
]


@pytest.mark.parametrize(("name", "label"), LABELS)
def test_types_are_those_of_the_encyclopedia(name: str, label: str) -> None:
    letters, _, group = label.split("_")[:3]
    stoichiometry = tuple(sorted(int(amount or 1) for _, amount in re.findall(r"([A-Z])(\d*)", letters)))
    kinds = [kind for kind in STRUCTURE_TYPES if name in kind.names or name in kind.words]
    assert any(int(group) in kind.space_groups and kind.stoichiometry in ((), stoichiometry) for kind in kinds)


def test_every_name_of_the_encyclopedia_was_compared() -> None:
    assert {name for name, _ in LABELS} == set(NAMES.values())


@pytest.mark.parametrize(
    ("formula", "group", "name"),
    [
        ("NaCl", 225, "rock salt"),
        ("GaN", 186, "wurtzite"),
        ("SrTiO3", 221, "perovskite"),
        ("MgAl2O4", 227, "spinel"),
        ("CaF2", 225, "fluorite"),
        ("MgCu2", 227, "Laves phase"),
        ("NiAl", 221, "CsCl-type"),
        ("CsCl", 221, "caesium chloride"),
        ("Ni2MnGa", 225, "Heusler"),
        ("Mg(GaO2)2", 227, "spinel"),
        ("Nd(CuSi)2", 139, "ThCr2Si2-type"),
    ],
)
def test_formula_and_space_group_give_the_name(formula: str, group: int, name: str) -> None:
    assert name in structure_types(formula, group)
    assert structure_types(formula, 2) == ()


def test_alloys_have_types_of_their_own() -> None:
    assert "caesium chloride" not in structure_types("NiAl", 221)
    assert "B2" not in structure_types("CsCl", 221)


@pytest.mark.parametrize(("formula", "group"), [(None, 225), ("NaCl", None), ("", 225), ("salt", 225)])
def test_unknown_facts_give_no_name(formula: str | None, group: int | None) -> None:
    assert structure_types(formula, group) == ()
