"""Projections into the shared space, and the facts that both sides state exactly and that need no translation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .descriptors_clac import CompositionReadout, StoichiometryReadout
from .graph_encoders_clac import use_clac_init
from .quantities_clac import DENSITY_PERIODS
from .quantity_embedding_clac import number_waves


class ClacProjection(nn.Module):
    """Residual projection head: LayerNorm(W x + MLP(x)), unit-normalised. `(B, in_size)` -> `(B, out_size)`."""

    def __init__(self, in_size: int, out_size: int, dropout: float):
        super().__init__()
        self.shortcut = nn.Linear(in_size, out_size, bias=False)
        self.hidden = nn.Linear(in_size, out_size)
        self.output = nn.Linear(out_size, out_size)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(out_size)
        use_clac_init(self)

    def forward(self, features: Tensor) -> Tensor:
        branch = self.output(self.dropout(F.gelu(self.hidden(features))))
        return F.normalize(self.norm(self.shortcut(features) + branch), dim=-1)


class SharedFact(nn.Module):
    """
    A fact that crystals and texts both state exactly, as a unit vector by one map for both: it need not be translated.
    An embedding p becomes (p + g u) / ‖p + g u‖ with the vector u of the fact and a learnt g, which starts at 1; where
    the fact is not known it stays p.
    """

    def __init__(self, in_size: int, size: int):
        super().__init__()
        self.projection = ClacProjection(in_size, size, dropout=0.0)
        self.log_gain = nn.Parameter(torch.zeros(()))

    def add(self, embeds: Tensor, features: Tensor, known: Tensor) -> Tensor:
        """Unit vectors `(B, size)`, features `(B, in_size)` of the fact, `(B,)` bool -> unit vectors `(B, size)`."""
        gain = known.unsqueeze(1) * self.log_gain.exp()
        return F.normalize(embeds + (gain * self.projection(features)).to(embeds.dtype), dim=-1)


class SharedComposition(SharedFact):
    """The composition, of crystals and of formulas in texts."""

    def __init__(self, max_atomic_number: int, size: int):
        super().__init__(2 * (size // 2), size)
        self.readout = CompositionReadout(max_atomic_number, size // 2)

    def forward(self, embeds: Tensor, fraction: Tensor) -> Tensor:
        """Unit vectors `(B, size)`, atomic fractions `(B, max_atomic_number + 1)` -> unit vectors `(B, size)`."""
        return self.add(embeds, self.readout(fraction), fraction.sum(dim=1) > 0)


class SharedStoichiometry(SharedFact):
    """
    How much there is of each element, of crystals and of formulas in texts. Beside the composition, whose map is smooth
    and so puts HfCo next to HfCo2, as is right for what they are good for: this one tells them apart.
    """

    def __init__(self, max_atomic_number: int, size: int):
        super().__init__(size, size)
        self.readout = StoichiometryReadout(max_atomic_number, size)

    def forward(self, embeds: Tensor, fraction: Tensor) -> Tensor:
        """As `SharedComposition`."""
        return self.add(embeds, self.readout(fraction), fraction.sum(dim=1) > 0)


class SharedDensity(SharedFact):
    """The density, of crystals and as a text gives it in g/cm³."""

    def __init__(self, size: int):
        super().__init__(2 * len(DENSITY_PERIODS), size)

    def forward(self, embeds: Tensor, density: Tensor) -> Tensor:
        """Unit vectors `(B, size)`, densities `(B,)`, 0 where not known -> unit vectors `(B, size)`."""
        waves = number_waves(density, DENSITY_PERIODS).to(self.projection.shortcut.weight.dtype)
        return self.add(embeds, waves, density > 0)


__all__ = [
    "ClacProjection",
    "SharedComposition",
    "SharedDensity",
    "SharedFact",
    "SharedStoichiometry",
]
