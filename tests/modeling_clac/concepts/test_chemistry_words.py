"""Concepts of chemistry, properties and hazards on crystals whose class is known, checked by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from modeling_clac.concepts.concept_files import read_concepts
from modeling_clac.concepts.elements import ELEMENT_NAMES, GROUPS
from modeling_clac.concepts.families import element_wordings
from modeling_clac.concepts.vocabulary import FOLDER, Vocabulary, load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable

FILES = tuple(
    f"{name}.yaml"
    for name in "elements element_groups stoichiometry anions oxyanions chemistry properties attributes".split()
)

# Concept: formulas for one of whose crystals it holds; formulas for none of whose crystals it holds.
KNOWN = """
alkali-metal: NaCl CsPbBr3 LiBH4; MgO Fe3C BaTiO3
alkaline-earth: MgO CaF2 BaTiO3; NaCl Al2O3
transition-metal: TiC FeS2 LaCrO3; NaCl GaAs CaF2
rare-earth: LaCrO3 YVO4 ScF3; TiC NaCl
lanthanide: LaCrO3 GdC2; YVO4 ScF3
actinide: UC UO3; LaCrO3 TiC
halogen: NaCl CsPbBr3 NaPF6; MgO FeS2
platinum-group: PtN2 Sr2RuO4; CsAu NaCl
light-elements-only: MgO NaCl LiBH4; TiC CsCl
heavy-element: CsPbBr3 LaCrO3 PtN2; NaCl TiC
elemental: Os He; NaCl MgO
binary: NaCl Fe3C; Os CaTiO3
ternary: CaTiO3 NaN3O9 CsPbBr3; NaCl LiFePO4
quaternary: LiFePO4 KLaSiS4; CaTiO3 NaCl
metal-rich: Fe3C; NaCl Fe
oxygen-rich: ReO3 WO3; MgO TiO2
monoxide: MgO NiO; Cu2O TiO2
dioxide: TiO2 PbO2 GeO2; BaO2 MgO
trioxide: WO3 ReO3; Al2O3 CaTiO3
sesquioxide: Al2O3 B2O3 Cr2O3; TiO2
hemioxide: Cu2O; MgO
difluoride: CaF2 MgF2; NaF ScF3
trifluoride: ScF3 AlF3; CaF2
hexaboride: CaB6 NdB6; TiB2
dichalcogenide: MoS2 ZrSe2; CdS Bi2Te3
tmd: MoS2 ZrSe2 NbS2; SiS2 CdS
ab-stoichiometry: NaCl TiC; CaF2
abx3-stoichiometry: CaTiO3 CsPbBr3 KNO3; LiFePO4
oxide: MgO CaTiO3 MgAl2O4 CO2 CdWO4; NaCl MnCO3 LiFePO4 NaN3 BaO2
sulfide: FeS2 CdS KLaSiS4; CaSO4 PbSO4
nitride: AlN Ca3N2 NbN; NaN3 KNO3
carbide: TiC Fe3C CaC2 SiC; CaCO3 NaCN
silicide: FeSi TiSi2 Mg2Si; ZrSiO4 SiO2 SiC
phosphide: InP; LiFePO4 NaPF6
hydride: MgH2 LiBH4; NaHO H2O
fluoride: CaF2 NaPF6; NaCl FeOF YOF
halide: NaCl CsPbBr3 K2PtCl6; MgO KClO4
chalcogenide: CdS MoS2 Bi2Te3; MgO CaSO4
pnictide: GaAs AlN InP; KNO3 LiFePO4
aluminide: AlNi3 CaAl2; Al2O3 AlN
stannide: CoSn2 Mg2Sn; SnO SnTe
interstitial-carbide: TiC NbC; SiC CaC2 CaCO3
covalent-nitride: BN AlN; NbN Ca3N2
iii-v: GaAs InP AlN; CdS TiC
ii-vi: CdS ZnS CdTe; GaAs MgB2
alkali-halide: NaCl KI CsCl; CaF2 CsPbBr3
phosphate: LiFePO4 AlPO4 CePO4; InP NaPF6
orthophosphate: LiFePO4 CePO4; LiFeP2O7
diphosphate: LiFeP2O7 Na2CuP2O7; LiFePO4
sulfate: CaSO4 PbSO4; FeS2 Na2SO3
nitrate: KNO3 AgNO3; KNO2 NaN3
carbonate: CaCO3 MnCO3; CaC2 KNO3
borate: YBO3 CaAlB3O7; LiBH4 TiB2
silicate: ZrSiO4 MgSiO3 Na2SiO3; SiO2 FeSi
orthosilicate: ZrSiO4; Na2SiO3
chain-silicate: Na2SiO3; ZrSiO4
perchlorate: KClO4 NaClO4; KClO3 KCl
titanate: BaTiO3 CaTiO3; TiO2 CaZrO3
niobate: KNbO3; NbO2
ferrite: LaFeO3 YFeO3; Fe3C LiFePO4
aluminate: MgAl2O4; Al2O3 CaAlB3O7
tungstate: CdWO4 PbWO4; WO3
complex-oxide: CaTiO3 MgAl2O4 LaNiO3; MgO LiFePO4 MnCO3
hydroxide: NaHO AlHO2; MgH2 H2O
ammonium: H4NCl H4NF; NaCl
azide: NaN3 KN3; AlN KNO3
cyanide: AgCN; CaCO3 SiC
peroxide: BaO2 Li2O2; MgO PbO2
thiophosphate: ScPS4 LuPS4; InP CePO4
borohydride: LiBH4 NaBH4; TiB2 MgH2
mixed-anion: TiNCl FeOF YOF; NaCl CaTiO3 FeS2
oxyfluoride: FeOF YOF; CaF2 CaTiO3 NaPF6
oxysulfide: HfSO Yb2SO2; CaSO4 CdS
oxychloride: TiClO VCl2O; KClO4 NaCl
sulfohalide: Ag3SI; AgI CdS
salt: NaCl KNO3 CaCO3; TiC GaAs Fe
ionic-compound: NaCl MgO CaF2; GaAs TiC Fe
intermetallic: AlNi3 CoSn2 CaAl2; NaCl Fe GaAs
zintl: Mg2Si Mg2Sn CaSi2; NaCl TiC AlNi3
molecular-crystal: CO2 H2O SF6; NaCl Fe SiC
organic: LaH3(CO2)3; CaCO3 NaHO
ceramic: Al2O3 TiC AlN CaTiO3; NaCl Fe AlNi3 KNO3
sulfosalt: Ag3SbS3 Tl3AsS3; CdS Bi2Te3
native-element: Au Cu; NaCl
iron-ii: LiFePO4; FePO4 LaFeO3
iron-iii: LaFeO3; LiFePO4
metallic: AlNi3 Cu; CdTe BeF2
toxic: GaAs PbWO4 CdS NaN3; NaCl CaCO3 Al2O3
nontoxic: NaCl CaCO3 Al2O3; CdS NaN3 UC
radioactive-element: UC ThC2; PbWO4 BiF3
earth-abundant: NaCl CaCO3 Al2O3 FeS2; GaAs InP PtN2
cheap: NaCl CaCO3 Al2O3; PtN2 GaAs
critical-raw-material: GaAs LaCrO3 PtN2; NaCl KNO3
conflict-mineral: CsAu CoSn2 CdWO4; NaCl
moisture-sensitive: MgH2 Ca3N2 Na; Al2O3 NaCl LiFePO4
air-stable: Al2O3 CaTiO3 SiO2; Ca3N2 Na
oxidizer: KNO3 KClO4 BaO2; NaCl MgO
magnetic-element: LaFeO3 NiO; CaTiO3 NaCl
"""

# Quantities whose superlative must put the first formula before the second.
ORDERS = {
    "hard": ("C", "NaCl"),
    "high-bulk-modulus": ("Os", "NaCl"),
    "dense": ("Os", "NaCl"),
    "wide-gap": ("BeF2", "CdTe"),
    "high-index": ("AlAs", "K2MgF4"),
}


@cache
def table() -> FactTable:
    return FactTable.bundled()


@cache
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def rows_of(formula: str) -> np.ndarray:
    return np.flatnonzero(table().formula_is([formula]) == 1)


def known() -> list[tuple[str, str, bool]]:
    cases = []
    for line in KNOWN.strip().splitlines():
        concept, formulas = line.split(":")
        for part, holds in zip(formulas.split(";"), (True, False), strict=True):
            cases += [(concept, formula, holds) for formula in part.split()]
    return cases


@pytest.mark.parametrize(("concept", "formula", "holds"), known(), ids=lambda value: str(value))
def test_concepts_hold_for_crystals_checked_by_hand(concept: str, formula: str, holds: bool) -> None:
    rows = rows_of(formula)
    if not len(rows):
        pytest.skip(f"{formula} is not among the bundled crystals")
    values = vocabulary().holds(concept, table())[rows]
    assert (values == 1).any() == holds


def test_few_of_the_checked_crystals_are_missing() -> None:
    formulas = {formula for _, formula, _ in known()}
    assert sum(not len(rows_of(formula)) for formula in formulas) <= 0.1 * len(formulas)


@pytest.mark.parametrize("concept", ORDERS)
def test_superlatives_sort_by_the_property(concept: str) -> None:
    sort = vocabulary()[concept].sort
    assert sort is not None
    assert vocabulary()[concept].superlatives
    values = table().number(sort.number)
    first, second = (np.nanmedian(values[rows_of(formula)]) for formula in ORDERS[concept])
    assert (first > second) == sort.descending


def test_every_element_of_crystals_is_a_concept_with_its_regular_wordings() -> None:
    concepts = {concept.id: concept for concept in vocabulary() if concept.kind == "element"}
    present = {symbol for elements in table().table["elements"].to_pylist() for symbol in elements}
    for symbol in present:
        concept = concepts[ELEMENT_NAMES[symbol]]
        assert set(element_wordings(symbol)) <= set(concept.wordings)
        assert np.array_equal(vocabulary().holds(concept.id, table()) == 1, table().fractions[:, _number(symbol)] > 0)


def _number(symbol: str) -> int:
    return list(ELEMENT_NAMES).index(symbol) + 1


def test_opposite_bands_never_hold_for_one_crystal() -> None:
    bands = [concept for concept in vocabulary() if concept.file == "properties.yaml" and concept.opposite]
    assert bands
    for concept in bands:
        both = (vocabulary().holds(concept.id, table()) == 1) & (vocabulary().holds(concept.opposite, table()) == 1)
        assert not both.any(), concept.id


@pytest.mark.parametrize("file", FILES)
def test_concepts_have_enough_wordings_and_wider_concepts_hold_as_well(file: str) -> None:
    for concept in read_concepts(Path(FOLDER, file)):
        assert len(concept.wordings) >= 8, concept.id
        values = vocabulary().holds(concept.id, table()) == 1
        for wider in concept.implies:
            others = vocabulary().holds(wider, table())
            # Facts of a few crystals contradict each other.
            assert (values & (others < 1)).sum() <= 0.02 * values.sum() + 1, (concept.id, wider)


def test_groups_of_elements_are_concepts() -> None:
    tested = {name for concept in vocabulary() for name in GROUPS if name in concept.test.text}
    assert {"alkali", "halogen", "rare_earth", "precious", "critical", "earth_abundant", "toxic"} <= tested


@pytest.mark.parametrize(
    ("formula", "alone", "by_half"),
    [
        ("LaOF", ["oxyfluoride", "mixed-anion"], ["fluoride", "oxide", "halide"]),
        ("CoAsS", [], ["mixed-anion", "sulfide", "arsenide", "chalcogenide"]),
        # Mixed, but of one family.
        ("Sb2TeSe2", ["chalcogenide"], ["selenide", "telluride"]),
        # Ammonium is not an anion, and a pair of atoms is not a second kind of them.
        ("H4NBr", ["bromide", "halide", "single-anion"], []),
        ("FeS2", ["sulfide", "chalcogenide", "single-anion"], []),
    ],
)
def test_families_of_anions_hold_by_half_for_mixed_anions(formula: str, alone: list[str], by_half: list[str]) -> None:
    rows = rows_of(formula)
    assert len(rows)
    for concepts, value in ((alone, 1.0), (by_half, 0.5)):
        for concept in concepts:
            assert (vocabulary().holds(concept, table())[rows] == value).all(), (concept, value)
