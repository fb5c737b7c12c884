"""Disordered crystals for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pymatgen.core import Lattice, Structure

from modeling_clac.crystal_clac import Crystal, make_crystal


def split_atoms(crystal: Crystal, generator: np.random.Generator, parts: int = 2, share: float = 0.5) -> Crystal:
    """Divide some atoms into several at the same place with random occupancies, and shuffle all atoms."""
    chosen = generator.uniform(size=len(crystal)) < share
    chosen[generator.integers(len(crystal))] = True
    counts = np.where(chosen, parts, 1)
    atom = np.repeat(np.arange(len(crystal)), counts)
    shares = np.concatenate([generator.dirichlet(np.full(count, 3.0)) for count in counts])
    order = generator.permutation(len(atom))
    atom, shares = atom[order], shares[order]
    occupancy = crystal.weights[atom] * shares
    return Crystal(crystal.atomic_numbers[atom], crystal.positions[atom], crystal.cell, occupancy)


def supercell(crystal: Crystal, scaling: Sequence[int]) -> Crystal:
    """Repeat the cell along its vectors."""
    shifts = np.stack(np.meshgrid(*map(np.arange, scaling), indexing="ij"), axis=-1).reshape(-1, 3) @ crystal.cell
    positions = (crystal.positions + shifts[:, None]).reshape(-1, 3)
    numbers, occupancy = np.tile(crystal.atomic_numbers, len(shifts)), np.tile(crystal.weights, len(shifts))
    cell = crystal.cell * np.array(scaling)[:, None]
    return make_crystal("supercell", numbers, positions, cell, occupancy)


def garnet() -> Structure:
    """
    Cubic Li6.75La3Zr1.75Ta0.25O12: a mixed site, two partly occupied ones, and positions of Li that exclude each other.
    """
    return Structure.from_spacegroup(
        "Ia-3d",
        Lattice.cubic(12.968),
        [{"Li": 0.5}, {"Li": 0.4375}, {"La": 1.0}, {"Zr": 0.875, "Ta": 0.125}, {"O": 1.0}],
        [[0.375, 0, 0.25], [0.0965, 0.6853, 0.5770], [0.125, 0, 0.25], [0, 0, 0], [0.2814, 0.1009, 0.1959]],
    )


def cobaltite() -> Structure:
    """La0.6Sr0.4CoO3 as a cubic perovskite."""
    return Structure(
        Lattice.cubic(3.83),
        [{"La": 0.6, "Sr": 0.4}, "Co", "O", "O", "O"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )
