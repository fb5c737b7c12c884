"""Structures of any type to validated arrays. The only place where structures are parsed."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import gemmi
import numpy as np

from .errors_clac import ClacInputError, InvalidStructureError, first_line, one_line

MAX_ATOMS = 10_000
# In Å. Real bonds are longer than 0.7 Å (H-H); a shorter distance than this means a duplicated or misplaced atom.
MIN_DISTANCE = 0.3
_MIN_VOLUME = 1e-3
_WHERE_ALL_OCCUPIED = 1e-3
_PERIODIC = np.ones(3, dtype=np.int64)
_ATOMIC_MASSES = np.array([gemmi.Element(number).weight for number in range(119)])
# One unified atomic mass unit per Å³ (CODATA 2018).
_GRAMS_PER_CM3 = 1.66053906660


@dataclass(frozen=True)
class Crystal:
    """
    A periodic crystal.

    Attributes:
        atomic_numbers: `(num_atoms,)` int64.
        positions: `(num_atoms, 3)` float64, Cartesian coordinates in Å.
        cell: `(3, 3)` float64, lattice vectors as rows in Å.
    """

    atomic_numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray

    def __len__(self) -> int:
        return len(self.atomic_numbers)

    @cached_property
    def volume(self) -> float:
        """Volume of the cell in Å³."""
        return _volume(self.cell)

    @property
    def density(self) -> float:
        """Mass density in g/cm³, with the natural isotope composition."""
        return float(_ATOMIC_MASSES[self.atomic_numbers].sum()) / self.volume * _GRAMS_PER_CM3


def _volume(cell: np.ndarray) -> float:
    """|a · (b x c)| of a cell `(3, 3)`, in Å³. Takes a tenth of the time of `numpy.linalg.det`."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = cell.tolist()
    return abs(ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx))


def parse_structure(structure: Any, name: str | None = None, max_atoms: int | None = MAX_ATOMS) -> Crystal:
    """
    Parse and validate a structure.

    Args:
        structure: CIF text, a path to a CIF file, a pymatgen `Structure`, an ase `Atoms`, a torch-geometric `Data` with
            `z`, `pos` and `cell`, a mapping with `atomic_numbers`, `positions` and `cell`, or a [`Crystal`].
        name: Name of the structure in error messages. Default: its path.
        max_atoms: Cells with more atoms are rejected. `None` accepts any size.

    Returns:
        The validated crystal.

    Raises:
        InvalidStructureError: If the structure is invalid, with name, reason and remedy on one line.
    """
    label = name or structure_name(structure)
    crystal = _to_crystal(structure, label, max_atoms)
    _check(crystal, label, max_atoms)
    return crystal


class ParsedStructure(NamedTuple):
    """
    A parsed structure, one of many.

    Attributes:
        place: Index in the input, from 0.
        name: Name of the structure in messages.
        crystal: The crystal, or the error if the structure is invalid.
    """

    place: int
    name: str
    crystal: Crystal | InvalidStructureError


def parse_each(
    structures: Any, names: Iterable[str] | None = None, max_atoms: int | None = MAX_ATOMS
) -> Iterator[ParsedStructure]:
    """
    Parse structures lazily, one at a time.

    Args:
        structures: One structure, or any iterable of structures: a list, a generator, a column of numpy, pandas,
            pyarrow or datasets. See [`parse_structure`] for the accepted types.
        names: Name of each structure in messages. Default: its path, or its position in the input.
        max_atoms: Cells with more atoms are rejected. `None` accepts any size.

    Yields:
        The parsed structures, in input order.

    Raises:
        ClacInputError: If the numbers of names and structures differ.
    """
    size = count_structures(structures)
    if size is not None and isinstance(names, Sized) and len(names) != size:
        raise ClacInputError(f"got {len(names)} names for {size} structures; give one name for each structure")
    total = "" if size is None else f" of {size}"
    items = structures if _is_many(structures) else [structures]
    named = ((item, None) for item in items) if names is None else zip(items, names, strict=True)
    for place, (item, name) in enumerate(named):
        # A column of pyarrow yields scalars.
        structure = item.as_py() if hasattr(item, "as_py") else item
        label = structure_name(structure, f"structure {place + 1}{total}") if name is None else name
        try:
            crystal: Crystal | InvalidStructureError = parse_structure(structure, label, max_atoms)
        except InvalidStructureError as error:
            crystal = error
        yield ParsedStructure(place, label, crystal)


