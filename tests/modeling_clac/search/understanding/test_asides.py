"""Substances that are not looked for, statements that no fact decides, and words that belong together."""

from __future__ import annotations

import pytest

from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.search.understanding.parser import understand

# The query; its reading; the words that are not read; the beginning of the last note.
CASES = [
    ("semiconductors lattice matched to GaAs", "semiconductor", "matched GaAs", "read 'GaAs' as what the material"),
    ("epitaxial on sapphire", "", "epitaxial sapphire", "read 'sapphire' as what the material meets"),
    ("gas sensor for NO2", "gas sensor", "NO2", "read 'NO2' as what the material meets"),
    ("SnO2 gas sensors", "SnO2 · gas sensor", "", ""),
    ("solid electrolyte stable against lithium metal", "solid electrolyte · thermodynamically stable",
     "against lithium metal", "read 'lithium metal' as what"),
    ("battery anode stable in contact with Li", "battery anode · thermodynamically stable", "contact Li", "read 'Li'"),
    ("coating for titanium alloys", "", "coating titanium alloys", "read 'titanium alloys' as what"),
    ("CO oxidation catalyst", "oxidation catalyst", "CO", "read 'CO' as what"),
    ("isoelectronic with GaN", "", "isoelectronic GaN", "crystals similar to GaN are found with --like"),
    ("replacement for indium tin oxide", "", "indium tin oxide", "crystals similar to indium tin oxide"),
    ("p-type semiconductor", "semiconductor", "p-type", "p-type: whether electrons or holes conduct"),
    ("superconductor with Tc above 30 K", "superconductor", "Tc above 30 K", "Tc above 30 K: temperatures of"),
    ("superconductor with a high Tc", "superconductor", "Tc", "Tc: critical temperatures are not known"),
    ("Tc oxides", "Tc · oxide", "", ""),
    ("Curie temperature above 300 K", "", "Curie temperature above 300 K", "Curie temperature above 300 K: temp"),
    ("mp-149", "", "mp-149", "mp-149 is an id: `clac show` shows the crystal"),
    ("phosphor host that emits red light", "phosphor host", "emits red light", ""),
    ("light oxide", "light · oxide", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reading", "rest", "note"), CASES, ids=[case[0] for case in CASES])
def test_what_is_not_looked_for_is_left_and_noted(text: str, reading: str, rest: str, note: str) -> None:
    query = understand(text, load_vocabulary())
    assert (query.render(), " ".join(query.rest)) == (reading, rest)
    assert (query.notes[-1] if query.notes else "").startswith(note) and bool(query.notes) == bool(note)


@pytest.mark.parametrize("first", ["density", "hardness", "bulk modulus", "refractive index"])
@pytest.mark.parametrize("second", ["shear modulus", "hardness", "dielectric constant"])
@pytest.mark.parametrize(("one", "other"), [("low", "high"), ("high", "low"), ("high", "high")])
def test_adjectives_belong_to_the_noun_behind_them(first: str, second: str, one: str, other: str) -> None:
    if first == second:
        return
    vocabulary = load_vocabulary()
    alone = [understand(text, vocabulary).labels for text in (f"{one} {first}", f"{other} {second}")]
    assert all(len(labels) == 1 for labels in alone)
    query = understand(f"{one} {first} {other} {second}", vocabulary)
    assert query.labels == [*alone[0], *alone[1]] and query.rest == ()
