"""A crystal as the 3D viewer draws it: sites, bonds, polyhedra and cell, with coordinates in Å."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import gemmi
import numpy as np

from ..concepts.elements import ELEMENT_NAMES, METALS
from ..contacts_clac import allowed_pairs
from ..crystal_clac import Crystal, site_of_each_atom
from ..data.facts.chemistry import electronegativity
from ..errors_clac import ClacInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZES = (1, 2, 3)
MOST_SITES = 4_000
# Atoms closer than this times the sum of their covalent radii are bonded.
BOND_SHARE = 1.15
_LONGEST_BOND = 4.0  # Å
_LEAST_VERTICES, _MOST_VERTICES = 4, 8
# Of a fractional coordinate: an atom on a face of the cell is drawn on the opposite face as well.
_ON_FACE = 1e-3
_SYMBOLS = tuple(ELEMENT_NAMES)
_RADII = np.array([gemmi.Element(number).covalent_r for number in range(119)])

Place = tuple[int, int, int, int]  # site and lattice image


def structure_view(crystal: Crystal, size: int = 1) -> dict[str, Any]:
    """
    Return what the viewer draws.

    Args:
        crystal: The crystal.
        size: Number of cells along each lattice vector, one of `SIZES`.

    Returns:
        `cell`, three vectors; `size`; `elements`, names by symbol; `sites`, each with its `position`, its `species`
        (symbol and occupancy) and whether it is `outside` of the cells, as a corner of a polyhedron may be; `bonds`,
        pairs of sites; `polyhedra`, each with its `centre`, a symbol, its `corners` and `faces`.

    Raises:
        ClacInputError: If the size is another one, or there would be too many sites.
    """
    if size not in SIZES:
        raise ClacInputError(f"supercell: {size}; choose 1, 2 or 3")
    species, positions, fractional = _sites(crystal)
    if len(positions) * size**3 > MOST_SITES:
        raise ClacInputError(
            f"supercell: {len(positions) * size**3:,} sites are too many to draw (at most {MOST_SITES:,}); choose "
            "fewer cells"
        )
    neighbours = _neighbours(crystal, species, positions)
    places: dict[Place, int] = {}
    for site, images in enumerate(_images(fractional, size)):
        for image in images:
            places[(site, *image)] = len(places)
    inside = len(places)
    centres = [_is_centre(site, species, neighbours[site]) for site in range(len(species))]
    for place in list(places):
        if centres[place[0]]:
            for other in _around(place, neighbours):
                places.setdefault(other, len(places))
    drawn = list(places)
    points = np.array([positions[site] + np.array(image) @ crystal.cell for site, *image in drawn])
    bonds = {
        tuple(sorted((number, places[other])))
        for place, number in places.items()
        for other in _around(place, neighbours)
        if other in places and (number < inside or places[other] < inside)
    }
    polyhedra = [
        shape
        for place, number in places.items()
        if number < inside and centres[place[0]]
        for shape in _polyhedron(
            species[place[0]], points[number], points[[places[other] for other in _around(place, neighbours)]]
        )
    ]
    present = dict.fromkeys(symbol for own in species for symbol, _ in own)
    return {
        "cell": crystal.cell.tolist(),
        "size": size,
        "elements": {symbol: ELEMENT_NAMES[symbol] for symbol in present},
        "sites": [
            {
                "position": _rounded(point),
                "species": [[symbol, round(share, 4)] for symbol, share in species[site]],
                "outside": number >= inside,
            }
            for number, (point, (site, *_)) in enumerate(zip(points, drawn, strict=True))
        ],
        "bonds": sorted(bonds),
        "polyhedra": polyhedra,
    }


def _sites(crystal: Crystal) -> tuple[list[list[tuple[str, float]]], np.ndarray, np.ndarray]:
    """Return species, position `(3,)` and fractional coordinates in [0, 1) of each site."""
    sites = site_of_each_atom(crystal)
    first = [int(np.flatnonzero(sites == site)[0]) for site in dict.fromkeys(sites.tolist())]
    members = [np.flatnonzero(sites == sites[atom]) for atom in first]
    species = [
        sorted(
            ((_SYMBOLS[int(crystal.atomic_numbers[atom]) - 1], float(crystal.weights[atom])) for atom in own),
            key=lambda entry: -entry[1],
        )
        for own in members
    ]
    fractional = np.linalg.solve(crystal.cell.T, crystal.positions[first].T).T
    fractional = np.where(np.abs(fractional - np.round(fractional)) < _ON_FACE, np.round(fractional), fractional)
    fractional %= 1.0
    return species, fractional @ crystal.cell, fractional


def _neighbours(crystal: Crystal, species: list[list[tuple[str, float]]], positions: np.ndarray) -> list[list[Place]]:
    """Find the bonded sites of each site, by the most abundant element on each."""
    numbers = np.array([_SYMBOLS.index(own[0][0]) + 1 for own in species])
    # Split positions of disordered crystals are no bonds, which the occupancies decide.
    shares = np.array([sum(share for _, share in own) for own in species])
    whole = Crystal(numbers, positions, crystal.cell, None if crystal.is_ordered else np.minimum(shares, 1.0))
    centers, points, images, distances = allowed_pairs(whole, _LONGEST_BOND)
    bonded = distances <= BOND_SHARE * (_RADII[numbers[centers]] + _RADII[numbers[points]])
    metal = np.array([_SYMBOLS[number - 1] in METALS for number in numbers])
    if not metal.all():
        # Next to anions, metals are close to each other without a bond.
        bonded &= ~(metal[centers] & metal[points])
        # Large cations touch many anions, which are not bonds either.
        counts = np.bincount(centers[bonded], minlength=len(species))
        crowded = counts > _MOST_VERTICES
        bonded &= ~(crowded[centers] & metal[centers] | crowded[points] & metal[points])
    found: list[list[Place]] = [[] for _ in species]
    for center, point, image in zip(
        centers[bonded].tolist(), points[bonded].tolist(), images[bonded].tolist(), strict=True
    ):
        found[center].append((point, int(image[0]), int(image[1]), int(image[2])))
    return found


def _images(fractional: np.ndarray, size: int) -> Iterable[list[tuple[int, int, int]]]:
    """Yield the lattice images of each site in a block of cells, with those on its far faces."""
    for own in fractional:
        counts = [range(size + 1) if coordinate < _ON_FACE else range(size) for coordinate in own]
        yield [(a, b, c) for a, b, c in itertools.product(*counts)]


def _around(place: Place, neighbours: list[list[Place]]) -> list[Place]:
    site, *image = place
    return [
        (other, image[0] + shift[0], image[1] + shift[1], image[2] + shift[2]) for other, *shift in neighbours[site]
    ]


def _is_centre(site: int, species: list[list[tuple[str, float]]], neighbours: list[Place]) -> bool:
    """Whether a polyhedron is drawn: all neighbours are nonmetals that attract electrons more."""
    own = species[site][0][0]
    others = {species[other][0][0] for other, *_ in neighbours}
    return _LEAST_VERTICES <= len(neighbours) <= _MOST_VERTICES and all(
        other not in METALS and electronegativity(other) > electronegativity(own) for other in others
    )


def _polyhedron(species: list[tuple[str, float]], centre: np.ndarray, corners: np.ndarray) -> list[Mapping[str, Any]]:
    """Return the hull of the neighbours of a site; empty if they lie in a plane."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(corners)
    except QhullError:
        return []
    faces = []
    for face, normal in zip(hull.simplices, hull.equations[:, :3], strict=True):
        a, b, c = corners[face]
        # Corners run counterclockwise, seen from outside.
        turned = np.dot(np.cross(b - a, c - a), normal) < 0
        faces.append([int(corner) for corner in (face[::-1] if turned else face)])
    return [{"centre": species[0][0], "corners": [_rounded(corner) for corner in corners], "faces": faces}]


def _rounded(point: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in point]


__all__ = ["BOND_SHARE", "MOST_SITES", "SIZES", "structure_view"]
