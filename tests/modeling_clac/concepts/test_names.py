"""Names of compounds: their lines, their formulas, and what they mean on crystals."""

from __future__ import annotations

import re

import pytest

from modeling_clac.concepts.concept_files import Concept
from modeling_clac.concepts.elements import ELEMENT_NAMES
from modeling_clac.concepts.names import end_members, expand_names
from modeling_clac.concepts.vocabulary import Vocabulary, load_vocabulary
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.formula_words_clac import ACRONYM_NEEDS, ACRONYMS
from modeling_clac.formulas_clac import read_formula

# A name, a crystal (formula, space group, sites in the cell, volume in Å³), and how far the name holds. From the
# Handbook of Mineralogy; cells of elements and alloys from J. Donohue, The Structures of the Elements (1974), and
# P. Villars, Pearson's Handbook (1997).
CHECKED = """
halite | NaCl 225 2 44.9 | 1
halite | KCl 225 2 62.4 | 0
rutile | TiO2 136 6 62.4 | 1
rutile | TiO2 141 6 68.1 | 0.5
rutile | SnO2 136 6 71.5 | 0
anatase | TiO2 141 6 68.1 | 1
anatase | TiO2 136 6 62.4 | 0.5
brookite | TiO2 61 24 257 | 1
titania | TiO2 61 24 257 | 1
titanium dioxide | TiO2 136 6 62.4 | 1
corundum | Al2O3 167 10 84.9 | 1
corundum | Al2O3 12 20 187 | 0.5
alumina | Al2O3 12 20 187 | 1
sapphire | Al2O3 167 10 84.9 | 1
hematite | Fe2O3 167 10 100.6 | 1
rust | Fe2O3 167 10 100.6 | 1
magnetite | Fe3O4 227 14 148 | 1
quartz | SiO2 152 9 113 | 1
quartz | SiO2 154 9 113 | 1
quartz | SiO2 136 6 46.5 | 0.5
cristobalite | SiO2 92 12 171 | 1
keatite | SiO2 92 36 479 | 1
cristobalite | SiO2 92 36 479 | 0.5
stishovite | SiO2 136 6 46.5 | 1
coesite | SiO2 15 24 274 | 1
quicklime | CaO 225 2 27.8 | 1
lime | CaO 225 2 27.8 | 1
slaked lime | Ca(OH)2 164 5 54.8 | 1
calcite | CaCO3 167 10 122.6 | 1
calcite | CaCO3 62 20 227 | 0.5
aragonite | CaCO3 62 20 227 | 1
limestone | CaCO3 62 20 227 | 1
galena | PbS 225 2 52.3 | 1
sphalerite | ZnS 216 2 39.6 | 1
wurtzite zinc sulfide | ZnS 186 4 79.2 | 1
wurtzite zinc sulfide | ZnS 216 2 39.6 | 0.5
cinnabar | HgS 152 6 141.5 | 1
metacinnabar | HgS 216 2 50.1 | 1
pyrite | FeS2 205 12 159 | 1
marcasite | FeS2 58 6 81.6 | 1
fool's gold | FeS2 205 12 159 | 1
troilite | FeS 190 24 363 | 1
chalcopyrite mineral | CuFeS2 122 8 145 | 1
molybdenite | MoS2 194 6 106.4 | 1
stibnite | Sb2S3 62 20 488 | 1
realgar | AsS 14 32 799 | 1
orpiment | As2S3 14 20 466 | 1
fluorspar | CaF2 225 3 40.8 | 1
cryolite | Na3AlF6 14 20 236 | 1
calomel | HgCl 139 4 109.7 | 1
corrosive sublimate | HgCl2 62 12 331 | 1
calomel | HgCl2 62 12 331 | 0
cassiterite | SnO2 136 6 71.5 | 1
zincite | ZnO 186 4 47.6 | 1
zinc oxide | ZnO 225 2 19.6 | 1
litharge | PbO 129 4 79.3 | 1
massicot | PbO 57 8 153 | 1
red lead | Pb3O4 135 28 507 | 1
pyrolusite | MnO2 136 6 55.6 | 1
baddeleyite | ZrO2 14 12 140.9 | 1
cubic zirconia | ZrO2 225 3 32.9 | 1
zircon | ZrSiO4 141 12 130.5 | 1
forsterite | Mg2SiO4 62 28 290 | 1
ringwoodite | Mg2SiO4 227 14 131.5 | 1
ringwoodite | Mg2SiO4 62 28 290 | 0.5
pyrope | Mg3Al2(SiO4)3 230 80 753 | 1
garnet mineral | Ca3Al2(SiO4)3 230 80 832 | 1
kyanite | Al2SiO5 2 32 293 | 1
sillimanite | Al2SiO5 62 32 332 | 1
kyanite | Al2SiO5 62 32 332 | 0.5
albite | NaAlSi3O8 2 26 332 | 1
feldspar | KAlSi3O8 12 26 361 | 1
plagioclase | KAlSi3O8 12 26 361 | 0
beryl | Be3Al2Si6O18 192 58 677 | 1
spodumene | LiAlSi2O6 15 20 195 | 1
kaolinite | Al2Si2O5(OH)4 1 34 329 | 1
diopside | CaMg(SiO3)2 15 20 219 | 1
barite | BaSO4 62 24 346 | 1
gypsum | CaSO4(H2O)2 15 24 247 | 1
blue vitriol | CuSO4(H2O)5 2 42 363 | 1
saltpetre | KNO3 62 20 319 | 1
chile saltpeter | NaNO3 167 10 126 | 1
lunar caustic | AgNO3 19 40 515 | 1
borax | Na2B4O7 2 52 646 | 1
scheelite mineral | CaWO4 88 12 156 | 1
fluorapatite | Ca5P3O12F 176 42 523 | 1
bone mineral | Ca5P3HO13 11 88 1060 | 1
diamond | C 227 2 11.3 | 1
diamond | C 194 4 35.3 | 0.5
graphite | C 194 4 35.3 | 1
lonsdaleite | C 194 4 22.7 | 1
graphite | C 194 4 22.7 | 0.5
hexagonal boron nitride | BN 194 4 36.2 | 1
cubic boron nitride | BN 216 2 11.8 | 1
gray tin | Sn 227 2 68.3 | 1
austenite | Fe 225 1 11.5 | 1
alpha iron | Fe 229 1 11.8 | 1
cementite | Fe3C 62 16 155 | 1
nitinol | TiNi 221 2 27.4 | 1
purple plague | AuAl2 225 3 54 | 1
LFP | LiFePO4 62 28 291 | 1
lithium iron phosphate | LiFePO4 62 28 291 | 1
LLZO | Li7La3Zr2O12 142 96 1100 | 1
NMC | LiCoO2 166 4 32.3 | 0.5
PZT | PbTiO3 99 5 63.3 | 0.5
YAG | Y3Al5O12 230 80 864 | 1
BTO | BaTiO3 99 5 64.4 | 1
lithium titanium oxide | Li4Ti5O12 227 21 145 | 1
lithium titanium oxide | Li2TiO3 15 24 240 | 0.5
lithium titanium oxide | LiFeTiO4 227 14 144 | 0
lithium manganese oxide | LiMnO2 59 8 73 | 0.5
strontium aluminate | SrAl4O7 15 24 270 | 0.5
CZTS | Cu2ZnSnS4 82 8 160 | 1
ITO | In2O3 206 40 518 | 1
iron ore | Fe2O3 167 10 100.6 | 1
iron ore | NaCl 225 2 44.9 | 0
"""
_ROWS = [[part.strip() for part in line.split("|")] for line in CHECKED.strip().splitlines()]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="module")
def names(vocabulary: Vocabulary) -> list[Concept]:
    return [concept for concept in vocabulary if concept.kind == "name"]


