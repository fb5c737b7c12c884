"""
Retrieval of crystals by descriptions of their structures, as other programs write them.

    python -m evaluation.descriptions --split validation
    python -m evaluation.descriptions --split test --output evaluation/results/descriptions/test.json

The descriptions in `evaluation/queries/descriptions` are by Robocrystallographer, see
`datasets_scripts.descriptions`. The model was not trained on such texts.
"""

from __future__ import annotations

import datetime
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from datasets_scripts.common.pool_texts import DESCRIPTIONS, read_descriptions, sentences_of_description
from evaluation.metrics.intervals import bootstrap_intervals
from evaluation.metrics.pools import TOP
from evaluation.retrieval import Embedder, describe_model, read_split
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.atomic_files import write_json
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import provenance
from modeling_clac.utils.ranking import retrieval_ranks, retrieval_scores

PARTS = ("whole description", "first sentence")


@dataclass
class DescriptionsArguments:
    """Arguments of the evaluation of structure descriptions."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    split: str = field(default="validation", metadata={"help": "Split to take the pool from."})
    pool: int = field(default=1024, metadata={"help": "Number of crystals in the pool, including those described."})
    data: str | None = field(default=None, metadata={"help": "Directory with {split}.parquet. Default: bundled."})
    descriptions: str | None = field(
        default=None,
        metadata={
            "help": "Parquet file with material_id and description. Default: that of the split in the repository."
        },
    )
    seed: int = field(default=0, metadata={"help": "Seed of the pool and of the bootstrap."})
    batch_size: int = field(default=64, metadata={"help": "Crystals or texts per batch."})
    bootstrap: int = field(default=1000, metadata={"help": "Bootstrap samples for the intervals."})
    output: str | None = field(default=None, metadata={"help": "FILE.json for the result."})

    def __post_init__(self) -> None:
        require_at_least(self, 2, "pool")
        require_at_least(self, 1, "batch_size", "bootstrap")


def described_pool(
    records: Sequence[Mapping[str, Any]], described: Mapping[str, str], size: int, seed: int
) -> list[Mapping[str, Any]]:
    """
    Return the described crystals and others drawn at random, in the order of the records.

    Args:
        records: Crystals of the split.
        described: Descriptions by material id.
        size: Number of crystals in the pool. All are returned if there are no more.
        seed: Seed of the draw.

    Raises:
        ClacInputError: If a described crystal is not among the records, or the pool is too small for them.
    """
    unknown = set(described) - {str(record["material_id"]) for record in records}
    if unknown:
        raise ClacInputError(f"{min(unknown)} is described, but not in the split; give the descriptions of this split")
    if size < len(described):
        raise ClacInputError(f"--pool {size}: must be at least {len(described)}, the number of descriptions")
    others = [row for row, record in enumerate(records) if str(record["material_id"]) not in described]
    number = min(size - len(described), len(others))
    drawn = set(np.random.default_rng(seed).choice(others, number, replace=False).tolist()) if number else set()
    return [r for row, r in enumerate(records) if row in drawn or str(r["material_id"]) in described]


def evaluate_descriptions(
    embedder: Embedder,
    pool: Sequence[Mapping[str, Any]],
    described: Mapping[str, str],
    seed: int = 0,
    *,
    batch_size: int = 64,
    bootstrap: int = 1000,
) -> dict[str, Any]:
    """
    Rank the crystals of a pool for each description.

    Args:
        embedder: Model that returns embeddings of unit length.
        pool: Crystals, with `material_id` and `cif`.
        described: Descriptions by material id; each crystal must be in the pool.
        seed: Seed of the bootstrap.
        batch_size: Crystals or texts per batch.
        bootstrap: Number of bootstrap samples for the 95 % intervals.

    Returns:
        `pool`, `queries` (number of descriptions) and `scores[part]` for each of `PARTS`: `top_1`, `top_3`, `top_10`,
        `mrr` (0-1) and their `intervals`, and an `example`.
    """
    names = [str(record["material_id"]) for record in pool]
    crystals = embedder.encode_crystals(
        [record["cif"] for record in pool], names=names, batch_size=batch_size, show_progress=None
    )
    rows = [row for row, name in enumerate(names) if name in described]
    whole = [described[names[row]] for row in rows]
    scores: dict[str, Any] = {}
    for part, texts in zip(PARTS, (whole, [sentences_of_description(text)[0] for text in whole]), strict=True):
        embeds = embedder.encode_text(texts, batch_size=batch_size, show_progress=None)
        ranks = retrieval_ranks(embeds, crystals, np.array(rows))
        scores[part] = {
            **retrieval_scores(ranks, TOP),
            "intervals": bootstrap_intervals(ranks, TOP, bootstrap, seed),
            "example": texts[0],
        }
    return {"pool": len(pool), "queries": len(rows), "scores": scores}


def print_scores(result: Mapping[str, Any]) -> None:
    """Print one row of scores for each part of the descriptions."""
    names = ("top_1", "top_3", "top_10", "mrr")
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for header in ("query", "top-1", "95 %", "top-3", "top-10", "MRR"):
        table.add_column(header, justify="left" if header == "query" else "right", no_wrap=True)
    for part, scores in result["scores"].items():
        low, high = scores["intervals"]["top_1"]
        first, *others = (f"{scores[name]:.3f}" for name in names)
        table.add_row(part, first, f"{low:.3f}-{high:.3f}", *others)
    console = Console()
    console.print(table)
    console.print(
        f"{result['model']} (weights {result['fingerprint']}), {result['queries']} descriptions of split "
        f"{result['split']}, pool of {result['pool']:,} crystals, seed {result['seed']}, commit "
        f"{result['commit'] or 'unknown'}. Interval: 95 %, bootstrap over the queries.",
        markup=False,
        highlight=False,
    )


def run(arguments: DescriptionsArguments) -> dict[str, Any]:
    """
    Evaluate the model, print the table, and write the result to `--output` if given.

    Raises:
        ClacInputError: If an argument, the data or the model is invalid. Nothing is written in that case.
    """
    if arguments.output is not None and Path(arguments.output).suffix != ".json":
        raise ClacInputError(f"--output {arguments.output}: expected a file name ending in .json")
    checkpoint = resolve_checkpoint(arguments.model)
    described = read_descriptions(Path(arguments.descriptions or DESCRIPTIONS / f"{arguments.split}.parquet"))
    records = read_split(Path(arguments.data or ASSETS / "mp-crystals"), arguments.split)
    pool = described_pool(records, described, arguments.pool, arguments.seed)
    if len(pool) < arguments.pool:
        print(f"split {arguments.split!r} has {len(pool):,} crystals, fewer than --pool {arguments.pool:,}: using all")
    scores = evaluate_descriptions(
        ClacEmbedder.from_pretrained(checkpoint),
        pool,
        described,
        arguments.seed,
        batch_size=arguments.batch_size,
        bootstrap=arguments.bootstrap,
    )
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "seed": arguments.seed,
        "split": arguments.split,
        "split_size": len(records),
        **scores,
        "command": shlex.join(["python", "-m", "evaluation.descriptions", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print_scores(result)
    if arguments.output is not None:
        write_json(result, Path(arguments.output))
        print(f"wrote {arguments.output}")
    return result


if __name__ == "__main__":
    run_script(DescriptionsArguments, run)
