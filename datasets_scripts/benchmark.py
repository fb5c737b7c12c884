"""
Write one data set on which any pair of a crystal encoder and a text encoder can be compared.

    python -m datasets_scripts.benchmark --output_dir runs/crystal-text-benchmark
    python -m datasets_scripts.push runs/crystal-text-benchmark --repo_id you/crystal-text-benchmark

The data set holds pools of crystals with fixed ids, the texts to embed, and the right answers: narratives with and
without the formula, structure descriptions, phrases that hold for several crystals, and multiple-choice questions.
`evaluation.open_benchmark` scores two files of embeddings.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import DatasetCardData

from datasets_scripts.common.benchmark_tables import MEANINGS, SCHEMAS, TASKS
from datasets_scripts.common.cards import PAPER, size_category, split_files
from datasets_scripts.common.pool_texts import (
    DESCRIPTIONS,
    held_out_texts,
    query_texts,
    read_descriptions,
    sentences_of_description,
)
from datasets_scripts.common.records import Records, Report, split_of_record, usable_rows
from datasets_scripts.questions import QuestionArguments
from datasets_scripts.questions import build as build_questions
from modeling_clac.concepts.vocabulary import load_vocabulary
from modeling_clac.data.bundled import HELD_OUT
from modeling_clac.data.facts.crystal_facts import facts_of
from modeling_clac.data.facts.fact_table import FactTable
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.structures_clac import parse_structure
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.atomic_files import replaced_files
from modeling_clac.utils.cards import card_text
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import git_commit

Rows = list[dict[str, Any]]


@dataclass
class BenchmarkArguments:
    """Arguments of the benchmark."""

    output_dir: str = field(metadata={"help": "Directory for the data set and its card."})
    input: str = field(
        default=str(ASSETS / "mp-crystals"),
        metadata={"help": "Parquet file or directory with crystals and properties."},
    )
    split: str = field(default="test", metadata={"help": "Split to take the pools from: validation or test."})
    descriptions: str | None = field(
        default=None,
        metadata={"help": "Parquet file with material_id and description. Default: the committed one if the input is."},
    )
    pools: list[int] = field(default_factory=lambda: [512, 1024], metadata={"help": "Numbers of crystals in a pool."})
    min_right: int = field(default=3, metadata={"help": "Least number of right crystals of a phrase."})
    seed: int = field(default=0, metadata={"help": "Seed of the pools, the narratives and the questions."})

    def __post_init__(self) -> None:
        require_at_least(self, 1, "min_right")
        if self.split not in HELD_OUT:
            raise ClacInputError(f"--split {self.split}: choose from {', '.join(HELD_OUT)}")
        if not self.pools or min(self.pools) < 2:
            raise ClacInputError(f"--pools {' '.join(map(str, self.pools))}: expected numbers of at least 2 crystals")


class Texts:
    """Distinct texts, each with an id that depends on the order in which they were added."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def add(self, text: str) -> str:
        """Add a text if it is new, and return its id."""
        return self._ids.setdefault(text, f"t{len(self._ids):05d}")

    @property
    def rows(self) -> Rows:
        """Rows of the table of texts."""
        return [{"text_id": own, "text": text} for text, own in self._ids.items()]


def benchmark_tables(arguments: BenchmarkArguments) -> dict[str, Rows]:
    """
    Compute the rows of each table of the benchmark.

    Returns:
        Rows by the name of the table, a key of `SCHEMAS`.

    Raises:
        ClacInputError: If a pool is larger than the split.
    """
    records = _records(arguments)
    if max(arguments.pools) > len(records):
        raise ClacInputError(
            f"--pools {max(arguments.pools)}: the split {arguments.split} has {len(records):,} crystals"
        )
    texts = Texts()
    return {
        "crystals": [{name: record[name] for name in SCHEMAS["crystals"].names} for record in records],
        "pools": _pools(records, arguments.pools, arguments.seed),
        "retrieval": _retrieval(records, texts, arguments),
        "phrases": _phrases(records, texts, arguments),
        "questions": _questions(texts, arguments),
        "texts": texts.rows,
    }


