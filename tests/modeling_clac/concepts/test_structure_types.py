"""The table of structure types, and what formula and space group tell, with the AFLOW encyclopedia as the oracle."""

from __future__ import annotations

import gzip
import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from modeling_clac.concepts.structure_types import FORMULA_TYPES, PHASE_WORDS, STRUCTURE_TYPES, structure_types

FILE = "aflow_prototypes.json.gz"
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


def labels() -> list[tuple[str, str]]:
    """Our names and labels of the types in the encyclopedia."""
    # The file, since importing the module also builds the structures, which takes seconds whenever tests are collected.
    module = find_spec("pymatgen.analysis.prototypes")
    assert module is not None and module.origin is not None
    tags = [entry["tags"] for entry in json.loads(gzip.decompress(Path(module.origin).with_name(FILE).read_bytes()))]
    return [(NAMES[own["mineral"]], own["aflow"]) for own in tags if own["mineral"] in NAMES]


LABELS = labels()


@pytest.mark.parametrize(("name", "label"), LABELS)
def test_types_are_those_of_the_encyclopedia(name: str, label: str) -> None:
    letters, _, group = label.split("_")[:3]
    stoichiometry = tuple(sorted(int(amount or 1) for _, amount in re.findall(r"([A-Z])(\d*)", letters)))
    named = any(
        name in kind.names and kind.space_group == int(group) and kind.stoichiometry == stoichiometry
        for kind in FORMULA_TYPES
    )
    assert named or int(group) in PHASE_WORDS.get(name, ())


def test_every_name_of_the_encyclopedia_was_compared() -> None:
    assert {name for name, _ in LABELS} == set(NAMES.values())


def test_the_table() -> None:
    assert len(STRUCTURE_TYPES) >= 150
    for kind in STRUCTURE_TYPES.values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kind.id) and kind.name
        assert set(kind.implies) <= STRUCTURE_TYPES.keys()
    assert {kind.type for kind in FORMULA_TYPES} <= STRUCTURE_TYPES.keys()


def test_types_of_formulas_have_the_space_group_of_their_labels() -> None:
    for kind in FORMULA_TYPES:
        groups = STRUCTURE_TYPES[kind.type].space_groups
        assert not groups or kind.space_group in groups, kind


@pytest.mark.parametrize(
    ("word", "type_id"), [("rutile", "rutile"), ("quartz", "quartz"), ("delafossite", "delafossite")]
)
def test_groups_of_phase_words_are_those_of_the_labels(word: str, type_id: str) -> None:
    assert PHASE_WORDS[word] == STRUCTURE_TYPES[type_id].space_groups


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
