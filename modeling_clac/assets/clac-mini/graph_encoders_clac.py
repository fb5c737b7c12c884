"""Graph encoders in plain torch: CGCNN and PaiNN, and pooling of atoms to crystals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from transformers import initialization as init

from .radial_basis_clac import bessel_basis, cosine_cutoff, full_precision, gaussian_basis

# Keeps the gradient of a norm finite at zero: vector features start at zero, and at high-symmetry sites they stay zero.
# Half the root of four times the sum is the same to the bit: optimisers of exported graphs drop the addition of 1e-8.
_EPS = 1e-8
# Number of edges whose messages are computed at a time on a CPU; with 128 features they take about a megabyte.
_EDGE_BLOCK = 512


def pool_atoms(
    features: Tensor, batch: Tensor, num_graphs: int, pooling: str, occupancy: Tensor | None = None
) -> Tensor:
    """
    Pool atom features to crystal features. Sum and mean are weighted by the occupancies, the maximum is not.

    Args:
        features: `(N, F)`, features of the atoms.
        batch: `(N,)` int64, graph of each atom.
        num_graphs: Number of graphs.
        pooling: `"mean"`, `"sum"` or `"mean_max"`.
        occupancy: `(N,)`, occupancies of the atoms; `None` if all are 1.

    Returns:
        `(num_graphs, F)`, or `(num_graphs, 2F)` for `"mean_max"`.
    """
    weighted = features if occupancy is None else features * occupancy.to(features.dtype).unsqueeze(-1)
    total = features.new_zeros(num_graphs, features.shape[1]).index_add(0, batch, weighted)
    if pooling == "sum":
        return total
    mean = total / _num_occupied(batch, num_graphs, occupancy).to(features.dtype).unsqueeze(-1)
    if pooling == "mean":
        return mean
    index = batch.unsqueeze(-1).expand_as(features)
    largest = torch.zeros_like(total).scatter_reduce(0, index, features, reduce="amax", include_self=False)
    return torch.cat([mean, largest], dim=-1)


def _num_occupied(batch: Tensor, num_graphs: int, occupancy: Tensor | None) -> Tensor:
    """Sum of the occupancies of each graph, `(num_graphs,)`; 1 for a graph without atoms."""
    if occupancy is None:
        ones = torch.ones_like(batch)
        return ones.new_zeros(num_graphs).index_add(0, batch, ones).clamp(min=1)
    total = occupancy.new_zeros(num_graphs).index_add(0, batch, occupancy)
    return torch.where(total > 0, total, 1.0)


def use_clac_init(module: nn.Module) -> None:
    """Mark the layers of a module for [`init_clac_layer`]."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Embedding, RadialFilter)):
            layer.is_clac_layer = True  # type: ignore[assignment]


class RadialFilter(nn.Module):
    """
    The weights of a linear layer on the radial functions, which [`sum_messages`] multiplies edge by edge.

    A call returns the weights, so that hooks on the module, such as those that load offloaded weights, see each use.
    It is not an `nn.Linear`, whose calls take features: adapters and quantisation would replace it.

    Args:
        num_radial: Number of radial functions.
        size: Number of outputs.
    """

    def __init__(self, num_radial: int, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size, num_radial))
        self.bias = nn.Parameter(torch.zeros(size))
        nn.init.xavier_uniform_(self.weight)

    def forward(self) -> Tensor:
        """Return the weights `(num_radial + 1, size)`, where the last row, the bias, is the weight of a constant 1."""
        return torch.cat([self.weight.T, self.bias.unsqueeze(0)])


def init_clac_layer(layer: nn.Linear | nn.Embedding | RadialFilter) -> None:
    """
    Initialise a layer: Xavier weights and zero biases, or unit normal embeddings.

    With transformers' default of N(0, 0.02) for all weights, messages would start a thousand times smaller than the
    atom features they are added to, and the geometry would have no effect. transformers' `init` functions skip loaded
    weights.

    Args:
        layer: The layer, changed in place.
    """
    if isinstance(layer, nn.Embedding):
        init.normal_(layer.weight, std=1.0)
    else:
        init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            init.zeros_(layer.bias)


