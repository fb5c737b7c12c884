"""Readings with the bundled vocabulary: what is not looked for, what no fact decides, and sloppy queries."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.search.understanding.parser import MOST_CHARACTERS, understand


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


# The query; its reading; the words that are not read; the beginning of the last note.
CASES = [
    ("semiconductors lattice matched to GaAs", "semiconductor", "matched GaAs", "read 'GaAs' as what the material"),
    ("epitaxial on sapphire", "", "epitaxial sapphire", "read 'sapphire' as what the material meets"),
    ("gas sensor for NO2", "gas sensor", "NO2", "read 'NO2' as what the material meets"),
    ("SnO2 gas sensors", "SnO2 · gas sensor", "", ""),
    ("solid electrolyte stable against lithium metal", "solid electrolyte · thermodynamically stable",
     "against lithium metal", "read 'lithium metal' as what"),
    ("battery anode stable in contact with Li", "battery anode · thermodynamically stable", "contact Li", "read 'Li'"),
    ("low-k dielectric compatible with silicon", "low-k dielectric", "compatible silicon", "read 'silicon'"),
    ("silver oxide with bismuth", "Ag · oxide · Bi", "", ""),
    ("halide with Ag and Bi", "halide · Ag · Bi", "", ""),
    ("something that scratches sapphire", "", "scratches sapphire", "read 'sapphire' as what"),
    ("anode material for Na-ion batteries", "battery anode · sodium-ion battery material", "", ""),
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
def test_what_is_not_looked_for_is_left_and_noted(
    vocabulary: Vocabulary, text: str, reading: str, rest: str, note: str
) -> None:
    query = understand(text, vocabulary)
    assert (query.render(), " ".join(query.rest)) == (reading, rest)
    assert (query.notes[-1] if query.notes else "").startswith(note) and bool(query.notes) == bool(note)


READINGS = {
    "perovskite with band gap arround 1.5ev no lead": "perovskite · band gap about 1.5 eV · no Pb",
    "gap betwen 1 and 2 eV, density bellow 3": "band gap 1 to 2 eV · density ≤ 3 g/cm³",
    "bulk modulus > 200 gpa": "bulk modulus > 200 GPa",
    "solar cells that isnt toxic": "solar cell absorber · not toxic",
    "oxides that dont contain lead": "oxide · no Pb",
    "chalcogenides (S, Se, Te) of Ge": "chalcogenide · S or Se or Te · Ge",
    "oxides (with Fe and Co)": "oxide · Fe · Co",
    "no metals from group 1": "no alkali metal",
    "nitrides with elements of group 13": "nitride · triel",
    "space group 225": "space group Fm-3m",
    "I/Br perovskites": "I or Br · perovskite",
    "I need an oxide": "oxide",
    "B_i structure": "TiAs-type",
    "Poisson ratio negative": "auxetic",
    "pyrite and marcasite structures": "pyrite structure or marcasite structure",
    "calcite and aragonite type nitrates": "calcite structure or aragonite structure · nitrate",
    "solid electrolyte, li+ conductor": "lithium solid electrolyte",
    "Li-ion battery": "lithium-ion battery material",
}


@pytest.mark.parametrize(("text", "reading"), READINGS.items(), ids=list(READINGS))
def test_sloppy_queries_are_read(vocabulary: Vocabulary, text: str, reading: str) -> None:
    query = understand(text, vocabulary)
    assert query.render() == reading and query.rest == ()


TYPED: dict[str, str] = yaml.safe_load((Path(__file__).parent / "typed.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "expected"), TYPED.items(), ids=list(TYPED))
def test_queries_as_people_type_them(vocabulary: Vocabulary, text: str, expected: str) -> None:
    query = understand(text, vocabulary)
    assert (query.render() + (f" | {' '.join(query.rest)}" if query.rest else "")).strip() == expected
    assert not query.contradictions
    again = understand(query.render(), vocabulary)
    assert (again.constraints, again.sort) == (query.constraints, query.sort) and again.rest == ()


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("it does not have to be cubic", "read 'cubic' as allowed, not as asked for"),
        ("lead is ok but no cadmium", "read 'lead' as allowed, not as asked for"),
        ("direct band gap above 1 eV", "direct: whether a gap is direct is not known of the crystals"),
        (
            "we tried LiCoO2 last year, so now I want no cobalt",
            "read 'we tried LiCoO2 last year' as what was done before",
        ),
        ("battery people here: manganese fluorides", "read 'battery people here' as who asks"),
        ("adsorbents that remove arsenic", "read 'arsenic' as what the material meets"),
        ("sulfides preferred over oxides", "read 'oxides' as the second choice, not as asked for"),
        ("gap need not be above 2 eV", "read 'gap need not be above 2 eV' as allowed, not as asked for"),
        (
            "at least two of oxide, sulfide and selenide",
            "'at least two of oxide': how many of a list must hold is read",
        ),
        ("not two of Fe, Co, Ni", "'two of Fe': how many of a list must hold is read"),
        ("may contain iron but no cobalt", "read 'contain iron' as allowed, not as asked for"),
        ("perovskites with or without tin", "read 'tin' as allowed, not as asked for"),
        ("more Mg than Fe", "than Fe: amounts of elements are not compared"),
        ("no elements heavier than xenon", "no elements heavier than xenon: elements are not compared"),
    ],
)
def test_what_was_not_asked_for_is_noted(vocabulary: Vocabulary, text: str, note: str) -> None:
    assert [each for each in understand(text, vocabulary).notes if each.startswith(note)]


def test_an_element_that_is_allowed_is_not_unknown(vocabulary: Vocabulary) -> None:
    notes = understand("bismuth tellurides, lithium and selenium allowed", vocabulary).notes
    assert notes and not [note for note in notes if "unknown element" in note]


@pytest.mark.parametrize(
    "text",
    [
        "is zinc as hard as copper", "as cheap as possible, in bulk", "a co doped oxide", "of la jolla",
        "not in the mood for os or ir talk", "p type silicon", "s and p orbitals", "per se", "i need an oxide",
    ],
)  # fmt: skip
def test_words_are_no_symbols(vocabulary: Vocabulary, text: str) -> None:
    named = {literal.term.label for each in understand(text, vocabulary).constraints for literal in each.literals}
    assert named.isdisjoint({"As", "In", "Co", "La", "P", "Os", "Ir", "S", "Se", "I"})


@pytest.mark.parametrize("first", ["density", "hardness", "bulk modulus", "refractive index"])
@pytest.mark.parametrize("second", ["shear modulus", "hardness", "dielectric constant"])
@pytest.mark.parametrize(("one", "other"), [("low", "high"), ("high", "low"), ("high", "high")])
def test_adjectives_belong_to_the_noun_behind_them(
    vocabulary: Vocabulary, first: str, second: str, one: str, other: str
) -> None:
    if first == second:
        return
    alone = [understand(text, vocabulary).labels for text in (f"{one} {first}", f"{other} {second}")]
    assert all(len(labels) == 1 for labels in alone)
    query = understand(f"{one} {first} {other} {second}", vocabulary)
    assert query.labels == [*alone[0], *alone[1]] and query.rest == ()


def test_of_a_long_text_the_beginning_is_read(vocabulary: Vocabulary) -> None:
    filling = "and so on " * MOST_CHARACTERS
    query = understand(f"lead-free oxide {filling} sulfide", vocabulary)
    assert query.constraints == understand("lead-free oxide", vocabulary).constraints
    assert len(query.text) == 50_024
    assert query.notes[-1].startswith("only the first 5,000 of 50,024 characters are read")
    whole = "oxide ".ljust(MOST_CHARACTERS)
    assert not understand(whole, vocabulary).notes


def test_a_prototype_label_ends_with_its_pattern(vocabulary: Vocabulary) -> None:
    query = understand("AB2_mC12_12_i_2i", vocabulary)
    assert query.labels == ["OsGe2-type", "formula AB2"]
    assert all(query.text[constraint.start : constraint.end] for constraint in query.constraints)


@pytest.mark.parametrize("repeated", ["twenty-five hundred and ", "two point five ", "at least two of Fe, Co, "])
def test_repeated_numbers_are_read_in_time(vocabulary: Vocabulary, repeated: str) -> None:
    start = time.perf_counter()
    understand((repeated * MOST_CHARACTERS)[:MOST_CHARACTERS], vocabulary)
    assert time.perf_counter() - start < 60
