"""Structure types: crystals checked by hand, the AFLOW encyclopedia, and structures built from published positions."""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.prototypes import AFLOW_PROTOTYPE_LIBRARY
from pymatgen.core import Lattice, Structure

from modeling_clac.concepts.structure_types import STRUCTURE_TYPES
from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.data.facts.structure_types import structure_type_facts
from modeling_clac.data.facts.symmetry import find_orbits
from modeling_clac.data.facts.type_rules import RULES
from modeling_clac.data.structure_writing import to_pymatgen
from modeling_clac.formulas_clac import read_formula
from modeling_clac.structures_clac import parse_structure

# Type -> bundled compounds that crystallize in it, by textbooks and the collections that name the types.
CHECKED = [
    (kind, formula)
    for line in (Path(__file__).parent / "structure_types.tsv").read_text(encoding="utf-8").splitlines()
    for kind, formulas in [line.split("\t")]
    for formula in formulas.split()
]
# Compounds that share formula type, space group or prototype label with a type and are none of it.
REFUSED = [
    ("rutile", "KrF2"),
    ("anatase", "YSi2"),
    ("pyrite", "MgF2"),
    ("marcasite", "CaCl2"),
    ("cacl2", "FeAs2"),
    ("fluorite", "Li2O"),
    ("antifluorite", "CaF2"),
    ("fluorite", "AuAl2"),
    ("laves-cubic", "SiO2"),
    ("mosi2", "XeF2"),
    ("cotunnite", "HgCl2"),
    ("co2si", "PbCl2"),
    ("cementite", "SbCl3"),
    ("yf3", "Fe3C"),
    ("ucl3", "BBr3"),
    ("ni3sn", "UCl3"),
    ("mnp", "TiB"),
    ("feb", "CoP"),
    ("b2", "CsCl"),
    ("caesium-chloride", "NiAl"),
    ("cdi2", "CaSi2"),
    ("baddeleyite", "CoSb2"),
    ("cristobalite", "TeO2"),
    ("skutterudite", "ReO3"),
    ("caal2si2", "La2O2S"),
    ("delafossite", "NaCrO2"),
    ("alpha-nafeo2", "CuAlO2"),
    ("max-phase", "CuAlO2"),
    ("antiperovskite", "SrTiO3"),
    ("perovskite", "Ti3InC"),
    ("perovskite", "MnCO3"),
    ("perovskite", "LiNbO3"),
    ("perovskite", "KNO3"),
    ("perovskite", "CsNiCl3"),
    ("calcite", "LaNiO3"),
    ("aragonite", "KClO3"),
    ("k2nif4", "Na4I2O"),
    ("ruddlesden-popper", "Sm2CuO4"),
    ("spinel", "K2PtCl6"),
    ("zircon", "CaMoO4"),
    ("monazite", "NaVF4"),
    ("mg3sb2", "Pr2O3"),
    ("rare-earth-sesquioxide-a", "Al3Ni2"),
    ("tetradymite", "Li3Al2"),
    ("bif3", "FeF3"),
    ("graphite", "As"),
    ("vacancy-ordered-double-perovskite", "K2GeF6"),
]


def _key(formula: str) -> frozenset[tuple[str, int]]:
    amounts = {symbol: int(amount) for symbol, amount in read_formula(formula).items()}
    divisor = gcd(*amounts.values())
    return frozenset((symbol, amount // divisor) for symbol, amount in amounts.items())


@pytest.fixture(scope="module")
def rows() -> dict[frozenset[tuple[str, int]], list[dict]]:
    found: dict[frozenset[tuple[str, int]], list[dict]] = {}
    wanted = {_key(formula) for _, formula in [*CHECKED, *REFUSED]}
    table = bundled_crystals()
    formulas = table["formula"].to_pylist()
    keep = [place for place, formula in enumerate(formulas) if _key(formula) in wanted]
    for row in table.take(keep).to_pylist():
        found.setdefault(_key(row["formula"]), []).append(row)
    return found


@lru_cache(maxsize=4096)
def _types(cif: str, group: int) -> tuple[str, ...]:
    crystal = parse_structure(cif, "crystal")
    return tuple(structure_type_facts(crystal, find_orbits(crystal, group)) or ())


def _types_of(rows, formula: str) -> set[str]:
    crystals = rows[_key(formula)]
    return {kind for row in crystals for kind in _types(row["cif"], row["space_group_number"])}


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in CHECKED}))
def test_compounds_have_their_type(rows, kind: str) -> None:
    assert kind in STRUCTURE_TYPES
    missing = [formula for name, formula in CHECKED if name == kind and kind not in _types_of(rows, formula)]
    assert not missing


