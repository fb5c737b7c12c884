"""
The public narratives of the authors of the paper, in our schema.

    python -m datasets_scripts.gpt_narratives --output_dir runs/gpt-narratives
    python -m datasets_scripts.gpt_narratives --input downloaded.parquet --output_dir runs/gpt-narratives --workers 2

126k crystals with texts of a language model (arXiv 2502.16451), from the Hub or from a file. Every row is checked: its
crystal has to be one, and to have the formula that the row states. Symmetry and density are computed from the crystal;
what the row says of them, and what the text says of the numbers, is compared and counted.
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
from modeling_clac.data.properties import PROPERTIES
from modeling_clac.data.structure_facts import reduced_formula
from modeling_clac.errors_clac import ClacInputError, check_on_error, first_line, one_line
from modeling_clac.formulas_clac import read_formula
from modeling_clac.structures_clac import MIN_DISTANCE
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
# A property as the source names it, in small letters and with its unit -> our column.
_COLUMNS = {name.lower(): column for column, row in PROPERTIES.items() for name in row.gpt_narratives}
_IDS = ("material_id", "mp_id", "mpid", "jid", "id")
_COLUMN = re.compile(r"([^()]*?)\s*(?:\(([^()]*)\))?\s*")
# Given and computed density, or a text that rounds its numbers, differ by less than this.
_DENSITY_TOLERANCE = 0.02


@dataclass
class GptNarrativesArguments:
    """Arguments of the import."""

    output_dir: str = field(metadata={"help": "Directory for the data set and its card."})
    input: str = field(
        default=REPOSITORY, metadata={"help": "A Hub id, a parquet file, or a directory of parquet files."}
    )
    limit: int = field(default=0, metadata={"help": "Use the first so many rows only; 0: all."})
    seed: int = field(default=0, metadata={"help": "Of the split by formula."})
    max_atoms: int = field(default=200, metadata={"help": "Leave larger cells out."})
    on_error: str = field(default="skip", metadata={"help": "Unusable rows: skip (they are counted), or raise."})
    shard: int | None = field(default=None, metadata={"help": "Build this shard only, counted from 0."})
    num_shards: int = field(default=1, metadata={"help": "Shards of the data set."})
    executor: str = field(default="local", metadata={"help": "local, or ray."})
    workers: int = field(default=1, metadata={"help": "Processes at once, with local."})

    def __post_init__(self) -> None:
        check_on_error(self.on_error, ("raise", "skip"))
        require_positive(self, "workers", "max_atoms")
        require_at_least(self, 0, "limit")


class _Unusable(Exception):
    """Why a row cannot be used, in a few words."""


def find_files(source: str) -> Path:
    """
    The parquet files, downloaded if need be; what is in the cache of the Hub already is not downloaded again.

    Raises:
        ClacInputError: there is no such file or data set.
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
        raise ClacInputError(f"--input {source}: the data set holds no parquet files")
    return files[0].parent


def read_properties(row: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """
    Returns:
        Our columns, and what the row says of things that are computed here (`formula`, `spacegroup`, `density`).
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
    Args:
        atoms: `elements`, `coords` (Å if `cartesian`, else fractions of the cell) and `lattice_mat` in Å.

    Raises:
        _Unusable: it is no crystal.
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
            raise _Unusable(f"atoms: more than {max_atoms:,}")
        structure = Structure(
            cell, elements, coords, coords_are_cartesian=bool(atoms.get("cartesian")), to_unit_cell=True
        )
        if not cell.volume >= MIN_ATOM_VOLUME * len(elements):  # nor where it is not a number
            raise _Unusable("atoms: the cell has no volume")
        if not structure.is_valid(MIN_DISTANCE):
            raise _Unusable("atoms: two of them in one place")
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise _Unusable(f"atoms: no structure ({one_line(error, limit=80)})") from None
    return structure


def to_record(row: Mapping[str, Any], number: int, arguments: GptNarrativesArguments, report: Report) -> dict[str, Any]:
    """
    Args:
        row: of the source. number: of the row, from 1; the identifier where the source has none.

    Raises:
        _Unusable: its crystal is none, its formula is another, or a text is missing.
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
        report.count("descriptions with something that the record does not say")
    return record


def _compare(columns: Mapping[str, Any], given: Mapping[str, Any], report: Report) -> None:
    """
    Raises:
        _Unusable: the row states another formula than that of its atoms.
    """
    formula = given.get("formula")
    if isinstance(formula, str):
        amounts = read_formula(formula)
        if not amounts:
            raise _Unusable(f"formula {formula!r} cannot be read")
        if reduced_formula(amounts) != columns["formula"]:
            raise _Unusable(f"formula {formula}, but atoms of {columns['formula']}")
    group = given.get("spacegroup")
    if group is not None and str(group).replace(" ", "") not in (
        columns["space_group_symbol"],
        str(columns["space_group_number"]),
    ):
        report.count("rows that state another space group than that of their atoms")
    density = given.get("density")
    if (
        isinstance(density, (int, float))
        and abs(density - columns["density"]) > _DENSITY_TOLERANCE * columns["density"]
    ):
        report.count("rows that state another density than that of their atoms")


def build_shard(arguments: GptNarrativesArguments, shard: int) -> Report:
    """Writes the files of one shard, and the report of it."""
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
                raise ClacInputError(f"{where}: {reason}; mend it, or go on with --on_error skip") from None
            report.leave_out(f"{where}: {reason}")


def card_text(arguments: GptNarrativesArguments) -> CardText:
    """The words of the card."""
    return CardText(
        title="GPT narratives of crystals, by formula",
        summary=(
            f"The narratives that the authors of arXiv 2502.16451 published as `{REPOSITORY}`, each with its crystal, "
            "in the columns of CLaC. Rows are left out if the crystal cannot be read or has another formula than the "
            "row states. Splits share no formula."
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
    Imports the shards asked for; the card is written when all of them are there.

    Raises:
        ClacInputError: an argument, a file or (with `--on_error raise`) a row is unusable, or no row is usable.
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
        print("the card is written with the last shard")
        return
    if not any(directory.glob("*.parquet")):
        raise ClacInputError(f"{given}: none of {source.num_rows:,} rows can be used ({report.left_out[0]})")
    write_card(directory, card_text(arguments), report)
    report.show()


if __name__ == "__main__":
    run_script(GptNarrativesArguments, build)