def _records(arguments: BenchmarkArguments) -> Rows:
    found = Records(Path(arguments.input))
    found.require_columns(*SCHEMAS["crystals"].names)
    found.require_disjoint_splits(arguments.seed)
    rows = [record for _, record in usable_rows(found.rows(), "raise", Report())]
    return [record for record in rows if split_of_record(record, arguments.seed) == arguments.split]


def _descriptions(names: Iterable[str], arguments: BenchmarkArguments) -> dict[str, str]:
    bundled = Path(arguments.input) == ASSETS / "mp-crystals"
    if arguments.descriptions is None and not bundled:
        return {}
    described = read_descriptions(Path(arguments.descriptions or DESCRIPTIONS / f"{arguments.split}.parquet"))
    strange = sorted(set(described) - set(names))
    if strange:
        raise ClacInputError(
            f"{strange[0]} is described, but not in the split {arguments.split}; give the descriptions of this split"
        )
    return described


def _pools(records: Sequence[Mapping[str, Any]], sizes: Sequence[int], seed: int) -> Rows:
    """Draw nested pools: each is a random sample, and contains the smaller ones."""
    order = np.random.default_rng(seed).permutation(len(records))
    return [
        {"pool": str(size), "material_id": records[row]["material_id"]}
        for size in sorted(set(sizes))
        for row in np.sort(order[:size])
    ]


def _retrieval(records: Sequence[Mapping[str, Any]], texts: Texts, arguments: BenchmarkArguments) -> Rows:
    own: dict[str, list[tuple[str, str]]] = {}
    names = [str(record["material_id"]) for record in records]
    for task, written in query_texts(records, arguments.seed).items():
        own[task] = list(zip(names, written, strict=True))
    described = _descriptions(names, arguments)
    own["description"] = list(described.items())
    own["description_first"] = [(name, sentences_of_description(text)[0]) for name, text in described.items()]
    return [
        {"task": task, "text_id": texts.add(text), "material_id": name} for task in TASKS for name, text in own[task]
    ]


def _phrases(records: Sequence[Mapping[str, Any]], texts: Texts, arguments: BenchmarkArguments) -> Rows:
    vocabulary = load_vocabulary()
    crystals = [parse_structure(record["cif"], name=record["material_id"]) for record in records]
    facts = facts_of(crystals, [record["space_group_number"] for record in records])
    table = FactTable.from_table(pa.Table.from_pylist([dict(record) for record in records]), facts)
    names = np.array([record["material_id"] for record in records])
    rows = []
    for phrase in held_out_texts(vocabulary, table, arguments.min_right):
        decided = (phrase.truth == 0) | (phrase.truth == 1)
        rows.append(
            {
                "text_id": texts.add(phrase.text),
                "concept": phrase.group,
                "kind": vocabulary[phrase.group].kind,
                "right": names[phrase.truth == 1].tolist(),
                "undecided": names[~decided].tolist(),
            }
        )
    return rows


def _questions(texts: Texts, arguments: BenchmarkArguments) -> Rows:
    with tempfile.TemporaryDirectory() as directory:
        build_questions(QuestionArguments(directory, input=arguments.input, seed=arguments.seed))
        files: Iterable[Path] = split_files(Path(directory)).get(arguments.split, ())
        found = [row for file in files for row in pq.read_table(file).to_pylist()]
    return [
        {
            **{name: row[name] for name in ("question_id", "material_id", "kind", "difficulty", "question", "answer")},
            "options": [texts.add(option) for option in row["options"]],
        }
        for row in found
    ]


