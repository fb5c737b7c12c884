"""The grammar of formulas: what is read of a word, written out for many spellings."""

from __future__ import annotations

import pytest
from pymatgen.core import Element

from modeling_clac.formula_grammar_clac import ATOMIC_NUMBERS, ELEMENTS, Parsed, parse_formula, written_amount

# Formulas, and what is read of them: the pieces of the plain spelling, each with its origin if that is spelled
# otherwise; the atoms; and `?` if not all amounts are given, `+` for an ion.
FORMULAS = [
    ("Fe2O3", "Fe 2 O 3", "Fe2 O3", ""),
    ("Na1Cl1", "Na Cl", "Na1 Cl1", ""),
    ("Ca3(PO4)2", "Ca 3 ( P O 4 ) 2", "Ca3 P2 O8", ""),
    ("K2Cu[Co(NO2)6]", "K 2 Cu [ Co ( N O 2 ) 6 ]", "K2 Cu1 Co1 N6 O12", ""),
    ("{Ba,Sr}TiO3", "(<{> Ba 0.5<Ba> Sr 0.5<Sr> )<}> Ti O 3", "Ba0.5 Sr0.5 Ti1 O3", "?"),
    ("(Ba,Sr)TiO3", "( Ba 0.5<Ba> Sr 0.5<Sr> ) Ti O 3", "Ba0.5 Sr0.5 Ti1 O3", "?"),
    ("(Ba, Sr)TiO3", "( Ba 0.5<Ba> Sr 0.5<Sr> ) Ti O 3", "Ba0.5 Sr0.5 Ti1 O3", "?"),
    ("CuSO4·5H2O", "Cu S O 4 (<5> H 2 O )<O> 5<O>", "Cu1 S1 O4 H10 O5", ""),
    ("CuSO4·H2O", "Cu S O 4 H 2 O", "Cu1 S1 O4 H2 O1", ""),
    ("MgO·2C", "Mg O C 2<C>", "Mg1 O1 C2", ""),
    ("V2O5·nH2O", "V 2 O 5", "V2 O5", "?"),
    ("V2O5·nH2O·2NH3", "V 2 O 5 (<2> N H 3 )<3> 2<3>", "V2 O5 N2 H6", "?"),
    ("CaSO4·1/2H2O", "Ca S O 4 (<1/2> H 2 O )<O> 0.5<O>", "Ca1 S1 O4 H1 O0.5", ""),
    ("CaSO4·0.5H2O", "Ca S O 4 (<0.5> H 2 O )<O> 0.5<O>", "Ca1 S1 O4 H1 O0.5", ""),
    ("CaSO4·1H2O", "Ca S O 4 H 2 O", "Ca1 S1 O4 H2 O1", ""),
    ("CuSO4.5H2O", "Cu S O 4 (<5> H 2 O )<O> 5<O>", "Cu1 S1 O4 H10 O5", ""),
    ("CuSO4.H2O", "Cu S O 4 H 2 O", "Cu1 S1 O4 H2 O1", ""),
    ("CuSO4 5H2O", "Cu S O 4 (<5> H 2 O )<O> 5<O>", "Cu1 S1 O4 H10 O5", ""),
    ("CaO·(H2O)", "Ca O ( H 2 O )", "Ca1 O1 H2 O1", ""),
    ("(CaO)·H2O", "( Ca O ) H 2 O", "Ca1 O1 H2 O1", ""),
    ("CaSO4 · 2 H2O", "Ca S O 4 (<2> H 2 O )<O> 2<O>", "Ca1 S1 O4 H4 O2", ""),
    ("Fe(III)Cl3", "Fe Cl 3", "Fe1 Cl3", ""),
    ("Fe(III)", "Fe", "Fe1", "+"),
    ("Fe(II)", "Fe", "Fe1", "+"),
    ("(V)2O5", "( V ) 2 O 5", "V2 O5", ""),
    ("[TiO2(B)]2", "[ Ti O 2 ( B ) ] 2", "Ti2 O4 B2", ""),
    ("(Ba0.5,Sr0.5)TiO3", "( Ba 0.5 Sr 0.5 ) Ti O 3", "Ba0.5 Sr0.5 Ti1 O3", ""),
    ("(Ba0.3,Sr)TiO3", "( Ba 0.3 Sr 0.7<Sr> ) Ti O 3", "Ba0.3 Sr0.7 Ti1 O3", "?"),
    ("(Ba0.3,Sr,Ca)TiO3", "( Ba 0.3 Sr 0.35<Sr> Ca 0.35<Ca> ) Ti O 3", "Ba0.3 Sr0.35 Ca0.35 Ti1 O3", "?"),
    ("(Ba,Sr0.4)TiO3", "( Ba 0.6<Ba> Sr 0.4 ) Ti O 3", "Ba0.6 Sr0.4 Ti1 O3", "?"),
    ("(Ba2,Sr)O3", "( Ba 2 Sr ) O 3", "Ba2 Sr1 O3", "?"),
    ("(Ba1.0,Sr)O3", "( Ba Sr ) O 3", "Ba1 Sr1 O3", "?"),
    ("(BaO,SrO)2", "( (<Ba> Ba O )<O> 0.5<O> (<Sr> Sr O )<O> 0.5<O> ) 2", "Ba1 O1 Sr1 O1", "?"),
    ("(Ba0.5O,Sr)TiO3", "( (<Ba> Ba 0.5 O )<O> 0.5<O> Sr 0.5<Sr> ) Ti O 3", "Ba0.25 O0.5 Sr0.5 Ti1 O3", "?"),
    ("(Ba0.2,SrO,Ca)TiO3", "( Ba 0.2 (<Sr> Sr O )<O> 0.4<O> Ca 0.4<Ca> ) Ti O 3", "Ba0.2 Sr0.4 O0.4 Ca0.4 Ti1 O3", "?"),
    ("Pb(Zr,Ti)O3", "Pb ( Zr 0.5<Zr> Ti 0.5<Ti> ) O 3", "Pb1 Zr0.5 Ti0.5 O3", "?"),
    ("[(Ba,Sr)O]2", "[ ( Ba 0.5<Ba> Sr 0.5<Sr> ) O ] 2", "Ba1 Sr1 O2", "?"),
    ("(NaCl)2", "( Na Cl ) 2", "Na2 Cl2", ""),
    ("Na(Cl)", "Na ( Cl )", "Na1 Cl1", ""),
    ("(Na)Cl", "( Na ) Cl", "Na1 Cl1", ""),
    ("(Na)(Cl)", "( Na ) ( Cl )", "Na1 Cl1", ""),
    ("(C2H4)n", "( C 2 H 4 )", "C2 H4", "?"),
    ("(CH2)n·H2O", "( C H 2 ) H 2 O", "C1 H2 H2 O1", "?"),
    ("(CH2)m", "( C H 2 )", "C1 H2", "?"),
    ("(CH2)n(OH)2", "( C H 2 ) ( O H ) 2", "C1 H2 O2 H2", "?"),
    ("Na+", "Na", "Na1", "+"),
    ("Fe2+", "Fe", "Fe1", "+"),
    ("NH4+", "N H 4", "N1 H4", "+"),
    ("H3O+", "H 3 O", "H3 O1", "+"),
    ("[Fe(CN)6]3+", "[ Fe ( C N ) 6 ]", "Fe1 C6 N6", "+"),
    ("SO42-", "S O 4", "S1 O4", "+"),
    ("SO42−", "S O 4", "S1 O4", "+"),
    ("PO43-", "P O 4", "P1 O4", "+"),
    ("SiO44-", "Si O 4", "Si1 O4", "+"),
    ("S2O32-", "S 2 O 3", "S2 O3", "+"),
    ("Cr2O72-", "Cr 2 O 7", "Cr2 O7", "+"),
    ("O2-", "O", "O1", "+"),
    ("N3-", "N", "N1", "+"),
    ("NO3-", "N O 3", "N1 O3", "+"),
    ("Cl-", "Cl", "Cl1", "+"),
    ("OH-", "O H", "O1 H1", "+"),
    ("Fe^3+", "Fe", "Fe1", "+"),
    ("SO4^2-", "S O 4", "S1 O4", "+"),
    ("Fe^+", "Fe", "Fe1", "+"),
    ("MnO4-", "Mn O 4", "Mn1 O4", "+"),
    ("Te2-", "Te", "Te1", "+"),
    ("Na1000000000", "Na 1000000000", "Na1e+09", ""),
    ("YBa2Cu3O7-x", "Y Ba 2 Cu 3 O 7<7-x>", "Y1 Ba2 Cu3 O7", "?"),
    ("YBa2Cu3O7-d", "Y Ba 2 Cu 3 O 7<7-d>", "Y1 Ba2 Cu3 O7", "?"),
    ("YBa2Cu3O7−δ", "Y Ba 2 Cu 3 O 7<7−δ>", "Y1 Ba2 Cu3 O7", "?"),
    ("YBa2Cu3O7–δ", "Y Ba 2 Cu 3 O 7<7–δ>", "Y1 Ba2 Cu3 O7", "?"),
    ("YBa2Cu3O7-delta", "Y Ba 2 Cu 3 O 7<7-delta>", "Y1 Ba2 Cu3 O7", "?"),
    ("La2CuO4+δ", "La 2 Cu O 4<4+δ>", "La2 Cu1 O4", "?"),
    ("La2CuO4+y", "La 2 Cu O 4<4+y>", "La2 Cu1 O4", "?"),
    ("SrFeO3±δ", "Sr Fe O 3<3±δ>", "Sr1 Fe1 O3", "?"),
    ("NaxCoO2", "Na Co O 2", "Na1 Co1 O2", "?"),
    ("Na2xCoO2", "Na 2<2x> Co O 2", "Na2 Co1 O2", "?"),
    ("AlxGa1-xN", "Al 0.5<x> Ga 0.5<1-x> N", "Al0.5 Ga0.5 N1", "?"),
    ("AlxGa1-2xN", "Al 0.25<x> Ga 0.5<1-2x> N", "Al0.25 Ga0.5 N1", "?"),
    ("Al2xGa1-2xN", "Al 0.5<2x> Ga 0.5<1-2x> N", "Al0.5 Ga0.5 N1", "?"),
    ("LixMn2-xO4", "Li 0.5<x> Mn 1.5<2-x> O 4", "Li0.5 Mn1.5 O4", "?"),
    ("Ba1-xSrxTiO3", "Ba 0.5<1-x> Sr 0.5<x> Ti O 3", "Ba0.5 Sr0.5 Ti1 O3", "?"),
    ("Ba1−xSrxTiO3", "Ba 0.5<1−x> Sr 0.5<x> Ti O 3", "Ba0.5 Sr0.5 Ti1 O3", "?"),
    ("LaxSr1-xMn1-yO3", "La 0.5<x> Sr 0.5<1-x> Mn O 3", "La0.5 Sr0.5 Mn1 O3", "?"),
    ("Li1+xMn2-xO4", "Li Mn 2<2-x> O 4", "Li1 Mn2 O4", "?"),
    ("Na0.5-xCl0.5-x", "Na 0.5<0.5-x> Cl 0.5<0.5-x>", "Na0.5 Cl0.5", "?"),
    ("Na0-xCl", "Na 0<0-x> Cl", "Na0 Cl1", "?"),
    ("NaxKxO", "Na K O", "Na1 K1 O1", "?"),
    ("NaxCo1+xO2", "Na Co 2<1+x> O 2", "Na1 Co2 O2", "?"),
    ("AlxGayIn1-x-yN", "Al 0.333<x> Ga 0.333<y> In 0.333<1-x-y> N", "Al0.333333 Ga0.333333 In0.333333 N1", "?"),
    (
        "Bi1-x-yLaxNdyFeO3",
        "Bi 0.333<1-x-y> La 0.333<x> Nd 0.333<y> Fe O 3",
        "Bi0.333333 La0.333333 Nd0.333333 Fe1 O3",
        "?",
    ),
    ("ZrxTiyO2", "Zr Ti O 2", "Zr1 Ti1 O2", "?"),
    ("Fe1-xO", "Fe O", "Fe1 O1", "?"),
    ("Li1-2xMgxO", "Li 0.5<1-2x> Mg 0.25<x> O", "Li0.5 Mg0.25 O1", "?"),
    ("Li1.5-0.5xO", "Li 1.5<1.5-0.5x> O", "Li1.5 O1", "?"),
    ("LiNi1/3Mn2/3O2", "Li Ni 0.333<1/3> Mn 0.667<2/3> O 2", "Li1 Ni0.333333 Mn0.666667 O2", ""),
    ("Na0.3333Cl", "Na 0.333<0.3333> Cl", "Na0.3333 Cl1", ""),
    ("Na0.66666Cl", "Na 0.667<0.66666> Cl", "Na0.66666 Cl1", ""),
    ("Li0.9995F", "Li F", "Li0.9995 F1", ""),
    ("Li10F20", "Li 10 F 20", "Li10 F20", ""),
    ("La100H1000", "La 100 H 1000", "La100 H1000", ""),
    ("Ca2x+yO", "Ca 3<2x+y> O", "Ca3 O1", "?"),
    ("Ca1-x-xSrxO", "Ca 0.5<1-x-x> Sr 0.25<x> O", "Ca0.5 Sr0.25 O1", "?"),
    ("LaH10", "La H 10", "La1 H10", ""),
    ("Fe12.5O", "Fe 12.5 O", "Fe12.5 O1", ""),
]
# Texts that begin with a formula; the second column is that formula.
BEGINNINGS = [
    ("(Ba, Sr)TiO3 film", "(Ba, Sr)TiO3", "( Ba 0.5<Ba> Sr 0.5<Sr> ) Ti O 3", "Ba0.5 Sr0.5 Ti1 O3", "?"),
    ("Sr)TiO3", "Sr", "Sr", "Sr1", ""),
    ("MgO·Al2O3abc", "MgO", "Mg O", "Mg1 O1", ""),
    ("CuSO4·5Q", "CuSO4", "Cu S O 4", "Cu1 S1 O4", ""),
    ("CuSO4 5H2O2", "CuSO4", "Cu S O 4", "Cu1 S1 O4", ""),
    ("Fe2O3 film", "Fe2O3", "Fe 2 O 3", "Fe2 O3", ""),
    ("CdO(1)", "CdO", "Cd O", "Cd1 O1", ""),
    ("MgO·Cd(1)", "MgO", "Mg O", "Mg1 O1", ""),
    ("Ba,Sr", "Ba", "Ba", "Ba1", ""),
    ("Fe)", "Fe", "Fe", "Fe1", ""),
    ("Fe(O]2", "Fe", "Fe", "Fe1", ""),
    ("Fe[O)2", "Fe", "Fe", "Fe1", ""),
    ("Fe()2", "Fe", "Fe", "Fe1", ""),
    ("SrTiO3(001)", "SrTiO3", "Sr Ti O 3", "Sr1 Ti1 O3", ""),
    ("NaCl(aq)", "NaCl", "Na Cl", "Na1 Cl1", ""),
    ("SrTiO3((Mg(", "SrTiO3", "Sr Ti O 3", "Sr1 Ti1 O3", ""),
    ("NO3−,", "NO3−", "N O 3", "N1 O3", "+"),
    ("OH-terminated", "OH", "O H", "O1 H1", ""),
    ("NaCl-", "NaCl", "Na Cl", "Na1 Cl1", ""),
    ("Fe2+O", "Fe2", "Fe 2", "Fe2", ""),
    ("Ca2+,", "Ca2+", "Ca", "Ca1", "+"),
    ("Mn2-", "Mn2", "Mn 2", "Mn2", ""),
    ("Na++", "Na", "Na", "Na1", ""),
    ("Fe2++", "Fe2", "Fe 2", "Fe2", ""),
    ("Fe2.O3", "Fe2", "Fe 2", "Fe2", ""),
    ("Fe2..3", "Fe2", "Fe 2", "Fe2", ""),
    ("Fe-3", "Fe", "Fe", "Fe1", ""),
]


