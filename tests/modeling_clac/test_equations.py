"""Equations of the docstrings, against versions that are written as they stand there: sums over elements and atoms."""

from __future__ import annotations

import math

import gemmi
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.molecule_structure_comparator import CovalentRadius

from modeling_clac.contacts_clac import _COVALENT_RADII
from modeling_clac.descriptors_clac import (
    DEGREES,
    CompositionReadout,
    GeometryReadout,
    StoichiometryReadout,
    SymmetryReadout,
    bond_order,
    graph_composition,
    log_gaussians,
    pattern_features,
)
from modeling_clac.quantities_clac import FRACTION_PERIODS
from modeling_clac.quantity_embedding_clac import number_waves
from modeling_clac.radial_basis_clac import bessel_basis, cosine_cutoff, gaussian_basis
from modeling_clac.symmetry_clac import symmetry_classes
from tests.conftest import small_graph_config

ELEMENTS, SIZE = 12, 5


def waves(number: float, periods: tuple[float, ...]) -> list[float]:
    u = math.asinh(number / 0.001) / math.log(10)
    phases = [2 * math.pi * u / period for period in periods]
    return [*map(math.sin, phases), *map(math.cos, phases)]


def randomized(module: torch.nn.Module) -> torch.nn.Module:
    """Distinct weights everywhere, so that no term can be missing or swapped."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module


compositions = st.lists(
    st.dictionaries(st.integers(1, ELEMENTS - 1), st.integers(1, 9), min_size=0, max_size=4), min_size=1, max_size=3
)


def fractions_of(rows: list[dict[int, int]]) -> torch.Tensor:
    fraction = torch.zeros(len(rows), ELEMENTS)
    for row, amounts in enumerate(rows):
        for number, amount in amounts.items():
            fraction[row, number] = amount / sum(amounts.values())
    return fraction


@settings(max_examples=15, deadline=None)
@given(rows=compositions)
def test_readouts_of_the_composition(rows: list[dict[int, int]]) -> None:
    fraction = fractions_of(rows)
    composition = randomized(CompositionReadout(ELEMENTS - 1, SIZE))
    stoichiometry = randomized(StoichiometryReadout(ELEMENTS - 1, SIZE))
    a, b = composition.fraction.weight, composition.root.weight
    for row, own in enumerate(fraction.tolist()):
        present = [(number, x) for number, x in enumerate(own) if x > 0]
        linear = sum((x * a[number] for number, x in present), torch.zeros(SIZE))
        root = sum((math.sqrt(x) * b[number] for number, x in present), torch.zeros(SIZE))
        torch.testing.assert_close(composition(fraction)[row], torch.cat([linear, root]))
        amounts = torch.zeros(SIZE)
        for number, x in present:
            wave = torch.tensor(waves(x, FRACTION_PERIODS))
            amounts = amounts + stoichiometry.element.weight[number] * (stoichiometry.fraction.weight @ wave)
        torch.testing.assert_close(stoichiometry(fraction)[row], amounts, atol=1e-4, rtol=1e-4)


def test_pattern_of_many_elements() -> None:
    """Those beyond the sixth are left out, and more than six count as six."""
    amounts = [13, 11, 7, 5, 3, 2, 1, 1]
    features = pattern_features(fractions_of([{place + 1: amount for place, amount in enumerate(amounts)}]))[0]
    assert features[:7].tolist() == [0, 0, 0, 0, 0, 0, 1]
    expected = [wave for amount in amounts[:6] for wave in waves(amount / sum(amounts), FRACTION_PERIODS)]
    torch.testing.assert_close(features[7:], torch.tensor(expected), atol=1e-4, rtol=1e-4)


def test_crystals_without_bonds_have_no_bond_order() -> None:
    direction = torch.nn.functional.normalize(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    order, biaxiality = bond_order(direction, torch.full((4, 2), 0.01), torch.tensor([0, 0, 2, 2]), 3)
    alone, _ = bond_order(direction[:2], torch.full((2, 2), 3.0), torch.tensor([0, 0]), 1)
    assert not order[1].any() and not biaxiality[1].any()
    torch.testing.assert_close(order[0], alone[0])  # weights count by their ratio


@settings(max_examples=15, deadline=None)
@given(rows=compositions)
def test_pattern_of_amounts(rows: list[dict[int, int]]) -> None:
    features = pattern_features(fractions_of(rows))
    for row, amounts in enumerate(rows):
        largest = sorted((amount / sum(amounts.values()) for amount in amounts.values()), reverse=True)
        expected = [float(len(amounts) == count) for count in range(7)]
        for place in range(6):
            absent = [0.0] * (2 * len(FRACTION_PERIODS))
            expected += waves(largest[place], FRACTION_PERIODS) if place < len(largest) else absent
        torch.testing.assert_close(features[row], torch.tensor(expected), atol=1e-4, rtol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_composition_of_graphs(data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(1, ELEMENTS - 1), min_size=3, max_size=9))
    batch = sorted(data.draw(st.lists(st.integers(0, 2), min_size=len(numbers), max_size=len(numbers))))
    shares = data.draw(st.lists(st.floats(0.1, 1), min_size=len(numbers), max_size=len(numbers)))
    num_atoms = torch.bincount(torch.tensor(batch), minlength=3)
    inputs = (torch.tensor(numbers), torch.tensor(batch), num_atoms, ELEMENTS - 1)
    for occupancy, given_occupancy in (([1.0] * len(numbers), None), (shares, torch.tensor(shares))):
        found = graph_composition(*inputs, given_occupancy)
        for graph in range(3):
            own = [place for place, other in enumerate(batch) if other == graph]
            total = sum(occupancy[place] for place in own)
            for number in range(ELEMENTS):
                amount = sum(occupancy[place] for place in own if numbers[place] == number)
                assert found[graph, number].item() == pytest.approx(amount / total if own else 0.0, abs=1e-6)


def test_space_groups_are_embedded_with_their_classes() -> None:
    readout = randomized(SymmetryReadout(SIZE))
    for group in (0, 1, 62, 167, 225, 230):
        parts = [table.weight[place] for table, place in zip(readout.embeddings, symmetry_classes(group), strict=True)]
        torch.testing.assert_close(readout(torch.tensor([group]))[0], sum(parts))


@pytest.mark.parametrize("distance", [0.3, 1.7, 2.5, 4.9, 5.0, 6.0])
def test_functions_of_the_distance(distance: float) -> None:
    c, r = 5.0, torch.tensor([distance], dtype=torch.float64)
    bessel = [math.sqrt(2 / c) * math.sin(n * math.pi * distance / c) / distance for n in range(1, 7)]
    assert bessel_basis(r, 6, c)[0].tolist() == pytest.approx(bessel, abs=1e-9)
    step = c / 5
    gaussians = [math.exp(-((distance - place * step) ** 2) / step**2) for place in range(6)]
    assert gaussian_basis(r, 6, c)[0].tolist() == pytest.approx(gaussians, abs=1e-6)
    expected = 0.5 * (math.cos(math.pi * distance / c) + 1) if distance < c else 0.0
    assert cosine_cutoff(r, c).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("value", [2.0, 3.0, 17.5, 150.0, 400.0])
def test_gaussians_of_a_logarithm(value: float) -> None:
    low, high = 3.0, 150.0
    span = math.log(high / low)
    x, step = math.log(min(max(value, low), high) / low), span / 31
    expected = [math.exp(-((x - place * step) ** 2) / step**2) for place in range(32)]
    assert log_gaussians(torch.tensor([value]), low, high)[0].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 1e-4, 0.5, 2 / 3, -4.03, 225.0])
def test_waves_of_a_number(value: float) -> None:
    periods = (16.0, 1.0, 0.25)
    assert number_waves(torch.tensor(value), periods).tolist() == pytest.approx(waves(value, periods), abs=2e-4)


def test_geometry_readout() -> None:
    """Bonds of two crystals, one by one: σ(a·h_j + b·h_i + d·g(r)) · f_cut(r) · o_i · o_j."""
    config = small_graph_config(geometry_readout=True)
    readout = randomized(GeometryReadout(config))
    generator = torch.Generator().manual_seed(1)
    atoms = torch.randn(5, config.hidden_size, generator=generator)
    occupancy = torch.tensor([1.0, 0.5, 1.0, 0.25, 1.0])
    batch = torch.tensor([0, 0, 0, 1, 1])
    edge_index = torch.tensor([[0, 1, 2, 1, 3, 4, 4], [1, 0, 1, 2, 4, 3, 4]])
    vectors = torch.randn(7, 3, generator=generator) * 1.5
    volume, density = torch.tensor([11.0, 40.0]), torch.tensor([2.2, 8.0])
    found = readout(atoms, edge_index, vectors, batch, volume, density, occupancy)
    weights = []
    for (j, i), vector in zip(edge_index.T.tolist(), vectors, strict=True):
        r = vector.norm()
        radial = readout.radial(gaussian_basis(r[None], config.num_radial, config.cutoff))[0]
        gate = torch.sigmoid(readout.source.weight @ atoms[j] + readout.target.weight @ atoms[i] + radial)
        weights.append(gate * cosine_cutoff(r, config.cutoff) * occupancy[i] * occupancy[j])
    order, biaxiality = bond_order(
        vectors / vectors.norm(dim=1, keepdim=True), torch.stack(weights), batch[edge_index[1]], 2
    )
    scaled = 1 - 2 * torch.log10(order.clamp(min=0) + 1e-4) / -4
    expected = torch.cat(
        [
            scaled.reshape(2, -1),
            2 * biaxiality - 1,
            log_gaussians(volume, 3.0, 150.0),
            log_gaussians(density, 0.05, 30.0),
        ],
        dim=1,
    )
    assert found.shape == (2, readout.output_size)
    assert order.shape[-1] == len(DEGREES)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_covalent_radii_are_those_of_pymatgen() -> None:
    """Both after Cordero et al. (2008), doi 10.1039/b801115j."""
    theirs = CovalentRadius.radius
    differing = {
        symbol
        for symbol, radius in theirs.items()
        if abs(radius - _COVALENT_RADII[gemmi.Element(symbol).atomic_number]) > 0.011
    }
    # gemmi has the radii of low spin, and those of Lu and Hf the other way round.
    assert differing <= {"Mn", "Fe", "Co", "Lu", "Hf"}
    assert len(theirs) > 90 and np.isfinite(_COVALENT_RADII).all()
