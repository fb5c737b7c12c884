"""Queries are read as constraints: expected readings, traps, contradictions, and properties of any text."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modeling_clac.concepts.concept_files import read_concepts
from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.search.understanding.lexicon import Lexicon
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import ConceptTerm, ElementTerm, Query, RangeTerm
from modeling_clac.search.understanding.words import foreign_language

HERE = Path(__file__).parent
VOCABULARY = Vocabulary(read_concepts(HERE / "vocabulary.yaml"))
READINGS: dict[str, str] = yaml.safe_load((HERE / "readings.yaml").read_text(encoding="utf-8"))


def reading(text: str) -> str:
    """What is read, and after a bar what is not."""
    query = understand(text, VOCABULARY)
    return (query.render() + (f" | {' '.join(query.rest)}" if query.rest else "")).strip()


@pytest.mark.parametrize(("text", "expected"), READINGS.items(), ids=list(READINGS))
def test_readings(text: str, expected: str) -> None:
    assert reading(text) == expected


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("gap around 520 nm", "read 520 nm as a photon energy of 2.38 eV"),
        ("price below 5 EUR/kg", "read 5 EUR/kg as US dollars, in which prices are known"),
        ("melting point above 2000 K", "melting point above 2000 K: this quantity is not known of the crystals"),
    ],
)
def test_what_a_number_was_taken_for_is_said(text: str, note: str) -> None:
    assert understand(text, VOCABULARY).notes == (note,)
    assert understand(f"oxide, {text}", VOCABULARY).notes == (note,)


def meaning(query: Query) -> tuple[object, ...]:
    return query.constraints, query.sort


@pytest.mark.parametrize("text", READINGS)
def test_a_printed_reading_is_read_in_the_same_way(text: str) -> None:
    query = understand(text, VOCABULARY)
    again = understand(query.render(), VOCABULARY)
    assert meaning(again) == meaning(query)
    assert again.rest == ()


@pytest.mark.parametrize("text", READINGS)
def test_spans_are_places_in_the_text(text: str) -> None:
    check_spans(understand(text, VOCABULARY))


def check_spans(query: Query) -> None:
    for constraint in query.constraints:
        for literal in constraint.literals:
            assert 0 <= literal.start < literal.end <= len(query.text)
            term = literal.term
            if isinstance(term, ElementTerm) and term.symbol != "metal":
                said = query.text[literal.start : literal.end]
                assert said.strip(), query.text


def test_spans_survive_markup() -> None:
    query = understand("the oxide Fe$_2$O$_3$ without cobalt", VOCABULARY)
    spans = [query.text[constraint.start : constraint.end] for constraint in query.constraints]
    assert spans == ["oxide", "Fe$_2$O$_3", "cobalt"]


WORDS = [
    *(" ".join(text.split()[:2]) for text in list(READINGS)[:120]),
    *"no without not or and , ; ( ) - / free non 5 eV > < between about GPa Fe O In as lead · ≥ Å ₂ \t \n".split(" "),
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join))
def test_any_words_are_read(text: str) -> None:
    query = understand(text, VOCABULARY)
    check_spans(query)
    once = understand(query.render(), VOCABULARY)
    twice = understand(once.render(), VOCABULARY)
    assert meaning(once) == meaning(twice)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
@example(".0M")
def test_any_text_is_read(text: str) -> None:
    check_spans(understand(text, VOCABULARY))


NAMES = [concept.name for concept in VOCABULARY]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.booleans()), min_size=1, max_size=4, unique_by=lambda entry: entry[0]
    ),
    # Behind a `but`, what is excluded may be spared: `without halogen, but fluoride`.
    st.sampled_from(["; ", ". "]),
)
def test_lists_of_names_keep_their_polarity(parts: list[tuple[str, bool]], separator: str) -> None:
    text = separator.join(f"without {name}" if negated else name for name, negated in parts)
    query = understand(text, VOCABULARY)
    literals = [literal for constraint in query.constraints for literal in constraint.literals]
    found = {literal.term.label: literal.negated for literal in literals if isinstance(literal.term, ConceptTerm)}
    for name, negated in parts:
        if name != "metal":
            assert found.get(name) == negated, (text, query.render())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("oxide without oxygen", "oxide without oxygen: no crystal can be both; remove one of the two"),
        ("LiFePO4 without iron", "LiFePO4 without iron: no crystal can be both; remove one of the two"),
        ("perovskite, not perovskite", "perovskite: both required and excluded; remove one of the two"),
        ("no Fe, contains Fe", "Fe: both required and excluded; remove one of the two"),
        (
            "gap above 5 and below 2",
            "band gap > 5 eV and band gap < 2 eV: impossible, no band gap is both; change one of the numbers",
        ),
        ("gap of minus 3 eV", "band gap about -3 eV: impossible, no band gap is below 0; change the number"),
        ("density below -2", "density < -2 g/cm³: impossible, no density is below 0; change the number"),
        (
            "less than 1 atom per cell",
            "atoms in the cell ≤ 0: impossible, no atoms in the cell is below 1; change the number",
        ),
        (
            "Poisson ratio above 0.7",
            "Poisson ratio > 0.7: impossible, no Poisson ratio is above 0.5; change the number",
        ),
        ("hexagonal Fm-3m", "space group Fm-3m is cubic, not hexagonal; remove one of the two"),
        (
            "Pnma Fd-3m",
            "space group Pnma and space group Fd-3m: a crystal has one space group; remove one, or write `or`",
        ),
        ("cubic hexagonal oxide", "cubic and hexagonal: no crystal can be both; remove one, or write `or`"),
        ("Xx", "unknown element 'Xx'; give a name or symbol of the periodic table"),
        ("unobtainium", "unknown element 'unobtainium'; give a name or symbol of the periodic table"),
    ],
)
def test_contradictions_are_one_clear_line(text: str, line: str) -> None:
    assert understand(text, VOCABULARY).contradictions == (line,)


@pytest.mark.parametrize("text", [text for text in READINGS if "without" in text or "gap" in text])
def test_sensible_queries_have_no_contradiction(text: str) -> None:
    if text not in ("oxide without oxygen", "LiFePO4 without iron") and "above 5" not in text:
        assert understand(text, VOCABULARY).contradictions == ()


def test_one_number_may_be_both_bounds() -> None:
    for text in (
        "band gap of at least 3 eV, band gap of at most 3 eV",
        "band gap of 1 to 3 eV and band gap of 3 to 5 eV",
    ):
        assert understand(text, VOCABULARY).contradictions == ()


def test_an_unknown_element_among_others_is_noted() -> None:
    query = understand("oxide of unobtainium", VOCABULARY)
    assert query.contradictions == ()
    assert query.notes == ("unknown element 'unobtainium'; give a name or symbol of the periodic table",)
    assert understand("Li-Xx-O", VOCABULARY).notes == (
        "unknown element 'Xx'; give a name or symbol of the periodic table",
    )


def test_corrections_are_told() -> None:
    query = understand("pervoskite nitirde", VOCABULARY)
    assert query.render() == "perovskite · nitride"
    assert query.notes == ("read 'pervoskite' as 'perovskite'", "read 'nitirde' as 'nitride'")


@pytest.mark.parametrize(
    "text", ["without", "which", "table", "sheet of metal", "spinal", "stable", "hardly", "sulfurous"]
)
def test_english_words_are_not_corrected(text: str) -> None:
    assert not [note for note in understand(text, VOCABULARY).notes if note.startswith("read ")]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Halbleiter ohne Blei", "German"),
        ("ein kubischer Kristall mit großer Bandlücke", "German"),
        ("oxyde sans plomb", "French"),
        ("matériau avec une grande bande interdite", "French"),
        ("óxidos sin plomo con una banda prohibida", "Spanish"),
        ("materiale duro senza piombo", "Italian"),
        ("material duro sem chumbo", "Portuguese"),
        ("不含铅的钙钛矿", "another language"),
        ("перовскит без свинца", "another language"),
        ("ペロブスカイト", "another language"),
    ],
)
def test_other_languages_are_noticed(text: str, language: str) -> None:
    assert foreign_language(text) == language
    assert any("only English is understood" in note for note in understand(text, VOCABULARY).notes)


@pytest.mark.parametrize("text", [text for text in READINGS if foreign_language(text) is None][:400])
def test_english_is_no_other_language(text: str) -> None:
    assert foreign_language(text) is None


def test_no_reading_is_taken_for_another_language() -> None:
    foreign = [text for text in READINGS if foreign_language(text) is not None]
    assert foreign == [
        text for text in READINGS if any(word in text for word in ("Halb", "oxyde", "sin ", "senza", "铅", "без"))
    ]


def test_units_are_converted() -> None:
    def only(text: str) -> RangeTerm:
        (constraint,) = understand(text, VOCABULARY).constraints
        term = constraint.literals[0].term
        assert isinstance(term, RangeTerm)
        return term

    assert only("bulk modulus above 2 Mbar") == RangeTerm("bulk_modulus_vrh", low=200.0, strict=True)
    assert only("density at least 2500 kg/m3") == RangeTerm("density", low=2.5)
    assert only("within 50 meV of the hull") == RangeTerm("energy_above_hull", high=0.05)
    assert only("gap at most 0.8 eV") == RangeTerm("band_gap", high=0.8)
    assert only("less than 5 atoms in the cell") == RangeTerm("nsites", high=4.0)
    assert only("volume per atom under 12 Å³") == RangeTerm("volume_per_atom", high=12.0, strict=True)


def test_json_carries_the_reading() -> None:
    written = understand("Fe or Co oxides, no lead, gap > 2 eV, hardest", VOCABULARY).to_dict()
    assert written["read_as"] == "Fe or Co · oxide · no Pb · band gap > 2 eV · highest hardness"
    assert [literal["symbol"] for literal in written["constraints"][0]["any_of"]] == ["Fe", "Co"]
    assert written["constraints"][2]["any_of"][0]["negated"] is True
    assert written["sort"] == [{"column": "hardness", "descending": True}]


def test_a_wording_that_goes_on_behind_another_one_is_read_whole() -> None:
    """`with hydrogen` is a wording of the element; `hydrogen bonds` begins inside it and reaches further."""
    read = understand("crystals with hydrogen bonds", load_vocabulary())
    assert [label.lstrip("+ ") for label in read.labels] == ["hydrogen-bonded"]


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "Fe3+ oxides": "iron(III) · oxide",
        "Fe(III) oxide": "iron(III) · oxide",
        "gold alloy": "gold intermetallic",
        "stable in water and air": "stable in air",
        "n=2 Ruddlesden-Popper": "Ruddlesden-Popper phase | n=2",
        "harder than titanium carbide": "harder than titanium carbide",
        "something with Li, S and P": "Li · S · P",
    }.items(),
)
def test_readings_with_the_bundled_vocabulary(text: str, expected: str) -> None:
    query = understand(text, load_vocabulary())
    assert " | ".join(filter(None, (query.render(), *query.rest))) == expected


def test_gold_alloys_are_metals_with_gold_and_no_aurides() -> None:
    table = FactTable.from_records([{"formula": formula} for formula in ("CuAu", "Au", "AuF3", "CuZn")])
    assert load_vocabulary().holds("gold-intermetallic", table).tolist() == [1, 0, 0, 0]


def test_the_number_of_layers_is_no_refractive_index() -> None:
    query = understand("n=2 Ruddlesden-Popper", load_vocabulary())
    assert any("n=2 counts the layers" in note for note in query.notes)
    assert understand("n = 2 oxide", VOCABULARY).render() == "refractive index about 2 · oxide"


def test_each_wording_is_found_under_its_first_letter() -> None:
    vocabulary = load_vocabulary()
    lexicon = Lexicon.of(vocabulary)
    for spelled, owners in vocabulary.ids_of_keys.items():
        found = lexicon.id_of(spelled)
        # Lists of elements, `Co or Ni`, are read element by element.
        assert found in owners or (found is None and "or" in spelled), spelled
