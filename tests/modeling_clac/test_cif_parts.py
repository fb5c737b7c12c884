"""Parts of CIFs by themselves: what occupies a site, symmetry operations and settings, sites and their images."""

from __future__ import annotations

import itertools

import gemmi
import numpy as np
import pytest
from pymatgen.core import Element

from modeling_clac import cif_sites_clac, cif_symmetry_clac
from modeling_clac.cif_blocks_clac import CifBlock
from modeling_clac.cif_sites_clac import Sites, expand, has_atoms, read_sites
from modeling_clac.cif_species_clac import Species, element_of, names_several, species_of_label, species_of_symbol
from modeling_clac.cif_symmetry_clac import (
    TRIVIAL,
    Operations,
    TooManyOperationsError,
    generated_group,
    hall_setting,
    listed_operations,
    named_settings,
    parse_operation,
)
from modeling_clac.errors_clac import InvalidStructureError

# ------------------------------------------------------------------------------------------------ species


# In `Lv` the v is read as that of `Cval`.
@pytest.mark.parametrize("number", sorted(set(range(1, 119)) - {116}))
def test_all_elements(number: int) -> None:
    symbol = Element.from_Z(number).symbol
    spellings = (
        symbol,
        symbol.lower(),
        f"{symbol}3+",
        f"{symbol}+3",
        f"{symbol}2-",
        f"{symbol}(II)",
        f"{symbol}(3+)",
        f"12{symbol}",
    )
    assert [element_of(text) for text in spellings] == [number] * len(spellings)
    # In capitals, symbols of elements that hardly are in crystals are groups of atoms.
    in_capitals = element_of(symbol.upper())
    assert in_capitals == (0 if symbol in ("Po", "No") or (number > 103 and len(symbol) == 2) else number)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("D", 1), ("T", 1), ("d", 1), ("7Li", 3), ("'Fe'", 26), ('"Fe3+"', 26), ("Cval", 6), ("Cv", 6), ("O1", 8),
        ("Fe2.5+", 26),
        ("Fe0+", 26), ("Fe+++", 26), ("1234Li", 0), ("", 0), ("?", 0), ("A", 0), ("Xx", 0), ("FeO", 0),
        ("Fe/Ni", 0), ("Fe(X)", 26), ("12", 0),
    ],
)  # fmt: skip
def test_spellings_of_elements(text: str, number: int) -> None:
    assert element_of(text) == number


def one(number: int) -> Species:
    return Species(((number, 1.0),))


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("Fe2+", one(26)), ("Q", Species(())), ("Va", Species(())), ("X", Species(())), ("Dum", Species(())),
        ("\u25a1", Species(())), ("Q1", Species(())),
        ("Cnt(2)", Species(())), ("Lp-1", Species(())), ("Bq_2", Species(())), ("OW", one(8)), ("Ow3", one(8)),
        ("OWat1", one(8)), ("Owx", None),
        # Hydrogen that is part of a site.
        ("OH", Species(((8, 1.0),), 1)), ("OH2", Species(((8, 1.0),), 2)), ("NH4", Species(((7, 1.0),), 4)),
        ("BH4", Species(((5, 1.0),), 4)),
        ("CH3", Species(((6, 1.0),), 3)), ("OD", Species(((8, 1.0),), 1)), ("H2O", Species(((8, 1.0),), 2)),
        ("D2O", Species(((8, 1.0),), 2)),
        ("HOH", Species(((8, 1.0),), 2)), ("wat", Species(((8, 1.0),), 2)), ("TIP3", Species(((8, 1.0),), 2)),
        ("WATER", Species(((8, 1.0),), 2)),
        ("OH-", Species(((8, 1.0),), 1)), ("H3N", Species(((7, 1.0),), 3)), ("CH", Species(((6, 1.0),), 1)),
        # Mixtures, with amounts before or after the symbols.
        ("Si0.75Al0.25", Species(((14, 0.75), (13, 0.25)))), ("0.75Si+0.25Al", Species(((14, 0.75), (13, 0.25)))),
        ("Si:0.75, Al:0.25", Species(((14, 0.75), (13, 0.25)))), ("Si=.5;Al=.5", Species(((14, 0.5), (13, 0.5)))),
        ("1/2Si 1/2Al", Species(((14, 0.5), (13, 0.5)))), ("3/4 Fe + 1/4 Ni", Species(((26, 0.75), (28, 0.25)))),
        ("75%Si 25%Al", Species(((14, 0.75), (13, 0.25)))), ("Si75Al25", Species(((14, 0.75), (13, 0.25)))),
        ("Si50Al49", Species(((14, 0.5), (13, 0.49)))),
        ("Si50Al51", Species(((14, 0.5), (13, 0.51)))), ("Si50Al52", Species(((14, 50.0), (13, 52.0)), 0, True)),
        ("Si50Al48", Species(((14, 50.0), (13, 48.0)), 0, True)),
        ("Fe2+0.3Fe3+0.5Ni0.2", Species(((26, 0.8), (28, 0.2)))), ("Li0.5Va0.5", Species(((3, 0.5),))),
        ("Li0.5\u25a10.5", Species(((3, 0.5),))),
        ("0.25*Na 0.75*K", Species(((11, 0.25), (19, 0.75)))), ("Fe0.6Ni0.42", Species(((26, 0.6), (28, 0.42)))),
        ("Fe0.6Ni0.43", Species(((26, 0.6), (28, 0.43)), 0, True)), ("Fe0Ni0", Species(((26, 0.0),
        (28, 0.0)), 0, True)),
        ("(Fe,Ni)", Species(((26, 0.0), (28, 0.0)), 0, True)), ("Fe/Ni", Species(((26, 0.0), (28, 0.0)), 0, True)),
        ("Fe0.5Ni", Species(((26, 0.5), (28, 0.0)), 0, True)), ("{Fe0.5Ni0.5}", Species(((26, 0.5), (28, 0.5)))),
        ("[Fe_0.5Ni_0.5]", Species(((26, 0.5), (28, 0.5)))),
        # Nothing that is understood: unknown symbols, and one element only.
        ("M", None), ("Fe0.5", None), ("Fe0.5Xx0.5", None), ("Fe0.5!Ni0.5", None), ("0.5Fe0.5", None),
    ],
)  # fmt: skip
def test_symbols(symbol: str, expected: Species | None) -> None:
    found = species_of_symbol(symbol)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert [number for number, _ in found.shares] == [number for number, _ in expected.shares]
        assert [share for _, share in found.shares] == pytest.approx([share for _, share in expected.shares])
        assert found[1:] == expected[1:]


