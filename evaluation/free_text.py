"""
Precision of search phrases whose correct answers follow from properties.

    python -m evaluation.free_text --model DIR --queries evaluation/queries/development.yaml --split validation
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from evaluation.metrics.intervals import mean_interval
from evaluation.metrics.precision import precision_at_k
from evaluation.retrieval import describe_model, read_split
from modeling_clac.concepts.elements import NONMETALS
from modeling_clac.concepts.symmetry import POLAR
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.structures_clac import parse_structure
from modeling_clac.utils.arguments import read_yaml, run_script
from modeling_clac.utils.atomic_files import write_json
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import provenance
from train.pretraining.vocabulary_texts import with_facts


@dataclass
class FreeTextArguments:
    """Arguments of the evaluation of search phrases."""

    queries: str = field(metadata={"help": "YAML file of phrases and conditions."})
    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    split: str = field(default="validation", metadata={"help": "Split to search."})
    data: str | None = field(default=None, metadata={"help": "Directory with {split}.parquet. Default: bundled."})
    seed: int = field(default=0, metadata={"help": "Seed of the bootstrap."})
    output: str | None = field(default=None, metadata={"help": "FILE.json for the result."})


@dataclass(frozen=True)
class Phrase:
    """
    A search phrase and the conditions that a correct answer must meet.

    Attributes:
        text: The phrase as a user types it.
        elements: Elements that must all be present.
        any: Elements of which at least one must be present.
        nonmetals: The only nonmetals that may be present. Default: any.
        num_elements: Smallest and largest number of elements.
        crystal_system: Name of the crystal system.
        polar: Whether the space group must be polar.
        structure_types: Ids of structure types of which the crystal must have one.
        ranges: Column -> (smallest, largest) value, `None` for an open end. Crystals without a value are excluded from
            the search, because whether they are correct is unknown.
    """

    text: str
    elements: Sequence[str] = ()
    any: Sequence[str] = ()
    nonmetals: Sequence[str] | None = None
    num_elements: Sequence[int] | None = None
    crystal_system: str | None = None
    polar: bool = False
    structure_types: Sequence[str] = ()
    ranges: Mapping[str, Sequence[float | None]] = field(default_factory=dict)

    def is_decided(self, record: Mapping[str, Any]) -> bool:
        """Return whether all that the phrase asks for is known of the record."""
        if self.structure_types and record.get("structure_types") is None:
            return False
        return all(record.get(column) is not None for column in self.ranges)

    def is_right(self, record: Mapping[str, Any]) -> bool:
        """Return whether the record meets all conditions."""
        elements = set(record["elements"])
        if not set(self.elements) <= elements or (self.any and not elements & set(self.any)):
            return False
        if self.nonmetals is not None and not (elements & NONMETALS) <= set(self.nonmetals):
            return False
        if self.num_elements is not None and not self.num_elements[0] <= len(elements) <= self.num_elements[1]:
            return False
        if self.crystal_system is not None and record["crystal_system"] != self.crystal_system:
            return False
        if self.polar and record["space_group_number"] not in POLAR:
            return False
        if self.structure_types and not set(self.structure_types) & set(record["structure_types"]):
            return False
        return all(
            (low is None or record[column] >= low) and (high is None or record[column] <= high)
            for column, (low, high) in self.ranges.items()
        )


def read_phrases(path: Path) -> list[Phrase]:
    """
    Read search phrases from a YAML file.

    Raises:
        ClacInputError: If the file is missing, is not YAML, or contains an invalid entry.
    """
    entries = read_yaml(path)
    if not isinstance(entries, list) or not entries:
        raise ClacInputError(f"{path}: expected a list of phrases, each with `text` and conditions")
    known = {entry.name for entry in fields(Phrase)}
    for place, entry in enumerate(entries, start=1):
        unknown = set(entry) - known if isinstance(entry, dict) else set()
        if not isinstance(entry, dict) or unknown or not isinstance(entry.get("text"), str):
            detail = f"unknown key {', '.join(sorted(map(str, unknown)))}" if unknown else "missing `text`"
            raise ClacInputError(f"{path}: entry {place}: {detail}; known keys: {', '.join(sorted(known))}")
    return [Phrase(**entry) for entry in entries]


def read_crystals(data: Path, split: str) -> list[dict[str, Any]]:
    """
    Read the rows of a split, see `evaluation.retrieval.read_split`, and add the facts that phrases ask for.

    Args:
        data: Directory or parquet file.
        split: Name of the split.

    Raises:
        ClacInputError: If the data are invalid.
    """
    records = read_split(data, split)
    crystals = [parse_structure(record["cif"], str(record["material_id"])) for record in records]
    return with_facts(records, crystals, show_progress=False)


def evaluate_phrases(
    embedder: Any, records: Sequence[Mapping[str, Any]], phrases: Sequence[Phrase], seed: int = 0
) -> dict[str, Any]:
    """
    Search for each phrase among the crystals that have values for its properties.

    Args:
        embedder: A [`ClacEmbedder`], or an object with the same `encode_crystals` and `encode_text`.
        records: Crystals with `cif`, `material_id`, `elements`, properties and facts, see [`read_crystals`].
        phrases: Search phrases.
        seed: Seed of the bootstrap.

    Returns:
        `precision_at_10`, `possible` and `chance`, averaged over the phrases that have a correct answer;
        `share_of_possible`, the mean ratio of precision to possible precision, with its 95 % bootstrap `interval` over
        phrases; and `phrases`, one entry for each with the number of correct answers (`right`) and of crystals
        `searched`.

    Raises:
        ClacInputError: If no phrase has a correct answer among the records.
    """
    names = [str(record["material_id"]) for record in records]
    crystals = embedder.encode_crystals([record["cif"] for record in records], names=names)
    scores = embedder.encode_text([phrase.text for phrase in phrases]) @ crystals.T
    entries: list[dict[str, Any]] = []
    for phrase, row in zip(phrases, scores, strict=True):
        searched = np.array([phrase.is_decided(record) for record in records])
        decided = [record for record, take in zip(records, searched, strict=True) if take]
        right = np.array([phrase.is_right(record) for record in decided], dtype=bool)
        if not right.any():
            entries.append({"text": phrase.text, "right": 0, "searched": len(decided)})
            continue
        precision, possible, chance = precision_at_k(row[searched], right)
        entry = {"text": phrase.text, "right": int(right.sum()), "searched": len(decided)}
        entries.append(entry | {"precision_at_10": precision, "possible": possible, "chance": chance})
    answered = [entry for entry in entries if entry["right"]]
    if not answered:
        raise ClacInputError("none of the phrases has a correct answer among these crystals")
    shares = np.array([entry["precision_at_10"] / entry["possible"] for entry in answered])
    means = {
        name: float(np.mean([entry[name] for entry in answered])) for name in ("precision_at_10", "possible", "chance")
    }
    interval = mean_interval(shares, seed=seed)
    return {**means, "share_of_possible": float(shares.mean()), "interval": interval, "phrases": entries}


def print_phrases(result: Mapping[str, Any]) -> None:
    """Print the scores of the phrases, worst first, and the means."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("phrase", "precision@10", "possible", "chance", "right", "searched"):
        table.add_column(name, justify="left" if name == "phrase" else "right")
    answered = [entry for entry in result["phrases"] if entry["right"]]
    for entry in sorted(answered, key=lambda e: e["precision_at_10"] / e["possible"]):
        cells = [f"{entry[name]:.2f}" for name in ("precision_at_10", "possible", "chance")]
        table.add_row(entry["text"], *cells, str(entry["right"]), str(entry["searched"]))
    console = Console()
    console.print(table)
    low, high = result["interval"]
    without = len(result["phrases"]) - len(answered)
    console.print(
        f"{len(answered)} phrases ({without} without a correct answer excluded): precision@10 "
        f"{result['precision_at_10']:.3f}, possible {result['possible']:.3f}, chance {result['chance']:.3f}; share of "
        f"possible {result['share_of_possible']:.3f} [{low:.3f}, {high:.3f}]"
    )


