"""Space groups of crystals and their classes against gemmi and the tables, and the readouts of symmetry and pattern."""

from __future__ import annotations

from dataclasses import replace

import gemmi
import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from modeling_clac import ClacFeatureExtractor, ClacGraphModel
from modeling_clac.descriptors_clac import PATTERN_SIZE, pattern_features
from modeling_clac.formulas_clac import ELEMENTS, read_formula
from modeling_clac.structures_clac import parse_structure
from modeling_clac.symmetry_clac import CLASS_SIZES, find_space_group, symmetry_classes
from tests.conftest import random_rotation, small_graph_config


def test_classes_agree_with_gemmi() -> None:
    groups = [gemmi.find_spacegroup_by_number(number) for number in range(1, 231)]
    classes = [symmetry_classes(number) for number in range(1, 231)]
    assert symmetry_classes(0) == (0, 0, 0, 0)
    assert [number for number, *_ in classes] == list(range(1, 231))
    # One class for each point group, system and centring, and one group for each class.
    for place, names in (
        (1, [group.point_group_hm() for group in groups]),
        (2, [group.crystal_system_str() for group in groups]),
        (3, [group.hm[0] for group in groups]),
    ):
        pairs = {(own[place], name) for own, name in zip(classes, names, strict=True)}
        assert len(pairs) == len({name for _, name in pairs}) == CLASS_SIZES[place] - 1
        assert {number for number, _ in pairs} == set(range(1, CLASS_SIZES[place]))


def test_space_groups_agree_with_the_tables(records) -> None:
    for record in records[:60]:
        assert find_space_group(parse_structure(record["cif"])) == record["space_group_number"]


def test_space_group_of_disordered_and_of_rotated_crystals() -> None:
    rock_salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    crystal = parse_structure(rock_salt)
    turned = replace(crystal, positions=crystal.positions @ (q := random_rotation(np.random.default_rng(1))).T)
    assert find_space_group(crystal) == find_space_group(replace(turned, cell=crystal.cell @ q.T)) == 225
    mixed = rock_salt.copy()
    mixed.replace_species({"Na": {"Na": 0.5, "K": 0.5}})
    assert find_space_group(parse_structure(mixed)) == 225
    # One site with other occupants breaks the symmetry.
    mixed[0] = {"Na": 0.9, "K": 0.1}
    assert find_space_group(parse_structure(mixed)) == 221


@pytest.mark.parametrize("copies", [(9, 9, 9), (3, 10, 20)])
def test_the_space_group_of_a_large_supercell_is_that_of_its_cell(copies: tuple[int, int, int]) -> None:
    """The same supercell with a vacancy is not searched, since that would take minutes."""
    polonium = Structure(Lattice.cubic(3.35), ["Po"], [[0, 0, 0]]).make_supercell(copies)
    assert find_space_group(parse_structure(polonium)) == 221
    polonium.remove_sites([0])
    assert find_space_group(parse_structure(polonium)) == 0


def test_the_graph_tower_reads_the_space_group() -> None:
    config = small_graph_config(symmetry_readout=True, pattern_readout=True)
    extractor, model = ClacFeatureExtractor.from_graph_config(config), ClacGraphModel(config).eval()
    cubic = Structure(Lattice.cubic(3.4), ["Po"], [[0, 0, 0]])
    features = extractor([cubic, Structure(Lattice.tetragonal(2.9, 3.6), ["Po"], [[0, 0, 0]])])
    assert features["space_group"].tolist() == [221, 123]
    own = model(**features).pooler_output
    assert own.shape == (2, model.output_size)
    unknown = model(**{**features, "space_group": torch.zeros(2, dtype=torch.long)}).pooler_output
    same = (own == unknown).all(dim=0)
    assert (~same).sum() == config.hidden_size
    with pytest.raises(ValueError, match=r"space_group is missing.*symmetry=True"):
        model(**{name: value for name, value in features.items() if name != "space_group"})
    # A known group, such as that of the crystal before it was distorted, is kept.
    known = replace(extractor.parse(cubic), space_group=99)
    assert extractor([known])["space_group"].tolist() == [99]
    assert "space_group" not in ClacFeatureExtractor()([cubic])


def test_patterns_ignore_the_elements() -> None:
    def fractions(formula: str) -> torch.Tensor:
        amounts = read_formula(formula)
        row = torch.zeros(119)
        for symbol, amount in amounts.items():
            row[ELEMENTS.index(symbol) + 1] = amount / sum(amounts.values())
        return row

    rows = pattern_features(torch.stack([fractions(f) for f in ("NaCl", "GaAs", "TiO2", "BaTiO3", "Si")]))
    assert rows.shape == (5, PATTERN_SIZE)
    assert torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[1], rows[2])
    assert rows[:, :7].argmax(dim=1).tolist() == [2, 2, 2, 3, 1]
    assert rows[4, 7:].count_nonzero() <= (rows.shape[1] - 7) // 6
