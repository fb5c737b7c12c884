"""
Bundled crystals written in eight ways and read back: composition, density and embedding must stay the same.

    python -m evaluation.read_back --crystals 1000 --output runs/read-back/result.json
"""

from __future__ import annotations

import datetime
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from modeling_clac.crystal_clac import Crystal
from modeling_clac.data.bundled import bundled_crystals
from modeling_clac.data.structure_facts import crystal_formula
from modeling_clac.errors_clac import ClacInputError, InvalidStructureError, StructureWarning
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.structures_clac import parse_structure
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.atomic_files import write_json
from modeling_clac.utils.progress import progress_bar
from modeling_clac.utils.provenance import provenance

# Tolerance of the symmetry search in Å. It moves atoms by less, so that the written crystal is still the bundled one.
_SYMPREC = 1e-3
# Relative tolerance of densities: files round lengths and coordinates.
_SAME_DENSITY = 1e-3


@dataclass
class ReadBackArguments:
    """Arguments of the read-back test."""

    crystals: int = field(default=1000, metadata={"help": "Random crystals of the bundled data set."})
    seed: int = field(default=0, metadata={"help": "Seed of the sample and of the settings that are drawn."})
    cosine: float = field(default=0.9999, metadata={"help": "Smallest cosine with the embedding of the original."})
    output: str | None = field(default=None, metadata={"help": "Also write the result to this JSON file."})


@dataclass(frozen=True)
class Setting:
    """
    A crystal in one setting of its space group.

    Attributes:
        group: The setting of the space group.
        cell: `(3, 3)`, lattice vectors as rows in Å.
        numbers: `(N,)`, atomic numbers of all atoms of the cell.
        fractional: `(N, 3)`, fractional coordinates.
        operations: All operations of the setting.
    """

    group: gemmi.SpaceGroup
    cell: np.ndarray
    numbers: np.ndarray
    fractional: np.ndarray
    operations: list[gemmi.Op]

    def listed(self) -> list[int]:
        """Return one atom of each set of equivalent atoms."""
        rotations = np.array([op.rot for op in self.operations]) / gemmi.Op.DEN
        translations = np.array([op.tran for op in self.operations]) / gemmi.Op.DEN
        waiting, chosen = set(range(len(self.numbers))), []
        while waiting:
            atom = min(waiting)
            chosen.append(atom)
            others = sorted(waiting)
            images = rotations @ self.fractional[atom] + translations
            offset = images[:, None] - self.fractional[others][None]
            distance = np.linalg.norm((offset - np.rint(offset)) @ self.cell, axis=-1).min(axis=0)
            waiting -= {other for other, length in zip(others, distance, strict=True) if length < 10 * _SYMPREC}
        return chosen


def find_settings(crystal: Crystal) -> list[Setting]:
    """Return the crystal in all settings of its space group that spglib and gemmi know, the default one first."""
    import spglib

    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    structure: Any = (crystal.cell, fractional, crystal.atomic_numbers)
    default = spglib.get_symmetry_dataset(structure, symprec=_SYMPREC)
    if default is None:
        return []
    halls = [default.hall_number]
    halls += [hall for hall in range(1, 531) if _type(hall).number == default.number and hall != default.hall_number]
    return [setting for hall in halls if (setting := _setting(structure, hall)) is not None]


def _type(hall: int) -> Any:
    import spglib

    return spglib.get_spacegroup_type(hall)


def _setting(structure: Any, hall: int) -> Setting | None:
    import spglib

    try:
        group = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(_type(hall).hall_symbol))
        dataset = spglib.get_symmetry_dataset(structure, symprec=_SYMPREC, hall_number=hall)
    except (RuntimeError, ValueError):
        return None
    if group is None or dataset is None:
        return None
    return Setting(group, dataset.std_lattice, dataset.std_types, dataset.std_positions, list(group.operations()))