class CrystalGraphConvolution(nn.Module):
    """
    One convolution of [`CGCNN`]. Parameters and results are those of torch-geometric's `CGConv`.

    Args:
        hidden_size: Number of features of an atom.
        num_radial: Number of features of an edge.
    """

    def __init__(self, hidden_size: int, num_radial: int):
        super().__init__()
        self.lin_f = nn.Linear(2 * hidden_size + num_radial, hidden_size)
        self.lin_s = nn.Linear(2 * hidden_size + num_radial, hidden_size)

    def forward(self, features: Tensor, edge_index: Tensor, edges: Tensor, occupancy: Tensor | None) -> Tensor:
        """
        Add the messages of the neighbours.

        Args:
            features: `(N, hidden_size)`, features of the atoms.
            edge_index: `(2, E)` int64, row 0 = source j, row 1 = target i.
            edges: `(E, num_radial)`, features of the edges.
            occupancy: `(N, 1)`, occupancies of the atoms; `None` if all are 1.

        Returns:
            `(N, hidden_size)`.
        """
        source, target = edge_index[0], edge_index[1]
        z = torch.cat([features[target], features[source], edges], dim=-1)
        messages = self.lin_f(z).sigmoid() * F.softplus(self.lin_s(z))
        if occupancy is not None:
            messages = messages * occupancy[source]
        return features + torch.zeros_like(features).index_add(0, target, messages.to(features.dtype))


class CGCNN(nn.Module):
    """
    Crystal graph convolutional network (Xie & Grossman 2018, doi 10.1103/PhysRevLett.120.145301), eq. 5.

    v_i ← v_i + Σ_j o_j σ(z_ij W_f + b_f) ⊙ softplus(z_ij W_s + b_s), z_ij = v_i ⊕ v_j ⊕ u_ij, with the occupancy o_j of
    the sending atom.

    Atoms enter through a learned embedding of the atomic number. The original normalises with BatchNorm, whose
    statistics depend on the batch and on the number of processes; here a LayerNorm follows each convolution instead.

    Args:
        config: A [`ClacGraphConfig`].
    """

    def __init__(self, config: Any):
        super().__init__()
        self.cutoff = float(config.cutoff)
        self.num_radial = config.num_radial
        self.embedding = nn.Embedding(config.max_atomic_number + 1, config.hidden_size)
        self.convolutions = nn.ModuleList(
            CrystalGraphConvolution(config.hidden_size, config.num_radial) for _ in range(config.num_interactions)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(config.hidden_size) for _ in range(config.num_interactions))
        use_clac_init(self)

    def forward(
        self, atomic_numbers: Tensor, edge_index: Tensor, edge_vector: Tensor, occupancy: Tensor | None = None
    ) -> Tensor:
        """
        Compute atom features.

        Args:
            atomic_numbers: `(N,)` int64.
            edge_index: `(2, E)` int64, row 0 = source j, row 1 = target i.
            edge_vector: `(E, 3)` in Å, from target to source.
            occupancy: `(N,)`, occupancies of the atoms; `None` if all are 1.

        Returns:
            `(N, hidden_size)`.
        """
        features = self.embedding(atomic_numbers)
        distance = torch.linalg.vector_norm(edge_vector.float(), dim=-1)
        edges = gaussian_basis(distance, self.num_radial, self.cutoff).to(features.dtype)
        weight = None if occupancy is None else occupancy.to(features.dtype).unsqueeze(-1)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            features = norm(convolution(features, edge_index, edges, weight))
        return features


