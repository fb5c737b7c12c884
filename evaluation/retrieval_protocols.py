"""
Retrieval under the protocols that papers report, in one table: sizes of pools, kinds of texts, kinds of splits.

    python -m evaluation.retrieval_protocols --output runs/retrieval-protocols/result.json
    python -m evaluation.retrieval_protocols --paragraphs runs/literature --random_model runs/at-random/best \
        --random_data runs/mp-crystals-random --output runs/retrieval-protocols/result.json

Our splits share no formula. Many papers split at random, which leaves polymorphs and duplicates of training crystals
among the test crystals; `datasets_scripts.random_split` writes such a split, and a model that is compared on it must be
trained on it.
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

from datasets_scripts.common.pool_texts import DESCRIPTIONS, read_descriptions
from evaluation.descriptions import described_pool
from evaluation.metrics.pools import score_pool
from evaluation.reports.retrieval_protocols import protocols_markdown, write_protocols
from evaluation.retrieval import Embedder, describe_model, read_split
from evaluation.texts.query_sources import (
    QuerySource,
    description_sources,
    narrator_sources,
    paragraph_sources,
    read_paragraphs,
)
from modeling_clac.errors_clac import ClacInputError
from modeling_clac.inference.checkpoints import Checkpoint, resolve_checkpoint
from modeling_clac.inference.embedder import ClacEmbedder
from modeling_clac.utils.arguments import require_at_least, run_script
from modeling_clac.utils.paths import ASSETS
from modeling_clac.utils.provenance import provenance


@dataclass
class ProtocolArguments:
    """Arguments of the comparison of retrieval protocols."""

    model: str | None = field(
        default=None, metadata={"help": "Checkpoint: a directory or a Hub id. Default: the bundled one."}
    )
    data: str | None = field(default=None, metadata={"help": "Directory with {split}.parquet. Default: bundled."})
    split: str = field(default="test", metadata={"help": "Split to take the pools from."})
    pools: list[int] = field(default_factory=lambda: [512, 1024], metadata={"help": "Numbers of crystals in a pool."})
    descriptions: str | None = field(
        default=None,
        metadata={
            "help": "Parquet file with material_id and description. Default: the committed one, for bundled data."
        },
    )
    paragraphs: str | None = field(
        default=None, metadata={"help": "Data set of datasets_scripts.literature, for paragraphs of papers as queries."}
    )
    random_model: str | None = field(
        default=None, metadata={"help": "Checkpoint trained on a random split, to be scored on the same split."}
    )
    random_data: str | None = field(default=None, metadata={"help": "Data set of datasets_scripts.random_split."})
    seed: int = field(default=0, metadata={"help": "Seed of the pools, the narratives and the bootstrap."})
    batch_size: int = field(default=64, metadata={"help": "Crystals or texts per batch."})
    bootstrap: int = field(default=1000, metadata={"help": "Bootstrap samples for the intervals."})
    output: str | None = field(
        default=None,
        metadata={"help": "FILE.json for the result; table.md and the figure go to the same directory."},
    )

    def __post_init__(self) -> None:
        require_at_least(self, 1, "batch_size", "bootstrap")
        if not self.pools or min(self.pools) < 2:
            raise ClacInputError(f"--pools {' '.join(map(str, self.pools))}: expected numbers of at least 2 crystals")
        if (self.random_model is None) != (self.random_data is None):
            raise ClacInputError("--random_model and --random_data belong together; give both or neither")
        if self.output is not None and Path(self.output).suffix != ".json":
            raise ClacInputError(f"--output {self.output}: expected a file name ending in .json")


def evaluate_protocols(
    embedder: Embedder,
    records: Sequence[Mapping[str, Any]],
    sources: Sequence[QuerySource],
    pools: Sequence[np.ndarray],
    seed: int = 0,
    *,
    batch_size: int = 64,
    bootstrap: int = 1000,
) -> list[dict[str, Any]]:
    """
    Score each source of texts in each pool, with every crystal and text embedded once.

    Args:
        embedder: Model that returns embeddings of unit length.
        records: Crystals of the largest pool.
        sources: Texts about these crystals.
        pools: Sorted rows of the crystals of each pool.
        seed: Seed of the bootstrap.
        batch_size: Crystals or texts per batch.
        bootstrap: Number of bootstrap samples for the 95 % intervals.

    Returns:
        For each pool and source with at least one text: `pool`, `source`, the number of `queries`, and the scores of
        both directions, see `score_pool`.
    """
    names = [str(record["material_id"]) for record in records]
    crystals = embedder.encode_crystals(
        [record["cif"] for record in records], names=names, batch_size=batch_size, show_progress=None
    )
    # Each distinct text is embedded once: rounding depends on the padding of the batch.
    distinct = {text: place for place, text in enumerate(dict.fromkeys(t for own in sources for t in own.texts))}
    embeds = embedder.encode_text(list(distinct), batch_size=batch_size, show_progress=None)
    found = []
    for rows in pools:
        for source in (own.within(rows) for own in sources):
            if source.texts:
                texts = [distinct[text] for text in source.texts]
                scores = score_pool(crystals[rows], embeds, texts, source.targets, bootstrap=bootstrap, seed=seed)
                found.append({"pool": len(rows), "source": source.name, "queries": len(texts), **scores})
    return found


def score_split(
    checkpoint: Checkpoint, data: Path, described: Mapping[str, str], arguments: ProtocolArguments
) -> dict[str, Any]:
    """
    Score a checkpoint on a split of a data set.

    Args:
        checkpoint: The checkpoint.
        data: Directory with `{split}.parquet`, and `train.parquet` of the crystals that it was trained on.
        described: Descriptions by material id, whose crystals are in each pool.
        arguments: Pools, paragraphs and seed.

    Returns:
        `model` and `fingerprint`, `split_size`, `known_formulas` (share of the crystals of the largest pool whose
        formula is in the train split), and `rows`, see `evaluate_protocols`.

    Raises:
        ClacInputError: If the data or the checkpoint is invalid, or a crystal of the pools is in the train split.
    """
    records = read_split(data, arguments.split)
    sizes = sorted({min(size, len(records)) for size in arguments.pools})
    for size in (size for size in arguments.pools if size > len(records)):
        print(f"split {arguments.split!r} has {len(records):,} crystals, fewer than the pool of {size:,}: using all")
    pool = described_pool(records, described, sizes[-1], arguments.seed)
    places = {str(record["material_id"]): row for row, record in enumerate(pool)}
    smaller = [described_pool(pool, described, size, arguments.seed) for size in sizes]
    rows = [np.array([places[str(record["material_id"])] for record in own]) for own in smaller]
    trained = read_split(data, "train")
    leaked = {str(record["material_id"]) for record in trained} & set(places)
    if leaked:
        raise ClacInputError(f"{data}: {min(leaked)} is in the train split and in the split {arguments.split}")
    formulas = {record["formula"] for record in trained}
    sources = [*narrator_sources(pool, arguments.seed), *description_sources(pool, described)]
    if arguments.paragraphs is not None:
        sources += paragraph_sources(pool, read_paragraphs(Path(arguments.paragraphs), arguments.split))
    scored = evaluate_protocols(
        ClacEmbedder.from_pretrained(checkpoint),
        pool,
        sources,
        rows,
        arguments.seed,
        batch_size=arguments.batch_size,
        bootstrap=arguments.bootstrap,
    )
    return {
        **describe_model(checkpoint),
        "split_size": len(records),
        "known_formulas": float(np.mean([record["formula"] in formulas for record in pool])),
        "rows": scored,
    }


def _descriptions(arguments: ProtocolArguments) -> dict[str, str]:
    """Read the descriptions. The committed ones are of bundled crystals, so other data need a file of their own."""
    if arguments.descriptions is not None:
        return read_descriptions(Path(arguments.descriptions))
    file = DESCRIPTIONS / f"{arguments.split}.parquet"
    return read_descriptions(file) if arguments.data is None and file.is_file() else {}


def run(arguments: ProtocolArguments) -> dict[str, Any]:
    """
    Score the model, print the table, and write the result to `--output` if given.

    Raises:
        ClacInputError: If an argument, the data or a model is invalid. Nothing is written in that case.
    """
    checkpoint = resolve_checkpoint(arguments.model)
    checkpoint.require_whole()
    described = _descriptions(arguments)
    splits = {}
    if arguments.random_model is not None and arguments.random_data is not None:
        random = resolve_checkpoint(arguments.random_model)
        random.require_whole()
        splits["at random"] = score_split(random, Path(arguments.random_data), {}, arguments)
    own = score_split(checkpoint, Path(arguments.data or ASSETS / "mp-crystals"), described, arguments)
    # What the data set is decides, not what it is called.
    splits = {"by formula" if own["known_formulas"] == 0 else "shares formulas": own, **splits}
    origin = provenance(asdict(arguments))
    result = {
        **describe_model(checkpoint),
        "seed": arguments.seed,
        "split": arguments.split,
        "splits": splits,
        "command": shlex.join(["python", "-m", "evaluation.retrieval_protocols", *sys.argv[1:]]),
        "arguments": origin["recipe"],
        "commit": origin["commit"],
        "versions": origin["versions"],
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    print(protocols_markdown(result))
    if arguments.output is not None:
        for path in write_protocols(result, Path(arguments.output)):
            print(f"wrote {path}")
    return result


if __name__ == "__main__":
    run_script(ProtocolArguments, run)