@pytest.mark.parametrize(("kind", "formula"), REFUSED)
def test_isopointal_compounds_are_told_apart(rows, kind: str, formula: str) -> None:
    assert kind not in _types_of(rows, formula)


def test_three_compounds_are_checked_of_each_type_that_has_as_many() -> None:
    checked = {kind: sum(name == kind for name, _ in CHECKED) for kind, _ in CHECKED}
    assert sum(count >= 3 for count in checked.values()) > 150


def test_rules_belong_to_types() -> None:
    assert RULES.keys() <= STRUCTURE_TYPES.keys()
    for kind in STRUCTURE_TYPES.values():
        assert set(kind.implies) <= STRUCTURE_TYPES.keys(), kind.id
        for label in kind.labels:
            pearson, group = label.split("_")[1:3]
            assert 1 <= int(group) <= 230 and pearson[0] in "amothc", kind.id


# Names of the encyclopedia -> ours. Its anatase and coesite are left out: their positions in pymatgen are off (titanium
# with four neighbours, silicon with five).
AFLOW = {
    "(Cubic) Perovskite": "perovskite",
    "Baddeleyite": "baddeleyite",
    "Brookite": "brookite",
    "Calcite": "calcite",
    "Calcium hexaboride": "cab6",
    "Caswellsilverite": "alpha-nafeo2",
    "Cementite": "cementite",
    "Chalcopyrite": "chalcopyrite",
    "Cinnabar": "cinnabar",
    "Clathrate": "clathrate",
    "Corundum": "corundum",
    "Cotunnite": "cotunnite",
    "Cubic Laves": "laves-cubic",
    "Cuprite": "cuprite",
    "Enargite": "enargite",
    "Fluorite": "fluorite",
    "Graphite": "graphite",
    "Halite, Rock Salt": "rock-salt",
    "Hausmannite": "tetragonal-spinel",
    "Heusler": "full-heusler",
    "Ilmenite": "ilmenite",
    "Iron Boride": "feb",
    "Khatyrkite": "cual2",
    "Lonsdaleite": "lonsdaleite",
    "Magnesium": "hcp",
    "Marcasite": "marcasite",
    "Matlockite": "pbclf",
    "Modderite": "mnp",
    "Molybdenite": "mos2-2h",
    "Moissanite-4H": "sic-polytype",
    "Orthorhombic Perovskite": "gdfeo3",
    "Pyrite": "pyrite",
    "Rutile": "rutile",
    "Skutterudite": "skutterudite",
    "Sodium arsenide": "na3as",
    "Spinel": "spinel",
    "Stannite": "stannite",
    "Stibnite": "stibnite",
    "Sulvanite": "sulvanite",
    "Tenorite": "tenorite",
    "Tetraauricupride": "l1-0",
    "Titanium Disilicide": "tisi2",
    "Tungsten Carbide": "tungsten-carbide",
    "Wurtzite": "wurtzite",
    "Zincblende, Sphalerite": "zinc-blende",
    "Zintl Phase": "natl",
    "Zircon": "zircon",
    "Zirconium Disilicide": "zrsi2",
    "diamond": "diamond",
    "half-Heusler": "half-heusler",
    "low (alpha) Cristobalite": "cristobalite",
    "high (beta) Cristobalite": "cristobalite",
    "quartz (alpha)": "quartz",
    "quartz (beta)": "quartz",
}
ENTRIES = [
    (name, index)
    for index, entry in enumerate(AFLOW_PROTOTYPE_LIBRARY)
    for name in [entry["tags"]["mineral"]]
    if name in AFLOW
]


@pytest.mark.parametrize(("name", "index"), ENTRIES)
def test_types_are_those_of_the_encyclopedia(name: str, index: int) -> None:
    structure = AFLOW_PROTOTYPE_LIBRARY[index]["snl"].structure
    crystal = parse_structure(structure)
    found = structure_type_facts(crystal, find_orbits(crystal))
    assert found is not None and AFLOW[name] in found, (name, structure.composition.reduced_formula, found)


