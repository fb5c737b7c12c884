"""Sites of a CIF: species, positions and occupancies of the listed atoms, and their images under symmetry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import gemmi
import numpy as np

from .cif_blocks_clac import CifBlock, numbers_of
from .cif_species_clac import Species, element_of, names_several, species_of_label, species_of_symbol
from .cif_symmetry_clac import Operations
from .crystal_clac import OCCUPANCY_TOLERANCE, check_size
from .errors_clac import InvalidStructureError

# In Å. Images closer than this are one atom whose coordinates are rounded.
_ROUNDING = 0.1
# In Å. Images of a fully occupied atom closer than this are one atom near a special position: no bond is that short.
_OVERLAP = 0.5
_ONE = {"1", "1.0", "1.00", "1.000", "1.0000", "1.000000"}
# Images that are computed: each listed site by each operation.
_MAX_IMAGES = 2_000_000
# Orbits that are joined to one array, since many small ones take long.
_PIECES = 50
# Fractional coordinates beyond this are no choice of an image, but a mistake, or a lost unit.
_FAR = 20
_LABELS = ("_atom_site_label", "_atom_site_label_atom_id", "_atom_site_id")
_CARTESIAN = ("_atom_site_cartn_x", "_atom_site_cartn_y", "_atom_site_cartn_z")
_FRACTIONAL = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")


@dataclass
class Sites:
    """
    Listed sites.

    Attributes:
        labels: Label of each site.
        species: Atomic number and occupancy of each element on each site.
        fractional: `(num_sites, 3)`.
        multiplicities: Multiplicity that the file states for each site, as it is written; empty if it states none.
        warnings: Warnings about the sites.
        incomplete: Whether atoms were left out, or hydrogen is named without a position.
        plain: Atomic numbers of the sites if all are fully occupied by one element each.
    """

    labels: list[str]
    species: list[tuple[tuple[int, float], ...]]
    fractional: np.ndarray
    multiplicities: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    incomplete: bool = False
    plain: list[int] = field(default_factory=list)


def has_atoms(block: CifBlock) -> bool:
    """Whether a block lists atoms. Some files have blocks with a row of question marks in place of atoms."""
    return any(value not in ("?", ".") for value in block.column("_atom_site_type_symbol")) or any(
        value not in ("?", ".") for value in block.column(*_LABELS)
    )


def read_sites(
    block: CifBlock, cell: gemmi.UnitCell, elements: frozenset[int], label: str, max_atoms: int | None
) -> Sites:
    """
    Read the listed sites of a block.

    Args:
        block: The block.
        cell: Its cell.
        elements: Elements in the formula that the file states. They decide what ambiguous labels mean.
        label: Name of the structure in error messages.
        max_atoms: Maximum number of atoms. `None` accepts any size.

    Raises:
        InvalidStructureError: If species, position or occupancy of a site is not known.
    """
    symbols = block.column("_atom_site_type_symbol") or block.column(*_LABELS)
    check_size(len(symbols), label, max_atoms)
    names = block.column(*_LABELS)
    if len(names) != len(symbols):
        names = [f"{symbol}{place + 1}" for place, symbol in enumerate(symbols)]
    shown = block.column("_atom_site_occupancy")
    full = not shown or (len(shown) == len(symbols) and _ONE.issuperset(shown))
    occupancies = [1.0] * len(symbols) if full else numbers_of(shown)
    if len(occupancies) != len(symbols):
        raise InvalidStructureError(
            f"{label}: {len(occupancies)} occupancies for {len(symbols)} atoms; truncated or damaged"
        )
    fractional, finite = _positions(block, cell, len(symbols), label)
    numbers = [element_of(symbol) for symbol in symbols]
    multiplicities = block.column("_atom_site_symmetry_multiplicity")
    simple = (
        all(numbers)
        and occupancies.count(1.0) == len(occupancies)
        and finite
        and "_atom_site_calc_flag" not in block.columns
        and "_atom_site_attached_hydrogens" not in block.columns
        and not names_several("\n".join(names))
    )
    if simple and block.column("_atom_site_type_symbol"):
        species = [_alone(number) for number in numbers]
        # Equal positions are checked with the labels of the sites.
        different = len(set(map(tuple, fractional.tolist()))) == len(numbers)
        return Sites(names, species, fractional, multiplicities, plain=numbers if different else [])
    sites = Sites([name.strip("'\"") for name in names], [], fractional, multiplicities)
    _read_each(block, sites, occupancies, elements, label)
    if all(len(own) == 1 and own[0][1] == 1.0 for own in sites.species):
        sites.plain = [own[0][0] for own in sites.species]
    return sites


@lru_cache(maxsize=128)
def _alone(number: int) -> tuple[tuple[int, float], ...]:
    return ((number, 1.0),)


def _positions(block: CifBlock, cell: gemmi.UnitCell, count: int, label: str) -> tuple[np.ndarray, bool]:
    """Fractional coordinates `(count, 3)`, NaN where a value is not a number, and whether all are numbers."""
    tags = _FRACTIONAL if block.column(*_FRACTIONAL) or not block.column(*_CARTESIAN) else _CARTESIAN
    columns = [numbers_of(block.column(tag)) for tag in tags]
    for axis, column in zip("xyz", columns, strict=True):
        if len(column) != count:
            raise InvalidStructureError(f"{label}: atoms without {axis} coordinate; truncated or damaged")
    places = np.array(columns, dtype=np.float64).T
    finite = all(math.isfinite(sum(column)) for column in columns)
    if tags is _FRACTIONAL:
        far = finite and any(max(column) > _FAR or min(column) < -_FAR for column in columns)
        if far:
            block.warnings.append(f"coordinates: fractions beyond {_FAR}; read as positions in the cell they lead to")
        return (places % 1.0 if far else places), finite
    matrix, shift = _transformation(block, "_atom_sites_fract_tran")
    if matrix is not None:
        return places @ matrix.T + shift, finite
    matrix, shift = _transformation(block, "_atom_sites_cartn_tran")
    if matrix is None:
        matrix = np.array(cell.orth.mat.tolist())
        if not np.allclose(matrix, np.diag(matrix.diagonal())):
            block.warnings.append("Cartesian coordinates: axes not stated; read with a along x and b in the x-y plane")
    return np.linalg.solve(matrix, (places - shift).T).T, finite


def _transformation(block: CifBlock, prefix: str) -> tuple[np.ndarray | None, np.ndarray]:
    """Matrix `(3, 3)` and shift `(3,)` of `_atom_sites_Cartn_tran_` or `_atom_sites_fract_tran_` tags."""
    short = prefix.replace("_tran", "_transf")
    matrix = [
        block.number(f"{prefix}_matrix_{row}{column}", f"{short}_matrix[{row}][{column}]")
        for row in (1, 2, 3)
        for column in (1, 2, 3)
    ]
    if any(value is None for value in matrix):
        return None, np.zeros(3)
    shift = [block.number(f"{prefix}_vector_{row}", f"{short}_vector[{row}]") or 0.0 for row in (1, 2, 3)]
    return np.array(matrix, dtype=np.float64).reshape(3, 3), np.array(shift)


def _read_each(block: CifBlock, sites: Sites, occupancies: list[float], elements: frozenset[int], label: str) -> None:
    """Read the sites one by one, and leave out dummies and atoms without position."""
    size = len(sites.labels)
    symbols = block.texts("_atom_site_type_symbol") or [""] * size
    flags = block.texts("_atom_site_calc_flag") or [""] * size
    attached = numbers_of(block.column("_atom_site_attached_hydrogens")) or [0.0] * size
    shown = block.column("_atom_site_occupancy")
    kept: list[int] = []
    dummies, vacant, unplaced, hydrides = [], [], [], []
    for row, name in enumerate(sites.labels):
        if flags[row].lower() == "dum":
            dummies.append(name)
            continue
        species = _species(symbols[row], name, row, elements, sites, label)
        if not species.shares:
            dummies.append(name)
            continue
        if species.unknown_shares:
            raise InvalidStructureError(
                f"{label}: site {name}: {symbols[row] or name!r} names several elements without valid shares; write "
                "one row for each element with its occupancy, or a type symbol such as Si0.75Al0.25"
            )
        share = occupancies[row]
        if share != share:
            share = 1.0
            if shown[row] == "?":
                sites.warnings.append(f"occupancy: unknown (?) for site {name}, read as 1")
            elif shown[row] != ".":
                raise InvalidStructureError(f"{label}: site {name}: occupancy {shown[row]} is not a number; correct it")
        if not 0.0 <= share <= 1.0 + OCCUPANCY_TOLERANCE + 1e-9:
            raise InvalidStructureError(f"{label}: site {name} has occupancy {share:g}; expected 0 to 1")
        if not np.isfinite(sites.fractional[row]).all():
            if attached[row] or species.shares[0][0] == 1:
                unplaced.append(name)
                continue
            _refuse_position(block, row, symbols[row] or name, label)
        if share == 0.0:
            vacant.append(name)
            continue
        if species.hydrogens or attached[row] > 0:
            hydrides.append(name)
        sites.species.append(tuple((number, share * own) for number, own in species.shares))
        kept.append(row)
    if not kept:
        raise InvalidStructureError(f"{label}: all listed sites are dummies or have no position; not a structure")
    _keep(sites, kept)
    for names, reason in (
        (dummies, "left out, since they are no atoms"),
        (vacant, "left out, since their occupancy is 0"),
        (unplaced, "left out, since they have no position"),
    ):
        if names:
            sites.warnings.append(f"sites {_listed(names)}: {reason}")
    if hydrides and all(number != 1 for own in sites.species for number, _ in own):
        sites.warnings.append(f"hydrogen: that of sites {_listed(hydrides)} has no positions and was left out")
    sites.incomplete = bool(dummies or unplaced or hydrides)


def _keep(sites: Sites, rows: list[int]) -> None:
    if len(rows) < len(sites.labels):
        sites.labels = [sites.labels[row] for row in rows]
        sites.fractional = sites.fractional[rows]
        sites.multiplicities = [sites.multiplicities[row] for row in rows] if sites.multiplicities else []


def _species(symbol: str, name: str, row: int, elements: frozenset[int], sites: Sites, label: str) -> Species:
    """Species of a site from its type symbol, or from its label if the symbol is unknown."""
    known = symbol not in ("", "?", ".")
    found = species_of_symbol(symbol) if known else None
    from_label = species_of_label(name, elements) if found is None or names_several(name) else None
    if found is None:
        if from_label is None:
            raise InvalidStructureError(
                f"{label}: atom {row + 1} ({name}): unknown element {symbol or name!r}; use symbols of the periodic "
                "table"
            )
        if known:
            sites.warnings.append(f"site {name}: type symbol {symbol!r} not understood; its label was used")
        return from_label
    if from_label and len(from_label.shares) > 1 and len(found.shares) == 1:
        # Two rows with one label, one for each element, are the usual way to write a mixed site.
        if sites.labels.count(name) > 1 or found.shares[0][0] not in dict(from_label.shares):
            return found
        if not from_label.unknown_shares:
            sites.warnings.append(f"site {name}: label states a mixture, type symbol {symbol}; the label was used")
            return from_label
        sites.warnings.append(f"site {name}: label names several elements, type symbol only {symbol}, which was used")
    return found


def _refuse_position(block: CifBlock, row: int, symbol: str, label: str) -> None:
    for axis in "xyz":
        for value in block.column(f"_atom_site_fract_{axis}", f"_atom_site_cartn_{axis}")[row : row + 1]:
            if not math.isfinite(numbers_of([value])[0]):
                raise InvalidStructureError(
                    f"{label}: atom {row + 1} ({symbol}): {axis} = {value} is not a number; correct it"
                )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


@dataclass
class Atoms:
    """
    All atoms in a cell.

    Attributes:
        site: Index of the site of each atom, `(num_atoms,)`. Atoms of a mixed site count once for each element.
        atomic_numbers: `(num_atoms,)`.
        occupancy: `(num_atoms,)`.
        fractional: `(num_atoms, 3)`.
        multiplicities: Number of images of each site; 0 for a site that is an image of another one.
        warnings: Warnings about how images were joined.
    """

    site: np.ndarray
    atomic_numbers: np.ndarray
    occupancy: np.ndarray
    fractional: np.ndarray
    multiplicities: np.ndarray
    warnings: list[str]


def expand(sites: Sites, operations: Operations, cell: np.ndarray, label: str, max_atoms: int | None) -> Atoms:
    """
    Apply symmetry operations to the listed sites, and join images that are one atom.

    Images on special positions, whose coordinates are rounded, are joined, and a listed site that is an image of
    another one is left out. Images of a partly occupied site that overlap are kept if their occupancies add up to at
    most 1: a split position.

    Args:
        sites: The listed sites.
        operations: Symmetry operations.
        cell: `(3, 3)`, lattice vectors as rows in Å.
        label: Name of the structure in error messages.
        max_atoms: Maximum number of atoms. `None` accepts any size.

    Raises:
        InvalidStructureError: If there are more atoms.
    """
    notes: list[str] = []
    if len(operations) == 1:
        places, multiplicities = sites.fractional, np.ones(len(sites.labels), dtype=np.int64)
    else:
        if len(sites.labels) * len(operations) > _MAX_IMAGES:
            raise InvalidStructureError(
                f"{label}: {len(sites.labels):,} sites by {len(operations):,} symmetry operations; expected at most "
                f"{_MAX_IMAGES:,} images, so check the symmetry, or list all atoms with space group P 1"
            )
        orbits = _orbits(sites, operations, cell, notes, label, max_atoms)
        multiplicities = np.array([len(orbit) for orbit in orbits])
        places = np.concatenate(orbits)
    rows = np.repeat(np.arange(len(sites.labels)), multiplicities)
    sizes = np.array([len(species) for species in sites.species])
    if (sizes == 1).all():
        numbers = np.array([species[0][0] for species in sites.species], dtype=np.int64)[rows]
        shares = np.array([species[0][1] for species in sites.species])[rows]
        return Atoms(rows, numbers, shares, places, multiplicities, notes)
    numbers, shares = (np.array([entry[part] for row in rows for entry in sites.species[row]]) for part in (0, 1))
    counts = sizes[rows]
    return Atoms(np.repeat(rows, counts), numbers, shares, np.repeat(places, counts, axis=0), multiplicities, notes)


def _orbits(
    sites: Sites, operations: Operations, cell: np.ndarray, notes: list[str], label: str, max_atoms: int | None
) -> list[np.ndarray]:
    """Distinct images of each site, `(multiplicity, 3)`; empty for a site that is an image of an earlier one."""
    orbits: list[np.ndarray] = []
    kept: dict[tuple[int, ...], list[np.ndarray]] = {}
    doubles, moved, num_atoms = [], [], 0
    # First coordinate of a point at most 1 Å from the origin.
    widest = float(np.linalg.norm(np.linalg.inv(cell)[:, 0]))
    for row, species in enumerate(sites.species):
        occupied = sum(share for _, share in species)
        place, order, distance = _special_position(sites.fractional[row], operations, cell, occupied)
        if distance > _ROUNDING:
            moved.append(sites.labels[row])
        kind = tuple(number for number, _ in species)
        earlier = kept.setdefault(kind, [])
        limit = _OVERLAP if occupied > 1 - OCCUPANCY_TOLERANCE else _ROUNDING
        if _is_image(place, earlier, cell, limit, limit * widest):
            doubles.append(sites.labels[row])
            orbits.append(np.zeros((0, 3)))
            continue
        images = operations.rotations @ place + operations.translations
        if order > 1:
            # The steps are offset, so that no rounded coordinate is at a border between them.
            steps = np.floor((images % 1.0) * 1e5 + 0.2718).astype(np.int64) % 100_000
            first = np.unique(steps @ [10**10, 10**5, 1], return_index=True)[1]
            images = images[np.sort(first)]
        images[1:] %= 1.0
        num_atoms += len(images) * len(species)
        if max_atoms is not None and num_atoms > max_atoms:  # the rest need not be computed
            check_size(num_atoms, label, max_atoms, at_least=row + 1 < len(sites.species))
        orbits.append(images)
        # The last column marks the listed position.
        earlier.append(np.concatenate([images, np.eye(len(images), 1)], axis=1))
        if len(earlier) > _PIECES:
            earlier[:] = [np.concatenate(earlier)]
    if moved:
        notes.append(f"sites {_listed(moved)}: less than {_OVERLAP} Å from a special position, and read as on it")
    if doubles and any(share < 1 - OCCUPANCY_TOLERANCE for species in sites.species for _, share in species):
        notes.append(f"sites {_listed(doubles)}: images of other listed sites, counted once")
    return orbits


def _special_position(
    place: np.ndarray, operations: Operations, cell: np.ndarray, occupied: float
) -> tuple[np.ndarray, int, float]:
    """
    Find the special position at or near a site.

    Returns:
        Position `(3,)`, number of operations that keep it, and distance in Å from the given position.
    """
    found, order = place, 1
    for _ in range(4):
        shifts = operations.rotations @ found + operations.translations - found
        shifts -= np.rint(shifts)
        distances = np.linalg.norm(shifts @ cell, axis=1)
        near = distances < _OVERLAP
        same = distances < _ROUNDING
        if occupied * near.sum() / max(same.sum(), 1) <= 1.0 + OCCUPANCY_TOLERANCE:
            near = same
        if near.sum() == order:
            break
        order = int(near.sum())
        if distances[near].max() > 1e-9:
            found = found + shifts[near].mean(axis=0)
    return found, order, float(np.linalg.norm((found - place) @ cell))


def _is_image(place: np.ndarray, orbits: list[np.ndarray], cell: np.ndarray, limit: float, reach: float) -> bool:
    """
    Whether a position is an image, other than the listed position itself, of one of the given orbits.

    Positions within `limit` in Å differ by less than `reach` in their first fractional coordinate.
    """
    if not orbits:
        return False
    near = []
    # The first part holds thousands of images, of which few are left, and is not copied.
    for part in (orbits[0], np.concatenate(orbits[1:])) if len(orbits) > 1 else orbits:
        first = part[:, 0] - place[0]
        first -= np.rint(first)
        near.append(part[np.abs(first) <= reach])
    images = np.concatenate(near)
    if not len(images):
        return False
    shifts = images[:, :3] - place
    shifts -= np.rint(shifts)
    distances = np.linalg.norm(shifts @ cell, axis=1)
    nearest = int(distances.argmin())
    return bool(distances[nearest] < limit and not images[nearest, 3])


__all__ = ["Atoms", "Sites", "expand", "has_atoms", "read_sites"]