@pytest.fixture(scope="module")
def checked() -> FactTable:
    records = []
    for _, crystal, _ in _ROWS:
        formula, group, sites, volume = crystal.split()
        records.append(
            {"formula": formula, "space_group_number": int(group), "nsites": int(sites), "volume": float(volume)}
        )
    return FactTable.from_records(records)


@pytest.mark.parametrize("row", range(len(_ROWS)), ids=[" ".join(row[:2]) for row in _ROWS])
def test_hand_checked_crystals(row: int, names: list[Concept], vocabulary: Vocabulary, checked: FactTable) -> None:
    wording, _, grade = _ROWS[row]
    found = [concept for concept in names if wording in concept.wordings]
    assert found, f"{wording} is not a name"
    assert vocabulary.holds(found[0].id, checked)[row] == float(grade)


def test_at_least_five_hundred_names_and_as_many_minerals(names: list[Concept]) -> None:
    assert len(names) >= 1500
    assert sum(concept.id.startswith("mineral-") for concept in names) >= 300
    assert all(concept.source for concept in names)


def test_names_have_crystals_in_the_bundled_set(names: list[Concept], vocabulary: Vocabulary) -> None:
    table = FactTable.bundled()
    held = sum(bool((vocabulary.holds(concept.id, table) == 1).any()) for concept in names)
    partly = sum(bool((vocabulary.holds(concept.id, table) > 0).any()) for concept in names) - held
    print(f"{len(names)} names; {held} have crystals in the bundled set, {partly} only partly")
    assert held >= 600