def cif(
    crystal_cell: np.ndarray,
    numbers: np.ndarray,
    fractional: np.ndarray,
    header: str,
    operations: list[str] | None = None,
    *,
    chosen: list[int] | None = None,
    cartesian: bool = False,
) -> str:
    """
    Write a CIF.

    Args:
        crystal_cell: `(3, 3)`, lattice vectors as rows in Å.
        numbers: `(N,)`, atomic numbers of all atoms of the cell, which the stated sum formula counts.
        fractional: `(N, 3)`, fractional coordinates.
        header: Lines that state the symmetry.
        operations: Operations to list. Default: none.
        chosen: Atoms to list. Default: all.
        cartesian: Whether to write Cartesian coordinates, with a along x and b in the xy plane.
    """
    lengths = np.linalg.norm(crystal_cell, axis=1)
    a, b, c = crystal_cell
    angles = [
        np.degrees(np.arccos(np.clip(u @ v / np.linalg.norm(u) / np.linalg.norm(v), -1, 1)))
        for u, v in ((b, c), (a, c), (a, b))
    ]
    counts = {gemmi.Element(int(z)).name: int((numbers == z).sum()) for z in sorted(set(numbers.tolist()))}
    lines = ["data_crystal", header.strip()]
    lines.append("_chemical_formula_sum '" + " ".join(f"{symbol}{count}" for symbol, count in counts.items()) + "'")
    lines += [f"_cell_length_{axis} {value:.8f}" for axis, value in zip("abc", lengths, strict=True)]
    lines += [f"_cell_angle_{name} {value:.8f}" for name, value in zip(("alpha", "beta", "gamma"), angles, strict=True)]
    if operations is not None:
        lines += ["loop_", "_space_group_symop_operation_xyz", *(f"'{operation}'" for operation in operations)]
    kind = "Cartn" if cartesian else "fract"
    lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol", *(f"_atom_site_{kind}_{axis}" for axis in "xyz")]
    cell = gemmi.UnitCell(*lengths, *angles)
    for place, atom in enumerate(range(len(numbers)) if chosen is None else chosen, start=1):
        symbol = gemmi.Element(int(numbers[atom])).name
        values = fractional[atom]
        if cartesian:
            values = np.array(cell.orthogonalize(gemmi.Fractional(*values)).tolist())
        lines.append(f"{symbol}{place} {symbol} " + " ".join(f"{value:.8f}" for value in values))
    return "\n".join(lines) + "\n"


def _symbol(setting: Setting) -> str:
    return f"_space_group_name_H-M_alt '{setting.group.hm}'\n_space_group_IT_number {setting.group.number}"


def _spellings(operations: list[gemmi.Op]) -> list[str]:
    return [operation.triplet() for operation in operations]


def _shifted(setting: Setting, random: np.random.Generator) -> str:
    """Write a crystal with its origin at a random multiple of 1/24, and the operations about the new origin."""
    shift = random.integers(1, gemmi.Op.DEN, size=3)
    moved = []
    for operation in setting.operations:
        rotation = np.array(operation.rot) // gemmi.Op.DEN
        new = gemmi.Op()
        new.rot = operation.rot
        new.tran = [int(t) % gemmi.Op.DEN for t in np.array(operation.tran) + shift - rotation @ shift]
        moved.append(new)
    fractional = setting.fractional + shift / gemmi.Op.DEN
    return cif(setting.cell, setting.numbers, fractional, _symbol(setting), _spellings(moved), chosen=setting.listed())


def _unimodular(random: np.random.Generator) -> np.ndarray:
    """Draw a matrix of determinant 1 that shears and permutes the lattice vectors."""
    shear = np.eye(3, dtype=int)
    first, second = random.choice(3, size=2, replace=False)
    shear[first, second] = random.choice([-1, 1])
    return shear @ np.roll(np.eye(3, dtype=int), int(random.integers(3)), axis=1)


def write_in_all_ways(crystal: Crystal, random: np.random.Generator) -> Iterator[tuple[str, str, str]]:
    """
    Write a crystal in eight ways.

    Args:
        crystal: The crystal.
        random: Draws origins, settings and bases.

    Yields:
        Name of the way, suffix of the file, and its text.
    """
    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    arrays = crystal.cell, crystal.atomic_numbers, fractional
    p1 = "_space_group_name_H-M_alt 'P 1'\n_space_group_IT_number 1"
    yield "P1", ".cif", cif(*arrays, p1, ["x,y,z"])
    settings = find_settings(crystal)
    if settings:
        default, *others = settings
        own = (default.cell, default.numbers, default.fractional)
        chosen = default.listed()
        yield "symmetrised", ".cif", cif(*own, _symbol(default), _spellings(default.operations), chosen=chosen)
        yield "without operations", ".cif", cif(*own, _symbol(default), chosen=chosen)
        origins = [other for other in others if other.group.ext in "12" and other.group.hm == default.group.hm]
        origins = [other for other in origins if other.group.ext != default.group.ext]
        if origins:
            other = origins[0]
            header = f"{_symbol(other)}\n_space_group_IT_coordinate_system_code {other.group.ext}"
            text = cif(other.cell, other.numbers, other.fractional, header, chosen=other.listed())
        else:
            text = _shifted(default, random)
        yield "other origin", ".cif", text
        axes = [other for other in others if other not in origins]
        if axes:
            other = axes[int(random.integers(len(axes)))]
            text = cif(other.cell, other.numbers, other.fractional, _symbol(other), chosen=other.listed())
        else:
            basis = _unimodular(random)
            text = cif(basis @ crystal.cell, crystal.atomic_numbers, fractional @ np.linalg.inv(basis), p1, ["x,y,z"])
        yield "other axes", ".cif", text
    yield "Cartesian", ".cif", cif(*arrays, p1, ["x,y,z"], cartesian=True)
    from pymatgen.core import Structure
    from pymatgen.io.vasp import Poscar

    structure = Structure(crystal.cell, crystal.atomic_numbers.tolist(), fractional)
    yield "POSCAR", ".vasp", Poscar(structure).get_str(significant_figures=10)
    lattice = " ".join(f"{value:.10f}" for value in crystal.cell.ravel())
    lines = [str(len(crystal)), f'Lattice="{lattice}" Properties=species:S:1:pos:R:3 pbc="T T T"']
    for number, position in zip(crystal.atomic_numbers, crystal.positions, strict=True):
        lines.append(gemmi.Element(int(number)).name + "".join(f" {value:.10f}" for value in position))
    yield "extXYZ", ".extxyz", "\n".join(lines) + "\n"


