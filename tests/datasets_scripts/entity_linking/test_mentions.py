"""Test which words of a text are recognised as materials, and which are left out for a reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from datasets_scripts.entity_linking.formulas import composition_of, read_compound
from datasets_scripts.entity_linking.material_names import common_names
from datasets_scripts.entity_linking.mentions import read_paragraph
from modeling_clac.formulas_clac import flatten_markup


def found(text: str) -> list[tuple[str, str]]:
    """Return the words and pymatgen's reduced formula of each mention."""
    return [
        (mention.text, Composition(dict(mention.composition)).reduced_formula)
        for mention in read_paragraph(flatten_markup(text).text, {}).mentions
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We grew Te2Mo and MoTe2.", ["MoTe2", "MoTe2"]),
        ("MoTe₂, MoTe$_2$, MoTe$_{2}$ and MoTe<sub>2</sub>", ["MoTe2"] * 4),
        ("Ca(OH)2 (solid), (Mg3(PO4)2)", ["Ca(OH)2", "Mg3(PO4)2"]),
        ("CdSe/CdS quantum dots on SrTiO3 substrates.", ["CdSe", "CdS", "SrTiO3"]),
        ("Titanium dioxide and gallium nitride", ["TiO2", "GaN"]),
        ("silicon carbide on silicon", ["SiC", "Si"]),
        ("copper(II) oxide, copper(I) oxide", ["CuO", "Cu2O"]),
        ("vanadium pentoxide, iron sesquioxide, lanthanum hexaboride", ["V2O5", "Fe2O3", "LaB6"]),
        ("aluminium oxide, lithium fluoride, calcium sulphide, magnesium nitride", ["Al2O3", "LiF", "CaS", "Mg3N2"]),
        ("h-BN and WC, but not BCS or SOC", ["BN", "WC"]),
        ("gallium selenide (GaSe) and gallium selenide", ["GaSe", "GaSe", "Ga2Se3"]),
        ("Li2O2 and Na2O2", ["Li2O2", "Na2O2"]),
        ("lithium iron phosphate, sapphire, rutile TiO2", ["LiFePO4", "Al2O3", "TiO2", "TiO2"]),
    ],
)  # fmt: skip
def test_materials_are_found(text: str, expected: list[str]) -> None:
    assert [formula for _, formula in found(text)] == [Composition(formula).reduced_formula for formula in expected]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("La0.8Sr0.2MnO3", "fractional amounts"),
        ("YBa2Cu3O7-δ", "variable amounts"),
        ("La1-xSrxMnO3", "variable amounts"),
        ("Li7-xLa3Zr2-xTaxO12", "variable amounts"),
        ("(La,Sr)MnO3", "mixed sites"),
        ("Bi2(Te,Se)3", "mixed sites"),
        ("ZnO:Al", "doped"),
        ("Eu:Y2O3", "doped"),
        ("Al-doped ZnO", "doped"),
        ("yttria-stabilized zirconia", "doped"),
        ("CuSO4·5H2O", "hydrate"),
        ("amorphous SiO2", "not crystalline"),
        ("fused silica", "not crystalline"),
        ("CO2 and H2O", "molecule or ion"),
        ("AlGaAs", "alloy without amounts"),
        ("NiFe", "alloy without amounts"),
        ("iron oxide", "oxidation number not given"),
        ("rutile-type lattices", "a structure type or family"),
        ("ReO3-like blocks", "a structure type or family"),
        ("Fe4S4 cubanes", "cluster or molecule"),
        ("Yttria-Stabilized Zirconia", "doped"),
        ("CaTiO3:0.3%Pr3+", "doped"),
        ("MnO x films", "variable amounts"),
        ("alternating [BaO] layers", "part of a structure"),
        ("SrO- and TiO2-terminated surfaces", "part of a structure"),
        ("a quartz capillary", "not crystalline"),
        ("150 mM NaCl", "not crystalline"),
        ("AlO_x", "variable amounts"),
        ("YBa2Cu3O6+delta", "variable amounts"),
        ("Co1/3±εTaS2", "variable amounts"),
        ("the CuO2 planes and", "part of a structure"),
        ("FeAs layers", "part of a structure"),
        ("marcasite compounds", "a structure type or family"),
        ("yttria‐stabilized zirconia", "doped"),
        ("silicon vacancies", "atoms of an element"),
        ("the supply of silicon to the surface", "atoms of an element"),
        ("N-doping Cu2O", "doped"),
        ("CoSb3-based skutterudites", "a structure type or family"),
        ("an FeAl type phase", "a structure type or family"),
        ("the armchair BiO layers", "part of a structure"),
        ("the pyrite phase", "a structure type or family"),
        ("CuO2 square planes", "part of a structure"),
        ("a quartz-tube furnace", "not crystalline"),
        ("molten fluorides of Group-I (LiF, NaF)", "not crystalline"),
        ("ZrO2–CeO2–Y2O3 solid solutions", "part of a mixture"),
        ("the CaO-SiO2 system", "part of a mixture"),
        ("PtCo/C catalysts", "alloy without amounts"),
        ("lanthanum zirconium oxide", "part of a longer name"),
    ],
)
def test_others_are_left_out_with_the_reason(text: str, reason: str) -> None:
    reading = read_paragraph(flatten_markup(f"We study {text} here.").text, {})
    assert reading.mentions == [] and reading.left_out[reason] >= 1