def _formulas(concept: Concept) -> list[str]:
    texts = [expression.text for expression in concept.expressions]
    return [formula for text in texts for formula in re.findall(r'"([^"]+)"', text)]


def test_every_formula_is_read(names: list[Concept]) -> None:
    unread = [(concept.id, formula) for concept in names for formula in _formulas(concept) if not read_formula(formula)]
    assert not unread


# Charges in oxides, oxysalts and halides; elements that are not listed are metals, with 1 to their group or 8.
_CHARGES = {"O": (-2, -2), "F": (-1, -1), "Cl": (-1, -1), "Br": (-1, -1), "I": (-1, -1), "H": (1, 1), "C": (4, 4)}
_CHARGES |= {
    "S": (-2, 6),
    "Se": (-2, 6),
    "N": (-3, 5),
    "P": (5, 5),
    "Si": (4, 4),
    "B": (3, 3),
    "Al": (3, 3),
    "Xe": (2, 4),
}
_CHARGES |= dict.fromkeys("Li Na K Rb Cs Ag".split(), (1, 1))
_CHARGES |= dict.fromkeys("Be Mg Ca Sr Ba Zn Cd".split(), (2, 2)) | {"Hg": (1, 2), "Cu": (1, 2), "Pb": (2, 4)}
_CHARGES |= dict.fromkeys("Sc Y La Nd Gd Lu Ga In".split(), (3, 3)) | {"Zr": (4, 4), "Hf": (4, 4), "Th": (4, 4)}
# Peroxides, superoxides, holes, oxalates, cyanides, organic molecules, halogen oxides, thiosulfates of sulfur chains.
_OTHERWISE_BONDED = frozenset(
    "KO2 NaO2 Na2O2 Li2O2 BaO2 YBa2Cu3O7 AgO CaC2O4·H2O CaC2O4·2H2O FeC2O4·2H2O H2C2O4 Pb(CH3COO)2 Cu(CH3COO)2 "
    "C12H22O11 KSbC4H4O7 Cu4As6C4H6O16 CO(NH2)2 Hg(CNO)2 KClO3 KClO4 NaClO2 NaClO3 NH4ClO4 LiClO4 AgClO3 KIO3 KIO4 "
    "LiIO3 Ca(IO3)2 ICl HIO3 CH3COOH C6H8O7 C2H5NO2 KNaC4H4O6·4H2O KC4H5O6 Ca(ClO)2 NaClO NaBO3 PCl3 "
    "Na2CO3·1.5H2O2 LiB(C2O4)2 CH3NH3PbI3 CH3NH3PbBr3 CH5N2PbI3".split()
)


def test_oxides_and_halides_are_neutral(names: list[Concept]) -> None:
    charged = []
    for concept in names:
        for formula in re.findall(r'"([^"]+)"', concept.test.text):
            amounts = read_formula(formula)
            ligands = set(amounts) & {"O", "F", "Cl", "Br", "I"}
            if not ligands or len(amounts) == 1 or any(n % 1 for n in amounts.values()) or formula in _OTHERWISE_BONDED:
                continue
            low, high = (sum(n * _CHARGES.get(symbol, (1, 8))[end] for symbol, n in amounts.items()) for end in (0, 1))
            if not low <= 0 <= high:
                charged.append((concept.id, formula))
    assert not charged