def _built(group: str, lattice: Lattice, sites: list[tuple[str, tuple[float, float, float]]]) -> Crystal:
    return parse_structure(
        Structure.from_spacegroup(group, lattice, [symbol for symbol, _ in sites], [place for _, place in sites])
    )


BUILT = {
    "garnet": (
        "Ia-3d",
        Lattice.cubic(12.0),
        [("Y", (0.125, 0, 0.25)), ("Al", (0, 0, 0)), ("Al", (0.375, 0, 0.25)), ("O", (-0.0306, 0.0512, 0.15))],
    ),
    "olivine": (
        "Pnma",
        Lattice.orthorhombic(10.2, 5.98, 4.76),
        [
            ("Mg", (0, 0, 0)),
            ("Mg", (0.277, 0.25, 0.991)),
            ("Si", (0.094, 0.25, 0.426)),
            ("O", (0.0913, 0.25, 0.766)),
            ("O", (0.447, 0.25, 0.222)),
            ("O", (0.163, 0.033, 0.277)),
        ],
    ),
    "kesterite": (
        "I-4",
        Lattice.tetragonal(5.43, 10.86),
        [
            ("Cu", (0, 0, 0)),
            ("Cu", (0, 0.5, 0.25)),
            ("Zn", (0, 0.5, 0.75)),
            ("Sn", (0, 0, 0.5)),
            ("S", (0.756, 0.757, 0.872)),
        ],
    ),
    "nazn13": (
        "Fm-3c",
        Lattice.cubic(12.28),
        [("Na", (0.25, 0.25, 0.25)), ("Zn", (0, 0, 0)), ("Zn", (0, 0.1806, 0.1192))],
    ),
    "clathrate-i": (
        "Pm-3n",
        Lattice.cubic(10.2),
        [
            ("Na", (0, 0, 0)),
            ("Na", (0.25, 0.5, 0)),
            ("Si", (0.25, 0, 0.5)),
            ("Si", (0.1856, 0.1856, 0.1856)),
            ("Si", (0, 0.306, 0.117)),
        ],
    ),
    "nasicon": (
        "R-3c",
        Lattice.hexagonal(8.80, 22.76),
        [
            ("Na", (0, 0, 0)),
            ("Zr", (0, 0, 0.1456)),
            ("P", (0.2909, 0, 0.25)),
            ("O", (0.186, -0.014, 0.195)),
            ("O", (0.191, 0.168, 0.0866)),
        ],
    ),
    "apatite": (
        "P6_3/m",
        Lattice.hexagonal(9.397, 6.878),
        [
            ("Ca", (2 / 3, 1 / 3, 0.0011)),
            ("Ca", (-0.00712, 0.24227, 0.25)),
            ("P", (0.36895, 0.3985, 0.25)),
            ("O", (0.4849, 0.3273, 0.25)),
            ("O", (0.4667, 0.5875, 0.25)),
            ("O", (0.2575, 0.3421, 0.0705)),
            ("F", (0, 0, 0.25)),
        ],
    ),
    "magnetoplumbite": (
        "P6_3/mmc",
        Lattice.hexagonal(5.88, 23.04),
        [
            ("Sr", (1 / 3, 2 / 3, 0.75)),
            ("Fe", (0, 0, 0)),
            ("Fe", (0, 0, 0.25)),
            ("Fe", (1 / 3, 2 / 3, 0.0271)),
            ("Fe", (1 / 3, 2 / 3, 0.1909)),
            ("Fe", (0.1688, 0.3376, 0.8909)),
            ("O", (0, 0, 0.1516)),
            ("O", (1 / 3, 2 / 3, 0.945)),
            ("O", (0.1819, 0.3638, 0.25)),
            ("O", (0.1563, 0.3126, 0.0523)),
            ("O", (0.5051, 1.0102, 0.151)),
        ],
    ),
    "ruddlesden-popper-3": (
        "I4/mmm",
        Lattice.tetragonal(3.9, 28.1),
        [
            ("Sr", (0, 0, 0.4295)),
            ("Sr", (0, 0, 0.2973)),
            ("Ti", (0, 0, 0)),
            ("Ti", (0, 0, 0.1395)),
            ("O", (0, 0.5, 0)),
            ("O", (0, 0, 0.0692)),
            ("O", (0, 0, 0.2094)),
            ("O", (0, 0.5, 0.1376)),
        ],
    ),
    "zeolite": ("Im-3m", Lattice.cubic(8.8), [("Si", (0.25, 0, 0.5)), ("O", (0, 0.3533, 0.3533))]),
    "feldspar": (
        "C2/m",
        Lattice.monoclinic(8.60, 13.03, 7.18, 116),
        [
            ("Ba", (0.284, 0, 0.137)),
            ("Al", (0.0097, 0.185, 0.2233)),
            ("Si", (0.7089, 0.1178, 0.3444)),
            ("O", (0, 0.1459, 0)),
            ("O", (0.6343, 0, 0.2858)),
            ("O", (0.8273, 0.1469, 0.2253)),
            ("O", (0.0347, 0.31, 0.2579)),
            ("O", (0.1793, 0.1269, 0.4024)),
        ],
    ),
    "ymno3": (
        "P6_3cm",
        Lattice.hexagonal(6.14, 11.4),
        [
            ("Y", (0, 0, 0.273)),
            ("Y", (1 / 3, 2 / 3, 0.233)),
            ("Mn", (0.335, 0, 0)),
            ("O", (0.307, 0, 0.163)),
            ("O", (0.640, 0, 0.337)),
            ("O", (0, 0, 0.475)),
            ("O", (1 / 3, 2 / 3, 0.017)),
        ],
    ),
    "cs3bi2br9": (
        "P-3m1",
        Lattice.hexagonal(7.97, 9.87),
        [
            ("Bi", (1 / 3, 2 / 3, 0.193)),
            ("Cs", (0, 0, 0)),
            ("Cs", (1 / 3, 2 / 3, 0.67)),
            ("Br", (0.5, 0.5, 0)),
            ("Br", (0.165, 0.835, 0.33)),
        ],
    ),
}


