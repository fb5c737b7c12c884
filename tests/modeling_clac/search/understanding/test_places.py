"""Queries are read exactly: the places of what was read, the JSON of the reading, the numbers, and the words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from modeling_clac.concepts.concept_files import read_concepts
from modeling_clac.concepts.quantities import QUANTITIES
from modeling_clac.concepts.spelling import key
from modeling_clac.concepts.vocabulary import Vocabulary
from modeling_clac.search.understanding.implied_elements import allowed_elements, ion_elements, needed_elements
from modeling_clac.search.understanding.lexicon import Lexicon
from modeling_clac.search.understanding.parser import understand
from modeling_clac.search.understanding.query import (
    ConceptTerm,
    CountTerm,
    ElementTerm,
    FormulaTerm,
    Query,
    RangeTerm,
    SpaceGroupTerm,
    SystemTerm,
    Term,
)
from modeling_clac.search.understanding.words import foreign_language
from tests.helpers.concepts import small_vocabulary

HERE = Path(__file__).parent
VOCABULARY = Vocabulary(read_concepts(HERE / "vocabulary.yaml"))
CASES: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "places.yaml").read_text(encoding="utf-8"))


def pieces(query: Query) -> list[str]:
    """The parts of a text from which its constraints were read."""
    return [
        " + ".join(query.text[literal.start : literal.end] for literal in constraint.literals)
        for constraint in query.constraints
    ]


@pytest.mark.parametrize("text", CASES)
def test_what_is_read_from_where(text: str) -> None:
    query, expected = understand(text, VOCABULARY), CASES[text]
    assert (query.render() + (f" | {' '.join(query.rest)}" if query.rest else "")).strip() == expected["reading"]
    assert pieces(query) == expected.get("from", [])
    assert list(query.notes) == expected.get("notes", [])
    assert list(query.contradictions) == expected.get("contradictions", [])


def test_what_is_printed_is_read_in_the_same_way() -> None:
    for text in (text for text in CASES if "HV" not in text):
        query = understand(text, VOCABULARY)
        again = understand(query.render(), VOCABULARY)
        assert (again.constraints, again.sort, again.comparisons) == (query.constraints, query.sort, query.comparisons)
        assert again.rest == (), text


# -------------------- the JSON of all kinds of terms
def test_json_of_elements_concepts_and_ranges() -> None:
    assert understand("Fe or Co oxides, no lead, gap > 2 eV, hardest, lighter", VOCABULARY).to_dict() == {
        "read_as": "Fe or Co · oxide · no Pb · band gap > 2 eV · highest hardness · lower density",
        "constraints": [
            {
                "label": "Fe or Co",
                "preferred": False,
                "any_of": [
                    {"kind": "element", "symbol": "Fe", "negated": False, "span": [0, 2]},
                    {"kind": "element", "symbol": "Co", "negated": False, "span": [6, 8]},
                ],
            },
            {
                "label": "oxide",
                "preferred": False,
                "any_of": [
                    {
                        "kind": "concept", "id": "oxide", "name": "oxide", "kind_of_concept": "anion",
                        "negated": False, "span": [9, 15],
                    }
                ],
            },
            {
                "label": "no Pb",
                "preferred": False,
                "any_of": [{"kind": "element", "symbol": "Pb", "negated": True, "span": [20, 24]}],
            },
            {
                "label": "band gap > 2 eV",
                "preferred": False,
                "any_of": [
                    {
                        "kind": "range", "column": "band_gap", "low": 2.0, "strict": True, "negated": False,
                        "span": [26, 36],
                    }
                ],
            },
        ],
        "comparisons": [],
        "sort": [{"column": "hardness", "descending": True}, {"column": "density", "descending": False}],
        "not_read": [],
        "notes": [],
        "contradictions": [],
    }  # fmt: skip


ALKALI, HALOGENS = ("Cs", "K", "Li", "Na", "Rb"), ("Br", "Cl", "F", "I")


@pytest.mark.parametrize(
    ("text", "label", "preferred", "literals"),
    [
        ("only alkali metals and halogens", "nothing but alkali metal and halogen", False, [
            {"kind": "only", "names": ("alkali metal", "halogen"), "symbols": tuple(sorted(ALKALI + HALOGENS)),
             "negated": False, "span": [5, 31]},
        ]),
        ("at least two halogens", "at least 2 of halogen", False, [
            {"kind": "count", "name": "halogen", "symbols": HALOGENS, "low": 2, "negated": False, "span": [0, 21]},
        ]),
        ("fewer than three alkali metals", "at most 2 of alkali metal", False, [
            {"kind": "count", "name": "alkali metal", "symbols": ALKALI, "low": 0, "high": 2, "negated": False,
             "span": [0, 30]},
        ]),
        ("two halogens", "exactly 2 of halogen", False, [
            {"kind": "count", "name": "halogen", "symbols": HALOGENS, "low": 2, "high": 2, "negated": False,
             "span": [0, 12]},
        ]),
        ("LiFePO4 or Li-P-S or ABX3", "LiFePO4 or Li-P-S system or formula ABX3", False, [
            {"kind": "formula", "formula": "LiFePO4", "amounts": {"Li": 1, "Fe": 1, "P": 1, "O": 4},
             "negated": False, "span": [0, 7]},
            {"kind": "system", "symbols": ("Li", "P", "S"), "negated": False, "span": [11, 17]},
            {"kind": "pattern", "pattern": "ABX3", "negated": False, "span": [21, 25]},
        ]),
        ("Pnma or No. 225", "space group Pnma or space group Fm-3m", False, [
            {"kind": "space group", "number": 62, "symbol": "Pnma", "negated": False, "span": [0, 4]},
            {"kind": "space group", "number": 225, "symbol": "Fm-3m", "negated": False, "span": [8, 15]},
        ]),
        ("point group 4mm", "point group 4mm", False, [
            {"kind": "point group", "symbol": "4mm", "negated": False, "span": [0, 15]},
        ]),
        ("not both Fe and Co", "not both Fe and Co", False, [
            {"kind": "element", "symbol": "Fe", "negated": True, "span": [9, 11]},
            {"kind": "element", "symbol": "Co", "negated": True, "span": [16, 18]},
        ]),
        ("preferably no metal", "preferably no metal", True, [
            {"kind": "element", "symbol": "metal", "negated": True, "span": [14, 19]},
        ]),
        ("gap about 2 eV", "band gap about 2 eV", False, [
            {"kind": "range", "column": "band_gap", "low": 1.8, "high": 2.2, "about": 2.0, "strict": False,
             "negated": False, "span": [0, 14]},
        ]),
        ("5 atoms", "atoms in the cell = 5", False, [
            {"kind": "range", "column": "nsites", "low": 5.0, "high": 5.0, "strict": False, "negated": False,
             "span": [0, 7]},
        ]),
        ("density below 4", "density < 4 g/cm³", False, [
            {"kind": "range", "column": "density", "high": 4.0, "strict": True, "negated": False, "span": [0, 15]},
        ]),
    ],
)  # fmt: skip
def test_json_of_a_constraint(text: str, label: str, preferred: bool, literals: list[dict[str, Any]]) -> None:
    written = understand(text, VOCABULARY).to_dict()["constraints"][-1]
    assert written == {"label": label, "preferred": preferred, "any_of": literals}


def test_json_of_comparisons_and_words_that_are_not_read() -> None:
    assert understand("lighter than TiC and cheaper, Xx", VOCABULARY).to_dict() == {
        "read_as": "lighter than TiC · lower price of the elements",
        "constraints": [],
        "comparisons": [{"column": "density", "more": False, "compound": "TiC", "label": "lighter than TiC"}],
        "sort": [{"column": "price", "descending": False}],
        "not_read": ["Xx"],
        "notes": ["unknown element 'Xx'; give a name or symbol of the periodic table"],
        "contradictions": [],
    }


def test_whether_anything_was_read() -> None:
    for text in ("oxide", "hardest", "lighter than TiC"):
        assert understand(text, VOCABULARY)
    assert not understand("the very nice material", VOCABULARY)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("no metal", "no metal"),
        ("not cubic", "not cubic"),
        ("not polar", "not polar"),
        ("not stiff", "not stiff"),
        ("not toxic", "not toxic"),
        ("not layered", "not layered"),
        ("not ternary", "not ternary"),
        ("no perovskite", "no perovskite"),
        ("no oxide", "no oxide"),
        ("no quartz", "no quartz"),
        ("no Fe", "no Fe"),
        ("no LiFePO4", "no LiFePO4"),
        ("no ABX3", "no formula ABX3"),
        ("not in the Li-O system", "no Li-O system"),
        ("not Pnma", "not space group Pnma"),
        ("not point group 4mm", "not point group 4mm"),
        ("no gap above 2 eV", "not band gap > 2 eV"),
        ("gap at least 2 eV", "band gap ≥ 2 eV"),
        ("gap at most 2 eV", "band gap ≤ 2 eV"),
        ("gap 1 to 1 eV", "band gap = 1 eV"),
        ("Poisson ratio below 0.2", "Poisson ratio < 0.2"),
        ("softest", "lowest hardness"),
        ("harder", "higher hardness"),
        ("softer", "lower hardness"),
    ],
)
def test_labels(text: str, label: str) -> None:
    assert understand(text, VOCABULARY).labels == [label]


# -------------------- numbers
def only_range(text: str) -> RangeTerm:
    (constraint,) = understand(text, VOCABULARY).constraints
    (literal,) = constraint.literals
    assert isinstance(literal.term, RangeTerm), text
    return literal.term


@pytest.mark.parametrize(
    ("text", "column", "factor"),
    [
        ("bulk modulus above {} GPa", "bulk_modulus_vrh", "GPa"),
        ("bulk modulus above {} MPa", "bulk_modulus_vrh", "MPa"),
        ("bulk modulus above {} kbar", "bulk_modulus_vrh", "kbar"),
        ("shear modulus above {} Mbar", "shear_modulus_vrh", "Mbar"),
        ("hardness above {} kgf/mm2", "hardness", "kgf/mm^2"),
        ("hardness above {} HV", "hardness", "kgf/mm^2"),
        ("density above {} kg/m3", "density", "kg/m^3"),
        ("density above {} g/cc", "density", "g/cm^3"),
        ("gap above {} meV", "band_gap", "meV"),
        ("energy above hull above {} meV/atom", "energy_above_hull", "meV"),
        ("above {} meV", "energy_above_hull", "meV"),
        ("cell volume above {} Å3", "volume", "angstrom^3"),
        ("volume per atom above {} Å3", "volume_per_atom", "angstrom^3"),
        ("piezoelectric modulus above {} C/m2", "piezoelectric_modulus", "C/m^2"),
        ("Debye temperature above {} K", "debye_temperature", "K"),
        ("sound velocity above {} m/s", "sound_velocity", "m/s"),
    ],
)
def test_units_are_converted_as_pint_does(text: str, column: str, factor: str) -> None:
    registry = pytest.importorskip("pint").UnitRegistry()
    own = {
        "bulk_modulus_vrh": "GPa", "shear_modulus_vrh": "GPa", "hardness": "GPa", "density": "g/cm^3", "band_gap": "eV",
        "energy_above_hull": "eV", "volume": "angstrom^3", "volume_per_atom": "angstrom^3",
        "piezoelectric_modulus": "C/m^2", "debye_temperature": "K", "sound_velocity": "m/s",
    }[column]  # fmt: skip
    for value in (1.0, 37.5, 1200.0):
        term = only_range(text.format(f"{value:g}"))
        expected = registry.Quantity(value, factor).to(own).magnitude
        assert (term.column, term.high, term.about, term.strict) == (column, None, None, True)
        assert term.low == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("column", [column for column, quantity in QUANTITIES.items() if not quantity.whole])
@pytest.mark.parametrize("value", [0.04, 0.4, 7.0, 450.0])
def test_a_value_stands_for_a_tenth_around_it_or_the_tolerance(column: str, value: float) -> None:
    quantity = QUANTITIES[column]
    term = only_range(f"{quantity.label} about {value:g}")
    width = max(quantity.tolerance, value / 10)
    assert (term.column, term.about, term.strict) == (column, value, False)
    assert term.low == pytest.approx(value - width) and term.high == pytest.approx(value + width)


@pytest.mark.parametrize("column", [column for column, quantity in QUANTITIES.items() if quantity.whole][:2])
def test_whole_numbers_are_exact_and_beyond_is_the_next_one(column: str) -> None:
    label = QUANTITIES[column].label
    assert only_range(f"{label} 4") == RangeTerm(column, 4, 4)
    assert only_range(f"{label} below 4") == RangeTerm(column, high=3)
    assert only_range(f"{label} above 4") == RangeTerm(column, low=5)
    assert only_range(f"{label} at least 4") == RangeTerm(column, low=4)
    assert only_range(f"{label} 4 or less") == RangeTerm(column, high=4)
    assert only_range(f"{label} 2 to 4") == RangeTerm(column, 2, 4)


NUMBER_WORDS = {
    "one": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100, "17": 17,
}  # fmt: skip


@pytest.mark.parametrize(("word", "number"), NUMBER_WORDS.items())
def test_number_words_count_atoms_and_elements(word: str, number: int) -> None:
    for noun in ("atoms", "sites", "atoms in the cell"):
        assert only_range(f"{word} {noun}") == RangeTerm("nsites", number, number)
    for noun in ("elements", "components", "different elements", "kinds of atoms", "constituents"):
        assert only_range(f"{word} {noun}") == RangeTerm("number_of_elements", number, number)
    assert only_range(f"at most {word} atoms") == RangeTerm("nsites", high=number)
    assert only_range(f"more than {word} elements") == RangeTerm("number_of_elements", low=number + 1)


STRICTLY_ABOVE = ">|above|over|greater than|more than|larger than|bigger than|higher than|exceeding|beyond|wider than"
AT_LEAST = (
    ">=|≥|⩾|at least|a minimum of|min. of|no less than|not less than|not below|not under|no lower than"
    "|not smaller than|upwards of|starting at|starting from|greater than or equal to|greater or equal to|atleast"
)
STRICTLY_BELOW = "<|below|under|less than|smaller than|lower than|narrower than|fewer than|shorter than"
AT_MOST = (
    "<=|≤|⩽|at most|a maximum of|max. of|up to|no more than|not more than|not above|not over|not exceeding"
    "|no larger than|no greater than|no higher than|within|not larger than|not greater than|not higher than"
    "|doesn't exceed|does not exceed|less than or equal to"
)
ABOUT = "around|about|approximately|approx.|roughly|nearly|near|close to|circa|ca.|~|≈|in the region of|of the order of"


@pytest.mark.parametrize(
    ("words", "term"),
    [
        (STRICTLY_ABOVE, RangeTerm("band_gap", low=2, strict=True)),
        (AT_LEAST, RangeTerm("band_gap", low=2)),
        (STRICTLY_BELOW, RangeTerm("band_gap", high=2, strict=True)),
        (AT_MOST, RangeTerm("band_gap", high=2)),
        (ABOUT, RangeTerm("band_gap", 1.8, 2.2, 2)),
    ],
)
def test_words_before_a_number(words: str, term: RangeTerm) -> None:
    for word in words.split("|"):
        for text in (f"gap {word} 2 eV", f"{word} 2 eV", f"gap of {word} 2"):
            query = understand(text, VOCABULARY)
            assert [literal.term for each in query.constraints for literal in each.literals] == [term], text
            assert pieces(query) == [text] and not query.rest, text


@pytest.mark.parametrize(
    ("words", "term"),
    [
        ("or more|or higher|and above|or larger|or greater|and up|or over|and upwards|or wider|at least|at the minimum"
         "|at minimum|minimum|min|+", RangeTerm("band_gap", low=2)),
        ("or less|or lower|and below|or smaller|and under|or narrower|at most|at the most|maximum|max|tops",
         RangeTerm("band_gap", high=2)),
    ],
)  # fmt: skip
def test_words_behind_a_number(words: str, term: RangeTerm) -> None:
    for word in words.split("|"):
        query = understand(f"gap 2 eV {word}, oxide", VOCABULARY)
        assert [each.literals[0].term for each in query.constraints][:1] == [term], word
        assert pieces(query) == [f"gap 2 eV {word}", "oxide"] and not query.rest, word


# -------------------- symmetry
def test_point_groups_by_schoenflies_symbols() -> None:
    """The symbols of all space groups are those of spglib."""
    spglib = pytest.importorskip("spglib")
    groups = [spglib.get_spacegroup_type(hall) for hall in range(1, 531)]
    pairs = {(group.schoenflies.split("^")[0], group.pointgroup_international) for group in groups}
    assert len(pairs) == 32
    for schoenflies, international in sorted(pairs):
        for symbol in (schoenflies, international):
            query = understand(f"point group {symbol}", VOCABULARY)
            assert query.labels == [f"point group {international}"]
            assert pieces(query) == [f"point group {symbol}"]
    assert understand("point group S6", VOCABULARY).labels == ["point group -3"]


def test_space_groups_by_numbers_and_symbols() -> None:
    spglib = pytest.importorskip("spglib")
    first: dict[int, str] = {}
    for hall in range(1, 531):
        group = spglib.get_spacegroup_type(hall)
        first.setdefault(group.number, group.international_short)
    for number, symbol in first.items():
        plain = symbol.replace("_", "")
        for text in (f"space group {number}", f"space group {plain}", f"SG {symbol}", f"No. {number}"):
            query = understand(text, VOCABULARY)
            (term,) = (each.literals[0].term for each in query.constraints)
            assert isinstance(term, SpaceGroupTerm) and term.number == number, text
            # Symbols with e have older ones, such as Abm2 for Aem2.
            assert term.symbol == plain or "e" in plain
            assert pieces(query) == [text] and not query.rest


# -------------------- how far names reach
@pytest.mark.parametrize(
    ("text", "longest"),
    [
        # The name, what is between, the number.
        ("density{} above 5", 40),
        ("density{} 5", 12),
        ("shear modulus{} 5 GPa", 40),
        # Behind a number, a name follows at once.
        ("5 GPa{} shear modulus", 20),
        ("5{} density", 2),
    ],
)
def test_a_name_belongs_to_a_number_that_is_near(text: str, longest: int) -> None:
    for length in (longest, longest + 1):
        gap = " " + "x" * (length - 2) if length > 2 else " " * (length - 1)
        query = understand(text.format(gap), VOCABULARY)
        found = [literal.term for constraint in query.constraints for literal in constraint.literals]
        named = [
            term for term in found if isinstance(term, RangeTerm) and term.column in ("density", "shear_modulus_vrh")
        ]
        assert bool(named) == (length == longest), query


def test_words_near_a_wavelength_say_what_it_is() -> None:
    # Up to forty characters before it, and twenty-five behind.
    for text, is_read in (
        (f"gap {'x' * 35} 500 nm", True),
        (f"gap {'x' * 40} 500 nm", False),
        (f"500 nm {'x' * 18} onset", True),
        (f"500 nm {'x' * 19} onset", False),
    ):
        assert bool(understand(text, VOCABULARY).constraints) == is_read, text


@pytest.mark.parametrize(
    ("bound", "low", "high"),
    [
        ("exactly", 3, 3), ("at least", 3, None), ("more than", 4, None), ("no fewer than", 3, None),
        ("no less than", 3, None), ("not fewer than", 3, None), ("at most", 0, 3), ("less than", 0, 2),
        ("fewer than", 0, 2), ("no more than", 0, 3), ("not more than", 0, 3), ("up to", 0, 3), ("", 3, 3),
    ],
)  # fmt: skip
def test_bounds_of_numbers_of_elements(bound: str, low: int, high: int | None) -> None:
    for number in ("three", "3", "3 different", "three distinct"):
        text = f"{bound} {number} alkali metals".strip()
        query = understand(f"{text}, oxide", VOCABULARY)
        term = query.constraints[0].literals[0].term
        assert isinstance(term, CountTerm)
        assert (term.name, term.symbols, term.low, term.high) == ("alkali metal", ALKALI, low, high)
        assert pieces(query) == [text, "oxide"] and query.rest == ()


@pytest.mark.parametrize(("word", "number"), [("two", 2), ("three", 3), ("four", 4), ("five", 5), ("9", 9)])
def test_numbers_of_metals(word: str, number: int) -> None:
    (constraint,) = understand(f"{word} metals", VOCABULARY).constraints
    assert constraint.label == f"exactly {number} of metal"
    term = constraint.literals[0].term
    assert isinstance(term, CountTerm) and {"Fe", "Li", "La"} < set(term.symbols) and "O" not in term.symbols


def test_only_reaches_over_three_words() -> None:
    assert understand("only the very nice Fe and O", VOCABULARY).labels == ["Fe-O system"]
    assert understand("only the really very nice Fe and O", VOCABULARY).labels == ["Fe", "O"]


# -------------------- the language of a text
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("д", None),
        ("дд", "another language"),
        ("ohne", "German"),
        ("ohne the", "German"),
        # Half as many words are not enough.
        ("ohne the of", None),
        ("ohne und the of", "German"),
        # Words that English has as well count by half.
        ("das", None),
        ("das ist", "German"),
        ("das ist the", "German"),
        ("das ist the of", None),
        # Single letters do not count.
        ("e o y a", None),
        ("senza piombo", "Italian"),
        ("sem chumbo", "Portuguese"),
        ("avec fer", "French"),
        ("lead-free perovskite", None),
        ("", None),
    ],
)
def test_language_of_a_text(text: str, language: str | None) -> None:
    assert foreign_language(text) == language


# -------------------- words of a vocabulary
@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("oxyd", None),  # too short
        ("oxyde", "oxide"),
        ("oxide", None),  # known
        ("ooxide", "oxide"),
        ("oide", None),
        ("pxide", None),  # another first letter
        ("hallidde", None),
        ("haliide", "halide"),
        ("bromdie", "bromide"),
        ("brumidd", None),  # two mistakes in seven letters
        ("teluridde", "telluride"),
        ("selinidde", "selenide"),
        ("spinels", None),
        ("stable", None),
        ("perovskites", None),
        ("zirconum", "zirconium"),
        ("12345678", None),
        ("without", None),
    ],
)
def test_corrections_of_words(word: str, known: str | None) -> None:
    assert Lexicon.of(VOCABULARY).correction(key(word)) == (None if known is None else key(known))


def test_a_letter_is_left_out_rather_than_added() -> None:
    vocabulary = small_vocabulary(
        {"id": "zirconia", "kind": "name", "test": "formula(ZrO2)", "wordings": "zirconia"},
        {"id": "zircon", "kind": "name", "test": "formula(ZrSiO4)", "wordings": "zircon"},
    )
    assert Lexicon.of(vocabulary).correction("zircona") == "zirconia"


def test_concepts_that_share_a_wording() -> None:
    shared = {"wordings": "rutile"}
    vocabulary = small_vocabulary(
        {"id": "mineral-rutile", "name": "rutile", "kind": "name", "test": "formula(TiO2)", **shared},
        {"id": "rutile-type", "name": "rutile", "kind": "structure-type", "test": "type(rutile)", **shared},
        {"id": "bag", "name": "bag", "kind": "use", "test": "element(O)", "wordings": "bag of things\nCo or Ni\nsand"},
        {"id": "other", "name": "bag", "kind": "use", "test": "element(O)", "wordings": "other"},
    )
    lexicon = Lexicon.of(vocabulary)
    assert lexicon is Lexicon.of(vocabulary)
    # The wider one counts, whatever their order.
    assert lexicon.id_of("rutile") == "rutile-type"
    assert lexicon.name_of("rutile-type") == "rutile" and lexicon.name_of("mineral-rutile") == "mineral rutile"
    assert lexicon.name_of("other") == "other" and lexicon.name_of("bag") == "bag"
    assert lexicon.id_of("nothing") is None and lexicon.id_of("") is None
    assert lexicon.longest_from("bag") == 3 and lexicon.longest_from("q") == 1
    # A list of elements is read element by element.
    assert understand("Co or Ni", vocabulary).labels == ["Co or Ni"]
    assert understand("S and O", vocabulary).labels == ["S", "O"]
    assert understand("sand", vocabulary).labels == ["bag"]


def test_names_of_elements() -> None:
    for text, symbol in (
        ("wolfram", "W"), ("kalium", "K"), ("natrium", "Na"), ("columbium", "Nb"), ("quicksilver", "Hg"),
        ("sulphur", "S"), ("aluminum", "Al"), ("caesium", "Cs"), ("ferric", "Fe"), ("stannous", "Sn"),
        ("deuterium", "H"), ("oganesson", "Og"), ("hydrogen", "H"),
    ):  # fmt: skip
        query = understand(f"contains {text}", VOCABULARY)
        assert (query.labels, pieces(query), query.rest) == ([symbol], [text], ())


# -------------------- elements that a concept needs or names
@pytest.mark.parametrize(
    ("test", "needed", "allowed"),
    [
        ("element(Li)", "Li", "Li"),
        ("element(Li, Na)", "", "Li Na"),
        ("elements(Li, Na)", "Li Na", "Li Na"),
        ("anion(O)", "O", "O"),
        ("only_anion(O)", "O", "O"),
        ("element(halogen)", "", "F Cl Br I"),
        ("element(Li) and element(Na)", "Li Na", "Li Na"),
        ("element(Li) or element(Na)", "", "Li Na"),
        ("elements(Li, O) or elements(Li, S)", "Li", "Li O S"),
        ("not element(Li)", "", "Li"),
        ("ion(phosphate)", "P O", "P O"),
        ("ion(phosphate, sulfate)", "O", "P O S"),
        ("ion(cyanate)", "C N O", "C N O"),
        ("formula(TiO2)", "Ti O", ""),
        ('formula("TiO2", "SnO2")', "O", ""),
        ("concept(first)", "Ca O", "Ca O"),
        ("concept(first, second)", "O", "Ca O Mg"),
        ("concept(first) and element(F)", "Ca O F", "Ca O F"),
        ("band_gap > 2", "", ""),
        ("band_gap > 2 and element(Li)", "Li", "Li"),
    ],
)
def test_elements_of_concepts(test: str, needed: str, allowed: str) -> None:
    vocabulary = small_vocabulary(
        {"id": "first", "kind": "class", "test": "elements(Ca, O)"},
        {"id": "second", "kind": "class", "test": "elements(Mg, O)"},
        {"id": "third", "kind": "class", "test": test},
    )
    term = ConceptTerm("third", "third", "class")
    assert needed_elements(term, vocabulary) == set(needed.split())
    assert allowed_elements(term, vocabulary) == set(allowed.split())


def test_elements_of_other_terms() -> None:
    terms: list[tuple[Term, str]] = [
        (ElementTerm("Li"), "Li"),
        (ElementTerm("metal"), ""),
        (FormulaTerm("LiF", (("Li", 1.0), ("F", 1.0))), "Li F"),
        (SystemTerm(("Li", "P")), "Li P"),
        (ConceptTerm("unknown", "unknown", "class"), ""),
        (RangeTerm("band_gap", 1.0), ""),
        (SpaceGroupTerm(225, "Fm-3m"), ""),
    ]
    for term, symbols in terms:
        assert needed_elements(term, VOCABULARY) == allowed_elements(term, VOCABULARY) == set(symbols.split())


@pytest.mark.parametrize(
    ("ion", "symbols"),
    [
        ("hydroxide", "H O"), ("ammonium", "N H"), ("azide", "N"), ("cyanide", "C N"), ("thiocyanate", "C N S"),
        ("peroxide", "O"), ("uranyl", "U O"), ("aluminosilicate", "Al Si O"), ("permanganate", "Mn O"),
        ("phosphate", "P O"), ("diphosphate", "P O"), ("silicate", "Si O"), ("ring_silicate", "Si O"),
        ("hexafluorotitanate", "Ti F"), ("organic", "C"), ("dicyanamide", "C N"), ("fulminate", "C N O"),
        ("no such ion", ""),
    ],
)  # fmt: skip
def test_elements_of_ions(ion: str, symbols: str) -> None:
    assert ion_elements(ion) == set(symbols.split())


def test_readings_do_not_change() -> None:
    query = understand(
        "Fe or Co, only alkali metals, two halogens, LiF, ABO3, Pnma, gap > 2 eV, lighter than TiC", VOCABULARY
    )
    parts: list[Any] = [query, *query.constraints, *query.sort, *query.comparisons]
    parts += [literal for constraint in query.constraints for literal in constraint.literals]
    parts += [literal.term for constraint in query.constraints for literal in constraint.literals]
    for part in parts:
        with pytest.raises(AttributeError):
            part.label = "x"
        assert hash(part) == hash(part)


def test_names_of_four_words_are_compared_with() -> None:
    vocabulary = small_vocabulary(
        {"id": "long", "kind": "name", "test": "formula(CaO)", "wordings": "very old burnt lime"},
        {"id": "longer", "kind": "name", "test": "formula(MgO)", "wordings": "one very old burnt magnesia"},
    )
    query = understand("lighter than very old burnt lime", vocabulary)
    assert [each.compound for each in query.comparisons] == ["very old burnt lime"] and query.constraints == ()
    assert understand("lighter than one very old burnt magnesia", vocabulary).comparisons == ()


def test_kinds_of_compounds_and_single_compounds() -> None:
    """`lithium oxide` is Li2O; in the plural or before another word, it is any oxide of lithium."""
    vocabulary = small_vocabulary(
        {"id": "oxide", "kind": "anion", "test": "anion(O)", "wordings": "oxide"},
        {"id": "titanate", "kind": "oxyanion", "test": "ion(orthotitanate)", "wordings": "titanate"},
        {"id": "dope", "kind": "use", "test": "element(O)", "wordings": "dope"},
        {"id": "lithium-oxide", "name": "lithium oxide", "kind": "name", "test": "formula(Li2O)",
         "wordings": "lithium oxide"},
        {"id": "barium-titanate", "name": "barium titanate", "kind": "name", "test": "formula(BaTiO3)",
         "wordings": "barium titanate"},
        {"id": "iron-dope", "name": "iron dope", "kind": "name", "test": "formula(FeO)", "wordings": "iron dope"},
        {"id": "tin-use", "name": "tin oxide use", "kind": "use", "test": "formula(SnO2)", "wordings": "tin oxide"},
    )  # fmt: skip
    for text, labels, rest in (
        ("lithium oxide", ["lithium oxide"], ()),
        ("lithium oxide.", ["lithium oxide"], ()),
        ("Lithium oxides", ["Li", "oxide"], ()),
        ("lithium oxide electrolyte", ["Li", "oxide"], ("electrolyte",)),
        ("barium titanate", ["barium titanate"], ()),
        ("barium titanates", ["Ba", "titanate"], ()),
        ("barium titanate ceramics", ["barium titanate"], ("ceramics",)),
        ("iron dopes, nice", ["iron dope"], ()),
        ("tin oxides, nice", ["tin oxide use"], ()),
    ):
        query = understand(text, vocabulary)
        assert (query.labels, query.rest) == (labels, rest), text


def test_concepts_that_are_elements_or_space_groups() -> None:
    vocabulary = small_vocabulary(
        {"id": "ferrum", "kind": "element", "test": "element(Fe)", "wordings": "ferrum"},
        {"id": "pair", "kind": "element", "test": "element(Fe, Co)", "wordings": "cobaltish"},
        {"id": "olivine-group", "kind": "space-group", "test": "space_group(62)", "wordings": "group of olivine"},
        {"id": "two-groups", "kind": "space-group", "test": "space_group(62, 63)", "wordings": "group of two"},
        {"id": "molly", "kind": "structure-type", "test": "type(B1)", "wordings": "Mo"},
        {"id": "hexafluorophosphate", "kind": "group", "test": "ion(hexafluorophosphate)",
         "wordings": "hexafluorophosphate"},
        {"id": "hexafluoroarsenate", "kind": "group", "test": "ion(hexafluoroarsenate)",
         "wordings": "hexafluoroarsenate"},
    )  # fmt: skip
    for text, labels in (
        ("no ferrum", ["no Fe"]),
        ("ferrum(III)", ["Fe"]),
        ("cobaltish", ["pair"]),
        ("group of olivine", ["space group Pnma"]),
        ("group of two", ["two-groups"]),
        ("Mo compounds", ["Mo"]),
        ("mo", ["molly"]),
        ("nonferrum", ["no Fe"]),
        ("hexafluorophosphate or -arsenate", ["hexafluorophosphate or hexafluoroarsenate"]),
        ("hexafluorophosphate, -arsenate", ["hexafluorophosphate", "hexafluoroarsenate"]),
        ("hexafluorophosphate -arsenate", ["hexafluorophosphate"]),
    ):
        assert understand(text, vocabulary).labels == labels, text
