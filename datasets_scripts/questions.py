"""
Build multiple-choice questions about crystals that cannot be answered from the text alone.

    python -m datasets_scripts.questions --output_dir runs/mp-questions

The correct answers are computed from structure and record. Each question has one true statement; the others are true of
other crystals of the same split. `datasets_scripts.multiple_choice.drawing` describes how they are drawn, so that every
statement is correct as often as expected by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from datasets_scripts.common.cards import CardText, write_card
from datasets_scripts.common.records import Records, Report, require_shards, shard_bounds, usable_rows
from datasets_scripts.common.shards import ShardWriter, build_shards, read_reports, write_report
from datasets_scripts.multiple_choice.baselines import Baseline, baselines, baselines_table
from datasets_scripts.multiple_choice.concept_classes import structure_record, with_concepts
from datasets_scripts.multiple_choice.drawing import KINDS, Question, draw_questions
from datasets_scripts.multiple_choice.facts import Facts, facts_of, found_space_group
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.errors_clac import ClacInputError, check_on_error
from modeling_clac.utils.arguments import require_at_least, require_positive, run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import git_commit

SCHEMA = pa.schema(
    {
        "question_id": pa.string(),
        "material_id": pa.string(),
        "kind": pa.string(),
        "difficulty": pa.string(),
        "question": pa.string(),
        "options": pa.list_(pa.string()),
        "answer": pa.int32(),
        "formula": pa.string(),
        "cif": pa.large_string(),
        "split": pa.string(),
    }
)
_MEANINGS = {
    "question_id": "material_id, kind and difficulty",
    "kind": "kind of question",
    "difficulty": "`easy` or `hard`; hard: wrong compositions differ in one element, wrong space groups belong to the "
    "same crystal system",
    "question": "the question with the bounds of its classes",
    "options": "statements of the same form in random order; exactly one is true",
    "answer": "index of the true statement in `options`, from 0",
    "formula": "reduced formula; do not show it with the question",
}


@dataclass
class QuestionArguments:
    """Arguments of the questions."""

    output_dir: str = field(metadata={"help": "Directory for the data set and its card."})
    input: str = field(
        default=str(ASSETS / "mp-crystals"),
        metadata={"help": "Parquet file or directory with crystals and properties."},
    )
    limit: int = field(default=0, metadata={"help": "Use only the first N rows. 0: all rows."})
    seed: int = field(default=0, metadata={"help": "Seed of the options, and of the splits if the input has none."})
    window: int = field(
        default=16384, metadata={"help": "Number of rows in memory; wrong options are drawn from the same window."}
    )
    symprec: float = field(
        default=0.0,
        metadata={
            "help": "Ask about symmetry only if moyopy finds the recorded space group with this tolerance in Å. "
            "0: do not check."
        },
    )
    on_error: str = field(
        default="raise", metadata={"help": "What to do about invalid rows: raise, or skip and count them."}
    )

    shard: int | None = field(default=None, metadata={"help": "Build only this shard, counted from 0."})
    num_shards: int = field(
        default=1, metadata={"help": "Number of shards of the data set; it does not change the questions."}
    )
    executor: str = field(default="local", metadata={"help": "local, or ray."})
    workers: int = field(default=1, metadata={"help": "Number of parallel processes with local."})

    def __post_init__(self) -> None:
        check_on_error(self.on_error, ("raise", "skip"))
        require_positive(self, "window", "workers")
        require_at_least(self, 0, "limit", "symprec")


def build_shard(arguments: QuestionArguments, shard: int) -> Report:
    """Write the questions about the crystals of one shard and the report of the shard."""
    records = Records(Path(arguments.input), arguments.limit)
    bounds = shard_bounds(records.num_rows, arguments.num_shards)
    own = range(bounds[shard], bounds[shard + 1])
    directory, report = Path(arguments.output_dir), Report()
    with ShardWriter(directory, shard, arguments.num_shards, SCHEMA) as writer:
        for place, crystals in _windows(records, own, arguments, report):
            questions = draw_questions([facts for _, facts in crystals], f"{arguments.seed}|{place}")
            for (number, facts), own_questions in zip(crystals, questions, strict=True):
                if number in own:
                    for question in own_questions:
                        report.count(f"{question.kind}, {question.difficulty}")
                        writer.add(facts.split, _row(facts, question))
    write_report(directory, shard, arguments.num_shards, report)
    return report


def _windows(
    records: Records, own: range, arguments: QuestionArguments, report: Report
) -> Iterator[tuple[int, list[tuple[int, Facts]]]]:
    """
    Iterate over the windows that contain rows of `own`.

    Windows do not depend on the shards, and a block of questions may span several shards. Therefore the number of
    shards does not change the questions. Only rows of `own` are counted.

    Yields:
        Number of the window, and the row number and facts of each of its usable rows.
    """
    if not own:
        return
    size, vocabulary = arguments.window, load_vocabulary()
    first = own.start // size * size
    rows = records.rows(first, -(-own.stop // size) * size)
    for start in range(first, own.stop, size):
        numbers: list[int] = []
        crystals: list[Facts] = []
        columns: list[dict[str, Any]] = []
        for number, row in enumerate(islice(rows, size), start):
            counted = report if number in own else Report()
            for where, record in usable_rows(iter((row,)), arguments.on_error, counted):
                try:
                    facts, structure = _facts(where, record, arguments, counted)
                except ClacInputError as error:
                    if arguments.on_error == "raise":
                        raise
                    counted.leave_out(str(error))
                    continue
                numbers.append(number)
                crystals.append(facts)
                columns.append(structure)
        yield start // size, list(zip(numbers, with_concepts(crystals, columns, vocabulary), strict=True))


def _facts(
    where: str, record: dict[str, Any], arguments: QuestionArguments, report: Report
) -> tuple[Facts, dict[str, Any]]:
    """Return the facts of a row and the columns that the classes of the vocabulary depend on."""
    facts, crystal = facts_of(where, record, arguments.seed)
    group = record.get("space_group_number")
    claimed = facts.truths.get("space_group") if arguments.symprec else None
    if claimed is not None and found_space_group(crystal, arguments.symprec) != claimed:
        report.count("space group not confirmed")
        unconfirmed, group = ("space_group", "crystal_system"), None
        facts = replace(facts, truths={kind: own for kind, own in facts.truths.items() if kind not in unconfirmed})
    return facts, structure_record(facts, crystal, group)


def _row(facts: Facts, question: Question) -> dict[str, Any]:
    return {
        "question_id": f"{facts.material_id}-{question.kind}-{question.difficulty}",
        "material_id": facts.material_id,
        "kind": question.kind,
        "difficulty": question.difficulty,
        "question": KINDS[question.kind].text,
        "options": question.options,
        "answer": question.answer,
        "formula": facts.formula,
        "cif": facts.cif,
        "split": facts.split,
    }


def card_text(arguments: QuestionArguments, found: Sequence[Baseline]) -> CardText:
    """Return the parts of the card that cannot be read from the files, including the baselines."""
    checked = (
        "Questions about symmetry are asked only if moyopy finds the recorded space group with a tolerance of "
        f"{arguments.symprec:g} Å. "
        if arguments.symprec
        else ""
    )
    return CardText(
        title="Questions about crystals",
        language="en",
        summary=(
            "Multiple-choice questions on inorganic crystals. The options are statements with the same wording, in "
            "random order. Exactly one is true; the others are true for other crystals of the same split."
        ),
        details=_details(found),
        provenance=(
            f"`datasets_scripts.questions`, seed {arguments.seed}, windows of {arguments.window:,} rows, commit "
            f"`{git_commit() or 'unknown'}`. Compositions, oxides, anions and densities come from the atoms of `cif`, "
            "which must agree with the formula of the record. Symmetry, band gap, stability and bulk modulus come from "
            "the record. Oxyanions, structure types and layers are concepts of the vocabulary of CLaC, tested on "
            "coordination and symmetry; crystals of several or undecided classes have no such question. "
            f"{checked}Splits share no formula."
        ),
        limits=(
            "Class boundaries are conventions. Band gaps, energies above the hull and moduli come from density "
            "functional theory; semi-local gaps are too small. Symmetry depends on the tolerance of its determination."
        ),
        citations=("Jain et al. (2013), APL Materials 1, 011002, for crystals of the Materials Project",),
        columns=_MEANINGS,
        tags=("materials-science", "crystals", "multiple-choice"),
    )


def _details(found: Sequence[Baseline]) -> str:
    without = ", ".join(f"`{one.kind}` ({one.difficulty})" for one in found if not one.counts)
    missing = f"The crystals have too few classes for these questions: {without}.\n\n" if without else ""
    return f"""## Without a crystal

