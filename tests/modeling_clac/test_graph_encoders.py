"""Physics of the graph encoders: invariances, smoothness, gradients, degenerate cells."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from evaluation.benchmarks.painn_reference import painn_reference
from modeling_clac import ClacFeatureExtractor, ClacGraphModel
from modeling_clac.graph_encoders_clac import CrystalGraphConvolution, pool_atoms
from modeling_clac.radial_basis_clac import bessel_basis, cosine_cutoff, gaussian_basis
from tests.conftest import random_rotation, small_graph_config


def build(encoder: str, **kwargs) -> tuple[ClacGraphModel, ClacFeatureExtractor]:
    torch.manual_seed(0)
    config = small_graph_config(encoder, **kwargs)
    return ClacGraphModel(config).eval(), ClacFeatureExtractor.from_graph_config(config)


@pytest.fixture(scope="module", params=[("painn", False), ("cgcnn", False), ("painn", True), ("cgcnn", True)])
def tower(request: pytest.FixtureRequest) -> tuple[ClacGraphModel, ClacFeatureExtractor]:
    encoder, geometry_readout = request.param
    return build(encoder, geometry_readout=geometry_readout)


def embed(tower: tuple[ClacGraphModel, ClacFeatureExtractor], *structures) -> torch.Tensor:
    model, extractor = tower
    with torch.no_grad():
        return model(**extractor(list(structures))).pooler_output


def transformed(structure: Structure, rotation: np.ndarray, shift: np.ndarray) -> Structure:
    return Structure(
        Lattice(structure.lattice.matrix @ rotation.T),
        structure.species,
        structure.cart_coords @ rotation.T + shift,
        coords_are_cartesian=True,
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_rotation_translation_permutation(tower, structure_perovskite, seed) -> None:
    generator = np.random.default_rng(seed)
    moved = transformed(structure_perovskite, random_rotation(generator), generator.uniform(-5, 5, 3))
    moved = Structure.from_sites([moved[i] for i in generator.permutation(len(moved))])
    reference, result = embed(tower, structure_perovskite, moved)
    torch.testing.assert_close(result, reference, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scaling", [(2, 1, 1), (2, 2, 1), ((1, 1, 0), (-1, 1, 0), (0, 0, 1))])
@pytest.mark.parametrize("name", ["structure_nacl", "structure_po", "structure_perovskite"])
def test_choice_of_cell(tower, request, name, scaling) -> None:
    """Supercells and other cells of a crystal get the same embedding under mean pooling."""
    structure = request.getfixturevalue(name)
    reference, primitive, supercell = embed(
        tower, structure, structure.get_primitive_structure(), structure * np.array(scaling)
    )
    torch.testing.assert_close(supercell, reference, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(primitive, reference, rtol=1e-4, atol=1e-4)


def test_different_crystals_have_different_embeddings(tower, structure_nacl, structure_perovskite) -> None:
    strained = structure_nacl.copy()
    strained.scale_lattice(strained.volume * 1.1)
    swapped = structure_nacl.copy()
    swapped.replace_species({"Cl": "Br"})
    embeds = embed(tower, structure_nacl, strained, swapped, structure_perovskite)
    distances = torch.cdist(embeds, embeds)
    assert (distances[~torch.eye(4, dtype=torch.bool)] > 1e-2).all()


@pytest.mark.parametrize("encoder", ["painn", "cgcnn"])
@pytest.mark.parametrize("pooling", ["mean", "sum", "mean_max"])
@pytest.mark.parametrize("geometry_readout", [False, True])
def test_isolated_atoms_and_one_atom_cells(encoder, pooling, geometry_readout, structure_po) -> None:
    tower = build(encoder, pooling=pooling, geometry_readout=geometry_readout)
    isolated = Structure(Lattice.cubic(20), ["Xe"], [[0, 0, 0]])
    pair = Structure(Lattice.cubic(20), ["Xe", "Xe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    embeds = embed(tower, isolated, structure_po, pair)
    assert embeds.shape == (3, tower[0].output_size)
    assert torch.isfinite(embeds).all()
    if pooling != "sum" and not geometry_readout:  # the pair is twice as dense
        torch.testing.assert_close(embeds[2], embeds[0])


@pytest.mark.parametrize("geometry_readout", [False, True])
def test_painn_is_smooth_where_a_neighbour_leaves(geometry_readout) -> None:
    """Without a neighbour cap, value and slope of the output are continuous at the cutoff."""
    model, extractor = build("painn", max_neighbors=None, geometry_readout=geometry_readout)
    cutoff = model.config.cutoff

    def value(distance: float) -> torch.Tensor:
        box = Structure(
            Lattice.cubic(40), ["Na", "Cl", "O"], [[0, 0, 0], [distance, 0, 0], [0, 2.0, 0]], coords_are_cartesian=True
        )
        with torch.no_grad():
            return model(**extractor(box)).pooler_output[0].double()

    step = 1e-3
    inside, outside = value(cutoff - step), value(cutoff + step)
    assert extractor(
        Structure(Lattice.cubic(40), ["Na", "Cl"], [[0, 0, 0], [cutoff - step, 0, 0]], coords_are_cartesian=True)
    )["edge_index"].shape == (2, 2)
    # The envelope falls with the square of the distance to the cutoff, so the difference is far smaller than the step.
    assert (inside - outside).abs().max() < 1e-5
    assert (value(cutoff - 0.5) - outside).abs().max() > 1e-4


@pytest.mark.parametrize("encoder", ["painn", "cgcnn"])
@pytest.mark.parametrize("geometry_readout", [False, True])
def test_gradient_with_respect_to_positions(encoder, geometry_readout, structure_perovskite) -> None:
    """Gradients of the output with respect to edge vectors against central differences."""
    model, extractor = build(encoder, geometry_readout=geometry_readout)
    model = model.double()
    inputs = extractor(structure_perovskite)
    # The model converts edge vectors to float32, so the step must be far above the resolution of float32.
    vectors = inputs["edge_vector"].clone().requires_grad_()
    weights = torch.randn(model.output_size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    def output(edge_vector: torch.Tensor) -> torch.Tensor:
        return model(**{**inputs, "edge_vector": edge_vector}).pooler_output[0] @ weights

    (gradient,) = torch.autograd.grad(output(vectors), vectors)
    step = 1e-2
    for edge, axis in [(0, 0), (3, 1), (7, 2), (20, 0)]:
        shift = torch.zeros_like(vectors)
        shift[edge, axis] = step
        with torch.no_grad():
            numeric = (output(vectors + shift) - output(vectors - shift)) / (2 * step)
        assert gradient[edge, axis].item() == pytest.approx(numeric.item(), rel=2e-2, abs=1e-4)


def test_painn_equals_the_equations_of_the_paper(structure_perovskite) -> None:
    """Eqs. 7-10 of arXiv 2102.03150 with loops over edges and atoms."""
    model, extractor = build("painn")
    encoder, inputs = model.encoder, extractor(structure_perovskite)
    numbers, (sources, targets), vectors = inputs["atomic_numbers"], inputs["edge_index"], inputs["edge_vector"]
    size = model.config.hidden_size
    with torch.no_grad():
        s = [encoder.embedding(z) for z in numbers]
        v = [torch.zeros(3, size) for _ in numbers]
        for block in encoder.interactions:
            ds, dv = [torch.zeros(size) for _ in s], [torch.zeros(3, size) for _ in v]
            for j, i, r in zip(sources.tolist(), targets.tolist(), vectors, strict=True):
                d = r.norm()
                basis = torch.stack(
                    [
                        (2 / encoder.cutoff) ** 0.5 * torch.sin(n * torch.pi * d / encoder.cutoff) / d
                        for n in range(1, encoder.num_radial + 1)
                    ]
                )
                envelope = 0.5 * (torch.cos(torch.pi * d / encoder.cutoff) + 1)
                filters = (block.filter.weight @ basis + block.filter.bias) * envelope
                w_s, w_vv, w_vs = (block.phi(s[j]) * filters).split(size)
                ds[i] += w_s
                dv[i] += v[j] * w_vv + torch.outer(r / d, w_vs)
            s = [a + b for a, b in zip(s, ds, strict=True)]
            v = [a + b for a, b in zip(v, dv, strict=True)]
            for i in range(len(s)):
                u_v, v_v = v[i] @ block.mix.weight[:size].T, v[i] @ block.mix.weight[size:].T
                a_vv, a_sv, a_ss = block.update(torch.cat([s[i], ((v_v**2).sum(0) + 1e-8).sqrt()])).split(size)
                s[i] = s[i] + a_ss + a_sv * (u_v * v_v).sum(0)
                v[i] = v[i] + a_vv * u_v
        expected = encoder.norm(torch.stack(s))
        result = encoder(numbers, inputs["edge_index"], vectors)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("max_neighbors", [12, None])
def test_painn_equals_the_reference_in_values_and_gradients(cifs, max_neighbors, monkeypatch) -> None:
    """In float64, with several blocks of edges, the last one not full, against a version that stores all messages."""
    model, extractor = build("painn", max_neighbors=max_neighbors, num_interactions=3)
    encoder, inputs = model.encoder.double(), extractor(cifs)
    arrays = inputs["atomic_numbers"], inputs["edge_index"], inputs["edge_vector"].double()
    weights = torch.randn(len(arrays[0]), 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr("modeling_clac.graph_encoders_clac._EDGE_BLOCK", 500)
    assert arrays[1].shape[1] % 500

    def gradients(output: torch.Tensor) -> list[torch.Tensor | None]:
        return torch.autograd.grad((output * weights).sum(), list(encoder.parameters()), allow_unused=True)

    expected, result = painn_reference(encoder, *arrays)[0], encoder(*arrays)
    torch.testing.assert_close(result, expected, rtol=1e-9, atol=1e-9)
    for name, one, two in zip(dict(encoder.named_parameters()), gradients(result), gradients(expected), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-8, msg=lambda text, name=name: f"{name}: {text}")


def test_painn_is_twice_differentiable_for_forces(structure_perovskite) -> None:
    """If the geometry requires a gradient, the values and the gradients of the weights do not change."""
    model, extractor = build("painn")
    encoder, inputs = model.encoder.double(), extractor(structure_perovskite)
    numbers, index, vectors = inputs["atomic_numbers"], inputs["edge_index"], inputs["edge_vector"].double()
    plain = encoder(numbers, index, vectors)
    vectors = vectors.clone().requires_grad_()
    tracked = encoder(numbers, index, vectors)
    torch.testing.assert_close(tracked, plain, rtol=1e-9, atol=1e-9)
    parameters = list(encoder.parameters())
    for one, two in zip(
        torch.autograd.grad(plain.square().sum(), parameters, allow_unused=True),
        torch.autograd.grad(tracked.square().sum(), parameters, allow_unused=True, retain_graph=True),
        strict=True,
    ):
        torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-8)
    (forces,) = torch.autograd.grad(tracked.square().sum(), vectors, create_graph=True)
    torch.autograd.grad(forces.square().sum(), encoder.interactions[0].filter.weight)


def test_radial_functions() -> None:
    distance = torch.tensor([0.5, 2.0, 4.999, 5.0, 5.5])
    assert cosine_cutoff(distance, 5.0)[3:].tolist() == [0.0, 0.0]
    assert cosine_cutoff(torch.tensor([0.0]), 5.0).item() == pytest.approx(1.0)
    bessel = bessel_basis(distance, 20, 5.0)
    assert bessel.shape == (5, 20)
    assert bessel[3].abs().max() < 1e-5  # sin(nπ) = 0 at the cutoff
    # Orthonormal with weight r² on [0, c]: ∫ b_n b_m r² dr = δ_nm.
    r = torch.linspace(1e-4, 5.0, 20_001)
    b = bessel_basis(r, 4, 5.0) * r.unsqueeze(-1)
    overlap = torch.trapezoid(b.unsqueeze(-1) * b.unsqueeze(-2), r, dim=0)
    torch.testing.assert_close(overlap, torch.eye(4), rtol=1e-3, atol=1e-3)
    gaussian = gaussian_basis(torch.tensor([0.0, 2.5]), 3, 5.0)
    torch.testing.assert_close(gaussian[1], torch.tensor([np.exp(-1), 1.0, np.exp(-1)], dtype=torch.float32))


def test_pooling() -> None:
    features = torch.tensor([[1.0, -2.0], [3.0, 4.0], [-5.0, -6.0]])
    batch = torch.tensor([0, 0, 1])
    assert pool_atoms(features, batch, 2, "sum").tolist() == [[4, 2], [-5, -6]]
    assert pool_atoms(features, batch, 2, "mean").tolist() == [[2, 1], [-5, -6]]
    assert pool_atoms(features, batch, 2, "mean_max").tolist() == [[2, 1, 3, 4], [-5, -6, -5, -6]]


@pytest.mark.parametrize("encoder", ["painn", "cgcnn"])
def test_initial_weights(encoder) -> None:
    """Unit normal vectors of the elements 0 to 118, Xavier weights, and zero biases."""
    model, _ = build(encoder, hidden_size=64, geometry_readout=True, composition_readout=True, symmetry_readout=True)
    assert model.encoder.embedding.weight.shape == (119, 64)
    assert len(model.encoder.interactions if encoder == "painn" else model.encoder.convolutions) == 2
    for name, parameter in model.named_parameters():
        if "norm" in name:
            assert torch.equal(parameter, torch.ones(64) if name.endswith("weight") else torch.zeros(64)), name
        elif name.endswith("bias"):
            assert not parameter.any(), name
        elif any(part in name for part in ("embedding", "composition")):
            assert parameter.std().item() == pytest.approx(1.0, rel=0.1 if parameter.numel() > 1000 else 0.3), name
        else:
            limit = (6 / sum(parameter.shape)) ** 0.5
            assert 0.9 * limit < parameter.abs().max().item() <= limit, name


@pytest.mark.parametrize("encoder", ["painn", "cgcnn"])
@pytest.mark.parametrize("geometry_readout", [False, True])
def test_trains_under_bf16_autocast(encoder, geometry_readout, structure_nacl, structure_perovskite) -> None:
    model, extractor = build(encoder, geometry_readout=geometry_readout)
    model.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(**extractor([structure_nacl, structure_perovskite])).pooler_output
    output.float().sum().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


def test_paper_size_builds_and_runs(structure_perovskite) -> None:
    """PaiNN with 512 features, 5 interactions, 20 Bessel functions and a 5 Å cutoff."""
    tower = build("painn", hidden_size=512, num_interactions=5, num_radial=20, cutoff=5.0, max_neighbors=None)
    assert torch.isfinite(embed(tower, structure_perovskite)).all()


@pytest.mark.parametrize("field", [{"encoder": "schnet"}, {"pooling": "median"}, {"cutoff": 0.0}, {"max_neighbors": 0}])
def test_invalid_configuration_is_an_error(field) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        small_graph_config(**field)


def test_the_convolution_of_cgcnn_is_that_of_torch_geometric(structure_perovskite) -> None:
    """Equal to the bit, with the same names of parameters."""
    theirs = pytest.importorskip("torch_geometric.nn").CGConv(16, dim=8)
    torch.manual_seed(0)
    ours = CrystalGraphConvolution(16, 8)
    theirs.load_state_dict(ours.state_dict())
    graph = ClacFeatureExtractor()(structure_perovskite)
    features, edges = torch.randn(5, 16), torch.randn(graph["edge_index"].shape[1], 8)
    with torch.no_grad():
        assert torch.equal(
            ours(features, graph["edge_index"], edges, None), theirs(features, graph["edge_index"], edges)
        )


def test_towers_are_pickled(tower, structure_perovskite) -> None:
    copy = (pickle.loads(pickle.dumps(tower[0])), tower[1])
    assert torch.equal(embed(copy, structure_perovskite), embed(tower, structure_perovskite))