def make_card(tables: Mapping[str, Rows], arguments: BenchmarkArguments) -> str:
    """
    Make the card of the benchmark, with metadata for the Hub.

    Args:
        tables: Rows by the name of the table.
        arguments: Arguments of the script.
    """
    total = sum(map(len, tables.values()))
    data = DatasetCardData(
        language="en",
        license="cc-by-4.0",
        pretty_name="Crystal-text benchmark",
        size_categories=size_category(total),
        task_categories=["zero-shot-classification", "sentence-similarity", "multiple-choice"],
        tags=["materials-science", "crystals", "retrieval", "benchmark"],
        configs=[
            {"config_name": name, "data_files": [{"split": "test", "path": f"{name}.parquet"}], **default}
            for name in SCHEMAS
            for default in [{"default": True} if name == "texts" else {}]
        ],
    )
    lines = ["# Crystal-text benchmark", ""]
    lines += [
        "Inorganic crystals, English texts, and which text is right for which crystal, to compare models that embed "
        "crystals and texts in one space. Embed the column `cif` of `crystals` and the column `text` of `texts`, and "
        "score both files:",
        "",
        "```sh",
        "python -m evaluation.open_benchmark --benchmark REPO_ID --crystals crystals.parquet --texts texts.parquet \\",
        '    --name "my model" --output result.json',
        "```",
        "",
        "Each file of embeddings is Parquet with the columns `id` (`material_id` or `text_id`) and `embedding` (list "
        "of numbers). Scores use the cosine.",
        "",
    ]
    for name, schema in SCHEMAS.items():
        lines += [f"## `{name}`: {len(tables[name]):,} rows", "", "| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{entry.name}` | {entry.type} | {MEANINGS[name, entry.name]} |" for entry in schema]
        lines += [""]
    counts = {task: sum(row["task"] == task for row in tables["retrieval"]) for task in TASKS}
    lines += ["## Tasks of retrieval", "", "| task | texts | |", "|---|---:|---|"]
    lines += [f"| `{task}` | {counts[task]:,} | {meaning} |" for task, meaning in TASKS.items()]
    lines += [
        "",
        "A text ranks the crystals of a pool, and the crystal of a text ranks the texts of its task. A crystal that "
        "ties with the right one is ranked before it. Report top-1, top-10 and the mean reciprocal rank with the pool.",
        "",
        "Phrases are scored by the share of the possible precision@10, over the crystals of the largest pool without "
        "the undecided ones, averaged over the phrases of a concept and then over concepts. Questions are scored by "
        "accuracy and by balanced accuracy, the mean over the right statements, for each kind and difficulty.",
        "",
        "## How it was made",
        "",
        f"`datasets_scripts.benchmark`, split {arguments.split}, seed {arguments.seed}, commit "
        f"`{git_commit() or 'unknown'}`. Narratives and formulas are written from the records; descriptions are by "
        "Robocrystallographer 0.2.13; phrases are wordings of the vocabulary of CLaC that its own training leaves out, "
        "with answers that follow from the structure and from computed properties; questions are those of "
        "`datasets_scripts.questions`.",
        "",
        "## Limits",
        "",
        "The crystals are entries of the Materials Project. CLaC is not trained on any crystal with one of these "
        "formulas, but other models may have been: leave these ids and formulas out of training, or say that they "
        "were in it. All texts are generated by rules; a model that reads them well need not read papers well. "
        "Computed properties have the errors of density functional theory.",
        "",
        "## Cite",
        "",
        f"* {PAPER}",
        "* Jain et al. (2013), APL Materials 1, 011002, for the crystals",
        "* Ganose, Jain (2019), MRS Communications 9, 874, doi 10.1557/mrc.2019.94, for the descriptions",
        "",
    ]
    return card_text(data, "\n".join(lines))


def build(arguments: BenchmarkArguments) -> None:
    """
    Write the tables and the card; the files appear together.

    Raises:
        ClacInputError: If an argument is invalid or the directory cannot be written to.
    """
    tables = benchmark_tables(arguments)
    with replaced_files(Path(arguments.output_dir)) as new:
        for name, schema in SCHEMAS.items():
            table = pa.Table.from_pylist(tables[name], schema=schema)
            pq.write_table(table, new / f"{name}.parquet", compression="zstd")
        (new / "README.md").write_text(make_card(tables, arguments), encoding="utf-8")
    for name, rows in tables.items():
        print(f"{name}: {len(rows):,} rows")
    print(f"wrote {arguments.output_dir}")


if __name__ == "__main__":
    run_script(BenchmarkArguments, build)
