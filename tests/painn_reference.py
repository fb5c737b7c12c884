"""PaiNN written down edge by edge from the paper (arXiv 2102.03150), slow and plain: the oracle of the fast one."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from modeling_clac.graph_encoders_clac import PaiNN


def edge_wise_painn(painn: PaiNN, atomic_numbers: Tensor, edge_index: Tensor, edge_vector: Tensor) -> Tensor:
    """
    The atom features `(N, F)` of `painn`, with its weights: every message of eqs. 7 and 8 is computed for its edge,
    the atomwise network φ(s_j) of the sending atom included, and then summed over the edges of an atom.
    """
    source, target = edge_index
    size = painn.embedding.embedding_dim
    scalar = painn.embedding(atomic_numbers)
    vector = scalar.new_zeros(len(scalar), size, 3)
    distance = edge_vector.norm(dim=1, keepdim=True)
    direction = edge_vector / distance
    order = torch.arange(1, painn.num_radial + 1, dtype=edge_vector.dtype)
    basis = math.sqrt(2 / painn.cutoff) * torch.sin(order * math.pi * distance / painn.cutoff) / distance
    cutoff = 0.5 * (torch.cos(math.pi * distance / painn.cutoff) + 1) * (distance < painn.cutoff)
    for block in painn.interactions:
        # Eqs. 7 and 8: Δs_i = Σ_j φ_s(s_j) ∘ W_s(r_ij); Δv_i = Σ_j v_j ∘ φ_vv(s_j) ∘ W_vv + φ_vs(s_j) ∘ W_vs r̂_ij.
        messages = block.phi(scalar[source]) * (block.filter(basis) * cutoff)
        to_scalar, from_vector, from_direction = messages.split(size, dim=1)
        to_vector = vector[source] * from_vector[:, :, None] + from_direction[:, :, None] * direction[:, None, :]
        scalar = scalar + torch.zeros_like(scalar).index_add(0, target, to_scalar)
        vector = vector + torch.zeros_like(vector).index_add(0, target, to_vector)
        # Eqs. 9 and 10: Δs_i = a_ss + a_sv <U v_i, V v_i>; Δv_i = a_vv U v_i, a = a(s_i, ‖V v_i‖).
        u_weight, v_weight = block.mix.weight.split(size)
        u_vector = torch.einsum("fg,ngx->nfx", u_weight, vector)
        v_vector = torch.einsum("fg,ngx->nfx", v_weight, vector)
        norm = torch.sqrt((v_vector**2).sum(dim=2) + 1e-8)
        a_vv, a_sv, a_ss = block.update(torch.cat([scalar, norm], dim=1)).split(size, dim=1)
        scalar = scalar + a_ss + a_sv * (u_vector * v_vector).sum(dim=2)
        vector = vector + a_vv[:, :, None] * u_vector
    return F.layer_norm(scalar, (size,), painn.norm.weight, painn.norm.bias, painn.norm.eps)
