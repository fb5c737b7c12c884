"""The search for neighbours of atoms in a cell of any shape, and bounds of its work, checked before it is done."""

from __future__ import annotations

import math

import numpy as np

from .errors_clac import InvalidStructureError

# In Å. Bounds are checked for neighbours within this radius, the default cutoff.
_RADIUS = 6.0
# In Å. A crystal whose lattice translations are shorter has atoms on top of their own images.
_MIN_TRANSLATION = 0.3
# V / (a b c). LLL reduction in double precision needs cells that are less flat than this.
_MIN_SHAPE = 1e-7
# Neighbours in all and of each atom. Diamond has 160 within 6 Å; partly occupied sites hold several atoms each.
_MAX_PAIRS, _MAX_MEAN_PAIRS = 4_000_000, 800
# Pairs of atoms in one cube of 1 Å³, in all and for each atom. The search spends most of its time on these.
_MAX_CLOSE_PAIRS, _MAX_MEAN_CLOSE_PAIRS = 300_000, 100
# Images of atoms that the search visits, and cubes into which it divides the space, before a compact cell is used.
# Each cube needs 216 bytes.
_MAX_IMAGES, _MAX_CUBES = 3_000_000, 1_000_000
_PERIODIC = np.ones(3, dtype=np.int64)


def _heights(cell: np.ndarray) -> tuple[float, float, float]:
    """Distances in Å between opposite faces of a cell `(3, 3)`."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = cell.tolist()
    faces = (
        (by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx),
        (cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax),
        (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx),
    )
    volume = abs(ax * faces[0][0] + ay * faces[0][1] + az * faces[0][2])
    first, second, third = (volume / (math.hypot(*face) or 1e-300) for face in faces)
    return first, second, third


def _num_images(heights: tuple[float, float, float], radius: float) -> float:
    """Upper bound of the number of lattice points within a radius of any point, given the heights of the cell."""
    a, b, c = heights
    return (2.0 * radius / a + 1.0) * (2.0 * radius / b + 1.0) * (2.0 * radius / c + 1.0)


def compact_cell(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Reduce a cell to lattice vectors that are short and nearly orthogonal (LLL reduction of pymatgen).

    Args:
        cell: `(3, 3)`, lattice vectors as rows in Å.

    Returns:
        The reduced lattice vectors `(3, 3)`, and the integers `(3, 3)` by which they follow from the given ones:
        reduced = integers @ cell.
    """
    from pymatgen.core import Lattice

    integers = np.rint(Lattice(cell).lll_mapping)
    return integers @ cell, integers


def check_extent(positions: np.ndarray, cell: np.ndarray, label: str) -> None:
    """
    Check that neighbours can be searched in little time and memory.

    Args:
        positions: `(num_atoms, 3)`, Cartesian coordinates in Å.
        cell: `(3, 3)`, lattice vectors as rows in Å, with a volume of at least 0.001 Å³.
        label: Name of the structure in error messages.

    Raises:
        InvalidStructureError: If lattice translations are too short for a crystal, or too many atoms are close to each
            other.
    """
    count = len(positions)
    heights = _heights(cell)
    # Both bounds hold for nearly all crystals, and take no time.
    if min(heights) < 1.0:
        cell = _checked_cell(cell, label)
        heights = _heights(cell)
    if count * count * _num_images(heights, _RADIUS) <= _MAX_CLOSE_PAIRS:
        return
    fractional = np.linalg.solve(cell.T, positions.T).T % 1.0
    close = _sum_of_squares(fractional, heights, 1.0)[0]
    pairs, size = _sum_of_squares(fractional, heights, _RADIUS)
    pairs *= 4.0 / 3.0 * math.pi * _RADIUS**3 / (abs(float(np.linalg.det(cell))) * size)
    if close > max(_MAX_CLOSE_PAIRS, _MAX_MEAN_CLOSE_PAIRS * count):
        raise InvalidStructureError(
            f"{label}: atoms overlap: of {count:,} atoms in the cell, many are at one place; remove the duplicates, or "
            "check cell, symmetry and coordinates"
        )
    if pairs > max(_MAX_PAIRS, _MAX_MEAN_PAIRS * count):
        raise InvalidStructureError(
            f"{label}: atoms overlap: each has about {pairs / count:,.0f} others within {_RADIUS:g} Å; expected "
            f"at most {_MAX_MEAN_PAIRS}, so check cell (in Å), symmetry and coordinates"
        )