def count_structures(structures: Any) -> int | None:
    """Return the number of structures in the input of [`parse_each`], or `None` if it has no length."""
    if not _is_many(structures):
        return 1
    return len(structures) if isinstance(structures, Sized) else None


def _is_many(structures: Any) -> bool:
    """
    Whether the input is an iterable of structures. Single pymatgen, ase and torch-geometric objects are iterable as
    well.
    """
    if isinstance(structures, (str, bytes, Path, Crystal, dict)):
        return False
    single = _is_pymatgen(structures) or _is_ase(structures) or _is_pyg(structures)
    return not single and hasattr(structures, "__iter__")


def _is_pymatgen(structure: Any) -> bool:
    return hasattr(structure, "lattice") and hasattr(structure, "is_ordered")


def _is_ase(structure: Any) -> bool:
    return hasattr(structure, "get_atomic_numbers") and hasattr(structure, "get_positions")


def _is_pyg(structure: Any) -> bool:
    return hasattr(structure, "keys") and {"z", "pos", "cell"} <= set(structure.keys())


def structure_name(structure: Any, fallback: str = "structure") -> str:
    """Return the name of a structure in messages: its path, or `fallback` if it is not a path."""
    return str(structure) if _is_path(structure) else fallback


def _is_path(structure: Any) -> bool:
    if isinstance(structure, Path):
        return True
    return isinstance(structure, str) and "\n" not in structure and not structure.lstrip().startswith("data_")


def _to_crystal(structure: Any, label: str, max_atoms: int | None) -> Crystal:
    if isinstance(structure, Crystal):
        return structure
    if isinstance(structure, dict):
        return _from_arrays(label, structure, "atomic_numbers", "positions", "cell")
    if _is_path(structure):
        return _from_cif(_read_text(Path(structure), label), label, max_atoms)
    if isinstance(structure, str):
        return _from_cif(structure, label, max_atoms)
    if _is_pymatgen(structure):
        return _from_pymatgen(structure, label)
    if _is_ase(structure):
        arrays = {
            "atomic_numbers": structure.get_atomic_numbers(),
            "positions": structure.get_positions(),
            "cell": structure.cell.array if hasattr(structure.cell, "array") else structure.cell,
        }
        return _from_arrays(label, arrays, "atomic_numbers", "positions", "cell")
    if _is_pyg(structure):
        return _from_arrays(label, {k: structure[k] for k in ("z", "pos", "cell")}, "z", "pos", "cell")
    raise InvalidStructureError(
        f"{label}: cannot read a structure from {type(structure).__name__}; pass CIF text, a path to a CIF file, a "
        "pymatgen Structure, an ase Atoms, or a torch-geometric Data with z, pos and cell"
    )


def _from_arrays(label: str, arrays: Any, numbers: str, positions: str, cell: str) -> Crystal:
    missing = [key for key in (numbers, positions, cell) if arrays.get(key) is None]
    if missing:
        raise InvalidStructureError(f"{label}: {', '.join(missing)} missing; give {numbers}, {positions} and {cell}")
    try:
        crystal = Crystal(
            np.asarray(arrays[numbers], dtype=np.int64).reshape(-1),
            np.asarray(arrays[positions], dtype=np.float64).reshape(-1, 3),
            np.asarray(arrays[cell], dtype=np.float64).reshape(3, 3),
        )
    except (TypeError, ValueError) as error:
        raise InvalidStructureError(f"{label}: arrays do not describe a crystal ({error})") from None
    if len(crystal.positions) != len(crystal.atomic_numbers):
        raise InvalidStructureError(
            f"{label}: {len(crystal.atomic_numbers)} atomic numbers but {len(crystal.positions)} positions; give one "
            "position for each atom"
        )
    return crystal


