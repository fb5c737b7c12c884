"""Numbers of neighbours and shapes of coordination polyhedra."""

from __future__ import annotations

import numpy as np

from .bonding import ANION, CATION
from .surroundings import COVALENT_RADII, RADIUS, SYMBOLS, Network, Surroundings

# Neighbours are those up to the largest gap in the distances, which are at most this many times the shortest one.
_LONGEST_RATIO = 1.5
# A smaller gap does not tell where the first shell ends.
_LEAST_GAP = 1.06


def coordination_of(surroundings: Surroundings, roles: np.ndarray) -> set[str]:
    """
    Describe the surroundings of all sites: cations by their anions, simple anions by their cations, and in metals and
    elements all neighbours.

    Args:
        surroundings: The sites.
        roles: Their roles, see [`roles_of`].

    Returns:
        Descriptions such as `Ti:6:octahedron`; the shape is empty if it has no name here. Sites whose first shell has
        no clear end are left out.
    """
    s = surroundings
    first, second = roles[s.centers], roles[s.points]
    partners = first * second == -1 if roles.any() else np.ones(len(s.centers), dtype=bool)
    found: set[str] = set()
    seen: set[tuple[int, bytes]] = set()
    for site, (start, end) in enumerate(zip(s.starts[:-1].tolist(), s.starts[1:].tolist(), strict=True)):
        if roles[site] not in (ANION, CATION) and roles.any():
            continue
        chosen = np.flatnonzero(partners[start:end]) + start
        if not len(chosen):
            continue
        distances = s.distances[chosen]
        # Of several elements, the larger ones are farther away in the same shell, as F and Se around La in LaSeF.
        radii = COVALENT_RADII[s.point_numbers[chosen]]
        if roles.any() and radii.max() > radii.min():
            distances = distances - radii + radii.min()
            order = np.argsort(distances, kind="stable")
            chosen, distances = chosen[order], distances[order]
        number = int(s.numbers[site])
        # Equivalent sites have the same distances, and most crystals have many of them.
        key = (number, np.round(distances[:30], 3).tobytes())
        if key in seen:
            continue
        seen.add(key)
        count = first_shell(distances)
        if count:
            vectors = s.vectors[chosen[:count]] / s.distances[chosen[:count], None]
            found.add(f"{SYMBOLS[number]}:{count}:{shape_of(vectors)}")
    return found


def shells_connect(surroundings: Surroundings, roles: np.ndarray) -> int:
    """
    Determine the dimensionality of the network in which each cation is bonded to all anions of its first shell.

    Args:
        surroundings: The sites.
        roles: Their roles, see [`roles_of`].

    Returns:
        The highest dimensionality of its parts.
    """
    s = surroundings
    network = Network(len(s))
    for site in np.flatnonzero(roles == CATION).tolist():
        start, end = int(s.starts[site]), int(s.starts[site + 1])
        chosen = np.flatnonzero(roles[s.points[start:end]] == ANION) + start
        for pair in chosen[: first_shell(s.distances[chosen])] if len(chosen) else ():
            network.link(site, int(s.points[pair]), tuple(s.images[pair].tolist()))
    return network.dimension


def first_shell(distances: np.ndarray) -> int:
    """
    Count the neighbours in front of the largest relative gap in the distances.

    Args:
        distances: Distances of the possible neighbours in Å, ascending.

    Returns:
        Their number; 0 if there is no clear gap.
    """
    within = int(np.searchsorted(distances, distances[0] * _LONGEST_RATIO, side="right"))
    following = np.append(distances, max(RADIUS, float(distances[-1])))[1 : within + 1]
    gaps = following / distances[:within]
    best = int(gaps.argmax())
    return best + 1 if gaps[best] >= _LEAST_GAP else 0


def shape_of(directions: np.ndarray) -> str:
    """
    Name a polyhedron by the angles between its corners, seen from the centre.

    Four and five corners are distinguished by τ4 (Yang et al. 2007, doi 10.1039/B617136B) and τ5 (Addison et al. 1984,
    doi 10.1039/DT9840001349).

    Args:
        directions: `(corners, 3)`, unit vectors.

    Returns:
        Its name, or an empty string.
    """
    count = len(directions)
    if count < 2:
        return ""
    cosines = np.clip(directions @ directions.T, -1.0, 1.0)
    angles = np.sort(np.degrees(np.arccos(cosines[np.triu_indices(count, 1)])))
    if count == 2:
        return "linear" if angles[0] > 160 else "bent"
    if count == 3:
        return "trigonal-planar" if angles.sum() > 350 else "trigonal-pyramid"
    if count == 4:
        tau = (360.0 - angles[-1] - angles[-2]) / 141.0
        if tau < 0.25:
            return "square-planar"
        return "tetrahedron" if tau > 0.75 and angles[0] > 80 else ""
    if count == 5:
        tau = (angles[-1] - angles[-2]) / 60.0
        if tau > 0.6:
            return "trigonal-bipyramid"
        return "square-pyramid" if tau < 0.4 and angles[-1] > 130 else ""
    if count == 6:
        opposite = int((angles > 140).sum())
        if opposite == 3 and angles[0] > 50 and angles[11] < 125:
            return "octahedron"
        # Ideal: nine angles near 82 degrees and six near 136.
        prism = angles[0] > 60 and angles[8] < 110 and angles[9] > 115 and angles[-1] < 160
        return "trigonal-prism" if prism else ""
    straight = int((angles > 165).sum())
    if count == 8:
        if straight == 4 and angles[0] > 60:
            return "cube"
        return "square-antiprism" if straight == 0 and angles[0] > 58 and angles[-1] < 155 else ""
    if count == 12:
        if straight == 6 and angles[0] > 45:
            right = int(((angles > 78) & (angles < 102)).sum())
            return "cuboctahedron" if right >= 12 else "icosahedron" if angles[0] > 55 else ""
        return "anticuboctahedron" if straight == 3 and angles[0] > 50 else ""
    return ""


__all__ = ["coordination_of", "first_shell", "shape_of", "shells_connect"]
