"""
Crystal-text pairs written from computed properties, by a language model in two steps or by the offline narrator.

    python -m datasets_scripts.narratives --backend narrator --output_dir runs/mp-narratives
    python -m datasets_scripts.narratives --backend openai --model gpt-4o-mini --output_dir runs/narratives

The paper (arXiv 2502.16451) has a model describe each material and then name its applications; so does this, in our own
prompts, and every text is checked against its record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_scripts.common.cards import CardText, write_card
from datasets_scripts.common.records import Records, Report, require_shards, shard_bounds, split_of_record, usable_rows
from datasets_scripts.common.shards import ShardWriter, build_shards, read_reports, write_report
from datasets_scripts.llm.check_text import text_problems
from datasets_scripts.llm.generation import STEPS, Dialogue, Outcome, prompt_hashes
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.narrator.narratives import narrate
from modeling_clac.utils.arguments import run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import git_commit

BACKENDS = ("openai", "narrator")
REJECTED = "rejected"
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
    "applications": "second step: areas of application with their reasons",
    "model": "who wrote the text",
    "prompt_hash": "hashes of the two prompt files, joined by `-`; empty for the narrator",
    "attempts": "answers asked for until one passed, both steps",
    "prompt_tokens": "billed, all attempts",
    "completion_tokens": "billed, all attempts",
    "finish_reason": "why the model stopped, in the last step",
    "rejected_because": "what is wrong with a text of the split `rejected`",
}


@dataclass
class NarrativeArguments:
    """Arguments of the narratives."""

    output_dir: str = field(metadata={"help": "Directory for the data set, its card and the journal."})
    backend: str = field(default="narrator", metadata={"help": "narrator (offline), or openai for any such server."})
    input: str = field(
        default=str(ASSETS / "mp-crystals"), metadata={"help": "Parquet file or directory of crystals and properties."}
    )
    limit: int = field(default=0, metadata={"help": "Use the first so many rows only; 0: all."})
    seed: int = field(default=0, metadata={"help": "Seed of wording, sampling, and splits where the input has none."})
    on_error: str = field(default="raise", metadata={"help": "Unusable rows: raise, or skip (they are counted)."})

    model: str = field(default="gpt-4o-mini", metadata={"help": "Model of the openai back end."})
    base_url: str | None = field(default=None, metadata={"help": "Server; default OpenAI's. vLLM, Ollama, TGI alike."})
    api_key_variable: str = field(
        default="OPENAI_API_KEY",
        metadata={"help": "Environment variable that holds the key; a local server needs none."},
    )
    concurrency: int = field(default=16, metadata={"help": "Questions in flight."})
    retries: int = field(default=8, metadata={"help": "Times a failed question is sent again."})
    timeout: float = field(default=120.0, metadata={"help": "Seconds to wait for an answer."})
    max_reasks: int = field(default=2, metadata={"help": "Times a text that fails its check is asked for again."})
    max_completion_tokens: int = field(default=512, metadata={"help": "Longest answer."})
    temperature: float | None = field(default=None, metadata={"help": "Of sampling; default the server's."})
    budget_tokens: int | None = field(default=None, metadata={"help": "Stop before more tokens than this are spent."})
    budget_cost: float | None = field(default=None, metadata={"help": "Stop before more than this is spent."})
    price_input: float = field(default=0.0, metadata={"help": "Of a million prompt tokens, for budget_cost."})
    price_output: float = field(default=0.0, metadata={"help": "Of a million completion tokens, for budget_cost."})
    batch_export: str | None = field(
        default=None, metadata={"help": "Write the questions that are open as a file for the batch API, and stop."}
    )
    batch_import: str | None = field(default=None, metadata={"help": "First take the answers of such a batch."})

    shard: int | None = field(default=None, metadata={"help": "Build this shard only, counted from 0."})
    num_shards: int = field(default=1, metadata={"help": "Shards of the data set."})
    executor: str = field(default="local", metadata={"help": "local, or ray."})
    workers: int = field(default=1, metadata={"help": "Processes at once, with local."})

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ClacInputError(f"--backend {self.backend}: choose one of {', '.join(BACKENDS)}")
        if self.on_error not in ("raise", "skip"):
            raise ClacInputError(f"--on_error {self.on_error}: choose raise or skip")
        for name in ("concurrency", "max_completion_tokens", "workers", "timeout"):
            if getattr(self, name) <= 0:
                raise ClacInputError(f"--{name} {getattr(self, name)}: must be positive")
        for name in ("limit", "retries", "max_reasks", "price_input", "price_output"):
            if getattr(self, name) < 0:
                raise ClacInputError(f"--{name} {getattr(self, name)}: must not be negative")
        if self.budget_cost is not None and not self.price_input + self.price_output:
            raise ClacInputError("--budget_cost needs --price_input and --price_output, of a million tokens each")
        if self.backend == "narrator" and (self.batch_export or self.batch_import):
            raise ClacInputError("--batch_export and --batch_import belong to --backend openai")


def _schema(records: Records) -> pa.Schema:
    """The columns of the input, then those of the texts."""
    own = pq.ParquetFile(records.files[0]).schema_arrow.remove_metadata()
    kept = [entry for entry in own if entry.name not in _TEXT_COLUMNS]
    return pa.schema([*kept, *(pa.field(name, kind) for name, kind in _TEXT_COLUMNS.items())])


def build_shard(arguments: NarrativeArguments, shard: int) -> Report:
    """Writes the files of one shard, and the report of it."""
    records = Records(Path(arguments.input), arguments.limit)
    bounds = shard_bounds(records.num_rows, arguments.num_shards)
    report = Report()
    rows = usable_rows(records.rows(bounds[shard], bounds[shard + 1]), arguments.on_error, report)
    directory = Path(arguments.output_dir)
    with ShardWriter(directory, shard, arguments.num_shards, _schema(records)) as writer:
        written = (
            _narrated(rows, arguments, report)
            if arguments.backend == "narrator"
            else _asked(rows, arguments, shard, report)
        )
        for row in written:
            report.count(row["split"])
            writer.add(row["split"], row)
    write_report(directory, shard, arguments.num_shards, report)
    return report


def _narrated(
    rows: Iterator[tuple[str, dict[str, Any]]], arguments: NarrativeArguments, report: Report
) -> Iterator[dict[str, Any]]:
    for where, record in rows:
        try:
            text = narrate(record, seed=(arguments.seed, record["material_id"]))
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


def _asked(
    rows: Iterator[tuple[str, dict[str, Any]]], arguments: NarrativeArguments, shard: int, report: Report
) -> Iterator[dict[str, Any]]:
    with Dialogue(arguments, shard) as dialogue:
        for record, outcome in dialogue.run(list(rows)):
            yield {**_of_record(record, arguments.seed), **_of_outcome(outcome, arguments.model)}
        for name, number in dialogue.counts().items():
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
    """The words of the card."""
    by_model = arguments.backend == "openai"
    writer = f"the language model `{arguments.model}`" if by_model else "the offline narrator of the package `clac`"
    checked = (
        "Every text was checked against its record: formula present, every number in it, no other space group, crystal "
        "system or formula. What failed after the last attempt is in the split `rejected`, with the reason."
    )
    return CardText(
        title="Narratives of crystals",
        summary=f"Inorganic crystals with their computed properties, each with a text written by {writer}. {checked}",
        provenance=(
            f"`datasets_scripts.narratives --backend {arguments.backend}`, seed {arguments.seed}, commit "
            f"`{git_commit() or 'unknown'}`. Splits share no formula."
        ),
        limits=(
            "The texts say what the records hold, and which uses they make plausible; no paper was read and no "
            "experiment made. The numbers are those of density functional theory."
        ),
        citations=(
            "Park, Kumaran, Hsu, Olivetti, Li (2025), Contrastive Learning of English Language and Crystal Graphs for "
            "Multimodal Representation of Materials Knowledge, arXiv 2502.16451",
            "Jain et al. (2013), APL Materials 1, 011002, for crystals of the Materials Project",
        ),
        columns=_MEANINGS,
        tags=("materials-science", "crystals", "synthetic-text"),
    )


def build(arguments: NarrativeArguments) -> None:
    """
    Builds the shards asked for; the card is written when all of them are there.

    Raises:
        ClacInputError: an argument or a row is unusable, the budget is spent, or the server refuses. Answers are kept.
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
    for name, number in report.counts.items():
        print(f"{name}: {number:,}")
    for reason in report.left_out:
        print(f"left out: {reason}")
    if joined is None:
        print("the card is written with the last shard")


def api_key(arguments: NarrativeArguments) -> str:
    """
    Raises:
        ClacInputError: OpenAI's server is asked, and no key is set.
    """
    key = os.environ.get(arguments.api_key_variable)
    if key is None and arguments.base_url is None:
        raise ClacInputError(f"set {arguments.api_key_variable} to your key, or give the --base_url of your own server")
    return key or "none"


if __name__ == "__main__":
    run_script(NarrativeArguments, build)