@pytest.mark.parametrize("kind", BUILT)
def test_published_structures(kind: str) -> None:
    crystal = _built(*BUILT[kind])
    assert kind in (structure_type_facts(crystal, find_orbits(crystal)) or ())


def _types_built(group: str, lattice: Lattice, sites: list[tuple[str, tuple[float, float, float]]]) -> set[str]:
    crystal = _built(group, lattice, sites)
    return set(structure_type_facts(crystal, find_orbits(crystal)) or ())


@pytest.mark.parametrize(
    ("octahedral", "planar", "interstitial", "expected"),
    [
        ("Ti", "Al", "C", {"max-phase", "max-312"}),
        # The metals of MAX phases are one more than the C or N, and there is one Al (Barsoum 2000,
        # doi 10.1016/S0079-6786(00)00006-6): neither Ti2AlC3 nor Ti2Al3C is one.
        ("C", "Al", "Ti", set()),
        ("Al", "C", "Ti", set()),
    ],
)
def test_max_phases_have_one_metal_more_than_carbon(
    octahedral: str, planar: str, interstitial: str, expected: set[str]
) -> None:
    """The sites of Ti3AlC2, and the same sites with the elements exchanged."""
    sites = [
        (octahedral, (0, 0, 0)),
        (octahedral, (1 / 3, 2 / 3, 0.128)),
        (planar, (0, 0, 0.25)),
        (interstitial, (1 / 3, 2 / 3, 0.5695)),
    ]
    assert _types_built("P6_3/mmc", Lattice.hexagonal(3.075, 18.58), sites) == expected


@pytest.mark.parametrize("alkali", ["Na", "K"])
def test_aurivillius_phases_may_contain_alkali_metals(alkali: str) -> None:
    """Na0.5Bi2.5Nb2O9, with alkali metal and bismuth in order between the octahedra: Bi2O2 layers are next to slabs."""
    # One slab is centred at 0, the other one at 1/2.
    sites = [(alkali, (0, 0, 0)), ("Bi", (0.5, 0.5, 0.5)), ("Bi", (0, 0, 0.2)), ("Bi", (0.5, 0.5, 0.3))]
    for symbol, height in (("Nb", 0.088), ("O", 0.162), ("O", 0)):
        sites += [(symbol, (0.5, 0.5, height)), (symbol, (0, 0, 0.5 - height))]
    sites += [("O", (0, 0.5, 0.25)), ("O", (0, 0.5, 0.082)), ("O", (0, 0.5, 0.418))]
    found = _types_built("P4/mmm", Lattice.tetragonal(3.90, 25.0), sites)
    assert {"aurivillius", "layered-perovskite"} <= found and "dion-jacobson" not in found


