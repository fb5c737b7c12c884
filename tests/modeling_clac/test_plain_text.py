"""The plain text of formulas and units: its words, its numbers and elements, and where each character comes from."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers

from modeling_clac import quantities_clac
from modeling_clac.formula_grammar_clac import ATOMIC_NUMBERS
from modeling_clac.formulas_clac import find_formulas
from modeling_clac.plain_text_clac import PlainText, PlainWords, plain_text, take_splitting_rule
from modeling_clac.quantities_clac import (
    DENSITY,
    DENSITY_PERIODS,
    FRACTION_PERIODS,
    NOTHING,
    NUM_KINDS,
    NUMBER,
    PERIODS,
    element_quantities,
    find_numbers,
    find_quantities,
    read_quantities,
)

IRON_OXIDE = [("Fe", "Fe", 0.4), ("O", "O", 0.6)]
PHOSPHATE = [("Li", "Li", 1 / 7), ("Fe", "Fe", 1 / 7), ("P", "P", 1 / 7), ("O", "O", 4 / 7)]
# Texts, their plain spelling, and the quantities in it: as they are in the plain and in the original text, and their
# value. An element is a quantity with its atomic fraction; `ρ` in front marks a density.
TEXTS = [
    ("", "", []),
    ("no formula", "no formula", []),
    ("film of Fe₂O₃ on Si wafers", "film of Fe2 O3 on Si wafers", [*IRON_OXIDE, ("Si", "Si", 1.0)]),
    ("Fe2O3", "Fe2 O3", IRON_OXIDE),
    ("Fe2 O3", "Fe2 O3", IRON_OXIDE),
    ("Fe$_2$O$_3$, hard", "Fe2 O3, hard", IRON_OXIDE),
    ("Li1 Fe1 P1 O4 is hard", "Li Fe P O4 is hard", PHOSPHATE),
    ("lifepo4", "Li Fe P O4", [(symbol, symbol.lower(), value) for symbol, _, value in PHOSPHATE]),
    (
        "Ca3(PO4)2 and K2Cu[Co(NO2)6]",
        "Ca3(P O4)2 and K2 Cu[Co(N O2)6]",
        [
            ("Ca", "Ca", 3 / 13),
            ("P", "P", 2 / 13),
            ("O", "O", 8 / 13),
            ("K", "K", 2 / 22),
            ("Cu", "Cu", 1 / 22),
            ("Co", "Co", 1 / 22),
            ("N", "N", 6 / 22),
            ("O", "O", 12 / 22),
        ],
    ),
    (
        "(Ba,Sr)TiO3",
        "(Ba0.5 Sr0.5) Ti O3",
        [("Ba", "Ba", 0.1), ("Sr", "Sr", 0.1), ("Ti", "Ti", 0.2), ("O", "O", 0.6)],
    ),
    (
        "AlxGayIn1-x-yN",
        "Al0.333 Ga0.333 In0.333 N",
        [("Al", "Al", 1 / 6), ("Ga", "Ga", 1 / 6), ("In", "In", 1 / 6), ("N", "N", 1 / 2)],
    ),
    (
        "YBCO at 92 K",
        "Y Ba2 Cu3 O7 at 92 K",
        [
            ("Y", "YBCO", 1 / 13),
            ("Ba", "YBCO", 2 / 13),
            ("Cu", "YBCO", 3 / 13),
            ("O", "YBCO", 7 / 13),
            ("92", "92", 92.0),
        ],
    ),
    # Ions, dopants and structure types state no composition, and formulas of polyhedra not that of the crystal.
    ("Li+ in NaCl", "Li+ in Na Cl", [("Na", "Na", 0.5), ("Cl", "Cl", 0.5)]),
    ("GaN:Mg has 3.4 eV", "Ga N:Mg has 3.4 eV", [("Ga", "Ga", 0.5), ("N", "N", 0.5), ("3.4", "3.4", 3.4)]),
    ("NaCl-type CdO, 5 eV", "NaCl-type Cd O, 5 eV", [("Cd", "Cd", 0.5), ("O", "O", 0.5), ("5", "5", 5.0)]),
    ("LiFePO4 with PO4 tetrahedra and O(2) atoms", "Li Fe P O4 with P O4 tetrahedra and O atoms", PHOSPHATE),
    ("Cd(1)P4 and Cd(2) of CdP4", "Cd P4 and Cd of Cd P4", [("Cd", "Cd", 0.2), ("P", "P", 0.8)]),
    ("Na0-xCl0-x", "Na0-xCl0-x", []),
    ("Si(1) of SiO2", "Si of Si O2", [("Si", "Si", 1 / 3), ("O", "O", 2 / 3)]),
    ("O(2) and Cl(3a)", "O and Cl", []),
    # The symbol B2 of a structure type is the exception.
    ("CsCl is B2", "Cs Cl is B2", [("Cs", "Cs", 0.5), ("Cl", "Cl", 0.5), ("B", "B", 1.0)]),
    # Numbers and units.
    ("7.2 g/cc", "7.2 g/cm³", [("7.2", "7.2", "ρ7.2")]),
    ("7.2  g/cc", "7.2 g/cm³", [("7.2", "7.2", "ρ7.2")]),
    ("7200kg/m3, a solid", "7.2 g/cm³, a solid", [("7.2", "7200", "ρ7.2")]),
    ("1000-2000 kg/m3, cubic", "1-2 g/cm³, cubic", [("1", "1000", 1.0), ("2", "2000", 2.0)]),
    ("1 to 2meV", "0.001 to 0.002 eV", [("0.001", "1", 0.001), ("0.002", "2", 0.002)]),
    ("50 µC/cm² here", "0.5 C/m² here", [("0.5", "50", 0.5)]),
    ("4.03 g/cm³, 225 atoms", "4.03 g/cm³, 225 atoms", [("4.03", "4.03", "ρ4.03"), ("225", "225", 225.0)]),
    (
        "NaCl, 2000 kg/m3, Fe₂O₃ 1200 meV then 7",
        "Na Cl, 2 g/cm³, Fe2 O3 1.2 eV then 7",
        [
            ("Na", "Na", 0.5),
            ("Cl", "Cl", 0.5),
            ("2", "2000", "ρ2"),
            *IRON_OXIDE,
            ("1.2", "1200", 1.2),
            ("7", "7", 7.0),
        ],
    ),
    ("7 then H2O2 3", "7 then H2 O2 3", [("7", "7", 7.0), ("H", "H", 0.5), ("O", "O", 0.5), ("3", "3", 3.0)]),
    # Lengths, angles and numbers of neighbours belong to sites, other units do not.
    ("a = 5 nm, b = 3.2 Å, 5 pm, 2 um, 3 mm, 4 cm, 1 m, 90° and 7", None, [("7", "7", 7.0)]),
    ("5 nm² and 4 nm/s, 3 K", None, [("5", "5", 5.0), ("4", "4", 4.0), ("3", "3", 3.0)]),
    ("12-coordinate, 4-fold, 109.5 degrees, 1 degree, 300 °C", None, [("300", "300", 300.0)]),
    ("3.1-3.2 Å, 3-4°, 8", None, [("8", "8", 8.0)]),
    # Densities are at most those of solids, and no bounds.
    ("30 g/cm³ 30.1 g/cm³ 0 g/cm³", None, [("30", "30", "ρ30"), ("30.1", "30.1", 30.1), ("0", "0", 0.0)]),
    ("0.5 g/cm³, 31000 kg/m3", "0.5 g/cm³, 31 g/cm³", [("0.5", "0.5", "ρ0.5"), ("31", "31000", 31.0)]),
    ("over 3 g/cm³ or 4-5 g/cm³", None, [("3", "3", 3.0), ("4", "4", 4.0), ("5", "5", 5.0)]),
    ("above 3000 kg/m3", "above 3 g/cm³", [("3", "3000", 3.0)]),
]


def shown(text: str, plain: PlainText) -> list[tuple[str, str, Any]]:
    found: list[tuple[str, str, Any]] = []
    for start, end, kind, value in plain.quantities:
        piece = plain.text[start:end]
        assert kind in (NUMBER, DENSITY) or kind == ATOMIC_NUMBERS[piece]
        shown_value = f"ρ{value:.6g}" if kind == DENSITY else pytest.approx(value)
        found.append((piece, text[slice(*plain.original(start, end))], shown_value))
    return found


@pytest.mark.parametrize(("text", "plain", "quantities"), TEXTS)
def test_plain_texts(text: str, plain: str | None, quantities: list[tuple[str, str, float | str]]) -> None:
    found = plain_text(text)
    assert found.text == (text if plain is None else plain)
    assert found.changed == (found.text != text)
    assert shown(text, found) == quantities
    # The same quantities are found in the original text; the elements of an acronym have one place.
    places = [(*found.original(start, end), kind, value) for start, end, kind, value in found.quantities]
    assert find_quantities(text) == sorted(places)


def test_elements_are_separated_if_asked() -> None:
    assert plain_text("LiFePO₄ and Ca(OH)2", split=False).text == "LiFePO4 and Ca(OH)2"
    unchanged = plain_text("LiFePO4 and Ca(OH)2", split=False)
    assert not unchanged.changed and len(unchanged.quantities) == 7
    assert unchanged.original(3, 5) == (3, 5)


@pytest.mark.parametrize(
    ("text", "starts", "ends"),
    [
        ("a Ga₂O₃ b", [0, 1, 2, 3, 4, 5, 5, 6, 7, 8], [1, 2, 3, 4, 5, 5, 6, 7, 8, 9]),
        # The blanks between elements are nowhere in the acronym.
        ("YBCO", [0] * 12, [4, 0, 4, 4, 4, 0, 4, 4, 4, 0, 4, 4]),
        ("Cd(1)P4, O(2)", [0, 1, 2, 5, 6, 7, 8, 9], [1, 2, 5, 6, 7, 8, 9, 10]),
        ("7.2  g/cc", [0, 1, 2, 3, 5, 5, 5, 5, 5], [1, 2, 3, 5, 9, 9, 9, 9, 9]),
        ("1-2 meV", [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 3, 4, 4], [1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 4, 7, 7]),
        ("2meV", [0, 0, 0, 0, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1, 4, 4]),
    ],
)
def test_places_of_characters(text: str, starts: list[int], ends: list[int]) -> None:
    plain = plain_text(text)
    assert (plain.starts, plain.ends) == (starts, ends)
    for start in range(len(starts)):
        assert plain.place(start, start + 1) == (start, start + 1)
        assert plain.original(start, start) == (start, start)
        for end in range(start + 1, len(starts) + 1):
            assert plain.original(start, end) == (starts[start], ends[end - 1])


@pytest.mark.parametrize(
    ("words", "plain", "origins"),
    [
        ([], [], []),
        (["Ga2", "O3"], ["Ga2", "O3"], [["G", "a", "2"], ["O", "3"]]),
        (["", "Ga₂O₃", ""], ["", "Ga2 O3", ""], [[], ["G", "a", "₂", "", "O", "₃"], []]),
        (["a", "7.2", "g/cc", "x"], ["a", "7.2", "g/cm³", "x"], [["a"], ["7", ".", "2"], ["g/cc"] * 5, ["x"]]),
        (["7200", "kg/m3"], ["7.2", "g/cm³"], [["7200"] * 3, ["kg/m3"] * 5]),
        (
            ["of", "YBCO", "O(2)", "on"],
            ["of", "Y Ba2 Cu3 O7", "O", "on"],
            [["o", "f"], ["" if c == " " else "YBCO" for c in "Y Ba2 Cu3 O7"], ["O"], ["o", "n"]],
        ),
        # A word within a formula keeps its own tokens, without quantities.
        (
            ["NCM", "622", "film"],
            ["Li Ni0.6 Co0.2 Mn0.2 O2", "622", "film"],
            [["" if c == " " else "NCM" for c in "Li Ni0.6 Co0.2 Mn0.2 O2"], ["6", "2", "2"], ["f", "i", "l", "m"]],
        ),
        # Each word of a formula keeps its part of it.
        (
            ["Al2", "O3", "on", "YBCO"],
            ["Al2", "O3", "on", "Y Ba2 Cu3 O7"],
            [["A", "l", "2"], ["O", "3"], ["o", "n"], ["" if c == " " else "YBCO" for c in "Y Ba2 Cu3 O7"]],
        ),
        (["Li+", "NaCl"], ["Li+", "Na Cl"], [["L", "i", "+"], ["N", "a", "", "C", "l"]]),
    ],
)
def test_plain_words(words: list[str], plain: list[str], origins: list[list[str]]) -> None:
    found = PlainWords(words)
    joined = plain_text(" ".join(words))
    assert found.text == plain and found.changed == (plain != words)
    assert found.quantities == joined.quantities
    for number, (word, text, own) in enumerate(zip(words, found.text, origins, strict=True)):
        assert [word[slice(*found.original(i, i + 1, number))] for i in range(len(text))] == own
        assert found.original(1, 1, number) == (1, 1) and found.place(1, 1, number) == (0, 0)
        for start in range(len(text)):
            begin, end = found.place(start, len(text), number)
            assert joined.text[begin:end] == ("" if word == "622" else text[start:])
    assert found.place(0, 1, None) == (0, 0) and found.original(2, 3, None) == (2, 3)


def test_words_are_split_into_elements_if_asked() -> None:
    assert PlainWords(["of", "LiFePO₄"], split=False).text == ["of", "LiFePO4"]


EARLIER = r"(?:(?<=[0-9])|(?<=\))|(?<=H)|(?<=Li))(?=(?:O|N)(?![a-z]))"


def with_rules(*rules: normalizers.Normalizer) -> Tokenizer:
    backend = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    if rules:
        backend.normalizer = rules[0] if len(rules) == 1 else normalizers.Sequence(list(rules))
    return backend


@pytest.mark.parametrize(
    ("others", "remaining"),
    [
        ([], "AH2O É"),
        ([normalizers.Lowercase()], "ah2o é"),
        ([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()], "ah2o e"),
    ],
)
def test_the_earlier_rule_is_taken_from_a_tokenizer(others: list[normalizers.Normalizer], remaining: str) -> None:
    earlier = with_rules(normalizers.Replace(Regex(EARLIER), " "), *others)
    assert " " in earlier.normalizer.normalize_str("AH2O")
    assert take_splitting_rule(earlier)
    assert earlier.normalizer.normalize_str("AH2O É") == remaining
    assert not take_splitting_rule(earlier)


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [normalizers.Lowercase()],
        [normalizers.Replace(Regex("H"), " ")],
        [normalizers.Replace("H", " ")],
        [normalizers.Lowercase(), normalizers.Replace(Regex(EARLIER), " ")],
    ],
)
def test_other_rules_are_kept(rules: list[normalizers.Normalizer]) -> None:
    backend = with_rules(*rules)
    before = backend.to_str()
    assert not take_splitting_rule(backend)
    assert backend.to_str() == before
    backend.normalizer = normalizers.Sequence([])
    assert not take_splitting_rule(backend)


def test_kinds_and_periods() -> None:
    assert (NOTHING, NUMBER, DENSITY, NUM_KINDS) == (0, 119, 120, 121)
    assert quantities_clac.SMALLEST == 0.001
    assert PERIODS == (16, 8, 4, 2, 1, 0.5, 0.25, 0.125, 0.0625)
    assert DENSITY_PERIODS == (4, 2, 1, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625)
    assert FRACTION_PERIODS == (4, 2, 1, 0.5, 0.25, 0.125)


def test_quantities_are_given_to_tokens() -> None:
    """A symbol to its first piece, a number to all of its pieces; special tokens get nothing."""
    quantities = [(2, 4, 31, 0.4), (4, 5, 8, 0.6), (7, 11, NUMBER, 4.25), (11, 14, DENSITY, 5.0), (20, 21, 7, 1.0)]
    # Pieces of the symbol Ga, one that begins before its quantity, and one that ends behind it.
    offsets = [(0, 0), (0, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 8), (8, 9), (9, 11), (11, 14), (14, 15), (0, 0)]
    kinds, values = read_quantities(quantities, offsets)
    assert kinds.dtype.name == "int64" and values.dtype.name == "float32"
    assert kinds.tolist() == [0, 0, 31, 0, 8, 0, NUMBER, NUMBER, NUMBER, DENSITY, 0, 0]
    assert values.tolist() == pytest.approx([0, 0, 0.4, 0, 0.6, 0, 4.25, 4.25, 4.25, 5.0, 0, 0])
    for empty in read_quantities(quantities, []):
        assert len(empty) == 0
    assert not any(part.any() for part in read_quantities([], offsets))


def test_numbers_of_a_text_with_formulas() -> None:
    text = "SrTiO3 3.2 eV, CO2 7, O(2) 0.5"
    numbers = find_numbers(text, find_formulas(text))
    assert [(text[each.start : each.end], text[each.start : each.stop], each.plain) for each in numbers] == [
        ("3.2", "3.2 eV", None),
        ("7", "7", None),
        ("0.5", "0.5", None),
    ]
    (number,) = find_numbers("of 50 meV", [])
    assert number == (3, 5, NUMBER, 0.05, 9, ("0.05", "eV"))


def test_elements_of_a_formula() -> None:
    (formula,) = find_formulas("in Fe2O3")
    assert element_quantities(formula) == [(3, 5, 26, 0.4), (6, 7, 8, 0.6)]
    (ion,) = find_formulas("SO42-")
    assert element_quantities(ion) == []
