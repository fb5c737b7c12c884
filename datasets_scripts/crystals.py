"""
Rebuilds the bundled crystal data set from the four CSVs in the source distribution of matminer 0.3.9.

    python -m datasets_scripts.crystals --output_dir DIR [--sdist matminer-0.3.9.tar.gz] [--limit N]

The data card, `modeling_clac/assets/mp-crystals/README.md`, tells where the CSVs come from and what every
column means, with its unit.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import os
import random
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pymatgen.core import Structure
from pymatgen.io.vasp import Poscar
from rich.console import Console
from rich.progress import track

from datasets_scripts.common.crystal_rows import DECIMALS, crystal_schema, structure_columns
from modeling_clac.data.bundled import SPLITS
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.data.structure_facts import reduced_formula
from modeling_clac.errors_clac import ClacInputError, first_line, one_line
from modeling_clac.formulas_clac import read_formula
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.atomic_files import replaced_file

CARD = Path(__file__).resolve().parent.parent / "modeling_clac" / "assets" / "mp-crystals" / "README.md"
REQUIREMENT = "matminer==0.3.9"
SDIST_SHA256 = "3faf9e83464f3d48f68a759bf476ad24da4c8c3e950c8f340cb917d3bb906400"
CSV_FOLDER = "matminer-0.3.9/matminer/datasets"

# CSV -> our column -> its column. In the order of priority: the first CSV with an id gives its structure.
SOURCES: dict[str, dict[str, str]] = {
    name: {column: row.matminer[1] for column, row in PROPERTIES.items() if row.matminer and row.matminer[0] == name}
    for name in ("flla_2015", "dielectric_constant", "piezoelectric_tensor", "elastic_tensor")
}
VALIDATION_ROWS = 512
TEST_ROWS = 1024

# Columns of the bundled data set: without properties that none of its sources gives.
BUNDLED_SCHEMA = crystal_schema(column for column, row in PROPERTIES.items() if row.from_structure or row.matminer)

CsvRow = dict[str, str]


@dataclass
class RebuildArguments:
    """Arguments of the command line."""

    output_dir: str = field(metadata={"help": "Folder for train, validation and test.parquet and README.md."})
    sdist: str | None = field(
        default=None, metadata={"help": "The file matminer-0.3.9.tar.gz; downloaded with pip if not given."}
    )
    limit: int | None = field(
        default=None,
        metadata={"help": "Write only the first N materials, with the rows of the whole data set."},
    )

    def __post_init__(self) -> None:
        require_at_least(self, 1, "limit")


@dataclass(frozen=True)
class Material:
    """
    One Materials Project id with everything the CSVs say about it.

    Attributes:
        material_id: Materials Project id, `mp-` and a number.
        rows: CSV name -> its row, in the order of `SOURCES`; the first one gives the structure.
        formula: reduced formula, on which all rows agree.
    """

    material_id: str
    rows: dict[str, CsvRow]
    formula: str


def download_sdist(directory: Path) -> Path:
    """
    Downloads the source distribution with the pip, and from the index, that the user has configured.

    Raises:
        ClacInputError: with pip's own reason.
    """
    # pip runs the package's setup.py for its metadata; with the digest given it checks the file before that.
    requirements = directory / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SDIST_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", "matminer"]
    command += ["--requirement", str(requirements), "--dest", str(directory)]
    print(f"downloading {REQUIREMENT} with pip", file=sys.stderr)
    result = subprocess.run(command, capture_output=True, text=True)
    found = sorted(directory.glob("*.tar.gz"))
    if result.returncode or not found:
        lines = result.stderr.splitlines() or ["no file"]
        errors = [line[len("error: ") :] for line in lines if line.lower().startswith("error: ")]
        reason = (errors or lines[-1:])[0]
        raise ClacInputError(f"pip cannot download {REQUIREMENT} ({reason}): get it and pass it with --sdist")
    return found[0]


def read_csvs(sdist: Path, expected_sha256: str = SDIST_SHA256) -> dict[str, list[CsvRow]]:
    """
    Reads the four CSVs from the source distribution, without unpacking it to disk.

    Args:
        sdist: the `.tar.gz` file.
        expected_sha256: its digest in hexadecimal digits.

    Returns:
        CSV name -> rows, in the order of `SOURCES`.

    Raises:
        ClacInputError: if the file is missing, has another digest, or lacks one of the CSVs.
    """
    try:
        content = sdist.read_bytes()
    except OSError as error:
        raise ClacInputError(f"{sdist}: cannot be read ({first_line(error)})") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected_sha256:
        raise ClacInputError(f"{sdist}: not the file of {REQUIREMENT}: sha256 {digest}, not {expected_sha256}")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {name: list(_read_csv(archive, f"{CSV_FOLDER}/{name}.csv")) for name in SOURCES}


def _read_csv(archive: tarfile.TarFile, member: str) -> Iterator[CsvRow]:
    try:
        stream = archive.extractfile(member)
    except KeyError:
        stream = None
    if stream is None:
        raise ClacInputError(f"{member}: not in the source distribution")
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    next(text)  # one line with the reference to the paper stands above the header
    reader = csv.reader(text)
    header = next(reader)
    for values in reader:
        # Two of the CSVs have a column of row numbers that the header does not name, on the left.
        yield dict(zip(header, values[-len(header) :], strict=True))


def merge(tables: dict[str, list[CsvRow]]) -> list[Material]:
    """
    Merges the CSVs by `material_id`.

    Returns:
        the materials in the order of the numbers in their ids.

    Raises:
        ClacInputError: if two CSVs give different formulas for one id.
    """
    rows: dict[str, dict[str, CsvRow]] = {}
    for source in SOURCES:
        for row in tables[source]:
            rows.setdefault(row["material_id"], {})[source] = row
    materials = []
    for material_id in sorted(rows, key=lambda name: int(name.removeprefix("mp-"))):
        formulas = {source: _reduced_formula(row["formula"]) for source, row in rows[material_id].items()}
        if len(set(formulas.values())) > 1:
            raise ClacInputError(f"{material_id}: the CSVs disagree on its formula ({formulas})")
        materials.append(Material(material_id, rows[material_id], next(iter(formulas.values()))))
    return materials


def _reduced_formula(text: str) -> str:
    # flla writes a dictionary, "{'As': 1.0}"; the others write the formula itself.
    return reduced_formula(ast.literal_eval(text) if text.startswith("{") else read_formula(text))


def split_by_formula(
    formulas: Sequence[str], test_rows: int = TEST_ROWS, validation_rows: int = VALIDATION_ROWS
) -> list[str]:
    """
    Gives each row its split, with all rows of one formula in the same one.

    The sorted formulas are shuffled with seed 0. In that order each goes to test if all its rows still fit in
    there, else to validation if they fit, else to train.

    Args:
        formulas: reduced formula of every row.
        test_rows: size of test.
        validation_rows: size of validation.

    Returns:
        `train`, `validation` or `test` for every row.
    """
    rows_of = Counter(formulas)
    shuffled = sorted(rows_of)
    random.Random(0).shuffle(shuffled)
    room = {"test": test_rows, "validation": validation_rows, "train": len(formulas)}
    split_of = {}
    for formula in shuffled:
        split = next(name for name, rows in room.items() if rows_of[formula] <= rows)
        room[split] -= rows_of[formula]
        split_of[formula] = split
    return [split_of[formula] for formula in formulas]


def read_structure(source: str, row: CsvRow) -> Structure:
    """
    Reads the cell of a CSV row (lengths in Å) as the source gives it, with atoms wrapped into it.

    Fractional coordinates are rounded to 6 decimals, and sites lose everything but element and place.
    """
    if source == "flla_2015":
        given = Structure.from_dict(ast.literal_eval(row["structure"]))
    else:
        # Not the CIF in `structure`: many name a space group other than P1 above a complete list of sites.
        given = Poscar.from_str(row["poscar"]).structure
    # The second modulus takes back what rounding made 1.0.
    coordinates = np.round(given.frac_coords % 1, DECIMALS) % 1
    return Structure(given.lattice, [{site.specie: 1.0} for site in given], coordinates)


def to_record(material: Material) -> dict[str, Any]:
    """
    Computes every column of a material but its split.

    Raises:
        ClacInputError: if its structure or a number cannot be read, or the structure has another formula.
    """
    source, row = next(iter(material.rows.items()))
    record: dict[str, Any] = {"material_id": material.material_id, "source": list(material.rows)}
    try:
        record |= structure_columns(read_structure(source, row))
        for name, values in material.rows.items():
            record |= {key: round(float(values[column]), DECIMALS) for key, column in SOURCES[name].items()}
    except (KeyError, ValueError, SyntaxError) as error:
        raise ClacInputError(f"{material.material_id} in {source}.csv: cannot be read ({one_line(error)})") from error
    if record["formula"] != material.formula:
        raise ClacInputError(f"{material.material_id}: {material.formula}, but cell of {record['formula']}")
    return record


def rebuild(
    sdist: Path,
    expected_sha256: str = SDIST_SHA256,
    limit: int | None = None,
    test_rows: int = TEST_ROWS,
    validation_rows: int = VALIDATION_ROWS,
) -> pa.Table:
    """
    Builds the whole data set in memory, with a progress bar on stderr.

    Args:
        sdist: source distribution of matminer 0.3.9.
        expected_sha256: digest of `sdist` in hexadecimal digits.
        limit: compute only the first materials; merging and splitting are still those of all.
        test_rows: size of test.
        validation_rows: size of validation.

    Returns:
        a table of `BUNDLED_SCHEMA`; the data card gives the unit of each column.

    Raises:
        ClacInputError: as [`read_csvs`], [`merge`] and [`to_record`].
    """
    materials = merge(read_csvs(sdist, expected_sha256))
    splits = split_by_formula([material.formula for material in materials], test_rows, validation_rows)
    bar = track(materials[:limit], "crystals", console=Console(stderr=True))
    records = [to_record(material) for material in bar]
    rows = [record | {"split": split} for record, split in zip(records, splits, strict=False)]
    return pa.Table.from_pylist(rows, schema=BUNDLED_SCHEMA)


def write_dataset(table: pa.Table, output_dir: Path, card: str) -> None:
    """
    Writes one Parquet file for each split, and the card, when all of them are complete.

    Raises:
        ClacInputError: if the folder cannot be written to.
    """
    with ExitStack() as stack:
        for split in SPLITS:
            rows = table.filter(pc.equal(table["split"], split))
            new = stack.enter_context(replaced_file(output_dir / f"{split}.parquet"))
            pq.write_table(rows, new, compression="zstd")
        stack.enter_context(replaced_file(output_dir / "README.md")).write_text(card, encoding="utf-8")


def make_card(limit: int | None) -> str:
    """The bundled data card; for a limited rebuild only its head, as the rest counts all rows."""
    card = CARD.read_text(encoding="utf-8")
    if limit is None:
        return card
    head = card[: card.index("---\n", 4) + 4]
    return f"{head}\n# MP crystals, a part\n\nThe first {limit} materials of the data set, for trials.\n"


def check_output_dir(output_dir: Path) -> None:
    """
    Finds out before the long work, and without a trace, whether the results can be written.

    Raises:
        ClacInputError: if not.
    """
    existing = next(path for path in (output_dir, *output_dir.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise ClacInputError(f"{output_dir}: cannot be written to ({existing} is not a folder)")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ClacInputError(f"{output_dir}: cannot be written to (no permission for {existing})")


def run(arguments: RebuildArguments) -> None:
    """
    Runs the command.

    Raises:
        ClacInputError: if an argument, the source distribution or the folder is not usable.
    """
    output_dir = Path(arguments.output_dir)
    check_output_dir(output_dir)
    card = make_card(arguments.limit)
    with tempfile.TemporaryDirectory() as downloads:
        sdist = download_sdist(Path(downloads)) if arguments.sdist is None else Path(arguments.sdist)
        table = rebuild(sdist, limit=arguments.limit)
    write_dataset(table, output_dir, card)
    print(f"{table.num_rows} crystals in {output_dir}")


if __name__ == "__main__":
    run_script(RebuildArguments, run)