@pytest.mark.parametrize(
    ("label", "formula", "expected"),
    [
        ("Na1", "", one(11)), ("FE2A", "", one(26)), ("1Na", "", one(11)), ("C12", "", one(6)), ("O", "", one(8)),
        ("OW1", "", one(8)),
        # Two letters may be a symbol, or a symbol and a name: the formula decides.
        ("CO1", "", one(27)), ("CO1", "C O", one(6)), ("CO1", "Co O", one(27)), ("CA1", "C", one(6)),
        ("CA1", "C Ca", one(20)), ("HO2", "O", one(67)),
        ("HO2", "H O", one(1)), ("Cn1", "", one(6)), ("Hs1", "", one(1)), ("Lr1", "", one(103)),
        ("Nh1", "", one(7)), ("Rf1", "", one(104)),
        # Water, dummies, and tetrahedral sites.
        ("Wat1", "", Species(((8, 1.0),), 2)), ("TIP2", "", Species(((8, 1.0),), 2)),
        ("H2O1", "", Species(((8, 1.0),), 2)), ("D2O", "", Species(((8, 1.0),), 2)),
        ("HOH3", "", Species(((8, 1.0),), 2)), ("Q1", "", Species(())), ("Vac2", "", Species(())),
        ("Cg1", "", Species(())), ("Cg1", "C", one(6)), ("Du1", "", Species(())),
        ("X", "", Species(())), ("T1", "", None), ("T1", "H", None), ("Ti1", "", one(22)), ("Tl1", "", one(81)),
        ("M1", "", None), ("1", "", None), ("\u25a11", "", Species(())),
        # Mixtures.
        ("Nb0.8Zr0.2", "", Species(((41, 0.8), (40, 0.2)))), ("Fe/Ni1", "", Species(((26, 0.0),
        (28, 0.0)), 0, True)), ("Fe/Ni", "", Species(((26, 0.0), (28, 0.0)), 0, True)),
        ("O1.5", "", one(8)),
    ],
)  # fmt: skip
def test_labels(label: str, formula: str, expected: Species | None) -> None:
    elements = frozenset(Element(symbol).Z for symbol in formula.split())
    assert species_of_label(label, elements) == expected


@pytest.mark.parametrize(
    ("label", "several"),
    [
        ("Na1", False),
        ("Fe/Ni", True),
        ("Fe,Ni", True),
        ("Fe+Ni", True),
        ("Fe&Ni", True),
        ("Nb0.8", True),
        ("Nb.8", True),
        ("O1.", False),
        ("Li\u25a1", True),
        ("O_1", False),
    ],
)
def test_labels_that_may_name_several(label: str, several: bool) -> None:
    assert names_several(label) is several


# --------------------------------------------------------------------------------------------- operations


