"""Wyckoff sequences and prototype labels, with pymatgen as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.prototypes import get_protostructure_label_from_moyopy, get_prototype_from_protostructure
from pymatgen.core import Lattice, Structure

from modeling_clac.crystal_clac import Crystal, make_crystal
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.data.facts.symmetry import find_orbits, symmetry_facts
from modeling_clac.data.structure_writing import to_pymatgen
from modeling_clac.structures_clac import parse_structure

SAMPLE = bundled_crystals().take(list(range(0, 6_000, 97))).to_pylist()
PARSED = [parse_structure(row["cif"], row["material_id"]) for row in SAMPLE]


def facts_of(crystal: Crystal, space_group: int | None = None) -> dict[str, str | None]:
    return symmetry_facts(find_orbits(crystal, space_group))


def spinel() -> Crystal:
    structure = Structure.from_spacegroup(
        "Fd-3m", Lattice.cubic(8.08), ["Mg", "Al", "O"], [[0, 0, 0], [0.625] * 3, [0.3873] * 3]
    )
    return parse_structure(structure)


def test_facts_of_spinel() -> None:
    assert facts_of(spinel()) == {
        "bravais_lattice": "cF",
        "wyckoff": "e d a",
        "pearson": "cF56",
        "prototype": "AB2C4_cF56_227_a_d_e",
    }


def test_labels_are_those_of_pymatgen() -> None:
    for row, crystal in zip(SAMPLE, PARSED, strict=True):
        label = get_protostructure_label_from_moyopy(to_pymatgen(crystal), symprec=0.1)
        assert facts_of(crystal)["prototype"] == get_prototype_from_protostructure(label), row["formula"]


def test_the_stored_group_is_the_reference() -> None:
    known = 0
    for row, crystal in zip(SAMPLE, PARSED, strict=True):
        orbits = find_orbits(crystal, row["space_group_number"])
        assert orbits is None or orbits.space_group == row["space_group_number"]
        known += orbits is not None
    assert known >= len(SAMPLE) - 1
    # No tolerance finds the group of another crystal; what follows from its number stays known.
    assert find_orbits(spinel(), 62) is None
    assert symmetry_facts(None, 62) == {"bravais_lattice": "oP", "wyckoff": None, "pearson": None, "prototype": None}


@settings(max_examples=25, deadline=None)
@given(
    index=st.integers(0, len(PARSED) - 1),
    shift=st.tuples(*[st.floats(0, 1)] * 3),
    axes=st.permutations(range(3)),
    copies=st.sampled_from([(1, 1, 1), (2, 1, 1), (1, 1, 2)]),
    seed=st.integers(0, 1_000),
)
def test_facts_do_not_depend_on_the_description(index, shift, axes, copies, seed) -> None:
    structure = to_pymatgen(PARSED[index])
    if len(structure) > 40:
        return
    structure.translate_sites(range(len(structure)), shift)
    structure = structure * copies
    order = np.random.default_rng(seed).permutation(len(structure))
    moved = Structure(
        Lattice(structure.lattice.matrix[list(axes)]),
        [structure.species[i] for i in order],
        structure.frac_coords[order][:, list(axes)],
    )
    # A crystal whose distortion is as large as the tolerance has one group or another: the group is that of the table.
    group = SAMPLE[index]["space_group_number"]
    assert facts_of(parse_structure(moved), group) == facts_of(PARSED[index], group)


def test_a_mixed_site_is_one_site() -> None:
    pure = spinel()
    mixed = np.flatnonzero(pure.atomic_numbers == 13)
    crystal = make_crystal(
        "spinel",
        np.concatenate([pure.atomic_numbers, np.full(len(mixed), 24)]),
        np.concatenate([pure.positions, pure.positions[mixed]]),
        pure.cell,
        np.concatenate([np.where(pure.atomic_numbers == 13, 0.7, 1.0), np.full(len(mixed), 0.3)]),
    )
    assert facts_of(crystal) == facts_of(pure)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.3, 0.4)])
def test_the_more_frequent_element_of_a_site_counts(shares) -> None:
    crystal = make_crystal("alloy", [26, 28], [[0, 0, 0], [0, 0, 0]], np.eye(3) * 2.9, shares)
    orbits = find_orbits(crystal)
    assert orbits is not None and orbits.numbers.tolist() == [26 if shares[0] >= shares[1] else 28]