@pytest.mark.parametrize(
    ("large", "octahedral", "copies", "is_perovskite"),
    [
        ("Na", "W", (1, 1, 1), True),
        ("Na", "W", (2, 1, 1), True),
        # Lanthanum in a third of the sites, as in La1/3NbO3.
        ("La", "Nb", (3, 1, 1), True),
        # Na1/12WO3 is tungsten oxide with some sodium in it.
        ("Na", "W", (3, 2, 2), False),
    ],
)
def test_perovskites_with_vacancies(
    large: str, octahedral: str, copies: tuple[int, int, int], is_perovskite: bool
) -> None:
    """One large cation in several cells of a cubic perovskite; with none, it would be of the ReO3 type."""
    structure = Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(3.85), [octahedral, "O"], [[0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    ).make_supercell(copies)
    structure.append(large, [0, 0, 0])
    crystal = parse_structure(structure)
    found = structure_type_facts(crystal, find_orbits(crystal))
    assert found is not None and "corner-sharing-octahedra" in found and ("perovskite" in found) == is_perovskite


def test_inverse_spinel() -> None:
    structure = Structure.from_spacegroup(
        "Fd-3m", Lattice.cubic(8.37), ["Fe", "Mg", "O"], [[0, 0, 0], [0.625] * 3, [0.38] * 3]
    )
    octahedra = [site for site, symbol in enumerate(structure.species) if symbol.symbol == "Mg"]
    for site in octahedra[::2]:
        structure[site] = "Fe"
    crystal = parse_structure(structure)
    found = structure_type_facts(crystal, find_orbits(crystal))
    assert found is not None and {"spinel", "inverse-spinel"} <= set(found) and "normal-spinel" not in found


def test_unknown_orbits_are_an_unknown_type() -> None:
    crystal = parse_structure(Structure(Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    assert structure_type_facts(crystal, None) is None


SAMPLE = bundled_crystals().take(list(range(0, 6_000, 61))).to_pylist()
# With the space groups of the table: a distortion may be as large as the tolerance of the search for symmetry.
PARSED = [
    (crystal, row["space_group_number"])
    for row in SAMPLE
    for crystal in [parse_structure(row["cif"], row["material_id"])]
    if len(crystal) <= 24
]


@settings(max_examples=30, deadline=None)
@given(
    index=st.integers(0, len(PARSED) - 1),
    shift=st.tuples(*[st.floats(0, 1)] * 3),
    axes=st.permutations(range(3)),
    copies=st.sampled_from([(1, 1, 1), (2, 1, 1), (1, 1, 2)]),
    seed=st.integers(0, 1_000),
)
def test_types_do_not_depend_on_the_description(index, shift, axes, copies, seed) -> None:
    crystal, group = PARSED[index]
    structure = to_pymatgen(crystal)
    structure.translate_sites(range(len(structure)), shift)
    structure = structure * copies
    order = np.random.default_rng(seed).permutation(len(structure))
    moved = parse_structure(
        Structure(
            Lattice(structure.lattice.matrix[list(axes)]),
            [structure.species[i] for i in order],
            structure.frac_coords[order][:, list(axes)],
        )
    )
    expected = structure_type_facts(crystal, find_orbits(crystal, group))
    assert structure_type_facts(moved, find_orbits(moved, group)) == expected


def test_types_of_disordered_crystals() -> None:
    cobaltite = Structure(
        Lattice.cubic(3.83),
        [{"La": 0.6, "Sr": 0.4}, "Co", "O", "O", "O"],
        [[0.5] * 3, [0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
    )
    crystal = parse_structure(cobaltite)
    assert "cubic-perovskite" in (structure_type_facts(crystal, find_orbits(crystal)) or ())
    zirconia = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.14), [{"Zr": 0.84, "Y": 0.16}, {"O": 0.92}], [[0, 0, 0], [0.25] * 3]
    )
    crystal = parse_structure(zirconia)
    assert "fluorite" in (structure_type_facts(crystal, find_orbits(crystal)) or ())


def test_octahedra_are_isolated_only_if_all_are(rows) -> None:
    assert "isolated-octahedra" not in _types_of(rows, "Y2O3")
    assert "isolated-octahedra" in _types_of(rows, "K2PtCl6")
