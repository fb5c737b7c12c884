"""Contrastive losses as plain functions, and the gather that makes them right on several processes."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F


def gather_with_grad(embeds: Tensor) -> Tensor:
    """
    The rows of all processes in rank order, gradients flowing back to the process that made them.

    Args:
        embeds: `(B, D)`; B must be the same on every process.

    Returns:
        `(world_size · B, D)`; `embeds` itself without an initialised process group.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return embeds
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(embeds), dim=0)


def info_nce_loss(crystal_embeds: Tensor, text_embeds: Tensor, logit_scale: Tensor) -> Tensor:
    """
    Symmetric InfoNCE (van den Oord et al. 2018, arXiv 1807.03748; CLIP's form, arXiv 2103.00020):
    -½ · mean_i [log softmax_j(s·c_i·t_j)_i + log softmax_j(s·t_i·c_j)_i].

    On several processes the local rows are scored against the rows of all of them, so the mean over processes is the
    loss of the joined batch, and so are the gradients once data parallelism has averaged them.

    Args:
        crystal_embeds: `(B, D)`, unit length. text_embeds: `(B, D)`, unit length, row i belongs to crystal i.
        logit_scale: scalar, s = 1/τ (not its logarithm).

    Returns:
        Scalar.
    """
    all_crystals, all_texts = gather_with_grad(crystal_embeds), gather_with_grad(text_embeds)
    rank = dist.get_rank() if len(all_crystals) > len(crystal_embeds) else 0
    target = torch.arange(len(crystal_embeds), device=crystal_embeds.device) + rank * len(crystal_embeds)
    crystal_to_text = F.cross_entropy(logit_scale * crystal_embeds @ all_texts.T, target)
    text_to_crystal = F.cross_entropy(logit_scale * text_embeds @ all_crystals.T, target)
    return (crystal_to_text + text_to_crystal) / 2


__all__ = ["gather_with_grad", "info_nce_loss"]
