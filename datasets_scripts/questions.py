"""
Multiple-choice questions about crystals, for zero-shot classification: statements of which exactly one is true.

    python -m datasets_scripts.questions --output_dir runs/mp-questions

Nothing but the crystal tells the answer. Crystals with different labels are put into blocks of as many as there are
options, and the labels of a block are the options of all its crystals: every statement is then true once and false in
all other questions of its block, so it is true with the same frequency whatever it says.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pymatgen.core import Composition, Element

from datasets_scripts.cards import CardText, write_card
from datasets_scripts.question_kinds import KINDS, Crystal, QuestionKind, composition_label
from datasets_scripts.records import Records, Report, require_shards, shard_bounds, split_of, usable_rows
from datasets_scripts.shards import ShardWriter, build_shards, read_reports, write_report
from modeling_clac.paths import ASSETS
from modeling_clac.structures_clac import ClacInputError, InvalidStructureError, parse_structure
from train.arguments import run_script
from train.provenance import git_commit

_SCHEMA = pa.schema(
    [
        ("question_id", pa.string()),
        ("material_id", pa.string()),
        ("kind", pa.string()),
        ("difficulty", pa.string()),
        ("question", pa.string()),
        ("options", pa.list_(pa.string())),
        ("answer", pa.int32()),
        ("formula", pa.string()),
        ("cif", pa.large_string()),
        ("split", pa.string()),
    ]
)
_MEANINGS = {
    "question_id": "kind and material",
    "kind": "what is asked about",
    "difficulty": "`hard` where all options of a composition differ in one element only, else `usual`",
    "question": "the same for all crystals of a kind",
    "options": "statements, one of them true",
    "answer": "place of the true statement, from 0",
}


@dataclass
class QuestionArguments:
    """Arguments of the questions."""

    output_dir: str = field(metadata={"help": "Directory for the data set and its card."})
    input: str = field(
        default=str(ASSETS / "mp-crystals"), metadata={"help": "Parquet file or directory of crystals and properties."}
    )
    kinds: list[str] = field(
        default_factory=lambda: [kind.name for kind in KINDS], metadata={"help": "What to ask about."}
    )
    limit: int = field(default=0, metadata={"help": "Use the first so many rows only; 0: all."})
    seed: int = field(default=0, metadata={"help": "Seed of blocks, positions, and splits where the input has none."})
    on_error: str = field(default="raise", metadata={"help": "Unusable rows: raise, or skip (they are counted)."})
    shard: int | None = field(default=None, metadata={"help": "Build this shard only, counted from 0."})
    num_shards: int = field(default=1, metadata={"help": "Shards of the data set."})
    executor: str = field(default="local", metadata={"help": "local, or ray."})
    workers: int = field(default=1, metadata={"help": "Processes at once, with local."})

    def __post_init__(self) -> None:
        known = [kind.name for kind in KINDS]
        unknown = [name for name in self.kinds if name not in known]
        if unknown or not self.kinds:
            raise ClacInputError(f"--kinds {' '.join(self.kinds)}: choose from {', '.join(known)}")
        if self.on_error not in ("raise", "skip"):
            raise ClacInputError(f"--on_error {self.on_error}: choose raise or skip")
        if self.limit < 0 or self.workers < 1:
            raise ClacInputError("--limit must not be negative, and --workers at least 1")


def read_crystals(arguments: QuestionArguments, report: Report) -> dict[str, list[tuple[int, Crystal]]]:
    """(row, crystal) of every split; unusable rows are counted in the report, or raise."""
    splits: dict[str, list[tuple[int, Crystal]]] = defaultdict(list)
    records = Records(Path(arguments.input), arguments.limit)
    records.require_unique_ids()
    for row, (where, record) in enumerate(usable_rows(records.rows(), arguments.on_error, report)):
        try:
            structure = parse_structure(record["cif"] or "", str(record["material_id"]))
        except (InvalidStructureError, KeyError) as error:
            reason = "column cif missing" if isinstance(error, KeyError) else str(error)
            if arguments.on_error == "raise":
                raise ClacInputError(f"{where}: {reason}") from None
            report.leave_out(f"{where}: {reason}")
            continue
        counts = Counter(structure.atomic_numbers.tolist())
        composition = Composition({Element.from_Z(number): count for number, count in counts.items()})
        given = record.get("split")
        split = given if given in ("train", "validation", "test") else split_of(record["formula"], arguments.seed)
        splits[split].append((row, Crystal(composition, record)))
    return splits


def blocks(labels: Sequence[str], size: int, generator: random.Random) -> list[list[int]]:
    """
    Disjoint blocks of `size` places with different labels, as many as can be had: the most frequent labels first.

    Returns:
        Places in `labels`; those that fill no block are left out.
    """
    by_label: dict[str, list[int]] = defaultdict(list)
    for place in generator.sample(range(len(labels)), len(labels)):
        by_label[labels[place]].append(place)
    found = []
    while len(by_label) >= size:
        # Equal counts are drawn by lot, so that the same labels do not meet in every block.
        order = sorted(by_label, key=lambda label: (-len(by_label[label]), generator.random()))
        found.append([by_label[label].pop() for label in order[:size]])
        by_label = {label: places for label, places in by_label.items() if places}
    return found


def hard_blocks(crystals: Sequence[Crystal], size: int, generator: random.Random) -> list[list[int]]:
    """Blocks of crystals whose formulas are the same but for one element, such as NaCl, KCl, LiCl and RbCl."""
    groups: dict[tuple, list[int]] = defaultdict(list)
    for place in generator.sample(range(len(crystals)), len(crystals)):
        amounts = crystals[place].composition.reduced_composition.get_el_amt_dict()
        for symbol, amount in amounts.items():
            rest = tuple(sorted((name, number) for name, number in amounts.items() if name != symbol))
            groups[(rest, amount)].append(place)
    taken: set[int] = set()
    found = []
    for key in sorted(groups, key=lambda key: (-len(groups[key]), str(key))):
        free = [place for place in groups[key] if place not in taken]
        for block in blocks([composition_label(crystals[place]) for place in free], size, generator):
            found.append([free[place] for place in block])
            taken.update(found[-1])
    return found


def ask(kind: QuestionKind, crystals: Sequence[Crystal], seed: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """(place of the crystal, question) of one kind and split."""
    generator = random.Random(f"{seed} {kind.name}")
    labels = [kind.label(crystal) for crystal in crystals]
    known = [place for place, label in enumerate(labels) if label is not None]
    if kind.labels:
        for place in known:
            yield place, _question(kind, crystals[place], str(labels[place]), kind.labels, "usual", seed)
        return
    found = [("hard", block) for block in _hard(kind, crystals, generator)]
    taken = {place for _, block in found for place in block}
    rest = [place for place in known if place not in taken]
    usual = blocks([str(labels[place]) for place in rest], kind.options, generator)
    found += [("usual", [rest[place] for place in block]) for block in usual]
    for difficulty, block in found:
        options = [str(labels[place]) for place in block]
        for place in block:
            yield place, _question(kind, crystals[place], str(labels[place]), options, difficulty, seed)


def _hard(kind: QuestionKind, crystals: Sequence[Crystal], generator: random.Random) -> list[list[int]]:
    return hard_blocks(crystals, kind.options, generator) if kind.name == "composition" else []


def _question(
    kind: QuestionKind, crystal: Crystal, label: str, options: Sequence[str], difficulty: str, seed: int
) -> dict[str, Any]:
    identity = f"{kind.name}-{crystal.record['material_id']}"
    shuffled = random.Random(f"{seed} {identity}").sample(list(options), len(options))
    return {
        "question_id": identity,
        "material_id": crystal.record["material_id"],
        "kind": kind.name,
        "difficulty": difficulty,
        "question": kind.question,
        "options": [kind.statement(option) for option in shuffled],
        "answer": shuffled.index(label),
        "formula": composition_label(crystal),
        "cif": crystal.record["cif"],
    }


def build_shard(arguments: QuestionArguments, shard: int) -> Report:
    """Writes one shard. The blocks are those of the whole data set, so every shard forms all of them first."""
    read = Report()
    splits = read_crystals(arguments, read)
    report = read if shard == 0 else Report()
    directory = Path(arguments.output_dir)
    with ShardWriter(directory, shard, arguments.num_shards, _SCHEMA) as writer:
        for split, entries in splits.items():
            crystals = [crystal for _, crystal in entries]
            rows = []
            for kind in KINDS:
                if kind.name in arguments.kinds:
                    asked = sorted(ask(kind, crystals, arguments.seed), key=lambda entry: entry[0])
                    rows += [{**question, "split": split} for _, question in asked]
            bounds = shard_bounds(len(rows), arguments.num_shards)
            for row in rows[bounds[shard] : bounds[shard + 1]]:
                report.count(split)
                report.count(f"{row['kind']}, {row['difficulty']}")
                if row["kind"] == "crystal_system":
                    report.count(f"crystal_system, answer: {row['options'][row['answer']]}")
                writer.add(split, row)
    write_report(directory, shard, arguments.num_shards, report)
    return report


def baselines(report: Report) -> str:
    """Chance of each kind, and what always naming the commonest class of a closed set scores, as a table."""
    lines = ["| kind | options | chance | always the commonest answer |", "|---|---:|---:|---:|"]
    for kind in KINDS:
        total = sum(report.counts.get(f"{kind.name}, {difficulty}", 0) for difficulty in ("hard", "usual"))
        if not total:
            continue
        most = max((n for name, n in report.counts.items() if name.startswith(f"{kind.name}, answer")), default=None)
        commonest = 1 / kind.options if most is None else most / total
        lines.append(f"| {kind.name} | {kind.options} | {1 / kind.options:.3f} | {commonest:.3f} |")
    return "\n".join(lines)


def card_text(arguments: QuestionArguments, report: Report) -> CardText:
    """The words of the card."""
    return CardText(
        title="Questions about crystals",
        summary=(
            "Multiple-choice questions about inorganic crystals for zero-shot classification. The truth comes from the "
            "structure and its computed properties; the options of a question are the truths of other real crystals. "
            "Where options are drawn, every statement is true in the same share of the questions that offer it, so the "
            "text alone tells nothing. The seven crystal systems are always all offered, and their base rates do tell: "
            "report macro accuracy (the mean over the systems) beside accuracy.\n\n" + baselines(report)
        ),
        provenance=(
            f"`datasets_scripts.questions`, seed {arguments.seed}, commit `{git_commit() or 'unknown'}`. Splits share "
            "no formula, and options come from crystals of the same split."
        ),
        limits=(
            "Properties are those of density functional theory; gaps are too small as a rule. Crystals whose label "
            "fits no balanced block are not asked about."
        ),
        citations=("Jain et al. (2013), APL Materials 1, 011002, for crystals of the Materials Project",),
        columns=_MEANINGS,
        tags=("materials-science", "crystals", "multiple-choice"),
    )


def build(arguments: QuestionArguments) -> None:
    """
    Builds the shards asked for; the card is written when all of them are there.

    Raises:
        ClacInputError: an argument or a row is unusable, or no question can be asked.
    """
    shards = require_shards(arguments.shard, arguments.num_shards)
    build_shards(build_shard, arguments, shards, arguments.executor, arguments.workers)
    directory = Path(arguments.output_dir)
    report = read_reports(directory, arguments.num_shards)
    if report is None:
        print("the card is written with the last shard")
        return
    if not any(directory.glob("*.parquet")):
        raise ClacInputError(f"{arguments.input}: too few different crystals for a question; nothing is written")
    write_card(directory, card_text(arguments, report), report)
    for name, number in report.counts.items():
        print(f"{name}: {number:,}")
    for reason in report.left_out:
        print(f"left out: {reason}")


if __name__ == "__main__":
    run_script(QuestionArguments, build)