def shown(text: str, parsed: Parsed | None) -> tuple[str, str, str, str] | None:
    """What was read, in the columns of the tables."""
    if parsed is None:
        return None
    pieces = [(piece.text, text[piece.start : piece.end]) for piece in parsed.pieces]
    written = [plain if plain == origin else f"{plain}<{origin}>" for plain, origin in pieces]
    assert all(text[part.start : part.end] == part.symbol for part in parsed.parts)
    assert all(first.end <= second.start for first, second in zip(parsed.parts, parsed.parts[1:], strict=False))
    amounts = [f"{part.symbol}{part.amount:.6g}" for part in parsed.parts]
    marks = ("" if parsed.definite else "?") + ("+" if parsed.charged else "")
    return text[parsed.start : parsed.end], " ".join(written), " ".join(amounts), marks


@pytest.mark.parametrize(("text", "pieces", "atoms", "marks"), FORMULAS)
def test_formulas(text: str, pieces: str, atoms: str, marks: str) -> None:
    expected = (text, pieces, atoms, marks)
    for whole in (True, False):
        assert shown(text, parse_formula(text, whole=whole)) == expected
    # Whatever stands before and behind it.
    sentence = f"is {text}, a solid"
    assert shown(sentence, parse_formula(sentence, 3)) == expected