@pytest.mark.parametrize(
    ("text", "rotation", "translation"),
    [
        ("x,y,z", [[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 0, 0]), ("-x,-y,-z", -np.eye(3), [0, 0, 0]),
        ("x-y,x,z+1/6", [[1, -1, 0], [1, 0, 0], [0, 0, 1]], [0, 0, 1 / 6]),
        ("1/2-X, .25+y, z", np.diag([-1, 1, 1]), [0.5, 0.25, 0]),
        ("y , -x+3/4 ,0.3333+z", [[0, 1, 0], [-1, 0, 0], [0, 0, 1]], [0, 0.75, 1 / 3]),
        ("-x,y,z,-1", np.diag([-1, 1, 1]), [0, 0, 0]),
        ("x1,x2,-x3,x4+1/2", np.diag([1, 1, -1]), [0, 0, 0]), ("x;y;z", np.eye(3), [0, 0, 0]),
        ("[x,y,z]", np.eye(3), [0, 0, 0]),
        ("2/3*x-1/3*y, x/1, z", None, None), ("x+1/2+1/4,y-1/4,z", np.eye(3), [0.75, -0.25, 0]),
        ("1*x,y,z", np.eye(3), [0, 0, 0]),
        # Rounded twelfths are meant to be exact; other decimals are kept.
        ("x+0.33,y+0.667,z+.0833", np.eye(3), [1 / 3, 2 / 3, 1 / 12]),
        ("x+0.2,y+0.34,z+0.006", np.eye(3), [0.2, 0.34, 0.006]),
        ("x+0.2534,y+0.2536,z", np.eye(3), [0.25, 0.2536, 0]), ("x+0.2466,y+0.2464,z", np.eye(3), [0.25, 0.2464, 0]),
    ],
)  # fmt: skip
def test_operations(text: str, rotation: list[list[int]] | None, translation: list[float]) -> None:
    if rotation is None:
        with pytest.raises(ValueError, match="x"):
            parse_operation(text)
        return
    found = parse_operation(text)
    np.testing.assert_array_equal(found[0], np.array(rotation))
    np.testing.assert_allclose(found[1], translation, atol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "", "x,y", "x,y,", ",y,z", "x,y,w", "xy,z,x", "x y,z,x", "x+1/0,y,z", "x+1/00,y,z", "2x,y,z", "x,x,z",
        "x+/2,y,z", "x,y,z+", "x,y,z-1/", "x,y,z/0",
        "x,y,1/2", "x,y,2*z", "x+y,x+y,z", "x,y,z+1e400",
        "x," + "+0" * 200 + "y,z", "x,y,0.99*z",
    ],
)  # fmt: skip
def test_texts_that_are_no_operations(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_operation(text)


def test_long_operations() -> None:
    assert parse_operation("x" + "+0" * 147 + ",y,z")[1].tolist() == [0, 0, 0]  # 299 characters
    with pytest.raises(ValueError, match="x"):
        parse_operation("x" + "+0" * 148 + ",y,z")


def text_of(operations: Operations) -> tuple[str, ...]:
    return tuple(
        gemmi.Op(str_of(r, t)).triplet() for r, t in zip(operations.rotations, operations.translations, strict=True)
    )


def str_of(rotation: np.ndarray, translation: np.ndarray) -> str:
    rows = []
    for row, shift in zip(rotation, translation, strict=True):
        terms = "".join(f"{'+' if value > 0 else '-'}{axis}" for value, axis in zip(row, "xyz", strict=True) if value)
        rows.append(f"{terms}+{round(shift % 1 * 24)}/24")
    return ",".join(rows)


@pytest.mark.parametrize(
    "number", [1, 2, 5, 14, 19, 43, 62, 88, 96, 122, 136, 146, 161, 167, 178, 194, 198, 205, 214, 220, 225, 227, 230]
)
def test_groups(number: int) -> None:
    group = gemmi.get_spacegroup_reference_setting(number)
    operations = listed_operations(tuple(op.triplet() for op in group.operations()))
    assert len(operations) == len(list(group.operations())) and operations.is_group
    assert operations.number == number and operations.name == "the listed operations"
    np.testing.assert_array_equal(operations.rotations[0], np.eye(3))
    assert not operations.translations[0].any()
    # All but the identity, in another order, with doubles and lattice translations.
    listed = [op.triplet() for op in group.operations()][::-1]
    shifted = [text.replace("z", "z+1") for text in listed]
    again = listed_operations((*listed[:-1], *shifted, "x,y,z"))
    assert again.keys == operations.keys and len(again) == len(operations)
    if len(operations) > 2:
        without = Operations(operations.rotations[:-1], operations.translations[:-1], "x")
        assert not without.is_group
        completed = generated_group(without)
        assert completed is not None and completed.keys == operations.keys and completed.is_group
    hall = hall_setting(group.hall)
    assert hall is not None and hall.keys == operations.keys and hall.name == repr(group.hall)
    assert hall_setting(group.hall.replace(" ", "_")) is not None
    assert operations.keys in [setting.keys for setting in named_settings(group.hm, number, "")]
    assert named_settings("", number, "")[0].keys == operations.keys


def test_operations_that_are_no_group() -> None:
    assert (hall_setting("Q 4") is None and hall_setting("") is None) or hall_setting("") is not None
    with pytest.raises(ValueError, match="a,b,c"):
        listed_operations(("x,y,z", "a,b,c"))
    odd = listed_operations(("x,y,z", "x+0.0123,y+0.0321,z+0.0213", "y,z,x+0.0047"))
    assert len(odd) == 3 and not odd.is_group and generated_group(odd) is None
    fifths = listed_operations(("x+1/5,y,z",))
    group = generated_group(fifths)
    assert group is not None and len(group) == 5 and group.is_group
    # Two operations whose translations differ by a step of less than 1/30240 are one.
    assert (
        len(listed_operations(("x,y,z", "x+0.00001,y,z"))) == 1
        and len(listed_operations(("x,y,z", "x+1/7,y,z", "x+1/9,y,z"))) == 3
    )
    assert TRIVIAL.is_group and TRIVIAL.number == 1 and len(TRIVIAL) == 1


def test_translations_in_all_fractions() -> None:
    """Sevenths, eighths, ninths and tenths are groups: their multiples differ until they meet after one cell."""
    for divisor in range(2, 11):
        listed = tuple(f"x+{step}/{divisor},y,z" for step in range(divisor))
        operations = listed_operations(listed)
        assert len(operations) == divisor and operations.is_group, divisor


def test_numbers_of_operations() -> None:
    many = tuple(f"x+{i}/10,y+{j}/10,z+{k}/10" for i, j, k in itertools.product(range(10), repeat=3))[1:]
    assert len(listed_operations(many)) == 1000
    for text in ("x+1/7,y,z", "-x,-y,-z"):
        with pytest.raises(TooManyOperationsError, match="1,001 symmetry operations listed; expected at most 1,000"):
            listed_operations((*many, text))
    assert len(listed_operations(("x,y,z",) * 10_000)) == 1
    with pytest.raises(TooManyOperationsError, match="10,001"):
        listed_operations(("x,y,z",) * 10_001)
    with pytest.raises(TooManyOperationsError, match="10,002"):
        listed_operations(("x,y,z",) * 5_001, ("x,y,z", "x+1/2,y,z"))
    centred = listed_operations(("x,y,z", "-x,-y,-z"), ("x,y,z", "x+1/2,y+1/2,z+1/2"))
    assert len(centred) == 4 and centred.is_group and centred.number == 2
    assert cif_symmetry_clac._MAX_OPERATIONS == 1_000 and cif_symmetry_clac._MAX_LISTED == 10_000


@pytest.mark.parametrize(
    ("lengths", "angles", "number", "fits"),
    [
        ((5, 5, 5), (90, 90, 90), 225, True), ((5, 5, 5.09), (90, 90, 90), 225, True), ((5, 5, 5.12),
        (90, 90, 90), 225, False),
        ((5, 5, 8), (90, 90, 120), 194, True), ((5, 5, 8), (90, 90, 90), 194, False), ((5, 5, 8),
        (90, 90, 121), 194, True), ((5, 6, 8), (90, 90, 120), 194, False),
        ((5, 6, 7), (90, 105, 90), 14, True), ((5, 6, 7), (90, 105, 91), 14, True), ((5, 6, 7),
        (90, 105, 92), 14, False), ((5, 6, 7), (80, 95, 103), 2, True),
        ((5, 6, 7), (90, 90, 90), 62, True), ((5, 6, 7), (90, 91.3, 90), 62, False), ((50, 50, 50.9),
        (90, 90, 90), 225, True), ((50, 50, 51.2), (90, 90, 90), 225, False),
    ],
)  # fmt: skip
def test_cells_that_fit_a_group(lengths: tuple[float, ...], angles: tuple[float, ...], number: int, fits: bool) -> None:
    """Lengths may differ by 2 %, and cosines by 0.04 for a mirror plane or twofold axis, which reverses them."""
    cell = np.array(gemmi.UnitCell(*lengths, *angles).orth.mat.tolist()).T
    assert named_settings("", number, "")[0].fits(cell) is fits


@pytest.mark.parametrize(
    ("symbol", "number", "code", "count", "first"),
    [
        ("", 225, "", 1, "F m -3 m"), ("", 227, "", 2, "F d -3 m:2"), ("", 227, "1", 1, "F d -3 m:1"),
        ("", 227, "2", 1, "F d -3 m:2"), ("", 166, "", 2, "R -3 m:H"),
        ("", 166, "r", 1, "R -3 m:R"), ("", 166, "h", 1, "R -3 m:H"), ("R -3 m", None, "R", 1, "R -3 m:R"),
        ("R-3mR", None, "", 1, "R -3 m:R"),
        ("R -3 m (rhombohedral axes)", None, "", 1, "R -3 m:R"), ("R -3 m hex", None, "", 1, "R -3 m:H"),
        ("R-3mHR", None, "", 1, "R -3 m:H"), ("R-3mRH", None, "", 1, "R -3 m:H"),
        ("Fd-3mS", None, "", 1, "F d -3 m:1"), ("Fd-3mZ", None, "", 1, "F d -3 m:2"),
        ("F d -3 m at origin choice 1", None, "", 1, "F d -3 m:1"), ("F d -3 m", None, "9", 2, "F d -3 m:2"),
        ("P 21/c", None, "", None, "P 1 21/c 1"), ("P 21/c", 14, "b1", None, "P 1 21/c 1"),
        ("", 14, "c1", None, "P 1 1 21/a"), ("P n m a", 62, "", 1, "P n m a"),
        ("", 62, "cab", 1, "P b n m"),
        ("P b n m", None, "", 1, "P b n m"),
        ("F m 3 m", None, "", 1, "F m -3 m"), ("Ia3d", None, "", 1, "I a -3 d"),
        ("P 6_3/m m c", None, "", 1, "P 63/m m c"), ("P 6<sub>3</sub>/mmc", None, "", 1, "P 63/m m c"),
        (r"F m \overline{3} m", None, "", 1, "F m -3 m"), ("Fm\u20133m", None, "", 1, "F m -3 m"),
        ("Cmce", None, "", 1, "C m c a"), ("D2h^16", None, "", None, "P n m a"),
        ("P m -3 m # cubic", None, "", 1, "P m -3 m"), ("P m -3 m No. 221", None, "", 1, "P m -3 m"),
        ("P m -3 m", 225, "", 1, "P m -3 m"), ("nonsense", None, "", 0, ""), ("nonsense", 225, "", 0, ""),
        ("", 231, "", 0, ""), ("", None, "", 0, ""),
    ],
)  # fmt: skip
def test_settings(symbol: str, number: int | None, code: str, count: int | None, first: str) -> None:
    found = named_settings(symbol, number, code)
    assert count is None or len(found) == count
    assert (found[0].name if found else "") == first


# -------------------------------------------------------------------------------------------------- sites

CELL = gemmi.UnitCell(5, 5, 5, 90, 90, 90)
BASIC = {
    "_atom_site_label": ["Na1", "Cl1"], "_atom_site_type_symbol": ["Na", "Cl"], "_atom_site_fract_x": ["0", "0.5"],
    "_atom_site_fract_y": ["0", "0.5"], "_atom_site_fract_z": ["0", "0.5"],
}  # fmt: skip


def sites(limit: int | None = None, /, **columns: list[str] | None) -> Sites:
    given = BASIC | {f"_atom_site_{name}": values for name, values in columns.items()}
    return read_sites(
        CifBlock("x", {tag: values for tag, values in given.items() if values}), CELL, frozenset(), "x", limit
    )


def test_plain_sites() -> None:
    found = sites()
    assert (found.labels, found.species, found.plain) == (["Na1", "Cl1"], [((11, 1.0),), ((17, 1.0),)], [11, 17])
    np.testing.assert_array_equal(found.fractional, [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    assert (found.multiplicities, found.warnings, found.incomplete) == ([], [], False)
    # Equal positions are checked later, with the names of the sites.
    assert sites(fract_x=["0", "0"], fract_y=["0", "0"], fract_z=["0", "0"]).plain == []
    # Labels alone, and type symbols alone.
    assert sites(type_symbol=None).plain == [11, 17] and sites(label=None).labels == ["Na1", "Cl2"]
    assert sites(label=["'Na 1'", '"Cl1"']).labels in (["'Na 1'", '"Cl1"'], ["Na 1", "Cl1"])
    assert sites(label=["Na1"]).labels == ["Na1", "Cl2"]
    for one_of in ("1", "1.0", "1.00", "1.000", "1.0000", "1.000000", "1.0(1)"):
        assert sites(occupancy=[one_of, "1"]).plain == [11, 17]
    assert sites(symmetry_multiplicity=["4", "4"]).multiplicities == ["4", "4"]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"occupancy": ["1"]}, "1 occupancies for 2 atoms"),
        ({"occupancy": ["0.5", "1", "1"]}, "3 occupancies for 2 atoms"),
        ({"fract_y": ["0"]}, "atoms without y coordinate"),
        ({"fract_z": ["0", "0", "0"]}, "atoms without z coordinate"),
        ({"fract_x": ["?", "0"]}, r"atom 1 \(Na\): x = \? is not a number"),
        ({"fract_z": ["0", "a"]}, r"atom 2 \(Cl\): z = a is not a number"),
        ({"type_symbol": ["Na", "?"], "fract_y": ["0", "."]}, r"atom 2 \(Cl1\): y = \. is not"),
        ({"occupancy": ["1", "1.03"]}, "site Cl1 has occupancy 1.03"),
        ({"occupancy": ["-0.1", "1"]}, "site Na1 has occupancy -0.1"),
        ({"occupancy": ["a", "1"]}, "occupancy a is not a number"),
        ({"type_symbol": ["Na", "Xx"], "label": ["Na1", "M1"]}, r"atom 2 \(M1\): unknown element 'Xx'"),
        ({"type_symbol": ["?", "Cl"], "label": ["M1", "Cl1"]}, r"atom 1 \(M1\): unknown element"),
        ({"type_symbol": ["(Fe,Ni)", "Cl"]}, "names several elements without valid shares"),
        ({"type_symbol": ["Q", "X"]}, "all listed sites are dummies"),
    ],
)  # fmt: skip
def test_sites_that_are_refused(columns: dict[str, list[str]], reason: str) -> None:
    with pytest.raises(InvalidStructureError, match=f"^x: .*{reason}|^x: {reason}"):
        sites(**columns)


