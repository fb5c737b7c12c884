"""
Import the public narratives of the paper's authors into our schema.

    python -m datasets_scripts.gpt_narratives --output_dir runs/gpt-narratives
    python -m datasets_scripts.gpt_narratives --input downloaded.parquet --output_dir runs/gpt-narratives --workers 2

The source has 126k crystals with texts by a language model (arXiv 2502.16451) and is read from the Hub or a file. Every
row is checked: its structure must be valid and have the stated formula. Symmetry and density are computed from the
structure. Rows that state other values, and descriptions that the record does not support, are counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pymatgen.core import Element, Lattice, Structure

from datasets_scripts.common.cards import PAPER, CardText, write_card
from datasets_scripts.common.crystal_rows import MIN_ATOM_VOLUME, SCHEMA, structure_columns
from datasets_scripts.common.records import Records, Report, require_shards, shard_bounds, split_of, unreadable
from datasets_scripts.common.shards import ShardWriter, build_shards, read_reports, write_report
from datasets_scripts.llm.check_text import text_problems
from modeling_clac.checkpoint_files_clac import is_hub_id
from modeling_clac.contacts_clac import MIN_DISTANCE
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.data.structure_facts import reduced_formula
from modeling_clac.errors_clac import ClacInputError, check_on_error, first_line, one_line
from modeling_clac.formulas_clac import read_formula
from modeling_clac.utils.arguments import require_at_least, require_positive, run_script
from modeling_clac.utils.provenance import git_commit

REPOSITORY = "yjeong/GPT-Narratives-for-Materials"
_REQUIRED = ("atoms", "gpt_text", "gpt_explanation")
_TEXTS = {"text": pa.string(), "description": pa.string(), "applications": pa.string()}
_SCHEMA = pa.schema([*(entry for entry in SCHEMA if entry.name != "split"), *_TEXTS.items(), ("split", pa.string())])
_MEANINGS = {
    "text": "description and applications",
    "description": "column `gpt_text` of the source",
    "applications": "column `gpt_explanation` of the source",
}
# Property name in the source, in lower case and with its unit -> our column.
_COLUMNS = {name.lower(): column for column, row in PROPERTIES.items() for name in row.gpt_narratives}
_IDS = ("material_id", "mp_id", "mpid", "jid", "id")
_COLUMN = re.compile(r"([^()]*?)\s*(?:\(([^()]*)\))?\s*")
# Largest relative difference between the given and the computed density.
_DENSITY_TOLERANCE = 0.02


@dataclass
class GptNarrativesArguments:
    """Arguments of the import."""

    output_dir: str = field(metadata={"help": "Directory for the data set and its card."})
    input: str = field(default=REPOSITORY, metadata={"help": "Hub id, Parquet file, or directory of Parquet files."})
    limit: int = field(default=0, metadata={"help": "Use only the first N rows. 0: all rows."})
    seed: int = field(default=0, metadata={"help": "Seed of the split by formula."})
    max_atoms: int = field(default=200, metadata={"help": "Leave out crystals with more atoms in the cell."})
    on_error: str = field(
        default="skip", metadata={"help": "What to do about invalid rows: skip and count them, or raise."}
    )
    shard: int | None = field(default=None, metadata={"help": "Build only this shard, counted from 0."})
    num_shards: int = field(default=1, metadata={"help": "Number of shards of the data set."})
    executor: str = field(default="local", metadata={"help": "local, or ray."})
    workers: int = field(default=1, metadata={"help": "Number of parallel processes with local."})

    def __post_init__(self) -> None:
        check_on_error(self.on_error, ("raise", "skip"))
        require_positive(self, "workers", "max_atoms")
        require_at_least(self, 0, "limit")


class _Unusable(Exception):
    """A row cannot be used; the message gives the reason in a few words."""


def find_files(source: str) -> Path:
    """
    Return the path to the Parquet files; data sets on the Hub are downloaded unless they are in the cache.

    Args:
        source: File, directory or Hub id.

    Raises:
        ClacInputError: If there is no such file or data set.
    """
    path = Path(source)
    if path.exists() or not is_hub_id(source) or source.endswith(".parquet"):
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(source, repo_type="dataset", allow_patterns="*.parquet"))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ClacInputError(
            f"--input {source}: no such file, and it could not be downloaded from the Hub ({first_line(error)})"
        ) from None
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise ClacInputError(f"--input {source}: the data set contains no Parquet files")
    return files[0].parent


def read_properties(row: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """
    Read the properties of a row.

    Returns:
        Our property columns, and the values that the row states for computed quantities (`formula`, `spacegroup`,
        `density`).
    """
    found: dict[str, float] = {}
    given: dict[str, Any] = {}
    for name, value in row.items():
        match = _COLUMN.fullmatch(name.lower())
        if match is None or value is None:
            continue
        stem, unit = match[1].replace("_", " "), (match[2] or "").replace(" ", "")
        if stem in ("formula", "spacegroup", "space group", "density"):
            given[stem.replace(" ", "")] = value
        column = _COLUMNS.get(f"{stem} ({unit})" if unit else stem)
        if column is not None and isinstance(value, (int, float)) and value == value:
            found.setdefault(column, float(value))
    return found, given


def read_structure(atoms: Mapping[str, Any], max_atoms: int) -> Structure:
    """
    Read the structure of a row.

    Args:
        atoms: `elements`, `coords` (in Å if `cartesian`, otherwise fractional) and `lattice_mat` in Å.
        max_atoms: Largest number of atoms in the cell.

    Raises:
        _Unusable: If the structure is invalid.
    """
    try:
        elements = [str(name).strip() for name in atoms["elements"]]
        cell, coords = Lattice(atoms["lattice_mat"]), atoms["coords"]
        if not elements or len(elements) != len(coords):
            raise _Unusable(f"atoms: {len(elements)} elements, but {len(coords)} positions")
        unknown = next((name for name in elements if not Element.is_valid_symbol(name)), None)
        if unknown is not None:
            raise _Unusable(f"atoms: unknown element {unknown!r}")
        if len(elements) > max_atoms:
            raise _Unusable(f"atoms: more than {max_atoms:,} atoms")
        structure = Structure(
            cell, elements, coords, coords_are_cartesian=bool(atoms.get("cartesian")), to_unit_cell=True
        )
        if not cell.volume >= MIN_ATOM_VOLUME * len(elements):  # also true for NaN
            raise _Unusable("atoms: the cell has no volume")
        if not structure.is_valid(MIN_DISTANCE):
            raise _Unusable("atoms: overlapping atoms")
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise _Unusable(f"atoms: not a valid structure ({one_line(error, limit=80)})") from None
    return structure


def to_record(row: Mapping[str, Any], number: int, arguments: GptNarrativesArguments, report: Report) -> dict[str, Any]:
    """
    Convert a row of the source to our schema.

    Args:
        row: Row of the source.
        number: Row number from 1, used for the identifier if the source has none.
        arguments: Arguments of the script.
        report: Report to update.

    Raises:
        _Unusable: If the structure is invalid, has a different formula, or a text is missing.
    """
    texts = [row[name] for name in ("gpt_text", "gpt_explanation")]
    for name, text in zip(("gpt_text", "gpt_explanation"), texts, strict=True):
        if not isinstance(text, str) or not text.strip():
            raise _Unusable(f"{name} is empty")
    description, applications = (" ".join(text.split()) for text in texts)
    structure = read_structure(row["atoms"] or {}, arguments.max_atoms)
    properties, given = read_properties(row)
    try:
        columns = structure_columns(structure)
    except (TypeError, ValueError):
        raise _Unusable("atoms: no space group found") from None
    _compare(columns, given, report)
    identifier = next((str(row[name]) for name in _IDS if row.get(name)), f"gpt-narrative-{number:06d}")
    record = {
        "material_id": identifier,
        "source": [REPOSITORY],
        **columns,
        **properties,
        "text": f"{description} {applications}",
        "description": description,
        "applications": applications,
        "split": split_of(columns["formula"], arguments.seed),
    }
    report.count("words", len(record["text"].split()))
    if text_problems(description, record):
        report.count("descriptions with statements that the record does not support")
    return record


def _compare(columns: Mapping[str, Any], given: Mapping[str, Any], report: Report) -> None:
    """
    Compare the values that a row states with the computed ones, and count differences.

    Raises:
        _Unusable: If the stated formula differs from that of the atoms.
    """
    formula = given.get("formula")
    if isinstance(formula, str):
        amounts = read_formula(formula)
        if not amounts:
            raise _Unusable(f"formula {formula!r} cannot be read")
        if reduced_formula(amounts) != columns["formula"]:
            raise _Unusable(f"formula is {formula}, but the atoms give {columns['formula']}")
    group = given.get("spacegroup")
    if group is not None and str(group).replace(" ", "") not in (
        columns["space_group_symbol"],
        str(columns["space_group_number"]),
    ):
        report.count("rows whose stated space group differs from that of the atoms")
    density = given.get("density")
    if (
        isinstance(density, (int, float))
        and abs(density - columns["density"]) > _DENSITY_TOLERANCE * columns["density"]
    ):
        report.count("rows whose stated density differs from that of the atoms")


def build_shard(arguments: GptNarrativesArguments, shard: int) -> Report:
    """Write the files and the report of one shard."""
    source = Records(Path(arguments.input), arguments.limit, _REQUIRED, _IDS)
    bounds = shard_bounds(source.num_rows, arguments.num_shards)
    report = Report()
    with ShardWriter(Path(arguments.output_dir), shard, arguments.num_shards, _SCHEMA) as writer:
        for record in _usable(source.rows(bounds[shard], bounds[shard + 1]), bounds[shard], arguments, report):
            report.count(record["split"])
            writer.add(record["split"], record)
    write_report(Path(arguments.output_dir), shard, arguments.num_shards, report)
    return report


def _usable(
    rows: Iterator[tuple[str, dict[str, Any]]], first: int, arguments: GptNarrativesArguments, report: Report
) -> Iterator[dict[str, Any]]:
    for number, (where, row) in enumerate(rows, first + 1):
        report.count("read")
        try:
            problem = unreadable(row)
            if problem is not None:
                raise _Unusable(problem)
            yield to_record(row, number, arguments, report)
        except _Unusable as reason:
            if arguments.on_error == "raise":
                raise ClacInputError(f"{where}: {reason}; fix the row or use --on_error skip") from None
            report.leave_out(f"{where}: {reason}")


def card_text(arguments: GptNarrativesArguments) -> CardText:
    """Return the parts of the card that cannot be read from the files."""
    return CardText(
        title="GPT narratives of crystals, split by formula",
        language="en",
        summary=(
            f"The narratives that the authors of arXiv 2502.16451 published as `{REPOSITORY}`, each with its crystal, "
            "in the columns of CLaC. Rows are left out if the crystal cannot be read or its formula differs from the "
            "stated one. Splits share no formula."
        ),
        provenance=(
            f"`datasets_scripts.gpt_narratives`, input `{arguments.input}`, seed {arguments.seed}, commit "
            f"`{git_commit() or 'unknown'}`. Symmetry (spglib, 0.1 Å), density and volume were computed from the atoms."
        ),
        limits=(
            "A language model wrote the texts from computed properties. They are unchanged; the table above counts "
            "descriptions with a number, formula, space group or crystal system that is not in the record. Ask the "
            "source for its licence."
        ),
        licence="other",
        citations=(PAPER,),
        columns=_MEANINGS,
        tags=("materials-science", "crystals", "synthetic-text"),
    )


def build(arguments: GptNarrativesArguments) -> None:
    """
    Import the requested shards; the card is written once all shards exist.

    Raises:
        ClacInputError: If an argument, a file or (with `--on_error raise`) a row is invalid, or no row can be used.
    """
    shards = require_shards(arguments.shard, arguments.num_shards)
    files = find_files(arguments.input)
    source = Records(files, arguments.limit, _REQUIRED, _IDS)
    given = arguments.input
    arguments.input = str(files)
    build_shards(build_shard, arguments, shards, arguments.executor, arguments.workers)
    arguments.input = given
    directory = Path(arguments.output_dir)
    report = read_reports(directory, arguments.num_shards)
    if report is None:
        print("the card will be written with the last shard")
        return
    if not any(directory.glob("*.parquet")):
        raise ClacInputError(f"{given}: none of the {source.num_rows:,} rows can be used ({report.left_out[0]})")
    write_card(directory, card_text(arguments), report)
    report.show()


if __name__ == "__main__":
    run_script(GptNarrativesArguments, build)
