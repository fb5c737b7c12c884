"""
Contrastive losses as plain functions, and the gather that makes them correct on several processes.

Each loss takes unit vectors `x` and `y` of shape `(B, D)`, where row i of one is paired with row i of the other. It
scores the local rows against the rows of all processes. The mean of the loss over processes is therefore the loss of
the joined batch, and the same holds for the gradients once data parallelism has averaged them. `ignore`
`(B, world_size · B)` marks pairs excluded from the negatives, see [`duplicate_mask`] and [`answered_mask`].
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F

# Label of tokens that do not count: all but the first piece of a word, padding, unmasked tokens. PyTorch's default.
IGNORE_INDEX = -100


def gather_with_grad(embeds: Tensor) -> Tensor:
    """
    Gather the rows of all processes in rank order. Gradients flow back to the process of each row.

    Args:
        embeds: `(B, D)`; B must be the same on all processes.

    Returns:
        `(world_size · B, D)`; `embeds` itself without an initialised process group.
    """
    if _world_size() == 1:
        return embeds
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(embeds), dim=0)


def duplicate_mask(*labels: Tensor) -> Tensor:
    """
    Mark pairs excluded from the negatives because they are duplicates: equal crystals, or equal texts.

    Args:
        labels: One or more tensors `(B,)` int64. Rows that share a label in any of them are duplicates.

    Returns:
        `(B, world_size · B)` bool. A row and its own positive are not marked.
    """
    size = len(labels[0])
    same = torch.zeros(size, size * _world_size(), dtype=torch.bool, device=labels[0].device)
    for label in labels:
        same |= label.unsqueeze(1) == _gather(label).unsqueeze(0)
    same[torch.arange(size, device=same.device), _positives(labels[0])] = False
    return same


def answered_mask(named: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
    """
    Mark pairs excluded from the negatives because the text names something that the crystal is as well.

    Args:
        named: `(B,)` int64, label of what a text names, such as a formula. 0: the text describes a single crystal.
        answers: `(B, A)` int64, labels of what each crystal is.

    Returns:
        Two masks `(B, world_size · B)` bool: local crystals by all texts, and local texts by all crystals. A row and
        its own positive are not marked.
    """
    positives = _positives(named)
    rows = torch.arange(len(named), device=named.device)
    by_crystal = answers_of(_gather(named), answers).T
    by_text = answers_of(named, _gather(answers))
    for mask in (by_crystal, by_text):
        mask[rows, positives] = False
    return by_crystal, by_text


def answers_of(named: Tensor, answers: Tensor) -> Tensor:
    """
    Find the crystals that are what texts name, see [`answered_mask`].

    Args:
        named: `(T,)` int64, label of what a text names, or 0.
        answers: `(B, A)` int64, labels of what each crystal is.

    Returns:
        `(T, B)` bool.
    """
    same = (named[:, None, None] == answers).any(dim=2)
    return same & (named != 0).unsqueeze(1)


def _gather(rows: Tensor) -> Tensor:
    """Gather the rows of all processes in rank order, without gradients."""
    if _world_size() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(_world_size())]
    dist.all_gather(parts, rows)
    return torch.cat(parts)


def info_nce_loss(
    x: Tensor,
    y: Tensor,
    logit_scale: Tensor,
    ignore: Tensor | None = None,
    ignore_reverse: Tensor | None = None,
    gather: bool = True,
) -> Tensor:
    """
    Symmetric InfoNCE loss.

    -½ · mean_i [log softmax_j(s·x_i·y_j)_i + log softmax_j(s·y_i·x_j)_i] (van den Oord et al. 2018, arXiv 1807.03748;
    in the form of CLIP, arXiv 2103.00020).

    Args:
        x: `(B, D)`, unit vectors.
        y: `(B, D)`, unit vectors.
        logit_scale: Scalar s = 1/τ (not its logarithm).
        ignore: `(B, world_size · B)` bool, rows of `x` by all rows of `y`: pairs excluded from the negatives.
        ignore_reverse: `(B, world_size · B)` bool, the same for rows of `y` by all rows of `x`. Default: `ignore`,
            which must then be symmetric.
        gather: Whether the rows of all processes are negatives. All of them must then call this function, or the
            others wait for them.

    Returns:
        Scalar.
    """
    if gather:
        all_x, all_y, positives = gather_with_grad(x), gather_with_grad(y), _positives(x)
    else:
        all_x, all_y, positives = x, y, torch.arange(len(x), device=x.device)
    forward, backward = logit_scale * x @ all_y.T, logit_scale * y @ all_x.T
    if ignore is not None:
        forward = forward.masked_fill(ignore, -torch.inf)
        backward = backward.masked_fill(ignore if ignore_reverse is None else ignore_reverse, -torch.inf)
    return (F.cross_entropy(forward, positives) + F.cross_entropy(backward, positives)) / 2


def sigmoid_loss(x: Tensor, y: Tensor, logit_scale: Tensor, logit_bias: Tensor, ignore: Tensor | None = None) -> Tensor:
    """
    Sigmoid loss.

    -1/B · Σ_ij log σ(z_ij · (s·x_i·y_j + b)) with z_ij = 1 for pairs and -1 otherwise (Zhai et al. 2023,
    arXiv 2303.15343, eq. 1).

    Args:
        x: `(B, D)`, unit vectors.
        y: `(B, D)`, unit vectors.
        logit_scale: Scalar s.
        logit_bias: Scalar b. Starts far below zero, since most pairs are negatives.
        ignore: `(B, world_size · B)` bool, pairs excluded from the negatives.

    Returns:
        Scalar.
    """
    logits = logit_scale * x @ gather_with_grad(y).T + logit_bias
    sign = -torch.ones_like(logits)
    sign[torch.arange(len(x), device=x.device), _positives(x)] = 1.0
    terms = F.softplus(-sign * logits)
    if ignore is not None:
        terms = terms.masked_fill(ignore, 0.0)
    return terms.sum(dim=1).mean()


def jensen_shannon_loss(
    x: Tensor, y: Tensor, logit_scale: Tensor, logit_bias: Tensor, ignore: Tensor | None = None
) -> Tensor:
    """
    Negative Jensen-Shannon bound on the mutual information.

    E_pairs[sp(-T)] + E_negatives[sp(T)] with sp(a) = log(1 + e^a), the critic T(x, y) = s·x·y + b, and the other rows
    of the batch as negatives (Nowozin et al. 2016, arXiv 1606.00709; as a contrastive loss of two modalities:
    CLIP-Lite, arXiv 2112.07133).

    Unlike in the sigmoid loss, the negatives have the same weight as the pairs, whatever their number.

    Args:
        x: `(B, D)`, unit vectors.
        y: `(B, D)`, unit vectors.
        logit_scale: Scalar s.
        logit_bias: Scalar b.
        ignore: `(B, world_size · B)` bool, pairs excluded from the negatives.

    Returns:
        Scalar.
    """
    scores = logit_scale * x @ gather_with_grad(y).T + logit_bias
    rows, positives = torch.arange(len(x), device=x.device), _positives(x)
    negative = torch.ones_like(scores, dtype=torch.bool) if ignore is None else ~ignore
    negative[rows, positives] = False
    # Mean over the negatives of the joined batch: each process divides its sum by the mean count per process.
    count = negative.sum().to(scores.dtype)
    if _world_size() > 1:
        dist.all_reduce(count)
        count = count / _world_size()
    repelled = F.softplus(scores).masked_fill(~negative, 0.0).sum() / count.clamp(min=1)
    return F.softplus(-scores[rows, positives]).mean() + repelled


def concept_loss(phrase_embeds: Tensor, crystal_embeds: Tensor, holds: Tensor, scale: Tensor) -> Tensor:
    """
    Loss of phrases that describe many crystals: each right answer against all wrong ones.

    mean_p mean_{i: holds} softplus(log Σ_{j: does not hold} exp(s·t_p·c_j) - s·t_p·c_i). The right answers do not
    compete with each other, as they would in a softmax, and crystals for which the answer is unknown or partly right
    take no part.

    Args:
        phrase_embeds: `(P, D)`, unit vectors.
        crystal_embeds: `(m, D)`, unit vectors.
        holds: `(P, m)`, 1 where a phrase holds, 0 where it does not; anything else where neither is known.
        scale: Scalar s = 1/τ.

    Returns:
        Scalar; 0 if no phrase has both right and wrong answers.
    """
    logits = scale * phrase_embeds @ crystal_embeds.T
    right, wrong = holds == 1, holds == 0
    against = torch.logsumexp(logits.masked_fill(~wrong, -torch.inf), dim=1, keepdim=True)
    counts = right.any(dim=1) & wrong.any(dim=1)
    # Rows without wrong answers are left out below; -inf would make their gradient NaN.
    terms = F.softplus(torch.where(counts.unsqueeze(1), against, 0.0) - logits)
    means = (terms * right).sum(dim=1) / right.sum(dim=1).clamp(min=1)
    return (means * counts).sum() / counts.sum().clamp(min=1)


def _world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _positives(rows: Tensor) -> Tensor:
    """`(B,)` int64, index of each local row among the rows of all processes."""
    first = dist.get_rank() * len(rows) if _world_size() > 1 else 0
    return torch.arange(first, first + len(rows), device=rows.device)


__all__ = [
    "IGNORE_INDEX",
    "answered_mask",
    "answers_of",
    "concept_loss",
    "duplicate_mask",
    "gather_with_grad",
    "info_nce_loss",
    "jensen_shannon_loss",
    "sigmoid_loss",
]
