"""
Integrated gradients: how much each input contributes to a number that a model computes.

Sundararajan, Taly, Yan 2017 (arXiv 1703.01365), eq. 1: the attribution of an input x with the baseline x' is
(x - x') · ∫ ∂F(x' + α(x - x'))/∂x dα over α from 0 to 1. The attributions add up to F(x) - F(x').
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

# Numbers of points of the quadrature. More are tried until the attributions add up to within the tolerance.
_POINTS = (16, 32, 64, 128, 256)
TOLERANCE = 2e-3  # cosine


@dataclass(frozen=True)
class Attributions:
    """
    Attributions of the inputs of one tower, in units of the cosine.

    Attributes:
        cosine: Cosine of the pair, F(x).
        baseline: Cosine at the start of the path, F(x').
        gradients: Mean gradient along the path, by the name of the input.
        changes: x - x' of each input.
        points: Number of points on the path.
    """

    cosine: float
    baseline: float
    gradients: dict[str, Tensor]
    changes: dict[str, Tensor]
    points: int

    def of(self, name: str) -> np.ndarray:
        """Return the attribution of each row of an input; an empty array if the model does not have the input."""
        if name not in self.changes:
            return np.zeros(0)
        found = (self.gradients[name] * self.changes[name]).double()
        return found.reshape(found.shape[0], -1).sum(dim=1).cpu().numpy()

    @property
    def total(self) -> float:
        """Sum of all attributions."""
        return float(sum(self.of(name).sum() for name in self.changes))

    @property
    def gap(self) -> float:
        """By how much the sum of the attributions misses F(x) - F(x'); zero for an exact integral."""
        return self.total - (self.cosine - self.baseline)


class InputPath:
    """
    The inputs of a function: recorded on the first pass, then replaced by points on the straight path.

    Attributes:
        values: The inputs by name.
        baselines: Where the path of each starts.
        leaves: The current point of each.
        alpha: Place on the path from 0 to 1; `None` while inputs are recorded.
    """

    def __init__(self) -> None:
        self.values: dict[str, Tensor] = {}
        self.baselines: dict[str, Tensor] = {}
        self.leaves: dict[str, Tensor] = {}
        self.alpha: float | None = None

    def __call__(self, name: str, value: Tensor, baseline: Tensor | None = None) -> Tensor:
        """
        Record an input, or return its point on the path.

        Args:
            name: Name of the input.
            value: The input.
            baseline: Start of its path. Default: zeros.
        """
        if self.alpha is None:
            self.values[name] = value.detach()
            self.baselines[name] = torch.zeros_like(value) if baseline is None else baseline.detach()
            return value
        start = self.baselines[name]
        self.leaves[name] = (start + self.alpha * (self.values[name] - start)).requires_grad_()
        return self.leaves[name]


def integrated_gradients(score: Callable[[], Tensor], path: InputPath) -> Attributions:
    """
    Integrate gradients along a path by Gauss-Legendre quadrature.

    Args:
        score: Runs the tower, whose inputs go through `path`, and returns F.
        path: The inputs.

    Returns:
        The attributions, with the least number of points for which they are complete within `TOLERANCE`, else with the
        largest.
    """
    with torch.no_grad():
        path.alpha = None
        cosine = float(score())
        path.alpha = 0.0
        baseline = float(score())
    changes = {name: value - path.baselines[name] for name, value in path.values.items()}
    for points in _POINTS:
        gradients = {name: torch.zeros_like(value) for name, value in changes.items()}
        for node, weight in zip(*np.polynomial.legendre.leggauss(points), strict=True):
            # α = t² puts more points at the start, where LayerNorm makes F change most.
            t = float(node + 1.0) / 2.0
            path.alpha = t * t
            with torch.enable_grad():
                found = torch.autograd.grad(score(), [path.leaves[name] for name in changes], allow_unused=True)
            for name, gradient in zip(changes, found, strict=True):
                if gradient is not None:
                    gradients[name] += gradient * (float(weight) * t)
        attributions = Attributions(cosine, baseline, gradients, changes, points)
        if abs(attributions.gap) <= TOLERANCE:
            break
    return attributions


__all__ = ["TOLERANCE", "Attributions", "InputPath", "integrated_gradients"]