def test_numbers_of_sites() -> None:
    assert len(sites(2).labels) == 2
    with pytest.raises(InvalidStructureError, match="2 atoms in the cell exceed the limit of 1"):
        sites(1)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [(["1.02", "1"], [1.02, 1]), (["0.5", "0.25"], [0.5, 0.25]), ([".", "1"], [1, 1]), (["0.75(2)", "1"], [0.75, 1])],
)
def test_occupancies_of_sites(shares: list[str], expected: list[float]) -> None:
    found = sites(occupancy=shares)
    assert [own[0][1] for own in found.species] == expected and found.warnings == []
    assert found.plain == ([11, 17] if expected == [1, 1] else [])


def test_sites_with_doubt() -> None:
    assert sites(occupancy=["?", "1"]).warnings == ["occupancy: unknown (?) for site Na1, read as 1"]
    assert sites(type_symbol=["Xy", "Cl"]).warnings == ["site Na1: type symbol 'Xy' not understood; its label was used"]
    assert sites(type_symbol=["?", "Cl"]).warnings == [] and sites(type_symbol=["?", "."]).plain == [11, 17]
    mixed = sites(label=["Na0.5K0.5", "Cl1"])
    assert (
        mixed.species[0] == ((11, 0.5), (19, 0.5))
        and "label states a mixture, type symbol Na; the label" in mixed.warnings[0]
    )
    # The label counts only if it names the element of the symbol, and only once.
    assert (
        sites(label=["K0.5Rb0.5", "Cl1"]).species[0] == ((11, 1.0),) and not sites(label=["K0.5Rb0.5", "Cl1"]).warnings
    )
    assert sites(label=["Na/K", "Cl1"]).warnings == [
        "site Na/K: label names several elements, type symbol only Na, which was used"
    ]
    both = sites(label=["Na/K", "Na/K"], type_symbol=["Na", "K"])
    assert both.warnings == [] and both.plain == [11, 19]


