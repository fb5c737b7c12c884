"""CIFs as people write them: each is read to the right atoms, or refused with the true reason."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Element

from modeling_clac import ClacFeatureExtractor, InvalidStructureError
from modeling_clac.cif_clac import read_cif
from modeling_clac.cif_facts_clac import read_amounts
from modeling_clac.crystal_clac import Crystal, ReadingOptions
from modeling_clac.structures_clac import parse_structure

CASES = Path(__file__).parents[1] / "cases" / "cif"
# Atoms in the cell by element, density in g/cm³ (by pymatgen or by hand), and a word of the expected warning.
READ = {
    "all_sites_and_operations": ({"Na": 4, "Cl": 4}, 2.164, ""),
    "cartesian_sites": ({"Na": 4, "Cl": 4}, 2.164, ""),
    "dotted_names": ({"Cu": 4}, 8.935, ""),
    "dummy_site": ({"Cu": 4}, 8.935, "Q1: left out"),
    "formula_sum_brackets": ({"Ca": 1, "O": 2, "H": 2}, 0.686, ""),
    "hydrogen_deuterium_site": ({"Li": 4, "H": 4}, 0.777, ""),
    "hydrogens_not_located": ({"Ca": 1, "O": 2}, 2.185, "2 of the 2 H atoms in Ca H2 O2 have no position"),
    "mixed_label": ({"Nb": 3.2, "Zr": 0.8, "O": 4}, 4.020, ""),
    "mixed_type_symbol": ({"Si": 3, "Al": 1, "O": 4}, 1.622, ""),
    "monoclinic_unique_axis_c": ({"Ti": 2, "O": 4}, 1.760, ""),
    "occupancy_slightly_above_one": ({"Na": 4, "Cl": 4}, 2.164, ""),
    "operations_in_fifths": ({"Na": 5, "Cl": 5}, 1.082, ""),
    "origin_choice_code": ({"Si": 8}, 2.329, ""),
    "repeated_tag": ({"Cu": 4}, 8.935, ""),
    "rhombohedral_cell_number_only": ({"As": 2}, 5.784, ""),
    "space_group_full_symbol": ({"Na": 4, "Cl": 4}, 2.164, ""),
    "space_group_setting_suffix": ({"Si": 8}, 2.329, ""),
    "two_blocks_one_name": ({"Cu": 4}, 8.935, "'cu' occurs twice"),
    "type_unknown_label_known": ({"Na": 4, "Cl": 4}, 2.164, ""),
}


def contents(crystal: Crystal) -> dict[str, float]:
    found: dict[str, float] = {}
    for number, share in zip(crystal.atomic_numbers.tolist(), crystal.weights.tolist(), strict=True):
        symbol = gemmi.Element(number).name
        found[symbol] = found.get(symbol, 0.0) + share
    return found


def only(text: str) -> Crystal:
    ((_, crystal),) = read_cif(text, "x.cif", ReadingOptions())
    return crystal


def check(crystal: Crystal, atoms: dict[str, float], density: float, warning: str) -> None:
    assert contents(crystal) == pytest.approx(atoms)
    assert crystal.density == pytest.approx(density, rel=1e-3)
    if warning:
        assert len(crystal.warnings) == 1 and warning in crystal.warnings[0]
    else:
        assert crystal.warnings == ()


@pytest.mark.parametrize("name", READ)
def test_cases(name: str) -> None:
    check(only((CASES / f"{name}.cif").read_text()), *READ[name])


def test_each_block_is_a_crystal() -> None:
    crystals = read_cif((CASES / "two_structures.cif").read_text(), "x.cif", ReadingOptions())
    assert [(name, contents(crystal)) for name, crystal in crystals] == [("cu", {"Cu": 4}), ("ag", {"Ag": 4})]
    assert crystals[1].crystal.density == pytest.approx(10.503, rel=1e-3)


def test_two_full_species_on_one_site_are_named() -> None:
    with pytest.raises(InvalidStructureError, match=r"Na1 1 \+ K1 1 overlap .* add up to 2"):
        only((CASES / "two_full_species_one_site.cif").read_text())


def test_every_case_is_tested() -> None:
    assert {path.stem for path in CASES.glob("*.cif")} == {*READ, "two_structures", "two_full_species_one_site"}


CELL = dict.fromkeys(["length_a", "length_b", "length_c"], "5.64") | dict.fromkeys(
    ["angle_alpha", "angle_beta", "angle_gamma"], "90"
)
SALT = ("Na1 Na 0 0 0", "Cl1 Cl 0.5 0.5 0.5")
COLUMNS = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")


def cif(
    *header: str, sites: tuple[str, ...] = SALT, columns: tuple[str, ...] = COLUMNS, operations: str = "", **cell: str
) -> str:
    """Return a CIF of rock salt in which each part can be replaced. Operations are separated by semicolons."""
    lines = ["data_x", *header, *(f"_cell_{name} {value}" for name, value in (CELL | cell).items() if value)]
    if operations:
        lines += ["loop_", "_space_group_symop_operation_xyz", *(f"'{text.strip()}'" for text in operations.split(";"))]
    return "\n".join([*lines, "loop_", *(f"_atom_site_{name}" for name in columns), *sites, ""])


FCC = "_space_group_name_H-M_alt 'F m -3 m'"
ROCK_SALT = {"Na": 4, "Cl": 4}
OCCUPIED = (*COLUMNS, "occupancy")
FACES = "x,y,z; x,y+1/2,z+1/2; x+1/2,y,z+1/2; x+1/2,y+1/2,z"


@pytest.mark.parametrize(
    "symbol",
    [
        *("F m -3 m", "Fm-3m", "F_m_-3_m", "F m 3 m", "Fm3m", "F 4/m -3 2/m", "F4/m-32/m", "f m -3 m", "FM-3M"),
        *("Oh^5", "F m -3 m (225)", "Fm-3m #225", "F m \u22123 m", "Fm3\u0305m", "F m -3 m :1", r"F m \bar{3} m"),
    ],
)
def test_spellings_of_a_symbol(symbol: str) -> None:
    tag = "_space_group_name_Schoenflies" if "^" in symbol else "_symmetry_space_group_name_H-M"
    check(only(cif(f"{tag} '{symbol}'")), ROCK_SALT, 2.164, "")


@pytest.mark.parametrize(
    "header",
    [
        "_space_group_name_Hall '-F 4 2 3'",
        "_symmetry_space_group_name_Hall '-F_4_2_3'",
        "_space_group_IT_number 225",
        "_symmetry_Int_Tables_number 225",
        "_symmetry_Int_Tables_number '225'",
        "_symmetry_Int_Tables_number 'F m -3 m'",
        "_space_group_name_H-M_full 'F 4/m -3 2/m'",
    ],
)
def test_symmetry_is_stated_in_many_ways(header: str) -> None:
    check(only(cif(header)), ROCK_SALT, 2.164, "")


DIAMOND = dict.fromkeys(["length_a", "length_b", "length_c"], "5.431")


@pytest.mark.parametrize(
    ("symbol", "place"),
    [
        ("F d -3 m S", "0 0 0"),
        ("Fd-3mS", "0 0 0"),
        ("Fd-3mZ", "0.125 0.125 0.125"),
        ("F d -3 m Z", "0.125 0.125 0.125"),
        ("F d -3 m :1", "0 0 0"),
        ("Fd-3m:2", "0.125 0.125 0.125"),
        ("F d -3 m (origin choice 2)", "0.125 0.125 0.125"),
        ("F 41/d -3 2/m :2", "0.125 0.125 0.125"),
    ],
)
def test_origin_choice_in_the_symbol(symbol: str, place: str) -> None:
    text = cif(f"_space_group_name_H-M_alt '{symbol}'", sites=(f"Si1 Si {place}",), **DIAMOND)
    check(only(text), {"Si": 8}, 2.329, "")


@pytest.mark.parametrize("place", ["0 0 0", "0.125 0.125 0.125"])
@pytest.mark.parametrize("fact", ["_exptl_crystal_density_diffrn 2.33", "_cell_formula_units_Z 8", ""])
def test_origin_choice_by_what_the_file_states(fact: str, place: str) -> None:
    """Density, Z, or else the shortest distance (2.35 Å, not 1.92 Å) decides; only then with a warning."""
    header = ["_space_group_name_H-M_alt 'F d -3 m'", "_chemical_formula_sum Si", *([fact] if fact else [])]
    crystal = only(cif(*header, sites=(f"Si1 Si {place}",), **DIAMOND))
    check(crystal, {"Si": 8}, 2.329, "" if fact else "leaves 2 settings open")


# Idealised structures: symbol, number, lengths of the cell, sites in one or more origins or settings, atoms.
PROTOTYPES = {
    "spinel": (
        ("F d -3 m", 227, (8.1, 8.1, 8.1), {"Mg": 8, "Al": 16, "O": 32}),
        ("Mg Mg 0 0 0", "Al Al .625 .625 .625", "O O .3875 .3875 .3875"),
        ("Mg Mg .125 .125 .125", "Al Al .5 .5 .5", "O O .2625 .2625 .2625"),
    ),
    "anatase": (
        ("I 41/a m d", 141, (3.8, 3.8, 9.5), {"Ti": 4, "O": 8}),
        ("Ti Ti 0 0 0", "O O 0 0 .208"),
        ("Ti Ti 0 .75 .125", "O O 0 .75 .333"),
        ("Ti Ti 0 .25 .375", "O O 0 .25 .167"),
    ),
    "lead oxide": (
        ("P 4/n m m", 129, (3.8, 3.8, 5.5), {"Fe": 2, "Se": 2}),
        ("Fe Fe 0 0 0", "Se Se 0 .5 .267"),
        ("Fe Fe .75 .25 0", "Se Se .25 .25 .267"),
    ),
    "olivine": (
        ("", 62, (10.2, 6.0, 4.75), {"Mg": 8, "Si": 4, "O": 16}),
        (
            *("Mg1 Mg 0 0 0", "Mg2 Mg .277 .25 .991", "Si Si .094 .25 .426"),
            *("O1 O .091 .25 .766", "O2 O .447 .25 .221", "O3 O .163 .033 .278"),
        ),
    ),
}


@pytest.mark.parametrize("name", PROTOTYPES)
@pytest.mark.parametrize("by", ["symbol", "number"])
def test_origin_and_setting_by_distances(name: str, by: str) -> None:
    """Neither Z nor density is stated: the setting with usual distances is the right one."""
    (symbol, number, lengths, atoms), *variants = PROTOTYPES[name]
    if by == "symbol" and not symbol:
        return
    header = f"_space_group_name_H-M_alt '{symbol}'" if by == "symbol" else f"_space_group_IT_number {number}"
    cell = dict(zip(("length_a", "length_b", "length_c"), map(str, lengths), strict=True))
    for sites in variants:
        assert contents(only(cif(header, sites=sites, **cell))) == atoms


def test_the_setting_of_other_axes() -> None:
    """Olivine in P b n m with only the number of P n m a: the axes are permuted."""
    (_, _, lengths, atoms), sites = PROTOTYPES["olivine"]
    permuted = []
    for site in sites:
        label, symbol, x, y, z = site.split()
        permuted.append(f"{label} {symbol} {z} {x} {y}")
    cell = {"length_a": str(lengths[2]), "length_b": str(lengths[0]), "length_c": str(lengths[1])}
    crystal = only(cif("_space_group_IT_number 62", sites=tuple(permuted), **cell))
    assert contents(crystal) == atoms and "(P b n m; " in crystal.warnings[0]


def test_symbols_that_contradict_each_other() -> None:
    contents_stated = ("_chemical_formula_sum 'Na Cl'", "_cell_formula_units_Z 4")
    crystal = only(cif(FCC, "_space_group_IT_number 221", *contents_stated))
    check(crystal, ROCK_SALT, 2.164, "'F m -3 m' and no. 221 are different groups")


def test_axes_by_the_cell() -> None:
    """`R -3 m` in hexagonal and in rhombohedral axes, with contradicting suffixes in the second half."""
    for symbol in ("R -3 m", "R -3 m H", "R -3 m :H", "R -3 m HR"):
        hexagonal = cif(
            f"_space_group_name_H-M_alt '{symbol}'",
            sites=("As1 As 0 0 0.227",),
            length_a="3.7598",
            length_b="3.7598",
            length_c="10.5475",
            angle_gamma="120",
        )
        check(only(hexagonal), {"As": 6}, 5.781, "")
    for symbol in ("R -3 m", "R -3 m R", "R -3 m :R", "R-3m:r"):
        lengths = dict.fromkeys(["length_a", "length_b", "length_c"], "4.131")
        angles = dict.fromkeys(["angle_alpha", "angle_beta", "angle_gamma"], "54.13")
        header = f"_space_group_name_H-M_alt '{symbol}'"
        check(only(cif(header, sites=("As1 As 0.227 0.227 0.227",), **lengths, **angles)), {"As": 2}, 5.784, "")


@pytest.mark.parametrize("symbol", ["P 21/c", "P21/c", "P 1 21/c 1", "P 2(1)/c", "P 2_1/c", "C2h^5", "P 1 2_1/c 1"])
def test_short_and_full_monoclinic_symbols(symbol: str) -> None:
    text = cif(f"_space_group_name_H-M_alt '{symbol}'", sites=("Zr1 Zr 0.27 0.04 0.21",), angle_beta="99")
    reference = cif(operations="x,y,z; -x,y+1/2,-z+1/2; -x,-y,-z; x,-y+1/2,z+1/2", sites=("Zr1 Zr 0.27 0.04 0.21",))
    expected = only(reference.replace("_cell_angle_beta 90", "_cell_angle_beta 99"))
    np.testing.assert_allclose(only(text).positions, expected.positions, atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new"), [("A b m 2", "A e m 2"), ("C m c a", "C m c e"), ("C c c a :2", "C c c e :2"), ("A b a 2", "Aea2")]
)
def test_glide_planes_e(old: str, new: str) -> None:
    cell = {"length_a": "5.1", "length_b": "7.3", "length_c": "9.7"}
    crystals = [
        only(cif(f"_space_group_name_H-M_alt '{symbol}'", sites=("Zn1 Zn 0.13 0.07 0.21",), **cell))
        for symbol in (old, new)
    ]
    np.testing.assert_allclose(crystals[0].positions, crystals[1].positions)


@pytest.mark.parametrize(
    "operations",
    [
        FACES,
        "X,Y,Z; X, 1/2+Y, Z+.5; x+0.5,+y,1/2+z; +x+1/2 , y + 1/2, z",
        "x,y,z; x,\u00bd+y,\u00bd+z; \u00bd+x,y,\u00bd+z; x+\u00bd,y+\u00bd,z",
        "x,y,z; x,y+0.5,z+0.5; x+0.500,y,z+0.500; x+2/4,y+3/6,z",
        "x, 1/2+y, 1/2+z; 1/2+x, y, 1/2+z; 1/2+x, 1/2+y, z",
    ],
)
def test_spellings_of_operations(operations: str) -> None:
    check(only(cif(operations=operations)), ROCK_SALT, 2.164, "")


@pytest.mark.parametrize("operation", ["x,y", "x+1/,y,z", "a,b,c", "x,y,w", "x,x,z", "2*x,y,z", "x+1/0,y,z", "?,y,z"])
def test_an_operation_that_is_not_understood_is_named(operation: str) -> None:
    with pytest.raises(InvalidStructureError, match=r"symmetry operation .* not understood") as error:
        only(cif(operations=f"x,y,z; {operation}"))
    assert operation in str(error.value)


def test_an_incomplete_list_of_operations_is_completed() -> None:
    generators = "x,y,z; x,y+1/2,z+1/2; x+1/2,y,z+1/2"
    check(only(cif(operations=generators)), ROCK_SALT, 2.164, "3 listed operations are not a group; the 4 of")
    check(only(cif(FCC, operations=generators)), ROCK_SALT, 2.164, "the 192 of 'F m -3 m' were used")


def test_a_mistyped_operation_of_the_stated_group() -> None:
    mistyped = FACES.replace("x+1/2,y,z+1/2", "x+1/2,y,z+1/3")
    text = cif("_space_group_name_H-M_alt 'F 2 2 2'", operations=mistyped)
    check(only(text), ROCK_SALT, 2.164, "the 16 of 'F 2 2 2' were used")
    with pytest.raises(InvalidStructureError, match="generate no space group"):
        only(cif(operations="x,y,z; x+0.0123,y+0.0321,z+0.0213; y,z,x+0.0047"))


def test_operations_count_more_than_the_symbol() -> None:
    crystal = only(cif("_space_group_name_H-M_alt 'P m -3 m'", operations=FACES))
    check(crystal, ROCK_SALT, 2.164, "the file lists 4 operations that differ from 'P m -3 m'")


def test_a_lone_identity_next_to_a_symbol() -> None:
    """Programs that lose the operations write the identity only. What fits is read, and a warning says so."""
    for header in ((FCC,), (FCC, "_chemical_formula_sum 'Na Cl'", "_cell_formula_units_Z 4")):
        check(only(cif(*header, operations="x,y,z")), ROCK_SALT, 2.164, "those of 'F m -3 m' were used")
    full = [f"{e}{i} {e} {x} {y} {z}" for i, (e, x, y, z) in enumerate(everyone())]
    crystal = only(cif("_space_group_name_H-M_alt 'I m -3 m'", operations="x,y,z", sites=tuple(full)))
    check(crystal, ROCK_SALT, 2.164, "the file lists 1 operation that differs from 'I m -3 m'")
    check(only(cif(FCC, operations="x,y,z", sites=tuple(full))), ROCK_SALT, 2.164, "")


def everyone() -> list[tuple[str, float, float, float]]:
    faces = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
    return [("Na", *place) for place in faces] + [("Cl", (x + 0.5) % 1, y, z) for x, y, z in faces]


@pytest.mark.parametrize("symbol", ["F m -3 q", "xyz", "P 99"])
def test_a_symbol_that_is_not_understood(symbol: str) -> None:
    header = f"_space_group_name_H-M_alt '{symbol}'"
    with pytest.raises(InvalidStructureError, match=f"space group '{symbol}' not understood"):
        only(cif(header))
    check(only(cif(header, "_space_group_IT_number 225")), ROCK_SALT, 2.164, "read as no. 225")
    check(only(cif(header, operations=FACES)), ROCK_SALT, 2.164, "")


def test_a_number_of_no_space_group_is_an_error() -> None:
    with pytest.raises(InvalidStructureError, match=r"space group no\. 231 not understood"):
        only(cif("_space_group_IT_number 231"))


def test_without_symmetry() -> None:
    with pytest.raises(InvalidStructureError, match=r"no stated symmetry the cell has 2 atoms.*Z: the file states 4"):
        only(cif("_chemical_formula_sum 'Na Cl'", "_cell_formula_units_Z 4"))
    with pytest.raises(InvalidStructureError, match=r"density: the file states 2.164"):
        only(cif("_exptl_crystal_density_diffrn 2.164"))
    check(only(cif()), {"Na": 1, "Cl": 1}, 0.541, "neither a symbol nor operations stated")
    check(only(cif("_chemical_formula_sum 'Na Cl'", "_cell_formula_units_Z 1")), {"Na": 1, "Cl": 1}, 0.541, "")


def test_stated_quantities_that_disagree() -> None:
    right = (FCC, "_chemical_formula_sum 'Na Cl'")
    check(only(cif(*right, "_exptl_crystal_density_diffrn 2164", "_exptl_crystal_F_000 112")), ROCK_SALT, 2.164, "")
    text = cif(*right, "_cell_formula_units_Z 8", "_exptl_crystal_density_diffrn 2.16(2)")
    check(only(text), ROCK_SALT, 2.164, "Z: the file states 8 x Na Cl, the sites give 4")
    check(only(cif(FCC, "_exptl_crystal_density_diffrn 2.3")), ROCK_SALT, 2.164, "density: the file states 2.3 g/cm³")
    check(only(cif(FCC, "_cell_volume 200")), ROCK_SALT, 2.164, "volume of 200")
    with pytest.raises(InvalidStructureError, match=r"density: the file states 1.08"):
        only(cif(FCC, "_exptl_crystal_density_diffrn 1.08"))
    crystal = only(cif(FCC, "_chemical_formula_sum 'Na0.95 Cl'"))
    assert "composition: the file states Na0.95 Cl" in crystal.warnings[0]
    with pytest.raises(InvalidStructureError, match=r"do not match the formula .* truncated"):
        only(cif(FCC, "_chemical_formula_sum 'Na2 O'"))


@pytest.mark.parametrize(
    ("symbol", "label", "expected"),
    [
        *(("Na+", "A1", "Na"), ("Na1+", "A1", "Na"), ("NA", "A1", "Na"), (".", "Na1", "Na"), ("?", "NA(1)", "Na")),
        *(("7Li", "Li1", "Li"), ("D", "D1", "H"), ("T", "T1", "H"), ("2H", "x", "H"), ("?", "1Na", "Na")),
        *(("Fe3+", "M1", "Fe"), ("Fe+3", "M1", "Fe"), ("O2-", "x", "O"), ("?", "Owat", "O"), ("Cval", "x", "C")),
    ],
)
def test_elements(symbol: str, label: str, expected: str) -> None:
    crystal = only(cif(FCC, sites=(f"{label} {symbol} 0 0 0", SALT[1])))
    assert contents(crystal) == {expected: 4, "Cl": 4} and crystal.warnings == ()


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("'Si0.75Al0.25'", {"Si": 3, "Al": 1}),
        ("'0.75Si + 0.25Al'", {"Si": 3, "Al": 1}),
        ("'Si:0.75, Al:0.25'", {"Si": 3, "Al": 1}),
        ("Fe3+0.5Fe2+0.5", {"Fe": 4}),
        ("Li0.5Va0.5", {"Li": 2}),
        ("75%Si25%Al", {"Si": 3, "Al": 1}),
    ],
)
def test_mixtures(symbol: str, expected: dict[str, float]) -> None:
    assert contents(only(cif(FCC, sites=(f"M1 {symbol} 0 0 0", SALT[1])))) == pytest.approx(expected | {"Cl": 4})


def test_a_mixture_in_the_label() -> None:
    text = cif(FCC, sites=("Nb0.8Zr0.2 0 0 0", "O1 0.5 0.5 0.5"), columns=("label", "fract_x", "fract_y", "fract_z"))
    assert contents(only(text)) == pytest.approx({"Nb": 3.2, "Zr": 0.8, "O": 4})
    crystal = only(cif(FCC, sites=("Nb0.8Zr0.2 Nb 0 0 0", "O1 O 0.5 0.5 0.5")))
    assert contents(crystal) == pytest.approx({"Nb": 3.2, "Zr": 0.8, "O": 4})
    assert "Nb0.8Zr0.2: label states a mixture" in crystal.warnings[0]
    crystal = only(cif(FCC, sites=("Nb/Zr Nb 0 0 0", "O1 O 0.5 0.5 0.5")))
    assert contents(crystal) == {"Nb": 4, "O": 4} and "label names several elements" in crystal.warnings[0]
    rows = ("Nb/Zr Nb 0 0 0 .8", "Nb/Zr Zr 0 0 0 .2", "O1 O 0.5 0.5 0.5 1")
    crystal = only(cif(FCC, sites=rows, columns=OCCUPIED))
    assert contents(crystal) == pytest.approx({"Nb": 3.2, "Zr": 0.8, "O": 4}) and crystal.warnings == ()


@pytest.mark.parametrize("symbol", ["(Fe,Ni)", "Fe/Ni", "'Fe0.9 Ni'", "'0.9Fe + 0.3Ni'"])
def test_mixtures_without_valid_shares_are_named(symbol: str) -> None:
    with pytest.raises(InvalidStructureError, match=r"site M1: .* names several elements without valid shares"):
        only(cif(FCC, sites=(f"M1 {symbol} 0 0 0", SALT[1])))


@pytest.mark.parametrize("site", ["M1 M 0 0 0", "M1 ? 0 0 0", "T1 . 0 0 0", "A A 0 0 0", "M1 RF 0 0 0"])
def test_unknown_elements_are_named(site: str) -> None:
    with pytest.raises(InvalidStructureError, match=rf"atom 1 \({site.split()[0]}\): unknown element"):
        only(cif(FCC, sites=(site, SALT[1])))


def test_an_unknown_type_symbol_next_to_a_known_label() -> None:
    check(only(cif(FCC, sites=("Na1 Xy 0 0 0", SALT[1]))), ROCK_SALT, 2.164, "type symbol 'Xy' not understood")


@pytest.mark.parametrize("site", ["Q1 Q 0.3 0.3 0.3", "X1 X .3 .3 .3", "Va Va .25 .25 .25", "Vac1 ? .25 .25 .25"])
def test_dummies_and_vacancies_are_left_out(site: str) -> None:
    check(only(cif(FCC, sites=(*SALT, site))), ROCK_SALT, 2.164, f"sites {site.split()[0]}: left out")


def test_atoms_without_position() -> None:
    with pytest.raises(InvalidStructureError, match=r"atom 3 \(O\): x = \? is not a number"):
        only(cif(FCC, sites=(*SALT, "O1 O ? ? ?")))
    check(only(cif(FCC, sites=(*SALT, "H1 H ? ? ?"))), ROCK_SALT, 2.164, "H1: left out, since they have no position")
    flagged = cif(FCC, sites=(*(f"{s} d" for s in SALT), "O1 O . . . dum"), columns=(*COLUMNS, "calc_flag"))
    check(only(flagged), ROCK_SALT, 2.164, "O1: left out")
    with pytest.raises(InvalidStructureError, match="all listed sites are dummies"):
        only(cif(FCC, sites=("Q1 Q 0 0 0",)))


@pytest.mark.parametrize("symbol", ["OH", "H2O", "Wat", "OH2", "NH4"])
def test_hydrogen_written_as_a_part_of_a_site(symbol: str) -> None:
    crystal = only(cif(FCC, sites=(SALT[0], f"X1 {symbol} .5 .5 .5")))
    assert contents(crystal) == {"Na": 4, symbol[0] if symbol[0] == "N" else "O": 4}
    assert "hydrogen: that of sites X1 has no positions" in crystal.warnings[0]


@pytest.mark.parametrize(("shown", "sodium"), [("1.01", 4), ("0.985(12)", 4), (".", 4), ("0.75(2)", 3), ("0.5", 2)])
def test_occupancies(shown: str, sodium: float) -> None:
    crystal = only(cif(FCC, sites=(f"{SALT[0]} {shown}", f"{SALT[1]} 1"), columns=OCCUPIED))
    assert contents(crystal) == pytest.approx({"Na": sodium, "Cl": 4}) and crystal.warnings == ()
    assert crystal.is_ordered == (sodium == 4)


@pytest.mark.parametrize("shown", ["-0.2", "1.05", "x", "100"])
def test_invalid_occupancies_are_named(shown: str) -> None:
    with pytest.raises(InvalidStructureError, match=r"site Na1.* occupancy|site Na1: occupancy"):
        only(cif(FCC, sites=(f"{SALT[0]} {shown}", f"{SALT[1]} 1"), columns=OCCUPIED))


def test_occupancy_unknown_or_zero() -> None:
    rows = (f"{SALT[0]} ?", f"{SALT[1]} 1")
    check(only(cif(FCC, sites=rows, columns=OCCUPIED)), ROCK_SALT, 2.164, "unknown (?) for site Na1, read as 1")
    rows = (*(f"{site} 1" for site in SALT), "K1 K .25 .25 .25 0")
    check(only(cif(FCC, sites=rows, columns=OCCUPIED)), ROCK_SALT, 2.164, "K1: left out, since their occupancy is 0")


def test_one_element_on_one_site_is_one_atom() -> None:
    """Two oxidation states, or two isotopes."""
    rows = ("Fe1 Fe2+ 0 0 0 .33", "Fe2 Fe3+ 0 0 0 .67", f"{SALT[1]} 1")
    crystal = only(cif(FCC, sites=rows, columns=OCCUPIED))
    assert crystal.is_ordered and contents(crystal) == {"Fe": 4, "Cl": 4}


def test_sums_above_one_are_named() -> None:
    rows = ("Na1 Na 0 0 0 .7", "K1 K 0 0 0 .5", f"{SALT[1]} 1")
    with pytest.raises(InvalidStructureError, match=r"Na1 0.7 \+ K1 0.5 overlap .* add up to 1.2"):
        only(cif(FCC, sites=rows, columns=OCCUPIED))


@pytest.mark.parametrize("digits", [2, 3, 4, 6])
def test_rounded_special_positions(digits: int) -> None:
    """Magnesium at 1/3, 2/3, 1/4 of P 63/m m c: two atoms, however the coordinates are rounded."""
    place = f"{1 / 3:.{digits}f} {2 / 3:.{digits}f} 0.25"
    crystal = only(
        cif(
            "_space_group_name_H-M_alt 'P 63/m m c'",
            sites=(f"Mg1 Mg {place}",),
            length_a="3.209",
            length_b="3.209",
            length_c="5.211",
            angle_gamma="120",
        )
    )
    check(crystal, {"Mg": 2}, 1.737, "")


def test_partly_occupied_images_near_a_special_position() -> None:
    """A split position keeps its images; a rounded special position with a half-occupied atom does not."""
    mirror = "x,y,z; -x,y,z"
    rows = ("Na1 Na 0.03 0 0 0.5", f"{SALT[1]} 1")
    split = only(cif(operations=mirror, sites=rows, columns=OCCUPIED))
    assert contents(split) == {"Na": 1, "Cl": 1} and len(split) == 3
    rounded = only(cif(operations=mirror, sites=("Na1 Na 0.0003 0 0 0.5", f"{SALT[1]} 1"), columns=OCCUPIED))
    assert contents(rounded) == {"Na": 0.5, "Cl": 1} and len(rounded) == 2
    full = only(cif(operations=mirror, sites=("Na1 Na 0.03 0 0", SALT[1])))
    assert contents(full) == {"Na": 1, "Cl": 1} and "from a special position" in full.warnings[0]
    assert full.positions[0] == pytest.approx([0, 0, 0])


def test_stated_multiplicities() -> None:
    columns = (*COLUMNS, "symmetry_multiplicity")
    check(only(cif(FCC, sites=tuple(f"{site} 4" for site in SALT), columns=columns)), ROCK_SALT, 2.164, "")
    wrong = only(cif(FCC, sites=(f"{SALT[0]} 8", f"{SALT[1]} 4"), columns=columns))
    check(wrong, ROCK_SALT, 2.164, "multiplicity: the file states 8 for site Na1, the operations give 4")


def test_cells() -> None:
    check(only(cif(FCC, length_a="5.640(3)", angle_alpha="90.")), ROCK_SALT, 2.164, "")
    check(only(cif(FCC, angle_gamma="")), ROCK_SALT, 2.164, "_cell_angle_gamma is missing, read as 90")
    hexagonal = {"length_a": "3.209", "length_b": "3.209", "length_c": "5.211", "angle_gamma": ""}
    magnesium = cif("_space_group_name_H-M_alt 'P 63/m m c'", sites=("Mg Mg .3333 .6667 .25",), **hexagonal)
    check(only(magnesium), {"Mg": 2}, 1.737, "_cell_angle_gamma is missing, read as 120")
    stretched = only(cif(FCC, length_c="6.2"))
    assert "do not fit space group 'F m -3 m'" in stretched.warnings[0]


def test_cartesian_coordinates_of_an_oblique_cell() -> None:
    columns = ("label", "type_symbol", "Cartn_x", "Cartn_y", "Cartn_z")
    cell = {"length_a": "4", "length_b": "4", "length_c": "6", "angle_gamma": "120"}
    frame = gemmi.UnitCell(4, 4, 6, 90, 90, 120)
    place = frame.orthogonalize(gemmi.Fractional(1 / 3, 2 / 3, 0.25))
    text = cif(operations="x,y,z", sites=(f"Zn1 Zn {place.x} {place.y} {place.z}",), columns=columns, **cell)
    crystal = only(text)
    assert np.linalg.solve(crystal.cell.T, crystal.positions[0]) == pytest.approx([1 / 3, 2 / 3, 0.25])
    assert "axes not stated" in crystal.warnings[0]
    # a along y, as the matrix from fractional to Cartesian coordinates states
    matrix = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]]) @ np.array(frame.orth.mat.tolist())
    tags = [
        f"_atom_sites_Cartn_tran_matrix_{row + 1}{column + 1} {matrix[row, column]}"
        for row in range(3)
        for column in range(3)
    ]
    x, y, z = matrix @ [1 / 3, 2 / 3, 0.25]
    crystal = only(cif(*tags, operations="x,y,z", sites=(f"Zn1 Zn {x} {y} {z}",), columns=columns, **cell))
    assert np.linalg.solve(crystal.cell.T, crystal.positions[0]) == pytest.approx([1 / 3, 2 / 3, 0.25])
    assert crystal.warnings == ()


def test_magnetic_and_modulated_structures() -> None:
    listed = "loop_\n_space_group_symop_operation_xyz\n'x,y,z'"
    magnetic = cif(operations="x,y,z").replace(
        listed,
        "loop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\n-x,-y,-z,-1\n"
        "loop_\n_space_group_symop_magn_centering.xyz\nx,y,z,+1\nx,y+1/2,z+1/2,+1\nx+1/2,y,z+1/2,-1\nx+1/2,y+1/2,z,-1",
    )
    moments = "loop_\n_atom_site_moment.label\n_atom_site_moment.crystalaxis_x\nNa1 2.0\n"
    check(only(magnetic + moments), ROCK_SALT, 2.164, "magnetic moments: not used")
    modulated = cif("_cell_modulation_dimension 1", operations="x,y,z").replace(
        listed,
        "loop_\n_space_group_symop_ssg_operation_algebraic\nx1,x2,x3,x4\nx1,x2+1/2,x3+1/2,x4+1/2\n"
        "x1+1/2,x2,x3+1/2,-x4\nx1+1/2,x2+1/2,x3,x4",
    )
    check(only(modulated), ROCK_SALT, 2.164, "modulation: the average structure")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace(" ", "\t"),
        lambda text: "#\\#CIF_2.0\n" + text,
        lambda text: text.removeprefix("data_x\n"),
        lambda text: "# a comment\n\n" + text.removeprefix("data_x\n"),
        lambda text: text.replace("data_x", "DATA_x").replace("loop_", "LOOP_").replace("_cell_length", "_CELL_LENGTH"),
        lambda text: f"```cif\n{text}```\n",
        lambda text: text + "\x1a",
        lambda text: text.replace(" Na 0", "\xa0Na 0"),
        lambda text: text.replace("data_x", "data_"),
        lambda text: text + "\ndata_report\n_journal_year 1999\n",
    ],
)
def test_ways_to_store_the_text(change) -> None:
    check(only(change(cif(FCC))), ROCK_SALT, 2.164, "")


def test_syntax_that_gemmi_refuses() -> None:
    quotes = only(cif("_publ_author_name O'Brien 'x", FCC))
    assert contents(quotes) == ROCK_SALT and "read by the parser of pymatgen" in quotes.warnings[0]
    mail = only("Dear all, the structure:\n" + cif(FCC))
    check(mail, ROCK_SALT, 2.164, "text before the first data block (Dear all")


def test_repeated_tags() -> None:
    check(only(cif(FCC, "_cell_length_a 5.640")), ROCK_SALT, 2.164, "")
    check(only(cif(FCC, "_cell_length_a ?")), ROCK_SALT, 2.164, "")
    with pytest.raises(InvalidStructureError, match=r"_cell_length_a occurs twice .* \(5.7 and 5.64\)"):
        only(cif(FCC, "_cell_length_a 5.7"))
    check(only(cif(FCC, "_journal_year 1999", "_journal_year 2000")), ROCK_SALT, 2.164, "_journal_year occurs twice")


@pytest.mark.parametrize(
    ("formula", "sites"),
    [
        ("Na Cl", SALT),
        ("NaCl", SALT),
        ("Cl1 Na1", SALT),
        ("NA CL", SALT),
        ("Na, Cl", SALT),
        ("Na1.00(2) Cl", SALT),
        ("Na (Cl)", SALT),
    ],
)
def test_formulas(formula: str, sites: tuple[str, ...]) -> None:
    check(only(cif(FCC, f"_chemical_formula_sum '{formula}'", sites=sites)), ROCK_SALT, 2.164, "")


def test_an_unreadable_formula_is_named() -> None:
    check(only(cif(FCC, "_chemical_formula_sum 'rock salt'")), ROCK_SALT, 2.164, "formula: 'rock salt' not understood")


def test_an_invalid_block_does_not_hide_the_others() -> None:
    bad = cif(FCC, sites=("M1 M 0 0 0",)).replace("data_x", "data_bad")
    (_, good), (name, error) = read_cif(cif(FCC) + bad, "x.cif", ReadingOptions())
    check(good, ROCK_SALT, 2.164, "")
    assert name == "bad" and str(error).startswith("x.cif#bad: atom 1 (M1): unknown element 'M'")


def test_loops_without_values_and_blocks_without_atoms() -> None:
    empty = "loop_\n_symmetry_equiv_pos_site_id\n_symmetry_equiv_pos_as_xyz"
    check(only(cif(empty, FCC)), ROCK_SALT, 2.164, "")
    unknown = cif(sites=("? ? ? ? ?",)).replace("data_x", "data_reduced")
    check(only(cif(FCC) + unknown), ROCK_SALT, 2.164, "")


def test_groups_of_atoms_on_a_mixed_site() -> None:
    """Hydroxide and water share a site: their oxygen is one atom."""
    rows = (f"{SALT[0]} 1", "OH OH .5 .5 .5 .345", "OH2 OH2 .5 .5 .5 .655")
    crystal = only(cif(FCC, sites=rows, columns=OCCUPIED))
    assert crystal.is_ordered and contents(crystal) == {"Na": 4, "O": 4}
    assert "hydrogen: that of sites OH, OH2" in crystal.warnings[0]


def test_sites_that_are_images_of_one_position_share_it() -> None:
    """Two labels, two positions of one orbit, and more atoms than places: both sites are named."""
    rows = ("Na1 Na 0 0 0 .833", "O4 O 0.5 0.5 0 .333", f"{SALT[1]} 1")
    with pytest.raises(InvalidStructureError, match=r"Na1 0.833 \+ O4 0.333 overlap"):
        only(cif(FCC, sites=rows, columns=OCCUPIED))


def test_coordinates_and_cells_of_another_unit() -> None:
    far = only(cif(FCC, sites=("Na1 Na 1000 0 0", SALT[1])))
    check(far, ROCK_SALT, 2.164, "fractions beyond 20")
    with pytest.raises(InvalidStructureError, match="lattice vector of 56,400 Å"):
        parse_structure(cif(FCC, length_a="56400", length_b="56400", length_c="56400"))
    assert any("expected 0.1 to 30" in warning for warning in parse_structure(cif(FCC, length_c="564")).warnings)


def test_two_atoms_that_are_too_close_are_an_error_for_any_source() -> None:
    """Half the sum of the covalent radii: Na and Cl 1.2 Å apart. Hydrogen molecules are fine."""
    arrays = {"atomic_numbers": [11, 17], "positions": [[0, 0, 0], [1.2, 0, 0]], "cell": np.eye(3) * 5}
    extractor = ClacFeatureExtractor()
    with pytest.raises(InvalidStructureError, match=r"atoms 1 and 2 overlap \(1.20 Å apart\)"):
        extractor(arrays)
    extractor(arrays | {"atomic_numbers": [1, 1], "positions": [[0, 0, 0], [0.74, 0, 0]]})
    half = arrays | {"occupancy": [0.5, 0.5]}
    assert extractor(half)["edge_index"].shape[1] > 0


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_damaged_files_are_read_or_refused_in_one_line(random) -> None:
    """Characters and lines that are lost, doubled or exchanged never lead to another error."""
    name = random.choice(
        ["hydrogens_not_located", "origin_choice_code", "operations_in_fifths", "formula_sum_brackets"]
    )
    lines = (CASES / f"{name}.cif").read_text().splitlines()
    for _ in range(random.randint(1, 4)):
        first, second = random.randrange(len(lines)), random.randrange(len(lines))
        change = random.randrange(5)
        if change == 0:
            lines[first], lines[second] = lines[second], lines[first]
        elif change == 1:
            lines.insert(first, lines[second])
        elif change == 2:
            lines = lines[: max(first, 1)]
        else:
            place = random.randrange(len(lines[first]) + 1)
            inserted = random.choice(["", *"0123456789.?'_-+/xyz;#( "])
            lines[first] = lines[first][:place] + inserted + lines[first][place + (change == 3) :]
    try:
        for _, crystal in read_cif("\n".join(lines), "x.cif", ReadingOptions()):
            messages = [str(crystal)] if isinstance(crystal, InvalidStructureError) else crystal.warnings
            assert all("\n" not in message for message in messages)
    except InvalidStructureError as error:
        assert str(error).startswith("x.cif: ") and "\n" not in str(error)


def test_two_full_species_on_one_site_without_symmetry() -> None:
    with pytest.raises(InvalidStructureError, match=r"Na1 1 \+ K1 1 overlap"):
        only(cif(operations="x,y,z", sites=(*SALT, "K1 K 0 0 0")))


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("(N H4)2 S O4", "N2 H8 S O4"),
        ("Cu S O4 (H2 O)5", "Cu S O9 H10"),
        ("C6 H6 O2, 2(H2 O)", "C6 H10 O4"),
        ("Na Cl 0.5(H2 O)", "Na Cl H O0.5"),
        ("Na2 (S O4) . 10(H2 O)", "Na2 S O14 H20"),
        ("[Co (N H3)6] Cl3", "Co N6 H18 Cl3"),
        ("Li6.75 La3 Zr1.75 Ta0.25 O12", "Li6.75 La3 Zr1.75 Ta0.25 O12"),
        ("C2 D6 O", "C2 H6 O"),
    ],
)
def test_formulas_of_groups_and_hydrates(formula: str, amounts: str) -> None:
    expected = Composition(amounts.replace(" ", "")).get_el_amt_dict()
    assert read_amounts(formula) == pytest.approx({Element(e).Z: amount for e, amount in expected.items()})