@dataclass
class Outcome:
    """
    Outcome of one way of writing.

    Attributes:
        written: Number of crystals written.
        refused: Reasons of the crystals that could not be read, by id.
        differs: What differs for the crystals that were read, by id.
        smallest_cosine: Smallest cosine between the embeddings of a crystal read back and its original.
        warned: Number of crystals read with a warning.
    """

    written: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    differs: dict[str, str] = field(default_factory=dict)
    smallest_cosine: float = 1.0
    warned: int = 0


def compare(original: Crystal, read: Crystal) -> str:
    """Return how a crystal that was read back differs in composition or density from its original; empty if equal."""
    formulas = [crystal_formula(crystal) for crystal in (original, read)]
    if formulas[0] != formulas[1]:
        return f"composition {formulas[1]} instead of {formulas[0]}"
    if abs(read.density - original.density) > _SAME_DENSITY * original.density:
        return f"density {read.density:.4g} instead of {original.density:.4g} g/cm³"
    return ""


def run(arguments: ReadBackArguments) -> dict[str, Outcome]:
    """
    Write, read back and compare the crystals, and print a table.

    Returns:
        The outcome of each way.

    Raises:
        ClacInputError: If an argument is out of range.
    """
    require_at_least(arguments, 1, "crystals")
    table = bundled_crystals()
    random = np.random.default_rng(arguments.seed)
    rows = np.sort(random.permutation(table.num_rows)[: arguments.crystals])
    embedder = ClacEmbedder.from_pretrained()
    ids = [table["material_id"][int(row)].as_py() for row in rows]
    originals = [parse_structure(table["cif"][int(row)].as_py(), name) for row, name in zip(rows, ids, strict=True)]
    embeds = embedder.encode_crystals(originals)
    outcomes: dict[str, Outcome] = {}
    read: dict[str, list[tuple[int, Crystal]]] = {}
    with progress_bar("writing and reading", len(rows)) as bar, tempfile.TemporaryDirectory() as directory:
        for place, (name, original) in enumerate(zip(ids, originals, strict=True)):
            for way, suffix, text in write_in_all_ways(original, random):
                outcome = outcomes.setdefault(way, Outcome())
                outcome.written += 1
                path = Path(directory) / f"crystal{suffix}"
                path.write_text(text, encoding="utf-8")
                try:
                    crystal = parse_structure(path, name)
                except InvalidStructureError as error:
                    outcome.refused[name] = str(error)
                    continue
                outcome.warned += bool(crystal.warnings)
                difference = compare(original, crystal)
                if difference:
                    outcome.differs[name] = difference
                else:
                    read.setdefault(way, []).append((place, crystal))
            bar.update()
    for way, crystals in read.items():
        places = [place for place, _ in crystals]
        with warnings.catch_warnings():
            # They are counted where the files are read.
            warnings.simplefilter("ignore", StructureWarning)
            read_back = embedder.encode_crystals([crystal for _, crystal in crystals])
        cosines = (read_back * embeds[places]).sum(axis=1)
        outcomes[way].smallest_cosine = float(cosines.min())
        for place, cosine in zip(places, cosines.tolist(), strict=True):
            if cosine < arguments.cosine:
                outcomes[way].differs[ids[place]] = f"cosine {cosine:.5f}"
    _report(outcomes)
    if arguments.output:
        described = {way: asdict(outcome) for way, outcome in outcomes.items()}
        result = {"date": datetime.date.today().isoformat(), **provenance(asdict(arguments)), "ways": described}
        write_json(result, Path(arguments.output))
    failed = sum(len(outcome.refused) + len(outcome.differs) for outcome in outcomes.values())
    if failed:
        way, outcome = next((way, own) for way, own in outcomes.items() if own.refused or own.differs)
        name, reason = next(iter({**outcome.refused, **outcome.differs}.items()))
        raise ClacInputError(
            f"{failed} files were not read back to their crystals; the first is {name} ({way}): {reason}"
        )
    return outcomes


def _report(outcomes: dict[str, Outcome]) -> None:
    table = Table("way", "written", "refused", "differ", "smallest cosine", "with warnings", box=box.SIMPLE_HEAD)
    for way, outcome in outcomes.items():
        table.add_row(
            way,
            str(outcome.written),
            str(len(outcome.refused)),
            str(len(outcome.differs)),
            f"{outcome.smallest_cosine:.6f}",
            str(outcome.warned),
        )
    Console().print(table)


if __name__ == "__main__":
    run_script(ReadBackArguments, run)
