"""Structure types that are found by how polyhedra share corners, edges and faces, whatever the symmetry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from ...concepts.elements import ALKALI, ALKALINE_EARTH, CHALCOGENS, HALOGENS, RARE_EARTH, symbols
from ...concepts.structure_types import STRUCTURE_TYPES
from .evidence import Evidence
from .polyhedra import Corner, Polyhedron, periodicity, shared_corners, shells

# Anions of compounds that are described by polyhedra, and metals whose polyhedra are not.
_SALT_ANIONS = HALOGENS | CHALCOGENS | symbols("O N H")
_SPACERS = ALKALI | ALKALINE_EARTH - {"Be", "Mg"}
_OCTAHEDRAL_ANIONS = HALOGENS | symbols("O S Se N H")
# Centres of tetrahedra in framework silicates and their relatives.
_FRAMEWORK_CENTRES = symbols("Si Al P Ge Ga B Be Zn")
# Cations between the octahedra of perovskites, and those that may be among them.
_LARGE = ALKALI - {"Li"} | symbols("Ca Sr Ba Pb Bi Tl Ag Cd Th U Ac In Hg") | RARE_EARTH
_NO_CENTER = symbols("H B C N P S Cl Br")
_NO_SPACER = symbols("H B C N O F Si P S Cl As Se Br Sb I Be")
# Tetrahedra in 1000 Å³ below which a framework is open: zeolites have 12 to 20, quartz 27 (IZA, Atlas of Zeolite
# Framework Types).
_OPEN_FRAMEWORK = 20.0
# Neighbours of the first two shells of a primitive cubic net, which corner-sharing octahedra of perovskites form.
_CUBIC_NET = [6, 18]
# Angle B-X-B in degrees below which octahedra are tilted.
_TILTED = 170.0


def framework_types(crystal: Evidence) -> Iterator[str]:
    """
    Find the types that follow from polyhedra.

    Args:
        crystal: The evidence of the crystal.

    Yields:
        Ids of structure types.
    """
    if not crystal.anions or len(crystal.symbols) > 400:
        return
    octahedra = crystal.polyhedra.of_shape("octahedron")
    tetrahedra = crystal.polyhedra.of_shape("tetrahedron")
    if crystal.anions & _SALT_ANIONS:
        yield from _sharing(crystal, "octahedra", octahedra)
        yield from _sharing(crystal, "tetrahedra", tetrahedra)
    if octahedra:
        shared = shared_corners(octahedra, octahedra)
        if crystal.anions <= _OCTAHEDRAL_ANIONS:
            yield from _perovskites(crystal, octahedra, shared)
        yield from _polytypes(crystal, octahedra, shared)
        if tetrahedra:
            yield from _spinels(crystal, octahedra, tetrahedra, shared)
            yield from _nasicon(crystal, octahedra, tetrahedra, shared)
    if tetrahedra:
        shared = shared_corners(tetrahedra, tetrahedra)
        yield from _tetrahedral_frameworks(crystal, tetrahedra, shared)


def _sharing(crystal: Evidence, shape: str, polyhedra: list[Polyhedron]) -> Iterator[str]:
    """Polyhedra of alkali and alkaline-earth metals are left out, unless there are no others."""
    chosen = [entry for entry in polyhedra if crystal.symbols[entry.center] not in _SPACERS] or polyhedra
    shared = shared_corners(chosen, chosen)
    counts = Counter(number for neighbors in shared.values() for number in neighbors.values())
    if counts[1]:
        yield f"corner-sharing-{shape}"
    if counts[2]:
        yield f"edge-sharing-{shape}"
    if shape == "octahedra" and (counts[3] or counts[4]):
        yield f"face-sharing-{shape}"
    inside = {entry.center for entry in chosen}
    elements = {crystal.symbols[center] for center in inside}
    if chosen and not counts and sum(symbol in elements for symbol in crystal.symbols) == len(inside):
        yield f"isolated-{shape}"


def _perovskites(crystal: Evidence, octahedra: list[Polyhedron], shared: dict[int, dict[Corner, int]]) -> Iterator[str]:
    number = len(octahedra)
    centers = {entry.center for entry in octahedra}
    others = [
        site for site in range(len(crystal.symbols)) if site not in centers and not crystal.polyhedra.is_anion[site]
    ]
    corners = Counter(corner for entry in octahedra for corner, _ in entry.corners)
    anions = int(crystal.polyhedra.is_anion.sum())
    kinds = {count for neighbors in shared.values() for count in neighbors.values()}
    between = {crystal.symbols[site] for site in others}
    if not _NO_CENTER.isdisjoint(crystal.symbols[center] for center in centers):
        return
    if max(corners.values()) > 2 or len(others) < 0.3 * number or between & _NO_SPACER - {"Se"} or between <= {"Li"}:
        return
    if kinds == {1} and len(corners) == anions == 3 * number and len(others) <= number:
        graph = {center: list(neighbors) for center, neighbors in shared.items()}
        if all(len(neighbors) == 6 for neighbors in graph.values()) and shells(graph, min(graph), 2) == _CUBIC_NET:
            yield from _perovskite(crystal, octahedra, graph)
    elif (
        3 in kinds and kinds <= {1, 3} and len(corners) == anions == 3 * number and 0.9 * number < len(others) <= number
    ):
        if set(corners.values()) == {2}:
            yield "hexagonal-perovskite"
    elif kinds == {1} and between & _LARGE:
        yield from _layered(crystal, octahedra, shared, corners, others)


def _perovskite(crystal: Evidence, octahedra: list[Polyhedron], graph: dict[int, list[Corner]]) -> Iterator[str]:
    yield "perovskite"
    elements = {entry.center: crystal.symbols[entry.center] for entry in octahedra}
    ordered = all(elements[center] != elements[other] for center, around in graph.items() for other, _ in around)
    if len(set(elements.values())) > 1 and ordered:
        yield "double-perovskite"
    elif crystal.group == 221 and len(crystal.symbols) // crystal.units == 5 and crystal.label.startswith("ABC3_cP5"):
        yield "cubic-perovskite"
    elif crystal.orbits.pearson[:2] == "hR":
        yield "rhombohedral-perovskite"
    elif crystal.system in ("tetragonal", "orthorhombic"):
        yield f"{crystal.system}-perovskite"
    if _mean_bridge(crystal, octahedra) < _TILTED:
        yield "tilted-perovskite"


def _mean_bridge(crystal: Evidence, octahedra: list[Polyhedron]) -> float:
    """Mean angle at the shared corners, in degrees."""
    cell, positions = crystal.crystal.cell, crystal.crystal.positions
    arms: dict[int, list[np.ndarray]] = {}
    for entry in octahedra:
        for corner, image in entry.corners:
            arms.setdefault(corner, []).append(positions[entry.center] - positions[corner] - np.array(image) @ cell)
    cosines = [
        float(pair[0] @ pair[1] / np.linalg.norm(pair[0]) / np.linalg.norm(pair[1]))
        for pair in arms.values()
        if len(pair) == 2
    ]
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean())


def _layered(
    crystal: Evidence,
    octahedra: list[Polyhedron],
    shared: dict[int, dict[Corner, int]],
    corners: Counter[int],
    others: list[int],
) -> Iterator[str]:
    """Slabs of a perovskite cut along (100): n layers of octahedra have 3n + 1 anions for n centres."""
    # Squares with two far anions, as in KAuCl4, are no layers of octahedra.
    if any(crystal.symbols[entry.center] == "Au" for entry in octahedra):
        return
    number = len(octahedra)
    graph = {center: list(neighbors) for center, neighbors in shared.items()}
    bridges = [len(neighbors) for neighbors in graph.values()]
    layers = 1 / (3 - sum(bridges) / number / 2) if sum(bridges) < 6 * number else 0.0
    thickness = round(layers)
    if abs(layers - thickness) > 0.01 or not 1 <= thickness <= 6 or periodicity(graph) != 2:
        return
    terminal = [[place for place in entry.corners if corners[place[0]] == 1] for entry in octahedra]
    if thickness == 1:
        if any(
            len(ends) != 2 or not _opposite(crystal, entry, ends)
            for entry, ends in zip(octahedra, terminal, strict=True)
        ):
            return
    elif any(len(ends) > 1 for ends in terminal):
        return
    if thickness == 1 and _is_brownmillerite(crystal, number):
        yield "brownmillerite"
    if not {crystal.symbols[site] for site in others} <= _LARGE | {"Li", "Cu"}:
        return
    extra = int(crystal.polyhedra.is_anion.sum()) - len(corners)
    spacers = len(others) * thickness / number
    if extra == 0 and abs(spacers - thickness - 1) < 0.01:
        yield "ruddlesden-popper"
        if thickness <= 3:
            yield f"ruddlesden-popper-{thickness}"
    elif extra == 0 and abs(spacers - thickness) < 0.01 and crystal.has(*ALKALI - {"Li"}, "Tl", "Ag", "Cu"):
        yield "dion-jacobson"
    elif crystal.has("Bi") and abs(extra * thickness / number - 2) < 0.01 and abs(spacers - thickness - 1) < 0.01:
        yield "aurivillius"


def _is_brownmillerite(crystal: Evidence, number: int) -> bool:
    """Whether layers of corner-sharing octahedra alternate with as many tetrahedra in A2B2X5."""
    anions = int(crystal.polyhedra.is_anion.sum())
    return len(crystal.polyhedra.of_shape("tetrahedron")) == number and anions == 5 * number


def _opposite(crystal: Evidence, entry: Polyhedron, ends: list[Corner]) -> bool:
    cell, positions = crystal.crystal.cell, crystal.crystal.positions
    one, other = (positions[site] + np.array(image) @ cell - positions[entry.center] for site, image in ends)
    return float(one @ other) < -0.8 * float(np.linalg.norm(one) * np.linalg.norm(other))


def _polytypes(crystal: Evidence, octahedra: list[Polyhedron], shared: dict[int, dict[Corner, int]]) -> Iterator[str]:
    """Stackings of the layers of CdI2, in which each octahedron shares edges with six others, but the two simplest."""
    if crystal.stoichiometry != (1, 2) or not crystal.anion_amount(2) or 3 * len(octahedra) != len(crystal.symbols):
        return
    if any(list(neighbors.values()) != [2] * 6 for neighbors in shared.values()):
        return
    hexagonal = crystal.system in ("trigonal", "hexagonal")
    simple = STRUCTURE_TYPES["cdi2"].labels + STRUCTURE_TYPES["cdcl2"].labels
    graph = {center: list(neighbors) for center, neighbors in shared.items()}
    if hexagonal and crystal.label not in simple and periodicity(graph) == 2:
        yield "cdi2-polytype"


def _spinels(
    crystal: Evidence,
    octahedra: list[Polyhedron],
    tetrahedra: list[Polyhedron],
    shared: dict[int, dict[Corner, int]],
) -> Iterator[str]:
    """Octahedra that share edges with six others, and half as many tetrahedra that share only corners."""
    anions = int(crystal.polyhedra.is_anion.sum())
    if len(octahedra) != 2 * len(tetrahedra) or anions != 2 * len(octahedra):
        return
    if len(crystal.symbols) != anions + len(octahedra) + len(tetrahedra):
        return
    if any(sorted(neighbors.values()).count(2) != 6 for neighbors in shared.values()):
        return
    between = shared_corners(tetrahedra, octahedra)
    if any(set(neighbors.values()) != {1} or len(neighbors) != 12 for neighbors in between.values()):
        return
    yield "spinel"
    inside = {crystal.symbols[entry.center] for entry in tetrahedra}
    around = {crystal.symbols[entry.center] for entry in octahedra}
    if len(inside | around) > 1:
        yield "inverse-spinel" if inside & around else "normal-spinel"
    if crystal.system == "tetragonal":
        yield "tetragonal-spinel"


def _nasicon(
    crystal: Evidence,
    octahedra: list[Polyhedron],
    tetrahedra: list[Polyhedron],
    shared: dict[int, dict[Corner, int]],
) -> Iterator[str]:
    """Octahedra M and tetrahedra X in M2(XO4)3 that share only corners with each other."""
    frame = [entry for entry in tetrahedra if crystal.symbols[entry.center] not in ALKALI]
    chosen = [entry for entry in octahedra if crystal.symbols[entry.center] not in ALKALI]
    if 3 * len(chosen) != 2 * len(frame) or not crystal.anions <= symbols("O F"):
        return
    keep = {entry.center for entry in chosen}
    if any(center in keep and other in keep for center, around in shared.items() for other, _ in around):
        return
    links = shared_corners(chosen, frame)
    if any(len(around) != 6 or set(around.values()) != {1} for around in links.values()):
        return
    if crystal.orbits.pearson[:2] == "hR":
        yield "nasicon"
    elif crystal.group == 198:
        yield "langbeinite"
    elif crystal.group in (230, 220, 142):
        yield "garnet"


def _tetrahedral_frameworks(
    crystal: Evidence, tetrahedra: list[Polyhedron], shared: dict[int, dict[Corner, int]]
) -> Iterator[str]:
    all_tetrahedra = {entry.center for entry in tetrahedra}
    cations = [site for site in range(len(crystal.symbols)) if not crystal.polyhedra.is_anion[site]]
    if (
        len(crystal.elements) == 2
        and set(cations) == all_tetrahedra
        and crystal.stoichiometry == (1, 1)
        and crystal.group in (156, 160, 186)
        and len(crystal.symbols) // crystal.units == 2
        and len(crystal.letters) == 2
        and len(next(iter(crystal.letters.values()))) > 1
    ):
        yield "sic-polytype"
    frame = [entry for entry in tetrahedra if crystal.symbols[entry.center] in _FRAMEWORK_CENTRES]
    inside = {entry.center for entry in frame}
    links = {
        entry.center: [place for place, count in shared[entry.center].items() if place[0] in inside and count == 1]
        for entry in frame
    }
    if not frame or not crystal.anions <= symbols("O F") or any(len(around) != 4 for around in links.values()):
        return
    if any(set(shared[entry.center].values()) != {1} for entry in frame) or periodicity(links) != 3:
        return
    others = sum(site not in inside and crystal.symbols[site] != "H" for site in cations)
    amounts = crystal.amounts
    large = sum(amounts.get(symbol, 0) for symbol in ("Na", "K", "Ca", "Ba", "Sr", "Rb", "Pb"))
    if large == 1 and 4 * large == len(frame) // crystal.units and crystal.group in (2, 12):
        yield "feldspar"
    open_enough = len(frame) / crystal.crystal.volume * 1000 < _OPEN_FRAMEWORK
    if open_enough and crystal.anions == {"O"} and crystal.has("Si", "P", "Ge") and others <= 0.5 * len(frame):
        yield "zeolite"


def composition_types(crystal: Evidence) -> Iterator[str]:
    """
    Find the types that composition, symmetry and tetrahedral groups determine.

    Args:
        crystal: The evidence of the crystal.

    Yields:
        Ids of structure types.
    """
    amounts = crystal.amounts
    mobile = sum(amounts.get(symbol, 0) for symbol in ("Li", "Cu", "Ag"))
    chalcogens = sum(amounts.get(symbol, 0) for symbol in CHALCOGENS)
    halogens = sum(amounts.get(symbol, 0) for symbol in HALOGENS - {"F"})
    centre = sum(amounts.get(symbol, 0) for symbol in symbols("P As Sb Si Ge Sn Ti V Nb Ta Al Ga"))
    total = sum(amounts.values())
    if centre == 1 and chalcogens + halogens == 6 and 5 <= mobile <= 9 and total == mobile + 7 and chalcogens >= 4:
        yield "argyrodite"
    lithium = amounts.get("Li", 0)
    sulfo = sum(amounts.get(symbol, 0) for symbol in symbols("P As Sb Si Ge Sn Al Ga Zn B"))
    if (
        sulfo
        and lithium >= 2.5 * sulfo
        and amounts.get("S", 0) == 4 * sulfo
        and total == lithium + 5 * sulfo
        and all(crystal.shapes(symbol) == {"tetrahedron"} for symbol in crystal.cations - {"Li"})
    ):
        yield "thio-lisicon"
    if lithium >= 2 and crystal.anions == {"O"} and crystal.group in (31, 62) and crystal.all_shapes("tetrahedron"):
        yield "lisicon"
    if amounts.get("O", 0) == 14 and crystal.group in (160, 166) and amounts.get("S", 0) == 2:
        yield "alunite"
    if (
        sorted(amounts.values()) == [1, 6, 8]
        and crystal.has("Mo")
        and crystal.anions <= CHALCOGENS
        and crystal.group in (2, 148)
    ):
        yield "chevrel"
    yield from _clathrates(crystal)
    yield from _apatite(crystal)
    yield from _garnet(crystal)


def _clathrates(crystal: Evidence) -> Iterator[str]:
    letters = {letter for text in crystal.letters.values() for letter in text if letter.isalpha()}
    if crystal.group == 223 and letters >= set("cik") and letters <= set("acdik") and crystal.has("Si", "Ge", "Sn"):
        yield "clathrate-i"
    if crystal.group == 227 and letters >= set("eg") and letters <= set("abcdeg") and crystal.has("Si", "Ge", "Sn"):
        yield "clathrate-ii"


def _apatite(crystal: Evidence) -> Iterator[str]:
    """A5(XO4)3Y in P6_3/m or a subgroup."""
    if crystal.group not in (11, 14, 147, 173, 174, 176) or not crystal.has("O"):
        return
    centres = [
        symbol
        for symbol in symbols("P V As Si Ge S Cr Mn") & crystal.elements
        if crystal.shapes(symbol) == {"tetrahedron"}
    ]
    number = sum(crystal.amounts[symbol] for symbol in centres)
    large = sum(
        amount for symbol, amount in crystal.amounts.items() if symbol not in (*centres, "O", "F", "Cl", "Br", "I", "H")
    )
    if number % 3 == 0 and number and 3 * large == 5 * number and 12 <= 3 * crystal.amounts["O"] / number <= 13:
        yield "apatite"


def _garnet(crystal: Evidence) -> Iterator[str]:
    """A3B2(XO4)3 in Ia-3d, and Li7La3Zr2O12."""
    letters = set(crystal.letters.values())
    if crystal.group == 230 and "h" in letters and {"c"} & letters and crystal.anions <= symbols("O F"):
        yield "garnet"
    amounts = crystal.amounts
    if crystal.group == 142 and amounts.get("O") == 12 and amounts.get("Li", 0) == 7 and 3 in amounts.values():
        yield "garnet"


__all__ = ["composition_types", "framework_types"]