def _read_text(path: Path, label: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidStructureError(f"{label}: cannot be read ({first_line(error)})") from None
    if b"\0" in content:
        raise InvalidStructureError(f"{label}: binary file, not a CIF; export the structure as CIF text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _from_cif(text: str, label: str, max_atoms: int | None) -> Crystal:
    if not text.strip():
        raise InvalidStructureError(f"{label}: empty; export the structure again")
    block = _cif_block(text, label)
    _check_cell(block, label)
    sites = _check_sites(block, label, max_atoms)
    crystal = _from_gemmi(block)
    if crystal is None:
        crystal = _from_pymatgen_cif(text, label)
    _check_composition(block, crystal, label, sites)
    return crystal


def _cif_block(text: str, label: str) -> gemmi.cif.Block:
    """Return the first block with atoms. A file may have several, such as publication data next to the structure."""
    try:
        document = gemmi.cif.read_string(text)
    except (ValueError, RuntimeError) as error:
        raise InvalidStructureError(f"{label}: not a readable CIF; truncated or damaged ({one_line(error)})") from None
    blocks = [block for block in document if _atom_column(block)]
    if not blocks:
        raise InvalidStructureError(f"{label}: no atoms found (_atom_site_ loop); truncated, or not a structure")
    return blocks[0]


def _atom_column(block: gemmi.cif.Block) -> list[str]:
    for tag in ("_atom_site_type_symbol", "_atom_site_label"):
        column = list(block.find_loop(tag))
        if column:
            return column
    return []


def _number(text: str) -> float:
    return gemmi.cif.as_number(text)


def _check_cell(block: gemmi.cif.Block, label: str) -> None:
    tags = ["_cell_length_a", "_cell_length_b", "_cell_length_c"]
    tags += ["_cell_angle_alpha", "_cell_angle_beta", "_cell_angle_gamma"]
    values = [block.find_value(tag) for tag in tags]
    if any(value is None for value in values):
        missing = next(tag for tag, value in zip(tags, values, strict=True) if value is None)
        raise InvalidStructureError(f"{label}: no cell ({missing} missing); CLaC reads periodic crystals only")
    numbers = [_number(value) for value in values]
    if not all(map(math.isfinite, numbers)):
        bad = next(f"{t} {v}" for t, v, n in zip(tags, values, numbers, strict=True) if not math.isfinite(n))
        raise InvalidStructureError(f"{label}: cell parameter is not a number ({bad}); correct it")
    a, b, c, alpha, beta, gamma = numbers
    cosines = [math.cos(math.radians(angle)) for angle in (alpha, beta, gamma)]
    squared = 1 - sum(cosine**2 for cosine in cosines) + 2 * math.prod(cosines)
    if min(a, b, c) <= 0 or squared <= 1e-12:
        raise InvalidStructureError(f"{label}: cell has no volume (lengths {a}, {b}, {c} Å); check the cell parameters")


def _check_sites(block: gemmi.cif.Block, label: str, max_atoms: int | None) -> list[str]:
    """
    Check what gemmi would accept silently: coordinates and elements.

    Returns:
        Symbol or label of each listed atom.
    """
    symbols = _atom_column(block)
    _check_size(len(symbols), label, max_atoms)
    for axis in ("x", "y", "z"):
        column = list(block.find_loop(f"_atom_site_fract_{axis}"))
        column = column or list(block.find_loop(f"_atom_site_Cartn_{axis}"))
        if len(column) != len(symbols):
            raise InvalidStructureError(f"{label}: atoms without {axis} coordinate; truncated or damaged")
        numbers = [_number(value) for value in column]
        if not all(map(math.isfinite, numbers)):
            bad = next(i for i, number in enumerate(numbers) if not math.isfinite(number))
            raise InvalidStructureError(
                f"{label}: atom {bad + 1} ({symbols[bad]}): {axis} = {column[bad]} is not a number; correct it"
            )
    for index, symbol in enumerate(symbols):
        if not _site_element(symbol):
            raise InvalidStructureError(
                f"{label}: atom {index + 1}: unknown element {symbol!r}; use symbols of the periodic table"
            )
    return symbols


@lru_cache(maxsize=4096)
def _site_element(symbol: str) -> int:
    """Atomic number of a symbol or label in a CIF (`Fe2+`, `'O1'`), or 0 if it is unknown."""
    letters = re.match(r"[A-Za-z]+", symbol.strip("'\""))
    return 0 if letters is None else _element_number(letters.group())


@lru_cache(maxsize=4096)
def _element_number(letters: str) -> int:
    """Atomic number from the letters of a symbol or label (`Fe`, `FE`, `Owat` -> 26, 26, 8), or 0 if it is unknown."""
    for length in (2, 1):
        if len(letters) >= length:
            number = gemmi.Element(letters[:length].capitalize()).atomic_number
            if number:
                return number
    return 0


def _from_gemmi(block: gemmi.cif.Block) -> Crystal | None:
    """Fast path for ordered crystals whose symmetry gemmi understands. Returns `None` to leave the CIF to pymatgen."""
    if not list(block.find_loop("_atom_site_fract_x")):
        return None
    small = gemmi.make_small_structure_from_block(block)
    has_symmetry = bool(small.symops) or small.spacegroup is not None
    if not has_symmetry or not len(small.sites) or any(abs(site.occ - 1) > _WHERE_ALL_OCCUPIED for site in small.sites):
        return None
    trivial = len(small.symops) <= 1 and (small.spacegroup is None or small.spacegroup.number == 1)
    sites = list(small.sites) if trivial else small.get_all_unit_cell_sites()
    numbers = np.array([site.element.atomic_number for site in sites], dtype=np.int64)
    if not numbers.all():
        return None
    fractional = np.array([site.fract.tolist() for site in sites], dtype=np.float64)
    cell = np.array(small.cell.orth.mat.tolist(), dtype=np.float64).T
    crystal = Crystal(numbers, fractional @ cell, cell)
    # Either symmetry-equivalent sites are listed, or special positions are rounded: pymatgen merges the images.
    if not trivial and _shortest_distance(crystal, MIN_DISTANCE) < MIN_DISTANCE:
        return None
    return crystal


def _from_pymatgen_cif(text: str, label: str) -> Crystal:
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Occupancies that exceed 1 only by rounding are not disorder.
            structures = CifParser.from_str(text, occupancy_tolerance=1.01).parse_structures(primitive=False)
        except Exception as error:  # the parser raises errors of many types with the same meaning for the user
            raise InvalidStructureError(f"{label}: no valid structure in the CIF ({one_line(error)})") from None
    if not structures:
        raise InvalidStructureError(f"{label}: no valid structure in the CIF; export the structure again")
    return _from_pymatgen(structures[0], label)


def _from_pymatgen(structure: Any, label: str) -> Crystal:
    if not structure.is_ordered:
        site = next(site for site in structure if not site.is_ordered)
        raise InvalidStructureError(
            f"{label}: disordered site {site.species_string}; order it first, for example with pymatgen's "
            "OrderDisorderedStructureTransformation, or keep one full species per site"
        )
    return Crystal(
        np.array(structure.atomic_numbers, dtype=np.int64),
        np.array(structure.cart_coords, dtype=np.float64),
        np.array(structure.lattice.matrix, dtype=np.float64),
    )


def _check_composition(block: gemmi.cif.Block, crystal: Crystal, label: str, sites: list[str]) -> None:
    """
    Compare the atoms with the formula in the CIF: a CIF that was cut between two rows still parses.

    Hydrogen is not compared, since X-ray structures often leave it out.
    """
    formula = block.find_value("_chemical_formula_sum")
    if formula is None:
        return
    stated = {
        number: float(count or 1)
        for symbol, count in re.findall(r"([A-Z][a-z]?)\s*(\d+\.?\d*)?", gemmi.cif.as_string(formula))
        if (number := _element_number(symbol)) > 1
    }
    found = Counter(number for number in crystal.atomic_numbers.tolist() if number > 1)
    if not stated or not found:
        return
    ratio = sum(found.values()) / sum(stated.values())
    if set(stated) != set(found) or any(abs(found[z] - stated[z] * ratio) > 0.02 * found[z] for z in found):
        raise InvalidStructureError(
            f"{label}: the {len(sites)} listed atoms do not match the formula in the file "
            f"({gemmi.cif.as_string(formula)}); truncated, or atoms are missing"
        )


def _check_size(num_atoms: int, label: str, max_atoms: int | None) -> None:
    if max_atoms is not None and num_atoms > max_atoms:
        raise InvalidStructureError(
            f"{label}: {num_atoms:,} atoms in the cell exceed the limit of {max_atoms:,}; increase max_atoms "
            "(--max-atoms) to accept them"
        )


def _check(crystal: Crystal, label: str, max_atoms: int | None) -> None:
    if len(crystal) == 0:
        raise InvalidStructureError(f"{label}: no atoms in the cell; give at least one")
    _check_size(len(crystal), label, max_atoms)
    if not math.isfinite(crystal.cell.sum()) and not np.isfinite(crystal.cell).all():
        raise InvalidStructureError(f"{label}: cell contains NaN or infinite values; check the lattice vectors")
    if not crystal.cell.any():
        raise InvalidStructureError(f"{label}: no cell; CLaC reads periodic crystals only")
    if crystal.volume < _MIN_VOLUME:
        raise InvalidStructureError(f"{label}: cell has no volume; check the lattice vectors")
    # If the sum is finite, so are its terms: one pass is enough for a valid structure.
    if not math.isfinite(crystal.positions.sum()) and not np.isfinite(crystal.positions).all():
        bad = np.flatnonzero(~np.isfinite(crystal.positions).all(axis=1))
        raise InvalidStructureError(f"{label}: coordinates of atom {bad[0] + 1} are NaN or infinite; correct them")
    if crystal.atomic_numbers.min() < 1 or crystal.atomic_numbers.max() > 118:
        wrong = np.flatnonzero((crystal.atomic_numbers < 1) | (crystal.atomic_numbers > 118))
        raise InvalidStructureError(
            f"{label}: atom {wrong[0] + 1} has atomic number {crystal.atomic_numbers[wrong[0]]}; expected 1 to 118"
        )


def neighbor_pairs(crystal: Crystal, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """
    Find all periodic neighbours closer than a radius, with the search behind pymatgen's `Structure.get_neighbor_list`.

    Args:
        crystal: The crystal.
        radius: Radius in Å.

    Returns:
        Centre atoms `(E,)`, neighbour atoms `(E,)`, lattice images `(E, 3)`, and distances `(E,)` in Å.
    """
    from pymatgen.optimization.neighbors import find_points_in_spheres

    positions = np.ascontiguousarray(crystal.positions)
    centers, points, images, distances = find_points_in_spheres(
        positions,
        positions,
        r=float(radius),
        pbc=_PERIODIC,
        lattice=np.ascontiguousarray(crystal.cell),
        tol=1e-8,
    )
    # The search also finds each atom itself. Two atoms at one position are kept, since an error names them later.
    keep = (distances < radius) & ((centers != points) | (distances > 1e-8))
    if keep.all():
        return centers, points, images, distances
    return centers[keep], points[keep], images[keep], distances[keep]


def _shortest_distance(crystal: Crystal, radius: float) -> float:
    distances = neighbor_pairs(crystal, radius)[3]
    return float(distances.min()) if len(distances) else float("inf")


__all__ = [
    "Crystal",
    "ParsedStructure",
    "count_structures",
    "neighbor_pairs",
    "parse_each",
    "parse_structure",
    "structure_name",
]
