"""Chemical facts of crystals: known compounds, disorder, and independence of the description of a crystal."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from modeling_clac.crystal_clac import Crystal, crystal_from_pymatgen, make_crystal
from modeling_clac.data.facts.chemistry import CLASSES
from modeling_clac.data.facts.columns import FACT_COLUMNS
from modeling_clac.data.facts.coordination import first_shell, shape_of
from modeling_clac.data.facts.crystal_facts import crystal_facts, facts_of
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.data.facts.ion_table import IONS
from modeling_clac.data.facts.surroundings import Surroundings
from modeling_clac.search.stored_crystals import StoredCrystals

CHECKED = [
    line.split("\t")
    for line in (Path(__file__).parent / "hand_checked.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
CHEMICAL = (
    "anions", "ions", "classes", "dimensionality", "framework_dimensionality", "coordination", "oxidation_states",
)  # fmt: skip


@cache
def stored() -> StoredCrystals:
    return StoredCrystals.bundled()


@cache
def crystal_of(material_id: str) -> Crystal:
    return stored().structures([stored().row_of(material_id)])[0]


def chemistry(crystal: Crystal) -> dict[str, Any]:
    facts = crystal_facts(crystal)
    return {name: facts[name] for name in CHEMICAL}


def structure(group: str, cell: float | Lattice, species: list[Any], positions: list[list[float]]) -> Crystal:
    lattice = cell if isinstance(cell, Lattice) else Lattice.cubic(cell)
    return crystal_from_pymatgen(Structure.from_spacegroup(group, lattice, species, positions), group)


@pytest.mark.parametrize("row", CHECKED, ids=[f"{row[1]}-{row[0]}" for row in CHECKED])
def test_known_compounds(row: list[str]) -> None:
    material_id, formula, _, anions, ions, classes, dimensionality, coordination, states = row
    facts = chemistry(crystal_of(material_id))
    assert stored().record(stored().row_of(material_id))["formula"] == formula
    assert facts["anions"] == sorted(anions.split())
    assert facts["ions"] == sorted(ions.split())
    for entry in classes.split():
        assert (entry[1:] in facts["classes"]) == (entry[0] == "+"), entry
    assert facts["dimensionality"] == int(dimensionality)
    assert set(coordination.split()) <= set(facts["coordination"])
    assert set(states.split()) <= set(facts["oxidation_states"] or ())


def test_all_ids_are_in_the_tables() -> None:
    facts = FactTable.bundled()
    assert set(facts.values("ions")) <= IONS
    assert set(facts.values("classes")) <= CLASSES
    # Each is in its column for at least one crystal, or too rare to be among the bundled ones.
    assert len(IONS - set(facts.values("ions"))) < 25
    assert not CLASSES - set(facts.values("classes"))


@settings(max_examples=60, deadline=None)
@given(
    row=st.sampled_from(CHECKED),
    shift=st.tuples(*[st.floats(0, 1)] * 3),
    copies=st.sampled_from([(1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2)]),
    seed=st.integers(0, 2**16),
)
def test_facts_do_not_depend_on_the_description(
    row: list[str], shift: tuple[float, ...], copies: tuple[int, ...], seed: int
) -> None:
    """Another origin, order of the atoms, orientation and cell of the same crystal have the same facts."""
    crystal = crystal_of(row[0])
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in copies], indexing="ij"), -1).reshape(-1, 3)
    positions = (crystal.positions[None] + (grid @ crystal.cell)[:, None]).reshape(-1, 3)
    numbers = np.tile(crystal.atomic_numbers, len(grid))
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(numbers))
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    positions = (positions[order] + np.asarray(shift) @ crystal.cell) @ rotation
    cell = (crystal.cell * np.asarray(copies)[:, None]) @ rotation
    assert chemistry(Crystal(numbers[order], positions, cell)) == chemistry(crystal)


def test_caesium_chloride_type_is_a_framework() -> None:
    facts = chemistry(structure("Pm-3m", 3.83, ["Tl", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    assert facts["dimensionality"] == 3 and facts["framework_dimensionality"] == 0
    assert facts["coordination"] == ["Cl:8:cube", "Tl:8:cube"]


@pytest.mark.parametrize(
    ("cell", "species", "positions", "group", "ions", "states"),
    [
        # Calcite, rutile, fluorite structure of CeO2, and KMnO4 with its state by neutrality.
        (
            Lattice.hexagonal(4.99, 17.06), ["Ca", "C", "O"], [[0, 0, 0], [0, 0, 0.25], [0.257, 0, 0.25]], "R-3c",
            ["carbonate"], {"Ca+2", "C+4", "O-2"},
        ),
        (Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]], "P4_2/mnm", [], {"Ti+4"}),
        (Lattice.cubic(5.41), ["Ce", "O"], [[0, 0, 0], [0.25, 0.25, 0.25]], "Fm-3m", [], {"Ce+4"}),
    ],
)  # fmt: skip
def test_published_structures(
    cell: Lattice, species: list[str], positions: list[list[float]], group: str, ions: list[str], states: set[str]
) -> None:
    facts = chemistry(structure(group, cell, species, positions))
    assert facts["ions"] == ions
    assert states <= set(facts["oxidation_states"])


PEROVSKITE = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]


def test_mixed_cations_are_both_there() -> None:
    facts = chemistry(structure("Pm-3m", 3.96, [{"Ba": 0.7, "Sr": 0.3}, "Ti", "O"], PEROVSKITE))
    assert facts["anions"] == ["O"] and facts["ions"] == ["titanate"]
    assert {"Ba:12:cuboctahedron", "Sr:12:cuboctahedron", "Ti:6:octahedron"} <= set(facts["coordination"])
    both = chemistry(structure("Pm-3m", 4.05, ["Pb", {"Zr": 0.6, "Ti": 0.4}, "O"], PEROVSKITE))
    assert both["ions"] == ["titanate", "zirconate"]
    assert both["oxidation_states"] is None


def test_mixed_anions_and_centres_are_both_there() -> None:
    facts = chemistry(structure("Pm-3m", 4.0, ["Ca", "Ta", {"O": 0.7, "N": 0.3}], PEROVSKITE))
    assert facts["anions"] == ["N", "O"] and "oxynitride" in facts["classes"]
    xenotime = crystal_of(next(row[0] for row in CHECKED if row[1] == "YVO4"))
    vanadium = xenotime.atomic_numbers == 23
    numbers = np.concatenate([xenotime.atomic_numbers, np.full(vanadium.sum(), 15)])
    positions = np.concatenate([xenotime.positions, xenotime.positions[vanadium]])
    # Bonds of P, which is a third of the mixture, are as long as those of V.
    shares = np.concatenate([np.where(vanadium, 0.66, 1.0), np.full(vanadium.sum(), 0.34)])
    mixed = make_crystal("mixed", numbers, positions, xenotime.cell, shares)
    assert {"vanadate", "phosphate"} <= set(chemistry(mixed)["ions"])


def test_split_positions_count_once() -> None:
    """Oxygen on two positions 0.4 Å apart, each half occupied, still makes octahedra."""
    whole = structure("Pm-3m", 3.95, ["Sr", "Ti", "O"], PEROVSKITE)
    oxygen = np.flatnonzero(whole.atomic_numbers == 8)
    moved = whole.positions[oxygen] + np.roll(np.eye(3), 1, axis=0) * 0.2
    numbers = np.concatenate([whole.atomic_numbers, np.full(3, 8)])
    positions = np.concatenate([whole.positions, moved])
    positions[oxygen] -= np.roll(np.eye(3), 1, axis=0) * 0.2
    shares = np.ones(len(numbers))
    shares[oxygen] = shares[-3:] = 0.5
    split = make_crystal("split", numbers, positions, whole.cell, shares)
    assert len(Surroundings.of(split)) == 5
    assert "Ti:6:octahedron" in chemistry(split)["coordination"]


def test_mixed_metals_are_an_alloy() -> None:
    facts = chemistry(structure("Fm-3m", 3.87, [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]]))
    assert facts["classes"] == ["alloy"] and facts["dimensionality"] == 3


@pytest.mark.parametrize(
    ("ratio", "dimensionality"), [(1.0, 3), (1.10, 3), (1.14, 3), (1.16, None), (1.20, None), (1.25, 2), (1.5, 2)]
)
@pytest.mark.parametrize(("metal", "edge"), [("Po", 3.35), ("Cu", 2.70)])
def test_squares_of_atoms_are_layers_if_they_are_far_apart(
    metal: str, edge: float, ratio: float, dimensionality: int | None
) -> None:
    """
    Primitive tetragonal metals, whose bonds are the edges a of squares and those between them, c.

    The score of the framework is 1 / (1 + ((c/a - 1) / 0.15)²) (Larsen et al. 2019), more than that of the layers up to
    c/a = 1.15. Layers are separate from 1.22 on.
    """
    crystal = structure("P4/mmm", Lattice.tetragonal(edge, ratio * edge), [metal], [[0, 0, 0]])
    assert chemistry(crystal)["dimensionality"] == dimensionality


def test_boron_behind_a_nitrogen_is_not_bonded_to_the_carbon() -> None:
    """
    A hypothetical Li3B(NCN)3, whose boron is bonded to nitrogen and 2.34 Å from the carbon of the carbodiimide.

    Bonds B-C are about 1.6 Å long, as in the tetracyanoborates among the known compounds.
    """
    boron = np.array([5.0, 5.0, 3.0])
    symbols, positions = ["B"], [boron]
    for angle in np.radians([0, 120, 240]):
        # N=C=N at 120° to the bond B-N, and lithium above its end.
        bond = np.array([np.cos(angle), np.sin(angle), 0])
        arm = np.array([np.cos(angle + np.pi / 3), np.sin(angle + np.pi / 3), 0])
        near = boron + 1.44 * bond
        symbols += ["N", "C", "N", "Li"]
        positions += [near, near + 1.26 * arm, near + 2.44 * arm, near + 2.44 * arm + [0, 0, 2.0]]
    assert all(abs(np.linalg.norm(positions[place] - boron) - 2.34) < 0.001 for place in (2, 6, 10))
    cell = Lattice.orthorhombic(10, 10, 6)
    crystal = crystal_from_pymatgen(Structure(cell, symbols, positions, coords_are_cartesian=True), "Li3B(NCN)3")
    assert chemistry(crystal)["ions"] == ["carbodiimide"]


def test_hydrogen_between_two_atoms_is_shared() -> None:
    """The symmetric hydrogen bonds of a hypothetical FeO(OH) make hydroxide; water has two hydrogen atoms."""
    shared = chemistry(crystal_of("mp-743660"))
    assert shared["ions"] == ["hydroxide"] and "hydrate" not in shared["classes"]


def test_exchanged_positions_leave_the_chemistry_open() -> None:
    """Silver phosphate with phosphorus far from all other atoms."""
    wrong = structure("Pm-3n", 6.03, ["P", "O", "Ag"], [[0, 0, 0], [0.25, 0.25, 0.25], [0.25, 0, 0.5]])
    assert set(chemistry(wrong).values()) == {None}


def test_facts_of_several_crystals_fit_the_columns() -> None:
    table = facts_of([crystal_of(row[0]) for row in CHECKED[:3]])
    assert table.schema.names == list(FACT_COLUMNS)
    assert table["anions"].to_pylist() == [sorted(row[3].split()) for row in CHECKED[:3]]


@pytest.mark.parametrize(
    ("shape", "corners"),
    [
        ("tetrahedron", [[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]),
        ("square-planar", [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]),
        ("square-pyramid", [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]]),
        ("trigonal-bipyramid", [[1, 0, 0], [-0.5, 0.866, 0], [-0.5, -0.866, 0], [0, 0, 1], [0, 0, -1]]),
        ("octahedron", [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]),
        ("trigonal-prism", [[x, y, z] for x, y in ((1, 0), (-0.5, 0.866), (-0.5, -0.866)) for z in (-0.76, 0.76)]),
        ("cube", [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]),
        ("cuboctahedron", [v for a in (-1, 1) for b in (-1, 1) for v in ([a, b, 0], [a, 0, b], [0, a, b])]),
        ("icosahedron", [v for a in (-1, 1) for b in (-1.618, 1.618) for v in ([0, a, b], [a, b, 0], [b, 0, a])]),
        ("linear", [[0, 0, 1], [0, 0, -1]]),
        ("bent", [[0, 0, 1], [0, 1, 0]]),
        ("", [[0, 0, 1]]),
    ],
)
def test_ideal_polyhedra_have_their_names(shape: str, corners: list[list[float]]) -> None:
    directions = np.array(corners, dtype=float)
    assert shape_of(directions / np.linalg.norm(directions, axis=1, keepdims=True)) == shape


@given(
    near=st.integers(1, 12), far=st.integers(1, 12), bond=st.floats(1.5, 2.6), gap=st.floats(1.15, 1.6),
    noise=st.integers(0, 100),
)  # fmt: skip
def test_the_first_shell_ends_at_the_gap(near: int, far: int, bond: float, gap: float, noise: int) -> None:
    generator = np.random.default_rng(noise)
    first = bond * (1 + 0.02 * generator.random(near))
    second = first.max() * gap * (1 + 0.02 * generator.random(far))
    distances = np.sort(np.concatenate([first, second]))
    if second.max() > 1.5 * distances[0] or 5.5 / second.max() < gap:
        assert first_shell(distances) in (near, near + far)
