"""The table of structure types, and what formula and space group tell, with the AFLOW encyclopedia as the oracle."""

from __future__ import annotations

import gzip
import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from modeling_clac.concepts.structure_types import PHASE_WORDS, STRUCTURE_TYPES

FILE = "aflow_prototypes.json.gz"
# Our types, or words, of those in the encyclopedia; labels hold stoichiometry and space group, `A2B_tP6_136_f_a`.
NAMES = {
    "Anatase": "anatase",
    "Brookite": "brookite",
    "Calcite": "calcite",
    "Corundum": "corundum",
    "Cubic Laves": "laves-cubic",
    "Fluorite": "fluorite",
    "Halite, Rock Salt": "rock-salt",
    "Hexagonal Laves": "laves-hexagonal",
    "Heusler": "full-heusler",
    "Marcasite": "marcasite",
    "Pyrite": "pyrite",
    "Rutile": "rutile",
    "Spinel": "spinel",
    "Wurtzite": "wurtzite",
    "Zincblende, Sphalerite": "zinc-blende",
    "half-Heusler": "half-heusler",
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
    assert _stoichiometry_and_group(label) in map(_stoichiometry_and_group, STRUCTURE_TYPES[name].labels) or (
        int(label.split("_")[2]) in PHASE_WORDS.get(name, ())
    )


def _stoichiometry_and_group(label: str) -> tuple[tuple[int, ...], str]:
    letters, _, group = label.split("_")[:3]
    return tuple(sorted(int(amount or 1) for _, amount in re.findall(r"([A-Z])(\d*)", letters))), group


def test_every_name_of_the_encyclopedia_was_compared() -> None:
    assert {name for name, _ in LABELS} == set(NAMES.values())


def test_the_table() -> None:
    assert len(STRUCTURE_TYPES) >= 150
    for kind in STRUCTURE_TYPES.values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kind.id) and kind.name
        assert set(kind.implies) <= STRUCTURE_TYPES.keys()


@pytest.mark.parametrize(
    ("word", "type_id"), [("rutile", "rutile"), ("quartz", "quartz"), ("delafossite", "delafossite")]
)
def test_groups_of_phase_words_are_those_of_the_labels(word: str, type_id: str) -> None:
    assert PHASE_WORDS[word] == STRUCTURE_TYPES[type_id].space_groups
