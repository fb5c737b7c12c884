"""Molecules and small crystals that are built from bond lengths: each bond just inside and just outside its limit."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Element, Lattice, Structure

from modeling_clac.crystal_clac import Crystal, crystal_from_pymatgen, make_crystal
from modeling_clac.data.facts.bonding import SPACERS, simple_anions
from modeling_clac.data.facts.chemistry import classes_of, is_zintl, oxide_names
from modeling_clac.data.facts.crystal_facts import crystal_facts
from modeling_clac.data.facts.ions import find_ions, hydrogen_bonds, polyanions
from modeling_clac.data.facts.surroundings import COVALENT_RADII, IS_NONMETAL, NUMBERS, RADIUS, SYMBOLS, Surroundings
from modeling_clac.data.facts.symmetry import find_orbits, symmetry_facts

Atom = tuple[str, float, float, float]


def box(*atoms: Atom, edge: float = 14.0) -> Crystal:
    """Atoms in a cubic cell, at Cartesian coordinates in Å from its centre."""
    places = np.array([atom[1:] for atom in atoms], dtype=float) + edge / 2
    symbols = [atom[0] for atom in atoms]
    return crystal_from_pymatgen(Structure(Lattice.cubic(edge), symbols, places, coords_are_cartesian=True), "box")


def ions_in(*atoms: Atom, edge: float = 14.0) -> set[str]:
    return find_ions(Surroundings.of(box(*atoms, edge=edge))).ids


# A potassium atom that is far from all others, so that ions have a counter-ion.
POTASSIUM: Atom = ("K", 0.0, 5.0, 5.0)


def facts(group: str, lattice: Lattice, sites: dict[str, tuple[float, float, float]]) -> dict[str, Any]:
    symbols = [name.rstrip("0123456789") for name in sites]
    structure = Structure.from_spacegroup(group, lattice, symbols, list(sites.values()))
    return crystal_facts(crystal_from_pymatgen(structure, "x"))


def face_centred(edge: float, symbols: list[str], places: np.ndarray) -> Crystal:
    """A crystal with a face-centred cubic lattice in its primitive cell, with Cartesian places in units of the edge."""
    lattice = Lattice(edge / 2 * (1 - np.eye(3)))
    return crystal_from_pymatgen(Structure(lattice, symbols, places * edge, coords_are_cartesian=True), "x")


def two_elements(edge: float, first: str, second: str, place: float) -> Crystal:
    """Rock salt with the second element at 1/2, and zinc blende with it at 1/4 of the diagonal."""
    return face_centred(edge, [first, second], np.array([[0.0] * 3, [place] * 3]))


# -------------------------------------------------------------------------------------- tables of elements


def test_tables_of_elements() -> None:
    assert SYMBOLS[1] == "H" and SYMBOLS[118] == "Og" and len(SYMBOLS) == len(COVALENT_RADII) == len(IS_NONMETAL) == 119
    assert {Element.from_Z(number).symbol: number for number in range(1, 119)} == NUMBERS
    assert set("Li Na K Rb Cs Ca Sr Ba Tl".split()) == SPACERS and RADIUS == 5.5
    # Cordero et al. 2008; Å.
    radii = {
        "H": 0.31,
        "C": 0.73,
        "O": 0.66,
        "F": 0.57,
        "Na": 1.66,
        "Si": 1.11,
        "Cl": 1.02,
        "Fe": 1.32,
        "Cs": 2.44,
        "U": 1.96,
    }
    assert {symbol: round(float(COVALENT_RADII[NUMBERS[symbol]]), 2) for symbol in radii} == radii


NONMETALS = "B C N O F Si P S Cl Ge As Se Br Sb Te I".split()
# Semimetals of one group form alloys with each other.
ALLOYS = [set(pair) for group in (("Si", "Ge"), ("P", "As", "Sb")) for pair in itertools.combinations(group, 2)]


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(NONMETALS, 2)))
def test_the_more_electronegative_of_two_nonmetals_is_the_anion(first: str, second: str) -> None:
    """Zinc-blende crystals of all pairs, with the electronegativities of pymatgen; tellurium is above P and As."""
    bond = float(COVALENT_RADII[NUMBERS[first]] + COVALENT_RADII[NUMBERS[second]])
    sites = Surroundings.of(two_elements(4 * bond / 3**0.5, first, second, 0.25))
    nothing = find_ions(dataclasses.replace(sites, numbers=np.full(len(sites), 11)))
    found = {SYMBOLS[number] for number in sites.numbers[simple_anions(sites, nothing)].tolist()}
    values = {symbol: 2.25 if symbol == "Te" else Element(symbol).X for symbol in (first, second)}
    # Pauling's values of S and C, and of Se and C, differ in the third digit.
    values |= {"Se": 2.551} if "Se" in values else {}
    expected = set() if {first, second} in ALLOYS else {max(values, key=lambda symbol: values[symbol])}
    assert found == expected


@pytest.mark.parametrize("anion", [*NONMETALS, "H"])
def test_nonmetals_are_anions_of_metals(anion: str) -> None:
    """Rock salt of magnesium, for which no groups are found but the anion itself."""
    bond = float(COVALENT_RADII[NUMBERS[anion]] + COVALENT_RADII[12])
    found = crystal_facts(two_elements(2 * bond, "Mg", anion, 0.5))
    assert found["anions"] == [anion] and found["dimensionality"] == 3
    assert found["coordination"] == sorted([f"{anion}:6:octahedron", "Mg:6:octahedron"])


@pytest.mark.parametrize(("ratio", "is_anion"), [(1.0, True), (1.43, True), (1.47, False)])
def test_anions_have_contacts_to_metals(ratio: float, is_anion: bool) -> None:
    """Sodium chloride that is stretched: contacts end at 1.45 times the sum of the radii."""
    bond = ratio * float(COVALENT_RADII[11] + COVALENT_RADII[17])
    sites = Surroundings.of(two_elements(2 * bond, "Na", "Cl", 0.5))
    assert simple_anions(sites, find_ions(sites)).any() == is_anion


# ------------------------------------------------------------------------------------------------ hydrogen

H_BONDS = {
    "O": 1.25, "N": 1.25, "C": 1.25, "F": 1.25, "S": 1.50, "P": 1.55, "Cl": 1.45, "Se": 1.60, "Br": 1.60, "I": 1.75,
    "Si": 1.60, "B": 1.45, "As": 1.65, "Ge": 1.65,
}  # fmt: skip


@pytest.mark.parametrize(("symbol", "longest"), H_BONDS.items())
def test_bonds_of_hydrogen(symbol: str, longest: float) -> None:
    """Bonds are shorter than the limit, which is at most 1.45 times the sum of the covalent radii."""
    total = float(COVALENT_RADII[1] + COVALENT_RADII[NUMBERS[symbol]])
    assert total < longest < 1.45 * total
    for length, number in ((longest - 0.02, 1), (longest + 0.02, 0)):
        sites = Surroundings.of(box((symbol, 0, 0, 0), ("H", 0, 0, length), POTASSIUM))
        assert hydrogen_bonds(sites, symbol).tolist() == [number, 0, 0]
        # Hydrogen that is bound to a nonmetal is a proton, not a hydride, except next to B, Si and Ge.
        found = find_ions(sites)
        is_proton = bool(number) and symbol not in ("B", "Si", "Ge")
        assert bool(found.bound[1]) == is_proton and (found.states[1] == 1) == is_proton


def test_shared_hydrogen_counts_half() -> None:
    middle = Surroundings.of(box(("O", 0, 0, 0), ("H", 0, 0, 1.2), ("O", 0, 0, 2.4), POTASSIUM))
    assert hydrogen_bonds(middle, "O").tolist() == [1, 0, 1, 0]
    # A hydrogen of its own and a shared one are one and a half, rounded down; two of its own and a shared one are two.
    more = Surroundings.of(box(("O", 0, 0, 0), ("H", 0, 0, 1.2), ("O", 0, 0, 2.4), ("H", 0, 0.96, -0.2), POTASSIUM))
    assert hydrogen_bonds(more, "O").tolist() == [1, 0, 1, 0, 0]
    two = ("H", 0.96, 0, -0.2)
    water = Surroundings.of(
        box(("O", 0, 0, 0), ("H", 0, 0, 1.2), ("O", 0, 0, 2.4), ("H", 0, 0.96, -0.2), two, POTASSIUM)
    )
    assert hydrogen_bonds(water, "O").tolist() == [2, 0, 1, 0, 0, 0]


def ligands(
    center: str, ligand: str, number: int, length: float, start: tuple[float, float, float] = (0, 0, 0)
) -> list[Atom]:
    """An atom with up to six ligands at equal distances: along half-axes, or at the corners of a tetrahedron."""
    axes: list[tuple[float, ...]] = [(0, 0, 1), (1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0), (0, 0, -1)]
    if number == 4:
        axes = [(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)]
    if number == 3:
        axes = [(1, 0, 0), (-0.5, 0.75**0.5, 0), (-0.5, -(0.75**0.5), 0)]
    atoms: list[Atom] = [(center, *start)]
    for axis in axes[:number]:
        place = np.array(start) + length * np.array(axis) / np.linalg.norm(axis)
        atoms.append((ligand, float(place[0]), float(place[1]), float(place[2])))
    return atoms


@pytest.mark.parametrize(
    ("center", "number", "name"),
    [
        ("O", 1, "hydroxide"), ("O", 2, "water"), ("O", 3, "hydronium"), ("N", 1, "imide"), ("N", 2, "amide"),
        ("N", 3, "ammonia"),
        ("N", 4, "ammonium"), ("O", 4, ""), ("C", 4, "organic"), ("B", 4, "borohydride"), ("S", 1, ""),
    ],
)  # fmt: skip
def test_groups_with_hydrogen(center: str, number: int, name: str) -> None:
    atoms = ligands(center, "H", number, 1.0 if center in "ON" else 1.1)
    assert ions_in(*atoms, POTASSIUM) == ({name} if name else set())
    # Of a substance of two elements, only water and ammonia are groups.
    alone = {name} if name in ("water", "ammonia", "organic") else set()
    assert ions_in(*atoms) == alone


def test_hydrogen_on_bound_atoms() -> None:
    """Hydrogen sulfate and hydroxylamine: their OH is not a hydroxide, unless the next atom is a metal."""
    bound = [("O", 0.0, 0.0, 0.0), ("H", 0.0, 0.0, 0.97)]
    assert ions_in(*bound, ("Cl", 1.6, 0, 0), POTASSIUM) == set()
    assert ions_in(*bound, ("Cl", 2.0, 0, 0), POTASSIUM) == {"hydroxide"}
    assert ions_in(*bound, ("Na", 1.9, 0, 0)) == {"hydroxide"}


@pytest.mark.parametrize(("length", "is_bifluoride"), [(1.14, True), (1.28, True), (1.32, False)])
def test_bifluoride(length: float, is_bifluoride: bool) -> None:
    atoms: list[Atom] = [("F", 0, 0, -length), ("H", 0, 0, 0), ("F", 0, 0, length)]
    assert ("bifluoride" in ions_in(*atoms, POTASSIUM)) == is_bifluoride
    assert "bifluoride" not in ions_in(*atoms[:2], POTASSIUM)


@pytest.mark.parametrize(
    ("other", "longest"),
    [("N", 1.6), ("O", 1.6), ("S", 1.9), ("F", 1.6), ("Cl", 1.9), ("Br", 2.1), ("I", 2.3)],
)
def test_atoms_bound_to_organic_carbon(other: str, longest: float) -> None:
    """A carbon atom with three hydrogen atoms; what is bonded to it belongs to the molecule."""
    methyl = ligands("C", "H", 3, 1.09)
    for length, is_bound in ((longest - 0.03, True), (longest + 0.03, False)):
        found = find_ions(Surroundings.of(box(*methyl, (other, 0, 0, length), POTASSIUM)))
        assert found.ids == {"organic"} and found.bound[0] and bool(found.bound[4]) == is_bound, length


def test_amines_are_organic() -> None:
    """Carbon without hydrogen, but with NH2, as in urea and thiourea."""
    amine = [("C", 0.0, 0.0, 0.0), *ligands("N", "H", 2, 1.0, (0.0, 0.0, -1.35))[:1]]
    amine += [("H", 0.87, 0.0, -1.85), ("H", -0.87, 0.0, -1.85)]
    assert "organic" in ions_in(*amine, ("S", 1.5, 0, 0.8), POTASSIUM)
    one_hydrogen = [atom for atom in amine if atom[1] >= 0]
    assert "organic" not in ions_in(*one_hydrogen, ("S", 1.5, 0, 0.8), POTASSIUM)


# ------------------------------------------------------------------------------------- nitrogen and oxygen


@pytest.mark.parametrize(
    ("length", "name"),
    [
        (1.10, "dinitrogen"),
        (1.14, "dinitrogen"),
        (1.16, "diazenide"),
        (1.29, "diazenide"),
        (1.31, "pernitride"),
        (1.49, "pernitride"),
        (1.51, ""),
    ],
)
def test_pairs_of_nitrogen(length: float, name: str) -> None:
    found = find_ions(Surroundings.of(box(("N", 0, 0, 0), ("N", 0, 0, length), POTASSIUM)))
    assert found.ids == ({name} if name else set())
    # Only the molecule has no charge; the others are nitrides as well.
    assert found.bound.tolist() == [name == "dinitrogen"] * 2 + [False]


def test_three_nitrogen_atoms_are_azide() -> None:
    azide: list[Atom] = [("N", 0, 0, -1.18), ("N", 0, 0, 0), ("N", 0, 0, 1.18)]
    found = find_ions(Surroundings.of(box(*azide, POTASSIUM)))
    assert found.ids == {"azide"} and found.bound.tolist() == [True] * 3 + [False]
    # Next to it a molecule of nitrogen is another group.
    both = ions_in(*azide, ("N", 4, 0, 0), ("N", 4, 0, 1.1), POTASSIUM)
    assert both == {"azide", "dinitrogen"}


def test_hydrazine() -> None:
    def amine(z: float, sign: int) -> list[Atom]:
        return [("N", 0, 0, z), ("H", 0.9, 0.0, z + 0.3 * sign), ("H", -0.9, 0.0, z + 0.3 * sign)]

    assert "hydrazine" in ions_in(*amine(0, -1), *amine(1.45, 1), POTASSIUM)
    assert "hydrazine" not in ions_in(*amine(0, -1)[:2], *amine(1.45, 1)[:2], POTASSIUM)


@pytest.mark.parametrize(
    ("other", "length", "is_pair"), [("C", 1.58, False), ("C", 1.62, True), ("O", 1.43, False), ("O", 1.47, True)]
)
def test_nitrogen_pairs_of_molecules_are_no_anions(other: str, length: float, is_pair: bool) -> None:
    """Two nitrogen atoms with a carbon or oxygen atom at each end."""
    atoms: list[Atom] = [("N", 0, 0, 0), ("N", 0, 0, 1.25), (other, 0, 0, -length), (other, 0, 0, 1.25 + length)]
    assert ("diazenide" in ions_in(*atoms, POTASSIUM)) == is_pair


@pytest.mark.parametrize(
    ("length", "name", "state"),
    [
        (1.21, "dioxygen", 0.0), (1.26, "dioxygen", 0.0), (1.27, "superoxide", -0.5), (1.39, "superoxide", -0.5),
        (1.41, "peroxide", -1.0), (1.64, "peroxide", -1.0), (1.66, "", None),
    ],
)  # fmt: skip
def test_pairs_of_oxygen(length: float, name: str, state: float | None) -> None:
    found = find_ions(Surroundings.of(box(("O", 0, 0, 0), ("O", 0, 0, length), POTASSIUM)))
    assert found.ids == ({name} if name else set())
    assert found.bound.tolist() == [bool(name)] * 2 + [False]
    assert found.states[:2].tolist() == [state] * 2 if state is not None else np.isnan(found.states).all()


@pytest.mark.parametrize(("length", "is_ozonide"), [(1.34, True), (1.41, True), (1.43, False)])
def test_ozonide(length: float, is_ozonide: bool) -> None:
    atoms: list[Atom] = [("O", 0, 0, 0), ("O", 0.8 * length, 0, 0.6 * length), ("O", -0.8 * length, 0, 0.6 * length)]
    assert ("ozonide" in ions_in(*atoms, POTASSIUM)) == is_ozonide


# -------------------------------------------------------------------------------------------------- carbon


@pytest.mark.parametrize(
    ("other", "length", "name"),
    [
        # K-C-N with something else at the carbon atom, just bonded to it, or not.
        ("C", 1.63, ""), ("C", 1.67, "cyanide"), ("O", 1.43, "cyanate"), ("O", 1.47, "cyanide"),
        ("S", 1.78, "thiocyanate"), ("S", 1.82, "cyanide"),
        ("Se", 1.93, "selenocyanate"), ("Se", 1.97, "cyanide"), ("F", 1.43, ""), ("F", 1.47, "cyanide"),
        ("Cl", 1.83, ""), ("Cl", 1.87, "cyanide"),
        ("Br", 2.03, ""), ("Br", 2.07, "cyanide"), ("I", 2.23, ""), ("I", 2.27, "cyanide"), ("B", 1.60, "cyanide"),
        ("Na", 2.4, "cyanide"),
    ],
)  # fmt: skip
def test_cyanide_and_what_is_bonded_to_it(other: str, length: float, name: str) -> None:
    found = find_ions(Surroundings.of(box(("C", 0, 0, 0), ("N", 0, 0, 1.16), (other, 0, 0, -length), POTASSIUM)))
    names = found.ids & {"cyanide", "cyanate", "thiocyanate", "selenocyanate", "carbodiimide", "acetylide"}
    assert names == ({name} if name else set())
    if name:
        assert found.bound[:2].all() and bool(found.bound[2]) == (name not in ("cyanide",))


@pytest.mark.parametrize(("length", "is_cyanide"), [(1.16, True), (1.44, True), (1.46, False)])
def test_the_bond_of_cyanide(length: float, is_cyanide: bool) -> None:
    assert ions_in(("C", 0, 0, 0), ("N", 0, 0, length), POTASSIUM) == ({"cyanide"} if is_cyanide else set())


@pytest.mark.parametrize(
    ("first", "second", "is_carbodiimide"),
    [(1.22, 1.22, True), (1.16, 1.29, True), (1.16, 1.31, False), (1.31, 1.31, False)],
)
def test_carbodiimide(first: float, second: float, is_carbodiimide: bool) -> None:
    atoms: list[Atom] = [("N", 0, 0, -first), ("C", 0, 0, 0), ("N", 0, 0, second)]
    assert ("carbodiimide" in ions_in(*atoms, POTASSIUM)) == is_carbodiimide
    assert "carbodiimide" not in ions_in(*atoms, ("F", 1.3, 0, 0), POTASSIUM)


@pytest.mark.parametrize(("outer", "is_dicyanamide"), [(1.16, True), (1.21, True), (1.23, False)])
def test_dicyanamide(outer: float, is_dicyanamide: bool) -> None:
    """N-C-N-C-N, bent at the nitrogen atom in the middle."""
    atoms: list[Atom] = [("N", 0, 0, 0)]
    for sign in (1, -1):
        x, z = sign * 0.866, 0.5
        atoms += [("C", 1.31 * x, 0, 1.31 * z), ("N", (1.31 + outer) * x, 0, (1.31 + outer) * z)]
    found = ions_in(*atoms, POTASSIUM)
    assert ("dicyanamide" in found) == is_dicyanamide and "carbodiimide" not in found


@pytest.mark.parametrize(("length", "name"), [(1.25, "fulminate"), (1.44, "fulminate"), (1.46, "cyanide")])
def test_fulminate(length: float, name: str) -> None:
    found = find_ions(Surroundings.of(box(("C", 0, 0, 0), ("N", 0, 0, 1.16), ("O", 0, 0, 1.16 + length), POTASSIUM)))
    assert found.ids == {name} and found.bound[:3].tolist() == [True, True, name == "fulminate"]


@pytest.mark.parametrize(("length", "is_acetylide"), [(1.20, True), (1.44, True), (1.46, False)])
def test_acetylide(length: float, is_acetylide: bool) -> None:
    pair: list[Atom] = [("C", 0, 0, 0), ("C", 0, 0, length)]
    assert ("acetylide" in ions_in(*pair, POTASSIUM)) == is_acetylide
    for other, distance in (
        ("N", 1.4),
        ("O", 1.4),
        ("S", 1.7),
        ("F", 1.4),
        ("Cl", 1.8),
        ("Br", 2.0),
        ("I", 2.2),
        ("B", 1.6),
    ):
        assert "acetylide" not in ions_in(*pair, (other, 0, 0, -distance), POTASSIUM), other
    # A chain of three carbon atoms is none.
    assert "acetylide" not in ions_in(*pair, ("C", 0, 0, -1.3), POTASSIUM)


@pytest.mark.parametrize(
    ("metal", "distance", "is_carbonyl"),
    [("Ni", 1.84, True), ("Ni", 2.25, True), ("Ni", 2.6, False), ("S", 1.7, False)],
)
def test_carbonyl(metal: str, distance: float, is_carbonyl: bool) -> None:
    """Carbon monoxide at a metal atom: bonds are up to 1.15 times the sum of the radii, 2.30 Å for nickel."""
    found = ions_in(("C", 0, 0, 0), ("O", 0, 0, 1.14), (metal, 0, 0, -distance), POTASSIUM)
    assert ("carbonyl" in found) == is_carbonyl


# ----------------------------------------------------------------------------------------------- polyanions

PAIRS = {
    "S": ("disulfide", "polysulfide", 2.35), "Se": ("diselenide", "polyselenide", 2.62),
    "Te": ("ditelluride", "polytelluride", 3.10),
    "P": ("diphosphide", "polyphosphide", 2.40), "As": ("diarsenide", "polyarsenide", 2.65),
    "Sb": ("diantimonide", "polyantimonide", 3.00),
    "I": ("", "polyiodide", 3.10), "Br": ("", "polybromide", 2.75),
}  # fmt: skip


@pytest.mark.parametrize("symbol", PAIRS)
def test_anions_of_two_and_more_atoms(symbol: str) -> None:
    double, more, longest = PAIRS[symbol]
    for length, names in ((longest - 0.03, [{double} - {""}, {more}]), (longest + 0.03, [set(), set()])):
        for number, expected in zip((2, 3), names, strict=True):
            atoms: list[Atom] = [(symbol, 0, 0, place * length) for place in range(number)]
            sites = Surroundings.of(box(*atoms, POTASSIUM))
            anions = sites.numbers == NUMBERS[symbol]
            assert polyanions(sites, anions) == expected
            # Both atoms must be anions, and there must be a metal.
            assert polyanions(sites, np.zeros(len(sites), dtype=bool)) == set()
            assert polyanions(Surroundings.of(box(*atoms)), anions[:-1]) == set()
    # A pair and a chain in one crystal.
    length = longest - 0.1
    both: list[Atom] = [
        (symbol, x, 0, place * length) for x, number in ((-3.5, 2), (3.5, 3)) for place in range(number)
    ]
    sites = Surroundings.of(box(*both, POTASSIUM))
    assert polyanions(sites, sites.numbers == NUMBERS[symbol]) == {double, more} - {""}


# --------------------------------------------------------------------------------------- condensed tetrahedra


def chain_of_tetrahedra(center: str, number: int, bond: float, closed: bool = False) -> Crystal:
    """
    Tetrahedra in a row that share corners, with potassium far away.

    Args:
        center: Symbol of the central atoms.
        number: Number of tetrahedra in the row.
        bond: Length of their bonds in Å.
        closed: Whether the row goes on in the next cell.
    """
    step = 2 * bond * 0.8165
    length = number * step if closed else number * step + 10
    atoms: list[Atom] = []
    for place in range(number):
        x, z = place * step, 0.577 * bond
        atoms += [(center, x, 0, z), ("O", x, 0.8165 * bond, 1.155 * bond), ("O", x, -0.8165 * bond, 1.155 * bond)]
        atoms.append(("O", x - step / 2, 0, 0))
    if not closed:
        atoms.append(("O", (number - 0.5) * step, 0, 0))
    atoms.append(("K", 0, 5.0, 8.0))
    places = np.array([atom[1:] for atom in atoms], dtype=float) + np.array([step, 5.0, 1.0])
    lattice = Lattice.orthorhombic(length, 12, 12)
    structure = Structure(lattice, [atom[0] for atom in atoms], places, coords_are_cartesian=True)
    return crystal_from_pymatgen(structure, "chain")


@pytest.mark.parametrize(
    ("center", "bond", "names"),
    [
        ("P", 1.55, ["orthophosphate", "diphosphate", "polyphosphate", "polyphosphate"]),
        ("Cr", 1.65, [None, "dichromate", None, None]),
        ("Si", 1.62, ["orthosilicate", "disilicate", None, "chain_silicate"]),
    ],
)  # fmt: skip
def test_condensed_tetrahedra(center: str, bond: float, names: list[str | None]) -> None:
    """One, two and three tetrahedra, and an endless chain of two in the cell."""
    base = {"P": "phosphate", "Cr": "chromate", "Si": "silicate"}[center]
    for number, closed, name in zip((1, 2, 3, 2), (False, False, False, True), names, strict=True):
        found = find_ions(Surroundings.of(chain_of_tetrahedra(center, number, bond, closed)))
        assert found.ids == {base} | ({name} if name else set()), (number, closed)
        assert found.oxyanions == {base}
        assert (found.centres == np.isin(found.states, (5, 6, 4))).all() or center == "Cr"


@pytest.mark.parametrize(
    ("other", "longest"),
    # Tetrahedra of these elements belong to the framework of a silicate.
    [("Al", 1.95), ("Ga", 2.0), ("B", 1.65), ("Be", 1.80), ("Ge", 1.95)],
)
def test_other_tetrahedra_next_to_a_silicate(other: str, longest: float) -> None:
    """SiO4 and another tetrahedron with a common corner are no orthosilicate; farther ones are cations."""
    for bond, is_apart in ((longest - 0.03, False), (longest + 0.04, True)):
        silicate = ligands("Si", "O", 4, 1.62)
        shared = np.array(silicate[1][1:])
        direction = shared / np.linalg.norm(shared)
        second = shared + bond * direction
        turned = [np.array(v) / 3**0.5 for v in ([-1, -1, -1], [1, 1, -1], [1, -1, 1], [-1, 1, 1])]
        places = [second, *(second + bond * axis for axis in turned[1:])]
        atoms = [*silicate, *((name, *place.tolist()) for name, place in zip([other, *"OOO"], places, strict=True))]
        found = ions_in(*atoms, POTASSIUM)
        assert ("orthosilicate" in found) == is_apart, (other, bond, found)
        assert ("aluminosilicate" in found) == (other == "Al" and not is_apart)


@pytest.mark.parametrize(
    ("metal", "halogen", "bond", "name"),
    [
        ("Ti", "F", 1.86, "hexafluoro_metallate hexafluorotitanate"), ("Zr", "F", 2.0, "hexafluoro_metallate"),
        ("Pt", "Cl", 2.32, "hexachloro_metallate"),
        ("Sn", "Br", 2.6, "hexabromo_metallate"), ("Te", "I", 2.9, "hexaiodo_metallate"),
        ("Te", "Cl", 2.5, "hexachloro_metallate"), ("Se", "Br", 2.5, "hexabromo_metallate"),
        ("Sb", "Cl", 2.5, "hexachloro_metallate"), ("Ge", "Cl", 2.3, "hexachloro_metallate"), ("Te", "F", 2.0, ""),
        ("P", "Cl", 2.1, ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cation", ["K", "Tl", "Mg", "Ag"])
def test_octahedra_of_halogens(metal: str, halogen: str, bond: float, name: str, cation: str) -> None:
    """A2MX6 of the K2PtCl6 type. Silver is not a spectator, so that there are two metals."""
    edge = 4 * bond + 0.3
    axes = np.concatenate([np.eye(3), -np.eye(3)]) * bond / edge
    places = np.concatenate([[[0.0] * 3, [0.25] * 3, [0.75] * 3], axes])
    found = find_ions(Surroundings.of(face_centred(edge, [metal, cation, cation, *[halogen] * 6], places))).ids
    assert {entry for entry in found if entry.startswith("hexa")} == (set(name.split()) if cation != "Ag" else set())


@pytest.mark.parametrize(
    ("length", "oxygens", "is_uranyl"),
    [(1.78, 2, True), (1.89, 2, True), (1.92, 2, False), (1.78, 1, False), (1.78, 3, False)],
)
def test_uranyl(length: float, oxygens: int, is_uranyl: bool) -> None:
    places = [(0.0, 0.0, length), (0.0, 0.0, -length), (length, 0.0, 0.0)][:oxygens]
    atoms: list[Atom] = [("U", 0, 0, 0), *[("O", *place) for place in places]]
    assert ("uranyl" in ions_in(*atoms, POTASSIUM)) == is_uranyl and "uranyl" not in ions_in(*atoms)


# ---------------------------------------------------------------------------------------- disordered crystals


@pytest.mark.parametrize(
    ("distance", "shares", "kept"),
    [
        # Twice the radius of lithium, 1.28 Å, times 0.75 is 1.92 Å. The one that is more frequent stays.
        (1.88, (0.6, 0.4), [0]), (1.88, (0.4, 0.6), [1]), (1.96, (0.6, 0.4), [0, 1]), (1.88, (0.6, 0.41), [0]),
        (1.88, (0.6, 0.43), [0, 1]),
        (1.88, (0.5, 0.5), [0]), (1.0, (0.1, 0.1), [0]), (0.3, (0.9, 0.2), [0, 1]),
    ],
)  # fmt: skip
def test_alternative_positions(distance: float, shares: tuple[float, float], kept: list[int]) -> None:
    positions = np.array([[0, 0, 0], [0, 0, distance], [4, 4, 4]])
    made = make_crystal("x", [3, 3, 17], positions, np.eye(3) * 9, [*shares, 1.0])
    sites = Surroundings.of(made)
    assert sites.numbers.tolist() == [3] * len(kept) + [17] and sites.elements == (3, 17) and not sites.minor
    # Distances to chlorine tell which positions stayed.
    for site, place in enumerate(kept):
        expected = np.linalg.norm(positions[2] - positions[place] - np.rint((positions[2] - positions[place]) / 9) * 9)
        chlorine = (sites.centers == site) & (sites.points == len(kept))
        assert not chlorine.any() or sites.distances[chlorine].min() == pytest.approx(expected)


def test_each_element_of_a_mixed_site_is_there_once() -> None:
    """(Fe,Ni,Co)O with cobalt on one more site, of which it is the main element; nickel is never the main one."""
    numbers, shares = [26, 28, 27, 8, 27, 28], [0.5, 0.3, 0.2, 1.0, 0.9, 0.1]
    places = [[0, 0, 0]] * 3 + [[2, 0, 0]] + [[2, 2, 0]] * 2
    sites = Surroundings.of(make_crystal("x", numbers, places, np.eye(3) * 4, shares))
    assert sites.numbers.tolist() == [26, 8, 27] and sites.elements == (8, 26, 27, 28)
    assert {number: rows.tolist() for number, rows in sites.minor.items()} == {28: [0, 2]}
    assert [variant.numbers.tolist() for variant in sites.variants()] == [[26, 8, 27], [28, 8, 28]]
    with pytest.raises(dataclasses.FrozenInstanceError):
        sites.numbers = np.zeros(0)  # type: ignore[misc]


@pytest.mark.parametrize("seed", range(4))
def test_neighbors_are_those_of_pymatgen(seed: int) -> None:
    generator = np.random.default_rng(seed)
    lattice = Lattice.from_parameters(*(4 + 3 * generator.random(3)), *(75 + 35 * generator.random(3)))
    structure = Structure(lattice, ["Na", "Cl", "O", "Fe"], generator.random((4, 3)) * 3 - 1)
    sites = Surroundings.of(crystal_from_pymatgen(structure, "x"))
    for site in range(4):
        start, end = sites.starts[site], sites.starts[site + 1]
        near = structure.get_neighbors(structure[site], RADIUS)
        np.testing.assert_allclose(sites.distances[start:end], sorted(entry.nn_distance for entry in near), atol=1e-6)
        np.testing.assert_allclose(
            np.linalg.norm(sites.vectors[start:end], axis=1), sites.distances[start:end], atol=1e-6
        )
        assert (sites.centers[start:end] == site).all()
        assert (sites.center_numbers[start:end] == sites.numbers[site]).all()
    total = COVALENT_RADII[sites.numbers[sites.centers]] + COVALENT_RADII[sites.numbers[sites.points]]
    np.testing.assert_array_equal(sites.radii, total)
    for first, second, shortest, longest in (("Na", "Cl", 0.0, 5.0), ("O", "Fe", 2.0, 4.0), ("Na", "Na", 0.0, 5.4)):
        expected = [
            pair
            for pair, (center, point) in enumerate(zip(sites.center_numbers, sites.point_numbers, strict=True))
            if (center, point) == (NUMBERS[first], NUMBERS[second]) and shortest < sites.distances[pair] <= longest
        ]
        found = sites.pairs(first, second, longest, shortest)
        assert found.tolist() == expected
        assert sites.counts(found).sum() == sites.counts_of_points(found).sum() == len(expected)
        assert sites.counts(found)[sites.numbers.tolist().index(NUMBERS[first])] == len(expected)
    assert not len(sites.pairs("Na", "K", 5.0)) and not len(sites.pairs("K", "Na", 5.0))


# ------------------------------------------------------------------------------------------------- symmetry


def test_general_positions_of_the_group_with_27_letters() -> None:
    """P m m m has more positions than there are small letters: the general one is called A."""
    lattice = Lattice.orthorhombic(7, 8, 9)
    structure = Structure.from_spacegroup(
        "Pmmm", lattice, ["Fe", "O", "S"], [[0.13, 0.21, 0.32], [0, 0, 0], [0, 0.3, 0.4]]
    )
    found = symmetry_facts(find_orbits(crystal_from_pymatgen(structure, "x")))
    assert (
        found["prototype"] == "AB4C8_oP13_47_a_u_A" and found["wyckoff"] == "A u a" and found["bravais_lattice"] == "oP"
    )


@pytest.mark.parametrize(("ratio", "is_found"), [(299.0, True), (301.0, False)])
def test_very_long_cells_are_not_searched(ratio: float, is_found: bool) -> None:
    structure = Structure(Lattice.tetragonal(3.0, 3.0 * ratio), ["Po"], [[0, 0, 0]])
    assert (find_orbits(crystal_from_pymatgen(structure, "x")) is not None) == is_found


@pytest.mark.parametrize(
    ("shift", "group", "is_found"),
    # Tolerances are 0.1 Å, or 0.05, 0.2 and 0.02 Å if the group is known.
    [
        (0.0, None, 221), (0.05, None, 221), (0.05, 221, 221), (0.05, 99, 99), (0.03, 99, 99), (0.12, None, 99),
        (0.12, 221, 221),
        (0.12, 99, 99), (0.15, 221, None), (0.3, 221, None), (0.0, 62, None),
    ],
)  # fmt: skip
def test_tolerances(shift: float, group: int | None, is_found: int | None) -> None:
    """Titanium of a cubic perovskite is moved along c."""
    structure = Structure(
        Lattice.cubic(4.0), ["Ba", "Ti", "O", "O", "O"],
        np.array([[0, 0, 0], [0.5, 0.5, 0.5 + shift / 4], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
    )  # fmt: skip
    orbits = find_orbits(crystal_from_pymatgen(structure, "x"), group)
    assert (None if orbits is None else orbits.space_group) == is_found


# ------------------------------------------------------------------------------------- classes and names by bonds


def amounts_of(*atoms: Atom) -> dict[str, float]:
    return {
        symbol: float(sum(atom[0] == symbol for atom in atoms)) for symbol in dict.fromkeys(atom[0] for atom in atoms)
    }


def name_of(*atoms: Atom) -> set[str]:
    """Name of an oxide whose oxidation states are not known."""
    sites = Surroundings.of(box(*atoms))
    nothing = find_ions(dataclasses.replace(sites, numbers=np.full(len(sites), 11)))
    return oxide_names(sites, amounts_of(*atoms), {"O"}, nothing, None)


@pytest.mark.parametrize(
    ("metal", "longest", "name"),
    [("Sb", 2.06, "antimonate"), ("Bi", 2.29, "bismuthate"), ("Pb", 2.28, "plumbate"), ("Sn", 2.16, "stannate")],
)
def test_metals_with_a_lone_pair_give_a_name_by_short_bonds(metal: str, longest: float, name: str) -> None:
    """Four or more bonds, whose mean is that of the higher oxidation state."""
    for number, length, is_named in (
        (6, -0.02, True),
        (6, 0.02, False),
        (5, -0.02, True),
        (4, -0.02, True),
        (3, -0.1, False),
    ):
        oxygen: list[Atom] = [("O", 5.5, y, -5.0) for y in (-3.0, 0.0, 3.0)]
        atoms = [*ligands(metal, "O", number, longest + length), *oxygen, POTASSIUM]
        assert name_of(*atoms) == ({name} if is_named else set()), (number, length)
    # Of a stretched octahedron all six bonds count; those beyond 2.7 Å do not.
    near = longest - 0.1
    square: list[Atom] = [("O", near, 0, 0), ("O", -near, 0, 0), ("O", 0, near, 0), ("O", 0, -near, 0)]
    for far, is_named in ((longest + 0.15, True), (longest + 0.3, False), (2.75, True)):
        atoms = [(metal, 0.0, 0.0, 0.0), *square, ("O", 0.0, 0.0, far), ("O", 0.0, 0.0, -far), POTASSIUM]
        assert name_of(*atoms) == ({name} if is_named else set()), far


def has_cluster(*atoms: Atom, anions: str = "S", edge: float = 14.0) -> bool:
    sites = Surroundings.of(box(*atoms, edge=edge))
    nothing = find_ions(dataclasses.replace(sites, numbers=np.full(len(sites), 11)))
    return "cluster" in classes_of(sites, amounts_of(*atoms), set(anions.split()), nothing, set(), 3, False)


@pytest.mark.parametrize("metal", "Zr Hf V Nb Ta Mo W Tc Re Ru Os Rh Ir Fe Co Ni Cu Pt Ti".split())
def test_clusters_of_metal_atoms(metal: str) -> None:
    """Three metal atoms that are closer than 0.95 times the sum of the radii, in a sulfide."""
    is_metal = metal not in ("Ni", "Cu", "Pt", "Ti")
    for ratio, is_close in ((0.93, True), (0.97, False)):
        length = ratio * 2 * float(COVALENT_RADII[NUMBERS[metal]])
        triangle: list[Atom] = [(metal, 0, 0, 0), (metal, length, 0, 0), (metal, length / 2, length * 0.75**0.5, 0)]
        rest: list[Atom] = [("S", 0, 0, -4.0), POTASSIUM]
        assert has_cluster(*triangle, *rest) == (is_metal and is_close)
        assert not has_cluster(*triangle[:2], *rest)
        # Vanadium atoms of oxides come as close; carbides and the like are metals.
        assert has_cluster(*triangle, *rest, anions="O") == (is_metal and is_close and metal != "V")
        for metallic in ("", "C", "B N", "H"):
            assert not has_cluster(*triangle, *rest, anions=metallic)
    # An endless chain is not a cluster.
    length = 0.93 * 2 * float(COVALENT_RADII[NUMBERS[metal]])
    chain: list[Atom] = [(metal, 0, 0, place * length) for place in range(5)]
    assert not has_cluster(*chain, ("S", 0, 5.0, 0), edge=5 * length)


@pytest.mark.parametrize(
    ("symbol", "electrons"),
    [
        ("Ga", 5),
        ("In", 5),
        ("Tl", 5),
        ("Al", 5),
        ("Si", 4),
        ("Ge", 4),
        ("Sn", 4),
        ("Pb", 4),
        ("As", 3),
        ("Sb", 3),
        ("Bi", 3),
    ],
)
def test_pairs_of_zintl_phases(symbol: str, electrons: int) -> None:
    """A bond saves an electron of each atom. Bonds are up to 1.18 times the sum of the radii."""
    for ratio, needed in ((1.16, electrons - 1), (1.20, electrons)):
        length = ratio * 2 * float(COVALENT_RADII[NUMBERS[symbol]])
        pair: list[Atom] = [(symbol, 0, 0, 0), (symbol, 0, 0, length)]
        for given in (needed - 1, needed, needed + 1):
            sodium: list[Atom] = [
                ("Na", -6 + 3.5 * (place % 4), 6.0, -6 + 4.0 * (place // 4)) for place in range(2 * given)
            ]
            sites = Surroundings.of(box(*pair, *sodium))
            assert is_zintl(sites, {symbol, "Na"}) == (given == needed), (ratio, given)


# ------------------------------------------------------------------------------------------------ structure types

ROCK_SALT, ZINC_BLENDE, CAESIUM_CHLORIDE = "rock salt", "zinc blende", "caesium chloride"


@pytest.mark.parametrize(
    ("kind", "edge", "cation", "anion", "shape", "states", "classes"),
    [
        (ROCK_SALT, 5.64, "Na", "Cl", "6:octahedron", "Cl-1 Na+1", "ionic salt"),
        (ROCK_SALT, 4.21, "Mg", "O", "6:octahedron", "Mg+2 O-2", "ionic"),
        (ROCK_SALT, 5.93, "Pb", "S", "6:octahedron", "Pb+2 S-2", ""),
        (ROCK_SALT, 4.08, "Li", "H", "6:octahedron", "H-1 Li+1", ""),
        (ROCK_SALT, 4.24, "Ti", "N", "6:octahedron", "N-3 Ti+3", ""),
        (ROCK_SALT, 4.33, "Ti", "C", "6:octahedron", None, ""),
        (ROCK_SALT, 5.14, "Eu", "O", "6:octahedron", "Eu+2 O-2", "ionic"),
        (ROCK_SALT, 6.35, "Ca", "Te", "6:octahedron", "Ca+2 Te-2", ""),
        (ZINC_BLENDE, 5.41, "Zn", "S", "4:tetrahedron", "S-2 Zn+2", ""),
        (ZINC_BLENDE, 5.65, "Ga", "As", "4:tetrahedron", "As-3 Ga+3", ""),
        (ZINC_BLENDE, 5.42, "Cu", "Cl", "4:tetrahedron", "Cl-1 Cu+1", ""),
        (ZINC_BLENDE, 4.36, "Si", "C", "4:tetrahedron", "C-4 Si+4", ""),
        (ZINC_BLENDE, 6.48, "Cd", "Te", "4:tetrahedron", "Cd+2 Te-2", ""),
        (ZINC_BLENDE, 3.62, "B", "N", "4:tetrahedron", "B+3 N-3", ""),
        (CAESIUM_CHLORIDE, 4.12, "Cs", "Cl", "8:cube", "Cl-1 Cs+1", "ionic salt"),
        (CAESIUM_CHLORIDE, 4.20, "Tl", "I", "8:cube", "I-1 Tl+1", ""),
    ],
)  # fmt: skip
def test_compounds_of_two_elements(
    kind: str,
    edge: float,
    cation: str,
    anion: str,
    shape: str,
    states: str | None,
    classes: str,
) -> None:
    if kind == CAESIUM_CHLORIDE:
        structure = Structure(Lattice.cubic(edge), [cation, anion], [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
        found = crystal_facts(crystal_from_pymatgen(structure, "x"))
    else:
        found = crystal_facts(two_elements(edge, cation, anion, 0.5 if kind == ROCK_SALT else 0.25))
    assert found["anions"] == [anion] and found["ions"] == [] and found["dimensionality"] == 3
    assert found["coordination"] == sorted([f"{anion}:{shape}", f"{cation}:{shape}"])
    assert found["oxidation_states"] == (states.split() if states else None)
    assert found["classes"] == classes.split()


def test_fluorite_rutile_wurtzite_and_layers() -> None:
    fluorite = facts("Fm-3m", Lattice.cubic(5.46), {"Ca": (0, 0, 0), "F": (0.25, 0.25, 0.25)})
    assert fluorite["coordination"] == ["Ca:8:cube", "F:4:tetrahedron"] and fluorite["oxidation_states"] == [
        "Ca+2",
        "F-1",
    ]
    rutile = facts("P4_2/mnm", Lattice.tetragonal(4.594, 2.959), {"Ti": (0, 0, 0), "O": (0.305, 0.305, 0)})
    assert rutile["coordination"] == ["O:3:trigonal-planar", "Ti:6:octahedron"] and rutile["dimensionality"] == 3
    wurtzite = facts("P6_3mc", Lattice.hexagonal(3.25, 5.21), {"Zn": (1 / 3, 2 / 3, 0), "O": (1 / 3, 2 / 3, 0.382)})
    assert wurtzite["coordination"] == ["O:4:tetrahedron", "Zn:4:tetrahedron"]
    layers = facts("P-3m1", Lattice.hexagonal(3.40, 5.90), {"Ti": (0, 0, 0), "S": (1 / 3, 2 / 3, 0.25)})
    assert layers["dimensionality"] == layers["framework_dimensionality"] == 2
    assert layers["coordination"] == ["S:3:trigonal-pyramid", "Ti:6:octahedron"] and layers["oxidation_states"] == [
        "S-2",
        "Ti+4",
    ]
    prisms = facts("P6_3/mmc", Lattice.hexagonal(3.16, 12.29), {"Mo": (1 / 3, 2 / 3, 0.25), "S": (1 / 3, 2 / 3, 0.621)})
    assert prisms["dimensionality"] == 2 and prisms["coordination"] == ["Mo:6:trigonal-prism", "S:3:trigonal-pyramid"]
    spaced = facts("R-3m", Lattice.hexagonal(2.82, 14.05), {"Li": (0, 0, 0), "Co": (0, 0, 0.5), "O": (0, 0, 0.24)})
    assert spaced["dimensionality"] == 3 and spaced["framework_dimensionality"] == 2
    assert spaced["ions"] == ["cobaltate"] and "complex_oxide" in spaced["classes"]
    assert spaced["oxidation_states"] == ["Co+3", "Li+1", "O-2"]
    argon = facts("Fm-3m", Lattice.cubic(5.31), {"Ar": (0, 0, 0)})
    assert argon["classes"] == ["element"] and argon["anions"] == []
    copper = facts("Fm-3m", Lattice.cubic(3.61), {"Cu": (0, 0, 0)})
    assert copper["coordination"] == ["Cu:12:cuboctahedron"] and copper["dimensionality"] == 3
    hcp = facts("P6_3/mmc", Lattice.hexagonal(3.209, 5.211), {"Mg": (1 / 3, 2 / 3, 0.25)})
    assert hcp["coordination"] == ["Mg:12:anticuboctahedron"]
    spinel = facts(
        "Fd-3m", Lattice.cubic(8.08), {"Mg": (0, 0, 0), "Al": (0.625, 0.625, 0.625), "O": (0.3873, 0.3873, 0.3873)}
    )
    assert {"Mg:4:tetrahedron", "Al:6:octahedron"} <= set(spinel["coordination"]) and spinel["ions"] == ["aluminate"]
    perovskite = facts("Pm-3m", Lattice.cubic(3.905), {"Sr": (0, 0, 0), "Ti": (0.5, 0.5, 0.5), "O": (0.5, 0.5, 0)})
    assert {"Sr:12:cuboctahedron", "Ti:6:octahedron"} <= set(perovskite["coordination"])
    assert perovskite["oxidation_states"] == ["O-2", "Sr+2", "Ti+4"] and perovskite["classes"] == [
        "complex_oxide",
        "ionic",
    ]