@pytest.mark.parametrize(("text", "formula", "pieces", "atoms", "marks"), BEGINNINGS)
def test_a_formula_ends_where_the_sentence_goes_on(
    text: str, formula: str, pieces: str, atoms: str, marks: str
) -> None:
    assert shown(text, parse_formula(text)) == (formula, pieces, atoms, marks)
    assert parse_formula(text, whole=True) is None


@pytest.mark.parametrize(
    "text",
    (
        "NaClq Fe(II)xO Cd(1)P4 (,Ba)O (Ba,,Sr)TiO3 (Ba,)TiO3 (Ba,2Sr)O (CH2)nO (Mg O3-x4O Fe^2+O NaCl0 Na0Cl "
        "Na1000000001 Fe1/0O x2 2Fe (2) Xx2 Fe_ Fe2O3_a"
    ).split(),
)
def test_no_formulas(text: str) -> None:
    assert parse_formula(text) is None and parse_formula(text, whole=True) is None


@pytest.mark.parametrize(
    ("text", "in_a_sentence", "whole"),
    [
        # An oxidation state, or iodine; a phase, or boron; brackets of the sentence, or of the formula.
        ("Ag(I)", ("Ag(I)", "Ag", "Ag1", "+"), "Ag ( I )"),
        ("Cu(I)O", ("Cu(I)O", "Cu O", "Cu1 O1", ""), "Cu ( I ) O"),
        ("TiO2(B)", ("TiO2", "Ti O 2", "Ti1 O2", ""), "Ti O 2 ( B )"),
        ("(NaCl)", None, "( Na Cl )"),
        ("((NaCl))", None, "( ( Na Cl ) )"),
        ("((NaCl)2)", None, "( ( Na Cl ) 2 )"),
        ("(V)", None, "( V )"),
    ],
)
def test_formulas_that_are_read_otherwise_in_a_sentence(
    text: str, in_a_sentence: tuple[str, str, str, str] | None, whole: str
) -> None:
    assert shown(text, parse_formula(text)) == in_a_sentence
    found = shown(text, parse_formula(text, whole=True))
    assert found is not None and found[:2] == (text, whole)