def three(**columns: list[str]) -> Sites:
    """Rock salt with a third site at 1/4, 1/4, 1/4."""
    more = {
        "label": ["Na1", "Cl1", "A"],
        "type_symbol": ["Na", "Cl", "O"],
        **{f"fract_{axis}": ["0", "0.5", "0.25"] for axis in "xyz"},
    }
    return sites(**(more | columns))


def test_sites_that_are_left_out() -> None:
    for columns, reason in (
        ({"calc_flag": ["d", "d", "dum"]}, "they are no atoms"),
        ({"calc_flag": ["d", "d", "DUM"]}, "they are no atoms"),
        ({"type_symbol": ["Na", "Cl", "Q"]}, "they are no atoms"),
        ({"occupancy": ["1", "1", "0"]}, "their occupancy is 0"),
        ({"type_symbol": ["Na", "Cl", "H"], "fract_x": ["0", "0.5", "?"]}, "they have no position"),
        ({"attached_hydrogens": ["0", "0", "2"], "fract_z": ["0", "0.5", "."]}, "they have no position"),
    ):  # fmt: skip
        found = three(**columns)
        assert found.labels == ["Na1", "Cl1"] and found.plain == [11, 17] and len(found.fractional) == 2
        assert found.warnings == [f"sites A: left out, since {reason}"]
        assert found.incomplete == (reason != "their occupancy is 0")
    # The first of several is left out, and the others are kept with their multiplicities.
    first = three(type_symbol=["Q", "Cl", "O"], symmetry_multiplicity=["4", "8", "2"])
    assert (first.labels, first.multiplicities, first.plain) == (["Cl1", "A"], ["8", "2"], [17, 8])
    np.testing.assert_array_equal(first.fractional, [[0.5] * 3, [0.25] * 3])


