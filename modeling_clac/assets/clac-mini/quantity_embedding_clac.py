"""Embeddings of the numbers and formulas that the tokenizer finds in a text, see `tokenization_clac`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .quantities_clac import DENSITY, NOTHING, NUM_KINDS, NUMBER, PERIODS, SMALLEST


def number_waves(values: Tensor, periods: Sequence[float] = PERIODS) -> Tensor:
    """
    Sines and cosines of 2πu/P for each period P, with u = asinh(x / 0.001) / ln 10.

    u is linear around 0 and logarithmic for |x| above 0.01. Numbers are thus distinguished by their ratio, down to one
    per cent with the default periods 16 to 1/16, and zero and negative numbers are represented as well.

    Args:
        values: `(...)`, numbers x.
        periods: Periods P in powers of ten.

    Returns:
        `(..., 2 len(periods))` float32.
    """
    scaled = torch.asinh(values.float().unsqueeze(-1) / SMALLEST) * (2.0 * math.pi / math.log(10.0))
    phase = scaled / torch.tensor(periods, dtype=torch.float32, device=values.device)
    return torch.cat([phase.sin(), phase.cos()], dim=-1)


class QuantityEmbedding(nn.Module):
    """
    Vectors added to the word embeddings of the tokens of numbers and formulas, and to the pooled text.

    Each such token gets a learned vector of its kind, and in addition

    - an element symbol: x a_Z + √x b_Z with its atomic fraction x,
    - a number: W [sin(2πu/P_k) ⊕ cos(2πu/P_k)] with its logarithm u, see [`number_waves`]. After xVal (Golkar et al.
      2023, arXiv 2310.02989), which scales one vector by the number.

    Numbers are few among the words of a text. Their mean after the encoder, where each knows its property, is therefore
    also added to the pooled text. All weights start at zero, so that a pretrained tower starts unchanged.

    Args:
        hidden_size: Size of the word embeddings.
    """

    def __init__(self, hidden_size: int):
        super().__init__()
        self.kind = nn.Embedding(NUM_KINDS, hidden_size)
        self.fraction = nn.Embedding(NUM_KINDS, hidden_size)
        self.root = nn.Embedding(NUM_KINDS, hidden_size)
        self.number = nn.Linear(2 * len(PERIODS), hidden_size, bias=False)
        self.pooled = nn.Linear(hidden_size, hidden_size, bias=False)
        for layer in (self.kind, self.fraction, self.root, self.number, self.pooled):
            layer.starts_at_zero = True  # type: ignore[assignment]

    def forward(self, token_kinds: Tensor, token_values: Tensor) -> Tensor:
        """
        Compute the vectors to add to the word embeddings.

        Args:
            token_kinds: `(B, L)` int64, see [`read_quantities`].
            token_values: `(B, L)` float, see [`read_quantities`].

        Returns:
            `(B, L, hidden_size)`, zeros for other tokens.
        """
        values = token_values.float()
        is_number = (token_kinds >= NUMBER).unsqueeze(-1)
        is_something = (token_kinds != NOTHING).unsqueeze(-1)
        dtype = self.kind.weight.dtype
        number = self.number(number_waves(values, PERIODS).to(dtype))
        share = values.unsqueeze(-1).clamp(min=0.0, max=1.0).to(dtype)
        element = share * self.fraction(token_kinds) + share.sqrt() * self.root(token_kinds)
        return is_something * (self.kind(token_kinds) + torch.where(is_number, number, element))

    def pool(self, hidden: Tensor, token_kinds: Tensor) -> Tensor:
        """
        Compute the vectors to add to the pooled texts.

        Args:
            hidden: `(B, L, hidden_size)`, output of the encoder.
            token_kinds: `(B, L)` int64, see [`read_quantities`].

        Returns:
            `(B, hidden_size)`, zeros for texts without a number.
        """
        weights = (token_kinds >= NUMBER).unsqueeze(-1).to(hidden.dtype)
        return self.pooled((hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1))


def text_composition(token_kinds: Tensor, token_values: Tensor) -> Tensor:
    """
    Compute the mean composition of the formulas of each text.

    Args:
        token_kinds: `(B, L)` int64, see [`read_quantities`].
        token_values: `(B, L)` float, see [`read_quantities`].

    Returns:
        Atomic fractions `(B, 119)` float32; a row of zeros for a text without a formula.
    """
    is_element = (token_kinds != NOTHING) & (token_kinds < NUMBER)
    fraction = torch.zeros(token_kinds.shape[0], NUMBER, dtype=torch.float32, device=token_kinds.device)
    fraction.scatter_add_(1, token_kinds * is_element, token_values.float() * is_element)
    # The fractions of each whole formula add up to 1. Dividing by the sum averages them and completes truncated ones.
    return fraction / fraction.sum(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)


def text_density(token_kinds: Tensor, token_values: Tensor) -> Tensor:
    """
    Compute the mean of the densities that each text states.

    Args:
        token_kinds: `(B, L)` int64, see [`read_quantities`].
        token_values: `(B, L)` float, see [`read_quantities`].

    Returns:
        `(B,)` in g/cm³; 0 for a text without a density.
    """
    is_density = token_kinds == DENSITY
    return (token_values.float() * is_density).sum(dim=1) / is_density.sum(dim=1).clamp(min=1)


__all__ = ["QuantityEmbedding", "number_waves", "text_composition", "text_density"]
