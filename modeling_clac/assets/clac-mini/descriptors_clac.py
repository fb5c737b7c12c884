"""
Crystal features that a mean over atoms loses: volume, directions of the bonds, symmetry, amount of each element.

Message passing sees the surroundings of each atom, but the mean over atoms loses their relative orientation, and
distances only hint at the density. Polymorphs differ in exactly these. Message passing also mixes each element with its
neighbours: two compounds with one structure, or two compositions of the same elements, get nearly the same features.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .graph_encoders_clac import use_clac_init
from .quantities_clac import FRACTION_PERIODS
from .quantity_embedding_clac import number_waves
from .radial_basis_clac import cosine_cutoff, gaussian_basis
from .symmetry_clac import CLASS_SIZES, NUM_SPACE_GROUPS, symmetry_classes

# Degrees l of the bond-order parameters. Odd ones vanish in crystals with a centre of inversion.
DEGREES = (1, 2, 3, 4, 6)
# Squared order parameters below this are noise from rounded coordinates.
_NOISE = 1e-4
# Makes the biaxiality of (nearly) cubic crystals, 0/0, zero. The fraction is expanded by a power of two, which changes
# no bit: optimisers of exported graphs drop the addition of a constant below 1e-8.
_EPS = 1e-10
_EXPANSION = 2.0**20
# Ranges of the values of solids, and the number of Gaussians on their logarithms.
_VOLUME_RANGE = (3.0, 150.0)  # Å³ per atom
_DENSITY_RANGE = (0.05, 30.0)  # g/cm³
NUM_GAUSSIANS = 32
# Compounds of more elements count as having this many.
_MOST_ELEMENTS = 6
PATTERN_SIZE = 1 + _MOST_ELEMENTS + 2 * _MOST_ELEMENTS * len(FRACTION_PERIODS)


@lru_cache(maxsize=16)
def _harmonics(degree: int) -> tuple[list[tuple[int, int, int]], list[float], np.ndarray, float]:
    """
    Monomials and harmonic basis of one degree l.

    Returns:
        Exponents (a, b, c) of the monomials; square roots of their multinomial coefficients, which give the monomials
        of two unit vectors the scalar product (r̂ · r̂')^l; an orthonormal basis `(monomials, 2l + 1)` of the harmonic
        ones, the null space of the Laplacian; and the factor that turns the scalar product of the harmonic parts into
        P_l(r̂ · r̂').
    """
    powers = [(a, b, degree - a - b) for a in range(degree + 1) for b in range(degree + 1 - a)]
    roots = [math.sqrt(math.factorial(degree) / math.prod(math.factorial(p) for p in triple)) for triple in powers]
    lower = [(a, b, degree - 2 - a - b) for a in range(degree - 1) for b in range(degree - 1 - a)]
    laplacian = np.zeros((len(lower), len(powers)))
    for column, ((a, b, c), root) in enumerate(zip(powers, roots, strict=True)):
        for power, reduced in ((a, (a - 2, b, c)), (b, (a, b - 2, c)), (c, (a, b, c - 2))):
            if power >= 2:
                laplacian[lower.index(reduced)][column] += root * power * (power - 1)
    basis = np.linalg.svd(laplacian)[2][-(2 * degree + 1) :].T
    return powers, roots, basis, math.comb(2 * degree, degree) / 2.0**degree


def bond_order(direction: Tensor, weight: Tensor, graph: Tensor, num_graphs: int) -> tuple[Tensor, Tensor]:
    """
    Compute squared global bond-orientational order parameters and the biaxiality of weighted bonds.

    Q_l² = Σ_ab w_a w_b P_l(r̂_a · r̂_b) / (Σ_a w_a)² (Steinhardt, Nelson, Ronchetti 1983,
    doi 10.1103/PhysRevB.28.784, eq. 1.4).

    By the addition theorem P_l is a sum of products of spherical harmonics, here the harmonic part of the l-th moment
    tensor of the directions, so the cost is linear in the number of bonds. Where symmetry makes Q_l zero, the result is
    the square of a rounding error; a sum of powers of cosines would cancel only to a rounding error.

    Q_2 does not distinguish uniaxial (tetragonal, trigonal, hexagonal) from biaxial crystals. The biaxiality
    1 - 6 tr(T³)² / tr(T²)³ of the traceless second moment T does: it vanishes if two eigenvalues are equal.

    Args:
        direction: `(E, 3)`, unit vectors of the bonds.
        weight: `(E, C)`, non-negative weights of the bonds in C channels.
        graph: `(E,)` int64, graph of each bond.
        num_graphs: Number of graphs.

    Returns:
        Q_l² `(num_graphs, C, len(DEGREES))` and the biaxiality `(num_graphs, C)`, in [0, 1] up to rounding; zeros for a
        graph without bonds.
    """
    channels = weight.shape[1]
    total = weight.new_zeros(num_graphs, channels).index_add(0, graph, weight).clamp(min=1e-6)
    powers = [torch.ones_like(direction)]
    for _ in range(max(DEGREES)):
        powers.append(powers[-1] * direction)
    # All degrees at once: many small operations would cost more than what they compute.
    harmonics = [_harmonics(degree) for degree in DEGREES]
    exponents = torch.tensor([triple for own, *_ in harmonics for triple in own], device=direction.device)
    x, y, z = (
        column.index_select(1, exponent)
        for column, exponent in zip(torch.stack(powers, dim=1).unbind(dim=-1), exponents.unbind(dim=-1), strict=True)
    )
    columns = direction.new_tensor([root for _, own, *_ in harmonics for root in own]) * x * y * z
    terms = (weight.unsqueeze(-1) * columns.unsqueeze(1)).flatten(1)
    moments = weight.new_zeros(num_graphs, terms.shape[1]).index_add(0, graph, terms)
    moments = moments.unflatten(1, (channels, -1)) / total.unsqueeze(-1)
    orders = []
    sizes = [len(own) for own, *_ in harmonics]
    for degree, part, (_, roots, basis, factor) in zip(DEGREES, moments.split(sizes, dim=-1), harmonics, strict=True):
        moment = part.contiguous()
        orders.append(factor * ((moment @ moment.new_tensor(basis)) ** 2).sum(dim=-1))
        if degree == 2:
            # Monomials z², yz, y², xz, xy, x²; the off-diagonal ones carry a factor of √2.
            zz, yz, yy, xz, xy, xx = (moment / moment.new_tensor(roots)).unbind(dim=-1)
            rows = [torch.stack(row, dim=-1) for row in ((xx, xy, xz), (xy, yy, yz), (xz, yz, zz))]
            second = torch.stack(rows, dim=-2)
    trace = torch.diagonal(second, dim1=-2, dim2=-1).sum(dim=-1)[..., None, None]
    traceless = second - trace / 3.0 * torch.eye(3, dtype=second.dtype, device=second.device)
    square = traceless @ traceless
    tr_2 = torch.diagonal(square, dim1=-2, dim2=-1).sum(dim=-1)
    tr_3 = (square * traceless).sum(dim=(-2, -1))
    biaxiality = (_EXPANSION * (tr_2**3 - 6.0 * tr_3**2)) / (_EXPANSION * tr_2**3 + _EXPANSION * _EPS)
    return torch.stack(orders, dim=-1), biaxiality


def log_gaussians(value: Tensor, low: float, high: float) -> Tensor:
    """
    Expand values in Gaussians on a uniform grid of log(value). Resolves a few per cent.

    Args:
        value: `(B,)`, positive.
        low: First value of the grid; smaller values count as this one.
        high: Last value of the grid; larger values count as this one.

    Returns:
        `(B, 32)` float32.
    """
    span = math.log(high / low)
    return gaussian_basis((value.float() / low).log().clamp(0.0, span), NUM_GAUSSIANS, span)


class GeometryReadout(nn.Module):
    """
    Bond-order parameters of learned classes of bonds, and volume per atom and density on a grid.

    The features are invariant under rotation, translation, permutation of the atoms and the choice of the cell.

    A bond j -> i belongs to channel c with weight o_i o_j σ(a_c · h_j + b_c · h_i + d_c · g(r_ij)) · f_cut(r_ij), with
    occupancies o, atom features h and Gaussians g. A channel may, for example, learn "short Ti-O bonds".

    Args:
        config: A [`ClacGraphConfig`].

    Attributes:
        output_size: Number of features per crystal.
    """

    def __init__(self, config: Any):
        super().__init__()
        self.cutoff = float(config.cutoff)
        self.num_radial = config.num_radial
        self.source = nn.Linear(config.hidden_size, config.num_bond_channels, bias=False)
        self.target = nn.Linear(config.hidden_size, config.num_bond_channels, bias=False)
        self.radial = nn.Linear(config.num_radial, config.num_bond_channels)
        self.output_size = config.num_bond_channels * (len(DEGREES) + 1) + 2 * NUM_GAUSSIANS
        use_clac_init(self)

    def forward(
        self,
        atoms: Tensor,
        edge_index: Tensor,
        edge_vector: Tensor,
        batch: Tensor,
        volume_per_atom: Tensor,
        density: Tensor,
        occupancy: Tensor | None = None,
    ) -> Tensor:
        """
        Compute the features of each crystal.

        Args:
            atoms: `(N, F)`, atom features.
            edge_index: `(2, E)` int64, row 0 = source j, row 1 = target i.
            edge_vector: `(E, 3)` in Å, from target to source.
            batch: `(N,)` int64, graph of each atom.
            volume_per_atom: `(B,)` in Å³.
            density: `(B,)` in g/cm³.
            occupancy: `(N,)`, occupancies of the atoms; `None` if all are 1.

        Returns:
            `(B, output_size)`, in the precision of `atoms`.
        """
        source, target = edge_index[0], edge_index[1]
        edge_vector = edge_vector.float()
        distance = torch.linalg.vector_norm(edge_vector, dim=-1)
        radial = self.radial(gaussian_basis(distance, self.num_radial, self.cutoff).to(atoms.dtype))
        gate = torch.sigmoid((self.source(atoms)[source] + self.target(atoms)[target] + radial).float())
        weight = gate * cosine_cutoff(distance, self.cutoff).unsqueeze(-1)
        if occupancy is not None:
            weight = weight * (occupancy[source] * occupancy[target]).unsqueeze(-1)
        direction = edge_vector / distance.unsqueeze(-1)
        order, biaxiality = bond_order(direction, weight, batch[target], volume_per_atom.shape[0])
        features = [
            # The logarithm, scaled to [-1, 1], separates "zero by symmetry" from "small".
            1.0 - 2.0 * torch.log10(order.clamp(min=0.0) + _NOISE).flatten(1) / math.log10(_NOISE),
            2.0 * biaxiality - 1.0,
            log_gaussians(volume_per_atom, *_VOLUME_RANGE),
            log_gaussians(density, *_DENSITY_RANGE),
        ]
        return torch.cat(features, dim=-1).to(atoms.dtype)


class ElementWeights(nn.Embedding):
    """A vector for each element, called with atomic fractions: their sum weighted by `(B, num_embeddings)`."""

    def forward(self, fraction: Tensor) -> Tensor:
        """Return `fraction @ weight`, `(B, embedding_dim)`, in the precision of the vectors."""
        return fraction.to(self.weight.dtype) @ self.weight


class CompositionReadout(nn.Module):
    """
    An embedding of the composition alone, before message passing mixes it with the structure.

    Σ_Z x_Z a_Z ⊕ Σ_Z √x_Z b_Z with atomic fractions x and two learned vectors a and b for each element. The square root
    keeps minor elements visible.

    Args:
        max_atomic_number: Largest atomic number that has an embedding.
        size: Size of each of the two vectors.

    Attributes:
        output_size: Number of features, `2 * size`.
    """

    def __init__(self, max_atomic_number: int, size: int):
        super().__init__()
        self.fraction = ElementWeights(max_atomic_number + 1, size)
        self.root = ElementWeights(max_atomic_number + 1, size)
        self.output_size = 2 * size
        use_clac_init(self)

    def forward(self, fraction: Tensor) -> Tensor:
        """
        Embed compositions.

        Args:
            fraction: `(B, max_atomic_number + 1)`, atomic fractions; a row of zeros if the composition is unknown.

        Returns:
            `(B, output_size)`.
        """
        fraction = fraction.to(self.fraction.weight.dtype)
        return torch.cat([self.fraction(fraction), self.root(fraction.sqrt())], dim=-1)


class StoichiometryReadout(nn.Module):
    """
    An embedding that resolves the amount of each element.

    Σ_Z a_Z ⊙ W [sin(2πu_Z/P_k) ⊕ cos(2πu_Z/P_k)] over the elements present, with a learned vector a_Z for each element
    and the logarithm u_Z of its atomic fraction, see [`number_waves`]. The waves of 1/2 and 2/3 are far apart, whereas
    these multiples of a_Z would hardly differ.

    Args:
        max_atomic_number: Largest atomic number that has an embedding.
        size: Number of features.
    """

    def __init__(self, max_atomic_number: int, size: int):
        super().__init__()
        self.element = nn.Embedding(max_atomic_number + 1, size)
        self.fraction = nn.Linear(2 * len(FRACTION_PERIODS), size, bias=False)
        use_clac_init(self)

    def forward(self, fraction: Tensor) -> Tensor:
        """
        Embed compositions.

        Args:
            fraction: `(B, max_atomic_number + 1)`, atomic fractions; a row of zeros if the composition is unknown.

        Returns:
            `(B, size)`.
        """
        row, element = fraction.nonzero(as_tuple=True)
        waves = number_waves(fraction[row, element], FRACTION_PERIODS).to(self.element.weight.dtype)
        terms = self.element(element) * self.fraction(waves)
        return terms.new_zeros(fraction.shape[0], terms.shape[1]).index_add(0, row, terms)


class SymmetryReadout(nn.Module):
    """
    Embeddings of the space group and of the classes it belongs to, added up.

    Groups with few crystals share what is learned about their crystal class, crystal system and centring.

    Args:
        size: Number of features.
    """

    classes: Tensor

    def __init__(self, size: int):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(number, size) for number in CLASS_SIZES)
        # Persistent, since buffers that are not saved hold arbitrary numbers after `from_pretrained`.
        table = torch.tensor([symmetry_classes(group) for group in range(NUM_SPACE_GROUPS + 1)])
        self.register_buffer("classes", table)
        use_clac_init(self)

    def forward(self, space_group: Tensor) -> Tensor:
        """
        Embed space groups.

        Args:
            space_group: `(B,)` int64, number of the space group, 0 if unknown.

        Returns:
            `(B, size)`.
        """
        columns = self.classes[space_group].unbind(dim=-1)
        embedded = [embedding(column) for embedding, column in zip(self.embeddings, columns, strict=True)]
        return torch.stack(embedded).sum(dim=0)


def pattern_features(fraction: Tensor) -> Tensor:
    """
    Describe the amounts of the elements, whatever the elements: the same for NaCl and GaAs, another one for TiO2.

    Args:
        fraction: `(B, max_atomic_number + 1)`, atomic fractions.

    Returns:
        `(B, PATTERN_SIZE)` float32: the number of elements as one of `_MOST_ELEMENTS + 1` classes, and the waves of the
        largest `_MOST_ELEMENTS` fractions in descending order, zeros for absent ones, see [`number_waves`].
    """
    largest = fraction.float().topk(_MOST_ELEMENTS, dim=1).values
    count = (fraction > 0).sum(dim=1).clamp(max=_MOST_ELEMENTS)
    classes = torch.nn.functional.one_hot(count, _MOST_ELEMENTS + 1).float()
    waves = number_waves(largest, FRACTION_PERIODS) * (largest > 0).unsqueeze(-1)
    return torch.cat([classes, waves.flatten(1)], dim=1)


def graph_composition(
    atomic_numbers: Tensor,
    batch: Tensor,
    num_atoms: Tensor,
    max_atomic_number: int,
    occupancy: Tensor | None = None,
) -> Tensor:
    """
    Compute the atomic fractions of each crystal.

    Args:
        atomic_numbers: `(N,)` int64.
        batch: `(N,)` int64, graph of each atom.
        num_atoms: `(B,)` int64.
        max_atomic_number: Largest atomic number.
        occupancy: `(N,)`, occupancies of the atoms; `None` if all are 1.

    Returns:
        `(B, max_atomic_number + 1)`.
    """
    num_elements = max_atomic_number + 1
    cell = batch * num_elements + atomic_numbers
    if occupancy is not None:
        amount = occupancy.new_zeros(num_atoms.shape[0] * num_elements).index_add(0, cell, occupancy)
        amount = amount.view(num_atoms.shape[0], num_elements)
        total = amount.sum(dim=1, keepdim=True)
        return amount / torch.where(total > 0, total, 1.0)
    # Not `bincount`, the size of whose result is unknown when a graph is exported.
    ones = torch.ones_like(cell)
    count = ones.new_zeros(num_atoms.shape[0] * num_elements).index_add(0, cell, ones)
    count = count.view(num_atoms.shape[0], num_elements)
    return count / num_atoms.clamp(min=1).unsqueeze(-1)


__all__ = [
    "DEGREES",
    "NUM_GAUSSIANS",
    "PATTERN_SIZE",
    "CompositionReadout",
    "GeometryReadout",
    "StoichiometryReadout",
    "SymmetryReadout",
    "bond_order",
    "graph_composition",
    "log_gaussians",
    "pattern_features",
]
