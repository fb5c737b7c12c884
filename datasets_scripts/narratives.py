"""
Build crystal-text pairs from computed properties, with a language model in two steps or the offline narrator.

    python -m datasets_scripts.narratives --backend narrator --output_dir runs/mp-narratives
    python -m datasets_scripts.narratives --backend openai --model gpt-4o-mini --output_dir runs/narratives

As in the paper (arXiv 2502.16451), a model first describes each material and then names its applications. The prompts
are our own, and every text is checked against its record.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_scripts.common.cards import PAPER, CardText, write_card
from datasets_scripts.common.records import Records, Report, require_shards, shard_bounds, split_of_record, usable_rows
from datasets_scripts.common.shards import ShardWriter, build_shards, read_reports, write_report
from datasets_scripts.llm.arguments import NarrativeArguments
from datasets_scripts.llm.check_text import text_problems
from datasets_scripts.llm.generation import STEPS, Outcome, TextGenerator, prompt_hashes
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.narrator.applications import with_uses
from modeling_clac.narrator.narratives import narrate
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.provenance import git_commit

REJECTED = "rejected"
# Records whose uses are evaluated at once.
_CHUNK = 512
_TEXT_COLUMNS: dict[str, pa.DataType] = {
    "text": pa.string(),
    "description": pa.string(),
    "applications": pa.string(),
    "model": pa.string(),
    "prompt_hash": pa.string(),
    "attempts": pa.int32(),
    "prompt_tokens": pa.int64(),
    "completion_tokens": pa.int64(),
    "finish_reason": pa.string(),
    "rejected_because": pa.string(),
    "split": pa.string(),
}
_MEANINGS = {
    "text": "the narrative: description and applications",
    "description": "first step: the facts of the record in sentences",
    "applications": "second step: areas of application and the reasons for them",
    "model": "the model that wrote the text, or `narrator`",
    "prompt_hash": "hashes of the two prompt files, joined by `-`; empty for the narrator",
    "attempts": "number of responses in both steps, including rejected ones",
    "prompt_tokens": "billed prompt tokens of all attempts",
    "completion_tokens": "billed completion tokens of all attempts",
    "finish_reason": "why the model stopped in the last step",
    "rejected_because": "problems of a text in the split `rejected`",
}


def _schema(records: Records) -> pa.Schema:
    """Return the columns of the input followed by those of the texts."""
    own = pq.ParquetFile(records.files[0]).schema_arrow.remove_metadata()
    kept = [entry for entry in own if entry.name not in _TEXT_COLUMNS]
    return pa.schema([*kept, *(pa.field(name, kind) for name, kind in _TEXT_COLUMNS.items())])


def build_shard(arguments: NarrativeArguments, shard: int) -> Report:
    """Write the files and the report of one shard."""
    records = Records(Path(arguments.input), arguments.limit)
    bounds = shard_bounds(records.num_rows, arguments.num_shards)
    report = Report()
    rows = usable_rows(records.rows(bounds[shard], bounds[shard + 1]), arguments.on_error, report)
    directory = Path(arguments.output_dir)
    with ShardWriter(directory, shard, arguments.num_shards, _schema(records)) as writer:
        written = (
            _narrated(rows, arguments, report)
            if arguments.backend == "narrator"
            else _generated(rows, arguments, shard, report)
        )
        for row in written:
            report.count(row["split"])
            writer.add(row["split"], row)
    write_report(directory, shard, arguments.num_shards, report)
    return report


def _with_uses(
    rows: Iterator[tuple[str, dict[str, Any]]],
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Add the uses of the records, many at once."""
    while chunk := list(islice(rows, _CHUNK)):
        records = [record for _, record in chunk]
        try:
            complete = with_uses(records)
        except ValueError:  # an invalid number, which is reported with its row
            complete = records
        yield from ((where, record, own) for (where, record), own in zip(chunk, complete, strict=True))


