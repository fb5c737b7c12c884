"""The geometry readout: bond-order parameters against their definition, volume and density against pymatgen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from scipy.special import eval_legendre

from modeling_clac import ClacFeatureExtractor, ClacGraphModel
from modeling_clac.descriptors_clac import DEGREES, bond_order, log_gaussians
from tests.conftest import random_rotation, small_graph_config

CUBIC = Structure(Lattice.cubic(3.4), ["Po"], [[0, 0, 0]])
TETRAGONAL = Structure(Lattice.tetragonal(2.9, 3.6), ["Po"], [[0, 0, 0]])
HEXAGONAL = Structure(Lattice.hexagonal(3.2, 4.6), ["Mg", "Mg"], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])
ORTHORHOMBIC = Structure(Lattice.orthorhombic(2.6, 3.3, 4.2), ["Po"], [[0, 0, 0]])
# Wurtzite is polar: every Zn has its fourth O on the same side.
WURTZITE = Structure(
    Lattice.hexagonal(3.25, 5.2),
    ["Zn", "Zn", "O", "O"],
    [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.38], [2 / 3, 1 / 3, 0.88]],
)


def order_of(structure: Structure, only: tuple[int, int] | None = None) -> tuple[dict[int, float], float]:
    """Order parameters with equal weights for all bonds, or only for those from one element to another."""
    inputs = ClacFeatureExtractor(cutoff=4.5, max_neighbors=None)(structure)
    vectors, (source, target) = inputs["edge_vector"], inputs["edge_index"]
    weight = torch.ones(len(vectors), 1)
    if only is not None:
        numbers = inputs["atomic_numbers"]
        weight[(numbers[source] != only[0]) | (numbers[target] != only[1])] = 0.0
    direction = vectors / vectors.norm(dim=1, keepdim=True)
    order, biaxiality = bond_order(direction, weight, torch.zeros(len(vectors), dtype=torch.long), 1)
    return dict(zip(DEGREES, order[0, 0].tolist(), strict=True)), biaxiality.item()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), bonds=st.integers(1, 30))
def test_bond_order_equals_its_definition(seed, bonds) -> None:
    """Against the double sum of Legendre polynomials over pairs of bonds, and the eigenvalues of the moment."""
    generator = np.random.default_rng(seed)
    direction = generator.normal(size=(2 * bonds, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    weight = generator.uniform(0.1, 1.0, (2 * bonds, 2))
    graph = generator.permutation(np.repeat([0, 1], bonds))
    order, biaxiality = bond_order(*(torch.tensor(array) for array in (direction, weight, graph)), 2)
    rotated, _ = bond_order(
        torch.tensor(direction @ random_rotation(generator).T), torch.tensor(weight), torch.tensor(graph), 2
    )
    torch.testing.assert_close(rotated, order)
    for g in range(2):
        rows = graph == g
        cosines = direction[rows] @ direction[rows].T
        for channel in range(2):
            w = weight[rows, channel] / weight[rows, channel].sum()
            expected = [w @ eval_legendre(degree, cosines) @ w for degree in DEGREES]
            assert order[g, channel].numpy() == pytest.approx(expected, abs=1e-9)
            low, middle, high = np.linalg.eigvalsh((direction[rows].T * w) @ direction[rows])
            spread = ((low - 1 / 3) ** 2 + (middle - 1 / 3) ** 2 + (high - 1 / 3) ** 2) ** 3
            discriminant = ((high - middle) * (middle - low) * (high - low)) ** 2
            assert biaxiality[g, channel].item() == pytest.approx(2 * discriminant / (spread + 1e-10), abs=1e-6)


def test_order_parameters_reflect_the_symmetry() -> None:
    assert order_of(CUBIC)[0][2] == pytest.approx(0.0, abs=1e-6)
    assert order_of(CUBIC)[0][4] > 0.1
    for uniaxial in (TETRAGONAL, HEXAGONAL):
        order, biaxiality = order_of(uniaxial)
        assert order[2] > 1e-5
        assert biaxiality == pytest.approx(0.0, abs=1e-3)
    assert order_of(ORTHORHOMBIC)[1] > 0.1


def test_odd_orders_detect_polarity() -> None:
    zinc_to_oxygen = (30, 8)
    assert order_of(WURTZITE, zinc_to_oxygen)[0][1] > 1e-4
    rock_salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Zn", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert order_of(rock_salt, zinc_to_oxygen)[0][1] == pytest.approx(0.0, abs=1e-6)
    # Odd orders vanish over all bonds, since each bond has its reverse.
    assert order_of(WURTZITE)[0][1] == pytest.approx(0.0, abs=1e-6)


def test_volume_and_density_are_those_of_pymatgen(structure_nacl, structure_perovskite) -> None:
    structures = [structure_nacl, structure_perovskite, WURTZITE]
    inputs = ClacFeatureExtractor()(structures)
    assert inputs["volume_per_atom"].tolist() == pytest.approx([s.volume / len(s) for s in structures], rel=1e-6)
    assert inputs["density"].tolist() == pytest.approx([float(s.density) for s in structures], rel=1e-3)


def test_grid_resolves_a_few_per_cent() -> None:
    values = torch.tensor([10.0, 10.3, 500.0, 1000.0])
    grid = log_gaussians(values, 3.0, 150.0)
    assert (grid[0] - grid[1]).abs().max() > 0.1
    torch.testing.assert_close(grid[2], grid[3])  # beyond the range: both are at its end


def test_missing_density_is_an_error(structure_nacl) -> None:
    model = ClacGraphModel(small_graph_config(geometry_readout=True))
    inputs = ClacFeatureExtractor.from_graph_config(model.config)(structure_nacl)
    inputs.pop("density")
    with pytest.raises(ValueError, match="density"):
        model(**inputs)
