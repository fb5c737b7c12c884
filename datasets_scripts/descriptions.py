"""
Describe crystal structures in sentences with Robocrystallographer.

    pip install 'clac-crystals[describe]'
    python -m datasets_scripts.descriptions --output_dir runs/mp-descriptions --num_shards 8 --workers 2

Robocrystallographer (Ganose and Jain 2019, doi 10.1557/mrc.2019.94) writes the space group, the structure type, and the
coordination and bond lengths of each site. A small crystal takes a few seconds, a large cell minutes. Each
description is stored as soon as it is written, so an interrupted run continues where it stopped.
"""

from __future__ import annotations

import hashlib
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from datasets_scripts.common.cards import PAPER, CardText, write_card
from datasets_scripts.common.journal import JsonLines
from datasets_scripts.common.records import Records, Report, require_shards, shard_bounds, split_of_record, usable_rows
from datasets_scripts.common.shards import ShardWriter, build_shards, read_reports, write_report
from modeling_clac.errors_clac import ClacInputError, check_on_error, one_line
from modeling_clac.utils.arguments import require_at_least, require_positive, run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import git_commit

REQUIRED = ("material_id", "formula", "cif")
_MEANINGS = {"description": "the structure in sentences", "writer": "program that wrote the description, with version"}


@dataclass
class DescriptionArguments:
    """Arguments of the descriptions."""

    output_dir: str = field(metadata={"help": "Directory for the data set, its card and the journal."})
    input: str = field(
        default=str(ASSETS / "mp-crystals"), metadata={"help": "Parquet file or directory with crystals."}
    )
    splits: list[str] = field(
        default_factory=list, metadata={"help": "Describe only the crystals of these splits. Default: all."}
    )
    sample: int = field(
        default=0, metadata={"help": "Describe only N crystals of each split, drawn with the seed. 0: all."}
    )
    texts_only: bool = field(
        default=False, metadata={"help": "Write only the identifier, the formula and the description of each crystal."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of the sample, and of the splits if the input has none."})
    time_limit: float = field(default=300.0, metadata={"help": "Seconds after which a crystal is given up."})
    on_error: str = field(
        default="skip",
        metadata={
            "help": "What to do about invalid rows and crystals that cannot be described: skip and count, raise."
        },
    )
    shard: int | None = field(default=None, metadata={"help": "Build only this shard, counted from 0."})
    num_shards: int = field(default=1, metadata={"help": "Number of shards of the data set."})
    executor: str = field(default="local", metadata={"help": "local, or ray."})
    workers: int = field(default=1, metadata={"help": "Number of parallel processes with local."})

    def __post_init__(self) -> None:
        check_on_error(self.on_error, ("skip", "raise"))
        require_positive(self, "time_limit", "workers")
        require_at_least(self, 0, "sample")


class Describer:
    """
    Writes descriptions with Robocrystallographer, within a time limit and without a network connection.

    Args:
        time_limit: Seconds after which a crystal is given up.

    Raises:
        ClacInputError: If Robocrystallographer is not installed.
    """

    def __init__(self, time_limit: float):
        try:
            from robocrys import StructureCondenser, StructureDescriber
            from robocrys.condense import condenser
            from robocrys.condense.molecule import MoleculeNamer
        except ImportError as error:
            raise ClacInputError(
                f"descriptions require Robocrystallographer: pip install 'clac-crystals[describe]' ({one_line(error)})"
            ) from None
        # The names of molecules would otherwise depend on whether PubChem can be reached.
        MoleculeNamer.get_name_from_pubchem = lambda self, smiles: None
        # Its table of molecules takes longer to load than most crystals to describe; one instance serves all of them.
        condenser.MoleculeNamer = cache(MoleculeNamer)
        self.time_limit = time_limit
        self.name = f"robocrys {version('robocrys')}"
        self._condense = StructureCondenser(mineral_matcher=_mineral_matcher()).condense_structure
        self._describe = StructureDescriber(describe_oxidation_states=False).describe

    def describe(self, cif: str) -> str:
        """
        Describe a structure.

        Args:
            cif: The structure.

        Raises:
            ValueError: If the structure cannot be read or described, or the time is over.
        """
        from pymatgen.core import Structure

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with _time_limit(self.time_limit):
                    text = self._describe(self._condense(Structure.from_str(cif, fmt="cif")))
            # Robocrystallographer raises exceptions of every type for unusual structures.
            except Exception as error:
                raise ValueError(f"not described ({type(error).__name__}: {one_line(error)})") from None
        if not text.strip():
            raise ValueError("not described (the description is empty)")
        return " ".join(text.split())


def _mineral_matcher() -> Any:
    """
    Return a matcher of structure types that leaves out those of another stoichiometry.

    They cannot match, but Robocrystallographer compares a structure with all of its types, which is two thirds of the
    time of a description.
    """
    from robocrys.condense.mineral import MineralMatcher, ReducedAflowPrototypeMatcher

    class SameStoichiometryMatcher(MineralMatcher):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.mineral_db["anonymous"] = [
                structure.composition.reduced_composition.anonymized_formula
                for structure in self.mineral_db["structure"]
            ]

        def get_aflow_matches(self, structure: Any) -> list[dict[str, Any]] | None:
            self._set_distance_matrix(structure)
            anonymous = structure.composition.reduced_composition.anonymized_formula
            similar = self._mineral_db[self._mineral_db["anonymous"] == anonymous]
            if similar.empty:
                return None
            matcher = ReducedAflowPrototypeMatcher(
                self.initial_ltol, self.initial_stol, self.initial_angle_tol, mineral_db=similar
            )
            return matcher.get_prototypes(structure)

    return SameStoichiometryMatcher()


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeoutError` in the main thread of the process after some seconds."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"more than {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


def chosen_rows(records: Records, arguments: DescriptionArguments) -> list[int]:
    """
    Return the indices of the rows to describe, in order.

    Raises:
        ClacInputError: If the input has no row of a requested split.
    """
    of_split: dict[str, list[int]] = {}
    names = ["formula", *({"split"} & set(records.columns))]
    rows = (row for file in records.files for row in pq.read_table(file, columns=names).to_pylist())
    for index, row in enumerate(rows):
        of_split.setdefault(split_of_record({**row, "formula": row["formula"] or ""}, arguments.seed), []).append(index)
    missing = [name for name in arguments.splits if name not in of_split]
    if missing:
        raise ClacInputError(f"--splits {' '.join(missing)}: not in {arguments.input}; found {', '.join(of_split)}")
    chosen: list[int] = []
    for name in arguments.splits or of_split:
        own = of_split[name]
        if 0 < arguments.sample < len(own):
            # The same draw as that of a pool in `evaluation`.
            picked = np.random.default_rng(arguments.seed).choice(len(own), arguments.sample, replace=False)
            own = [own[place] for place in picked]
        chosen += own
    return sorted(chosen)


def _schema(records: Records, texts_only: bool) -> pa.Schema:
    own = pq.ParquetFile(records.files[0]).schema_arrow.remove_metadata()
    added = {"description": pa.string(), "writer": pa.string(), "split": pa.string()}
    kept = [entry for entry in own if entry.name not in added]
    if texts_only:
        kept = [entry for entry in kept if entry.name in ("material_id", "formula")]
    return pa.schema([*kept, *(pa.field(name, kind) for name, kind in added.items())])


def build_shard(arguments: DescriptionArguments, shard: int) -> Report:
    """Write the files and the report of one shard."""
    records = Records(Path(arguments.input), required=REQUIRED)
    chosen = chosen_rows(records, arguments)
    bounds = shard_bounds(len(chosen), arguments.num_shards)
    own = chosen[bounds[shard] : bounds[shard + 1]]
    report, directory = Report(), Path(arguments.output_dir)
    schema = _schema(records, arguments.texts_only)
    with ShardWriter(directory, shard, arguments.num_shards, schema) as writer:
        for row in _described(_rows(records, own), arguments, shard, len(own), report):
            report.count(row["split"])
            writer.add(row["split"], {name: row.get(name) for name in schema.names})
    write_report(directory, shard, arguments.num_shards, report)
    return report


def _rows(records: Records, indices: list[int]) -> Iterator[tuple[str, dict[str, Any]]]:
    if not indices:
        return
    wanted = set(indices)
    for index, row in enumerate(records.rows(indices[0], indices[-1] + 1), indices[0]):
        if index in wanted:
            yield row


def _described(
    rows: Iterator[tuple[str, dict[str, Any]]], arguments: DescriptionArguments, shard: int, number: int, report: Report
) -> Iterator[dict[str, Any]]:
    stored: dict[tuple[str, str, str], dict[str, Any]] = {}
    path = Path(arguments.output_dir) / f"journal-{shard:05d}-of-{arguments.num_shards:05d}.jsonl"
    describer = Describer(arguments.time_limit)
    with (
        JsonLines(path, lambda entry: stored.update({_key(entry): entry})) as journal,
        tqdm(total=number, desc="descriptions", unit="crystal", disable=None) as bar,
    ):
        for where, record in usable_rows(_counted(rows, bar.update), arguments.on_error, report):
            key = {
                "material_id": record["material_id"],
                # A changed structure is described again.
                "cif_sha256": hashlib.sha256((record["cif"] or "").encode()).hexdigest(),
                "writer": describer.name,
            }
            entry = stored.get(_key(key))
            # More time may help a crystal that was given up, and other failures cost little.
            if entry is None or ("problem" in entry and entry["time_limit"] < arguments.time_limit):
                entry = {**key, "time_limit": arguments.time_limit, **_attempt(describer, record)}
                journal.append(entry)
            if "problem" not in entry:
                text = {"description": entry["description"], "writer": describer.name}
                yield {**record, **text, "split": split_of_record(record, arguments.seed)}
            elif arguments.on_error == "raise":
                raise ClacInputError(f"{where}: {entry['problem']}; remove the row or use --on_error skip")
            else:
                report.leave_out(f"{where}: {entry['problem']}")


def _key(entry: dict[str, Any]) -> tuple[str, str, str]:
    return entry["material_id"], entry["cif_sha256"], entry["writer"]


def _attempt(describer: Describer, record: dict[str, Any]) -> dict[str, Any]:
    started = time.monotonic()
    try:
        outcome = {"description": describer.describe(record["cif"] or "")}
    except ValueError as error:
        outcome = {"problem": str(error)}
    return {**outcome, "seconds": round(time.monotonic() - started, 2)}


def _counted(
    rows: Iterator[tuple[str, dict[str, Any]]], update: Callable[[], Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in rows:
        yield row
        # After the row has been worked on, so that the bar shows the time left.
        update()


def card_text(arguments: DescriptionArguments) -> CardText:
    """Return the parts of the card that cannot be read from the files."""
    sample = f" of {arguments.sample} crystals per split" if arguments.sample else ""
    return CardText(
        title="Structure descriptions of crystals",
        language="en",
        summary=(
            "Inorganic crystals, each with a description of its structure: space group, structure type, coordination, "
            f"polyhedra and bond lengths, as written by Robocrystallographer {version('robocrys')}."
        ),
        provenance=(
            f"`datasets_scripts.descriptions`, seed {arguments.seed}{sample}, time limit {arguments.time_limit:g} s "
            "per crystal, without oxidation states and without names from PubChem, commit "
            f"`{git_commit() or 'unknown'}`. Splits share no formula."
        ),
        limits=(
            "The descriptions are computed from the structures by fixed rules. They state no properties and no uses. "
            "Crystals that could not be described within the time limit are missing."
        ),
        citations=(
            "Ganose, Jain (2019), Robocrystallographer: automated crystal structure text descriptions and analysis, "
            "MRS Communications 9, 874, doi 10.1557/mrc.2019.94",
            PAPER,
            "Jain et al. (2013), APL Materials 1, 011002, for crystals of the Materials Project",
        ),
        columns=_MEANINGS,
        tags=("materials-science", "crystals", "synthetic-text"),
    )


def build(arguments: DescriptionArguments) -> None:
    """
    Build the requested shards; the card is written once all shards exist.

    Raises:
        ClacInputError: If an argument or a row is invalid, or Robocrystallographer is not installed. Descriptions are
            kept.
    """
    shards = require_shards(arguments.shard, arguments.num_shards)
    report = build_shards(build_shard, arguments, shards, arguments.executor, arguments.workers)
    directory = Path(arguments.output_dir)
    joined = read_reports(directory, arguments.num_shards)
    if joined is not None:
        write_card(directory, card_text(arguments), joined)
    report.show()
    if joined is None:
        print("the card will be written with the last shard")


if __name__ == "__main__":
    run_script(DescriptionArguments, build)
