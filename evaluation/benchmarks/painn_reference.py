"""
Reference implementation of PaiNN, written message by message as in arXiv 2102.03150.

Tests and benchmarks compare `PaiNN` of `modeling_clac.graph_encoders_clac` with it in values, gradients and speed. It
computes φ(s_j), the filter and the messages explicitly for each edge, in plain torch with automatic differentiation.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def painn_reference(
    encoder: Any, atomic_numbers: Tensor, edge_index: Tensor, edge_vector: Tensor, occupancy: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """
    Run the forward pass with the weights of `encoder`.

    Args:
        encoder: A `PaiNN`.
        atomic_numbers: Atomic numbers, `(N,)`.
        edge_index: Edges, `(2, E)`; row 0 = source j, row 1 = target i.
        edge_vector: Edge vectors in Å, `(E, 3)`.
        occupancy: Occupancies of the atoms, `(N,)`; `None` if all are 1.

    Returns:
        Scalars `(N, F)` after the final LayerNorm, and vectors `(N, 3, F)`.
    """
    source, target = edge_index
    scalar = F.embedding(atomic_numbers, encoder.embedding.weight)
    num_atoms, size = scalar.shape
    vector = scalar.new_zeros(num_atoms, 3, size)
    distance = edge_vector.norm(dim=1, keepdim=True)
    direction = edge_vector / distance
    n = torch.arange(1, encoder.num_radial + 1, dtype=distance.dtype)
    basis = math.sqrt(2 / encoder.cutoff) * torch.sin(n * math.pi / encoder.cutoff * distance) / distance
    f_cut = torch.where(distance < encoder.cutoff, 0.5 * (torch.cos(math.pi * distance / encoder.cutoff) + 1), 0.0)
    for block in encoder.interactions:
        # Message, eqs. 7 and 8.
        filters = F.linear(basis, block.filter.weight, block.filter.bias) * f_cut
        phi = block.phi(scalar[source])
        messages = phi * filters if occupancy is None else phi * filters * occupancy[source, None]
        to_scalar, gate_vector, gate_direction = messages.split(size, dim=1)
        to_vector = vector[source] * gate_vector[:, None] + gate_direction[:, None] * direction[:, :, None]
        scalar = scalar + torch.zeros_like(scalar).index_add(0, target, to_scalar)
        vector = vector + torch.zeros_like(vector).index_add(0, target, to_vector)
        # Update, eqs. 9 and 10.
        u, v = vector @ block.mix.weight[:size].T, vector @ block.mix.weight[size:].T
        norm = torch.sqrt((v**2).sum(dim=1) + 1e-8)
        a_vv, a_sv, a_ss = block.update(torch.cat([scalar, norm], dim=1)).split(size, dim=1)
        scalar = scalar + a_ss + a_sv * (u * v).sum(dim=1)
        vector = vector + a_vv[:, None] * u
    return encoder.norm(scalar), vector
