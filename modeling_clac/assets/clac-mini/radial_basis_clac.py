"""Functions of the distance between two atoms: radial bases, and the cutoff function."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """Convert to at least float32; float64 is kept."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def bessel_basis(distance: Tensor, num_radial: int, cutoff: float) -> Tensor:
    """
    Radial Bessel functions sqrt(2/c) · sin(nπr/c) / r, n = 1..num_radial.

    Gasteiger, Groß, Günnemann 2020, arXiv 2003.03123, eq. 7.

    Args:
        distance: `(E,)` in Å, positive.
        num_radial: Number of functions.
        cutoff: Cutoff c in Å.

    Returns:
        `(E, num_radial)`, at least float32: for large n the argument of the sine is too large for half precision.
    """
    distance = full_precision(distance).unsqueeze(-1)
    n = torch.arange(1, num_radial + 1, device=distance.device, dtype=distance.dtype)
    return math.sqrt(2.0 / cutoff) * torch.sin(n * (math.pi / cutoff) * distance) / distance


def gaussian_basis(distance: Tensor, num_radial: int, cutoff: float) -> Tensor:
    """
    Gaussians exp(-(r - μ)²/σ²) with centres μ on a uniform grid from 0 to the cutoff, and σ equal to the grid step.

    Xie & Grossman 2018, doi 10.1103/PhysRevLett.120.145301, supplement.

    Args:
        distance: `(E,)` in Å.
        num_radial: Number of Gaussians.
        cutoff: Last centre, in Å.

    Returns:
        `(E, num_radial)` float32.
    """
    distance = distance.float().unsqueeze(-1)
    centers = torch.linspace(0.0, cutoff, num_radial, device=distance.device, dtype=distance.dtype)
    step = cutoff / max(num_radial - 1, 1)
    return torch.exp(-(((distance - centers) / step) ** 2))


def cosine_cutoff(distance: Tensor, cutoff: float) -> Tensor:
    """
    Cutoff function 0.5 · (cos(πr/c) + 1) for r < c, else 0. Value and slope vanish at c.

    Behler 2011, doi 10.1063/1.3553717.

    Args:
        distance: `(E,)` in Å.
        cutoff: Cutoff c in Å.

    Returns:
        `(E,)`.
    """
    value = 0.5 * (torch.cos(distance * (math.pi / cutoff)) + 1.0)
    return value * (distance < cutoff)


__all__ = ["bessel_basis", "cosine_cutoff", "full_precision", "gaussian_basis"]