Crystals of different classes form blocks of as many crystals as a question has options. The questions of a block have
the same options, each of which is right for one of the crystals. Every statement is therefore right as often as by
chance, and no rule based on the words alone beats chance. The exception is `crystal_system`: its options are always all
seven, and common systems are right more often. Compare with the majority there, and also report the macro accuracy, the
mean over the systems.

Accuracy without the crystal: by chance (with the standard error for this number of questions), by choosing the
statement that is right most often, and with a naive Bayes classifier of the options:

{baselines_table(found)}

{missing}Majority and classifier learn from `train` and are scored on `test`, or on all rows if one of the two is
missing. `macro` is the macro accuracy of the majority. Do not train on some questions of a split and test on others
from the same split: within a block, each option is right only once."""


def build(arguments: QuestionArguments) -> None:
    """
    Build the requested shards; the card is written once all shards exist.

    Raises:
        ClacInputError: If an argument or a row is invalid, or there are too few crystals for any question.
    """
    shards = require_shards(arguments.shard, arguments.num_shards)
    records = Records(Path(arguments.input), arguments.limit)
    records.require_columns("cif")
    records.require_disjoint_splits(arguments.seed)
    report = build_shards(build_shard, arguments, shards, arguments.executor, arguments.workers)
    report.show()
    directory = Path(arguments.output_dir)
    joined = read_reports(directory, arguments.num_shards)
    if joined is None:
        print("the card will be written with the last shard")
        return
    found = baselines(directory)
    if not any(one.counts for one in found):
        raise ClacInputError(f"{arguments.input}: too few crystals in each split for any question; add crystals")
    write_card(directory, card_text(arguments, found), joined)
    print(baselines_table(found))


if __name__ == "__main__":
    run_script(QuestionArguments, build)
