"""
A linear-chain conditional random field (CRF) for tagging words.

After Lafferty, McCallum, Pereira 2001, "Conditional random fields". Forward algorithm and Viterbi decoding as in
Rabiner 1989, doi 10.1109/5.18626, in log space.

The packages on PyPI (pytorch-crf, TorchCRF) have had no release for years, need a mask without gaps that starts at the
first token, and compute no marginal probabilities. They would also be a requirement of every checkpoint that carries
the code of this module.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearChainCrf(nn.Module):
    """
    Linear-chain CRF over the words t = 1..T of a row: the positions where the mask is true, with or without gaps.

    The score of a tag sequence y, and its probability:

        s(y) = start[y_1] + sum_t emission[t, y_t] + sum_t transition[y_(t-1), y_t] + end[y_T],  p(y) = exp s(y) / Z

    All three tables start at zero. The tags of a row are then independent of each other, as without a CRF.

    Args:
        num_tags: Number of tags.
    """

    def __init__(self, num_tags: int):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(num_tags))
        self.transition = nn.Parameter(torch.zeros(num_tags, num_tags))
        self.end = nn.Parameter(torch.zeros(num_tags))

    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """
        Return log p(tags) of each row.

        Args:
            emissions: `(B, L, num_tags)`, scores of the tags of each token.
            tags: `(B, L)` int64, ignored where the mask is false.
            mask: `(B, L)` bool, true for the words.

        Returns:
            `(B,)` float32; 0 for a row without words.
        """
        places, filled = _words_first(mask)
        packed = _pick(emissions, places)
        first = self._forward(packed, filled)[:, -1] + self.end.float()
        tags = tags.gather(1, places).masked_fill(~filled, 0)
        score = packed.gather(2, tags.unsqueeze(2)).squeeze(2)
        score = score + torch.cat(
            [self.start.float()[tags[:, :1]], self.transition.float()[tags[:, :-1], tags[:, 1:]]], dim=1
        )
        last = tags.gather(1, (filled.sum(dim=1, keepdim=True) - 1).clamp(min=0)).squeeze(1)
        path = (score * filled).sum(dim=1) + self.end.float()[last]
        return torch.where(filled[:, 0], path - first.logsumexp(dim=1), 0.0)

    def log_marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """
        Return the logarithm of the marginal probability of each tag, log p(y_t).

        Args:
            emissions: `(B, L, num_tags)`, scores of the tags of each token.
            mask: `(B, L)` bool, true for the words.

        Returns:
            `(B, L, num_tags)` float32; 0 where the mask is false.
        """
        places, filled = _words_first(mask)
        packed = _pick(emissions, places)
        forward = self._forward(packed, filled)
        transition, end = self.transition.float(), self.end.float()
        backward = [end.expand(len(packed), -1)]
        for step in range(packed.shape[1] - 1, 0, -1):
            after = packed[:, step] + backward[0]
            before = (transition + after.unsqueeze(1)).logsumexp(dim=2)
            backward.insert(0, torch.where(filled[:, step, None], before, end))
        marginals = (forward + torch.stack(backward, dim=1)).log_softmax(dim=2)
        found = torch.zeros_like(emissions, dtype=torch.float32)
        found[mask] = marginals[filled]
        return found

    def viterbi(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """
        Return the most likely tag sequence of each row.

        Args:
            emissions: `(B, L, num_tags)`, scores of the tags of each token.
            mask: `(B, L)` bool, true for the words.

        Returns:
            `(B, L)` int64; -1 where the mask is false.
        """
        places, filled = _words_first(mask)
        packed = _pick(emissions, places)
        transition = self.transition.float()
        score = self.start.float() + packed[:, 0]
        stay = torch.arange(packed.shape[2], device=packed.device)
        came_from = []
        for step in range(1, packed.shape[1]):
            best, origin = (score.unsqueeze(2) + transition).max(dim=1)
            inside = filled[:, step, None]
            score = torch.where(inside, best + packed[:, step], score)
            came_from.append(torch.where(inside, origin, stay))
        tag = (score + self.end.float()).argmax(dim=1, keepdim=True)
        path = [tag]
        for origin in reversed(came_from):
            tag = origin.gather(1, tag)
            path.insert(0, tag)
        found = torch.full(mask.shape, -1, dtype=torch.int64, device=mask.device)
        found[mask] = torch.cat(path, dim=1)[filled]
        return found

    def _forward(self, packed: Tensor, filled: Tensor) -> Tensor:
        """
        Log of the summed weight of all tag sequences up to a word that end in a tag, `(B, T, num_tags)`.

        Beyond the last word of a row the values of that word are repeated.
        """
        transition = self.transition.float()
        alpha = [self.start.float() + packed[:, 0]]
        for step in range(1, packed.shape[1]):
            reached = (alpha[-1].unsqueeze(2) + transition).logsumexp(dim=1) + packed[:, step]
            alpha.append(torch.where(filled[:, step, None], reached, alpha[-1]))
        return torch.stack(alpha, dim=1)


def _words_first(mask: Tensor) -> tuple[Tensor, Tensor]:
    """`(B, L)` bool -> positions of each row's words `(B, T)`, and which of them are filled `(B, T)` bool."""
    counts = mask.sum(dim=1)
    longest = max(1, int(counts.max()))
    places = (~mask).to(torch.uint8).argsort(dim=1, stable=True)[:, :longest]
    return places, torch.arange(longest, device=mask.device) < counts.unsqueeze(1)


def _pick(emissions: Tensor, places: Tensor) -> Tensor:
    """`(B, L, K)`, `(B, T)` -> `(B, T, K)` in float32, since half precision is too coarse for sums over many words."""
    return emissions.float().gather(1, places.unsqueeze(2).expand(-1, -1, emissions.shape[2]))


__all__ = ["LinearChainCrf"]
