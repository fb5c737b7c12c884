"""
A linear-chain conditional random field for tagging words (Lafferty, McCallum, Pereira 2001, "Conditional random
fields"; forward algorithm and Viterbi decoding as in Rabiner 1989, doi 10.1109/5.18626, in log space).

Written here rather than taken from a package: those on PyPI (pytorch-crf, TorchCRF) install but have had no release for
years, want a mask that starts at the first token and has no gaps, give no marginal probabilities, and would become a
requirement of every checkpoint that carries its code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LinearChainCrf(nn.Module):
    """
    Scores of tag sequences y of the words t = 1..T, the places of a row where the mask is true, whatever lies between:

        s(y) = start[y_1] + sum_t emission[t, y_t] + sum_t transition[y_(t-1), y_t] + end[y_T],  p(y) = exp s(y) / Z

    All three tables start at zero, where the tags of a row are independent of each other, as they are without a CRF.
    """

    def __init__(self, num_tags: int):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(num_tags))
        self.transition = nn.Parameter(torch.zeros(num_tags, num_tags))
        self.end = nn.Parameter(torch.zeros(num_tags))

    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """
        log p(tags) of each row.

        Args:
            emissions: `(B, L, num_tags)`. tags: `(B, L)` int64, not read where the mask is false. mask: `(B, L)` bool.

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
        """`(B, L, num_tags)`, `(B, L)` bool -> log p(y_t), `(B, L, num_tags)` float32; 0 where the mask is false."""
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
        """`(B, L, num_tags)`, `(B, L)` bool -> the likeliest tags, `(B, L)` int64; -1 where the mask is false."""
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
        """Log of the summed weight of all beginnings that end in a tag, `(B, T, num_tags)`; stays after a row's end."""
        transition = self.transition.float()
        alpha = [self.start.float() + packed[:, 0]]
        for step in range(1, packed.shape[1]):
            reached = (alpha[-1].unsqueeze(2) + transition).logsumexp(dim=1) + packed[:, step]
            alpha.append(torch.where(filled[:, step, None], reached, alpha[-1]))
        return torch.stack(alpha, dim=1)


def _words_first(mask: Tensor) -> tuple[Tensor, Tensor]:
    """`(B, L)` bool -> places `(B, T)` of the words of each row, in order, and which of them there are `(B, T)`."""
    counts = mask.sum(dim=1)
    longest = max(1, int(counts.max()))
    places = (~mask).to(torch.uint8).argsort(dim=1, stable=True)[:, :longest]
    return places, torch.arange(longest, device=mask.device) < counts.unsqueeze(1)


def _pick(emissions: Tensor, places: Tensor) -> Tensor:
    """`(B, L, K)`, `(B, T)` -> `(B, T, K)` in float32: sums over many words of half precision would lose the last."""
    return emissions.float().gather(1, places.unsqueeze(2).expand(-1, -1, emissions.shape[2]))


__all__ = ["LinearChainCrf"]
