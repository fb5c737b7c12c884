"""Disordered crystals to ordered ones: the most even distribution of the atoms over the sites of a supercell."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import gemmi
import numpy as np

from .contacts_clac import allowed_pairs
from .crystal_clac import Crystal, neighbor_pairs, site_of_each_atom
from .errors_clac import InvalidStructureError

# Sites of the ordered cell. A disordered cell with more sites is ordered without enlarging it, up to the second limit,
# which bounds the time: about ten seconds.
MAX_ORDERED_SITES, _MAX_MIXED_SITES = 256, 512
_MAX_MULTIPLE = 48
# Occupancies whose atoms can be counted in the supercell with a smaller error fit.
_FITS = 2e-3
# In Å, beyond which no atoms exclude each other.
_EXCLUSION_RADIUS = 4.0
# Energy in eV of two atoms that exclude each other, above that of unit charges on neighbouring sites. A higher one
# would freeze what was distributed first.
_EXCLUSION = 10.0
# Decrease in eV below which the distribution is the same by symmetry.
_NOISE = 1e-6
# Exchanges that are tried from each start and in all, the range of the number of starts, and the first and last
# temperature in eV.
_STEPS_PER_SITE, _ALL_STEPS = 200, 60_000
_NUM_STARTS = (2, 24)
_TEMPERATURES = (5.0, 0.3)
# Factor of the exchanges that are tried if the first ones leave atoms that exclude each other.
_MORE_STEPS = 5


class _Sites(NamedTuple):
    """
    The sites of a crystal.

    Attributes:
        positions: `(S, 3)` in Å.
        species: `(S, Z)`, occupancy of each of the Z elements of the crystal, and as the last column that of vacancies.
        kind: `(S,)` int64, equal for sites with the same mixture.
    """

    positions: np.ndarray
    species: np.ndarray
    kind: np.ndarray


def order_crystal(crystal: Crystal, label: str, max_atoms: int | None = None) -> Crystal:
    """
    Order a disordered crystal.

    The supercell is the smallest in which the occupancies give whole numbers of atoms, or within `MAX_ORDERED_SITES`
    those that come nearest; of the supercells of one size, the most compact. In it, the atoms of each element are
    distributed as evenly as possible: the electrostatic energy of the deviations from the mean occupancies, in units of
    charge, is minimal (Ewald sums of pymatgen; sites exchange their atoms by simulated annealing). Atoms that exclude
    each other, see [`allowed_pairs`], are not both present; to that end, if need be, different sites of the same
    elements exchange their atoms. The same crystal always gives the same result.

    Args:
        crystal: A disordered crystal.
        label: Name of the structure in error messages.
        max_atoms: Maximum number of sites in the cell, if it is below `MAX_ORDERED_SITES`.

    Returns:
        The ordered crystal. If the occupancies do not fit, a warning states the composition.

    Raises:
        InvalidStructureError: If the crystal has too many mixed sites, or atoms that exclude each other cannot be
            avoided.
    """
    elements, sites = _sites_of(crystal)
    mixed = sites.species.max(axis=1) < 1.0
    if mixed.sum() > _MAX_MIXED_SITES:
        raise InvalidStructureError(
            f"{label}: {mixed.sum():,} mixed or partly occupied sites in the cell are too many to order; expected at "
            f"most {_MAX_MIXED_SITES:,}, so give a smaller cell or keep the disorder"
        )
    limit = min(MAX_ORDERED_SITES, max_atoms or MAX_ORDERED_SITES)
    multiple, worst = _best_multiple(sites, limit)
    shifts, cell = _supercell(crystal.cell, multiple)
    positions = (sites.positions + shifts[:, None]).reshape(-1, 3)
    species = np.tile(sites.species, (multiple, 1))
    kind = np.tile(sites.kind, multiple)
    chosen = np.flatnonzero(np.tile(mixed, multiple))
    if len(chosen):  # otherwise the atoms of one site are all of one element
        species[chosen] = _ordered_species(positions[chosen], species[chosen], kind[chosen], elements, cell, label)
    number = np.array([*elements, 0])[species.argmax(axis=1)]
    if not number.any():
        raise InvalidStructureError(
            f"{label}: occupancies of {crystal.weights.max():.2g} at most leave no atom in a cell of {limit} sites; "
            "keep the disorder (disorder='keep', --disorder keep)"
        )
    ordered = Crystal(number[number > 0], positions[number > 0], cell, None, crystal.warnings)
    if worst < _FITS:
        return ordered
    fitting = f"the occupancies do not fit into a cell of at most {limit} sites"
    return replace(ordered, warnings=(*crystal.warnings, f"{fitting}; the ordered crystal is {_composition(ordered)}"))


def _ordered_species(
    positions: np.ndarray, mean: np.ndarray, kind: np.ndarray, elements: list[int], cell: np.ndarray, label: str
) -> np.ndarray:
    """Return `(S, Z)`, the element of each of the mixed sites, one in each row, given their mean occupancies."""
    counts = {own: _whole(mean[kind == own].sum(axis=0)) for own in np.unique(kind)}
    excluded = _excluded_sites(positions, mean, elements, cell)
    energies = _ewald(positions, cell)
    same_elements = np.unique(mean > 0, axis=0, return_inverse=True)[1].reshape(-1)
    for exchanging, steps in ((kind, _STEPS_PER_SITE), (same_elements, _MORE_STEPS * _STEPS_PER_SITE)):
        own = _distribute(energies, excluded, mean, kind, exchanging, counts, steps * len(kind))
        if own is not None:
            return own
    raise InvalidStructureError(
        f"{label}: cannot be ordered, since sites that are partly occupied are too close to each other; keep the "
        "disorder (disorder='keep', --disorder keep)"
    )


def _sites_of(crystal: Crystal) -> tuple[list[int], _Sites]:
    """Return the atomic numbers of the elements, and the sites."""
    elements = np.unique(crystal.atomic_numbers)
    site = site_of_each_atom(crystal)
    species = np.zeros((site.max() + 1, len(elements) + 1))
    np.add.at(species, (site, elements.searchsorted(crystal.atomic_numbers)), crystal.weights)
    species[:, -1] = np.maximum(1.0 - species.sum(axis=1), 0.0)
    kind = np.unique(np.round(species, 4), axis=0, return_inverse=True)[1].reshape(-1)
    return elements.tolist(), _Sites(crystal.positions[np.unique(site, return_index=True)[1]], species, kind)


def _best_multiple(sites: _Sites, limit: int) -> tuple[int, float]:
    """
    Find the number of cells in the supercell.

    Returns:
        The number, and the largest error of an occupancy.
    """
    totals = np.stack([sites.species[sites.kind == own].sum(axis=0) for own in np.unique(sites.kind)])
    sizes = totals.sum(axis=1, keepdims=True)
    best, least = 1, math.inf
    for multiple in range(1, max(1, min(_MAX_MULTIPLE, limit // len(sites.kind))) + 1):
        whole = np.stack([_whole(own) for own in multiple * totals])
        error = float((np.abs(whole - multiple * totals) / (multiple * sizes)).max())
        if error < least - 1e-9:
            best, least = multiple, error
        if error < _FITS:
            break
    return best, least


def _whole(amounts: np.ndarray) -> np.ndarray:
    """Round amounts to whole numbers with the same sum, those with the largest remainders up."""
    down = np.floor(amounts + 1e-6)
    missing = round(float(amounts.sum() - down.sum()))
    up = np.argsort(-(amounts - down), kind="stable")[:missing]
    down[up] += 1
    return down.astype(np.int64)


def _supercell(cell: np.ndarray, multiple: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Find the most compact supercell of a given number of cells: the one whose shortest lattice vector is longest.

    Returns:
        Lattice vectors of the cells in it, `(multiple, 3)`, and its own as rows `(3, 3)`, in Å.
    """
    from pymatgen.core import Lattice
    from pymatgen.util.coord import lattice_points_in_supercell

    if multiple == 1:
        return np.zeros((1, 3)), cell
    # Hermite normal forms: each supercell once.
    forms = np.array(
        [
            [[a, 0, 0], [d, b, 0], [e, f, multiple // (a * b)]]
            for a in range(1, multiple + 1)
            if multiple % a == 0
            for b in range(1, multiple // a + 1)
            if (multiple // a) % b == 0
            for d in range(a)
            for e in range(a)
            for f in range(b)
        ]
    )
    reduced = Lattice(cell).get_lll_reduced_lattice().matrix
    # No lattice of this volume has a longer shortest vector than a closest packing.
    bound = 1.001 * 2 ** (1 / 6) * (abs(np.linalg.det(cell)) * multiple) ** (1 / 3)
    reach = [np.arange(-n, n + 1) for n in np.ceil(bound * np.linalg.norm(np.linalg.inv(reduced), axis=0)).astype(int)]
    vectors = np.stack(np.meshgrid(*reach, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.linalg.norm(vectors @ reduced, axis=1)
    near = (lengths > 1e-8) & (lengths < bound)
    order = np.argsort(lengths[near], kind="stable")
    vectors, lengths = vectors[near][order], np.round(lengths[near][order], 6)
    # A vector belongs to the supercell if it is a whole combination of its rows.
    whole = vectors @ np.linalg.inv(forms)
    inside = (np.abs(whole - np.round(whole)) < 1e-6).all(axis=-1)
    form = forms[lengths[inside.argmax(axis=1)].argmax()]
    vectors_of_form = form @ reduced
    points = lattice_points_in_supercell(form) @ vectors_of_form
    return points, Lattice(vectors_of_form).get_lll_reduced_lattice().matrix


def _ewald(positions: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Electrostatic energies of unit charges at all pairs of positions, `(S, S)` in eV."""
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core import Structure

    charges = Structure(cell, ["H+"] * len(positions), positions, coords_are_cartesian=True)
    return np.asarray(EwaldSummation(charges).total_energy_matrix)


def _excluded_sites(positions: np.ndarray, species: np.ndarray, elements: list[int], cell: np.ndarray) -> np.ndarray:
    """Pairs of sites that are not both occupied, `(S, S)` bool."""
    numbers = np.array(elements)[species[:, :-1].argmax(axis=1)]
    crystal = Crystal(numbers, positions, cell, 1.0 - species[:, -1])
    excluded = np.zeros((len(positions), len(positions)), dtype=np.int64)
    for pairs, sign in ((neighbor_pairs, 1), (allowed_pairs, -1)):
        centers, points, *_ = pairs(crystal, _EXCLUSION_RADIUS)
        np.add.at(excluded, (centers, points), sign)
    return excluded > 0


def _distribute(
    energies: np.ndarray,
    excluded: np.ndarray,
    mean: np.ndarray,
    kind: np.ndarray,
    exchanging: np.ndarray,
    counts: dict[int, np.ndarray],
    steps: int,
) -> np.ndarray | None:
    """
    Distribute the atoms over the sites.

    Args:
        energies: `(S, S)`, energies of unit charges.
        excluded: `(S, S)` bool, sites that are not both occupied.
        mean: `(S, Z)`, mean occupancy of each site by each element and by vacancies.
        kind: `(S,)`, kind of each site.
        exchanging: `(S,)`, equal for sites that exchange their atoms.
        counts: `(Z,)` for each kind, number of atoms to start with.
        steps: Number of exchanges that are tried from each start.

    Returns:
        `(S, Z)`, the element of each site, one in each row; `None` if sites that exclude each other remain.
    """
    generator = np.random.default_rng(0)
    clash = _EXCLUSION * excluded
    best, lowest = None, math.inf
    for _ in range(int(np.clip(_ALL_STEPS // steps, *_NUM_STARTS))):
        own = np.zeros_like(mean)
        for place, amounts in counts.items():
            members = np.flatnonzero(kind == place)
            own[generator.permutation(members), np.repeat(np.arange(len(amounts)), amounts)] = 1.0
        own = _annealed(energies, clash, mean, exchanging, own, steps, generator)
        own, energy = _relaxed(energies, clash, mean, exchanging, own)
        present = 1.0 - own[:, -1]
        if energy < lowest - _NOISE and not present @ clash @ present:
            best, lowest = own, energy
    return best


def _annealed(
    energies: np.ndarray,
    clash: np.ndarray,
    mean: np.ndarray,
    exchanging: np.ndarray,
    own: np.ndarray,
    steps: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Exchange random pairs of sites by the Metropolis rule, at falling temperature."""
    own = own.copy()
    potential = energies @ (own - mean)
    pressure = clash @ (1.0 - own[:, -1])
    members = [np.flatnonzero(exchanging == own_kind) for own_kind in exchanging]
    first = generator.integers(len(own), size=steps)
    second = np.array(
        [members[i][int(u * len(members[i]))] for i, u in zip(first, generator.random(steps), strict=True)]
    )
    scales = -np.geomspace(*_TEMPERATURES, steps) * np.log(generator.random(steps))
    for i, j, scale in zip(first.tolist(), second.tolist(), scales.tolist(), strict=True):
        change = own[j] - own[i]
        if not change.any():
            continue
        moved = -change[-1]
        cost = 2.0 * change @ (potential[i] - potential[j])
        cost += change @ change * (energies[i, i] + energies[j, j] - 2.0 * energies[i, j])
        cost += 2.0 * moved * (pressure[i] - pressure[j]) - 2.0 * moved * moved * clash[i, j]
        if cost <= scale:
            potential += np.outer(energies[i] - energies[j], change)
            pressure += (clash[i] - clash[j]) * moved
            own[[i, j]] = own[[j, i]]
    return own


def _relaxed(
    energies: np.ndarray, clash: np.ndarray, mean: np.ndarray, exchanging: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, float]:
    """Exchange the best pair of sites as long as the energy decreases; return the energy as well."""
    partners = exchanging[:, None] == exchanging
    diagonal = np.diagonal(energies)
    stiffness = diagonal[:, None] + diagonal - 2.0 * energies
    while True:
        present = 1.0 - own[:, -1]
        potential, pressure = energies @ (own - mean), clash @ present
        # With Δ = n_j - n_i and potentials P = M (n - mean), exchanging sites i and j changes the energy by
        # 2 Δ · (P_i - P_j) + Δ² (M_ii + M_jj - 2 M_ij), and so do the clashes of occupied sites.
        cross = potential @ own.T
        linear = cross + cross.T - np.diagonal(cross)[:, None] - np.diagonal(cross)
        change = 2.0 * linear + 2.0 * (1.0 - own @ own.T) * stiffness
        moved = present[None, :] - present[:, None]
        change += 2.0 * moved * (pressure[:, None] - pressure) - 2.0 * moved**2 * clash
        change = np.where(partners, np.round(change / _NOISE) * _NOISE, 0.0)
        first, second = np.unravel_index(change.argmin(), change.shape)
        if change[first, second] >= -_NOISE / 2:
            return own, float(((own - mean) * potential).sum() + present @ pressure)
        own = own.copy()
        own[[first, second]] = own[[second, first]]


def _composition(crystal: Crystal) -> str:
    counts = Counter(crystal.atomic_numbers.tolist())
    divisor = math.gcd(*counts.values())
    amounts = {gemmi.Element(number).name: counts[number] // divisor for number in sorted(counts)}
    return "".join(symbol if amount == 1 else f"{symbol}{amount}" for symbol, amount in amounts.items())


__all__ = ["MAX_ORDERED_SITES", "order_crystal"]