@pytest.mark.parametrize(
    "text",
    [
        "the Pnma, P6_3/mmc and Fm-3m groups",
        "NV centres",
        "In As He was",
        "Coffee",
        "SCAN and DFT+U",
        "PM2.5",
        "Fig. S3B",
        "the SV1 set",
        "Ag(I)-Bi(III) semiconductors",
        "SunC. W., LiH. & ChenL.",
        "XiaoG., LiS., 8475",
        "Co1/3(1±δ)NbS2",
    ],
)
def test_words_that_are_not_materials(text: str) -> None:
    reading = read_paragraph(text, {})
    assert reading.mentions == []


def test_mineral_as_structure_type() -> None:
    assert [formula for _, formula in found("Marcasite FeTe2 is a semiconductor.")] == ["FeTe2"]
    assert [formula for _, formula in found("Marcasite FeS2 is a semiconductor.")] == ["FeS2", "FeS2"]


def test_terminations_are_not_compounds_anywhere_in_the_paragraph() -> None:
    text = "The TaS2-terminated surface has TaS2 bands, the bulk of CrTa3S6 has not."
    assert [formula for _, formula in found(text)] == ["Ta3CrS6"]


def test_abbreviations_apply_after_their_introduction() -> None:
    first = read_paragraph("Garnets such as Li7La3Zr2O12 (LLZO) conduct. LLZO is stable.", {})
    assert [(mention.text, mention.kind) for mention in first.mentions] == [
        ("Li7La3Zr2O12", "formula"),
        ("LLZO", "abbreviation"),
        ("LLZO", "abbreviation"),
    ]
    later = read_paragraph("A pellet of LLZO; Ta-doped LLZO.", first.abbreviations)
    assert [mention.composition for mention in later.mentions] == [first.mentions[0].composition]
    assert read_paragraph("A pellet of LLZO.", {}).mentions == []
    # The name of a doped material does not lend its abbreviation to the pure one.
    assert read_paragraph("yttria-stabilized zirconia (YSZ) and YSZ", {}).mentions == []


def test_spans_match_the_text(records) -> None:
    for record in records[:200]:
        text = f"Crystals of {record['formula']} were grown."
        for mention in read_paragraph(text, {}).mentions:
            assert text[mention.start : mention.end] == mention.text


SYMBOLS = st.sampled_from("Li Na Mg Al Si O S F Cl Fe Ti Zr La Ba Bi Te".split())


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(SYMBOLS, st.integers(1, 9), min_size=2, max_size=4), st.integers(1, 3), st.randoms())
def test_order_and_multiples_do_not_matter(numbers: dict[str, int], factor: int, random) -> None:
    def written(scale: int) -> str:
        parts = list(numbers.items())
        random.shuffle(parts)
        return "".join(f"{symbol}{number * scale if number * scale > 1 else ''}" for symbol, number in parts)

    one, other = composition_of(written(1)), composition_of(written(factor))
    assert one == other
    assert Composition(dict(one)).reduced_formula == Composition(numbers).reduced_formula


def test_every_formula_of_the_crystals_is_read(records) -> None:
    for record in records:
        composition = composition_of(record["formula"])
        assert composition is not None
        assert Composition(dict(composition)).reduced_formula == record["formula"]
        read, reason = read_compound(record["formula"])
        assert read == composition or reason is not None or len(composition) == 1 or record["formula"].isupper()


def test_all_names_of_the_table_are_read() -> None:
    names = [(name, named) for by_word in common_names().values() for name, named in by_word.items()]
    assert len(names) > 150
    assert all(1 <= group <= 230 for _, named in names for group in named.space_groups)
    assert all(name == tuple(word.lower() for word in name) for name, _ in names)