def test_names_have_no_element_that_the_compound_lacks(names: list[Concept]) -> None:
    spelled = {name: symbol for symbol, name in ELEMENT_NAMES.items()} | {"aluminum": "Al", "caesium": "Cs"}
    allowed = re.compile(r"fool's gold|mosaic gold|zinc blende|-doped|tin oxide|zinc oxide")
    wrong = [
        wording
        for concept in names
        for wording in concept.wordings
        for word in re.findall("[a-z]+", wording.lower())
        if word in spelled and not allowed.search(wording)
        if not any(spelled[word] in read_formula(formula) for formula in re.findall(r'"([^"]+)"', concept.test.text))
    ]
    assert not wrong


def test_everyday_words_say_that_they_are_ambiguous(names: list[Concept]) -> None:
    everyday = set(
        "ice lye soda sugar sand flint rust plaster brass bronze jade clay alum topaz hypo turquoise viridian "
        "vermilion emerald amethyst onyx ruby sapphire vitriol talc steel lime chalk marble whiting potash ochre umber "
        "sienna opal diamond".split()
    )
    found = {wording: concept for concept in names for wording in concept.wordings if wording in everyday}
    assert set(found) == everyday
    assert not [wording for wording, concept in found.items() if not concept.ambiguous]


def test_every_acronym_of_compounds_is_a_name(names: list[Concept]) -> None:
    wordings = {wording.replace("-", "") for concept in names for wording in concept.wordings}
    spelled = {wording.lower() for wording in wordings}
    missing = [acronym for acronym in ACRONYMS if acronym.replace("-", "").lower() not in spelled]
    assert set(missing) == set(ACRONYM_NEEDS)


def test_a_solid_solution_has_end_members() -> None:
    assert end_members("Pb(Zr0.52Ti0.48)O3") == ["PbZrO3", "PbTiO3"]
    assert end_members("La1.85Sr0.15CuO4") == ["La2CuO4", "Sr2CuO4"]
    assert end_members("Zr0.85Y0.15O1.93")[0] == "ZrO2"
    assert end_members("BaTiO3") == []
    assert end_members("Li1.3Al0.3Ti1.7(PO4)3") == []


def test_a_line_becomes_a_concept() -> None:
    block = {
        "prefix": "mineral",
        "kind": "name",
        "source": "a handbook",
        "names": "rutile, nigrine = TiO2 and space_group(136) ~ SnO2, GeO2  # also a type\nPZT ceramic = PZT",
    }
    rutile, pzt = expand_names(block, "names.yaml:1")
    assert rutile == {
        "id": "mineral-rutile",
        "kind": "name",
        "name": "rutile",
        "test": 'formula("TiO2") and (space_group(136))',
        "partly": 'formula("TiO2") or formula("SnO2", "GeO2")',
        "source": "a handbook",
        "ambiguous": "also a type",
        "wordings": ["rutile", "nigrine"],
    }
    assert pzt["wordings"] == ["PZT ceramic", "PZT"]
    assert pzt["partly"] == 'formula("PbZrO3", "PbTiO3")'
    assert list(expand_names({"id": "oxide"}, "chemistry.yaml:3")) == [{"id": "oxide"}]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"names": "quicklime CaO"}, "expected `wordings = formulas`, found 'quicklime CaO'"),
        ({"names": " = CaO"}, "expected `wordings = formulas`"),
        ({"near": "everything"}, "near: expected system, found 'everything'"),
        ({"prefix": ""}, "prefix: expected a text"),
        ({"test": "element(O)"}, "unknown key test in a block of names; expected prefix, kind, source, names, near"),
    ],
)
def test_invalid_blocks_are_one_line(changed: dict[str, str], message: str) -> None:
    block = {"prefix": "mineral", "kind": "name", "source": "a handbook", "names": "quicklime = CaO", **changed}
    with pytest.raises(ClacInputError, match=re.escape(message)) as error:
        list(expand_names(block, "my.yaml:7"))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("my.yaml:7: ")
