"""Equations of the networks and heads, against versions that are written as they stand in the docstrings."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from modeling_clac import ClacConfig, ClacModel
from modeling_clac.graph_encoders_clac import CGCNN, PaiNN, pool_atoms
from modeling_clac.projection_clac import ClacProjection, SharedComposition, SharedDensity, SharedStoichiometry
from modeling_clac.quantities_clac import DENSITY, DENSITY_PERIODS, NOTHING, NUMBER
from modeling_clac.quantity_embedding_clac import QuantityEmbedding, number_waves, text_density
from modeling_clac.radial_basis_clac import bessel_basis, cosine_cutoff, gaussian_basis
from tests.conftest import small_graph_config
from tests.modeling_clac.test_equations import randomized
from train.pretraining.objective_heads import FactHead, PriorDiscriminator

ATOMS, EDGES = 6, 15


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


def softplus(x: Tensor) -> Tensor:
    return torch.log(1 + torch.exp(x))


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def layer_norm(x: Tensor, norm: torch.nn.LayerNorm) -> Tensor:
    mean = x.sum() / len(x)
    variance = ((x - mean) ** 2).sum() / len(x)
    return (x - mean) / torch.sqrt(variance + norm.eps) * norm.weight + norm.bias


def linear(layer: torch.nn.Linear, x: Tensor) -> Tensor:
    return layer.weight @ x + (0 if layer.bias is None else layer.bias)


def unit(x: Tensor) -> Tensor:
    return x / torch.sqrt((x**2).sum())


def scaled(module: torch.nn.Module) -> torch.nn.Module:
    """Weights that are all distinct, but small enough for several layers."""
    with torch.no_grad():
        for parameter in randomized(module).parameters():
            parameter.mul_(0.3)
    return module.double()


@pytest.fixture
def graph() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "atomic_numbers": torch.tensor([3, 8, 26, 15, 8, 3]),
        "edge_index": torch.randint(0, ATOMS, (2, EDGES), generator=generator),
        "edge_vector": torch.randn(EDGES, 3, generator=generator, dtype=torch.float64) + 1.0,
        "occupancy": torch.tensor([1.0, 0.5, 1.0, 0.25, 0.75, 1.0], dtype=torch.float64),
    }


@pytest.mark.parametrize("occupied", [False, True])
def test_cgcnn(graph, occupied) -> None:
    """v_i + Σ_j o_j σ(z_ij W_f + b_f) ⊙ softplus(z_ij W_s + b_s), z_ij = v_i ⊕ v_j ⊕ u_ij, then a LayerNorm."""
    config = small_graph_config("cgcnn", cutoff=4.0)
    encoder = scaled(CGCNN(config))
    if not occupied:
        graph["occupancy"] = None
    features = [encoder.embedding.weight[z] for z in graph["atomic_numbers"].tolist()]
    edges = list(zip(*graph["edge_index"].tolist(), graph["edge_vector"], strict=True))
    for convolution, norm in zip(encoder.convolutions, encoder.norms, strict=True):
        new = [feature.clone() for feature in features]
        for j, i, vector in edges:
            u = gaussian_basis(vector.norm()[None], config.num_radial, config.cutoff)[0].double()
            z = torch.cat([features[i], features[j], u])
            message = sigmoid(linear(convolution.lin_f, z)) * softplus(linear(convolution.lin_s, z))
            new[i] = new[i] + message * (graph["occupancy"][j] if occupied else 1.0)
        features = [layer_norm(feature, norm) for feature in new]
    torch.testing.assert_close(encoder(**graph), torch.stack(features), rtol=1e-6, atol=1e-6)


def test_painn_with_occupancies(graph) -> None:
    """Eqs. 7-10 of arXiv 2102.03150, with messages weighted by the occupancy of the sending atom."""
    config = small_graph_config(cutoff=4.0)
    encoder, size = scaled(PaiNN(config)), config.hidden_size
    s = [encoder.embedding.weight[z] for z in graph["atomic_numbers"].tolist()]
    v = [torch.zeros(3, size, dtype=torch.float64) for _ in s]
    for block in encoder.interactions:
        first, _, second = block.phi
        phi = [linear(second, (x := linear(first, own)) * sigmoid(x)) for own in s]
        ds, dv = [own.clone() for own in s], [own.clone() for own in v]
        for j, i, r in zip(*graph["edge_index"].tolist(), graph["edge_vector"], strict=True):
            d = r.norm()
            basis = bessel_basis(d[None], config.num_radial, config.cutoff)[0]
            w = (block.filter.weight @ basis + block.filter.bias) * cosine_cutoff(d, config.cutoff)
            to_s, vv, vs = (phi[j] * w * graph["occupancy"][j]).split(size)
            ds[i] = ds[i] + to_s
            dv[i] = dv[i] + v[j] * vv + torch.outer(r / d, vs)
        s, v = ds, dv
        for i in range(ATOMS):
            u_v, v_v = v[i] @ block.mix.weight[:size].T, v[i] @ block.mix.weight[size:].T
            x = linear(block.update[0], torch.cat([s[i], torch.sqrt((v_v**2).sum(0) + 1e-8)]))
            a_vv, a_sv, a_ss = linear(block.update[2], x * sigmoid(x)).split(size)
            s[i] = s[i] + a_ss + a_sv * (u_v * v_v).sum(0)
            v[i] = v[i] + a_vv * u_v
    expected = torch.stack([layer_norm(own, encoder.norm) for own in s])
    torch.testing.assert_close(encoder(**graph), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("pooling", ["mean", "sum", "mean_max"])
@pytest.mark.parametrize("occupied", [False, True])
def test_pooling_of_atoms(graph, pooling, occupied) -> None:
    features = torch.randn(ATOMS, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    batch = [0, 0, 2, 0, 2, 2]  # no atom in graph 1
    occupancy = graph["occupancy"] if occupied else None
    found = pool_atoms(features, torch.tensor(batch), 3, pooling, occupancy)
    for place in range(3):
        own = [atom for atom in range(ATOMS) if batch[atom] == place]
        amounts = [graph["occupancy"][atom].item() if occupied else 1.0 for atom in own]
        zero = torch.zeros(4, dtype=torch.float64)
        total = sum((amount * features[atom] for amount, atom in zip(amounts, own, strict=True)), zero)
        mean = total / sum(amounts) if own else zero
        largest = torch.stack([features[atom] for atom in own]).max(dim=0).values if own else zero
        expected = {"sum": total, "mean": mean, "mean_max": torch.cat([mean, largest])}[pooling]
        torch.testing.assert_close(found[place], expected)


def test_projection() -> None:
    """LayerNorm(W x + MLP(x)), of unit length."""
    projection = scaled(ClacProjection(7, 5, dropout=0.4)).eval()
    features = torch.randn(3, 7, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    for row, x in zip(projection(features), features, strict=True):
        branch = linear(projection.output, gelu(linear(projection.hidden, x)))
        torch.testing.assert_close(row, unit(layer_norm(linear(projection.shortcut, x) + branch, projection.norm)))


def test_shared_facts() -> None:
    """(p + g u) / ‖p + g u‖ with the projected fact u and the gain g; p where the fact is unknown."""
    generator = torch.Generator().manual_seed(5)
    embeds = torch.nn.functional.normalize(torch.randn(3, 8, generator=generator, dtype=torch.float64), dim=1)
    fraction = torch.zeros(3, 13, dtype=torch.float64)
    fraction[0, 3], fraction[0, 8], fraction[2, 11] = 2 / 3, 1 / 3, 1.0
    density = torch.tensor([2.2, 0.0, 8.9], dtype=torch.float64)
    of_composition, of_amounts, of_density = (
        scaled(shared).eval() for shared in (SharedComposition(12, 8), SharedStoichiometry(12, 8), SharedDensity(8))
    )
    for shared, given, features in (
        (of_composition, fraction, of_composition.readout(fraction)),
        (of_amounts, fraction, of_amounts.readout(fraction)),
        (of_density, density, number_waves(density, DENSITY_PERIODS).double()),
    ):
        found = shared(embeds, given)
        # What both sides state exactly is not dropped in training.
        assert torch.equal(shared.train()(embeds, given), found)
        for row in (0, 2):
            expected = unit(embeds[row] + torch.exp(shared.log_gain) * shared.projection(features)[row])
            torch.testing.assert_close(found[row], expected)
        torch.testing.assert_close(found[1], embeds[1])


def test_numbers_in_pooled_texts() -> None:
    """The mean over the tokens of numbers, through a linear layer; zero without a number."""
    embedding = scaled(QuantityEmbedding(6))
    hidden = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    kinds = torch.tensor([[NOTHING, 8, NUMBER, DENSITY], [NOTHING, 8, 11, NOTHING]])
    found = embedding.pool(hidden, kinds)
    torch.testing.assert_close(found[0], embedding.pooled.weight @ ((hidden[0, 2] + hidden[0, 3]) / 2))
    assert not found[1].any()
    values = torch.tensor([[9.0, 0.5, 4.0, 2.5], [9.0, 1.0, 1.0, 9.0]])
    assert text_density(kinds, values).tolist() == [2.5, 0.0]
    kinds[1, 3] = kinds[1, 2] = DENSITY
    assert text_density(kinds, values).tolist() == [2.5, 5.0]


def test_logits_are_scaled_cosines_with_a_bounded_scale(bert_config, small_processor, cifs) -> None:
    torch.manual_seed(0)
    config = ClacConfig(text_config=bert_config, graph_config=small_graph_config(), projection_dim=24)
    model = ClacModel(config).eval()
    batch = small_processor(text=["a", "b"], structures=cifs[:3])
    for scale, used in ((1 / 0.07, 1 / 0.07), (99.0, 99.0), (1000.0, 100.0)):
        with torch.no_grad():
            model.logit_scale.fill_(math.log(scale))
            output = model(**batch)
        for i, crystal in enumerate(output.crystal_embeds):
            for j, text in enumerate(output.text_embeds):
                assert output.logits_per_crystal[i, j].item() == pytest.approx(used * float(crystal @ text), rel=1e-4)


def test_prior_matching() -> None:
    """-E[log D(z)] - E[log(1 - D(f(x)))] with D = σ of the discriminator's output and z uniform on the sphere."""
    discriminator = scaled(PriorDiscriminator(5, hidden_size=7))
    embeds = torch.randn(4, 5, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    torch.manual_seed(11)
    found = discriminator(embeds)
    torch.manual_seed(11)
    samples = [unit(sample) for sample in torch.randn_like(embeds)]

    def d(x: Tensor) -> Tensor:
        first, _, second, _ = discriminator.layers
        hidden = linear(second, linear(first, x).clamp(min=0)).clamp(min=0)
        return sigmoid(linear(discriminator.output, hidden))

    expected = -sum(torch.log(d(z)) for z in samples) / 4 - sum(torch.log(1 - d(x)) for x in embeds) / 4
    torch.testing.assert_close(found, expected[0])


def test_cross_entropy_of_facts() -> None:
    """Summed over the known facts, averaged over the crystals."""
    head = randomized(FactHead(6, 3))
    crystals = torch.nn.functional.normalize(torch.randn(2, 6, generator=torch.Generator().manual_seed(5)), dim=1)
    targets = torch.tensor([[1.0, 0.0, float("nan")], [0.3, float("nan"), 1.0]])
    expected = torch.tensor(0.0)
    for row, own in zip(crystals, targets, strict=True):
        p = sigmoid(head.log_scale.exp() * head.weight @ row + head.bias)
        for place, t in enumerate(own):
            if not t.isnan():
                expected = expected - (t * torch.log(p[place]) + (1 - t) * torch.log(1 - p[place])) / 2
    torch.testing.assert_close(head(crystals, targets), expected, rtol=1e-4, atol=1e-4)
