"""Projections into the shared space, and maps of facts that crystals and texts both state exactly."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .descriptors_clac import CompositionReadout, StoichiometryReadout
from .graph_encoders_clac import use_clac_init
from .quantities_clac import DENSITY_PERIODS
from .quantity_embedding_clac import number_waves


class ClacProjection(nn.Module):
    """
    Residual projection head: LayerNorm(W x + MLP(x)), normalised to unit length.

    Args:
        in_size: Size of the input.
        out_size: Size of the output.
        dropout: Dropout between the layers of the MLP.
    """

    def __init__(self, in_size: int, out_size: int, dropout: float):
        super().__init__()
        self.shortcut = nn.Linear(in_size, out_size, bias=False)
        self.hidden = nn.Linear(in_size, out_size)
        self.output = nn.Linear(out_size, out_size)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(out_size)
        use_clac_init(self)

    def forward(self, features: Tensor) -> Tensor:
        """
        Project features.

        Args:
            features: `(B, in_size)`.

        Returns:
            Unit vectors `(B, out_size)`.
        """
        branch = self.output(self.dropout(F.gelu(self.hidden(features))))
        return F.normalize(self.norm(self.shortcut(features) + branch), dim=-1)


class SharedFact(nn.Module):
    """
    A fact that crystals and texts both state exactly, mapped to a unit vector by one map for both.

    An embedding p becomes (p + g u) / ‖p + g u‖ with the vector u of the fact and a learned gain g, which starts at 1.
    Where the fact is unknown, the embedding does not change.

    Args:
        in_size: Number of features of the fact.
        size: Size of the embeddings.
    """

    def __init__(self, in_size: int, size: int):
        super().__init__()
        self.projection = ClacProjection(in_size, size, dropout=0.0)
        self.log_gain = nn.Parameter(torch.zeros(()))

    def add(self, embeds: Tensor, features: Tensor, known: Tensor) -> Tensor:
        """
        Add a fact to embeddings.

        Args:
            embeds: `(B, size)`, unit vectors.
            features: `(B, in_size)`, features of the fact.
            known: `(B,)` bool, whether the fact is known.

        Returns:
            Unit vectors `(B, size)`.
        """
        gain = known.unsqueeze(1) * self.log_gain.exp()
        return F.normalize(embeds + (gain * self.projection(features)).to(embeds.dtype), dim=-1)


class SharedComposition(SharedFact):
    """
    The composition, of crystals and of formulas in texts.

    Args:
        max_atomic_number: Largest atomic number.
        size: Size of the embeddings.
    """

    def __init__(self, max_atomic_number: int, size: int):
        super().__init__(2 * (size // 2), size)
        self.readout = CompositionReadout(max_atomic_number, size // 2)

    def forward(self, embeds: Tensor, fraction: Tensor) -> Tensor:
        """
        Add the composition to embeddings.

        Args:
            embeds: `(B, size)`, unit vectors.
            fraction: `(B, max_atomic_number + 1)`, atomic fractions; a row of zeros if the composition is unknown.

        Returns:
            Unit vectors `(B, size)`.
        """
        return self.add(embeds, self.readout(fraction), fraction.sum(dim=1) > 0)


class SharedStoichiometry(SharedFact):
    """
    The amount of each element, in crystals and in formulas of texts.

    The map of [`SharedComposition`] is smooth, so that compounds with similar uses, such as HfCo and HfCo2, stay close.
    This map separates them.

    Args:
        max_atomic_number: Largest atomic number.
        size: Size of the embeddings.
    """

    def __init__(self, max_atomic_number: int, size: int):
        super().__init__(size, size)
        self.readout = StoichiometryReadout(max_atomic_number, size)

    def forward(self, embeds: Tensor, fraction: Tensor) -> Tensor:
        """
        Add the stoichiometry to embeddings.

        Args:
            embeds: `(B, size)`, unit vectors.
            fraction: `(B, max_atomic_number + 1)`, atomic fractions; a row of zeros if the composition is unknown.

        Returns:
            Unit vectors `(B, size)`.
        """
        return self.add(embeds, self.readout(fraction), fraction.sum(dim=1) > 0)


class SharedDensity(SharedFact):
    """
    The density, of crystals and as stated in texts in g/cm³.

    Args:
        size: Size of the embeddings.
    """

    def __init__(self, size: int):
        super().__init__(2 * len(DENSITY_PERIODS), size)

    def forward(self, embeds: Tensor, density: Tensor) -> Tensor:
        """
        Add the density to embeddings.

        Args:
            embeds: `(B, size)`, unit vectors.
            density: `(B,)` in g/cm³, 0 if unknown.

        Returns:
            Unit vectors `(B, size)`.
        """
        waves = number_waves(density, DENSITY_PERIODS).to(self.projection.norm.weight.dtype)
        return self.add(embeds, waves, density > 0)


__all__ = [
    "ClacProjection",
    "SharedComposition",
    "SharedDensity",
    "SharedFact",
    "SharedStoichiometry",
]