def phrases_row(name: str, result: Mapping[str, Any]) -> str:
    """Format the means as a row of the table in the README."""
    low, high = result["interval"]
    cells = [name, result["split"], str(sum(bool(entry["right"]) for entry in result["phrases"]))]
    cells += [f"{result[column]:.3f}" for column in ("precision_at_10", "possible", "chance")]
    return "| " + " | ".join([*cells, f"{result['share_of_possible']:.3f} [{low:.3f}, {high:.3f}]"]) + " |"


def run(arguments: FreeTextArguments) -> dict[str, Any]:
    """
    Evaluate the phrases, print the scores, and write them to `--output` if given.

    Raises:
        ClacInputError: If an argument, the phrases, the data or the model is invalid. Nothing is written in that case.
    """
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")
    checkpoint = resolve_checkpoint(arguments.model)
    phrases = read_phrases(Path(arguments.queries))
    records = read_crystals(Path(arguments.data or ASSETS / "mp-crystals"), arguments.split)
    embedder = ClacEmbedder.from_pretrained(checkpoint)
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "split": arguments.split,
        **evaluate_phrases(embedder, records, phrases, arguments.seed),
        "command": shlex.join(["python", "-m", "evaluation.free_text", *sys.argv[1:]]),
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print_phrases(result)
    if arguments.output is not None:
        write_json(result, Path(arguments.output))
    return result


if __name__ == "__main__":
    run_script(FreeTextArguments, run)