@pytest.mark.parametrize(
    ("text", "many", "expected"),
    [
        ("3CaO·Al2O3", "3", ("3CaO·Al2O3", "(<Ca> Ca O )<O> 3<O> Al 2 O 3", "Ca3 O3 Al2 O3", "")),
        (
            "3CaO·Al2O3·6H2O",
            "3",
            ("3CaO·Al2O3·6H2O", "(<Ca> Ca O )<O> 3<O> Al 2 O 3 (<6> H 2 O )<O> 6<O>", "Ca3 O3 Al2 O3 H12 O6", ""),
        ),
        ("2C·MgO", "2", ("2C·MgO", "C 2<C> Mg O", "C2 Mg1 O1", "")),
        ("1.5O2·MgO", "1.5", ("1.5O2·MgO", "(<O> O 2 )<2> 1.5<2> Mg O", "O3 Mg1 O1", "")),
        # Without another part, the number stays outside.
        ("3CaO", "3", ("CaO", "Ca O", "Ca1 O1", "")),
    ],
)
def test_a_number_before_a_product_belongs_to_its_first_part(
    text: str, many: str, expected: tuple[str, str, str, str]
) -> None:
    assert shown(text, parse_formula(text, len(many), many=many)) == expected
    sentence = f"of {text} here"
    assert shown(sentence, parse_formula(sentence, 3 + len(many), many=many)) == expected


def test_all_elements_are_read() -> None:
    assert len(ELEMENTS) == 118
    for symbol in ELEMENTS:
        assert ATOMIC_NUMBERS[symbol] == Element(symbol).Z
        assert shown(f"{symbol}2O3", parse_formula(f"{symbol}2O3", whole=True)) == (
            f"{symbol}2O3",
            f"{symbol} 2 O 3",
            f"{symbol}2 O3",
            "",
        )


@pytest.mark.parametrize(
    ("amount", "written"),
    [(1.0, "1"), (2.0, "2"), (10.0, "10"), (1000.0, "1000"), (0.75, "0.75"), (1 / 3, "0.333"), (2.5, "2.5")],
)
def test_amounts_are_written_with_three_decimals(amount: float, written: str) -> None:
    assert written_amount(amount) == written


def test_brackets_in_a_product() -> None:
    expected = ("MgO * 3 (Al2O3)", "Mg O (<3> ( Al 2 O 3 ) ) 3<)>", "Mg1 O1 Al6 O9", "")
    assert shown(expected[0], parse_formula(expected[0])) == expected