def _checked_cell(cell: np.ndarray, label: str) -> np.ndarray:
    lengths = np.linalg.norm(cell, axis=1)
    if abs(np.linalg.det(cell / lengths[:, None])) < _MIN_SHAPE:
        raise InvalidStructureError(f"{label}: cell is flat; check its angles")
    compact, _ = compact_cell(cell)
    shifts = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    translations = np.linalg.norm(shifts[shifts.any(axis=1)] @ compact, axis=1)
    if translations.min() < _MIN_TRANSLATION:
        raise InvalidStructureError(
            f"{label}: atoms overlap with their own images: the shortest lattice translation is "
            f"{translations.min():.2g} Å; expected at least {_MIN_TRANSLATION:g} Å, so check the cell"
        )
    return compact


def _sum_of_squares(fractional: np.ndarray, heights: tuple[float, ...], edge: float) -> tuple[float, float]:
    """
    Divide a cell into bins that are at least `edge` Å high, or as high as the cell.

    Returns:
        The sum over the bins of the squared numbers of atoms, and the share of a bin in the cell.
    """
    steps = np.array([max(1, int(height / edge)) for height in heights])
    places = np.minimum((fractional * steps).astype(np.int64), steps - 1)
    counts = np.unique((places[:, 0] * steps[1] + places[:, 1]) * steps[2] + places[:, 2], return_counts=True)[1]
    return float((counts.astype(np.float64) ** 2).sum()), 1.0 / float(np.prod(steps.astype(np.float64)))


def find_neighbors(
    positions: np.ndarray, cell: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """
    Find all periodic neighbours closer than a radius, with the search behind pymatgen's `Structure.get_neighbor_list`.

    Its work depends on the shape of the cell, and its memory on the extent of cell and positions. For unusual ones, the
    same neighbours are found in a compact cell that holds all positions, and by a search with a larger radius.

    Args:
        positions: `(num_atoms, 3)`, Cartesian coordinates in Å.
        cell: `(3, 3)`, lattice vectors as rows in Å.
        radius: Radius in Å.

    Returns:
        Centre atoms `(E,)`, neighbour atoms `(E,)`, lattice images `(E, 3)`, and distances `(E,)` in Å.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres

    integers, moved = None, np.zeros(0)
    searched, least = np.ascontiguousarray(cell), 1.0
    positions = np.ascontiguousarray(positions)
    extent = np.maximum(np.abs(cell).sum(axis=0), np.ptp(positions, axis=0))
    if len(positions) * _num_images(_heights(cell), radius) > _MAX_IMAGES or _num_cubes(extent, radius) > _MAX_CUBES:
        searched, integers = compact_cell(cell)
        # The longest vector along x, the second one in the x-y plane: least space around the cell.
        order = np.argsort(-np.linalg.norm(searched, axis=1))
        searched, integers = searched[order], integers[order]
        rotation, lower = np.linalg.qr(searched.T)
        searched, positions = np.ascontiguousarray(lower.T), positions @ rotation
        moved = np.floor(np.linalg.solve(searched.T, positions.T).T)
        positions = np.ascontiguousarray(positions - moved @ searched)
        least = max(1.0, radius)
        while _num_cubes(np.abs(searched).sum(axis=0), least) > _MAX_CUBES:
            least *= 1.25
    centers, points, images, distances = find_points_in_spheres(
        positions, positions, r=float(radius), pbc=_PERIODIC, lattice=searched, tol=1e-8, min_r=least
    )
    # The search also finds each atom itself. Two atoms at one position are kept, since an error names them later.
    keep = (distances < radius) & ((centers != points) | (distances > 1e-8))
    if not keep.all():
        centers, points, images, distances = centers[keep], points[keep], images[keep], distances[keep]
    if integers is not None:
        images = (images + moved[centers] - moved[points]) @ integers
    return centers, points, images, distances


def _num_cubes(extent: np.ndarray, radius: float) -> float:
    """Number of cubes into which the search divides a space of `(3,)` extents in Å, and what surrounds it."""
    edge = max(radius, 1.0)
    return math.prod(length / edge + 2.0 for length in extent.tolist())


__all__ = ["check_extent", "compact_cell", "find_neighbors"]