def test_hydrogen_without_positions() -> None:
    found = three(attached_hydrogens=["0", "0", "2"])
    assert (
        found.warnings == ["hydrogen: that of sites A has no positions and was left out"]
        and found.incomplete
        and len(found.labels) == 3
    )
    group = three(type_symbol=["Na", "Cl", "OH"])
    assert group.species[2] == ((8, 1.0),) and group.incomplete and "hydrogen" in group.warnings[0]
    # If hydrogen is listed, the number of attached atoms is a note about these.
    listed = three(type_symbol=["H", "Cl", "O"], attached_hydrogens=["0", "0", "1"])
    assert listed.warnings == [] and listed.incomplete
    assert not three(attached_hydrogens=["0", "0", "0"]).incomplete
    names = [f"O{place}" for place in range(6)]
    many = sites(
        label=names, type_symbol=["OH"] * 6, **{f"fract_{axis}": [f"0.{place}" for place in range(6)] for axis in "xyz"}
    )
    assert "sites O0, O1, O2, O3 and 2 more" in many.warnings[0]
    four = sites(
        label=names[:4], type_symbol=["OH"] * 4, **{f"fract_{axis}": [f"0.{p}" for p in range(4)] for axis in "xyz"}
    )
    assert "sites O0, O1, O2, O3 has" in four.warnings[0]


def test_fractions_far_from_the_cell() -> None:
    block = CifBlock("x", {**BASIC, "_atom_site_fract_x": ["20", "-20"]})
    assert read_sites(block, CELL, frozenset(), "x", None).fractional[:, 0].tolist() == [20, -20] and not block.warnings
    for far, inside in (("20.25", 0.25), ("-20.25", 0.75)):
        block = CifBlock("x", {**BASIC, "_atom_site_fract_x": ["0", far]})
        assert read_sites(block, CELL, frozenset(), "x", None).fractional[1].tolist() == [inside, 0.5, 0.5]
        assert block.warnings == ["coordinates: fractions beyond 20; read as positions in the cell they lead to"]


def test_blocks_with_atoms() -> None:
    assert has_atoms(CifBlock("x", BASIC)) and not has_atoms(CifBlock("x", {}))
    assert not has_atoms(CifBlock("x", {"_atom_site_label": ["?"], "_atom_site_type_symbol": ["."]}))
    assert has_atoms(CifBlock("x", {"_atom_site_label": ["?", "Na1"]})) and has_atoms(
        CifBlock("x", {"_atom_site_type_symbol": ["?", "Na"]})
    )