class _SumMessages(torch.autograd.Function):
    """
    The sums over neighbours of one PaiNN block, see [`sum_messages`]. No gradient with respect to the geometry.

    Edges are processed in blocks whose messages stay in the processor's cache, and the messages are recomputed in the
    backward pass: written out for all edges at once, they take longer to allocate, store and read than to compute.
    """

    @staticmethod
    def forward(
        context: Any,
        phi: Tensor,
        vector: Tensor | None,
        weight: Tensor,
        radial: Tensor,
        direction: Tensor,
        edge_index: Tensor,
    ) -> tuple[Tensor, Tensor]:
        context.save_for_backward(phi, vector, weight, radial, direction, edge_index)
        size = weight.shape[1] // (2 if vector is None else 3)
        scalar_sum, vector_sum = phi.new_zeros(len(phi), size), phi.new_zeros(len(phi), 3, size)
        with torch.autocast(phi.device.type, enabled=False):
            for source, target, g, d in _edge_blocks(edge_index, radial, direction):
                messages = (g @ weight).mul_(phi.index_select(0, source))
                to_scalar, along, *across = messages.split(size, dim=1)
                to_vector = along.unsqueeze(1) * d
                if vector is not None:
                    to_vector.addcmul_(vector.index_select(0, source), across[0].unsqueeze(1))
                # Contiguous rows are added several times as fast.
                scalar_sum.index_add_(0, target, to_scalar.contiguous())
                vector_sum.index_add_(0, target, to_vector)
        return scalar_sum, vector_sum

    @staticmethod
    @once_differentiable
    def backward(context: Any, scalar_grad: Tensor, vector_grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        phi, vector, weight, radial, direction, edge_index = context.saved_tensors
        size = scalar_grad.shape[1]
        phi_grad, weight_grad = torch.zeros_like(phi), torch.zeros_like(weight)
        vector_grad_in = None if vector is None else torch.zeros_like(vector)
        with torch.autocast(phi.device.type, enabled=False):
            for source, target, g, d in _edge_blocks(edge_index, radial, direction):
                sent, filters = phi.index_select(0, source), g @ weight
                to_vector = vector_grad.index_select(0, target)
                grad = torch.empty_like(sent)
                grad[:, :size] = scalar_grad.index_select(0, target)
                along = grad[:, size : 2 * size]
                torch.mul(to_vector[:, 0], d[:, 0], out=along)
                along.addcmul_(to_vector[:, 1], d[:, 1]).addcmul_(to_vector[:, 2], d[:, 2])
                if vector is not None:
                    own, across = vector.index_select(0, source), grad[:, 2 * size :]
                    torch.mul(to_vector[:, 0], own[:, 0], out=across)
                    across.addcmul_(to_vector[:, 1], own[:, 1]).addcmul_(to_vector[:, 2], own[:, 2])
                    to_vector.mul_((filters[:, 2 * size :] * sent[:, 2 * size :]).unsqueeze(1))
                    assert vector_grad_in is not None
                    vector_grad_in.index_add_(0, source, to_vector)
                phi_grad.index_add_(0, source, filters.mul_(grad))
                weight_grad.addmm_(g.T, sent.mul_(grad))
        return phi_grad, vector_grad_in, weight_grad, None, None, None


def _edge_blocks(
    edge_index: Tensor, radial: Tensor, direction: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Yield sources, targets, radial functions and directions of a block of edges; on a GPU of all edges at once."""
    size = _EDGE_BLOCK if radial.device.type == "cpu" else max(1, len(radial))
    arrays = (edge_index[0], edge_index[1], radial, direction)
    return zip(*(array.split(size) for array in arrays), strict=True)  # type: ignore[arg-type]


def sum_messages(
    phi: Tensor, vector: Tensor | None, weight: Tensor, radial: Tensor, direction: Tensor, edge_index: Tensor
) -> tuple[Tensor, Tensor]:
    """
    Sum the messages of all edges j -> i to each atom i (arXiv 2102.03150, eqs. 7 and 8).

    Scalars: Σ_j φ_s(j) ∘ W_s(r_ij). Vectors: Σ_j φ_vs(j) ∘ W_vs(r_ij) r̂_ij + v_j ∘ φ_vv(j) ∘ W_vv(r_ij).

    If the geometry requires a gradient, as for forces, everything is differentiable to any order.

    Args:
        phi: `(N, 3F)`, φ_s, φ_vs and φ_vv of the sending atoms; `(N, 2F)` without `vector`, where φ_vv is not needed.
        vector: `(N, 3, F)`, vector features; `None` for zeros.
        weight: `(num_radial + 1, 3F)` or `(num_radial + 1, 2F)`, weights of the filters W in the order of `phi`.
        radial: `(E, num_radial + 1)`, radial functions and 1, times the cutoff function.
        direction: `(E, 3, 1)`, unit vectors r̂_ij.
        edge_index: `(2, E)` int64, row 0 = source j, row 1 = target i.

    Returns:
        Sums of the scalars `(N, F)` and of the vectors `(N, 3, F)`.
    """
    needs_geometry_grad = torch.is_grad_enabled() and (radial.requires_grad or direction.requires_grad)
    # The number of blocks would become a constant of an exported or compiled graph.
    if not needs_geometry_grad and not torch.compiler.is_compiling():
        return _SumMessages.apply(phi, vector, weight, radial, direction, edge_index)
    size = weight.shape[1] // (2 if vector is None else 3)
    source, target = edge_index[0], edge_index[1]
    messages = phi[source] * (radial @ weight)
    to_vector = messages[:, None, size : 2 * size] * direction
    if vector is not None:
        to_vector = torch.addcmul(to_vector, vector[source], messages[:, None, 2 * size :])
    scalar_sum, vector_sum = phi.new_zeros(phi.shape[0], size), phi.new_zeros(phi.shape[0], 3, size)
    return scalar_sum.index_add(0, target, messages[:, :size]), vector_sum.index_add(0, target, to_vector)


class PaiNNInteraction(nn.Module):
    """
    One message and one update block of PaiNN (arXiv 2102.03150, eqs. 7-10).

    φ depends only on the sending atom, so it is computed once per atom and gathered to the edges.

    Args:
        hidden_size: Number of features F.
        num_radial: Number of radial functions.
    """

    def __init__(self, hidden_size: int, num_radial: int):
        super().__init__()
        self.hidden_size = hidden_size
        self.phi = nn.Sequential(
            nn.Linear(hidden_size, hidden_size), nn.SiLU(), nn.Linear(hidden_size, 3 * hidden_size)
        )
        self.filter = RadialFilter(num_radial, 3 * hidden_size)
        self.mix = nn.Linear(hidden_size, 2 * hidden_size, bias=False)
        self.update = nn.Sequential(
            nn.Linear(2 * hidden_size, hidden_size), nn.SiLU(), nn.Linear(hidden_size, 3 * hidden_size)
        )

    def forward(
        self,
        scalar: Tensor,
        vector: Tensor | None,
        edge_index: Tensor,
        radial: Tensor,
        direction: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """
        Update the atom features.

        Args:
            scalar: `(N, F)`, scalar features.
            vector: `(N, 3, F)`, vector features; `None` for zeros.
            edge_index: `(2, E)` int64, row 0 = source j, row 1 = target i.
            radial: `(E, num_radial + 1)`, radial functions and 1, times the cutoff function.
            direction: `(E, 3, 1)`, unit vectors.

        Returns:
            Updated scalar features `(N, F)` and vector features `(N, 3, F)`.
        """
        # Autocast runs the linear layers in half precision; sums over neighbours keep the precision of the features.
        to_scalar, from_vector, from_direction = self.phi(scalar).to(scalar.dtype).chunk(3, dim=-1)
        w_scalar, w_vector, w_direction = self.filter().to(scalar.dtype).chunk(3, dim=-1)
        phi, weights = [to_scalar, from_direction], [w_scalar, w_direction]
        if vector is not None:
            phi, weights = [*phi, from_vector], [*weights, w_vector]
        scalar_sum, vector_sum = sum_messages(
            torch.cat(phi, dim=-1), vector, torch.cat(weights, dim=-1), radial, direction, edge_index
        )
        scalar = scalar + scalar_sum
        vector = vector_sum if vector is None else vector + vector_sum

        u_vector, v_vector = self.mix(vector).split(self.hidden_size, dim=-1)
        norm = 0.5 * torch.sqrt(4.0 * (v_vector**2).sum(dim=1) + 4.0 * _EPS)
        a_vv, a_sv, a_ss = self.update(torch.cat([scalar, norm], dim=-1)).split(self.hidden_size, dim=-1)
        scalar = scalar + a_ss + a_sv * (u_vector * v_vector).sum(dim=1)
        vector = vector + a_vv.unsqueeze(1) * u_vector
        return scalar, vector


class PaiNN(nn.Module):
    """
    Polarizable atom interaction neural network (Schütt, Unke, Gastegger 2021, arXiv 2102.03150).

    Atoms have rotation-invariant scalar and rotation-equivariant vector features. The output is the scalar features
    after a LayerNorm. Messages are weighted by the occupancy of the sending atom.

    Args:
        config: A [`ClacGraphConfig`].
    """

    def __init__(self, config: Any):
        super().__init__()
        self.cutoff = float(config.cutoff)
        self.num_radial = config.num_radial
        self.embedding = nn.Embedding(config.max_atomic_number + 1, config.hidden_size)
        self.interactions = nn.ModuleList(
            PaiNNInteraction(config.hidden_size, config.num_radial) for _ in range(config.num_interactions)
        )
        self.norm = nn.LayerNorm(config.hidden_size)
        use_clac_init(self)

    def forward(
        self, atomic_numbers: Tensor, edge_index: Tensor, edge_vector: Tensor, occupancy: Tensor | None = None
    ) -> Tensor:
        """
        Compute atom features.

        Args:
            atomic_numbers: `(N,)` int64.
            edge_index: `(2, E)` int64, row 0 = source j, row 1 = target i.
            edge_vector: `(E, 3)` in Å, from target to source.
            occupancy: `(N,)`, occupancies of the atoms; `None` if all are 1.

        Returns:
            `(N, hidden_size)`.
        """
        scalar = self.embedding(atomic_numbers)
        vector: Tensor | None = None
        edge_vector = full_precision(edge_vector)
        distance = torch.linalg.vector_norm(edge_vector, dim=-1)
        direction = (edge_vector / distance.unsqueeze(-1)).to(scalar.dtype).unsqueeze(-1)
        basis = bessel_basis(distance, self.num_radial, self.cutoff)
        envelope = cosine_cutoff(distance, self.cutoff).unsqueeze(-1)
        radial = torch.cat([basis, torch.ones_like(envelope)], dim=-1) * envelope
        if occupancy is not None:  # messages are linear in the radial functions
            radial = radial * occupancy[edge_index[0]].unsqueeze(-1)
        radial = radial.to(scalar.dtype)
        for interaction in self.interactions:
            scalar, vector = interaction(scalar, vector, edge_index, radial, direction)
        return self.norm(scalar)


GRAPH_ENCODERS = {"painn": PaiNN, "cgcnn": CGCNN}

__all__ = [
    "CGCNN",
    "GRAPH_ENCODERS",
    "CrystalGraphConvolution",
    "PaiNN",
    "RadialFilter",
    "init_clac_layer",
    "pool_atoms",
    "sum_messages",
    "use_clac_init",
]