def _narrated(
    rows: Iterator[tuple[str, dict[str, Any]]], arguments: NarrativeArguments, report: Report
) -> Iterator[dict[str, Any]]:
    for where, record, complete in _with_uses(rows):
        try:
            text = narrate(complete, seed=(arguments.seed, record["material_id"]))
        except ValueError as error:
            if arguments.on_error == "raise":
                raise ClacInputError(f"{where}: {error}") from None
            report.leave_out(f"{where}: {error}")
            continue
        problems = text_problems(text, record)
        yield {
            **_of_record(record, arguments.seed),
            "text": text,
            "model": "narrator",
            "attempts": 1,
            **({"rejected_because": "; ".join(problems), "split": REJECTED} if problems else {}),
        }


def _generated(
    rows: Iterator[tuple[str, dict[str, Any]]], arguments: NarrativeArguments, shard: int, report: Report
) -> Iterator[dict[str, Any]]:
    with TextGenerator(arguments, shard) as generator:
        for record, outcome in generator.run(list(rows)):
            yield {**_of_record(record, arguments.seed), **_of_outcome(outcome, arguments.model)}
        for name, number in generator.counts().items():
            report.count(name, number)


def _of_record(record: dict[str, Any], seed: int) -> dict[str, Any]:
    return {**record, "split": split_of_record(record, seed)}


def _of_outcome(outcome: Outcome, model: str) -> dict[str, Any]:
    parts = [outcome.texts.get(step) for step in STEPS]
    row = {
        "text": " ".join(part for part in parts if part),
        "description": parts[0],
        "applications": parts[1],
        "model": model,
        "prompt_hash": "-".join(prompt_hashes().values()),
        "attempts": outcome.attempts,
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
        "finish_reason": outcome.finish_reason,
    }
    return {**row, "rejected_because": "; ".join(outcome.problems), "split": REJECTED} if outcome.problems else row


def card_text(arguments: NarrativeArguments) -> CardText:
    """Return the parts of the card that cannot be read from the files."""
    by_model = arguments.backend == "openai"
    writer = (
        f"the language model `{arguments.model}`" if by_model else "the offline narrator of the package `clac-crystals`"
    )
    checked = (
        "Every text was checked against its record: the formula is present, every number is in the record, and there "
        "is no other space group, crystal system or formula. Texts that failed the check in the last attempt are in "
        "the split `rejected`, with the reason."
    )
    return CardText(
        title="Narratives of crystals",
        language="en",
        summary=f"Inorganic crystals with computed properties, each with a text written by {writer}. {checked}",
        provenance=(
            f"`datasets_scripts.narratives --backend {arguments.backend}`, seed {arguments.seed}, commit "
            f"`{git_commit() or 'unknown'}`. Splits share no formula."
        ),
        limits=(
            "The texts state the properties in the records and the uses that these make plausible. They are not based "
            "on papers or experiments. Values come from density functional theory."
        ),
        citations=(
            PAPER,
            "Jain et al. (2013), APL Materials 1, 011002, for crystals of the Materials Project",
        ),
        columns=_MEANINGS,
        tags=("materials-science", "crystals", "synthetic-text"),
    )


def build(arguments: NarrativeArguments) -> None:
    """
    Build the requested shards; the card is written once all shards exist.

    Raises:
        ClacInputError: If an argument or a row is invalid, the budget is spent, or a request fails. Responses are kept.
    """
    shards = require_shards(arguments.shard, arguments.num_shards)
    records = Records(Path(arguments.input), arguments.limit)
    if arguments.batch_export or arguments.batch_import:
        from datasets_scripts.llm.generation import exchange_batch

        if exchange_batch(arguments, records, shards):
            return
    report = build_shards(build_shard, arguments, shards, arguments.executor, arguments.workers)
    directory = Path(arguments.output_dir)
    joined = read_reports(directory, arguments.num_shards)
    if joined is not None:
        write_card(directory, card_text(arguments), joined)
    report.show()
    if joined is None:
        print("the card will be written with the last shard")


if __name__ == "__main__":
    run_script(NarrativeArguments, build)