@pytest.mark.parametrize("tags", ["_atom_sites_fract_tran", "_atom_sites_cartn_tran", ""])
def test_cartesian_coordinates(tags: str) -> None:
    """Positions in Å, with the matrix that leads to fractions, or to Å, and a shift of the origin."""
    cell = gemmi.UnitCell(4, 5, 6, 80, 95, 110)
    matrix, shift = np.array(cell.orth.mat.tolist()), np.zeros(3)
    turn = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])
    expected = np.array([[0.1, 0.2, 0.3], [0.7, 0.6, 0.4]])
    columns: dict[str, list[str]] = {tag: BASIC[tag] for tag in ("_atom_site_label", "_atom_site_type_symbol")}
    if tags:
        matrix, shift = turn @ matrix, np.array([0.5, -0.25, 1.0])
        stated, vector = (matrix, shift) if "cartn" in tags else (np.linalg.inv(matrix), -np.linalg.inv(matrix) @ shift)
        for i, j in itertools.product(range(3), repeat=2):
            columns[f"{tags}_matrix_{i + 1}{j + 1}"] = [repr(float(stated[i, j]))]
        for i in range(3):
            columns[f"{tags}_vector_{i + 1}"] = [repr(float(vector[i]))]
    places = expected @ matrix.T + shift
    for axis, values in zip("xyz", places.T, strict=True):
        columns[f"_atom_site_cartn_{axis}"] = [repr(float(value)) for value in values]
    block = CifBlock("x", columns)
    found = read_sites(block, cell, frozenset(), "x", None)
    np.testing.assert_allclose(found.fractional, expected, atol=1e-9)
    assert block.warnings == (
        [] if tags else ["Cartesian coordinates: axes not stated; read with a along x and b in the x-y plane"]
    )
    # Fractional coordinates count more, if there are any.
    both = CifBlock("x", columns | {tag: BASIC[tag] for tag in BASIC if "fract" in tag})
    np.testing.assert_allclose(
        read_sites(both, cell, frozenset(), "x", None).fractional, [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    )


def test_axes_of_a_rectangular_cell_are_clear() -> None:
    columns = {
        "_atom_site_label": ["Na1"],
        "_atom_site_type_symbol": ["Na"],
        **{f"_atom_site_cartn_{axis}": ["2.5"] for axis in "xyz"},
    }
    block = CifBlock("x", columns)
    assert read_sites(block, gemmi.UnitCell(5, 10, 20, 90, 90, 90), frozenset(), "x", None).fractional.tolist() == [
        [0.5, 0.25, 0.125]
    ]
    assert block.warnings == []


# ------------------------------------------------------------------------------------------------- images


def listed(*places: tuple[float, float, float], species: list[tuple[tuple[int, float], ...]] | None = None) -> Sites:
    labels = [f"A{place + 1}" for place in range(len(places))]
    return Sites(labels, species or [((29, 1.0),)] * len(places), np.array(places, dtype=float))


def group(number: int) -> Operations:
    return named_settings("", number, "")[0]


@pytest.mark.parametrize(
    ("number", "place", "multiplicity"),
    # Multiplicities of the International Tables.
    [
        (225, (0, 0, 0), 4), (225, (0.25, 0.25, 0.25), 8), (225, (0, 0.25, 0.25), 24), (225, (0.2, 0, 0), 24),
        (225, (0.1, 0.1, 0.1), 32), (225, (0.05, 0.13, 0.3), 192),
        (227, (0.125, 0.125, 0.125), 8), (227, (0, 0, 0), 16), (227, (0.27, 0.27, 0.27), 32),
        (194, (1 / 3, 2 / 3, 0.25), 2), (194, (0.3333, 0.6667, 0.25), 2), (194, (0.333, 0.667, 0.25), 2),
        (194, (0, 0, 0), 2), (194, (0.1, 0.2, 0.25), 6), (62, (0, 0, 0), 4), (62, (0.1, 0.25, 0.2), 4),
        (62, (0.1, 0.1, 0.2), 8), (14, (0.5, 0.5, 0), 2), (1, (0.1, 0.2, 0.3), 1),
    ],
)  # fmt: skip
def test_multiplicities(number: int, place: tuple[float, float, float], multiplicity: int) -> None:
    cell = np.array(gemmi.UnitCell(8, 8, 8, 90, 90, 120 if number == 194 else 90).orth.mat.tolist()).T
    atoms = expand(listed(place), group(number), cell, "x", None)
    assert (
        atoms.multiplicities.tolist() == [multiplicity]
        and len(atoms.fractional) == multiplicity
        and atoms.warnings == []
    )
    assert (
        atoms.atomic_numbers.tolist() == [29] * multiplicity and (atoms.occupancy == 1).all() and not atoms.site.any()
    )
    # All images are where operations lead, and no two are at one place.
    shifts = atoms.fractional[:, None] - atoms.fractional[None]
    distances = np.linalg.norm((shifts - np.rint(shifts)) @ cell, axis=-1)
    assert (distances + np.eye(multiplicity) > 0.5).all()
    np.testing.assert_allclose(atoms.fractional[0], place, atol=2e-3)
    assert (atoms.fractional[1:] >= 0).all() and (atoms.fractional[1:] < 1).all()


MIRROR = listed_operations(("x,y,z", "-x,y,z"))


@pytest.mark.parametrize(
    ("distance", "share", "copies", "is_moved"),
    # Distance from the mirror plane in Å: images are one atom if they are closer than 0.1 Å, and closer than 0.5 Å if
    # the atom is fully occupied.
    [
        (0.0, 1.0, 1, False), (0.045, 1.0, 1, False), (0.055, 1.0, 1, False), (0.095, 1.0, 1, False),
        (0.105, 1.0, 1, True), (0.24, 1.0, 1, True), (0.26, 1.0, 2, False),
        (0.045, 0.5, 1, False), (0.055, 0.5, 2, False), (0.24, 0.5, 2, False), (0.24, 0.52, 1, True),
        (0.24, 0.505, 2, False), (0.045, 0.2, 1, False),
    ],
)  # fmt: skip
def test_images_near_a_mirror_plane(distance: float, share: float, copies: int, is_moved: bool) -> None:
    atoms = expand(listed((distance / 10, 0.3, 0.4), species=[((29, share),)]), MIRROR, np.eye(3) * 10, "x", None)
    assert len(atoms.fractional) == copies and atoms.occupancy.tolist() == [share] * copies
    assert len(atoms.warnings) == is_moved
    if copies == 1:
        assert atoms.fractional[0] == pytest.approx([0, 0.3, 0.4])
    if is_moved:
        assert atoms.warnings == ["sites A1: less than 0.5 Å from a special position, and read as on it"]


@pytest.mark.parametrize(
    ("other", "share", "copies"),
    # A second site near the image of the first one at -2 Å: 0.5 Å for full atoms, and 0.1 Å for others.
    [(-2.0, 1.0, 0), (-2.4, 1.0, 0), (-2.6, 1.0, 2), (-2.05, 0.5, 0), (-2.2, 0.5, 2), (-2.4, 0.985, 0),
    (-2.4, 0.975, 2), (2.0, 1.0, 2), (2.3, 1.0, 2), (8.0, 1.0, 0)],
)  # fmt: skip
def test_sites_that_are_images_of_others(other: float, share: float, copies: int) -> None:
    """The listed position itself is not an image: two atoms there are an error, which is found later."""
    both = listed((0.2, 0.3, 0.4), (other / 10, 0.3, 0.4), species=[((29, share),)] * 2)
    atoms = expand(both, MIRROR, np.eye(3) * 10, "x", None)
    assert atoms.multiplicities.tolist() == [2, copies] and atoms.site.tolist() == [0, 0, *[1] * copies]
    assert atoms.warnings == (
        ["sites A2: images of other listed sites, counted once"] if not copies and share < 0.98 else []
    )
    # Other elements are not images.
    different = listed((0.2, 0.3, 0.4), (other / 10, 0.3, 0.4), species=[((29, share),), ((30, share),)])
    assert expand(different, MIRROR, np.eye(3) * 10, "x", None).multiplicities.tolist() == [2, 2]


def test_images_of_many_sites() -> None:
    """Sixty sites, of which the last ones are images of the first and of the one before them."""
    places = [(0.1 + 0.006 * step, 0.3, 0.02 * step % 1) for step in range(60)]
    images = [(-places[0][0], 0.3, places[0][2]), (-places[59][0], 0.3, places[59][2])]
    atoms = expand(listed(*places, *images), MIRROR, np.eye(3) * 30, "x", None)
    assert atoms.multiplicities.tolist() == [2] * 60 + [0, 0]


def test_mixed_sites_have_an_atom_for_each_element() -> None:
    both = listed((0.2, 0, 0), (0.4, 0.5, 0.5), species=[((26, 0.5), (28, 0.3)), ((8, 1.0),)])
    atoms = expand(both, MIRROR, np.eye(3) * 10, "x", None)
    assert atoms.atomic_numbers.tolist() == [26, 28, 26, 28, 8, 8] and atoms.site.tolist() == [0] * 4 + [1] * 2
    assert atoms.occupancy.tolist() == [0.5, 0.3, 0.5, 0.3, 1, 1]
    np.testing.assert_allclose(atoms.fractional[:, 0], [0.2, 0.2, 0.8, 0.8, 0.4, 0.6])
    # Without symmetry, positions stay as they are.
    alone = expand(both, TRIVIAL, np.eye(3) * 10, "x", None)
    assert alone.atomic_numbers.tolist() == [26, 28, 8] and alone.multiplicities.tolist() == [1, 1]


def test_numbers_of_images() -> None:
    cubic = group(225)
    assert len(expand(listed((0.05, 0.13, 0.3)), cubic, np.eye(3) * 10, "x", 192).fractional) == 192
    with pytest.raises(InvalidStructureError, match=r"^x: 192 atoms in the cell exceed the limit of 191"):
        expand(listed((0.05, 0.13, 0.3)), cubic, np.eye(3) * 10, "x", 191)
    two = listed((0.05, 0.13, 0.3), (0.06, 0.17, 0.26))
    with pytest.raises(InvalidStructureError, match=r"^x: at least 192 atoms in the cell exceed the limit of 191"):
        expand(two, cubic, np.eye(3) * 10, "x", 191)
    with pytest.raises(InvalidStructureError, match=r"^x: 384 atoms in the cell"):
        expand(two, cubic, np.eye(3) * 10, "x", 383)
    mixed = listed((0.05, 0.13, 0.3), species=[((26, 0.5), (28, 0.5))])
    with pytest.raises(InvalidStructureError, match=r"^x: 384 atoms in the cell"):
        expand(mixed, cubic, np.eye(3) * 10, "x", 383)
    assert cif_sites_clac._MAX_IMAGES == 2_000_000
    many = Sites(["A"] * 10_417, [((29, 1.0),)] * 10_417, np.zeros((10_417, 3)))
    with pytest.raises(
        InvalidStructureError, match="10,417 sites by 192 symmetry operations; expected at most 2,000,000"
    ):
        expand(many, cubic, np.eye(3) * 10, "x", None)
